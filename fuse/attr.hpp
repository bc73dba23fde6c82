// SPDX-License-Identifier: MIT
// Attributes as stat(2) and the kernel want them.
#pragma once

#include "src/attributes.hpp"

#include <sys/stat.h>

namespace fuse9p::fs {

struct stat to_stat(const Attributes& attributes);
/// st_ino: the server's qid.path, which stays the same as long as the object lives.
std::uint64_t inode_of(const proto::Qid& qid);

}  // namespace fuse9p::fs
