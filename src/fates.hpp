// SPDX-License-Identifier: MIT
// Fates: requests that were given up while the server had them, and of which it is not known yet
// whether they took effect: neither their reply has come nor the Rflush. Usually there are none.
#pragma once

#include "proto/multiplexer.hpp"
#include "src/wakeup.hpp"

#include <cstdint>
#include <map>
#include <utility>

namespace fuse9p {

class Fates {
 public:
  /// A moment; requests are known by the moment at which they were given up.
  using Mark = std::uint64_t;

  explicit Fates(boost::asio::io_context& io) : changed_(io) {}

  Mark mark() const { return next_; }
  /// Is there one that was given up since then?
  bool unknown_since(Mark mark) const { return unknown_.lower_bound(mark) != unknown_.end(); }
  /// Until all that were given up between `mark` and now are known. False: cancelled.
  boost::asio::awaitable<bool> known_since(Mark mark) {
    for (const Mark end = next_; unknown_between(mark, end);) {
      if (const bool woken = co_await changed_.wait(); !woken)
        co_return false;
    }
    co_return true;
  }
  std::size_t unknown() const { return unknown_.size(); }

  // ---- told by the Client
  void given_up(proto::RequestId id) { unknown_.emplace(next_++, id); }
  void known(proto::RequestId id) {
    std::erase_if(unknown_, [&](const auto& entry) { return entry.second == id; });
    changed_.notify();
  }
  /// The connection is over: nothing of it can happen any more.
  void all_known() {
    unknown_.clear();
    changed_.notify();
  }

 private:
  bool unknown_between(Mark begin, Mark end) const {
    const auto first = unknown_.lower_bound(begin);
    return first != unknown_.end() && first->first < end;
  }

  Mark next_ = 0;
  std::map<Mark, proto::RequestId> unknown_;
  Wakeup changed_;
};

}  // namespace fuse9p
