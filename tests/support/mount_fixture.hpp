// SPDX-License-Identifier: MIT
// What the tests on a real mount share: servers, fuse9p itself, and the checks that belong to every
// one of them: it ends with status 0 when it is unmounted, leaves no process and no mount behind,
// and no sanitizer had anything to say.
//
//     class MyTest : public MountTest {};
//     TEST_F(MyTest, FilesCanBeWritten) {
//       const Fuse9p& mount = mount_diod();
//       ... mount.path() / "file" ...
//     }
#pragma once

#include "tests/support/process.hpp"
#include "tests/support/scratch.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <filesystem>
#include <string>
#include <vector>

namespace fuse9p::test {

/// A diod that exports one directory.
class Diod {
 public:
  enum class Listen { exec, unix_socket, tcp4, tcp6 };
  /// The environment is NAME=VALUE each, without blanks.
  Diod(const Scratch& scratch, const std::filesystem::path& exported, Listen listen,
       const std::vector<std::string>& environment = {});

  /// What fuse9p mounts. With Listen::exec each mount has a diod of its own.
  const std::string& source() const { return source_; }
  /// Of TCP. tcp6 serves one connection only.
  int port() const { return port_; }
  /// The server, if it is not fuse9p's child.
  Process& process() { return process_; }

 private:
  void accept_one(const std::filesystem::path& exported);

  std::string source_, address_;
  int port_ = 0;
  Process process_;
};

/// One run of fuse9p.
class Fuse9p {
 public:
  enum class Run { background, foreground };
  struct Settings {
    std::string source;
    std::vector<std::string> options{};  ///< each for an -o
    Run run = Run::background;
    std::vector<std::string> arguments{};  ///< others, such as -d
    std::vector<int> inherited{};          ///< descriptors that it gets
    std::filesystem::path mountpoint{};    ///< default: a new directory
  };

  /// Mounts, and returns when the mount answers: in the background when the parent has ended, in
  /// the foreground when the log says so. A failure of the test otherwise.
  Fuse9p(const Scratch& scratch, const Settings& settings);
  Fuse9p(Fuse9p&&) = default;

  const std::filesystem::path& path() const { return mountpoint_; }
  bool running() const { return process_.running(); }
  Process& process() { return process_; }
  /// Its standard error: all of the log in the foreground, in the background until the mount is up.
  std::string log() const;
  /// Waits until the log has that text; a failure of the test if it never does.
  void wait_for_log(const std::string& text) const;
  /// Lines of the log that contain the text.
  std::vector<std::string> log_lines(const std::string& text) const;

  /// umount(2), then the end of the process, whose status is returned.
  Status unmount();

 private:
  std::filesystem::path mountpoint_, log_;
  Process process_;
};

/// The command line that Fuse9p runs, for tests of what goes wrong.
Command fuse9p_command(const Scratch& scratch, const Fuse9p::Settings& settings);

class MountTest : public ::testing::Test {
 protected:
  /// Ends all that is still mounted and checks what every test has in common.
  void TearDown() override;

  /// Unmounts what is still mounted.
  void end_mounts();
  void expect_no_children();

  Scratch& scratch() { return scratch_; }
  /// The directory that mount_diod() exports.
  const std::filesystem::path& exported() const { return exported_; }
  Fuse9p& mount(const Fuse9p::Settings& settings);
  /// A diod of its own on exported().
  Fuse9p& mount_diod(std::vector<std::string> options = {},
                     Fuse9p::Run run = Fuse9p::Run::background);

 private:
  void expect_clean_end(Fuse9p& mount);
  void expect_no_sanitizer_report();

  Scratch scratch_;
  std::filesystem::path exported_ = scratch_.directory("export");
  std::deque<Fuse9p> mounts_;
};

}  // namespace fuse9p::test
