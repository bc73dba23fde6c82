// SPDX-License-Identifier: MIT
// All cases of the parity suite. The breadth is made from tables (tables.cpp): each operation on
// each kind of object, as each user in each situation, on each kind of descriptor, on a mount that
// is read-only. The depth is written by hand (scripts_*.cpp): what takes a story to tell.
#pragma once

#include <string>
#include <vector>

namespace fuse9p::test::parity {

enum class Place {
  ordinary,
  read_only,  ///< the mount is, and so is the local directory
  full,       ///< the exported file system has kFullBytes and kFullFiles, no more
};
inline constexpr int kFullBytes = 256 << 10, kFullFiles = 24;

struct Case {
  std::string name;  ///< unique; a file name, too
  Place place;
  std::string prepare;  ///< performed where the server has the directory, before the mount sees it
  std::string script;
};

std::vector<Case> cases_of_tables();
std::vector<Case> cases_by_hand();

}  // namespace fuse9p::test::parity
