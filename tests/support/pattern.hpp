// SPDX-License-Identifier: MIT
// What test files hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace fuse9p::test {

/// Bytes that are different at every offset, and the same for each caller.
inline std::string pattern(std::size_t size, std::size_t offset = 0) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    // A step of its own in each 8 bytes: pieces in the wrong place do not fit.
    std::uint64_t word = (offset + i) / 8 + 1;
    word *= 0x9E3779B97F4A7C15;
    word ^= word >> 29;
    bytes[i] = static_cast<char>(word >> ((offset + i) % 8 * 8));
  }
  return bytes;
}

}  // namespace fuse9p::test
