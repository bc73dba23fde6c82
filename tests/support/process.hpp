// SPDX-License-Identifier: MIT
// Child processes for tests: started with exactly the descriptors they are given, waited for with a
// bound, never left behind. What must happen is waited for as long as patience(); a test never
// sleeps.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fuse9p::test {

/// How long something that must happen may take: long, since a busy machine is no failure.
/// FUSE9P_TEST_PATIENCE, in seconds, sets it.
std::chrono::milliseconds patience();

/// Calls `condition` again and again until it holds; false after patience(). Only for what gives no
/// event that one could wait for.
bool eventually(const std::function<bool()>& condition);

/// A descriptor and the duty to close it.
class OwnedFd {
 public:
  OwnedFd() = default;
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept;
  ~OwnedFd() { reset(); }

  int get() const { return fd_; }
  void reset();

 private:
  int fd_ = -1;
};

/// Two connected ends.
struct Ends {
  OwnedFd ours, theirs;
};
Ends socket_pair();
/// A pipe that we read from.
Ends pipe_from_them();
/// A pipe that we write to.
Ends pipe_to_them();

/// How a process ended.
struct Status {
  int code = -1;   ///< of exit(3), or -1
  int signal = 0;  ///< that killed it, or 0
  bool operator==(const Status&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Status& status);
inline constexpr Status kSuccess{.code = 0};

struct Command {
  std::vector<std::string> arguments{};    ///< the first one is the program, looked for in PATH
  std::vector<std::string> environment{};  ///< NAME=value, beside ours
  int in = -1;                             ///< -1: /dev/null
  int out = -1, err = -1;                  ///< -1: ours
  std::string directory{};
  /// Other descriptors that the child gets, under the same number.
  std::vector<int> inherited{};
};

class Process {
 public:
  Process() = default;
  /// Throws std::runtime_error if it can't be started.
  explicit Process(const Command& command);
  /// Runs `body` in a child, which exits with what it returns.
  explicit Process(const std::function<int()>& body);
  /// A child of ours that somebody else started.
  static Process adopt(pid_t pid);
  Process(Process&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Process& operator=(Process&& other) noexcept;
  /// Kills it if it has not ended.
  ~Process() { end(); }

  pid_t pid() const { return pid_; }
  bool running() const { return pid_ > 0; }
  void signal(int number) const;
  /// How it ended; a failure of the test, and its end, if it does not within patience().
  Status wait();
  /// Nothing if it is still running after that time.
  std::optional<Status> wait_for(std::chrono::milliseconds time);

 private:
  void started(pid_t pid);
  void end();

  pid_t pid_ = -1;
};

/// A command that is run to its end.
struct Finished {
  Status status;
  std::string output;  ///< both streams
};
Finished run(Command command);
/// The same for a line of sh.
Finished shell(const std::string& script, const std::filesystem::path& directory = {});

/// The letter of /proc/PID/stat: 'S' waits and can be woken by any signal, 'D' by none or by
/// SIGKILL.
char process_state(pid_t pid);
/// Processes whose parent is this one, zombies too.
std::vector<pid_t> children();

std::string read_file(const std::filesystem::path& path);
/// On 127.0.0.1. Throws std::runtime_error.
struct Listener {
  OwnedFd socket;
  int port;
};
Listener listen_on_loopback();
/// 127.0.0.1's: free a moment ago.
int free_port();

}  // namespace fuse9p::test
