// SPDX-License-Identifier: MIT
// The same small session by every way to reach a server.

#include "tests/support/mount_fixture.hpp"
#include "tests/support/pattern.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <stdlib.h>

#include <fstream>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;

class Transport : public MountTest {
 protected:
  Fuse9p& mount_source(const std::string& source, const std::vector<int>& inherited = {}) {
    return mount(
        {.source = source, .options = {"aname=" + exported().string()}, .inherited = inherited});
  }
  /// It has heard of the end of the connection. (At which diod 1.0.24 crashes now and then.)
  static void expect_end(Process& server) { EXPECT_TRUE(server.wait_for(patience())); }
  /// Some of everything, and a file larger than any message.
  void expect_session(const Fuse9p& mount) {
    const Finished session = shell(R"sh(
        mkdir dir
        dd if=/dev/urandom of=dir/large bs=1M count=3 2>/dev/null
        cp dir/large dir/copy
        cmp dir/large dir/copy
        mv dir/copy copy
        ln -s copy link
        cmp link dir/large
        ls -lR . >/dev/null
        rm -r dir)sh",
                                   mount.path());
    EXPECT_EQ(session.status, kSuccess) << session.output;
    EXPECT_EQ(fs::file_size(exported() / "copy"), 3U << 20);
  }
};

class TcpSource : public Transport, public testing::WithParamInterface<const char*> {};

TEST_P(TcpSource, Serves) {
  const bool six = std::string(GetParam()).find("::1") != std::string::npos;
  const Diod diod(scratch(), exported(), six ? Diod::Listen::tcp6 : Diod::Listen::tcp4);
  std::string source = GetParam();
  source.replace(source.find("PORT"), 4, std::to_string(diod.port()));
  expect_session(mount_source(source));
}

INSTANTIATE_TEST_SUITE_P(As, TcpSource,
                         testing::Values("127.0.0.1:PORT", "[::1]:PORT", "localhost:PORT",
                                         "tcp!127.0.0.1!PORT", "tcp!localhost!PORT"));

TEST_F(Transport, PortOptionStandsForThePartThatIsMissing) {
  const Diod diod(scratch(), exported(), Diod::Listen::tcp4);
  expect_session(
      mount({.source = "127.0.0.1",
             .options = {"aname=" + exported().string(), "port=" + std::to_string(diod.port())}}));
}

TEST_F(Transport, TreeCanFollowTheHost) {
  const Diod diod(scratch(), exported(), Diod::Listen::tcp4);
  expect_session(
      mount({.source = "127.0.0.1:" + std::to_string(diod.port()) + ":" + exported().string()}));
}

TEST_F(Transport, UnixSocketServes) {
  const Diod diod(scratch(), exported(), Diod::Listen::unix_socket);
  expect_session(mount_source(diod.source()));
}

TEST_F(Transport, PathIsAUnixSocket) {
  const Diod diod(scratch(), exported(), Diod::Listen::unix_socket);
  expect_session(mount_source(diod.source().substr(std::string("unix:").size())));
}

TEST_F(Transport, InheritedSocketServes) {
  Ends ends = socket_pair();
  Process diod(Command{.arguments = {"diod", "-f", "-n", "-e", exported(), "-r", "0", "-w", "1"},
                       .in = ends.theirs.get(),
                       .out = ends.theirs.get()});
  ends.theirs.reset();
  const int fd = ends.ours.get();
  Fuse9p& mounted = mount_source("fd:" + std::to_string(fd), {fd});
  ends.ours.reset();
  expect_session(mounted);
  end_mounts();
  expect_end(diod);
}

TEST_F(Transport, InheritedPipesServe) {
  Ends requests = pipe_to_them();
  Ends replies = pipe_from_them();
  Process diod(Command{.arguments = {"diod", "-f", "-n", "-e", exported(), "-r", "0", "-w", "1"},
                       .in = requests.theirs.get(),
                       .out = replies.theirs.get()});
  requests.theirs.reset();
  replies.theirs.reset();
  const int rfd = replies.ours.get();
  const int wfd = requests.ours.get();
  Fuse9p& mounted =
      mount_source("fd:" + std::to_string(rfd) + ',' + std::to_string(wfd), {rfd, wfd});
  requests.ours.reset();
  replies.ours.reset();
  expect_session(mounted);
  end_mounts();
  expect_end(diod);
}

