// SPDX-License-Identifier: MIT
#include "fuse/attr.hpp"
#include "fuse/operations.hpp"
#include "fuse/set_id.hpp"
#include "src/setattr.hpp"

#include <cerrno>

namespace fuse9p::fs {
namespace {

using namespace setattr_valid;

proto::Tsetattr changes_of(const struct stat& attributes, int to_set) {
  proto::Tsetattr out;
  const auto has = [&](int bit) { return (to_set & bit) != 0; };
  const auto add = [&](int bit, std::uint32_t valid) { out.valid |= has(bit) ? valid : 0; };
  add(FUSE_SET_ATTR_MODE, kMode);
  add(FUSE_SET_ATTR_UID, kUid);
  add(FUSE_SET_ATTR_GID, kGid);
  add(FUSE_SET_ATTR_SIZE, kSize);
  add(FUSE_SET_ATTR_ATIME, kAtime | kAtimeSet);
  add(FUSE_SET_ATTR_MTIME, kMtime | kMtimeSet);
  add(FUSE_SET_ATTR_CTIME, kCtime);
  add(FUSE_SET_ATTR_ATIME_NOW, kAtime);
  add(FUSE_SET_ATTR_MTIME_NOW, kMtime);
  // "Now" is the server's now.
  out.valid &= has(FUSE_SET_ATTR_ATIME_NOW) ? ~kAtimeSet : ~0U;
  out.valid &= has(FUSE_SET_ATTR_MTIME_NOW) ? ~kMtimeSet : ~0U;
  out.mode = attributes.st_mode;
  out.uid = attributes.st_uid;
  out.gid = attributes.st_gid;
  out.size = static_cast<std::uint64_t>(attributes.st_size);
  out.atime_sec = static_cast<std::uint64_t>(attributes.st_atim.tv_sec);
  out.atime_nsec = static_cast<std::uint64_t>(attributes.st_atim.tv_nsec);
  out.mtime_sec = static_cast<std::uint64_t>(attributes.st_mtim.tv_sec);
  out.mtime_nsec = static_cast<std::uint64_t>(attributes.st_mtim.tv_nsec);
  return out;
}

/// A handle whose fid can stand for the node: opened for writing, so that the permission was
/// checked then, and by a path that is still the node's.
std::shared_ptr<FileHandle> usable_handle(Mount& mount, const FileInfo& file) {
  auto handle = file ? mount.files().find(file->fh) : nullptr;
  return handle && handle->writable && handle->path_is_current() ? handle : nullptr;
}

awaitable<error_code> change(Mount& mount, UserId user, NodeRef node, proto::Tsetattr changes,
                             std::shared_ptr<FileHandle> handle) {
  if (handle && (changes.valid & kSize) != 0) {
    const auto passage = co_await mount.paths().pass(node);
    if (!passage)
      co_return passage.error();
    if (handle->path_is_current()) {
      changes.fid = handle->file.fid.fid();
      co_return co_await mount.client().setattr(changes);
    }
  }
  co_return co_await mount.with_fid(node, user, [&](proto::Fid fid) {
    changes.fid = fid;
    return mount.client().setattr(changes);
  });
}

}  // namespace

awaitable<error_code> refresh(Mount& mount, UserId user, NodeRef node) {
  const auto ask = [&](proto::Fid fid) { return mount.client().getattr(fid); };
  auto attributes = co_await mount.with_fid(node, user, ask);
  if (!attributes && mount.is_out_of_reach(*node, user, attributes.error()))
    attributes = co_await mount.with_fid(node, mount.fids().holder(*node), ask);
  if (!attributes)
    co_return attributes.error();
  if (!mount.nodes().update(*node, *attributes)) {
    mount.fids().drop(*node);
    co_return as_error(ESTALE);
  }
  co_return error_code();
}

awaitable<void> getattr(Mount& mount, Request& request, fuse_ino_t ino, FileInfo) {
  const NodeRef node = mount.nodes().find(ino);
  if (!node)
    co_return request.reply_errno(ESTALE);
  // Gone by every name: a server that goes by path would answer for a stranger. What we know is
  // kept up to date by what is done through its handles.
  if (!node->unlinked()) {
    if (const error_code error = co_await refresh(mount, request.user(), node))
      co_return request.reply_error(error);
  }
  request.reply_attr(to_stat(*node), mount.attr_timeout());
}

/// A directory that was removed while somebody is in it lives on in our memory only.
int change_removed(Node& node, const Request& request, const proto::Tsetattr& changes) {
  Attributes& known = node.attributes;
  const bool is_root = request.uid() == 0;
  const bool gives_away = (changes.valid & kUid) != 0 && changes.uid != known.uid;
  if (!is_root && (request.uid() != known.uid || gives_away))
    return EPERM;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const auto given = [&](std::uint64_t seconds, std::uint64_t nanoseconds, std::uint32_t is_set) {
    return (changes.valid & is_set) == 0 ? now
                                         : timespec{.tv_sec = static_cast<time_t>(seconds),
                                                    .tv_nsec = static_cast<long>(nanoseconds)};
  };
  if ((changes.valid & kMode) != 0)
    known.mode = known.type() | (changes.mode & 07777);
  if ((changes.valid & kUid) != 0)
    known.uid = changes.uid;
  if ((changes.valid & kGid) != 0)
    known.gid = changes.gid;
  if ((changes.valid & kAtime) != 0)
    known.atime = given(changes.atime_sec, changes.atime_nsec, kAtimeSet);
  if ((changes.valid & kMtime) != 0)
    known.mtime = given(changes.mtime_sec, changes.mtime_nsec, kMtimeSet);
  known.ctime = now;
  return 0;
}

awaitable<void> setattr(Mount& mount, Request& request, fuse_ino_t ino, struct stat attributes,
                        int to_set, FileInfo file) {
  const NodeRef node = mount.nodes().find(ino);
  if (!node || (node->unlinked() && !node->is_directory()))
    co_return request.reply_errno(ESTALE);
  const proto::Tsetattr changes = changes_of(attributes, to_set);
  if (node->unlinked()) {
    const int error = change_removed(*node, request, changes);
    co_return error != 0 ? request.reply_errno(error)
                         : request.reply_attr(to_stat(*node), mount.attr_timeout());
  }
  const auto handle = usable_handle(mount, file);
  const Change intent = (changes.valid & kSize) != 0 ? size_of(node) : attributes_of(node);
  if (const bool cleared = co_await mount.unresolved().cleared(intent); !cleared)
    co_return request.reply_errno(EINTR);
  const auto mark = mount.unresolved().mark();
  if (const error_code error = co_await change(mount, request.user(), node, changes, handle)) {
    request.reply_error(error);
    co_return co_await mount.unresolved().settle(intent, mark);
  }
  // Done. If its result can't be had any more, what we know is told, but not to be relied on.
  error_code error = co_await refresh(mount, request.user(), node);
  if (!error && (request.drops_set_id() || (changes.valid & (kUid | kGid)) != 0))
    error = co_await drop_set_id(mount, request.user(), node);
  if (error && !interrupted(error))
    co_return request.reply_error(error);
  if (error) {
    if ((changes.valid & kSize) != 0)
      node->attributes.size = changes.size;
    node->fresh_until = {};
  }
  request.reply_attr(to_stat(*node), error ? 0 : mount.attr_timeout());
}

}  // namespace fuse9p::fs
