// SPDX-License-Identifier: MIT
// Processes as people have them: signals of every kind, handled, ignored or fatal, and programs
// that work while a timer interrupts them a thousand times a second. FUSE9P_COPY_MIB sets the size
// of the file that they copy.

#include "tests/support/interrupt_fixture.hpp"
#include "tests/support/pattern.hpp"

#include <gtest/gtest.h>

#include <sys/time.h>
#include <sys/wait.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <iostream>
#include <thread>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;

// ---- one signal in a call that waits

enum class Fate { killed, interrupted, undisturbed };

struct Disposition {
  const char* name;
  int signal;
  sighandler_t handler;  ///< SIG_DFL, SIG_IGN or one of ours
  int flags = 0;
  Fate blocked{};   ///< of a call that may block for ever by its nature
  Fate ordinary{};  ///< of one that no program expects to be interrupted
};
void PrintTo(const Disposition& disposition, std::ostream* out) {
  *out << disposition.name;
}

void handle(int) {}

const Disposition kDispositions[] = {
    {"SigintByDefault", SIGINT, SIG_DFL, 0, Fate::killed, Fate::killed},
    {"SigtermByDefault", SIGTERM, SIG_DFL, 0, Fate::killed, Fate::killed},
    {"SigalrmByDefault", SIGALRM, SIG_DFL, 0, Fate::killed, Fate::killed},
    {"Sigkill", SIGKILL, SIG_DFL, 0, Fate::killed, Fate::killed},
    {"SigintWithAHandler", SIGINT, handle, 0, Fate::interrupted, Fate::undisturbed},
    {"SigalrmWithAHandler", SIGALRM, handle, 0, Fate::interrupted, Fate::undisturbed},
    // FUSE can't ask for a restart: the program sees EINTR all the same.
    {"SigalrmThatRestarts", SIGALRM, handle, SA_RESTART, Fate::interrupted, Fate::undisturbed},
    {"SigchldWithAHandler", SIGCHLD, handle, 0, Fate::interrupted, Fate::undisturbed},
    {"SigintIgnored", SIGINT, SIG_IGN, 0, Fate::undisturbed, Fate::undisturbed},
    {"SigchldByDefault", SIGCHLD, SIG_DFL, 0, Fate::undisturbed, Fate::undisturbed},
};

class OneSignal : public InterruptTest, public testing::WithParamInterface<Disposition> {
 protected:
  /// Only the signal, or the server's answer, can end the call: all times are long.
  Fuse9p& mount_holding(const std::string& rule) {
    return mount_with({rule, "text /dir/name text"}, {kLongGrace, kLongFlush});
  }
  Process process(const std::function<int()>& call) const {
    return Process([&, call] {
      struct sigaction action {};
      action.sa_handler = GetParam().handler;
      action.sa_flags = GetParam().flags;
      ::sigaction(GetParam().signal, &action, nullptr);
      return call();
    });
  }
  /// The process waits for the server; the signal comes.
  void expect(Fate fate, Process process, Fuse9p& mount) {
    await_held();
    const bool caught = GetParam().handler == handle;
    if (fate == Fate::undisturbed && caught)
      interrupt(process, GetParam().signal, mount);
    else
      process.signal(GetParam().signal);
    if (fate == Fate::undisturbed) {
      ASSERT_EQ(server().ask("release"), "ok");
    }
    const Status status = process.wait();
    switch (fate) {
      case Fate::killed:
        EXPECT_EQ(status, Status{.signal = GetParam().signal});
        break;
      case Fate::interrupted:
        EXPECT_EQ(status, Status{.code = kInterrupted});
        break;
      case Fate::undisturbed:
        EXPECT_EQ(status, kSuccess);
        break;
    }
    // An open asks for attributes, too: there may be more than one.
    EXPECT_EQ(server().count("Tflush") == 0, fate == Fate::undisturbed);
    expect_no_leak(mount);
    expect_serving(mount);
  }
};

TEST_P(OneSignal, InAReadOfAStream) {
  Fuse9p& mount = mount_holding("on Tread name stream hold");
  expect(GetParam().blocked, process([&] { return read_once(mount.path() / "stream"); }), mount);
}

TEST_P(OneSignal, InAnOpenThatBlocks) {
  Fuse9p& mount = mount_holding("on Tlopen name stream hold");
  const auto open = [&] { return outcome(::open((mount.path() / "stream").c_str(), O_RDONLY)); };
  expect(GetParam().blocked, process(open), mount);
}

