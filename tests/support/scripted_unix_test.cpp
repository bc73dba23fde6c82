// SPDX-License-Identifier: MIT
// The scripted server in 9P2000.u: what Unix has beyond 9P2000.

#include "tests/support/conversation.hpp"

#include <gtest/gtest.h>

namespace fuse9p::test {
namespace {

const std::string kBegin = R"(
    -> Tversion msize 8192 version 9P2000.u
    <- Rversion tag 65535 msize 8192 version 9P2000.u
    -> Tattach tag 0 fid 0 afid 4294967295 uname '' aname '' n_uname 1000
    <- Rattach tag 0 qid (0x1 3 0x80)
)";
const std::string kDir = kBegin + R"(
    -> Twalk tag 1 fid 0 newfid 1 wname dir
    <- Rwalk tag 1 qid (0x3 2 0x80)
)";
const std::string kFile = kBegin + R"(
    -> Twalk tag 1 fid 0 newfid 1 wname file
    <- Rwalk tag 1 qid (0x2 1 0x0)
)";

void converse_u(const std::string& text) {
  converse(text, proto::Dialect::u);
}

std::string error(const std::string& words, int number) {
  return "\n<- Rerror tag 1 ename '" + words + "' errno " + std::to_string(number) + "\n";
}
/// Fid 1 becomes /dir/new.
std::string create(const std::string& perm, const std::string& extension) {
  return "-> Tcreate tag 1 fid 1 name new perm " + perm + " mode 0 extension " + extension + "\n";
}
/// Of fid 1, made by user 1000 in a directory of group 0.
std::string stat(const std::string& qid, const std::string& mode, int length,
                 const std::string& extension) {
  return "-> Tstat tag 1 fid 1\n<- Rstat tag 1 stat (type 0x0 dev 0x0 qid " + qid + " mode " +
         mode + " atime * mtime * length " + std::to_string(length) +
         " name new uid 1000 gid root muid 1000 extension " + extension +
         " n_uid 1000 n_gid 0 n_muid 1000)\n";
}

TEST(ScriptedUnix, SaysErrorsInWordsAndNumbers) {
  converse_u(kBegin + "-> Twalk tag 1 fid 0 newfid 1 wname nothing" +
             error("No such file or directory", 2) + R"(
    = on Twalk fail EIO the disk is on fire
    -> Twalk tag 1 fid 0 newfid 1 wname file)" +
             error("the disk is on fire", 5));
}

TEST(ScriptedUnix, CreatesAFile) {
  converse_u(kDir + create("0666", "''") + "<- Rcreate tag 1 qid (0x5 1 0x0) iounit 0\n" +
             stat("(0x5 1 0x0)", "0644", 0, "''"));
}

TEST(ScriptedUnix, CreatesFilesWithSetIdBits) {
  converse_u(kDir + create("0x000d01ed", "''") + "<- Rcreate tag 1 qid (0x5 1 0x0) iounit 0\n" +
             stat("(0x5 1 0x0)", "03200755", 0, "''"));
}

TEST(ScriptedUnix, CreatesASymlink) {
  converse_u(kDir + create("0x02000000", "/somewhere/else") +
             "<- Rcreate tag 1 qid (0x5 1 0x2) iounit 0\n" +
             stat("(0x5 1 0x2)", "0200000777", 15, "/somewhere/else"));
}

TEST(ScriptedUnix, DoesNotOpenASymlink) {
  converse_u("= symlink file /link\n" + std::string(R"(
    -> Tversion msize 8192 version 9P2000.u
    <- Rversion tag 65535 msize 8192 version 9P2000.u
    -> Tattach tag 0 fid 0 afid 4294967295 uname '' aname '' n_uname 1000
    <- Rattach tag 0 qid (0x1 4 0x80)
    -> Twalk tag 1 fid 0 newfid 1 wname link
    <- Rwalk tag 1 qid (0x5 1 0x2)
    -> Topen tag 1 fid 1 mode 0)") +
             error("Too many levels of symbolic links", 40));
}

