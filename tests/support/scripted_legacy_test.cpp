// SPDX-License-Identifier: MIT
// The scripted server in 9P2000: files as Plan 9 has them.

#include "tests/support/conversation.hpp"

#include <gtest/gtest.h>

namespace fuse9p::test {
namespace {

/// qid.version counts up: the root has got two entries.
const std::string kBegin = R"(
    -> Tversion msize 8192 version 9P2000
    <- Rversion tag 65535 msize 8192 version 9P2000
    -> Tattach tag 0 fid 0 afid 4294967295 uname root aname ''
    <- Rattach tag 0 qid (0x1 3 0x80)
)";
const std::string kFile = kBegin + R"(
    -> Twalk tag 1 fid 0 newfid 1 wname file
    <- Rwalk tag 1 qid (0x2 1 0x0)
)";
const std::string kDir = kBegin + R"(
    -> Twalk tag 1 fid 0 newfid 1 wname dir
    <- Rwalk tag 1 qid (0x3 2 0x80)
)";

void converse_legacy(const std::string& text) {
  converse(text, proto::Dialect::legacy);
}

/// An error and its words.
std::string error(const std::string& words) {
  return "\n<- Rerror tag 1 ename '" + words + "'\n";
}
std::string open(int fid, const std::string& mode, const std::string& qid) {
  return "-> Topen tag 1 fid " + std::to_string(fid) + " mode " + mode + "\n<- Ropen tag 1 qid " +
         qid + " iounit 0\n";
}

// ---- files

TEST(ScriptedLegacy, ServesAFile) {
  converse_legacy(kFile + open(1, "0", "(0x2 1 0x0)") + R"(
    -> Tread tag 1 fid 1 offset 1 count 100
    <- Rread tag 1 data ello
    -> Tclunk tag 1 fid 1
    <- Rclunk tag 1)");
}

TEST(ScriptedLegacy, SaysErrorsInWords) {
  converse_legacy(kBegin + "-> Twalk tag 1 fid 0 newfid 1 wname nothing" +
                  error("No such file or directory") + R"(
    = on Twalk fail EIO the disk is on fire
    -> Twalk tag 1 fid 0 newfid 1 wname file
    <- Rerror tag 1 ename 'the disk is on fire')");
}

TEST(ScriptedLegacy, SaysErrorsToATflushInWords) {
  converse_legacy(kFile + R"(
    = flush error
    = on Tstat hold
    -> Tstat tag 1 fid 1
    -> Tflush tag 2 oldtag 1
    <- Rerror tag 2 ename 'bad tag')");
}

TEST(ScriptedLegacy, CountsChangesInTheVersion) {
  converse_legacy(kFile + open(1, "1", "(0x2 1 0x0)") + R"(
    -> Twrite tag 1 fid 1 offset 0 data J
    <- Rwrite tag 1 count 1
    -> Twalk tag 1 fid 0 newfid 2 wname file
    <- Rwalk tag 1 qid (0x2 2 0x0)
    -> Twstat tag 1 fid 2 stat (mode 0600)
    <- Rwstat tag 1
    -> Twalk tag 1 fid 0 newfid 3 wname file
    <- Rwalk tag 1 qid (0x2 3 0x0))");
}

