// SPDX-License-Identifier: MIT
// What a server says about a file, in one form for every dialect and with nonsense made harmless.
#pragma once

#include "proto/messages.hpp"

#include <cstdint>
#include <ctime>

namespace fuse9p {

struct Attributes {
  proto::Qid qid;
  std::uint32_t mode = 0;  ///< with the type bits of stat(2)
  std::uint32_t uid = 0, gid = 0;
  std::uint64_t nlink = 1;
  std::uint64_t rdev = 0;  ///< as the kernel encodes it for the wire: new_encode_dev
  std::uint64_t size = 0;
  std::uint64_t blocks = 0;  ///< of 512 bytes
  std::uint32_t blksize = 4096;
  timespec atime{}, mtime{}, ctime{};

  std::uint32_t type() const { return mode & 0170000; }
};

/// Getattr masks: what stat(2) needs.
inline constexpr std::uint64_t kGetattrBasic = 0x7FF;

/// Sizes above 2^63 - 1 and nanoseconds above 999,999,999 are clamped, a blksize of 0 replaced.
Attributes attributes_of(const proto::Rgetattr& reply);

/// Do size, times, identity and, unless it is to be left out, the qid's version agree, so that the
/// content is the same as far as anybody can tell?
bool same_content(const Attributes& a, const Attributes& b, bool ignore_version = false);

}  // namespace fuse9p
