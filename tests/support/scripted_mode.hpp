// SPDX-License-Identifier: MIT
// The mode words of 9P2000 and 9P2000.u: of a stat record, of Topen and of Tcreate. Manual:
// stat(5), open(5), the 9P2000.u draft.
#pragma once

#include "proto/types.hpp"
#include "tests/support/scripted_tree.hpp"

#include <cstdint>

namespace fuse9p::test {

/// DMDIR and so on.
namespace dm {
inline constexpr std::uint32_t kDir = 0x80000000, kAppend = 0x40000000, kExclusive = 0x20000000,
                               kTemporary = 0x04000000, kSymlink = 0x02000000, kLink = 0x01000000,
                               kDevice = 0x00800000, kPipe = 0x00200000, kSocket = 0x00100000,
                               kSetuid = 0x00080000, kSetgid = 0x00040000, kSticky = 0x00010000;
inline constexpr std::uint32_t kPermissions = 0777;
/// What says, in 9P2000.u, that it is neither a file nor a directory.
inline constexpr std::uint32_t kSpecial = kSymlink | kLink | kDevice | kPipe | kSocket;

/// All that may be in a Tcreate.
constexpr std::uint32_t known(proto::Dialect dialect) {
  constexpr std::uint32_t kLegacy = kDir | kAppend | kExclusive | kTemporary | kPermissions;
  constexpr std::uint32_t kU = kLegacy | kSpecial | kSetuid | kSetgid | kSticky;
  return dialect == proto::Dialect::u ? kU : kLegacy;
}
}  // namespace dm

/// OREAD and so on.
namespace open_mode {
inline constexpr std::uint8_t kRead = 0, kWrite = 1, kReadWrite = 2, kExecute = 3, kAccess = 3,
                              kTruncate = 0x10, kRemoveOnClose = 0x40, kAppend = 0x80;

/// OCEXEC is between a program and its kernel, OAPPEND is of 9P2000.u.
constexpr std::uint8_t known(proto::Dialect dialect) {
  constexpr std::uint8_t kLegacy = kAccess | kTruncate | kRemoveOnClose;
  return dialect == proto::Dialect::u ? kLegacy | kAppend : kLegacy;
}
}  // namespace open_mode

/// A node's mode as a stat record has it. 9P2000 has no words for what only Unix has.
std::uint32_t mode_on_wire(const Tree::Node& node, proto::Dialect dialect);
/// The other way: what a Tcreate or Twstat says of permissions and of append-only, exclusive and
/// temporary files. The node's type stays.
void set_mode(Tree::Node& node, std::uint32_t mode);

}  // namespace fuse9p::test
