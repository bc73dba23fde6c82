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
  /// The server does not tell a ctime: it is the mtime, which can be set to anything.
  bool ctime_is_mtime = false;
  std::uint64_t generation = 0;  ///< of the inode number; 0: the server does not say
  /// Moments of the client: when they were asked for, and when the answer came. What was asked for
  /// after another answer had come is newer than that one; otherwise nobody knows. 0: made up,
  /// since nothing could be heard.
  std::uint64_t asked = 0, heard = 0;

  std::uint32_t type() const { return mode & 0170000; }
};

/// Tgetattr's mask: what stat(2) needs (the protocol's BASIC), and GEN.
inline constexpr std::uint64_t kGetattrMask = 0x7FF | 0x1000;

/// Sizes above 2^63 - 1 and nanoseconds above 999,999,999 are clamped, a blksize of 0 replaced.
Attributes attributes_of(const proto::Rgetattr& reply);

inline bool same_time(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}
inline bool earlier(const timespec& a, const timespec& b) {
  return a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec);
}

/// Do they name one object, as far as qids can tell? The version may differ.
bool same_object(const proto::Qid& a, const proto::Qid& b);

/// Can they be the same object's? Not if something differs that stays the same as long as an object
/// lives: qid.path, type, generation, the length of a symlink, the numbers of a device.
bool may_be_same_object(const Attributes& a, const Attributes& b);

/// Of two answers about two names, do they agree in all that tells files apart?
bool agree(const Attributes& a, const Attributes& b);

/// Do size, times, identity and, unless it is to be left out, the qid's version agree, so that the
/// content is the same as far as anybody can tell?
bool same_content(const Attributes& a, const Attributes& b, bool ignore_version = false);

}  // namespace fuse9p
