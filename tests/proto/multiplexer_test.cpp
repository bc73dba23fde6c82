// SPDX-License-Identifier: MIT
// The table at the top of multiplexer.cpp, cell by cell, and the histories that made us write it.
// flush_cases_test.cpp has the worked examples of flush(5), cancellation_matrix_test.cpp every
// T-message, and multiplexer_model_test.cpp goes through all short histories.
#include "proto/multiplexer.hpp"

#include "proto/fid_pool.hpp"
#include "tests/support/talk.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

namespace fuse9p::proto {
namespace {

using test::expect_talk;
using test::few_tags;
using test::Talk;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string frame_of(std::string_view text) {
  const auto frame = from_text(text, Dialect::l).value();
  return test::as_text({frame.data(), frame.size()});
}

ByteView bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

/// Why the connection ends when `reply` comes after `before`.
std::string broken_by(std::string_view before, std::string_view reply) {
  Talk talk(few_tags());
  talk.play(before);
  const std::string said = talk.play("<- " + std::string(reply));
  const std::string_view words = "! broken ";
  const std::size_t at = said.find(words);
  EXPECT_NE(at, std::string::npos) << said;
  return at == std::string::npos ? "" : said.substr(at + words.size());
}

constexpr std::string_view kQueued = R"(
    hold
    ask w Twrite fid 1 offset 0 data hello
)";
constexpr std::string_view kPartlyWritten = R"(
    hold
    ask w Twrite fid 1 offset 0 data hello
    write 1
)";
constexpr std::string_view kInFlight = R"(
    ask w Twrite fid 1 offset 0 data hello
    -> Twrite tag 0 fid 1 offset 0 data hello
)";
constexpr std::string_view kFlushing = R"(
    ask w Twrite fid 1 offset 0 data hello
    -> Twrite tag 0 fid 1 offset 0 data hello
    cancel w
    -> Tflush tag 1 oldtag 0
)";
constexpr std::string_view kAnswered = R"(
    ask w Twrite fid 1 offset 0 data hello
    -> Twrite tag 0 fid 1 offset 0 data hello
    cancel w
    -> Tflush tag 1 oldtag 0
    <- Rwrite tag 0 count 5
    ! w replied Rwrite count 5
)";
constexpr std::string_view kAbandoned = R"(
    ask w Twrite fid 1 offset 0 data hello
    -> Twrite tag 0 fid 1 offset 0 data hello
    cancel w
    -> Tflush tag 1 oldtag 0
    wait 2000
    ! w abandoned
)";
constexpr std::string_view kQuarantined = R"(
    ask w Twrite fid 1 offset 0 data hello
    -> Twrite tag 0 fid 1 offset 0 data hello
    cancel w
    -> Tflush tag 1 oldtag 0
    <- Rflush tag 1
    ! w cancelled
)";
/// One Tflush is out and no tag is left for a second.
constexpr std::string_view kWantsFlush = R"(
    ask a Tfsync fid 1 datasync 0
    -> Tfsync tag 0 fid 1 datasync 0
    ask b Tclunk fid 2
    -> Tclunk tag 1 fid 2
    ask w Twrite fid 3 offset 0 data hello
    -> Twrite tag 2 fid 3 offset 0 data hello
    cancel a
    -> Tflush tag 3 oldtag 0
    cancel w
)";

/// `before` happens as it says, and so does the rest.
void expect_talk_after(std::string_view before, std::string_view rest) {
  expect_talk(few_tags(), std::string(before) + std::string(rest));
}

// ---- queued

TEST(Multiplexer, QueuedRequestIsSentOnceTheSocketTakesIt) {
  expect_talk_after(kQueued, R"(
    go
    -> Twrite tag 0 fid 1 offset 0 data hello
  )");
}

TEST(Multiplexer, QueuedRequestThatIsCancelledSendsNoByte) {
  expect_talk_after(kQueued, R"(
    cancel w
    ! w cancelled unsent
    state
    = outstanding 0 unresolved 0 tags 0
    go
  )");
}

TEST(Multiplexer, RequestCancelledWhileItWaitsForATagSendsNoByte) {
  expect_talk(few_tags(2), R"(
    ask a Tclunk fid 1
    -> Tclunk tag 0 fid 1
    ask b Tclunk fid 2
    cancel b
    ! b cancelled unsent
    <- Rclunk tag 0
    ! a replied Rclunk
    state
    = outstanding 0 unresolved 0 tags 0
  )");
}

TEST(Multiplexer, CancellingAQueuedRequestGivesItsTagToTheNext) {
  expect_talk(few_tags(2), R"(
    hold
    ask a Tclunk fid 1
    ask b Tclunk fid 2
    cancel a
    ! a cancelled unsent
    go
    -> Tclunk tag 1 fid 2
  )");
}

TEST(Multiplexer, ReplyToAQueuedRequestEndsTheConnection) {
  EXPECT_THAT(broken_by(kQueued, "Rwrite tag 0 count 5"),
              AllOf(HasSubstr("Rwrite tag 0"), HasSubstr("Twrite")));
}

TEST(Multiplexer, DataForAQueuedReadEndsTheConnection) {
  EXPECT_THAT(broken_by("hold\n ask r Tread fid 1 offset 0 count 9", "Rread tag 0 data hello"),
              AllOf(HasSubstr("Rread tag 0"), HasSubstr("Tread")));
}

/// Only the header has come when the request is withdrawn, and its slot is the next one's.
TEST(Multiplexer, ReplyBegunForAQueuedRequestDoesNotGoToTheNextOneInItsSlot) {
  Talk talk(few_tags());
  talk.play(kQueued);
  const std::string reply = frame_of("Rwrite tag 0 count 5");
  talk.feed(bytes_of(reply).first(kHeaderSize));
  talk.take_events();
  std::string said = talk.said();
  said += talk.play("cancel w\n ask next Twrite fid 2 offset 0 data goodbye\n go");
  talk.feed(bytes_of(reply).subspan(kHeaderSize));
  talk.take_events();
  said += talk.said();
  EXPECT_THAT(said, AllOf(HasSubstr("! broken"), HasSubstr("Rwrite tag 0"),
                          Not(HasSubstr("next replied"))));
}

TEST(Multiplexer, QueuedRequestFailsWhenTheConnectionIsLost) {
  expect_talk_after(kQueued, R"(
    lost
    ! w failed connection lost
    state
    = outstanding 0 unresolved 0 tags 1
    go
  )");
}

// ---- partly written

TEST(Multiplexer, PartlyWrittenRequestThatIsCancelledIsFinishedAndThenFlushed) {
  expect_talk_after(kPartlyWritten, R"(
    cancel w
    write 20
    go
    -> Twrite tag 0 fid 1 offset 0 data hello
    -> Tflush tag 1 oldtag 0
    <- Rflush tag 1
    ! w cancelled
  )");
}

