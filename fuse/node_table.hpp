// SPDX-License-Identifier: MIT
// NodeTable: the files that the kernel knows, and what they are called. A node is its links (parent
// and name), the identity that the server gave it, its last attributes, and how often the kernel
// has looked it up. Fids are elsewhere (fid_cache.hpp): they come and go.
//
// A nodeid is slot and generation, never a pointer, and is not used again. A node stays as long as
// the kernel (nlookup), a coroutine (NodeRef) or a child needs it.
#pragma once

#include "fuse/absent_xattrs.hpp"
#include "src/attributes.hpp"

#include <boost/intrusive/list.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace fuse9p::fs {

using Clock = std::chrono::steady_clock;
/// fuse_ino_t, without <fuse_lowlevel.h>.
using NodeId = std::uint64_t;
inline constexpr NodeId kRootId = 1;  // FUSE_ROOT_ID

class Node {
 public:
  /// A name that it has. It stays where it is in memory: the parent's list of children has it, too.
  struct Link : boost::intrusive::list_base_hook<> {
    Node* node = nullptr;
    Node* parent = nullptr;
    std::string name;
  };

  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node();

  NodeId id() const { return id_; }
  /// st_ino: the server's qid.path, but for the second of two files that share it (an export over
  /// several file systems) a number of our own: to programs equal numbers are one file.
  std::uint64_t inode() const { return inode_; }
  const proto::Qid& qid() const { return attributes.qid; }
  bool is_root() const { return id_ == kRootId; }
  bool is_directory() const { return attributes.type() == 0040000; }
  /// A name is gone that the server had for it, and no other is known.
  bool unlinked() const { return links_.empty() && !is_root(); }
  /// Does the server still have it, as far as we know?
  bool is_alive() const { return !unlinked() || open_handles > 0; }
  /// The name by which a fid is walked to it. Not for the root, not when unlinked.
  const Link& link() const { return links_.front(); }
  bool has_several_links() const { return !links_.empty() && &links_.front() != &links_.back(); }
  Node* child(std::string_view name) const;

  Attributes attributes;          ///< as last heard; `qid` and type never change
  Clock::time_point fresh_until;  ///< of `attributes`
  /// What the file was like when the pages that the kernel caches were read.
  std::optional<Attributes> cached_content;
  AbsentXattrs absent_xattrs;
  std::uint32_t open_handles = 0;
  bool hidden = false;  ///< one of its links is not for programs: hidden_links.hpp
  /// Changes when a name on the way to it does: a server that goes by path has lost older fids.
  std::uint32_t path_epoch = 0;

 private:
  friend class NodeTable;
  friend class NodeRef;
  friend class Paths;
  /// Of links, by their names.
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const {
      return std::hash<std::string_view>()(name);
    }
    std::size_t operator()(const Link* link) const { return (*this)(link->name); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Link* one, const Link* other) const { return one->name == other->name; }
    bool operator()(std::string_view name, const Link* link) const { return name == link->name; }
    bool operator()(const Link* link, std::string_view name) const { return link->name == name; }
  };
  using Children = std::unordered_set<Link*, Hash, Equal>;
  using Links = boost::intrusive::list<Link, boost::intrusive::constant_time_size<false>>;

  Link* find_child(std::string_view name) const;

  std::uint32_t pins_ = 0;
  std::uint32_t passages_ = 0;  // requests that are under way by its path: paths.hpp
  NodeId id_ = 0;
  std::uint64_t inode_ = 0;
  Node* next_of_path_ = nullptr;  // another one with the same qid.path
  std::uint64_t nlookup_ = 0;
  Link own_link_;                       // most files have one name: this, unless it is unused
  Links links_;                         // the preferred or oldest one first
  std::unique_ptr<Children> children_;  // of directories
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

  /// A node that may be the file that the server has under the name, though it is known by other
  /// names only: their qid.path is the same, which is an inode number without a device. One at a
  /// time, those in `others` are left out. Empty if there is none, or if the node that is known by
  /// the name can be it.
  NodeRef twin_of(const Node& parent, std::string_view name, const Attributes& attributes,
                  std::span<const NodeId> others);
  /// The node that `name` in `parent` is, going by what the server just said: the one known by that
  /// name if it can be the same file, else `twin`, else a new one. Does not count a lookup.
  NodeRef remember(Node& parent, std::string_view name, const Attributes& attributes,
                   Node* twin = nullptr);
  /// The kernel is about to be told of it once.
  void looked_up(Node& node) { ++node.nlookup_; }
  void forget(NodeId id, std::uint64_t lookups);

  /// What the server says of a known node. False, and nothing changes, if it is another file's: if
  /// something differs that never changes, or a ctime has gone back. What cannot be told from an
  /// answer is a new file with the old one's inode number.
  bool update(Node& node, const Attributes& attributes);

  void add_link(Node& node, Node& parent, std::string_view name);
  /// From now on fids are walked to the node by this name of it.
  void prefer_link(Node& node, Node& parent, std::string_view name);
  /// The name is gone on the server. The node that had it, if any.
  NodeRef unlink(Node& parent, std::string_view name);
  /// The name moved. Every path below it is a new one (path_epoch).
  void rename(Node& old_parent, std::string_view old_name, Node& new_parent,
              std::string_view new_name);
  /// Calls `visit` for the node and everything known below it.
  void for_each_below(Node& node, const std::function<void(Node&)>& visit);
  /// Does `holds` for the node or a directory above it, by any of its names?
  bool any_above(const Node& node, const std::function<bool(const Node&)>& holds) const;

  std::size_t size() const { return slots_.size() - free_slots_.size() - 1; }
  /// How long attributes are taken for fresh.
  void set_attr_timeout(Clock::duration timeout) { attr_timeout_ = timeout; }

 private:
  friend class NodeRef;
  struct Slot {
    std::unique_ptr<Node> node;
    std::uint32_t generation = 0;
  };
  Node& create(const Attributes& attributes);
  std::uint64_t free_inode(std::uint64_t path);
  void unlist(Node& node);
  void attach(Node& node, Node& parent, std::string_view name);
  void detach(Node::Link& link);
  void release_if_unused(Node& node);

  std::vector<Slot> slots_;  // slot 0 is not used, slot 1 is the root
  std::vector<std::uint32_t> free_slots_;
  boost::unordered_flat_map<std::uint64_t, Node*> by_path_;  // the first one, see next_of_path_
  std::uint64_t invented_inodes_ = 0;
  std::function<void(Node&)> gone_;
  Clock::duration attr_timeout_ = std::chrono::seconds(1);
};

}  // namespace fuse9p::fs
