// SPDX-License-Identifier: MIT
// Client, connection and multiplexer in thousands of small worlds, each drawn from a seed: bytes in
// any pieces, answers late, out of order, withheld or wrong, interrupts at any time, lost
// connections, time that jumps. What is claimed stands in referee.hpp, callers.cpp and world.cpp.
//
//     FUSE9P_SIM_SEEDS=N   so many seeds, instead of 10,000
//     FUSE9P_SEED=N        the first of them
#include "tests/sim/last_words.hpp"
#include "tests/sim/world.hpp"
#include "tests/support/seed.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <iomanip>
#include <iostream>

namespace fuse9p::sim {
namespace {

std::uint32_t number_of_seeds() {
  constexpr std::uint32_t kSeeds = 10'000;
  const char* given = std::getenv("FUSE9P_SIM_SEEDS");
  return given != nullptr ? static_cast<std::uint32_t>(std::stoul(given)) : kSeeds;
}

std::vector<std::string> log_of(std::uint32_t seed) {
  World world(seed, true);
  world.run();
  return world.record().take_log();
}

/// What led to it: the same seed once more, with a log.
std::string story_of(std::uint32_t seed, std::size_t lines) {
  const std::vector<std::string> log = log_of(seed);
  std::string story;
  for (std::size_t i = log.size() - std::min(lines, log.size()); i < log.size(); ++i)
    story += "  " + log[i] + '\n';
  return story;
}

void add(Tally& sum, const Tally& more) {
  for (std::size_t i = 0; i < kOccurrences; ++i)
    sum[i] += more[i];
}

void print(const Tally& tally) {
  for (std::size_t i = 0; i < kOccurrences; ++i)
    std::cout << std::setw(12) << tally[i] << "  " << name_of(static_cast<Occurrence>(i)) << '\n';
}

TEST(Simulation, EachSeedKeepsTheRulesAndGivesEachCallerOneTrueOutcome) {
  const std::uint32_t first = test::new_seed(), seeds = number_of_seeds();
  const auto started = std::chrono::steady_clock::now();
  Tally tally{};
  leave_last_words();
  for (std::uint32_t seed = first; seed != first + seeds; ++seed) {
    current_seed = seed;
    World world(seed, false);
    world.run();
    constexpr std::size_t kLines = 60;
    ASSERT_EQ(world.record().violation(), "")
        << "again: FUSE9P_SEED=" << seed << " FUSE9P_SIM_SEEDS=1\n"
        << story_of(seed, kLines);
    add(tally, world.record().tally());
  }
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - started;
  std::cout << seeds << " seeds in " << time.count() << " s\n";
  print(tally);
  constexpr std::uint32_t kEnoughForAll = 5'000;
  if (seeds < kEnoughForAll)
    return;
  for (std::size_t i = 0; i < kOccurrences; ++i)
    EXPECT_GT(tally[i], 0U) << "never seen: " << name_of(static_cast<Occurrence>(i));
}

TEST(Simulation, ASeedReplaysExactly) {
  constexpr std::uint32_t kSeeds = 20;
  const std::uint32_t first = test::new_seed();
  for (std::uint32_t seed = first; seed != first + kSeeds; ++seed)
    EXPECT_EQ(log_of(seed), log_of(seed)) << "FUSE9P_SEED=" << seed;
}

}  // namespace
}  // namespace fuse9p::sim