TEST_P(OneSignal, InAStat) {
  Fuse9p& mount = mount_holding("on Tgetattr name file times 1 hold");
  const auto stat = [&] {
    struct stat found {};
    return outcome(::lstat((mount.path() / "file").c_str(), &found));
  };
  expect(GetParam().ordinary, process(stat), mount);
}

TEST_P(OneSignal, InARename) {
  Fuse9p& mount = mount_holding("on Trenameat hold");
  // Not in the root: its directory is the kernel's to lock meanwhile.
  const fs::path directory = mount.path() / "dir";
  const auto rename = [&] {
    return outcome(::rename((directory / "name").c_str(), (directory / "new").c_str()));
  };
  expect(GetParam().ordinary, process(rename), mount);
}

INSTANTIATE_TEST_SUITE_P(, OneSignal, testing::ValuesIn(kDispositions),
                         [](const auto& of) { return std::string(of.param.name); });

// ---- a real server that stands still

class StoppedServer : public OneSignal {};

TEST_P(StoppedServer, KeepsNobody) {
  ASSERT_EQ(shell("echo text > file", exported()).status, kSuccess);
  Diod diod(scratch(), exported(), Diod::Listen::unix_socket);
  Fuse9p& mounted = mount({.source = diod.source(),
                           .options = {"aname=" + exported().string(), kLongGrace, kShortFlush},
                           .run = Fuse9p::Run::foreground});
  await_idle(mounted);
  diod.process().signal(SIGSTOP);
  Process caller =
      process([&] { return outcome(::truncate((mounted.path() / "file").c_str(), 0)); });
  await_counters(mounted, [](const Counters& now) { return now["outstanding"] == 1; });
  caller.signal(GetParam().signal);
  if (GetParam().ordinary == Fate::killed) {
    EXPECT_EQ(caller.wait(), Status{.signal = GetParam().signal});
    diod.process().signal(SIGCONT);
  } else {
    diod.process().signal(SIGCONT);
    EXPECT_EQ(caller.wait(), kSuccess);
  }
  await_idle(mounted);
  EXPECT_EQ(shell("echo more > new; cat new", mounted.path()).output, "more\n");
}

INSTANTIATE_TEST_SUITE_P(, StoppedServer, testing::ValuesIn(kDispositions),
                         [](const auto& of) { return std::string(of.param.name); });

// ---- work under a hail of signals

std::atomic<int> ticks = 0;

void count_tick(int) {
  ++ticks;
}

void count_ticks_of(int signal) {
  struct sigaction action {};
  action.sa_handler = count_tick;
  ::sigaction(signal, &action, nullptr);
}

/// SIGALRM at 1 kHz.
void start_timer() {
  count_ticks_of(SIGALRM);
  const itimerval every{.it_interval = {.tv_sec = 0, .tv_usec = 1000},
                        .it_value = {.tv_sec = 0, .tv_usec = 1000}};
  ::setitimer(ITIMER_REAL, &every, nullptr);
}

/// A child that ends at once, again and again; its SIGCHLD go to the main thread.
void breed(const std::stop_token& end) {
  sigset_t blocked;
  ::sigfillset(&blocked);
  ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  while (!end.stop_requested()) {
    const pid_t child = ::fork();
    if (child == 0)
      ::_exit(0);
    ::waitpid(child, nullptr, 0);
  }
}

constexpr int kNoSignals = 12;

