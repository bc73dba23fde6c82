// SPDX-License-Identifier: MIT
// Locks of real processes: on one mount, and on two mounts of one tree, as two machines have it.
// With exec:diod each mount has a server of its own on the same files, whose locks are of whole
// files and never wait.

#include "tests/support/interrupt_fixture.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;

const std::string kServer = "locks=server";

struct Range {
  off_t start = 0, length = 0;  ///< length 0: to the end
};

/// fcntl(2) with the lock. 0, or the errno.
int set_lock(int fd, int command, short type, Range range) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = range.start;
  lock.l_len = range.length;
  return ::fcntl(fd, command, &lock) == 0 ? 0 : errno;
}

int open_file(const fs::path& file) {
  return ::open(file.c_str(), O_RDWR | O_CLOEXEC);
}

/// Exit code: 0, or the errno of the lock.
Process locker(const fs::path& file, int command, short type, Range range = {}) {
  return caller([=] {
    const OwnedFd fd(open_file(file));
    return set_lock(fd.get(), command, type, range);
  });
}
Process flocker(const fs::path& file, int operation) {
  return caller([=] {
    const OwnedFd fd(open_file(file));
    return ::flock(fd.get(), operation) == 0 ? 0 : errno;
  });
}

/// Waits until the process waits for its lock.
void await_waiting(const Process& process) {
  const auto waits = [&] {
    std::istringstream syscall(read_file("/proc/" + std::to_string(process.pid()) + "/syscall"));
    long number = -1;
    syscall >> number;
    return number == SYS_fcntl || number == SYS_flock;
  };
  EXPECT_TRUE(eventually(waits)) << "it does not wait";
}

int wait_code(Process process) {
  return process.wait().code;
}

/// A process that takes a lock, and holds it until it is told to go on.
class Holder {
 public:
  using Step = std::function<int(int fd)>;
  static int nothing(int) { return 0; }

  /// `take` gets the file, and `then` is done when it goes on; each returns 0 if all is as it
  /// should be.
  Holder(const fs::path& file, const Step& take, const Step& then = nothing)
      : ready_(pipe_from_them()), go_(pipe_to_them()), process_([&, take, then] {
          const OwnedFd fd(open_file(file));
          if (const int error = take(fd.get()); error != 0)
            return error;
          if (const bool more = pass(); !more)
            return 0;
          if (const int error = then(fd.get()); error != 0)
            return error;
          pass();
          return 0;
        }) {
    ready_.theirs.reset();
    go_.theirs.reset();
    await();
  }
  /// Lets it do what comes next.
  void begin() { tell('g'); }
  /// Waits until it has done what it was to do.
  void await() {
    char byte = 0;
    pollfd readable{.fd = ready_.ours.get(), .events = POLLIN, .revents = 0};
    const int limit = static_cast<int>(patience().count());
    EXPECT_TRUE(::poll(&readable, 1, limit) == 1 && ::read(ready_.ours.get(), &byte, 1) == 1)
        << "it could not";
  }
  void go_on() {
    begin();
    await();
  }
  void end() {
    tell('q');
    EXPECT_EQ(process_.wait(), kSuccess);
  }
  Process& process() { return process_; }

 private:
  /// The child's: it is there; false when it is to end.
  bool pass() const {
    char byte = 'r';
    return ::write(ready_.theirs.get(), &byte, 1) == 1 && ::read(go_.theirs.get(), &byte, 1) == 1 &&
           byte == 'g';
  }
  void tell(char byte) const { EXPECT_EQ(::write(go_.ours.get(), &byte, 1), 1); }

  Ends ready_, go_;
  Process process_;
};

/// 0 if it is as expected; else what it is instead, or 249.
int expected(int value, int found) {
  return found == value ? 0 : found == 0 ? 249 : found;
}

Holder::Step lock(short type, Range range = {}) {
  return [=](int fd) { return set_lock(fd, F_SETLK, type, range); };
}
Holder::Step take_flock(int operation) {
  return [=](int fd) { return ::flock(fd, operation) == 0 ? 0 : errno; };
}

class Locks : public InterruptTest {
 protected:
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);  // of a Holder that failed
    ASSERT_EQ(shell("echo text > file", exported()).status, kSuccess);
  }

  /// One of two machines.
  fs::path machine() { return mount_diod({kServer}).path() / "file"; }
};

// ---- on one machine, where the server's locks would be too coarse

class OneMachine : public Locks, public testing::WithParamInterface<std::string> {
 protected:
  fs::path file() { return mount_diod({GetParam()}).path() / "file"; }
};

