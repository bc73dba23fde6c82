// SPDX-License-Identifier: MIT
// The cases by hand, a table for each subject.
#pragma once

#include "tests/parity/cases.hpp"

#include <span>

namespace fuse9p::test::parity {

/// The script of one case.
struct Script {
  const char* name;
  const char* script;
  const char* prepare = "";
};

std::span<const Script> scripts_on_names();
std::span<const Script> scripts_on_attributes();
std::span<const Script> scripts_on_files();
std::span<const Script> scripts_of_users();
std::span<const Script> scripts_of_processes();
/// On a file system with little room.
std::span<const Script> scripts_on_a_full_disk();
/// On one that can't be changed.
std::span<const Script> scripts_on_a_read_only_disk();

}  // namespace fuse9p::test::parity
