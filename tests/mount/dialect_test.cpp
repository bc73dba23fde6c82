// SPDX-License-Identifier: MIT
// The three dialects on a mount: what each can do, and with which errno it says that it can't. The
// scripted server is strict: a message, a bit or a count that the dialect does not have ends the
// test.

#include "tests/support/pattern.hpp"
#include "tests/support/scripted_fixture.hpp"

#include <gmock/gmock.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sstream>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kPlain = "9P2000", kExtended = "9P2000.u", kLinux = "9P2000.L";

/// 0 or the errno.
int done(int result) {
  return result < 0 ? errno : 0;
}

/// What `stat?` of the scripted server says.
struct Shown {
  mode_t mode = 0;
  unsigned uid = 0, gid = 0;
  std::uint64_t size = 0;
  time_t atime = 0, mtime = 0;
};

class InDialect : public ScriptedTest, public testing::WithParamInterface<std::string> {
 protected:
  bool is_plain() const { return GetParam() == kPlain; }
  bool is_linux() const { return GetParam() == kLinux; }

  fs::path mount_tree(const std::vector<std::string>& script,
                      std::vector<std::string> options = {}) {
    options.push_back("version=" + GetParam());
    mount_ = &mount_scripted(script, std::move(options), Fuse9p::Run::foreground);
    return mount_->path();
  }
  Fuse9p& mounted() { return *mount_; }

  /// What the server has there.
  Shown shown(const std::string& path) {
    std::istringstream words(server().ask("stat? " + path));
    Shown out;
    words >> std::oct >> out.mode >> std::dec >> out.uid >> out.gid >> out.size >> out.atime >>
        out.mtime;
    return out;
  }
  bool exists(const std::string& path) { return server().ask("stat? " + path) != "nothing"; }
  std::string text(const std::string& path) { return server().ask("text? " + path); }

 private:
  Fuse9p* mount_ = nullptr;
};

std::string name_of(const testing::TestParamInfo<std::string>& of) {
  return of.param == kPlain ? "Plain" : of.param == kExtended ? "Unix" : "Linux";
}
INSTANTIATE_TEST_SUITE_P(As, InDialect, testing::Values(kPlain, kExtended, kLinux), name_of);

// ---- data

TEST_P(InDialect, IsTheOneThatWasAskedFor) {
  mount_tree({});
  EXPECT_THAT(mounted().log(), HasSubstr(": " + GetParam() + ", msize"));
}

