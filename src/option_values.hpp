// SPDX-License-Identifier: MIT
// Values of options as people write and read them. Pure functions; nothing stands for what can't be
// read as a whole.
#pragma once

#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace fuse9p {

[[nodiscard]] std::string lower_case(std::string_view text);

template <class T>
std::optional<T> parse_whole(std::string_view text, int base = 10) {
  T value{};
  const auto* end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, value, base);
  return failure == std::errc{} && stop == end ? std::optional(value) : std::nullopt;
}

/// As v9fs writes its masks: decimal, or hexadecimal behind 0x.
[[nodiscard]] std::optional<std::uint32_t> parse_mask(std::string_view text);
/// "4096", "64k", "1M", "1G"
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);
/// With a fraction, if need be; finer ones than a millisecond are rounded.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_seconds(std::string_view text);

[[nodiscard]] std::string size_text(std::uint32_t bytes);
/// A whole number of tenths of seconds: finer bounds there are none.
[[nodiscard]] std::string seconds_text(std::chrono::milliseconds time);

/// As libfuse takes its lists apart.
[[nodiscard]] std::string escaped(std::string_view value);

}  // namespace fuse9p
