// SPDX-License-Identifier: MIT
// Extended attributes at the scripted server.

#include "tests/support/conversation.hpp"

#include <gtest/gtest.h>

namespace fuse9p::test {
namespace {

const std::string kBegin = R"(
    -> Tversion msize 8192 version 9P2000.L
    <- Rversion tag 65535 msize 8192 version 9P2000.L
    -> Tattach tag 0 fid 0 afid 4294967295 uname root aname '' n_uname 0
    <- Rattach tag 0 qid (0x1 0 0x80)
    -> Twalk tag 1 fid 0 newfid 1 wname file
    <- Rwalk tag 1 qid (0x2 0 0x0)
)";
/// Fid 1 writes the attribute, with these flags of setxattr(2).
std::string set(std::size_t size, int flags, const std::string& name = "user.a") {
  return kBegin + "-> Txattrcreate tag 1 fid 1 name " + name + " attr_size " +
         std::to_string(size) + " flags " + std::to_string(flags) + "\n<- Rxattrcreate tag 1\n";
}
const std::string kValue = "-> Twrite tag 1 fid 1 offset 0 data value\n<- Rwrite tag 1 count 5\n";
const std::string kClunk = "-> Tclunk tag 1 fid 1\n<- Rclunk tag 1\n";

TEST(ScriptedXattr, IsRead) {
  converse("= xattr /file user.a some words\n" + kBegin + R"(
    -> Txattrwalk tag 1 fid 1 newfid 2 name user.a
    <- Rxattrwalk tag 1 size 10
    -> Tread tag 1 fid 2 offset 5 count 100
    <- Rread tag 1 data words
    -> Tread tag 1 fid 2 offset 10 count 100
    <- Rread tag 1 data ''
    -> Tclunk tag 1 fid 2
    <- Rclunk tag 1
    -> Txattrwalk tag 1 fid 1 newfid 2 name user.b
    <- Rlerror tag 1 ecode 61)");
}

TEST(ScriptedXattr, IsListed) {
  converse("= xattr /file user.a x\n= xattr /file user.b y\n" + kBegin + R"(
    -> Txattrwalk tag 1 fid 1 newfid 2 name ''
    <- Rxattrwalk tag 1 size 14
    -> Tread tag 1 fid 2 offset 0 count 100
    <- Rread tag 1 data 'user.a\x00user.b\x00')");
}

TEST(ScriptedXattr, OfADirectoryIsReadThroughTread) {
  converse("= xattr /dir user.a x\n" + kBegin + R"(
    -> Twalk tag 1 fid 0 newfid 2 wname dir
    <- Rwalk tag 1 qid (0x3 0 0x80)
    -> Txattrwalk tag 1 fid 2 newfid 3 name user.a
    <- Rxattrwalk tag 1 size 1
    -> Tread tag 1 fid 3 offset 0 count 100
    <- Rread tag 1 data x)");
}

TEST(ScriptedXattr, NeedsAFid) {
  converse("= xattr /file user.a x\n= maxfids 2\n" + kBegin + R"(
    -> Txattrwalk tag 1 fid 1 newfid 2 name user.a
    <- Rlerror tag 1 ecode 34)");
}

TEST(ScriptedXattr, IsSetByTheTclunkInAnyOrderOfPieces) {
  converse(set(5, 0) + R"(
    -> Twrite tag 1 fid 1 offset 3 data ue
    <- Rwrite tag 1 count 2
    -> Twrite tag 1 fid 1 offset 0 data val
    <- Rwrite tag 1 count 3
    = xattr? /file user.a
    : no user.a
)" + kClunk +
           R"(
    = xattr? /file user.a
    : value)");
}

TEST(ScriptedXattr, MayBeEmpty) {
  converse(set(0, 0) + kClunk + "= xattr? /file user.a\n: ''");
}

TEST(ScriptedXattr, IsNotCreatedTwice) {
  converse("= xattr /file user.a old\n" + set(5, 1) + kValue + R"(
    -> Tclunk tag 1 fid 1
    <- Rlerror tag 1 ecode 17
    = xattr? /file user.a
    : old
    = fids
    : 1)");
}

TEST(ScriptedXattr, IsNotReplacedIfThereIsNone) {
  converse(set(5, 2) + kValue + R"(
    -> Tclunk tag 1 fid 1
    <- Rlerror tag 1 ecode 61
    = xattr? /file user.a
    : no user.a)");
}

