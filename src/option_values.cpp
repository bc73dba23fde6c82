// SPDX-License-Identifier: MIT
#include "src/option_values.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fuse9p {

using std::chrono::milliseconds;

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return lower;
}

std::optional<std::uint32_t> parse_mask(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X"))
    return parse_whole<std::uint32_t>(text.substr(2), 16);
  return parse_whole<std::uint32_t>(text);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  constexpr std::string_view kSuffixes = "kmg";
  const std::string lower = lower_case(text);
  const auto suffix = lower.empty() ? std::string::npos : kSuffixes.find(lower.back());
  if (suffix == std::string::npos)
    return parse_whole<std::uint64_t>(lower);
  const auto number = parse_whole<std::uint64_t>(lower.substr(0, lower.size() - 1));
  const auto shift = 10 * (suffix + 1);
  if (!number || *number > std::numeric_limits<std::uint64_t>::max() >> shift)
    return std::nullopt;
  return *number << shift;
}

std::optional<milliseconds> parse_seconds(std::string_view text) {
  double seconds = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, seconds, std::chars_format::fixed);
  constexpr double kFarBeyondEveryRange = 1e12;
  if (failure != std::errc{} || stop != end || !(seconds >= 0 && seconds < kFarBeyondEveryRange))
    return std::nullopt;
  return milliseconds(std::llround(seconds * 1000));
}

std::string size_text(std::uint32_t bytes) {
  const bool mega = bytes % (1U << 20) == 0;
  return std::to_string(bytes >> (mega ? 20 : 10)) + (mega ? "M" : "k");
}

std::string seconds_text(milliseconds time) {
  const auto tenths = time.count() / 100;
  const auto fraction = tenths % 10 == 0 ? "" : "." + std::to_string(tenths % 10);
  return std::to_string(tenths / 10) + fraction;
}

std::string escaped(std::string_view value) {
  std::string result;
  for (const char c : value) {
    if (c == ',' || c == '\\')
      result += '\\';
    result += c;
  }
  return result;
}

}  // namespace fuse9p