TEST(ScriptedLegacy, DoesNotCountChangesOfSyntheticFiles) {
  converse_legacy("= synthetic /now 12:00\n" + std::string(R"(
    -> Tversion msize 8192 version 9P2000
    <- Rversion tag 65535 msize 8192 version 9P2000
    -> Tattach tag 0 fid 0 afid 4294967295 uname root aname ''
    <- Rattach tag 0 qid (0x1 4 0x80)
    -> Twalk tag 1 fid 0 newfid 1 wname now
    <- Rwalk tag 1 qid (0x5 0 0x0))"));
}

TEST(ScriptedLegacy, TruncatesAtTopen) {
  converse_legacy(kFile + open(1, "0x12", "(0x2 2 0x0)") + R"(
    -> Tread tag 1 fid 1 offset 0 count 100
    <- Rread tag 1 data '')");
}

TEST(ScriptedLegacy, AppendsToAFileForAppending) {
  converse_legacy("= append /log old\n" + std::string(R"(
    -> Tversion msize 8192 version 9P2000
    <- Rversion tag 65535 msize 8192 version 9P2000
    -> Tattach tag 0 fid 0 afid 4294967295 uname root aname ''
    <- Rattach tag 0 qid (0x1 4 0x80)
    -> Twalk tag 1 fid 0 newfid 1 wname log
    <- Rwalk tag 1 qid (0x5 1 0x40)
    -> Topen tag 1 fid 1 mode 0x12
    <- Ropen tag 1 qid (0x5 1 0x40) iounit 0
    -> Twrite tag 1 fid 1 offset 0 data new
    <- Rwrite tag 1 count 3
    -> Tread tag 1 fid 1 offset 0 count 100
    <- Rread tag 1 data oldnew)"));
}

TEST(ScriptedLegacy, OpensAnExclusiveFileOnce) {
  converse_legacy("= exclusive /lock x\n" + std::string(R"(
    -> Tversion msize 8192 version 9P2000
    <- Rversion tag 65535 msize 8192 version 9P2000
    -> Tattach tag 0 fid 0 afid 4294967295 uname root aname ''
    <- Rattach tag 0 qid (0x1 4 0x80)
    -> Twalk tag 1 fid 0 newfid 1 wname lock
    <- Rwalk tag 1 qid (0x5 1 0x20)
    -> Twalk tag 1 fid 0 newfid 2 wname lock
    <- Rwalk tag 1 qid (0x5 1 0x20)
    -> Topen tag 1 fid 1 mode 0
    <- Ropen tag 1 qid (0x5 1 0x20) iounit 0
    -> Topen tag 1 fid 2 mode 0
    <- Rerror tag 1 ename 'exclusive use file already open'
    -> Tclunk tag 1 fid 1
    <- Rclunk tag 1
    -> Topen tag 1 fid 2 mode 0
    <- Ropen tag 1 qid (0x5 1 0x20) iounit 0)"));
}

TEST(ScriptedLegacy, RemovesOnClose) {
  converse_legacy(kFile + open(1, "0x40", "(0x2 1 0x0)") + R"(
    -> Twalk tag 1 fid 0 newfid 2 wname file
    <- Rwalk tag 1 qid (0x2 1 0x0)
    -> Tclunk tag 1 fid 1
    <- Rclunk tag 1
    -> Twalk tag 1 fid 0 newfid 1 wname file)" +
                  error("No such file or directory"));
}

TEST(ScriptedLegacy, RemovesOnCloseAlsoAtTheEndOfTheSession) {
  converse_legacy(kFile + open(1, "0x40", "(0x2 1 0x0)") + R"(
    -> Tversion msize 8192 version 9P2000
    <- Rversion tag 65535 msize 8192 version 9P2000
    -> Tattach tag 1 fid 0 afid 4294967295 uname root aname ''
    <- Rattach tag 1 qid (0x1 4 0x80)
    -> Twalk tag 1 fid 0 newfid 1 wname file)" +
                  error("No such file or directory"));
}

TEST(ScriptedLegacy, OpensDirectoriesOnlyToRead) {
  const std::string refused = error("Is a directory");
  converse_legacy(kDir + "-> Topen tag 1 fid 1 mode 1" + refused + "-> Topen tag 1 fid 1 mode 3" +
                  refused + "-> Topen tag 1 fid 1 mode 0x10" + refused +
                  "-> Topen tag 1 fid 1 mode 0x40" + refused + open(1, "0", "(0x3 2 0x80)"));
}

TEST(ScriptedLegacy, RemovesAFile) {
  converse_legacy(kFile + R"(
    -> Tremove tag 1 fid 1
    <- Rremove tag 1
    = fids
    : 1
    -> Twalk tag 1 fid 0 newfid 1 wname file)" +
                  error("No such file or directory"));
}

TEST(ScriptedLegacy, FreesTheFidOfAFailedTremove) {
  converse_legacy(kDir + "-> Tremove tag 1 fid 1" + error("Directory not empty") + "= fids\n: 1\n");
}

TEST(ScriptedLegacy, DoesNotRemoveTheRoot) {
  converse_legacy(kBegin + "-> Tremove tag 1 fid 0" + error("Operation not permitted"));
}

// ---- Tcreate

std::string create(const std::string& name, const std::string& perm, const std::string& mode) {
  return "-> Tcreate tag 1 fid 1 name " + name + " perm " + perm + " mode " + mode + "\n";
}

