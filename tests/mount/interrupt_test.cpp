// SPDX-License-Identifier: MIT
// Signals: a call that waits for the server can be ended, by the rules of flush(5), and a server
// that never answers holds nobody. Time-outs that must not be what ends a wait are set to an hour.

#include "tests/support/interrupt_fixture.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;

class Interrupt : public InterruptTest {};

// ---- a blocked read

TEST_F(Interrupt, EndsABlockedReadOnceTheServerHasDroppedIt) {
  Fuse9p& mount = mount_with({"on Tread name stream hold"}, {kLongFlush});
  Process process = reader(mount.path() / "stream");
  await_held();
  process.signal(SIGINT);
  EXPECT_EQ(process.wait(), Status{.code = kInterrupted});
  EXPECT_EQ(server().count("Tflush"), 1);
  expect_serving(mount);
}

TEST_F(Interrupt, OfABlockedReadThatIsAnsweredFirstLosesNoData) {
  Fuse9p& mount = mount_with({"on Tread name stream hold", "flush answer"}, {kLongFlush});
  Process process = reader(mount.path() / "stream");
  await_held();
  process.signal(SIGINT);
  EXPECT_EQ(process.wait(), kSuccess) << "the server answered before its Rflush";
  EXPECT_EQ(server().count("Tflush"), 1);
  expect_serving(mount);
}

TEST_F(Interrupt, WaitsForAServerThatAnswersFlushLast) {
  Fuse9p& mount = mount_with({"on Tread name stream hold", "flush after"}, {kLongFlush});
  Process process = reader(mount.path() / "stream");
  await_held();
  process.signal(SIGINT);
  ASSERT_EQ(server().ask("await Tflush 1"), "ok");
  ASSERT_EQ(server().ask("release"), "ok");
  EXPECT_EQ(process.wait(), kSuccess);
  expect_serving(mount);
}

TEST_F(Interrupt, TakesAnErrorForAnRflush) {
  Fuse9p& mount = mount_with({"on Tread name stream hold", "flush error"}, {kLongFlush});
  Process process = reader(mount.path() / "stream");
  await_held();
  process.signal(SIGINT);
  EXPECT_EQ(process.wait(), Status{.code = kInterrupted});
  expect_serving(mount);
}

TEST_F(Interrupt, SurvivesAnAnswerBehindTheRflush) {
  Fuse9p& mount = mount_with({"on Tread name stream hold", "flush sloppy"}, {kLongFlush});
  Process process = reader(mount.path() / "stream");
  await_held();
  process.signal(SIGINT);
  EXPECT_EQ(process.wait(), Status{.code = kInterrupted});
  ASSERT_EQ(server().ask("release"), "ok");
  expect_serving(mount);
}

TEST_F(Interrupt, ClunksAFidThatALateWalkHasMade) {
  Fuse9p& mount = mount_with({"on Twalk name file hold", "flush sloppy"}, {kLongFlush, kNoGrace});
  Process process = caller([&] {
    struct stat found {};
    return outcome(::lstat((mount.path() / "file").c_str(), &found));
  });
  await_held();
  process.signal(SIGINT);
  EXPECT_EQ(process.wait(), Status{.code = kInterrupted});
  const int clunks = server().count("Tclunk");
  ASSERT_EQ(server().ask("release"), "ok");
  ASSERT_EQ(server().ask("await Tclunk " + std::to_string(clunks + 1)), "ok");
  expect_serving(mount);
}

TEST_F(Interrupt, OfTwoReadsEndsOnlyTheOneThatIsMeant) {
  Fuse9p& mount = mount_with({"on Tread name stream hold"}, {kLongFlush});
  Process first = reader(mount.path() / "stream");
  await_held();
  Process second = reader(mount.path() / "stream");
  await_held(2);
  first.signal(SIGINT);
  EXPECT_EQ(first.wait(), Status{.code = kInterrupted});
  ASSERT_EQ(server().ask("release"), "ok");
  EXPECT_EQ(second.wait(), kSuccess);
  expect_serving(mount);
}

