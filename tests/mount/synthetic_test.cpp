// SPDX-License-Identifier: MIT
// Files that a program makes up, as Plan 9 has them: events, controls, logs. What is read and
// written there has a meaning, and so has how much at a time.

#include "tests/support/interrupt_fixture.hpp"
#include "tests/support/pattern.hpp"

#include <gmock/gmock.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;

const std::string kPlain = "9P2000", kExtended = "9P2000.u", kLinux = "9P2000.L";

class Synthetic : public InterruptTest, public testing::WithParamInterface<std::string> {
 protected:
  /// 9P2000.L has no words for what these files are: length 0 is all that gives them away.
  bool is_linux() const { return GetParam() == kLinux; }
  const char* change_request() const { return is_linux() ? "Tsetattr" : "Twstat"; }

  fs::path mount_tree(const std::vector<std::string>& script,
                      std::vector<std::string> options = {}) {
    options.push_back("version=" + GetParam());
    return mount_scripted(script, std::move(options)).path();
  }
  std::string written(const std::string& path) { return server().ask("written " + path); }
  std::string text(const std::string& path) { return server().ask("text? " + path); }
};

std::string name_of(const testing::TestParamInfo<std::string>& of) {
  return of.param == kPlain ? "Plain" : of.param == kExtended ? "Unix" : "Linux";
}
INSTANTIATE_TEST_SUITE_P(In, Synthetic, testing::Values(kPlain, kExtended, kLinux), name_of);

/// A program whose output comes through a pipe.
class Program {
 public:
  explicit Program(std::vector<std::string> arguments) {
    Ends pipe = pipe_from_them();
    process_ = Process(Command{.arguments = std::move(arguments), .out = pipe.theirs.get()});
    out_ = std::move(pipe.ours);
  }
  /// Its next `size` bytes; less if they don't come.
  std::string hear(std::size_t size) const {
    std::string heard;
    while (heard.size() < size) {
      pollfd readable{out_.get(), POLLIN, 0};
      char bytes[4096];
      if (::poll(&readable, 1, static_cast<int>(patience().count())) != 1)
        break;
      const ssize_t got = ::read(out_.get(), bytes, std::min(sizeof bytes, size - heard.size()));
      if (got <= 0)
        break;
      heard.append(bytes, static_cast<std::size_t>(got));
    }
    return heard;
  }
  Process& process() { return process_; }

 private:
  OwnedFd out_;
  Process process_;
};

// ---- controls

TEST_P(Synthetic, ACommandIsOneWrite) {
  const fs::path path = mount_tree({"ctl /ctl"});
  EXPECT_EQ(shell("echo first > ctl; echo second > ctl; printf 'a b\nc d\n' >> ctl", path).output,
            "");
  EXPECT_EQ(written("/ctl"), R"('first\x0a' 'second\x0a' 'a b\x0ac d\x0a')");
  EXPECT_EQ(server().count("Twrite"), 3);
  EXPECT_EQ(server().count(change_request()), 0);
}

TEST_P(Synthetic, CommandsThroughOneDescriptorStayApart) {
  const fs::path path = mount_tree({"ctl /ctl"});
  const OwnedFd file(::open((path / "ctl").c_str(), O_WRONLY));
  for (const std::string command : {"one", "twotwo", "three"})
    EXPECT_EQ(::write(file.get(), command.data(), command.size()), std::ssize(command));
  EXPECT_EQ(written("/ctl"), "one twotwo three");
}

