// SPDX-License-Identifier: MIT
#include "tests/support/scripted_fixture.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace fuse9p::test {

ScriptedPeer::ScriptedPeer(const Scratch& scratch, const std::vector<std::string>& script)
    : log_(scratch / "server.log") {
  Ends stream = socket_pair();
  Ends control = socket_pair();
  const OwnedFd log(::open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  Command command{
      .arguments = {FUSE9P_SCRIPTED_SERVER, "--control", std::to_string(control.theirs.get())},
      .in = stream.theirs.get(),
      .out = stream.theirs.get(),
      .err = log.get(),
      .inherited = {control.theirs.get()}};
  command.arguments.insert(command.arguments.end(), script.begin(), script.end());
  process_ = Process(command);
  client_end_ = std::move(stream.ours);
  source_ = "fd:" + std::to_string(client_end_.get());
  control_ = std::move(control.ours);
}

std::string ScriptedPeer::ask(const std::string& command) {
  const std::string line = command + '\n';
  if (::send(control_.get(), line.data(), line.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(line.size())) {
    ADD_FAILURE() << "the server is gone: " << log();
    return "0";
  }
  std::string answer;
  while (!answer.ends_with('\n')) {
    pollfd readable{control_.get(), POLLIN, 0};
    char byte = 0;
    if (::poll(&readable, 1, static_cast<int>(patience().count())) != 1 ||
        ::read(control_.get(), &byte, 1) != 1) {
      ADD_FAILURE() << "no answer to \"" << command << "\": " << log();
      return "0";
    }
    answer += byte;
  }
  answer.pop_back();
  return answer;
}

Fuse9p& ScriptedTest::mount_scripted(const std::vector<std::string>& script,
                                     std::vector<std::string> options, Fuse9p::Run run) {
  server_.emplace(scratch(), script);
  Fuse9p& mounted = mount({.source = server_->source(),
                           .options = std::move(options),
                           .run = run,
                           .inherited = {server_->descriptor()}});
  server_->connected();
  return mounted;
}

void ScriptedTest::TearDown() {
  end_mounts();
  if (server_ && server_may_fail_) {
    server_->process() = Process();
  } else if (server_) {
    EXPECT_EQ(server_->process().wait(), kSuccess) << server_->log();
  }
  MountTest::TearDown();
}

}  // namespace fuse9p::test
