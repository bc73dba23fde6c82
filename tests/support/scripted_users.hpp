// SPDX-License-Identifier: MIT
// Users and groups of the scripted server by name and by number: 9P2000 knows names only, 9P2000.L
// numbers only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace fuse9p::test {

class Users {
 public:
  void add(std::string_view name, std::uint32_t number) {
    numbers_.insert_or_assign(std::string(name), number);
  }
  /// A decimal name is its own number.
  std::optional<std::uint32_t> find(std::string_view name) const {
    if (const auto found = numbers_.find(name); found != numbers_.end())
      return found->second;
    const bool decimal =
        !name.empty() && std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
    return decimal ? std::optional(static_cast<std::uint32_t>(std::stoul(std::string(name))))
                   : std::nullopt;
  }
  /// The same, but whoever is not known yet gets a number.
  std::uint32_t number_of(std::string_view name) {
    if (const auto known = find(name))
      return *known;
    add(name, next_);
    return next_++;
  }
  std::string name_of(std::uint32_t number) const {
    const auto found =
        std::ranges::find_if(numbers_, [&](const auto& user) { return user.second == number; });
    return found == numbers_.end() ? std::to_string(number) : found->first;
  }

 private:
  static constexpr std::uint32_t kFirst = 10'000;
  std::map<std::string, std::uint32_t, std::less<>> numbers_ = {{"root", 0}};
  std::uint32_t next_ = kFirst;
};

}  // namespace fuse9p::test
