// SPDX-License-Identifier: MIT
#include "fuse/fid_cache.hpp"

#include "fuse/errno.hpp"

#include <cerrno>

namespace fuse9p::fs {
namespace {

/// A walk is begun anew when a rename on the way overtook it.
constexpr int kWalkAttempts = 3;

}  // namespace

FidCache::Entry* FidCache::find(const Node& node, UserId user) {
  const auto found = entries_.find({node.id(), user});
  return found == entries_.end() ? nullptr : &found->second;
}

std::optional<FidLease> FidCache::lookup(const Node& node, UserId user) {
  const auto found = entries_.find({node.id(), user});
  if (found == entries_.end())
    return std::nullopt;
  order_.splice(order_.end(), order_, found->second.position);
  return FidLease(found->second.fid);
}

awaitable<result<FidLease>> FidCache::acquire(NodeRef node, UserId user) {
  if (auto lease = lookup(*node, user))
    co_return std::move(*lease);
  if (node->is_root()) {
    auto fid = co_await client_.clone(client_.root());
    if (!fid)
      co_return fid.error();
    insert(*node, user, std::move(*fid));
    co_return *lookup(*node, user);
  }
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
  if (entry == nullptr || entry->spare || entry->making_spare || entries_.size() > max_fids_ / 2 ||
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
  if (walked->qid.path != node->qid().path ||
      ((walked->qid.type ^ node->qid().type) & proto::qid_type::kDir) != 0)
    co_return as_error(ESTALE);
  if (!contains(*node, user))  // else somebody was faster, and ours is given back
    insert(*node, user, std::move(walked->fid));
  co_return *lookup(*node, user);
}

void FidCache::insert(const Node& node, UserId user, FidHandle fid) {
  const Key key{node.id(), user};
  if (entries_.contains(key))
    return;
  order_.push_back(key);
  entries_.emplace(key, Entry{.fid = std::make_shared<FidHandle>(std::move(fid)),
                              .position = std::prev(order_.end())});
  evict();
}

FidHandle FidCache::take(const Node& node, UserId user) {
  const auto entry = entries_.find({node.id(), user});
  if (entry == entries_.end() || entry->second.fid.use_count() > 1 ||
      client_.is_named(entry->second.fid->fid()))
    return {};
  FidHandle fid = std::move(*entry->second.fid);
  order_.erase(entry->second.position);
  entries_.erase(entry);
  return fid;
}

void FidCache::evict() {
  // From the oldest on; those in use are passed over, so the bound may be exceeded by their number.
  auto candidate = order_.begin();
  while (entries_.size() > max_fids_ && candidate != std::prev(order_.end())) {
    const auto entry = entries_.find(*candidate);
    if (entry->second.fid.use_count() > 1) {
      ++candidate;
      continue;
    }
    candidate = order_.erase(candidate);
    entries_.erase(entry);
  }
}

void FidCache::drop(const Node& node) {
  const auto entry = entries_.find({node.id(), UserId::mount});
  if (entry == entries_.end())
    return;
  order_.erase(entry->second.position);
  entries_.erase(entry);
}

void FidCache::drop_below(Node& node) {
  nodes_.for_each_below(node, [this](Node& below) { drop(below); });
}

}  // namespace fuse9p::fs
