// SPDX-License-Identifier: MIT
// The one source of chance in a simulation: the same numbers for the same seed, with any compiler.
#pragma once

#include <cstdint>

namespace fuse9p::sim {

class Dice {
 public:
  explicit Dice(std::uint32_t seed) : state_(seed) {}

  /// 0 to below - 1; `below` > 0.
  std::uint32_t below(std::size_t below) {
    return static_cast<std::uint32_t>((next() >> 32) % below);
  }
  /// Both ends included.
  std::uint32_t between(std::uint32_t least, std::uint32_t most) {
    return least + below(most - least + 1);
  }
  /// True so many times in a thousand.
  bool chance(std::uint32_t per_mille) { return below(1000) < per_mille; }
  template <class Container>
  auto& pick(Container& from) {
    return from[below(from.size())];
  }

 private:
  /// splitmix64
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }

  std::uint64_t state_;
};

}  // namespace fuse9p::sim
