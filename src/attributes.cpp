// SPDX-License-Identifier: MIT
#include "src/attributes.hpp"

#include <algorithm>
#include <limits>

namespace fuse9p {
namespace {

constexpr std::uint64_t kMaxSize = std::numeric_limits<std::int64_t>::max();
constexpr std::uint64_t kMaxNanoseconds = 999'999'999;
constexpr std::uint64_t kMaxBlockSize = 16U << 20;

timespec time_of(std::uint64_t seconds, std::uint64_t nanoseconds) {
  return {static_cast<std::time_t>(seconds),
          static_cast<long>(std::min(nanoseconds, kMaxNanoseconds))};
}

bool same_time(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
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
  return out;
}

bool same_content(const Attributes& a, const Attributes& b, bool ignore_version) {
  const bool same_version = ignore_version || a.qid.version == b.qid.version;
  return same_version && a.qid.path == b.qid.path && a.type() == b.type() && a.size == b.size &&
         same_time(a.mtime, b.mtime) && same_time(a.ctime, b.ctime);
}

}  // namespace fuse9p