TEST(ScriptedXattr, IsRemovedWhenReplacedByNothing) {
  converse("= xattr /file user.a old\n" + set(0, 2) + kClunk +
           "= xattr? /file user.a\n: no user.a");
}

TEST(ScriptedXattr, IsNotRemovedIfThereIsNone) {
  converse(set(0, 2) + "-> Tclunk tag 1 fid 1\n<- Rlerror tag 1 ecode 61");
}

TEST(ScriptedXattr, IsRefusedIfItIsTooLarge) {
  converse(kBegin + R"(
    -> Txattrcreate tag 1 fid 1 name user.a attr_size 65537 flags 0
    <- Rlerror tag 1 ecode 7)");
}

TEST(ScriptedXattr, IsRefusedWithFlagsThatContradictEachOther) {
  converse(kBegin + R"(
    -> Txattrcreate tag 1 fid 1 name user.a attr_size 5 flags 3
    <- Rlerror tag 1 ecode 22)");
}

TEST(ScriptedXattr, IsNotSetIfATwriteFailed) {
  converse(set(5, 0) + R"(
    = on Twrite fail ENOSPC
    -> Twrite tag 1 fid 1 offset 0 data value
    <- Rlerror tag 1 ecode 28
    -> Tclunk tag 1 fid 1
    <- Rlerror tag 1 ecode 22
    = xattr? /file user.a
    : no user.a)");
}

TEST(ScriptedXattr, IsNotSetIfATwriteWasFlushed) {
  converse(set(5, 0) + R"(
    = on Twrite hold
    -> Twrite tag 1 fid 1 offset 0 data value
    -> Tflush tag 2 oldtag 1
    <- Rflush tag 2
    -> Tclunk tag 1 fid 1
    <- Rlerror tag 1 ecode 22)");
}

TEST(ScriptedXattr, MayBeGivenUpIfItCameBehindItsRflush) {
  converse(kBegin + R"(
    = flush sloppy
    = on Txattrcreate hold
    -> Txattrcreate tag 1 fid 1 name user.a attr_size 5 flags 0
    -> Tflush tag 2 oldtag 1
    <- Rflush tag 2
    = release
    <- Rxattrcreate tag 1
    -> Tclunk tag 3 fid 1
    <- Rlerror tag 3 ecode 22)");
}

TEST(ScriptedXattr, MustBeWhole) {
  converse(set(6, 0) + kValue + "-> Tclunk tag 1 fid 1\n! bytes of its attribute are missing");
}

TEST(ScriptedXattr, MustBeWholeAlsoIfATwriteWasShort) {
  converse(set(5, 0) + R"(
    = on Twrite short 2
    -> Twrite tag 1 fid 1 offset 0 data value
    <- Rwrite tag 1 count 2
    -> Tclunk tag 1 fid 1
    ! bytes of its attribute are missing)");
}

TEST(ScriptedXattr, HasNoMoreBytesThanWereAnnounced) {
  converse(set(5, 0) +
           "-> Twrite tag 1 fid 1 offset 1 data value\n! beyond the size of the attribute");
}

TEST(ScriptedXattr, IsNotRead) {
  converse(set(5, 0) + "-> Tread tag 1 fid 1 offset 0 count 5\n! it is an attribute's");
}

TEST(ScriptedXattr, IsNotWalkedFrom) {
  converse(set(5, 0) + "-> Twalk tag 1 fid 1 newfid 2 wname\n! it is an attribute's");
}

TEST(ScriptedXattr, IsNotWrittenToIfItIsForReading) {
  converse("= xattr /file user.a x\n" + kBegin + R"(
    -> Txattrwalk tag 1 fid 1 newfid 2 name user.a
    <- Rxattrwalk tag 1 size 1
    -> Twrite tag 1 fid 2 offset 0 data y
    ! it is an attribute's)");
}

TEST(ScriptedXattr, IsNotWrittenBeforeItsReply) {
  converse(kBegin + R"(
    = on Txattrcreate hold
    -> Txattrcreate tag 1 fid 1 name user.a attr_size 5 flags 0
    -> Twrite tag 2 fid 1 offset 0 data value
    ! not known yet)");
}

}  // namespace
}  // namespace fuse9p::test
