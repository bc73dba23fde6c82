// SPDX-License-Identifier: MIT
// One simulated run: the real client, connection and multiplexer between simulated callers, a
// simulated wire, server and clock, in one thread, and all that happens drawn from one seed.
#pragma once

#include "tests/sim/callers.hpp"
#include "tests/sim/clock.hpp"
#include "tests/sim/dice.hpp"
#include "tests/sim/memory.hpp"
#include "tests/sim/record.hpp"
#include "tests/sim/referee.hpp"
#include "tests/sim/server.hpp"
#include "tests/sim/wire.hpp"

#include <boost/asio/executor_work_guard.hpp>

#include <string>
#include <vector>

namespace fuse9p::sim {

/// How often each kind of step is taken in this world, against the others, and how far it goes:
/// callers at a time, bytes in one step.
struct Habits {
  std::uint32_t turn, deliver, serve, answer, room, start, interrupt, storm, wait, strand;
  std::uint32_t most_callers, most_delivered, most_served, most_room;
};

class World {
 public:
  World(std::uint32_t seed, bool logging);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  /// From the first step to the last check.
  void run();
  Record& record() { return record_; }

 private:
  enum class Loss { none, eof, reset, write_error, nonsense, closed };

  static Temper temper_of(Dice& dice);
  static proto::MultiplexerLimits limits_of(Dice& dice);
  static Habits habits_of(Dice& dice);
  Established established();
  std::vector<std::string> plant_files();

  void take_steps();
  void step();
  void start();
  void turn();
  void idle();
  void deliver(std::size_t most);
  void serve(std::size_t most);
  void answer();
  void wait();
  void strand();
  void pass(proto::Duration time);
  void lose();
  void note_abandoned(proto::Fid fid);
  void watch();

  void settle();
  bool move_on();
  void check_the_end();
  void check_quiet();

  const proto::Multiplexer& multiplexer() { return client_.connection().multiplexer(); }
  bool lost() { return !client_.connection().is_open(); }
  /// One, or all of `most`, or something between.
  std::size_t some(std::size_t most);

  Record record_;
  Dice dice_;
  std::uint32_t msize_;
  proto::MultiplexerLimits limits_;
  Habits habits_;
  Loss loss_ = Loss::none;
  std::uint32_t steps_, loss_at_;
  Memory memory_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  Time time_{io_};
  Referee referee_;
  Wire wire_;
  Server server_;
  std::vector<std::string> files_;
  int times_lost_ = 0;
  std::uint64_t withdrawn_before_ = 0;  // there was a stray fid
  Client client_;
  Callers callers_;
};

}  // namespace fuse9p::sim
