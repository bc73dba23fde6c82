// SPDX-License-Identifier: MIT
// Attributes as stat(2) and the kernel want them.
#pragma once

#include "fuse/node_table.hpp"
#include "src/attributes.hpp"

#include <sys/stat.h>

namespace fuse9p::fs {

struct stat to_stat(const Node& node);
/// Of what is not known by more than its qid.
std::uint64_t inode_of(const proto::Qid& qid);

}  // namespace fuse9p::fs
