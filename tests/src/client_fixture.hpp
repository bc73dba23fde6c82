// SPDX-License-Identifier: MIT
// A Client and its peer in one thread: what tests of the verbs share.
#pragma once

#include "src/client.hpp"
#include "tests/support/peer.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <optional>

namespace fuse9p::test {

class ClientTest : public ::testing::Test {
 protected:
  explicit ClientTest(std::chrono::seconds flush_timeout = std::chrono::hours(1),
                      const proto::TagLimits& tags = {})
      : flush_timeout_(flush_timeout), tags_(tags) {}
  /// Verbs that still wait come to their end while there is a client.
  ~ClientTest() override {
    client_.connection().close(proto::Error::connection_lost, "the test is over");
    peer_.run();
  }

  /// Runs a verb; its outcome is in the optional once it is there. interrupt() is for the last one.
  template <class T>
  std::shared_ptr<std::optional<T>> start(awaitable<T> verb) {
    auto outcome = std::make_shared<std::optional<T>>();
    boost::asio::co_spawn(io_, store(std::move(verb), outcome),
                          boost::asio::bind_cancellation_slot(
                              interrupts_.emplace_back().slot(),
                              [](const std::exception_ptr& error) { EXPECT_EQ(error, nullptr); }));
    peer_.run();
    return outcome;
  }
  void interrupt() {
    interrupts_.back().emit(boost::asio::cancellation_type::total);
    peer_.run();
  }
  OpenFile open_file(std::uint32_t iounit = 0) {
    auto opened = start(client_.open(clone(), 0));
    EXPECT_EQ(peer_.next(), "Tlopen tag 1 fid 1 flags 0");
    peer_.say("Rlopen tag 1 qid (0x7 0 0x0) iounit " + std::to_string(iounit));
    return std::move(***opened);
  }
  FidHandle clone() {
    auto cloned = start(client_.clone(client_.root()));
    EXPECT_EQ(peer_.next(), "Twalk tag 0 fid 0 newfid 1 wname");
    peer_.say("Rwalk tag 0 qid");
    return std::move(***cloned);
  }
  /// A buffer of that size, for a read.
  static proto::Buffer room(std::size_t size) {
    auto memory = std::make_shared<std::byte[]>(size);
    return {memory, {memory.get(), size}};
  }
  static proto::ConstBuffer data(std::size_t size) {
    auto memory = std::make_shared<std::byte[]>(size);
    return {memory, {memory.get(), size}};
  }

  template <class T>
  static awaitable<void> store(awaitable<T> verb, std::shared_ptr<std::optional<T>> outcome) {
    co_await boost::asio::this_coro::reset_cancellation_state(
        boost::asio::enable_total_cancellation());
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    outcome->emplace(co_await std::move(verb));
  }

  proto::MultiplexerLimits limits() const {
    proto::MultiplexerLimits limits;
    limits.flush_timeout = flush_timeout_;
    limits.tags = tags_;
    return limits;
  }

  std::chrono::seconds flush_timeout_;
  proto::TagLimits tags_;
  boost::asio::io_context io_{1};
  Peer peer_{io_};
  std::deque<boost::asio::cancellation_signal> interrupts_;
  std::string lost_;
  Client client_{io_, peer_.established(), limits(), {.lost = [this](const std::string& why) {
                   lost_ = why;
                 }}};
};

/// What is given up is given up in the next turn.
class ImpatientClientTest : public ClientTest {
 protected:
  ImpatientClientTest() : ClientTest(std::chrono::seconds(0)) {}
};

/// One request at a time, and a tag for its Tflush.
class OneTagClientTest : public ClientTest {
 protected:
  OneTagClientTest()
      : ClientTest(std::chrono::hours(1),
                   {.tags = 2, .flush_reserve = 1, .quarantine_tags = 1, .quarantine_time = {}}) {}
};

}  // namespace fuse9p::test