/// 0, or the exit code for the first call that failed.
int copy_bytes(const fs::path& from, const fs::path& to) {
  const OwnedFd in(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  const OwnedFd out(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (in.get() < 0 || out.get() < 0)
    return outcome(-1);
  std::vector<char> buffer(std::size_t{1} << 20);
  for (;;) {
    const ssize_t size = ::read(in.get(), buffer.data(), buffer.size());
    if (size <= 0)
      return size < 0 ? outcome(size) : outcome(::fsync(out.get()));
    for (ssize_t done = 0; done < size;) {
      const ssize_t written =
          ::write(out.get(), buffer.data() + done, static_cast<std::size_t>(size - done));
      if (written <= 0)
        return outcome(written < 0 ? written : -1);
      done += written;
    }
  }
}

/// So that the next read asks the server.
void drop_pages(const fs::path& file) {
  const OwnedFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
}

/// What programs do with names and metadata; 0, or the exit code for the first call that failed.
int use_names(const fs::path& root, int turn) {
  const std::string name = (root / ("file" + std::to_string(turn))).string();
  const std::string renamed = name + ".new";
  struct stat found {};
  const OwnedFd fd(::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  char bytes[5];
  const bool done = fd.get() >= 0 && ::write(fd.get(), "hello", 5) == 5 &&
                    ::fstat(fd.get(), &found) == 0 &&
                    ::rename(name.c_str(), renamed.c_str()) == 0 &&
                    ::stat(renamed.c_str(), &found) == 0 && found.st_size == 5 &&
                    ::chmod(renamed.c_str(), 0600) == 0 && ::pread(fd.get(), bytes, 5, 0) == 5 &&
                    ::ftruncate(fd.get(), 1) == 0 && ::mkdir(name.c_str(), 0755) == 0 &&
                    ::rmdir(name.c_str()) == 0 && ::unlink(renamed.c_str()) == 0;
  return done ? 0 : outcome(-1);
}

class Hail : public MountTest {
 protected:
  /// The grace is long: however busy the machine is, no signal is to end these calls.
  Fuse9p& mount_patient(std::vector<std::string> options = {}) {
    options.push_back(kLongGrace);
    return mount_diod(std::move(options), Fuse9p::Run::foreground);
  }
  static std::size_t copy_mib() {
    const char* given = std::getenv("FUSE9P_COPY_MIB");
    return given != nullptr ? std::strtoul(given, nullptr, 10) : 128;
  }
  static void expect_undisturbed(Fuse9p& mount) {
    const Counters now = await_idle(mount);
    EXPECT_EQ(now["flushes"], 0);
  }
};

class HailOnACopy : public Hail, public testing::WithParamInterface<const char*> {};

TEST_P(HailOnACopy, DoesNotChangeAByte) {
  const fs::path original = scratch() / "original";
  const fs::path back = scratch() / "back";
  {
    std::ofstream out(original, std::ios::binary);
    constexpr std::size_t kMiB = std::size_t{1} << 20;
    for (std::size_t i = 0; i < copy_mib(); ++i)
      out << pattern(kMiB, i * kMiB);
  }
  Fuse9p& mount = mount_patient({GetParam()});
  Process process([&] {
    start_timer();
    if (const int failure = copy_bytes(original, mount.path() / "file"))
      return failure;
    drop_pages(mount.path() / "file");
    if (const int failure = copy_bytes(mount.path() / "file", back))
      return failure;
    return ticks == 0 ? kNoSignals : 0;
  });
  EXPECT_EQ(process.wait_for(20 * patience()), kSuccess);
  const auto same_as_original = [&](const fs::path& file) {
    return run({.arguments = {"cmp", original, file}}).output;
  };
  EXPECT_EQ(same_as_original(exported() / "file"), "");
  EXPECT_EQ(same_as_original(back), "");
  expect_undisturbed(mount);
}

INSTANTIATE_TEST_SUITE_P(, HailOnACopy, testing::Values("actimeo=1", "directio"),
                         [](const auto& of) {
                           return of.param == std::string("directio") ? "Direct" : "Cached";
                         });

TEST_F(Hail, OfATimerDoesNotEndCallsOnNames) {
  Fuse9p& mount = mount_patient();
  Process process([&] {
    start_timer();
    for (int turn = 0; ticks < 2000; ++turn) {
      if (const int failure = use_names(mount.path(), turn))
        return failure;
    }
    return 0;
  });
  EXPECT_EQ(process.wait(), kSuccess);
  expect_undisturbed(mount);
}

TEST_F(Hail, OfDyingChildrenDoesNotEndCallsOnNames) {
  Fuse9p& mount = mount_patient();
  Process process([&] {
    count_ticks_of(SIGCHLD);
    const std::jthread breeder(breed);
    for (int turn = 0; ticks < 500; ++turn) {
      if (const int failure = use_names(mount.path(), turn))
        return failure;
    }
    return 0;
  });
  EXPECT_EQ(process.wait(), kSuccess);
  expect_undisturbed(mount);
}

TEST_F(Hail, LeavesProgramsAlone) {
  // A shell that is sent as many signals as fit, beside its own SIGCHLD, and handles them.
  Fuse9p& mount = mount_patient();
  const Finished finished = shell(R"sh(
      trap : USR1 CHLD
      (while kill -USR1 $$ 2>/dev/null; do :; done) &
      for i in 1 2 3 4 5 6 7 8 9 10; do
        mkdir d$i
        for j in 1 2 3; do echo text > d$i/$j; done
        test "$(cat d$i/1 d$i/2 d$i/3 | wc -l)" = 3
        mv d$i e$i
        rm -r e$i
      done
      kill $!
      wait $! || true)sh",
                                  mount.path());
  EXPECT_EQ(finished.status, kSuccess) << finished.output;
  expect_undisturbed(mount);
}

}  // namespace
}  // namespace fuse9p::test
