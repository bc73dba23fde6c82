// SPDX-License-Identifier: MIT
#include "fuse/set_id.hpp"

#include "fuse/operations.hpp"

#include <linux/fuse.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace fuse9p::fs {
namespace {

constexpr std::uint32_t kModeValid = 0x1;  // of Tsetattr

/// The request's own part, behind its header; zeros if it is cut short.
template <class In>
In body_of(std::span<const std::byte> request) {
  In body{};
  const auto bytes = request.subspan(std::min(request.size(), sizeof(fuse_in_header)));
  std::memcpy(&body, bytes.data(), std::min(bytes.size(), sizeof body));
  return body;
}

bool has_set_id(const Node& node) {
  const std::uint32_t mode = node.attributes.mode;
  return S_ISREG(mode) && mode != without_set_id(mode);
}

}  // namespace

bool asks_to_drop_set_id(std::span<const std::byte> request) {
  if (request.size() < sizeof(fuse_in_header))
    return false;
  fuse_in_header header;
  std::memcpy(&header, request.data(), sizeof header);
  switch (header.opcode) {
    case FUSE_WRITE:
      return (body_of<fuse_write_in>(request).write_flags & FUSE_WRITE_KILL_SUIDGID) != 0;
    case FUSE_SETATTR:
      return (body_of<fuse_setattr_in>(request).valid & FATTR_KILL_SUIDGID) != 0;
    case FUSE_OPEN:
      return (body_of<fuse_open_in>(request).open_flags & FUSE_OPEN_KILL_SUIDGID) != 0;
    default:
      return false;
  }
}

std::uint32_t without_set_id(std::uint32_t mode) {
  const bool group_executes = (mode & S_IXGRP) != 0;
  return mode & ~std::uint32_t{S_ISUID} & ~std::uint32_t{group_executes ? S_ISGID : 0U};
}

awaitable<error_code> drop_set_id(Mount& mount, UserId user, NodeRef node) {
  if (!has_set_id(*node) || node->unlinked())
    co_return error_code();
  // The mode is set as a whole: not from what may be out of date.
  if (const error_code error = co_await refresh(mount, user, node))
    co_return is_stale(error) ? error_code() : error;
  mount.forget_attributes(*node);  // whatever comes now, the kernel knows less
  if (!has_set_id(*node))
    co_return error_code();
  proto::Tsetattr changes{.valid = kModeValid, .mode = without_set_id(node->attributes.mode)};
  const error_code error = co_await mount.with_fid(node, user, [&](proto::Fid fid) {
    changes.fid = fid;
    return mount.client().setattr(changes);
  });
  const bool refused = error == as_error(EPERM) || error == as_error(EACCES);
  if (!error)
    node->attributes.mode = changes.mode;
  node->fresh_until = {};
  co_return refused ? error_code() : error;
}

}  // namespace fuse9p::fs
