// SPDX-License-Identifier: MIT
// All short histories of a small multiplexer, and many long random ones, against a model that
// knows flush(5) and nothing of the code: what a client may have on the wire at each moment, and
// which event each step must bring. Its callers take fid numbers from a FidPool and give them back
// as src/client does.
//
// The server answers, withholds, answers in any order, answers behind Rflush; at the end of each
// history it answers all that is still open, or nothing but Tflushes.
#include "proto/fid_pool.hpp"
#include "proto/multiplexer.hpp"
#include "tests/support/exhaustive.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/talk.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <deque>
#include <functional>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace fuse9p::proto {
namespace {

using std::chrono::seconds;

constexpr Duration kFlushTimeout = seconds(2);
constexpr Duration kQuarantine = seconds(1);
/// One step of time is enough for every deadline and every quarantine.
constexpr Duration kStep = seconds(2);

/// What must hold in every history. Each is checked at the places where it could break; how often
/// is printed, since a check that is never reached proves nothing.
enum class Invariant {
  one_outcome,
  tag_in_one_hand,
  no_stranger,
  fid_fate,
  no_deadlock,
  nothing_left,
};
constexpr std::array<std::string_view, 6> kInvariants = {
    "exactly one outcome per request",
    "no tag in two hands",
    "no reply to a stranger",
    "no fid number reused before its fate is known",
    "no deadlock while the server answers flushes",
    "nothing left behind at the end",
};

enum class Kind {
  walk,    ///< makes a fid, which its caller clunks at once
  write,   ///< has a payload
  read,    ///< has a destination
  remove,  ///< is never flushed
  clunk,   ///< of a walk's fid: nobody asks for it, and nobody cancels it
};

struct World {
  std::size_t requests = 3;
  std::size_t tags = 4;
  bool halves = false;  ///< replies also come in two reads, with anything in between
  /// Of the requests, in turn.
  std::vector<Kind> kinds = {Kind::walk, Kind::write, Kind::read, Kind::remove};
  std::uint32_t fids = 4;  ///< numbers; who walks waits for one
};

/// What the server does when a history has taken all its steps.
enum class Ending {
  answers,       ///< all that was not given up, and every Tflush
  only_flushes,  ///< and all callers give up
};

enum class Verb {
  submit,
  write_byte,
  write_all,
  cancel,
  reply,
  half_reply,
  other_half,
  rflush,
  late_reply,
  wait,
  lose,
};
constexpr std::string_view kVerbNames[] = {
    "submit", "write 1 byte", "write all", "cancel", "reply", "half a reply", "other half of reply",
    "Rflush", "late reply",   "wait",      "lose"};
struct Action {
  Verb verb;
  std::size_t request = 0;
};

/// What an event says, as far as the model foretells it.
struct Told {
  Event::Kind kind;
  std::size_t request;
  bool operator==(const Told&) const = default;
};

class Model {
 public:
  explicit Model(const World& world)
      : world_(world),
        requests_(world.requests),
        tags_(world.tags),
        fids_(world.fids),
        fid_there_(world.fids),
        mux_(Dialect::l, 4096, [&] {
          MultiplexerLimits limits;
          limits.tags = {.tags = world.tags,
                         .flush_reserve = 1,
                         .quarantine_tags = 1,
                         .quarantine_time = kQuarantine};
          limits.flush_timeout = kFlushTimeout;
          return limits;
        }()) {
    mux_.tick(now_);
    for (std::size_t i = 0; i < requests_.size(); ++i)
      requests_[i].kind = world.kinds[i % world.kinds.size()];
  }

  /// How often each invariant was checked, in all histories since the last call.
  static std::array<std::uint64_t, kInvariants.size()> take_checks() {
    return std::exchange(checks_, {});
  }

  bool over() const { return lost_ || !violation_.empty(); }
  /// The first claim that was broken, and by which steps.
  std::string violation() const {
    std::string text = violation_;
    for (const Action& action : history_)
      text += "\n  " + std::string(kVerbNames[static_cast<std::size_t>(action.verb)]) + ' ' +
              std::to_string(action.request);
    return violation_.empty() ? "" : text;
  }

