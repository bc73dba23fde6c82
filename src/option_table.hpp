// SPDX-License-Identifier: MIT
// The table of options: the one place where an option is named, described and set. Parser, --help
// and the test that holds the manual page against it read this.
#pragma once

#include "src/options.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace fuse9p {

/// What messages and trans= call the kinds of endpoints, by TransportKind.
struct TransportWords {
  std::string_view name;
  std::string_view noun;
  std::string_view source_form;
};
inline constexpr std::array<TransportWords, 6> kTransports{{
    {"tcp", "a TCP address", "HOST or HOST:PORT"},
    {"unix", "a Unix socket", "/PATH or unix:PATH"},
    {"fd", "a pair of descriptors", "fd:N or the options rfdno and wfdno"},
    {"exec", "a command", "exec:COMMAND"},
    {"vsock", "a vsock address", "vsock:CID:PORT"},
    {"dev", "a character device", "dev:PATH"},
}};

/// What a value looks like; fuse9p(5) has the legend.
enum class OptionType : std::uint8_t { flag, uint, size, seconds, text, choice };

struct OptionSpec {
  /// "msize" for -o; "-h, --help" on the command line; a trailing '*' stands for any ending.
  std::string_view name;
  OptionType type;
  /// The placeholder of the value, "" when there is none, in brackets when it may be left out.
  std::string_view argument;
  std::string_view default_text;
  std::string_view help;
  std::string_view group;
  /// Throws UsageError with what was expected ("must be ..."); the caller names the option.
  void (*set)(Options& options, std::string_view value);
};

/// Every option there is, group by group. Static storage.
extern const std::span<const OptionSpec> kOptions;

/// How --help and the manual page write an option: "msize=SIZE", "user[=NAME]", "-o OPTIONS".
[[nodiscard]] std::string option_label(const OptionSpec& option);

/// Is it for the command line, rather than for -o?
[[nodiscard]] inline bool is_program_option(const OptionSpec& option) {
  return option.name.starts_with('-');
}

/// Groups of the command line's own options: always, and when run by mount(8).
inline constexpr std::string_view kProgram = "Program options";
inline constexpr std::string_view kMountHelper =
    "Program options when run as mount.fuse9p by mount(8)";
/// Its value is taken apart by the command line's parser, not by a setter.
inline constexpr std::string_view kOptionList = "-o";

}  // namespace fuse9p