TEST(Multiplexer, FlushOfAPartlyWrittenRequestDoesNotTakeTheBytesOfTheNextForItsOwn) {
  expect_talk_after(kPartlyWritten, R"(
    ask c Tclunk fid 2
    cancel w
    go
    -> Twrite tag 0 fid 1 offset 0 data hello
    -> Tclunk tag 1 fid 2
    -> Tflush tag 2 oldtag 0
    <- Rclunk tag 1 | Rflush tag 2
    ! c replied Rclunk
    ! w cancelled
  )");
}

TEST(Multiplexer, SecondCancelOfAPartlyWrittenRequestDoesNothing) {
  expect_talk_after(kPartlyWritten, R"(
    cancel w
    cancel w
    go
    -> Twrite tag 0 fid 1 offset 0 data hello
    -> Tflush tag 1 oldtag 0
  )");
}

TEST(Multiplexer, ReplyToAPartlyWrittenRequestEndsTheConnection) {
  EXPECT_THAT(broken_by(kPartlyWritten, "Rwrite tag 0 count 5"),
              AllOf(HasSubstr("Rwrite tag 0"), HasSubstr("Twrite")));
}

TEST(Multiplexer, PartlyWrittenRequestIsAbandonedAtTheDeadlineAndStillFinishedAndFlushed) {
  expect_talk_after(kPartlyWritten, R"(
    cancel w
    wait 2000
    ! w abandoned
    state
    = outstanding 0 unresolved 1 tags 1
    go
    -> Twrite tag 0 fid 1 offset 0 data hello
    -> Tflush tag 1 oldtag 0
    <- Rflush tag 1
    ! w settled by Rflush
  )");
}

TEST(Multiplexer, PartlyWrittenRequestFailsWhenTheConnectionIsLost) {
  expect_talk_after(kPartlyWritten, R"(
    cancel w
    lost
    ! w failed connection lost
    go
  )");
}

// ---- in flight

TEST(Multiplexer, ReplyFreesTheTag) {
  expect_talk_after(kInFlight, R"(
    <- Rwrite tag 0 count 5
    ! w replied Rwrite count 5
    state
    = outstanding 0 unresolved 0 tags 0
  )");
}

TEST(Multiplexer, ErrorIsAReplyToAnything) {
  expect_talk_after(kInFlight, R"(
    <- Rlerror tag 0 ecode 28
    ! w replied Rlerror ecode 28
    ask x Tclunk fid 1
    -> Tclunk tag 1 fid 1
    <- Rerror tag 1 ename 'no space'
    ! x replied Rerror ename 'no space'
  )");
}

TEST(Multiplexer, CancelSendsOneTflush) {
  expect_talk_after(kInFlight, R"(
    cancel w
    -> Tflush tag 1 oldtag 0
    cancel w
  )");
}

TEST(Multiplexer, RflushToARequestEndsTheConnection) {
  EXPECT_THAT(broken_by(kInFlight, "Rflush tag 0"),
              AllOf(HasSubstr("Rflush tag 0"), HasSubstr("Twrite")));
}

TEST(Multiplexer, RequestInFlightFailsWhenTheConnectionIsLost) {
  expect_talk_after(kInFlight, R"(
    lost
    ! w failed connection lost
  )");
}

// ---- in flight, wants a flush but no tag is left for it

TEST(Multiplexer, FlushWaitsForATag) {
  expect_talk_after(kWantsFlush, R"(
    <- Rclunk tag 1
    ! b replied Rclunk
    -> Tflush tag 1 oldtag 2
    <- Rflush tag 1
    ! w cancelled
  )");
}

TEST(Multiplexer, FlushWaitsForATagBeforeRequestsThatWaitLonger) {
  expect_talk(few_tags(3), R"(
    ask a Tfsync fid 1 datasync 0
    -> Tfsync tag 0 fid 1 datasync 0
    ask w Twrite fid 3 offset 0 data hello
    -> Twrite tag 1 fid 3 offset 0 data hello
    ask waits Tclunk fid 4
    cancel a
    -> Tflush tag 2 oldtag 0
    cancel w
    <- Rfsync tag 0 | Rflush tag 2
    ! a replied Rfsync
    -> Tflush tag 2 oldtag 1
  )");
}

TEST(Multiplexer, ReplyWhileTheFlushWaitsForATagMakesTheFlushNeedless) {
  expect_talk_after(kWantsFlush, R"(
    <- Rwrite tag 2 count 5
    ! w replied Rwrite count 5
    <- Rfsync tag 0 | Rflush tag 3
    ! a replied Rfsync
    state
    = outstanding 1 unresolved 0 tags 1
  )");
}

TEST(Multiplexer, DeadlineFreesTheCallerWhoseFlushWaitsAndTheFlushStillGoesOut) {
  expect_talk_after(kWantsFlush, R"(
    wait 2000
    ! a abandoned
    ! w abandoned
    <- Rclunk tag 1
    ! b replied Rclunk
    -> Tflush tag 1 oldtag 2
    <- Rflush tag 1
    ! w settled by Rflush
  )");
}

TEST(Multiplexer, AbandonedWhileItsFlushWaitsTakesALateReply) {
  expect_talk_after(kWantsFlush, R"(
    wait 2000
    ! a abandoned
    ! w abandoned
    <- Rwrite tag 2 count 5
    ! w settled Rwrite count 5
    state
    = outstanding 1 unresolved 1 tags 3
  )");
}

TEST(Multiplexer, RequestWhoseFlushWaitsFailsWhenTheConnectionIsLost) {
  expect_talk_after(kWantsFlush, R"(
    lost
    ! a failed connection lost
    ! b failed connection lost
    ! w failed connection lost
  )");
}

// ---- flushing; its replies are in flush_cases_test.cpp

TEST(Multiplexer, CancelWhileFlushingDoesNothing) {
  expect_talk_after(kFlushing, R"(
    cancel w
    <- Rflush tag 1
    ! w cancelled
    cancel w
  )");
}

TEST(Multiplexer, RflushWithoutReplyCancels) {
  expect_talk_after(kFlushing, R"(
    <- Rflush tag 1
    ! w cancelled
    state
    = outstanding 0 unresolved 0 tags 0
  )");
}

TEST(Multiplexer, ErrorInAnswerToTflushCountsAsRflush) {
  for (const std::string_view error : {"Rlerror tag 1 ecode 22", "Rerror tag 1 ename 'bad tag'"})
    expect_talk_after(kFlushing, "<- " + std::string(error) + "\n ! w cancelled");
}