TEST(ScriptedLegacy, CreatesAFileWithNoMorePermissionsThanItsDirectoryHas) {
  converse_legacy(kDir + create("new", "0666", "2") + R"(
    <- Rcreate tag 1 qid (0x5 1 0x0) iounit 0
    -> Twrite tag 1 fid 1 offset 0 data abc
    <- Rwrite tag 1 count 3
    -> Tread tag 1 fid 1 offset 0 count 10
    <- Rread tag 1 data abc
    -> Tstat tag 1 fid 1
    <- Rstat ... qid (0x5 2 0x0) mode 0644 ... length 3 name new uid root gid root muid root))");
}

TEST(ScriptedLegacy, LetsPermissionsToExecuteAFilePass) {
  converse_legacy("= dir /tight 0700\n" + std::string(R"(
    -> Tversion msize 8192 version 9P2000
    <- Rversion tag 65535 msize 8192 version 9P2000
    -> Tattach tag 0 fid 0 afid 4294967295 uname root aname ''
    <- Rattach tag 0 qid (0x1 4 0x80)
    -> Twalk tag 1 fid 0 newfid 1 wname tight
    <- Rwalk tag 1 qid (0x5 1 0x80)
)") + create("new", "0777", "2") +
                  R"(
    <- Rcreate tag 1 qid (0x6 1 0x0) iounit 0
    -> Tstat tag 1 fid 1
    <- Rstat ... qid (0x6 1 0x0) mode 0711 ... length 0 name new uid root gid root muid root))");
}

TEST(ScriptedLegacy, CreatesADirectory) {
  converse_legacy(kDir + create("new", "020000000777", "0") + R"(
    <- Rcreate tag 1 qid (0x5 1 0x80) iounit 0
    -> Tstat tag 1 fid 1
    <- Rstat ... qid (0x5 1 0x80) mode 020000000755 ... name new uid root gid root muid root)
    -> Tread tag 1 fid 1 offset 0 count 100
    <- Rread tag 1 data '')");
}

TEST(ScriptedLegacy, CreatesFilesForAppendingAndExclusiveUse) {
  converse_legacy(kDir + create("new", "0x60000180", "1") + R"(
    <- Rcreate tag 1 qid (0x5 1 0x60) iounit 0)");
}

TEST(ScriptedLegacy, CreatesFilesOfTheUserAndTheDirectorysGroup) {
  converse_legacy("= user glenda 7\n= user sys 8\n" + kDir + R"(
    -> Twstat tag 1 fid 1 stat (gid sys)
    <- Rwstat tag 1
    -> Tattach tag 1 fid 2 afid 4294967295 uname glenda aname ''
    <- Rattach tag 1 qid (0x1 3 0x80)
    -> Twalk tag 1 fid 2 newfid 3 wname dir
    <- Rwalk tag 1 qid (0x3 3 0x80)
    -> Tcreate tag 1 fid 3 name new perm 0644 mode 1
    <- Rcreate tag 1 qid (0x5 1 0x0) iounit 0
    -> Tstat tag 1 fid 3
    <- Rstat ... qid (0x5 1 0x0) mode 0644 ... length 0 name new uid glenda gid sys muid glenda)
    = uid /dir/new
    : 7)");
}

TEST(ScriptedLegacy, CreatesExclusively) {
  converse_legacy(kDir + create("deep", "0644", "1") + error("File exists") +
                  "-> Tstat tag 1 fid 1\n" + R"(
    <- Rstat ... qid (0x3 2 0x80) mode 020000000755 ... name dir uid root gid root muid root))");
}

TEST(ScriptedLegacy, CreatesNothingThatCantBe) {
  converse_legacy(kDir + create("new", "020000000777", "1") + error("Is a directory") +
                  create(".", "0644", "1") + error("Invalid argument") +
                  create("a/b", "0644", "1") + error("Invalid argument"));
  converse_legacy(kFile + create("new", "0644", "1") + error("Not a directory"));
}

TEST(ScriptedLegacy, RemovesOnCloseWhatItCreated) {
  converse_legacy(kDir + create("new", "0644", "0x41") + R"(
    <- Rcreate tag 1 qid (0x5 1 0x0) iounit 0
    -> Tclunk tag 1 fid 1
    <- Rclunk tag 1
    -> Twalk tag 1 fid 0 newfid 1 wname dir new
    <- Rwalk tag 1 qid (0x3 4 0x80))");
}

// ---- Tstat and Twstat

TEST(ScriptedLegacy, TellsAboutTheRoot) {
  converse_legacy(kBegin + R"(
    -> Tstat tag 1 fid 0
    <- Rstat ... qid (0x1 3 0x80) mode 020000000755 ... name / uid root ... muid root))");
}

