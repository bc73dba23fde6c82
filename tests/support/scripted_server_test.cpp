// SPDX-License-Identifier: MIT
// The scripted server itself: a judge that misses a breach is worse than none.

#include "tests/support/conversation.hpp"

#include <gtest/gtest.h>

namespace fuse9p::test {
namespace {

const std::string kBegin = R"(
    -> Tversion msize 8192 version 9P2000.L
    <- Rversion tag 65535 msize 8192 version 9P2000.L
    -> Tattach tag 0 fid 0 afid 4294967295 uname root aname '' n_uname 0
    <- Rattach tag 0 qid (0x1 0 0x80)
)";
const std::string kOpen = kBegin + R"(
    -> Twalk tag 1 fid 0 newfid 1 wname file
    <- Rwalk tag 1 qid (0x2 0 0x0)
    -> Tlopen tag 1 fid 1 flags 0
    <- Rlopen tag 1 qid (0x2 0 0x0) iounit 0
)";

TEST(ScriptedServer, ServesAFile) {
  converse(kOpen + R"(
    -> Tread tag 1 fid 1 offset 1 count 100
    <- Rread tag 1 data ello
    -> Tclunk tag 1 fid 1
    <- Rclunk tag 1)");
}

TEST(ScriptedServer, HoldsAndReleases) {
  converse(kOpen + R"(
    = on Tread nth 1 hold
    -> Tread tag 1 fid 1 offset 0 count 1
    -> Tread tag 2 fid 1 offset 1 count 1
    <- Rread tag 2 data e
    = release
    <- Rread tag 1 data h)");
}

TEST(ScriptedServer, ReleasesInReverse) {
  converse(kOpen + R"(
    = on Tread hold
    -> Tread tag 1 fid 1 offset 0 count 1
    -> Tread tag 2 fid 1 offset 1 count 1
    = release reverse
    <- Rread tag 2 data e
    <- Rread tag 1 data h)");
}

TEST(ScriptedServer, WithholdsTheAnswerToWhatIsDone) {
  converse(kBegin + R"(
    = on Tmkdir withhold
    -> Tmkdir tag 1 dfid 0 name new mode 493 gid 0
    -> Twalk tag 2 fid 0 newfid 1 wname new
    <- Rwalk tag 2 qid (0x5 0 0x80)
    = release
    <- Rmkdir tag 1 qid (0x5 0 0x80))");
}

TEST(ScriptedServer, ShortensFailsAndLies) {
  converse(kOpen + R"(
    = on Tread nth 1 short 2
    = on Tread nth 1 fail EIO
    = on Tread nth 1 reply Rread tag 77 data lie
    -> Tread tag 1 fid 1 offset 0 count 5
    <- Rread tag 1 data he
    -> Tread tag 1 fid 1 offset 0 count 5
    <- Rlerror tag 1 ecode 5
    -> Tread tag 1 fid 1 offset 0 count 5
    <- Rread tag 77 data lie)");
}

const std::string kFullWithTwo = kBegin + R"(
    -> Twalk tag 1 fid 0 newfid 1 wname file
    <- Rwalk tag 1 qid (0x2 0 0x0)
)";

TEST(ScriptedServer, HasNoMoreFidsThanItMay) {
  converse("= maxfids 2" + kFullWithTwo + R"(
    -> Twalk tag 1 fid 0 newfid 2 wname dir
    <- Rlerror tag 1 ecode 34
    -> Tattach tag 1 fid 2 afid 4294967295 uname root aname '' n_uname 0
    <- Rlerror tag 1 ecode 34
    -> Tclunk tag 1 fid 1
    <- Rclunk tag 1
    -> Twalk tag 1 fid 0 newfid 3 wname file
    <- Rwalk tag 1 qid (0x2 0 0x0))");
}

TEST(ScriptedServer, LacksFidsWithTheErrorThatTheScriptNames) {
  converse("= maxfids 2 EMFILE" + kFullWithTwo + R"(
    -> Twalk tag 1 fid 0 newfid 2 wname dir
    <- Rlerror tag 1 ecode 24)");
}

TEST(ScriptedServer, RefusesHighFidsIfItIsStrict) {
  converse("= maxfids 2 strict" + kBegin + R"(
    -> Twalk tag 1 fid 0 newfid 2 wname file
    <- Rlerror tag 1 ecode 34
    -> Twalk tag 1 fid 0 newfid 1 wname file
    <- Rwalk tag 1 qid (0x2 0 0x0))");
}

