// SPDX-License-Identifier: MIT
// Order: what was given up while the server had it can still happen, and must not land on top of
// what was done later. So later changes of the same thing wait until the fate of the first is
// known: its late reply, or the Rflush that says that it never will.

#include "tests/support/interrupt_fixture.hpp"

#include <gmock/gmock.h>

#include <cstring>
#include <deque>
#include <tuple>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;
using Call = std::function<long(const fs::path& root)>;

/// Exit codes are the errno of the call.
int error_of(long result) {
  return result >= 0 ? 0 : errno;
}

long write_at(const fs::path& file, const char* text, off_t offset) {
  const OwnedFd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  return fd.get() < 0 ? -1 : ::pwrite(fd.get(), text, std::strlen(text), offset);
}

long opened(const fs::path& file, int flags) {
  return OwnedFd(::open(file.c_str(), flags | O_WRONLY | O_CLOEXEC, 0644)).get();
}

const Call kWriteFirst = [](const fs::path& root) { return write_at(root / "file", "AAAA", 2); };

class Order : public InterruptTest {
 protected:
  /// `flush`: "after" lets what was given up happen at "release", "late" does not.
  Fuse9p& mount_for(const std::string& rule, const std::string& flush,
                    std::vector<std::string> options = {"actimeo=0"}) {
    options.insert(options.begin(), {kNoGrace, "flush_timeout=0.1"});  // "options" may say more
    return mount_with({rule, "flush " + flush}, std::move(options));
  }
  static Process process(const Fuse9p& mount, const Call& call) {
    return caller([&mount, call] { return error_of(call(mount.path())); });
  }
  /// Makes a call whose request the server holds, and kills it: its fate is unknown.
  void give_up(const Fuse9p& mount, const Call& call) {
    Process first = process(mount, call);
    await_held();
    first.signal(SIGKILL);
    EXPECT_EQ(first.wait(), Status{.signal = SIGKILL});
  }
  /// Until fuse9p has the process's call and keeps it back.
  static void await_held_up(Fuse9p& mount, const Process& waiting) {
    const Counters now = await_counters(mount, [&](const Counters& counters) {
      return counters["held_up"] == 1 || process_state(waiting.pid()) == 'Z';
    });
    EXPECT_EQ(now["held_up"], 1) << "it did not wait";
  }
  void expect_content(const Fuse9p& mount, const std::string& content) {
    EXPECT_EQ(read_file(mount.path() / "file"), content);
  }
};

// ---- what waits, and for what

struct Pair {
  const char* name;
  const char* rule;
  Call first, second;
  /// Of the second call: when the first has happened, and when it has not.
  int late_reply = 0, no_reply = 0;
};
void PrintTo(const Pair& pair, std::ostream* out) {
  *out << pair.name;
}

const Call kTruncate = [](const fs::path& root) { return ::truncate((root / "file").c_str(), 3); };
const Call kOpenTruncating = [](const fs::path& root) { return opened(root / "file", O_TRUNC); };
const Call kWriteFarBehind = [](const fs::path& r) { return write_at(r / "file", "far", 1000); };
const Call kChmod = [](const fs::path& root) { return ::chmod((root / "file").c_str(), 0600); };
const Call kCreate = [](const fs::path& root) { return opened(root / "new", O_CREAT); };
const Call kMkdir = [](const fs::path& root) { return ::mkdir((root / "new").c_str(), 0755); };
const Call kMkfifo = [](const fs::path& root) { return ::mkfifo((root / "new").c_str(), 0644); };
const Call kSymlink = [](const fs::path& root) { return ::symlink("x", (root / "new").c_str()); };
const Call kLink = [](const fs::path& r) {
  return ::link((r / "other").c_str(), (r / "new").c_str());
};
const Call kUnlink = [](const fs::path& root) { return ::unlink((root / "file").c_str()); };
const Call kRmdir = [](const fs::path& root) { return ::rmdir((root / "dir").c_str()); };
const Call kRename = [](const fs::path& root) {
  return ::rename((root / "file").c_str(), (root / "dir/new").c_str());
};