TEST(ScriptedLegacy, RemembersWhoModifiedAFile) {
  converse_legacy("= user glenda 7\n" + kFile + R"(
    -> Tattach tag 1 fid 2 afid 4294967295 uname glenda aname ''
    <- Rattach tag 1 qid (0x1 3 0x80)
    -> Twalk tag 1 fid 2 newfid 3 wname file
    <- Rwalk tag 1 qid (0x2 1 0x0)
    -> Topen tag 1 fid 3 mode 1
    <- Ropen tag 1 qid (0x2 1 0x0) iounit 0
    -> Twrite tag 1 fid 3 offset 0 data J
    <- Rwrite tag 1 count 1
    -> Tstat tag 1 fid 1
    <- Rstat ... qid (0x2 2 0x0) mode 0644 ... length 5 name file uid root gid root muid glenda))");
}

/// A Twstat of fid 1, and its stat then.
std::string wstat(const std::string& change, const std::string& stat) {
  return "-> Twstat tag 1 fid 1 stat (" + change + ")\n<- Rwstat tag 1\n" +
         "-> Tstat tag 1 fid 1\n<- Rstat tag 1 stat (type 0x0 dev 0x0 qid " + stat +
         " muid root)\n";
}

TEST(ScriptedLegacy, ChangesWhatAStatSays) {
  converse_legacy(
      "= user sys 8\n" + kFile +
      wstat("mtime 77",
            "(0x2 2 0x0) mode 0644 atime * mtime 77 length 5 name file uid root gid root") +
      wstat("mode 0600",
            "(0x2 3 0x0) mode 0600 atime * mtime 77 length 5 name file uid root gid root") +
      wstat("name other",
            "(0x2 4 0x0) mode 0600 atime * mtime 77 length 5 name other uid root gid root") +
      wstat("gid sys",
            "(0x2 5 0x0) mode 0600 atime * mtime 77 length 5 name other uid root gid sys") +
      wstat("length 2",
            "(0x2 6 0x0) mode 0600 atime * mtime * length 2 name other uid root gid sys") +
      wstat("mode 0x400001ff mtime 88 length 3 name file",
            "(0x2 7 0x40) mode 010000000777 atime * mtime 88 length 3 name file uid root gid sys"));
}

TEST(ScriptedLegacy, TakesATwstatThatTouchesNothingForAnFsync) {
  converse_legacy(kFile + R"(
    -> Twstat tag 1 fid 1 stat ()
    <- Rwstat tag 1
    -> Twalk tag 1 fid 0 newfid 2 wname file
    <- Rwalk tag 1 qid (0x2 1 0x0))");
}

/// A Twstat of fid 1 that is refused.
std::string refused(const std::string& change, const std::string& words) {
  return "-> Twstat tag 1 fid 1 stat (" + change + ")" + error(words);
}

TEST(ScriptedLegacy, RefusesToChangeWhatNobodyCanChange) {
  converse_legacy(kFile + refused("type 0", "wstat -- attempt to change type") +
                  refused("dev 0", "wstat -- attempt to change dev") +
                  refused("qid (0x2 1 0x0)", "wstat -- attempt to change qid") +
                  refused("muid root", "wstat -- attempt to change muid") +
                  refused("uid glenda", "wstat -- attempt to change uid") +
                  refused("atime 1", "wstat -- attempt to change atime") +
                  refused("mode 020000000755", "wstat -- attempt to change DMDIR bit") +
                  refused("mode 04755", "Invalid argument") +
                  refused("gid nobody", "unknown group") + refused("name dir", "File exists") +
                  refused("name a/b", "Invalid argument"));
  converse_legacy(kDir + refused("length 5", "Is a directory") +
                  refused("mode 0755", "wstat -- attempt to change DMDIR bit"));
}

TEST(ScriptedLegacy, LeavesAZeroLengthToADirectory) {
  converse_legacy(kDir + "-> Twstat tag 1 fid 1 stat (length 0)\n<- Rwstat tag 1");
}

TEST(ScriptedLegacy, DoesNotRenameTheRoot) {
  converse_legacy(kBegin + R"(
    -> Twstat tag 1 fid 0 stat (name x)
    <- Rerror tag 1 ename 'wstat -- the root has no other name')");
}

TEST(ScriptedLegacy, ChangesAllOrNothing) {
  converse_legacy(kFile + refused("mode 0600 length 1 name dir", "File exists") + R"(
    -> Tstat tag 1 fid 1
    <- Rstat ... qid (0x2 1 0x0) mode 0644 ... length 5 name file uid root gid root muid root))");
}

