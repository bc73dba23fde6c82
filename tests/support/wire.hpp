// SPDX-License-Identifier: MIT
// Frames as a manual prints them: wire("13 00 00 00 64 ff ff '9P2000'").
#pragma once

#include <cctype>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace fuse9p::test {

/// Pairs of hex digits are bytes, text in single quotes stands for itself, space does not count.
/// The vector is as long as the frame, so that a sanitizer sees a read beyond it.
inline std::vector<std::byte> wire(std::string_view text) {
  std::vector<std::byte> bytes;
  for (std::size_t at = 0; at < text.size();) {
    if (std::isspace(static_cast<unsigned char>(text[at]))) {
      ++at;
    } else if (text[at] == '\'') {
      for (++at; text.at(at) != '\''; ++at)
        bytes.push_back(static_cast<std::byte>(text[at]));
      ++at;
    } else {
      std::size_t used = 0;
      bytes.push_back(
          static_cast<std::byte>(std::stoi(std::string(text.substr(at, 2)), &used, 16)));
      if (used != 2)
        throw std::invalid_argument("not a hex byte: " + std::string(text.substr(at)));
      at += 2;
    }
  }
  bytes.shrink_to_fit();
  return bytes;
}

/// The other way, for failure messages and comparisons: "13 00 00 00 64 ...".
template <class Range>
std::string hex(const Range& bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const auto byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    if (!text.empty())
      text += ' ';
    text += kDigits[value >> 4];
    text += kDigits[value & 15];
  }
  return text;
}

}  // namespace fuse9p::test
