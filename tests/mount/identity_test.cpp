// SPDX-License-Identifier: MIT
// Identity: which names are one file and which are not, although a server's qid does not say so;
// and that an answer about another file never becomes one about this.

#include "tests/support/counters.hpp"
#include "tests/support/scripted_fixture.hpp"

#include <gmock/gmock.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;

/// The nodeid, as the kernel's file handles have it: it tells nodes apart that show the same inode
/// number. 0: there is no such file.
std::uint64_t node_of(const fs::path& path) {
  alignas(file_handle) char memory[sizeof(file_handle) + MAX_HANDLE_SZ] = {};
  auto* handle = reinterpret_cast<file_handle*>(memory);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  if (::name_to_handle_at(AT_FDCWD, path.c_str(), handle, &mount, 0) != 0) {
    EXPECT_EQ(errno, ENOENT) << std::strerror(errno);
    return 0;
  }
  std::uint32_t halves[2] = {};
  std::memcpy(halves, handle->f_handle, sizeof halves);
  return (std::uint64_t{halves[0]} << 32) | halves[1];
}

struct stat stat_of(const fs::path& path) {
  struct stat found {};
  EXPECT_EQ(::lstat(path.c_str(), &found), 0) << path << ": " << std::strerror(errno);
  return found;
}
ino_t inode_of(const fs::path& path) {
  return stat_of(path).st_ino;
}
OwnedFd opened(const fs::path& path, int flags = O_RDONLY) {
  return OwnedFd(::open(path.c_str(), flags | O_CLOEXEC, 0644));
}
off_t size_of(const OwnedFd& file) {
  struct stat found {};
  EXPECT_EQ(::fstat(file.get(), &found), 0) << std::strerror(errno);
  return found.st_size;
}
/// d_ino by name, without a stat of any.
std::map<std::string, ino_t> listed(const fs::path& directory) {
  std::map<std::string, ino_t> inodes;
  const std::unique_ptr<DIR, int (*)(DIR*)> handle(::opendir(directory.c_str()), ::closedir);
  while (const dirent* entry = ::readdir(handle.get()))
    inodes[entry->d_name] = entry->d_ino;
  return inodes;
}

class Identity : public ScriptedTest {
 protected:
  static inline const std::vector<std::string> kAskAlways = {"actimeo=0"};
  void tell(const std::string& command) { ASSERT_EQ(server().ask(command), "ok"); }
};

// ---- one file, several names

TEST_F(Identity, HardLinksAreOneFile) {
  const Fuse9p& mount = mount_scripted({"file /a 10", "link /a /b"});
  EXPECT_EQ(inode_of(mount.path() / "a"), inode_of(mount.path() / "b"));
  EXPECT_EQ(node_of(mount.path() / "a"), node_of(mount.path() / "b"));
}

TEST_F(Identity, HardLinksAreOneFileThoughSomebodyElseHasChangedItInBetween) {
  const Fuse9p& mount = mount_scripted({"file /a 10", "link /a /b"});
  const std::uint64_t a = node_of(mount.path() / "a");
  tell("resize /b 20");  // what is known of the node is old now, and would not agree
  EXPECT_EQ(node_of(mount.path() / "b"), a);
  EXPECT_EQ(stat_of(mount.path() / "a").st_size, 20);
}

TEST_F(Identity, HardLinksInALongListingAreOneFile) {
  const Fuse9p& mount = mount_scripted({"file /a 10", "dir /d", "link /a /d/b", "link /a /d/c"});
  const std::uint64_t a = node_of(mount.path() / "a");
  tell("resize /a 20");
  EXPECT_EQ(shell("ls -l d | wc -l", mount.path()).output, "3\n");
  EXPECT_EQ(node_of(mount.path() / "d/b"), a);
  EXPECT_EQ(node_of(mount.path() / "d/c"), a);
}

TEST_F(Identity, HardLinksAreOneFileThoughItChangesWhileTheyAreCompared) {
  const Fuse9p& mount = mount_scripted({"file /a 10", "link /a /b"});
  const std::uint64_t a = node_of(mount.path() / "a");
  tell("resize /a 11");
  tell("on Tgetattr nth 2 hold");  // the first is about b
  Process looker([&] { return node_of(mount.path() / "b") == a ? 0 : 1; });
  ASSERT_EQ(server().ask("await held 1"), "ok");
  tell("resize /a 12");
  tell("release");
  EXPECT_EQ(looker.wait(), kSuccess);
  EXPECT_EQ(node_of(mount.path() / "b"), a);
}

