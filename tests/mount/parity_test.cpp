// SPDX-License-Identifier: MIT
// Parity with a local file system: every case (tests/parity/cases.hpp) on a mount of diod and in a
// directory beside the one that it exports. Results, errors, and what is left behind are the same,
// but for what tests/parity/differences.cpp says.
//
// By default one configuration sees all cases, the others a sample, drawn from the seed.
// FUSE9P_PARITY=all: all cases in each, =sample: in none. FUSE9P_PARITY_CASES=REGEX: those, in
// each.

#include "tests/parity/comparison.hpp"
#include "tests/parity/demands.hpp"
#include "tests/parity/users.hpp"
#include "tests/support/mount_fixture.hpp"
#include "tests/support/seed.hpp"

#include <gtest/gtest.h>

#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <iterator>
#include <map>
#include <sstream>

namespace fuse9p::test::parity {
namespace {

namespace fs = std::filesystem;

/// Of all cases, where not all are wanted.
constexpr std::size_t kSample = 200;
/// More than these are only counted.
constexpr int kMostReports = 20;

/// What server and local directory are on: a tmpfs, or where the test's directory is.
enum class Disk { own, of_the_machine };
enum class Cases { sample, by_hand_and_sample, all };

struct Configuration {
  const char* name;
  Cases cases = Cases::sample;
  std::vector<std::string> options{};
  Diod::Listen listen = Diod::Listen::exec;
  Disk disk = Disk::own;
  bool others = true;  ///< may they use it, who did not mount it?
};
void PrintTo(const Configuration& configuration, std::ostream* out) {
  *out << configuration.name;
}

const Configuration kConfigurations[] = {
    {.name = "default", .cases = Cases::all},
    {.name = "maxfids_64", .options = {"maxfids=64"}},
    {.name = "msize_8k", .options = {"msize=8k"}},
    {.name = "cache_none", .options = {"cache=none"}},
    {.name = "cache_mmap", .options = {"cache=mmap"}},
    {.name = "cache_loose", .options = {"cache=loose"}},
    {.name = "cache_fscache", .options = {"cache=fscache"}},
    {.name = "directio", .options = {"directio"}},
    {.name = "locks_server", .options = {"locks=server"}},
    {.name = "attr_timeout_0", .options = {"attr_timeout=0"}},
    {.name = "nothing_cached", .options = {"actimeo=0", "directio"}},
    {.name = "actimeo_3600", .options = {"actimeo=3600"}},
    {.name = "unix_socket", .listen = Diod::Listen::unix_socket},
    {.name = "on_disk", .disk = Disk::of_the_machine},
    {.name = "only_me", .others = false},
};
const Configuration kFew{.name = "default", .cases = Cases::by_hand_and_sample};

std::string setting(const char* variable) {
  const char* given = std::getenv(variable);
  return given != nullptr ? given : "";
}

std::vector<Case> joined(std::vector<Case> some, const std::vector<Case>& others) {
  some.insert(some.end(), others.begin(), others.end());
  return some;
}

std::vector<Case> sample_of(const std::vector<Case>& all) {
  std::vector<Case> sample;
  std::ranges::sample(all, std::back_inserter(sample), kSample, std::mt19937(new_seed()));
  return sample;
}

bool needs_others(const Case& of) {
  static const std::regex user("as (alice|bob|carol)");
  return std::regex_search(of.script, user);
}

class Parity : public MountTest, public testing::WithParamInterface<Configuration> {
 protected:
  void SetUp() override {
    ASSERT_EQ(::geteuid(), 0U) << "only root can be other users, too";
    grounds_[Place::ordinary] = make_ordinary();
    grounds_[Place::read_only] = make_read_only();
    grounds_[Place::full] = make_full();
  }
  void TearDown() override {
    end_mounts();
    servers_.clear();
    MountTest::TearDown();
    for (const fs::path& disk : disks_)
      EXPECT_EQ(::umount2(disk.c_str(), UMOUNT_NOFOLLOW), 0) << std::strerror(errno);
  }

