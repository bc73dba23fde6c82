// SPDX-License-Identifier: MIT
// The cases that a thread on the kernel's mailing list went through in July 2015 ("[git pull] vfs
// part 2"), when replies reached requests that had not asked for them: a write, its flush, and each
// order in which the answers can come. Its tags, too: the write has tag 3, the Tflush tag 42.
#include "proto/multiplexer.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/talk.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace fuse9p::proto {
namespace {

using std::chrono::seconds;
using test::expect_talk;
using test::few_tags;
using test::Talk;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

ByteView bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

/// So many requests come and are answered at once: as many tags go to the back of the queue.
void pass_tags(Talk& talk, std::size_t count) {
  for (; count > 0; --count) {
    const std::string said = talk.play("ask passing Tfsync fid 9 datasync 0");
    const std::size_t tag = said.find("tag ");
    ASSERT_NE(tag, std::string::npos) << said;
    talk.play("<- Rfsync " + said.substr(tag, said.find(' ', tag + 4) - tag));
  }
}

/// So many requests come, and are left without an answer.
void fill_tags(Talk& talk, std::size_t count) {
  for (; count > 0; --count)
    talk.play("ask filling Tfsync fid 9 datasync 0");
}

/// Tags 0..63, of which 3 is the write's.
class ThreadsOwn : public testing::Test {
 protected:
  Talk talk{few_tags(64)};