  /// All that can happen now. Steps that only repeat the one before are left out.
  const std::vector<Action>& actions() {
    actions_.clear();
    const auto offer = [&](Verb verb, std::size_t i = 0) { actions_.push_back({verb, i}); };
    const Verb last = history_.empty() ? Verb::lose : history_.back().verb;
    if (may_submit())
      offer(Verb::submit, submitted_);
    if (!mux_.outgoing().empty()) {
      offer(Verb::write_all);
      if (last != Verb::write_byte)
        offer(Verb::write_byte);
    }
    bool time_matters = false;
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      const Request& request = requests_[i];
      if (may_cancel(request))
        offer(Verb::cancel, i);
      if (half_of_ == kNobody)
        offer_replies(i);
      time_matters = time_matters || (request.cancelled && request.waits());
    }
    if (half_of_ != kNobody)
      offer(Verb::other_half, half_of_);
    for (const TagModel& tag : tags_)
      time_matters = time_matters || (tag.use == TagModel::quarantined && now_ < tag.until);
    if (time_matters && last != Verb::wait)
      offer(Verb::wait);
    if (submitted_ > 0)
      offer(Verb::lose);
    return actions_;
  }

  void perform(Action action) {
    history_.push_back(action);
    Request& request = requests_[std::min(action.request, requests_.size() - 1)];
    expected_.clear();
    told_.clear();
    switch (action.verb) {
      case Verb::submit:
        submit(action.request);
        break;
      case Verb::write_byte:
        write(1);
        break;
      case Verb::write_all:
        write(std::string::npos);
        break;
      case Verb::cancel:
        request.cancelled = true;
        deadlines_.push_back({action.request, now_ + kFlushTimeout});
        if (!request.begun)
          conclude(action.request, Event::Kind::cancelled);
        mux_.cancel(request.id);
        break;
      case Verb::reply:
      case Verb::late_reply:
        feed(reply_to(action.request));
        break;
      case Verb::half_reply: {
        const std::string reply = reply_to(action.request);
        // In the middle of the data, if there is any, or of what stands before it.
        const std::size_t before_data = reply.size() - std::min<std::size_t>(8, reply.size() - 1);
        const std::size_t half = history_.size() % 2 == 0 ? reply.size() - 1 : before_data;
        half_of_ = action.request;
        other_half_ = reply.substr(half);
        feed(reply.substr(0, half));
        return check();
      }
      case Verb::other_half:
        half_of_ = kNobody;
        feed(other_half_);
        break;
      case Verb::rflush:
        feed(frame_of(Rflush{}, request.flush_tag));
        break;
      case Verb::wait:
        now_ += kStep;
        expire();
        mux_.tick(now_);
        break;
      case Verb::lose:
        lose();
        break;
    }
    // What the server's message means is settled when it is whole.
    if (action.verb == Verb::reply || action.verb == Verb::other_half)
      replied(action.request);
    else if (action.verb == Verb::late_reply)
      replied_late(action.request);
    else if (action.verb == Verb::rflush)
      flushed(action.request);
    take_events();
    check();
  }

  /// The server goes on as `ending` says until all is quiet.
  void end(Ending ending) {
    if (half_of_ != kNobody && !over())
      perform({Verb::other_half, half_of_});
    for (std::size_t i = 0; i < requests_.size() && !over(); ++i)
      if (ending == Ending::only_flushes && may_cancel(requests_[i]))
        perform({Verb::cancel, i});
    const std::size_t rounds = 10 + 12 * world_.requests;
    for (std::size_t round = 0; round < rounds && !over(); ++round) {
      if (!answer_all(ending) && !over()) {
        if (!anything_open(ending))
          break;
        perform({Verb::wait});
      }
    }
    if (!lost_)
      check_end(ending);
  }

 private:
  static constexpr std::size_t kNobody = ~std::size_t{0};

  struct Request {
    Kind kind{};
    RequestId id;
    int outcomes = 0;
    Fid newfid = kNoFid;   // of a walk
    Fid clunked = kNoFid;  // of a clunk
    // What its caller knows.
    bool submitted = false, cancelled = false, concluded = false, abandoned = false,
         settled = false;
    // What is on the wire, first byte and last; what the server said.
    bool begun = false, complete = false, answered = false;
    bool flush_begun = false, flush_complete = false, flushed = false;
    std::uint16_t tag = 0, flush_tag = 0;
    std::shared_ptr<const void> held;  // by the caller, until the outcome
    std::weak_ptr<const void> memory;
    ByteView destination;

