// SPDX-License-Identifier: MIT
#include "src/attributes.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <limits>

namespace fuse9p {
namespace {

constexpr std::uint64_t kGenerationValid = 0x1000;
constexpr std::uint64_t kMaxSize = std::numeric_limits<std::int64_t>::max();
constexpr std::uint64_t kMaxNanoseconds = 999'999'999;
constexpr std::uint64_t kMaxBlockSize = 16U << 20;

timespec time_of(std::uint64_t seconds, std::uint64_t nanoseconds) {
  return {static_cast<std::time_t>(seconds),
          static_cast<long>(std::min(nanoseconds, kMaxNanoseconds))};
}

}  // namespace

Attributes attributes_of(const proto::Rgetattr& reply) {
  Attributes out;
  out.qid = reply.qid;
  out.mode = reply.mode;
  out.uid = reply.uid;
  out.gid = reply.gid;
  out.nlink = reply.nlink;
  out.rdev = reply.rdev;
  out.size = std::min(reply.size, kMaxSize);
  out.blocks = reply.blocks;
  if (reply.blksize >= 512)
    out.blksize = static_cast<std::uint32_t>(std::min(reply.blksize, kMaxBlockSize));
  out.atime = time_of(reply.atime_sec, reply.atime_nsec);
  out.mtime = time_of(reply.mtime_sec, reply.mtime_nsec);
  out.ctime = time_of(reply.ctime_sec, reply.ctime_nsec);
  // Some claim that it is valid, and say 0.
  out.generation = (reply.valid & kGenerationValid) != 0 ? reply.gen : 0;
  return out;
}

bool same_object(const proto::Qid& a, const proto::Qid& b) {
  constexpr std::uint8_t kTypes = proto::qid_type::kDir | proto::qid_type::kSymlink;
  return a.path == b.path && ((a.type ^ b.type) & kTypes) == 0;
}

bool may_be_same_object(const Attributes& a, const Attributes& b) {
  if (a.qid.path != b.qid.path || a.type() != b.type() || a.rdev != b.rdev)
    return false;
  const bool generations_known = a.generation != 0 && b.generation != 0;
  if (generations_known && a.generation != b.generation)
    return false;
  return !S_ISLNK(a.mode) || a.size == b.size;
}

bool agree(const Attributes& a, const Attributes& b) {
  return may_be_same_object(a, b) && a.mode == b.mode && a.nlink == b.nlink && a.size == b.size &&
         a.uid == b.uid && a.gid == b.gid && same_time(a.mtime, b.mtime) &&
         same_time(a.ctime, b.ctime);
}

bool same_content(const Attributes& a, const Attributes& b, bool ignore_version) {
  const bool same_version = ignore_version || a.qid.version == b.qid.version;
  return same_version && a.qid.path == b.qid.path && a.type() == b.type() && a.size == b.size &&
         same_time(a.mtime, b.mtime) && same_time(a.ctime, b.ctime);
}

}  // namespace fuse9p
