// SPDX-License-Identifier: MIT
// Work in directories that many processes and users share, with few names: each call may fail in
// the ways that a local file system could answer with when somebody else was faster, or has other
// rights, and in no other; what is read must have been written by somebody at that very place.
#pragma once

#include "tests/support/soak.hpp"
#include "tests/support/soak_calls.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace fuse9p::test {

class SharedWork : public SoakCalls {
 public:
  /// `root` has been prepared by prepare_soak().
  SharedWork(const SoakSettings& settings, int number)
      : SoakCalls(settings.seed + 1, number), root_(settings.root) {}

  /// One operation. Throws Wrong.
  void step();
  /// How often count() has counted.
  std::uint64_t counted() const { return counted_; }

 private:
  struct Action {
    std::size_t weight;
    void (SharedWork::*perform)();
  };
  static const std::vector<Action> kActions;

  std::string any_name();
  std::string any_directory();
  std::string path(const std::string& name) const { return root_ / name; }
  /// A call with a name, which may also fail since others rename, remove and link what is on the
  /// way, or shut it.
  bool attempt(long result, std::vector<int> errors, const std::string& call);
  /// A descriptor, or -1 where that is all right.
  int open(const std::string& name, int flags);
  void write_to(int fd, const std::string& name);
  void expect_placed(int fd, const std::string& name);

  void create();
  void write();
  void read();
  void truncate();
  void rename();
  void link();
  void unlink();
  void make_directory();
  void remove_directory();
  void make_symlink();
  void read_symlink();
  void look();
  void list();
  void change_mode();
  void lock();
  void count();

  std::filesystem::path root_;
  std::uint64_t counted_ = 0;
};

}  // namespace fuse9p::test
