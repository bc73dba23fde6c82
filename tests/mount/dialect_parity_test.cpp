// SPDX-License-Identifier: MIT
// Parity with a local file system in each dialect, on the scripted server: the same cases as in
// parity_test.cpp, as far as root alone is concerned and all of it is done through the mount. Who
// may do what is the server's own affair in 9P2000 and 9P2000.u, and this server does not know of
// groups; read-only and full file systems are nothing that depends on the dialect. What can't be
// the same stands in tests/parity/differences_of_dialects.cpp.
//
// By default a sample, drawn from the seed; FUSE9P_PARITY=all: all cases,
// FUSE9P_PARITY_CASES=REGEX: those.

#include "tests/parity/comparison.hpp"
#include "tests/support/scripted_fixture.hpp"
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

namespace fuse9p::test::parity {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSample = 250;
constexpr int kMostReports = 20;

struct Configuration {
  const char* name;  ///< as in the list of differences
  const char* version;
};
void PrintTo(const Configuration& configuration, std::ostream* out) {
  *out << configuration.version;
}

constexpr Configuration kConfigurations[] = {
    {"plain", "9P2000"}, {"unix", "9P2000.u"}, {"linux", "9P2000.L"}};

std::string setting(const char* variable) {
  const char* given = std::getenv(variable);
  return given != nullptr ? given : "";
}

bool sees_all() {
  return setting("FUSE9P_PARITY") == "all" && setting("FUSE9P_PARITY_CASES").empty();
}

/// Can it be performed by root through one mount? The server has all in memory, so that no file can
/// be large.
bool is_suitable(const Case& of) {
  static const std::regex others("as (alice|bob|carol)");
  static const std::regex large("SizesAtTheLimit|FilesBeyondFourGigabytes|Holes");
  return !std::regex_match(of.name, large) && of.place == Place::ordinary && of.prepare.empty() &&
         !std::regex_search(of.script, others);
}

std::vector<Case> wanted_cases() {
  std::vector<Case> all = cases_by_hand();
  for (const Case& of : cases_of_tables())
    all.push_back(of);
  const std::string wanted = setting("FUSE9P_PARITY_CASES");
  std::erase_if(all, [pattern = std::regex(wanted)](const Case& of) {
    return !is_suitable(of) || !std::regex_search(of.name, pattern);
  });
  if (sees_all() || !wanted.empty())
    return all;
  std::vector<Case> sample;
  std::ranges::sample(all, std::back_inserter(sample), kSample, std::mt19937(new_seed()));
  return sample;
}

class DialectParity : public ScriptedTest, public testing::WithParamInterface<Configuration> {
 protected:
  void SetUp() override {
    ASSERT_EQ(::geteuid(), 0U) << "only root can make special files";
    local_ = scratch().directory("local");
    ASSERT_EQ(::mount("none", local_.c_str(), "tmpfs", 0, "mode=755,size=50%"), 0)
        << std::strerror(errno);
    // Some of /etc/group, for a server to whom they are names.
    const std::vector<std::string> script = {"user daemon 1", "user bin 2", "user sys 3",
                                             "user adm 4", "user tty 5"};
    mounted_ = mount_scripted(script, {"version=" + std::string(GetParam().version), "dev", "suid"})
                   .path();
  }
  void TearDown() override {
    ScriptedTest::TearDown();
    EXPECT_EQ(::umount2(local_.c_str(), UMOUNT_NOFOLLOW), 0) << std::strerror(errno);
  }
  /// The server has what it shows through the mount.
  Ground ground() const { return {local_, mounted_, local_, mounted_}; }

 private:
  fs::path local_, mounted_;
};

TEST_P(DialectParity, IsThatOfALocalFileSystemButForWhatTheDialectCannotDo) {
  Comparison comparison(GetParam().name);
  const std::vector<Case> all = wanted_cases();
  int failed = 0;
  for (const Case& of : all) {
    comparison.prepare(of, ground());
    const auto report = comparison.compare(of, ground());
    if (report && ++failed <= kMostReports)
      ADD_FAILURE() << *report;
    else if (report)
      std::cout << "also different: " << of.name << '\n';
  }
  std::cout << comparison.coverage().table() << all.size() << " cases, " << failed
            << " with differences\n";
  EXPECT_EQ(failed, 0);
  EXPECT_FALSE(all.empty());
  if (!sees_all())
    return;
  for (const std::string& stale : comparison.stale_differences_of_its_own())
    ADD_FAILURE() << "no difference any more, its line can go: " << stale;
}

INSTANTIATE_TEST_SUITE_P(In, DialectParity, testing::ValuesIn(kConfigurations),
                         [](const auto& of) { return of.param.name; });

}  // namespace
}  // namespace fuse9p::test::parity
