// SPDX-License-Identifier: MIT
#include "tests/support/scratch.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

namespace fuse9p::test {

namespace fs = std::filesystem;

namespace {

Scratch* current = nullptr;

/// Less than ctest's TIMEOUT, so that the janitor gets there first. In seconds.
int time_limit() {
  const char* given = std::getenv("FUSE9P_TEST_TIME_LIMIT");
  return given != nullptr ? std::atoi(given) : 240;
}

/// The kernel writes blanks and backslashes as three octal digits behind a backslash.
std::string unescaped(const std::string& field) {
  std::string text;
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (field[i] == '\\' && i + 3 < field.size()) {
      text += static_cast<char>(std::stoi(field.substr(i + 1, 3), nullptr, 8));
      i += 3;
    } else {
      text += field[i];
    }
  }
  return text;
}

/// Mount points at or below `path`, the innermost first.
std::vector<std::string> mount_points(const fs::path& path) {
  std::vector<std::string> found;
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string id, parent, device, root, point;
    fields >> id >> parent >> device >> root >> point;
    point = unescaped(point);
    if (point == path || point.starts_with(path.string() + "/"))
      found.push_back(point);
  }
  std::ranges::reverse(found);
  return found;
}

void clear_up(const fs::path& path) {
  std::error_code ignored;
  for (const auto& pid : fs::directory_iterator(path / "pids", ignored))
    ::kill(std::atoi(pid.path().filename().c_str()), SIGKILL);
  for (const std::string& point : mount_points(path))
    ::umount2(point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
}

void remove_directory(const fs::path& path) {
  std::error_code ignored;
  if (mount_points(path).empty())
    fs::remove_all(path, ignored);
}

[[noreturn]] void be_janitor(const fs::path& path, int from_test) {
  ::setsid();
  // Nothing of the test's may stay open: its runner waits for the end of its output.
  if (from_test != 3)
    ::dup2(from_test, 3);
  ::close_range(4, ~0U, 0);
  const int null = ::open("/dev/null", O_RDWR);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    ::dup2(null, stream);
  pollfd ended{3, POLLIN, 0};
  if (::poll(&ended, 1, time_limit() * 1000) == 0) {
    std::ofstream(path / "overdue") << "the test took too long\n";
    clear_up(path);
    ::poll(&ended, 1, -1);
  }
  clear_up(path);
  remove_directory(path);
  ::_exit(0);
}

}  // namespace

Scratch::Scratch() {
  const char* base = std::getenv("TMPDIR");
  std::string name = fs::path(base != nullptr ? base : "/tmp") / "fuse9p-test.XXXXXX";
  if (::mkdtemp(name.data()) == nullptr)
    throw std::system_error(errno, std::generic_category(), name);
  path_ = fs::canonical(name);
  fs::permissions(path_, fs::perms(0755));
  directory("pids");
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw std::system_error(errno, std::generic_category(), "pipe");
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);  // for the janitor, which must not become ours
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::fork() == 0) {
      ::close(ends[1]);
      be_janitor(path_, ends[0]);
    }
    ::_exit(0);  // the janitor is nobody's child now
  }
  ::waitpid(pid, nullptr, 0);
  ::close(ends[0]);
  alive_ = ends[1];
  // A fuse9p in the background becomes our child, so that we can wait for it.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  current = this;
}

Scratch::~Scratch() {
  current = nullptr;
  clear_up(path_);
  remove_directory(path_);
  ::close(alive_);
}

fs::path Scratch::directory(const std::string& name) const {
  fs::create_directories(path_ / name);
  return path_ / name;
}

bool Scratch::overdue() const {
  return fs::exists(path_ / "overdue");
}

void Scratch::note_process(pid_t pid) {
  if (current != nullptr)
    std::ofstream(current->path_ / "pids" / std::to_string(pid));
}

void Scratch::forget_process(pid_t pid) {
  std::error_code ignored;
  if (current != nullptr)
    fs::remove(current->path_ / "pids" / std::to_string(pid), ignored);
}

bool is_mount_point(const fs::path& path) {
  const auto points = mount_points(path);
  return std::ranges::find(points, path.string()) != points.end();
}

}  // namespace fuse9p::test
