// SPDX-License-Identifier: MIT
// What both kinds of soak work share: lots are drawn, calls are made and their outcome is judged.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <deque>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace fuse9p::test {

/// Thrown at the first thing that is not as it must be.
struct Wrong : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Bytes whose every 8 say where they belong: a file read at any place can be checked without
/// knowing who wrote it. `writer` is below 256.
inline std::uint64_t placed_word(std::uint64_t index, unsigned writer) {
  std::uint64_t word = (index + 1) * 0x9E3779B97F4A7C15;
  word ^= word >> 29;
  return (word & ~std::uint64_t{0xff}) | (writer & 0xff);
}

class SoakCalls {
 public:
  SoakCalls(std::uint32_t seed, int number)
      : random_(seed * 1000U + static_cast<std::uint32_t>(number)), number_(number) {}

  /// What was done last, oldest first.
  std::string history() const {
    std::string all;
    for (const std::string& line : last_)
      all += line + '\n';
    return all;
  }

 protected:
  std::size_t draw(std::size_t below) { return random_() % below; }
  bool one_in(std::size_t number) { return draw(number) == 0; }
  int number() const { return number_; }

  /// A call that must succeed. Its result.
  long must(long result, const std::string& call) {
    const int error = errno;
    note(call, result < 0 ? error : 0);
    if (result < 0)
      throw Wrong(call + ": " + ::strerrorname_np(error));
    return result;
  }
  /// A call that must fail, with this errno.
  void must_fail(long result, int wanted, const std::string& call) {
    const int error = result < 0 ? errno : 0;
    note(call, error);
    if (error != wanted)
      throw Wrong(call + ": " + name_of(error) + " instead of " + name_of(wanted));
  }
  /// A call that may fail in these ways. Did it succeed?
  bool may(long result, const std::vector<int>& errors, const std::string& call) {
    const int error = result < 0 ? errno : 0;
    note(call, error);
    if (error != 0 && std::ranges::find(errors, error) == errors.end())
      throw Wrong(call + ": " + name_of(error));
    return error == 0;
  }
  void expect(bool condition, const std::string& what) {
    if (!condition)
      throw Wrong(what);
  }

  std::mt19937 random_;

 private:
  static constexpr std::size_t kHistory = 60;

  static std::string name_of(int error) {
    return error == 0 ? "success" : ::strerrorname_np(error);
  }
  void note(const std::string& call, int error) {
    last_.push_back(call + (error == 0 ? "" : ": " + name_of(error)));
    if (last_.size() > kHistory)
      last_.pop_front();
  }

  int number_;
  std::deque<std::string> last_;
};

}  // namespace fuse9p::test