TEST_F(Transport, PipesAsOptionsServe) {
  Ends requests = pipe_to_them();
  Ends replies = pipe_from_them();
  Process diod(Command{.arguments = {"diod", "-f", "-n", "-e", exported(), "-r", "0", "-w", "1"},
                       .in = requests.theirs.get(),
                       .out = replies.theirs.get()});
  requests.theirs.reset();
  replies.theirs.reset();
  const int rfd = replies.ours.get();
  const int wfd = requests.ours.get();
  Fuse9p& mounted =
      mount({.source = "nodev",
             .options = {"trans=fd", "rfdno=" + std::to_string(rfd), "wfdno=" + std::to_string(wfd),
                         "aname=" + exported().string()},
             .inherited = {rfd, wfd}});
  requests.ours.reset();
  replies.ours.reset();
  expect_session(mounted);
  end_mounts();
  expect_end(diod);
}

TEST_F(Transport, CommandServes) {
  expect_session(mount_diod());
}

/// A pseudo-terminal is a character device, and one that would change bytes unless it is told not
/// to.
class DeviceSource : public MountTest {
 protected:
  /// A scripted server behind a device, whose path this is.
  std::string serve(const std::vector<std::string>& script) {
    const OwnedFd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    EXPECT_EQ(::grantpt(master.get()), 0);
    EXPECT_EQ(::unlockpt(master.get()), 0);
    char name[100];
    EXPECT_EQ(::ptsname_r(master.get(), name, sizeof name), 0);
    Command command{.arguments = {FUSE9P_SCRIPTED_SERVER}, .in = master.get(), .out = master.get()};
    command.arguments.insert(command.arguments.end(), script.begin(), script.end());
    // Until somebody has opened it, what is behind it seems to be hung up.
    slave_ = OwnedFd(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
    server_ = Process(command);
    return name;
  }
  void connected() { slave_.reset(); }
  Process& server() { return server_; }

 private:
  OwnedFd slave_;
  Process server_;
};

TEST_F(DeviceSource, Serves) {
  const std::string device = serve({"file /f 300000", "dialects 9P2000.u", "refuse unknown"});
  Fuse9p& mounted = mount({.source = "dev:" + device});
  connected();
  EXPECT_EQ(read_file(mounted.path() / "f"), pattern(300'000)) << "every byte as it is";
  std::ofstream(mounted.path() / "g", std::ios::binary) << pattern(100'000);
  EXPECT_EQ(read_file(mounted.path() / "g"), pattern(100'000));
  end_mounts();
  EXPECT_EQ(server().wait(), kSuccess);
}

TEST_F(DeviceSource, MayBeNamedByTrans) {
  const std::string device = serve({"text /f words"});
  Fuse9p& mounted = mount({.source = device, .options = {"trans=dev"}});
  connected();
  EXPECT_EQ(read_file(mounted.path() / "f"), "words");
  end_mounts();
  EXPECT_EQ(server().wait(), kSuccess);
}

TEST_F(Transport, TransNamesARelativeUnixSocket) {
  const Diod diod(scratch(), exported(), Diod::Listen::unix_socket);
  const fs::path mountpoint = scratch().directory("mnt");
  Command command =
      fuse9p_command(scratch(), {.source = "diod.sock",
                                 .options = {"trans=unix", "aname=" + exported().string()},
                                 .mountpoint = mountpoint});
  command.directory = scratch().path();
  EXPECT_EQ(run(command).status, kSuccess);
  EXPECT_TRUE(is_mount_point(mountpoint));
  EXPECT_EQ(run({.arguments = {"umount", mountpoint}}).status, kSuccess);
  for (const pid_t child : children()) {
    if (read_file("/proc/" + std::to_string(child) + "/comm") == "fuse9p\n") {
      EXPECT_EQ(Process::adopt(child).wait(), kSuccess);
    }
  }
}

TEST_F(Transport, TwoMountsOfOneServerSeeEachOther) {
  const Diod diod(scratch(), exported(), Diod::Listen::unix_socket);
  const fs::path one = mount_source(diod.source()).path();
  const fs::path two = mount_source(diod.source()).path();
  std::ofstream(one / "file") << "text";
  EXPECT_EQ(read_file(two / "file"), "text");
  std::ofstream(two / "file") << "other text";
  EXPECT_EQ(read_file(one / "file"), "other text");
}

TEST_F(Transport, MountOnAMountWorks) {
  const Diod diod(scratch(), exported(), Diod::Listen::unix_socket);
  fs::create_directory(exported() / "below");
  Fuse9p& outer = mount_source(diod.source());
  const fs::path inner_exported = scratch().directory("inner");
  std::ofstream(inner_exported / "file") << "inner";
  const Diod inner_diod(scratch(), inner_exported, Diod::Listen::exec);
  Fuse9p& inner = mount({.source = inner_diod.source(),
                         .options = {"aname=" + inner_exported.string()},
                         .mountpoint = outer.path() / "below"});
  EXPECT_EQ(read_file(outer.path() / "below/file"), "inner");
  EXPECT_EQ(inner.unmount(), kSuccess);
  EXPECT_TRUE(fs::is_empty(outer.path() / "below"));
}

}  // namespace
}  // namespace fuse9p::test