TEST_P(OneMachine, HoldsRangesApart) {
  const fs::path path = file();
  Holder first(path, lock(F_WRLCK, {.start = 0, .length = 10}));
  Holder second(path, lock(F_WRLCK, {.start = 10, .length = 10}));
  EXPECT_EQ(wait_code(locker(path, F_SETLK, F_RDLCK, {.start = 9, .length = 1})), EAGAIN);
  EXPECT_EQ(wait_code(locker(path, F_SETLK, F_RDLCK, {.start = 15, .length = 0})), EAGAIN);
  EXPECT_EQ(wait_code(locker(path, F_SETLK, F_WRLCK, {.start = 20, .length = 0})), 0);
  first.end();
  EXPECT_EQ(wait_code(locker(path, F_SETLK, F_WRLCK, {.start = 0, .length = 10})), 0);
  second.end();
}

TEST_P(OneMachine, LetsReadersShare) {
  const fs::path path = file();
  Holder reader(path, lock(F_RDLCK));
  EXPECT_EQ(wait_code(locker(path, F_SETLK, F_RDLCK)), 0);
  EXPECT_EQ(wait_code(locker(path, F_SETLK, F_WRLCK)), EAGAIN);
  EXPECT_EQ(wait_code(flocker(path, LOCK_EX | LOCK_NB)), 0) << "flock(2) is another kind of lock";
  reader.end();
}

TEST_P(OneMachine, GrantsAWaitingLockWhenItIsGivenUp) {
  const fs::path path = file();
  Holder holder(path, lock(F_WRLCK), [](int fd) { return set_lock(fd, F_SETLK, F_UNLCK, {}); });
  Process waiting = locker(path, F_SETLKW, F_WRLCK);
  await_waiting(waiting);
  holder.go_on();
  EXPECT_EQ(waiting.wait(), kSuccess);
  holder.end();
}

TEST_P(OneMachine, EndsTheLocksOfAKilledProcess) {
  const fs::path path = file();
  Holder posix(path, lock(F_WRLCK)), whole(path, take_flock(LOCK_EX));
  for (Holder* holder : {&posix, &whole}) {
    holder->process().signal(SIGKILL);
    EXPECT_EQ(holder->process().wait(), Status{.signal = SIGKILL});
  }
  EXPECT_EQ(wait_code(locker(path, F_SETLKW, F_WRLCK)), 0);
  EXPECT_EQ(wait_code(flocker(path, LOCK_EX)), 0);
}

TEST_P(OneMachine, EndsAProcesssLocksWithItsFirstClose) {
  const fs::path path = file();
  Holder holder(path, lock(F_WRLCK), [&](int) { return ::close(open_file(path)); });
  EXPECT_EQ(wait_code(locker(path, F_SETLK, F_WRLCK)), EAGAIN);
  holder.go_on();
  EXPECT_EQ(wait_code(locker(path, F_SETLK, F_WRLCK)), 0);
  holder.end();
}

TEST_P(OneMachine, EndsAnOpenFilesLocksWithItsLastClose) {
  const fs::path path = file();
  int other = -1;  // the child's
  const auto lock_another = [&](int) {
    other = open_file(path);
    const int error = set_lock(other, F_OFD_SETLK, F_WRLCK, {});
    ::close(::dup(other));
    return error;
  };
  Holder holder(path, lock_another, [&](int) { return ::close(other); });
  EXPECT_EQ(wait_code(locker(path, F_OFD_SETLK, F_RDLCK)), EAGAIN);
  holder.go_on();
  // Not another open file, which might look like the one that has gone.
  EXPECT_TRUE(eventually([&] { return wait_code(locker(path, F_SETLK, F_RDLCK)) == 0; }));
  holder.end();
}

TEST_P(OneMachine, RefusesADeadlock) {
  const fs::path path = file();
  const Range one{.start = 0, .length = 1}, two{.start = 1, .length = 1};
  Holder first(path, lock(F_WRLCK, one),
               [=](int fd) { return expected(EDEADLK, set_lock(fd, F_SETLKW, F_WRLCK, two)); });
  Holder second(path, lock(F_WRLCK, two),
                [=](int fd) { return set_lock(fd, F_SETLKW, F_WRLCK, one); });
  second.begin();
  await_waiting(second.process());
  first.go_on();
  first.end();
  second.await();
  second.end();
}

TEST_P(OneMachine, SaysWhoIsInTheWay) {
  const fs::path path = file();
  Holder holder(path, lock(F_WRLCK, {.start = 5, .length = 10}));
  const OwnedFd fd(open_file(path));
  struct flock found {};
  found.l_type = F_RDLCK;
  ASSERT_EQ(::fcntl(fd.get(), F_GETLK, &found), 0);
  EXPECT_EQ(found.l_type, F_WRLCK);
  EXPECT_EQ(found.l_start, 5);
  EXPECT_EQ(found.l_len, 10);
  EXPECT_EQ(found.l_pid, holder.process().pid());
  holder.end();
  found = {};
  found.l_type = F_WRLCK;
  ASSERT_EQ(::fcntl(fd.get(), F_GETLK, &found), 0);
  EXPECT_EQ(found.l_type, F_UNLCK);
}