    bool waits() const { return submitted && !concluded; }
    bool unresolved() const {
      return (abandoned && !settled) || (answered && flush_begun && !flushed);
    }
  };
  struct TagModel {
    enum { free, request, flush, quarantined } use = free;
    std::size_t owner = 0;
    TimePoint until;
  };
  struct Deadline {
    std::size_t request;
    TimePoint at;
  };

  void claim(bool holds, Invariant invariant) {
    ++checks_[static_cast<std::size_t>(invariant)];
    claim(holds, kInvariants[static_cast<std::size_t>(invariant)]);
  }
  void claim(bool holds, std::string_view what) {
    if (!holds && violation_.empty())
      violation_ = "broken: " + std::string(what);
  }

  // ---- the caller

  static bool flushable(const Request& request) {
    return request.kind != Kind::remove && request.kind != Kind::clunk;
  }
  /// Who gives up; clean-up is never cancelled.
  static bool may_cancel(const Request& request) {
    return request.waits() && !request.cancelled && request.kind != Kind::clunk;
  }
  bool may_submit() const {
    return submitted_ < world_.requests &&
           (requests_[submitted_].kind != Kind::walk || fids_.in_use() < world_.fids);
  }
  Outgoing request_of(std::size_t i) const {
    const Fid fid{static_cast<std::uint32_t>(kFirstFid + i)};  // tells the server which it is
    switch (requests_[i].kind) {
      case Kind::walk:
        return outgoing(Twalk{.fid = fid, .newfid = requests_[i].newfid, .wname = {"x"}},
                        Dialect::l);
      case Kind::write: {
        const Buffer data = test::heap_buffer(3);
        return outgoing(Twrite{.fid = fid, .data = data.bytes}, Dialect::l,
                        {data.owner, data.bytes});
      }
      case Kind::read:
        return outgoing(Tread{.fid = fid, .count = 4}, Dialect::l, {}, test::heap_buffer(4));
      case Kind::remove:
        return outgoing(Tremove{.fid = fid}, Dialect::l);
      case Kind::clunk:
        return outgoing(Tclunk{.fid = requests_[i].clunked}, Dialect::l);
    }
    return {};
  }

  void submit(std::size_t i) {
    Request& request = requests_[i];
    if (request.kind == Kind::walk) {
      request.newfid = *fids_.acquire();
      fids_.begin(request.newfid);
    }
    Outgoing out = request_of(i);
    request.held = out.payload.owner ? out.payload.owner : out.destination.owner;
    request.memory = request.held;
    request.destination = out.destination.bytes;
    request.submitted = true;
    request.id = mux_.submit(std::move(out));
    submitted_ += request.kind == Kind::clunk ? 0 : 1;
  }

  // What src/client does with fids: a number has its Tclunk as soon as nobody wants it and the fate
  // of the request that makes it is known, and is free behind the answer.

  void retire(Fid fid) {
    if (fids_.retire(fid))
      clunk(fid);
  }
  void clunk(Fid fid) {
    if (lost_)
      return;
    requests_.emplace_back().kind = Kind::clunk;
    requests_.back().clunked = fid;
    submit(requests_.size() - 1);
  }
  void handle_fid(const Request& request, const Event& event) {
    using What = Event::Kind;
    if (request.kind == Kind::clunk && event.kind == What::replied)
      free(request.clunked);
    if (request.kind != Kind::walk)
      return;
    if (event.kind != What::abandoned && fids_.end(request.newfid))
      clunk(request.newfid);
    if (event.kind == What::cancelled && !event.sent)
      free(request.newfid);
    else if (event.kind != What::settled)
      retire(request.newfid);
  }
  void free(Fid fid) {
    if (fids_.release(fid))
      clunk(fid);
  }
  /// Made behind our back; a number that is in use by now is clunked once more at its end.
  void handle_stray_fid(Fid fid) {
    if (fid == kNoFid || !fids_.doubt(fid))
      return;
    fid_there_[to_int(fid)] = true;
    clunk(fid);
  }

