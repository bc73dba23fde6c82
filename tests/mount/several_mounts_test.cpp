// SPDX-License-Identifier: MIT
// More than one mount at a time: of one server, on top of and inside each other; and directories
// whose names are odd, by every way to mount.

#include "tests/support/installed_fixture.hpp"

#include <gmock/gmock.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <vector>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

void write(const fs::path& path, const std::string& text) {
  std::ofstream(path) << text;
}

ino_t inode(const fs::path& path) {
  struct stat found {};
  EXPECT_EQ(::stat(path.c_str(), &found), 0) << path << ": " << std::strerror(errno);
  return found.st_ino;
}

// ---- of one server

class OneServer : public MountTest {
 protected:
  void SetUp() override {
    for (const char* tree : {"a", "b"}) {
      fs::create_directory(exported() / tree);
      write(exported() / tree / "file", std::string("of ") + tree);
    }
    // It serves all mounts by one process.
    diod_ = std::make_unique<Diod>(scratch(), exported(), Diod::Listen::unix_socket);
  }
  void TearDown() override {
    end_mounts();
    diod_.reset();
    MountTest::TearDown();
  }
  Fuse9p& mount_tree(const std::string& tree, std::vector<std::string> options = {}) {
    options.push_back("aname=" + (exported() / tree).string());
    return mount({.source = diod_->source(), .options = std::move(options)});
  }

 private:
  std::unique_ptr<Diod> diod_;
};

TEST_F(OneServer, TreesOfItAreMountedSideBySide) {
  Fuse9p& whole = mount_tree("");
  Fuse9p& a = mount_tree("a");
  Fuse9p& b = mount_tree("b");
  EXPECT_EQ(read_file(a.path() / "file"), "of a");
  EXPECT_EQ(read_file(b.path() / "file"), "of b");
  write(a.path() / "new", "news");
  EXPECT_EQ(read_file(whole.path() / "a/new"), "news");
  EXPECT_FALSE(fs::exists(b.path() / "new"));
}

TEST_F(OneServer, TheSameTreeTwiceIsTwoMounts) {
  Fuse9p& one = mount_tree("a");
  Fuse9p& two = mount_tree("a", {"ro"});
  write(one.path() / "new", "news");
  EXPECT_EQ(read_file(two.path() / "new"), "news");
  EXPECT_EQ(inode(one.path() / "new"), inode(two.path() / "new"));
  EXPECT_THAT(shell("echo x > new", two.path()).output, HasSubstr("Read-only file system"));
  EXPECT_EQ(::rename((one.path() / "new").c_str(), (two.path() / "other").c_str()), -1);
  EXPECT_EQ(errno, EXDEV);
}

TEST_F(OneServer, EndOfOneMountLeavesTheOthers) {
  Fuse9p& one = mount_tree("a");
  Fuse9p& two = mount_tree("a");
  Fuse9p& three = mount_tree("b");
  EXPECT_EQ(one.unmount(), kSuccess);
  three.process().signal(SIGTERM);
  EXPECT_EQ(three.process().wait(), kSuccess);
  EXPECT_EQ(read_file(two.path() / "file"), "of a");
  Fuse9p& again = mount_tree("b");
  EXPECT_EQ(read_file(again.path() / "file"), "of b");
}

TEST_F(OneServer, MountOnAMountHidesItUntilItsEnd) {
  Fuse9p& below = mount_tree("a");
  Fuse9p& above = mount({.source = Diod(scratch(), exported(), Diod::Listen::exec).source(),
                         .options = {"aname=" + (exported() / "b").string()},
                         .mountpoint = below.path()});
  EXPECT_EQ(read_file(below.path() / "file"), "of b");
  EXPECT_EQ(::umount2(above.path().c_str(), 0), 0);
  EXPECT_EQ(above.process().wait(), kSuccess);
  EXPECT_EQ(read_file(below.path() / "file"), "of a");
}

TEST_F(OneServer, FilesBelowAMountPointAreHiddenAndComeBack) {
  const fs::path mountpoint = scratch().directory("full");
  write(mountpoint / "mine", "mine");
  Fuse9p& mounted = mount({.source = Diod(scratch(), exported(), Diod::Listen::exec).source(),
                           .options = {"aname=" + (exported() / "a").string()},
                           .mountpoint = mountpoint});
  EXPECT_FALSE(fs::exists(mountpoint / "mine"));
  EXPECT_EQ(read_file(mountpoint / "file"), "of a");
  EXPECT_EQ(mounted.unmount(), kSuccess);
  EXPECT_EQ(read_file(mountpoint / "mine"), "mine");
}

// ---- inside each other

