// SPDX-License-Identifier: MIT
// The end of the connection, by the server's death or by what it sends: every call is told at once,
// nothing hangs, nothing crashes, and the log says once what happened.

#include "tests/support/scripted_fixture.hpp"

#include <gmock/gmock.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::SizeIs;

/// Exit codes of the processes that make the calls.
constexpr int kGone = 10;

int outcome(long result) {
  if (result >= 0)
    return 0;
  return errno == EIO ? kGone : errno;
}

class Lost : public ScriptedTest {
 protected:
  void await_held(int number) {
    ASSERT_EQ(server().ask("await held " + std::to_string(number)), "ok");
  }
  static void expect_eio(const fs::path& path) {
    struct stat found {};
    EXPECT_EQ(::lstat(path.c_str(), &found), -1);
    EXPECT_EQ(errno, EIO) << std::strerror(errno);
    EXPECT_EQ(::open((path / "new").c_str(), O_WRONLY | O_CREAT, 0644), -1);
    EXPECT_EQ(errno, EIO) << std::strerror(errno);
  }
};

TEST_F(Lost, ServerMakesWaitingAndLaterCallsFail) {
  Fuse9p& mount =
      mount_scripted({"text /written text", "text /read text", "text /changed text", "dir /dir",
                      "synthetic /stream x", "on Tread hold", "on Twrite hold", "on Tmkdir hold",
                      "on Tgetattr name stream hold", "on Tsetattr hold"},
                     {"actimeo=0"});
  const fs::path root = mount.path();
  const OwnedFd open_before(::open((root / "written").c_str(), O_RDWR | O_CLOEXEC));
  const std::function<long()> calls[] = {
      [&] {
        char byte = 0;
        return ::pread(::open((root / "read").c_str(), O_RDONLY), &byte, 1, 0);
      },
      [&] { return ::pwrite(open_before.get(), "x", 1, 0); },
      [&] { return ::mkdir((root / "dir/new").c_str(), 0755); },
      [&] { return ::access((root / "stream").c_str(), F_OK); },
      [&] { return ::chmod((root / "changed").c_str(), 0700); },
  };
  std::deque<Process> waiting;
  for (const auto& call : calls)
    waiting.emplace_back([&] { return outcome(call()); });
  await_held(static_cast<int>(std::size(calls)));
  server_ends_early();
  server().process().signal(SIGKILL);
  for (Process& process : waiting)
    EXPECT_EQ(process.wait(), Status{.code = kGone});
  expect_eio(root / "read");
  expect_eio(root / "dir");
  char byte = 0;
  EXPECT_EQ(::pread(open_before.get(), &byte, 1, 1000), -1);
  EXPECT_EQ(errno, EIO) << std::strerror(errno);
  EXPECT_THAT(mount.log_lines("connection lost"), SizeIs(1));
  EXPECT_THAT(mount.log(), HasSubstr(server().source() + ": connection lost"));
  EXPECT_EQ(::close(::dup(open_before.get())), 0);
}

TEST_F(Lost, IdleServerIsNoticedAtOnce) {
  Fuse9p& mount = mount_scripted({"text /file text"});
  server_ends_early();
  server().process().signal(SIGKILL);
  mount.wait_for_log("connection lost");
  expect_eio(mount.path() / "file");
}

TEST_F(Lost, ServerBehindAnOpenDirectoryIsNoEndOfIt) {
  Fuse9p& mount = mount_scripted({"many /dir 3000", "msize 4096", "on Treaddir nth 5 close"});
  server_ends_early();
  std::error_code error;
  int names = 0;
  for (auto entry = fs::directory_iterator(mount.path() / "dir", error);
       entry != fs::directory_iterator(); entry.increment(error)) {
    if (error)
      break;
    ++names;
  }
  EXPECT_EQ(error, std::errc::io_error);
  EXPECT_LT(names, 3000);
}

TEST_F(Lost, TcpServerIsNamedInTheLog) {
  Diod diod(scratch(), exported(), Diod::Listen::tcp4);
  Fuse9p& mounted = mount({.source = diod.source(),
                           .options = {"aname=" + exported().string()},
                           .run = Fuse9p::Run::foreground});
  diod.process() = Process();  // kills it
  mounted.wait_for_log("connection lost");
  EXPECT_THAT(mounted.log_lines("connection lost"), SizeIs(1));
  EXPECT_THAT(mounted.log_lines("connection lost")[0], HasSubstr(diod.source()));
  expect_eio(mounted.path() / "file");
}

