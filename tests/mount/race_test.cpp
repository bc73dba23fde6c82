// SPDX-License-Identifier: MIT
// Renames and removals beside other work: what is done below a directory while that is renamed is
// done as if it were not. A server that goes by path can't see to that by itself, so requests and
// changes of their paths wait for each other (fuse/paths.hpp).

#include "tests/support/interrupt_fixture.hpp"
#include "tests/support/seed.hpp"

#include <gmock/gmock.h>

#include <dirent.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <fstream>
#include <memory>
#include <random>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;

/// Exit codes are the errno of the call.
int error_of(long result) {
  return result >= 0 ? 0 : errno;
}

// ---- who waits for whom

class Race : public InterruptTest {
 protected:
  /// With /dir/file, which is open: what is asked through it needs no lookup.
  Fuse9p& mount_open() {
    Fuse9p& mount = mount_with({"text /dir/file content"}, {"actimeo=0", kNoGrace});
    file_ = OwnedFd(::open((mount.path() / "dir/file").c_str(), O_RDWR | O_CLOEXEC));
    EXPECT_GE(file_.get(), 0);
    await_idle(mount);
    return mount;
  }
  /// The next request of that type is held.
  void hold(const std::string& type) { server().ask("on " + type + " times 1 hold"); }
  Process fstat_file() {
    return caller([this] {
      struct stat found {};
      return error_of(::fstat(file_.get(), &found));
    });
  }
  static Process rename_directory(const Fuse9p& mount) {
    return caller([from = mount.path() / "dir", to = mount.path() / "new"] {
      return error_of(::rename(from.c_str(), to.c_str()));
    });
  }
  /// Both are at the server when this returns, and get no answer before "release".
  Process held_question() {
    hold("Tgetattr name file");
    Process request = fstat_file();
    await_held();
    return request;
  }
  Process held_rename(const Fuse9p& mount) {
    hold("Trenameat");
    Process rename = rename_directory(mount);
    await_held();
    return rename;
  }
  static Process unlink_file(const Fuse9p& mount) {
    return caller([path = mount.path() / "dir/file"] { return error_of(::unlink(path.c_str())); });
  }
  /// Until fuse9p keeps the process's call back.
  static void await_held_up(Fuse9p& mount, const Process& waiting) {
    const Counters now = await_counters(mount, [&](const Counters& counters) {
      return counters["held_up"] == 1 || process_state(waiting.pid()) == 'Z';
    });
    EXPECT_EQ(now["held_up"], 1) << "it did not wait";
  }

  void TearDown() override {
    file_.reset();
    InterruptTest::TearDown();
  }

  OwnedFd file_;
};

TEST_F(Race, RequestsBelowADirectoryWaitForItsRename) {
  Fuse9p& mount = mount_open();
  Process rename = held_rename(mount);
  const int before = server().count("Tgetattr");
  Process request = fstat_file();
  await_held_up(mount, request);
  EXPECT_EQ(server().count("Tgetattr"), before);
  ASSERT_EQ(server().ask("release"), "ok");
  EXPECT_EQ(rename.wait(), kSuccess);
  EXPECT_EQ(request.wait(), kSuccess);
  expect_no_leak(mount);
}

TEST_F(Race, WhoWaitsForARenameCanBeInterrupted) {
  Fuse9p& mount = mount_open();
  Process rename = held_rename(mount);
  Process request = fstat_file();
  await_held_up(mount, request);
  request.signal(SIGINT);
  EXPECT_EQ(request.wait(), Status{.code = EINTR});
  ASSERT_EQ(server().ask("release"), "ok");
  EXPECT_EQ(rename.wait(), kSuccess);
  expect_no_leak(mount);
}

TEST_F(Race, ARenameWaitsForRequestsBelow) {
  Fuse9p& mount = mount_open();
  Process request = held_question();
  Process rename = rename_directory(mount);
  await_held_up(mount, rename);
  EXPECT_EQ(server().count("Trenameat"), 0);
  ASSERT_EQ(server().ask("release"), "ok");
  EXPECT_EQ(request.wait(), kSuccess);
  EXPECT_EQ(rename.wait(), kSuccess);
  expect_no_leak(mount);
}

TEST_F(Race, ARenameThatWaitsCanBeInterruptedAndHasNotHappened) {
  Fuse9p& mount = mount_open();
  Process request = held_question();
  Process rename = rename_directory(mount);
  await_held_up(mount, rename);
  rename.signal(SIGINT);
  EXPECT_EQ(rename.wait(), Status{.code = EINTR});
  ASSERT_EQ(server().ask("release"), "ok");
  EXPECT_EQ(request.wait(), kSuccess);
  EXPECT_EQ(server().count("Trenameat"), 0);
  EXPECT_TRUE(fs::exists(mount.path() / "dir"));
  expect_no_leak(mount);
}

TEST_F(Race, ARequestThatIsStuckStopsNoRenameForEver) {
  Fuse9p& mount = mount_open();
  Process request = held_question();
  Process rename = rename_directory(mount);
  EXPECT_EQ(rename.wait(), kSuccess);
  ASSERT_EQ(server().ask("release"), "ok");
  EXPECT_EQ(request.wait(), kSuccess);
  expect_no_leak(mount);
}

