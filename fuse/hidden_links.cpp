// SPDX-License-Identifier: MIT
#include "fuse/hidden_links.hpp"

#include "fuse/mount.hpp"
#include "fuse/operations.hpp"
#include "src/log.hpp"
#include "src/server_error.hpp"

#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <limits>

namespace fuse9p::fs {
namespace {

/// Others may pass through and not look around.
constexpr std::uint32_t kDirectoryMode = 0711, kWritableByOthers = 0022;
/// When somebody else removes the directory in between it is made anew.
constexpr int kAttempts = 3;
/// Entries of a directory that are looked at when leftovers are searched: a server may have no end.
constexpr std::size_t kMostLookedAt = 100'000;
constexpr std::uint32_t kWireDirectory = 0200000;

bool is_dot(std::string_view name) {
  return name == "." || name == "..";
}

/// It would be refused again.
bool is_final(const error_code& error) {
  return error == as_error(EACCES) || error == as_error(EPERM) || error == as_error(EROFS) ||
         is_unsupported(error);
}

/// Counts one more of something as long as it lives.
class Counted {
 public:
  explicit Counted(std::size_t& count) : count_(&count) { ++count; }
  Counted(Counted&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
  Counted& operator=(Counted&&) = delete;
  ~Counted() {
    if (count_ != nullptr)
      --*count_;
  }

 private:
  std::size_t* count_;
};

awaitable<void> counted(Counted, awaitable<void> work) {
  co_await std::move(work);
}

}  // namespace

HiddenLinks::HiddenLinks(Mount& mount)
    : mount_(mount),
      changed_(mount.io()),
      links_can_be_made_(mount.client().capabilities().hard_links) {}

// ---- keeping

awaitable<result<HiddenLinks::Kept>> HiddenLinks::keep(NodeRef directory, std::string name,
                                                       UserId user, bool may_move) {
  const Node* found = directory->child(name);
  if (over_ || found == nullptr || found->is_directory() || found->open_handles == 0 ||
      found->has_several_links())
    co_return Kept::nothing;
  const NodeRef node = mount_.nodes().find(found->id());
  error_code error = co_await link_at_root(node);
  if (error && !interrupted(error) && links_can_be_made_)
    error = co_await link_into(directory, user, node);
  if (!error)
    co_return Kept::linked;
  if (!interrupted(error) && may_move) {
    error = co_await move_within(directory, name, user, node);
    if (!error)
      co_return Kept::moved;
  }
  if (interrupted(error))
    co_return error;
  log::debug("the file {} can't be kept when its name goes: {}", node->id(), error.message());
  co_return Kept::nothing;
}

awaitable<error_code> HiddenLinks::link_at_root(NodeRef node) {
  error_code error = as_error(EPERM);
  for (int attempt = 0; attempt < kAttempts && links_can_be_made_ && !no_directory_; ++attempt) {
    ++in_directory_;
    const auto place = co_await directory();
    error = place.error();
    if (place)
      error = co_await link_into(*place, UserId::mount, node);
    if (!error)
      co_return error;
    // Somebody else may have removed it, but not with names of ours in it.
    const bool may_be_gone = is_stale(error) && in_directory_ == 1;
    if (!may_be_gone || attempt + 1 == kAttempts) {
      leave_directory();
      break;
    }
    --in_directory_;
    forget_directory();
  }
  co_return error;
}

awaitable<error_code> HiddenLinks::link_into(NodeRef directory, UserId user, NodeRef node) {
  std::string name = names_.next();
  const error_code error = co_await link_to(mount_, user, node, directory, name);
  if (interrupted(error))  // done or not
    mount_.spawn_detached(drop_name(directory, name, user));
  if (!error)
    note(node, Link{.directory = directory, .name = std::move(name), .user = user});
  links_can_be_made_ = links_can_be_made_ && !is_unsupported(error);
  co_return error;
}

awaitable<error_code> HiddenLinks::move_within(NodeRef directory, std::string name, UserId user,
                                               NodeRef node) {
  std::string hidden = names_.next();
  const auto closure = co_await mount_.paths().close(directory, name);
  if (!closure)
    co_return closure.error();
  const auto rename = [&](proto::Fid fid) {
    return mount_.client().rename(fid, name, fid, hidden);
  };
  const error_code error = co_await mount_.with_passed_directory(directory, user, rename);
  if (interrupted(error))  // if done, it was to be removed
    mount_.spawn_detached(drop_name(directory, hidden, user));
  if (!error) {
    mount_.fids().drop(*node);
    note(node, Link{.directory = directory, .name = std::move(hidden), .user = user});
    mount_.nodes().unlink(*directory, name);
  }
  co_return error;
}

void HiddenLinks::note(const NodeRef& node, Link link) {
  mount_.nodes().add_link(*node, *link.directory, link.name);
  // Even before the other name goes: who meets with its end finds the file by this one.
  mount_.nodes().prefer_link(*node, *link.directory, link.name);
  mount_.fids().drop(*node);
  node->hidden = true;
  links_.insert_or_assign(node->id(), std::move(link));
  if (node->open_handles == 0)  // closed meanwhile
    release(node);
}

// ---- removing

void HiddenLinks::closed(const NodeRef& node) {
  if (!over_)
    release(node);
}

void HiddenLinks::release(const NodeRef& node) {
  const auto found = links_.find(node->id());
  if (found == links_.end())
    return;
  Link link = std::move(found->second);
  links_.erase(found);
  mount_.spawn_detached(counted(Counted(removing_), remove(node, std::move(link))));
}

void HiddenLinks::close_all() {
  while (!links_.empty())
    release(mount_.nodes().find(links_.begin()->first));
  over_ = true;
}

awaitable<void> HiddenLinks::remove(NodeRef node, Link link) {
  const error_code error = co_await remove_name(link.directory, link.name, link.user);
  if (error && !is_stale(error))
    log::warn("{}: {}, the name of a file that is not needed any more, was not removed: {}",
              mount_.client().connection().name(), link.name, error.message());
  mount_.nodes().unlink(*link.directory, link.name);
  mount_.fids().drop(*node);
  node->hidden = false;
  if (directory_ && link.directory->id() == directory_->id())
    leave_directory();
}

awaitable<error_code> HiddenLinks::remove_name(NodeRef directory, std::string name, UserId user) {
  const auto closure = co_await mount_.paths().close(directory, name);
  if (!closure)
    co_return closure.error();
  const auto unlink = [&](proto::Fid fid) { return mount_.client().unlink(fid, name, false); };
  const error_code error = co_await mount_.with_passed_directory(directory, user, unlink);
  if (!error)
    mount_.nodes().unlink(*directory, name);  // who opens it just now must look again
  co_return error;
}

/// One that may not be there.
awaitable<void> HiddenLinks::drop_name(NodeRef directory, std::string name, UserId user) {
  co_await remove_name(std::move(directory), std::move(name), user);
}

// ---- the directory at the root

awaitable<result<NodeRef>> HiddenLinks::directory() {
  while (removing_directory_) {
    if (const bool woken = co_await changed_.wait(); !woken)
      co_return error_code(proto::Error::withdrawn);
  }
  if (directory_)
    co_return directory_;
  if (const error_code error = co_await make_directory()) {
    no_directory_ = is_final(error);
    co_return error;
  }
  const NodeRef root = mount_.nodes().find(kRootId);
  auto found = co_await look_up(mount_, UserId::mount, root, std::string(kHiddenPrefix));
  if (!found)
    co_return found.error();
  if (!is_safe(**found)) {
    log::warn("{}: {} at its root is not ours: files are kept in their own directories",
              mount_.client().connection().name(), kHiddenPrefix);
    no_directory_ = true;
    co_return as_error(EPERM);
  }
  directory_ = std::move(*found);
  co_return directory_;
}

awaitable<error_code> HiddenLinks::make_directory() {
  const NodeRef root = mount_.nodes().find(kRootId);
  const auto made = co_await mount_.with_directory(root, UserId::mount, [&](proto::Fid fid) {
    return mount_.client().mkdir(fid, kHiddenPrefix, kDirectoryMode, ::getegid());
  });
  made_directory_ |= made.has_value();
  const bool there = made || made.error() == as_error(EEXIST);
  co_return there ? error_code() : made.error();
}

/// Nobody but who it belongs to may list it or give names there, and that is us: a file's name may
/// have stood where only its owner gets to.
bool HiddenLinks::is_safe(const Node& directory) const {
  const Attributes& found = directory.attributes;
  const Attributes& root = mount_.nodes().root().attributes;
  const bool ours =
      made_directory_ || found.uid == mount_.settings().users.mount_number || found.uid == root.uid;
  return directory.is_directory() && ours && (found.mode & kWritableByOthers) == 0;
}

void HiddenLinks::leave_directory() {
  if (--in_directory_ == 0 && directory_)
    mount_.spawn_detached(counted(Counted(removing_), remove_directory()));
}

void HiddenLinks::forget_directory() {
  if (!directory_)
    return;
  mount_.nodes().unlink(mount_.nodes().root(), kHiddenPrefix);
  mount_.fids().drop(*directory_);
  directory_ = {};
  made_directory_ = false;
}

/// Who needs the directory waits as long as it lives.
class HiddenLinks::Removing {
 public:
  explicit Removing(HiddenLinks& links) : links_(links) { links_.removing_directory_ = true; }
  Removing(const Removing&) = delete;
  Removing& operator=(const Removing&) = delete;
  ~Removing() {
    links_.removing_directory_ = false;
    links_.changed_.notify();
  }

