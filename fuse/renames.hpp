// SPDX-License-Identifier: MIT
// Renames: those that the server has, or had a moment ago. Until its answer is here, what it says
// of a path may be about the old name or the new one, and a server that goes by path may not find
// what is below it: "gone" proves nothing then.
#pragma once

#include "src/wakeup.hpp"

#include <cstdint>
#include <set>

namespace fuse9p::fs {

class Renames {
 public:
  explicit Renames(boost::asio::io_context& io) : changed_(io) {}

  /// One of them, as long as it lives.
  class UnderWay {
   public:
    explicit UnderWay(Renames& renames) : renames_(renames), number_(renames.next_++) {
      renames_.under_way_.insert(number_);
    }
    UnderWay(const UnderWay&) = delete;
    UnderWay& operator=(const UnderWay&) = delete;
    ~UnderWay() {
      renames_.under_way_.erase(number_);
      renames_.changed_.notify();
    }

   private:
    Renames& renames_;
    std::uint64_t number_;
  };

  /// A moment.
  using Mark = std::uint64_t;
  Mark mark() const { return under_way_.empty() ? next_ : *under_way_.begin(); }
  /// Was one under way at some time since then?
  bool overlapped(Mark mark) const { return next_ > mark; }
  /// Until those that are under way now have ended. False: cancelled.
  boost::asio::awaitable<bool> ended() {
    for (const std::uint64_t later = next_; !under_way_.empty() && *under_way_.begin() < later;) {
      if (const bool woken = co_await changed_.wait(); !woken)
        co_return false;
    }
    co_return true;
  }

 private:
  std::uint64_t next_ = 0;
  std::set<std::uint64_t> under_way_;
  Wakeup changed_;
};

}  // namespace fuse9p::fs
