// SPDX-License-Identifier: MIT
// Scratch: a directory of its own for a test, and a janitor that clears up whatever happens to the
// test: a process of its own, outside the test runner's reach, which wakes up when the test has
// ended (however it ended) or takes too long, kills the processes that the test has left, unmounts
// what is mounted below the directory, and removes it. A test that hangs in a dead mount is thereby
// set free, and fails.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

namespace fuse9p::test {

class Scratch {
 public:
  Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::filesystem::path& name) const { return path_ / name; }
  /// A new directory in it.
  std::filesystem::path directory(const std::string& name) const;
  /// Did the janitor run out of patience?
  bool overdue() const;

  /// For the janitor: this process must not outlive the test. Without a Scratch it does nothing.
  static void note_process(pid_t pid);
  static void forget_process(pid_t pid);

 private:
  std::filesystem::path path_;
  int alive_ = -1;  ///< closed when we end, which wakes the janitor
};

/// Is something mounted on this very directory? Does not touch it.
bool is_mount_point(const std::filesystem::path& path);

}  // namespace fuse9p::test
