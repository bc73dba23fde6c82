// SPDX-License-Identifier: MIT
// What programs may expect of a file system, and parity_test can't show by calls in two
// directories.

#include "tests/support/mount_fixture.hpp"

#include <gtest/gtest.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <set>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;

// ---- large directories

class LargeDirectory : public MountTest {
 protected:
  static constexpr int kFiles = 5000;

  void SetUp() override {
    for (int i = 0; i < kFiles; ++i) {
      // Of different length, so that entries do not end where buffers do.
      std::ofstream(exported() / name_of(i)) << std::string(static_cast<std::size_t>(i % 7), 'x');
    }
  }
  static std::string name_of(int i) {
    return "file." + std::string(static_cast<std::size_t>(i % 40), 'n') + std::to_string(i);
  }
  static std::set<std::string> all_names() {
    std::set<std::string> names = {".", ".."};
    for (int i = 0; i < kFiles; ++i)
      names.insert(name_of(i));
    return names;
  }
  static std::vector<std::string> read_all(DIR* directory) {
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(directory))
      names.emplace_back(entry->d_name);
    EXPECT_EQ(errno, 0) << std::strerror(errno);
    return names;
  }
  static std::set<std::string> as_set(const std::vector<std::string>& names) {
    return {names.begin(), names.end()};
  }
};

TEST_F(LargeDirectory, ListsEachNameOnce) {
  DIR* directory = ::opendir(mount_diod().path().c_str());
  const auto names = read_all(directory);
  EXPECT_EQ(names.size(), all_names().size());
  EXPECT_EQ(as_set(names), all_names());
  ::rewinddir(directory);
  EXPECT_EQ(as_set(read_all(directory)), all_names()) << "after rewinddir";
  ::closedir(directory);
}

TEST_F(LargeDirectory, CanBeReadOnFromAnyPlace) {
  DIR* directory = ::opendir(mount_diod().path().c_str());
  std::vector<long> places;
  std::vector<std::string> names;
  for (;;) {
    places.push_back(::telldir(directory));
    const dirent* entry = ::readdir(directory);
    if (entry == nullptr)
      break;
    names.emplace_back(entry->d_name);
  }
  ASSERT_EQ(names.size(), all_names().size());
  for (const std::size_t from : {4999UL, 1UL, 2500UL, 0UL, 3777UL, 3776UL, 5001UL, 5002UL}) {
    ::seekdir(directory, places[from]);
    const std::vector<std::string> wanted(names.begin() + static_cast<long>(from), names.end());
    EXPECT_EQ(read_all(directory), wanted) << "from entry " << from;
  }
  ::closedir(directory);
}

TEST_F(LargeDirectory, ShowsTheAttributesThatStatShows) {
  const Fuse9p& mount = mount_diod();
  // A readdir with a stat behind each name is what makes the kernel ask for both at once.
  for (int round = 0; round < 2; ++round) {
    int seen = 0;
    for (const auto& entry : fs::directory_iterator(mount.path())) {
      struct stat here {
      }, there{};
      ASSERT_EQ(::lstat(entry.path().c_str(), &here), 0) << entry.path();
      ASSERT_EQ(::lstat((exported() / entry.path().filename()).c_str(), &there), 0);
      EXPECT_EQ(here.st_size, there.st_size) << entry.path();
      EXPECT_EQ(here.st_mode, there.st_mode) << entry.path();
      EXPECT_EQ(here.st_ino, there.st_ino) << entry.path();
      EXPECT_EQ(here.st_mtim.tv_nsec, there.st_mtim.tv_nsec) << entry.path();
      ++seen;
    }
    EXPECT_EQ(seen, kFiles);
  }
  const std::string listing = "ls -lnA --time-style=full-iso | grep -v ^total";
  EXPECT_EQ(shell(listing, mount.path()).output, shell(listing, exported()).output);
}

