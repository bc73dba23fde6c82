// SPDX-License-Identifier: MIT
// What the tests of options share: command lines as lists of words, and the errors that they give.
#pragma once

#include "src/options.hpp"
#include "src/usage_error.hpp"

#include <pwd.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace fuse9p::test {

using Words = std::vector<std::string>;

inline Options parse(const Words& words) {
  std::vector<const char*> argv;
  for (const std::string& word : words)
    argv.push_back(word.c_str());
  return parse_command_line(static_cast<int>(argv.size()), argv.data());
}

/// `fuse9p SOURCE /mnt -o LIST`
inline Options parse_list(const std::string& list, const std::string& source = "host") {
  return parse({"fuse9p", source, "/mnt", "-o", list});
}

inline std::string error_of(const Words& words) {
  try {
    parse(words);
    return "no error";
  } catch (const UsageError& error) {
    return error.what();
  }
}

inline std::string list_error(const std::string& list, const std::string& source = "host") {
  return error_of({"fuse9p", source, "/mnt", "-o", list});
}

/// The one form of an error about a value.
inline std::string bad_value(const std::string& item, const std::string& expected) {
  return "option " + item + ": " + expected;
}

inline std::string login_name() {
  const passwd* entry = getpwuid(getuid());
  return entry != nullptr ? entry->pw_name : std::to_string(getuid());
}

}  // namespace fuse9p::test