  const Ground& ground_of(const Case& of) const { return grounds_.at(of.place); }
  /// Nothing more is to be prepared on it.
  void seal_local_read_only() const {
    const fs::path& disk = grounds_.at(Place::read_only).local;
    EXPECT_EQ(::mount("none", disk.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0)
        << std::strerror(errno);
  }

  /// Does this configuration see all cases there are? Then nothing may be missing in the end.
  static bool sees_all() {
    const bool always = GetParam().cases == Cases::all;
    const bool never = GetParam().cases == Cases::by_hand_and_sample;
    return setting("FUSE9P_PARITY_CASES").empty() && !never &&
           (always || setting("FUSE9P_PARITY") == "all");
  }
  static std::vector<Case> cases() {
    std::vector<Case> by_hand = cases_by_hand(), of_tables = cases_of_tables();
    if (GetParam().cases == Cases::by_hand_and_sample)
      return joined(by_hand, sample_of(of_tables));
    std::vector<Case> all = joined(by_hand, of_tables);
    if (!GetParam().others)
      std::erase_if(all, needs_others);
    const std::string wanted = setting("FUSE9P_PARITY_CASES");
    const std::regex pattern(wanted);
    std::erase_if(all, [&](const Case& of) { return !std::regex_search(of.name, pattern); });
    return sees_all() || !wanted.empty() ? all : sample_of(all);
  }

 private:
  /// A file system of its own.
  fs::path local_disk(const std::string& name, const std::string& room = "size=50%") {
    fs::path path = scratch().directory(name);
    EXPECT_EQ(::mount("none", path.c_str(), "tmpfs", 0, ("mode=755," + room).c_str()), 0)
        << path << ": " << std::strerror(errno);
    disks_.push_back(path);
    return path;
  }
  /// A mount of a server that knows our users.
  fs::path mounted(const fs::path& exported, std::vector<std::string> more_options = {}) {
    const Configuration& configuration = GetParam();
    const auto listen = more_options.empty() ? configuration.listen : Diod::Listen::exec;
    servers_.emplace_back(scratch(), exported, listen, user_database(scratch().path()));
    std::vector<std::string> options = {"aname=" + exported.string(), "dev", "suid"};
    if (configuration.others)
      options.emplace_back("allow_other");
    for (const auto& list : {configuration.options, more_options})
      options.insert(options.end(), list.begin(), list.end());
    return mount({.source = servers_.back().source(), .options = options}).path();
  }

  /// A disk of its own, too: an fsync on one that others use takes its time.
  Ground make_ordinary() {
    const bool own = GetParam().disk == Disk::own;
    const fs::path disk = own ? local_disk("disk") : scratch().directory("disk");
    const fs::path local = disk / "local", served = disk / "export";
    fs::create_directory(local);
    fs::create_directory(served);
    return {local, mounted(served), local, served};
  }
  Ground make_read_only() {
    const fs::path local = local_disk("local.ro"), served = local_disk("export.ro");
    return {local, mounted(served, {"ro"}), local, served};
  }
  Ground make_full() {
    const std::string room =
        "size=" + std::to_string(kFullBytes) + ",nr_inodes=" + std::to_string(kFullFiles);
    const fs::path local = local_disk("local.full", room), served = local_disk("export.full", room);
    return {local, mounted(served, {"rw"}), local, served};
  }

  std::vector<fs::path> disks_;
  std::map<Place, Ground> grounds_;
  std::deque<Diod> servers_;
};

TEST_P(Parity, IsThatOfALocalFileSystem) {
  Comparison comparison(GetParam().name);
  const std::vector<Case> all = cases();
  for (const Case& of : all)
    comparison.prepare(of, ground_of(of));
  seal_local_read_only();
  int failed = 0;
  for (const Case& of : all) {
    const auto report = comparison.compare(of, ground_of(of));
    if (report && ++failed <= kMostReports)
      ADD_FAILURE() << *report;
  }
  std::cout << comparison.coverage().table() << all.size() << " cases, " << failed
            << " with differences\n";
  EXPECT_EQ(failed, 0);
  EXPECT_FALSE(all.empty());
  if (!sees_all() || !GetParam().others)
    return;
  for (const std::string& stale : comparison.stale_differences())
    ADD_FAILURE() << "no difference any more, its line can go: " << stale;
  for (const Demand& demand : demands()) {
    std::istringstream errors(demand.seen);
    for (std::string error; errors >> error;)
      EXPECT_TRUE(comparison.coverage().has(demand.call, error))
          << "no case has seen " << demand.call << " fail with " << error;
  }
}

std::string name_of(const testing::TestParamInfo<Configuration>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(With, Parity, testing::ValuesIn(kConfigurations), name_of);
INSTANTIATE_TEST_SUITE_P(Few, Parity, testing::Values(kFew), name_of);

}  // namespace
}  // namespace fuse9p::test::parity
