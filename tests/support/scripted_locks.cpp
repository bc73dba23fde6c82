// SPDX-License-Identifier: MIT
#include "tests/support/scripted_locks.hpp"

#include <algorithm>
#include <tuple>

namespace fuse9p::test {
namespace {

bool overlap(const Lock& one, const Lock& other) {
  return one.start < other.end && other.start < one.end;
}

}  // namespace

bool Locks::same_owner(const Lock& one, const Lock& other) const {
  if (kind_ == Kind::whole)
    return one.fid == other.fid;
  return std::tie(one.proc_id, one.client_id) == std::tie(other.proc_id, other.client_id);
}

std::optional<Lock> Locks::in_the_way_of(FileId file, const Lock& lock) const {
  const auto found = locks_.find(file);
  if (found == locks_.end() || lock.type == Lock::Type::none)
    return std::nullopt;
  const auto other = std::ranges::find_if(found->second, [&](const Lock& held) {
    const bool exclusive = held.type == Lock::Type::write || lock.type == Lock::Type::write;
    return exclusive && overlap(held, lock) && !same_owner(held, lock);
  });
  return other == found->second.end() ? std::nullopt : std::optional(*other);
}

bool Locks::set(FileId file, Lock lock) {
  if (kind_ == Kind::fake)
    return true;
  if (kind_ == Kind::whole)
    std::tie(lock.start, lock.end) = std::pair(std::uint64_t{0}, Lock::kToTheEnd);
  std::vector<Lock>& locks = locks_[file];
  const bool blocked = in_the_way_of(file, lock).has_value();
  // flock(2) gives the old lock back before it asks for the new one, and may end up with neither.
  if (!blocked || kind_ == Kind::whole)
    cut_out(locks, lock);
  if (!blocked && lock.type != Lock::Type::none)
    locks.push_back(std::move(lock));
  return !blocked;
}

/// Its owner has no lock there any more, but still what lies before and behind it.
void Locks::cut_out(std::vector<Lock>& locks, const Lock& hole) const {
  std::vector<Lock> left;
  for (const Lock& lock : locks) {
    if (!same_owner(lock, hole) || !overlap(lock, hole)) {
      left.push_back(lock);
      continue;
    }
    if (Lock before = lock; lock.start < hole.start) {
      before.end = hole.start;
      left.push_back(std::move(before));
    }
    if (Lock behind = lock; lock.end > hole.end) {
      behind.start = hole.end;
      left.push_back(std::move(behind));
    }
  }
  locks = std::move(left);
}

void Locks::clunked(proto::Fid fid) {
  for (auto& [file, locks] : locks_)
    std::erase_if(locks, [&](const Lock& lock) { return lock.fid == fid; });
}

std::vector<Lock> Locks::of(FileId file) const {
  const auto found = locks_.find(file);
  std::vector<Lock> locks = found == locks_.end() ? std::vector<Lock>{} : found->second;
  std::ranges::sort(locks, {}, &Lock::start);
  return locks;
}

}  // namespace fuse9p::test
