// SPDX-License-Identifier: MIT
#include "fuse/identity.hpp"

#include "fuse/operations.hpp"

#include <sys/stat.h>

#include <cerrno>

namespace fuse9p::fs {
namespace {

/// How often both names of a file that is changing are asked about until their answers agree.
constexpr int kRounds = 4;

bool may_have_several_names(const Attributes& attributes) {
  return attributes.nlink > 1 && !S_ISDIR(attributes.mode);
}

enum class Verdict : std::uint8_t { another, same };

/// A name in a directory, and a fid that was walked to it.
struct Place {
  NodeRef parent;
  std::string name;
  proto::Fid fid;
  std::uint32_t epoch;  ///< of the parent then
};

/// ESTALE if the fid may go by an old path.
awaitable<result<Attributes>> ask_again(Mount& mount, const Place& place) {
  const auto passage = co_await mount.paths().pass_to(place.parent, place.name);
  if (!passage)
    co_return passage.error();
  if (place.parent->path_epoch != place.epoch)
    co_return as_error(ESTALE);
  co_return co_await mount.client().getattr(place.fid);
}

/// Is `twin` the file of which the server said `attributes`? Those are brought up to date.
awaitable<result<Verdict>> is_same_file(Mount& mount, UserId user, NodeRef twin,
                                        Attributes& attributes, const Place& place) {
  const auto same = [&] {
    return may_have_several_names(attributes) && agree(twin->attributes, attributes);
  };
  if (twin->fresh_until > Clock::now() && same())
    co_return Verdict::same;
  for (int round = 0; round < kRounds && may_have_several_names(attributes); ++round) {
    const error_code error = co_await refresh(mount, user, twin);
    if (interrupted(error))
      co_return error;
    if (error)
      break;
    if (same())
      co_return Verdict::same;
    // Which of the two has changed in between?
    const auto again = co_await ask_again(mount, place);
    if (!again)
      co_return again.error();
    attributes = *again;
    if (same())
      co_return Verdict::same;
  }
  co_return Verdict::another;
}

/// Does the name by which the node is known still lead to it? ESTALE if not.
awaitable<error_code> check_name(Mount& mount, UserId user, NodeRef node) {
  const NodeRef parent = mount.nodes().find(node->link().parent->id());
  const std::string name = node->link().name;
  const auto walk = [&](proto::Fid fid) { return mount.client().walk(fid, name); };
  auto walked = co_await mount.with_directory_of(parent, name, user, walk);
  if (!walked && mount.is_out_of_reach(*parent, user, walked.error()))
    walked = co_await mount.with_directory_of(parent, name, mount.fids().holder(*parent), walk);
  if (!walked)
    co_return walked.error();
  co_return same_object(walked->qid, node->qid()) ? error_code() : as_error(ESTALE);
}

/// Takes from a node the names that it no longer has because somebody else removed or moved it.
awaitable<error_code> drop_lost_names(Mount& mount, UserId user, NodeRef node) {
  while (!node->unlinked()) {
    const auto renames = mount.renames().mark();
    const std::uint32_t epoch = node->path_epoch;
    const error_code error = co_await check_name(mount, user, node);
    if (!is_stale(error) || mount.renames().overlapped(renames) || node->path_epoch != epoch)
      co_return error;
    forget_name(mount, *node->link().parent, std::string(node->link().name));
  }
  co_return error_code();
}

}  // namespace

awaitable<result<NodeRef>> identify(Mount& mount, UserId user, NodeRef parent, std::string name,
                                    Attributes attributes, proto::Fid fid) {
  const Place place{parent, name, fid, parent->path_epoch};
  boost::container::small_vector<NodeId, 4> others;
  while (const NodeRef twin = mount.nodes().twin_of(*parent, name, attributes, others)) {
    const auto verdict = co_await is_same_file(mount, user, twin, attributes, place);
    if (!verdict)
      co_return verdict.error();
    if (*verdict == Verdict::same)
      co_return remember(mount, parent, name, attributes, &*twin);
    // Another file. As long as it has a name the inode number is its own.
    const error_code error = co_await drop_lost_names(mount, user, twin);
    if (interrupted(error))
      co_return error;
    others.push_back(twin->id());
  }
  co_return remember(mount, parent, name, attributes);
}

NodeRef remember(Mount& mount, const NodeRef& parent, const std::string& name,
                 const Attributes& attributes, Node* twin) {
  const Node* known = parent->child(name);
  const NodeRef before = known == nullptr ? NodeRef() : mount.nodes().find(known->id());
  NodeRef node = mount.nodes().remember(*parent, name, attributes, twin);
  if (before && before->id() != node->id())
    mount.fids().drop(*before);  // they lead to the new file, if the server goes by path
  if (mount.unresolved().blocks(name_of(parent, name)))
    node->fresh_until = {};
  return node;
}

void forget_name(Mount& mount, Node& parent, std::string_view name) {
  if (const NodeRef gone = mount.nodes().unlink(parent, name))
    mount.fids().drop(*gone);
}

}  // namespace fuse9p::fs