class Nested : public OneServer {
 protected:
  void SetUp() override {
    OneServer::SetUp();
    fs::create_directories(exported() / "a/x/y");
    fs::create_directory_symlink("x", exported() / "a/link");
    outer_ = &mount_tree("a");
  }
  Fuse9p& mount_inside(const fs::path& mountpoint, const std::string& tree = "b") {
    return mount({.source = Diod(scratch(), exported(), Diod::Listen::exec).source(),
                  .options = {"aname=" + (exported() / tree).string()},
                  .mountpoint = mountpoint});
  }
  Fuse9p& outer() { return *outer_; }

 private:
  Fuse9p* outer_ = nullptr;
};

TEST_F(Nested, MountPointIsFoundThroughTheOuterMount) {
  Fuse9p& inner = mount_inside(outer().path() / "x");
  EXPECT_EQ(read_file(outer().path() / "x/file"), "of b");
  EXPECT_EQ(read_file(outer().path() / "link/file"), "of b");
  EXPECT_EQ(read_file(outer().path() / "file"), "of a");
  EXPECT_EQ(inner.unmount(), kSuccess);
  EXPECT_TRUE(fs::exists(outer().path() / "x/y"));
}

TEST_F(Nested, OuterMountIsBusyAsLongAsTheInnerIsThere) {
  Fuse9p& inner = mount_inside(outer().path() / "x/y");
  EXPECT_EQ(::umount2(outer().path().c_str(), 0), -1);
  EXPECT_EQ(errno, EBUSY);
  EXPECT_EQ(read_file(outer().path() / "x/y/file"), "of b");
  EXPECT_EQ(inner.unmount(), kSuccess);
  EXPECT_EQ(outer().unmount(), kSuccess);
}

TEST_F(Nested, LazyUnmountOfTheOuterTakesTheInnerAlong) {
  Fuse9p& inner = mount_inside(outer().path() / "x");
  EXPECT_EQ(::umount2(outer().path().c_str(), MNT_DETACH), 0);
  EXPECT_EQ(inner.process().wait(), kSuccess);
  EXPECT_EQ(outer().process().wait(), kSuccess);
}

TEST_F(Nested, SignalEndsTheOuterAndTheInner) {
  Fuse9p& inner = mount_inside(outer().path() / "x");
  outer().process().signal(SIGTERM);
  EXPECT_EQ(outer().process().wait(), kSuccess);
  EXPECT_EQ(inner.process().wait(), kSuccess);
}

TEST_F(Nested, BothEndAtOnceWhenToldAtOnce) {
  // As at the end of a session: each looks for its mount point while the other goes away.
  for (int round = 0; round < 10; ++round) {
    Fuse9p& outside = mount_tree("a");
    Fuse9p& inside = mount_inside(outside.path() / "x");
    EXPECT_EQ(read_file(outside.path() / "x/file"), "of b");
    for (Fuse9p* one : {&outside, &inside})
      one->process().signal(SIGTERM);
    for (Fuse9p* one : {&inside, &outside})
      EXPECT_EQ(one->process().wait(), kSuccess);
    EXPECT_FALSE(is_mount_point(outside.path()));
  }
}

TEST_F(Nested, FiveDeepAndInItself) {
  // All show the same tree, so that each one's mount point is a directory of all the others.
  std::vector<Fuse9p*> mounts;
  fs::path deepest = outer().path();
  for (int depth = 0; depth < 5; ++depth) {
    mounts.push_back(&mount_inside(deepest / "x", "a"));
    deepest = mounts.back()->path();
  }
  EXPECT_EQ(read_file(deepest / "file"), "of a");
  write(deepest / "new", "news");
  EXPECT_EQ(read_file(outer().path() / "new"), "news");
  EXPECT_EQ(shell("find . -xdev | sort | tr '\\n' ' '", outer().path()).output,
            ". ./file ./link ./new ./x ");
  for (; !mounts.empty(); mounts.pop_back())
    EXPECT_EQ(mounts.back()->unmount(), kSuccess);
}

TEST_F(Nested, InnerMountOutlivesAServerThatIsGone) {
  Fuse9p& inner = mount_inside(outer().path() / "x");
  const int directory = ::open((outer().path() / "x").c_str(), O_PATH | O_CLOEXEC);
  ::kill(outer().process().pid(), SIGKILL);
  EXPECT_EQ(outer().process().wait(), Status{.signal = SIGKILL});
  const int file = ::openat(directory, "file", O_RDONLY | O_CLOEXEC);
  char text[4] = {};
  EXPECT_EQ(::read(file, text, sizeof text), 4);
  EXPECT_EQ(std::string(text, sizeof text), "of b");
  ::close(file);
  ::close(directory);
  EXPECT_EQ(::umount2(outer().path().c_str(), MNT_DETACH), 0);
  EXPECT_EQ(inner.process().wait(), kSuccess);
}

// ---- odd names

