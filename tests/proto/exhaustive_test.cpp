// SPDX-License-Identifier: MIT
#include "tests/support/exhaustive.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace fuse9p::test {
namespace {

TEST(Gen, RunsOnceWhenNothingIsAsked) {
  Gen gen;
  int runs = 0;
  while (!gen.done())
    ++runs;
  EXPECT_EQ(runs, 1);
}

TEST(Gen, GoesThroughEveryCombinationOnce) {
  std::set<std::string> seen;
  Gen gen;
  while (!gen.done()) {
    gen.choose(2);
    gen.choose(3);
    gen.choose(1);
    gen.choose(2);
    EXPECT_TRUE(seen.insert(gen.path()).second) << gen.path();
  }
  EXPECT_EQ(seen.size(), 12U);
  EXPECT_EQ(gen.runs(), 12U);
}

TEST(Gen, LaterQuestionsMayDependOnEarlierAnswers) {
  std::set<std::string> lists;  // of up to 3 bits
  Gen gen;
  while (!gen.done()) {
    std::string list;
    for (std::size_t left = gen.choose(4); left > 0; --left)
      list += gen.flip() ? '1' : '0';
    EXPECT_TRUE(lists.insert(list).second) << list;
  }
  EXPECT_EQ(lists.size(), 1U + 2U + 4U + 8U);
}

}  // namespace
}  // namespace fuse9p::test