  void conclude(std::size_t i, Event::Kind kind) {
    expected_.push_back({kind, i});
    requests_[i].concluded = true;
  }

  void expire() {
    for (; !deadlines_.empty() && deadlines_.front().at <= now_;
         deadlines_.erase(deadlines_.begin())) {
      const std::size_t i = deadlines_.front().request;
      if (requests_[i].concluded)
        continue;
      conclude(i, Event::Kind::abandoned);
      requests_[i].abandoned = true;
    }
  }

  void lose() {
    lost_ = true;
    mux_.connection_lost(Error::connection_lost);
    for (std::size_t i = 0; i < requests_.size(); ++i)
      if (requests_[i].waits())
        conclude(i, Event::Kind::failed);
    if (may_submit()) {
      conclude(submitted_, Event::Kind::failed);
      submit(submitted_);
    }
    claim(mux_.outgoing().empty(), "nothing is sent when the connection is lost");
  }

  void take_events() {
    while (const auto event = mux_.next_event())
      take(*event);
  }
  void take(const Event& event) {
    if (event.kind == Event::Kind::broken)
      return claim(false, "the stream is sound, but was called broken: " + event.detail);
    if (event.kind == Event::Kind::late) {
      const std::size_t i = history_.back().request;
      claim(event.created == requests_[i].newfid, "a late reply names the fid it made");
      handle_stray_fid(event.created);
      return told_.push_back({event.kind, i});
    }
    const auto found = std::ranges::find(requests_, event.id, &Request::id);
    if (found == requests_.end())
      return claim(false, "an event is of a request that was submitted");
    const auto i = static_cast<std::size_t>(found - requests_.begin());
    told_.push_back({event.kind, i});
    if (event.kind != Event::Kind::settled)
      claim(++found->outcomes == 1, Invariant::one_outcome);
    if (event.kind == Event::Kind::replied || event.replied)
      claim(is_own_reply(i, event), Invariant::no_stranger);
    if (event.kind != Event::Kind::failed && event.kind != Event::Kind::replied)
      claim(event.created == found->newfid, "the fid that may have been made is named");
    if (event.kind == Event::Kind::cancelled)
      claim(event.sent == found->begun, "'sent' says whether a byte was sent");
    found->held = nullptr;
    found->destination = {};
    handle_fid(*found, event);
  }
  bool is_own_reply(std::size_t i, const Event& event) const {
    const Reply& reply = event.reply;
    switch (requests_[i].kind) {
      case Kind::walk: {
        const auto walk = reply.as<Rwalk>();
        return walk && walk->qid.size() == 1 && walk->qid[0].path == i;
      }
      case Kind::write: {
        const auto write = reply.as<Rwrite>();
        return write && write->count == i;
      }
      case Kind::read:
        return reply.type == MessageType::Rread && !reply.error &&
               (event.kind == Event::Kind::settled ||
                (reply.data_size == 4 &&
                 test::as_text(requests_[i].destination) == data_of_read(i)));
      case Kind::remove:
        return reply.type == MessageType::Rremove && !reply.error;
      case Kind::clunk:
        return reply.type == MessageType::Rclunk && !reply.error;
    }
    return false;
  }

  // ---- the server

  template <Message R>
  static std::string frame_of(const R& message, std::uint16_t tag) {
    Bytes frame;
    encode_frame(frame, Tag{tag}, message, Dialect::l);
    return test::as_text({frame.data(), frame.size()});
  }
  static std::string data_of_read(std::size_t i) {
    return std::string(4, static_cast<char>('a' + i % 26));
  }
  std::string reply_to(std::size_t i) const {
    const std::uint16_t tag = requests_[i].tag;
    const std::string data = data_of_read(i);
    switch (requests_[i].kind) {
      case Kind::walk:
        return frame_of(Rwalk{.qid = {Qid{.path = i}}}, tag);
      case Kind::write:
        return frame_of(Rwrite{.count = static_cast<std::uint32_t>(i)}, tag);
      case Kind::read:
        return frame_of(Rread{.data = std::as_bytes(std::span(data))}, tag);
      case Kind::remove:
        return frame_of(Rremove{}, tag);
      case Kind::clunk:
        return frame_of(Rclunk{}, tag);
    }
    return {};
  }

