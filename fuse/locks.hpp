// SPDX-License-Identifier: MIT
// Locks: fcntl(2)'s and flock(2)'s, with locks=server. (With locks=local the kernel keeps them, and
// nothing of this is ever asked.)
//
// The processes of this machine are held against each other here, by lock tables. Towards the
// server the mount holds one outer lock per file, of the whole file, as strong as the strongest of
// ours: servers differ in what they make of ranges and owners (diod: whole files, one owner per
// fid), and in this all agree. It stands on an open fid of its own, so that two of our fids are
// never held against each other.
//
// The server's lock has one hand on it at a time: whoever has the turn. What an interrupt leaves in
// doubt is put right in that same turn, before anybody else asks for a lock of the file.
#pragma once

#include "fuse/handle_table.hpp"
#include "fuse/lock_table.hpp"
#include "src/log.hpp"
#include "src/wakeup.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <unordered_map>

namespace fuse9p::fs {

class Mount;

class Locks {
 public:
  /// Between two attempts to get what another client holds, from the first to the longest.
  static constexpr std::chrono::milliseconds kFirstPause{10}, kLongestPause{1000};
  /// Most processes that wait for each other here; more are refused with ENOLCK.
  static constexpr std::size_t kMostWaiters = 4096;

  enum class Space : std::uint8_t { posix, flock };

  explicit Locks(Mount& mount);
  ~Locks();
  Locks(const Locks&) = delete;
  Locks& operator=(const Locks&) = delete;

  using Handle = std::shared_ptr<FileHandle>;

  /// Takes the lock, here and at the server. `wait`: until it is to be had, else EAGAIN.
  awaitable<error_code> take(Handle handle, Space space, Lock wanted, bool wait);
  /// Gives it back: `range.type` is none.
  awaitable<void> drop(NodeRef node, Space space, Lock range);
  /// What is in the way of `wanted`, which is posix; LockType::none: nothing.
  awaitable<result<Lock>> test(Handle handle, Lock wanted);
  /// A process closes the file, by which its locks end.
  awaitable<void> closed_by(NodeRef node, std::uint64_t owner);
  /// Nobody has the open file any more: ends what was locked through it, and by `flock_owner`.
  awaitable<void> released(NodeRef node, std::uint64_t fh, std::uint64_t flock_owner);

  /// Has the server taken a lock away that a process believes to have? Then it must not go on.
  bool lost(const Node& node) const;
  /// Files on which there are locks, or were while they are open.
  std::size_t size() const { return files_.size(); }

 private:
  struct File;
  using FilePtr = std::shared_ptr<File>;
  struct Waiting;

  FilePtr file_of(const NodeRef& node);
  FilePtr known(const Node& node) const;
  awaitable<bool> begin_turn(FilePtr file);
  static void end_turn(File& file);
  awaitable<result<LockStatus>> raise(FilePtr file, Handle handle, LockType type);
  awaitable<error_code> open_lock_fid(FilePtr file, Handle handle);
  awaitable<result<LockStatus>> ask(FilePtr file, LockType type);
  awaitable<void> lower(FilePtr file);
  awaitable<void> put_right(FilePtr file, Fates::Mark mark);
  awaitable<error_code> await_local(FilePtr file, Space space, const Lock& wanted);
  awaitable<bool> pause(std::chrono::milliseconds& time);
  awaitable<void> settle(FilePtr file);
  void forget_if_idle(const FilePtr& file);
  bool would_deadlock(const File& file, const Lock& wanted) const;
  void on_late_lock();

  Mount& mount_;
  std::uint32_t owner_;  // as the server knows this mount: by lot
  std::unordered_map<NodeId, FilePtr> files_;
  std::unordered_map<std::uint64_t, const Waiting*> waiting_;  // by owner; posix only
  std::size_t waiters_ = 0;
  log::RateLimit complaints_;  // whoever polls a lock asks again and again
};

}  // namespace fuse9p::fs
