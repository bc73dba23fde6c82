// SPDX-License-Identifier: MIT
// Simulated time: it stands still until somebody moves it.
#pragma once

#include "src/clock.hpp"

#include <boost/asio/post.hpp>

#include <optional>

namespace fuse9p::sim {

/// Outlives the SimulatedClocks that show it.
class Time {
 public:
  explicit Time(boost::asio::io_context& io) : io_(io) {}

  proto::TimePoint now() const { return now_; }
  /// When the next wake-up call is due, if one was asked for.
  std::optional<proto::TimePoint> next_call() const {
    return due_ ? std::optional(when_) : std::nullopt;
  }
  void advance(proto::Duration by) {
    now_ += by;
    ring();
  }

  void wake_at(proto::TimePoint when, std::function<void()> due) {
    when_ = when;
    due_ = std::move(due);
    ring();
  }
  void cancel() { due_ = nullptr; }

 private:
  /// Posted: as with a timer, what has come due can't be taken back.
  void ring() {
    if (due_ && when_ <= now_)
      boost::asio::post(io_, std::exchange(due_, nullptr));
  }

  boost::asio::io_context& io_;
  proto::TimePoint now_{std::chrono::hours(1)};
  proto::TimePoint when_;
  std::function<void()> due_;
};

class SimulatedClock final : public Clock {
 public:
  explicit SimulatedClock(Time& time) : time_(time) {}
  proto::TimePoint now() const override { return time_.now(); }
  void wake_at(proto::TimePoint when, std::function<void()> due) override {
    time_.wake_at(when, std::move(due));
  }
  void cancel() override { time_.cancel(); }

 private:
  Time& time_;
};

}  // namespace fuse9p::sim