const Pair kPairs[] = {
    {"WriteBehindAWrite", "on Twrite times 1 hold", kWriteFirst,
     [](const fs::path& root) { return write_at(root / "file", "bb", 4); }},
    {"TruncateBehindAWrite", "on Twrite times 1 hold", kWriteFirst, kTruncate},
    {"FtruncateBehindAWrite", "on Twrite times 1 hold", kWriteFirst,
     [](const fs::path& root) {
       const OwnedFd fd(::open((root / "file").c_str(), O_WRONLY | O_CLOEXEC));
       return ::ftruncate(fd.get(), 3);
     }},
    {"TruncatingOpenBehindAWrite", "on Twrite times 1 hold", kWriteFirst, kOpenTruncating},
    {"WriteBehindATruncate", "on Tsetattr times 1 hold", kTruncate, kWriteFarBehind},
    {"WriteBehindATruncatingOpen", "on Tlopen times 1 hold", kOpenTruncating, kWriteFarBehind},
    {"ChmodBehindAChmod", "on Tsetattr times 1 hold", kChmod, kChmod},
    {"CreateBehindACreate", "on Tlcreate times 1 hold", kCreate, kCreate},
    {"MkdirBehindACreate", "on Tlcreate times 1 hold", kCreate, kMkdir, EEXIST},
    {"SymlinkBehindAMkdir", "on Tmkdir times 1 hold", kMkdir, kSymlink, EEXIST},
    {"LinkBehindAMknod", "on Tmknod times 1 hold", kMkfifo, kLink, EEXIST},
    {"MknodBehindASymlink", "on Tsymlink times 1 hold", kSymlink, kMkfifo, EEXIST},
    {"RenameBehindALink", "on Tlink times 1 hold", kLink,
     [](const fs::path& root) {
       return ::rename((root / "file").c_str(), (root / "new").c_str());
     }},
    {"UnlinkBehindAnUnlink", "on Tunlinkat times 1 hold", kUnlink, kUnlink, ENOENT},
    {"RenameBehindAnUnlink", "on Tunlinkat times 1 hold", kUnlink,
     [](const fs::path& root) {
       return ::rename((root / "other").c_str(), (root / "file").c_str());
     }},
    {"RmdirBehindARmdir", "on Tunlinkat times 1 hold", kRmdir, kRmdir, ENOENT},
    {"UnlinkBehindARename", "on Trenameat times 1 hold", kRename, kUnlink, ENOENT},
    {"MkdirBehindARename", "on Trenameat times 1 hold", kRename,
     [](const fs::path& root) { return ::mkdir((root / "dir/new").c_str(), 0755); }, EEXIST},
    {"RenameBehindARename", "on Trenameat times 1 hold", kRename,
     [](const fs::path& root) {
       return ::rename((root / "file").c_str(), (root / "elsewhere").c_str());
     },
     ENOENT},
};

class OrderOf : public Order,
                public testing::WithParamInterface<std::tuple<Pair, std::string /*flush*/>> {};

TEST_P(OrderOf, HoldsUntilTheFateOfTheFirstIsKnown) {
  const auto& [pair, flush] = GetParam();
  Fuse9p& mount = mount_for(pair.rule, flush);
  give_up(mount, pair.first);
  Process impatient = process(mount, pair.second);
  await_held_up(mount, impatient);
  impatient.signal(SIGINT);
  EXPECT_EQ(impatient.wait(), Status{.code = EINTR});
  Process second = process(mount, pair.second);
  await_held_up(mount, second);
  ASSERT_EQ(server().ask("release"), "ok");
  EXPECT_EQ(second.wait(), Status{.code = flush == "after" ? pair.late_reply : pair.no_reply});
  expect_no_leak(mount);
}

INSTANTIATE_TEST_SUITE_P(
    , OrderOf, testing::Combine(testing::ValuesIn(kPairs), testing::Values("after", "late")),
    [](const auto& of) {
      return std::string(std::get<0>(of.param).name) +
             (std::get<1>(of.param) == "after" ? "ThatHappens" : "ThatNeverHappens");
    });

TEST_F(Order, OfWritesIsThatOfTheirCalls) {
  Fuse9p& mount = mount_for("on Twrite times 1 hold", "after");
  give_up(mount, kWriteFirst);
  Process second =
      process(mount, [](const fs::path& root) { return write_at(root / "file", "bb", 4); });
  await_held_up(mount, second);
  EXPECT_EQ(server().count("Twrite"), 1);
  ASSERT_EQ(server().ask("release"), "ok");
  EXPECT_EQ(second.wait(), kSuccess);
  expect_content(mount, "soAAbbext");
}

TEST_F(Order, HoldsForAWriteThatWasInterrupted) {
  Fuse9p& mount = mount_for("on Twrite times 1 hold", "late");
  Process first = process(mount, kWriteFirst);
  await_held();
  first.signal(SIGINT);
  EXPECT_EQ(first.wait(), Status{.code = EINTR});
  Process second = process(mount, kTruncate);
  await_held_up(mount, second);
  second.signal(SIGKILL);
  EXPECT_EQ(second.wait(), Status{.signal = SIGKILL});
  ASSERT_EQ(server().ask("release"), "ok");
  await_idle(mount);
  expect_content(mount, "some text");
  EXPECT_EQ(server().count("Tsetattr"), 0);
}