TEST_P(OneMachine, ConvertsFlocks) {
  const fs::path path = file();
  Holder first(path, take_flock(LOCK_SH), take_flock(LOCK_EX | LOCK_NB));
  {
    Holder second(path, take_flock(LOCK_SH));
    EXPECT_EQ(wait_code(flocker(path, LOCK_EX | LOCK_NB)), EAGAIN);
    second.end();
  }
  first.go_on();
  EXPECT_EQ(wait_code(flocker(path, LOCK_SH | LOCK_NB)), EAGAIN);
  first.end();
}

TEST_P(OneMachine, LeavesAWaitAtOnceOnASignal) {
  const fs::path path = file();
  Holder holder(path, lock(F_WRLCK)), whole(path, take_flock(LOCK_EX));
  for (const bool posix : {true, false}) {
    Process waiting = posix ? locker(path, F_SETLKW, F_WRLCK) : flocker(path, LOCK_EX);
    await_waiting(waiting);
    waiting.signal(SIGINT);
    EXPECT_EQ(waiting.wait().code, EINTR);
    Process killed = posix ? locker(path, F_SETLKW, F_WRLCK) : flocker(path, LOCK_EX);
    await_waiting(killed);
    killed.signal(SIGKILL);
    EXPECT_EQ(killed.wait(), Status{.signal = SIGKILL});
  }
  holder.end();
  whole.end();
  EXPECT_EQ(wait_code(locker(path, F_SETLK, F_WRLCK)), 0);
}

