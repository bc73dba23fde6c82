// SPDX-License-Identifier: MIT
// What is written down of a simulation: how often each kind of thing happened, the first claim that
// was broken, and, if wanted, every step.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fuse9p::sim {

/// What a sample of seeds must have seen, or it proves nothing about it.
enum class Occurrence : std::uint8_t {
  one_byte_delivered,
  frame_split_on_arrival,
  write_cut_short,
  write_would_block,
  write_interrupted,
  reply_overtook,
  reply_withheld,
  request_refused,
  read_answered_short,
  read_answered_too_long,
  write_answered_short,
  walk_answered_short,
  no_tag_left,
  cancelled_unsent,
  flush_answered,
  reply_then_rflush,
  flush_refused,
  flush_withheld,
  late_reply,
  late_fid,
  stray_fid_clunked,
  stray_fid_in_use,
  abandoned,
  abandoned_in_rread,
  abandoned_in_twrite,
  settled_by_reply,
  settled_by_rflush,
  storm,
  cancelled_in_delivery,
  time_past_flush_timeout,
  time_past_quarantine,
  lost_by_eof,
  lost_by_reset,
  lost_by_write_error,
  lost_by_nonsense,
  closed_by_us,
  closed_in_delivery,
  walk_checked,
  read_checked,
  write_checked,
  create_checked,
  directory_checked,
  removal_checked,
  tremove_checked,
  renaming_checked,
  ended_quiet,
  count,
};
inline constexpr std::size_t kOccurrences = static_cast<std::size_t>(Occurrence::count);
std::string_view name_of(Occurrence what);

using Tally = std::array<std::uint64_t, kOccurrences>;

class Record {
 public:
  /// `logging` costs time: for the replay of a seed that failed.
  explicit Record(bool logging) : logging_(logging) {}

  void count(Occurrence what, std::uint64_t times = 1) {
    tally_[static_cast<std::size_t>(what)] += times;
  }
  /// A claim was broken. The first one counts.
  void complain(const std::string& what) {
    note([&] { return "VIOLATION: " + what; });
    if (violation_.empty())
      violation_ = what;
  }
  /// `text()` gives a line of the log.
  template <class Text>
  void note(Text&& text) {
    if (logging_)
      log_.push_back(text());
  }

  const Tally& tally() const { return tally_; }
  const std::string& violation() const { return violation_; }
  bool violated() const { return !violation_.empty(); }
  std::vector<std::string> take_log() { return std::move(log_); }

 private:
  bool logging_;
  Tally tally_{};
  std::string violation_;
  std::vector<std::string> log_;
};

}  // namespace fuse9p::sim
