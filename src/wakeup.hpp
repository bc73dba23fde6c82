// SPDX-License-Identifier: MIT
// Wakeup: coroutines wait here until something has changed, and look again. One thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace fuse9p {

class Wakeup {
 public:
  explicit Wakeup(boost::asio::io_context& io) : timer_(io) {
    timer_.expires_at(boost::asio::steady_timer::time_point::max());
  }

  /// Until the next notify(). False: the coroutine was cancelled. (Name what it gives: g++ 12 loses
  /// the coroutine in `if (co_await ...)`.)
  boost::asio::awaitable<bool> wait() {
    const auto state = co_await boost::asio::this_coro::cancellation_state;
    boost::system::error_code ignored;  // the timer only ever ends by being cancelled
    if (state.cancelled() == boost::asio::cancellation_type::none)
      co_await timer_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    co_return state.cancelled() == boost::asio::cancellation_type::none;
  }
  /// Never resumes anybody from within the call.
  void notify() { timer_.cancel(); }

 private:
  boost::asio::steady_timer timer_;
};

}  // namespace fuse9p
