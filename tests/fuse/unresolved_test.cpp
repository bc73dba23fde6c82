// SPDX-License-Identifier: MIT
#include "fuse/unresolved.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <memory>
#include <optional>

namespace fuse9p::fs {
namespace {

constexpr std::uint64_t kPage = 4096;

Attributes directory(std::uint64_t path) {
  Attributes out;
  out.qid = {proto::qid_type::kDir, 0, path};
  out.mode = S_IFDIR | 0755;
  return out;
}

class UnresolvedTest : public ::testing::Test {
 protected:
  using Outcome = std::shared_ptr<std::optional<bool>>;

  /// What still waits comes to its end while there are nodes.
  ~UnresolvedTest() override {
    fates_.all_known();
    run();
  }

  /// A change that was abandoned, and whose coroutine waits for its fate.
  void abandon(const Change& change, proto::RequestId id = kRequest) {
    const auto mark = unresolved_.mark();
    fates_.given_up(id);
    boost::asio::co_spawn(io_, settle(change, mark),
                          [](const std::exception_ptr& error) { EXPECT_EQ(error, nullptr); });
    run();
  }
  Outcome wait_for(const Change& change) {
    auto outcome = std::make_shared<std::optional<bool>>();
    boost::asio::co_spawn(io_, clear(change, outcome),
                          [](const std::exception_ptr& error) { EXPECT_EQ(error, nullptr); });
    run();
    return outcome;
  }
  void run() {
    io_.restart();
    io_.poll();
  }
  boost::asio::awaitable<void> settle(Change change, Fates::Mark mark) {
    co_await unresolved_.settle(change, mark);
  }
  boost::asio::awaitable<void> clear(Change change, Outcome outcome) {
    *outcome = co_await unresolved_.cleared(change);
  }
  NodeRef child(std::string_view name, std::uint64_t path) {
    NodeRef node = nodes_.remember(nodes_.root(), name, directory(path));
    nodes_.looked_up(*node);
    return node;
  }

  static constexpr proto::RequestId kRequest{1, 1}, kOtherRequest{2, 1};
  boost::asio::io_context io_{1};
  NodeTable nodes_{directory(1), [](Node&) {}};
  Fates fates_{io_};
  Paths paths_{io_, nodes_};
  Unresolved unresolved_{io_, fates_, paths_};
  NodeRef file_ = child("f", 2), other_ = child("g", 3);
};

TEST_F(UnresolvedTest, NothingWaitsWhenNothingWasGivenUp) {
  EXPECT_EQ(*wait_for(bytes_of(file_, 0, kPage)), true);
  EXPECT_EQ(unresolved_.size(), 0U);
}

TEST_F(UnresolvedTest, WritesWaitForOneThatWasGivenUpOnlyWhereTheyOverlap) {
  abandon(bytes_of(file_, kPage, 2 * kPage));
  EXPECT_FALSE(unresolved_.blocks(bytes_of(file_, 0, kPage)));
  EXPECT_FALSE(unresolved_.blocks(bytes_of(file_, 2 * kPage, 3 * kPage)));
  EXPECT_FALSE(unresolved_.blocks(bytes_of(other_, kPage, 2 * kPage)));
  EXPECT_TRUE(unresolved_.blocks(bytes_of(file_, 2 * kPage - 1, 2 * kPage)));
  EXPECT_TRUE(unresolved_.blocks(bytes_of(file_, 0, kPage + 1)));
}

TEST_F(UnresolvedTest, AChangeOfSizeWaitsForAnyWriteAndAnyWriteForIt) {
  abandon(bytes_of(file_, kPage, 2 * kPage));
  EXPECT_TRUE(unresolved_.blocks(size_of(file_)));
  abandon(size_of(other_), kOtherRequest);
  EXPECT_TRUE(unresolved_.blocks(bytes_of(other_, 1000 * kPage, 1001 * kPage)));
}

TEST_F(UnresolvedTest, ANameWaitsForTheSameNameInTheSameDirectory) {
  abandon(name_of(file_, "a"));
  EXPECT_TRUE(unresolved_.blocks(name_of(file_, "a")));
  EXPECT_FALSE(unresolved_.blocks(name_of(file_, "b")));
  EXPECT_FALSE(unresolved_.blocks(name_of(other_, "a")));
}

TEST_F(UnresolvedTest, BytesNamesAndAttributesDoNotWaitForEachOther) {
  abandon(attributes_of(file_));
  EXPECT_TRUE(unresolved_.blocks(attributes_of(file_)));
  EXPECT_FALSE(unresolved_.blocks(size_of(file_)));
  EXPECT_FALSE(unresolved_.blocks(name_of(file_, "a")));
}

TEST_F(UnresolvedTest, WhatWaitsGoesOnWhenTheFateIsKnown) {
  abandon(bytes_of(file_, 0, kPage));
  const auto outcome = wait_for(bytes_of(file_, 0, kPage));
  EXPECT_FALSE(*outcome);
  fates_.known(kRequest);
  run();
  EXPECT_EQ(*outcome, true);
  EXPECT_EQ(unresolved_.size(), 0U);
}

TEST_F(UnresolvedTest, TheFatesOfAllThatOverlapMustBeKnown) {
  abandon(bytes_of(file_, 0, kPage));
  abandon(bytes_of(file_, kPage, 2 * kPage), kOtherRequest);
  const auto outcome = wait_for(bytes_of(file_, 0, 2 * kPage));
  fates_.known(kRequest);
  run();
  EXPECT_FALSE(*outcome);
  fates_.known(kOtherRequest);
  run();
  EXPECT_EQ(*outcome, true);
}

TEST_F(UnresolvedTest, AnOperationThatWasInterruptedStillHoldsOthersUp) {
  boost::asio::cancellation_signal interrupt;
  const auto mark = unresolved_.mark();
  bool ended = false;
  const auto operation = [&]() -> boost::asio::awaitable<void> {
    co_await boost::asio::this_coro::reset_cancellation_state(
        boost::asio::enable_total_cancellation());
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    Wakeup never(io_);
    co_await never.wait();
    const Change change = size_of(file_);
    co_await unresolved_.settle(change, mark);
    ended = true;
  };
  boost::asio::co_spawn(
      io_, operation,
      boost::asio::bind_cancellation_slot(
          interrupt.slot(), [](const std::exception_ptr& error) { EXPECT_EQ(error, nullptr); }));
  run();
  fates_.given_up(kRequest);
  interrupt.emit(boost::asio::cancellation_type::total);
  run();
  EXPECT_TRUE(unresolved_.blocks(size_of(file_)));
  fates_.known(kRequest);
  run();
  EXPECT_TRUE(ended);
  EXPECT_FALSE(unresolved_.blocks(size_of(file_)));
}

TEST_F(UnresolvedTest, AFailureThatLeftNothingBehindHoldsNobodyUp) {
  boost::asio::co_spawn(io_, settle(size_of(file_), unresolved_.mark()),
                        [](const std::exception_ptr&) {});
  run();
  EXPECT_FALSE(unresolved_.blocks(size_of(file_)));
}

}  // namespace
}  // namespace fuse9p::fs
