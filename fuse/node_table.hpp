// SPDX-License-Identifier: MIT
// NodeTable: the files that the kernel knows, and what they are called. A node is its links (parent
// and name), the identity that the server gave it, its last attributes, and how often the kernel
// has looked it up. Fids are elsewhere (fid_cache.hpp): they come and go.
//
// A nodeid is slot and generation, never a pointer, and is not used again. A node stays as long as
// the kernel (nlookup), a coroutine (NodeRef) or a child needs it.
#pragma once

#include "src/attributes.hpp"

#include <boost/container/small_vector.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace fuse9p::fs {

using Clock = std::chrono::steady_clock;
/// fuse_ino_t, without <fuse_lowlevel.h>.
using NodeId = std::uint64_t;
inline constexpr NodeId kRootId = 1;  // FUSE_ROOT_ID

class Node {
 public:
  struct Link {
    Node* parent;
    std::string name;
  };

  NodeId id() const { return id_; }
  const proto::Qid& qid() const { return attributes.qid; }
  bool is_root() const { return id_ == kRootId; }
  bool is_directory() const { return attributes.type() == 0040000; }
  /// A name is gone that the server had for it, and no other is known.
  bool unlinked() const { return links_.empty() && !is_root(); }
  /// The name by which a fid is walked to it. Not for the root, not when unlinked.
  const Link& link() const { return links_.front(); }
  bool has_several_links() const { return links_.size() > 1; }
  Node* child(std::string_view name) const;

  Attributes attributes;          ///< as last heard; `qid` and type never change
  Clock::time_point fresh_until;  ///< of `attributes`
  /// What the file was like when the pages that the kernel caches were read.
  std::optional<Attributes> cached_content;
  std::uint32_t open_handles = 0;
  /// Changes when a name on the way to it does: a server that goes by path has lost older fids.
  std::uint32_t path_epoch = 0;

 private:
  friend class NodeTable;
  friend class NodeRef;
  using Children = std::unordered_map<std::string_view, Node*>;

  NodeId id_ = 0;
  std::uint64_t nlookup_ = 0;
  std::uint32_t pins_ = 0;
  boost::container::small_vector<Link, 1> links_;
  std::unique_ptr<Children> children_;  // of directories; the names are the children's links'
};

class NodeTable;

/// Keeps a node alive while a coroutine uses it.
class NodeRef {
 public:
  NodeRef() = default;
  NodeRef(NodeTable& table, Node& node);
  NodeRef(NodeRef&& other) noexcept
      : table_(other.table_), node_(std::exchange(other.node_, nullptr)) {}
  NodeRef& operator=(NodeRef&& other) noexcept;
  NodeRef(const NodeRef& other);
  ~NodeRef() { reset(); }

  Node& operator*() const { return *node_; }
  Node* operator->() const { return node_; }
  explicit operator bool() const { return node_ != nullptr; }

 private:
  void reset();
  NodeTable* table_ = nullptr;
  Node* node_ = nullptr;
};

class NodeTable {
 public:
  /// `gone` is told of a node that is about to be deleted.
  NodeTable(const Attributes& root, std::function<void(Node&)> gone);
  ~NodeTable();

  Node& root() { return *slots_[kRootId].node; }
  /// Empty if the kernel names a node that it has forgotten: its bug or an attack.
  NodeRef find(NodeId id);

  /// The node that `name` in `parent` is, going by what the server just said: the one known by that
  /// name if it is the same file, a hard link's if everything about it agrees, else a new one.
  /// Takes `attributes` over. Does not count a lookup.
  NodeRef remember(Node& parent, std::string_view name, const Attributes& attributes);
  /// The kernel is about to be told of it once.
  void looked_up(Node& node) { ++node.nlookup_; }
  void forget(NodeId id, std::uint64_t lookups);

  /// Fresh attributes of a known node. False, and nothing changes, if they are another file's.
  bool update(Node& node, const Attributes& attributes);

  void add_link(Node& node, Node& parent, std::string_view name);
  /// The name is gone on the server. The node that had it, if any.
  NodeRef unlink(Node& parent, std::string_view name);
  /// The name moved. Every path below it is a new one (path_epoch).
  void rename(Node& old_parent, std::string_view old_name, Node& new_parent,
              std::string_view new_name);
  /// Calls `visit` for the node and everything known below it.
  void for_each_below(Node& node, const std::function<void(Node&)>& visit);

  std::size_t size() const { return slots_.size() - free_slots_.size() - 1; }
  /// How long attributes are taken for fresh.
  void set_attr_timeout(Clock::duration timeout) { attr_timeout_ = timeout; }

 private:
  friend class NodeRef;
  struct Slot {
    std::unique_ptr<Node> node;
    std::uint32_t generation = 0;
  };
  struct Identity {
    std::uint64_t path;
    std::uint32_t type;
    bool operator==(const Identity&) const = default;
  };
  struct IdentityHash {
    std::size_t operator()(const Identity& identity) const {
      return std::hash<std::uint64_t>()(identity.path * 8191 + identity.type);
    }
  };

  Node& create(const Attributes& attributes);
  Node* find_hard_link(const Attributes& attributes);
  void attach(Node& node, Node& parent, std::string_view name);
  bool detach(Node& node, Node& parent, std::string_view name);
  void release_if_unused(Node& node);
  static Identity identity_of(const Attributes& attributes) {
    return {attributes.qid.path, attributes.type()};
  }

  std::vector<Slot> slots_;  // slot 0 is not used, slot 1 is the root
  std::vector<std::uint32_t> free_slots_;
  /// Files with several names, by identity: for hard links only.
  boost::unordered_flat_map<Identity, Node*, IdentityHash> by_identity_;
  std::function<void(Node&)> gone_;
  Clock::duration attr_timeout_ = std::chrono::seconds(1);
};

}  // namespace fuse9p::fs