TEST_P(OneMachine, LocksAFileWhoseNameIsGone) {
  const fs::path path = file();
  const OwnedFd fd(open_file(path));
  const OwnedFd other(open_file(path));
  ASSERT_TRUE(fs::remove(path));
  EXPECT_EQ(::flock(fd.get(), LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(::flock(other.get(), LOCK_SH | LOCK_NB), -1);
  EXPECT_EQ(errno, EWOULDBLOCK);
}

INSTANTIATE_TEST_SUITE_P(, OneMachine, testing::Values("locks=local", kServer),
                         [](const auto& of) { return of.param.substr(of.param.find('=') + 1); });

// ---- on two machines

TEST_F(Locks, HoldBetweenMachines) {
  const fs::path here = machine(), there = machine();
  Holder holder(here, lock(F_WRLCK, {.start = 0, .length = 1}));
  EXPECT_EQ(wait_code(locker(there, F_SETLK, F_RDLCK)), EAGAIN);
  EXPECT_EQ(wait_code(flocker(there, LOCK_SH | LOCK_NB)), EAGAIN);
  holder.end();
  EXPECT_EQ(wait_code(locker(there, F_SETLK, F_WRLCK)), 0);
  EXPECT_EQ(wait_code(locker(here, F_SETLK, F_WRLCK)), 0);
}

TEST_F(Locks, AreSharedBetweenMachines) {
  const fs::path here = machine(), there = machine();
  Holder reader(here, lock(F_RDLCK)), other(there, take_flock(LOCK_SH));
  EXPECT_EQ(wait_code(locker(there, F_SETLK, F_WRLCK)), EAGAIN);
  EXPECT_EQ(wait_code(locker(here, F_SETLK, F_RDLCK)), 0);
  EXPECT_EQ(wait_code(locker(there, F_SETLK, F_RDLCK)), 0);
  reader.end();
  EXPECT_EQ(wait_code(flocker(here, LOCK_EX | LOCK_NB)), EAGAIN);
  other.end();
  // The kernel tells of the end of an open file in its own time: flocks end a moment behind it.
  EXPECT_EQ(wait_code(flocker(here, LOCK_EX)), 0);
}

/// A read lock that could not become a write lock is a read lock still.
TEST_F(Locks, SurviveAFailedUpgrade) {
  const fs::path here = machine(), there = machine();
  Holder reader(here, lock(F_RDLCK),
                [](int fd) { return expected(EAGAIN, set_lock(fd, F_SETLK, F_WRLCK, {})); });
  Holder other(there, lock(F_RDLCK));
  reader.go_on();
  other.end();
  EXPECT_EQ(wait_code(locker(there, F_SETLK, F_WRLCK)), EAGAIN);
  reader.end();
  EXPECT_EQ(wait_code(locker(there, F_SETLK, F_WRLCK)), 0);
}

TEST_F(Locks, BecomeWeakerForOthers) {
  const fs::path here = machine(), there = machine();
  Holder holder(here, lock(F_WRLCK), lock(F_RDLCK));
  EXPECT_EQ(wait_code(locker(there, F_SETLK, F_RDLCK)), EAGAIN);
  holder.go_on();
  EXPECT_EQ(wait_code(locker(there, F_SETLK, F_RDLCK)), 0);
  EXPECT_EQ(wait_code(locker(there, F_SETLK, F_WRLCK)), EAGAIN);
  holder.end();
}

TEST_F(Locks, AreWaitedForBetweenMachines) {
  const fs::path here = machine(), there = machine();
  Holder holder(here, lock(F_WRLCK));
  Process waiting = locker(there, F_SETLKW, F_WRLCK), whole = flocker(there, LOCK_EX);
  for (const Process* process : {&waiting, &whole})
    await_waiting(*process);
  holder.end();
  EXPECT_EQ(waiting.wait(), kSuccess);
  EXPECT_EQ(whole.wait(), kSuccess);
}

TEST_F(Locks, AreGivenUpByTheWayOnASignal) {
  const fs::path here = machine(), there = machine();
  Holder holder(here, lock(F_WRLCK));
  Process waiting = locker(there, F_SETLKW, F_WRLCK), killed = locker(there, F_SETLKW, F_RDLCK);
  for (const Process* process : {&waiting, &killed})
    await_waiting(*process);
  waiting.signal(SIGINT);
  EXPECT_EQ(waiting.wait().code, EINTR);
  killed.signal(SIGKILL);
  EXPECT_EQ(killed.wait(), Status{.signal = SIGKILL});
  holder.end();
  EXPECT_EQ(wait_code(locker(here, F_SETLK, F_WRLCK)), 0) << "one of them has it";
}

TEST_F(Locks, AreSeenBetweenMachines) {
  const fs::path here = machine(), there = machine();
  Holder holder(here, lock(F_WRLCK));
  const OwnedFd fd(open_file(there));
  struct flock found {};
  found.l_type = F_RDLCK;
  ASSERT_EQ(::fcntl(fd.get(), F_GETLK, &found), 0);
  EXPECT_EQ(found.l_type, F_WRLCK);
  EXPECT_EQ(wait_code(locker(there, F_SETLK, F_RDLCK)), EAGAIN) << "to look has cost the lock";
  holder.end();
}

/// However long attributes are taken for true, a lock asks.
TEST_F(Locks, ShowWhatAnotherMachineHasWritten) {
  const std::vector<std::string> options{kServer, "actimeo=3600"};
  const fs::path here = mount_diod(options).path() / "file";
  const fs::path there = mount_diod(options).path() / "file";
  const auto read = [](int fd) {
    char text[5]{};
    return ::pread(fd, text, 4, 0) == 4 ? std::string(text) : std::string("nothing");
  };
  const OwnedFd writer(open_file(here)), reader(open_file(there));
  EXPECT_EQ(read(reader.get()), "text");
  ASSERT_EQ(set_lock(writer.get(), F_SETLK, F_WRLCK, {}), 0);
  EXPECT_EQ(::pwrite(writer.get(), "news", 4, 0), 4);
  ASSERT_EQ(set_lock(writer.get(), F_SETLK, F_UNLCK, {}), 0);
  ASSERT_EQ(set_lock(reader.get(), F_SETLK, F_RDLCK, {}), 0);
  EXPECT_EQ(read(reader.get()), "news");
}

/// What was written under a lock is read under the next one.
TEST_F(Locks, OrderReadsBehindWrites) {
  const fs::path here = machine(), there = machine();
  const auto increment = [](const fs::path& file) {
    return caller([=] {
      const OwnedFd fd(open_file(file));
      for (int i = 0; i < 100; ++i) {
        long number = 0;
        if (set_lock(fd.get(), F_SETLKW, F_WRLCK, {}) != 0 ||
            ::pread(fd.get(), &number, sizeof number, 0) != sizeof number)
          return 1;
        ++number;
        if (::pwrite(fd.get(), &number, sizeof number, 0) != sizeof number ||
            set_lock(fd.get(), F_SETLK, F_UNLCK, {}) != 0)
          return 2;
      }
      return 0;
    });
  };
  const std::string zero(sizeof(long), '\0');
  std::ofstream(exported() / "file", std::ios::binary | std::ios::trunc) << zero;
  Process one = increment(here), two = increment(there), three = increment(here);
  for (Process* process : {&one, &two, &three})
    EXPECT_EQ(process->wait(), kSuccess);
  long number = 0;
  const std::string bytes = read_file(exported() / "file");
  ASSERT_EQ(bytes.size(), sizeof number);
  std::memcpy(&number, bytes.data(), sizeof number);
  EXPECT_EQ(number, 300);
}

}  // namespace
}  // namespace fuse9p::test
