// SPDX-License-Identifier: MIT
// Real work on a mount of diod: what people do with a file system, and the check that all of it
// came out right. FUSE9P_WORK_MIB sets the size of the large file.

#include "tests/support/mount_fixture.hpp"
#include "tests/support/pattern.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <map>
#include <random>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;

class Work : public MountTest {
 protected:
  /// Runs sh in the directory; its output is the failure's text.
  static void work(const std::string& script, const fs::path& directory) {
    const Finished finished = shell(script, directory);
    ASSERT_EQ(finished.status, kSuccess) << script << "\n" << finished.output;
  }
  /// A source tree of `files` files in directories of 40, some of them large, with some links.
  static void make_tree(const fs::path& root, int files) {
    for (int i = 0; i < files; ++i) {
      const fs::path directory = root / ("dir" + std::to_string(i / 40));
      fs::create_directories(directory);
      const fs::path file = directory / ("file" + std::to_string(i));
      std::ofstream(file, std::ios::binary)
          << pattern(static_cast<std::size_t>(i % 100 == 7 ? 300'000 : 37 * (i % 211)),
                     static_cast<std::size_t>(i));
      if (i % 50 == 0)
        fs::create_symlink("file" + std::to_string(i), directory / "link");
      if (i % 60 == 0)
        fs::create_hard_link(file, directory / "hard");
      if (i % 3 == 0)
        fs::permissions(file, fs::perms(0755));
    }
  }
  /// Same names, types, modes, sizes, times to the second, and content.
  static void expect_same_trees(const fs::path& a, const fs::path& b) {
    const std::string listing =
        "find . -printf '%p %y %m %n %U %G %l' '(' -type f -printf ' %s %Ts' -o -true ')' "
        "-printf '\\n' | sort";
    const auto here = shell(listing, a);
    const auto there = shell(listing, b);
    EXPECT_EQ(here.status, kSuccess) << here.output;
    EXPECT_TRUE(here.output == there.output) << "find differs between " << a << " and " << b;
    work("diff -r --no-dereference " + a.string() + ' ' + b.string(), "/");
  }
};

TEST_F(Work, GitClonesChecksAndCommits) {
  const fs::path origin = scratch().directory("origin");
  make_tree(origin, 300);
  work(R"sh(
      export HOME=$PWD
      git init -q .
      git config user.name test
      git config user.email test@example.com
      git add .
      git commit -qm start
      for i in $(seq 30); do echo $i >> dir0/file1; git commit -qam $i; done)sh",
       origin);
  const Fuse9p& mount = mount_diod();
  work("git clone -q --no-hardlinks " + origin.string() + " clone", mount.path());
  const fs::path clone = mount.path() / "clone";
  work(R"sh(
      git config user.name test
      git config user.email test@example.com
      git fsck --full --strict
      test -z "$(git status --porcelain)"
      git checkout -qb topic HEAD~10
      test -z "$(git status --porcelain)"
      git mv dir1 moved
      echo more > new
      git rm -q dir2/file80
      git add .
      git commit -qm change
      git gc -q
      git fsck --full --strict
      git checkout -q -
      git merge -q --no-edit topic
      test -z "$(git status --porcelain)"
      git push -q . HEAD:refs/heads/copy
      git stash list)sh",
       clone);
  work("git -C " + (exported() / "clone").string() +
           " -c safe.directory='*' fsck --full --strict && git -C " +
           (exported() / "clone").string() + " -c safe.directory='*' diff --exit-code",
       "/");
}

TEST_F(Work, TarGoesOutAndBack) {
  const fs::path source = scratch().directory("source");
  make_tree(source, 3000);
  work("tar cf " + (scratch() / "out.tar").string() + " .", source);
  const Fuse9p& mount = mount_diod();
  fs::create_directory(mount.path() / "tree");
  work("tar xpf " + (scratch() / "out.tar").string(), mount.path() / "tree");
  expect_same_trees(source, mount.path() / "tree");
  expect_same_trees(source, exported() / "tree");
  work("tar cf " + (scratch() / "back.tar").string() + " .", mount.path() / "tree");
  const fs::path back = scratch().directory("back");
  work("tar xpf " + (scratch() / "back.tar").string(), back);
  expect_same_trees(source, back);
  work("rm -rf tree", mount.path());
  EXPECT_TRUE(eventually([&] { return fs::is_empty(exported()); }));
}

TEST_F(Work, CopiesKeepEverything) {
  const fs::path source = scratch().directory("source");
  make_tree(source, 400);
  const Fuse9p& mount = mount_diod();
  work("cp -a " + source.string() + ' ' + (mount.path() / "one").string(), "/");
  work("cp -a one two && mv two three", mount.path());
  for (const char* copy : {"one", "three"})
    expect_same_trees(source, mount.path() / copy);
  work("cp -al three four", mount.path());
  work("cp -a four " + (scratch() / "five").string(), mount.path());
  work("diff -r --no-dereference " + source.string() + ' ' + (scratch() / "five").string(), "/");
}

