// SPDX-License-Identifier: MIT
// HiddenName: what a file is called that has lost its last name while a program has it open (see
// hidden_links.hpp). Each name says who gave it, so that what a dead mount has left behind can be
// told from what is in use. Pure but for the questions who we are and whether a process lives.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace fuse9p::fs {

/// All of them begin so, and so does the directory at the export's root in which most are. No
/// program is shown such a name, or may give one.
inline constexpr std::string_view kHiddenPrefix = ".fuse9p-unlinked";

inline bool is_hidden_name(std::string_view name) {
  return name.starts_with(kHiddenPrefix);
}

/// A running fuse9p, among all that may use one export.
struct HiddenNameGiver {
  std::uint32_t machine = 0;  ///< a hash of what does not change when it boots
  std::uint32_t boot = 0;
  std::uint64_t pid_namespace = 0;
  std::int64_t pid = 0;
  std::uint64_t started = 0;  ///< as /proc/PID/stat has it

  static HiddenNameGiver self();
  bool operator==(const HiddenNameGiver&) const = default;
};

class HiddenNames {
 public:
  /// Nobody else can guess them: who may pass through their directory, but not list it, does not
  /// get at the files.
  HiddenNames();
  std::string next();

 private:
  std::string prefix_;
  std::uint64_t last_ = 0;
};

/// Of another machine, whose mounts can't be asked, a name is left alone for so long since its
/// file's last change. When the file is in use all the same it can still be read and written.
inline constexpr std::chrono::hours kForeignNamesLast{7 * 24};

/// Does nobody need the file of that name any more? `unchanged_for`: since its ctime. False for
/// what is not such a name.
bool is_leftover(std::string_view name, std::chrono::seconds unchanged_for,
                 const HiddenNameGiver& self);

}  // namespace fuse9p::fs
