// SPDX-License-Identifier: MIT
// The end of a mount: what the server still has to do for us is waited for, as long as a flush may
// take and no longer.

#include "tests/support/interrupt_fixture.hpp"

#include <gtest/gtest.h>

#include <sys/mount.h>

#include <chrono>

namespace fuse9p::test {
namespace {

using namespace std::chrono_literals;

class Unmount : public InterruptTest {
 protected:
  /// A file that was used, and whose fid is given back when it is closed.
  static void use(const Fuse9p& mount) {
    EXPECT_EQ(read_file(mount.path() / "other"), "still here");
  }
  static void unmount(const Fuse9p& mount) {
    EXPECT_EQ(::umount2(mount.path().c_str(), UMOUNT_NOFOLLOW), 0) << errno;
  }
};

TEST_F(Unmount, IsNotDelayedWhenNothingIsLeftToDo) {
  // Whatever waited for flush_timeout would wait longer than this test may.
  Fuse9p& mount = mount_with({}, {kLongFlush});
  use(mount);
  EXPECT_EQ(shell("ls -lR >/dev/null; echo more >> file; mkdir d; rmdir d", mount.path()).status,
            kSuccess);
  EXPECT_EQ(mount.unmount(), kSuccess);
}

TEST_F(Unmount, WaitsForTheCleanUpAndNoLonger) {
  Fuse9p& mount = mount_with({"on Tclunk hold"}, {kLongFlush});
  use(mount);
  await_held();
  unmount(mount);
  // However slow the machine is, this never fails wrongly: it only looks less far.
  EXPECT_EQ(mount.process().wait_for(200ms), std::nullopt) << "it has not waited for the Rclunk";
  ASSERT_EQ(server().ask("forget"), "ok");
  ASSERT_EQ(server().ask("release"), "ok");
  EXPECT_EQ(mount.process().wait(), kSuccess);
}

TEST_F(Unmount, DoesNotWaitForEverForTheCleanUp) {
  Fuse9p& mount = mount_with({"on Tclunk hold"}, {"flush_timeout=1"});
  use(mount);
  await_held();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(mount.unmount(), kSuccess);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 1s + 8s);
}

TEST_F(Unmount, DoesNotWaitForEverForAReadThatNobodyWants) {
  // The page cache has asked, and its reader has been killed: the kernel does not tell of that.
  Fuse9p& mount = mount_with({"on Tread name file hold", "flush never"}, {"flush_timeout=1"});
  Process process = reader(mount.path() / "file");
  await_held();
  process.signal(SIGKILL);
  EXPECT_EQ(process.wait(), Status{.signal = SIGKILL});
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(mount.unmount(), kSuccess);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 1s + 8s);
}

TEST_F(Unmount, BySignalIsAsFast) {
  Fuse9p& mount = mount_with({"on Tclunk hold"}, {"flush_timeout=1"});
  use(mount);
  await_held();
  const auto start = std::chrono::steady_clock::now();
  mount.process().signal(SIGTERM);
  EXPECT_EQ(mount.process().wait(), kSuccess);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 1s + 8s);
}

}  // namespace
}  // namespace fuse9p::test