TEST_F(Race, ARequestThatWasGivenUpStopsNoRename) {
  Fuse9p& mount = mount_open();
  Process request = held_question();
  Process rename = rename_directory(mount);
  await_held_up(mount, rename);
  request.signal(SIGKILL);
  EXPECT_EQ(request.wait(), Status{.signal = SIGKILL});
  EXPECT_EQ(rename.wait(), kSuccess);
  expect_no_leak(mount);
}

TEST_F(Race, ARenameThatWasGivenUpHoldsRequestsUpUntilItsFateIsKnown) {
  Fuse9p& mount = mount_open();
  server().ask("flush late");
  Process rename = held_rename(mount);
  rename.signal(SIGKILL);
  EXPECT_EQ(rename.wait(), Status{.signal = SIGKILL});
  Process request = fstat_file();
  await_held_up(mount, request);
  ASSERT_EQ(server().ask("release"), "ok");
  EXPECT_EQ(request.wait(), kSuccess);
  expect_no_leak(mount);
}

TEST_F(Race, AFileIsNotRemovedWhileItIsAskedAbout) {
  Fuse9p& mount = mount_open();
  Process request = held_question();
  Process removal = unlink_file(mount);
  await_held_up(mount, removal);
  EXPECT_EQ(server().count("Tunlinkat"), 0);
  ASSERT_EQ(server().ask("release"), "ok");
  EXPECT_EQ(request.wait(), kSuccess);
  EXPECT_EQ(removal.wait(), kSuccess);
  expect_no_leak(mount);
}

TEST_F(Race, RequestsElsewhereGoOnDuringARename) {
  Fuse9p& mount = mount_open();
  const OwnedFd other(::open((mount.path() / "other").c_str(), O_RDONLY | O_CLOEXEC));
  Process rename = held_rename(mount);
  struct stat found {};  // not by its name: the kernel has closed the directory
  EXPECT_EQ(::fstat(other.get(), &found), 0);
  ASSERT_EQ(server().ask("release"), "ok");
  EXPECT_EQ(rename.wait(), kSuccess);
  expect_no_leak(mount);
}

// ---- what another client does

/// The first of its files can't be found by the directory's old path, the second one can: what the
/// kernel was not told of would not be asked for again.
TEST_F(Race, OfADirectoryThatSomebodyElseMovesNothingIsLeftOut) {
  Fuse9p& mount = mount_with({"text /dir/first a", "text /dir/second b"}, {"actimeo=0", kNoGrace});
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir((mount.path() / "dir").c_str()),
                                                      &::closedir);
  ASSERT_NE(directory, nullptr);
  // As a server says it that goes by path.
  server().ask("on Twalk times 1 fail ENOENT");
  server().ask("on Tgetattr name dir fail ENOENT");
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(directory.get()))
    names.emplace_back(entry->d_name);
  EXPECT_THAT(names, testing::UnorderedElementsAre(".", "..", "first", "second"));
  server().ask("forget");
}

TEST_F(Race, ASymlinkThatIsNoneAnyMoreIsLookedForAgain) {
  Fuse9p& mount = mount_with({"symlink file /link"}, {"actimeo=0"});
  server().ask("on Treadlink times 1 fail EINVAL");  // it was replaced in between
  char target[10];
  EXPECT_EQ(::readlink((mount.path() / "link").c_str(), target, sizeof target), 4) << errno;
}

// ---- all at once, on a server that goes by path

constexpr int kRenames = 400;  // of each that renames; the others work as long as they do

/// What one process does at random. What goes wrong is a line in its report.
class Worker {
 public:
  Worker(std::uint32_t seed, fs::path report) : dice_(seed), report_(std::move(report)) {}

  /// A call and what it may say.
  bool works(long result, const char* call) {
    const int error = errno;
    if (result < 0)
      complain(std::string(call) + ": " + std::strerror(error));
    return result >= 0;
  }
  void expect(bool right, const char* what) {
    if (!right)
      complain(what);
  }
  unsigned pick(unsigned number) { return static_cast<unsigned>(dice_() % number); }
  int complaints() const { return complaints_; }

 private:
  void complain(const std::string& what) {
    ++complaints_;
    std::ofstream(report_, std::ios::app) << ::getpid() << ' ' << what << '\n';
  }
  std::mt19937 dice_;
  fs::path report_;
  int complaints_ = 0;
};

/// Makes files and directories in the working directory, looks at them and removes them.
class Inhabitant : public Worker {
 public:
  Inhabitant(std::uint32_t seed, fs::path report, ino_t inode)
      : Worker(seed, std::move(report)), inode_(inode) {}

  void step() {
    switch (pick(6)) {
      case 0:
        return look();
      case 1:
        return change();
      case 2:
        return read_link();
      case 3:
        return make_file();
      case 4:
        return make_directory();
      default:
        return list();
    }
  }

