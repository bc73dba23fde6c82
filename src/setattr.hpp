// SPDX-License-Identifier: MIT
// The valid bits of a Tsetattr, which say what it changes. Client::setattr() takes them in every
// dialect.
#pragma once

#include <cstdint>

namespace fuse9p::setattr_valid {

inline constexpr std::uint32_t kMode = 0x1, kUid = 0x2, kGid = 0x4, kSize = 0x8, kAtime = 0x10,
                               kMtime = 0x20, kCtime = 0x40, kAtimeSet = 0x80, kMtimeSet = 0x100;

}  // namespace fuse9p::setattr_valid
