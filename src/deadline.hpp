// SPDX-License-Identifier: MIT
// A bound on a wait: within(limit, work, message). For the time before the mount is up.
#pragma once

#include "src/connect_error.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace fuse9p {

namespace detail {
/// The outcome of `work` as a value: operator|| would wait for the timer after an exception.
template <class T>
boost::asio::awaitable<std::pair<std::optional<T>, std::exception_ptr>> caught(
    boost::asio::awaitable<T> work) {
  try {
    co_return std::pair<std::optional<T>, std::exception_ptr>(co_await std::move(work), nullptr);
  } catch (...) {
    co_return std::pair<std::optional<T>, std::exception_ptr>(std::nullopt,
                                                              std::current_exception());
  }
}
}  // namespace detail

/// What `work` gives or throws, or, if it takes longer than `limit`, a ConnectError that begins
/// with message() and ends with advice(). The work is cancelled then.
template <class T, class Message, class Advice>
boost::asio::awaitable<T> within(std::chrono::milliseconds limit, boost::asio::awaitable<T> work,
                                 Message message, Advice advice) {
  using namespace boost::asio::experimental::awaitable_operators;
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, limit);
  auto outcome =
      co_await (detail::caught(std::move(work)) || timer.async_wait(boost::asio::use_awaitable));
  if (outcome.index() == 1)
    throw ConnectError(message() + " within " + std::to_string(limit.count()) + " ms; " +
                       std::string(advice()) + " Else wait longer: -o connect_timeout=SECONDS");
  auto& [value, error] = std::get<0>(outcome);
  if (error)
    std::rethrow_exception(error);
  co_return std::move(*value);
}

}  // namespace fuse9p
