// SPDX-License-Identifier: MIT
// Events and control files of the scripted server, in any dialect.

#include "tests/support/conversation.hpp"

#include <gtest/gtest.h>

namespace fuse9p::test {
namespace {

/// Fid 1 is the event, open for reading; fid 2 the control file, open for writing.
const std::string kOpen = R"(
    = event /event
    = ctl /ctl
    -> Tversion msize 8192 version 9P2000
    <- Rversion tag 65535 msize 8192 version 9P2000
    -> Tattach tag 0 fid 0 afid 4294967295 uname root aname ''
    <- Rattach tag 0 qid (0x1 5 0x80)
    -> Twalk tag 1 fid 0 newfid 1 wname event
    <- Rwalk tag 1 qid (0x5 0 0x0)
    -> Topen tag 1 fid 1 mode 0
    <- Ropen tag 1 qid (0x5 0 0x0) iounit 0
    -> Twalk tag 1 fid 0 newfid 2 wname ctl
    <- Rwalk tag 1 qid (0x6 0 0x0)
    -> Topen tag 1 fid 2 mode 1
    <- Ropen tag 1 qid (0x6 0 0x0) iounit 0
)";
const std::string kRead = "-> Tread tag 1 fid 1 offset 0 count 100\n";

void converse_legacy(const std::string& text) {
  converse(text, proto::Dialect::legacy);
}

TEST(ScriptedDevices, GiveOneRecordForEachRead) {
  converse_legacy(kOpen + "= emit /event first one\n= emit /event second\n" + kRead + R"(
    <- Rread tag 1 data 'first one'
    -> Tread tag 1 fid 1 offset 9 count 100
    <- Rread tag 1 data second)");
}

TEST(ScriptedDevices, LetAReadWaitForItsRecord) {
  converse_legacy(kOpen + kRead + R"(
    = release
    -> Tread tag 2 fid 1 offset 0 count 100
    = emit /event one
    : ok
    <- Rread tag 1 data one
    = emit /event two
    <- Rread tag 2 data two)");
}

TEST(ScriptedDevices, KeepWhatDoesNotFitForTheNextRead) {
  converse_legacy(kOpen + R"(
    = emit /event record
    -> Tread tag 1 fid 1 offset 0 count 3
    <- Rread tag 1 data rec
    -> Tread tag 1 fid 1 offset 3 count 100
    <- Rread tag 1 data ord)");
}

TEST(ScriptedDevices, LetAFlushedReadTakeNoRecord) {
  converse_legacy(kOpen + kRead + R"(
    -> Tflush tag 2 oldtag 1
    <- Rflush tag 2
    = emit /event one
    -> Tread tag 1 fid 1 offset 0 count 100
    <- Rread tag 1 data one)");
}

TEST(ScriptedDevices, HaveNoAnswerForARead) {
  converse_legacy(kOpen + "= flush answer\n" + kRead + R"(
    -> Tflush tag 2 oldtag 1
    <- Rflush tag 2
    = emit /event one)");
}

TEST(ScriptedDevices, AnswerAFlushWhenTheRecordComes) {
  converse_legacy(kOpen + "= flush after\n" + kRead + R"(
    -> Tflush tag 2 oldtag 1
    = release
    = emit /event one
    <- Rread tag 1 data one
    <- Rflush tag 2)");
}

TEST(ScriptedDevices, ForgetAReadWhoseFidIsGone) {
  converse_legacy(kOpen + "= flush sloppy\n" + kRead + R"(
    -> Tflush tag 2 oldtag 1
    <- Rflush tag 2
    -> Tclunk tag 2 fid 1
    <- Rclunk tag 2
    = emit /event one
    : ok)");
}

TEST(ScriptedDevices, DoNotWaitForOneAnother) {
  converse_legacy("= event /other\n= emit /other x\n" + std::string(R"(
    = event /event
    -> Tversion msize 8192 version 9P2000
    <- Rversion tag 65535 msize 8192 version 9P2000
    -> Tattach tag 0 fid 0 afid 4294967295 uname root aname ''
    <- Rattach tag 0 qid (0x1 5 0x80)
    -> Twalk tag 1 fid 0 newfid 1 wname event
    <- Rwalk tag 1 qid (0x6 0 0x0)
    -> Topen tag 1 fid 1 mode 0
    <- Ropen tag 1 qid (0x6 0 0x0) iounit 0
    -> Tread tag 1 fid 1 offset 0 count 100
    = emit /other y
    = emit /event z
    <- Rread tag 1 data z)"));
}

TEST(ScriptedDevices, AreReadIn9P2000LToo) {
  converse(R"(
    = event /event
    -> Tversion msize 8192 version 9P2000.L
    <- Rversion tag 65535 msize 8192 version 9P2000.L
    -> Tattach tag 0 fid 0 afid 4294967295 uname root aname '' n_uname 0
    <- Rattach tag 0 qid (0x1 0 0x80)
    -> Twalk tag 1 fid 0 newfid 1 wname event
    <- Rwalk tag 1 qid (0x5 0 0x0)
    -> Tlopen tag 1 fid 1 flags 0
    <- Rlopen tag 1 qid (0x5 0 0x0) iounit 0
    -> Tread tag 1 fid 1 offset 0 count 100
    = emit /event one
    <- Rread tag 1 data one)");
}

TEST(ScriptedDevices, RecordEachWrite) {
  converse_legacy(kOpen + R"(
    -> Twrite tag 1 fid 2 offset 0 data start
    <- Rwrite tag 1 count 5
    -> Twrite tag 1 fid 2 offset 5 data 'stop now'
    <- Rwrite tag 1 count 8
    = written /ctl
    : start 'stop now'
    -> Tstat tag 1 fid 2
    <- Rstat ... qid (0x6 0 0x0) mode 0222 ... length 0 name ctl uid root gid root muid root))");
}

TEST(ScriptedDevices, TakeNoWriteToAnEvent) {
  converse_legacy(kOpen + R"(
    -> Twalk tag 1 fid 0 newfid 3 wname event
    <- Rwalk tag 1 qid (0x5 0 0x0)
    -> Topen tag 1 fid 3 mode 1
    <- Ropen tag 1 qid (0x5 0 0x0) iounit 0
    -> Twrite tag 1 fid 3 offset 0 data x
    <- Rerror tag 1 ename 'Operation not permitted')");
}

}  // namespace
}  // namespace fuse9p::test
