// SPDX-License-Identifier: MIT
// AbsentXattrs: which extended attributes a file is known not to have. Only those that are asked
// for again and again and that most files lack: the kernel looks for capabilities when a file is
// written, ls -l for an ACL and a label of each file.
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace fuse9p::fs {

class AbsentXattrs {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  static constexpr std::array<std::string_view, 4> kNames = {
      "security.capability", "security.selinux", "system.posix_acl_access",
      "system.posix_acl_default"};
  /// Its place among them; none for other names.
  static std::optional<unsigned> index_of(std::string_view name) {
    const auto* found = std::ranges::find(kNames, name);
    return found == kNames.end() ? std::nullopt : std::optional<unsigned>(found - kNames.begin());
  }

  /// What getxattr(2) fails with: ENODATA, EOPNOTSUPP, or 0 if that is not known.
  int error(unsigned index, TimePoint now) const {
    if (now >= until_)
      return 0;
    return has(absent_, index) ? ENODATA : has(unsupported_, index) ? EOPNOTSUPP : 0;
  }

  /// The server has answered `error` to a question that was asked at `mark`. What is known is good
  /// until `until`, as it was at the first of the answers.
  void learn(unsigned index, int error, std::uint32_t mark, TimePoint now, TimePoint until) {
    if (mark != changes_ || (error != ENODATA && error != EOPNOTSUPP))
      return;
    if (now >= until_) {
      absent_ = unsupported_ = 0;
      until_ = until;
    }
    (error == ENODATA ? absent_ : unsupported_) |= static_cast<std::uint8_t>(1U << index);
  }
  /// A moment between changes.
  std::uint32_t mark() const { return changes_; }
  /// They are changing, or have changed: answers to older questions do not count either.
  void changed() {
    ++changes_;
    until_ = {};
  }

 private:
  static bool has(std::uint8_t names, unsigned index) { return ((names >> index) & 1U) != 0; }

  TimePoint until_{};
  std::uint32_t changes_ = 0;
  std::uint8_t absent_ = 0, unsupported_ = 0;
};

}  // namespace fuse9p::fs