TEST(Multiplexer, OtherReplyToTflushEndsTheConnection) {
  EXPECT_THAT(broken_by(kFlushing, "Rclunk tag 1"),
              AllOf(HasSubstr("Rclunk tag 1"), HasSubstr("Tflush")));
  EXPECT_THAT(broken_by(kFlushing, "Rread tag 1 data hello"),
              AllOf(HasSubstr("Rread tag 1"), HasSubstr("Tflush")));
}

TEST(Multiplexer, SilenceAfterTflushAbandonsTheRequestAtTheDeadline) {
  expect_talk_after(kFlushing, R"(
    deadline
    = deadline in 2000
    wait 1999
    deadline
    = deadline in 1
    wait 1
    ! w abandoned
    state
    = outstanding 0 unresolved 1 tags 2
    deadline
    = no deadline
  )");
}

TEST(Multiplexer, RequestBeingFlushedFailsWhenTheConnectionIsLost) {
  expect_talk_after(kFlushing, R"(
    lost
    ! w failed connection lost
  )");
}

TEST(Multiplexer, TflushNotYetSentIsTakenBackWhenTheReplyComes) {
  expect_talk_after(kInFlight, R"(
    hold
    cancel w
    <- Rwrite tag 0 count 5
    ! w replied Rwrite count 5
    state
    = outstanding 0 unresolved 0 tags 0
    go
  )");
}

TEST(Multiplexer, TflushPartlySentWhenTheReplyComesIsFinished) {
  expect_talk_after(kInFlight, R"(
    hold
    cancel w
    write 1
    <- Rwrite tag 0 count 5
    ! w replied Rwrite count 5
    state
    = outstanding 0 unresolved 1 tags 2
    go
    -> Tflush tag 1 oldtag 0
    <- Rflush tag 1
    state
    = outstanding 0 unresolved 0 tags 0
  )");
}

TEST(Multiplexer, RflushToATflushNotYetSentEndsTheConnection) {
  const std::string before = std::string(kInFlight) + "hold\n cancel w\n";
  EXPECT_THAT(broken_by(before, "Rflush tag 1"),
              AllOf(HasSubstr("Rflush tag 1"), HasSubstr("Tflush")));
  EXPECT_THAT(broken_by(before + "write 8", "Rflush tag 1"),
              AllOf(HasSubstr("Rflush tag 1"), HasSubstr("Tflush")));
}

TEST(Multiplexer, TflushGoesBeforeRequestsThatAreStillQueued) {
  expect_talk_after(kInFlight, R"(
    hold
    ask c Tclunk fid 2
    cancel w
    go
    -> Tflush tag 2 oldtag 0
    -> Tclunk tag 1 fid 2
  )");
}

// ---- answered

TEST(Multiplexer, CancelOfAnAnsweredRequestDoesNothing) {
  expect_talk_after(kAnswered, R"(
    cancel w
    <- Rflush tag 1
  )");
}

TEST(Multiplexer, SecondReplyEndsTheConnection) {
  EXPECT_THAT(broken_by(kAnswered, "Rwrite tag 0 count 5"),
              AllOf(HasSubstr("Rwrite tag 0"), HasSubstr("Twrite")));
}

TEST(Multiplexer, SecondDataReplyEndsTheConnection) {
  EXPECT_THAT(broken_by(R"(
                ask r Tread fid 1 offset 0 count 9
                cancel r
                <- Rread tag 0 data hello
              )",
                        "Rread tag 0 data hello"),
              AllOf(HasSubstr("Rread tag 0"), HasSubstr("Tread")));
}

TEST(Multiplexer, DeadlineOfAnAnsweredRequestPassesUnnoticed) {
  expect_talk_after(kAnswered, R"(
    wait 2000
    state
    = outstanding 0 unresolved 1 tags 2
  )");
}

TEST(Multiplexer, AnsweredRequestIsNotFailedWhenTheConnectionIsLost) {
  expect_talk_after(kAnswered, R"(
    lost
    state
    = outstanding 0 unresolved 0 tags 2
  )");
}

// ---- abandoned

TEST(Multiplexer, CancelOfAnAbandonedRequestDoesNothing) {
  expect_talk_after(kAbandoned, R"(
    cancel w
    wait 100000
    state
    = outstanding 0 unresolved 1 tags 2
  )");
}

TEST(Multiplexer, AbandonedRequestIsSettledByItsReplyAndTheTagIsFreeAtRflush) {
  expect_talk_after(kAbandoned, R"(
    <- Rwrite tag 0 count 3
    ! w settled Rwrite count 3
    state
    = outstanding 0 unresolved 1 tags 2
    <- Rflush tag 1
    state
    = outstanding 0 unresolved 0 tags 0
  )");
}

TEST(Multiplexer, AbandonedRequestIsSettledByRflush) {
  expect_talk_after(kAbandoned, R"(
    <- Rflush tag 1
    ! w settled by Rflush
    state
    = outstanding 0 unresolved 0 tags 0
  )");
}

TEST(Multiplexer, SecondReplyToAnAbandonedRequestEndsTheConnection) {
  EXPECT_THAT(
      broken_by(std::string(kAbandoned) + "<- Rwrite tag 0 count 3", "Rwrite tag 0 count 3"),
      AllOf(HasSubstr("Rwrite tag 0"), HasSubstr("Twrite")));
}

TEST(Multiplexer, AbandonedRequestIsNotFailedAsWellWhenTheConnectionIsLost) {
  expect_talk_after(kAbandoned, R"(
    lost
    state
    = outstanding 0 unresolved 0 tags 2
  )");
}

// ---- Tclunk and Tremove: what they give back must not be cut short, so they are never flushed

/// A script told of Tclunk, played with Tclunk and with Tremove.
void expect_talk_of_both(std::string_view script) {
  for (const std::string_view verb : {"clunk", "remove"}) {
    std::string told(script);
    for (std::size_t at = 0; (at = told.find("clunk", at)) != told.npos; at += verb.size())
      told.replace(at, 5, verb);
    expect_talk(few_tags(), told);
  }
}

TEST(MultiplexerUnflushable, QueuedAndCancelledSendsNoByte) {
  expect_talk_of_both(R"(
    hold
    ask c Tclunk fid 1
    cancel c
    ! c cancelled unsent
    state
    = outstanding 0 unresolved 0 tags 0
    deadline
    = no deadline
    go
  )");
}

TEST(MultiplexerUnflushable, CancelledWhileItWaitsForATagSendsNoByte) {
  expect_talk(few_tags(2), R"(
    ask a Tfsync fid 1 datasync 0
    -> Tfsync tag 0 fid 1 datasync 0
    ask c Tclunk fid 2
    cancel c
    ! c cancelled unsent
    <- Rfsync tag 0
    ! a replied Rfsync
  )");
}

