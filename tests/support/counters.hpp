// SPDX-License-Identifier: MIT
// What fuse9p says of itself when SIGUSR1 asks it: one line of JSON in its log. Of a mount in the
// foreground only, whose log we have.
#pragma once

#include "tests/support/mount_fixture.hpp"

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <map>
#include <string>

namespace fuse9p::test {

struct Counters {
  std::map<std::string, std::string> words;
  std::map<std::string, std::int64_t> numbers;  ///< true is 1

  /// A failure of the test if there is no such number.
  std::int64_t operator[](const std::string& name) const;
};
std::ostream& operator<<(std::ostream& out, const Counters& counters);

Counters ask_counters(Fuse9p& mount);
/// Asks until they are as `wanted` says; a failure of the test if they never are.
Counters await_counters(Fuse9p& mount, const std::function<bool(const Counters&)>& wanted);
/// Is nothing under way, every request answered, every tag and every change settled?
bool is_idle(const Counters& counters);
/// Until it is.
Counters await_idle(Fuse9p& mount);

}  // namespace fuse9p::test
