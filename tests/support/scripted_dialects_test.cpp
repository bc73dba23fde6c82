// SPDX-License-Identifier: MIT
// How the scripted server agrees on a dialect, and what it holds against a client who does not keep
// to it.

#include "tests/support/conversation.hpp"

#include <gtest/gtest.h>

namespace fuse9p::test {
namespace {

using proto::Dialect;

TEST(ScriptedDialects, AreWhatTheClientAsksFor) {
  converse(R"(
    -> Tversion msize 8192 version 9P2000.L
    <- Rversion tag 65535 msize 8192 version 9P2000.L
    -> Tversion msize 8192 version 9P2000.u
    <- Rversion tag 65535 msize 8192 version 9P2000.u
    -> Tversion msize 8192 version 9P2000
    <- Rversion tag 65535 msize 8192 version 9P2000
    -> Tversion msize 8192 version 9P2001
    <- Rversion tag 65535 msize 8192 version unknown)");
}

TEST(ScriptedDialects, AreUnknownIfTheyAreNotOffered) {
  converse(R"(
    = dialects 9P2000.u 9P2000
    -> Tversion msize 8192 version 9P2000.L
    <- Rversion tag 65535 msize 8192 version unknown
    -> Tversion msize 8192 version 9P2000.u
    <- Rversion tag 65535 msize 8192 version 9P2000.u)");
}

TEST(ScriptedDialects, MayBeRefusedWithRerror) {
  converse(R"(
    = dialects 9P2000
    = refuse rerror
    -> Tversion msize 8192 version 9P2000.L
    <- Rerror tag 65535 ename 'unknown version'
    -> Tversion msize 8192 version 9P2000
    <- Rversion tag 65535 msize 8192 version 9P2000)",
           Dialect::legacy);
}

TEST(ScriptedDialects, MayBeRefusedWithRlerror) {
  converse(R"(
    = dialects 9P2000.L
    = refuse rlerror
    -> Tversion msize 8192 version 9P2000
    <- Rlerror tag 65535 ecode 5)");
}

TEST(ScriptedDialects, MayBeDowngradedToTheNextLowerOne) {
  converse(R"(
    = refuse downgrade
    = dialects 9P2000.u 9P2000
    -> Tversion msize 8192 version 9P2000.L
    <- Rversion tag 65535 msize 8192 version 9P2000.u
    = dialects 9P2000
    -> Tversion msize 8192 version 9P2000.L
    <- Rversion tag 65535 msize 8192 version 9P2000
    = dialects 9P2000.L
    -> Tversion msize 8192 version 9P2000.u
    <- Rversion tag 65535 msize 8192 version unknown)");
}

TEST(ScriptedDialects, BeginWithASessionOfTheirOwn) {
  converse(R"(
    -> Tversion msize 8192 version 9P2000.L
    <- Rversion tag 65535 msize 8192 version 9P2000.L
    -> Tattach tag 1 fid 0 afid 4294967295 uname root aname '' n_uname 0
    <- Rattach tag 1 qid (0x1 0 0x80)
    -> Tversion msize 8192 version 9P2000.L
    <- Rversion tag 65535 msize 8192 version 9P2000.L
    = fids
    : 0
    -> Twalk tag 1 fid 0 newfid 1 wname
    ! there is no fid 0)");
}

TEST(ScriptedDialects, LeaveNoSessionWhenTheyAreRefused) {
  converse(R"(
    = dialects 9P2000
    -> Tversion msize 8192 version 9P2000.L
    <- Rversion tag 65535 msize 8192 version unknown
    -> Tattach tag 1 fid 0 afid 4294967295 uname root aname '' n_uname 0
    ! out of place)");
}

/// What is sent in a session of that dialect, and the breach that it is.
void expect_breach(Dialect dialect, const std::string& message, const std::string& breach) {
  const std::string version(version_string(dialect));
  converse("-> Tversion msize 8192 version " + version + "\n<- Rversion tag 65535 msize 8192 " +
               "version " + version +
               "\n-> Tattach tag 0 fid 0 afid 4294967295 uname root aname ''\n"
               "<- Rattach tag 0 qid (0x1 * 0x80)\n-> " +
               message + "\n! " + breach,
           dialect);
}

TEST(ScriptedDialects, AreNotMixed) {
  const std::string lopen = "Tlopen tag 1 fid 0 flags 0", open = "Topen tag 1 fid 0 mode 0";
  expect_breach(Dialect::legacy, lopen, "Tlopen is not in 9P2000");
  expect_breach(Dialect::u, lopen, "Tlopen is not in 9P2000.u");
  expect_breach(Dialect::u, "Tstatfs tag 1 fid 0", "Tstatfs is not in 9P2000.u");
  expect_breach(Dialect::l, open, "Topen is not in 9P2000.L");
  expect_breach(Dialect::l, "Tstat tag 1 fid 0", "Tstat is not in 9P2000.L");
  expect_breach(Dialect::l, "Twstat tag 1 fid 0", "Twstat is not in 9P2000.L");
  expect_breach(Dialect::l, "Tcreate tag 1 fid 0 name x perm 0 mode 0",
                "Tcreate is not in 9P2000.L");
}

TEST(ScriptedDialects, HaveBitsOfTheirOwn) {
  expect_breach(Dialect::legacy, "Topen tag 1 fid 0 mode 0x20", "a bit of mode");
  expect_breach(Dialect::legacy, "Topen tag 1 fid 0 mode 0x80", "a bit of mode");
  expect_breach(Dialect::u, "Topen tag 1 fid 0 mode 0x20", "a bit of mode");
  expect_breach(Dialect::legacy, "Tcreate tag 1 fid 0 name x perm 0644 mode 0x21", "a bit of mode");
  expect_breach(Dialect::legacy, "Tcreate tag 1 fid 0 name x perm 0x02000000 mode 0",
                "a bit of perm");
  expect_breach(Dialect::legacy, "Tcreate tag 1 fid 0 name x perm 04644 mode 0", "a bit of perm");
  expect_breach(Dialect::u, "Tcreate tag 1 fid 0 name x perm 04644 mode 0", "a bit of perm");
}

TEST(ScriptedDialects, ShowVersionsIfTheyAreToldTo) {
  converse(R"(
    = versions on
    -> Tversion msize 8192 version 9P2000.L
    <- Rversion tag 65535 msize 8192 version 9P2000.L
    -> Tattach tag 0 fid 0 afid 4294967295 uname root aname '' n_uname 0
    <- Rattach tag 0 qid (0x1 3 0x80)
    -> Tmkdir tag 1 dfid 0 name new mode 0755 gid 0
    <- Rmkdir tag 1 qid (0x5 1 0x80)
    -> Twalk tag 1 fid 0 newfid 1 wname file
    <- Rwalk tag 1 qid (0x2 1 0x0))");
  converse(R"(
    = versions off
    -> Tversion msize 8192 version 9P2000
    <- Rversion tag 65535 msize 8192 version 9P2000
    -> Tattach tag 0 fid 0 afid 4294967295 uname root aname ''
    <- Rattach tag 0 qid (0x1 0 0x80))",
           Dialect::legacy);
}

TEST(ScriptedDialects, ShowOnlyTheTypesOf9P2000LIn9P2000L) {
  converse(R"(
    = append /log x
    = symlink file /link
    -> Tversion msize 8192 version 9P2000.L
    <- Rversion tag 65535 msize 8192 version 9P2000.L
    -> Tattach tag 0 fid 0 afid 4294967295 uname root aname '' n_uname 0
    <- Rattach tag 0 qid (0x1 0 0x80)
    -> Twalk tag 1 fid 0 newfid 1 wname log
    <- Rwalk tag 1 qid (0x5 0 0x0)
    -> Twalk tag 1 fid 0 newfid 2 wname link
    <- Rwalk tag 1 qid (0x6 0 0x2))");
}

TEST(ScriptedDialects, NeedNoAfid) {
  expect_breach(Dialect::l, "Tattach tag 1 fid 1 afid 7 uname root aname ''", "there is no fid 7");
}

}  // namespace
}  // namespace fuse9p::test
