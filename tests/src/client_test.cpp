// SPDX-License-Identifier: MIT
// Client and Connection against a peer in the same thread: what goes over the wire, and what a
// caller gets, for the verbs, the bulk transfers, cancellation and the end of the connection.
#include "src/client.hpp"

#include "tests/src/client_fixture.hpp"

#include <gmock/gmock.h>

#include <cerrno>
#include <deque>
#include <map>

namespace fuse9p {
namespace {

using namespace test;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(ClientTest, WalkGivesTheFidOfTheName) {
  const auto walked = start(client_.walk(client_.root(), "usr"));
  EXPECT_EQ(peer_.next(), "Twalk tag 0 fid 0 newfid 1 wname usr");
  peer_.say("Rwalk tag 0 qid (0x2a 0 0x80)");
  ASSERT_TRUE(*walked);
  EXPECT_EQ((**walked)->fid.fid(), proto::Fid{1});
  EXPECT_EQ((**walked)->qid.path, 0x2aU);
}

TEST_F(ClientTest, ARefusedWalkFreesTheNumberWithoutATclunk) {
  const auto walked = start(client_.walk(client_.root(), "nothing"));
  EXPECT_EQ(peer_.next(), "Twalk tag 0 fid 0 newfid 1 wname nothing");
  peer_.say("Rlerror tag 0 ecode 2");
  ASSERT_TRUE(*walked);
  EXPECT_EQ((*walked)->error().value(), ENOENT);
  EXPECT_THAT(peer_.all(), IsEmpty());
  EXPECT_EQ(client_.fids_in_use(), 1U);
}

TEST_F(ClientTest, AUserIsAttachedByNumberToTheSameTree) {
  const auto attached = start(client_.attach(1000));
  EXPECT_EQ(peer_.next(), "Tattach tag 0 fid 1 afid 4294967295 uname '' aname /tree n_uname 1000");
  peer_.say("Rattach tag 0 qid (0x7 0 0x80)");
  ASSERT_TRUE(*attached);
  EXPECT_EQ((*attached)->value().qid.path, 7U);
}

TEST_F(ClientTest, AWalkRefusedForWantOfFidsIsTriedAgainWhenSomeHaveBeenGivenBack) {
  std::deque<FidHandle> cached;
  for (std::size_t i = 1; i <= proto::FidPool::kFewest; ++i) {
    const auto made = start(client_.clone(client_.root()));
    peer_.next();
    peer_.say("Rwalk tag " + std::to_string(i - 1) + " qid");
    cached.push_back(std::move(***made));
  }
  client_.on_fids_short([&](std::size_t usable) {
    EXPECT_EQ(usable, proto::FidPool::kFewest + 1);
    if (cached.size() == proto::FidPool::kFewest)
      cached.pop_front();
  });
  const auto walked = start(client_.walk(client_.root(), "usr"));
  EXPECT_EQ(peer_.next(), "Twalk tag 16 fid 0 newfid 17 wname usr");
  peer_.say("Rlerror tag 16 ecode 34");
  EXPECT_EQ(peer_.next(), "Tclunk tag 17 fid 1");
  EXPECT_THAT(peer_.all(), IsEmpty());  // no larger number, and none before the Rclunk
  peer_.say("Rclunk tag 17");
  EXPECT_EQ(peer_.next(), "Twalk tag 18 fid 0 newfid 1 wname usr");
  peer_.say("Rwalk tag 18 qid (0x7 0 0x80)");
  ASSERT_TRUE(*walked);
  EXPECT_TRUE((*walked)->has_value());
}

TEST_F(ClientTest, APartialWalkIsClunkedBecauseSomeServersMakeTheFid) {
  const auto walked = start(client_.walk(client_.root(), "nothing"));
  peer_.next();
  peer_.say("Rwalk tag 0 qid");
  EXPECT_EQ((*walked)->error().value(), ENOENT);
  EXPECT_EQ(peer_.next(), "Tclunk tag 1 fid 1");
}

TEST_F(ClientTest, AFidNumberIsFreeAtRclunkAndNotBefore) {
  clone().reset();
  EXPECT_EQ(peer_.next(), "Tclunk tag 1 fid 1");
  EXPECT_EQ(client_.fids_in_use(), 2U);
  peer_.say("Rclunk tag 1");
  EXPECT_EQ(client_.fids_in_use(), 1U);
}

TEST_F(ClientTest, AnErrorToTclunkFreesTheNumberToo) {
  clone().reset();
  peer_.next();
  peer_.say("Rlerror tag 1 ecode 9");
  EXPECT_EQ(client_.fids_in_use(), 1U);
}

TEST_F(ClientTest, WhatIsQueuedInOneTurnLeavesTogetherAndInOrder) {
  const auto first = start(client_.getattr(client_.root()));
  const auto second = start(client_.statfs(client_.root()));
  EXPECT_THAT(peer_.all(),
              ElementsAre("Tgetattr tag 0 fid 0 request_mask 0x17ff", "Tstatfs tag 1 fid 0"));
}

TEST_F(ClientTest, UnlinkFallsBackOnTremoveAndRemembers) {
  const auto unlinked = start(client_.unlink(client_.root(), "a", false));
  EXPECT_EQ(peer_.next(), "Tunlinkat tag 0 dirfid 0 name a flags 0x0");
  peer_.say("Rlerror tag 0 ecode 95");
  EXPECT_EQ(peer_.next(), "Twalk tag 1 fid 0 newfid 1 wname a");
  peer_.say("Rwalk tag 1 qid (0x2a 0 0x0)");
  EXPECT_EQ(peer_.next(), "Tremove tag 2 fid 1");
  peer_.say("Rremove tag 2");
  ASSERT_TRUE(*unlinked);
  EXPECT_FALSE(**unlinked);
  EXPECT_EQ(client_.fids_in_use(), 1U);
  const auto again = start(client_.unlink(client_.root(), "b", false));
  EXPECT_EQ(peer_.next(), "Twalk tag 3 fid 0 newfid 1 wname b");
}

TEST_F(ClientTest, TremoveIsNotSentForTheWrongType) {
  const auto unlinked = start(client_.unlink(client_.root(), "a", false));
  peer_.next();
  peer_.say("Rlerror tag 0 ecode 95");
  peer_.next();
  peer_.say("Rwalk tag 1 qid (0x2a 0 0x80)");
  EXPECT_EQ((*unlinked)->value(), EISDIR);
  EXPECT_EQ(peer_.next(), "Tclunk tag 2 fid 1");
}

TEST_F(ClientTest, ALargeReadIsSplitAndItsPiecesAreInFlightTogether) {
  const OpenFile file = open_file();
  const auto done = start(client_.read(file, 0, room(150'000), ReadMode::exact, std::nullopt));
  // 65536 - 24, in whole pages: 61440
  EXPECT_THAT(peer_.all(), ElementsAre("Tread tag 2 fid 1 offset 0 count 61440",
                                       "Tread tag 3 fid 1 offset 61440 count 61440",
                                       "Tread tag 4 fid 1 offset 122880 count 27120"));
  peer_.say("Rread tag 4 data <27120 bytes>");
  peer_.say("Rread tag 2 data <61440 bytes>");
  EXPECT_FALSE(*done);
  peer_.say("Rread tag 3 data <61440 bytes>");
  ASSERT_TRUE(*done);
  EXPECT_EQ((*done)->bytes, 150'000U);
  EXPECT_FALSE((*done)->error);
}

TEST_F(ClientTest, PiecesLandInOrderWhateverOrderTheyComeIn) {
  const OpenFile file = open_file(4096);
  const proto::Buffer memory = room(8192);
  const auto done = start(client_.read(file, 0, memory, ReadMode::exact, std::nullopt));
  EXPECT_THAT(peer_.all(), SizeIs(2));
  peer_.say("Rread tag 3 data '" + std::string(4096, 'b') + "'");
  peer_.say("Rread tag 2 data '" + std::string(4096, 'a') + "'");
  ASSERT_TRUE(*done);
  EXPECT_EQ(memory.bytes[0], std::byte{'a'});
  EXPECT_EQ(memory.bytes[4095], std::byte{'a'});
  EXPECT_EQ(memory.bytes[4096], std::byte{'b'});
}

TEST_F(ClientTest, AShortPieceIsAskedForItsRest) {
  const OpenFile file = open_file(4096);
  const auto done = start(client_.read(file, 0, room(8192), ReadMode::exact, std::nullopt));
  peer_.all();
  peer_.say("Rread tag 2 data <100 bytes>");
  EXPECT_EQ(peer_.next(), "Tread tag 4 fid 1 offset 100 count 3996");
  peer_.say("Rread tag 3 data <4096 bytes>");
  peer_.say("Rread tag 4 data <3996 bytes>");
  ASSERT_TRUE(*done);
  EXPECT_EQ((*done)->bytes, 8192U);
}

TEST_F(ClientTest, TheEndOfTheFileIsProvedByACountOfZero) {
  const OpenFile file = open_file(4096);
  const auto done = start(client_.read(file, 0, room(4096), ReadMode::exact, std::nullopt));
  peer_.all();
  peer_.say("Rread tag 2 data <100 bytes>");
  EXPECT_FALSE(*done);
  EXPECT_EQ(peer_.next(), "Tread tag 3 fid 1 offset 100 count 3996");
  peer_.say("Rread tag 3");
  ASSERT_TRUE(*done);
  EXPECT_EQ((*done)->bytes, 100U);
  EXPECT_FALSE((*done)->error);
}

TEST_F(ClientTest, AShortAnswerThatEndsAtTheKnownSizeNeedsNoProof) {
  const OpenFile file = open_file(4096);
  const auto done = start(client_.read(file, 4096, room(4096), ReadMode::exact, 4196));
  peer_.all();
  peer_.say("Rread tag 2 data <100 bytes>");
  ASSERT_TRUE(*done);
  EXPECT_EQ((*done)->bytes, 100U);
  EXPECT_THAT(peer_.all(), IsEmpty());
}

TEST_F(ClientTest, AFailedPieceEndsTheReadThereWithItsError) {
  const OpenFile file = open_file(4096);
  const auto done = start(client_.read(file, 0, room(12288), ReadMode::exact, std::nullopt));
  peer_.all();
  peer_.say("Rlerror tag 3 ecode 5");
  peer_.say("Rread tag 2 data <4096 bytes>");
  peer_.say("Rread tag 4 data <4096 bytes>");
  ASSERT_TRUE(*done);
  EXPECT_EQ((*done)->error.value(), EIO);
  EXPECT_EQ((*done)->bytes, 4096U);
}

TEST_F(ClientTest, AnErrorBehindTheEndOfTheFileDoesNotCount) {
  const OpenFile file = open_file(4096);
  const auto done = start(client_.read(file, 0, room(8192), ReadMode::exact, 10));
  peer_.all();
  peer_.say("Rlerror tag 3 ecode 5");
  peer_.say("Rread tag 2 data <10 bytes>");
  ASSERT_TRUE(*done);
  EXPECT_FALSE((*done)->error);
  EXPECT_EQ((*done)->bytes, 10U);
}

TEST_F(ClientTest, AStreamIsReadOnceAndGivesWhatComes) {
  const OpenFile file = open_file(4096);
  const auto done = start(client_.read(file, 0, room(8192), ReadMode::stream, std::nullopt));
  EXPECT_THAT(peer_.all(), ElementsAre("Tread tag 2 fid 1 offset 0 count 4096"));
  peer_.say("Rread tag 2 data 'hello'");
  ASSERT_TRUE(*done);
  EXPECT_EQ((*done)->bytes, 5U);
}

TEST_F(ClientTest, MoreDataThanAskedForIsAnErrorOfThisReadOnly) {
  const OpenFile file = open_file(4096);
  const auto done = start(client_.read(file, 0, room(100), ReadMode::exact, std::nullopt));
  peer_.all();
  peer_.say("Rread tag 2 data <200 bytes>");
  ASSERT_TRUE(*done);
  EXPECT_EQ((*done)->error, proto::Error::count_too_large);
  EXPECT_EQ(lost_, "");
}

TEST_F(ClientTest, AnInOrderWriteHasOneTwriteInFlight) {
  const OpenFile file = open_file(4096);
  const auto done = start(client_.write(file, 0, data(8192), WriteMode::in_order));
  EXPECT_THAT(peer_.all(), SizeIs(1));
  peer_.say("Rwrite tag 2 count 4096");
  EXPECT_THAT(peer_.all(), SizeIs(1));
  peer_.say("Rwrite tag 3 count 4096");
  ASSERT_TRUE(*done);
  EXPECT_EQ((*done)->bytes, 8192U);
}

TEST_F(ClientTest, AFailedPieceOfAWriteLeavesTheBytesBeforeIt) {
  const OpenFile file = open_file(4096);
  const auto done = start(client_.write(file, 0, data(12288), WriteMode::pieces));
  EXPECT_THAT(peer_.all(), SizeIs(3));
  peer_.say("Rwrite tag 4 count 4096");
  peer_.say("Rlerror tag 3 ecode 28");
  peer_.say("Rwrite tag 2 count 4096");
  ASSERT_TRUE(*done);
  EXPECT_EQ((*done)->bytes, 4096U);
  EXPECT_EQ((*done)->error.value(), ENOSPC);
}

TEST_F(ClientTest, AShortRwriteIsContinued) {
  const OpenFile file = open_file(4096);
  const auto done = start(client_.write(file, 0, data(4096), WriteMode::pieces));
  peer_.all();
  peer_.say("Rwrite tag 2 count 96");
  EXPECT_THAT(peer_.next(), HasSubstr("Twrite tag 3 fid 1 offset 96 data <4000 bytes>"));
  peer_.say("Rwrite tag 3 count 4000");
  ASSERT_TRUE(*done);
  EXPECT_EQ((*done)->bytes, 4096U);
}

TEST_F(ClientTest, AShortRwriteIsTheEndOfAWriteToAStream) {
  const OpenFile file = open_file(4096);
  const auto done = start(client_.write(file, 0, data(8192), WriteMode::stream));
  EXPECT_THAT(peer_.all(), SizeIs(1));
  peer_.say("Rwrite tag 2 count 4096");
  EXPECT_THAT(peer_.all(), SizeIs(1));
  peer_.say("Rwrite tag 3 count 96");
  EXPECT_THAT(peer_.all(), SizeIs(0));
  ASSERT_TRUE(*done);
  EXPECT_EQ((*done)->bytes, 4192U);
  EXPECT_FALSE((*done)->error);
}

TEST_F(ClientTest, ARwriteOfNothingOrOfTooMuchIsAnError) {
  const OpenFile file = open_file(4096);
  std::uint16_t tag = 2;
  for (const std::string count : {"0", "4097"}) {
    SCOPED_TRACE(count);
    const auto done = start(client_.write(file, 0, data(4096), WriteMode::pieces));
    peer_.all();
    peer_.say("Rwrite tag " + std::to_string(tag++) + " count " + count);
    ASSERT_TRUE(*done);
    EXPECT_EQ((*done)->error.value(), EIO);
    EXPECT_EQ((*done)->bytes, 0U);
  }
}

TEST_F(ClientTest, AnInterruptSendsTflushAndItsRflushCancels) {
  const auto attributes = start(client_.getattr(client_.root()));
  peer_.next();
  interrupt();
  EXPECT_EQ(peer_.next(), "Tflush tag 1 oldtag 0");
  EXPECT_FALSE(*attributes);
  peer_.say("Rflush tag 1");
  ASSERT_TRUE(*attributes);
  EXPECT_EQ((*attributes)->error(), proto::Error::cancelled);
}

TEST_F(ClientTest, AReplyBeforeRflushCountsAndTheNextStepIsNotSent) {
  // unlink by walk and remove: interrupted in the walk, which is answered all the same.
  const auto unlinked = start(client_.unlink(client_.root(), "a", false));
  peer_.next();
  peer_.say("Rlerror tag 0 ecode 95");
  peer_.next();
  interrupt();
  peer_.say("Rwalk tag 1 qid (0x2a 0 0x0)");
  ASSERT_TRUE(*unlinked);
  EXPECT_EQ(**unlinked, proto::Error::withdrawn);
}

TEST_F(ImpatientClientTest, AFidThatALateRremoveHasEndedIsNotClunked) {
  const auto unlinked = start(client_.unlink(client_.root(), "a", false));
  peer_.next();
  peer_.say("Rlerror tag 0 ecode 95");
  peer_.next();
  peer_.say("Rwalk tag 1 qid (0x2a 0 0x0)");
  EXPECT_EQ(peer_.next(), "Tremove tag 2 fid 1");
  interrupt();
  while (!*unlinked)
    peer_.run();
  EXPECT_EQ(**unlinked, proto::Error::abandoned);
  peer_.say("Rremove tag 2");
  EXPECT_THAT(peer_.all(), IsEmpty());
  EXPECT_EQ(client_.fids_in_use(), 1U);
}

TEST_F(OneTagClientTest, ARequestThatWaitedForATagIsSentWhenAReplyFreesOne) {
  const auto first = start(client_.getattr(client_.root()));
  const auto second = start(client_.statfs(client_.root()));
  EXPECT_THAT(peer_.all(), SizeIs(1));
  peer_.say("Rlerror tag 0 ecode 5");
  EXPECT_TRUE(*first);
  EXPECT_EQ(peer_.next(), "Tstatfs tag 1 fid 0");
}

TEST_F(ImpatientClientTest, AnAbandonedWalkIsClunkedWhenItsAnswerComesAfterAll) {
  const auto walked = start(client_.walk(client_.root(), "slow"));
  EXPECT_EQ(peer_.next(), "Twalk tag 0 fid 0 newfid 1 wname slow");
  interrupt();
  EXPECT_EQ(peer_.next(), "Tflush tag 1 oldtag 0");
  while (!*walked)
    peer_.run();
  EXPECT_EQ((*walked)->error(), proto::Error::abandoned);
  EXPECT_EQ(client_.fids_in_use(), 2U);  // the number is not free: it may come to exist
  peer_.say("Rwalk tag 0 qid (0x2a 0 0x0)");
  EXPECT_EQ(peer_.next(), "Tclunk tag 2 fid 1");
  peer_.say("Rclunk tag 2");
  EXPECT_EQ(client_.fids_in_use(), 1U);
}

TEST_F(ImpatientClientTest, AFidIsNotClunkedWhileARequestThatNamesItIsUnresolved) {
  OpenFile file = open_file(4096);
  const auto done = start(client_.read(file, 0, room(4096), ReadMode::exact, std::nullopt));
  peer_.all();
  interrupt();
  while (!*done)
    peer_.run();
  EXPECT_EQ(peer_.next(), "Tflush tag 3 oldtag 2");
  file.fid.reset();
  EXPECT_THAT(peer_.all(), IsEmpty());
  peer_.say("Rflush tag 3");
  EXPECT_EQ(peer_.next(), "Tclunk tag 4 fid 1");
}

// ---- locks

constexpr LockRequest kWriteLock{
    .type = LockRequest::Type::write, .start = 2, .length = 3, .owner = 9};

std::string as_lock(const std::string& message) {
  return message.substr(0, message.find(" client_id"));
}

TEST_F(ClientTest, LockSaysWhatTheServerSays) {
  const std::map<int, LockStatus> statuses{{0, LockStatus::granted},
                                           {1, LockStatus::blocked},
                                           {2, LockStatus::refused},
                                           {3, LockStatus::grace},
                                           {77, LockStatus::refused}};
  const OpenFile file = open_file();
  int tag = 2;
  for (const auto& [number, status] : statuses) {
    const auto done = start(client_.lock(file.fid.fid(), kWriteLock));
    const std::string name = std::to_string(tag++);
    EXPECT_EQ(as_lock(peer_.next()),
              "Tlock tag " + name + " fid 1 type 1 flags 0 start 2 length 3 proc_id 9");
    peer_.say("Rlock tag " + name + " status " + std::to_string(number));
    ASSERT_TRUE(*done);
    EXPECT_EQ((*done)->value(), status) << number;
  }
}

/// It looks for a host of our name, and there is none.
TEST_F(ClientTest, LockNamesAHostThatEveryServerKnows) {
  const OpenFile file = open_file();
  const auto done = start(client_.lock(file.fid.fid(), kWriteLock));
  peer_.next();
  peer_.say("Rlerror tag 2 ecode 22");
  EXPECT_THAT(peer_.next(), HasSubstr("client_id 127.0.0.1"));
  peer_.say("Rlock tag 3 status 0");
  EXPECT_EQ((*done)->value(), LockStatus::granted);
  const auto again = start(client_.lock(file.fid.fid(), kWriteLock));
  EXPECT_THAT(peer_.next(), HasSubstr("client_id 127.0.0.1"));
  peer_.say("Rlerror tag 4 ecode 22");
  EXPECT_EQ((*again)->error().value(), EINVAL);
}

TEST_F(ClientTest, GetlockBringsWhatIsInTheWay) {
  const OpenFile file = open_file();
  const auto done = start(client_.getlock(file.fid.fid(), kWriteLock));
  EXPECT_EQ(as_lock(peer_.next()), "Tgetlock tag 2 fid 1 type 1 start 2 length 3 proc_id 9");
  peer_.say("Rgetlock tag 2 type 0 start 4 length 5 proc_id 6 client_id other");
  ASSERT_TRUE(*done && (*done)->has_value());
  EXPECT_EQ((**done)->type, LockRequest::Type::read);
  EXPECT_EQ((**done)->start, 4U);
  EXPECT_EQ((**done)->length, 5U);
  const auto wrong = start(client_.getlock(file.fid.fid(), kWriteLock));
  peer_.next();
  peer_.say("Rgetlock tag 3 type 3 start 4 length 5 proc_id 6 client_id other");
  EXPECT_EQ((*wrong)->error().value(), EIO);
}

TEST_F(ClientTest, ALockGrantedBehindItsRflushIsToldOf) {
  int late = 0;
  client_.on_late_lock([&] { ++late; });
  const OpenFile file = open_file();
  const auto done = start(client_.lock(file.fid.fid(), kWriteLock));
  peer_.next();
  interrupt();
  EXPECT_EQ(peer_.next(), "Tflush tag 3 oldtag 2");
  peer_.say("Rflush tag 3");
  EXPECT_EQ((*done)->error(), proto::Error::cancelled);
  EXPECT_EQ(late, 0);
  peer_.say("Rlock tag 2 status 0");
  EXPECT_EQ(late, 1);
}

TEST_F(ClientTest, ALostConnectionFailsWhatWaitsAndWhatComesLater) {
  const auto waiting = start(client_.getattr(client_.root()));
  peer_.next();
  peer_.hang_up();
  peer_.run();
  ASSERT_TRUE(*waiting);
  EXPECT_EQ((*waiting)->error(), proto::Error::connection_lost);
  EXPECT_EQ(lost_, "the server closed it");
  const auto later = start(client_.getattr(client_.root()));
  ASSERT_TRUE(*later);
  EXPECT_EQ((*later)->error(), proto::Error::connection_lost);
}

TEST_F(ClientTest, AReplyToNobodyEndsTheConnectionAndIsNamed) {
  const auto waiting = start(client_.getattr(client_.root()));
  peer_.next();
  peer_.say("Rclunk tag 77");
  ASSERT_TRUE(*waiting);
  EXPECT_TRUE((*waiting)->has_error());
  EXPECT_THAT(lost_, HasSubstr("Rclunk tag 77"));
}

}  // namespace
}  // namespace fuse9p