TEST(ScriptedLegacy, DoesNotTruncateWhatIsSynthetic) {
  converse_legacy("= ctl /ctl\n" + std::string(R"(
    -> Tversion msize 8192 version 9P2000
    <- Rversion tag 65535 msize 8192 version 9P2000
    -> Tattach tag 0 fid 0 afid 4294967295 uname root aname ''
    <- Rattach tag 0 qid (0x1 4 0x80)
    -> Twalk tag 1 fid 0 newfid 1 wname ctl
    <- Rwalk tag 1 qid (0x5 0 0x0)
)") + refused("length 0", "wstat prohibited"));
}

// ---- directories: a record has 49 bytes and its strings

const std::string kOpenDir = kBegin + R"(
    -> Twalk tag 1 fid 0 newfid 1 wname
    <- Rwalk tag 1 qid
    -> Topen tag 1 fid 1 mode 0
    <- Ropen tag 1 qid (0x1 3 0x80) iounit 0
)";

TEST(ScriptedLegacy, ReadsADirectoryByWholeRecords) {
  converse_legacy(kOpenDir + R"(
    -> Tread tag 1 fid 1 offset 0 count 128
    <= 1 file
    -> Tread tag 1 fid 1 offset 65 count 1000
    <= 1 dir
    -> Tread tag 1 fid 1 offset 129 count 1000
    <= 1
    -> Tread tag 1 fid 1 offset 0 count 129
    <= 1 file dir)");
}

TEST(ScriptedLegacy, ReadsADirectoryOnlyWhereTheLastReadEnded) {
  converse_legacy(kOpenDir + "-> Tread tag 1 fid 1 offset 65 count 1000" +
                  error("bad offset in directory read") + R"(
    -> Tread tag 1 fid 1 offset 0 count 100
    <= 1 file
    -> Tread tag 1 fid 1 offset 64 count 1000)" +
                  error("bad offset in directory read"));
}

TEST(ScriptedLegacy, ReadsNoPartOfARecord) {
  converse_legacy(kOpenDir + "-> Tread tag 1 fid 1 offset 0 count 64" +
                  error("count too small for a directory entry"));
}

TEST(ScriptedLegacy, ReadsARecordEvenIfItIsToBeShort) {
  converse_legacy(kOpenDir + R"(
    = on Tread short 1
    -> Tread tag 1 fid 1 offset 0 count 1000
    <= 1 file)");
}

TEST(ScriptedLegacy, ReadsOnWhereAFlushedReadBegan) {
  converse_legacy(kOpenDir + R"(
    = on Tread nth 1 hold
    -> Tread tag 1 fid 1 offset 0 count 1000
    -> Tflush tag 2 oldtag 1
    <- Rflush tag 2
    -> Tread tag 1 fid 1 offset 65 count 1000)" +
                  error("bad offset in directory read"));
}

// ---- breaches

TEST(ScriptedLegacy, NoticesTwoReadsOfADirectoryAtOnce) {
  converse_legacy(kOpenDir + R"(
    = on Tread hold
    -> Tread tag 1 fid 1 offset 0 count 1000
    -> Tread tag 2 fid 1 offset 0 count 1000
    ! another read of the directory)");
}

TEST(ScriptedLegacy, ToleratesTwoReadsOfAFileAtOnce) {
  converse_legacy(kFile + open(1, "0", "(0x2 1 0x0)") + R"(
    = on Tread times 1 hold
    -> Tread tag 1 fid 1 offset 0 count 1
    -> Tread tag 2 fid 1 offset 1 count 1
    <- Rread tag 2 data e
    = release
    <- Rread tag 1 data h)");
}

TEST(ScriptedLegacy, NoticesAReadOfAFidForWriting) {
  converse_legacy(kFile + open(1, "1", "(0x2 1 0x0)") +
                  "-> Tread tag 1 fid 1 offset 0 count 5\n! not open for that");
}

TEST(ScriptedLegacy, NoticesAWriteToAFidForReading) {
  converse_legacy(kFile + open(1, "3", "(0x2 1 0x0)") +
                  "-> Twrite tag 1 fid 1 offset 0 data x\n! not open for that");
}

TEST(ScriptedLegacy, NoticesATopenOfAnOpenFid) {
  converse_legacy(kFile + open(1, "0", "(0x2 1 0x0)") + "-> Topen tag 1 fid 1 mode 0\n! is open");
}

