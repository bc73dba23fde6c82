// SPDX-License-Identifier: MIT
// Mounts of ordinary users: through fusermount3, or through mount(8) where fstab lets them; who
// gets in; and what they are told when they may not.

#include "tests/support/installed_fixture.hpp"

#include <gmock/gmock.h>

#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr Status kMountFailed{.code = 32};

class OrdinaryUser : public InstalledTest {
 protected:
  void SetUp() override {
    InstalledTest::SetUp();
    fs::permissions(exported(), fs::perms(0777));
    std::ofstream(exported() / "file") << "text";
    mnt_ = home_of(kNobody) / "mnt";
    fs::create_directory(mnt_);
    ASSERT_EQ(::chown(mnt_.c_str(), kNobody, kNobody), 0);
    source_ = serve().source();
  }
  /// fuse9p, run by nobody.
  Finished fuse9p(const fs::path& mountpoint, const std::string& options = "") {
    return as_user(kNobody, Words{"fuse9p", source_, mountpoint, "-o",
                                  "aname=" + exported().string() + "," + options});
  }
  void expect_mounted(const Finished& finished) {
    EXPECT_EQ(finished.status, kSuccess) << finished.output;
    EXPECT_EQ(finished.output, "");
    EXPECT_TRUE(is_mount_point(mnt_));
  }
  /// One line says what is wrong, and what can be done.
  void expect_refused(const Finished& finished, const fs::path& mountpoint,
                      const std::vector<std::string>& said) {
    EXPECT_EQ(finished.status, kMountFailed) << finished.output;
    EXPECT_THAT(finished.output, StartsWith("fuse9p: " + mountpoint.string() + ": "));
    EXPECT_EQ(std::ranges::count(finished.output, '\n'), 1) << finished.output;
    for (const std::string& text : said)
      EXPECT_THAT(finished.output, HasSubstr(text));
    EXPECT_FALSE(is_mount_point(mountpoint));
  }
  void expect_unmounts(uid_t uid, Words command) {
    const Finished finished = as_user(uid, std::move(command));
    EXPECT_EQ(finished.status, kSuccess) << finished.output;
    EXPECT_FALSE(is_mount_point(mnt_));
    expect_daemons_end();
  }
  void expect_may_not_unmount(uid_t uid, Words command) {
    EXPECT_NE(as_user(uid, std::move(command)).status, kSuccess);
    EXPECT_TRUE(is_mount_point(mnt_));
  }
  Finished read_as(uid_t uid) { return as_user(uid, Words{"cat", mnt_ / "file"}); }

  fs::path mnt_;
  std::string source_;
};

TEST_F(OrdinaryUser, MountsAndUnmountsThroughFusermount) {
  expect_mounted(fuse9p(mnt_));
  EXPECT_EQ(shown("SOURCE", mnt_), source_);
  EXPECT_EQ(shown("FSTYPE", mnt_), "fuse.fuse9p");
  EXPECT_EQ(read_as(kNobody).output, "text");
  expect_unmounts(kNobody, {"fusermount3", "-u", mnt_});
}

TEST_F(OrdinaryUser, UnmountsByUmount) {
  expect_mounted(fuse9p(mnt_));
  expect_unmounts(kNobody, {"umount", mnt_});
}

TEST_F(OrdinaryUser, IsTheUserWhomTheServerSees) {
  expect_mounted(fuse9p(mnt_));
  EXPECT_EQ(as_user(kNobody, "echo new > " + (mnt_ / "new").string()).status, kSuccess);
  struct stat made {};
  ASSERT_EQ(::stat((exported() / "new").c_str(), &made), 0);
  EXPECT_EQ(made.st_uid, kNobody);
}

TEST_F(OrdinaryUser, StaysInTheForegroundUntilTheUnmount) {
  const Finished finished = as_user(kNobody, "fuse9p -f -o aname=" + exported().string() + " " +
                                                 source_ + " " + mnt_.string() + " 2>" +
                                                 (mnt_.parent_path() / "log").string() + R"sh( &
      cd /
      while ! grep -qs " on .*: 9P2000.L" ")sh" + (mnt_.parent_path() / "log").string() +
                                                 R"sh("; do :; done
      cat ")sh" + (mnt_ / "file").string() + R"sh("
      fusermount3 -u ")sh" + mnt_.string() + R"sh("
      wait $!)sh");
  EXPECT_EQ(finished.status, kSuccess) << finished.output;
  EXPECT_EQ(finished.output, "text");
}