TEST(ScriptedServer, LetsSomebodyElseChangeTheTree) {
  converse(kBegin + R"(
    = move /file /dir/moved
    -> Twalk tag 1 fid 0 newfid 1 wname dir moved
    <- Rwalk tag 1 qid (0x3 0 0x80) (0x2 0 0x0)
    = inode /dir/moved 99
    -> Twalk tag 1 fid 0 newfid 2 wname dir moved
    <- Rwalk tag 1 qid (0x3 0 0x80) (0x63 0 0x0)
    = remove /dir/moved
    -> Twalk tag 1 fid 0 newfid 3 wname file
    <- Rlerror tag 1 ecode 2)");
}

TEST(ScriptedServer, KnowsWhoMadeAFile) {
  converse(kBegin + R"(
    -> Tattach tag 1 fid 1 afid 4294967295 uname '' aname '' n_uname 1000
    <- Rattach tag 1 qid (0x1 0 0x80)
    = attaches
    : 2
    -> Tmkdir tag 1 dfid 1 name theirs mode 0755 gid 7
    <- Rmkdir tag 1 qid (0x5 0 0x80)
    -> Twalk tag 1 fid 1 newfid 2 wname theirs
    <- Rwalk tag 1 qid (0x5 0 0x80)
    -> Tlcreate tag 1 fid 2 name deep flags 1 mode 0644 gid 7
    <- Rlcreate tag 1 qid (0x6 0 0x0) iounit 0
    -> Tmkdir tag 1 dfid 0 name ours mode 0755 gid 0
    <- Rmkdir tag 1 qid (0x7 0 0x80)
    = uid /theirs
    : 1000
    = uid /theirs/deep
    : 1000
    = uid /ours
    : 0)");
}

struct Policy {
  const char* name;
  const char* answers;
};
void PrintTo(const Policy& policy, std::ostream* out) {
  *out << policy.name;
}

class FlushPolicy : public testing::TestWithParam<Policy> {};

TEST_P(FlushPolicy, IsKept) {
  converse(kOpen + "= on Tread hold\n= flush " + GetParam().name + R"(
    -> Tread tag 1 fid 1 offset 0 count 5
    -> Tflush tag 2 oldtag 1
)" + GetParam().answers);
}

INSTANTIATE_TEST_SUITE_P(
    Of, FlushPolicy,
    testing::Values(Policy{"prompt", "<- Rflush tag 2\n= release"},
                    Policy{"answer", "<- Rread tag 1 data hello\n<- Rflush tag 2\n= release"},
                    Policy{"after", "= release\n<- Rread tag 1 data hello\n<- Rflush tag 2"},
                    Policy{"never", "= release\n<- Rread tag 1 data hello"},
                    Policy{"late", "= release\n<- Rflush tag 2"},
                    Policy{"sloppy", "<- Rflush tag 2\n= release\n<- Rread tag 1 data hello"},
                    Policy{"error", "<- Rlerror tag 2 ecode 22\n= release"}),
    [](const auto& of) { return std::string(of.param.name); });

// ---- breaches

struct Breach {
  const char* name;
  std::string conversation;
};
void PrintTo(const Breach& breach, std::ostream* out) {
  *out << breach.name;
}

class Breaches : public testing::TestWithParam<Breach> {};

TEST_P(Breaches, AreNoticed) {
  converse(GetParam().conversation);
}

const std::string kHeld = "= on Tread hold\n-> Tread tag 1 fid 1 offset 0 count 5\n";

