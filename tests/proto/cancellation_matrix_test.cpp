// SPDX-License-Identifier: MIT
// Every T-message of every dialect, cancelled in every way: what its caller is told, what goes over
// the wire, and what is left. Messages are made from tests/wire/messages.spec alone.
//
// Not in it: Tversion, which the handshake sends with NOTAG before there is anything to multiplex,
// and Tflush, which the multiplexer makes itself and never flushes.
#include "proto/multiplexer.hpp"
#include "tests/support/message_spec.hpp"
#include "tests/support/talk.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace fuse9p::proto {
namespace {

using test::Golden;

// ---- the table

/// Many enough that the reserve is never needed.
constexpr std::size_t kTags = 8, kReserve = 1;

/// What is there at the end.
struct Left {
  std::size_t waiting = 0, unresolved = 0, tags = 0, quarantined = 0;
  bool operator==(const Left&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Left& left) {
  return out << "waiting " << left.waiting << ", unresolved " << left.unresolved << ", tags in use "
             << left.tags << ", quarantined " << left.quarantined;
}

/// A way to be cancelled. Steps: ask, byte (one is written), write (all), cancel, reply, error (in
/// its place), rflush, flusherror (in its place), wait (until the flush timeout), lose.
///
/// `told` are the events; "+fid" names the fid that the request may have made, if it makes one.
/// `sent` are the frames: T the request, F its Tflush.
struct Way {
  std::string_view name, steps, told, sent;
  Left left;
};

constexpr Way kFlushed[] = {
    {"queued", "ask cancel write", "cancelled unsent+fid", "", {}},
    {"partly written", "ask byte cancel", "", "", {.waiting = 1, .tags = 1}},
    {"partly written, then whole", "ask byte cancel write", "", "TF", {.waiting = 1, .tags = 2}},
    {"partly written, then flushed",
     "ask byte cancel write rflush",
     "cancelled+fid",
     "TF",
     {.quarantined = 1}},
    {"in flight", "ask write cancel write", "", "TF", {.waiting = 1, .tags = 2}},
    {"answered first",
     "ask write cancel write reply",
     "replied",
     "TF",
     {.unresolved = 1, .tags = 2}},
    {"answered first, then Rflush", "ask write cancel write reply rflush", "replied", "TF", {}},
    {"refused first, then Rflush",
     "ask write cancel write error rflush",
     "replied with error",
     "TF",
     {}},
    {"answered before the Tflush is sent", "ask write cancel reply write", "replied", "T", {}},
    {"Rflush first", "ask write cancel write rflush", "cancelled+fid", "TF", {.quarantined = 1}},
    {"error to the flush",
     "ask write cancel write flusherror",
     "cancelled+fid",
     "TF",
     {.quarantined = 1}},
    {"late reply behind Rflush",
     "ask write cancel write rflush reply",
     "cancelled+fid, late+fid",
     "TF",
     {.quarantined = 1}},
    {"late error behind Rflush",
     "ask write cancel write rflush error",
     "cancelled+fid, late error",
     "TF",
     {.quarantined = 1}},
    {"timeout", "ask write cancel write wait", "abandoned+fid", "TF", {.unresolved = 1, .tags = 2}},
    {"timeout of what is partly written",
     "ask byte cancel wait write",
     "abandoned+fid",
     "TF",
     {.unresolved = 1, .tags = 2}},
    {"timeout, settled by the reply",
     "ask write cancel write wait reply",
     "abandoned+fid, settled by reply+fid",
     "TF",
     {.unresolved = 1, .tags = 2}},
    {"timeout, settled by the reply, then Rflush",
     "ask write cancel write wait reply rflush",
     "abandoned+fid, settled by reply+fid",
     "TF",
     {}},
    {"timeout, settled by Rflush",
     "ask write cancel write wait rflush",
     "abandoned+fid, settled+fid",
     "TF",
     {.quarantined = 1}},
    {"lost while queued", "ask lose", "failed", "", {}},
    {"lost when partly written", "ask byte cancel lose write", "failed", "", {}},
    {"lost while flushed", "ask write cancel write lose", "failed", "TF", {}},
    {"lost when answered", "ask write cancel write reply lose", "replied", "TF", {}},
    {"lost behind the timeout", "ask write cancel write wait lose", "abandoned+fid", "TF", {}},
};

/// The same ways, where the request is never flushed. An Rflush is then one that nobody asked for.
constexpr Way kNotFlushed[] = {
    {"queued", "ask cancel write", "cancelled unsent", "", {}},
    {"partly written", "ask byte cancel", "", "", {.waiting = 1, .tags = 1}},
    {"partly written, then whole", "ask byte cancel write", "", "T", {.waiting = 1, .tags = 1}},
    {"partly written, then flushed", "ask byte cancel write rflush", "broken", "T", {.waiting = 1}},
    {"in flight", "ask write cancel write", "", "T", {.waiting = 1, .tags = 1}},
    {"answered first", "ask write cancel write reply", "replied", "T", {}},
    {"answered first, then Rflush",
     "ask write cancel write reply rflush",
     "replied, broken",
     "T",
     {}},
    {"refused first, then Rflush",
     "ask write cancel write error rflush",
     "replied with error, broken",
     "T",
     {}},
    {"answered before the Tflush is sent", "ask write cancel reply write", "replied", "T", {}},
    {"Rflush first", "ask write cancel write rflush", "broken", "T", {.waiting = 1}},
    {"error to the flush", "ask write cancel write flusherror", "broken", "T", {.waiting = 1}},
    {"late reply behind Rflush", "ask write cancel write reply reply", "replied, broken", "T", {}},
    {"late error behind Rflush", "ask write cancel write reply error", "replied, broken", "T", {}},
    {"timeout", "ask write cancel write wait", "abandoned", "T", {.unresolved = 1, .tags = 1}},
    {"timeout of what is partly written",
     "ask byte cancel wait write",
     "abandoned",
     "T",
     {.unresolved = 1, .tags = 1}},
    {"timeout, settled by the reply",
     "ask write cancel write wait reply",
     "abandoned, settled by reply",
     "T",
     {}},
    {"timeout, settled by the reply, then Rflush",
     "ask write cancel write wait reply rflush",
     "abandoned, settled by reply, broken",
     "T",
     {}},
    {"timeout, settled by Rflush",
     "ask write cancel write wait rflush",
     "abandoned, broken",
     "T",
     {.unresolved = 1}},
    {"lost while queued", "ask lose", "failed", "", {}},
    {"lost when partly written", "ask byte cancel lose write", "failed", "", {}},
    {"lost while flushed", "ask write cancel write lose", "failed", "T", {}},
    {"lost when answered", "ask write cancel write reply lose", "replied", "T", {}},
    {"lost behind the timeout", "ask write cancel write wait lose", "abandoned", "T", {}},
};

// ---- messages

const test::Spec& spec() {
  static const test::Spec read = test::read_spec(FUSE9P_SOURCE_DIR "/tests/wire/messages.spec");
  return read;
}

constexpr std::uint32_t kReadCount = 100;

/// Every message of every dialect; what is read or written is short.
const std::vector<Golden>& messages() {
  static const std::vector<Golden> all = [] {
    std::vector<Golden> made = test::golden_messages(spec(), test::distinct_filling);
    for (Golden& golden : made)
      for (test::Value& value : golden.values)
        if (value.field.name == "count" && golden.message.name.front() == 'T')
          value.number = kReadCount;
    return made;
  }();
  return all;
}

Golden message_of(std::string_view name, std::string_view dialect) {
  for (const Golden& golden : messages())
    if (golden.message.name == name && golden.message.dialect == dialect)
      return golden;
  throw std::invalid_argument(std::string(name) + " of " + std::string(dialect));
}

Dialect dialect_of(std::string_view name) {
  for (const Dialect dialect : {Dialect::legacy, Dialect::u, Dialect::l})
    if (version_string(dialect) == name)
      return dialect;
  throw std::invalid_argument(std::string(name));
}

std::vector<Golden> requests() {
  std::vector<Golden> found;
  for (const Golden& golden : messages()) {
    const std::string& name = golden.message.name;
    if (name.front() == 'T' && name != "Tversion" && name != "Tflush")
      found.push_back(golden);
  }
  return found;
}

bool is_flushed(const Golden& request) {
  return request.message.name != "Tclunk" && request.message.name != "Tremove";
}

/// The fid that it makes, by the manual.
Fid made_by(const Golden& request) {
  const std::string& name = request.message.name;
  const std::string_view field = name == "Tattach" ? "fid" : name == "Tauth" ? "afid" : "newfid";
  for (const test::Value& value : request.values)
    if (value.field.name == field)
      return Fid{static_cast<std::uint32_t>(value.number)};
  return kNoFid;
}

std::string with_tag(Golden golden, std::uint16_t tag) {
  golden.tag = tag;
  return golden.frame();
}

// ---- a cell

class Cell {
 public:
  explicit Cell(const Golden& request)
      : request_(request),
        mux_(dialect_of(request.message.dialect), 8192, test::few_tags(kTags, kReserve)) {
    mux_.tick(now_);
  }

