// SPDX-License-Identifier: MIT
// Which files a program may make up: what is read and written there has a meaning of its own.
#pragma once

#include "fuse/mount.hpp"

namespace fuse9p::fs {

/// What tells a Plan 9 server's files that a program makes up, if they have a length: no version,
/// append-only, exclusive.
bool is_marked(const Mount& mount, const Attributes& attributes);

/// A file of length 0 may be one whose content is made when it is read.
bool may_be_synthetic(const Mount& mount, const Attributes& attributes);

}  // namespace fuse9p::fs
