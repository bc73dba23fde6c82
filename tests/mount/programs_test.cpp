// SPDX-License-Identifier: MIT
// What people do with a file system: version control, archives, copies, synchronization, builds, on
// a mount of diod, and the check that all of it came out right. FUSE9P_PROGRAMS_FACTOR multiplies
// how much is done.

#include "tests/support/git.hpp"
#include "tests/support/mount_fixture.hpp"
#include "tests/support/pattern.hpp"
#include "tests/support/tree.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;

/// Until the mount has extended attributes.
constexpr bool kXattrs = false;

int factor() {
  const char* given = std::getenv("FUSE9P_PROGRAMS_FACTOR");
  return given != nullptr ? std::atoi(given) : 1;
}

class Programs : public MountTest {
 protected:
  /// Runs sh -e in the directory; its output is the failure's text.
  static std::string work(const std::string& script, const fs::path& directory) {
    const Finished finished = shell(script, directory);
    EXPECT_EQ(finished.status, kSuccess) << script << "\n" << finished.output;
    return finished.output;
  }
};

// ---- git

class Git : public Programs {
 protected:
  /// `script` in the mount: $commits says how many commits a history should have.
  void git(const std::string& script, const fs::path& directory) {
    work(kGit + ("commits=" + std::to_string(25 * factor()) + '\n') + script, directory);
  }
  /// A repository "origin" with a history that branches and merges.
  void make_origin(const fs::path& directory) {
    git(R"sh(
        git init -q origin
        cd origin
        for i in $(seq 40); do
          mkdir -p dir$((i % 7))
          seq $i $((i * 60)) > dir$((i % 7))/file$i
        done
        ln -s dir1/file1 link
        git add .
        git commit -qm start
        for i in $(seq $commits); do
          echo $i >> dir1/file1
          echo $i > dir2/new$i
          git add .
          git commit -qm "commit $i"
          if [ $((i % 8)) = 0 ]; then
            git checkout -qb topic$i HEAD~2
            echo $i > dir3/topic$i
            git add .
            git commit -qm "topic $i"
            git checkout -q main
            git merge -q --no-edit topic$i
            git tag -a -m "version $i" v$i
          fi
        done)sh",
        directory);
  }
};

TEST_F(Git, MakesAndPacksAHistory) {
  const Fuse9p& mount = mount_diod();
  make_origin(mount.path());
  git(R"sh(
      cd origin
      git fsck --full --strict
      before=$(git rev-list --all --objects | sort | sha1sum)
      loose=$(git count-objects)
      git gc -q --prune=now
      test "$(git count-objects)" = "0 objects, 0 kilobytes" || { git count-objects; exit 1; }
      test "$before" = "$(git rev-list --all --objects | sort | sha1sum)"
      git repack -q -adf --window=20
      git pack-refs --all
      git fsck --full --strict
      git reflog expire --expire=now --all
      git gc -q --aggressive --prune=now
      git fsck --full --strict
      test -z "$(git status --porcelain)")sh",
      mount.path());
  git("cd origin && git fsck --full --strict && test -z \"$(git status --porcelain)\"", exported());
}

TEST_F(Git, ClonesWithinTheMountAndOut) {
  const Fuse9p& mount = mount_diod();
  make_origin(mount.path());
  git("git clone -q origin linked && git clone -q --no-local origin sent && "
      "git clone -q --mirror origin bare.git",
      mount.path());
  for (const char* clone : {"linked", "sent", "bare.git"})
    git("git fsck --full --strict && git rev-list --all | sort | sha1sum > " +
            (scratch() / clone).string() + ".list",
        mount.path() / clone);
  work("cmp linked.list bare.git.list && cmp sent.list bare.git.list", scratch().path());
  git(R"sh(
      cd linked
      git checkout -qb work
      echo more > more
      git add .
      git commit -qm more
      git push -q ../bare.git work
      cd ../sent
      git fetch -q ../bare.git work
      git merge -q FETCH_HEAD
      test "$(cat more)" = more)sh",
      mount.path());
  git("git clone -q " + (mount.path() / "sent").string() + " out && cd out && git fsck --full",
      scratch().path());
  work("diff -r --exclude=.git out " + (exported() / "sent").string(), scratch().path());
}

