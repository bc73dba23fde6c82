// SPDX-License-Identifier: MIT
// What servers do otherwise than the protocol says: it is found out by one answer, or told, and
// done without from then on.

#include "tests/support/scripted_fixture.hpp"

#include <gmock/gmock.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;

/// 0 or the errno.
int done(int result) {
  return result < 0 ? errno : 0;
}

/// What a server lacks, and what is done twice then.
struct Lack {
  const char* quirk;
  const char* request;
  int (*perform)(const fs::path& path, const std::string& number);
};

void PrintTo(const Lack& lack, std::ostream* out) {
  *out << lack.quirk;
}

int remove(const fs::path& path, const std::string& number) {
  return done(::unlink((path / ("file" + number)).c_str()));
}
int rename(const fs::path& path, const std::string& number) {
  return done(::rename((path / ("file" + number)).c_str(), (path / ("new" + number)).c_str()));
}
int look_at_file_system(const fs::path& path, const std::string&) {
  struct statvfs found {};
  return done(::statvfs(path.c_str(), &found));
}
int sync_file(const fs::path& path, const std::string& number) {
  const OwnedFd file(::open((path / ("file" + number)).c_str(), O_WRONLY));
  return done(::fsync(file.get()));
}

constexpr Lack kLacks[] = {{"no_unlinkat", "Tunlinkat", remove},
                           {"no_renameat", "Trenameat", rename},
                           {"no_statfs", "Tstatfs", look_at_file_system},
                           {"no_fsync", "Tfsync", sync_file}};

class Lacking : public ScriptedTest, public testing::WithParamInterface<Lack> {
 protected:
  Fuse9p& mount_lacking(std::vector<std::string> options = {}) {
    const std::string rule = std::string("on ") + GetParam().request + " fail EOPNOTSUPP";
    return mount_scripted({"text /file1 x", "text /file2 x", rule}, std::move(options),
                          Fuse9p::Run::foreground);
  }
  void perform_twice(const fs::path& path) {
    for (const char* const number : {"1", "2"})
      EXPECT_EQ(GetParam().perform(path, number), 0) << number;
  }
};
INSTANTIATE_TEST_SUITE_P(Of, Lacking, testing::ValuesIn(kLacks),
                         [](const auto& of) { return std::string(of.param.quirk); });

TEST_P(Lacking, IsFoundOutByOneAnswerAndSaidOnce) {
  Fuse9p& mounted = mount_lacking();
  perform_twice(mounted.path());
  EXPECT_EQ(server().count(GetParam().request), 1);
  mounted.wait_for_log(std::string("quirk ") + GetParam().quirk);
  EXPECT_EQ(mounted.log_lines(std::string("quirk ") + GetParam().quirk).size(), 1U)
      << mounted.log();
}

TEST_P(Lacking, NeedsNoAnswerIfItIsTold) {
  Fuse9p& mounted = mount_lacking({std::string("quirks=") + GetParam().quirk});
  perform_twice(mounted.path());
  EXPECT_EQ(server().count(GetParam().request), 0);
  EXPECT_EQ(mounted.log_lines("quirk ").size(), 0U) << mounted.log();
}

class QuirksTest : public ScriptedTest {};

TEST_F(QuirksTest, OtherErrorsAreNotLearntFrom) {
  const fs::path path = mount_scripted({"text /file x", "on Tunlinkat nth 1 fail EPERM"}).path();
  EXPECT_EQ(done(::unlink((path / "file").c_str())), EPERM);
  EXPECT_EQ(done(::unlink((path / "file").c_str())), 0);
  EXPECT_EQ(server().count("Tunlinkat"), 2);
}

TEST_F(QuirksTest, ACreateThatIsAlwaysExclusiveOpensWhatIsThere) {
  // The kernel does not know of the file: it has looked when it was hidden.
  Fuse9p& mounted = mount_scripted({"text /file old words", "on Tlcreate fail EEXIST"},
                                   {"negative_timeout=60"}, Fuse9p::Run::foreground);
  server().ask("move /file /hidden");
  EXPECT_FALSE(fs::exists(mounted.path() / "file"));
  server().ask("move /hidden /file");
  {
    const OwnedFd file(::open((mounted.path() / "file").c_str(), O_CREAT | O_WRONLY, 0644));
    EXPECT_EQ(::pwrite(file.get(), "new", 3, 0), 3);
  }
  EXPECT_EQ(server().ask("text? /file"), "'new words'");
  mounted.wait_for_log("quirk exclusive_create");
  EXPECT_EQ(done(::open((mounted.path() / "other").c_str(), O_CREAT | O_EXCL | O_WRONLY, 0644)),
            EEXIST);
}

TEST_F(QuirksTest, NoXattrsAreAskedForIfThereAreSaidToBeNone) {
  const fs::path path =
      mount_scripted({"text /file x", "xattr /file user.a b"}, {"quirks=crosvm"}).path();
  char value[10];
  EXPECT_EQ(::getxattr((path / "file").c_str(), "user.a", value, sizeof value), -1);
  EXPECT_EQ(errno, EOPNOTSUPP);
  EXPECT_EQ(server().count("Txattrwalk"), 0);
}

TEST_F(QuirksTest, FewFidsAreLearntAndServeMany) {
  Fuse9p& mounted = mount_scripted({"many /d 300", "maxfids 64"}, {}, Fuse9p::Run::foreground);
  EXPECT_EQ(run({.arguments = {"sh", "-c", "cat d/* | wc -c"}, .directory = mounted.path()}).output,
            "300\n");
  EXPECT_EQ(mounted.log_lines("quirk few_fids").size(), 1U) << mounted.log();
}

TEST_F(QuirksTest, ServerLocksAreLocalWhereThereAreNone) {
  Fuse9p& mounted = mount_scripted({"text /file x"}, {"locks=server", "quirks=no_locks"},
                                   Fuse9p::Run::foreground);
  const OwnedFd file(::open((mounted.path() / "file").c_str(), O_RDWR));
  EXPECT_EQ(done(::flock(file.get(), LOCK_EX | LOCK_NB)), 0);
  EXPECT_EQ(server().count("Tlock"), 0);
  mounted.wait_for_log("locks=server: the server has no locks; they are local");
}

}  // namespace
}  // namespace fuse9p::test
