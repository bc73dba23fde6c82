// SPDX-License-Identifier: MIT
#include "proto/tag_pool.hpp"

#include "tests/support/exhaustive.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <optional>
#include <string_view>
#include <vector>

namespace fuse9p::proto {
namespace {

using State = TagPool::State;
using std::chrono::seconds;

constexpr TimePoint kStart{seconds(1000)};

std::optional<int> number(std::optional<Tag> tag) {
  return tag ? std::optional<int>(to_int(*tag)) : std::nullopt;
}

/// Takes a tag and brings it into quarantine, as a flush without a reply does.
Tag quarantine_one(TagPool& pool, TimePoint now) {
  const Tag tag = pool.acquire(now).value();
  pool.begin_flush(tag);
  pool.quarantine(tag, now);
  return tag;
}

TEST(TagPool, HandsOutTheTagThatWasFreeLongest) {
  TagPool pool({.tags = 3, .flush_reserve = 0});
  const Tag first = pool.acquire(kStart).value();
  const Tag second = pool.acquire(kStart).value();
  pool.release(second);
  pool.release(first);
  EXPECT_EQ(number(pool.acquire(kStart)), 2);
  EXPECT_EQ(number(pool.acquire(kStart)), to_int(second));
  EXPECT_EQ(number(pool.acquire(kStart)), to_int(first));
  EXPECT_EQ(number(pool.acquire(kStart)), std::nullopt);
}

TEST(TagPool, HandsOutAll65535ButNotNotag) {
  TagPool pool({.flush_reserve = 0});
  std::vector<bool> seen(0x10000);
  for (int i = 0; i < 0xFFFF; ++i) {
    const auto tag = pool.acquire(kStart);
    ASSERT_TRUE(tag);
    ASSERT_NE(*tag, kNoTag);
    ASSERT_FALSE(seen[to_int(*tag)]) << to_int(*tag);
    seen[to_int(*tag)] = true;
  }
  EXPECT_EQ(number(pool.acquire(kStart)), std::nullopt);
  EXPECT_EQ(number(pool.acquire_for_flush(kStart)), std::nullopt);
  EXPECT_EQ(pool.in_use(), 0xFFFFU);
}

TEST(TagPool, NotagIsNoTagOfThePool) {
  const TagPool pool;
  EXPECT_TRUE(pool.valid(Tag{0xFFFE}));
  EXPECT_FALSE(pool.valid(kNoTag));
}

TEST(TagPool, TagBeyondTheLimitIsNotValid) {
  const TagPool pool({.tags = 4, .flush_reserve = 1});
  EXPECT_TRUE(pool.valid(Tag{3}));
  EXPECT_FALSE(pool.valid(Tag{4}));
}

TEST(TagPool, RequestsLeaveTheFlushReserveUntouched) {
  TagPool pool({.tags = 4, .flush_reserve = 2});
  EXPECT_TRUE(pool.acquire(kStart));
  EXPECT_TRUE(pool.acquire(kStart));
  EXPECT_FALSE(pool.acquire(kStart));
  EXPECT_TRUE(pool.acquire_for_flush(kStart));
  EXPECT_TRUE(pool.acquire_for_flush(kStart));
  EXPECT_FALSE(pool.acquire_for_flush(kStart));
}

TEST(TagPool, ReserveThatFlushesTookIsFilledBeforeARequestGetsATag) {
  TagPool pool({.tags = 3, .flush_reserve = 1});
  const Tag first = pool.acquire(kStart).value();
  const Tag second = pool.acquire(kStart).value();
  const Tag flush = pool.acquire_for_flush(kStart).value();
  pool.release(first);
  EXPECT_FALSE(pool.acquire(kStart));
  pool.release(second);
  EXPECT_TRUE(pool.acquire(kStart));
  EXPECT_EQ(pool.state(flush), State::in_flight);
}

TEST(TagPool, FlushingTagIsNotReusedBeforeItsRelease) {
  TagPool pool({.tags = 2, .flush_reserve = 0});
  const Tag tag = pool.acquire(kStart).value();
  const Tag flush = pool.acquire_for_flush(kStart).value();
  pool.begin_flush(tag);
  EXPECT_EQ(pool.state(tag), State::flushing);
  EXPECT_FALSE(pool.acquire(kStart + seconds(1000000)));
  pool.release(tag);
  pool.release(flush);
  EXPECT_EQ(number(pool.acquire(kStart)), to_int(tag));
}

TEST(TagPool, QuarantineLastsUntilSoManyOtherTagsWereHandedOut) {
  TagPool pool(
      {.tags = 16, .flush_reserve = 0, .quarantine_tags = 3, .quarantine_time = seconds(10)});
  const Tag tag = quarantine_one(pool, kStart);
  const TimePoint later = kStart + seconds(10);
  for (int others = 0; others < 3; ++others) {
    EXPECT_EQ(pool.state(tag), State::quarantined) << others;
    pool.release(pool.acquire(later).value());
  }
  pool.release(pool.acquire(later).value());
  EXPECT_EQ(pool.state(tag), State::free);
}

TEST(TagPool, QuarantineLastsUntilItsTimeHasPassed) {
  TagPool pool(
      {.tags = 16, .flush_reserve = 0, .quarantine_tags = 2, .quarantine_time = seconds(10)});
  const Tag tag = quarantine_one(pool, kStart);
  for (int i = 0; i < 100; ++i) {
    const auto other = pool.acquire(kStart + seconds(10) - Duration(1));
    ASSERT_TRUE(other);
    ASSERT_NE(*other, tag);
    pool.release(*other);
  }
  EXPECT_EQ(pool.state(tag), State::quarantined);
  pool.release(pool.acquire(kStart + seconds(10)).value());
  EXPECT_EQ(pool.state(tag), State::free);
}

TEST(TagPool, TagBackFromQuarantineGoesBehindTheFreeOnes) {
  TagPool pool(
      {.tags = 3, .flush_reserve = 0, .quarantine_tags = 0, .quarantine_time = seconds(1)});
  const Tag tag = quarantine_one(pool, kStart);
  EXPECT_EQ(number(pool.acquire(kStart + seconds(2))), 1);
  EXPECT_EQ(number(pool.acquire(kStart + seconds(2))), 2);
  EXPECT_EQ(number(pool.acquire(kStart + seconds(2))), to_int(tag));
}

TEST(TagPool, PoolTooSmallForTheCountGoesByTime) {
  TagPool pool(
      {.tags = 4, .flush_reserve = 1, .quarantine_tags = 1024, .quarantine_time = seconds(1)});
  const Tag tag = quarantine_one(pool, kStart);
  ASSERT_TRUE(pool.acquire(kStart));
  ASSERT_TRUE(pool.acquire(kStart));
  EXPECT_FALSE(pool.acquire(kStart));
  EXPECT_EQ(number(pool.acquire(kStart + seconds(1))), 3);
  EXPECT_EQ(number(pool.acquire_for_flush(kStart + seconds(1))), to_int(tag));
}

TEST(TagPool, PoolOfOneTagGivesItBackAfterQuarantine) {
  TagPool pool(
      {.tags = 1, .flush_reserve = 0, .quarantine_tags = 5, .quarantine_time = seconds(1)});
  const Tag tag = quarantine_one(pool, kStart);
  EXPECT_FALSE(pool.acquire(kStart));
  EXPECT_FALSE(pool.acquire_for_flush(kStart));
  EXPECT_EQ(number(pool.acquire(kStart + seconds(1))), to_int(tag));
}

TEST(TagPool, TagThatWasHandedOutAgainKeepsOthersInQuarantine) {
  TagPool pool(
      {.tags = 3, .flush_reserve = 0, .quarantine_tags = 0, .quarantine_time = seconds(10)});
  quarantine_one(pool, kStart);
  quarantine_one(pool, kStart + seconds(5));
  EXPECT_EQ(pool.quarantined(), 2U);
  EXPECT_EQ(number(pool.acquire(kStart + seconds(10))), 2);
  EXPECT_EQ(number(pool.acquire(kStart + seconds(10))), 0);
  EXPECT_EQ(number(pool.acquire(kStart + seconds(10))), std::nullopt);
  EXPECT_EQ(pool.quarantined(), 1U);
}

TEST(TagPool, SaysWhenTheNextTagLeavesQuarantine) {
  TagPool pool({.tags = 4, .flush_reserve = 0, .quarantine_time = seconds(10)});
  EXPECT_EQ(pool.next_release(), std::nullopt);
  quarantine_one(pool, kStart);
  quarantine_one(pool, kStart + seconds(5));
  EXPECT_EQ(pool.next_release(), kStart + seconds(10));
}

TEST(TagPool, QuarantinedTagsAreNotInUse) {
  TagPool pool({.tags = 4, .flush_reserve = 0});
  quarantine_one(pool, kStart);
  EXPECT_EQ(pool.in_use(), 0U);
  const Tag held = pool.acquire(kStart).value();
  pool.begin_flush(held);
  EXPECT_EQ(pool.in_use(), 1U);
}

/// What the pool says, kept by somebody who only knows the claims above.
class Watcher {
 public:
  Watcher(TagPool& pool, const TagLimits& limits)
      : pool_(pool), limits_(limits), states_(limits.tags, State::free), until_(limits.tags) {}