TEST_F(Identity, AFileThatSomebodyElseHasMovedKeepsItsInodeNumber) {
  const Fuse9p& mount = mount_scripted({"file /a 10", "dir /d"}, kAskAlways);
  const ino_t before = inode_of(mount.path() / "a");
  tell("move /a /d/b");
  EXPECT_EQ(inode_of(mount.path() / "d/b"), before);
  EXPECT_EQ(node_of(mount.path() / "a"), 0U);
}

// ---- several files, one qid.path

TEST_F(Identity, TwoFilesDoNotBecomeOneBecauseTheirQidsCollide) {
  const Fuse9p& mount =
      mount_scripted({"dir /one", "dir /other", "text /one/a first", "text /other/a second file",
                      "link /one/a /one/b", "link /other/a /other/b", "inode /other/a 4"});
  ASSERT_EQ(server().ask("inode /one/a 4"), "ok");
  const auto inode = [&](const char* name) { return inode_of(mount.path() / name); };
  EXPECT_NE(inode("one/a"), inode("other/a"));
  EXPECT_EQ(inode("one/b"), inode("one/a"));
  EXPECT_EQ(inode("other/b"), inode("other/a"));
  EXPECT_EQ(read_file(mount.path() / "one/b"), "first");
  EXPECT_EQ(read_file(mount.path() / "other/b"), "second file");
  EXPECT_EQ(listed(mount.path() / "other")["b"], inode("other/b"));
  // What takes equal numbers for one file must find both.
  EXPECT_EQ(shell("tar c one other | tar t -v | grep -c 'link to'", mount.path()).output, "2\n");
}

TEST_F(Identity, FilesWithOneNameEachAreNotOneThoughEverythingAgrees) {
  const Fuse9p& mount = mount_scripted({"text /a one", "text /b two"});
  tell("inode /a 77");
  tell("inode /b 77");
  EXPECT_NE(inode_of(mount.path() / "a"), inode_of(mount.path() / "b"));
  EXPECT_EQ(shell("cmp a b", mount.path()).status.code, 1);
  EXPECT_EQ(shell("cp a b && cat b", mount.path()).output, "one");
}

TEST_F(Identity, DirectoriesWhoseQidsCollideAreNoLoop) {
  const Fuse9p& mount = mount_scripted({"dir /a", "dir /a/b", "dir /a/b/c", "text /a/b/c/f deep"});
  tell("inode /a 77");
  tell("inode /a/b/c 77");
  EXPECT_EQ(shell("find . | sort", mount.path()).output, ".\n./a\n./a/b\n./a/b/c\n./a/b/c/f\n");
  const auto entries = listed(mount.path() / "a/b/c");
  EXPECT_EQ(entries.at("."), inode_of(mount.path() / "a/b/c"));
  EXPECT_EQ(listed(mount.path() / "a/b")["c"], inode_of(mount.path() / "a/b/c"));
  EXPECT_EQ(listed(mount.path() / "a/b")[".."], inode_of(mount.path() / "a"));
}

// ---- an inode number used again

struct Again {
  const char* name;
  std::vector<std::string> before, after;
};
void PrintTo(const Again& again, std::ostream* out) {
  *out << again.name;
}
class InodeNumberUsedAgain : public Identity, public testing::WithParamInterface<Again> {};

TEST_P(InodeNumberUsedAgain, IsAnotherFile) {
  const Fuse9p& mount = mount_scripted(GetParam().before, kAskAlways);
  const OwnedFd held = opened(mount.path() / "f", O_PATH | O_NOFOLLOW);
  const std::uint64_t before = node_of(mount.path() / "f");
  for (const std::string& command : GetParam().after)
    tell(command);
  EXPECT_NE(node_of(mount.path() / "f"), before);
}

const Again kSigns[] = {
    {"OfAnotherType", {"file /f 5"}, {"remove /f", "numbers 2", "dir /f"}},
    {"ByASymlinkOfAnotherLength",
     {"symlink short /f"},
     {"remove /f", "numbers 2", "symlink longer /f"}},
    {"ByAnotherDevice", {"file /f 5", "device /f 0x101"}, {"device /f 0x102"}},
    {"OfAnotherGeneration", {"file /f 5", "generation /f 1"}, {"generation /f 2"}},
    {"WithAnEarlierCtime", {"file /f 5"}, {"age /f 5"}},
};
INSTANTIATE_TEST_SUITE_P(Identity, InodeNumberUsedAgain, testing::ValuesIn(kSigns),
                         [](const auto& sign) { return std::string(sign.param.name); });

