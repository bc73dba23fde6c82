// SPDX-License-Identifier: MIT
// Real programs on mounts of servers that speak 9P2000 or 9P2000.u, in which some of what they are
// used to is missing: copies, archives, version control, editors, builds. The scripted server is
// strict, and all that it has is compared in the end.

#include "tests/support/git.hpp"
#include "tests/support/scripted_fixture.hpp"

#include <gmock/gmock.h>

#include <fstream>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const std::string kPlain = "9P2000", kExtended = "9P2000.u";

class DialectWork : public ScriptedTest, public testing::WithParamInterface<std::string> {
 protected:
  bool is_plain() const { return GetParam() == kPlain; }

  fs::path mount_empty() { return mount_scripted({}, {"version=" + GetParam(), "exec"}).path(); }
  /// Runs sh -e in the directory; its output is the failure's text.
  static std::string work(const std::string& script, const fs::path& directory) {
    const Finished finished = shell("set -e\n" + script, directory);
    EXPECT_EQ(finished.status, kSuccess) << script << "\n" << finished.output;
    return finished.output;
  }
  /// A tree of files that 9P2000, too, can hold.
  fs::path make_tree() {
    fs::path tree = scratch().directory("tree");
    work(R"sh(
        for i in $(seq 30); do
          mkdir -p dir$((i % 5))/deep/deeper
          seq $((i * 300)) > dir$((i % 5))/file$i
          head -c $((i * 1000)) /dev/urandom > dir$((i % 5))/deep/binary$i
          : > dir$((i % 5))/deep/deeper/empty$i
        done
        printf '#!/bin/sh\necho it runs\n' > run
        chmod 755 run
        chmod 600 dir1/file1
        chmod 700 dir2/deep
        printf x > 'a name with blanks'
        printf x > "$(printf 'umlaut \303\244')"
        find . -exec touch -d @1600000000 {} +)sh",
         tree);
    return tree;
  }
};

INSTANTIATE_TEST_SUITE_P(In, DialectWork, testing::Values(kPlain, kExtended),
                         [](const auto& of) { return of.param == kPlain ? "Plain" : "Unix"; });

/// Names, types, modes, sizes and times, in seconds.
const std::string kList =
    "find . -mindepth 1 -printf '%P %y %m %s %T@\\n' | "
    "sed -E 's/(\\.[0-9]+)$//; s/^(.*) d ([0-7]+) [0-9]+ /\\1 d \\2 /' | sort";

TEST_P(DialectWork, CpCopiesThereAndBack) {
  const fs::path tree = make_tree(), path = mount_empty();
  work("cp -r " + tree.string() + " there && cp -r there back", path);
  EXPECT_EQ(work("diff -r there " + tree.string() + " && diff -r back " + tree.string(), path), "");
  EXPECT_EQ(work("./there/run", path), "it runs\n");
  work("cp -a there " + (scratch() / "out").string(), path);
  EXPECT_EQ(work("diff -r out tree", scratch().path()), "");
}

TEST_P(DialectWork, CpKeepsModesAndTimes) {
  const fs::path tree = make_tree(), path = mount_empty();
  const Finished copied = run({.arguments = {"cp", "-a", tree, path / "there"}});
  EXPECT_EQ(copied.status, kSuccess) << copied.output;
  EXPECT_EQ(work(kList, path / "there"), work(kList, tree));
}

TEST_P(DialectWork, TarUnpacksAndPacks) {
  const fs::path tree = make_tree(), path = mount_empty();
  work("tar -cf tree.tar -C tree .", scratch().path());
  work("mkdir there && tar -xpf " + (scratch() / "tree.tar").string() + " -C there", path);
  EXPECT_EQ(work(kList, path / "there"), work(kList, tree));
  work("tar -czf packed.tgz -C there . && mkdir again && tar -xzf packed.tgz -C again", path);
  EXPECT_EQ(work("diff -r again " + tree.string(), path), "");
}