TEST_F(Git, HasSeveralWorktrees) {
  const Fuse9p& mount = mount_diod();
  make_origin(mount.path());
  git(R"sh(
      cd origin
      for i in 1 2 3; do git worktree add -q ../tree$i -b work$i HEAD~$i; done
      test $(git worktree list | wc -l) = 4
      for i in 1 2 3; do
        (cd ../tree$i; seq $i > own$i; git add .; git commit -qm "own $i"; git status) &
        pids="$pids $!"
      done
      for pid in $pids; do wait $pid; done
      for i in 1 2 3; do git merge -q --no-edit work$i; done
      cat own1 own2 own3
      mv ../tree3 ../moved
      git worktree repair ../moved
      git worktree remove ../tree1
      rm -rf ../tree2
      git worktree prune
      test $(git worktree list | wc -l) = 2
      test -z "$(git -C ../moved status --porcelain)"
      git bisect start HEAD HEAD~5
      git bisect run test ! -e own1
      git bisect reset
      git gc -q
      git fsck --full --strict)sh",
      mount.path());
}

// ---- copies

class Copies : public Programs {
 protected:
  Copies() {
    source_ = scratch().directory("source");
    make_rich_tree(source_, {.xattrs = kXattrs});
    expected_ = describe(source_);
  }
  const fs::path& source() const { return source_; }
  void expect_same(const fs::path& copy) {
    EXPECT_EQ(differences(expected_, describe(copy)), "") << copy;
  }
  /// On the mount and below it.
  void expect_copy(const Fuse9p& mount, const std::string& name) {
    expect_same(mount.path() / name);
    expect_same(exported() / name);
  }
  /// Blocks that the tree's sparse files have on the server, in KiB.
  static long holes_kib(const fs::path& tree) {
    long blocks = 0;
    for (const auto& file : fs::directory_iterator(tree / "holes")) {
      struct stat found {};
      EXPECT_EQ(::stat(file.path().c_str(), &found), 0);
      blocks += found.st_blocks;
    }
    return blocks / 2;
  }
  static constexpr long kDataKiB = 1024;  // of the sparse files of a rich tree, and something more

 private:
  fs::path source_;
  Description expected_;
};

TEST_F(Copies, OfTarAreComplete) {
  const Fuse9p& mount = mount_diod();
  const std::string flags = " --format=posix --xattrs --xattrs-include='*' --acls -S ";
  const std::string out = (scratch() / "out.tar").string();
  work("tar c" + flags + "-f " + out + " .", source());
  fs::create_directory(mount.path() / "tree");
  work("tar xp" + flags + "-f " + out, mount.path() / "tree");
  expect_copy(mount, "tree");
  EXPECT_LT(holes_kib(exported() / "tree"), kDataKiB);
  work("tar d" + flags + "-f " + out, mount.path() / "tree");
  // Back, the archive itself being on the mount.
  work("tar c" + flags + "-f ../back.tar .", mount.path() / "tree");
  const fs::path back = scratch().directory("back");
  work("tar xp" + flags + "-f " + (mount.path() / "back.tar").string(), back);
  expect_same(back);
  work("rm -rf tree back.tar", mount.path());
  EXPECT_TRUE(eventually([&] { return fs::is_empty(exported()); }));
}

TEST_F(Copies, OfCpAreComplete) {
  const Fuse9p& mount = mount_diod();
  work("cp -a --sparse=always " + source().string() + " there", mount.path());
  expect_copy(mount, "there");
  EXPECT_LT(holes_kib(exported() / "there"), kDataKiB);
  work("cp -a there again && mv again moved", mount.path());
  expect_copy(mount, "moved");
  work("cp -a moved " + (scratch() / "back").string(), mount.path());
  expect_same(scratch() / "back");
}

