// SPDX-License-Identifier: MIT
#include "tests/support/mount_fixture.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>

namespace fuse9p::test {

namespace fs = std::filesystem;

namespace {

/// The program under test: FUSE9P_PROGRAM in the environment stands for another one.
std::string program() {
  const char* given = std::getenv("FUSE9P_PROGRAM");
  return given != nullptr ? given : FUSE9P_PROGRAM;
}

/// What sanitizers find goes to files of their own: in the background there is no stderr.
std::vector<std::string> sanitizer_environment(const Scratch& scratch) {
  const std::string common = "log_path=" + (scratch / "sanitizer").string() + ":exitcode=86";
  return {"ASAN_OPTIONS=" + common, "UBSAN_OPTIONS=" + common + ":print_stacktrace=1",
          "LSAN_OPTIONS=" + common, "TSAN_OPTIONS=" + common};
}

bool accepts(int family, const sockaddr* address, socklen_t size) {
  const OwnedFd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return ::connect(socket.get(), address, size) == 0;
}

bool accepts(const fs::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  return accepts(AF_UNIX, reinterpret_cast<sockaddr*>(&address), sizeof address);
}

bool accepts(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return accepts(AF_INET, reinterpret_cast<sockaddr*>(&address), sizeof address);
}

}  // namespace

// ---- Diod

Diod::Diod(const Scratch& scratch, const fs::path& exported, Listen listen,
           const std::vector<std::string>& environment) {
  switch (listen) {
    case Listen::exec:
      source_ = environment.empty() ? "exec:" : "exec:env ";
      for (const std::string& variable : environment)
        source_ += variable + ' ';
      source_ += "diod -n -e " + exported.string() + " -r 0 -w 1";
      return;
    case Listen::tcp6:
      accept_one(exported);
      return;
    case Listen::unix_socket:
      address_ = scratch / "diod.sock";
      source_ = "unix:" + address_;
      break;
    case Listen::tcp4:
      port_ = free_port();
      address_ = source_ = "127.0.0.1:" + std::to_string(port_);
      break;
  }
  process_ = Process(Command{
      .arguments = {"diod", "-f", "-n", "-l", address_, "-e", exported.string(), "-L", "stderr"},
      .environment = environment});
  // It says nothing when it is ready.
  const bool ready = eventually(
      [&] { return listen == Listen::tcp4 ? accepts(port_) : accepts(fs::path(address_)); });
  EXPECT_TRUE(ready) << "diod does not listen on " << address_;
}

/// diod 1.0 can't be told to listen on an IPv6 address: we do it, for one connection.
void Diod::accept_one(const fs::path& exported) {
  const OwnedFd listener(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(::bind(listener.get(), generic, size), 0) << std::strerror(errno);
  EXPECT_EQ(::listen(listener.get(), 1), 0);
  EXPECT_EQ(::getsockname(listener.get(), generic, &size), 0);
  port_ = ntohs(address.sin6_port);
  source_ = "[::1]:" + std::to_string(port_);
  process_ = Process([&] {
    const int client = ::accept(listener.get(), nullptr, nullptr);
    ::dup2(client, STDIN_FILENO);
    ::dup2(client, STDOUT_FILENO);
    return ::execlp("diod", "diod", "-f", "-n", "-e", exported.c_str(), "-r", "0", "-w", "1",
                    nullptr);
  });
}

// ---- Fuse9p

Command fuse9p_command(const Scratch& scratch, const Fuse9p::Settings& settings) {
  Command command{.arguments = {program(), settings.source, settings.mountpoint.string()},
                  .environment = sanitizer_environment(scratch),
                  .inherited = settings.inherited};
  for (const std::string& option : settings.options)
    command.arguments.insert(command.arguments.end(), {"-o", option});
  if (settings.run == Fuse9p::Run::foreground)
    command.arguments.emplace_back("-f");
  command.arguments.insert(command.arguments.end(), settings.arguments.begin(),
                           settings.arguments.end());
  return command;
}

Fuse9p::Fuse9p(const Scratch& scratch, const Settings& settings) {
  static int number = 0;
  ++number;
  log_ = scratch / ("fuse9p." + std::to_string(number) + ".log");
  Settings own = settings;
  if (own.mountpoint.empty())
    own.mountpoint = scratch.directory("mnt." + std::to_string(number));
  mountpoint_ = own.mountpoint;

  const OwnedFd log(::open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  Command command = fuse9p_command(scratch, own);
  command.out = command.err = log.get();
  const auto before = children();
  process_ = Process(command);
  if (own.run == Run::foreground) {
    wait_for_log(" on " + mountpoint_.string() + ": ");
    return;
  }
  EXPECT_EQ(process_.wait(), kSuccess) << this->log();
  // Its child is ours now: scratch.cpp makes us the reaper.
  for (const pid_t child : children()) {
    if (std::ranges::find(before, child) == before.end())
      process_ = Process::adopt(child);
  }
  EXPECT_TRUE(process_.running()) << "no fuse9p in the background";
  EXPECT_TRUE(is_mount_point(mountpoint_));
}

std::string Fuse9p::log() const {
  return read_file(log_);
}

void Fuse9p::wait_for_log(const std::string& text) const {
  const OwnedFd changes(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  ::inotify_add_watch(changes.get(), log_.c_str(), IN_MODIFY);
  const auto until = std::chrono::steady_clock::now() + patience();
  while (log().find(text) == std::string::npos) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      ADD_FAILURE() << "the log never said \"" << text << "\":\n" << log();
      return;
    }
    pollfd changed{changes.get(), POLLIN, 0};
    ::poll(&changed, 1, static_cast<int>(left.count()));
    char events[4096];
    while (::read(changes.get(), events, sizeof events) > 0) {
    }
  }
}

std::vector<std::string> Fuse9p::log_lines(const std::string& text) const {
  std::vector<std::string> lines;
  std::istringstream all(log());
  for (std::string line; std::getline(all, line);) {
    if (line.find(text) != std::string::npos)
      lines.push_back(line);
  }
  return lines;
}

Status Fuse9p::unmount() {
  if (::umount2(mountpoint_.c_str(), UMOUNT_NOFOLLOW) != 0)
    ADD_FAILURE() << "umount " << mountpoint_ << ": " << std::strerror(errno);
  return process_.wait();
}

// ---- MountTest

Fuse9p& MountTest::mount(const Fuse9p::Settings& settings) {
  return mounts_.emplace_back(scratch_, settings);
}

Fuse9p& MountTest::mount_diod(std::vector<std::string> options, Fuse9p::Run run) {
  options.push_back("aname=" + exported_.string());
  const Diod diod(scratch_, exported_, Diod::Listen::exec);
  return mount({.source = diod.source(), .options = std::move(options), .run = run});
}

void MountTest::TearDown() {
  EXPECT_FALSE(scratch_.overdue()) << "the test took too long and was set free by its janitor";
  end_mounts();
  expect_no_children();
  expect_no_sanitizer_report();
  if (!HasFailure())
    return;
  for (const Fuse9p& mount : mounts_)
    std::cout << "---- log of the mount on " << mount.path() << "\n" << mount.log() << "----\n";
}

void MountTest::end_mounts() {
  for (Fuse9p& mount : mounts_)
    expect_clean_end(mount);
}

void MountTest::expect_no_children() {
  for (const pid_t child : children())
    ADD_FAILURE() << "process " << child
                  << " was left behind: " << read_file("/proc/" + std::to_string(child) + "/stat");
}

void MountTest::expect_clean_end(Fuse9p& mount) {
  if (mount.running()) {
    EXPECT_EQ(mount.unmount(), kSuccess);
  }
  EXPECT_FALSE(is_mount_point(mount.path()));
}

void MountTest::expect_no_sanitizer_report() {
  for (const auto& entry : fs::directory_iterator(scratch_.path())) {
    if (entry.path().filename().string().starts_with("sanitizer."))
      ADD_FAILURE() << "a sanitizer says:\n" << read_file(entry.path());
  }
}

}  // namespace fuse9p::test
