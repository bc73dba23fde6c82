// SPDX-License-Identifier: MIT
#include "fuse/operations.hpp"
#include "fuse/permission.hpp"

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
      mount.client().capabilities().unix_permissions &&
      (request.user() != UserId::mount || users.mount_number == std::uint32_t{request.uid()});
  Caller caller;
  if (known) {
    caller.number = request.uid();
    caller.groups = groups_of(request);
  }
  return caller;
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
  const bool allowed = permits(node->attributes, caller_of(mount, request), mask);
  request.reply_errno(allowed ? 0 : EACCES);
}

}  // namespace fuse9p::fs
