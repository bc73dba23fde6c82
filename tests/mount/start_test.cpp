// SPDX-License-Identifier: MIT
// Coming and going: what the shell is told when it can't begin, when the mount is up, and that
// nothing is left when it ends.

#include "tests/support/mount_fixture.hpp"
#include "tests/support/stranger.hpp"

#include <gmock/gmock.h>

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

constexpr Status kUsage{.code = 1}, kMountFailed{.code = 32};

class Start : public MountTest {
 protected:
  /// fuse9p with these words, to its end.
  Finished fuse9p(const std::string& source, const fs::path& mountpoint,
                  std::vector<std::string> options = {}) {
    return run(fuse9p_command(
        scratch(), {.source = source, .options = std::move(options), .mountpoint = mountpoint}));
  }
  /// It fails with one line that says all this, and mounts nothing.
  void expect_failure(const std::string& source, std::vector<std::string> options,
                      const std::vector<std::string>& said) {
    const fs::path mountpoint = scratch().directory("mnt");
    const Finished finished = fuse9p(source, mountpoint, std::move(options));
    EXPECT_EQ(finished.status, kMountFailed) << finished.output;
    EXPECT_EQ(std::ranges::count(finished.output, '\n'), 1) << finished.output;
    EXPECT_THAT(finished.output, testing::StartsWith("fuse9p: "));
    for (const std::string& text : said)
      EXPECT_THAT(finished.output, HasSubstr(text));
    EXPECT_FALSE(is_mount_point(mountpoint));
  }
  /// The fuse9p in the background is told by `signal`, or has been told, to end.
  static void expect_daemon_ends(int signal = 0) {
    for (const pid_t child : children()) {
      if (read_file("/proc/" + std::to_string(child) + "/comm").find("fuse9p") == std::string::npos)
        continue;
      Process daemon = Process::adopt(child);
      if (signal != 0)
        daemon.signal(signal);
      EXPECT_EQ(daemon.wait(), kSuccess);
    }
  }
  void expect_usage_error(const Finished& finished, const std::vector<std::string>& said) {
    EXPECT_EQ(finished.status, kUsage) << finished.output;
    EXPECT_THAT(finished.output, testing::StartsWith("fuse9p: "));
    for (const std::string& text : said)
      EXPECT_THAT(finished.output, HasSubstr(text));
  }
};

// ---- what goes wrong at the server

TEST_F(Start, UnknownHostIsNamed) {
  expect_failure("no-such-host.invalid", {}, {"no-such-host.invalid:564"});
}

TEST_F(Start, RefusedPortIsNamed) {
  const std::string source = "127.0.0.1:" + std::to_string(free_port());
  expect_failure(source, {}, {source, "refused"});
}

TEST_F(Start, MissingSocketIsNamed) {
  expect_failure("unix:/no/such/socket", {}, {"unix:/no/such/socket", "No such file"});
}

TEST_F(Start, ServerOfAnotherProtocolIsNamed) {
  const Stranger stranger("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
                          Stranger::Then::stay);
  expect_failure(stranger.source(), {}, {stranger.source(), "9P"});
}

TEST_F(Start, SilentServerIsNotWaitedForLongerThanAsked) {
  const Stranger stranger("", Stranger::Then::stay);
  expect_failure(stranger.source(), {"connect_timeout=0.5"}, {stranger.source(), "Rversion"});
}

TEST_F(Start, CommandThatIsMissingIsNamed) {
  const Finished finished = fuse9p("exec:/no/such/command", scratch().directory("mnt"));
  EXPECT_EQ(finished.status, kMountFailed);
  EXPECT_THAT(finished.output, HasSubstr("/no/such/command"));
}

TEST_F(Start, CommandThatEndsAtOnceIsNamed) {
  expect_failure("exec:true", {}, {"exec:true", "closed"});
}

TEST_F(Start, BadTreeIsNamed) {
  const Diod diod(scratch(), exported(), Diod::Listen::unix_socket);
  expect_failure(diod.source(), {"aname=/not/exported"}, {"/not/exported"});
}

TEST_F(Start, ClosedDescriptorIsNamed) {
  expect_failure("fd:99", {}, {"fd:99"});
}

// ---- what goes wrong here

TEST_F(Start, MissingMountPointIsNamed) {
  expect_usage_error(fuse9p("127.0.0.1:1", "/no/such/directory"), {"/no/such/directory"});
}

