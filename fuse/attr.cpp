// SPDX-License-Identifier: MIT
#include "fuse/attr.hpp"

#include <sys/sysmacros.h>

namespace fuse9p::fs {
namespace {

/// The wire carries the kernel's 32-bit form: 12 bits major, 20 bits minor around it.
dev_t decode_device(std::uint64_t wire) {
  const auto major = static_cast<unsigned>((wire >> 8) & 0xFFF);
  const auto minor = static_cast<unsigned>((wire & 0xFF) | ((wire >> 12) & 0xFFF00));
  return makedev(major, minor);
}

/// readdir(3) drops entries with inode 0.
std::uint64_t never_zero(std::uint64_t inode) {
  return inode == 0 ? 1 : inode;
}

}  // namespace

std::uint64_t inode_of(const proto::Qid& qid) {
  return never_zero(qid.path);
}

struct stat to_stat(const Node& node) {
  const Attributes& attributes = node.attributes;
  struct stat out {};
  out.st_ino = never_zero(node.inode());
  out.st_mode = attributes.mode;
  out.st_nlink = attributes.nlink - (node.hidden && attributes.nlink > 0 ? 1U : 0U);
  out.st_uid = attributes.uid;
  out.st_gid = attributes.gid;
  out.st_rdev = decode_device(attributes.rdev);
  out.st_size = static_cast<off_t>(attributes.size);
  out.st_blocks = static_cast<blkcnt_t>(attributes.blocks);
  out.st_blksize = static_cast<blksize_t>(attributes.blksize);
  out.st_atim = attributes.atime;
  out.st_mtim = attributes.mtime;
  out.st_ctim = attributes.ctime;
  return out;
}

}  // namespace fuse9p::fs
