// SPDX-License-Identifier: MIT
#include "fuse/lock_table.hpp"

#include <algorithm>

namespace fuse9p::fs {
namespace {

bool overlap(const Lock& one, const Lock& other) {
  return one.begin < other.end && other.begin < one.end;
}

bool hinders(const Lock& held, const Lock& wanted) {
  return held.owner != wanted.owner && overlap(held, wanted) &&
         (held.type == LockType::write || wanted.type == LockType::write);
}

/// Can they be one lock?
bool join(const Lock& one, const Lock& other) {
  return one.owner == other.owner && one.type == other.type && one.begin <= other.end &&
         other.begin <= one.end;
}

}  // namespace

const Lock* LockTable::conflict(const Lock& wanted) const {
  const Lock* first = nullptr;
  for (const Lock& held : locks_) {
    const bool first_so_far = first == nullptr || held.begin < first->begin;
    if (first_so_far && hinders(held, wanted))
      first = &held;
  }
  return first;
}

bool LockTable::set(const Lock& lock) {
  std::vector<Lock> next;
  next.reserve(locks_.size() + 2);
  for (const Lock& held : locks_) {
    if (held.owner != lock.owner || !overlap(held, lock)) {
      next.push_back(held);
      continue;
    }
    Lock before = held, behind = held;
    before.end = lock.begin;
    behind.begin = lock.end;
    for (const Lock& rest : {before, behind}) {
      if (rest.begin < rest.end)
        next.push_back(rest);
    }
  }
  if (lock.type != LockType::none) {
    Lock whole = lock;
    std::erase_if(next, [&](const Lock& held) {
      if (!join(held, whole))
        return false;
      whole.begin = std::min(whole.begin, held.begin);
      whole.end = std::max(whole.end, held.end);
      return true;
    });
    next.push_back(whole);
  }
  if (next.size() > std::max(kMostLocks, locks_.size()))
    return false;
  locks_ = std::move(next);
  return true;
}

LockType LockTable::held_by(std::uint64_t owner) const {
  const auto found = std::ranges::find_if(
      locks_, [&](const Lock& held) { return held.owner == owner && held.begin == 0; });
  return found == locks_.end() ? LockType::none : found->type;
}

LockType LockTable::strongest() const {
  LockType type = LockType::none;
  for (const Lock& held : locks_)
    type = std::max(type, held.type);
  return type;
}

void LockTable::drop_owner(std::uint64_t owner) {
  std::erase_if(locks_, [&](const Lock& held) { return held.owner == owner; });
}

void LockTable::drop_handle(std::uint64_t handle) {
  std::erase_if(locks_, [&](const Lock& held) { return held.handle == handle; });
}

}  // namespace fuse9p::fs
