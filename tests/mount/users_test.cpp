// SPDX-License-Identifier: MIT
// Several local users on one mount: as whom the server sees each, and what keeps them apart.

#include "tests/support/mount_fixture.hpp"

#include <gmock/gmock.h>

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uid_t kNobody = 65534, kDaemon = 1, kUnknown = 4242;

class UsersTest : public MountTest {
 protected:
  /// Where everybody may make files.
  Fuse9p& mount_for_all(std::vector<std::string> options = {}) {
    fs::permissions(exported(), fs::perms::all | fs::perms::sticky_bit);
    options.emplace_back("allow_other");
    return mount_diod(std::move(options), Fuse9p::Run::foreground);
  }
  /// A line of sh as that user, without other groups, in the mount.
  Finished as(uid_t user, const std::string& script) {
    const std::string id = std::to_string(user);
    return run({.arguments = {"setpriv", "--reuid=" + id, "--regid=" + id, "--clear-groups", "sh",
                              "-c", script},
                .directory = mount_->path()});
  }
  std::string said(uid_t user, const std::string& script) { return as(user, script).output; }
  std::pair<uid_t, gid_t> owner(const std::string& name) {
    struct stat found {};
    EXPECT_EQ(::lstat((exported() / name).c_str(), &found), 0) << name;
    return {found.st_uid, found.st_gid};
  }
  using Owner = std::pair<uid_t, gid_t>;

  Fuse9p* mount_ = nullptr;
};

TEST_F(UsersTest, FilesBelongToWhoMadeThem) {
  mount_ = &mount_for_all();
  for (const uid_t user : {uid_t{0}, kNobody, kDaemon}) {
    const std::string name = std::to_string(user);
    EXPECT_EQ(said(user, "umask 022; mkdir d" + name + " && touch d" + name + "/f && ln -s x l" +
                             name + " && mkfifo p" + name),
              "");
    EXPECT_EQ(owner("d" + name), Owner(user, user));
    EXPECT_EQ(owner("d" + name + "/f"), Owner(user, user));
    EXPECT_EQ(owner("l" + name), Owner(user, user));
    EXPECT_EQ(owner("p" + name), Owner(user, user));
  }
}

TEST_F(UsersTest, ASetgidDirectoryGivesItsGroup) {
  mount_ = &mount_for_all();
  ASSERT_EQ(said(0, "mkdir d && chgrp 7 d && chmod 2777 d"), "");
  EXPECT_EQ(said(kNobody, "touch d/f && mkdir d/e"), "");
  EXPECT_EQ(owner("d/f"), Owner(kNobody, 7));
  EXPECT_EQ(owner("d/e"), Owner(kNobody, 7));
  struct stat found {};
  ASSERT_EQ(::stat((exported() / "d/e").c_str(), &found), 0);
  EXPECT_NE(found.st_mode & S_ISGID, 0U);
}

TEST_F(UsersTest, OneUserCannotGoWhereAnotherHasJustBeen) {
  mount_ = &mount_for_all();
  ASSERT_EQ(said(kNobody, "mkdir -m 700 d && echo secret > d/f && ln -s target d/l && ls d"),
            "f\nl\n");
  for (const char* const attempt : {"cat d/f", "stat d/f", "readlink -v d/l", "ls d", "touch d/g",
                                    "rm -f d/f", "mv d/f .", "chmod 777 d"}) {
    const Finished tried = as(kDaemon, attempt);
    EXPECT_NE(tried.status, kSuccess) << attempt;
    EXPECT_THAT(tried.output, testing::AnyOf(HasSubstr("Permission denied"),
                                             HasSubstr("Operation not permitted")))
        << attempt;
  }
  EXPECT_EQ(said(kNobody, "cat d/f"), "secret\n");
}

TEST_F(UsersTest, ADirectoryThatTheOldUserWentIntoCanBeUsedByTheNewOne) {
  mount_ = &mount_for_all();
  ASSERT_EQ(said(0, "mkdir -m 755 d d/e && echo text > d/e/f && ln -s x d/e/l && chmod 700 d"), "");
  const std::string nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups ";
  EXPECT_EQ(said(0, "cd d/e && " + nobody + "stat -c %s f && " + nobody + "readlink l && " +
                        nobody + "sh -c 'test -d . && ! test -w .'"),
            "5\nx\n");
}