TEST_F(Identity, ANameThatWasGoneIsNotTheOldFileAgain) {
  const Fuse9p& mount = mount_scripted({"file /f 5"}, kAskAlways);
  const OwnedFd held = opened(mount.path() / "f", O_PATH);  // or the kernel would forget it
  const std::uint64_t before = node_of(mount.path() / "f");
  tell("remove /f");
  EXPECT_EQ(node_of(mount.path() / "f"), 0U);
  tell("numbers 2");
  tell("file /f 5");
  EXPECT_NE(node_of(mount.path() / "f"), before);
}

struct Maker {
  const char* name;
  const char* old_file;
  std::function<int(const char* path)> make;
};
void PrintTo(const Maker& maker, std::ostream* out) {
  *out << maker.name;
}
class WhatIsMade : public Identity, public testing::WithParamInterface<Maker> {};

TEST_P(WhatIsMade, IsNotTheFileOfThatNameThatSomebodyElseHasRemoved) {
  const Fuse9p& mount = mount_scripted({GetParam().old_file, "dir /d", "file /d/x 1"}, kAskAlways);
  const fs::path path = mount.path() / "f";
  const OwnedFd held = opened(path, O_PATH | O_NOFOLLOW);  // or the kernel would forget it
  const std::uint64_t before = node_of(path);
  // As long as something is being renamed, a name that is not found may just be on its way.
  tell("on Trenameat hold");
  Process renamer(
      [&] { return ::rename((mount.path() / "d/x").c_str(), (mount.path() / "d/y").c_str()); });
  ASSERT_EQ(server().ask("await held 1"), "ok");
  tell("remove /f");
  EXPECT_EQ(node_of(path), 0U);
  tell("numbers 2");
  ASSERT_EQ(GetParam().make(path.c_str()), 0) << std::strerror(errno);
  EXPECT_NE(node_of(path), before);
  tell("release");
  EXPECT_EQ(renamer.wait(), kSuccess);
}

const Maker kMakers[] = {
    {"Create", "file /f 0",
     [](const char* path) { return ::close(::open(path, O_CREAT | O_EXCL | O_WRONLY, 0644)); }},
    {"Mkdir", "dir /f", [](const char* path) { return ::mkdir(path, 0755); }},
    {"Mknod", "file /f 0", [](const char* path) { return ::mknod(path, S_IFREG | 0644, 0); }},
    {"Symlink", "symlink y /f", [](const char* path) { return ::symlink("x", path); }},
};
INSTANTIATE_TEST_SUITE_P(Identity, WhatIsMade, testing::ValuesIn(kMakers),
                         [](const auto& maker) { return std::string(maker.param.name); });

TEST_F(Identity, AFileThatIsLookedForWhileItIsRenamedIsTheSameAfterwards) {
  Fuse9p& mount = mount_scripted({"file /a 5", "dir /d"}, kAskAlways);
  const OwnedFd held = opened(mount.path() / "a", O_PATH);
  const std::uint64_t before = node_of(mount.path() / "a");
  tell("on Trenameat withhold");
  Process renamer(
      [&] { return ::rename((mount.path() / "a").c_str(), (mount.path() / "d/b").c_str()); });
  ASSERT_EQ(server().ask("await Trenameat 1"), "ok");
  Process looker([&] { return node_of(mount.path() / "a") == 0 ? 0 : 1; });
  await_counters(mount, [](const Counters& now) { return now["held_up"] == 1; });
  tell("release");
  EXPECT_EQ(renamer.wait(), kSuccess);
  EXPECT_EQ(looker.wait(), kSuccess);
  EXPECT_EQ(node_of(mount.path() / "d/b"), before);
}

// ---- answers about another file

TEST_F(Identity, AFileThatWasReplacedStaysWhatItWasForWhoHasItOpen) {
  const Fuse9p& mount = mount_scripted({"text /f old"}, kAskAlways);
  const ino_t before = inode_of(mount.path() / "f");
  const OwnedFd old = opened(mount.path() / "f");
  tell("text /g newer");
  tell("move /g /f");
  EXPECT_EQ(read_file(mount.path() / "f"), "newer");
  EXPECT_NE(inode_of(mount.path() / "f"), before);
  char text[10] = {};
  EXPECT_EQ(::pread(old.get(), text, sizeof text, 0), 3);
  EXPECT_STREQ(text, "old");
  EXPECT_EQ(size_of(old), 3);
}

