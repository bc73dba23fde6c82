// SPDX-License-Identifier: MIT
#include "fuse/identity.hpp"
#include "fuse/operations.hpp"

#include <cerrno>

namespace fuse9p::fs {
namespace {

/// One walk, and what the server says of the file there. ESTALE if another one came in between.
awaitable<result<NodeRef>> walk_and_ask(Mount& mount, UserId user, NodeRef parent, std::string name,
                                        KeepFid keep) {
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
  if (!same_object(walked->qid, attributes->qid))
    co_return as_error(ESTALE);
  auto node =
      co_await identify(mount, user, parent, std::move(name), *attributes, walked->fid.fid());
  if (node && (keep == KeepFid::always || mount.fids().has_room()))
    mount.fids().insert(**node, user, std::move(walked->fid));
  co_return node;
}

}  // namespace

awaitable<result<NodeRef>> look_up(Mount& mount, UserId user, NodeRef parent, std::string name,
                                   KeepFid keep) {
  const auto renames = mount.renames().mark();
  const Node* before = parent->child(name);
  const NodeId known = before == nullptr ? 0 : before->id();
  auto found = co_await walk_and_ask(mount, user, parent, name, keep);
  if (found.has_error() && found.error() == as_error(ESTALE))
    found = co_await walk_and_ask(mount, user, parent, name, keep);
  // Gone, unless it is being moved, or was made in the meantime.
  const Node* now = parent->child(name);
  if (found.has_error() && found.error() == as_error(ENOENT) && now != nullptr &&
      now->id() == known && !mount.renames().overlapped(renames) &&
      !mount.unresolved().blocks(name_of(parent, name)))
    forget_name(mount, *parent, name);
  co_return found;
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
