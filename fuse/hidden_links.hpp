// SPDX-License-Identifier: MIT
// HiddenLinks: second names for files that lose their last one while a program has them open. Most
// servers go by path: without a name there is no way to such a file's attributes, and a stranger
// that has got the old name would be hit instead. So before the name goes the file is linked into a
// directory at the export's root (its owner's alone, but for passing through), or, where that can't
// be made, into the directory that it is in; where nothing can be linked, and the name is removed
// rather than replaced, the file is moved to the hidden name. It is removed with the last close.
//
// To all others a hidden name is a name like any: the node has it as a link (NodeTable), and fids
// are walked by it. Only nlink is shown without it (Node::hidden).
#pragma once

#include "fuse/hidden_name.hpp"
#include "fuse/node_table.hpp"
#include "fuse/user.hpp"
#include "src/client.hpp"
#include "src/wakeup.hpp"

#include <string>
#include <unordered_map>

namespace fuse9p::fs {

class Mount;

class HiddenLinks {
 public:
  explicit HiddenLinks(Mount& mount);
  HiddenLinks(const HiddenLinks&) = delete;
  HiddenLinks& operator=(const HiddenLinks&) = delete;

  enum class Kept : std::uint8_t {
    nothing,  ///< it is not open, has other names, or can't be kept
    linked,   ///< it has a hidden name besides
    moved,    ///< it has only that: the name that was to be removed is gone
  };
  /// Before the name goes, by the wish of `user`. The error: interrupted.
  awaitable<result<Kept>> keep(NodeRef directory, std::string name, UserId user, bool may_move);
  /// The name has not gone after all.
  void keep_no_more(const NodeRef& node) { release(node); }
  /// Nobody has it open any more.
  void closed(const NodeRef& node);

  /// Before another try to remove the directory, which is not empty though no program sees anything
  /// in it: takes away what dead mounts have left there, and moves what is ours one up. False:
  /// there was nothing of the kind.
  awaitable<bool> clear(NodeRef directory, UserId user);
  /// What dead mounts have left at the export's root. Once, when the mount is there.
  awaitable<void> clear_root();

  /// The mount ends: what is still open goes now. Then nothing begins any more.
  void close_all();
  /// Is nothing being removed?
  bool idle() const { return removing_ == 0; }

 private:
  class Removing;
  struct Link {
    NodeRef directory;
    std::string name;
    UserId user;
  };
  awaitable<error_code> link_at_root(NodeRef node);
  awaitable<error_code> link_into(NodeRef directory, UserId user, NodeRef node);
  awaitable<error_code> move_within(NodeRef directory, std::string name, UserId user, NodeRef node);
  void note(const NodeRef& node, Link link);
  void release(const NodeRef& node);
  awaitable<void> remove(NodeRef node, Link link);
  awaitable<error_code> remove_name(NodeRef directory, std::string name, UserId user);
  awaitable<void> drop_name(NodeRef directory, std::string name, UserId user);

  awaitable<result<NodeRef>> directory();
  awaitable<error_code> make_directory();
  bool is_safe(const Node& directory) const;
  void leave_directory();
  void forget_directory();
  awaitable<void> remove_directory();

  awaitable<bool> sweep(NodeRef directory, UserId user);
  awaitable<bool> is_left(NodeRef directory, UserId user, std::string name);
  awaitable<bool> move_up(NodeRef directory, UserId user);

  Mount& mount_;
  HiddenNames names_;
  std::unordered_map<NodeId, Link> links_;
  NodeRef directory_;            ///< at the root; empty: not there, as far as we know
  bool made_directory_ = false;  ///< by us: whoever the server says that it belongs to
  std::size_t in_directory_ = 0;
  bool removing_directory_ = false;
  bool no_directory_ = false;  ///< there can't be one
  Wakeup changed_;
  bool links_can_be_made_;
  std::size_t removing_ = 0;
  bool over_ = false;
};

}  // namespace fuse9p::fs