TEST_F(Start, MountPointThatIsAFileIsNamed) {
  const fs::path file = scratch() / "file";
  std::ofstream(file) << "x";
  const Diod diod(scratch(), exported(), Diod::Listen::exec);
  const Finished finished = fuse9p(diod.source(), file, {"aname=" + exported().string()});
  EXPECT_NE(finished.status, kSuccess);
  EXPECT_THAT(finished.output, HasSubstr(file.string()));
  EXPECT_FALSE(is_mount_point(file));
}

TEST_F(Start, UnknownOptionSuggestsAnother) {
  expect_usage_error(fuse9p("host", scratch().directory("mnt"), {"msise=8192"}),
                     {"msise", "did you mean", "msize"});
}

TEST_F(Start, BadValueSaysWhatIsExpected) {
  expect_usage_error(fuse9p("host", scratch().directory("mnt"), {"msize=12"}),
                     {"msize=12", "must be"});
}

TEST_F(Start, NoArgumentsShowTheUsage) {
  Command command = fuse9p_command(scratch(), {});
  command.arguments.resize(1);
  expect_usage_error(run(command), {"SOURCE", "usage:"});
}

TEST_F(Start, FailureInTheForegroundSaysTheSame) {
  const std::string source = "127.0.0.1:" + std::to_string(free_port());
  const Finished finished =
      run(fuse9p_command(scratch(), {.source = source,
                                     .run = Fuse9p::Run::foreground,
                                     .mountpoint = scratch().directory("mnt")}));
  EXPECT_EQ(finished.status, kMountFailed);
  EXPECT_THAT(finished.output, HasSubstr(source));
}

// ---- the start

TEST_F(Start, ParentEndsWhenTheMountAnswers) {
  std::ofstream(exported() / "file") << "text";
  const Diod diod(scratch(), exported(), Diod::Listen::exec);
  const fs::path mountpoint = scratch().directory("mnt");
  const Finished finished = fuse9p(diod.source(), mountpoint, {"aname=" + exported().string()});
  EXPECT_EQ(finished.status, kSuccess) << finished.output;
  EXPECT_EQ(finished.output, "") << "a mount that works says nothing";
  EXPECT_EQ(read_file(mountpoint / "file"), "text");
  expect_daemon_ends(SIGTERM);
}

TEST_F(Start, DaemonLeavesItsTerminalAndDirectory) {
  Fuse9p& mount = mount_diod();
  const fs::path proc = "/proc/" + std::to_string(mount.process().pid());
  EXPECT_EQ(fs::read_symlink(proc / "cwd"), "/");
  for (const char* stream : {"0", "1", "2"})
    EXPECT_EQ(fs::read_symlink(proc / "fd" / stream), "/dev/null") << stream;
  EXPECT_EQ(::getsid(mount.process().pid()), mount.process().pid());
}

TEST_F(Start, ForegroundStaysAndSaysWhatItMounted) {
  Fuse9p& mount = mount_diod({}, Fuse9p::Run::foreground);
  EXPECT_THAT(mount.log(), AllOf(HasSubstr("9P2000.L"), HasSubstr("msize 65536")));
  EXPECT_EQ(mount.unmount(), kSuccess);
  EXPECT_THAT(mount.log(), HasSubstr("unmounted"));
}

TEST_F(Start, MountTableShowsSourceAndType) {
  const Diod diod(scratch(), exported(), Diod::Listen::unix_socket);
  Fuse9p& mounted = mount({.source = diod.source(), .options = {"aname=" + exported().string()}});
  const Finished found =
      run({.arguments = {"findmnt", "-n", "-o", "SOURCE,FSTYPE", mounted.path()}});
  EXPECT_THAT(found.output, AllOf(HasSubstr(diod.source()), HasSubstr("fuse.fuse9p")));
}

TEST_F(Start, RelativeMountPointIsUnderstood) {
  const Diod diod(scratch(), exported(), Diod::Listen::exec);
  const fs::path mountpoint = scratch().directory("mnt");
  Command command = fuse9p_command(
      scratch(),
      {.source = diod.source(), .options = {"aname=" + exported().string()}, .mountpoint = "mnt"});
  command.directory = scratch().path();
  EXPECT_EQ(run(command).status, kSuccess);
  EXPECT_TRUE(is_mount_point(mountpoint));
  EXPECT_EQ(run({.arguments = {"umount", mountpoint}}).status, kSuccess);
  expect_daemon_ends();
}

TEST_F(Start, MountPointWithSpacesIsUnderstood) {
  const Diod diod(scratch(), exported(), Diod::Listen::exec);
  const fs::path mountpoint = scratch().directory("a mount, \\point");
  const Finished finished = fuse9p(diod.source(), mountpoint, {"aname=" + exported().string()});
  EXPECT_EQ(finished.status, kSuccess) << finished.output;
  EXPECT_EQ(run({.arguments = {"umount", mountpoint}}).status, kSuccess);
  expect_daemon_ends();
}

