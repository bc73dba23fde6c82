// SPDX-License-Identifier: MIT
#include "tests/parity/language.hpp"

#include "tests/support/pattern.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <sstream>
#include <stdexcept>

namespace fuse9p::test::parity {
namespace {

constexpr std::size_t kLongestShown = 64;

const std::map<std::string, int> kOpenFlags = {
    {"O_RDONLY", O_RDONLY},     {"O_WRONLY", O_WRONLY},       {"O_RDWR", O_RDWR},
    {"O_CREAT", O_CREAT},       {"O_EXCL", O_EXCL},           {"O_TRUNC", O_TRUNC},
    {"O_APPEND", O_APPEND},     {"O_DIRECTORY", O_DIRECTORY}, {"O_NOFOLLOW", O_NOFOLLOW},
    {"O_NONBLOCK", O_NONBLOCK}, {"O_SYNC", O_SYNC},           {"O_DSYNC", O_DSYNC},
    {"O_PATH", O_PATH},         {"O_NOATIME", O_NOATIME},     {"O_DIRECT", O_DIRECT},
    {"O_TMPFILE", O_TMPFILE},
};

std::string repeated(const std::string& text, std::size_t times) {
  std::string out;
  out.reserve(text.size() * times);
  for (; times > 0; --times)
    out += text;
  return out;
}

/// Reads one word: `rest` begins behind what has been read.
class WordReader {
 public:
  explicit WordReader(std::string_view word) : rest_(word) {}

  std::string read() {
    std::string out;
    while (!rest_.empty()) {
      const char c = take();
      out += c == '\\' ? escaped() : c == '<' ? group() : std::string(1, c);
    }
    return out;
  }

 private:
  char take() {
    if (rest_.empty())
      throw std::runtime_error("a word ends too early");
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }

  /// Behind a backslash.
  std::string escaped() {
    const char c = take();
    if (c == 'e')
      return {};
    if (c == 's')
      return " ";
    if (c == 'n')
      return "\n";
    if (c != 'x')
      return std::string(1, c);
    const std::string digits{take(), take()};
    return std::string(1, static_cast<char>(std::stoi(digits, nullptr, 16)));
  }

  /// TEXT*N> behind a <.
  std::string group() {
    const auto end = rest_.find('>');
    const auto star = rest_.substr(0, end).rfind('*');
    if (end == std::string_view::npos || star == std::string_view::npos)
      throw std::runtime_error("a < without its *N>");
    const std::string text(rest_.substr(0, star));
    const std::string times(rest_.substr(star + 1, end - star - 1));
    rest_.remove_prefix(end + 1);
    return repeated(text, std::stoul(times));
  }

  std::string_view rest_;
};

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \n");
  if (first == std::string::npos)
    return {};
  return text.substr(first, text.find_last_not_of(" \n") - first + 1);
}

}  // namespace

std::vector<std::string> calls_of(const std::string& script) {
  constexpr std::string_view kSeparator = " ; ";
  std::vector<std::string> calls;
  const auto add = [&](const std::string& text) {
    if (std::string call = trimmed(text); !call.empty())
      calls.push_back(std::move(call));
  };
  std::istringstream lines(script);
  for (std::string line; std::getline(lines, line);) {
    std::size_t from = 0;
    for (std::size_t to = 0; (to = line.find(kSeparator, from)) != std::string::npos;
         from = to + kSeparator.size())
      add(line.substr(from, to - from));
    add(line.substr(from));
  }
  return calls;
}

// ---- Words

Words::Words(const std::string& call) : call_(call) {
  std::istringstream in(call);
  for (std::string word; in >> word;)
    words_.push_back(WordReader(word).read());
}

void Words::refuse(const std::string& why) const {
  throw std::runtime_error("script: " + call_ + ": " + why);
}

const std::string& Words::operator[](std::size_t i) const {
  if (!has(i))
    refuse("needs more words");
  return words_[i];
}

long Words::number(std::size_t i) const {
  return std::stol((*this)[i]);
}

mode_t Words::mode(std::size_t i) const {
  return static_cast<mode_t>(std::stoul((*this)[i], nullptr, 8));
}

timespec Words::time(std::size_t i) const {
  const std::string& word = (*this)[i];
  if (word == "now")
    return {0, UTIME_NOW};
  if (word == "omit")
    return {0, UTIME_OMIT};
  const auto dot = word.find('.');
  return {std::stol(word), dot == std::string::npos ? 0 : std::stol(word.substr(dot + 1))};
}

std::string Words::text(std::size_t i) const {
  const std::string& word = (*this)[i];
  const bool is_pattern = word.size() > 1 && word[0] == '#' && word[1] >= '0' && word[1] <= '9';
  if (!is_pattern)
    return word;
  const auto at = word.find('@');
  return pattern(std::stoul(word.substr(1)),
                 at == std::string::npos ? 0 : std::stoul(word.substr(at + 1)));
}

int Words::flags(std::size_t i, const std::map<std::string, int>& known) const {
  int flags = 0;
  std::istringstream in((*this)[i]);
  for (std::string name; std::getline(in, name, '|');) {
    const auto found = known.find(name);
    if (found == known.end())
      refuse("unknown flag " + name);
    flags |= found->second;
  }
  return flags;
}

int Words::open_flags(std::size_t i) const {
  return flags(i, kOpenFlags);
}

// ---- answers

std::string error_name() {
  const char* name = ::strerrorname_np(errno);
  return name != nullptr ? name : std::to_string(errno);
}

std::string result(long value) {
  return value < 0 ? error_name() : "ok";
}

std::string counted(long value) {
  return value < 0 ? error_name() : std::to_string(value);
}

std::string shown(std::string_view bytes) {
  if (bytes.size() > kLongestShown)
    return std::to_string(bytes.size()) + " bytes, hash " +
           std::to_string(std::hash<std::string_view>()(bytes));
  std::ostringstream out;
  out << '\'';
  for (const char c : bytes) {
    if (c >= ' ' && c <= '~')
      out << c;
    else
      out << "\\x" << std::hex << (static_cast<unsigned>(c) & 0xFF);
  }
  return out.str() + '\'';
}

std::string shown(const struct stat& of) {
  std::ostringstream out;
  out << "mode " << std::oct << of.st_mode << std::dec << " nlink " << of.st_nlink << " uid "
      << of.st_uid << " gid " << of.st_gid << " rdev " << of.st_rdev;
  if (!S_ISDIR(of.st_mode))  // a directory's size is the file system's own business
    out << " size " << of.st_size;
  return out.str();
}

std::string shown(const timespec& time) {
  // The clock's own time is not the same in two places. It counts as one all day long.
  constexpr std::time_t kDay = 24 * 60 * 60;
  if (std::abs(time.tv_sec - std::time(nullptr)) < kDay)
    return "now";
  return std::to_string(time.tv_sec) + '.' + std::to_string(time.tv_nsec);
}

bool is_error(std::string_view answer) {
  const auto is_name = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  return answer.size() > 1 && answer.front() == 'E' && std::ranges::all_of(answer, is_name);
}

}  // namespace fuse9p::test::parity
