// SPDX-License-Identifier: MIT
#include "tests/sim/world.hpp"

#include "tests/support/pattern.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <array>
#include <exception>

namespace fuse9p::sim {

namespace asio = boost::asio;
using namespace proto;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr std::size_t kAll = ~std::size_t{0};

template <class T, std::size_t N>
const T& one_of(Dice& dice, const std::array<T, N>& values) {
  return values[dice.below(N)];
}

}  // namespace

// ---- what kind of world

World::World(std::uint32_t seed, bool logging)
    : record_(logging),
      dice_(seed),
      msize_(one_of(dice_, std::array<std::uint32_t, 4>{256, 300, 1024, 4096 + kIoHeaderSize})),
      limits_(limits_of(dice_)),
      habits_(habits_of(dice_)),
      steps_(dice_.between(100, 1500)),
      loss_at_(dice_.below(steps_)),
      referee_(time_, record_, limits_, msize_),
      wire_(io_, dice_, record_, memory_, referee_),
      server_(dice_, record_, temper_of(dice_), msize_),
      files_(plant_files()),
      client_(io_, established(), limits_,
              {.lost =
                   [this](const std::string& why) {
                     ++times_lost_;
                     record_.note([&] { return "lost: " + why; });
                   }},
              std::make_unique<SimulatedClock>(time_)),
      callers_({io_, dice_, record_, memory_, time_, server_, client_, files_,
                [this](Fid fid) { note_abandoned(fid); }}) {
  constexpr std::uint32_t kLost = 300;
  if (dice_.chance(kLost))
    loss_ = one_of(
        dice_, std::array{Loss::eof, Loss::reset, Loss::write_error, Loss::nonsense, Loss::closed});
}

World::~World() {
  callers_.calm_down();
  client_.connection().close(Error::connection_lost, "the end of the world");
  // What waits comes to its end while there is a client, also in a world that has failed.
  for (bool again = true; again;) {
    try {
      idle();
      again = false;
    } catch (const std::exception& error) {
      record_.complain(error.what());
    }
  }
}

Temper World::temper_of(Dice& dice) {
  using Rates = std::array<std::uint32_t, 3>;
  return {.withhold = one_of(dice, Rates{0, 30, 300}),
          .refuse = one_of(dice, Rates{0, 0, 50}),
          .answer_short = one_of(dice, Rates{0, 100, 500}),
          .answer_too_much = one_of(dice, Rates{0, 0, 100}),
          .walk_short = one_of(dice, Rates{0, 0, 100}),
          .sloppy = dice.chance(300),
          .has_unlinkat = dice.chance(500)};
}

MultiplexerLimits World::limits_of(Dice& dice) {
  MultiplexerLimits limits;
  limits.tags.tags = one_of(dice, std::array<std::size_t, 4>{3, 6, 16, 100});
  limits.tags.flush_reserve = dice.between(1, 2);
  limits.tags.quarantine_tags = one_of(dice, std::array<std::size_t, 3>{1, 8, 1024});
  limits.tags.quarantine_time = one_of(dice, std::array{seconds(1), seconds(10)});
  limits.flush_timeout = one_of(dice, std::array{seconds(0), seconds(2), seconds(2)});
  limits.gather = one_of(dice, std::array<std::size_t, 3>{1, 3, 64});
  return limits;
}

