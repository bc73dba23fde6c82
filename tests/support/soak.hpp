// SPDX-License-Identifier: MIT
// One of many processes that use a file system at random, and know what must be there. In a
// directory of its own (soak_own.hpp) nobody else comes in between; in directories that all share
// (soak_shared.hpp) everybody does.
#pragma once

#include <cstdint>
#include <filesystem>

namespace fuse9p::test {

struct SoakSettings {
  std::filesystem::path root;     ///< prepared by prepare_soak()
  std::filesystem::path reports;  ///< local, where everybody may write
  std::uint32_t seed = 0;
  int operations = 0;  ///< of each process
};

/// Makes what soakers need below `root`: directories for all, one of them sticky.
void prepare_soak(const std::filesystem::path& root);

/// The work of process `number`, as the user that it is. The exit status: 0 if nothing was wrong;
/// else reports/NUMBER says what.
int run_soaker(const SoakSettings& settings, int number);

/// How often all soakers together have counted under a lock, and what they made of the number.
struct SoakCount {
  std::uint64_t expected = 0, found = 0;
};
SoakCount soak_count(const SoakSettings& settings);

}  // namespace fuse9p::test
