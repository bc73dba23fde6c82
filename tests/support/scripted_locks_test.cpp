// SPDX-License-Identifier: MIT
// Locks at the scripted server, of each kind that it can have.

#include "tests/support/conversation.hpp"

#include <gtest/gtest.h>

namespace fuse9p::test {
namespace {

/// Fid 1 is open for reading and writing, fid 2, too, fid 3 for reading.
const std::string kOpen = R"(
    -> Tversion msize 8192 version 9P2000.L
    <- Rversion tag 65535 msize 8192 version 9P2000.L
    -> Tattach tag 0 fid 0 afid 4294967295 uname root aname '' n_uname 0
    <- Rattach tag 0 qid (0x1 0 0x80)
    -> Twalk tag 1 fid 0 newfid 1 wname file
    <- Rwalk tag 1 qid (0x2 0 0x0)
    -> Tlopen tag 1 fid 1 flags 2
    <- Rlopen tag 1 qid (0x2 0 0x0) iounit 0
    -> Twalk tag 1 fid 0 newfid 2 wname file
    <- Rwalk tag 1 qid (0x2 0 0x0)
    -> Tlopen tag 1 fid 2 flags 2
    <- Rlopen tag 1 qid (0x2 0 0x0) iounit 0
    -> Twalk tag 1 fid 0 newfid 3 wname file
    <- Rwalk tag 1 qid (0x2 0 0x0)
    -> Tlopen tag 1 fid 3 flags 0
    <- Rlopen tag 1 qid (0x2 0 0x0) iounit 0
)";

enum Type { kRead, kWrite, kUnlock };
enum Status { kGot, kBlocked };

/// A Tlock and its status.
std::string lock(int fid, Type type, int start, int length, int pid, Status status) {
  return "-> Tlock tag 1 fid " + std::to_string(fid) + " type " + std::to_string(type) +
         " flags 0 start " + std::to_string(start) + " length " + std::to_string(length) +
         " proc_id " + std::to_string(pid) + " client_id host\n<- Rlock tag 1 status " +
         std::to_string(status) + "\n";
}

TEST(ScriptedLocks, KeepProcessesApart) {
  converse(kOpen + lock(1, kWrite, 0, 10, 7, kGot) + lock(1, kRead, 9, 1, 8, kBlocked) +
           lock(1, kRead, 10, 1, 8, kGot) + lock(1, kUnlock, 0, 10, 7, kGot) +
           lock(1, kRead, 9, 1, 8, kGot));
}

TEST(ScriptedLocks, AreSharedByReaders) {
  converse(kOpen + lock(1, kRead, 0, 10, 7, kGot) + lock(1, kRead, 5, 10, 8, kGot) +
           lock(1, kWrite, 12, 1, 7, kBlocked) + lock(1, kWrite, 0, 5, 7, kGot));
}

TEST(ScriptedLocks, LeaveWhatLiesAroundAHole) {
  converse(kOpen + lock(1, kWrite, 0, 0, 7, kGot) + lock(1, kUnlock, 10, 10, 7, kGot) + R"(
    = locked /file
    : write 0 10 by 7@host, write 20 0 by 7@host
)" + lock(1, kRead, 25, 5, 7, kGot) +
           R"(
    = locked /file
    : write 0 10 by 7@host, write 20 5 by 7@host, read 25 5 by 7@host, write 30 0 by 7@host)");
}

TEST(ScriptedLocks, KeepTheOldOneIfTheNewOneIsBlocked) {
  converse(kOpen + lock(1, kRead, 0, 10, 7, kGot) + lock(1, kRead, 0, 10, 8, kGot) +
           lock(1, kWrite, 0, 10, 7, kBlocked) + R"(
    = locked /file
    : read 0 10 by 7@host, read 0 10 by 8@host)");
}

TEST(ScriptedLocks, EndWithTheirFid) {
  converse(kOpen + lock(1, kWrite, 0, 10, 7, kGot) + R"(
    -> Tclunk tag 1 fid 1
    <- Rclunk tag 1
    = locked /file
    : nothing)");
}