  void play(std::string_view steps) {
    std::istringstream words{std::string(steps)};
    for (std::string step; words >> step;) {
      act(step);
      take_events();
    }
  }

  const std::string& told() const { return told_; }
  std::string sent() const { return frames_of(wire_); }
  bool memory_is_let_go() const { return memory_.expired(); }
  bool waits() const { return mux_.outstanding() > 0; }

  /// Asks for as many tags as there are: those that are neither had nor in use are quarantined. A
  /// lost connection gives no tags; what it still counts as in use means nothing.
  Left left() {
    Left left{.waiting = mux_.outstanding(), .unresolved = mux_.unresolved()};
    if (dead_)
      return left;
    left.tags = mux_.tags_in_use();
    for (std::size_t i = 0; i < kTags; ++i)
      mux_.submit(test::outgoing_from_text("Tread fid 1 count 0", mux_.dialect()));
    const std::size_t had = mux_.tags_in_use() - left.tags;
    left.quarantined = kTags - kReserve - left.tags - had;
    return left;
  }

 private:
  void act(const std::string& step) {
    const std::string& dialect = request_.message.dialect;
    const std::string reply = 'R' + request_.message.name.substr(1);
    const std::string error = dialect == "9P2000.L" ? "Rlerror" : "Rerror";
    if (step == "ask")
      ask();
    else if (step == "byte")
      write(1);
    else if (step == "write")
      write(std::string::npos);
    else if (step == "cancel")
      mux_.cancel(id_);
    else if (step == "reply" || step == "error")
      feed(with_tag(message_of(step == "reply" ? reply : error, dialect), 0));
    else if (step == "rflush" || step == "flusherror")
      feed(with_tag(message_of(step == "rflush" ? "Rflush" : error, dialect), 1));
    else if (step == "wait")
      mux_.tick(now_ += std::chrono::seconds(2));
    else if (step == "lose")
      lose();
    else
      throw std::invalid_argument("no step " + step);
  }

