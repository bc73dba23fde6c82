// SPDX-License-Identifier: MIT
// What a fuzzer says when a claim of its own does not hold.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace fuse9p::test {

inline void claim(bool holds, const char* what) {
  if (holds)
    return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

}  // namespace fuse9p::test