  void offer_replies(std::size_t i) {
    const Request& request = requests_[i];
    if (request.complete && !request.answered && !request.flushed) {
      actions_.push_back({Verb::reply, i});
      if (world_.halves)
        actions_.push_back({Verb::half_reply, i});
    }
    if (request.flush_complete && !request.flushed)
      actions_.push_back({Verb::rflush, i});
    const TagModel& tag = tags_[request.tag];
    if (request.flushed && !request.answered && tag.use == TagModel::quarantined &&
        tag.owner == i && now_ < tag.until)
      actions_.push_back({Verb::late_reply, i});
  }

  void replied(std::size_t i) {
    Request& request = requests_[i];
    request.answered = true;
    if (request.kind == Kind::clunk)
      fid_there_[to_int(request.clunked)] = false;
    if (request.abandoned) {
      expected_.push_back({Event::Kind::settled, i});
      request.settled = true;
    } else {
      conclude(i, Event::Kind::replied);
    }
    if (!request.flush_begun)
      tags_[request.tag] = {};
  }
  void replied_late(std::size_t i) {
    requests_[i].answered = true;
    expected_.push_back({Event::Kind::late, i});
  }
  void flushed(std::size_t i) {
    Request& request = requests_[i];
    request.flushed = true;
    tags_[request.flush_tag] = {};
    if (request.answered) {
      tags_[request.tag] = {};
      return;
    }
    tags_[request.tag] = {TagModel::quarantined, i, now_ + kQuarantine};
    if (request.abandoned) {
      expected_.push_back({Event::Kind::settled, i});
      request.settled = true;
    } else {
      conclude(i, Event::Kind::cancelled);
    }
  }

  void feed(const std::string& bytes) {
    ByteView rest = std::as_bytes(std::span(bytes));
    while (!rest.empty()) {
      std::size_t taken = 0;
      for (const std::span<std::byte> buffer : mux_.prepare()) {
        const std::size_t part = std::min(buffer.size(), rest.size());
        std::copy_n(rest.begin(), part, buffer.begin());
        rest = rest.subspan(part);
        taken += part;
      }
      mux_.received(taken);
      take_events();
    }
  }

  // ---- the wire

  void write(std::size_t most) {
    std::string coming;
    for (const ByteView view : mux_.outgoing())
      coming += test::as_text(view);
    claim(coming.starts_with(unfinished_), "a frame that was begun goes on as it began");
    const std::size_t bytes = std::min(most, coming.size());
    for (std::size_t at = 0; at < bytes && violation_.empty();) {
      if (unfinished_.empty())
        begin_frame(std::string_view(coming).substr(at));
      const std::size_t part = std::min(bytes - at, unfinished_.size());
      unfinished_.erase(0, part);
      at += part;
      if (unfinished_.empty())
        finish_frame();
    }
    mux_.sent(bytes);
  }

