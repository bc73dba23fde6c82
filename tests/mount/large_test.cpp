// SPDX-License-Identifier: MIT
// What is large: files beyond 4 GiB, directories of many names that change while they are read,
// more known files than fids; and what is too large: a full disk, a file at its limit.
// FUSE9P_LARGE_ENTRIES says how many names; 100,000 in tests/run full.

#include "tests/support/counters.hpp"
#include "tests/support/mount_fixture.hpp"
#include "tests/support/pattern.hpp"
#include "tests/support/seed.hpp"

#include <gmock/gmock.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <set>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;

constexpr off_t kKiB = 1024, kGiB = off_t{1} << 30;

int entries() {
  const char* given = std::getenv("FUSE9P_LARGE_ENTRIES");
  return given != nullptr ? std::atoi(given) : 10'000;
}

OwnedFd open_file(const fs::path& path, int flags) {
  OwnedFd file(::open(path.c_str(), flags | O_CLOEXEC, 0644));
  EXPECT_GE(file.get(), 0) << path << ": " << std::strerror(errno);
  return file;
}

/// "ok", or the error's name.
std::string outcome(long result) {
  return result >= 0 ? "ok" : ::strerrorname_np(errno);
}

// ---- large files

class LargeFile : public MountTest {
 protected:
  static std::string read_at(const OwnedFd& file, off_t offset, std::size_t size) {
    std::string bytes(size, '?');
    const ssize_t done = ::pread(file.get(), bytes.data(), size, offset);
    EXPECT_GE(done, 0) << std::strerror(errno);
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(done, 0)));
    return bytes;
  }
  static void write_at(const OwnedFd& file, off_t offset, const std::string& bytes) {
    EXPECT_EQ(::pwrite(file.get(), bytes.data(), bytes.size(), offset),
              static_cast<ssize_t>(bytes.size()))
        << std::strerror(errno);
  }
  static off_t size_of(const fs::path& path) {
    struct stat found {};
    EXPECT_EQ(::stat(path.c_str(), &found), 0);
    return found.st_size;
  }
  static long blocks_of(const fs::path& path) {
    struct stat found {};
    EXPECT_EQ(::stat(path.c_str(), &found), 0);
    return found.st_blocks;
  }
};

