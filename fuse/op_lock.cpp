// SPDX-License-Identifier: MIT
#include "fuse/operations.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

namespace fuse9p::fs {
namespace {

/// libfuse has turned the range into a start and a length, 0 of which means: to the end.
Lock lock_of(const struct flock& asked, const fuse_file_info& file) {
  Lock lock{.owner = file.lock_owner,
            .begin = static_cast<std::uint64_t>(asked.l_start),
            .pid = static_cast<std::uint32_t>(asked.l_pid),
            .handle = file.fh};
  if (asked.l_len != 0)
    lock.end = lock.begin + static_cast<std::uint64_t>(asked.l_len);
  if (asked.l_type == F_RDLCK)
    lock.type = LockType::read;
  else if (asked.l_type == F_WRLCK)
    lock.type = LockType::write;
  return lock;
}

struct flock flock_of(const Lock& lock) {
  struct flock found {};
  found.l_type = F_UNLCK;
  if (lock.type == LockType::none)
    return found;
  found.l_type = lock.type == LockType::read ? F_RDLCK : F_WRLCK;
  found.l_whence = SEEK_SET;
  found.l_start = static_cast<off_t>(lock.begin);
  found.l_len = lock.end == Lock::kEnd ? 0 : static_cast<off_t>(lock.end - lock.begin);
  found.l_pid = static_cast<pid_t>(lock.pid);
  return found;
}

awaitable<void> lock(Mount& mount, Request& request, std::uint64_t fh, Locks::Space space,
                     Lock wanted, bool wait) {
  const auto handle = mount.files().find(fh);
  if (!handle)
    co_return request.reply_errno(EBADF);
  request.be_brief();  // who waits for a lock waits for other people
  if (wanted.type == LockType::none) {
    co_await mount.locks().drop(handle->node, space, wanted);
    co_return request.reply_ok();
  }
  request.reply_error(co_await mount.locks().take(handle, space, wanted, wait));
}

}  // namespace

/// close(2), of one of perhaps several descriptors. Every write was answered by the server before
/// write(2) returned, so there is nothing to wait for but locks; without these the kernel, told so
/// once, saves the question.
awaitable<void> flush(Mount& mount, Request& request, fuse_ino_t ino, FileInfo file) {
  if (!mount.settings().server_locks)
    co_return request.reply_errno(ENOSYS);
  if (const NodeRef node = mount.nodes().find(ino); node)
    co_await mount.locks().closed_by(node, file->lock_owner);
  request.reply_ok();
}

awaitable<void> getlk(Mount& mount, Request& request, fuse_ino_t, FileInfo file,
                      struct flock asked) {
  const auto handle = mount.files().find(file->fh);
  if (!handle)
    co_return request.reply_errno(EBADF);
  const auto found = co_await mount.locks().test(handle, lock_of(asked, *file));
  if (!found)
    co_return request.reply_error(found.error());
  request.reply_lock(flock_of(*found));
}

awaitable<void> setlk(Mount& mount, Request& request, fuse_ino_t, FileInfo file, struct flock asked,
                      int wait) {
  return lock(mount, request, file->fh, Locks::Space::posix, lock_of(asked, *file), wait != 0);
}

awaitable<void> flock(Mount& mount, Request& request, fuse_ino_t, FileInfo file, int operation) {
  Lock whole{.owner = file->lock_owner, .handle = file->fh};
  if ((operation & LOCK_SH) != 0)
    whole.type = LockType::read;
  else if ((operation & LOCK_EX) != 0)
    whole.type = LockType::write;
  const bool wait = (operation & LOCK_NB) == 0;
  return lock(mount, request, file->fh, Locks::Space::flock, whole, wait);
}

}  // namespace fuse9p::fs