TEST_F(Lost, ChildServerIsNamedInTheLog) {
  Fuse9p& mounted = mount_diod({}, Fuse9p::Run::foreground);
  const Finished killed =
      shell("pkill -KILL -P " + std::to_string(mounted.process().pid()) + " diod");
  EXPECT_EQ(killed.status, kSuccess);
  mounted.wait_for_log("connection lost");
  expect_eio(mounted.path() / "file");
}

// ---- hostile replies

struct Hostile {
  const char* name;
  const char* rule;  ///< what it does to the read, or the stat, of /file
  bool ends_connection = true;
  const char* said = "";  ///< in the log
};
void PrintTo(const Hostile& hostile, std::ostream* out) {
  *out << hostile.name;
}

const Hostile kHostile[] = {
    {"UnknownTag", "on Tread reply Rread tag 60000 data hello", true, "60000"},
    {"NoTag", "on Tread reply Rread tag 65535 data hello", true, "65535"},
    {"WrongType", "on Tread reply Rwrite count 5", true, "Rwrite"},
    {"ARequest", "on Tread reply Tread fid 1 offset 0 count 1", true, "Tread"},
    {"UnknownType", "on Tread raw 07 00 00 00 ff tag", true, "255"},
    {"SizeOfThree", "on Tread raw 03 00 00 00 75 tag", true, ""},
    {"SizeOfZero", "on Tread raw 00 00 00 00 75 tag", true, ""},
    {"HugeSize", "on Tread raw ff ff ff ff 75 tag", true, ""},
    {"SizeAboveMsize", "on Tread raw 01 00 20 00 75 tag", true, ""},
    {"MoreDataThanAskedFor", "on Tread reply Rread data <900000 bytes>"},
    {"DataCountAboveTheFrame", "on Tread raw 0f 00 00 00 75 tag ff 00 00 00 41 42 43 44"},
    {"HugeDataCount", "on Tread raw 0f 00 00 00 75 tag ff ff ff ff 41 42 43 44"},
    {"NoDataCount", "on Tread raw 09 00 00 00 75 tag 00 00"},
    {"TruncatedAttributes", "on Tgetattr name file raw 0b 00 00 00 19 tag ff 07 00 00"},
    {"TooManyQids", "on Twalk name file raw 09 00 00 00 6f tag ff ff", true, ""},
    {"TwoQidsForOneName", "on Twalk name file reply Rwalk qid (0x1 0 0x80) (0x2 0 0)", false, ""},
    {"NoQid", "on Twalk name file reply Rwalk", false, ""},
    {"ErrorZero", "on Tread name file reply Rlerror ecode 0", false, ""},
    {"ErrorOfTheKernel", "on Tread name file reply Rlerror ecode 512", false, ""},
    {"HugeError", "on Tread name file reply Rlerror ecode 4294967295", false, ""},
    {"NotImplemented", "on Tread name file reply Rlerror ecode 38", false, ""},
    {"BadDescriptor", "on Tread name file reply Rlerror ecode 9", false, ""},
    {"NonsenseMode", "on Tgetattr name file reply Rgetattr valid 0x7ff qid (0x2 0 0) mode 0", false,
     ""},
};

class HostileReply : public Lost, public testing::WithParamInterface<Hostile> {};

TEST_P(HostileReply, HarmsNobody) {
  const Hostile& hostile = GetParam();
  Fuse9p& mount = mount_scripted({"text /file text", "text /other still here", hostile.rule});
  // The connection's end may be the server's, too: it reads what we answer to its nonsense.
  server_ends_early();
  Process victim([&] {
    const int fd = ::open((mount.path() / "file").c_str(), O_RDONLY);
    char buffer[100];
    return fd >= 0 && ::read(fd, buffer, sizeof buffer) >= 0 ? 0 : errno;
  });
  const Status status = victim.wait();
  EXPECT_NE(status, kSuccess);
  EXPECT_NE(status, Status{.code = ENOSYS}) << "the kernel remembers it for the whole mount";
  EXPECT_NE(status, Status{.code = EBADF});
  const std::string other = read_file(mount.path() / "other");
  const bool lost = !mount.log_lines("connection lost").empty();
  if (hostile.ends_connection) {
    // Either is right: only one thing is not, that a nonsense goes unnoticed.
    EXPECT_TRUE(lost || status == Status{.code = EIO});
  } else {
    EXPECT_EQ(other, "still here");
    EXPECT_FALSE(lost) << mount.log();
  }
  if (lost) {
    EXPECT_THAT(mount.log_lines("connection lost"), SizeIs(1));
    EXPECT_THAT(mount.log_lines("connection lost")[0], HasSubstr(hostile.said));
  }
}

