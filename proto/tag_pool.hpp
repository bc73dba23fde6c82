// SPDX-License-Identifier: MIT
// TagPool knows when a tag may be used again: intro(5), flush(5).
//
//   free -> in_flight -> free                        at the reply
//           in_flight -> flushing -> free            at Rflush, whatever came before it
//                        flushing -> quarantined     at Rflush that came without the reply
//                                    quarantined -> free    after N other tags and T seconds
//
// Freed tags go to the back of a queue, so that a late reply meets a free tag and not a stranger's
// request. Some tags are kept for Tflush: acquire() never takes the last of them.
#pragma once

#include "proto/types.hpp"

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

namespace fuse9p::proto {

/// Times are inputs to proto/: nobody here reads a clock.
using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

struct TagLimits {
  std::size_t tags = 0xFFFF;           ///< 1..65535; NOTAG is not one of them
  std::size_t flush_reserve = 64;      ///< of these, for Tflush only
  std::size_t quarantine_tags = 1024;  ///< tags handed out before a quarantined one comes back
  Duration quarantine_time = std::chrono::seconds(10);
};

class TagPool {
 public:
  enum class State : std::uint8_t { free, in_flight, flushing, quarantined };

  explicit TagPool(const TagLimits& limits = {});

  /// The tag that was free longest; none when only the flush reserve is left.
  std::optional<Tag> acquire(TimePoint now);
  /// The same for a Tflush: may take the reserve.
  std::optional<Tag> acquire_for_flush(TimePoint now);

  /// A Tflush for `tag` is about to be sent. `tag` is in flight.
  void begin_flush(Tag tag);
  /// The reply came (in flight), or the Rflush after the reply or without a request on the wire.
  void release(Tag tag);
  /// The Rflush came without the reply: a sloppy server may still send it.
  void quarantine(Tag tag, TimePoint now);

  State state(Tag tag) const { return states_[to_int(tag)]; }
  /// Is this a tag that the pool could have handed out?
  bool valid(Tag tag) const { return to_int(tag) < states_.size(); }
  /// Tags that requests hold, Tflush included; quarantined ones are not in use.
  std::size_t in_use() const { return states_.size() - free_.size() - quarantine_.size(); }
  std::size_t quarantined() const { return quarantine_.size(); }
  /// When the next quarantined tag may come free by time, if one waits.
  std::optional<TimePoint> next_release() const;

 private:
  struct Quarantined {
    Tag tag;
    std::uint64_t until_serial;  ///< of handed_out_
    TimePoint until_time;
  };

  void end_quarantine(TimePoint now);
  Tag take();

  TagLimits limits_;
  std::vector<State> states_;
  std::deque<Tag> free_;
  std::deque<Quarantined> quarantine_;  // in order of both bounds
  std::uint64_t handed_out_ = 0;
};

}  // namespace fuse9p::proto
