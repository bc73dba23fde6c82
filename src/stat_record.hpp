// SPDX-License-Identifier: MIT
// The stat record of 9P2000 and 9P2000.u against Linux's attributes: mode words, owners, times.
// Manual: stat(5), the 9P2000.u draft. Pure functions; nonsense is made harmless.
#pragma once

#include "src/attributes.hpp"
#include "src/id_names.hpp"

#include <cstdint>
#include <string>

namespace fuse9p {

/// Bits of stat's mode and of Tcreate's perm.
namespace dm {
inline constexpr std::uint32_t kDir = 0x80000000, kAppend = 0x40000000, kExclusive = 0x20000000,
                               kSymlink = 0x02000000, kLink = 0x01000000, kDevice = 0x00800000,
                               kNamedPipe = 0x00200000, kSocket = 0x00100000, kSetUid = 0x00080000,
                               kSetGid = 0x00040000, kSticky = 0x00010000;
}  // namespace dm

/// What there is no word for gets what stat(2) makes of a simple file system: one link, a change
/// time that is the modification time, blocks by length.
Attributes attributes_of(const proto::Stat& stat, proto::Dialect dialect, const IdNames& names);

/// Linux's type and permission bits as the dialect writes them; what it can't write is left out.
std::uint32_t perm_of(std::uint32_t mode, proto::Dialect dialect);
/// The bits of a mode word that chmod(2) may change.
std::uint32_t permission_mask(proto::Dialect dialect);

/// The extension of a device that is made: "c 1 3".
std::string device_extension(std::uint32_t mode, std::uint32_t major, std::uint32_t minor);

}  // namespace fuse9p