  void SetUp() override {
    pass_tags(talk, 3);
    expect_talk(talk, R"(
      ask write Twrite fid 1 offset 0 data hello
      -> Twrite tag 3 fid 1 offset 0 data hello
    )");
    pass_tags(talk, 38);
    expect_talk(talk, R"(
      cancel write
      -> Tflush tag 42 oldtag 3
    )");
  }
  /// The Rflush comes without the reply, quarantine ends, and tag 3 is the next to be handed out.
  void let_quarantine_pass() {
    expect_talk(talk, R"(
      <- Rflush tag 42
      ! write cancelled
      wait 10000
    )");
    pass_tags(talk, 65);
  }
};

// ---- (a) Twrite 3, Tflush 42, Rwrite 3, Rflush 42

TEST_F(ThreadsOwn, WriteThatIsAnsweredBeforeRflushCountsAndItsTagIsFreeOnlyAtRflush) {
  expect_talk(talk, R"(
    <- Rwrite tag 3 count 5
    ! write replied Rwrite count 5
    state
    = outstanding 0 unresolved 1 tags 2
    <- Rflush tag 42
    state
    = outstanding 0 unresolved 0 tags 0
  )");
  EXPECT_EQ(talk.mux().counters().honoured, 1U);
  EXPECT_EQ(talk.mux().counters().cancelled, 0U);
}

TEST_F(ThreadsOwn, AnswersOfOneReadCountInTheirOrder) {
  expect_talk(talk, R"(
    <- Rwrite tag 3 count 5 | Rflush tag 42
    ! write replied Rwrite count 5
    state
    = outstanding 0 unresolved 0 tags 0
  )");
}

TEST_F(ThreadsOwn, TagOfAnAnsweredWriteGoesAroundWithTheOthersBehindRflush) {
  expect_talk(talk, R"(
    <- Rwrite tag 3 count 5 | Rflush tag 42
    ! write replied Rwrite count 5
  )");
  pass_tags(talk, 63);
  expect_talk(talk, R"(
    ask other Tfsync fid 2 datasync 0
    -> Tfsync tag 3 fid 2 datasync 0
  )");
}

// ---- (b) the same while somebody waits for a tag

/// Tags 0..42; all are taken but 42, which is the reserve.
TEST(FlushCases, RequestThatWaitsForATagDoesNotGetTheWritesBetweenItsReplyAndRflush) {
  Talk talk(few_tags(43));
  fill_tags(talk, 3);
  talk.play("ask write Twrite fid 1 offset 0 data hello");
  fill_tags(talk, 38);
  expect_talk(talk, R"(
    ask first Tfsync fid 2 datasync 0
    ask second Tfsync fid 3 datasync 0
    cancel write
    -> Tflush tag 42 oldtag 3
    <- Rwrite tag 3 count 5
    ! write replied Rwrite count 5
    wait 100000
    # nobody was given tag 3 so far
    <- Rflush tag 42
    -> Tfsync tag 42 fid 2 datasync 0
    <- Rfsync tag 42
    ! first replied Rfsync
    -> Tfsync tag 3 fid 3 datasync 0
  )");
}

TEST(FlushCases, RequestThatWaitsGetsTheTagsAtRflushEvenWithoutAReserve) {
  expect_talk(few_tags(2, 0), R"(
    ask write Twrite fid 1 offset 0 data hello
    -> Twrite tag 0 fid 1 offset 0 data hello
    cancel write
    -> Tflush tag 1 oldtag 0
    ask next Tclunk fid 2
    ask last Tclunk fid 3
    <- Rwrite tag 0 count 5
    ! write replied Rwrite count 5
    <- Rflush tag 1
    -> Tclunk tag 1 fid 2
    -> Tclunk tag 0 fid 3
  )");
}

// ---- (c) Rwrite 3 behind Rflush 42: no server may, some do

TEST_F(ThreadsOwn, ReplyBehindRflushIsDroppedAndCountedHoweverOftenItComes) {
  expect_talk(talk, R"(
    <- Rflush tag 42
    ! write cancelled
    <- Rwrite tag 3 count 5
    ! late Rwrite count 5
    <- Rwrite tag 3 count 5
    ! late Rwrite count 5
    state
    = outstanding 0 unresolved 0 tags 0
  )");
  EXPECT_EQ(talk.mux().counters().late, 2U);
  EXPECT_EQ(talk.mux().counters().replies, 41U) << "those of the requests that passed";
}

TEST(FlushCases, RequestsWaitRatherThanTakeAQuarantinedTag) {
  expect_talk(few_tags(2, 0), R"(
    ask write Twrite fid 1 offset 0 data hello
    -> Twrite tag 0 fid 1 offset 0 data hello
    cancel write
    -> Tflush tag 1 oldtag 0
    <- Rflush tag 1
    ! write cancelled
    ask a Tclunk fid 1
    -> Tclunk tag 1 fid 1
    ask b Tclunk fid 2
    deadline
    = deadline in 2000
    wait 9999
    deadline
    = deadline in 1
    <- Rwrite tag 0 count 5
    ! late Rwrite count 5
    wait 1
    -> Tclunk tag 0 fid 2
  )");
}

TEST_F(ThreadsOwn, LateReplyBehindQuarantineEndsTheConnectionWhileNobodyHoldsTheTag) {
  let_quarantine_pass();
  EXPECT_THAT(talk.play("<- Rwrite tag 3 count 5"),
              AllOf(HasSubstr("! broken"), HasSubstr("Rwrite tag 3"), HasSubstr("no request")));
}

TEST_F(ThreadsOwn, LateReplyBehindQuarantineEndsTheConnectionIfItsTypeIsNotTheNewOwners) {
  let_quarantine_pass();
  expect_talk(talk, R"(
    ask other Tfsync fid 2 datasync 0
    -> Tfsync tag 3 fid 2 datasync 0
  )");
  EXPECT_THAT(talk.play("<- Rwrite tag 3 count 5"),
              AllOf(HasSubstr("! broken"), HasSubstr("Rwrite tag 3"), HasSubstr("Tfsync"),
                    Not(HasSubstr("other replied"))));
}

/// The limit of what any client can do, pinned down: a reply carries a tag and a type and nothing
/// else that says which request it answers. A server that answers the old write so late is taken
/// to answer the new one; that it lied shows only at the second reply.
TEST_F(ThreadsOwn, LateReplyBehindQuarantineIsTakenForTheNewOwnersIfItIsOfTheRightType) {
  let_quarantine_pass();
  expect_talk(talk, R"(
    ask new Twrite fid 2 offset 0 data goodbye
    -> Twrite tag 3 fid 2 offset 0 data goodbye
    # the old write's five bytes
    <- Rwrite tag 3 count 5
    ! new replied Rwrite count 5
  )");
  EXPECT_THAT(talk.play("<- Rwrite tag 3 count 7"),
              AllOf(HasSubstr("! broken"), HasSubstr("Rwrite tag 3"), HasSubstr("no request")));
}

// ---- (d) given up on this side only

// What the kernel did wrong in 2015: a request was given up after it had been sent, and its tag
// went back to the pool without a word to the server, whose reply then met the tag's next owner.

constexpr std::string_view kWrite = "ask write Twrite fid 1 offset 0 data hello";
constexpr std::size_t kWriteSize = 23 + 5;

/// The write is given up when so many of its bytes were sent; whatever is still to be sent waits.
void give_up_behind(std::size_t bytes, Talk& talk) {
  talk.play("hold\n" + std::string(kWrite) + "\nwrite " + std::to_string(bytes));
  EXPECT_EQ(talk.play("cancel write\n wait 2000"), "cancel write\nwait 2000\n! write abandoned\n");
}

TEST(FlushCases, TagOfARequestGivenUpBehindAnyOfItsBytesNeverReturnsByItself) {
  for (std::size_t bytes = 1; bytes <= kWriteSize; ++bytes) {
    SCOPED_TRACE("behind byte " + std::to_string(bytes));
    Talk talk(few_tags(8));
    give_up_behind(bytes, talk);
    talk.play("go");
    for (int round = 0; round < 30; ++round) {
      const std::string said = talk.play("wait 100000\n ask other Tfsync fid 2 datasync 0");
      ASSERT_THAT(said, HasSubstr("-> Tfsync tag"));
      ASSERT_THAT(said, Not(HasSubstr("-> Tfsync tag 0 ")));
      talk.play("<- Rfsync " + said.substr(said.find("tag "), 5));
    }
    EXPECT_EQ(talk.play("state"), "state\n= outstanding 0 unresolved 1 tags 2\n");
  }
}

TEST(FlushCases, RequestGivenUpBehindAnyOfItsBytesIsFinishedAndFlushed) {
  for (std::size_t bytes = 1; bytes <= kWriteSize; ++bytes) {
    SCOPED_TRACE("behind byte " + std::to_string(bytes));
    Talk talk(few_tags(8));
    give_up_behind(bytes, talk);
    const std::string request = "-> Twrite tag 0 fid 1 offset 0 data hello\n";
    EXPECT_EQ(talk.play("go"),
              "go\n" + (bytes < kWriteSize ? request : "") + "-> Tflush tag 1 oldtag 0\n");
    expect_talk(talk, R"(
      <- Rflush tag 1
      ! write settled by Rflush
      state
      = outstanding 0 unresolved 0 tags 0
      <- Rwrite tag 0 count 5
      ! late Rwrite count 5
    )");
  }
}

TEST(FlushCases, ReplyToARequestGivenUpSettlesItAndTheTagWaitsForRflush) {
  Talk talk(few_tags(8));
  give_up_behind(kWriteSize, talk);
  expect_talk(talk, R"(
    go
    -> Tflush tag 1 oldtag 0
    <- Rwrite tag 0 count 5
    ! write settled Rwrite count 5
    state
    = outstanding 0 unresolved 1 tags 2
    <- Rflush tag 1
    state
    = outstanding 0 unresolved 0 tags 0
  )");
}

/// The reply alone is enough if the Tflush was not sent yet.
TEST(FlushCases, ReplyToARequestGivenUpFreesItsTagIfNoByteOfTheTflushWasSent) {
  Talk talk(few_tags(8));
  give_up_behind(kWriteSize, talk);
  expect_talk(talk, R"(
    <- Rwrite tag 0 count 5
    ! write settled Rwrite count 5
    state
    = outstanding 0 unresolved 0 tags 0
    go
  )");
}

TEST(FlushCases, RequestGivenUpBeforeItsFirstByteReturnsItsTagAtOnce) {
  expect_talk(few_tags(2), "hold\n" + std::string(kWrite) + R"(
    cancel write
    ! write cancelled unsent
    go
    ask a Tfsync fid 2 datasync 0
    -> Tfsync tag 1 fid 2 datasync 0
    <- Rfsync tag 1
    ! a replied Rfsync
    ask b Tfsync fid 2 datasync 0
    -> Tfsync tag 0 fid 2 datasync 0
  )");
}

// ---- a server that reads everything and answers what it is told to

class Server {
 public:
  explicit Server(Multiplexer& mux) : mux_(mux) {}