TEST_F(Identity, AnOpenThatMetAnotherFileIsDoneAgain) {
  const Fuse9p& mount = mount_scripted({"text /f hello"});
  tell("on Tlopen name f times 1 reply Rlopen qid (0x99 0 0) iounit 0");
  EXPECT_EQ(read_file(mount.path() / "f"), "hello");
}

TEST_F(Identity, AnOpendirThatMetAnotherDirectoryIsDoneAgain) {
  const Fuse9p& mount = mount_scripted({"dir /d", "file /d/f 1"});
  tell("on Tlopen name d times 1 reply Rlopen qid (0x99 0 0x80) iounit 0");
  EXPECT_EQ(shell("ls d", mount.path()).output, "f\n");
}

const char* const kLie =
    "reply Rgetattr valid 0x7ff qid (0x99 0 0) mode 33188 uid 9 gid 9 nlink 1 rdev 0 size 999 "
    "blksize 4096 blocks 1 atime_sec 1 atime_nsec 0 mtime_sec 1 mtime_nsec 0 ctime_sec 1 "
    "ctime_nsec 0 btime_sec 0 btime_nsec 0 gen 0 data_version 0";

TEST_F(Identity, ALookupThatMetAnotherFileIsDoneAgain) {
  const Fuse9p& mount = mount_scripted({"text /f hello"});
  tell(std::string("on Tgetattr name f times 1 ") + kLie);
  const struct stat found = stat_of(mount.path() / "f");
  EXPECT_EQ(found.st_size, 5);
  EXPECT_EQ(found.st_ino, 2U);
}

TEST_F(Identity, AttributesOfAnotherFileAreNotThisOnes) {
  const Fuse9p& mount = mount_scripted({"text /f hello"}, kAskAlways);
  stat_of(mount.path() / "f");
  tell(std::string("on Tgetattr name f nth 2 ") + kLie);  // the first answers the lookup
  EXPECT_EQ(stat_of(mount.path() / "f").st_size, 5);
}

TEST_F(Identity, AFileThatIsCreatedAndReplacedAtOnceIsWhatWasCreated) {
  const Fuse9p& mount = mount_scripted({});
  tell(std::string("on Tgetattr name f times 1 ") + kLie);
  const OwnedFd file = opened(mount.path() / "f", O_CREAT | O_EXCL | O_WRONLY);
  EXPECT_EQ(size_of(file), 0);
}

// ---- diod

TEST_F(Identity, HardLinksThatAreChangedBehindDiodAreOneFile) {
  std::ofstream(exported() / "a") << "one";
  fs::create_hard_link(exported() / "a", exported() / "b");
  const Fuse9p& mount = mount_diod();
  const std::uint64_t a = node_of(mount.path() / "a");
  std::ofstream(exported() / "a") << "three";
  EXPECT_EQ(node_of(mount.path() / "b"), a);
}

TEST_F(Identity, ADirectoryThatIsMountedTwiceIsNoLoop) {
  for (const char* name : {"a", "a/b", "a/b/c"})
    fs::create_directory(exported() / name);
  std::ofstream(exported() / "a/f") << "here";
  // Of one file system, so diod does not notice: the same qids once more.
  ASSERT_EQ(::mount((exported() / "a").c_str(), (exported() / "a/b/c").c_str(), nullptr, MS_BIND,
                    nullptr),
            0)
      << std::strerror(errno);
  const Fuse9p& mounted = mount_diod();
  EXPECT_EQ(shell("find . | sort", mounted.path()).output,
            ".\n./a\n./a/b\n./a/b/c\n./a/b/c/b\n./a/b/c/b/c\n./a/b/c/f\n./a/f\n");
  EXPECT_NE(inode_of(mounted.path() / "a"), inode_of(mounted.path() / "a/b/c"));
  EXPECT_EQ(read_file(mounted.path() / "a/b/c/f"), "here");
  end_mounts();
  EXPECT_EQ(::umount((exported() / "a/b/c").c_str()), 0) << std::strerror(errno);
}

}  // namespace
}  // namespace fuse9p::test
