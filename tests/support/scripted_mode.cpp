// SPDX-License-Identifier: MIT
#include "tests/support/scripted_mode.hpp"

namespace fuse9p::test {
namespace {

struct Pair {
  mode_t unix_bit;
  std::uint32_t wire_bit;
};
constexpr Pair kUnixBits[] = {
    {S_ISUID, dm::kSetuid}, {S_ISGID, dm::kSetgid}, {S_ISVTX, dm::kSticky}};

std::uint32_t special_bit(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFLNK:
      return dm::kSymlink;
    case S_IFCHR:
    case S_IFBLK:
      return dm::kDevice;
    case S_IFIFO:
      return dm::kPipe;
    case S_IFSOCK:
      return dm::kSocket;
    default:
      return 0;
  }
}

}  // namespace

std::uint32_t mode_on_wire(const Tree::Node& node, proto::Dialect dialect) {
  std::uint32_t mode = node.mode & dm::kPermissions;
  mode |= node.is_directory() ? dm::kDir : 0;
  mode |= node.append ? dm::kAppend : 0;
  mode |= node.exclusive ? dm::kExclusive : 0;
  mode |= node.temporary ? dm::kTemporary : 0;
  if (dialect != proto::Dialect::u)
    return mode;
  for (const auto& [unix_bit, wire_bit] : kUnixBits)
    mode |= (node.mode & unix_bit) != 0 ? wire_bit : 0;
  return mode | special_bit(node.mode);
}

void set_mode(Tree::Node& node, std::uint32_t mode) {
  node.append = (mode & dm::kAppend) != 0;
  node.exclusive = (mode & dm::kExclusive) != 0;
  node.temporary = (mode & dm::kTemporary) != 0;
  node.mode = (node.mode & S_IFMT) | (mode & dm::kPermissions);
  for (const auto& [unix_bit, wire_bit] : kUnixBits)
    node.mode |= (mode & wire_bit) != 0 ? unix_bit : 0;
}

}  // namespace fuse9p::test