  struct Heard {
    MessageType type;
    std::uint16_t tag, oldtag;
  };
  /// Takes all that the client has to send.
  std::vector<Heard> hear() {
    std::string wire;
    while (!mux_.outgoing().empty()) {
      std::size_t written = 0;
      for (const ByteView view : mux_.outgoing()) {
        wire += test::as_text(view);
        written += view.size();
      }
      mux_.sent(written);
    }
    std::vector<Heard> heard;
    for (std::string_view rest = wire; !rest.empty();) {
      const ByteView bytes = bytes_of(rest);
      const Header header = decode_header(bytes.first<kHeaderSize>());
      heard.push_back({header.type, to_int(header.tag), 0xFFFF});
      if (header.type == MessageType::Tflush)
        heard.back().oldtag =
            to_int(decode<Tflush>(bytes.subspan(kHeaderSize, 2), Dialect::l).value().oldtag);
      rest.remove_prefix(header.size);
    }
    return heard;
  }
  void say(MessageType type, std::uint16_t tag) {
    out_ += std::string("\7\0\0\0", 4) + static_cast<char>(to_int(type)) +
            static_cast<char>(tag & 0xFF) + static_cast<char>(tag >> 8);
  }
  /// What it said arrives; the events that come of it.
  std::vector<Event> arrive() {
    std::vector<Event> events;
    for (ByteView rest = bytes_of(out_); !rest.empty();) {
      const std::span<std::byte> room = mux_.prepare()[0];
      const std::size_t part = std::min(room.size(), rest.size());
      std::ranges::copy(rest.first(part), room.begin());
      rest = rest.subspan(part);
      mux_.received(part);
      take(events);
    }
    take(events);
    out_.clear();
    return events;
  }