TEST(MultiplexerUnflushable, PartlyWrittenAndCancelledIsFinishedWithoutATflushBehindIt) {
  expect_talk_of_both(R"(
    hold
    ask c Tclunk fid 1
    write 1
    cancel c
    go
    -> Tclunk tag 0 fid 1
    state
    = outstanding 1 unresolved 0 tags 1
    <- Rclunk tag 0
    ! c replied Rclunk
    state
    = outstanding 0 unresolved 0 tags 0
  )");
}

TEST(MultiplexerUnflushable, PartlyWrittenAndAbandonedIsFinishedAllTheSame) {
  expect_talk_of_both(R"(
    hold
    ask c Tclunk fid 1
    write 1
    cancel c
    wait 2000
    ! c abandoned
    go
    -> Tclunk tag 0 fid 1
    state
    = outstanding 0 unresolved 1 tags 1
    <- Rclunk tag 0
    ! c settled Rclunk
    state
    = outstanding 0 unresolved 0 tags 0
  )");
}

TEST(MultiplexerUnflushable, PartlyWrittenFailsWhenTheConnectionIsLost) {
  expect_talk_of_both(R"(
    hold
    ask c Tclunk fid 1
    write 1
    cancel c
    lost
    ! c failed connection lost
    go
  )");
}

constexpr std::string_view kCancelledClunk = R"(
    ask c Tclunk fid 1
    -> Tclunk tag 0 fid 1
    cancel c
)";

TEST(MultiplexerUnflushable, InFlightAndCancelledIsNotFlushedHoweverOftenAndLong) {
  expect_talk_of_both(std::string(kCancelledClunk) + R"(
    cancel c
    ask next Tfsync fid 2 datasync 0
    -> Tfsync tag 1 fid 2 datasync 0
    deadline
    = deadline in 2000
    wait 1999
    cancel c
    wait 1
    ! c abandoned
    cancel c
    wait 100000
    state
    = outstanding 1 unresolved 1 tags 2
    deadline
    = no deadline
  )");
}

TEST(MultiplexerUnflushable, ReplyInTimeCountsAndTheTagIsFreeAtOnce) {
  expect_talk_of_both(std::string(kCancelledClunk) + R"(
    wait 1999
    <- Rclunk tag 0
    ! c replied Rclunk
    state
    = outstanding 0 unresolved 0 tags 0
    wait 1
  )");
}

TEST(MultiplexerUnflushable, ErrorInTimeCountsToo) {
  expect_talk_of_both(std::string(kCancelledClunk) + R"(
    <- Rlerror tag 0 ecode 5
    ! c replied Rlerror ecode 5
    state
    = outstanding 0 unresolved 0 tags 0
  )");
}

TEST(MultiplexerUnflushable, AbandonedAtTheDeadlineItKeepsItsTagUntilItsLateReplySettlesIt) {
  expect_talk_of_both(std::string(kCancelledClunk) + R"(
    wait 2000
    ! c abandoned
    state
    = outstanding 0 unresolved 1 tags 1
    <- Rclunk tag 0
    ! c settled Rclunk
    state
    = outstanding 0 unresolved 0 tags 0
  )");
}

TEST(MultiplexerUnflushable, TagOfAnAbandonedOneIsHandedOutOnlyBehindItsLateReply) {
  expect_talk(few_tags(2), std::string(kCancelledClunk) + R"(
    wait 2000
    ! c abandoned
    ask next Tfsync fid 2 datasync 0
    wait 100000
    <- Rclunk tag 0
    ! c settled Rclunk
    -> Tfsync tag 1 fid 2 datasync 0
    ask third Tfsync fid 3 datasync 0
    <- Rfsync tag 1
    ! next replied Rfsync
    -> Tfsync tag 0 fid 3 datasync 0
  )");
}

TEST(MultiplexerUnflushable, SecondReplyEndsTheConnection) {
  for (const std::string_view before : {"<- Rclunk tag 0", "wait 2000\n <- Rclunk tag 0"})
    EXPECT_THAT(broken_by(std::string(kCancelledClunk) + std::string(before), "Rclunk tag 0"),
                AllOf(HasSubstr("Rclunk tag 0"), HasSubstr("no request holds")));
}

TEST(MultiplexerUnflushable, RflushThatNobodyAskedForEndsTheConnection) {
  EXPECT_THAT(broken_by(kCancelledClunk, "Rflush tag 0"),
              AllOf(HasSubstr("Rflush tag 0"), HasSubstr("Tclunk")));
}

TEST(MultiplexerUnflushable, FailsWhenTheConnectionIsLostUnlessItWasAbandonedBefore) {
  expect_talk_of_both(std::string(kCancelledClunk) + R"(
    lost
    ! c failed connection lost
  )");
  expect_talk_of_both(std::string(kCancelledClunk) + R"(
    wait 2000
    ! c abandoned
    lost
    state
    = outstanding 0 unresolved 0 tags 1
  )");
}

TEST(MultiplexerUnflushable, TakesNothingFromTheReserveOfOthers) {
  expect_talk(few_tags(3), std::string(kCancelledClunk) + R"(
    ask a Tfsync fid 2 datasync 0
    -> Tfsync tag 1 fid 2 datasync 0
    cancel a
    -> Tflush tag 2 oldtag 1
    <- Rflush tag 2
    ! a cancelled
  )");
}

/// The number of a fid whose Tclunk was abandoned is free when the late reply says so: no earlier.
TEST(MultiplexerUnflushable, FidItNamesIsKeptUntilTheLateReply) {
  FidPool fids(1);
  const Fid fid = *fids.acquire();
  ASSERT_TRUE(fids.retire(fid)) << "its Tclunk is due";
  Talk talk(few_tags());
  EXPECT_THAT(talk.play(std::string(kCancelledClunk) + "wait 2000"), HasSubstr("! c abandoned\n"));
  EXPECT_EQ(fids.acquire(), std::nullopt);
  EXPECT_THAT(talk.play("<- Rclunk tag 0"), HasSubstr("! c settled Rclunk\n"));
  fids.release(fid);
  EXPECT_EQ(fids.acquire(), fid);
}

TEST(MultiplexerUnflushable, IsCountedAsAbandonedAndLateButNotAsFlushed) {
  Talk talk(few_tags());
  talk.play(std::string(kCancelledClunk) + "wait 2000\n <- Rclunk tag 0\n" + R"(
    ask in_time Tremove fid 1
    cancel in_time
    <- Rremove tag 1
  )");
  const MultiplexerCounters& counters = talk.mux().counters();
  EXPECT_EQ(counters.abandoned, 1U);
  EXPECT_EQ(counters.late, 1U);
  EXPECT_EQ(counters.replies, 1U);
  EXPECT_EQ(counters.flushes, 0U);
  EXPECT_EQ(counters.honoured, 0U) << "no flush was under way";
  EXPECT_EQ(counters.cancelled, 0U);
}

// ---- fids that a request makes