TEST(ScriptedUnix, CreatesDevices) {
  converse_u(kDir + create("0x008001a4", "'b 8 1'") +
             "<- Rcreate tag 1 qid (0x5 1 0x0) iounit 0\n" +
             stat("(0x5 1 0x0)", "040000644", 0, "'b 8 1'"));
  converse_u(kDir + create("0x008001a4", "'c 1 300'") +
             "<- Rcreate tag 1 qid (0x5 1 0x0) iounit 0\n" +
             stat("(0x5 1 0x0)", "040000644", 0, "'c 1 300'"));
}

TEST(ScriptedUnix, CreatesFifosAndSockets) {
  converse_u(kDir + create("0x002001a4", "''") + "<- Rcreate tag 1 qid (0x5 1 0x0) iounit 0\n" +
             stat("(0x5 1 0x0)", "010000644", 0, "''"));
  converse_u(kDir + create("0x001001a4", "''") + "<- Rcreate tag 1 qid (0x5 1 0x0) iounit 0\n" +
             stat("(0x5 1 0x0)", "04000644", 0, "''"));
}

TEST(ScriptedUnix, CreatesNothingThatCantBe) {
  const std::string refused = error("Invalid argument", 22);
  converse_u(kDir + create("0x00800000", "'x 1 2'") + refused + create("0x00800000", "'b 1'") +
             refused + create("0x02200000", "''") + refused + create("0x01000000", "nothing") +
             refused);
}

TEST(ScriptedUnix, LinksTheFileOfAnotherFid) {
  converse_u(kDir + R"(
    -> Twalk tag 1 fid 0 newfid 7 wname file
    <- Rwalk tag 1 qid (0x2 1 0x0)
)" + create("0x01000000", "7") +
             R"(
    <- Rcreate tag 1 qid (0x2 1 0x0) iounit 0
    -> Tstat tag 1 fid 1
    <- Rstat ... qid (0x2 1 0x0) mode 0644 ... length 5 name new ... n_uid 0 n_gid 0 n_muid 0)
    -> Tstat tag 1 fid 7
    <- Rstat ... qid (0x2 1 0x0) mode 0644 ... length 5 name file ... n_uid 0 n_gid 0 n_muid 0)
    -> Tremove tag 1 fid 7
    <- Rremove tag 1
    -> Twalk tag 1 fid 0 newfid 8 wname dir new
    <- Rwalk tag 1 qid (0x3 3 0x80) (0x2 1 0x0))");
}

TEST(ScriptedUnix, DoesNotLinkDirectories) {
  converse_u(kDir + create("0x01000000", "0") + error("Operation not permitted", 1));
}

TEST(ScriptedUnix, NoticesALinkToAFidThatIsNone) {
  converse_u(kDir + create("0x01000000", "7") + "! there is no fid 7");
}

TEST(ScriptedUnix, NoticesALinkToAFidThatIsBeingClunked) {
  converse_u(kDir + R"(
    -> Twalk tag 1 fid 0 newfid 7 wname file
    <- Rwalk tag 1 qid (0x2 1 0x0)
    = on Tclunk hold
    -> Tclunk tag 2 fid 7
)" + create("0x01000000", "7") +
             "! not known yet");
}

TEST(ScriptedUnix, NoticesATclunkOfAFidThatIsBeingLinked) {
  converse_u(kDir + R"(
    -> Twalk tag 1 fid 0 newfid 7 wname file
    <- Rwalk tag 1 qid (0x2 1 0x0)
    = on Tcreate hold
)" + create("0x01000000", "7") +
             "-> Tclunk tag 2 fid 7\n! not answered yet");
}

TEST(ScriptedUnix, LetsALinkedFidBeUsedMeanwhile) {
  converse_u(kDir + R"(
    -> Twalk tag 1 fid 0 newfid 7 wname file
    <- Rwalk tag 1 qid (0x2 1 0x0)
    = on Tcreate hold
)" + create("0x01000000", "7") +
             R"(
    -> Twalk tag 2 fid 7 newfid 8 wname
    <- Rwalk tag 2 qid
    = release
    <- Rcreate tag 1 qid (0x2 1 0x0) iounit 0)");
}

