// SPDX-License-Identifier: MIT
// fuse9p as if it were installed, seen by this test alone: in a mount namespace of its own, where
// mount(8) finds mount.fuse9p, every shell finds fuse9p, /etc/fstab and /etc/fuse.conf are the
// test's, and /dev/fuse is open to all users, as distributions have it. The machine keeps its own,
// however the test ends. Needs root.
#pragma once

#include "tests/support/mount_fixture.hpp"

#include <sys/types.h>

#include <deque>
#include <filesystem>
#include <string>
#include <vector>

namespace fuse9p::test {

/// Users who have a name in every Linux, and nothing to lose.
inline constexpr uid_t kNobody = 65534, kDaemon = 1;

class InstalledTest : public MountTest {
 protected:
  using Words = std::vector<std::string>;

  void SetUp() override;
  /// Unmounts all there is, and expects each fuse9p to end by that, with status 0.
  void TearDown() override;

  /// A diod on exported(), until the end of the test.
  const Diod& serve(Diod::Listen listen = Diod::Listen::unix_socket);

  static void write_fstab(const std::string& lines);
  static void write_fuse_conf(const std::string& lines);

  Finished as_root(Words words);
  Finished as_user(uid_t uid, Words words);
  /// A script of sh.
  Finished as_user(uid_t uid, const std::string& script);

  /// A directory that the user owns, for mount points.
  std::filesystem::path home_of(uid_t uid);
  /// What findmnt(8) says of a mount: SOURCE, FSTYPE, OPTIONS; "" if there is none.
  std::string shown(const std::string& column, const std::filesystem::path& mountpoint);
  /// Is that one of its OPTIONS?
  bool has_option(const std::filesystem::path& mountpoint, const std::string& option);
  /// Every fuse9p in the background has been told to end: it does.
  static void expect_daemons_end();
  static std::vector<pid_t> daemons();

 private:
  Finished run_noted(Words words);
  void install();
  void open_device();

  std::deque<Diod> servers_;
  OwnedFd machine_;  ///< the mount namespace of all others
};

}  // namespace fuse9p::test