TEST_F(OrdinaryUser, EndsTheMountByASignal) {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    expect_mounted(fuse9p(mnt_));
    ASSERT_EQ(daemons().size(), 1U);
    expect_unmounts(kNobody, {"sh", "-c",
                              "kill -" + std::to_string(signal) +
                                  " $1; while grep -q \" $0 \" "
                                  "/proc/mounts; do :; done",
                              mnt_, std::to_string(daemons()[0])});
  }
}

TEST_F(OrdinaryUser, CannotUnmountWhatAnotherOneMounted) {
  expect_mounted(fuse9p(mnt_));
  fs::permissions(mnt_.parent_path(), fs::perms(0755));
  expect_may_not_unmount(kDaemon, {"umount", mnt_});
  expect_may_not_unmount(kDaemon, {"fusermount3", "-u", mnt_});
}

TEST_F(OrdinaryUser, GetsNeitherDevicesNorSetUserIdPrograms) {
  expect_mounted(fuse9p(mnt_, "suid,dev"));
  EXPECT_TRUE(has_option(mnt_, "nosuid"));
  EXPECT_TRUE(has_option(mnt_, "nodev"));
}

TEST_F(OrdinaryUser, MayAskForLess) {
  expect_mounted(fuse9p(mnt_, "ro,noexec,noatime,sync"));
  for (const char* flag : {"ro", "noexec", "noatime", "sync"})
    EXPECT_TRUE(has_option(mnt_, flag)) << flag;
}

TEST_F(OrdinaryUser, CannotForbidSymbolicLinks) {
  const Finished finished = fuse9p(mnt_, "nosymfollow");
  EXPECT_EQ(finished.status, Status{.code = 1});
  EXPECT_THAT(finished.output, HasSubstr("option nosymfollow: only root"));
}

/// What it is for can't be claimed: fusermount3 may look while the mount is still dying, and leaves
/// it then. The next mount takes it away.
TEST_F(OrdinaryUser, MayAskForAutoUnmount) {
  expect_mounted(fuse9p(mnt_, "auto_unmount"));
  EXPECT_EQ(read_as(kNobody).output, "text");
  expect_unmounts(kNobody, {"fusermount3", "-u", mnt_});
  for (const pid_t child : children()) {
    if (read_file("/proc/" + std::to_string(child) + "/comm") == "fusermount3\n") {
      EXPECT_EQ(Process::adopt(child).wait(), kSuccess);
    }
  }
}

// ---- who gets in

TEST_F(OrdinaryUser, IsAloneThere) {
  expect_mounted(fuse9p(mnt_));
  EXPECT_THAT(read_as(kDaemon).output, HasSubstr("Permission denied"));
  EXPECT_THAT(as_root({"cat", mnt_ / "file"}).output, HasSubstr("Permission denied"));
}

TEST_F(OrdinaryUser, LetsOthersInIfTheMachineAgrees) {
  write_fuse_conf("# of this machine\n user_allow_other \n");
  expect_mounted(fuse9p(mnt_, "allow_other"));
  EXPECT_EQ(read_as(kDaemon).output, "text");
}

TEST_F(OrdinaryUser, LetsRootInIfTheMachineAgrees) {
  write_fuse_conf("user_allow_other\n");
  expect_mounted(fuse9p(mnt_, "allow_root"));
  EXPECT_EQ(as_root({"cat", mnt_ / "file"}).output, "text");
  EXPECT_THAT(read_as(kDaemon).output, HasSubstr("Permission denied"));
}

TEST_F(OrdinaryUser, IsToldWhatToDoAboutAllowOther) {
  write_fuse_conf("#user_allow_other\n");
  for (const char* option : {"allow_other", "allow_root"})
    expect_refused(fuse9p(mnt_, option), mnt_,
                   {"user_allow_other", "leave allow_other out or, as root, add the line"});
}

// ---- where not to mount

