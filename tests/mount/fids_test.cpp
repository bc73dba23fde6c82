// SPDX-License-Identifier: MIT
// Servers with few fids: a mount that knows many more files goes on working, whatever is open, and
// says ENFILE only when all that there is stands for open files.

#include "tests/support/scripted_fixture.hpp"

#include <gmock/gmock.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <thread>
#include <vector>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;

class FidsTest : public ScriptedTest {
 protected:
  /// What each of so many threads does with each of so many files, all at once; how often it
  /// failed.
  template <class Use>
  static int failures(int threads, int files, Use use) {
    std::atomic<int> failed = 0;
    std::vector<std::thread> running;
    for (int thread = 0; thread < threads; ++thread) {
      running.emplace_back([&, thread] {
        for (int i = 0; i < files; ++i)
          failed += use(1 + (thread * 37 + i) % files) ? 0 : 1;
      });
    }
    for (std::thread& thread : running)
      thread.join();
    return failed;
  }
  /// Of the directories planted by tree().
  static std::string file(int number) {
    return "d" + std::to_string(number % 20) + "/e/file." + std::to_string(number % 200);
  }
  static std::vector<std::string> tree(const std::string& limit) {
    std::vector<std::string> script = {limit};
    for (int i = 0; i < 20; ++i) {
      const std::string path = "/d" + std::to_string(i);
      script.push_back("dir " + path);
      script.push_back("many " + path + "/e 200");
    }
    return script;
  }
};

TEST_F(FidsTest, AServerOfOnly1023ServesManyFiles) {
  const fs::path path = mount_scripted(tree("maxfids 1023 strict")).path();
  EXPECT_EQ(shell("find . -type f | wc -l; ls -lR | grep -c ^-", path).output, "4000\n4000\n");
  const auto readable = [&](int number) {
    struct stat found {};
    return ::stat((path / file(number)).c_str(), &found) == 0;
  };
  EXPECT_EQ(failures(32, 4000, readable), 0);
  EXPECT_EQ(shell("mkdir new && touch new/a && mv new/a new/b && rm -r new", path).output, "");
}

TEST_F(FidsTest, TheOpenFilesMayTakeNearlyAllOfThem) {
  const fs::path path = mount_scripted(tree("maxfids 1023 strict")).path();
  std::vector<OwnedFd> open;
  for (int i = 0; i < 900; ++i) {
    open.emplace_back(::open((path / file(i)).c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_GE(open.back().get(), 0) << i << ' ' << errno;
  }
  EXPECT_EQ(shell("ls -lR | grep -c ^-", path).output, "4000\n");
}

TEST_F(FidsTest, WhenAllAreOpenTheNextOpenFailsAndAClosedOneMakesRoom) {
  const fs::path path = mount_scripted(tree("maxfids 100 ENFILE")).path();
  std::vector<OwnedFd> open;
  int failure = 0;
  while (failure == 0 && open.size() < 200) {
    open.emplace_back(::open((path / file(static_cast<int>(open.size()))).c_str(), O_RDONLY));
    failure = open.back().get() < 0 ? errno : 0;
  }
  EXPECT_EQ(failure, ENFILE);
  EXPECT_GT(open.size(), 80U);
  open.resize(open.size() / 2);
  EXPECT_EQ(shell("ls -lR | grep -c ^-", path).output, "4000\n");
}

TEST_F(FidsTest, ManyAtOnceShareAFew) {
  const fs::path path = mount_scripted(tree("maxfids 100 ENFILE")).path();
  const auto read = [&](int number) {
    std::ifstream in(path / file(number));
    char byte = 0;
    return static_cast<bool>(in.get(byte));
  };
  EXPECT_EQ(failures(16, 500, read), 0);
}

}  // namespace
}  // namespace fuse9p::test
