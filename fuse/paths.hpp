// SPDX-License-Identifier: MIT
// Paths: requests that go by a path, and changes of that path, kept apart. A fid of many servers
// (diod) is a path: what is asked while a directory above is renamed is not found, or answered for
// another file. So a request has a Passage as long as it is under way, and a rename or removal
// closes the path for a moment: it waits for the passages of the file and of everything below, and
// who comes later waits for its end. With nothing closed that costs a counter.
//
// Waits cannot lock each other up, for nobody asks for a way while having one: all that an
// operation needs at a time is asked for at once. Who has a Passage or a Closure uses fids directly
// (FidCache, Mount::with_passed_directory) and none of the Mount's functions that ask for one.
#pragma once

#include "fuse/node_table.hpp"
#include "src/client.hpp"
#include "src/wakeup.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/container/static_vector.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include <chrono>
#include <list>
#include <string>
#include <vector>

namespace fuse9p::fs {

class Paths {
  static constexpr std::size_t kMostWays = 2, kMostNodes = 2 * kMostWays;
  using Nodes = boost::container::static_vector<NodeRef, kMostNodes>;

 public:
  /// How long a change waits for requests that were there first. Some take longer for reasons of
  /// their own, such as the open of a file that waits for an event: they take their chance.
  static constexpr std::chrono::milliseconds kPatience{2000};

  Paths(boost::asio::io_context& io, NodeTable& nodes,
        std::chrono::milliseconds patience = kPatience)
      : io_(io), nodes_(nodes), patience_(patience), opened_(io) {}

  /// A request on its way, from its first message to what its answer has changed here.
  class Passage {
   public:
    Passage(Passage&& other) noexcept : paths_(other.paths_), nodes_(std::move(other.nodes_)) {
      other.nodes_.clear();
    }
    Passage& operator=(Passage&&) = delete;
    ~Passage();

   private:
    friend class Paths;
    Passage(Paths& paths, Nodes nodes);
    Paths* paths_;
    Nodes nodes_;
  };

  /// Of a change: the files that lose their names are closed with all below, its directories passed
  /// through.
  class Closure {
   public:
    Closure(Closure&& other) noexcept
        : through_(std::move(other.through_)), closed_(std::move(other.closed_)) {
      other.closed_.clear();
    }
    Closure& operator=(Closure&&) = delete;
    ~Closure() { reopen(); }
    /// Before its end.
    void reopen();

   private:
    friend class Paths;
    Closure(Passage through, Nodes closed);
    Passage through_;
    Nodes closed_;
  };

  // Each waits for what is closed. Errors: the coroutine was cancelled.
  /// To a node, by any of its names.
  awaitable<result<Passage>> pass(NodeRef node);
  awaitable<result<Passage>> pass(NodeRef one, NodeRef other);
  /// To a name in a directory, and the file that has it.
  awaitable<result<Passage>> pass_to(NodeRef directory, std::string name);
  /// Without waiting, for what is at the server already.
  Passage stay(NodeRef one, NodeRef other);

  /// For a change of a name, or of two.
  awaitable<result<Closure>> close(NodeRef directory, std::string name);
  awaitable<result<Closure>> close(NodeRef from, std::string name, NodeRef to,
                                   std::string new_name);

  /// Coroutines that wait here.
  std::size_t waiting() const { return waiting_; }

 private:
  struct Way {
    NodeRef node;
    std::string name;  ///< empty: the node itself
    Node* file() const { return name.empty() ? nullptr : node->child(name); }
  };
  using Ways = boost::container::static_vector<Way, kMostWays>;

  awaitable<result<Passage>> pass_by(Ways ways);
  awaitable<result<Closure>> close_all(Ways ways);
  awaitable<bool> open(Ways ways);
  awaitable<bool> deserted(std::vector<NodeRef> busy);
  bool is_closed(const Way& way) const;
  std::vector<NodeRef> busy_below(const Nodes& nodes);

  boost::asio::io_context& io_;
  NodeTable& nodes_;
  std::chrono::milliseconds patience_;
  std::size_t passages_ = 0;
  std::size_t waiting_ = 0;
  boost::unordered_flat_map<const Node*, std::uint32_t> closed_;  // how often
  Wakeup opened_;
  std::list<boost::asio::steady_timer*> deserting_;  // their bounds, of those in deserted()
};

}  // namespace fuse9p::fs
