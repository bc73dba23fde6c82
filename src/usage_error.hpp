// SPDX-License-Identifier: MIT
// What a user got wrong on the command line, found before the mount is up. Thrown by the endpoint
// and option parsers, caught once, in main(), which prints what() behind "fuse9p: " and exits with
// kExitUsage.
#pragma once

#include <stdexcept>

namespace fuse9p {

/// what() names the culprit, the value and what was expected: `option msize=12: must be 4k to 16M`.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace fuse9p
