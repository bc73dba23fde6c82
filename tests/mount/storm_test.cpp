// SPDX-License-Identifier: MIT
// An interrupt storm: many threads whose reads and lookups are interrupted all the time, and a
// server that answers after delays drawn by lot and honours flushes in every way there is: it
// answers first, drops and says so at once, or late, or answers behind its Rflush, or refuses.
// Every read must bring the right bytes or nothing, and in the end nothing may be left over.
// FUSE9P_STORM_SECONDS sets how long it lasts; FUSE9P_SEED what is drawn.

#include "tests/support/interrupt_fixture.hpp"
#include "tests/support/seed.hpp"

#include <gtest/gtest.h>

#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <iostream>
#include <new>
#include <random>
#include <thread>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kProcesses = 8, kThreads = 8;
constexpr std::size_t kWords = 2000, kWordSize = 7, kReadSize = 10 * kWordSize;

/// "000000 000001 ...": what was read says from where.
std::string words() {
  std::string out;
  for (std::size_t i = 0; i < kWords; ++i) {
    const std::string number = std::to_string(i);
    out += std::string(kWordSize - 1 - number.size(), '0') + number + ' ';
  }
  return out;
}

/// What the callers did, in memory that they share with the test.
struct Tally {
  std::atomic<std::uint64_t> done{0}, interrupted{0}, failed{0}, wrong{0}, signals{0};
  std::atomic<int> last_error{0};
};