class OddName : public InstalledTest, public testing::WithParamInterface<std::string> {
 protected:
  void SetUp() override {
    InstalledTest::SetUp();
    write(exported() / "file", "text");
    fs::permissions(exported(), fs::perms(0777));
    source_ = serve().source();
  }
  std::string options() const { return "aname=" + exported().string(); }
  void expect_mounted(const Finished& finished, const fs::path& mountpoint, uid_t uid = 0) {
    EXPECT_EQ(finished.status, kSuccess) << finished.output;
    EXPECT_TRUE(is_mount_point(mountpoint));
    EXPECT_EQ(as_user(uid, Words{"cat", mountpoint / "file"}).output, "text");
  }
  void expect_unmounted(const Finished& finished, const fs::path& mountpoint) {
    EXPECT_EQ(finished.status, kSuccess) << finished.output;
    EXPECT_FALSE(is_mount_point(mountpoint));
    expect_daemons_end();
  }
  std::string source_;
};

TEST_P(OddName, IsNoObstacleToRoot) {
  const fs::path mountpoint = scratch().directory("parent/" + GetParam());
  expect_mounted(as_root({"fuse9p", source_, mountpoint, "-o", options()}), mountpoint);
  expect_unmounted(as_root({"umount", mountpoint}), mountpoint);
  expect_mounted(as_root({"fuse9p", source_, mountpoint, "-o", options()}), mountpoint);
  ASSERT_EQ(daemons().size(), 1U);
  ::kill(daemons()[0], SIGTERM);
  expect_daemons_end();
  EXPECT_FALSE(is_mount_point(mountpoint));
}

TEST_P(OddName, IsNoObstacleToMount) {
  const fs::path mountpoint = scratch().directory("parent/" + GetParam());
  for (const char* type : {"fuse9p", "fuse.fuse9p"}) {
    expect_mounted(as_root({"mount", "-t", type, source_, mountpoint, "-o", options()}),
                   mountpoint);
    EXPECT_EQ(shown("FSTYPE", mountpoint), "fuse.fuse9p");
    expect_unmounted(as_root({"umount", mountpoint}), mountpoint);
  }
}

TEST_P(OddName, IsNoObstacleToUsers) {
  const fs::path mountpoint = home_of(kNobody) / GetParam();
  fs::create_directory(mountpoint);
  ASSERT_EQ(::chown(mountpoint.c_str(), kNobody, kNobody), 0);
  expect_mounted(as_user(kNobody, Words{"fuse9p", source_, mountpoint, "-o", options()}),
                 mountpoint, kNobody);
  expect_unmounted(as_user(kNobody, Words{"fusermount3", "-u", mountpoint}), mountpoint);
}

INSTANTIATE_TEST_SUITE_P(With, OddName,
                         testing::Values("two words", "line\nbreak", "tab\tstop", R"(back\slash)",
                                         R"(\040)", "comma,", "-dash", "#hash", "Grüße, 世界",
                                         "\xff\xfe", "'\"$(quotes)`", "*?[", std::string(255, 'x')),
                         [](const auto& of) { return std::to_string(of.index); });

class WayToWriteIt : public InstalledTest {
 protected:
  void SetUp() override {
    InstalledTest::SetUp();
    write(exported() / "file", "text");
    source_ = serve().source();
    mnt_ = scratch().directory("parent/mnt");
    fs::create_directory_symlink("parent/mnt", scratch() / "link");
    fs::create_directory_symlink("link", scratch() / "link to it");
  }
  /// In the directory `where`.
  void expect_mounts(const std::string& command, const fs::path& where, const std::string& as) {
    const Finished finished =
        as_root({"sh", "-ec", "cd \"$0\"; " + command + " \"$1\" \"$2\" -o aname=\"$3\"", where,
                 source_, as, exported()});
    EXPECT_EQ(finished.status, kSuccess) << finished.output;
    EXPECT_EQ(read_file(mnt_ / "file"), "text") << as;
    EXPECT_EQ(as_root({"umount", mnt_}).status, kSuccess);
    expect_daemons_end();
  }
  fs::path mnt_;
  std::string source_;
};

TEST_F(WayToWriteIt, IsTheUsersChoice) {
  const fs::path parent = mnt_.parent_path();
  for (const char* command : {"fuse9p", "mount -t fuse9p", "mount -t fuse.fuse9p"}) {
    expect_mounts(command, "/", mnt_.string() + "/");
    expect_mounts(command, "/", mnt_.string() + "///");
    expect_mounts(command, parent, "mnt");
    expect_mounts(command, parent, "./mnt/");
    expect_mounts(command, parent, "../parent/./mnt/../mnt");
    expect_mounts(command, "/", scratch() / "link");
    expect_mounts(command, scratch().path(), "link to it");
    expect_mounts(command, mnt_, ".");
  }
}

}  // namespace
}  // namespace fuse9p::test
