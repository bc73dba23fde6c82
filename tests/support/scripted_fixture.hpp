// SPDX-License-Identifier: MIT
// Tests of fuse9p against the scripted server (scripted_server.hpp): the server is a process of its
// own, joined to fuse9p by a socket pair and to the test by another one, through which the test
// commands it and waits for what it has seen. A breach by fuse9p fails the test.
#pragma once

#include "tests/support/mount_fixture.hpp"

#include <optional>
#include <string>
#include <vector>

namespace fuse9p::test {

class ScriptedPeer {
 public:
  /// Throws if the script is wrong.
  ScriptedPeer(const Scratch& scratch, const std::vector<std::string>& script);

  /// Gives a command and returns its answer, which may come late: a failure of the test if it does
  /// not come within patience().
  std::string ask(const std::string& command);
  /// Requests of that type that have come.
  int count(const std::string& type) { return std::stoi(ask("count " + type)); }

  /// What fuse9p is to inherit, and its source for it.
  int descriptor() const { return client_end_.get(); }
  const std::string& source() const { return source_; }
  /// To be called when fuse9p has it: the connection ends with fuse9p then.
  void connected() { client_end_.reset(); }

  Process& process() { return process_; }
  /// What it said: breaches.
  std::string log() const { return read_file(log_); }

 private:
  OwnedFd client_end_, control_;
  std::string source_;
  Process process_;
  std::filesystem::path log_;
};

class ScriptedTest : public MountTest {
 protected:
  /// After the unmount the server must have ended by itself, content with its client.
  void TearDown() override;

  /// Starts the server and mounts it.
  Fuse9p& mount_scripted(const std::vector<std::string>& script,
                         std::vector<std::string> options = {},
                         Fuse9p::Run run = Fuse9p::Run::foreground);
  ScriptedPeer& server() { return *server_; }
  /// The test ends the server itself, or makes it end the connection.
  void server_ends_early() { server_may_fail_ = true; }

 private:
  std::optional<ScriptedPeer> server_;
  bool server_may_fail_ = false;
};

}  // namespace fuse9p::test
