// SPDX-License-Identifier: MIT
#include "src/fates.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>

#include <memory>
#include <optional>

namespace fuse9p {
namespace {

class FatesTest : public ::testing::Test {
 protected:
  using Outcome = std::shared_ptr<std::optional<bool>>;

  Outcome wait_since(Fates::Mark mark) {
    auto outcome = std::make_shared<std::optional<bool>>();
    boost::asio::co_spawn(
        io_, store(fates_.known_since(mark), outcome),
        boost::asio::bind_cancellation_slot(
            interrupt_.slot(), [](const std::exception_ptr& error) { EXPECT_EQ(error, nullptr); }));
    run();
    return outcome;
  }
  void run() {
    io_.restart();
    io_.poll();
  }
  static boost::asio::awaitable<void> store(boost::asio::awaitable<bool> wait, Outcome outcome) {
    co_await boost::asio::this_coro::reset_cancellation_state(
        boost::asio::enable_total_cancellation());
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    *outcome = co_await std::move(wait);
  }

  static constexpr proto::RequestId kOne{1, 1}, kOther{2, 1};
  boost::asio::io_context io_{1};
  boost::asio::cancellation_signal interrupt_;
  Fates fates_{io_};
};

TEST_F(FatesTest, NothingThatWasGivenUpIsNothingToWaitFor) {
  EXPECT_FALSE(fates_.unknown_since(fates_.mark()));
  EXPECT_EQ(*wait_since(fates_.mark()), true);
}

TEST_F(FatesTest, AWaitEndsWhenAllThatWasGivenUpSinceTheMarkIsKnown) {
  const auto mark = fates_.mark();
  fates_.given_up(kOne);
  fates_.given_up(kOther);
  EXPECT_TRUE(fates_.unknown_since(mark));
  const auto outcome = wait_since(mark);
  fates_.known(kOther);
  run();
  EXPECT_FALSE(*outcome);
  fates_.known(kOne);
  run();
  EXPECT_EQ(*outcome, true);
  EXPECT_EQ(fates_.unknown(), 0U);
}

TEST_F(FatesTest, WhatWasGivenUpBeforeTheMarkConcernsNobody) {
  fates_.given_up(kOne);
  const auto mark = fates_.mark();
  EXPECT_FALSE(fates_.unknown_since(mark));
  EXPECT_EQ(*wait_since(mark), true);
}

TEST_F(FatesTest, WhatIsGivenUpDuringAWaitDoesNotProlongIt) {
  const auto mark = fates_.mark();
  fates_.given_up(kOne);
  const auto outcome = wait_since(mark);
  fates_.given_up(kOther);
  fates_.known(kOne);
  run();
  EXPECT_EQ(*outcome, true);
}

TEST_F(FatesTest, TheEndOfTheConnectionEndsEveryWait) {
  const auto mark = fates_.mark();
  fates_.given_up(kOne);
  const auto outcome = wait_since(mark);
  fates_.all_known();
  run();
  EXPECT_EQ(*outcome, true);
}

TEST_F(FatesTest, AWaitCanBeCancelled) {
  const auto mark = fates_.mark();
  fates_.given_up(kOne);
  const auto outcome = wait_since(mark);
  interrupt_.emit(boost::asio::cancellation_type::total);
  run();
  EXPECT_EQ(*outcome, false);
}

}  // namespace
}  // namespace fuse9p