TEST_F(LargeDirectory, CanBeEmptiedWhileItIsRead) {
  const Fuse9p& mount = mount_diod();
  const Finished removal = shell("rm -rf ./*", mount.path());
  EXPECT_EQ(removal.status, kSuccess) << removal.output;
  EXPECT_TRUE(eventually([&] { return fs::is_empty(exported()); }));
}

// ---- changing directories

/// Lists a directory while `change(n)` is called behind each name, and returns what was listed.
template <class Change>
std::vector<std::string> list_while(const fs::path& path, Change change) {
  std::vector<std::string> names;
  DIR* directory = ::opendir(path.c_str());
  int seen = 0;
  while (const dirent* entry = ::readdir(directory)) {
    names.emplace_back(entry->d_name);
    change(seen++);
  }
  ::closedir(directory);
  return names;
}

/// POSIX leaves open whether what comes or goes meanwhile is listed. What stays is listed once.
TEST_F(LargeDirectory, ListsWhatStaysOnceWhileOthersComeAndGo) {
  const fs::path root = mount_diod().path();
  std::set<std::string> staying = all_names();
  for (int i = 0; i < kFiles; i += 2)
    staying.erase(name_of(i));
  const auto names = list_while(root, [&](int seen) {
    if (seen % 8 != 0)
      return;
    fs::remove(root / name_of((2 * kFiles - 2 - 2 * seen) % kFiles));
    std::ofstream(root / ("new" + std::to_string(seen)));
  });
  std::multiset<std::string> listed(names.begin(), names.end());
  for (const std::string& name : staying)
    EXPECT_EQ(listed.count(name), 1U) << name;
  for (const std::string& name : listed)
    EXPECT_EQ(listed.count(name), 1U) << name;
}

// ---- what has no local counterpart

class Posix : public MountTest {};

TEST_F(Posix, StatfsTellsWhatTheServerTells) {
  struct statvfs here {
  }, there{};
  ASSERT_EQ(::statvfs(mount_diod().path().c_str(), &here), 0);
  ASSERT_EQ(::statvfs(exported().c_str(), &there), 0);
  EXPECT_EQ(here.f_bsize, there.f_bsize);
  EXPECT_EQ(here.f_blocks, there.f_blocks);
  EXPECT_EQ(here.f_files, there.f_files);
  EXPECT_EQ(here.f_namemax, there.f_namemax);
}

/// ext4 permits 65,000 links to a file, others more.
TEST_F(Posix, OneLinkTooManyIsRefusedAsTheServersFileSystemDoes) {
  constexpr int kLinks = 65000;
  const fs::path root = mount_diod().path();
  fs::create_directory(exported() / "links");
  std::ofstream(exported() / "file") << "text";
  for (int i = 2; i <= kLinks; ++i)
    fs::create_hard_link(exported() / "file", exported() / "links" / std::to_string(i));
  struct stat found {};
  ASSERT_EQ(::stat((root / "file").c_str(), &found), 0);
  EXPECT_EQ(found.st_nlink, static_cast<nlink_t>(kLinks));
  const auto link_beside = [](const fs::path& place) {
    return ::link((place / "file").c_str(), (place / "one more").c_str()) == 0 ? 0 : errno;
  };
  const int through_the_mount = link_beside(root);
  fs::remove(root / "one more");
  EXPECT_EQ(through_the_mount, link_beside(exported()));
}

TEST_F(Posix, LinksAcrossMountsAreRefused) {
  const fs::path inside = mount_diod().path() / "file";
  const fs::path outside = scratch() / "file";
  std::ofstream(inside) << "x";
  EXPECT_EQ(::link(inside.c_str(), outside.c_str()), -1);
  EXPECT_EQ(errno, EXDEV);
  EXPECT_EQ(::rename(inside.c_str(), outside.c_str()), -1);
  EXPECT_EQ(errno, EXDEV);
}