Habits World::habits_of(Dice& dice) {
  using Weights = std::array<std::uint32_t, 2>;
  using Few = std::array<std::uint32_t, 3>;
  using Bytes = std::array<std::uint32_t, 4>;
  return {.turn = one_of(dice, Weights{30, 60}),
          .deliver = one_of(dice, Weights{15, 60}),
          .serve = one_of(dice, Weights{15, 60}),
          .answer = one_of(dice, Weights{15, 60}),
          .room = one_of(dice, Weights{15, 60}),
          .start = one_of(dice, Weights{3, 10}),
          .interrupt = one_of(dice, Few{0, 1, 8}),
          .storm = one_of(dice, Few{0, 0, 1}),
          .wait = one_of(dice, Few{0, 1, 4}),
          .strand = one_of(dice, Few{0, 0, 1}),
          .most_callers = one_of(dice, Few{1, 4, 20}),
          .most_delivered = one_of(dice, Bytes{5, 60, 600, 100'000}),
          .most_served = one_of(dice, Bytes{5, 60, 600, 100'000}),
          .most_room = one_of(dice, Bytes{5, 60, 600, 100'000})};
}

Established World::established() {
  return {Transport(wire_.stream(), "simulated"),
          {.dialect = Dialect::l, .msize = msize_, .root_qid = {}}};
}

std::vector<std::string> World::plant_files() {
  constexpr std::uint32_t kFiles = 5, kMostPieces = 4;
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < kFiles; ++i) {
    names.push_back("file." + std::to_string(i));
    server_.plant(names.back(), test::pattern(dice_.below(std::size_t{msize_} * kMostPieces), i));
  }
  return names;
}

// ---- the steps

void World::run() {
  try {
    take_steps();
    if (!record_.violated())
      settle();
  } catch (const std::exception& error) {  // a second call of a handler, for one
    record_.complain(std::string("an exception: ") + error.what());
  }
}

void World::take_steps() {
  for (std::uint32_t i = 0; i < steps_ && !record_.violated(); ++i) {
    if (i == loss_at_)
      lose();
    step();
    watch();
  }
}

std::size_t World::some(std::size_t most) {
  constexpr std::uint32_t kOne = 100, kAllThereIs = 400;
  if (dice_.chance(kOne))
    return 1;
  return dice_.chance(kAllThereIs) ? most : dice_.between(1, static_cast<std::uint32_t>(most));
}

void World::step() {
  const Habits& habits = habits_;
  std::uint32_t roll =
      dice_.below(habits.turn + habits.deliver + habits.serve + habits.answer + habits.room +
                  habits.start + habits.interrupt + habits.storm + habits.wait + habits.strand);
  const auto is = [&](std::uint32_t weight) {
    const bool chosen = roll < weight;
    roll -= weight;  // wraps around, but only once it is chosen
    return chosen;
  };
  if (is(habits.turn))
    return turn();
  if (is(habits.deliver))
    return deliver(some(habits.most_delivered));
  if (is(habits.serve))
    return serve(some(habits.most_served));
  if (is(habits.answer))
    return answer();
  if (is(habits.room))
    return wire_.make_room(some(habits.most_room));
  if (is(habits.start))
    return start();
  if (is(habits.interrupt))
    return callers_.interrupt_one();
  if (is(habits.wait))
    return wait();
  if (is(habits.strand))
    return strand();
  record_.count(Occurrence::storm);
  callers_.interrupt_all();
}

void World::start() {
  if (callers_.running() < habits_.most_callers)
    callers_.start_one();
}

/// One handler, or all there are.
void World::turn() {
  constexpr std::uint32_t kOne = 700;
  if (dice_.chance(kOne))
    io_.poll_one();
  else
    idle();
}

void World::idle() {
  while (io_.poll() != 0) {
  }
}

/// A server that is no longer answered to, or a wire that is cut: half of what is under way in each
/// direction gets through, and the callers are interrupted and given up.
void World::strand() {
  idle();
  wire_.make_room(dice_.below(msize_));
  idle();
  wire_.deliver(wire_.undelivered() / 2);
  idle();
  callers_.interrupt_all();
  idle();
  pass(limits_.flush_timeout);
}

void World::deliver(std::size_t most) {
  wire_.deliver(most);
}

void World::serve(std::size_t most) {
  server_.received(wire_.take_sent(most));
}

void World::answer() {
  server_.answer_something();
  wire_.to_client(server_.take_answers());
}

void World::wait() {
  const Duration timeout = limits_.flush_timeout;
  const Duration quarantine = limits_.tags.quarantine_time;
  const auto time =
      one_of(dice_, std::array<Duration, 5>{milliseconds(1), milliseconds(700), timeout, quarantine,
                                            timeout + quarantine});
  if (time >= timeout)
    record_.count(Occurrence::time_past_flush_timeout);
  if (time >= quarantine)
    record_.count(Occurrence::time_past_quarantine);
  pass(time);
}

/// Behind the quarantine a late reply can't be told from another request's: that is the limit of
/// any client, and not simulated.
void World::pass(Duration time) {
  server_.forget_flushed();
  if (server_.late_replies() != referee_.late_replies())
    return;
  record_.note([&] {
    return "wait " + std::to_string(std::chrono::duration_cast<milliseconds>(time).count()) + " ms";
  });
  time_.advance(time);
  idle();
  callers_.check_freed(limits_.flush_timeout);
}

void World::lose() {
  if (lost())
    return;
  record_.note([&] { return "loss " + std::to_string(static_cast<int>(loss_)); });
  const std::size_t more = dice_.below(wire_.undelivered() + 1);
  switch (loss_) {
    case Loss::none:
      return;
    case Loss::eof:
      record_.count(Occurrence::lost_by_eof);
      return wire_.end(more, asio::error::eof);
    case Loss::reset:
      record_.count(Occurrence::lost_by_reset);
      wire_.break_writing();
      return wire_.end(0, asio::error::connection_reset);
    case Loss::write_error:
      record_.count(Occurrence::lost_by_write_error);
      return wire_.break_writing();
    case Loss::nonsense:
      record_.count(Occurrence::lost_by_nonsense);
      server_.talk_nonsense();
      return wire_.to_client(server_.take_answers());
    case Loss::closed:
      record_.count(Occurrence::closed_by_us);
      return client_.connection().close(Error::connection_lost, "closed by us");
  }
}

void World::note_abandoned(Fid fid) {
  if (fid == kNoFid)
    return;
  if (const auto header = wire_.inside_rread(); header && referee_.fid_of(header->tag) == fid)
    record_.count(Occurrence::abandoned_in_rread);
  if (const auto header = wire_.inside_twrite(); header && referee_.fid_of(header->tag) == fid)
    record_.count(Occurrence::abandoned_in_twrite);
}

/// What must hold, and what is seen only from outside, after each step.
void World::watch() {
  if (referee_.stray_fids() == 0)
    withdrawn_before_ = callers_.withdrawn();
  if (multiplexer().outstanding() > multiplexer().tags_in_use() && !lost())
    record_.count(Occurrence::no_tag_left);
  if (multiplexer().tags_in_use() > limits_.tags.tags)
    record_.complain("more tags are in use than there are");
  if (times_lost_ > (lost() ? 1 : 0))
    record_.complain("the loss was told more than once, or too early");
  if (lost() && !wire_.closed())
    record_.complain("the connection is lost and its stream open");
}

// ---- the end

/// The callers go on, but the server answers all, the wire lets all through, nobody interrupts.
void World::settle() {
  record_.note([] { return "settle"; });
  callers_.calm_down();
  server_.behave();
  if (loss_ == Loss::write_error && !lost())
    wire_.end(0, asio::error::eof);  // it may have nothing to write
  while (!record_.violated() && move_on())
    watch();
  if (!record_.violated())
    check_the_end();
}

/// Does all that can be done, and lets time pass only if there is nothing else; false: it is over.
bool World::move_on() {
  const auto before = std::pair(multiplexer().counters().requests, referee_.open());
  idle();
  bool moved = false;
  if (!lost())
    wire_.make_room(std::size_t{1} << 20);
  idle();
  if (wire_.sent() > 0) {
    serve(kAll);
    moved = true;
  }
  while (server_.has_something_to_answer()) {
    answer();
    moved = true;
  }
  if (wire_.undelivered() > 0 && wire_.client_reads()) {
    deliver(kAll);
    moved = true;
  }
  idle();
  if (moved || before != std::pair(multiplexer().counters().requests, referee_.open()))
    return true;
  const auto call = time_.next_call();
  if (!call || lost())
    return false;
  pass(*call - time_.now());
  return true;
}

void World::check_the_end() {
  if (callers_.running() > 0)
    record_.complain(std::to_string(callers_.running()) + " callers still wait");
  if (multiplexer().outstanding() > 0)
    record_.complain("requests are outstanding at the end");
  if (memory_.dead_was_written())
    record_.complain("memory that was given back has been written to");
  const auto& counters = multiplexer().counters();
  record_.count(Occurrence::cancelled_unsent, counters.cancelled_unsent);
  if (lost()) {
    if (times_lost_ != 1)
      record_.complain("the loss was told " + std::to_string(times_lost_) + " times");
    return;
  }
  const std::uint64_t by_reply = counters.late - referee_.late_replies();
  record_.count(Occurrence::settled_by_reply, by_reply);
  record_.count(Occurrence::settled_by_rflush, counters.abandoned - by_reply);
  check_quiet();
}

/// The connection is well and has nothing left to do: everything is back where it was.
void World::check_quiet() {
  const auto none = [&](std::size_t number, const std::string& what) {
    if (number != 0)
      record_.complain(std::to_string(number) + " " + what);
  };
  none(multiplexer().unresolved(), "requests are unresolved at the end");
  none(multiplexer().tags_in_use(), "tags are in use at the end");
  none(referee_.open(), "requests were never answered");
  none(client_.fids_in_use() - 1, "fid numbers are in use besides the root's");
  none(server_.fids() - 1, "fids are left on the server besides the root");
  none(referee_.fids() - referee_.stray_fids() - 1, "fids were never clunked");
  // One whose number was taken by then, for a walk that was never sent in the end, is left alone.
  if (referee_.stray_fids() > callers_.withdrawn() - withdrawn_before_)
    none(referee_.stray_fids(), "stray fids were never clunked");
  record_.count(Occurrence::ended_quiet);
}

}  // namespace fuse9p::sim
