// SPDX-License-Identifier: MIT
#include "fuse/hidden_name.hpp"

#include <boost/algorithm/string/classification.hpp>
#include <boost/algorithm/string/split.hpp>
#include <boost/crc.hpp>
#include <fmt/format.h>

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>
#include <vector>

namespace fuse9p::fs {
namespace {

/// Two hashes, two numbers, the moment of the start; behind them, secret and counter.
constexpr std::string_view kSeparator = ".";
constexpr std::size_t kFields = 7;

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::uint32_t hash(std::string_view text) {
  boost::crc_32_type crc;
  crc.process_bytes(text.data(), text.size());
  return crc.checksum();
}

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

/// When it was started, by the kernel's clock; 0 if it has ended and nobody has asked yet how, none
/// if all that is not ours to see.
std::optional<std::uint64_t> start_of(std::int64_t pid) {
  constexpr int kBehindTheName = 20;  // field 22, counted from the state
  const std::string line = first_line(fmt::format("/proc/{}/stat", pid));
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos || name_end + 2 > line.size())
    return std::nullopt;
  std::vector<std::string> fields;
  const std::string rest = line.substr(name_end + 2);
  boost::algorithm::split(fields, rest, boost::algorithm::is_any_of(" "));
  std::uint64_t started = 0;
  if (fields.size() < kBehindTheName)
    return std::nullopt;
  if (fields.front() == "Z")
    return 0;
  const std::string& field = fields[kBehindTheName - 1];
  std::from_chars(field.data(), field.data() + field.size(), started);
  return started;
}

bool is_running(const HiddenNameGiver& giver) {
  if (::kill(static_cast<pid_t>(giver.pid), 0) != 0 && errno == ESRCH)
    return false;
  const auto started = start_of(giver.pid);
  return !started || *started == giver.started;
}

template <class Number>
bool read_number(std::string_view text, int base, Number& out) {
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, out, base);
  return error == std::errc() && stopped == end;
}

std::optional<HiddenNameGiver> giver_of(std::string_view name) {
  if (!is_hidden_name(name) || !name.substr(kHiddenPrefix.size()).starts_with(kSeparator))
    return std::nullopt;
  const std::string_view rest = name.substr(kHiddenPrefix.size() + kSeparator.size());
  std::vector<std::string> fields;
  boost::algorithm::split(fields, rest, boost::algorithm::is_any_of(kSeparator));
  HiddenNameGiver giver;
  const bool sound = fields.size() == kFields && read_number(fields[0], 16, giver.machine) &&
                     read_number(fields[1], 16, giver.boot) &&
                     read_number(fields[2], 10, giver.pid_namespace) &&
                     read_number(fields[3], 10, giver.pid) && giver.pid > 0 &&
                     read_number(fields[4], 10, giver.started);
  return sound ? std::optional(giver) : std::nullopt;
}

}  // namespace

HiddenNameGiver HiddenNameGiver::self() {
  HiddenNameGiver self;
  self.machine = hash(first_line("/etc/machine-id") + host_name());
  self.boot = hash(first_line("/proc/sys/kernel/random/boot_id"));
  struct stat pid_namespace {};
  if (::stat("/proc/self/ns/pid", &pid_namespace) == 0)
    self.pid_namespace = pid_namespace.st_ino;
  self.pid = ::getpid();
  self.started = start_of(self.pid).value_or(0);
  return self;
}

HiddenNames::HiddenNames() {
  const auto self = HiddenNameGiver::self();
  std::random_device random;
  const std::uint64_t secret = (std::uint64_t{random()} << 32) | random();
  prefix_ = fmt::format("{}.{:08x}.{:08x}.{}.{}.{}.{:016x}", kHiddenPrefix, self.machine, self.boot,
                        self.pid_namespace, self.pid, self.started, secret);
}

std::string HiddenNames::next() {
  return fmt::format("{}.{}", prefix_, ++last_);
}

bool is_leftover(std::string_view name, std::chrono::seconds unchanged_for,
                 const HiddenNameGiver& self) {
  const auto giver = giver_of(name);
  if (!giver || *giver == self)
    return false;
  if (giver->machine == self.machine && giver->boot != self.boot)
    return true;
  if (giver->machine == self.machine && giver->pid_namespace == self.pid_namespace)
    return !is_running(*giver);
  return unchanged_for > kForeignNamesLast;
}

}  // namespace fuse9p::fs
