// SPDX-License-Identifier: MIT
// Unresolved: changes that were given up while the server had them. They can still land, on top of
// newer ones. So what would change the same bytes, the same name or the same attributes waits here
// until their fate is known. Usually there are none, and asking costs a comparison.
#pragma once

#include "fuse/node_table.hpp"
#include "fuse/paths.hpp"
#include "src/client.hpp"
#include "src/fates.hpp"

#include <cstdint>
#include <limits>
#include <list>
#include <string>

namespace fuse9p::fs {

/// What an operation is about to change.
struct Change {
  enum class What : std::uint8_t { bytes, name, attributes, xattr };
  NodeRef node;  ///< the file; of a name the directory
  What what{};
  std::uint64_t begin = 0;  ///< of bytes
  std::uint64_t end = std::numeric_limits<std::uint64_t>::max();
  std::string name{};  ///< of a name, and of an extended attribute
};

inline Change bytes_of(NodeRef node, std::uint64_t begin, std::uint64_t end) {
  return {.node = std::move(node), .what = Change::What::bytes, .begin = begin, .end = end};
}
/// A new size concerns every byte.
inline Change size_of(NodeRef node) {
  return {.node = std::move(node), .what = Change::What::bytes};
}
inline Change attributes_of(NodeRef node) {
  return {.node = std::move(node), .what = Change::What::attributes};
}
inline Change xattr_of(NodeRef node, std::string name) {
  return {.node = std::move(node), .what = Change::What::xattr, .name = std::move(name)};
}
inline Change name_of(NodeRef directory, std::string name) {
  return {.node = std::move(directory), .what = Change::What::name, .name = std::move(name)};
}

/// A Change is the caller's until the coroutine that it was given to returns.
class Unresolved {
  struct Changes {
    Change one, other;
  };

 public:
  Unresolved(boost::asio::io_context& io, Fates& fates, Paths& paths)
      : fates_(fates), paths_(paths), changed_(io) {}

  /// Must `change` wait?
  bool blocks(const Change& change) const;
  /// Waits until it need not. False: the coroutine was cancelled.
  awaitable<bool> cleared(const Change& change) { return cleared(change, change); }
  /// The same for two at once.
  awaitable<bool> cleared(const Change& one, const Change& other);

  /// For those that come before a change is asked for.
  Fates::Mark mark() const { return fates_.mark(); }
  /// When a change has ended, its caller been told: if the server may still have it, whatever
  /// `mark` was then, others wait until it is known, and renames of what is above for a while.
  /// Returns when it is; nothing interrupts it.
  awaitable<void> settle(const Change& change, Fates::Mark mark) {
    return settle(change, change, mark);
  }
  awaitable<void> settle(const Change& one, const Change& other, Fates::Mark mark);

  /// A change that goes on though its caller has gone: others wait as long as this lives.
  class Hold {
   public:
    Hold(Unresolved& owner, const Change& change)
        : owner_(owner), ours_(owner.add(change, change)) {}
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold() { owner_.remove(ours_); }

   private:
    Unresolved& owner_;
    std::list<Changes>::iterator ours_;
  };

  /// Operations that have ended like that.
  std::size_t size() const { return changes_.size(); }
  /// Coroutines that wait in cleared().
  std::size_t waiting() const { return waiting_; }

 private:
  std::list<Changes>::iterator add(const Change& one, const Change& other) {
    return changes_.insert(changes_.end(), Changes{one, other});
  }
  void remove(std::list<Changes>::iterator change) {
    changes_.erase(change);
    changed_.notify();
  }

  Fates& fates_;
  Paths& paths_;
  std::list<Changes> changes_;
  std::size_t waiting_ = 0;
  Wakeup changed_;
};

}  // namespace fuse9p::fs