  void ask() {
    Outgoing out = test::outgoing_from_text(request_.text(), mux_.dialect());
    held_ = out.payload.owner ? out.payload.owner : out.destination.owner;
    memory_ = held_;
    destination_ = out.destination.bytes;
    id_ = mux_.submit(std::move(out));
  }
  void lose() {
    dead_ = true;
    mux_.connection_lost(Error::connection_lost);
  }

  void write(std::size_t most) {
    while (most > 0) {
      std::size_t written = 0;
      for (const ByteView view : mux_.outgoing()) {
        const std::size_t part = std::min(view.size(), most - written);
        wire_ += test::as_text(view.first(part));
        written += part;
      }
      if (written == 0)
        return;
      mux_.sent(written);
      most -= written;
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

  /// "TF": the whole frames of `wire`; anything that is neither of them shows.
  std::string frames_of(std::string_view wire) const {
    const std::string request = with_tag(request_, 0);
    Golden flush = message_of("Tflush", request_.message.dialect);
    flush.values.front().number = 0;
    const std::string tflush = with_tag(flush, 1);
    std::string frames;
    for (const auto& [frame, letter] : {std::pair{request, 'T'}, std::pair{tflush, 'F'}}) {
      if (wire.starts_with(frame)) {
        frames += letter;
        wire.remove_prefix(frame.size());
      }
    }
    const bool begun = frames.empty() && request.starts_with(wire);
    return wire.empty() || begun ? frames : frames + " and what it must not send";
  }

  void take_events() {
    while (const auto event = mux_.next_event())
      told_ += (told_.empty() ? "" : ", ") + name_of(*event);
  }

  std::string name_of(const Event& event) {
    using Kind = Event::Kind;
    dead_ = dead_ || event.kind == Kind::broken;
    if (event.kind != Kind::broken && event.kind != Kind::late && event.id != id_)
      return "event of nobody's";
    switch (event.kind) {
      case Kind::replied: {
        const std::string name = "replied" + name_of_reply(event.reply, destination_);
        let_go();
        return name;
      }
      case Kind::cancelled:
        let_go();
        return (event.sent ? "cancelled" : "cancelled unsent") + fid_of(event) +
               unless(event.error, Error::cancelled);
      case Kind::abandoned:
        let_go();
        return "abandoned" + fid_of(event) + unless(event.error, Error::abandoned);
      case Kind::failed:
        let_go();
        return "failed" + unless(event.error, Error::connection_lost);
      case Kind::settled:
        if (event.replied)
          return "settled by reply" + name_of_reply(event.reply, {}) + fid_of(event);
        return "settled" + fid_of(event) + unless(event.error, Error::cancelled);
      case Kind::late:
        return "late" + std::string(event.reply.error ? " error" : "") + fid_of(event);
      case Kind::broken:
        return "broken";
    }
    return {};
  }
  void let_go() {
    held_ = nullptr;
    destination_ = {};
  }
  static std::string unless(error_code error, Error expected) {
    return error == expected ? "" : " (" + error.message() + ")";
  }
  std::string fid_of(const Event& event) const {
    if (event.created == kNoFid)
      return "";
    return event.created == made_by(request_) ? "+fid" : "+wrong fid";
  }
  /// Says so if it is not what the server sent.
  std::string name_of_reply(const Reply& reply, ByteView destination) const {
    if (reply.error)
      return reply.error.category() == server_category() ? " with error" : " with wrong error";
    const std::string name = 'R' + request_.message.name.substr(1);
    const Golden golden = message_of(name, request_.message.dialect);
    const std::string body = golden.frame().substr(kHeaderSize);
    const bool data = name == "Rread" || name == "Rreaddir";
    const std::string whole =
        test::as_text(reply.body) +
        (destination.empty() ? "" : test::as_text(destination.first(reply.data_size)));
    const bool own = data && destination.empty() ? body.starts_with(whole) : body == whole;
    return own && to_int(reply.type) == test::type_number(name) ? "" : " with another's reply";
  }

  Golden request_;
  Multiplexer mux_;
  TimePoint now_{std::chrono::seconds(1000)};
  RequestId id_;
  std::shared_ptr<const void> held_;  // by the caller, until the outcome
  std::weak_ptr<const void> memory_;
  ByteView destination_;
  bool dead_ = false;
  std::string wire_, told_;
};

/// `told` for a request that makes no fid.
std::string without_fid(std::string told) {
  for (std::size_t at = 0; (at = told.find("+fid", at)) != told.npos;)
    told.erase(at, 4);
  return told;
}

void expect_cell(const Golden& request, const Way& way) {
  SCOPED_TRACE(request.message.name + " of " + request.message.dialect + ": " +
               std::string(way.name));
  Cell cell(request);
  cell.play(way.steps);
  const std::string told(way.told);
  EXPECT_EQ(cell.told(), made_by(request) == kNoFid ? without_fid(told) : told);
  EXPECT_EQ(cell.sent(), way.sent);
  EXPECT_TRUE(cell.waits() || cell.memory_is_let_go());
  EXPECT_EQ(cell.left(), way.left);
}

TEST(CancellationMatrix, EveryRequestOfEveryDialectCancelledInEveryWay) {
  std::size_t cells = 0;
  for (const Golden& request : requests()) {
    for (std::size_t i = 0; i < std::size(kFlushed); ++i, ++cells)
      expect_cell(request, is_flushed(request) ? kFlushed[i] : kNotFlushed[i]);
  }
  std::cout << requests().size() << " requests, " << std::size(kFlushed) << " ways: " << cells
            << " cells\n";
}

TEST(CancellationMatrix, HasTheSameWaysForWhatIsFlushedAndWhatIsNot) {
  ASSERT_EQ(std::size(kFlushed), std::size(kNotFlushed));
  for (std::size_t i = 0; i < std::size(kFlushed); ++i)
    EXPECT_EQ(kFlushed[i].name, kNotFlushed[i].name);
}

TEST(CancellationMatrix, HasEveryRequestThatThereIs) {
  std::set<std::string_view> missing;
  boost::mp11::mp_for_each<boost::mp11::mp_transform<std::type_identity, AllMessages>>(
      [&](auto identity) {
        using T = typename decltype(identity)::type;
        if constexpr (Request<T>)
          missing.insert(T::kName);
      });
  for (const Golden& request : requests())
    missing.erase(request.message.name);
  EXPECT_EQ(missing, (std::set<std::string_view>{"Tflush", "Tversion"}));
}

}  // namespace
}  // namespace fuse9p::proto