TEST_F(Posix, RenameRefusesWhatTheProtocolCanNotDo) {
  const fs::path root = mount_diod().path();
  std::ofstream(root / "a") << "one";
  std::ofstream(root / "b") << "two";
  EXPECT_EQ(
      ::renameat2(AT_FDCWD, (root / "a").c_str(), AT_FDCWD, (root / "b").c_str(), RENAME_EXCHANGE),
      -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(
      ::renameat2(AT_FDCWD, (root / "a").c_str(), AT_FDCWD, (root / "c").c_str(), RENAME_NOREPLACE),
      -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(read_file(root / "a"), "one");
}

TEST_F(Posix, AReadOnlyMountRefusesChanges) {
  std::ofstream(exported() / "file") << "text";
  const fs::path root = mount_diod({"ro"}).path();
  EXPECT_EQ(read_file(root / "file"), "text");
  EXPECT_EQ(::unlink((root / "file").c_str()), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(::open((root / "new").c_str(), O_WRONLY | O_CREAT, 0644), -1);
  EXPECT_EQ(errno, EROFS);
}

TEST_F(Posix, ChangesMadeAtTheServerAreSeenAtTheNextOpen) {
  const fs::path root = mount_diod({"actimeo=3600"}).path();
  std::ofstream(exported() / "file") << "one";
  EXPECT_EQ(read_file(root / "file"), "one");
  std::ofstream(exported() / "file") << "longer than before";
  EXPECT_EQ(read_file(root / "file"), "longer than before");
  std::ofstream(exported() / "file") << "short";
  EXPECT_EQ(read_file(root / "file"), "short");
}

TEST_F(Posix, AFileReplacedAtTheServerIsFoundAnew) {
  const fs::path root = mount_diod({"actimeo=0"}).path();
  std::ofstream(exported() / "file") << "one";
  EXPECT_EQ(read_file(root / "file"), "one");
  std::ofstream(exported() / "other") << "two";
  fs::rename(exported() / "other", exported() / "file");
  EXPECT_EQ(read_file(root / "file"), "two");
  fs::remove(exported() / "file");
  fs::create_directory(exported() / "file");
  EXPECT_TRUE(fs::is_directory(root / "file"));
}

TEST_F(Posix, ADirectoryRenamedAtTheServerIsFoundByItsNewName) {
  fs::create_directories(exported() / "a/b/c");
  std::ofstream(exported() / "a/b/c/file") << "text";
  const fs::path root = mount_diod({"actimeo=0"}).path();
  EXPECT_EQ(read_file(root / "a/b/c/file"), "text");
  fs::rename(exported() / "a", exported() / "z");
  EXPECT_EQ(read_file(root / "z/b/c/file"), "text");
  EXPECT_FALSE(fs::exists(root / "a/b/c/file"));
}

TEST_F(Posix, APipeOnTheMountConnectsLocalProcesses) {
  const fs::path pipe = mount_diod().path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0644), 0);
  Process writer([&] {
    const int fd = ::open(pipe.c_str(), O_WRONLY);
    return ::write(fd, "through", 7) == 7 ? 0 : 1;
  });
  EXPECT_EQ(read_file(pipe), "through");
  EXPECT_EQ(writer.wait(), kSuccess);
}

TEST_F(Posix, ASharedMappingIsReadByAnotherProcess) {
  const fs::path file = mount_diod().path() / "file";
  const OwnedFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  ASSERT_EQ(::ftruncate(fd.get(), 8192), 0);
  void* memory = ::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  ASSERT_NE(memory, MAP_FAILED) << std::strerror(errno);
  std::memcpy(static_cast<char*>(memory) + 4090, "across pages", 12);
  ASSERT_EQ(::msync(memory, 8192, MS_SYNC), 0) << std::strerror(errno);
  EXPECT_EQ(read_file(exported() / "file").substr(4090, 12), "across pages");
  ::munmap(memory, 8192);
}

}  // namespace
}  // namespace fuse9p::test