TEST_F(Copies, OfRsyncAreCompleteAndLeaveNothingToDo) {
  const Fuse9p& mount = mount_diod();
  const std::string flags =
      std::string(kXattrs ? "-aHAX" : "-aH") + " --sparse --modify-window=-1 --delete ";
  const auto sync = [&](const fs::path& from, const fs::path& to) {
    const std::string paths = from.string() + "/ " + to.string() + '/';
    work("rsync " + flags + paths, "/");
    EXPECT_EQ(work("rsync --itemize-changes " + flags + paths, "/"), "") << "the second time";
    EXPECT_EQ(work("rsync --dry-run --checksum --itemize-changes " + flags + paths, "/"), "");
  };
  sync(source(), mount.path() / "there");
  expect_copy(mount, "there");
  EXPECT_LT(holes_kib(exported() / "there"), kDataKiB);
  sync(mount.path() / "there", scratch() / "back");
  expect_same(scratch() / "back");
  sync(scratch() / "back", mount.path() / "there");
  sync(mount.path() / "there", mount.path() / "twin");
  // What changed, and only that, is sent again, into a file of its own or into the old one.
  std::ofstream(source() / "links" / "two" / "stranger", std::ios::app) << "more";
  fs::rename(source() / "names" / "plain", source() / "names" / "moved");
  fs::remove(source() / "empty" / "file");
  const std::string done =
      work("rsync --itemize-changes " + flags + source().string() + "/ there/", mount.path());
  EXPECT_NE(done.find("links/two/stranger"), std::string::npos) << done;
  EXPECT_EQ(done.find("links/one/first"), std::string::npos) << done;
  std::ofstream(source() / "links" / "one" / "first", std::ios::app) << "more";
  work("rsync --inplace " + flags + source().string() + "/ there/ --no-sparse", mount.path());
  EXPECT_EQ(differences(describe(source()), describe(exported() / "there")), "");
}

// ---- a build

TEST_F(Programs, MakeBuildsInParallelAndOnlyWhatChanged) {
  const Fuse9p& mount = mount_diod();
  const std::string files = std::to_string(30 * factor());
  work("files=" + files + R"sh(
      cat > Makefile <<'END'
objects := $(patsubst %.c,%.o,$(wildcard part*.c)) main.o
CFLAGS := -g -O1 -MMD
program: $(objects); $(CC) -o $@ $^ && echo linked >> log
%.o: %.c; $(CC) $(CFLAGS) -c -o $@ $< && echo $@ >> log
clean:; rm -f $(objects) $(objects:.o=.d) program
-include $(objects:.o=.d)
END
      for i in $(seq $files); do
        echo "#define VALUE $i" > part$i.h
        printf '#include "part%s.h"\nint part%s(void) { return VALUE; }\n' $i $i > part$i.c
        echo "int part$i(void);" >> parts.h
        call="${call:-0} + part$i()"
      done
      printf '#include "parts.h"\n#include <stdio.h>\n' > main.c
      printf 'int main(void) { printf("%%d\\n", %s); return 0; }\n' "$call" >> main.c
      make -sj4
      test $(./program) = $((files * (files + 1) / 2))
      test $(wc -l < log) = $((files + 2))
      make -q
      rm log
      echo '#define VALUE 1000' > part3.h
      if make -q; then exit 1; fi
      make -sj4
      test "$(cat log | xargs)" = "part3.o linked"
      test $(./program) = $((files * (files + 1) / 2 + 997))
      make -s clean
      test "$(ls | grep -c '[.]o$')" = 0
      make -sj4
      make -q)sh",
       mount.path());
  work("./program && cmp program " + (mount.path() / "program").string(), exported());
}

}  // namespace
}  // namespace fuse9p::test