TEST_F(Work, AProgramIsBuiltAndRunThere) {
  const Fuse9p& mount = mount_diod();
  work(R"sh(
      cat > hello.hpp <<'END'
#include <iostream>
inline void hello() { std::cout << "hello from the mount\n"; }
END
      cat > hello.cpp <<'END'
#include "hello.hpp"
int main() { hello(); }
END
      c++ -g -c hello.cpp
      ar rc libhello.a hello.o
      c++ -o hello libhello.a
      test "$(./hello)" = "hello from the mount"
      strip hello
      ./hello)sh",
       mount.path());
}

/// Writes `mib` MiB with write(2)s of odd sizes.
void write_large(const fs::path& path, std::size_t mib) {
  const OwnedFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  ASSERT_GE(file.get(), 0) << std::strerror(errno);
  const std::string block = pattern(1'234'567);
  std::size_t left = mib << 20;
  while (left > 0) {
    const std::size_t size = std::min(left, block.size());
    ASSERT_EQ(::write(file.get(), block.data(), size), static_cast<ssize_t>(size))
        << std::strerror(errno);
    left -= size;
  }
}

void expect_large(const fs::path& path, std::size_t mib, int flags) {
  const OwnedFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
  ASSERT_GE(file.get(), 0) << std::strerror(errno);
  const std::string block = pattern(1'234'567);
  // A page aligned buffer, as O_DIRECT wants it.
  constexpr std::size_t kRead = 1 << 20;
  const std::unique_ptr<char, decltype(&std::free)> buffer(
      static_cast<char*>(std::aligned_alloc(4096, kRead)), &std::free);
  std::size_t at = 0;
  for (;;) {
    const ssize_t size = ::read(file.get(), buffer.get(), kRead);
    ASSERT_GE(size, 0) << "at " << at << ": " << std::strerror(errno);
    if (size == 0)
      break;
    for (std::size_t done = 0; done < static_cast<std::size_t>(size);) {
      const std::size_t in_block = (at + done) % block.size();
      const std::size_t piece =
          std::min(static_cast<std::size_t>(size) - done, block.size() - in_block);
      ASSERT_EQ(std::memcmp(buffer.get() + done, block.data() + in_block, piece), 0)
          << "wrong bytes behind " << at + done;
      done += piece;
    }
    at += static_cast<std::size_t>(size);
  }
  EXPECT_EQ(at, mib << 20);
}

TEST_F(Work, ALargeFileComesBackAsItWent) {
  const char* given = std::getenv("FUSE9P_WORK_MIB");
  const std::size_t mib = given != nullptr ? std::stoul(given) : 1024;
  Fuse9p& mount = mount_diod();
  ASSERT_NO_FATAL_FAILURE(write_large(mount.path() / "large", mib));
  ASSERT_NO_FATAL_FAILURE(expect_large(exported() / "large", mib, 0));
  ASSERT_NO_FATAL_FAILURE(expect_large(mount.path() / "large", mib, 0));
  ASSERT_NO_FATAL_FAILURE(expect_large(mount.path() / "large", mib, O_DIRECT));
  const fs::path fresh = mount_diod({"directio"}).path();
  ASSERT_NO_FATAL_FAILURE(expect_large(fresh / "large", mib, 0));
}

// ---- many at once

/// What one process does: names of its own in a directory that all share, and now and then a rename
/// into another one. It knows what must be there at any time, and looks.
class Worker {
 public:
  Worker(const fs::path& root, int number) : root_(root), number_(number), random_(number) {}

  /// The exit status: 0 if all was as it should be.
  int run(int rounds) {
    for (int round = 0; round < rounds; ++round) {
      if (!step())
        return 1;
    }
    return check_all() ? 0 : 2;
  }

  /// name -> content, as it must be in the end.
  std::map<std::string, std::string> files;

  bool step() {
    switch (random_() % 5) {
      case 0:
        return create();
      case 1:
        return rename();
      case 2:
        return remove();
      case 3:
        return append();
      default:
        return files.empty() || check(*std::next(files.begin(), pick()));
    }
  }