TEST(Multiplexer, EveryEndButAReplyNamesTheFidThatMayExist) {
  expect_talk(few_tags(), R"(
    ask w Twalk fid 1 newfid 7 wname usr
    -> Twalk tag 0 fid 1 newfid 7 wname usr
    cancel w
    -> Tflush tag 1 oldtag 0
    <- Rflush tag 1
    ! w cancelled created 7
    <- Rwalk tag 0 qid (0x1 0 0x80)
    ! late Rwalk qid (0x1 0 0x80) created 7
    ask x Txattrwalk fid 1 newfid 8 name user.a
    -> Txattrwalk tag 2 fid 1 newfid 8 name user.a
    cancel x
    -> Tflush tag 3 oldtag 2
    wait 2000
    ! x abandoned created 8
    <- Rflush tag 3
    ! x settled by Rflush created 8
  )");
}

TEST(Multiplexer, AttachAndAuthMakeFids) {
  expect_talk(few_tags(), R"(
    ask a Tattach fid 5 afid 6 uname u aname / n_uname 0
    -> Tattach tag 0 fid 5 afid 6 uname u aname / n_uname 0
    cancel a
    -> Tflush tag 1 oldtag 0
    <- Rflush tag 1
    ! a cancelled created 5
    ask b Tauth afid 6 uname u aname / n_uname 0
    -> Tauth tag 2 afid 6 uname u aname / n_uname 0
    cancel b
    -> Tflush tag 3 oldtag 2
    <- Rflush tag 3
    ! b cancelled created 6
  )");
}

TEST(Multiplexer, LateErrorMakesNoFid) {
  expect_talk(few_tags(), R"(
    ask w Twalk fid 1 newfid 7 wname usr
    -> Twalk tag 0 fid 1 newfid 7 wname usr
    cancel w
    -> Tflush tag 1 oldtag 0
    <- Rflush tag 1
    ! w cancelled created 7
    <- Rlerror tag 0 ecode 2
    ! late Rlerror ecode 2
  )");
}

// ---- quarantine: servers that answer behind Rflush, as in flush_cases_test.cpp

TEST(Multiplexer, FlushWaitsRatherThanTakeAQuarantinedTag) {
  expect_talk(few_tags(2, 0), std::string(kQuarantined) + R"(
    ask a Tfsync fid 1 datasync 0
    -> Tfsync tag 1 fid 1 datasync 0
    cancel a
    wait 2000
    ! a abandoned
    deadline
    = deadline in 8000
    wait 8000
    -> Tflush tag 0 oldtag 1
  )");
}

TEST(Multiplexer, WrongTypeInQuarantineEndsTheConnection) {
  EXPECT_THAT(broken_by(kQuarantined, "Rclunk tag 0"),
              AllOf(HasSubstr("Rclunk tag 0"), HasSubstr("Twrite")));
  EXPECT_THAT(broken_by(kQuarantined, "Rread tag 0 data hello"),
              AllOf(HasSubstr("Rread tag 0"), HasSubstr("Twrite")));
}

TEST(Multiplexer, DataBehindRflushIsThrownAway) {
  expect_talk(few_tags(), R"(
    ask r Tread fid 1 offset 0 count 9
    -> Tread tag 0 fid 1 offset 0 count 9
    cancel r
    -> Tflush tag 1 oldtag 0
    <- Rflush tag 1
    ! r cancelled
    <- Rread tag 0 data hello
    ! late Rread data <5 bytes>
  )");
}

TEST(Multiplexer, ReplyThatBeganInQuarantineIsLateThoughQuarantineEndsMeanwhile) {
  Talk talk(few_tags(3, 0));
  talk.play(R"(
    ask old Tread fid 1 offset 0 count 5
    cancel old
    <- Rflush tag 1
    wait 9999
  )");
  const std::string late = frame_of("Rread tag 0 data stale");
  talk.feed(bytes_of(late).first(8));
  expect_talk(talk, R"(
    wait 1
    ask a Tclunk fid 1
    -> Tclunk tag 2 fid 1
    ask b Tclunk fid 1
    -> Tclunk tag 1 fid 1
    ask new Tread fid 1 offset 0 count 5
    -> Tread tag 0 fid 1 offset 0 count 5
  )");
  talk.feed(bytes_of(late).subspan(8));
  talk.take_events();
  EXPECT_EQ(talk.said(), "! late Rread data <5 bytes>\n");
  expect_talk(talk, R"(
    <- Rread tag 0 data fresh
    ! new replied Rread data fresh
  )");
}

// ---- replies that nobody can place

TEST(Multiplexer, ReplyToATagNeverHandedOutEndsTheConnection) {
  EXPECT_THAT(broken_by(kInFlight, "Rwrite tag 77 count 5"),
              AllOf(HasSubstr("Rwrite tag 77"), HasSubstr("never handed out")));
}

TEST(Multiplexer, ReplyToATagThatIsFreeEndsTheConnection) {
  EXPECT_THAT(broken_by(kInFlight, "Rwrite tag 1 count 5"),
              AllOf(HasSubstr("Rwrite tag 1"), HasSubstr("no request holds")));
  EXPECT_THAT(broken_by(std::string(kInFlight) + "<- Rwrite tag 0 count 5", "Rwrite tag 0 count 5"),
              AllOf(HasSubstr("Rwrite tag 0"), HasSubstr("no request holds")));
}

TEST(Multiplexer, ReplyToNotagEndsTheConnection) {
  EXPECT_THAT(broken_by(kInFlight, "Rversion tag 65535 msize 8192 version 9P2000.L"),
              HasSubstr("Rversion tag 65535"));
  Talk talk;  // all 65,535 tags
  EXPECT_THAT(talk.play("<- Rclunk tag 65535"), HasSubstr("! broken"));
}

TEST(Multiplexer, ReplyOfAnotherTypeEndsTheConnection) {
  EXPECT_THAT(broken_by(kInFlight, "Rclunk tag 0"),
              AllOf(HasSubstr("Rclunk tag 0"), HasSubstr("Twrite")));
  EXPECT_THAT(broken_by(kInFlight, "Rread tag 0 data hello"),
              AllOf(HasSubstr("Rread tag 0"), HasSubstr("Twrite")));
  EXPECT_THAT(broken_by(kFlushing, "Rclunk tag 0"),
              AllOf(HasSubstr("Rclunk tag 0"), HasSubstr("Twrite")));
  EXPECT_THAT(broken_by(kAbandoned, "Rclunk tag 0"),
              AllOf(HasSubstr("Rclunk tag 0"), HasSubstr("Twrite")));
}

TEST(Multiplexer, RequestFromTheServerEndsTheConnection) {
  EXPECT_THAT(broken_by(kInFlight, "Twrite tag 0 fid 1 offset 0 data hello"),
              AllOf(HasSubstr("Twrite tag 0"), HasSubstr("where the request is Twrite")));
}

