// SPDX-License-Identifier: MIT
#include "fuse/operations.hpp"

#include <cerrno>

namespace fuse9p::fs {

awaitable<result<NodeRef>> look_up(Mount& mount, UserId user, NodeRef parent, std::string name) {
  const auto walk = [&](proto::Fid fid) { return mount.client().walk(fid, name); };
  auto walked = co_await mount.with_directory(parent, user, walk);
  if (!walked && mount.is_out_of_reach(*parent, user, walked.error())) {
    user = mount.fids().holder(*parent);
    walked = co_await mount.with_directory(parent, user, walk);
  }
  if (!walked)
    co_return walked.error();
  const auto attributes = co_await mount.client().getattr(walked->fid.fid());
  if (!attributes)
    co_return attributes.error();
  const NodeRef node = remember(mount, parent, name, *attributes);
  mount.fids().insert(*node, user, std::move(walked->fid));
  co_return node;
}

NodeRef remember(Mount& mount, const NodeRef& parent, const std::string& name,
                 const Attributes& attributes) {
  NodeRef node = mount.nodes().remember(*parent, name, attributes);
  if (mount.unresolved().blocks(name_of(parent, name)))
    node->fresh_until = {};
  return node;
}

void reply_entry(Mount& mount, Request& request, Node& node) {
  // Counted first: the kernel may forget it again before the reply returns.
  mount.nodes().looked_up(node);
  const NodeId id = node.id();
  if (!request.reply_entry(mount.entry_of(node)))
    mount.nodes().forget(id, 1);
}

awaitable<void> lookup(Mount& mount, Request& request, fuse_ino_t parent, std::string name) {
  const NodeRef directory = mount.nodes().find(parent);
  if (!directory)
    co_return request.reply_errno(ESTALE);
  const auto found = co_await look_up(mount, request.user(), directory, name);
  if (found)
    co_return reply_entry(mount, request, **found);
  const auto negative = mount.settings().negative_timeout;
  const bool missing = found.error() == as_error(ENOENT);
  if (!missing || negative.count() == 0 || mount.unresolved().blocks(name_of(directory, name)))
    co_return request.reply_error(found.error());
  fuse_entry_param nothing{};
  nothing.entry_timeout = std::chrono::duration<double>(negative).count();
  request.reply_entry(nothing);
}

}  // namespace fuse9p::fs
