// SPDX-License-Identifier: MIT
// A soak: 32 processes of three users do everything at random below one mount, and each knows what
// must come of it (tests/support/soak.hpp). In the end everything is back where it was: nodes,
// fids, tags, descriptors, memory. And what a known node and an open file cost.
//
// FUSE9P_SOAK_OPERATIONS: how many operations in all. FUSE9P_SEED: which. FUSE9P_SOAK_FILES: how
// many files are known at once; a tenth of them is opened.

#include "tests/support/soak.hpp"

#include "tests/support/counters.hpp"
#include "tests/support/seed.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <grp.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <iostream>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kUsers[] = {0, 65534, 1};  // root, nobody, daemon
constexpr int kProcesses = 32;
constexpr int kRootOnly = 1;  // nodes
// What a heap may keep in pieces after a soak, however long it was.
constexpr long kMemoryLeftKiB = 6 * 1024;
constexpr long kMostBytesPerNode = 2048, kMostBytesPerOpenFile = 4096;

int from_environment(const char* name, int otherwise) {
  const char* given = std::getenv(name);
  return given != nullptr ? std::atoi(given) : otherwise;
}

/// What a process has of the machine.
struct Footprint {
  long memory_kib = 0;
  long descriptors = 0;
};

class Soak : public MountTest {
 protected:
  void SetUp() override {
    fs::permissions(exported(), fs::perms::all | fs::perms::sticky_bit);
    mount_ = &mount_diod({"allow_other"}, Fuse9p::Run::foreground);
  }
  Fuse9p& mounted() { return *mount_; }

  Footprint footprint() {
    const fs::path proc = "/proc/" + std::to_string(mount_->process().pid());
    Footprint found;
    std::ifstream status(proc / "status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmRSS:"))
        found.memory_kib = std::stol(line.substr(6));
    }
    found.descriptors = std::distance(fs::directory_iterator(proc / "fd"), {});
    return found;
  }
  /// A sanitizer's heap says nothing about ours.
  bool memory_is_ours() {
    const fs::path maps = "/proc/" + std::to_string(mount_->process().pid()) + "/maps";
    return read_file(maps).find("san.so") == std::string::npos;
  }
  /// The kernel drops the names that nobody uses, of this mount only.
  Counters forget_names() {
    EXPECT_EQ(::mount(nullptr, mount_->path().c_str(), nullptr, MS_REMOUNT, nullptr), 0)
        << std::strerror(errno);
    return await_counters(
        *mount_, [](const Counters& now) { return now["nodes"] == kRootOnly && is_idle(now); });
  }

 private:
  Fuse9p* mount_ = nullptr;
};

// ---- random work

/// As that user and nobody else.
int run_as(uid_t user, const SoakSettings& settings, int number) {
  if (::setgroups(0, nullptr) != 0 || ::setresgid(user, user, user) != 0 ||
      ::setresuid(user, user, user) != 0)
    return 2;
  return run_soaker(settings, number);
}

class RandomSoak : public Soak {
 protected:
  /// All processes at it, then everything removed again.
  void soak(const std::string& name, std::uint32_t seed, int operations) {
    const SoakSettings settings{.root = mounted().path() / name,
                                .reports = scratch().directory("reports." + name),
                                .seed = seed,
                                .operations = operations / kProcesses};
    fs::permissions(settings.reports, fs::perms::all);
    fs::create_directory(settings.root);
    fs::permissions(settings.root, fs::perms::all | fs::perms::sticky_bit);
    prepare_soak(settings.root);
    std::deque<Process> processes;
    for (int i = 0; i < kProcesses; ++i) {
      const uid_t user = kUsers[static_cast<std::size_t>(i) % std::size(kUsers)];
      processes.emplace_back([&settings, user, i] { return run_as(user, settings, i); });
    }
    for (int i = 0; i < kProcesses; ++i) {
      Process& process = processes[static_cast<std::size_t>(i)];
      const auto status = process.wait_for(std::chrono::minutes(20));
      EXPECT_EQ(status, kSuccess) << read_file(settings.reports / std::to_string(i));
    }
    const SoakCount count = soak_count(settings);
    EXPECT_EQ(count.found, count.expected) << "increments under a lock";
    EXPECT_EQ(shell("diff -r --no-dereference " + name + ' ' + (exported() / name).string(),
                    mounted().path())
                  .output,
              "");
    fs::remove_all(settings.root);
    EXPECT_TRUE(eventually([&] { return fs::is_empty(exported()); }))
        << shell("find", exported()).output;
  }
};

