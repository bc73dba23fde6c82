// SPDX-License-Identifier: MIT
// Answers that are right but less than hoped for, and errors in the middle: a read is short only at
// the end of the file, and what went wrong is said, never hidden behind a short count.

#include "tests/support/pattern.hpp"
#include "tests/support/scripted_fixture.hpp"

#include <gtest/gtest.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <set>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;

class Short : public ScriptedTest {
 protected:
  static constexpr std::size_t kSize = 3'000'001;
  static std::string file_of(std::size_t size) { return "file /file " + std::to_string(size); }
};

/// What read(2) and write(2) said.
struct Result {
  ssize_t count;
  int error;
  bool operator==(const Result&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Result& result) {
  return out << result.count
             << (result.error != 0 ? std::string(" ") + std::strerror(result.error)
                                   : std::string());
}

Result read_at(const fs::path& path, std::size_t offset, std::size_t size, int flags = 0) {
  const OwnedFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
  std::string buffer(size, '\0');
  const ssize_t count = ::pread(file.get(), buffer.data(), size, static_cast<off_t>(offset));
  const int error = count < 0 ? errno : 0;
  if (count > 0) {
    buffer.resize(static_cast<std::size_t>(count));
    EXPECT_TRUE(buffer == pattern(buffer.size(), offset)) << "wrong bytes";
  }
  return {count, error};
}

// ---- short Rread

struct Pieces {
  const char* name;
  const char* rule;
  std::size_t size;  ///< of the file: small where each byte costs a message
  std::vector<std::string> options;
};
void PrintTo(const Pieces& pieces, std::ostream* out) {
  *out << pieces.name;
}

class ShortReads : public Short, public testing::WithParamInterface<Pieces> {};

TEST_P(ShortReads, AreAskedAgainUntilTheFileIsWhole) {
  const Pieces& pieces = GetParam();
  const Fuse9p& mount = mount_scripted({file_of(pieces.size), pieces.rule}, pieces.options);
  const fs::path copy = scratch() / "copy";
  const Finished copied = run({.arguments = {"cp", mount.path() / "file", copy}});
  EXPECT_EQ(copied.status, kSuccess) << copied.output;
  EXPECT_TRUE(read_file(copy) == pattern(pieces.size));
  EXPECT_EQ(run({.arguments = {"cmp", mount.path() / "file", copy}}).status, kSuccess);
}

INSTANTIATE_TEST_SUITE_P(
    Of, ShortReads,
    testing::Values(Pieces{"OneByte", "on Tread short 1", 20'001, {}},
                    Pieces{"OneByteDirectly", "on Tread short 1", 20'001, {"directio"}},
                    Pieces{"AHundredBytes", "on Tread short 100", 300'001, {}},
                    Pieces{"AHundredBytesDirectly", "on Tread short 100", 300'001, {"directio"}},
                    Pieces{"Half", "on Tread short half", 3'000'001, {}},
                    Pieces{"HalfDirectly", "on Tread short half", 3'000'001, {"directio"}},
                    Pieces{"HalfNow", "on Tread nth 3 short half", 3'000'001, {}},
                    Pieces{"APage", "on Tread short 4096", 3'000'001, {"msize=32k"}}),
    [](const auto& of) { return std::string(of.param.name); });

// ---- errors in the middle

TEST_F(Short, AReadWhoseSecondPieceFailsFails) {
  const fs::path file =
      mount_scripted({file_of(kSize), "msize 65536", "on Tread from 61440 fail ENXIO"}).path() /
      "file";
  // Through the page cache a short answer would be taken for the end of the file.
  const OwnedFd open(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  ::posix_fadvise(open.get(), 0, 0, POSIX_FADV_RANDOM);
  std::string buffer(200'000, '\0');
  const ssize_t count = ::pread(open.get(), buffer.data(), buffer.size(), 0);
  if (count > 0) {
    EXPECT_LE(count, 61440);
    EXPECT_EQ(::pread(open.get(), buffer.data(), buffer.size(), count), -1);
  }
  EXPECT_EQ(errno, ENXIO) << std::strerror(errno);
  struct stat found {};
  ASSERT_EQ(::fstat(open.get(), &found), 0);
  EXPECT_EQ(found.st_size, static_cast<off_t>(kSize)) << "the kernel has cut the file";
}

TEST_F(Short, CopyingAFileWithABadSpotFails) {
  const Fuse9p& mount =
      mount_scripted({file_of(kSize), "msize 65536", "on Tread from 2000000 fail EIO"});
  for (int i = 0; i < 3; ++i) {
    const Finished copied = run({.arguments = {"cp", mount.path() / "file", scratch() / "copy"}});
    EXPECT_NE(copied.status, kSuccess);
    EXPECT_NE(copied.output.find("Input/output error"), std::string::npos) << copied.output;
  }
  EXPECT_EQ(fs::file_size(mount.path() / "file"), kSize);
}

TEST_F(Short, ABadSpotThatGoesAwayDoesNotStay) {
  const fs::path file =
      mount_scripted({file_of(kSize), "msize 65536", "on Tread from 1000000 times 200 fail EIO"})
          .path() /
      "file";
  EXPECT_NE(run({.arguments = {"cat", file}}).status, kSuccess);
  EXPECT_EQ(server().ask("forget"), "ok");
  EXPECT_TRUE(read_file(file) == pattern(kSize));
}

TEST_F(Short, ADirectReadIsShortAtTheBadSpot) {
  const fs::path file =
      mount_scripted({file_of(kSize), "msize 65536", "on Tread from 61440 fail EIO"}, {"directio"})
          .path() /
      "file";
  EXPECT_EQ(read_at(file, 0, 200'000), (Result{61440, 0}));
  EXPECT_EQ(read_at(file, 61440, 200'000), (Result{-1, EIO}));
}

TEST_F(Short, AWriteWhoseSecondPieceFailsReportsTheFirst) {
  const fs::path path =
      mount_scripted({"text /file x", "msize 65536", "on Twrite from 61440 fail ENOSPC"}).path() /
      "file";
  const OwnedFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  const std::string bytes = pattern(200'000);
  EXPECT_EQ(::write(file.get(), bytes.data(), bytes.size()), 61440);
  EXPECT_EQ(::write(file.get(), bytes.data(), bytes.size()), -1);
  EXPECT_EQ(errno, ENOSPC) << std::strerror(errno);
  struct stat found {};
  ASSERT_EQ(::fstat(file.get(), &found), 0);
  EXPECT_EQ(found.st_size, 61440);
  EXPECT_EQ(server().ask("content /file"), "61440 ok");
}

TEST_F(Short, AWriteWhoseFirstPieceFailsFails) {
  const fs::path path =
      mount_scripted({"text /file x", "msize 65536", "on Twrite offset 0 fail EDQUOT"}).path() /
      "file";
  const OwnedFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  const std::string bytes = pattern(200'000);
  EXPECT_EQ(::write(file.get(), bytes.data(), bytes.size()), -1);
  EXPECT_EQ(errno, EDQUOT) << std::strerror(errno);
  struct stat found {};
  ASSERT_EQ(::fstat(file.get(), &found), 0);
  EXPECT_EQ(found.st_size, 1) << "the pieces behind it were done";
}

TEST_F(Short, AWriteWhoseMiddleFailsLeavesNothingBehindIt) {
  const fs::path path =
      mount_scripted({"text /file x", "msize 65536", "on Twrite offset 61440 fail ENOSPC"}).path() /
      "file";
  const OwnedFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  const std::string bytes = pattern(200'000);
  EXPECT_EQ(::write(file.get(), bytes.data(), bytes.size()), 61440);
  EXPECT_EQ(server().ask("content /file"), "61440 ok");
}

TEST_F(Short, AFailedWriteCutsNothingOffThatWasThere) {
  const fs::path path =
      mount_scripted({"file /file 150000", "msize 65536", "on Twrite offset 61440 fail ENOSPC"})
          .path() /
      "file";
  const OwnedFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  const std::string bytes = pattern(200'000);
  EXPECT_EQ(::write(file.get(), bytes.data(), bytes.size()), 61440);
  EXPECT_EQ(server().ask("content /file"), "150000 ok");
}

// ---- short Rwrite

class ShortWrites : public Short, public testing::WithParamInterface<Pieces> {};

TEST_P(ShortWrites, AreGoneOnWithUntilAllIsWritten) {
  const Pieces& pieces = GetParam();
  const Fuse9p& mount = mount_scripted({pieces.rule}, pieces.options);
  const OwnedFd file(::open((mount.path() / "file").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  const std::string bytes = pattern(pieces.size);
  EXPECT_EQ(::write(file.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  EXPECT_EQ(server().ask("content /file"), std::to_string(pieces.size) + " ok");
}

INSTANTIATE_TEST_SUITE_P(
    Of, ShortWrites,
    testing::Values(Pieces{"OneByte", "on Twrite short 1", 2'001, {}},
                    Pieces{"Half", "on Twrite short half", 3'000'001, {}},
                    Pieces{"HalfNow", "on Twrite nth 2 short half", 3'000'001, {"msize=64k"}},
                    Pieces{"AThousandDirectly", "on Twrite short 1000", 300'001, {"directio"}}),
    [](const auto& of) { return std::string(of.param.name); });

TEST_F(Short, ShortAppendsStayInOrder) {
  const Fuse9p& mount = mount_scripted({"text /file x", "on Twrite short 1000", "msize 65536"});
  ASSERT_EQ(server().ask("resize /file 0"), "ok");
  const OwnedFd file(::open((mount.path() / "file").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  const std::string bytes = pattern(500'000);
  EXPECT_EQ(::write(file.get(), bytes.data(), bytes.size()), 500'000);
  EXPECT_EQ(server().ask("content /file"), "500000 ok");
}

TEST_F(Short, AWriteThatMakesNoProgressFails) {
  const Fuse9p& mount = mount_scripted({"text /file x", "on Twrite reply Rwrite count 0"});
  const OwnedFd file(::open((mount.path() / "file").c_str(), O_WRONLY | O_CLOEXEC));
  EXPECT_EQ(::write(file.get(), "hello", 5), -1);
  EXPECT_EQ(errno, EIO) << std::strerror(errno);
}

// ---- files that change meanwhile

TEST_F(Short, AFileThatShrinksWhileItIsReadEndsThere) {
  const Fuse9p& mount =
      mount_scripted({file_of(kSize), "msize 65536", "on Tread from 1000000 times 1 hold"});
  Process reader([&] {
    const std::string seen = read_file(mount.path() / "file");
    std::cerr << seen.size() << " bytes, " << (seen == pattern(seen.size()) ? "right" : "wrong")
              << "\n";
    const bool sound = seen == pattern(seen.size()) || seen.size() == kSize;
    return sound && seen.size() >= 1'000'000 ? 0 : 1;
  });
  ASSERT_EQ(server().ask("await held 1"), "ok");
  ASSERT_EQ(server().ask("resize /file 1500000"), "ok");
  ASSERT_EQ(server().ask("release"), "ok");
  EXPECT_EQ(reader.wait(), kSuccess);
  EXPECT_TRUE(read_file(mount.path() / "file") == pattern(1'500'000)) << "at the next open";
}

TEST_F(Short, AFileThatGrowsIsSeenWholeAtTheNextOpen) {
  const Fuse9p& mount = mount_scripted({file_of(100'000)}, {"actimeo=3600"});
  EXPECT_TRUE(read_file(mount.path() / "file") == pattern(100'000));
  ASSERT_EQ(server().ask("resize /file 300000"), "ok");
  EXPECT_TRUE(read_file(mount.path() / "file") == pattern(300'000));
  ASSERT_EQ(server().ask("resize /file 200000"), "ok");
  EXPECT_TRUE(read_file(mount.path() / "file") == pattern(200'000));
}

TEST_F(Short, AFileOfLengthZeroIsReadForWhatIsInIt) {
  const Fuse9p& mount = mount_scripted({"synthetic /status all is well"});
  EXPECT_EQ(read_file(mount.path() / "status"), "all is well");
  EXPECT_EQ(shell("cat status; dd if=status bs=1 2>/dev/null", mount.path()).output,
            "all is wellall is well");
}

// ---- replies out of order

TEST_F(Short, PiecesThatAreAnsweredInAnyOrderMakeTheFile) {
  const Fuse9p& mount =
      mount_scripted({file_of(500'000), "msize 65536", "on Tread hold"}, {"directio"});
  Process reader([&] {
    return read_at(mount.path() / "file", 0, 491'520) == Result{491'520, 0} ? 0 : 1;
  });
  ASSERT_EQ(server().ask("await held 8"), "ok");
  ASSERT_EQ(server().ask("forget"), "ok");
  ASSERT_EQ(server().ask("release reverse"), "ok");
  EXPECT_EQ(reader.wait(), kSuccess);
}

TEST_F(Short, RepliesThatComeLateComeToTheRightOnes) {
  const Fuse9p& mount = mount_scripted({"many /dir 200", "on Tgetattr nth 7 wait 20",
                                        "on Tgetattr nth 9 wait 3", "on Twalk nth 11 wait 30"});
  // The 200 lookups of a long listing overlap.
  const Finished listing = shell("ls -l dir | wc -l; cat dir/file.0 dir/file.199", mount.path());
  EXPECT_EQ(listing.output, "201\nxx");
}

// ---- directories

class SmallDirectoryChunks : public Short, public testing::WithParamInterface<int> {};

TEST_P(SmallDirectoryChunks, StillGiveEachNameOnce) {
  const Fuse9p& mount =
      mount_scripted({"many /dir 1000", "on Treaddir short " + std::to_string(GetParam())});
  std::multiset<std::string> names;
  for (const auto& entry : fs::directory_iterator(mount.path() / "dir"))
    names.insert(entry.path().filename());
  EXPECT_EQ(names.size(), 1000U);
  for (int i = 0; i < 1000; ++i)
    EXPECT_EQ(names.count("file." + std::to_string(i)), 1U) << i;
}

INSTANTIATE_TEST_SUITE_P(Bytes, SmallDirectoryChunks, testing::Values(32, 100, 1000));

TEST_F(Short, ADirectoryThatCanNotBeReadOnIsAnError) {
  const Fuse9p& mount =
      mount_scripted({"many /dir 5000", "msize 8192", "on Treaddir from 100 fail EIO"});
  DIR* directory = ::opendir((mount.path() / "dir").c_str());
  int names = 0;
  errno = 0;
  while (::readdir(directory) != nullptr)
    ++names;
  EXPECT_EQ(errno, EIO) << "after " << names << " names";
  EXPECT_GT(names, 0);
  ::closedir(directory);
}

TEST_F(Short, AServerWithoutTheNewMessagesIsServedWithTheOld) {
  const Fuse9p& mount =
      mount_scripted({"text /a one", "text /b two", "dir /d", "on Tunlinkat fail EOPNOTSUPP",
                      "on Trenameat fail EOPNOTSUPP"});
  const Finished work = shell("mv a c; rm b; rmdir d; mkdir e; mv c e/f; cat e/f", mount.path());
  EXPECT_EQ(work.status, kSuccess);
  EXPECT_EQ(work.output, "one");
  EXPECT_EQ(server().count("Tunlinkat"), 1) << "asked again";
  EXPECT_EQ(server().count("Trenameat"), 1) << "asked again";
}

TEST_F(Short, AStrictServerHasNothingToComplainAbout) {
  const Fuse9p& mount = mount_scripted({"file /file 100000", "many /many 300"});
  const Finished work = shell(R"sh(
      cp -a many copy
      ls -lR . > list
      cmp file file
      dd if=/dev/zero of=big bs=1M count=5 2>/dev/null
      mkdir -p a/b/c
      for i in 1 2 3 4 5; do echo $i >> a/b/c/log; done
      mv a/b z
      test "$(cat z/c/log | wc -l)" = 5
      ln z/c/log link
      ln -s link soft
      cat soft >/dev/null
      truncate -s 10 file
      touch -d 2001-01-01 file
      chmod 600 file
      rm -r copy many z)sh",
                              mount.path());
  EXPECT_EQ(work.status, kSuccess) << work.output;
}

}  // namespace
}  // namespace fuse9p::test
