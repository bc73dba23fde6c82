// SPDX-License-Identifier: MIT
// What is left of a fuse9p that was killed, or of another program, is in the way of the next mount:
// it is taken away, and only if it is ours and nobody answers there any more.

#include "tests/support/installed_fixture.hpp"

#include <gmock/gmock.h>

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr Status kMountFailed{.code = 32}, kKilled{.signal = SIGKILL};
constexpr const char* kSaid = "was still mounted by a fuse9p that is gone";

class DeadMount : public InstalledTest {
 protected:
  void SetUp() override {
    InstalledTest::SetUp();
    fs::permissions(exported(), fs::perms(0777));
    std::ofstream(exported() / "file") << "text";
    mnt_ = scratch().directory("mnt");
    source_ = serve().source();
  }
  Words options() const { return {"-o", "aname=" + exported().string()}; }
  /// Killed at the end of the test, if not before: what it leaves is the janitor's.
  Fuse9p mount_here(std::vector<std::string> more = {}) {
    more.push_back("aname=" + exported().string());
    return {scratch(),
            {.source = source_,
             .options = std::move(more),
             .run = Fuse9p::Run::foreground,
             .mountpoint = mnt_}};
  }
  static void kill(Process& process) {
    process.signal(SIGKILL);
    EXPECT_EQ(process.wait(), kKilled);
  }
  void kill_one(std::vector<std::string> options = {}) {
    Fuse9p mount = mount_here(std::move(options));
    kill(mount.process());
  }
  void expect_dead() {
    struct stat ignored {};
    EXPECT_EQ(::stat(mnt_.c_str(), &ignored), -1);
    EXPECT_EQ(errno, ENOTCONN);
  }
  std::size_t mounts_here() {
    const std::string points = as_root({"findmnt", "-n", "-o", "TARGET", "-M", mnt_}).output;
    return static_cast<std::size_t>(std::ranges::count(points, '\n'));
  }
  fs::path mnt_;
  std::string source_;
};

TEST_F(DeadMount, IsReplacedAndTheLogSaysSo) {
  kill_one();
  expect_dead();
  const Fuse9p mount = mount_here();
  mount.wait_for_log(kSaid);
  EXPECT_THAT(mount.log(), HasSubstr(mnt_.string()));
  EXPECT_EQ(read_file(mnt_ / "file"), "text");
  EXPECT_EQ(mounts_here(), 1U);
}

TEST_F(DeadMount, IsRecognizedThoughTheKernelStillKnowsItsAttributes) {
  Fuse9p mount = mount_here({"actimeo=3600"});
  struct stat known {};
  EXPECT_EQ(::stat(mnt_.c_str(), &known), 0);
  kill(mount.process());
  EXPECT_EQ(::stat(mnt_.c_str(), &known), 0);
  const Fuse9p next = mount_here();
  next.wait_for_log(kSaid);
  EXPECT_EQ(mounts_here(), 1U);
}

TEST_F(DeadMount, IsReplacedByMountToo) {
  for (const char* type : {"fuse9p", "fuse.fuse9p"}) {
    kill_one();
    Words command{"mount", "-t", type, source_, mnt_};
    command.insert(command.end(), {"-o", options()[1]});
    const Finished finished = as_root(command);
    EXPECT_EQ(finished.status, kSuccess) << finished.output;
    EXPECT_EQ(read_file(mnt_ / "file"), "text");
    EXPECT_EQ(mounts_here(), 1U);
    EXPECT_EQ(as_root({"umount", mnt_}).status, kSuccess);
    expect_daemons_end();
  }
}

TEST_F(DeadMount, IsReplacedByTheLineOfFstab) {
  write_fstab(source_ + " " + mnt_.string() + " fuse9p aname=" + exported().string() + " 0 0\n");
  kill_one();
  EXPECT_EQ(as_root({"mount", mnt_}).status, kSuccess);
  EXPECT_EQ(read_file(mnt_ / "file"), "text");
  EXPECT_EQ(mounts_here(), 1U);
}

TEST_F(DeadMount, IsReplacedAlsoWhereThereAreSeveral) {
  Fuse9p below = mount_here();
  Fuse9p above = mount_here();
  EXPECT_EQ(mounts_here(), 2U);
  kill(above.process());
  kill(below.process());
  const Fuse9p mount = mount_here();
  mount.wait_for_log(kSaid);
  EXPECT_EQ(read_file(mnt_ / "file"), "text");
  EXPECT_EQ(mounts_here(), 1U);
}

TEST_F(DeadMount, IsReplacedInDirectoriesWithOddNames) {
  mnt_ = scratch().directory("odd \\ name\n");
  kill_one();
  const Fuse9p mount = mount_here();
  mount.wait_for_log(kSaid);
  EXPECT_EQ(read_file(mnt_ / "file"), "text");
}

TEST_F(DeadMount, IsReplacedByTheUserWhoseItWas) {
  ASSERT_EQ(::chown(mnt_.c_str(), kNobody, kNobody), 0);
  const Words command{"fuse9p", source_, mnt_, "-o", options()[1]};
  EXPECT_EQ(as_user(kNobody, command).status, kSuccess);
  ASSERT_EQ(daemons().size(), 1U);
  Process daemon = Process::adopt(daemons()[0]);
  kill(daemon);
  const Finished finished = as_user(kNobody, command);
  EXPECT_EQ(finished.status, kSuccess) << finished.output;
  EXPECT_EQ(as_user(kNobody, Words{"cat", mnt_ / "file"}).output, "text");
  EXPECT_EQ(mounts_here(), 1U);
}

TEST_F(DeadMount, StaysWhereItIsAsLongAsTheServerDoesNotAnswer) {
  kill_one();
  EXPECT_EQ(as_root({"fuse9p", "unix:/no/such/socket", mnt_}).status, kMountFailed);
  expect_dead();
}

TEST_F(DeadMount, OfAnotherUserIsNotOursToRemove) {
  // Root mounted for all; nobody owns the directory, but not the mount.
  ASSERT_EQ(::chown(mnt_.c_str(), kNobody, kNobody), 0);
  kill_one({"allow_other"});
  const Finished finished = as_user(kNobody, Words{"fuse9p", source_, mnt_, "-o", options()[1]});
  EXPECT_EQ(finished.status, kMountFailed);
  EXPECT_THAT(finished.output, AllOf(HasSubstr(mnt_.string()), HasSubstr("can't be unmounted")));
  expect_dead();
}

TEST_F(DeadMount, OfAnotherProgramIsNotOursToRemove) {
  kill_one({"subtype=sshfs"});
  const Finished finished = as_root({"fuse9p", source_, mnt_, "-o", options()[1]});
  EXPECT_EQ(finished.status, kMountFailed);
  EXPECT_THAT(finished.output, AllOf(HasSubstr("fuse.sshfs"), HasSubstr("umount -l")));
  expect_dead();
  EXPECT_EQ(as_root({"umount", mnt_}).status, kSuccess);
}

TEST_F(DeadMount, IsNotWhatStillAnswers) {
  Fuse9p below = mount_here();
  Fuse9p above = mount_here();
  EXPECT_THAT(above.log(), Not(HasSubstr(kSaid)));
  EXPECT_EQ(mounts_here(), 2U);
  EXPECT_EQ(above.unmount(), kSuccess);
  EXPECT_TRUE(below.running());
  EXPECT_EQ(read_file(mnt_ / "file"), "text");
}

}  // namespace
}  // namespace fuse9p::test