  /// `coming` is what will be written from here on; its first byte is written now.
  void begin_frame(std::string_view coming) {
    const ByteView bytes = std::as_bytes(std::span(coming));
    const Header header = decode_header(bytes.first<kHeaderSize>());
    unfinished_ = coming.substr(0, header.size);
    unfinished_tag_ = to_int(header.tag);
    if (header.size > bytes.size() || unfinished_tag_ >= tags_.size())
      return claim(false, "whole frames with tags of the pool are sent");
    const TagModel& tag = tags_[unfinished_tag_];
    claim(tag.use == TagModel::free || (tag.use == TagModel::quarantined && tag.until <= now_),
          Invariant::tag_in_one_hand);
    Reader reader(bytes.subspan(kHeaderSize), Dialect::l);
    if (header.type == MessageType::Tflush) {
      Tag oldtag{};
      reader.get(oldtag);
      begin_flush(unfinished_tag_, to_int(oldtag));
    } else {
      Fid fid{};
      reader.get(fid);
      begin_request(unfinished_tag_, index_of(header.type, fid));
    }
  }
  /// The request that the server takes this for; kNobody if there is none.
  std::size_t index_of(MessageType type, Fid fid) const {
    if (type != MessageType::Tclunk)
      return to_int(fid) < kFirstFid ? kNobody : to_int(fid) - kFirstFid;
    const auto found = std::ranges::find_if(requests_, [&](const Request& request) {
      return request.kind == Kind::clunk && request.clunked == fid && !request.begun;
    });
    return found == requests_.end() ? kNobody : static_cast<std::size_t>(found - requests_.begin());
  }
  void begin_request(std::uint16_t tag, std::size_t i) {
    if (i >= requests_.size() || !requests_[i].submitted)
      return claim(false, "only what was submitted is sent");
    Request& request = requests_[i];
    claim(!request.begun, "a request is sent once");
    claim(!request.cancelled, "no byte is sent of what was cancelled before");
    request.begun = true;
    request.tag = tag;
    tags_[tag] = {TagModel::request, i, {}};
    if (request.kind == Kind::walk) {
      claim(!fid_there_[to_int(request.newfid)], Invariant::fid_fate);
      fid_there_[to_int(request.newfid)] = true;  // or may be
    } else if (request.kind == Kind::clunk) {
      claim(!makes(request.clunked), Invariant::fid_fate);
    }
  }
  /// Is there a Twalk on the wire that may still make it?
  bool makes(Fid fid) const {
    return std::ranges::any_of(requests_, [&](const Request& request) {
      return request.newfid == fid && request.begun && !request.answered && !request.flushed;
    });
  }
  void begin_flush(std::uint16_t tag, std::uint16_t oldtag) {
    if (oldtag >= tags_.size() || tags_[oldtag].use != TagModel::request)
      return claim(false, "a Tflush names a request that the server has, never a Tflush");
    const std::size_t i = tags_[oldtag].owner;
    Request& request = requests_[i];
    claim(request.complete, "no Tflush overtakes its request");
    claim(request.cancelled, "only what was cancelled is flushed");
    claim(flushable(request), "no Tclunk and no Tremove is flushed");
    claim(!request.flush_begun, "no request is flushed twice");
    claim(!request.answered, "what was answered is not flushed any more");
    request.flush_begun = true;
    request.flush_tag = tag;
    tags_[tag] = {TagModel::flush, i, {}};
  }
  void finish_frame() {
    const TagModel& tag = tags_[unfinished_tag_];
    Request& request = requests_[tag.owner];
    (tag.use == TagModel::flush ? request.flush_complete : request.complete) = true;
  }

  // ---- the end

  /// All that the client has to say is heard and answered. Was there anything?
  bool answer_all(Ending ending) {
    bool anything = !mux_.outgoing().empty();
    if (anything)
      perform({Verb::write_all});
    for (std::size_t i = 0; i < requests_.size() && !over(); ++i) {
      const Request& request = requests_[i];
      const bool flush = request.flush_complete && !request.flushed;
      // What was given up has no answer but Rflush: who forgets a Tflush waits for ever.
      const bool reply = ending == Ending::answers && request.complete && !request.answered &&
                         !(request.cancelled && flushable(request));
      if (flush || reply)
        perform({flush ? Verb::rflush : Verb::reply, i});
      anything = anything || flush || reply;
    }
    return anything;
  }
  /// Can it still come to an end by waiting?
  bool anything_open(Ending ending) const {
    if (ending == Ending::answers)
      return mux_.outstanding() + mux_.unresolved() > 0;
    return std::ranges::any_of(requests_, [](const Request& request) {
      const bool resolved = request.concluded && !(flushable(request) && request.unresolved());
      return request.submitted && request.kind != Kind::clunk && !resolved;
    });
  }
  void check_end(Ending ending) {
    claim(!anything_open(ending), Invariant::no_deadlock);
    std::size_t unanswered = 0;  // of those that only their reply can end
    for (const Request& request : requests_) {
      if (request.submitted && request.concluded)
        claim(request.outcomes == 1, Invariant::one_outcome);
      claim(!request.abandoned || request.settled || !flushable(request), "the fate is told");
      unanswered += request.begun && !request.answered && !flushable(request) ? 1 : 0;
    }
    claim(mux_.outgoing().empty(), Invariant::nothing_left);
    claim(mux_.tags_in_use() == unanswered, Invariant::nothing_left);
    claim(ending == Ending::only_flushes || unanswered == 0, Invariant::nothing_left);
    claim(ending == Ending::only_flushes || mux_.unresolved() == 0, Invariant::nothing_left);
    if (ending == Ending::answers) {
      claim(fids_.in_use() == 0, Invariant::nothing_left);
      claim(std::ranges::none_of(fid_there_, std::identity()), Invariant::nothing_left);
    }
  }