TEST(ScriptedLegacy, NoticesATcreateInAnOpenFid) {
  converse_legacy(kOpenDir + create("x", "0644", "0") + "! is open");
}

TEST(ScriptedLegacy, NoticesAReadBeforeItsRopen) {
  converse_legacy(kFile + R"(
    = on Topen hold
    -> Topen tag 1 fid 1 mode 0
    -> Tread tag 2 fid 1 offset 0 count 5
    ! not known yet)");
}

TEST(ScriptedLegacy, NoticesAWalkBeforeItsRcreate) {
  converse_legacy(kDir + "= on Tcreate hold\n" + create("x", "0644", "0") +
                  "-> Twalk tag 2 fid 1 newfid 2 wname\n! not known yet");
}

TEST(ScriptedLegacy, NoticesATopenBehindAWalk) {
  converse_legacy(kFile + R"(
    = on Twalk hold
    -> Twalk tag 1 fid 1 newfid 2 wname
    -> Topen tag 2 fid 1 mode 0
    ! not answered yet)");
}

TEST(ScriptedLegacy, ToleratesATopenBehindATstat) {
  converse_legacy(kFile + R"(
    = on Tstat hold
    -> Tstat tag 1 fid 1
    -> Topen tag 2 fid 1 mode 0
    <- Ropen tag 2 qid (0x2 1 0x0) iounit 0
    -> Tflush tag 3 oldtag 1
    <- Rflush tag 3
    -> Tclunk tag 1 fid 1
    <- Rclunk tag 1)");
}

// ---- permissions

/// Fid 2 is the root as glenda knows it, who is neither owner nor member of anything.
const std::string kGlenda = "= permissions on\n= user glenda 7\n" + kBegin + R"(
    -> Tattach tag 1 fid 2 afid 4294967295 uname glenda aname ''
    <- Rattach tag 1 qid (0x1 3 0x80)
    -> Twalk tag 1 fid 2 newfid 3 wname file
    <- Rwalk tag 1 qid (0x2 1 0x0)
    -> Twalk tag 1 fid 2 newfid 4 wname dir
    <- Rwalk tag 1 qid (0x3 2 0x80)
)";

TEST(ScriptedLegacy, ChecksPermissionsIfItIsTold) {
  const std::string denied = error("Permission denied"), not_permitted = error(
                                                             "Operation not "
                                                             "permitted");
  converse_legacy(
      kGlenda + "-> Topen tag 1 fid 3 mode 1" + denied + "-> Topen tag 1 fid 3 mode 3" + denied +
      "-> Topen tag 1 fid 3 mode 0x10" + denied + "-> Topen tag 1 fid 3 mode 0x40" + denied +
      "-> Tcreate tag 1 fid 4 name x perm 0644 mode 0" + denied +
      "-> Twstat tag 1 fid 3 stat (name x)" + denied + "-> Twstat tag 1 fid 3 stat (length 1)" +
      denied + "-> Twstat tag 1 fid 3 stat (mode 0666)" + not_permitted +
      "-> Twstat tag 1 fid 3 stat (mtime 1)" + not_permitted +
      "-> Twstat tag 1 fid 3 stat (gid glenda)" + error("not owner") + open(3, "0", "(0x2 1 0x0)") +
      "-> Tremove tag 1 fid 3" + denied);
}

TEST(ScriptedLegacy, ChecksPermissionsToWalk) {
  converse_legacy(kGlenda + R"(
    -> Twalk tag 1 fid 0 newfid 1 wname dir
    <- Rwalk tag 1 qid (0x3 2 0x80)
    -> Twstat tag 1 fid 1 stat (mode 020000000700)
    <- Rwstat tag 1
    -> Twalk tag 1 fid 4 newfid 5 wname deep)" +
                  error("Permission denied") + R"(
    -> Twalk tag 1 fid 1 newfid 5 wname deep
    <- Rwalk tag 1 qid (0x4 1 0x0))");
}

TEST(ScriptedLegacy, AddsUpOnesRights) {
  converse_legacy(kGlenda + R"(
    -> Twalk tag 1 fid 0 newfid 1 wname file
    <- Rwalk tag 1 qid (0x2 1 0x0)
    -> Twstat tag 1 fid 1 stat (mode 0066)
    <- Rwstat tag 1
    -> Topen tag 1 fid 1 mode 2
    <- Ropen tag 1 qid (0x2 2 0x0) iounit 0)");
}

}  // namespace
}  // namespace fuse9p::test