 private:
  void take(std::vector<Event>& events) {
    while (auto event = mux_.next_event())
      events.push_back(std::move(*event));
  }

  Multiplexer& mux_;
  std::string out_;
};

Outgoing fsync_request() {
  return outgoing(Tfsync{.fid = Fid{1}}, Dialect::l);
}

// ---- (e) all 65,535 tags at once

struct Storm {
  static constexpr std::size_t kRequests = 66000;  // more than there are tags
  static constexpr std::size_t kTags = 0xFFFF - TagLimits{}.flush_reserve;

  Multiplexer mux{Dialect::l, 8192};
  Server server{mux};
  std::vector<RequestId> ids;
  std::set<std::uint16_t> tags;

  Storm() {
    mux.tick(TimePoint(seconds(1000)));
    for (std::size_t i = 0; i < kRequests; ++i)
      ids.push_back(mux.submit(fsync_request()));
    for (const auto& heard : server.hear())
      tags.insert(heard.tag);
  }
};

TEST(FlushCases, AllTagsButTheReserveAreUsedOnceAndTheOtherRequestsWait) {
  Storm storm;
  EXPECT_EQ(storm.tags.size(), Storm::kTags);
  EXPECT_FALSE(storm.tags.contains(0xFFFF));
  EXPECT_EQ(storm.mux.tags_in_use(), Storm::kTags);
  storm.server.say(MessageType::Rfsync, 5);
  EXPECT_EQ(storm.server.arrive().size(), 1U);
  EXPECT_EQ(storm.server.hear().size(), 1U) << "one waits for each tag that comes free";
}

TEST(FlushCases, StormOfInterruptsOverAllTagsDrainsThroughTheReserve) {
  Storm storm;
  for (const RequestId id : storm.ids)
    storm.mux.cancel(id);
  EXPECT_EQ(storm.server.arrive().size(), Storm::kRequests - Storm::kTags) << "those unsent";
  std::size_t cancelled = 0;
  std::set<std::uint16_t> flushed;
  for (;;) {
    const std::vector<Server::Heard> heard = storm.server.hear();
    if (heard.empty())
      break;
    for (const auto& [type, tag, oldtag] : heard) {
      ASSERT_EQ(type, MessageType::Tflush);
      ASSERT_TRUE(flushed.insert(oldtag).second) << "second Tflush of " << oldtag;
      storm.server.say(MessageType::Rflush, tag);
    }
    for (const Event& event : storm.server.arrive()) {
      ASSERT_EQ(event.kind, Event::Kind::cancelled) << event.detail;
      ++cancelled;
    }
  }
  EXPECT_EQ(cancelled, Storm::kTags);
  EXPECT_EQ(flushed, storm.tags);
  EXPECT_EQ(storm.mux.outstanding(), 0U);
  EXPECT_EQ(storm.mux.tags_in_use(), 0U);
}

TEST(FlushCases, StormOfInterruptsAndRepliesDrains) {
  Storm storm;
  std::mt19937 random(test::new_seed());
  for (const RequestId id : storm.ids)
    storm.mux.cancel(id);
  const std::size_t unsent = storm.server.arrive().size();
  std::size_t replied = 0, cancelled = 0;
  std::vector<std::uint16_t> in_any_order(storm.tags.begin(), storm.tags.end());
  std::ranges::shuffle(in_any_order, random);
  std::vector<bool> done(0xFFFF);
  while (storm.mux.outstanding() > 0) {
    for (int replies = 0; replies < 100 && !in_any_order.empty(); in_any_order.pop_back()) {
      if (done[in_any_order.back()])
        continue;
      storm.server.say(MessageType::Rfsync, in_any_order.back());
      ++replies;
    }
    for (const auto& heard : storm.server.hear()) {
      done[heard.oldtag] = true;
      storm.server.say(MessageType::Rflush, heard.tag);
    }
    for (const Event& event : storm.server.arrive()) {
      ASSERT_NE(event.kind, Event::Kind::broken) << event.detail;
      ++(event.kind == Event::Kind::replied ? replied : cancelled);
    }
  }
  EXPECT_EQ(unsent + replied + cancelled, Storm::kRequests);
  EXPECT_EQ(storm.mux.tags_in_use(), 0U);
  EXPECT_EQ(storm.mux.unresolved(), 0U);
}

// ---- (f) tags that go around, and one that does not

TEST(FlushCases, TagOfARequestStuckForEverIsNeverHandedOutHoweverOftenTheOthersGoAround) {
  constexpr std::size_t kRounds = 5, kWindow = 1000;
  Multiplexer mux(Dialect::l, 8192);
  Server server(mux);
  std::mt19937 random(test::new_seed());
  TimePoint now{seconds(1000)};
  mux.tick(now);
  mux.cancel(mux.submit(fsync_request()));  // no byte of it is sent: tag 0 goes to the back
  const RequestId stuck = mux.submit(fsync_request());
  ASSERT_EQ(server.hear().at(0).tag, 1);
  mux.cancel(stuck);
  ASSERT_EQ(server.hear().at(0).oldtag, 1);
  mux.tick(now += seconds(2));
  ASSERT_EQ(server.arrive().size(), 2U) << "one cancelled unsent, one abandoned";

  std::vector<std::size_t> uses(0xFFFF);
  for (std::size_t done = 0; done < kRounds * uses.size(); done += kWindow) {
    for (std::size_t i = 0; i < kWindow; ++i)
      mux.submit(fsync_request());
    std::vector<Server::Heard> heard = server.hear();
    std::ranges::shuffle(heard, random);
    for (const Server::Heard& request : heard) {
      ++uses[request.tag];
      server.say(MessageType::Rfsync, request.tag);
    }
    for (const Event& event : server.arrive())
      ASSERT_EQ(event.kind, Event::Kind::replied) << event.detail;
    mux.tick(now += seconds(1));
  }
  EXPECT_EQ(uses[1], 0U) << "tag of the request";
  EXPECT_EQ(uses[2], 0U) << "tag of its Tflush";
  uses.erase(uses.begin() + 1, uses.begin() + 3);
  EXPECT_GE(std::ranges::min(uses), kRounds - 1);
  EXPECT_EQ(mux.tags_in_use(), 2U);
  EXPECT_EQ(mux.unresolved(), 1U);
}

// ---- (g) how replies come

TEST(FlushCases, RepliesOfOneReadAreDeliveredInTheirOrder) {
  expect_talk(few_tags(), R"(
    ask a Tclunk fid 1
    -> Tclunk tag 0 fid 1
    ask b Tread fid 2 offset 0 count 9
    -> Tread tag 1 fid 2 offset 0 count 9
    ask c Tclunk fid 3
    -> Tclunk tag 2 fid 3
    <- Rclunk tag 2 | Rread tag 1 data hello | Rclunk tag 0
    ! c replied Rclunk
    ! b replied Rread data hello
    ! a replied Rclunk
  )");
}

/// Four requests, one of them flushed, are answered in the order of `order`.
void expect_answers_in_order(const std::vector<std::size_t>& order, std::size_t read_at_most) {
  struct Answer {
    std::string frame, event;
  };
  const std::vector<Answer> answers = {
      {"Rwrite tag 0 count 5", "! write replied Rwrite count 5\n"},
      {"Rread tag 1 data world", "! read replied Rread data world\n"},
      {"Rwalk tag 2 qid (0x1 0 0x80)", "! walk replied Rwalk qid (0x1 0 0x80)\n"},
      {"Rflush tag 3", ""},
  };
  Talk talk(few_tags());
  talk.read_at_most(read_at_most);
  talk.play(std::string(kWrite) + R"(
    ask read Tread fid 2 offset 0 count 9
    ask walk Twalk fid 3 newfid 4 wname x
    cancel write
  )");
  std::string frames, events;
  const bool cancelled = std::ranges::find(order, 3U) < std::ranges::find(order, 0U);
  for (const std::size_t i : order) {
    frames += (frames.empty() ? "" : " | ") + answers[i].frame;
    if (cancelled && (i == 0 || i == 3))  // the write's reply comes behind its Rflush
      events += i == 3 ? "! write cancelled\n" : "! late Rwrite count 5\n";
    else
      events += answers[i].event;
  }
  EXPECT_EQ(talk.play("<- " + frames), "<- " + frames + '\n' + events);
  EXPECT_EQ(talk.play("state"), "state\n= outstanding 0 unresolved 0 tags 0\n");
}

TEST(FlushCases, RepliesInAnyOrderAndInReadsOfAnySizeAreHandledInOrderOfArrival) {
  for (std::vector<std::size_t> order = {0, 1, 2, 3};;) {
    for (const std::size_t read_at_most : {Talk::kAll, std::size_t{1}, std::size_t{2},
                                           std::size_t{7}, std::size_t{10}, std::size_t{30}}) {
      SCOPED_TRACE(testing::PrintToString(order) + " in reads of " + std::to_string(read_at_most));
      expect_answers_in_order(order, read_at_most);
    }
    if (!std::ranges::next_permutation(order).found)
      break;
  }
}

TEST(FlushCases, ReplyInTwoReadsCountsWhereItEnds) {
  const std::string reply = [] {
    const auto frame = from_text("Rwrite tag 0 count 5", Dialect::l).value();
    return test::as_text({frame.data(), frame.size()});
  }();
  for (std::size_t first = 1; first < reply.size(); ++first) {
    Talk talk(few_tags());
    talk.play(std::string(kWrite) + "\n cancel write");
    talk.feed(bytes_of(reply).first(first));
    talk.take_events();
    EXPECT_EQ(talk.said(), "") << first;
    talk.feed(bytes_of(reply).subspan(first));
    talk.take_events();
    EXPECT_EQ(talk.said(), "! write replied Rwrite count 5\n") << first;
  }
}

}  // namespace
}  // namespace fuse9p::proto