TEST(Multiplexer, TypeThatDoesNotExistEndsTheConnectionAndIsNamedByItsNumber) {
  Talk talk(few_tags());
  talk.play(kInFlight);
  std::string frame = frame_of("Rclunk tag 0");
  frame[4] = static_cast<char>(200);
  talk.feed(bytes_of(frame));
  talk.take_events();
  EXPECT_THAT(talk.said(), AllOf(HasSubstr("! broken"), HasSubstr("type 200 tag 0")));
}

TEST(Multiplexer, ReplyLargerThanMsizeEndsTheConnectionAtItsHeader) {
  Talk talk(few_tags(), Dialect::l, 8192);
  talk.play("ask r Tread fid 1 offset 0 count 9");
  std::string frame = frame_of("Rread tag 0 data <8182 bytes>");
  ASSERT_EQ(frame.size(), 8193U);
  talk.feed(bytes_of(frame).first(kHeaderSize));
  talk.take_events();
  EXPECT_THAT(talk.said(), AllOf(HasSubstr("! broken"), HasSubstr("Rread tag 0 size 8193")));
}

TEST(Multiplexer, NothingIsReadBehindABrokenStream) {
  expect_talk_after(kInFlight, R"(
    <- Rclunk tag 0 | Rwrite tag 0 count 5
    ! broken reply of the wrong type: Rclunk tag 0 size 7, where the request is Twrite
    <- Rwrite tag 0 count 5
    lost
    ! w failed connection lost
  )");
}

TEST(Multiplexer, NothingIsSentBehindABrokenStream) {
  expect_talk_after(kInFlight, R"(
    hold
    ask c Tclunk fid 2
    <- Rclunk tag 0
    ! broken reply of the wrong type: Rclunk tag 0 size 7, where the request is Twrite
    go
    cancel w
    ask d Tclunk fid 2
    ! d failed reply of the wrong type
    lost
    ! w failed connection lost
    ! c failed connection lost
  )");
}

// ---- the connection is lost

TEST(Multiplexer, EverythingOutstandingFailsOnceWhenTheConnectionIsLost) {
  expect_talk_after(kWantsFlush, R"(
    ask waits Tclunk fid 9
    <- Rfsync tag 0
    ! a replied Rfsync
    lost
    ! b failed connection lost
    ! w failed connection lost
    ! waits failed connection lost
    lost
    cancel w
    wait 10000
    deadline
    = no deadline
  )");
}

TEST(Multiplexer, WhatIsSubmittedAfterTheLossFailsAtOnce) {
  expect_talk(few_tags(), R"(
    lost
    ask c Tclunk fid 2
    ! c failed connection lost
    state
    = outstanding 0 unresolved 0 tags 0
  )");
}

TEST(Multiplexer, LostConnectionHasNoDeadline) {
  expect_talk_after(kFlushing, R"(
    lost
    ! w failed connection lost
    deadline
    = no deadline
  )");
}

// ---- what can't be sent

TEST(Multiplexer, MessageLargerThanMsizeFailsAtOnceAndTakesNoTag) {
  Talk talk(few_tags(), Dialect::l, 4096);
  const std::size_t fits = 4096 - 23;
  expect_talk(talk, "ask large Twrite fid 1 offset 0 data <" + std::to_string(fits + 1) +
                        " bytes>\n! large failed request does not fit into msize\n"
                        "state\n= outstanding 0 unresolved 0 tags 0\n"
                        "ask fits Twrite fid 1 offset 0 data <" +
                        std::to_string(fits) + " bytes>\n-> Twrite tag 0 fid 1 offset 0 data <" +
                        std::to_string(fits) + " bytes>");
}

TEST(Multiplexer, MessageThatCannotBeEncodedFailsAtOnce) {
  Multiplexer mux(Dialect::l, 8192);
  const std::string nul("a\0b", 3);
  const RequestId id = mux.submit(outgoing(Tunlinkat{.dirfid = Fid{1}, .name = nul}, Dialect::l));
  const auto event = mux.next_event();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, Event::Kind::failed);
  EXPECT_EQ(event->id, id);
  EXPECT_EQ(event->error, Error::bad_string);
  EXPECT_TRUE(mux.outgoing().empty());
}

TEST(Multiplexer, FailedAtOnceLeavesNothingBehind) {
  Talk talk(few_tags(2));
  talk.play("lost");
  for (int i = 0; i < 10; ++i)
    talk.play("ask c Tclunk fid 2\n cancel c");
  expect_talk(talk, "state\n= outstanding 0 unresolved 0 tags 0");
}

// ---- ids

TEST(Multiplexer, IdThatNamesNobodyIsNobodys) {
  Multiplexer mux(Dialect::l, 8192, few_tags());
  mux.submit(outgoing(Tclunk{}, Dialect::l));
  mux.cancel(RequestId{});
  mux.cancel(RequestId{.slot = 77, .generation = 1});
  EXPECT_FALSE(mux.next_event());
  EXPECT_EQ(mux.outstanding(), 1U);
}

TEST(Multiplexer, IdOfAFinishedRequestIsNotThatOfALaterOne) {
  expect_talk_after(kInFlight, R"(
    <- Rwrite tag 0 count 5
    ! w replied Rwrite count 5
    ask c Tclunk fid 1
    -> Tclunk tag 1 fid 1
    cancel w
    <- Rclunk tag 1
    ! c replied Rclunk
  )");
}

/// Callers keep what they know of a request by its slot.
TEST(Multiplexer, SlotIsNotReusedBeforeTheOutcomeWasTaken) {
  Multiplexer mux(Dialect::l, 8192, few_tags());
  std::vector<RequestId> untaken;
  const auto submit = [&] {
    const RequestId id = mux.submit(outgoing(Tclunk{}, Dialect::l));
    for (const RequestId other : untaken)
      EXPECT_NE(id.slot, other.slot);
    untaken.push_back(id);
    return id;
  };
  const auto take_all = [&] {
    while (const auto event = mux.next_event())
      std::erase(untaken, event->id);
    EXPECT_TRUE(untaken.empty());
  };
  for (int round = 0; round < 3; ++round) {
    mux.cancel(submit());
    mux.cancel(submit());
    take_all();
  }
  mux.connection_lost(Error::connection_lost);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 3; ++i)
      EXPECT_LT(submit().slot, 3U) << "slots are reused later";
    take_all();
  }
}

// ---- order

TEST(Multiplexer, RequestsThatWaitForATagAreSentInTheirOrder) {
  expect_talk(few_tags(2), R"(
    ask a Tclunk fid 1
    -> Tclunk tag 0 fid 1
    ask b Tclunk fid 2
    ask c Tclunk fid 3
    <- Rclunk tag 0
    ! a replied Rclunk
    -> Tclunk tag 1 fid 2
    <- Rclunk tag 1
    ! b replied Rclunk
    -> Tclunk tag 0 fid 3
  )");
}

