// SPDX-License-Identifier: MIT
#include "fuse/fid_cache.hpp"

#include "fuse/errno.hpp"

#include <algorithm>
#include <cerrno>

namespace fuse9p::fs {
namespace {

/// A walk is begun anew when a rename on the way overtook it.
constexpr int kWalkAttempts = 3;

}  // namespace

FidCache::FidCache(NodeTable& nodes, Client& client, std::size_t max_fids)
    : nodes_(nodes), client_(client), max_fids_(max_fids) {
  client_.on_fids_short([this](std::size_t usable) { make_room(usable); });
}

const FidCache::Entry* FidCache::find(const Node& node, UserId user) const {
  const auto found = entries_.find(node.id());
  if (found == entries_.end())
    return nullptr;
  const auto entry = std::ranges::find(found->second, user, &Entry::user);
  return entry == found->second.end() ? nullptr : &*entry;
}

UserId FidCache::holder(const Node& node) const {
  const auto found = entries_.find(node.id());
  return found == entries_.end() ? UserId::mount : found->second.front().user;
}

std::optional<FidLease> FidCache::lookup(const Node& node, UserId user) {
  const Entry* entry = find(node, user);
  if (entry == nullptr)
    return std::nullopt;
  order_.splice(order_.end(), order_, entry->position);
  return FidLease(entry->fid);
}

void FidCache::erase(Key key) {
  const auto found = entries_.find(key.node);
  const auto entry = std::ranges::find(found->second, key.user, &Entry::user);
  order_.erase(entry->position);
  if (found->second.size() == 1)
    entries_.erase(found);
  else
    found->second.erase(entry);
}

awaitable<result<FidLease>> FidCache::acquire(NodeRef node, UserId user) {
  if (auto lease = lookup(*node, user))
    co_return std::move(*lease);
  if (node->is_root())
    co_return co_await attach(node, user);
  result<FidLease> walked = as_error(ESTALE);
  for (int attempt = 0; attempt < kWalkAttempts && !node->unlinked(); ++attempt) {
    const std::uint32_t epoch = node->path_epoch;
    walked = co_await walk_to(node, user);
    if (walked && epoch == node->path_epoch)
      co_return walked;
    if (!walked && walked.error() != as_error(ENOENT) && walked.error() != as_error(ESTALE))
      co_return walked;
    drop(*node);  // made under a name that is no longer right
    if (!walked && epoch == node->path_epoch)
      break;
    walked = as_error(ESTALE);
  }
  co_return walked;
}

/// A user's root is an attach of its own; the mount's a clone of the one that it was made with.
awaitable<result<FidLease>> FidCache::attach(NodeRef root, UserId user) {
  if (user == UserId::mount) {
    auto clone = co_await client_.clone(client_.root());
    if (!clone)
      co_return clone.error();
    insert(*root, user, std::move(*clone));
    co_return *lookup(*root, user);
  }
  auto attached = co_await client_.attach(static_cast<std::uint32_t>(user));
  if (!attached && attached.error().category() == proto::server_category()) {
    if (complaints_.allow())
      log::warn("{}: user {} is not let in: {}", client_.connection().name(),
                static_cast<std::uint32_t>(user), attached.error().message());
    co_return as_error(EACCES);
  }
  if (!attached)
    co_return attached.error();
  if (attached->qid.path != root->qid().path)
    co_return as_error(ESTALE);
  if (!contains(*root, user))
    insert(*root, user, std::move(attached->fid));
  co_return *lookup(*root, user);
}

awaitable<result<FidHandle>> FidCache::own(NodeRef node, UserId user) {
  {
    const auto lease = co_await acquire(node, user);
    if (!lease)
      co_return lease.error();
    Entry* entry = find(*node, user);
    if (entry != nullptr && entry->spare)
      co_return std::move(entry->spare);
    if (node->is_directory())
      co_return co_await client_.clone(lease->fid());
  }
  if (FidHandle fid = take(*node, user))
    co_return std::move(fid);
  // Somebody else is using it just now.
  const auto lease = co_await acquire(node, user);
  if (!lease)
    co_return lease.error();
  co_return co_await client_.clone(lease->fid());
}

awaitable<void> FidCache::keep_spare(NodeRef directory, UserId user) {
  Entry* entry = find(*directory, user);
  // With the spares of all there are as many fids as allowed, at most.
  if (entry == nullptr || entry->spare || entry->making_spare || order_.size() > max_fids_ / 2 ||
      !std::exchange(entry->wants_spare, true))
    co_return;
  entry->making_spare = true;
  const FidLease lease(entry->fid);
  auto spare = co_await client_.clone(lease.fid());
  entry = find(*directory, user);
  if (entry == nullptr || !lease.is(entry->fid))
    co_return;  // dropped meanwhile: the clone may go by an old path
  entry->making_spare = false;
  if (spare)
    entry->spare = std::move(*spare);
}

awaitable<result<FidLease>> FidCache::walk_to(NodeRef node, UserId user) {
  const NodeRef parent(nodes_, *node->link().parent);
  const std::string name = node->link().name;
  const auto from = co_await acquire(parent, user);
  if (!from)
    co_return from.error();
  auto walked = co_await client_.walk(from->fid(), name);
  if (!walked)
    co_return walked.error();
  // The name may be another file's by now: a mismatch never updates the node.
  if (!same_object(walked->qid, node->qid()))
    co_return as_error(ESTALE);
  if (!contains(*node, user))  // else somebody was faster, and ours is given back
    insert(*node, user, std::move(walked->fid));
  co_return *lookup(*node, user);
}

void FidCache::insert(const Node& node, UserId user, FidHandle fid) {
  if (contains(node, user))
    return;
  order_.push_back({node.id(), user});
  entries_[node.id()].push_back(Entry{.user = user,
                                      .fid = std::make_shared<FidHandle>(std::move(fid)),
                                      .position = std::prev(order_.end())});
  evict();
}

FidHandle FidCache::take(const Node& node, UserId user) {
  Entry* entry = find(node, user);
  if (entry == nullptr || entry->fid.use_count() > 1 || client_.is_named(entry->fid->fid()))
    return {};
  FidHandle fid = std::move(*entry->fid);
  erase({node.id(), user});
  return fid;
}

void FidCache::evict() {
  // From the oldest on; those in use are passed over, so the bound may be exceeded by their number.
  const std::size_t fewest = std::clamp<std::size_t>(max_fids_ / kLeastShare, 1, kFewest);
  const auto too_many = [&] {
    return order_.size() > max_fids_ || (client_.fids_held() > max_fids_ && order_.size() > fewest);
  };
  for (auto next = order_.begin(); next != std::prev(order_.end()) && too_many();) {
    const auto candidate = next++;
    const auto& user = candidate->user;
    const auto entry =
        std::ranges::find(entries_.find(candidate->node)->second, user, &Entry::user);
    if (entry->fid.use_count() == 1)
      erase(*candidate);
  }
}

/// The server has only so many.
void FidCache::make_room(std::size_t usable) {
  max_fids_ = std::max<std::size_t>(1, std::min(max_fids_, usable - usable / kSpareShare));
  if (!order_.empty())
    evict();
}

void FidCache::drop(const Node& node) {
  const auto found = entries_.find(node.id());
  if (found == entries_.end())
    return;
  for (const Entry& entry : found->second)
    order_.erase(entry.position);
  // Giving fids back may lead back here.
  const Entries gone = std::move(found->second);
  entries_.erase(found);
}

void FidCache::drop_below(Node& node) {
  nodes_.for_each_below(node, [this](Node& below) { drop(below); });
}

}  // namespace fuse9p::fs