class SharedTally {
 public:
  SharedTally()
      : tally_(new (::mmap(nullptr, sizeof(Tally), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Tally) {}
  SharedTally(const SharedTally&) = delete;
  SharedTally& operator=(const SharedTally&) = delete;
  ~SharedTally() { ::munmap(tally_, sizeof(Tally)); }
  Tally& operator*() const { return *tally_; }
  Tally* operator->() const { return tally_; }

 private:
  Tally* tally_;
};

Tally* counted = nullptr;

/// Signals for the calling thread, as long as it lives.
class Timer {
 public:
  Timer(int signal, std::chrono::microseconds every) {
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = signal;
    event._sigev_un._tid = static_cast<pid_t>(::syscall(SYS_gettid));
    ::timer_create(CLOCK_MONOTONIC, &event, &timer_);
    set(every);
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { ::timer_delete(timer_); }
  void set(std::chrono::microseconds every) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(every);
    const timespec interval{.tv_sec = seconds.count(),
                            .tv_nsec = std::chrono::nanoseconds(every - seconds).count()};
    const itimerspec times{.it_interval = interval, .it_value = interval};
    ::timer_settime(timer_, 0, &times, nullptr);
  }

 private:
  timer_t timer_{};
};

class Caller {
 public:
  Caller(fs::path root, const std::string& words, Tally& tally, unsigned seed)
      : root_(std::move(root)), words_(words), tally_(tally), random_(seed) {}

  void run(Clock::time_point end) {
    const std::chrono::microseconds every(1500 + random_() % 1000);
    Timer timer(SIGALRM, every);
    int pace = 0;
    while (Clock::now() < end) {
      look();
      read();
      const int wanted = std::min(fruitless_ / kFruitless, kLongestPace);
      if (wanted != pace)
        timer.set(every * (1 << (pace = wanted)));
    }
  }

 private:
  /// Takes note of how a call ended; true if it is done.
  bool note(long result) {
    if (result >= 0) {
      ++tally_.done;
      fruitless_ = 0;
    } else if (errno == EINTR) {
      ++tally_.interrupted;
      ++fruitless_;
    } else {
      tally_.last_error = errno;
      ++tally_.failed;
    }
    return result >= 0;
  }
  void look() {
    struct stat found {};
    if (note(::lstat((root_ / "file").c_str(), &found)) && found.st_size != 9)
      ++tally_.wrong;
    const OwnedFd opened(::open((root_ / "file").c_str(), O_RDONLY | O_CLOEXEC));
    note(opened.get());
  }
  void read() {
    const OwnedFd fd(::open((root_ / "stream").c_str(), O_RDONLY | O_CLOEXEC));
    if (!note(fd.get()))
      return;
    for (int i = 0; i < 10; ++i) {
      char buffer[kReadSize];
      const std::size_t at = random_() % (kWords * kWordSize - kReadSize);
      const ssize_t size = ::pread(fd.get(), buffer, sizeof buffer, static_cast<off_t>(at));
      if (note(size) && words_.compare(at, kReadSize, buffer, static_cast<std::size_t>(size)) != 0)
        ++tally_.wrong;
    }
  }

  fs::path root_;
  const std::string& words_;
  Tally& tally_;
  std::minstd_rand random_;
  // Calls interrupted one after the other. A program that is slow under a sanitizer would finish
  // nothing between two signals: then these come half as often, and half as often again.
  int fruitless_ = 0;
  static constexpr int kFruitless = 20, kLongestPace = 6;
};

class Storm : public InterruptTest {
 protected:
  static std::chrono::seconds duration() {
    const char* given = std::getenv("FUSE9P_STORM_SECONDS");
    return std::chrono::seconds(given != nullptr ? std::atoi(given) : 5);
  }
  static int call_until(Clock::time_point end, const fs::path& root, Tally& tally, unsigned seed) {
    counted = &tally;
    struct sigaction action {};
    action.sa_handler = [](int) { ++counted->signals; };
    ::sigaction(SIGALRM, &action, nullptr);
    const std::string content = words();
    std::deque<std::jthread> threads;
    for (unsigned i = 0; i < kThreads; ++i)
      threads.emplace_back([&, i] { Caller(root, content, tally, seed + i).run(end); });
    return 0;
  }
  Fuse9p& mount_idle() {
    Fuse9p& mount = mount_scripted(
        {"synthetic /stream " + words(), "text /file some text", "text /other still here"},
        {"actimeo=0", kNoGrace, "flush_timeout=0.1"});
    EXPECT_EQ(read_once(mount.path() / "stream"), kOk);
    EXPECT_EQ(read_file(mount.path() / "file"), "some text");
    return mount;
  }
  void begin(const Fuse9p& mount, Clock::time_point end) {
    const std::uint32_t seed = new_seed();
    ASSERT_EQ(server().ask("seed " + std::to_string(seed)), "ok");
    ASSERT_EQ(server().ask("flush mixed"), "ok");
    // Some are not answered while the storm lasts.
    for (const char* type : {"Tread", "Tlopen", "Twalk"}) {
      for (int i = 1; i <= 15; ++i)
        server().ask(std::string("on ") + type + " nth " + std::to_string(50 * i) + " hold");
    }
    for (const char* rule : {"on Tread wait some 60", "on any wait some 10"})
      ASSERT_EQ(server().ask(rule), "ok");
    for (unsigned i = 0; i < kProcesses; ++i)
      processes_.emplace_back(
          [&, i] { return call_until(end, mount.path(), *tally_, seed + i * kThreads); });
  }

  const SharedTally tally_;
  std::deque<Process> processes_;
};

TEST_F(Storm, LeavesNothingBehind) {
  Fuse9p& mount = mount_idle();
  const Counters before = expect_no_leak(mount);
  begin(mount, Clock::now() + duration());
  for (Process& process : processes_)
    EXPECT_EQ(process.wait_for(duration() + patience()), kSuccess);
  ASSERT_EQ(server().ask("forget"), "ok");
  ASSERT_EQ(server().ask("flush prompt"), "ok");
  ASSERT_EQ(server().ask("release"), "ok");

  EXPECT_EQ(tally_->wrong, 0U);
  EXPECT_EQ(tally_->failed, 0U) << "the last one by " << std::strerror(tally_->last_error);
  EXPECT_GT(tally_->done, 0U);
  const Counters after = expect_no_leak(mount);
  EXPECT_EQ(after["open_files"], 0);
  EXPECT_LE(after["fids"], before["fids"]);
  EXPECT_LE(after["nodes"], before["nodes"]);
  for (const char* some : {"flushes", "honoured", "cancelled", "abandoned", "late"})
    EXPECT_GT(after[some], 0) << some;
  const std::size_t answers = mount.log_lines("{\"mount\":").size();
  EXPECT_EQ(mount.log_lines("").size(), answers + 1) << "more than the mount's line: an error?";
  std::cout << "storm of " << duration().count() << " s: " << tally_->done << " calls done, "
            << tally_->interrupted << " interrupted, " << tally_->signals << " signals; "
            << after["requests"] << " requests, " << after["flushes"] << " flushes, of which "
            << after["honoured"] << " honoured, " << after["cancelled"] << " cancelled; "
            << after["abandoned"] << " abandoned, " << after["late"] << " late, "
            << after["cancelled_unsent"] << " cancelled unsent\n";
  expect_serving(mount);
}

TEST_F(Storm, EndsWithTheConnection) {
  Fuse9p& mount = mount_idle();
  begin(mount, Clock::now() + std::chrono::seconds(2));
  EXPECT_TRUE(eventually([&] { return tally_->interrupted > 1000; }));
  server_ends_early();
  server().process().signal(SIGKILL);
  for (Process& process : processes_)
    EXPECT_EQ(process.wait_for(patience()), kSuccess);
  EXPECT_EQ(tally_->wrong, 0U);
  EXPECT_EQ(tally_->last_error, EIO);
  await_counters(mount, [](const Counters& now) {
    return now["operations"] == 0 && now["outstanding"] == 0 && now["open_files"] == 0;
  });
  EXPECT_EQ(mount.log_lines("connection lost").size(), 1U);
  EXPECT_EQ(mount.unmount(), kSuccess);
}

}  // namespace
}  // namespace fuse9p::test