  void acquire(bool for_flush, TimePoint now) {
    const auto tag = for_flush ? pool_.acquire_for_flush(now) : pool_.acquire(now);
    const std::size_t reserve = for_flush ? 0 : limits_.flush_reserve;
    if (!tag) {
      // Those that could be had are no more than the reserve.
      EXPECT_LE(count(State::free) + out_of_quarantine(now), reserve);
      return;
    }
    const std::size_t index = to_int(*tag);
    if (states_[index] == State::quarantined)
      EXPECT_GE(now, until_[index]) << "handed out in quarantine";
    else
      EXPECT_EQ(states_[index], State::free) << "handed out twice";
    states_[index] = State::in_flight;
    EXPECT_GE(count(State::free) + count(State::quarantined), reserve);
  }
  void begin_flush(Tag tag) {
    pool_.begin_flush(tag);
    states_[to_int(tag)] = State::flushing;
  }
  void release(Tag tag) {
    pool_.release(tag);
    states_[to_int(tag)] = State::free;
  }
  void quarantine(Tag tag, TimePoint now) {
    pool_.quarantine(tag, now);
    states_[to_int(tag)] = State::quarantined;
    until_[to_int(tag)] = now + limits_.quarantine_time;
  }
  void check() const {
    EXPECT_EQ(pool_.in_use(), count(State::in_flight) + count(State::flushing));
    // The pool may have ended a quarantine that the watcher has not seen the end of.
    EXPECT_LE(pool_.quarantined(), count(State::quarantined));
  }
  std::vector<Tag> in(State state) const {
    std::vector<Tag> tags;
    for (std::size_t i = 0; i < states_.size(); ++i)
      if (states_[i] == state)
        tags.push_back(Tag{static_cast<std::uint16_t>(i)});
    return tags;
  }