  // ---- after each step

  void check() {
    if (history_.back().verb == Verb::lose) {
      const auto by_request = [](const Told& a, const Told& b) { return a.request < b.request; };
      std::ranges::sort(told_, by_request);
      std::ranges::sort(expected_, by_request);
    }
    claim(told_ == expected_, "each step brings the events it must bring and no other");
    std::size_t waiting = 0, unresolved = 0;
    for (const Request& request : requests_) {
      waiting += request.waits() ? 1 : 0;
      unresolved += request.unresolved() && !lost_ ? 1 : 0;
      const bool being_sent = request.begun && !request.complete && !lost_;
      if (request.concluded && !being_sent)
        claim(request.memory.expired(), "memory of a request is let go at its outcome");
      if (request.waits() && request.held && (!request.complete || request.kind == Kind::read))
        claim(request.held.use_count() > 1, "memory of a request is held as long as it is needed");
    }
    claim(mux_.outstanding() == waiting, "outstanding() counts the callers that wait");
    claim(mux_.unresolved() == unresolved, "unresolved() counts what has no caller any more");
  }

  static constexpr std::size_t kFirstFid = 1000;  // of those that were there before
  static inline std::array<std::uint64_t, kInvariants.size()> checks_{};

  World world_;
  std::deque<Request> requests_;  // those asked for, then the clunks
  std::vector<TagModel> tags_;
  FidPool fids_;
  std::vector<bool> fid_there_;  // by number: the server has it, or may have
  Multiplexer mux_;
  TimePoint now_{seconds(1000)};
  std::size_t submitted_ = 0;
  bool lost_ = false;
  std::vector<Deadline> deadlines_;

  std::size_t half_of_ = kNobody;  // whose reply has come in part
  std::string other_half_;
  std::string unfinished_;  // what is still to be written of the frame that was begun
  std::uint16_t unfinished_tag_ = 0;

  std::vector<Told> expected_, told_;
  std::vector<Action> actions_, history_;
  std::string violation_;
};

// ---- all short histories

class MultiplexerModel : public testing::Test {
 protected:
  void SetUp() override { Model::take_checks(); }
  void TearDown() override {
    const auto checks = Model::take_checks();
    for (std::size_t i = 0; i < checks.size(); ++i) {
      std::cout << kInvariants[i] << ": checked " << checks[i] << " times\n";
      EXPECT_GT(checks[i], 0U);
    }
  }
};

/// Steps that every history of a set begins with.
using Prelude = std::vector<Action>;

Prelude submitted(std::size_t requests) {
  Prelude prelude;
  for (std::size_t i = 0; i < requests; ++i)
    prelude.push_back({Verb::submit, i});
  return prelude;
}
Prelude in_flight(std::size_t requests) {
  Prelude prelude = submitted(requests);
  prelude.push_back({Verb::write_all});
  return prelude;
}

/// Every history of up to `steps` steps behind the prelude, with every ending. One that stops early
/// is one in which the server withholds what it could say.
void try_all(const World& world, const Prelude& prelude, std::size_t steps) {
  test::Gen gen;
  while (!gen.done()) {
    Model model(world);
    for (const Action& action : prelude)
      model.perform(action);
    for (std::size_t step = 0; step < steps && !model.over(); ++step) {
      const std::vector<Action>& actions = model.actions();
      const std::size_t choice = gen.choose(actions.size() + 1);
      if (choice == actions.size())
        break;
      model.perform(actions[choice]);
    }
    if (!model.over())
      model.end(gen.flip() ? Ending::only_flushes : Ending::answers);
    ASSERT_EQ(model.violation(), "") << "of " << world.requests << " requests and " << world.tags
                                     << " tags; path " << gen.path();
  }
  std::cout << world.requests << " requests, " << world.tags << " tags, " << prelude.size() << '+'
            << steps << " steps: " << gen.runs() << " histories\n";
}

