// SPDX-License-Identifier: MIT
#include "fuse/operations.hpp"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>

namespace fuse9p::fs {

awaitable<void> statfs(Mount& mount, Request& request, fuse_ino_t ino) {
  constexpr std::uint32_t kUsualBlock = 4096;
  constexpr std::uint32_t kLongestName = 255;
  NodeRef node = mount.nodes().find(ino);
  // A server that goes by path would follow it, even to another file system.
  if (node && (S_ISLNK(node->attributes.mode) || node->unlinked()))
    node = mount.nodes().find(FUSE_ROOT_ID);
  if (!node)
    co_return request.reply_errno(ESTALE);
  const auto reply = co_await mount.with_fid(
      node, request.user(), [&](proto::Fid fid) { return mount.client().statfs(fid); });
  if (!reply)
    co_return request.reply_error(reply.error());
  struct statvfs out {};
  out.f_bsize = out.f_frsize = reply->bsize == 0 ? kUsualBlock : reply->bsize;
  out.f_blocks = reply->blocks;
  out.f_bfree = reply->bfree;
  out.f_bavail = reply->bavail;
  out.f_files = reply->files;
  out.f_ffree = out.f_favail = reply->ffree;
  out.f_fsid = reply->fsid;
  out.f_namemax = reply->namelen == 0 ? kLongestName : reply->namelen;
  request.reply_statfs(out);
}

}  // namespace fuse9p::fs
