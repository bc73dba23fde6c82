// SPDX-License-Identifier: MIT
// SIGUSR1: fuse9p says in one line of JSON what it has done and what it has in use.

#include "tests/support/interrupt_fixture.hpp"

#include <gtest/gtest.h>

namespace fuse9p::test {
namespace {

class Statistics : public InterruptTest {
 protected:
  /// A read that the server holds, interrupted; how the process has ended.
  Status interrupted_read(Fuse9p& mount, const std::string& flush) {
    server().ask("flush " + flush);
    Process process = reader(mount.path() / "stream");
    await_held();
    process.signal(SIGINT);
    return process.wait();
  }
};

TEST_F(Statistics, NameTheMountAndItsServer) {
  Fuse9p& mount = mount_with({}, {});
  const Counters now = await_idle(mount);
  EXPECT_EQ(now.words.at("mount"), mount.path().string());
  EXPECT_EQ(now.words.at("server"), server().source());
  EXPECT_EQ(now["connected"], 1);
  EXPECT_EQ(now["requests"], now["replies"]);
  EXPECT_GT(now["requests"], 0);
  for (const char* none : {"flushes", "honoured", "cancelled", "cancelled_unsent", "abandoned",
                           "late", "tags_quarantined", "open_files", "open_directories", "held_up"})
    EXPECT_EQ(now[none], 0) << none;
}

TEST_F(Statistics, CountWhatIsInUse) {
  Fuse9p& mount = mount_with({"on Tread name stream hold"}, {kLongFlush});
  const Counters before = await_idle(mount);
  {
    const OwnedFd file(::open((mount.path() / "file").c_str(), O_RDONLY | O_CLOEXEC));
    const OwnedFd directory(::open((mount.path() / "dir").c_str(), O_DIRECTORY | O_CLOEXEC));
    const Counters opened = await_idle(mount);
    EXPECT_EQ(opened["open_files"], 1);
    EXPECT_EQ(opened["open_directories"], 1);
    EXPECT_EQ(opened["nodes"], before["nodes"] + 2);
    EXPECT_GE(opened["fids"], before["fids"] + 2);
  }
  const Counters closed = await_counters(mount, [](const Counters& now) {
    return now["open_files"] == 0 && now["open_directories"] == 0;
  });
  EXPECT_GT(closed["requests"], before["requests"]);

  Process waiting = reader(mount.path() / "stream");
  await_held();
  const Counters busy = ask_counters(mount);
  EXPECT_EQ(busy["outstanding"], 1);
  EXPECT_EQ(busy["tags"], 1);
  EXPECT_EQ(busy["operations"], 1);
  EXPECT_EQ(busy["open_files"], 1);
  ASSERT_EQ(server().ask("release"), "ok");
  EXPECT_EQ(waiting.wait(), kSuccess);
  const Counters after = await_counters(
      mount, [](const Counters& now) { return now["open_files"] == 0 && now["tags"] == 0; });
  EXPECT_GE(after["longest_wait_ms"], before["longest_wait_ms"]);
  expect_no_leak(mount);
}

TEST_F(Statistics, CountFlushesAndWhatBecameOfThem) {
  Fuse9p& mount = mount_with({"on Tread name stream hold"}, {"flush_timeout=0.2"});
  EXPECT_EQ(interrupted_read(mount, "prompt"), Status{.code = kInterrupted});
  Counters now = await_idle(mount);
  EXPECT_EQ(now["flushes"], 1);
  EXPECT_EQ(now["cancelled"], 1);
  EXPECT_EQ(now["tags_quarantined"], 1);

  EXPECT_EQ(interrupted_read(mount, "answer"), kSuccess);
  now = await_idle(mount);
  EXPECT_EQ(now["flushes"], 2);
  EXPECT_EQ(now["honoured"], 1);

  EXPECT_EQ(interrupted_read(mount, "after"), Status{.code = kInterrupted});
  now = ask_counters(mount);
  EXPECT_EQ(now["flushes"], 3);
  EXPECT_EQ(now["abandoned"], 1);
  EXPECT_EQ(now["unresolved"], 1);
  EXPECT_EQ(now["tags"], 2) << "the request's and the Tflush's";
  EXPECT_EQ(now["late"], 0);
  ASSERT_EQ(server().ask("release"), "ok");
  now = await_idle(mount);
  EXPECT_EQ(now["late"], 1);
  EXPECT_EQ(now["cancelled"], 1);
  expect_no_leak(mount);
  expect_serving(mount);
}

TEST_F(Statistics, SayThatTheConnectionIsLost) {
  Fuse9p& mount = mount_with({}, {});
  server_ends_early();
  server().process().signal(SIGKILL);
  mount.wait_for_log("connection lost");
  EXPECT_EQ(ask_counters(mount)["connected"], 0);
}

}  // namespace
}  // namespace fuse9p::test