TEST_F(LargeFile, IsReadAndWrittenBeyondFourGiB) {
  for (const std::vector<std::string>& options : {std::vector<std::string>(), {"directio"}}) {
    const fs::path path = mount_diod(options).path() / "large";
    const std::string bytes = pattern(300'000);
    // Below, across and beyond where 32 bits end; not aligned to anything.
    const off_t offsets[] = {123, 2 * kGiB - 1000, 4 * kGiB - 150'001, 5 * kGiB + 7};
    const OwnedFd file = open_file(path, O_RDWR | O_CREAT | O_TRUNC);
    for (const off_t offset : offsets)
      write_at(file, offset, bytes);
    const off_t end = offsets[3] + 300'000;
    EXPECT_EQ(size_of(path), end);
    EXPECT_EQ(::lseek(file.get(), 0, SEEK_END), end);
    const OwnedFd fresh = open_file(path, O_RDONLY);
    const OwnedFd direct = open_file(path, O_RDONLY | O_DIRECT);
    const OwnedFd served = open_file(exported() / "large", O_RDONLY);
    for (const off_t offset : offsets) {
      EXPECT_TRUE(read_at(fresh, offset, bytes.size()) == bytes) << offset;
      EXPECT_TRUE(read_at(served, offset, bytes.size()) == bytes) << offset;
    }
    EXPECT_EQ(read_at(fresh, 3 * kGiB, 70'000), std::string(70'000, '\0'));
    EXPECT_EQ(read_at(fresh, end - 5, 70'000), bytes.substr(bytes.size() - 5));
    EXPECT_EQ(read_at(fresh, end, 1), "");
    EXPECT_EQ(::lseek(direct.get(), 5 * kGiB, SEEK_SET), 5 * kGiB);
    ::unlink(path.c_str());
  }
}

TEST_F(LargeFile, StaysSparse) {
  const fs::path path = mount_diod().path() / "sparse";
  const OwnedFd file = open_file(path, O_RDWR | O_CREAT);
  EXPECT_EQ(::ftruncate(file.get(), 6 * kGiB), 0);
  write_at(file, 5 * kGiB, "here");
  EXPECT_LT(blocks_of(exported() / "sparse"), 100);
  EXPECT_EQ(blocks_of(path), blocks_of(exported() / "sparse"));
  // A program that asks where data is must not miss any.
  EXPECT_LE(::lseek(file.get(), 0, SEEK_DATA), 5 * kGiB);
  EXPECT_EQ(::lseek(file.get(), 5 * kGiB, SEEK_DATA), 5 * kGiB);
  EXPECT_GT(::lseek(file.get(), 5 * kGiB, SEEK_HOLE), 5 * kGiB);
  EXPECT_EQ(::lseek(file.get(), 6 * kGiB, SEEK_DATA), -1);
  EXPECT_EQ(errno, ENXIO);
  EXPECT_EQ(::ftruncate(file.get(), 5 * kGiB + 2), 0);
  EXPECT_EQ(read_at(file, 5 * kGiB, 10), "he");
  EXPECT_EQ(::ftruncate(file.get(), 6 * kGiB), 0);
  EXPECT_EQ(read_at(file, 5 * kGiB, 5), std::string("he\0\0\0", 5));
  EXPECT_EQ(size_of(exported() / "sparse"), 6 * kGiB);
}

TEST_F(LargeFile, IsMappedAndAppendedToBeyondFourGiB) {
  const fs::path path = mount_diod().path() / "mapped";
  const OwnedFd file = open_file(path, O_RDWR | O_CREAT);
  EXPECT_EQ(::ftruncate(file.get(), 5 * kGiB), 0);
  auto* map = static_cast<char*>(::mmap(nullptr, 64 * kKiB, PROT_READ | PROT_WRITE, MAP_SHARED,
                                        file.get(), 5 * kGiB - 64 * kKiB));
  ASSERT_NE(map, MAP_FAILED) << std::strerror(errno);
  std::memcpy(map + 64 * kKiB - 7, "the end", 7);
  EXPECT_EQ(::msync(map, 64 * kKiB, MS_SYNC), 0);
  ::munmap(map, 64 * kKiB);
  const OwnedFd log = open_file(path, O_WRONLY | O_APPEND);
  EXPECT_EQ(::write(log.get(), " or not", 7), 7);
  const OwnedFd served = open_file(exported() / "mapped", O_RDONLY);
  EXPECT_EQ(read_at(served, 5 * kGiB - 7, 100), "the end or not");
}

TEST_F(LargeFile, EndsWhereTheServersFilesDo) {
  const fs::path mounted = mount_diod().path() / "file";
  const fs::path local = exported() / "local";
  const OwnedFd here = open_file(mounted, O_RDWR | O_CREAT);
  const OwnedFd there = open_file(local, O_RDWR | O_CREAT);
  for (const int bits : {31, 32, 40, 43, 44, 45, 50, 62}) {
    const off_t offset = off_t{1} << bits;
    for (const off_t at : {offset - 4096, offset - 1, offset}) {
      EXPECT_EQ(outcome(::pwrite(here.get(), "x", 1, at)),
                outcome(::pwrite(there.get(), "x", 1, at)))
          << at;
      EXPECT_EQ(outcome(::ftruncate(here.get(), at)), outcome(::ftruncate(there.get(), at))) << at;
      EXPECT_EQ(size_of(mounted), size_of(local)) << at;
    }
  }
  for (const off_t at : {off_t{-1}, std::numeric_limits<off_t>::max()}) {
    EXPECT_EQ(outcome(::pwrite(here.get(), "x", 1, at)), outcome(::pwrite(there.get(), "x", 1, at)))
        << at;
  }
}

TEST_F(LargeFile, ObeysTheProcesssLimit) {
  const fs::path path = mount_diod().path() / "limited";
  Process process([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{.rlim_cur = 10'000, .rlim_max = 10'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const OwnedFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    const std::string bytes = pattern(20'000);
    if (::write(file.get(), bytes.data(), bytes.size()) != 10'000)
      return 1;
    if (::write(file.get(), bytes.data(), 1) != -1 || errno != EFBIG)
      return 2;
    if (::ftruncate(file.get(), 10'001) != -1 || errno != EFBIG)
      return 3;
    return 0;
  });
  EXPECT_EQ(process.wait(), kSuccess);
  EXPECT_EQ(size_of(exported() / "limited"), 10'000);
}

// ---- a full disk

/// The server's directory is a file system of its own, of 1 MiB and few inodes.
class FullDisk : public MountTest {
 protected:
  static constexpr int kInodes = 24;

  void SetUp() override {
    const std::string options = "size=1m,mode=0755,nr_inodes=" + std::to_string(kInodes);
    ASSERT_EQ(::mount("tmpfs", exported().c_str(), "tmpfs", 0, options.c_str()), 0)
        << std::strerror(errno);
    mount_ = mount_diod().path();
  }
  void TearDown() override {
    MountTest::TearDown();
    EXPECT_EQ(::umount2(exported().c_str(), 0), 0) << std::strerror(errno);
  }
  const fs::path& path() const { return mount_; }
  /// Nothing is left but what is given back with "ballast".
  void fill() {
    const OwnedFd file = open_file(exported() / "ballast", O_WRONLY | O_CREAT);
    const std::string bytes = pattern(4096);
    while (::write(file.get(), bytes.data(), bytes.size()) > 0) {
    }
    ASSERT_EQ(errno, ENOSPC);
  }

 private:
  fs::path mount_;
};

TEST_F(FullDisk, IsSaidByWriteAndWhatWasWrittenIsThere) {
  const OwnedFd file = open_file(path() / "file", O_RDWR | O_CREAT);
  const std::string bytes = pattern(3'000'000);
  std::size_t written = 0;
  for (;;) {
    const ssize_t done = ::write(file.get(), bytes.data() + written, 70'001);
    if (done < 0)
      break;
    ASSERT_GT(done, 0);
    written += static_cast<std::size_t>(done);
    ASSERT_LT(written, bytes.size() - 70'001);
  }
  EXPECT_EQ(errno, ENOSPC) << std::strerror(errno);
  EXPECT_GT(written, 900'000U);
  EXPECT_EQ(fs::file_size(path() / "file"), written);
  EXPECT_EQ(fs::file_size(exported() / "file"), written);
  EXPECT_TRUE(read_file(path() / "file") == bytes.substr(0, written));
  EXPECT_TRUE(read_file(exported() / "file") == bytes.substr(0, written));
  struct statvfs room {};
  ASSERT_EQ(::statvfs(path().c_str(), &room), 0);
  EXPECT_EQ(room.f_bavail, 0U);
  EXPECT_EQ(::fsync(file.get()), 0) << "it was said already";
  // Once there is room again, it goes on.
  ASSERT_EQ(::ftruncate(file.get(), 100'000), 0);
  EXPECT_EQ(::pwrite(file.get(), bytes.data(), 70'000, 100'000), 70'000);
}

TEST_F(FullDisk, IsSaidByMsync) {
  const OwnedFd file = open_file(path() / "file", O_RDWR | O_CREAT);
  ASSERT_EQ(::ftruncate(file.get(), 256 * kKiB), 0);
  fill();
  void* map = ::mmap(nullptr, 256 * kKiB, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  ASSERT_NE(map, MAP_FAILED);
  std::memset(map, 'x', 256 * kKiB);
  EXPECT_EQ(::msync(map, 256 * kKiB, MS_SYNC), -1);
  EXPECT_EQ(errno, ENOSPC) << std::strerror(errno);
  ::munmap(map, 256 * kKiB);
}

TEST_F(FullDisk, IsSaidByFsyncOrCloseAfterAStoreThroughAMap) {
  for (const bool sync : {true, false}) {
    const fs::path name = path() / (sync ? "synced" : "closed");
    OwnedFd file = open_file(name, O_RDWR | O_CREAT);
    ASSERT_EQ(::ftruncate(file.get(), 128 * kKiB), 0);
    fill();
    void* map = ::mmap(nullptr, 128 * kKiB, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    ASSERT_NE(map, MAP_FAILED);
    std::memset(map, 'x', 128 * kKiB);
    ::munmap(map, 128 * kKiB);
    const int number = ::dup(file.get());
    EXPECT_EQ(sync ? ::fsync(number) : ::close(number), -1) << name;
    EXPECT_EQ(errno, ENOSPC) << name << ": " << std::strerror(errno);
    if (sync)
      ::close(number);
    file.reset();
    EXPECT_EQ(::unlink(name.c_str()), 0);
    EXPECT_EQ(::unlink((path() / "ballast").c_str()), 0);
  }
}

TEST_F(FullDisk, IsSaidOfNames) {
  const auto in = [&](const std::string& name) { return (path() / name).string(); };
  std::string said;
  for (int made = 0; said.empty() && made < 2 * kInodes; ++made) {
    if (::mkdir(in(std::to_string(made)).c_str(), 0755) != 0)
      said = outcome(-1);
  }
  EXPECT_EQ(said, "ENOSPC");
  EXPECT_EQ(outcome(::mkdir(in("d").c_str(), 0755)), "ENOSPC");
  EXPECT_EQ(outcome(::symlink("x", in("l").c_str())), "ENOSPC");
  EXPECT_EQ(outcome(::mknod(in("p").c_str(), S_IFIFO | 0644, 0)), "ENOSPC");
  EXPECT_EQ(outcome(::open(in("f").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644)), "ENOSPC");
  // What did not come to be is not there, and what goes makes room.
  for (const char* name : {"d", "l", "p", "f"})
    EXPECT_FALSE(fs::exists(fs::symlink_status(in(name)))) << name;
  EXPECT_EQ(outcome(::rmdir(in("0").c_str())), "ok");
  EXPECT_EQ(outcome(::mkdir(in("d").c_str(), 0755)), "ok");
}

TEST_F(FullDisk, IsSaidByPrograms) {
  std::ofstream(scratch() / "big") << pattern(2'000'000);
  for (const std::string command : {"cp ", "dd conv=fsync bs=64k status=none of=copy if=",
                                    "tee copy </dev/null; cat >> copy "}) {
    const Finished done =
        shell(command + (scratch() / "big").string() + (command == "cp " ? " copy" : ""), path());
    EXPECT_NE(done.status, kSuccess) << command;
    EXPECT_THAT(done.output, testing::HasSubstr("No space left on device")) << command;
    EXPECT_EQ(::unlink((path() / "copy").c_str()), 0);
  }
}

// ---- large directories

class LargeDirectory : public MountTest {
 protected:
  /// Names that stay while the test runs.
  static std::string stays(int number) { return "stays." + std::to_string(number); }

  void make_directory(int count) {
    fs::create_directory(exported() / "d");
    for (int i = 0; i < count; ++i)
      open_file(exported() / "d" / stays(i), O_WRONLY | O_CREAT);
  }
};

struct CloseDirectory {
  void operator()(DIR* stream) const { ::closedir(stream); }
};
using DirectoryStream = std::unique_ptr<DIR, CloseDirectory>;

DirectoryStream open_directory(const fs::path& path) {
  DirectoryStream stream(::opendir(path.c_str()));
  EXPECT_TRUE(stream) << path << ": " << std::strerror(errno);
  return stream;
}

/// Makes, renames and removes other names until the test says "stop".
int change_names(const fs::path& directory, const fs::path& stop, const std::string& prefix) {
  std::mt19937 random(1);
  constexpr int kNames = 1000;
  while (!fs::exists(stop)) {
    const auto name = [&] { return directory / (prefix + std::to_string(random() % kNames)); };
    const fs::path path = name();
    const fs::path other = name();
    ::close(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    ::rename(path.c_str(), other.c_str());
    ::unlink(name().c_str());
  }
  return 0;
}

/// Reads a directory to its end; with `look`, each entry is looked at, too. How often each came.
std::map<std::string, int> read_names(const fs::path& directory, bool look) {
  std::map<std::string, int> seen;
  const DirectoryStream stream = open_directory(directory);
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr)
      break;
    ++seen[entry->d_name];
    struct stat found {};
    if (look && ::fstatat(::dirfd(stream.get()), entry->d_name, &found, AT_SYMLINK_NOFOLLOW) != 0) {
      EXPECT_EQ(errno, ENOENT);
      EXPECT_FALSE(std::string_view(entry->d_name).starts_with("stays."));
    }
  }
  EXPECT_EQ(errno, 0) << std::strerror(errno);
  return seen;
}

TEST_F(LargeDirectory, ShowsWhatStaysExactlyOnceWhileOthersComeAndGo) {
  const int count = entries();
  make_directory(count);
  const fs::path directory = mount_diod().path() / "d";
  const fs::path stop = scratch() / "stop";
  Process here([&] { return change_names(directory, stop, "comes."); });
  Process there([&] { return change_names(exported() / "d", stop, "goes."); });
  for (const bool look : {false, true, false}) {
    const auto seen = read_names(directory, look);
    std::vector<std::string> wrong;
    for (int i = 0; i < count; ++i) {
      const auto found = seen.find(stays(i));
      if (found == seen.end() || found->second != 1)
        wrong.push_back(stays(i) + " came " +
                        std::to_string(found == seen.end() ? 0 : found->second) + " times");
    }
    EXPECT_THAT(wrong, testing::IsEmpty());
    EXPECT_EQ(seen.at("."), 1);
    EXPECT_EQ(seen.at(".."), 1);
    for (const auto& [name, times] : seen)
      EXPECT_EQ(times, 1) << name;
  }
  std::ofstream(stop).flush();
  EXPECT_EQ(here.wait(), kSuccess);
  EXPECT_EQ(there.wait(), kSuccess);
}

TEST_F(LargeDirectory, IsReadFromAnyPlaceAgain) {
  const int count = entries() / 10;
  make_directory(count);
  const fs::path directory = mount_diod().path() / "d";
  const DirectoryStream stream = open_directory(directory);
  std::vector<std::pair<long, std::string>> all;
  for (;;) {
    const long place = ::telldir(stream.get());
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr)
      break;
    all.emplace_back(place, entry->d_name);
  }
  EXPECT_EQ(all.size(), static_cast<std::size_t>(count) + 2);
  std::mt19937 random(new_seed());
  for (int i = 0; i < 200; ++i) {
    std::size_t at = random() % all.size();
    ::seekdir(stream.get(), all[at].first);
    for (std::size_t steps = random() % 30; steps > 0 && at < all.size(); --steps, ++at) {
      const dirent* entry = ::readdir(stream.get());
      ASSERT_NE(entry, nullptr) << at;
      EXPECT_EQ(entry->d_name, all[at].second);
    }
  }
  ::rewinddir(stream.get());
  std::set<std::string> names;
  while (const dirent* entry = ::readdir(stream.get()))
    EXPECT_TRUE(names.insert(entry->d_name).second) << entry->d_name;
  EXPECT_EQ(names.size(), all.size());
}

TEST_F(LargeDirectory, IsEmptiedWhileItIsRead) {
  make_directory(entries() / 2);
  const fs::path directory = mount_diod().path() / "d";
  EXPECT_EQ(shell("rm -r d", directory.parent_path()).output, "");
  EXPECT_FALSE(fs::exists(exported() / "d"));
}

// ---- more files than fids

class ManyFiles : public MountTest {
 protected:
  static constexpr int kDirectories = 50, kMaxFids = 500;

  static std::string name_of(int number) {
    return "d" + std::to_string(number % kDirectories) + "/f" + std::to_string(number);
  }
  /// Of most files it is the mtime that says which they are: data costs a disk more.
  static bool has_content(int number) { return number % 20 == 0; }
  static std::string content_of(int number) {
    return has_content(number) ? "I am " + std::to_string(number) : "";
  }
  void make_files(int count) {
    for (int i = 0; i < kDirectories; ++i)
      fs::create_directory(exported() / ("d" + std::to_string(i)));
    for (int i = 0; i < count; ++i) {
      const OwnedFd file = open_file(exported() / name_of(i), O_WRONLY | O_CREAT);
      const std::string content = content_of(i);
      EXPECT_EQ(::write(file.get(), content.data(), content.size()), std::ssize(content));
      const timespec times[] = {{.tv_sec = i, .tv_nsec = 0}, {.tv_sec = i, .tv_nsec = 0}};
      EXPECT_EQ(::futimens(file.get(), times), 0);
    }
  }
  void expect_file(const fs::path& path, int number) {
    struct stat found {};
    ASSERT_EQ(::stat(path.c_str(), &found), 0) << path << ": " << std::strerror(errno);
    EXPECT_EQ(found.st_mtim.tv_sec, number) << path;
    EXPECT_EQ(read_file(path), content_of(number)) << path;
  }
};

TEST_F(ManyFiles, AreKnownWithFewFids) {
  const int count = entries();
  make_files(count);
  Fuse9p& mount = mount_diod({"maxfids=" + std::to_string(kMaxFids)}, Fuse9p::Run::foreground);
  EXPECT_EQ(shell("find . -type f -size -100c | wc -l", mount.path()).output,
            std::to_string(count) + "\n");
  const Counters known = await_idle(mount);
  EXPECT_GE(known["nodes"], count);
  // The root's own, and what a server is given back a moment later.
  EXPECT_LE(known["fids_cached"], kMaxFids);
  EXPECT_LE(known["fids"], kMaxFids + 2);
  // Each is still what it was, by the node that the kernel has kept.
  std::mt19937 random(new_seed());
  for (int i = 0; i < 1000; ++i) {
    const int number = static_cast<int>(random() % static_cast<unsigned>(count));
    ASSERT_NO_FATAL_FAILURE(expect_file(mount.path() / name_of(number), number));
  }
  // A directory of theirs moves, others have new names: none is lost.
  ASSERT_EQ(::rename((mount.path() / "d7").c_str(), (mount.path() / "moved").c_str()), 0);
  for (int number = 7; number < count; number += 10 * kDirectories) {
    const fs::path file = mount.path() / "moved" / fs::path(name_of(number)).filename();
    ASSERT_NO_FATAL_FAILURE(expect_file(file, number));
    EXPECT_EQ(::chmod(file.c_str(), 0600), 0);
  }
  EXPECT_EQ(shell("find moved -perm 600 | wc -l", exported()).output,
            std::to_string((count - 7 + 10 * kDirectories - 1) / (10 * kDirectories)) + "\n");
  EXPECT_LE(await_idle(mount)["fids"], kMaxFids + 2);
}

TEST_F(ManyFiles, AreOpenAtOnceBeyondMaxfids) {
  constexpr int kOpen = 3 * kMaxFids;
  make_files(kOpen);
  Fuse9p& mount = mount_diod({"maxfids=" + std::to_string(kMaxFids)}, Fuse9p::Run::foreground);
  std::vector<OwnedFd> files;
  for (int i = 0; i < kOpen; ++i)
    files.push_back(open_file(mount.path() / name_of(i), O_RDONLY));
  EXPECT_EQ(ask_counters(mount)["open_files"], kOpen);
  for (int i = 0; i < kOpen; ++i) {
    std::string bytes(100, '\0');
    const ssize_t size =
        ::pread(files[static_cast<std::size_t>(i)].get(), bytes.data(), bytes.size(), 0);
    ASSERT_GE(size, 0);
    EXPECT_EQ(bytes.substr(0, static_cast<std::size_t>(size)), content_of(i));
  }
  files.clear();
  const Counters after = await_counters(
      mount, [](const Counters& now) { return now["open_files"] == 0 && is_idle(now); });
  EXPECT_LE(after["fids"], kMaxFids + 2);
}

}  // namespace
}  // namespace fuse9p::test