INSTANTIATE_TEST_SUITE_P(
    Of, Breaches,
    testing::Values(
        Breach{"BeforeTversion", "-> Tclunk tag 1 fid 1\n! out of place"},
        Breach{"TagInUse", kOpen + kHeld + "-> Tgetattr tag 1 fid 0 request_mask 1\n! in use"},
        Breach{"TagReusedBeforeItsRflush", kOpen + kHeld + R"(
            = flush late
            -> Tflush tag 2 oldtag 1
            -> Tgetattr tag 1 fid 0 request_mask 1
            ! being flushed)"},
        Breach{"TagReusedBeforeItsRflushThoughAnswered", kOpen + kHeld + R"(
            = flush never
            -> Tflush tag 2 oldtag 1
            = release
            -> Tgetattr tag 1 fid 0 request_mask 1
            ! in use)"},
        Breach{"TflushOfATflush", kOpen + kHeld + R"(
            = flush never
            -> Tflush tag 2 oldtag 1
            -> Tflush tag 3 oldtag 2
            ! Tflush of a Tflush)"},
        Breach{"TflushOfItself", kOpen + "-> Tflush tag 2 oldtag 2\n! Tflush of a Tflush"},
        Breach{"SecondTflush", kOpen + kHeld + R"(
            = flush after
            -> Tflush tag 2 oldtag 1
            -> Tflush tag 3 oldtag 1
            ! a second Tflush)"},
        Breach{"SecondTflushOfADroppedRequest", kOpen + kHeld + R"(
            = flush late
            -> Tflush tag 2 oldtag 1
            -> Tflush tag 3 oldtag 1
            ! a second Tflush)"},
        Breach{"UnknownFid", kBegin + "-> Tgetattr tag 1 fid 9 request_mask 1\n! no fid 9"},
        Breach{"FidBeforeItsReply", kBegin + R"(
            = on Twalk hold
            -> Twalk tag 1 fid 0 newfid 1 wname file
            -> Tgetattr tag 2 fid 1 request_mask 1
            ! no fid 1 yet)"},
        Breach{"FidInUse", kOpen + "-> Twalk tag 1 fid 0 newfid 1 wname file\n! in use"},
        Breach{"FidReusedBeforeItsRclunk", kOpen + R"(
            = on Tclunk hold
            -> Tclunk tag 1 fid 1
            -> Twalk tag 2 fid 0 newfid 1 wname file
            ! in use)"},
        Breach{"FidUsedAfterItsTclunk", kOpen + R"(
            = on Tclunk hold
            -> Tclunk tag 1 fid 1
            -> Tread tag 2 fid 1 offset 0 count 5
            ! not known yet)"},
        Breach{"FidAfterAPartialWalk", kBegin + R"(
            -> Twalk tag 1 fid 0 newfid 1 wname dir nothing
            <- Rwalk tag 1 qid (0x3 0 0x80)
            -> Twalk tag 1 fid 0 newfid 1 wname file
            ! may exist)"},
        Breach{"TclunkBehindARead", kOpen + kHeld + "-> Tclunk tag 2 fid 1\n! not answered yet"},
        Breach{"ReadBeforeRlopen", kBegin + R"(
            -> Twalk tag 1 fid 0 newfid 1 wname file
            <- Rwalk tag 1 qid (0x2 0 0x0)
            = on Tlopen hold
            -> Tlopen tag 1 fid 1 flags 0
            -> Tread tag 2 fid 1 offset 0 count 5
            ! not known yet)"},
        Breach{"ReadOfAClosedFid", kBegin + "-> Tread tag 1 fid 0 offset 0 count 5\n! not open"},
        Breach{"WalkFromAnOpenFid", kOpen + "-> Twalk tag 1 fid 1 newfid 2 wname\n! is open"},
        Breach{"OpenOfAnOpenFid", kOpen + "-> Tlopen tag 1 fid 1 flags 0\n! is open"},
        Breach{"WriteToAFidForReading",
               kOpen + "-> Twrite tag 1 fid 1 offset 0 data x\n! for that"},
        Breach{"CountAboveMsize",
               kOpen + "-> Tread tag 1 fid 1 offset 0 count 8169\n! with msize 8192"},
        Breach{"CountOfZero", kOpen + "-> Tread tag 1 fid 1 offset 0 count 0\n! of 0 bytes"},
        Breach{"FrameAboveMsize",
               kOpen + "-> Twrite tag 1 fid 1 offset 0 data <8192 bytes>\n! a frame of"},
        Breach{"DotInAWalk",
               kBegin + "-> Twalk tag 1 fid 0 newfid 1 wname .\n! a name that is none"},
        Breach{"AnotherDialect", kBegin + "-> Topen tag 1 fid 0 mode 0\n! not in 9P2000.L"},
        Breach{"TwoTreaddir", kBegin + R"(
            -> Twalk tag 1 fid 0 newfid 1 wname
            <- Rwalk tag 1 qid
            -> Tlopen tag 1 fid 1 flags 0
            <- Rlopen tag 1 qid (0x1 0 0x80) iounit 0
            = on Treaddir hold
            -> Treaddir tag 1 fid 1 offset 0 count 100
            -> Treaddir tag 2 fid 1 offset 0 count 100
            ! another read of the directory)"}),
    [](const auto& of) { return std::string(of.param.name); });

TEST(ScriptedServer, ToleratesATclunkOfAFidThatMayExist) {
  converse(kBegin + R"(
    -> Twalk tag 1 fid 0 newfid 1 wname dir nothing
    <- Rwalk tag 1 qid (0x3 0 0x80)
    -> Tclunk tag 1 fid 1
    <- Rclunk tag 1
    -> Twalk tag 1 fid 0 newfid 1 wname file
    <- Rwalk tag 1 qid (0x2 0 0x0))");
}

TEST(ScriptedServer, ToleratesATflushOfATagThatWasAnswered) {
  converse(kOpen + R"(
    -> Tread tag 1 fid 1 offset 0 count 5
    <- Rread tag 1 data hello
    -> Tflush tag 2 oldtag 1
    <- Rflush tag 2
    -> Tread tag 1 fid 1 offset 0 count 1
    <- Rread tag 1 data h)");
}

}  // namespace
}  // namespace fuse9p::test