/// FUSE9P_STEPS=1 makes all of them one step longer, which takes four times as long; `tests/run
/// soak` does.
std::size_t with_extra(std::size_t steps) {
  const char* extra = std::getenv("FUSE9P_STEPS");
  return steps + (extra == nullptr ? 0 : std::stoul(extra));
}

TEST_F(MultiplexerModel, EveryShortHistoryOfOneRequestKeepsTheClaims) {
  for (const Kind kind : {Kind::walk, Kind::read, Kind::remove})
    try_all({.requests = 1, .tags = 2, .halves = true, .kinds = {kind}}, {}, with_extra(9));
}

TEST_F(MultiplexerModel, EveryShortHistoryOfTwoRequestsKeepsTheClaims) {
  try_all({.requests = 2, .tags = 2}, {}, with_extra(7));
  try_all({.requests = 2, .tags = 2, .kinds = {Kind::remove, Kind::walk}}, {}, with_extra(7));
  try_all({.requests = 2, .tags = 3, .halves = true}, {}, with_extra(7));
}

/// One number for all: whoever walks gets the number of who walked before.
TEST_F(MultiplexerModel, EveryShortHistoryWithOneFidNumberKeepsTheClaims) {
  try_all({.requests = 3, .tags = 3, .kinds = {Kind::walk}, .fids = 1}, in_flight(1),
          with_extra(8));
  try_all({.requests = 3, .tags = 4, .kinds = {Kind::walk, Kind::read}, .fids = 1}, in_flight(2),
          with_extra(6));
}

TEST_F(MultiplexerModel, EveryShortHistoryOfThreeRequestsKeepsTheClaims) {
  try_all({.requests = 3, .tags = 4}, {}, with_extra(7));
  try_all({.requests = 3, .tags = 3}, submitted(3), with_extra(6));
  try_all({.requests = 3, .tags = 3, .kinds = {Kind::remove, Kind::walk, Kind::read}}, in_flight(3),
          with_extra(6));
  try_all({.requests = 3, .tags = 4}, in_flight(3), with_extra(5));
}

/// Three tags, one of them the reserve: two requests are out, the others wait for theirs.
TEST_F(MultiplexerModel, EveryShortHistoryOfFourAndFiveRequestsOnThreeTagsKeepsTheClaims) {
  try_all({.requests = 4, .tags = 3}, {}, with_extra(7));
  try_all({.requests = 4, .tags = 3}, submitted(4), with_extra(5));
  try_all({.requests = 4, .tags = 3}, in_flight(4), with_extra(5));
  try_all({.requests = 5, .tags = 3}, in_flight(5), with_extra(4));
}

// ---- long random ones

TEST_F(MultiplexerModel, LongRandomHistoriesKeepTheClaims) {
  std::mt19937 random(test::new_seed());
  const auto up_to = [&](std::size_t most) {
    return std::uniform_int_distribution<std::size_t>(0, most)(random);
  };
  constexpr int kHistories = 300;
  std::size_t steps = 0;
  for (int history = 0; history < kHistories; ++history) {
    const World world{.requests = 2 + up_to(40),
                      .tags = 2 + up_to(8),
                      .halves = true,
                      .fids = static_cast<std::uint32_t>(1 + up_to(3))};
    Model model(world);
    for (std::size_t left = 20 + up_to(200); left > 0 && !model.over(); --left, ++steps) {
      const std::vector<Action>& actions = model.actions();
      if (actions.empty())
        break;
      const Action action = actions[up_to(actions.size() - 1)];
      if (action.verb != Verb::lose || up_to(100) == 0)  // else few would grow long
        model.perform(action);
    }
    if (!model.over())
      model.end(up_to(1) == 0 ? Ending::answers : Ending::only_flushes);
    ASSERT_EQ(model.violation(), "") << "history " << history << " of " << world.requests
                                     << " requests and " << world.tags << " tags";
  }
  std::cout << kHistories << " histories, " << steps << " steps\n";
}

}  // namespace
}  // namespace fuse9p::proto
