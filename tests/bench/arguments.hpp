// SPDX-License-Identifier: MIT
// The command line that bench_load and bench_bare share: words, and --NAME NUMBER in between.
#pragma once

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace fuse9p::bench {

struct Arguments {
  std::vector<std::string> words;
  std::map<std::string, std::uint64_t, std::less<>> numbers;

  Arguments(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
      const std::string_view word = argv[i];
      if (!word.starts_with("--"))
        words.emplace_back(word);
      else if (++i < argc)
        numbers[std::string(word.substr(2))] = whole(argv[i]);
      else
        throw std::runtime_error(std::string(word) + ": needs a number");
    }
  }
  std::uint64_t number(std::string_view name) const {
    const auto found = numbers.find(name);
    if (found == numbers.end())
      throw std::runtime_error("--" + std::string(name) + " is missing");
    return found->second;
  }

  static std::uint64_t whole(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc() || end != text.data() + text.size())
      throw std::runtime_error("\"" + std::string(text) + "\" is no number");
    return value;
  }
};

/// What both programs print, in one line: how long the workload took.
class Stopwatch {
 public:
  void print() const {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin_;
    std::printf("%.6f\n", elapsed.count());
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

/// The file of bulk data, and the many small ones, in the folder of a workload.
inline constexpr const char* kDataFile = "data";
inline std::string file_name(std::size_t number) {
  std::string digits = std::to_string(number);
  return "file" + std::string(digits.size() < 6 ? 6 - digits.size() : 0, '0') + digits;
}

inline constexpr std::uint64_t kSmallRead = 4096;

/// Offsets of random reads: the same ones in every run. xorshift64*.
class RandomPages {
 public:
  RandomPages(std::uint64_t seed, std::uint64_t file_bytes)
      : state_(seed + 1), pages_(file_bytes / kSmallRead) {}
  std::uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return (state_ * 0x2545F4914F6CDD1DULL >> 11) % pages_ * kSmallRead;
  }

 private:
  std::uint64_t state_;
  std::uint64_t pages_;
};

}  // namespace fuse9p::bench