TEST_F(OrdinaryUser, IsToldThatTheDirectoryIsNotTheirs) {
  const fs::path sticky = scratch().directory("sticky"), closed = scratch().directory("closed");
  const fs::path hidden = scratch().directory("hidden/mnt"), plain = scratch().directory("plain");
  fs::permissions(sticky, fs::perms(01777));
  fs::permissions(closed, fs::perms(0700));
  for (const fs::path& directory : {sticky, closed, plain})
    expect_refused(fuse9p(directory), directory, {"on directories of their own only"});
  fs::permissions(hidden.parent_path(), fs::perms(0700));
  const Finished finished = fuse9p(hidden);
  EXPECT_NE(finished.status, kSuccess);
  EXPECT_THAT(finished.output, AllOf(HasSubstr(hidden.string()), HasSubstr("Permission denied")));
}

TEST_F(OrdinaryUser, IsToldThatTheDeviceIsClosed) {
  ASSERT_EQ(::chmod("/dev/fuse", 0600), 0);
  expect_refused(fuse9p(mnt_), mnt_,
                 {"/dev/fuse: Permission denied", "as root: chmod 666 /dev/fuse"});
}

TEST_F(OrdinaryUser, IsToldThatFusermountHasNoPrivileges) {
  const fs::path plain = scratch() / "fusermount3";
  fs::copy("/usr/bin/fusermount3", plain);
  fs::permissions(plain, fs::perms(0755));
  ASSERT_EQ(::mount(plain.c_str(), "/usr/bin/fusermount3", nullptr, MS_BIND, nullptr), 0);
  expect_refused(fuse9p(mnt_), mnt_, {"not permitted", "as root: ", "chmod 4755"});
}

TEST_F(OrdinaryUser, IsToldThatFusermountIsMissing) {
  const fs::path nothing = scratch() / "nothing";
  std::ofstream{nothing};
  ASSERT_EQ(::mount(nothing.c_str(), "/usr/bin/fusermount3", nullptr, MS_BIND, nullptr), 0);
  expect_refused(fuse9p(mnt_), mnt_, {"need fusermount3", "package fuse3"});
}

// ---- by a line of fstab

class UsersLine : public OrdinaryUser, public testing::WithParamInterface<const char*> {
 protected:
  void write_line(const std::string& options) {
    write_fstab(source_ + " " + mnt_.string() + " " + GetParam() +
                " noauto,aname=" + exported().string() + "," + options + " 0 0\n");
    fs::permissions(mnt_.parent_path(), fs::perms(0755));
  }
  Finished mount_as(uid_t uid) { return as_user(uid, Words{"mount", mnt_}); }
};

TEST_P(UsersLine, LetsAUserMountAndTheSameUnmount) {
  write_line("user,_netdev,x-systemd.automount");
  expect_mounted(mount_as(kNobody));
  EXPECT_EQ(read_as(kNobody).output, "text");
  for (const char* option : {"user_id=65534", "nosuid", "nodev", "noexec"})
    EXPECT_TRUE(has_option(mnt_, option)) << option;
  expect_may_not_unmount(kDaemon, {"umount", mnt_});
  expect_unmounts(kNobody, {"umount", mnt_});
}

TEST_P(UsersLine, LetsEveryoneUnmountWhatAnyoneMounted) {
  write_line("users,exec");
  expect_mounted(mount_as(kNobody));
  EXPECT_FALSE(has_option(mnt_, "noexec"));
  expect_unmounts(kDaemon, {"umount", mnt_});
}

TEST_P(UsersLine, AttachesAsTheUserWhoMounts) {
  write_line("user");
  expect_mounted(mount_as(kNobody));
  EXPECT_EQ(as_user(kNobody, "echo new > " + (mnt_ / "new").string()).status, kSuccess);
  struct stat made {};
  ASSERT_EQ(::stat((exported() / "new").c_str(), &made), 0);
  EXPECT_EQ(made.st_uid, kNobody);
}

TEST_P(UsersLine, ExplainsWhoMayNotMountThere) {
  write_line("user");
  expect_refused(mount_as(kDaemon), mnt_, {"on directories of their own only"});
}

INSTANTIATE_TEST_SUITE_P(Of, UsersLine, testing::Values("fuse9p", "fuse.fuse9p"),
                         [](const auto& of) {
                           return std::string(of.param) == "fuse9p" ? "Fuse9p" : "FuseFuse9p";
                         });

}  // namespace
}  // namespace fuse9p::test