 private:
  long pick() { return static_cast<long>(random_() % files.size()); }
  std::string new_name() {
    return "d" + std::to_string(random_() % 4) + "/w" + std::to_string(number_) + '.' +
           std::to_string(serial_++);
  }
  bool create() {
    const std::string name = new_name();
    const std::string content = pattern(random_() % 40'000, random_());
    files[name] = content;
    return write(name, content, O_CREAT | O_EXCL);
  }
  bool append() {
    if (files.empty())
      return true;
    auto& [name, content] = *std::next(files.begin(), pick());
    const std::string more = pattern(random_() % 5'000, random_());
    content += more;
    return write(name, more, O_APPEND);
  }
  bool write(const std::string& name, const std::string& bytes, int flags) {
    const OwnedFd file(::open((root_ / name).c_str(), O_WRONLY | O_CLOEXEC | flags, 0644));
    return file.get() >= 0 &&
           ::write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  }
  bool rename() {
    if (files.empty())
      return true;
    auto moved = files.extract(std::next(files.begin(), pick()));
    // Sometimes onto another file of ours.
    const std::string name =
        files.empty() || random_() % 2 == 0 ? new_name() : std::next(files.begin(), pick())->first;
    const bool done = ::rename((root_ / moved.key()).c_str(), (root_ / name).c_str()) == 0;
    files[name] = moved.mapped();
    return done;
  }
  bool remove() {
    if (files.empty())
      return true;
    const auto gone = std::next(files.begin(), pick());
    const bool done = ::unlink((root_ / gone->first).c_str()) == 0;
    files.erase(gone);
    return done;
  }
  bool check(const std::pair<const std::string, std::string>& file) const {
    struct stat found {};
    return ::stat((root_ / file.first).c_str(), &found) == 0 &&
           static_cast<std::size_t>(found.st_size) == file.second.size() &&
           read_file(root_ / file.first) == file.second;
  }
  bool check_all() const {
    for (const auto& file : files) {
      if (!check(file))
        return false;
    }
    return true;
  }

  fs::path root_;
  int number_;
  std::mt19937 random_;
  int serial_ = 0;
};

TEST_F(Work, SixteenProcessesDoNotDisturbEachOther) {
  constexpr int kWorkers = 16;
  constexpr int kRounds = 300;
  const Fuse9p& mount = mount_diod();
  for (int i = 0; i < 4; ++i)
    fs::create_directory(mount.path() / ("d" + std::to_string(i)));
  std::deque<Process> processes;
  for (int i = 0; i < kWorkers; ++i)
    processes.emplace_back([&, i] { return Worker(mount.path(), i).run(kRounds); });
  // Beside them one that lists all the time.
  Process lister([&] {
    return shell("while test ! -e stop; do ls -lR . >/dev/null 2>&1 || true; done", mount.path())
        .status.code;
  });
  for (int i = 0; i < kWorkers; ++i)
    EXPECT_EQ(processes[static_cast<std::size_t>(i)].wait(), kSuccess) << "worker " << i;
  std::ofstream(mount.path() / "stop");
  EXPECT_EQ(lister.wait(), kSuccess);
  work("diff -r . " + exported().string(), mount.path());
  // The same work again, where nothing can go wrong, tells what must be there.
  const fs::path local = scratch().directory("local");
  for (int i = 0; i < 4; ++i)
    fs::create_directory(local / ("d" + std::to_string(i)));
  for (int i = 0; i < kWorkers; ++i)
    EXPECT_EQ(Worker(local, i).run(kRounds), 0);
  fs::remove(mount.path() / "stop");
  work("diff -r " + local.string() + ' ' + exported().string(), "/");
}

TEST_F(Work, AppendersLoseNothing) {
  constexpr int kWriters = 10;
  constexpr int kRecords = 100;
  const Fuse9p& mount = mount_diod();
  const fs::path file = mount.path() / "log";
  std::ofstream(file).flush();
  std::deque<Process> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      const OwnedFd log(::open(file.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
      for (int record = 0; record < kRecords; ++record) {
        // Of different length, the longest ones larger than a page.
        const std::string line = std::to_string(writer) + ' ' + std::to_string(record) + ' ' +
                                 std::string(static_cast<std::size_t>(record * 61), 'x') + '\n';
        if (::write(log.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
          return 1;
      }
      return 0;
    });
  }
  for (Process& writer : writers)
    EXPECT_EQ(writer.wait(), kSuccess);
  std::ifstream in(exported() / "log");
  std::map<int, int> next;
  int lines = 0;
  int writer = 0;
  int record = 0;
  for (std::string filler, line; std::getline(in, line); ++lines) {
    std::istringstream fields(line);
    ASSERT_TRUE(fields >> writer >> record) << "line " << lines + 1 << " is torn";
    filler.clear();
    fields >> filler;
    EXPECT_EQ(record, next[writer]++) << "of writer " << writer;
    EXPECT_EQ(filler, std::string(static_cast<std::size_t>(record * 61), 'x'));
  }
  EXPECT_EQ(lines, kWriters * kRecords);
}

}  // namespace
}  // namespace fuse9p::test
