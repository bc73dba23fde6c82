// SPDX-License-Identifier: MIT
// FidCache: fids for nodes, as a cache. A fid is looked up under (node, user), else made by walking
// from the nearest ancestor that has one, one name at a time; the least recently used go when there
// are too many. All may be forgotten at any moment: the next use makes them anew.
#pragma once

#include "fuse/node_table.hpp"
#include "src/client.hpp"

#include <list>
#include <memory>
#include <unordered_map>

namespace fuse9p::fs {

/// Whose attach a fid comes from.
enum class UserId : std::uint32_t { mount = 0 };

/// Pins a cached fid; the fid is not evicted while somebody holds one.
class FidLease {
 public:
  FidLease() = default;
  explicit FidLease(std::shared_ptr<FidHandle> fid) : fid_(std::move(fid)) {}
  proto::Fid fid() const { return fid_->fid(); }
  bool is(const std::shared_ptr<FidHandle>& fid) const { return fid_ == fid; }

 private:
  std::shared_ptr<FidHandle> fid_;
};

class FidCache {
 public:
  FidCache(NodeTable& nodes, Client& client, std::size_t max_fids)
      : nodes_(nodes), client_(client), max_fids_(max_fids) {}

  /// An unopened fid for the node. ESTALE if its name is gone or now another file's.
  awaitable<result<FidLease>> acquire(NodeRef node, UserId user);
  /// An unopened fid of one's own, to be opened. A file's is the cached one itself: most files are
  /// opened once, and their next use walks anew. A directory's is a clone.
  awaitable<result<FidHandle>> own(NodeRef node, UserId user);
  /// For a directory in which files are created one after the other: makes the next clone before it
  /// is asked for.
  awaitable<void> keep_spare(NodeRef directory, UserId user);
  /// Is there one at hand?
  bool contains(const Node& node, UserId user) const {
    return entries_.contains({node.id(), user});
  }
  /// A fid that was made on the way, for instance by a lookup.
  void insert(const Node& node, UserId user, FidHandle fid);

  /// Takes a fid out that nobody else uses, not even a request that was given up, for what consumes
  /// it; empty if there is none.
  FidHandle take(const Node& node, UserId user);

  /// Forgets the node's fids: they went stale, or the node goes.
  void drop(const Node& node);
  /// Forgets those of everything known below it, too.
  void drop_below(Node& node);

  std::size_t size() const { return entries_.size(); }

 private:
  struct Key {
    NodeId node;
    UserId user;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return std::hash<std::uint64_t>()(key.node ^ (std::uint64_t(key.user) << 32));
    }
  };
  using Order = std::list<Key>;
  struct Entry {
    std::shared_ptr<FidHandle> fid;
    Order::iterator position;
    FidHandle spare{};         ///< a clone of `fid`
    bool wants_spare = false;  ///< a clone was asked for before
    bool making_spare = false;
  };

  std::optional<FidLease> lookup(const Node& node, UserId user);
  Entry* find(const Node& node, UserId user);
  awaitable<result<FidLease>> walk_to(NodeRef node, UserId user);
  void evict();

  NodeTable& nodes_;
  Client& client_;
  std::size_t max_fids_;
  std::unordered_map<Key, Entry, KeyHash> entries_;
  Order order_;  // least recently used first
};

}  // namespace fuse9p::fs
