// SPDX-License-Identifier: MIT
#include "proto/fid_pool.hpp"

#include "tests/support/exhaustive.hpp"

#include <gtest/gtest.h>

#include <iostream>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

namespace fuse9p::proto {
namespace {

Fid acquire(FidPool& pool) {
  return pool.acquire().value();
}

/// From live to free, as an undisturbed clunk does it.
void clunk(FidPool& pool, Fid fid) {
  EXPECT_TRUE(pool.retire(fid));
  pool.release(fid);
}

TEST(FidPool, NumbersAreSmallAndDense) {
  FidPool pool;
  for (std::uint32_t i = 0; i < 1000; ++i)
    EXPECT_EQ(to_int(acquire(pool)), i);
}

TEST(FidPool, TheMostThatWereLiveAtOnceIsTheMostNumbersUsed) {
  FidPool pool;
  std::set<std::uint32_t> used;
  for (int round = 0; round < 100; ++round) {
    const Fid one = acquire(pool), two = acquire(pool), three = acquire(pool);
    used.insert({to_int(one), to_int(two), to_int(three)});
    for (const Fid fid : {two, three, one})
      clunk(pool, fid);
  }
  EXPECT_EQ(used, (std::set<std::uint32_t>{0, 1, 2}));
}

TEST(FidPool, TheNumberFreedLongestAgoIsReusedFirst) {
  FidPool pool;
  const Fid one = acquire(pool), two = acquire(pool), three = acquire(pool);
  for (const Fid fid : {two, three, one})
    clunk(pool, fid);
  EXPECT_EQ(acquire(pool), two);
  EXPECT_EQ(acquire(pool), three);
  EXPECT_EQ(acquire(pool), one);
}

TEST(FidPool, HasNoMoreThanItsLimit) {
  FidPool pool(2);
  const Fid one = acquire(pool);
  acquire(pool);
  EXPECT_EQ(pool.acquire(), std::nullopt);
  clunk(pool, one);
  EXPECT_EQ(pool.acquire(), one);
  EXPECT_EQ(pool.acquire(), std::nullopt);
}

TEST(FidPool, ARefusedNumberIsNotUsedAgainAndNoLargerOneIs) {
  FidPool pool;
  for (std::size_t i = 0; i <= FidPool::kFewest; ++i)
    acquire(pool);
  const Fid last = acquire(pool);
  pool.bar(last);
  pool.release(last);
  EXPECT_EQ(pool.usable(), FidPool::kFewest + 1);
  EXPECT_EQ(pool.acquire(), std::nullopt);
  EXPECT_TRUE(pool.is_free(last));
  clunk(pool, Fid{3});
  EXPECT_EQ(pool.acquire(), Fid{3});
}

TEST(FidPool, AFewNumbersAreLeftHoweverOftenTheServerRefuses) {
  FidPool pool;
  for (int round = 0; round < 100; ++round) {
    std::vector<Fid> held;
    while (held.size() < 2 * FidPool::kFewest) {
      const auto fid = pool.acquire();
      if (!fid)
        break;
      held.push_back(*fid);
    }
    pool.bar(held.back());
    for (const Fid fid : held)
      clunk(pool, fid);
  }
  EXPECT_EQ(pool.usable(), FidPool::kFewest);
}

TEST(FidPool, ARefusedNumberThatALateReplyMadeIsClunkedAndNotUsedAgain) {
  FidPool pool;
  for (std::size_t i = 0; i <= FidPool::kFewest; ++i)
    acquire(pool);
  const Fid last = acquire(pool);
  pool.bar(last);
  pool.release(last);
  EXPECT_TRUE(pool.doubt(last));
  EXPECT_FALSE(pool.is_free(last));
  pool.release(last);
  EXPECT_EQ(pool.acquire(), std::nullopt);
}

TEST(FidPool, CountsThoseThatSomebodyHolds) {
  FidPool pool;
  const Fid one = acquire(pool), two = acquire(pool);
  EXPECT_EQ(pool.held(), 2U);
  EXPECT_TRUE(pool.retire(one));
  EXPECT_EQ(pool.held(), 1U);
  pool.release(one);
  pool.release(two);
  EXPECT_EQ(pool.held(), 0U);
  EXPECT_EQ(pool.in_use(), 0U);
}

TEST(FidPool, PoolWithoutNumbersHasNone) {
  FidPool pool(0);
  EXPECT_EQ(pool.acquire(), std::nullopt);
}

TEST(FidPool, NofidIsNeverLive) {
  FidPool pool;
  acquire(pool);
  EXPECT_TRUE(pool.is_free(kNoFid));
}

TEST(FidPool, NumberIsNotReusedBeforeItsRclunk) {
  FidPool pool;
  const Fid fid = acquire(pool);
  EXPECT_TRUE(pool.retire(fid));
  EXPECT_NE(acquire(pool), fid);
  pool.release(fid);
  EXPECT_EQ(acquire(pool), fid);
}

TEST(FidPool, NumberIsNotReusedWhileARequestThatNamesItIsOut) {
  FidPool pool;
  const Fid fid = acquire(pool);
  pool.begin(fid);
  pool.release(fid);
  EXPECT_NE(acquire(pool), fid);
  EXPECT_FALSE(pool.end(fid));
  EXPECT_EQ(acquire(pool), fid);
}

TEST(FidPool, TclunkIsDueAtTheEndOfTheLastRequestThatNamesTheFid) {
  FidPool pool;
  const Fid fid = acquire(pool);
  pool.begin(fid);
  pool.begin(fid);
  EXPECT_FALSE(pool.retire(fid));
  EXPECT_FALSE(pool.end(fid));
  EXPECT_TRUE(pool.end(fid));
}

TEST(FidPool, FidThatWasNeverMadeNeedsNoTclunk) {
  FidPool pool;
  const Fid newfid = acquire(pool);
  pool.begin(newfid);    // Twalk
  pool.release(newfid);  // Rlerror
  EXPECT_FALSE(pool.end(newfid));
  EXPECT_TRUE(pool.is_free(newfid));
}

TEST(FidPool, FreeNumberInDoubtIsClunkedOutOfItsTurn) {
  FidPool pool;
  const Fid one = acquire(pool), two = acquire(pool);
  clunk(pool, one);
  clunk(pool, two);
  EXPECT_TRUE(pool.doubt(two));
  EXPECT_EQ(pool.in_use(), 1U);
  EXPECT_EQ(acquire(pool), one);
  EXPECT_NE(acquire(pool), two);
  EXPECT_FALSE(pool.release(two));
  EXPECT_TRUE(pool.is_free(two));
}

TEST(FidPool, NumberInUseThatIsInDoubtGetsOneMoreTclunkBeforeItIsFree) {
  FidPool pool;
  const Fid live = acquire(pool), clunking = acquire(pool), named = acquire(pool);
  EXPECT_TRUE(pool.retire(clunking));
  pool.begin(named);
  EXPECT_FALSE(pool.release(named));
  for (const Fid fid : {live, clunking, named})
    EXPECT_FALSE(pool.doubt(fid)) << to_int(fid);
  EXPECT_TRUE(pool.release(live));      // refused: "fid in use"
  EXPECT_TRUE(pool.release(clunking));  // Rclunk
  EXPECT_TRUE(pool.end(named));
  EXPECT_EQ(pool.in_use(), 3U);
  for (const Fid fid : {live, clunking, named}) {
    EXPECT_FALSE(pool.release(fid)) << to_int(fid);
    EXPECT_TRUE(pool.is_free(fid)) << to_int(fid);
  }
}

TEST(FidPool, NumberThatWasNeverHandedOutIsNotInDoubt) {
  FidPool pool;
  EXPECT_FALSE(pool.doubt(Fid{0}));
  EXPECT_FALSE(pool.doubt(kNoFid));
}

TEST(FidPool, CountsLiveAndUnresolvedFids) {
  FidPool pool;
  const Fid one = acquire(pool), two = acquire(pool);
  EXPECT_EQ(pool.in_use(), 2U);
  EXPECT_TRUE(pool.retire(one));
  EXPECT_EQ(pool.in_use(), 2U);
  pool.release(one);
  EXPECT_EQ(pool.in_use(), 1U);
  pool.begin(two);
  pool.release(two);
  EXPECT_EQ(pool.in_use(), 1U);
  EXPECT_FALSE(pool.end(two));
  EXPECT_EQ(pool.in_use(), 0U);
}

/// One fid as its holder sees it. A holder does not retire or release twice, begins nothing on a
/// fid that is gone, and ends what it began.
struct Holder {
  int requests = 0;
  bool retired = false, released = false, clunk_sent = false;

