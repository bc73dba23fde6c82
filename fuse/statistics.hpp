// SPDX-License-Identifier: MIT
// What a mount has done and holds, as one line of JSON, for SIGUSR1. fuse9p(1), SIGNALS.
#pragma once

#include <string>

namespace fuse9p::fs {

class Mount;

std::string statistics(Mount& mount);

}  // namespace fuse9p::fs
