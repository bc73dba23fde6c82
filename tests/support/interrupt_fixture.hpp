// SPDX-License-Identifier: MIT
// What the tests of signals share: processes that make one call and tell by their exit status how
// it ended, and a server that withholds its answer.
#pragma once

#include "tests/support/counters.hpp"
#include "tests/support/scripted_fixture.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace fuse9p::test {

/// Time-outs that must not be what ends a wait are an hour.
inline const std::string kNoGrace = "interrupt_grace=0";
inline const std::string kLongGrace = "interrupt_grace=3600";
inline const std::string kLongFlush = "flush_timeout=3600";
inline const std::string kShortFlush = "flush_timeout=0.5";

/// Exit codes of the processes that make the calls.
inline constexpr int kOk = 0, kInterrupted = 10, kOtherError = 11;

inline int outcome(long result) {
  if (result >= 0)
    return kOk;
  return errno == EINTR ? kInterrupted : kOtherError;
}

inline void catch_signal(int number, int flags = 0) {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  action.sa_flags = flags;
  ::sigaction(number, &action, nullptr);
}

/// A process in which SIGINT and SIGALRM have handlers.
inline Process caller(const std::function<int()>& call, int flags = 0) {
  return Process([=] {
    catch_signal(SIGINT, flags);
    catch_signal(SIGALRM, flags);
    return call();
  });
}

class InterruptTest : public ScriptedTest {
 protected:
  static Process reader(const std::filesystem::path& file) {
    return caller([=] { return read_once(file); });
  }
  static int read_once(const std::filesystem::path& file) {
    const OwnedFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    char buffer[100];
    const ssize_t size = ::read(fd.get(), buffer, sizeof buffer);
    return size == 0 ? kOtherError : outcome(size);
  }
  /// Sends the signal to a process that waits in the kernel, and returns when the kernel has told
  /// fuse9p: it lets the process sleep on undisturbed, and answers our own call after that.
  static void interrupt(const Process& process, int number, const Fuse9p& mount) {
    process.signal(number);
    EXPECT_TRUE(eventually([&] { return process_state(process.pid()) == 'D'; }));
    struct stat ignored {};
    ::lstat((mount.path() / "no such file").c_str(), &ignored);
  }
  void await_held(int number = 1) {
    ASSERT_EQ(server().ask("await held " + std::to_string(number)), "ok");
  }
  /// What must hold after every one of these tests: the mount serves, and ends at once.
  void expect_serving(Fuse9p& mount) {
    server().ask("forget");
    EXPECT_EQ(read_file(mount.path() / "other"), "still here");
    EXPECT_EQ(mount.unmount(), kSuccess);
  }
  /// Soon nothing is under way, and there are as many fids as the server knows.
  Counters expect_no_leak(Fuse9p& mount) {
    int at_server = 0;
    const Counters last = await_counters(mount, [&](const Counters& now) {
      at_server = std::stoi(server().ask("fids"));
      return is_idle(now) && now["fids"] == at_server;
    });
    EXPECT_EQ(last["fids"], at_server);
    return last;
  }

  const std::vector<std::string> files_ = {"synthetic /stream words that come when they come",
                                           "text /file some text", "text /other still here",
                                           "dir /dir"};
  Fuse9p& mount_with(const std::vector<std::string>& rules, std::vector<std::string> options) {
    std::vector<std::string> script = files_;
    script.insert(script.end(), rules.begin(), rules.end());
    return mount_scripted(script, std::move(options));
  }
};

}  // namespace fuse9p::test