  bool gone() const { return released && requests == 0; }
  bool clunk_due() const { return retired && requests == 0 && !clunk_sent && !released; }
};

TEST(FidPool, KeepsItsClaimsInEveryShortHistoryOfAFid) {
  constexpr int kSteps = 12;
  test::Gen gen;
  while (!gen.done()) {
    FidPool pool;
    const Fid fid = acquire(pool);
    Holder holder;
    for (int step = 0; step < kSteps && !holder.gone(); ++step) {
      std::vector<std::string_view> choices;
      if (!holder.released)
        choices.insert(choices.end(), {"begin", "release"});
      if (holder.requests > 0)
        choices.emplace_back("end");
      if (!holder.retired && !holder.released)
        choices.emplace_back("retire");
      const std::string_view choice = choices[gen.choose(choices.size())];
      bool clunk_now = false;
      if (choice == "begin") {
        ++holder.requests;
        pool.begin(fid);
      } else if (choice == "release") {
        holder.released = true;
        pool.release(fid);
      } else if (choice == "end") {
        --holder.requests;
        clunk_now = pool.end(fid);
      } else {
        holder.retired = true;
        clunk_now = pool.retire(fid);
      }
      ASSERT_EQ(clunk_now, holder.clunk_due()) << "after " << gen.path();
      holder.clunk_sent = holder.clunk_sent || clunk_now;
      ASSERT_EQ(pool.is_free(fid), holder.gone()) << "after " << gen.path();
      ASSERT_EQ(pool.in_use(), holder.gone() ? 0U : 1U) << "after " << gen.path();
    }
    // The next owner finds nothing left of the one before.
    const Fid next = acquire(pool);
    ASSERT_EQ(next == fid, holder.gone()) << "after " << gen.path();
    if (holder.gone()) {
      ASSERT_TRUE(pool.retire(next)) << "after " << gen.path();
    }
  }
  std::cout << gen.runs() << " histories\n";
}

}  // namespace
}  // namespace fuse9p::proto