TEST_F(RandomSoak, LeavesEverythingAsItWas) {
  const std::uint32_t seed = new_seed();
  const int operations = from_environment("FUSE9P_SOAK_OPERATIONS", 20'000);
  ASSERT_NO_FATAL_FAILURE(soak("warm-up", seed, operations / 5));
  const Counters before = forget_names();
  const Footprint had = footprint();
  ASSERT_NO_FATAL_FAILURE(soak("soak", seed + 1, operations));
  const Counters after = forget_names();
  const Footprint has = footprint();
  for (const char* name : {"nodes", "fids", "fids_cached", "open_files", "open_directories"})
    EXPECT_EQ(after[name], before[name]) << name;
  EXPECT_EQ(has.descriptors, had.descriptors);
  std::cout << "memory: " << had.memory_kib << " KiB before, " << has.memory_kib << " KiB after "
            << after["requests"] - before["requests"] << " requests\n";
  if (memory_is_ours()) {
    EXPECT_LE(has.memory_kib, had.memory_kib + kMemoryLeftKiB);
  }
}

// ---- what things cost

class Costs : public Soak {
 protected:
  void make_files(int count) {
    for (int i = 0; i < count; ++i) {
      const fs::path directory = exported() / std::to_string(i / 1000);
      if (i % 1000 == 0)
        fs::create_directory(directory);
      std::ofstream(directory / file_name(i)).flush();
    }
  }
  /// As long as names are.
  static std::string file_name(int number) { return "a_file_name_" + std::to_string(number); }
  /// Of the program's heap. Nothing under a sanitizer, whose heap is its own.
  std::int64_t heap() { return await_idle(mounted())["heap_bytes"]; }
};

TEST_F(Costs, OfNodesAndOpenFilesAreModest) {
  const int count = from_environment("FUSE9P_SOAK_FILES", 10'000);
  const int open = count / 10;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  make_files(count);
  ASSERT_EQ(shell("ls -l 0 | tail -1; ls", mounted().path()).status, kSuccess);  // warm
  const Counters counted_before = forget_names();
  const std::int64_t before = heap();
  EXPECT_EQ(shell("find . -size -100 -type f | wc -l", mounted().path()).output,
            std::to_string(count) + '\n');
  const std::int64_t nodes = await_idle(mounted())["nodes"] - counted_before["nodes"];
  const std::int64_t known = heap();
  ASSERT_GE(nodes, count);
  std::vector<OwnedFd> files;
  for (int i = 0; i < open; ++i) {
    const fs::path path = mounted().path() / std::to_string(i / 1000) / file_name(i);
    files.emplace_back(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_GE(files.back().get(), 0) << std::strerror(errno);
  }
  EXPECT_EQ(await_idle(mounted())["open_files"], open);
  const std::int64_t node_bytes = (known - before) / nodes;
  const std::int64_t open_bytes = (heap() - known) / open;
  std::cout << "memory: " << node_bytes << " bytes for each of " << nodes << " known nodes, "
            << open_bytes << " more for each of " << open << " open files\n";
  files.clear();
  const Counters after = forget_names();
  EXPECT_EQ(after["open_files"], 0);
  EXPECT_EQ(after["fids"], counted_before["fids"]);
  if (memory_is_ours()) {
    EXPECT_GT(node_bytes, 0);
    EXPECT_LT(node_bytes, kMostBytesPerNode);
    EXPECT_LT(open_bytes, kMostBytesPerOpenFile);
  }
}

}  // namespace
}  // namespace fuse9p::test
