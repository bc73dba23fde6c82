// SPDX-License-Identifier: MIT
// What permission bits let a user do, as access(2) says it. 9P has no question for it.
#pragma once

#include "src/attributes.hpp"

#include <sys/types.h>

#include <optional>
#include <vector>

namespace fuse9p::fs {

struct Caller {
  /// As whom the server sees it; nothing: under a name whose number is the server's own business.
  std::optional<uid_t> number;
  std::vector<gid_t> groups;  ///< all of them
};

/// `mask`: R_OK, W_OK and X_OK. What can't be known (whose groups?) is allowed: the server decides
/// again when it is tried.
bool permits(const Attributes& attributes, const Caller& caller, int mask);

}  // namespace fuse9p::fs