INSTANTIATE_TEST_SUITE_P(Of, HostileReply, testing::ValuesIn(kHostile),
                         [](const auto& of) { return std::string(of.param.name); });

// ---- hostile directories

struct BadEntries {
  const char* name;
  const char* data;  ///< of the Rreaddir, in text form
};
void PrintTo(const BadEntries& bad, std::ostream* out) {
  *out << bad.name;
}

// qid[13] offset[8] type[1] name[s], in hexadecimal, as the whole reply.
class HostileDirectory : public Lost, public testing::WithParamInterface<BadEntries> {};

TEST_P(HostileDirectory, HarmsNobody) {
  Fuse9p& mount = mount_scripted(
      {"dir /dir", "text /other still here", std::string("on Treaddir ") + GetParam().data});
  server_ends_early();
  const Finished listing = run({.arguments = {"ls", "-a", mount.path() / "dir"}});
  EXPECT_EQ(listing.output.find("evil"), std::string::npos) << listing.output;
  if (mount.log_lines("connection lost").empty()) {
    EXPECT_EQ(read_file(mount.path() / "other"), "still here");
  }
}

INSTANTIATE_TEST_SUITE_P(
    Of, HostileDirectory,
    testing::Values(BadEntries{"ANameWithASlash",
                               "times 1 reply Rreaddir data "
                               "'\\x80\\x00\\x00\\x00\\x00\\x07\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
                               "\\x05\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x08\\x07\\x00../evil'"},
                    BadEntries{"AnEmptyName",
                               "times 1 reply Rreaddir data "
                               "'\\x80\\x00\\x00\\x00\\x00\\x07\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
                               "\\x05\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x08\\x00\\x00'"},
                    BadEntries{"ANameBeyondTheData",
                               "times 1 reply Rreaddir data "
                               "'\\x80\\x00\\x00\\x00\\x00\\x07\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
                               "\\x05\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x08\\xff\\x00evil'"},
                    BadEntries{"HalfAnEntry", "times 1 reply Rreaddir data '\\x80\\x00\\x00\\x00'"},
                    BadEntries{"TheSameCookieForEver",
                               "reply Rreaddir data "
                               "'\\x80\\x00\\x00\\x00\\x00\\x07\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
                               "\\x05\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x08\\x01\\x00a'"}),
    [](const auto& of) { return std::string(of.param.name); });

// ---- hostile greetings

struct Greeting {
  const char* name;
  const char* rule;
  const char* said;
};
void PrintTo(const Greeting& greeting, std::ostream* out) {
  *out << greeting.name;
}

class HostileGreeting : public Lost, public testing::WithParamInterface<Greeting> {};

TEST_P(HostileGreeting, IsRefusedWithAReason) {
  ScriptedPeer peer(scratch(), {GetParam().rule});
  Command command = fuse9p_command(scratch(), {.source = peer.source(),
                                               .options = {"connect_timeout=5"},
                                               .inherited = {peer.descriptor()},
                                               .mountpoint = scratch().directory("mnt")});
  const Finished finished = run(command);
  EXPECT_EQ(finished.status, Status{.code = 32});
  EXPECT_THAT(finished.output, HasSubstr(peer.source()));
  EXPECT_THAT(finished.output, HasSubstr(GetParam().said));
  EXPECT_EQ(std::ranges::count(finished.output, '\n'), 1) << finished.output;
}

INSTANTIATE_TEST_SUITE_P(
    Of, HostileGreeting,
    testing::Values(
        Greeting{"AnotherVersion", "on Tversion reply Rversion msize 8192 version 9P2001",
                 "9P2001"},
        Greeting{"UnknownVersion", "on Tversion reply Rversion msize 8192 version unknown", ""},
        Greeting{"AnError", "on Tversion reply Rlerror ecode 5", ""},
        Greeting{"NoMsize", "on Tversion reply Rversion msize 0 version 9P2000.L", "msize"},
        Greeting{"AnotherMessage", "on Tversion reply Rclunk", ""},
        Greeting{"AnotherTag", "on Tversion reply Rversion tag 1 msize 8192 version 9P2000.L", ""},
        Greeting{"RefusedAttach", "on Tattach fail EACCES", "Permission denied"},
        Greeting{"NonsenseToTheAttach", "on Tattach reply Rclunk", ""},
        Greeting{"NoAttributes", "on Tgetattr fail EIO", ""},
        Greeting{"TheEnd", "on Tversion close", "closed"},
        Greeting{"TheEndAfterTheVersion", "on Tattach close", "closed"}),
    [](const auto& of) { return std::string(of.param.name); });

}  // namespace
}  // namespace fuse9p::test
