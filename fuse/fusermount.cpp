// SPDX-License-Identifier: MIT
#include "fuse/fusermount.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

namespace fuse9p::fs {
namespace {

constexpr const char* kProgram = "fusermount3";
constexpr const char* kConfiguration = "/etc/fuse.conf";
constexpr const char* kDevice = "/dev/fuse";

std::string read_all(int fd) {
  std::string text;
  std::array<char, 1024> piece{};
  ssize_t size = 0;
  while ((size = ::pread(fd, piece.data(), piece.size(), static_cast<off_t>(text.size()))) > 0)
    text.append(piece.data(), static_cast<std::size_t>(size));
  return text;
}

/// "fusermount3: words" -> "words"; libfuse speaks for it when it can't be run. Nothing if it is
/// somebody else's line.
std::optional<std::string> words_of(const std::string& line) {
  for (const std::string_view name : {"fusermount3: ", "fuse: "}) {
    if (line.starts_with(name))
      return line.substr(name.size());
  }
  return std::nullopt;
}

/// Where it is, as libfuse looks for it.
std::optional<std::string> find_program() {
  const char* path = std::getenv("PATH");
  std::istringstream directories(std::string("/usr/bin:/bin:") + (path != nullptr ? path : ""));
  for (std::string directory; std::getline(directories, directory, ':');) {
    std::string candidate = directory + "/" + kProgram;
    if (::access(candidate.c_str(), X_OK) == 0)
      return candidate;
  }
  return std::nullopt;
}

bool is_setuid_root(const std::string& program) {
  struct stat found {};
  return ::stat(program.c_str(), &found) == 0 && found.st_uid == 0 &&
         (found.st_mode & S_ISUID) != 0;
}

bool others_are_allowed() {
  std::ifstream configuration(kConfiguration);
  for (std::string line; std::getline(configuration, line);) {
    std::istringstream words(line);
    std::string word, more;
    if (words >> word && word == "user_allow_other" && !(words >> more))
      return true;
  }
  return false;
}

/// fusermount3 wants write access, and the ownership where the sticky bit says so, as on /tmp.
bool is_mine(const std::string& mountpoint) {
  struct stat found {};
  return ::stat(mountpoint.c_str(), &found) == 0 && ::access(mountpoint.c_str(), W_OK) == 0 &&
         ((found.st_mode & S_ISVTX) == 0 || found.st_uid == ::getuid());
}

}  // namespace

FusermountWords::FusermountWords()
    : caught_(::memfd_create(kProgram, MFD_CLOEXEC)),
      stderr_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)) {
  if (caught_ >= 0 && stderr_ >= 0)
    ::dup2(caught_, STDERR_FILENO);
}

FusermountWords::~FusermountWords() {
  end();
}

std::string FusermountWords::end() {
  if (stderr_ >= 0) {
    ::dup2(stderr_, STDERR_FILENO);
    ::close(std::exchange(stderr_, -1));
  }
  if (caught_ < 0)
    return {};
  std::istringstream lines(read_all(caught_));
  ::close(std::exchange(caught_, -1));
  std::string words;
  for (std::string line; std::getline(lines, line);) {
    if (const auto said = words_of(line))
      words += (words.empty() ? "" : "; ") + *said;
    else
      std::fprintf(stderr, "%s\n", line.c_str());
  }
  return words;
}

std::string advice_for_users(const std::string& mountpoint, bool allows_others) {
  const auto as_root = [](const std::string& what) { return "; as root: " + what; };
  if (::geteuid() == 0)
    return "; the kernel's log (dmesg) may say more";
  if (::access(kDevice, R_OK | W_OK) != 0 && errno == EACCES)
    return as_root("chmod 666 /dev/fuse");
  const auto program = find_program();
  if (!program)
    return "; ordinary users need fusermount3, which the package fuse3 has";
  if (!is_setuid_root(*program))
    return as_root("chown root " + *program + " && chmod 4755 " + *program);
  if (!is_mine(mountpoint))
    return "; ordinary users can mount on directories of their own only";
  if (allows_others && !others_are_allowed())
    return "; leave allow_other out or, as root, add the line user_allow_other to /etc/fuse.conf";
  return "";
}

bool fusermount_unmount(const std::string& path) {
  std::array<std::string, 6> words{kProgram, "-u", "-z", "-q", "--", path};
  std::array<char*, words.size() + 1> arguments{};
  for (std::size_t i = 0; i < words.size(); ++i)
    arguments[i] = words[i].data();
  pid_t child = 0;
  if (::posix_spawnp(&child, kProgram, nullptr, nullptr, arguments.data(), environ) != 0)
    return false;
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR)
      return false;
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace fuse9p::fs
