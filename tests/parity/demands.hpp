// SPDX-License-Identifier: MIT
// What must have been seen when all cases have been performed: each error that POSIX names for a
// call, or Linux's manual where POSIX does not know the call, and that a test can provoke.
#pragma once

#include <span>

namespace fuse9p::test::parity {

struct Demand {
  const char* call;
  const char* seen;      ///< errors, parted by blanks
  const char* not_seen;  ///< those that are named, too; why not, see demands.cpp
};

std::span<const Demand> demands();

}  // namespace fuse9p::test::parity
