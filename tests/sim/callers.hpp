// SPDX-License-Identifier: MIT
// The simulated callers: coroutines that use the client's verbs as fuse/ does, know what the server
// holds, and hold every answer against it. Each may be interrupted at any time.
#pragma once

#include "src/client.hpp"
#include "tests/sim/clock.hpp"
#include "tests/sim/dice.hpp"
#include "tests/sim/memory.hpp"
#include "tests/sim/record.hpp"
#include "tests/sim/server.hpp"

#include <boost/asio/cancellation_signal.hpp>

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace fuse9p::sim {

/// What callers have to do with.
struct Stage {
  boost::asio::io_context& io;
  Dice& dice;
  Record& record;
  Memory& memory;
  Time& time;
  Server& server;
  Client& client;
  /// Files that are there from the beginning, unchanged: their names.
  const std::vector<std::string>& files;
  /// A caller was given up while this fid's Rread was arriving, or its Twrite leaving.
  std::function<void(proto::Fid)> on_abandoned;
};

class Callers {
 public:
  explicit Callers(Stage stage) : stage_(std::move(stage)) {}
  Callers(const Callers&) = delete;
  Callers& operator=(const Callers&) = delete;

  void start_one();
  void interrupt_one();
  void interrupt_all();
  /// No more interrupts and closings from within deliveries.
  void calm_down() { calm_ = true; }

  std::size_t running() const { return running_; }
  /// Outcomes without a byte sent.
  std::uint64_t withdrawn() const { return withdrawn_; }
  /// Complains of those that still wait so long after their interrupt. For when the loop has
  /// nothing left to do.
  void check_freed(proto::Duration flush_timeout) const;

 private:
  struct Caller {
    std::size_t number = 0;
    std::string_view role;
    boost::asio::cancellation_signal signal{};
    std::optional<proto::TimePoint> interrupted{};
    bool begun = false, done = false;
    // Of a request without a coroutine.
    std::optional<proto::RequestId> request{};
    int outcomes = 0;
  };

  using Role = awaitable<void> (Callers::*)(Caller&);
  awaitable<void> play(Caller& caller, Role role);
  void start_bare_request();
  void interrupt(Caller& caller);
  void finish(Caller& caller);

  awaitable<void> look(Caller& caller);
  awaitable<void> read(Caller& caller);
  awaitable<void> write(Caller& caller);
  awaitable<void> list(Caller& caller);
  awaitable<void> copy_fids(Caller& caller);
  awaitable<void> create_and_remove(Caller& caller);
  awaitable<void> create_and_rename(Caller& caller);

  awaitable<std::optional<OpenFile>> open_existing(Caller& caller, const std::string& name);
  awaitable<std::optional<OpenFile>> create(Caller& caller, const std::string& name);
  awaitable<bool> create_empty(Caller& caller, const std::string& name);
  awaitable<bool> read_once(Caller& caller, const OpenFile& file, const test::Tree::NodePtr& node);
  awaitable<bool> write_once(Caller& caller, const OpenFile& file, const test::Tree::NodePtr& node);

  void check_read(const Caller& caller, const Transferred& done, std::string_view got,
                  std::string_view expected, bool exact);
  void check_change(const Caller& caller, const error_code& error, bool there);
  bool check_error(const Caller& caller, const error_code& error, int also_allowed = 0);
  void saw(const error_code& error, proto::Fid fid);
  void disturb();
  void complain(const Caller& caller, const std::string& what) const;

  Stage stage_;
  std::deque<Caller> callers_;  // never moves
  std::size_t running_ = 0;
  std::uint64_t withdrawn_ = 0;
  bool calm_ = false;
};

}  // namespace fuse9p::sim