 private:
  HiddenLinks& links_;
};

/// If nobody uses it, here or elsewhere.
awaitable<void> HiddenLinks::remove_directory() {
  if (in_directory_ > 0 || removing_directory_)
    co_return;
  const Removing removing(*this);
  const NodeRef root = mount_.nodes().find(kRootId);
  const error_code error = co_await mount_.with_directory(root, UserId::mount, [&](proto::Fid fid) {
    return mount_.client().unlink(fid, kHiddenPrefix, true);
  });
  if (!error || is_stale(error))
    forget_directory();
}

// ---- leftovers

awaitable<void> HiddenLinks::clear_root() {
  const bool read_only = (mount_flags(mount_.settings().fuse_options) & MS_RDONLY) != 0;
  if (!links_can_be_made_ || read_only)
    co_return;
  const NodeRef root = mount_.nodes().find(kRootId);
  const auto found = co_await look_up(mount_, UserId::mount, root, std::string(kHiddenPrefix));
  if (!found || !(*found)->is_directory())
    co_return;
  ++in_directory_;
  const bool swept = co_await sweep(*found, UserId::mount);
  if (!directory_ && is_safe(**found))
    directory_ = NodeRef(*found);
  if (swept)
    log::info("{}: removed what a mount that is dead had left in {}",
              mount_.client().connection().name(), kHiddenPrefix);
  leave_directory();
}

awaitable<bool> HiddenLinks::clear(NodeRef directory, UserId user) {
  const bool swept = co_await sweep(directory, user);
  const bool moved = co_await move_up(directory, user);
  co_return swept || moved;
}

/// Removes the names there that nobody needs. Ends at the first name that programs see: a directory
/// with such is not to be emptied.
awaitable<bool> HiddenLinks::sweep(NodeRef directory, UserId user) {
  const auto opened = co_await mount_.with_own_fid(directory, user, [&](FidHandle fid) {
    return mount_.client().open(std::move(fid), kWireDirectory);
  });
  if (!opened)
    co_return false;
  const auto reader = mount_.client().directory_reader(*opened);
  std::vector<std::string> leftovers;
  std::uint64_t cookie = 0;
  for (std::size_t seen = 0; seen < kMostLookedAt;) {
    const auto chunk = co_await reader->read(cookie);
    if (!chunk || chunk->empty())
      break;
    for (const DirectoryEntry& entry : *chunk) {
      if (!is_dot(entry.name) && !is_hidden_name(entry.name))
        co_return false;
      const bool left = co_await is_left(directory, user, entry.name);
      if (left)
        leftovers.push_back(entry.name);
    }
    seen += chunk->size();
    cookie = chunk->back().cookie;
  }
  bool removed = false;
  for (const std::string& name : leftovers) {
    const error_code error = co_await remove_name(directory, name, user);
    removed |= !error;
  }
  co_return removed;
}

awaitable<bool> HiddenLinks::is_left(NodeRef directory, UserId user, std::string name) {
  constexpr auto kLongAgo = std::chrono::seconds::max();
  const auto self = HiddenNameGiver::self();
  if (!is_leftover(name, kLongAgo, self))
    co_return false;
  if (is_leftover(name, {}, self))
    co_return true;
  const auto walked = co_await mount_.with_directory(
      directory, user, [&](proto::Fid fid) { return mount_.client().walk(fid, name); });
  if (!walked)
    co_return false;
  const auto attributes = co_await mount_.client().getattr(walked->fid.fid());
  co_return attributes&& is_leftover(
      name, std::chrono::seconds(::time(nullptr) - attributes->ctime.tv_sec), self);
}

/// Moves the hidden names there that are ours into the directory above.
awaitable<bool> HiddenLinks::move_up(NodeRef directory, UserId user) {
  if (directory->is_root() || directory->unlinked() ||
      !mount_.client().capabilities().rename_across_directories)
    co_return false;
  std::vector<NodeId> ours;
  for (const auto& [id, link] : links_) {
    if (link.directory->id() == directory->id())
      ours.push_back(id);
  }
  const NodeRef above = mount_.nodes().find(directory->link().parent->id());
  bool moved = false;
  for (const NodeId id : ours) {
    const auto found = links_.find(id);
    if (found == links_.end())
      continue;
    const std::string name = found->second.name;
    const auto closure = co_await mount_.paths().close(directory, name, above, name);
    if (!closure)
      break;
    const auto target = co_await mount_.fids().acquire(above, user);
    if (!target)
      break;
    const auto rename = [&](proto::Fid fid) {
      return mount_.client().rename(fid, name, target->fid(), name);
    };
    const error_code error = co_await mount_.with_passed_directory(directory, user, rename);
    if (error)
      continue;
    moved = true;
    if (const auto now = links_.find(id); now != links_.end()) {
      now->second.directory = NodeRef(above);
      mount_.fids().drop(*mount_.nodes().find(id));
      mount_.nodes().rename(*directory, name, *above, name);
    } else {  // closed meanwhile: its removal has gone to the old place
      mount_.spawn_detached(drop_name(above, name, user));
    }
  }
  co_return moved;
}

}  // namespace fuse9p::fs
