// SPDX-License-Identifier: MIT
#include "fuse/identity.hpp"
#include "fuse/operations.hpp"

#include <cerrno>

namespace fuse9p::fs {
namespace {

struct Found {
  Walked file;
  Attributes attributes;
};

awaitable<result<Found>> walk_and_getattr(Client& client, proto::Fid directory, std::string name) {
  auto walked = co_await client.walk(directory, name);
  if (!walked)
    co_return walked.error();
  const auto attributes = co_await client.getattr(walked->fid.fid());
  if (!attributes)
    co_return attributes.error();
  co_return Found{std::move(*walked), *attributes};
}

/// One walk, and what the server says of the file there. ESTALE if another one came in between.
awaitable<result<NodeRef>> walk_and_ask(Mount& mount, UserId user, NodeRef parent, std::string name,
                                        KeepFid keep) {
  const auto ask = [&](proto::Fid fid) { return walk_and_getattr(mount.client(), fid, name); };
  auto found = co_await mount.with_directory_of(parent, name, user, ask);
  if (!found && mount.is_out_of_reach(*parent, user, found.error())) {
    user = mount.fids().holder(*parent);
    found = co_await mount.with_directory_of(parent, name, user, ask);
  }
  if (!found)
    co_return found.error();
  FidHandle& fid = found->file.fid;
  if (!same_object(found->file.qid, found->attributes.qid))
    co_return as_error(ESTALE);
  const std::uint32_t epoch = parent->path_epoch;
  auto node = co_await identify(mount, user, parent, name, found->attributes, fid.fid());
  // While others were asked about, the fid's path may have become another one.
  const bool in_place = node && parent->path_epoch == epoch && parent->child(name) == &**node;
  if (in_place && (keep == KeepFid::always || mount.fids().has_room()))
    mount.fids().insert(**node, user, std::move(fid));
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
