// SPDX-License-Identifier: MIT
// fusermount3(1), the set-user-id program that mounts and unmounts for ordinary users. libfuse runs
// it, its words go to standard error, and they do not say what can be done. To be used before the
// loop runs: it waits for a child.
#pragma once

#include <string>

namespace fuse9p::fs {

/// Catches what fusermount3 writes to standard error as long as this lives; other lines pass.
class FusermountWords {
 public:
  FusermountWords();
  FusermountWords(const FusermountWords&) = delete;
  FusermountWords& operator=(const FusermountWords&) = delete;
  ~FusermountWords();

  /// Gives standard error back. What fusermount3 said, in one line without its name; may be empty.
  std::string end();

 private:
  int caught_ = -1;
  int stderr_ = -1;
};

/// Why this user could not mount there, and what can be done about it: "; as root, ...", to
/// be put behind the reason. Empty if nothing is known.
std::string advice_for_users(const std::string& mountpoint, bool allows_others);

/// Unmounts lazily what this user has mounted. False if fusermount3 refuses or is missing.
bool fusermount_unmount(const std::string& path);

}  // namespace fuse9p::fs
