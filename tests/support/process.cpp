// SPDX-License-Identifier: MIT
#include "tests/support/process.hpp"

#include "tests/support/scratch.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace fuse9p::test {

using namespace std::chrono_literals;

namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

Ends connected(const int (&fds)[2], int ours) {
  return {OwnedFd(fds[ours]), OwnedFd(fds[1 - ours])};
}

void redirect(int to, int from) {
  if (from == to)
    ::fcntl(to, F_SETFD, 0);
  else if (::dup2(from, to) < 0)
    ::_exit(126);
}

/// In the child: only what a fork may do.
[[noreturn]] void exec(const Command& command, char* const* arguments, pid_t parent) {
  // Whoever is killed by the test runner takes its children along. (Not fuse9p: it would leave its
  // mount; the janitor of scratch.hpp ends it.)
  if (::getppid() != parent)
    ::_exit(126);
  const int null = ::open("/dev/null", O_RDWR);
  redirect(STDIN_FILENO, command.in < 0 ? null : command.in);
  if (command.out >= 0)
    redirect(STDOUT_FILENO, command.out);
  if (command.err >= 0)
    redirect(STDERR_FILENO, command.err);
  for (const int fd : command.inherited)
    ::fcntl(fd, F_SETFD, 0);
  if (!command.directory.empty() && ::chdir(command.directory.c_str()) != 0)
    ::_exit(126);
  for (const std::string& variable : command.environment)
    ::putenv(const_cast<char*>(variable.c_str()));
  ::execvp(arguments[0], arguments);
  ::_exit(127);
}

Status to_status(int raw) {
  if (WIFEXITED(raw))
    return {.code = WEXITSTATUS(raw)};
  return {.signal = WTERMSIG(raw)};
}

}  // namespace

std::chrono::milliseconds patience() {
  const char* given = std::getenv("FUSE9P_TEST_PATIENCE");
  return std::chrono::seconds(given != nullptr ? std::atoi(given) : 30);
}

bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + patience();
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until)
      return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

// ---- descriptors

OwnedFd& OwnedFd::operator=(OwnedFd&& other) noexcept {
  reset();
  fd_ = std::exchange(other.fd_, -1);
  return *this;
}

void OwnedFd::reset() {
  if (const int fd = std::exchange(fd_, -1); fd >= 0)
    ::close(fd);
}

Ends socket_pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
    fail("socketpair");
  return connected(fds, 0);
}

Ends pipe_from_them() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0)
    fail("pipe");
  return connected(fds, 0);
}

Ends pipe_to_them() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0)
    fail("pipe");
  return connected(fds, 1);
}

// ---- Process

std::ostream& operator<<(std::ostream& out, const Status& status) {
  if (status.signal != 0)
    return out << "killed by SIG" << ::sigabbrev_np(status.signal);
  return out << "exit status " << status.code;
}

Process::Process(const Command& command) {
  std::vector<char*> arguments;
  for (const std::string& argument : command.arguments)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0)
    fail("fork");
  if (pid == 0)
    exec(command, arguments.data(), parent);
  started(pid);
}

Process::Process(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid < 0)
    fail("fork");
  if (pid == 0)
    ::_exit(body());
  started(pid);
}

Process Process::adopt(pid_t pid) {
  Process process;
  process.started(pid);
  return process;
}

Process& Process::operator=(Process&& other) noexcept {
  end();
  pid_ = std::exchange(other.pid_, -1);
  return *this;
}

void Process::started(pid_t pid) {
  pid_ = pid;
  Scratch::note_process(pid);
}

void Process::signal(int number) const {
  if (pid_ > 0)
    ::kill(pid_, number);
}

std::optional<Status> Process::wait_for(std::chrono::milliseconds time) {
  if (pid_ < 0)
    throw std::logic_error("wait for a process that has ended");
  const OwnedFd ended(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  pollfd waiting{ended.get(), POLLIN, 0};
  int ready = 0;
  do
    ready = ::poll(&waiting, 1, static_cast<int>(time.count()));
  while (ready < 0 && errno == EINTR);
  if (ready != 1)
    return std::nullopt;
  int raw = 0;
  if (::waitpid(pid_, &raw, 0) != pid_)
    fail("waitpid");
  Scratch::forget_process(std::exchange(pid_, -1));
  return to_status(raw);
}

Status Process::wait() {
  if (const auto status = wait_for(patience()))
    return *status;
  ADD_FAILURE() << "process " << pid_ << " (state " << process_state(pid_) << ") did not end";
  end();
  return {};
}

void Process::end() {
  if (pid_ < 0)
    return;
  signal(SIGKILL);
  if (!wait_for(patience()))
    Scratch::forget_process(std::exchange(pid_, -1));  // stuck in the kernel
}

// ---- commands

Finished run(Command command) {
  Ends stream = pipe_from_them();
  command.out = command.err = stream.theirs.get();
  Process process(command);
  stream.theirs.reset();
  std::string output;
  const auto until = std::chrono::steady_clock::now() + 20 * patience();
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    pollfd readable{stream.ours.get(), POLLIN, 0};
    if (left < 0ms || ::poll(&readable, 1, static_cast<int>(left.count())) != 1)
      break;
    char bytes[4096];
    const ssize_t size = ::read(stream.ours.get(), bytes, sizeof bytes);
    if (size <= 0)
      break;
    output.append(bytes, static_cast<std::size_t>(size));
  }
  return {process.wait(), std::move(output)};
}

Finished shell(const std::string& script, const std::filesystem::path& directory) {
  return run({.arguments = {"sh", "-ec", script}, .directory = directory.string()});
}

// ---- looking around

namespace {

/// What follows the command's name in /proc/PID/stat: state, ppid, ...
std::string stat_fields(pid_t pid) {
  const std::string text = read_file("/proc/" + std::to_string(pid) + "/stat");
  const auto end = text.rfind(')');
  return end == std::string::npos ? std::string() : text.substr(end + 2);
}

}  // namespace

char process_state(pid_t pid) {
  const std::string fields = stat_fields(pid);
  return fields.empty() ? 'X' : fields.front();
}

std::vector<pid_t> children() {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc())
      continue;
    std::istringstream fields(stat_fields(pid));
    char state = 0;
    pid_t parent = 0;
    if (fields >> state >> parent && parent == ::getpid())
      found.push_back(pid);
  }
  return found;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

Listener listen_on_loopback() {
  constexpr int kBacklog = 5;
  Listener listener{OwnedFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), 0};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const int socket = listener.socket.get();
  if (::bind(socket, generic, size) != 0 || ::listen(socket, kBacklog) != 0 ||
      ::getsockname(socket, generic, &size) != 0)
    fail("a listening socket");
  listener.port = ntohs(address.sin_port);
  return listener;
}

int free_port() {
  return listen_on_loopback().port;
}

}  // namespace fuse9p::test
