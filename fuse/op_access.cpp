// SPDX-License-Identifier: MIT
#include "fuse/operations.hpp"
#include "fuse/permission.hpp"
#include "fuse/synthetic.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace fuse9p::fs {
namespace {

std::vector<gid_t> groups_of(const Request& request) {
  constexpr int kMostGroups = 65536;  // Linux's NGROUPS_MAX
  std::vector<gid_t> groups(64);
  int found = fuse_req_getgroups(request.raw(), static_cast<int>(groups.size()), groups.data());
  if (found > static_cast<int>(groups.size()) && found <= kMostGroups) {
    groups.resize(static_cast<std::size_t>(found));
    found = fuse_req_getgroups(request.raw(), found, groups.data());
  }
  groups.resize(static_cast<std::size_t>(
      std::clamp(found, 0, static_cast<int>(groups.size()))));  // unknown: of another namespace
  groups.push_back(request.gid());
  return groups;
}

Caller caller_of(const Mount& mount, const Request& request) {
  const UserPolicy& users = mount.settings().users;
  const bool known =
      request.user() != UserId::mount || users.mount_number == std::uint32_t{request.uid()};
  Caller caller;
  if (known) {
    caller.number = request.uid();
    caller.groups = groups_of(request);
  }
  return caller;
}

bool is_denial(const error_code& error) {
  return error == as_error(EACCES) || error == as_error(EPERM) || error == as_error(EROFS);
}

/// Can it be opened so? Only for files that take no notice.
awaitable<bool> opens(Mount& mount, Request& request, NodeRef node, std::uint32_t flags) {
  const auto opened = co_await mount.with_own_fid(node, request.user(), [&](FidHandle fid) {
    return mount.client().open(std::move(fid), flags);
  });
  co_return opened || !is_denial(opened.error());
}

/// Can one go on from that directory?
awaitable<bool> leads_on(Mount& mount, Request& request, NodeRef directory) {
  const auto walked = co_await mount.with_directory(
      directory, request.user(), [&](proto::Fid fid) { return mount.client().walk(fid, ".."); });
  co_return walked || !is_denial(walked.error());
}

/// Where permission bits are not all that counts the server is asked, as that user, what can be
/// asked without doing anything: by opening an ordinary file or a directory, by walking on. What is
/// left is answered from the bits.
awaitable<bool> server_permits(Mount& mount, Request& request, NodeRef node, int mask) {
  const bool is_directory = node->attributes.type() == S_IFDIR;
  const bool is_file = node->attributes.type() == S_IFREG;
  if (is_file && !may_be_synthetic(mount, node->attributes) && (mask & (R_OK | W_OK)) != 0) {
    constexpr std::uint32_t kModes[] = {O_RDONLY, O_WRONLY, O_RDONLY, O_RDWR};
    const int wanted = ((mask & R_OK) != 0 ? 2 : 0) | ((mask & W_OK) != 0 ? 1 : 0);
    if (const bool ok = co_await opens(mount, request, node, kModes[wanted]); !ok)
      co_return false;
    mask &= ~(R_OK | W_OK);
  }
  if (is_directory && (mask & R_OK) != 0) {
    if (const bool ok = co_await opens(mount, request, node, O_RDONLY); !ok)
      co_return false;
    mask &= ~R_OK;
  }
  if (is_directory && (mask & X_OK) != 0) {
    if (const bool ok = co_await leads_on(mount, request, node); !ok)
      co_return false;
    mask &= ~X_OK;
  }
  const bool is_root = request.uid() == 0 && is_directory;  // who may be somebody at the server
  co_return is_root || permits(node->attributes, Caller{}, mask);
}

}  // namespace

/// access(2) and chdir(2), of mounts without default_permissions: there the kernel does it itself.
awaitable<void> access(Mount& mount, Request& request, fuse_ino_t ino, int mask) {
  const NodeRef node = mount.nodes().find(ino);
  if (!node)
    co_return request.reply_errno(ESTALE);
  if (node->fresh_until <= Clock::now() && !node->unlinked()) {
    if (const error_code error = co_await refresh(mount, request.user(), node))
      co_return request.reply_error(error);
  }
  if (!mount.client().capabilities().unix_permissions && mask != F_OK) {
    const bool allowed = co_await server_permits(mount, request, node, mask);
    co_return request.reply_errno(allowed ? 0 : EACCES);
  }
  const bool allowed = permits(node->attributes, caller_of(mount, request), mask);
  request.reply_errno(allowed ? 0 : EACCES);
}

}  // namespace fuse9p::fs
