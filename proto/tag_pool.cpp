// SPDX-License-Identifier: MIT
#include "proto/tag_pool.hpp"

#include <algorithm>
#include <cassert>

namespace fuse9p::proto {

TagPool::TagPool(const TagLimits& limits) : limits_(limits), states_(limits.tags, State::free) {
  assert(limits.tags >= 1 && limits.tags <= to_int(kNoTag));
  assert(limits.flush_reserve < limits.tags);
  for (std::size_t number = 0; number < limits.tags; ++number)
    free_.push_back(Tag{static_cast<std::uint16_t>(number)});
}

std::optional<Tag> TagPool::acquire(TimePoint now) {
  end_quarantine(now);
  if (free_.size() <= limits_.flush_reserve)
    return std::nullopt;
  return take();
}

std::optional<Tag> TagPool::acquire_for_flush(TimePoint now) {
  end_quarantine(now);
  if (free_.empty())
    return std::nullopt;
  return take();
}

Tag TagPool::take() {
  const Tag tag = free_.front();
  free_.pop_front();
  states_[to_int(tag)] = State::in_flight;
  ++handed_out_;
  return tag;
}

void TagPool::begin_flush(Tag tag) {
  assert(state(tag) == State::in_flight);
  states_[to_int(tag)] = State::flushing;
}

void TagPool::release(Tag tag) {
  assert(state(tag) == State::in_flight || state(tag) == State::flushing);
  states_[to_int(tag)] = State::free;
  free_.push_back(tag);
}

void TagPool::quarantine(Tag tag, TimePoint now) {
  assert(state(tag) == State::flushing);
  states_[to_int(tag)] = State::quarantined;
  quarantine_.push_back(
      {tag, handed_out_ + limits_.quarantine_tags, now + limits_.quarantine_time});
}

std::optional<TimePoint> TagPool::next_release() const {
  if (quarantine_.empty())
    return std::nullopt;
  return quarantine_.front().until_time;
}

void TagPool::end_quarantine(TimePoint now) {
  // Both bounds must have passed, but a pool too small to hand out that many others goes by time.
  const std::size_t others = std::min(limits_.quarantine_tags, limits_.tags / 2);
  while (!quarantine_.empty()) {
    const Quarantined& oldest = quarantine_.front();
    const std::uint64_t serial = oldest.until_serial - limits_.quarantine_tags + others;
    const bool enough_others = handed_out_ >= serial || free_.size() <= limits_.flush_reserve;
    if (now < oldest.until_time || !enough_others)
      return;
    states_[to_int(oldest.tag)] = State::free;
    free_.push_back(oldest.tag);
    quarantine_.pop_front();
  }
}

}  // namespace fuse9p::proto