TEST(ScriptedLocks, WantAFidThatIsOpenForIt) {
  converse(kOpen + lock(3, kRead, 0, 10, 7, kGot) + R"(
    -> Tlock tag 1 fid 3 type 1 flags 0 start 0 length 1 proc_id 7 client_id host
    <- Rlerror tag 1 ecode 9)");
}

TEST(ScriptedLocks, RefuseWhatIsNone) {
  converse(kOpen + R"(
    -> Tlock tag 1 fid 1 type 3 flags 0 start 0 length 1 proc_id 7 client_id host
    <- Rlerror tag 1 ecode 22
    -> Tlock tag 1 fid 1 type 1 flags 4 start 0 length 1 proc_id 7 client_id host
    <- Rlerror tag 1 ecode 22)");
}

TEST(ScriptedLocks, TellWhoIsInTheWay) {
  converse(kOpen + lock(1, kWrite, 5, 5, 7, kGot) + R"(
    -> Tgetlock tag 1 fid 1 type 0 start 0 length 0 proc_id 8 client_id host
    <- Rgetlock tag 1 type 1 start 5 length 5 proc_id 7 client_id host
    -> Tgetlock tag 1 fid 1 type 0 start 0 length 5 proc_id 8 client_id host
    <- Rgetlock tag 1 type 2 start 0 length 5 proc_id 8 client_id host
    -> Tgetlock tag 1 fid 1 type 1 start 0 length 0 proc_id 7 client_id host
    <- Rgetlock tag 1 type 2 start 0 length 0 proc_id 7 client_id host)");
}

TEST(ScriptedLocks, MayBeAnotherClients) {
  converse(kOpen + R"(
    = lock /file write 0 10
    : ok
)" + lock(1, kRead, 0, 1, 7, kBlocked) +
           lock(1, kRead, 10, 1, 7, kGot) + R"(
    = lock /file write 10 0
    : blocked
    = unlock /file
    : ok
)" + lock(1, kRead, 0, 1, 7, kGot));
}

TEST(ScriptedLocks, OfWholeFilesBelongToFids) {
  converse("= locks whole\n" + kOpen + lock(1, kWrite, 0, 10, 7, kGot) +
           lock(1, kWrite, 50, 1, 8, kGot) + lock(2, kRead, 90, 1, 7, kBlocked) +
           lock(3, kWrite, 90, 1, 7, kBlocked) + lock(1, kUnlock, 99, 1, 9, kGot) +
           lock(3, kWrite, 90, 1, 7, kGot));
}

TEST(ScriptedLocks, OfWholeFilesAreLostInAnUpgradeThatIsBlocked) {
  converse("= locks whole\n" + kOpen + lock(1, kRead, 0, 0, 7, kGot) +
           lock(2, kRead, 0, 0, 7, kGot) + lock(1, kWrite, 0, 0, 7, kBlocked) +
           lock(2, kWrite, 0, 0, 7, kGot));
}

TEST(ScriptedLocks, OfWholeFilesTellTheAskerOfItself) {
  converse("= locks whole\n" + kOpen + lock(1, kWrite, 5, 5, 7, kGot) + R"(
    -> Tgetlock tag 1 fid 2 type 0 start 3 length 4 proc_id 8 client_id me
    <- Rgetlock tag 1 type 1 start 3 length 4 proc_id 8 client_id me)");
}

TEST(ScriptedLocks, ThatAreFakeAreGrantedToEverybody) {
  converse("= locks fake\n" + kOpen + lock(1, kWrite, 0, 0, 7, kGot) +
           lock(2, kWrite, 0, 0, 8, kGot) + R"(
    -> Tgetlock tag 1 fid 2 type 1 start 0 length 0 proc_id 9 client_id host
    <- Rgetlock tag 1 type 2 start 0 length 0 proc_id 9 client_id host)");
}

TEST(ScriptedLocks, MayNotBeSupported) {
  converse("= locks none\n" + kOpen + R"(
    -> Tlock tag 1 fid 1 type 1 flags 0 start 0 length 1 proc_id 7 client_id host
    <- Rlerror tag 1 ecode 95
    -> Tgetlock tag 1 fid 1 type 1 start 0 length 0 proc_id 9 client_id host
    <- Rlerror tag 1 ecode 95)");
}

}  // namespace
}  // namespace fuse9p::test