TEST_P(Synthetic, ALargeWriteIsOneMessageIfItFits) {
  const fs::path path = mount_tree({"ctl /ctl", "msize 150000"});
  const OwnedFd file(::open((path / "ctl").c_str(), O_WRONLY));
  const std::string large(100'000, 'x');
  EXPECT_EQ(::write(file.get(), large.data(), large.size()), std::ssize(large));
  EXPECT_EQ(server().count("Twrite"), 1);
}

/// What a program takes of a command is its own affair, and the caller's to know. Through the page
/// cache of 9P2000.L it is written to the end, as into a file.
TEST_P(Synthetic, AShortWriteIsShort) {
  const fs::path path = mount_tree({"ctl /ctl", "on Twrite nth 1 short 3"});
  const OwnedFd file(::open((path / "ctl").c_str(), O_WRONLY));
  EXPECT_EQ(::write(file.get(), "command", 7), is_linux() ? 7 : 3);
  EXPECT_EQ(written("/ctl"), is_linux() ? "com mand" : "com");
}

TEST_P(Synthetic, ARefusedCommandIsTheWritesError) {
  const fs::path path =
      mount_tree({"ctl /ctl", "on Twrite fail EINVAL bad arg in control message"});
  const OwnedFd file(::open((path / "ctl").c_str(), O_WRONLY));
  EXPECT_EQ(::write(file.get(), "command", 7), -1);
  EXPECT_EQ(errno, EINVAL);
}

/// Where the protocol knows such files.
class Plan9Files : public Synthetic {};
INSTANTIATE_TEST_SUITE_P(In, Plan9Files, testing::Values(kPlain, kExtended), name_of);

/// A command can be written and its answer read through one descriptor.
TEST_P(Plan9Files, AnAnswerIsReadWhereTheQuestionWasWritten) {
  const fs::path path = mount_tree({"synthetic /rpc old"});
  const OwnedFd file(::open((path / "rpc").c_str(), O_RDWR));
  EXPECT_EQ(::write(file.get(), "ask", 3), 3);
  server().ask("write /rpc the answer");
  char answer[100];
  EXPECT_EQ(::pread(file.get(), answer, sizeof answer, 0), 10);
  EXPECT_EQ(std::string(answer, 10), "the answer");
}

TEST_P(Plan9Files, AWriteThatBlocksIsInterrupted) {
  const fs::path path =
      mount_tree({"ctl /ctl", "on Twrite hold"}, {kLongFlush, "interrupt_grace=3600"});
  Process writer = caller([&] {
    const OwnedFd file(::open((path / "ctl").c_str(), O_WRONLY));
    return outcome(::write(file.get(), "command", 7));
  });
  await_held();
  writer.signal(SIGINT);
  EXPECT_EQ(writer.wait(), Status{.code = kInterrupted});
  EXPECT_EQ(server().count("Tflush"), 1);
  EXPECT_EQ(written("/ctl"), "");
}

// ---- events

TEST_P(Synthetic, EventsAreToldOneByOneAsTheyCome) {
  const fs::path path = mount_tree({"event /event"});
  Program cat({"cat", path / "event"});
  server().ask("await Tread 1");
  server().ask("emit /event first");
  EXPECT_EQ(cat.hear(5), "first");
  server().ask("await Tread 2");
  server().ask("emit /event second");
  EXPECT_EQ(cat.hear(6), "second");
  server().ask("await Tread 3");
  EXPECT_EQ(server().count("Tread"), 3) << "nothing is read ahead";
  cat.process().signal(SIGTERM);
  EXPECT_EQ(cat.process().wait(), Status{.signal = SIGTERM});
  EXPECT_EQ(server().count("Tflush"), 1);
}

TEST_P(Synthetic, ALongEventIsReadInParts) {
  const fs::path path = mount_tree({"event /event"});
  const OwnedFd file(::open((path / "event").c_str(), O_RDONLY));
  server().ask("emit /event something long");
  char bytes[100];
  EXPECT_EQ(::read(file.get(), bytes, 9), 9);
  EXPECT_EQ(::read(file.get(), bytes, sizeof bytes), 5);
  EXPECT_EQ(std::string(bytes, 5), " long");
}

TEST_P(Synthetic, AnEventThatIsWaitedForIsNotLostToASignal) {
  const fs::path path = mount_tree({"event /event"}, {kLongFlush});
  Process first = reader(path / "event");
  server().ask("await Tread 1");
  first.signal(SIGINT);
  EXPECT_EQ(first.wait(), Status{.code = kInterrupted});
  server().ask("emit /event words");
  EXPECT_EQ(Program({"head", "-c", "5", path / "event"}).hear(5), "words");
}

TEST_P(Synthetic, OneWhoWaitsForAnEventHoldsNobodyUp) {
  const fs::path path = mount_tree({"event /event", "text /file words", "ctl /ctl"});
  Process waiting = reader(path / "event");
  server().ask("await Tread 1");
  EXPECT_EQ(read_file(path / "file"), "words");
  EXPECT_EQ(shell("echo go > ctl", path).output, "");
  server().ask("emit /event x");
  EXPECT_EQ(waiting.wait(), kSuccess);
}

// ---- what changes by itself

TEST_P(Synthetic, AShortReadIsShort) {
  const fs::path path = mount_tree({"synthetic /status all is well", "on Tread nth 1 short 3"});
  const OwnedFd file(::open((path / "status").c_str(), O_RDONLY));
  char bytes[100];
  EXPECT_EQ(::read(file.get(), bytes, sizeof bytes), 3);
  EXPECT_EQ(::read(file.get(), bytes, sizeof bytes), 8);
  EXPECT_EQ(server().count("Tread"), 2);
}

TEST_P(Synthetic, NothingIsKeptInThePageCache) {
  const fs::path path = mount_tree({"synthetic /status first"}, {"actimeo=3600"});
  EXPECT_EQ(read_file(path / "status"), "first");
  server().ask("write /status other");
  EXPECT_EQ(read_file(path / "status"), "other");
  const OwnedFd file(::open((path / "status").c_str(), O_RDONLY));
  for (const std::string words : {"one", "two"}) {
    server().ask("write /status " + words);
    char bytes[100];
    EXPECT_EQ(::pread(file.get(), bytes, sizeof bytes, 0), 3);
    EXPECT_EQ(std::string(bytes, 3), words);
  }
}

/// A length is no proof: a file without a version may change with every read.
TEST_P(Synthetic, NorIsAFileOfAPlan9ServerThatHasNoVersion) {
  const fs::path path = mount_tree({"versions off", "text /status one"}, {"actimeo=3600"});
  const OwnedFd file(::open((path / "status").c_str(), O_RDONLY));
  char bytes[100];
  EXPECT_EQ(::pread(file.get(), bytes, sizeof bytes, 0), 3);
  server().ask("write /status two");
  EXPECT_EQ(::pread(file.get(), bytes, sizeof bytes, 0), 3);
  EXPECT_EQ(std::string(bytes, 3), is_linux() ? "one" : "two");
}

// ---- logs

TEST_P(Synthetic, TailFollowsALog) {
  const fs::path path = mount_tree({"append /log first"}, {"actimeo=0"});
  Program tail({"tail", "-c", "+1", "-s", "0.01", "-f", path / "log"});
  EXPECT_EQ(tail.hear(5), "first");
  server().ask("extend /log , second");
  EXPECT_EQ(tail.hear(8), ", second");
  EXPECT_EQ(shell("printf ', third' >> log", path).output, "");
  EXPECT_EQ(tail.hear(7), ", third");
  tail.process().signal(SIGTERM);
  EXPECT_EQ(tail.process().wait(), Status{.signal = SIGTERM});
}

TEST_P(Plan9Files, ALogIsNeitherTruncatedNorOverwritten) {
  const fs::path path = mount_tree({"append /log one"});
  EXPECT_EQ(shell("printf ',two' > log && printf ',three' >> log", path).output, "");
  const OwnedFd file(::open((path / "log").c_str(), O_WRONLY));
  server().ask("extend /log ,four");
  EXPECT_EQ(::write(file.get(), ",five", 5), 5);
  EXPECT_EQ(::write(file.get(), ",six", 4), 4);
  EXPECT_EQ(text("/log"), "one,two,three,four,five,six");
  EXPECT_EQ(server().count(change_request()), 0);
  EXPECT_EQ(read_file(path / "log"), "one,two,three,four,five,six");
}

// ---- one at a time

TEST_P(Synthetic, AnExclusiveFileIsOpenOnce) {
  const fs::path path = mount_tree({"exclusive /lock words"});
  {
    const OwnedFd file(::open((path / "lock").c_str(), O_RDWR));
    EXPECT_GE(file.get(), 0);
    const OwnedFd second(::open((path / "lock").c_str(), O_RDONLY));
    EXPECT_EQ(second.get() < 0, !is_linux());
    if (!is_linux()) {
      EXPECT_EQ(errno, EBUSY);
    }
    EXPECT_EQ(::pwrite(file.get(), "W", 1, 0), 1);
    EXPECT_EQ(text("/lock"), "Words");
  }
  // Its Tclunk goes out by itself.
  EXPECT_TRUE(
      eventually([&] { return OwnedFd(::open((path / "lock").c_str(), O_RDONLY)).get() >= 0; }));
  EXPECT_EQ(fs::exists(path / "lock"), true) << "its attributes are nobody's";
}

}  // namespace
}  // namespace fuse9p::test