TEST_P(InDialect, FilesAreReadAndWritten) {
  const fs::path path = mount_tree({"msize 8192", "file /old 300001"});
  EXPECT_EQ(read_file(path / "old"), pattern(300'001));
  std::ofstream(path / "new", std::ios::binary) << pattern(300'001);
  EXPECT_EQ(server().ask("content /new"), "300001 ok");
  EXPECT_EQ(read_file(path / "new"), pattern(300'001));
  std::fstream middle(path / "new", std::ios::in | std::ios::out | std::ios::binary);
  middle.seekp(100'000);
  middle << pattern(50'000, 100'000) << std::flush;
  EXPECT_EQ(server().ask("content /new"), "300001 ok");
}

TEST_P(InDialect, NewFilesGetTheModeThatWasAskedFor) {
  const fs::path path = mount_tree({});
  ::umask(0);
  const OwnedFd file(::open((path / "f").c_str(), O_CREAT | O_WRONLY, 0640));
  EXPECT_GE(file.get(), 0);
  EXPECT_EQ(done(::mkdir((path / "d").c_str(), 0750)), 0);
  ::umask(022);
  EXPECT_EQ(shown("/f").mode, S_IFREG | 0640U);
  EXPECT_EQ(shown("/d").mode, S_IFDIR | 0750U);
  struct stat found {};
  EXPECT_EQ(done(::stat((path / "f").c_str(), &found)), 0);
  EXPECT_EQ(found.st_mode, S_IFREG | 0640U);
}

TEST_P(InDialect, ADirectoryGivesNoMorePermissionsThanItHas) {
  const fs::path path = mount_tree({"dir /d 0700"});
  ::umask(0);
  const OwnedFd file(::open((path / "d/f").c_str(), O_CREAT | O_WRONLY, 0666));
  ::umask(022);
  EXPECT_GE(file.get(), 0);
  struct stat found {};
  EXPECT_EQ(done(::fstat(file.get(), &found)), 0);
  EXPECT_EQ(found.st_mode, S_IFREG | (is_linux() ? 0666U : 0600U)) << "the server decides";
}

TEST_P(InDialect, ExclusiveCreationIsRefusedWhenTheNameIsTaken) {
  const fs::path path = mount_tree({"text /f old"});
  EXPECT_EQ(done(::open((path / "f").c_str(), O_CREAT | O_EXCL | O_WRONLY, 0644)), EEXIST);
  server().ask("text /later old");  // the kernel does not know of it
  EXPECT_EQ(done(::open((path / "later").c_str(), O_CREAT | O_EXCL | O_WRONLY, 0644)), EEXIST);
  EXPECT_EQ(text("/later"), "old");
  const OwnedFd fresh(::open((path / "g").c_str(), O_CREAT | O_EXCL | O_WRONLY, 0644));
  EXPECT_GE(fresh.get(), 0);
}

/// The kernel looks first, and finds nothing; then somebody else is faster.
TEST_P(InDialect, CreationWithoutExclusionOpensWhatSomebodyElseHasMade) {
  const fs::path path = mount_tree({"text /f old words"}, {"negative_timeout=60"});
  server().ask("move /f /hidden");
  EXPECT_FALSE(fs::exists(path / "f"));
  server().ask("move /hidden /f");
  const OwnedFd file(::open((path / "f").c_str(), O_CREAT | O_WRONLY, 0644));
  EXPECT_GE(file.get(), 0);
  EXPECT_EQ(::pwrite(file.get(), "new", 3, 0), 3);
  EXPECT_EQ(text("/f"), "'new words'");
}

TEST_P(InDialect, TruncationGoesWithTheOpen) {
  const fs::path path = mount_tree({"text /f old words", "text /g old words"});
  const std::string changes = is_linux() ? "Tsetattr" : "Twstat";
  {
    const OwnedFd file(::open((path / "f").c_str(), O_WRONLY | O_TRUNC));
    EXPECT_EQ(::write(file.get(), "new", 3), 3);
  }
  {
    const OwnedFd file(::open((path / "g").c_str(), O_WRONLY | O_TRUNC | O_CREAT, 0644));
    EXPECT_GE(file.get(), 0);
  }
  EXPECT_EQ(text("/f"), "new");
  EXPECT_EQ(text("/g"), "''");
  EXPECT_EQ(server().count(changes), 0);
  EXPECT_EQ(read_file(path / "f"), "new");
}

TEST_P(InDialect, AppendedDataComesToTheEnd) {
  const fs::path path = mount_tree({"text /f one"});
  const OwnedFd file(::open((path / "f").c_str(), O_WRONLY | O_APPEND));
  EXPECT_EQ(::write(file.get(), "two", 3), 3);
  server().ask("resize /f 10");  // somebody else has written to it
  EXPECT_EQ(::write(file.get(), "three", 5), 5);
  EXPECT_EQ(shown("/f").size, 15U);
  EXPECT_THAT(read_file(path / "f"), testing::EndsWith("three"));
}

/// A server that appends to what was opened so must not get to see what belongs elsewhere.
TEST_P(InDialect, WhatIsNotAppendedGoesWhereItBelongs) {
  const fs::path path = mount_tree({"text /f one"});
  const OwnedFd file(::open((path / "f").c_str(), O_WRONLY | O_APPEND));
  EXPECT_EQ(::write(file.get(), ",two", 4), 4);
  EXPECT_EQ(::fcntl(file.get(), F_SETFL, 0), 0);
  EXPECT_EQ(::pwrite(file.get(), "O", 1, 0), 1);
  EXPECT_EQ(text("/f"), "One,two");
}

/// The kernel reads ahead where posix_fadvise(2) says so, also through a descriptor for writing.
TEST_P(InDialect, NothingIsReadThroughWhatIsOpenForWriting) {
  const fs::path path = mount_tree({"file /f 50000"});
  const OwnedFd file(::open((path / "f").c_str(), O_WRONLY));
  EXPECT_EQ(::posix_fadvise(file.get(), 0, 0, POSIX_FADV_WILLNEED), 0);
  EXPECT_EQ(::pwrite(file.get(), "x", 1, 0), 1);
  EXPECT_EQ(server().count("Tread"), 0);
}

TEST_P(InDialect, FilesAreExtendedAndCutOff) {
  const fs::path path = mount_tree({"file /f 5000"});
  const OwnedFd file(::open((path / "f").c_str(), O_RDWR));
  EXPECT_EQ(done(::ftruncate(file.get(), 3000)), 0);
  EXPECT_EQ(server().ask("content /f"), "3000 ok");
  EXPECT_EQ(done(::truncate((path / "f").c_str(), 10'000)), 0);
  EXPECT_EQ(shown("/f").size, 10'000U);
  EXPECT_EQ(read_file(path / "f"), pattern(3000) + std::string(7000, '\0'));
}

TEST_P(InDialect, FsyncIsAsked) {
  const fs::path path = mount_tree({"text /f x"});
  const OwnedFd file(::open((path / "f").c_str(), O_WRONLY));
  EXPECT_EQ(::write(file.get(), "y", 1), 1);
  EXPECT_EQ(done(::fsync(file.get())), 0);
  EXPECT_EQ(server().count(is_linux() ? "Tfsync" : "Twstat"), 1);
  server().ask(is_linux() ? "on Tfsync fail ENOSPC" : "on Twstat fail ENOSPC");
  EXPECT_EQ(done(::fsync(file.get())), ENOSPC);
}

// ---- names

TEST_P(InDialect, DirectoriesAreMadeAndRemoved) {
  const fs::path path = mount_tree({"dir /full", "text /full/f x", "text /file x"});
  EXPECT_EQ(done(::mkdir((path / "d").c_str(), 0755)), 0);
  EXPECT_EQ(done(::mkdir((path / "d").c_str(), 0755)), EEXIST);
  EXPECT_EQ(done(::mkdir((path / "d/e").c_str(), 0755)), 0);
  EXPECT_EQ(done(::rmdir((path / "d").c_str())), ENOTEMPTY);
  EXPECT_EQ(done(::rmdir((path / "d/e").c_str())), 0);
  EXPECT_EQ(done(::rmdir((path / "d").c_str())), 0);
  EXPECT_EQ(done(::rmdir((path / "full").c_str())), ENOTEMPTY);
  EXPECT_EQ(done(::rmdir((path / "file").c_str())), ENOTDIR);
  EXPECT_EQ(done(::unlink((path / "full").c_str())), EISDIR);
  EXPECT_EQ(done(::unlink((path / "file").c_str())), 0);
  EXPECT_EQ(done(::unlink((path / "file").c_str())), ENOENT);
  EXPECT_FALSE(exists("/d"));
  EXPECT_FALSE(exists("/file"));
}

/// Tremove takes both: it must not be sent for what has become something else behind our back.
TEST_P(InDialect, NothingIsRemovedThatIsOfAnotherType) {
  const fs::path path =
      mount_tree({"text /f x", "dir /d"}, {"entry_timeout=60", "attr_timeout=60"});
  EXPECT_TRUE(fs::exists(path / "f") && fs::exists(path / "d"));
  for (const char* const change : {"remove /f", "remove /d", "dir /f", "text /d x"})
    server().ask(change);
  EXPECT_EQ(done(::unlink((path / "f").c_str())), EISDIR);
  EXPECT_EQ(done(::rmdir((path / "d").c_str())), ENOTDIR);
  EXPECT_TRUE(exists("/f"));
  EXPECT_TRUE(exists("/d"));
}

TEST_P(InDialect, FilesAreRenamedWithinADirectory) {
  const fs::path path = mount_tree({"dir /d", "text /d/a A", "text /d/b B", "dir /d/e"});
  EXPECT_EQ(done(::rename((path / "d/a").c_str(), (path / "d/c").c_str())), 0);
  EXPECT_EQ(done(::rename((path / "d/c").c_str(), (path / "d/b").c_str())), 0);
  EXPECT_EQ(read_file(path / "d/b"), "A");
  EXPECT_FALSE(exists("/d/a"));
  EXPECT_FALSE(exists("/d/c"));
  EXPECT_EQ(done(::rename((path / "d/none").c_str(), (path / "d/x").c_str())), ENOENT);
  EXPECT_EQ(done(::rename((path / "d/b").c_str(), (path / "d/e").c_str())), EISDIR);
  EXPECT_EQ(done(::rename((path / "d/e").c_str(), (path / "d/b").c_str())), ENOTDIR);
  EXPECT_EQ(done(::rename((path / "d/e").c_str(), (path / "d/f").c_str())), 0);
  EXPECT_TRUE(fs::is_directory(path / "d/f"));
}

TEST_P(InDialect, AFullDirectoryIsNotReplaced) {
  const fs::path path = mount_tree({"dir /a", "dir /b", "text /b/f x"});
  EXPECT_EQ(done(::rename((path / "a").c_str(), (path / "b").c_str())), ENOTEMPTY);
  EXPECT_TRUE(exists("/a"));
  EXPECT_EQ(done(::unlink((path / "b/f").c_str())), 0);
  EXPECT_EQ(done(::rename((path / "a").c_str(), (path / "b").c_str())), 0);
  EXPECT_FALSE(exists("/a"));
}

TEST_P(InDialect, BetweenDirectoriesNamesMoveIn9P2000LAndMvCopiesElsewhere) {
  const fs::path path = mount_tree({"dir /a", "dir /b", "text /a/f words", "text /a/g more"});
  EXPECT_EQ(done(::rename((path / "a/f").c_str(), (path / "b/f").c_str())), is_linux() ? 0 : EXDEV);
  EXPECT_EQ(exists("/b/f"), is_linux());
  const Finished mv = run({.arguments = {"mv", path / "a/g", path / "b/g"}});
  EXPECT_EQ(mv.status, kSuccess) << mv.output;
  EXPECT_EQ(text("/b/g"), "more");
  EXPECT_FALSE(exists("/a/g"));
}

TEST_P(InDialect, AnOpenFileSurvivesItsNewName) {
  const fs::path path = mount_tree({"text /f words"});
  const OwnedFd file(::open((path / "f").c_str(), O_RDWR));
  EXPECT_EQ(done(::rename((path / "f").c_str(), (path / "g").c_str())), 0);
  EXPECT_EQ(::pwrite(file.get(), "W", 1, 0), 1);
  EXPECT_EQ(read_file(path / "g"), "Words");
  EXPECT_EQ(done(::ftruncate(file.get(), 2)), 0);
  EXPECT_EQ(text("/g"), "Wo");
}

TEST_P(InDialect, SymbolicLinksAreMadeWhereThereAreSome) {
  const fs::path path = mount_tree({"text /f words"});
  if (is_plain()) {
    EXPECT_EQ(done(::symlink("f", (path / "l").c_str())), EPERM);
    EXPECT_FALSE(exists("/l"));
    return;
  }
  EXPECT_EQ(done(::symlink("f", (path / "l").c_str())), 0);
  EXPECT_EQ(fs::read_symlink(path / "l"), "f");
  EXPECT_EQ(read_file(path / "l"), "words");
  EXPECT_EQ(done(::symlink("f", (path / "l").c_str())), EEXIST);
  EXPECT_EQ(text("/l"), "f");
  EXPECT_EQ(done(::unlink((path / "l").c_str())), 0);
  EXPECT_TRUE(exists("/f"));
}

TEST_P(InDialect, SymbolicLinksOfTheServerAreFollowed) {
  const fs::path path = mount_tree({"dir /d", "text /d/f words", "symlink d/f /l"});
  if (is_plain()) {  // nothing there says what it is
    EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(path / "l")));
    char target[100];
    EXPECT_EQ(::readlink((path / "l").c_str(), target, sizeof target), -1);
    EXPECT_EQ(errno, EINVAL);
    return;
  }
  EXPECT_EQ(fs::read_symlink(path / "l"), "d/f");
  EXPECT_EQ(read_file(path / "l"), "words");
}

TEST_P(InDialect, HardLinksAreMadeWhereThereAreSome) {
  const fs::path path = mount_tree({"text /f words", "dir /d"});
  const int linked = done(::link((path / "f").c_str(), (path / "d/g").c_str()));
  EXPECT_EQ(linked, is_plain() ? EPERM : 0);
  EXPECT_EQ(exists("/d/g"), !is_plain());
  if (linked != 0)
    return;
  std::ofstream(path / "d/g") << "other words";
  EXPECT_EQ(read_file(path / "f"), "other words");
  EXPECT_EQ(done(::link((path / "f").c_str(), (path / "d/g").c_str())), EEXIST);
  EXPECT_EQ(done(::unlink((path / "f").c_str())), 0);
  EXPECT_EQ(read_file(path / "d/g"), "other words");
}

TEST_P(InDialect, SpecialFilesAreMadeWhereThereAreSome) {
  const fs::path path = mount_tree({});
  ::umask(0);
  const int refused = is_plain() ? EPERM : 0;
  EXPECT_EQ(done(::mknod((path / "fifo").c_str(), S_IFIFO | 0640, 0)), refused);
  EXPECT_EQ(done(::mknod((path / "sock").c_str(), S_IFSOCK | 0600, 0)), refused);
  EXPECT_EQ(done(::mknod((path / "chr").c_str(), S_IFCHR | 0644, makedev(1, 3))), refused);
  EXPECT_EQ(done(::mknod((path / "blk").c_str(), S_IFBLK | 0644, makedev(259, 300))), refused);
  EXPECT_EQ(done(::mknod((path / "file").c_str(), S_IFREG | 0644, 0)), 0);
  ::umask(022);
  EXPECT_EQ(shown("/file").mode, S_IFREG | 0644U);
  if (is_plain())
    return;
  struct stat found {};
  EXPECT_EQ(done(::stat((path / "fifo").c_str(), &found)), 0);
  EXPECT_EQ(found.st_mode, S_IFIFO | 0640U);
  EXPECT_EQ(done(::stat((path / "sock").c_str(), &found)), 0);
  EXPECT_EQ(found.st_mode, S_IFSOCK | 0600U);
  EXPECT_EQ(done(::stat((path / "chr").c_str(), &found)), 0);
  EXPECT_EQ(found.st_mode, S_IFCHR | 0644U);
  EXPECT_EQ(found.st_rdev, makedev(1, 3));
  EXPECT_EQ(done(::stat((path / "blk").c_str(), &found)), 0);
  EXPECT_EQ(found.st_rdev, makedev(259, 300));
}

// ---- attributes

/// What was not asked for stays as it is.
TEST_P(InDialect, ChmodChangesTheModeOnly) {
  const fs::path path = mount_tree({"file /f 5000", "owner /f 7 8", "dir /d", "append /log x"});
  const Shown before = shown("/f");
  EXPECT_EQ(done(::chmod((path / "f").c_str(), 0604)), 0);
  EXPECT_EQ(done(::chmod((path / "d").c_str(), 0711)), 0);
  EXPECT_EQ(done(::chmod((path / "log").c_str(), 0600)), 0);
  const Shown after = shown("/f");
  EXPECT_EQ(after.mode, S_IFREG | 0604U);
  EXPECT_EQ(shown("/d").mode, S_IFDIR | 0711U);
  EXPECT_EQ(after.uid, 7U);
  EXPECT_EQ(after.gid, 8U);
  EXPECT_EQ(after.size, 5000U);
  EXPECT_EQ(after.mtime, before.mtime);
  EXPECT_EQ(after.atime, before.atime);
  // It still is what it was: what is written to it comes to its end.
  std::ofstream(path / "log", std::ios::app) << "y";
  EXPECT_EQ(text("/log"), "xy");
}

TEST_P(InDialect, SetIdBitsAreKeptWhereThereAreSome) {
  const fs::path path = mount_tree({"text /f x"});
  EXPECT_EQ(done(::chmod((path / "f").c_str(), 04755)), 0);
  EXPECT_EQ(shown("/f").mode, S_IFREG | (is_plain() ? 0755U : 04755U));
  struct stat found {};
  EXPECT_EQ(done(::stat((path / "f").c_str(), &found)), 0);
  EXPECT_EQ(found.st_mode, S_IFREG | (is_plain() ? 0755U : 04755U));
}

TEST_P(InDialect, OwnersChangeWhereTheyCan) {
  const fs::path path = mount_tree({"text /f x", "user daemon 1", "user bin 2"});
  EXPECT_EQ(done(::chown((path / "f").c_str(), 1, static_cast<gid_t>(-1))), is_plain() ? EPERM : 0);
  EXPECT_EQ(shown("/f").uid, is_plain() ? 0U : 1U);
  EXPECT_EQ(done(::chown((path / "f").c_str(), static_cast<uid_t>(-1), 2)), 0) << "by name";
  EXPECT_EQ(shown("/f").gid, 2U);
  struct stat found {};
  EXPECT_EQ(done(::stat((path / "f").c_str(), &found)), 0);
  EXPECT_EQ(found.st_gid, 2U);
  EXPECT_EQ(done(::chown((path / "f").c_str(), found.st_uid, found.st_gid)), 0) << "no change";
  constexpr gid_t kNameless = 4242;
  EXPECT_EQ(done(::chown((path / "f").c_str(), static_cast<uid_t>(-1), kNameless)),
            is_plain() ? EPERM : 0);
}

TEST_P(InDialect, TimesAreSetInSeconds) {
  const fs::path path = mount_tree({"file /f 5000"});
  const time_t atime_before = shown("/f").atime;
  const timespec times[] = {{1'600'000'000, 500'000'000}, {1'500'000'000, 500'000'000}};
  EXPECT_EQ(done(::utimensat(AT_FDCWD, (path / "f").c_str(), times, 0)), 0);
  EXPECT_EQ(shown("/f").mtime, 1'500'000'000);
  EXPECT_EQ(shown("/f").atime, is_plain() ? atime_before : 1'600'000'000);
  struct stat found {};
  EXPECT_EQ(done(::stat((path / "f").c_str(), &found)), 0);
  EXPECT_EQ(found.st_mtim.tv_sec, 1'500'000'000);
  EXPECT_EQ(found.st_mtim.tv_nsec, is_linux() ? 500'000'000 : 0);
  EXPECT_EQ(shown("/f").mode, S_IFREG | 0644U);
  EXPECT_EQ(shown("/f").size, 5000U);
}

/// Where there is no time of change a time that goes back says nothing: the file is the same.
TEST_P(InDialect, AFileIsTheSameWhenItsTimeIsSetBack) {
  const fs::path path = mount_tree({"file /f 5000"});
  const OwnedFd file(::open((path / "f").c_str(), O_PATH));  // of which the server does not know
  struct stat before {
  }, after{};
  EXPECT_EQ(done(::fstat(file.get(), &before)), 0);
  const timespec long_ago[] = {{1000, 0}, {2000, 0}};
  EXPECT_EQ(done(::utimensat(file.get(), "", long_ago, AT_EMPTY_PATH)), 0);
  EXPECT_EQ(done(::fstat(file.get(), &after)), 0);
  EXPECT_EQ(after.st_mtim.tv_sec, 2000);
  EXPECT_EQ(after.st_ino, before.st_ino);
}

TEST_P(InDialect, OneTimeLeavesTheOtherAlone) {
  const fs::path path = mount_tree({"file /f 5000"});
  const timespec both[] = {{1'400'000'000, 0}, {1'400'000'000, 0}};
  EXPECT_EQ(done(::utimensat(AT_FDCWD, (path / "f").c_str(), both, 0)), 0);
  const timespec only_mtime[] = {{0, UTIME_OMIT}, {1'500'000'000, 0}};
  EXPECT_EQ(done(::utimensat(AT_FDCWD, (path / "f").c_str(), only_mtime, 0)), 0);
  EXPECT_EQ(shown("/f").mtime, 1'500'000'000);
  if (!is_plain()) {
    EXPECT_EQ(shown("/f").atime, 1'400'000'000);
  }
  const timespec only_atime[] = {{1'600'000'000, 0}, {0, UTIME_OMIT}};
  EXPECT_EQ(done(::utimensat(AT_FDCWD, (path / "f").c_str(), only_atime, 0)), 0);
  EXPECT_EQ(shown("/f").mtime, 1'500'000'000);
  const timespec now[] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
  EXPECT_EQ(done(::utimensat(AT_FDCWD, (path / "f").c_str(), now, 0)), 0);
  EXPECT_GT(shown("/f").mtime, 1'600'000'000);
}

TEST_P(InDialect, StatfsIsAnswered) {
  const fs::path path = mount_tree({"text /f x"});
  struct statvfs found {};
  EXPECT_EQ(done(::statvfs((path / "f").c_str(), &found)), 0);
  EXPECT_GE(found.f_namemax, 255U);
  EXPECT_GT(found.f_bsize, 0U);
  const Finished df = run({.arguments = {"df", path}});
  EXPECT_EQ(df.status, kSuccess) << df.output;
}

// ---- directories

using Directory = std::unique_ptr<DIR, int (*)(DIR*)>;
Directory open_directory(const fs::path& path) {
  return {::opendir(path.c_str()), ::closedir};
}

TEST_P(InDialect, DirectoriesOfManyEntriesAreReadWhole) {
  const fs::path path = mount_tree({"msize 8192", "many /d 3000"});
  const Directory directory = open_directory(path / "d");
  std::multiset<std::string> names;
  while (const dirent* entry = ::readdir(directory.get()))
    names.insert(entry->d_name);
  std::multiset<std::string> wanted = {".", ".."};
  for (int i = 0; i < 3000; ++i)
    wanted.insert("file." + std::to_string(i));
  EXPECT_EQ(names, wanted);
  const Finished long_list = run({.arguments = {"ls", "-l", path / "d"}});
  EXPECT_EQ(long_list.status, kSuccess);
  EXPECT_EQ(std::ranges::count(long_list.output, '\n'), 3001);
}

TEST_P(InDialect, SeekdirGoesBackToAnyPlace) {
  const fs::path path = mount_tree({"msize 8192", "many /d 6000"});
  const Directory directory = open_directory(path / "d");
  std::vector<std::pair<long, std::string>> places;  // where each entry begins
  for (;;) {
    const long place = ::telldir(directory.get());
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr)
      break;
    places.emplace_back(place, entry->d_name);
  }
  ASSERT_EQ(places.size(), 6002U);
  for (const std::size_t at : {6001U, 3000U, 500U, 1U, 5990U, 300U, 0U, 4500U}) {
    ::seekdir(directory.get(), places[at].first);
    const dirent* entry = ::readdir(directory.get());
    ASSERT_NE(entry, nullptr) << at;
    EXPECT_EQ(entry->d_name, places[at].second);
  }
}

TEST_P(InDialect, RewinddirSeesWhatIsNew) {
  const fs::path path = mount_tree({"many /d 10"});
  const Directory directory = open_directory(path / "d");
  int entries = 0;
  while (::readdir(directory.get()) != nullptr)
    ++entries;
  EXPECT_EQ(entries, 12);
  std::ofstream(path / "d/new") << "x";
  server().ask("text /d/other x");
  ::rewinddir(directory.get());
  std::set<std::string> names;
  while (const dirent* entry = ::readdir(directory.get()))
    names.insert(entry->d_name);
  EXPECT_EQ(names.size(), 14U);
  EXPECT_TRUE(names.contains("new") && names.contains("other"));
}

TEST_P(InDialect, EntriesRemovedWhileTheDirectoryIsReadAreNotMissed) {
  const fs::path path = mount_tree({"msize 8192", "many /d 500"});
  const Finished removed = run({.arguments = {"rm", "-r", path / "d"}});
  EXPECT_EQ(removed.status, kSuccess) << removed.output;
  EXPECT_FALSE(exists("/d"));
}

TEST_P(InDialect, EntriesSayWhatTheyAre) {
  const fs::path path = mount_tree({"text /file x", "dir /dir"});
  const Directory directory = open_directory(path);
  std::map<std::string, int> types;
  while (const dirent* entry = ::readdir(directory.get()))
    types[entry->d_name] = entry->d_type;
  EXPECT_EQ(types, (std::map<std::string, int>{
                       {".", DT_DIR}, {"..", DT_DIR}, {"file", DT_REG}, {"dir", DT_DIR}}));
}

// ---- owners by name

TEST_P(InDialect, OwnersAreShownByTheNumbersThatTheyHaveHere) {
  // The server's daemon has another number than ours; nobody here is called glenda.
  const fs::path path =
      mount_tree({"user daemon 71", "user glenda 72", "text /a x", "owner /a 71 71", "text /b x",
                  "owner /b 72 72", "text /c x", "owner /c 73 73"},
                 {"dfltuid=1234", "dfltgid=5678"});
  const auto owner = [&](const char* name) {
    struct stat found {};
    EXPECT_EQ(done(::stat((path / name).c_str(), &found)), 0);
    return std::pair(found.st_uid, found.st_gid);
  };
  using Owner = std::pair<uid_t, gid_t>;
  EXPECT_EQ(owner("a"), is_plain() ? Owner(1, 1) : Owner(71, 71));
  EXPECT_EQ(owner("b"), is_plain() ? Owner(1234, 5678) : Owner(72, 72));
  EXPECT_EQ(owner("c"), Owner(73, 73)) << "a name that is a number is that number";
}

// ---- errors

struct Said {
  std::string words;
  int number;  ///< what 9P2000 makes of the words
};

TEST_P(InDialect, ErrorsAreErrnoValuesWhateverTheServerCallsThem) {
  const std::vector<Said> all = {{"file does not exist", ENOENT},
                                 {"permission denied", EACCES},
                                 {"file is in use", EBUSY},
                                 {"read only file system", EROFS},
                                 {"file system is full", ENOSPC},
                                 {"not a directory", ENOTDIR},
                                 {"unknown fid", EIO},
                                 {"Too many levels of symbolic links", ELOOP},
                                 {"the dog ate it", EIO}};
  std::vector<std::string> script;
  for (std::size_t i = 0; i < all.size(); ++i) {
    // EDOM stands for a number of the server's own choice.
    script.push_back("text /f" + std::to_string(i) + " x");
    const std::string number = std::to_string(all[i].number == EIO ? EIO : all[i].number);
    script.push_back("on " + std::string(is_linux() ? "Tlopen" : "Topen") + " name f" +
                     std::to_string(i) + " fail " + number + " " + all[i].words);
  }
  const fs::path path = mount_tree(script);
  for (std::size_t i = 0; i < all.size(); ++i)
    EXPECT_EQ(done(::open((path / ("f" + std::to_string(i))).c_str(), O_RDONLY)), all[i].number)
        << all[i].words;
  if (is_linux())
    return;  // numbers only
  EXPECT_EQ(done(::open((path / "f8").c_str(), O_RDONLY)), EIO);
  mounted().wait_for_log("an error that fuse9p does not know: 'the dog ate it'");
  EXPECT_EQ(mounted().log_lines("the dog ate it").size(), 1U) << "once is enough";
}

// ---- several users

class UsersInDialect : public InDialect {
 protected:
  /// Root mounts, for all; whoever is called daemon and nobody here has the same number there.
  void mount_for_all(std::vector<std::string> script) {
    for (const char* const line : {"permissions on", "user daemon 1", "user nobody 65534"})
      script.emplace_back(line);
    path_ = mount_tree(script, {"allow_other"});
  }
  /// A line of sh as that user, without other groups, in the mount.
  Finished as(const std::string& user, const std::string& line) {
    return run({.arguments = {"setpriv", "--reuid=" + user, "--regid=" + user, "--clear-groups",
                              "sh", "-c", line},
                .directory = path_});
  }
  std::string said(const std::string& user, const std::string& line) {
    return as(user, line).output;
  }

  fs::path path_;
};
INSTANTIATE_TEST_SUITE_P(As, UsersInDialect, testing::Values(kPlain, kExtended, kLinux), name_of);

constexpr const char *kDaemon = "1", *kNobody = "65534", *kNameless = "4242";

TEST_P(UsersInDialect, FilesBelongToWhoMadeThem) {
  mount_for_all({"dir /d 0777"});
  EXPECT_EQ(said(kDaemon, "echo words > d/f && mkdir d/e"), "");
  EXPECT_EQ(said(kNobody, "echo words > d/g"), "");
  EXPECT_EQ(shown("/d/f").uid, 1U);
  EXPECT_EQ(shown("/d/e").uid, 1U);
  EXPECT_EQ(shown("/d/g").uid, 65534U);
  EXPECT_EQ(said(kNobody, "stat -c %u d/f d/g"), "1\n65534\n");
}

TEST_P(UsersInDialect, OneUserCannotGoWhereAnotherHasJustBeen) {
  mount_for_all({"dir /d 0777"});
  ASSERT_EQ(said(kNobody, "mkdir d/own && echo secret > d/own/f && chmod 700 d/own && ls d/own"),
            "f\n");
  for (const char* const attempt :
       {"cat d/own/f", "stat d/own/f", "ls d/own", "touch d/own/g", "rm -f d/own/f",
        "mv d/own/f d/own/g", "chmod 777 d/own", "echo words > d/own/f"}) {
    const Finished tried = as(kDaemon, attempt);
    EXPECT_NE(tried.status, kSuccess) << attempt;
    EXPECT_THAT(tried.output, testing::AnyOf(HasSubstr("Permission denied"),
                                             HasSubstr("Operation not permitted")))
        << attempt;
  }
  EXPECT_EQ(said(kNobody, "cat d/own/f"), "secret\n");
}

/// On Plan 9 what owner, group and others may do adds up; Unix looks at the owner's bits only.
TEST_P(UsersInDialect, WhoMayDoWhatIsTheServersToSay) {
  mount_for_all({"text /f words", "owner /f 1 1"});
  EXPECT_EQ(said("0", "chmod 044 f 2>/dev/null || true"), "");
  EXPECT_EQ(said(kDaemon, "chmod 044 f"), "");
  EXPECT_EQ(said(kNobody, "cat f"), "words");
  EXPECT_THAT(said(kDaemon, "cat f"), HasSubstr(is_plain() ? "words" : "Permission denied"));
}

TEST_P(UsersInDialect, AUserWithoutANameIsNotLetInByAServerOfNames) {
  mount_for_all({"dir /d 0777"});
  const std::string output = said(kNameless, "echo words > d/f");
  if (is_plain()) {
    EXPECT_THAT(output, HasSubstr("Permission denied"));
    mounted().wait_for_log("user 4242 is not let in: ");
  } else {
    EXPECT_EQ(output, "");
    EXPECT_EQ(shown("/d/f").uid, 4242U);
  }
}

TEST_P(UsersInDialect, AccessAsksAsWhoeverAsks) {
  mount_for_all({"dir /d 0777", "text /d/f words"});
  EXPECT_EQ(said(kDaemon, "mkdir d/own && touch d/own/f && chmod 700 d/own && test -r d/own/f"),
            "");
  EXPECT_NE(as(kNobody, "test -r d/own/f").status, kSuccess);
  EXPECT_EQ(as(kDaemon, "test -w d/own/f").status, kSuccess);
}

/// Where bits are not all that counts, the server is asked by opening the file, as that user.
TEST_P(UsersInDialect, AccessToAFileIsWhatTheServerSaysOfIt) {
  mount_for_all({"dir /d 0777", "text /d/f words", "owner /d/f 1 1", "text /d/g words"});
  EXPECT_EQ(said(kDaemon, "chmod 600 d/f"), "");
  EXPECT_EQ(as(kDaemon, "test -r d/f && test -w d/f && test -r d/g").status, kSuccess);
  EXPECT_NE(as(kDaemon, "test -w d/g").status, kSuccess);
  for (const char* const flag : {"-r", "-w", "-x"})
    EXPECT_NE(as(kNobody, std::string("test ") + flag + " d/f").status, kSuccess) << flag;
  EXPECT_EQ(as(kNobody, "test -r d && test -w d && test -x d").status, kSuccess);
  EXPECT_EQ(said(kDaemon, "mkdir d/own && chmod 700 d/own"), "");
  for (const char* const flag : {"-r", "-x"})
    EXPECT_NE(as(kNobody, std::string("test ") + flag + " d/own").status, kSuccess) << flag;
}

}  // namespace
}  // namespace fuse9p::test