TEST_F(UsersTest, EachUsesHisOpenFilesWhenTheirNamesAreGone) {
  mount_ = &mount_for_all();
  const std::string use =
      "exec 3<>f; echo text >&3; rm f; truncate -s 2 /proc/self/fd/3 && "
      "chmod 600 /proc/self/fd/3 && stat -Lc '%h %u %a %s' /proc/self/fd/3 && cat /proc/self/fd/3";
  EXPECT_EQ(said(kNobody, use), "0 65534 600 2\nte");
  EXPECT_EQ(said(kDaemon, use), "0 1 600 2\nte");
  EXPECT_EQ(said(0, use), "0 0 600 2\nte");
  EXPECT_TRUE(eventually([&] { return fs::is_empty(exported()); }));
}

TEST_F(UsersTest, AUserUnknownToTheServerIsNotLetInAndTheLogSaysWhy) {
  mount_ = &mount_for_all();
  EXPECT_THAT(said(kUnknown, "touch f"), HasSubstr("Permission denied"));
  mount_->wait_for_log("user 4242 is not let in: ");
  EXPECT_EQ(said(kNobody, "touch f"), "");
}

TEST_F(UsersTest, WithAccessAnyAllAreTheOneWhoMounted) {
  mount_ = &mount_for_all({"access=any"});
  EXPECT_EQ(said(kNobody, ": > f"), "");
  EXPECT_EQ(owner("f"), Owner(0, kNobody));  // the group is asked for by number
  EXPECT_EQ(said(kUnknown, ": > g"), "");
}

TEST_F(UsersTest, WithANumberOnlyThatUserIsLetIn) {
  fs::permissions(exported(), fs::perms::all);
  mount_ = &mount_diod({"access=65534"});
  const std::string path = mount_->path();
  const std::string as_nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups ";
  EXPECT_EQ(shell(as_nobody + "sh -c 'echo text > " + path + "/f; cat " + path + "/f'").output,
            "text\n");
  for (const std::string user : {"", "setpriv --reuid=1 --regid=1 --clear-groups "}) {
    EXPECT_THAT(shell(user + "ls " + path).output, HasSubstr("Operation not permitted"));
    EXPECT_THAT(shell(user + "touch " + path + "/g").output, HasSubstr("Operation not permitted"));
  }
}

TEST_F(UsersTest, WithoutOthersThereIsOneAttach) {
  const Fuse9p& alone = mount_diod();
  EXPECT_THAT(
      shell("setpriv --reuid=65534 --regid=65534 --clear-groups ls " + alone.path().string())
          .output,
      HasSubstr("Permission denied"));
}

TEST_F(UsersTest, AccessSaysWhatTheServerWillSay) {
  const fs::path path = mount_diod().path();
  std::ofstream(exported() / "f") << "#!/bin/sh\n";
  EXPECT_EQ(::chmod((exported() / "f").c_str(), 0600), 0);
  EXPECT_EQ(::access((path / "f").c_str(), R_OK | W_OK), 0);
  EXPECT_EQ(::access((path / "f").c_str(), X_OK), -1);
  EXPECT_EQ(errno, EACCES);
  EXPECT_EQ(::chmod((path / "f").c_str(), 0700), 0);
  EXPECT_EQ(::access((path / "f").c_str(), X_OK), 0);
}

TEST_F(UsersTest, FewFidsServeManyUsersAndFiles) {
  mount_ = &mount_for_all({"maxfids=16"});
  for (const uid_t user : {uid_t{0}, kNobody, kDaemon}) {
    const std::string dir = "d" + std::to_string(user);
    EXPECT_EQ(said(user, "mkdir -p " + dir + "/a/b/c && for i in $(seq 100); do echo $i > " + dir +
                             "/a/b/c/$i; done && cat " + dir + "/a/b/c/100"),
              "100\n");
  }
  for (const uid_t user : {kDaemon, kNobody, uid_t{0}}) {
    const std::string dir = "d" + std::to_string(user) + "/a/b/c";
    EXPECT_EQ(said(user, "cat $(seq -f " + dir + "/%g 100) | sha256sum; ls -l " + dir + " | wc -l"),
              shell("seq 100 | sha256sum").output + "101\n");
    EXPECT_EQ(owner(dir + "/50"), Owner(user, user));
  }
}

}  // namespace
}  // namespace fuse9p::test