TEST_P(DialectWork, RsyncLeavesNothingToDo) {
  const fs::path tree = make_tree(), path = mount_empty();
  const std::string sync = "rsync -rt --itemize-changes " + tree.string() + "/ there/";
  work(sync, path);
  EXPECT_EQ(work(sync, path), "");
  std::ofstream(tree / "dir1/file1") << "other words";
  EXPECT_THAT(work(sync, path), HasSubstr("dir1/file1"));
  EXPECT_EQ(work("diff -r there " + tree.string(), path), "");
}

TEST_P(DialectWork, GitClonesCommitsAndPacks) {
  const fs::path tree = make_tree(), path = mount_empty();
  work(kGit + std::string("git init -q && git add . && git commit -qm start"), tree);
  work(kGit + ("git clone -q --no-local " + tree.string() + R"sh( clone
      cd clone
      for i in $(seq 10); do
        echo $i >> dir1/file1
        echo $i > new$i
        git mv new$((i - 1)) dir2/moved$((i - 1)) 2>/dev/null || true
        git add .
        git commit -qm "commit $i"
      done
      git checkout -qb topic HEAD~5
      echo topic > dir3/topic
      git add .
      git commit -qm topic
      git merge -q --no-edit main
      git fsck --full --strict
      git gc -q --prune=now
      git fsck --full --strict
      git push -q origin topic
      test -z "$(git status --porcelain)")sh"),
       path);
  work(kGit + std::string("git fsck --full --strict && git checkout -q topic && cat dir3/topic"),
       tree);
  EXPECT_EQ(work("diff -r --exclude=.git clone " + tree.string(), path), "");
  work("rm -r clone", path);
}

/// Each writes in its own way: beside the file and over it, over a backup, or into it.
TEST_P(DialectWork, EditorsSave) {
  const fs::path path = mount_empty();
  work("seq 1000 > f && chmod 640 f", path);
  work("sed -i s/^500$/sed/ f && perl -pi -e 's/^600$/perl/' f", path);
  work("perl -pi.bak -e 's/^700$/backup/' f && grep -qx 700 f.bak", path);
  work("printf '800s/.*/ed/\\nw\\nq\\n' | ed -s f", path);
  work("HOME=$PWD vi -Nesu NONE -i NONE -c 'set backup' -c '900s/.*/vim/' -c wq f < /dev/null",
       path);
  work(
      "HOME=$PWD vi -Nesu NONE -i NONE -c 'set backupcopy=no' -c '950s/.*/vi/' -c wq f < /dev/null",
      path);
  work("sort -o f -n f && test $(wc -l < f) = 1000", path);
  EXPECT_EQ(work("grep -v '^[0-9]' f | sort | tr '\\n' ' '; stat -c ' %a' f", path),
            "backup ed perl sed vi vim  640\n");
  EXPECT_EQ(work("ls -A | grep -v '^f' || true", path), "") << "nothing is left behind";
}

TEST_P(DialectWork, MakeBuildsAndSeesWhatIsUpToDate) {
  const fs::path path = mount_empty();
  work(R"sh(
      for i in $(seq 8); do echo "int f$i(void) { return $i; }" > f$i.c; done
      echo 'int f1(void), f8(void); int main(void) { return f1() + f8() - 9; }' > main.c
      printf 'OBJECTS = main.o f1.o f2.o f3.o f4.o f5.o f6.o f7.o f8.o\n' > Makefile
      printf 'program: $(OBJECTS)\n\tcc -o program $(OBJECTS)\n' >> Makefile
      find . -exec touch -d @1600000000 {} +
      make -s -j 2
      ./program
      make -q
      touch -d @4000000000 f3.c
      ! make -q
      make -n | grep -c 'f3.c')sh",
       path);
}

TEST_P(DialectWork, ArchivesOfZipAndSplitFilesAreWhole) {
  const fs::path tree = make_tree(), path = mount_empty();
  work("cp -r " + tree.string() +
           " there && find there -type f -exec cat {} + > all && "
           "split -b 10000 all part. && cat part.* | cmp - all && "
           "gzip -k all && gzip -dc all.gz | cmp - all && sha256sum all > sum && sha256sum -c sum",
       path);
}

}  // namespace
}  // namespace fuse9p::test
