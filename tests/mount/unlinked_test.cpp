// SPDX-License-Identifier: MIT
// Files and directories whose name is gone while they are in use: everything still works, on a
// server that goes by path, and nothing hidden is left behind.

#include "tests/support/scripted_fixture.hpp"

#include <gmock/gmock.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

constexpr const char* kHidden = ".fuse9p-unlinked";

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory))
    names.push_back(entry.path().filename());
  return names;
}

OwnedFd open_new(const fs::path& path, const std::string& content) {
  OwnedFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  EXPECT_EQ(::write(fd.get(), content.data(), content.size()),
            static_cast<ssize_t>(content.size()));
  return fd;
}

std::string content_of(int fd) {
  char buffer[100];
  const ssize_t size = ::pread(fd, buffer, sizeof buffer, 0);
  return size < 0 ? std::strerror(errno) : std::string(buffer, static_cast<std::size_t>(size));
}

struct stat stat_of(int fd) {
  struct stat found {};
  EXPECT_EQ(::fstat(fd, &found), 0) << std::strerror(errno);
  return found;
}

std::string path_of(int fd) {
  return "/proc/self/fd/" + std::to_string(fd);
}

/// All that a program may do to an open file.
void expect_usable(int fd, const std::string& content) {
  EXPECT_EQ(content_of(fd), content);
  struct stat found = stat_of(fd);
  EXPECT_EQ(found.st_nlink, 0U);
  EXPECT_EQ(found.st_size, static_cast<off_t>(content.size()));
  EXPECT_EQ(::ftruncate(fd, 2), 0);
  EXPECT_EQ(::pwrite(fd, "xyz", 3, 2), 3);
  EXPECT_EQ(content_of(fd), content.substr(0, 2) + "xyz");
  EXPECT_EQ(::fchmod(fd, 0600), 0);
  EXPECT_EQ(::fchown(fd, 12, 34), 0);
  const timespec times[2] = {{.tv_sec = 1000, .tv_nsec = 1}, {.tv_sec = 2000, .tv_nsec = 2}};
  EXPECT_EQ(::futimens(fd, times), 0);
  found = stat_of(fd);
  EXPECT_EQ(found.st_mode, S_IFREG | 0600U);
  EXPECT_EQ(found.st_uid, 12U);
  EXPECT_EQ(found.st_mtim.tv_sec, 2000);
  EXPECT_EQ(found.st_size, 5);
  struct statvfs statistics {};
  EXPECT_EQ(::fstatvfs(fd, &statistics), 0);
  EXPECT_EQ(::fsync(fd), 0);
  const OwnedFd again(::open(path_of(fd).c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(content_of(again.get()), content.substr(0, 2) + "xyz");
  EXPECT_EQ(::linkat(AT_FDCWD, path_of(fd).c_str(), AT_FDCWD, "/none", AT_SYMLINK_FOLLOW), -1);
}

class UnlinkedFile : public MountTest {
 protected:
  /// Nothing is left of the files but their names, if any.
  void expect_all_gone() {
    EXPECT_TRUE(eventually([&] { return names_in(exported()).empty(); }))
        << testing::PrintToString(names_in(exported()));
  }
};

TEST_F(UnlinkedFile, CanBeUsedAsBefore) {
  const fs::path root = mount_diod().path();
  OwnedFd fd = open_new(root / "f", "hello");
  fs::remove(root / "f");
  std::ofstream(root / "f") << "stranger";
  expect_usable(fd.get(), "hello");
  EXPECT_EQ(read_file(exported() / "f"), "stranger");
  EXPECT_EQ(fs::status(exported() / "f").permissions(), fs::perms(0644));
  EXPECT_THAT(names_in(root), ElementsAre("f"));
  fs::remove(root / "f");
  EXPECT_THAT(names_in(root), IsEmpty());
  fd.reset();
  expect_all_gone();
}

TEST_F(UnlinkedFile, ReplacedByARenameIsWhole) {
  const fs::path root = mount_diod().path();
  OwnedFd fd = open_new(root / "f", "hello");
  std::ofstream(root / "new") << "replacement";
  fs::rename(root / "new", root / "f");
  expect_usable(fd.get(), "hello");
  EXPECT_EQ(read_file(root / "f"), "replacement");
  EXPECT_EQ(read_file(exported() / "f"), "replacement");
  fs::remove(root / "f");
  fd.reset();
  expect_all_gone();
}

TEST_F(UnlinkedFile, LosesOneNameAfterTheOther) {
  const fs::path root = mount_diod().path();
  OwnedFd fd = open_new(root / "a", "hello");
  fs::create_hard_link(root / "a", root / "b");
  fs::remove(root / "a");
  EXPECT_EQ(stat_of(fd.get()).st_nlink, 1U);
  EXPECT_THAT(names_in(exported()), ElementsAre("b")) << "no hidden name is needed yet";
  fs::remove(root / "b");
  expect_usable(fd.get(), "hello");
  fd.reset();
  expect_all_gone();
}

TEST_F(UnlinkedFile, OfANameThatThisMountDoesNotKnow) {
  const fs::path root = mount_diod().path();
  OwnedFd fd = open_new(root / "a", "hello");
  fs::create_hard_link(exported() / "a", exported() / "b");
  fs::remove(root / "a");
  EXPECT_EQ(stat_of(fd.get()).st_nlink, 1U);
  EXPECT_EQ(::ftruncate(fd.get(), 4), 0);
  EXPECT_EQ(read_file(exported() / "b"), "hell");
  EXPECT_EQ(read_file(root / "b"), "hell");
  fd.reset();
  EXPECT_TRUE(eventually([&] { return names_in(exported()) == std::vector<std::string>{"b"}; }));
}

TEST_F(UnlinkedFile, DoesNotKeepItsDirectory) {
  const fs::path root = mount_diod().path();
  fs::create_directory(root / "dir");
  OwnedFd fd = open_new(root / "dir/f", "hello");
  fs::remove(root / "dir/f");
  EXPECT_TRUE(fs::remove(root / "dir"));
  expect_usable(fd.get(), "hello");
  fd.reset();
  expect_all_gone();
}

TEST_F(UnlinkedFile, ManyAtOnce) {
  constexpr int kFiles = 50;
  const fs::path root = mount_diod().path();
  std::vector<OwnedFd> open;
  for (int i = 0; i < kFiles; ++i) {
    open.push_back(open_new(root / "f", std::to_string(i)));
    fs::remove(root / "f");
  }
  EXPECT_EQ(names_in(exported() / kHidden).size(), static_cast<std::size_t>(kFiles));
  for (int i = 0; i < kFiles; ++i) {
    EXPECT_EQ(stat_of(open[static_cast<std::size_t>(i)].get()).st_nlink, 0U);
    EXPECT_EQ(content_of(open[static_cast<std::size_t>(i)].get()), std::to_string(i));
  }
  open.clear();
  expect_all_gone();
}

TEST_F(UnlinkedFile, StaysMapped) {
  const fs::path root = mount_diod().path();
  OwnedFd fd = open_new(root / "f", "hello");
  void* const map = ::mmap(nullptr, 5, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  ASSERT_NE(map, MAP_FAILED);
  fs::remove(root / "f");
  const OwnedFd other(::open(path_of(fd.get()).c_str(), O_RDONLY | O_CLOEXEC));
  fd.reset();
  static_cast<char*>(map)[0] = 'J';
  EXPECT_EQ(::msync(map, 5, MS_SYNC), 0);
  EXPECT_EQ(content_of(other.get()), "Jello");
  EXPECT_EQ(::munmap(map, 5), 0);
}

TEST_F(UnlinkedFile, HiddenNamesAreNobodysBusiness) {
  const fs::path root = mount_diod().path();
  OwnedFd fd = open_new(root / "f", "hello");
  fs::remove(root / "f");
  EXPECT_FALSE(fs::exists(root / kHidden));
  EXPECT_EQ(::open((root / kHidden).c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(::mkdir((root / (kHidden + std::string(".x"))).c_str(), 0755), -1);
  EXPECT_EQ(errno, EPERM);
  struct stat directory {};
  ASSERT_EQ(::stat((exported() / kHidden).c_str(), &directory), 0);
  EXPECT_EQ(directory.st_mode & 0777U, 0711U);
}

TEST_F(UnlinkedFile, IsNotPutWhereOthersCouldGetAtIt) {
  fs::create_directory(exported() / kHidden);
  fs::permissions(exported() / kHidden, fs::perms::all);
  Fuse9p& mount = mount_diod({}, Fuse9p::Run::foreground);
  OwnedFd fd = open_new(mount.path() / "f", "hello");
  fs::remove(mount.path() / "f");
  mount.wait_for_log(".fuse9p-unlinked at its root is not ours");
  EXPECT_THAT(names_in(exported() / kHidden), IsEmpty());
  expect_usable(fd.get(), "hello");
  fd.reset();
  EXPECT_TRUE(eventually([&] { return names_in(exported()).size() == 1; }));
}

TEST_F(UnlinkedFile, GoesWithTheMount) {
  Fuse9p& mount = mount_diod({}, Fuse9p::Run::foreground);
  const OwnedFd fd = open_new(mount.path() / "f", "hello");
  fs::remove(mount.path() / "f");
  EXPECT_THAT(names_in(exported()), ElementsAre(kHidden));
  mount.process().signal(SIGTERM);
  EXPECT_EQ(mount.process().wait(), kSuccess);
  EXPECT_THAT(names_in(exported()), IsEmpty());
}

TEST_F(UnlinkedFile, OfADeadMountIsRemovedByTheNext) {
  const Diod diod(scratch(), exported(), Diod::Listen::unix_socket);
  {
    Fuse9p dead(scratch(), {.source = diod.source(),
                            .options = {"aname=" + exported().string()},
                            .run = Fuse9p::Run::foreground});
    const OwnedFd fd = open_new(dead.path() / "f", "hello");
    fs::remove(dead.path() / "f");
    dead.process().signal(SIGKILL);
    dead.process().wait();
    EXPECT_EQ(::umount2(dead.path().c_str(), MNT_DETACH), 0);
  }
  ASSERT_EQ(names_in(exported() / kHidden).size(), 1U);
  mount_diod();
  expect_all_gone();
}

TEST_F(UnlinkedFile, OfALivingMountIsLeftAlone) {
  const fs::path root = mount_diod().path();
  OwnedFd fd = open_new(root / "f", "hello");
  fs::remove(root / "f");
  const fs::path other = mount_diod().path();
  EXPECT_THAT(names_in(other), IsEmpty());
  OwnedFd second = open_new(other / "g", "other");
  fs::remove(other / "g");
  second.reset();  // which would remove the directory, too
  EXPECT_TRUE(eventually([&] { return names_in(exported() / kHidden).size() == 1; }));
  expect_usable(fd.get(), "hello");
  fd.reset();
  expect_all_gone();
}

/// Where the mount's user may not make a directory at the root, but the caller's own directory is
/// his: the hidden name is there.
class UnlinkedFileOfAUser : public UnlinkedFile {
 protected:
  static constexpr uid_t kNobody = 65534;

  void SetUp() override {
    fs::create_directory(exported() / "home");
    ASSERT_EQ(::chown((exported() / "home").c_str(), kNobody, kNobody), 0);
    ASSERT_EQ(::chmod((exported() / "home").c_str(), 02755), 0);  // we are not in his group
    home_ = mount_diod({"n_uname=65534"}).path() / "home";
    behind_ = exported() / "home";
  }

  fs::path home_, behind_;  ///< his directory here and at the server
};

TEST_F(UnlinkedFileOfAUser, IsKeptInItsDirectory) {
  OwnedFd fd = open_new(home_ / "f", "hello");
  fs::remove(home_ / "f");
  EXPECT_THAT(names_in(behind_), ElementsAre(StartsWith(kHidden)));
  EXPECT_THAT(names_in(home_), IsEmpty());
  EXPECT_EQ(::ftruncate(fd.get(), 2), 0);
  EXPECT_EQ(::fchmod(fd.get(), 0600), 0);
  EXPECT_EQ(stat_of(fd.get()).st_nlink, 0U);
  EXPECT_EQ(content_of(fd.get()), "he");
  fd.reset();
  EXPECT_TRUE(eventually([&] { return names_in(behind_).empty(); }));
}

TEST_F(UnlinkedFileOfAUser, DoesNotKeepItsDirectory) {
  fs::create_directory(home_ / "dir");
  OwnedFd fd = open_new(home_ / "dir/f", "hello");
  fs::remove(home_ / "dir/f");
  EXPECT_EQ(::rmdir((home_ / "dir").c_str()), 0) << std::strerror(errno);
  EXPECT_EQ(::fchmod(fd.get(), 0600), 0);
  EXPECT_EQ(stat_of(fd.get()).st_nlink, 0U);
  EXPECT_EQ(content_of(fd.get()), "hello");
  fd.reset();
  EXPECT_TRUE(eventually([&] { return names_in(behind_).empty(); }));
}

TEST_F(UnlinkedFileOfAUser, ADirectoryWithNamesThatAreSeenIsNotEmptied) {
  fs::create_directory(home_ / "dir");
  OwnedFd fd = open_new(home_ / "dir/f", "hello");
  std::ofstream(home_ / "dir/other") << "text";
  fs::remove(home_ / "dir/f");
  EXPECT_EQ(::rmdir((home_ / "dir").c_str()), -1);
  EXPECT_EQ(errno, ENOTEMPTY);
  fd.reset();
  EXPECT_TRUE(eventually([&] { return names_in(behind_ / "dir").size() == 1; }));
}

class UnlinkedFileScripted : public ScriptedTest {
 protected:
  Fuse9p& mount_with(std::vector<std::string> script) {
    script.emplace_back("text /f hello");
    return mount_scripted(script, {"actimeo=0"});
  }
};

TEST_F(UnlinkedFileScripted, WithoutHardLinksItIsMovedInstead) {
  const fs::path root = mount_with({"on Tlink fail EOPNOTSUPP"}).path();
  OwnedFd fd(::open((root / "f").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::unlink((root / "f").c_str()), 0);
  EXPECT_FALSE(fs::exists(root / "f"));
  EXPECT_THAT(names_in(root), IsEmpty());
  EXPECT_EQ(server().count("Tunlinkat"), 1) << "the directory that was not needed";
  EXPECT_EQ(stat_of(fd.get()).st_nlink, 0U);
  EXPECT_EQ(::fchmod(fd.get(), 0600), 0);
  const int unlinked = server().count("Tunlinkat");
  fd.reset();
  EXPECT_EQ(server().ask("await Tunlinkat " + std::to_string(unlinked + 1)), "ok");
}

TEST_F(UnlinkedFileScripted, WhatCannotBeKeptIsRemovedAllTheSame) {
  const fs::path root =
      mount_with({"on Tlink fail EOPNOTSUPP", "on Trenameat fail EACCES", "on Trename fail EACCES"})
          .path();
  const OwnedFd fd(::open((root / "f").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::unlink((root / "f").c_str()), 0);
  EXPECT_FALSE(fs::exists(root / "f"));
  EXPECT_EQ(stat_of(fd.get()).st_nlink, 0U);
  EXPECT_EQ(content_of(fd.get()), "hello");
}

TEST_F(UnlinkedFileScripted, KeepsNothingWhenTheNameStays) {
  const fs::path root = mount_with({"on Tunlinkat times 1 fail EPERM"}).path();
  const OwnedFd fd(::open((root / "f").c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_EQ(::unlink((root / "f").c_str()), -1);
  EXPECT_EQ(errno, EPERM);
  // The refused one, the hidden name, its directory.
  EXPECT_EQ(server().ask("await Tunlinkat 3"), "ok");
  EXPECT_EQ(stat_of(fd.get()).st_nlink, 1U);
  EXPECT_THAT(names_in(root), ElementsAre("f"));
}

/// Somebody else has removed the file, or its hidden name's directory: that of another file is
/// where it was.
TEST_F(UnlinkedFileScripted, ThatIsGoneAlreadyHarmsNoOther) {
  const fs::path root = mount_with({"text /g other", "on Tlink nth 2 fail ENOENT"}).path();
  OwnedFd kept(::open((root / "f").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::unlink((root / "f").c_str()), 0);
  const OwnedFd gone(::open((root / "g").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::unlink((root / "g").c_str()), 0);
  EXPECT_EQ(::fchmod(kept.get(), 0600), 0) << std::strerror(errno);
  EXPECT_EQ(stat_of(kept.get()).st_nlink, 0U);
  const int unlinked = server().count("Tunlinkat");
  kept.reset();
  EXPECT_EQ(server().ask("await Tunlinkat " + std::to_string(unlinked + 2)), "ok")
      << "the name and the directory";
}

/// The name is gone at the server, and the answer to the removal is not here yet.
TEST_F(UnlinkedFileScripted, AskedAboutWhileItsNameGoes) {
  Fuse9p& mount = mount_with({"on Tunlinkat times 1 hold"});
  const OwnedFd fd(::open((mount.path() / "f").c_str(), O_RDWR | O_CLOEXEC));
  Process remover([&] { return ::unlink((mount.path() / "f").c_str()) == 0 ? 0 : 1; });
  ASSERT_EQ(server().ask("await held 1"), "ok");
  ASSERT_EQ(server().ask("remove /f"), "ok");
  EXPECT_EQ(stat_of(fd.get()).st_size, 5);
  ASSERT_EQ(server().ask("release"), "ok");
  remover.wait();
}

TEST_F(UnlinkedFileScripted, ClosedWhileItsNameGoes) {
  Fuse9p& mount = mount_with({"on Tlink times 1 hold"});
  OwnedFd fd(::open((mount.path() / "f").c_str(), O_RDWR | O_CLOEXEC));
  Process remover([&] { return ::unlink((mount.path() / "f").c_str()) == 0 ? 0 : 1; });
  ASSERT_EQ(server().ask("await held 1"), "ok");
  fd.reset();
  ASSERT_EQ(server().ask("release"), "ok");
  EXPECT_EQ(remover.wait(), kSuccess);
  EXPECT_EQ(server().ask("await Tunlinkat 3"), "ok") << "the name, the hidden one, the directory";
  EXPECT_THAT(names_in(mount.path()), IsEmpty());
}

// ---- directories

class RemovedDirectory : public MountTest {};

TEST_F(RemovedDirectory, IsEmptyAndHasNoLinks) {
  const fs::path root = mount_diod().path();
  fs::create_directory(root / "dir");
  const OwnedFd fd(::open((root / "dir").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  fs::remove(root / "dir");
  EXPECT_EQ(stat_of(fd.get()).st_nlink, 0U);
  const OwnedFd again(::openat(fd.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_GE(again.get(), 0) << std::strerror(errno);
  EXPECT_EQ(::fsync(again.get()), 0);
  DIR* const listing = ::fdopendir(::dup(again.get()));
  errno = 0;
  EXPECT_EQ(::readdir(listing), nullptr);
  EXPECT_EQ(errno, 0);
  ::closedir(listing);
  EXPECT_EQ(::openat(fd.get(), "new", O_CREAT | O_RDWR | O_CLOEXEC, 0644), -1);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(::fchmod(fd.get(), 0700), 0);
  EXPECT_EQ(stat_of(fd.get()).st_mode & 0777U, 0700U);
  struct statvfs statistics {};
  EXPECT_EQ(::fstatvfs(fd.get(), &statistics), 0);
}

TEST_F(RemovedDirectory, ItsAttributesAreItsOwnersToChange) {
  fs::permissions(exported(), fs::perms::all);
  const fs::path root = mount_diod({"access=any", "allow_other"}).path();
  fs::create_directory(root / "dir");
  const OwnedFd fd(::open((root / "dir").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  fs::remove(root / "dir");
  Process other([&] {
    if (::setresuid(65534, 65534, 65534) != 0)
      return 1;
    return ::fchmod(fd.get(), 0777) == -1 && errno == EPERM ? 0 : 2;
  });
  EXPECT_EQ(other.wait(), kSuccess);
  EXPECT_EQ(::fchown(fd.get(), 65534, 65534), 0);
  EXPECT_EQ(stat_of(fd.get()).st_uid, 65534U);
}

}  // namespace
}  // namespace fuse9p::test