TEST_F(Interrupt, EndsABlockedReadOfManyPieces) {
  Fuse9p& mount = mount_with({"file /large 1000000", "msize 65536", "on Tread hold"},
                             {kLongFlush, kNoGrace, "directio"});
  Process process = caller([&] {
    const OwnedFd fd(::open((mount.path() / "large").c_str(), O_RDONLY | O_CLOEXEC));
    std::vector<char> buffer(491'520);
    return outcome(::read(fd.get(), buffer.data(), buffer.size()));
  });
  await_held(8);
  process.signal(SIGINT);
  EXPECT_EQ(process.wait(), Status{.code = kInterrupted});
  EXPECT_EQ(server().count("Tflush"), 8);
  expect_serving(mount);
}

// ---- a server that answers nothing

TEST_F(Interrupt, DoesNotWaitForAServerThatNeverAnswers) {
  Fuse9p& mount = mount_with({"on Tread name stream hold", "flush never"}, {kShortFlush});
  Process process = reader(mount.path() / "stream");
  await_held();
  process.signal(SIGINT);
  EXPECT_EQ(process.wait(), Status{.code = kInterrupted});
  expect_serving(mount);
}

TEST_F(Interrupt, SetsAKilledProcessFreeFromAServerThatNeverAnswers) {
  Fuse9p& mount = mount_with({"on Tread name stream hold", "flush never"}, {kShortFlush});
  Process process = reader(mount.path() / "stream");
  await_held();
  process.signal(SIGKILL);
  EXPECT_EQ(process.wait(), Status{.signal = SIGKILL});
  expect_serving(mount);
}

TEST_F(Interrupt, SetsAProcessFreeThatIsKilledInAMetadataCall) {
  // Only the look for a fatal signal can end it: the grace is an hour.
  Fuse9p& mount =
      mount_with({"on Tgetattr name file hold", "flush never"}, {kShortFlush, kLongGrace});
  Process process = caller([&] {
    struct stat found {};
    return outcome(::lstat((mount.path() / "file").c_str(), &found));
  });
  await_held();
  process.signal(SIGKILL);
  EXPECT_EQ(process.wait(), Status{.signal = SIGKILL});
  expect_serving(mount);
}

TEST_F(Interrupt, SetsAProcessFreeThatIsKilledAfterAnotherSignal) {
  // The kernel tells of the first signal only.
  Fuse9p& mount =
      mount_with({"on Tgetattr name file hold", "flush never"}, {kShortFlush, kLongGrace});
  Process process = caller([&] {
    struct stat found {};
    return outcome(::lstat((mount.path() / "file").c_str(), &found));
  });
  await_held();
  interrupt(process, SIGALRM, mount);
  process.signal(SIGKILL);
  EXPECT_EQ(process.wait(), Status{.signal = SIGKILL});
  expect_serving(mount);
}

TEST_F(Interrupt, EndsAnOpenThoughItsWalkWasAnsweredFirst) {
  // The one interrupt came while the walk was under way: there is none for what follows it.
  Fuse9p& mount = mount_with({"on Tlopen name file nth 2 hold", "flush answer"},
                             {kLongFlush, kLongGrace, "actimeo=3600"});
  {
    // It has the fid that was walked by the lookup: the next open walks anew.
    const OwnedFd first(::open((mount.path() / "file").c_str(), O_RDONLY | O_CLOEXEC));
    server().ask("on Twalk name file hold");
    Process process = caller(
        [&] { return outcome(::open((mount.path() / "file").c_str(), O_RDONLY | O_CLOEXEC)); });
    await_held();
    process.signal(SIGKILL);
    EXPECT_EQ(process.wait(), Status{.signal = SIGKILL});
    EXPECT_EQ(server().count("Tlopen"), 1) << "what is not wanted any more is not sent";
  }
  expect_no_leak(mount);
  expect_serving(mount);
}

TEST_F(Interrupt, SetsManyProcessesFreeAtOnce) {
  Fuse9p& mount = mount_with({"on Tread name stream hold", "flush never"}, {kShortFlush});
  std::deque<Process> processes;
  for (int i = 0; i < 40; ++i)
    processes.push_back(reader(mount.path() / "stream"));
  await_held(40);
  for (Process& process : processes)
    process.signal(SIGKILL);
  for (Process& process : processes)
    EXPECT_EQ(process.wait(), Status{.signal = SIGKILL});
  expect_serving(mount);
}

TEST_F(Interrupt, OfAKilledProcessLetsTheAnswerComeLate) {
  Fuse9p& mount = mount_with({"on Tread name stream hold", "flush after"}, {kShortFlush});
  Process process = reader(mount.path() / "stream");
  await_held();
  process.signal(SIGKILL);
  EXPECT_EQ(process.wait(), Status{.signal = SIGKILL});
  ASSERT_EQ(server().ask("release"), "ok");  // given up long ago: nobody may be surprised
  expect_serving(mount);
}

// ---- signals that end nothing

TEST_F(Interrupt, ByAnotherSignalLetsMetadataCallsFinish) {
  Fuse9p& mount = mount_with({"on Tgetattr name file hold"}, {kLongGrace, kLongFlush});
  Process process = caller(
      [&] {
        struct stat found {};
        return outcome(::lstat((mount.path() / "file").c_str(), &found));
      },
      SA_RESTART);
  await_held();
  interrupt(process, SIGALRM, mount);
  ASSERT_EQ(server().ask("release"), "ok");
  EXPECT_EQ(process.wait(), kSuccess);
  EXPECT_EQ(server().count("Tflush"), 0);
  expect_serving(mount);
}

TEST_F(Interrupt, ByAnotherSignalLetsAnOpenFinish) {
  Fuse9p& mount = mount_with({"on Tlopen name file hold"}, {kLongGrace, kLongFlush});
  Process process = caller(
      [&] { return outcome(::open((mount.path() / "file").c_str(), O_RDONLY)); }, SA_RESTART);
  await_held();
  interrupt(process, SIGALRM, mount);
  ASSERT_EQ(server().ask("release"), "ok");
  EXPECT_EQ(process.wait(), kSuccess);
  EXPECT_EQ(server().count("Tflush"), 0);
  expect_serving(mount);
}

TEST_F(Interrupt, EndsAMetadataCallWhenTheGraceIsOver) {
  Fuse9p& mount = mount_with({"on Tgetattr name file hold"}, {"interrupt_grace=0.2", kLongFlush});
  Process process = caller([&] {
    struct stat found {};
    return outcome(::lstat((mount.path() / "file").c_str(), &found));
  });
  await_held();
  process.signal(SIGALRM);
  EXPECT_EQ(process.wait(), Status{.code = kInterrupted});
  expect_serving(mount);
}

// ---- each kind of call, with and without what it did

struct Call {
  const char* name;
  const char* rule;
  std::function<long(const fs::path& root)> make;
};
void PrintTo(const Call& call, std::ostream* out) {
  *out << call.name;
}

const Call kCalls[] = {
    {"Open", "on Tlopen hold",
     [](const fs::path& root) { return ::open((root / "stream").c_str(), O_RDONLY); }},
    {"Create", "on Tlcreate hold",
     [](const fs::path& root) {
       return ::open((root / "new").c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644);
     }},
    {"AttributesOfACreatedFile", "on Tgetattr name new hold",
     [](const fs::path& root) {
       return ::open((root / "new").c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644);
     }},
    {"Lookup", "on Twalk name file hold",
     [](const fs::path& root) { return ::access((root / "file").c_str(), F_OK); }},
    {"Mkdir", "on Tmkdir hold",
     [](const fs::path& root) { return ::mkdir((root / "new").c_str(), 0755); }},
    {"LookupOfAMadeDirectory", "on Tgetattr name new hold",
     [](const fs::path& root) { return ::mkdir((root / "new").c_str(), 0755); }},
    {"Symlink", "on Tsymlink hold",
     [](const fs::path& root) { return ::symlink("x", (root / "new").c_str()); }},
    {"Mknod", "on Tmknod hold",
     [](const fs::path& root) { return ::mkfifo((root / "new").c_str(), 0644); }},
    {"Link", "on Tlink hold",
     [](const fs::path& root) { return ::link((root / "file").c_str(), (root / "new").c_str()); }},
    {"Unlink", "on Tunlinkat hold",
     [](const fs::path& root) { return ::unlink((root / "file").c_str()); }},
    {"Rmdir", "on Tunlinkat hold",
     [](const fs::path& root) { return ::rmdir((root / "dir").c_str()); }},
    {"Rename", "on Trenameat hold",
     [](const fs::path& root) {
       return ::rename((root / "file").c_str(), (root / "dir/new").c_str());
     }},
    {"Setattr", "on Tsetattr hold",
     [](const fs::path& root) { return ::chmod((root / "file").c_str(), 0600); }},
    {"Statfs", "on Tstatfs hold",
     [](const fs::path& root) { return ::pathconf(root.c_str(), _PC_2_SYMLINKS); }},
    {"Readlink", "on Treadlink hold",
     [](const fs::path& root) {
       char target[10];
       return ::readlink((root / "link").c_str(), target, sizeof target);
     }},
    {"Opendir", "on Tlopen name dir hold",
     [](const fs::path& root) { return ::open((root / "dir").c_str(), O_RDONLY | O_DIRECTORY); }},
    {"Write", "on Twrite hold",
     [](const fs::path& root) {
       const int fd = ::open((root / "file").c_str(), O_WRONLY);
       return ::write(fd, "more", 4);
     }},
    {"Fsync", "on Tfsync hold",
     [](const fs::path& root) {
       const int fd = ::open((root / "file").c_str(), O_RDWR);
       return ::fsync(fd);
     }},
};

class InterruptedCall : public Interrupt, public testing::WithParamInterface<Call> {
 protected:
  Fuse9p& mount_for_call(const std::string& policy, const std::string& flush_timeout) {
    return mount_with({"symlink target /link", GetParam().rule, "flush " + policy},
                      {kNoGrace, flush_timeout});
  }
  Process call(const Fuse9p& mount) {
    return caller([&] { return outcome(GetParam().make(mount.path())); });
  }
  /// Names that were made or not: the mount and the server agree.
  void expect_agreement(const Fuse9p& mount) {
    const Finished listing = shell("ls -l . >/dev/null; cat other", mount.path());
    EXPECT_TRUE(listing.output.ends_with("still here")) << listing.output;
  }
};

TEST_P(InterruptedCall, EndsWhenTheServerHasDroppedIt) {
  Fuse9p& mount = mount_for_call("prompt", kLongFlush);
  Process process = call(mount);
  await_held();
  process.signal(SIGINT);
  const Status status = process.wait();
  // What was done when the signal came is not to be reported as undone.
  const bool made = std::string(GetParam().name).find("Made") != std::string::npos ||
                    std::string(GetParam().name).find("Created") != std::string::npos;
  EXPECT_EQ(status, Status{.code = made ? kOk : kInterrupted});
  server().ask("forget");
  expect_agreement(mount);
  expect_serving(mount);
}

TEST_P(InterruptedCall, SucceedsWhenTheServerHasAnsweredFirst) {
  Fuse9p& mount = mount_for_call("answer", kLongFlush);
  Process process = call(mount);
  await_held();
  // All the later ones of the same call are to be answered.
  server().ask("forget");
  process.signal(SIGINT);
  // Where more would have to be asked, and nothing has changed yet, the signal still ends it.
  const bool more_to_ask = std::string(GetParam().name) == "Lookup";
  EXPECT_EQ(process.wait(), Status{.code = more_to_ask ? kInterrupted : kOk});
  expect_agreement(mount);
  expect_serving(mount);
}

TEST_P(InterruptedCall, EndsEvenIfTheServerSaysNothing) {
  Fuse9p& mount = mount_for_call("never", kShortFlush);
  Process process = call(mount);
  await_held();
  process.signal(SIGKILL);
  EXPECT_EQ(process.wait(), Status{.signal = SIGKILL});
  server().ask("forget");
  ASSERT_EQ(server().ask("release"), "ok");
  expect_agreement(mount);
  expect_serving(mount);
}

INSTANTIATE_TEST_SUITE_P(Of, InterruptedCall, testing::ValuesIn(kCalls),
                         [](const auto& of) { return std::string(of.param.name); });

// ---- reads through the page cache, of whose interrupts the kernel does not tell

class PageTimeout : public Interrupt {
 protected:
  /// The server does not answer the first read, but the next ones.
  void expect_one_failure(Fuse9p& mount) {
    {
      const OwnedFd fd(::open((mount.path() / "file").c_str(), O_RDONLY | O_CLOEXEC));
      char buffer[100];
      EXPECT_EQ(::read(fd.get(), buffer, sizeof buffer), -1);
      EXPECT_EQ(errno, EIO);
      EXPECT_FALSE(mount.log_lines("page_timeout").empty()) << mount.log();
      server().ask("forget");
      EXPECT_EQ(::read(fd.get(), buffer, sizeof buffer), 9);
      EXPECT_EQ(std::string(buffer, 9), "some text");
    }
    ASSERT_EQ(server().ask("release"), "ok");
    expect_no_leak(mount);
    expect_serving(mount);
  }
};

TEST_F(PageTimeout, EndsACachedReadOfAServerThatHonoursFlush) {
  expect_one_failure(
      mount_with({"on Tread name file hold"}, {kLongGrace, kLongFlush, "page_timeout=0.2"}));
}

TEST_F(PageTimeout, EndsACachedReadOfASilentServer) {
  expect_one_failure(mount_with({"on Tread name file hold", "flush after"},
                                {kLongGrace, "flush_timeout=0.2", "page_timeout=0.2"}));
}

TEST_F(PageTimeout, IsOffByDefaultAndSigkillEndsTheReader) {
  Fuse9p& mount = mount_with({"on Tread name file hold"}, {kNoGrace, kShortFlush});
  Process process = reader(mount.path() / "file");
  await_held();
  process.signal(SIGALRM);
  process.signal(SIGKILL);
  EXPECT_EQ(process.wait(), Status{.signal = SIGKILL});
  EXPECT_EQ(server().count("Tflush"), 0) << "nothing has given the read up";
  ASSERT_EQ(server().ask("release"), "ok");
  expect_no_leak(mount);
  expect_serving(mount);
}

// ---- what an abandoned request leaves

TEST_F(Interrupt, OfACreateThatComesLateLeaksNothingThoughItsDirectoryIsForgotten) {
  Fuse9p& mount =
      mount_with({"on Tlcreate hold", "flush after"}, {"actimeo=0", kNoGrace, "flush_timeout=0.1"});
  const int nodes = static_cast<int>(await_idle(mount)["nodes"]);
  Process process = caller([&] {
    return outcome(::open((mount.path() / "dir/new").c_str(), O_WRONLY | O_CREAT, 0644));
  });
  await_held();
  process.signal(SIGKILL);
  EXPECT_EQ(process.wait(), Status{.signal = SIGKILL});
  // The kernel drops a name that is gone, and with it the directory: FORGET.
  server().ask("on Twalk name dir fail ENOENT");
  struct stat found {};
  EXPECT_EQ(::lstat((mount.path() / "dir").c_str(), &found), -1);
  EXPECT_EQ(errno, ENOENT);
  const Counters before = ask_counters(mount);
  EXPECT_EQ(before["unresolved"], 1);
  EXPECT_EQ(before["unresolved_changes"], 1);
  const int clunks = server().count("Tclunk");
  ASSERT_EQ(server().ask("release"), "ok");
  ASSERT_EQ(server().ask("await Tclunk " + std::to_string(clunks + 1)), "ok");
  EXPECT_EQ(expect_no_leak(mount)["late"], 1);
  // The directory was forgotten, and nothing holds it any more.
  await_counters(mount, [&](const Counters& now) { return now["nodes"] == nodes; });
  expect_serving(mount);
}

// ---- the end

TEST_F(Interrupt, SetsAHundredCallersFreeFromASilentServer) {
  Fuse9p& mount = mount_with({"many /many 25"}, {"actimeo=0", kLongGrace, kShortFlush});
  server().ask("flush never");
  server().ask("on any hold");
  const std::function<long(const fs::path& root, const std::string& number)> calls[] = {
      [](const fs::path& root, const std::string&) {
        return ::open((root / "stream").c_str(), O_RDONLY);
      },
      [](const fs::path& root, const std::string& number) {
        return ::access((root / "many/file.").concat(number).c_str(), F_OK);
      },
      [](const fs::path& root, const std::string& number) {
        return ::access((root / "missing").concat(number).c_str(), F_OK);
      },
      [](const fs::path& root, const std::string&) {
        return ::truncate((root / "file").c_str(), 0);
      },
  };
  std::deque<Process> processes;
  for (int i = 0; i < 100; ++i)
    processes.push_back(
        caller([&, i] { return outcome(calls[i % 4](mount.path(), std::to_string(i / 4))); }));
  // Some wait for each other in the kernel; fuse9p has what it was asked by the others.
  const auto waiting = [](const Process& process) {
    const char state = process_state(process.pid());
    return state == 'S' || state == 'D';
  };
  EXPECT_TRUE(eventually([&] { return std::ranges::all_of(processes, waiting); }));
  await_counters(mount, [](const Counters& now) { return now["outstanding"] > 0; });
  for (Process& process : processes)
    process.signal(SIGKILL);
  const auto start = std::chrono::steady_clock::now();
  for (Process& process : processes)
    EXPECT_EQ(process.wait(), Status{.signal = SIGKILL});
  using namespace std::chrono_literals;
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s) << "the bound is half a second";
  EXPECT_EQ(mount.unmount(), kSuccess);
}

TEST_F(Interrupt, IsNotNeededToUnmountUnderABlockedCall) {
  Fuse9p& mount = mount_with({"on Tread name stream hold", "flush never"}, {});
  Process process = reader(mount.path() / "stream");
  await_held();
  mount.process().signal(SIGTERM);
  EXPECT_EQ(mount.process().wait(), kSuccess);
  EXPECT_EQ(process.wait(), Status{.code = kOtherError});
}

}  // namespace
}  // namespace fuse9p::test
