// SPDX-License-Identifier: MIT
// Clock: the time, and one wake-up call. A Connection owns one; simulations bring their own.
// Used by one thread.
#pragma once

#include "proto/tag_pool.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>

namespace fuse9p {

class Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;

  virtual proto::TimePoint now() const = 0;
  /// Calls `due` from the loop at `when` or later, once. It takes the place of the call asked for
  /// before, which may come all the same if it is due already. `due` must bear to be called after
  /// cancel() and the destructor, for the same reason.
  virtual void wake_at(proto::TimePoint when, std::function<void()> due) = 0;
  virtual void cancel() = 0;
};

/// The machine's own.
class SteadyClock final : public Clock {
 public:
  explicit SteadyClock(boost::asio::io_context& io) : timer_(io) {}

  proto::TimePoint now() const override { return std::chrono::steady_clock::now(); }
  void wake_at(proto::TimePoint when, std::function<void()> due) override {
    timer_.expires_at(when);
    timer_.async_wait([due = std::move(due)](boost::system::error_code error) {
      if (!error)
        due();
    });
  }
  void cancel() override { timer_.cancel(); }

 private:
  boost::asio::steady_timer timer_;
};

}  // namespace fuse9p