TEST(ScriptedUnix, AppendsIfItIsOpenedSo) {
  converse_u(kFile + R"(
    -> Topen tag 1 fid 1 mode 0x82
    <- Ropen tag 1 qid (0x2 1 0x0) iounit 0
    -> Twrite tag 1 fid 1 offset 0 data !
    <- Rwrite tag 1 count 1
    -> Tread tag 1 fid 1 offset 0 count 100
    <- Rread tag 1 data 'hello!')");
}

TEST(ScriptedUnix, ChangesOwnersByNumberAndByName) {
  const std::string begin =
      "-> Tstat tag 1 fid 1\n<- Rstat tag 1 stat (type 0x0 dev 0x0 qid (0x2 "
      "* 0x0) mode 0644 atime * mtime * length 5 name file ";
  converse_u("= user glenda 7\n" + kFile + R"(
    -> Twstat tag 1 fid 1 stat (n_uid 5 n_gid 6)
    <- Rwstat tag 1
)" + begin + "uid 5 gid 6 muid root extension '' n_uid 5 n_gid 6 n_muid 0)\n" +
             R"(
    -> Twstat tag 1 fid 1 stat (uid glenda gid glenda)
    <- Rwstat tag 1
)" + begin + "uid glenda gid glenda muid root extension '' n_uid 7 n_gid 7 n_muid 0)\n");
}

TEST(ScriptedUnix, ChangesAllTimes) {
  converse_u(kFile + R"(
    -> Twstat tag 1 fid 1 stat (atime 5 mtime 6)
    <- Rwstat tag 1
    -> Tstat tag 1 fid 1
    <- Rstat ... qid (0x2 2 0x0) mode 0644 atime 5 mtime 6 ... n_muid 0))");
}

TEST(ScriptedUnix, ChangesSetIdBitsButNotTheType) {
  converse_u(kFile + R"(
    -> Twstat tag 1 fid 1 stat (mode 0x000801ff)
    <- Rwstat tag 1
    -> Tstat tag 1 fid 1
    <- Rstat ... qid (0x2 2 0x0) mode 02000777 ... length 5 name file ... n_uid 0 n_gid 0 n_muid 0)
    -> Twstat tag 1 fid 1 stat (mode 0x020001ff))" +
             error("wstat -- attempt to change the type", 1));
}

TEST(ScriptedUnix, ReadsADirectory) {
  converse_u(kDir + R"(
    -> Topen tag 1 fid 1 mode 0
    <- Ropen tag 1 qid (0x3 2 0x80) iounit 0
    -> Tread tag 1 fid 1 offset 0 count 1000
    <= 1 deep
    -> Tread tag 1 fid 1 offset 79 count 1000
    <= 1)");
}

TEST(ScriptedUnix, GoesByTheNameOfAUserWithoutANumber) {
  converse_u("= user glenda 7\n" + kBegin + R"(
    -> Tattach tag 1 fid 1 afid 4294967295 uname glenda aname '' n_uname 4294967295
    <- Rattach tag 1 qid (0x1 3 0x80)
    -> Tcreate tag 1 fid 1 name new perm 0644 mode 0 extension ''
    <- Rcreate tag 1 qid (0x5 1 0x0) iounit 0
    = uid /new
    : 7)");
}

TEST(ScriptedUnix, ChecksPermissionsAsUnixDoes) {
  converse_u("= permissions on\n" + kFile + R"(
    -> Topen tag 1 fid 1 mode 1)" +
             error("Permission denied", 13) + R"(
    -> Twstat tag 1 fid 1 stat (n_uid 1000))" +
             error("Operation not permitted", 1) + R"(
    -> Tattach tag 1 fid 2 afid 4294967295 uname '' aname '' n_uname 0
    <- Rattach tag 1 qid (0x1 3 0x80)
    -> Twalk tag 1 fid 2 newfid 3 wname file
    <- Rwalk tag 1 qid (0x2 1 0x0)
    -> Twstat tag 1 fid 3 stat (mode 0077 n_uid 1000)
    <- Rwstat tag 1
    -> Topen tag 1 fid 1 mode 0)" +
             error("Permission denied", 13) + R"(
    -> Topen tag 1 fid 3 mode 2
    <- Ropen tag 1 qid (0x2 2 0x0) iounit 0)");
}

}  // namespace
}  // namespace fuse9p::test
