// SPDX-License-Identifier: MIT
// FidPool hands out fid numbers, small and dense (some servers take only 0..1023), and knows
// when one may be used again: when its Rclunk (or Rremove) came, never before, and never while a
// request that names it is unresolved.
//
//   free -> live -> retired -> clunking -> free
//                   retired: nobody wants it, but requests that name it are still out
//                              clunking: Tclunk (or Tremove) was sent; its reply is awaited
#pragma once

#include "proto/types.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace fuse9p::proto {

class FidPool {
 public:
  /// `limit`: numbers 0..limit-1.
  explicit FidPool(std::uint32_t limit = 0x7FFFFFFF) : limit_(limit) {}

  /// A number that was used before, the one freed longest ago; else the next. None at the limit.
  std::optional<Fid> acquire();

  /// A reply that came too late may have made this fid on the server behind our back. True: the
  /// number was free and is held now; send a Tclunk. If it is in use by now, it gets one more
  /// Tclunk before it is free: release() or end() will say so.
  [[nodiscard]] bool doubt(Fid fid);

  /// A request that names `fid` goes out, and its fate is known. end() says whether the fid was
  /// retired meanwhile and its Tclunk is now due.
  void begin(Fid fid);
  [[nodiscard]] bool end(Fid fid);

  /// Its holder has done with it. True: send the Tclunk now. False: end() will say when.
  [[nodiscard]] bool retire(Fid fid);

  /// The server has no such fid (any more): Rclunk came, or the request that would have made it
  /// failed. Unresolved requests that name it keep the number until their end(). True: it is in
  /// doubt; send a Tclunk first.
  bool release(Fid fid);

  /// Does a request name it whose fate is not known?
  bool named(Fid fid) const { return fids_[to_int(fid)].requests > 0; }
  std::size_t in_use() const { return in_use_; }
  /// Of those, the ones that somebody holds: not given back, and not in doubt.
  std::size_t held() const { return held_; }

  /// The server has refused this live number because it has no more fids: it is not used again, and
  /// no larger ones either. What was refused is so learnt one by one, whether the server counts
  /// fids or looks at their numbers. Never fewer than `kFewest` are left.
  void bar(Fid fid);
  static constexpr std::size_t kFewest = 16;
  /// Numbers that may be used.
  std::size_t usable() const { return std::min<std::size_t>(limit_, fids_.size()) - barred_; }
  bool is_free(Fid fid) const {
    if (to_int(fid) >= fids_.size())
      return true;
    const State state = fids_[to_int(fid)].state;
    return state == State::free || state == State::barred;
  }

 private:
  enum class State : std::uint8_t { free, live, retired, clunking, released, barred };
  struct Record {
    State state = State::free;
    std::uint32_t requests = 0;
    bool doubted = false;
    bool barred = false;
  };

  Record& at(Fid fid) { return fids_[to_int(fid)]; }
  bool set_free(Fid fid);

  std::uint32_t limit_;
  std::vector<Record> fids_;
  std::deque<Fid> free_;  // freed longest ago first: a late reply rarely meets a new owner
  std::size_t in_use_ = 0, held_ = 0, barred_ = 0;
};

}  // namespace fuse9p::proto
