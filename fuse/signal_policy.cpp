// SPDX-License-Identifier: MIT
#include "fuse/signal_policy.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace fuse9p::fs {
namespace {

constexpr std::uint64_t kKillBit = std::uint64_t{1} << (SIGKILL - 1);

bool has_kill_bit(std::string_view status, std::string_view key) {
  const std::size_t at = status.find(key);
  if (at == std::string_view::npos)
    return false;
  const char* begin = status.data() + at + key.size();
  std::uint64_t mask = 0;
  std::from_chars(begin, status.data() + status.size(), mask, 16);
  return (mask & kKillBit) != 0;
}

}  // namespace

bool fatal_signal_pending(pid_t thread) {
  if (thread <= 0)
    return false;
  const int fd =
      ::open(("/proc/" + std::to_string(thread) + "/status").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return false;
  char text[4096];
  const ssize_t size = ::read(fd, text, sizeof text);
  ::close(fd);
  if (size <= 0)
    return false;
  const std::string_view status(text, static_cast<std::size_t>(size));
  return has_kill_bit(status, "SigPnd:\t") || has_kill_bit(status, "ShdPnd:\t");
}

}  // namespace fuse9p::fs