TEST_F(Start, FakeMountDoesAllButTheMount) {
  const fs::path helper = scratch() / "mount.fuse9p";
  fs::create_symlink(fuse9p_command(scratch(), {}).arguments[0], helper);
  const fs::path mountpoint = scratch().directory("mnt");
  EXPECT_EQ(
      run({.arguments = {helper, "127.0.0.1:1", mountpoint, "-f", "-o", "rw,_netdev"}}).status,
      kSuccess);
  EXPECT_FALSE(is_mount_point(mountpoint));
}

TEST_F(Start, MountHelperMounts) {
  const fs::path helper = scratch() / "mount.fuse9p";
  fs::create_symlink(fuse9p_command(scratch(), {}).arguments[0], helper);
  const Diod diod(scratch(), exported(), Diod::Listen::unix_socket);
  const fs::path mountpoint = scratch().directory("mnt");
  EXPECT_EQ(run({.arguments = {helper, diod.source(), mountpoint, "-o",
                               "rw,nodev,x-systemd.automount,aname=" + exported().string()}})
                .status,
            kSuccess);
  EXPECT_TRUE(is_mount_point(mountpoint));
  EXPECT_EQ(run({.arguments = {"umount", mountpoint}}).status, kSuccess);
  expect_daemon_ends();
}

// ---- the end

class End : public MountTest, public testing::WithParamInterface<Fuse9p::Run> {
 protected:
  /// Process, mount and the server it started: all gone.
  void expect_gone(Fuse9p& mount) {
    EXPECT_EQ(mount.process().wait(), kSuccess);
    EXPECT_FALSE(is_mount_point(mount.path()));
    EXPECT_TRUE(children().empty()) << "the server that it started is left";
    EXPECT_TRUE(fs::is_empty(mount.path()));
  }
};

TEST_P(End, ComesByUmount) {
  Fuse9p& mount = mount_diod({}, GetParam());
  EXPECT_EQ(run({.arguments = {"umount", mount.path()}}).status, kSuccess);
  expect_gone(mount);
}

TEST_P(End, ComesByFusermount) {
  Fuse9p& mount = mount_diod({}, GetParam());
  EXPECT_EQ(run({.arguments = {"fusermount3", "-u", mount.path()}}).status, kSuccess);
  expect_gone(mount);
}

TEST_P(End, ComesBySignal) {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    Fuse9p& mount = mount_diod({}, GetParam());
    mount.process().signal(signal);
    expect_gone(mount);
  }
}

TEST_P(End, ComesBySignalWhileAFileIsOpen) {
  std::ofstream(exported() / "file") << "text";
  Fuse9p& mount = mount_diod({}, GetParam());
  {
    std::ifstream file(mount.path() / "file");
    EXPECT_EQ(file.get(), 't');
    mount.process().signal(SIGTERM);
    EXPECT_EQ(mount.process().wait(), kSuccess);
    EXPECT_FALSE(is_mount_point(mount.path()));
  }
  expect_no_children();
}

TEST_P(End, WaitsForLazyUmountUntilTheLastFileIsClosed) {
  std::ofstream(exported() / "file") << "text";
  Fuse9p& mount = mount_diod({}, GetParam());
  {
    std::ifstream file(mount.path() / "file");
    EXPECT_EQ(run({.arguments = {"umount", "-l", mount.path()}}).status, kSuccess);
    std::string text;
    EXPECT_TRUE(file >> text);
    EXPECT_EQ(text, "text");
  }
  expect_gone(mount);
}

TEST_P(End, ByUmountOfABusyMountIsRefused) {
  std::ofstream(exported() / "file") << "text";
  Fuse9p& mount = mount_diod({}, GetParam());
  std::ifstream file(mount.path() / "file");
  EXPECT_NE(run({.arguments = {"umount", mount.path()}}).status, kSuccess);
  std::string text;
  EXPECT_TRUE(file >> text);
  file.close();
  EXPECT_EQ(run({.arguments = {"umount", mount.path()}}).status, kSuccess);
  expect_gone(mount);
}

INSTANTIATE_TEST_SUITE_P(Of, End, testing::Values(Fuse9p::Run::background, Fuse9p::Run::foreground),
                         [](const auto& of) {
                           return of.param == Fuse9p::Run::background ? "Daemon" : "Foreground";
                         });

}  // namespace
}  // namespace fuse9p::test
