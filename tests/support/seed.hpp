// SPDX-License-Identifier: MIT
// The seed of a random test: printed, and taken from FUSE9P_SEED to see a failure again.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

namespace fuse9p::test {

inline std::uint32_t new_seed() {
  const char* given = std::getenv("FUSE9P_SEED");
  const auto seed = given != nullptr ? static_cast<std::uint32_t>(std::stoul(given))
                                     : std::uint32_t{std::random_device{}()};
  std::cout << "seed: FUSE9P_SEED=" << seed << '\n';
  return seed;
}

}  // namespace fuse9p::test