 private:
  void look() {
    struct stat found {};
    if (works(::stat("file", &found), "stat"))
      expect(found.st_ino == inode_ && found.st_size == 7, "stat says something else");
  }
  void change() { works(::chmod("file", 0600 | pick(0100)), "chmod"); }
  void read_link() {
    char target[10];
    const ssize_t size = ::readlink("link", target, sizeof target);
    if (works(size, "readlink"))
      expect(std::string_view(target, static_cast<std::size_t>(size)) == "target", "the target");
  }
  void make_file() {
    struct stat found {};
    const OwnedFd file(::open(name_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!works(file.get(), "open"))
      return;
    works(::write(file.get(), "abc", 3), "write");
    works(::ftruncate(file.get(), 2), "ftruncate");
    if (works(::fstat(file.get(), &found), "fstat"))
      expect(found.st_size == 2, "fstat says another size");
    works(::link(name_.c_str(), (name_ + ".second").c_str()), "link");
    works(::rename(name_.c_str(), (name_ + ".new").c_str()), "rename");
    works(::unlink((name_ + ".second").c_str()), "unlink of the second name");
    works(::unlink((name_ + ".new").c_str()), "unlink");
  }
  void make_directory() {
    const std::string inside = name_ + ".d/inside";
    works(::mkdir((name_ + ".d").c_str(), 0755), "mkdir");
    works(::symlink("x", inside.c_str()), "symlink");
    works(::unlink(inside.c_str()), "unlink of the symlink");
    works(::rmdir((name_ + ".d").c_str()), "rmdir");
  }
  void list() {
    DIR* directory = ::opendir(".");
    if (!works(directory == nullptr ? -1 : 0, "opendir"))
      return;
    int found = 0;
    errno = 0;
    while (const dirent* entry = ::readdir(directory))
      found += std::strcmp(entry->d_name, "file") == 0 ? 1 : 0;
    expect(errno == 0, "readdir fails");
    expect(found == 1, "the listing lacks a file");
    ::closedir(directory);
  }

  ino_t inode_;
  std::string name_ = std::to_string(::getpid());
};

class RaceOnDiod : public MountTest, public testing::WithParamInterface<std::string> {
 protected:
  using Body = std::function<void(Worker&)>;

  /// One that renames `name` in `directory` to and fro.
  void start_mover(const fs::path& directory, const std::string& name) {
    const int where = descriptor_of(directory);
    movers_.push_back(Process([this, where, name] {
      Worker worker(1, report_);
      const std::string moved = name + ".moved";
      for (int i = 0; i < kRenames; ++i) {
        const bool back = i % 2 != 0;
        worker.works(
            ::renameat(where, (back ? moved : name).c_str(), where, (back ? name : moved).c_str()),
            "rename");
      }
      return worker.complaints() == 0 ? 0 : 1;
    }));
  }
  /// One that lives in that directory until the movers are done.
  void start_inhabitant(const fs::path& directory, std::uint32_t seed) {
    const int where = descriptor_of(directory);
    struct stat file {};
    ASSERT_EQ(::stat((directory / "file").c_str(), &file), 0);
    inhabitants_.push_back(Process([this, where, seed, inode = file.st_ino] {
      Inhabitant inhabitant(seed, report_, inode);
      inhabitant.works(::fchdir(where), "fchdir");
      while (!fs::exists(done_))
        inhabitant.step();
      return inhabitant.complaints() == 0 ? 0 : 1;
    }));
  }
  void TearDown() override {
    descriptors_.clear();
    MountTest::TearDown();
  }
  void expect_no_complaint() {
    for (Process& mover : movers_)
      EXPECT_EQ(mover.wait(), kSuccess);
    std::ofstream(done_).put('\n');
    for (Process& inhabitant : inhabitants_)
      EXPECT_EQ(inhabitant.wait(), kSuccess);
    if (fs::exists(report_))
      ADD_FAILURE() << shell("sed 's/^[0-9]* //' " + report_.string() + " | sort | uniq -c").output;
  }

 private:
  int descriptor_of(const fs::path& directory) {
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    return descriptors_.emplace_back(::open(directory.c_str(), flags)).get();
  }

  fs::path done_ = scratch().directory("race") / "done", report_ = done_.parent_path() / "report";
  std::deque<OwnedFd> descriptors_;
  std::deque<Process> movers_, inhabitants_;
};

TEST_P(RaceOnDiod, NothingBelowARenamedDirectoryNoticesIt) {
  const fs::path root = mount_diod({GetParam()}).path();
  const fs::path home = root / "a/b/home";
  fs::create_directories(home);
  std::ofstream(home / "file") << "content";
  fs::create_symlink("target", home / "link");
  std::mt19937 seeds(new_seed());
  for (int i = 0; i < 3; ++i)
    start_inhabitant(home, static_cast<std::uint32_t>(seeds()));
  start_mover(root / "a", "b");
  start_mover(root, "a");
  expect_no_complaint();
}

INSTANTIATE_TEST_SUITE_P(, RaceOnDiod, testing::Values("actimeo=0", "actimeo=1"),
                         [](const auto& option) {
                           return option.param == "actimeo=0" ? "NothingCached" : "Cached";
                         });

}  // namespace
}  // namespace fuse9p::test