TEST_F(Order, OfWritesHoldsOnDiod) {
  const fs::path file = exported() / "file";
  ASSERT_EQ(shell("echo 0123456789 > " + file.string()).status, kSuccess);
  Diod diod(scratch(), exported(), Diod::Listen::unix_socket);
  Fuse9p& mounted =
      mount({.source = diod.source(),
             .options = {"aname=" + exported().string(), kNoGrace, "flush_timeout=0.1", "noxattr"},
             .run = Fuse9p::Run::foreground});
  // Opened before the server stands still; the children have it, too.
  const OwnedFd one(::open((mounted.path() / "file").c_str(), O_WRONLY | O_CLOEXEC));
  const OwnedFd other(::open((mounted.path() / "file").c_str(), O_WRONLY | O_CLOEXEC));
  await_idle(mounted);
  diod.process().signal(SIGSTOP);
  Process first = caller([&] { return error_of(::pwrite(one.get(), "AAAA", 4, 2)); });
  await_counters(mounted, [](const Counters& now) { return now["outstanding"] == 1; });
  first.signal(SIGKILL);
  EXPECT_EQ(first.wait(), Status{.signal = SIGKILL});
  Process second = caller([&] { return error_of(::pwrite(other.get(), "bb", 2, 4)); });
  await_held_up(mounted, second);
  diod.process().signal(SIGCONT);
  EXPECT_EQ(second.wait(), kSuccess);
  await_idle(mounted);
  // diod may take the first back, or not.
  EXPECT_THAT(read_file(file), testing::AnyOf("01AAbb6789\n", "0123bb6789\n"));
}

// ---- what does not wait

TEST_F(Order, LeavesOtherBytesAlone) {
  Fuse9p& mount = mount_for("on Twrite times 1 hold", "after");
  give_up(mount, kWriteFirst);  // 2 to 6
  EXPECT_EQ(write_at(mount.path() / "file", "xx", 0), 2);
  EXPECT_EQ(write_at(mount.path() / "file", "yyy", 6), 3);
  EXPECT_EQ(::chmod((mount.path() / "file").c_str(), 0600), 0);
  expect_content(mount, "xxme tyyy");
  ASSERT_EQ(server().ask("release"), "ok");
  await_idle(mount);
  expect_content(mount, "xxAAAAyyy");
}

TEST_F(Order, LeavesOtherNamesAlone) {
  Fuse9p& mount = mount_for("on Tlcreate times 1 hold", "after");
  give_up(mount, kCreate);
  EXPECT_GE(opened(mount.path() / "newer", O_CREAT), 0);
  EXPECT_GE(opened(mount.path() / "dir/new", O_CREAT), 0);
  EXPECT_EQ(::rename((mount.path() / "file").c_str(), (mount.path() / "old").c_str()), 0);
  ASSERT_EQ(server().ask("release"), "ok");
  expect_no_leak(mount);
}

// ---- looking at names that may still change

class OrderOfLookups : public Order {
 protected:
  Fuse9p& mount_caching(const std::string& rule) {
    return mount_for(rule, "after", {"entry_timeout=3600", "attr_timeout=3600"});
  }
  static int find(const fs::path& path) { return error_of(::access(path.c_str(), F_OK)); }
};

TEST_F(OrderOfLookups, DoesNotLetANameBeMissingForLong) {
  // What the kernel knew before the create is forgotten when the create is given up.
  Fuse9p& mount =
      mount_for("on Tlcreate times 1 hold", "after", {"negative_timeout=0.5", "flush_timeout=0.7"});
  give_up(mount, kCreate);
  EXPECT_EQ(find(mount.path() / "new"), ENOENT);
  ASSERT_EQ(server().ask("release"), "ok");
  await_idle(mount);
  EXPECT_EQ(find(mount.path() / "new"), 0);
}

TEST_F(OrderOfLookups, DoesNotLetANameStayForLong) {
  Fuse9p& mount = mount_caching("on Tunlinkat times 1 hold");
  give_up(mount, kUnlink);
  EXPECT_EQ(find(mount.path() / "file"), 0);
  ASSERT_EQ(server().ask("release"), "ok");
  await_idle(mount);
  EXPECT_EQ(find(mount.path() / "file"), ENOENT);
}

TEST_F(OrderOfLookups, DoesNotLetAListedNameStayForLong) {
  Fuse9p& mount = mount_caching("on Tunlinkat times 1 hold");
  give_up(mount, kUnlink);
  EXPECT_THAT(shell("ls -l", mount.path()).output, testing::HasSubstr("file"));
  ASSERT_EQ(server().ask("release"), "ok");
  await_idle(mount);
  EXPECT_EQ(find(mount.path() / "file"), ENOENT);
}

// ---- the end

TEST_F(Order, EndsWithTheConnection) {
  Fuse9p& mount = mount_for("on Twrite hold", "never");
  server().ask("on Tlcreate hold");
  give_up(mount, kWriteFirst);
  Process creator = process(mount, kCreate);
  await_held(2);
  creator.signal(SIGKILL);
  EXPECT_EQ(creator.wait(), Status{.signal = SIGKILL});
  std::deque<Process> waiting;
  waiting.push_back(process(mount, kTruncate));
  waiting.push_back(process(mount, kMkdir));
  await_counters(mount, [](const Counters& now) { return now["held_up"] == 2; });
  server_ends_early();
  server().process().signal(SIGKILL);
  for (Process& process : waiting)
    EXPECT_EQ(process.wait(), Status{.code = EIO});
  await_counters(mount, [](const Counters& now) {
    return now["operations"] == 0 && now["unresolved_changes"] == 0 && now["held_up"] == 0;
  });
}

}  // namespace
}  // namespace fuse9p::test