TEST(Multiplexer, RequestsMayBeWrittenByteByByte) {
  expect_talk(few_tags(), R"(
    hold
    ask w Twrite fid 1 offset 0 data hi
    ask e Twrite fid 1 offset 2 data ''
    write 24
    write 1
    -> Twrite tag 0 fid 1 offset 0 data hi
    write 22
    write 1
    -> Twrite tag 1 fid 1 offset 2 data ''
  )");
}

TEST(Multiplexer, OneWriteGathersNoMoreThanItsBound) {
  for (std::size_t gather = 1; gather < 7; ++gather) {
    MultiplexerLimits limits = few_tags(10);
    limits.gather = gather;
    Talk talk(limits);
    talk.play(
        "hold\n ask a Twrite fid 1 offset 0 data hello\n ask b Twrite fid 1 data world\n"
        "ask c Tclunk fid 1");
    EXPECT_EQ(talk.mux().outgoing().size(), std::min<std::size_t>(gather, 5)) << gather;
    EXPECT_EQ(talk.play("go"), Talk::tidy(R"(
      go
      -> Twrite tag 0 fid 1 offset 0 data hello
      -> Twrite tag 1 fid 1 offset 0 data world
      -> Tclunk tag 2 fid 1
    )"));
  }
}

// ---- data

TEST(Multiplexer, DataThatFillsOrDoesNotFillItsDestinationArrives) {
  expect_talk(few_tags(), R"(
    ask full Tread fid 1 offset 0 count 5
    -> Tread tag 0 fid 1 offset 0 count 5
    ask short Treaddir fid 1 offset 0 count 5
    -> Treaddir tag 1 fid 1 offset 0 count 5
    ask none Tread fid 1 offset 0 count 5
    -> Tread tag 2 fid 1 offset 0 count 5
    <- Rread tag 0 data hello
    ! full replied Rread data hello
    <- Rreaddir tag 1 data xy
    ! short replied Rreaddir data xy
    <- Rread tag 2 data ''
    ! none replied Rread data ''
  )");
}

TEST(Multiplexer, MoreDataThanWasAskedForIsAnErrorOfThatRequestOnly) {
  expect_talk(few_tags(), R"(
    ask r Tread fid 1 offset 0 count 4
    -> Tread tag 0 fid 1 offset 0 count 4
    ask c Tclunk fid 1
    -> Tclunk tag 1 fid 1
    <- Rread tag 0 data hello | Rclunk tag 1
    ! r replied Rread data <5 bytes>, reply with more data than asked for
    ! c replied Rclunk
  )");
}

TEST(Multiplexer, DataWithoutDestinationStaysInTheReply) {
  expect_talk(few_tags(), R"(
    asks r Tread fid 1 offset 0 count 5
    -> Tread tag 0 fid 1 offset 0 count 5
    <- Rread tag 0 data hello
    ! r replied Rread data hello
  )");
}

TEST(Multiplexer, DataOfACancelledReadStillCounts) {
  expect_talk(few_tags(), R"(
    ask r Tread fid 1 offset 0 count 5
    -> Tread tag 0 fid 1 offset 0 count 5
    cancel r
    -> Tflush tag 1 oldtag 0
    <- Rread tag 0 data hello | Rflush tag 1
    ! r replied Rread data hello
  )");
}

TEST(Multiplexer, DestinationIsLetGoAtTheOutcome) {
  for (const std::string_view outcome :
       {"<- Rread tag 0 data hello", "cancel r\n <- Rread tag 0 data hello",
        "cancel r\n <- Rflush tag 1", "cancel r\n wait 2000", "lost",
        "<- Rread tag 0 data 'hello world'", "<- Rlerror tag 0 ecode 5"}) {
    Talk talk(few_tags());
    talk.play("ask r Tread fid 1 offset 0 count 5");
    EXPECT_FALSE(talk.memory("r").expired());
    talk.play(outcome);
    EXPECT_TRUE(talk.memory("r").expired()) << outcome;
  }
}

TEST(Multiplexer, PayloadIsHeldUntilItIsWritten) {
  for (const std::string_view meanwhile : {"", "cancel w", "cancel w\n wait 2000"}) {
    Talk talk(few_tags());
    talk.play("hold\n ask w Twrite fid 1 offset 0 data hello\n write 25\n");
    talk.play(meanwhile);
    EXPECT_FALSE(talk.memory("w").expired()) << meanwhile;
    talk.play("go\n <- Rwrite tag 0 count 5");
    EXPECT_TRUE(talk.memory("w").expired()) << meanwhile;
  }
}

/// The request is given up in the middle of its data, wherever that is: what comes late is thrown
/// away (into memory that is gone, the sanitizer would say) and what is behind it is understood.
void abandon_in_the_middle(std::size_t before, bool taken) {
  SCOPED_TRACE("behind byte " + std::to_string(before) + (taken ? ", taken" : ""));
  const std::string reply = frame_of("Rread tag 0 data abcdefghij");
  Talk talk(few_tags());
  talk.play("ask r Tread fid 1 offset 0 count 10\n ask c Tclunk fid 2\n cancel r");
  talk.feed(bytes_of(reply).first(before));
  if (taken)
    talk.take_events();
  EXPECT_EQ(talk.play("wait 2000"), "wait 2000\n! r abandoned\n");
  talk.mux().prepare();
  talk.mux().received(0);
  EXPECT_TRUE(talk.memory("r").expired());
  talk.feed(bytes_of(reply).subspan(before));
  talk.take_events();
  EXPECT_EQ(talk.said(), "! r settled Rread data <10 bytes>\n");
  expect_talk(talk, R"(
    <- Rclunk tag 1 | Rflush tag 2
    ! c replied Rclunk
    state
    = outstanding 0 unresolved 0 tags 0
  )");
}

TEST(Multiplexer, RequestAbandonedInTheMiddleOfItsDataTakesTheRestAlong) {
  const std::size_t size = frame_of("Rread tag 0 data abcdefghij").size();
  for (std::size_t before = 0; before < size; ++before)
    for (const bool taken : {false, true})
      abandon_in_the_middle(before, taken);
}

TEST(Multiplexer, ReadUnderWayWhenItsRequestIsAbandonedMayStillWrite) {
  Talk talk(few_tags());
  talk.play("ask r Tread fid 1 offset 0 count 10\n cancel r");
  const std::string reply = frame_of("Rread tag 0 data abcdefghij");
  talk.feed(bytes_of(reply).first(14));
  talk.take_events();
  const auto buffers = talk.mux().prepare();  // readv begins
  ASSERT_EQ(buffers[0].size(), 7U);
  EXPECT_EQ(talk.play("wait 2000"), "wait 2000\n! r abandoned\n");
  EXPECT_FALSE(talk.memory("r").expired());
  std::ranges::copy(bytes_of(reply).last(7), buffers[0].begin());  // readv ends
  talk.mux().received(7);
  talk.take_events();
  EXPECT_THAT(talk.said(), HasSubstr("! r settled Rread"));
  EXPECT_TRUE(talk.memory("r").expired());
}

TEST(Multiplexer, LostConnectionLetsGoOfTheDestinationInTheMiddleOfItsData) {
  Talk talk(few_tags());
  talk.play("ask r Tread fid 1 offset 0 count 10");
  talk.feed(bytes_of(frame_of("Rread tag 0 data abcdefghij")).first(14));
  talk.take_events();
  talk.play("lost");
  EXPECT_TRUE(talk.memory("r").expired());
}

// ---- errors in their forms

struct Parsed {
  error_code error;
  std::string ename;
  bool operator==(const Parsed&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Parsed& parsed) {
  return out << parsed.error << ' ' << parsed.ename;
}

Parsed parsed(std::string_view frame, Dialect form, Dialect dialect) {
  const auto bytes = from_text(frame, form).value();
  const ByteView view(bytes.data(), bytes.size());
  const auto [error, ename] = parse_error(decode_header(view.first<kHeaderSize>()).type,
                                          view.subspan(kHeaderSize), dialect);
  return {error, std::string(ename)};
}

Parsed server_error(std::uint32_t number, std::string_view ename = {}) {
  return {make_server_error(number), std::string(ename)};
}

TEST(ParseError, RlerrorIsItsNumberInAnyDialect) {
  for (const Dialect dialect : {Dialect::l, Dialect::u, Dialect::legacy})
    EXPECT_EQ(parsed("Rlerror ecode 95", Dialect::l, dialect), server_error(EOPNOTSUPP));
}

TEST(ParseError, NumberThatIsNoErrnoIsEio) {
  EXPECT_EQ(parsed("Rlerror ecode 0", Dialect::l, Dialect::l), server_error(EIO));
  EXPECT_EQ(parsed("Rlerror ecode 4096", Dialect::l, Dialect::l), server_error(EIO));
  EXPECT_EQ(parsed("Rlerror ecode 4294967295", Dialect::l, Dialect::l), server_error(EIO));
}

TEST(ParseError, WordsOfAPlan9ServerAreTranslatedAndKept) {
  EXPECT_EQ(parsed("Rerror ename 'permission denied'", Dialect::legacy, Dialect::legacy),
            server_error(EACCES, "permission denied"));
  EXPECT_EQ(parsed("Rerror ename 'no comprendo'", Dialect::legacy, Dialect::legacy),
            server_error(EIO, "no comprendo"));
}

TEST(ParseError, SmallErrnoOf9P2000uCountsMoreThanItsWords) {
  EXPECT_EQ(parsed("Rerror ename 'file does not exist' errno 13", Dialect::u, Dialect::u),
            server_error(EACCES, "file does not exist"));
}

TEST(ParseError, WordsCountMoreThanAnErrnoThatIsAnotherSystems) {
  EXPECT_EQ(parsed("Rerror ename 'Directory not empty' errno 66", Dialect::u, Dialect::u),
            server_error(ENOTEMPTY, "Directory not empty"));
  EXPECT_EQ(parsed("Rerror ename 'no comprendo' errno 66", Dialect::u, Dialect::u),
            server_error(66, "no comprendo"));
}

TEST(ParseError, ErrnoMayBeMissingFrom9P2000u) {
  EXPECT_EQ(parsed("Rerror ename 'permission denied'", Dialect::legacy, Dialect::u),
            server_error(EACCES, "permission denied"));
}

TEST(ParseError, RerrorOfA9P2000LServerMayHoldABareErrno) {
  const std::string errno_only("\x11\0\0\0", 4);
  const auto [error, ename] = parse_error(MessageType::Rerror, bytes_of(errno_only), Dialect::l);
  EXPECT_EQ(error, make_server_error(EEXIST));
  EXPECT_EQ(ename, "");
}

TEST(ParseError, ErrorThatDoesNotDecodeIsStillAnError) {
  for (const MessageType type : {MessageType::Rlerror, MessageType::Rerror})
    for (const Dialect dialect : {Dialect::l, Dialect::u, Dialect::legacy})
      EXPECT_EQ(parse_error(type, {}, dialect).first, Error::truncated);
}

// ---- for logs

TEST(Multiplexer, TraceIsShownEachFrameOnce) {
  Talk talk(few_tags());
  std::vector<std::string> frames;
  talk.mux().set_trace([&](bool sent, ByteView frame) {
    frames.push_back((sent ? "-> " : "<- ") + to_text(frame, Dialect::l, 3));
  });
  talk.read_at_most(1);
  talk.play(R"(
    hold
    ask w Twrite fid 1 offset 0 data hello
    ask r Tread fid 1 offset 0 count 5
    write 1
    write 1
    cancel w
    go
    <- Rread tag 1 data hello | Rflush tag 2 | Rwrite tag 0 count 5
  )");
  EXPECT_THAT(frames,
              testing::ElementsAre("-> Twrite tag 0 fid 1 offset 0 data <5 bytes>",
                                   "-> Tread tag 1 fid 1 offset 0 count 5",
                                   "-> Tflush tag 2 oldtag 0", "<- Rread tag 1 data <5 bytes>",
                                   "<- Rflush tag 2", "<- Rwrite tag 0 count 5"));
}

TEST(Multiplexer, CountsWhatWentThrough) {
  Talk talk(few_tags());
  talk.play(std::string(kQuarantined) + R"(
    <- Rwrite tag 0 count 5
    ask honoured Tfsync fid 1
    cancel honoured
    <- Rfsync tag 2 | Rflush tag 3
    ask replied Tclunk fid 1
    <- Rclunk tag 1
    hold
    ask unsent Tclunk fid 1
    cancel unsent
    go
    ask abandoned Tfsync fid 1
    cancel abandoned
    wait 2000
  )");
  const MultiplexerCounters& counters = talk.mux().counters();
  EXPECT_EQ(counters.requests, 5U);
  EXPECT_EQ(counters.replies, 2U);
  EXPECT_EQ(counters.flushes, 3U);
  EXPECT_EQ(counters.honoured, 1U);
  EXPECT_EQ(counters.cancelled_unsent, 1U);
  EXPECT_EQ(counters.cancelled, 1U);
  EXPECT_EQ(counters.abandoned, 1U);
  EXPECT_EQ(counters.late, 1U);
}

}  // namespace
}  // namespace fuse9p::proto