 private:
  std::size_t count(State state) const {
    return static_cast<std::size_t>(std::ranges::count(states_, state));
  }
  std::size_t out_of_quarantine(TimePoint now) const {
    std::size_t tags = 0;
    for (std::size_t i = 0; i < states_.size(); ++i)
      tags += states_[i] == State::quarantined && until_[i] <= now ? 1 : 0;
    return tags;
  }

  TagPool& pool_;
  TagLimits limits_;
  std::vector<State> states_;
  std::vector<TimePoint> until_;
};

TEST(TagPool, KeepsItsClaimsInEveryShortHistory) {
  constexpr int kSteps = 7;
  test::Gen gen;
  while (!gen.done()) {
    TagLimits limits;
    limits.tags = 1 + gen.choose(3);
    limits.flush_reserve = gen.choose(std::min<std::size_t>(limits.tags, 2));
    limits.quarantine_tags = gen.choose(2) * 2;
    limits.quarantine_time = seconds(2);
    TagPool pool(limits);
    Watcher watcher(pool, limits);
    TimePoint now = kStart;
    for (int step = 0; step < kSteps; ++step) {
      const std::vector<Tag> in_flight = watcher.in(State::in_flight);
      const std::vector<Tag> flushing = watcher.in(State::flushing);
      // One tag of each kind will do: the others are the same to the pool.
      std::vector<std::string_view> choices = {"acquire", "acquire_for_flush", "wait"};
      if (!in_flight.empty())
        choices.insert(choices.end(), {"release", "begin_flush"});
      if (!flushing.empty())
        choices.insert(choices.end(), {"release_flushed", "quarantine"});
      const std::string_view choice = choices[gen.choose(choices.size())];
      if (choice == "acquire" || choice == "acquire_for_flush")
        watcher.acquire(choice == "acquire_for_flush", now);
      else if (choice == "wait")
        now += seconds(1);
      else if (choice == "release")
        watcher.release(in_flight.front());
      else if (choice == "begin_flush")
        watcher.begin_flush(in_flight.back());
      else if (choice == "release_flushed")
        watcher.release(flushing.front());
      else
        watcher.quarantine(flushing.back(), now);
      watcher.check();
    }
    ASSERT_FALSE(testing::Test::HasFailure()) << "path " << gen.path();
  }
  std::cout << gen.runs() << " histories\n";
}

}  // namespace
}  // namespace fuse9p::proto
