// SPDX-License-Identifier: MIT
// FidCache: fids for nodes, as a cache. A fid is looked up under (node, user), else made by walking
// from the nearest ancestor that has one, one name at a time; the least recently used go when there
// are too many. All may be forgotten at any moment: the next use makes them anew.
#pragma once

#include "fuse/node_table.hpp"
#include "fuse/user.hpp"
#include "src/client.hpp"
#include "src/log.hpp"

#include <boost/container/small_vector.hpp>

#include <list>
#include <memory>
#include <unordered_map>
#include <utility>

namespace fuse9p::fs {

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
  /// When open files alone take all that there may be, so many are cached all the same (or this
  /// share, if that is less): those on the way to the others.
  static constexpr std::size_t kFewest = 16, kLeastShare = 4;
  /// What is left to walks and open files of the fids that a server turned out to have.
  static constexpr std::size_t kSpareShare = 4;

  FidCache(NodeTable& nodes, Client& client, std::size_t max_fids);
  ~FidCache() { client_.on_fids_short(nullptr); }
  FidCache(const FidCache&) = delete;
  FidCache& operator=(const FidCache&) = delete;

  /// An unopened fid for the node. ESTALE if its name is gone or now another file's.
  awaitable<result<FidLease>> acquire(NodeRef node, UserId user);
  /// An unopened fid of one's own, to be opened. A file's is the cached one itself: most files are
  /// opened once, and their next use walks anew. A directory's is a clone.
  awaitable<result<FidHandle>> own(NodeRef node, UserId user);
  /// For a directory in which files are created one after the other: makes the next clone before it
  /// is asked for.
  awaitable<void> keep_spare(NodeRef directory, UserId user);
  /// Is there one at hand?
  bool contains(const Node& node, UserId user) const { return find(node, user) != nullptr; }
  /// Somebody who has one at hand; the mount's own user if nobody has.
  UserId holder(const Node& node) const;
  /// A fid that was made on the way, for instance by a lookup.
  void insert(const Node& node, UserId user, FidHandle fid);

  /// Takes a fid out that nobody else uses, not even a request that was given up, for what consumes
  /// it; empty if there is none.
  FidHandle take(const Node& node, UserId user);

  /// Forgets the node's fids: they went stale, or the node goes.
  void drop(const Node& node);
  /// Forgets those of everything known below it, too.
  void drop_below(Node& node);

  std::size_t size() const { return order_.size(); }
  /// How many fids there may be, those of open files included. Less than asked for once the server
  /// has said that it has no more.
  std::size_t max_fids() const { return max_fids_; }
  /// Is it worth keeping one that is not needed just now?
  bool has_room() const { return client_.fids_held() < max_fids_; }

 private:
  struct Key {
    NodeId node;
    UserId user;
  };
  using Order = std::list<Key>;
  struct Entry {
    UserId user{};
    std::shared_ptr<FidHandle> fid;
    Order::iterator position;
    FidHandle spare{};         ///< a clone of `fid`
    bool wants_spare = false;  ///< a clone was asked for before
    bool making_spare = false;
  };

  using Entries = boost::container::small_vector<Entry, 1>;

  std::optional<FidLease> lookup(const Node& node, UserId user);
  const Entry* find(const Node& node, UserId user) const;
  Entry* find(const Node& node, UserId user) {
    return const_cast<Entry*>(std::as_const(*this).find(node, user));
  }
  void erase(Key key);
  awaitable<result<FidLease>> attach(NodeRef root, UserId user);
  awaitable<result<FidLease>> walk_to(NodeRef node, UserId user);
  void evict();
  void make_room(std::size_t usable);

  NodeTable& nodes_;
  Client& client_;
  std::size_t max_fids_;
  std::unordered_map<NodeId, Entries> entries_;  // nearly always of one user
  Order order_;                                  // least recently used first
  log::RateLimit complaints_;
};

}  // namespace fuse9p::fs
