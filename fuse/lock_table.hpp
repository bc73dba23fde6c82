// SPDX-License-Identifier: MIT
// LockTable: who on this machine holds which bytes of one file, by the rules of fcntl(2). Pure
// logic: no waiting, no server, no clock. flock(2) uses one of its own, with locks of all bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace fuse9p::fs {

/// By strength.
enum class LockType : std::uint8_t { none, read, write };

struct Lock {
  /// As the kernel names it: a process's table of open files, or one open file.
  std::uint64_t owner = 0;
  LockType type = LockType::none;
  std::uint64_t begin = 0, end = kEnd;  ///< bytes, `end` excluded
  std::uint32_t pid = 0;                ///< told to those who ask who is in their way
  std::uint64_t handle = 0;             ///< the open file through which it was taken

  /// Behind every byte that there can be.
  static constexpr std::uint64_t kEnd = std::numeric_limits<std::uint64_t>::max();
  bool operator==(const Lock&) const = default;
};

class LockTable {
 public:
  /// Most pieces of one file: beyond it locks are refused.
  static constexpr std::size_t kMostLocks = 8192;

  /// The first lock of another owner that is in the way of `wanted`; null if none is. Valid until
  /// the next change.
  const Lock* conflict(const Lock& wanted) const;
  /// The owner's lock of these bytes is this one from now on (LockType::none: there is none),
  /// whatever it was. Ask conflict() before. False, and nothing changes: too many pieces.
  bool set(const Lock& lock);
  /// The type of the owner's lock that covers the first byte.
  LockType held_by(std::uint64_t owner) const;

  /// Of all owners.
  LockType strongest() const;
  void drop_owner(std::uint64_t owner);
  /// Those that were taken through this open file.
  void drop_handle(std::uint64_t handle);
  bool empty() const { return locks_.empty(); }
  const std::vector<Lock>& locks() const { return locks_; }

 private:
  std::vector<Lock> locks_;  // an owner's don't overlap, and no two equal ones touch
};

}  // namespace fuse9p::fs
