// SPDX-License-Identifier: MIT
// Parity with a local file system: the same calls on a mount of diod and in a directory beside the
// one that it exports must give the same results, errors and files.

#include "tests/support/mount_fixture.hpp"
#include "tests/support/parity.hpp"

#include <gmock/gmock.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <ostream>
#include <set>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAreArray;

struct Case {
  const char* name;
  const char* script;
};
void PrintTo(const Case& parity, std::ostream* out) {
  *out << parity.name;
}

const Case kCases[] = {
    // ---- finding
    {"MissingNames", R"(
        stat nothing
        open f nothing O_RDONLY
        open f nothing/below O_RDONLY|O_CREAT 0644
        unlink nothing
        rmdir nothing
        readlink nothing
        rename nothing other
        link nothing other
        chmod nothing 0600
        truncate nothing 0
        mkdir nothing/below 0755
        ls nothing)"},
    {"FilesAreNoDirectories", R"(
        put file text
        stat file/below
        mkdir file/below 0755
        open f file/below O_RDWR|O_CREAT 0644
        unlink file/below
        rmdir file
        ls file
        open f file O_RDONLY|O_DIRECTORY
        rename file/below other)"},
    {"DirectoriesAreNoFiles", R"(
        mkdir dir 0755
        unlink dir
        open f dir O_WRONLY
        open f dir O_RDWR
        open f dir O_RDONLY
        read f 10
        truncate dir 0
        readlink dir
        link dir other)"},
    {"TakenNames", R"(
        put file text
        mkdir dir 0755
        symlink nowhere link
        mkdir file 0755
        mkdir dir 0755
        mkdir link 0755
        symlink x file
        symlink x dir
        link file dir
        link file link
        mkfifo file 0644
        open f file O_RDWR|O_CREAT|O_EXCL 0644
        open f dir O_RDWR|O_CREAT|O_EXCL 0644
        open f link O_RDWR|O_CREAT|O_EXCL 0644)"},
    {"OddNames", R"(
        put a\sb one
        put new\nline two
        put \xc3\xa4\xc3\xb6 three
        put \xff\xfe\x01 four
        put -rf five
        put \\back\x22slash' six
        put ... seven
        put .hidden eight
        mkdir \xe2\x98\x83 0755
        put \xe2\x98\x83/\xf0\x9f\x90\x9f nine
        ls .
        cat a\sb
        cat \xff\xfe\x01
        cat \xe2\x98\x83/\xf0\x9f\x90\x9f
        rename \xff\xfe\x01 \x80
        cat \x80
        unlink new\nline)"},
    {"LongNames", R"(
        put n*255 text
        stat n*255
        ls .
        mkdir d*255 0755
        put d*255/e*255 deep
        put n*256 text
        stat n*256
        mkdir n*256 0755
        symlink x n*256
        rename n*255 n*256
        unlink n*255
        rmdir d*255)"},
    {"Symlinks", R"(
        put file text
        symlink file link
        symlink nowhere broken
        symlink loop loop
        mkdir dir 0755
        symlink ../file dir/up
        symlink dir dirlink
        readlink link
        readlink file
        readlink .
        stat link
        followed link
        followed broken
        followed loop
        cat link
        cat loop
        cat dir/up
        cat dirlink/up
        open f link O_RDONLY|O_NOFOLLOW
        open f dirlink O_RDONLY|O_DIRECTORY|O_NOFOLLOW
        open f broken O_WRONLY|O_CREAT 0644
        stat nowhere
        unlink link
        stat file
        rmdir dirlink
        symlink t*4000 far
        readlink far
        unlink far
        chown link 1 2
        chown broken 1 2
        stat broken)"},
    // ---- making
    {"CreateModes", R"(
        umask 0
        open a a O_WRONLY|O_CREAT 0777
        open b b O_WRONLY|O_CREAT 0000
        open c c O_WRONLY|O_CREAT 04755
        mkdir d 01777
        mkfifo e 0666
        umask 027
        open f f O_WRONLY|O_CREAT 0777
        mkdir g 0777
        mkfifo h 0666
        mknod i file 0666
        mknod j socket 0666
        symlink x k
        stat a
        stat b
        stat c
        stat d
        stat e
        stat f
        stat g
        stat h
        stat i
        stat j
        stat k
        ls .)"},
    {"ReadOnlyModeDoesNotHinderTheCreator", R"(
        open f f O_RDWR|O_CREAT 0400
        write f hello
        pread f 10 0
        fstat f)"},
    {"Directories", R"(
        mkdir a 0755
        mkdir a/b 0700
        mkdir a/b/c 0755
        stat a
        stat .
        ls a
        rmdir a
        rmdir a/b
        rmdir a/b/c
        rmdir a/b
        stat a
        rmdir a
        rmdir a
        rmdir .
        mkdir x/ 0755
        stat x/)"},
    {"SetGidDirectory", R"(
        mkdir d 0755
        chown d 0 5
        chmod d 02775
        put d/file text
        mkdir d/sub 0755
        stat d/file
        stat d/sub)"},
    {"HardLinks", R"(
        put a one
        link a b
        stat a
        stat b
        put b two
        cat a
        mkdir d 0755
        link b d/c
        stat a
        unlink a
        stat b
        stat d/c
        rename b e
        stat e
        stat d/c
        put d/c three
        cat e
        unlink e
        stat d/c
        cat d/c)"},
    {"RenameOntoAnotherNameOfTheSameFile", R"(
        put a one
        link a b
        rename a b
        stat a
        stat b)"},
    {"LinkToASymlink", R"(
        symlink x a
        link a b
        stat b
        readlink b)"},
    // ---- removing
    {"Unlink", R"(
        put a one
        unlink a
        unlink a
        stat a
        put a two
        cat a)"},
    {"RemoveAFullDirectory", R"(
        mkdir d 0755
        put d/f text
        rmdir d
        unlink d/f
        rmdir d
        stat d)"},
    {"ReadAfterUnlink", R"(
        put f hello
        open a f O_RDWR
        unlink f
        pread a 10 0
        pwrite a HE 0
        pwrite a more 5
        pread a 20 0
        stat f
        put f stranger
        pread a 20 0
        close a
        cat f)"},
    {"StatAfterUnlink", R"(
        put f hello
        open a f O_RDWR
        fstat a
        unlink f
        fstat a
        pwrite a #5000 3
        fstat a
        put f stranger
        fstat a
        stat f)"},
    {"UseAfterReplacement", R"(
        put f hello
        put g stranger
        open a f O_RDWR
        rename g f
        pread a 10 0
        pwrite a J 0
        pread a 10 0
        fstat a
        cat f
        stat f)"},
    {"OneNameGoesOneStays", R"(
        put f hello
        link f g
        open a f O_RDWR
        unlink f
        fstat a
        pwrite a J 0
        ftruncate a 3
        cat g
        stat g)"},
    // ---- renaming
    {"RenameFiles", R"(
        put a one
        rename a b
        stat a
        cat b
        put a two
        rename a b
        cat b
        stat a
        rename b b
        cat b
        rename b nowhere/b
        cat b)"},
    {"RenameKinds", R"(
        put file text
        mkdir empty 0755
        mkdir full 0755
        put full/x text
        mkdir other 0755
        symlink file link
        rename file empty
        rename empty file
        rename other empty
        stat other
        rename empty full
        rename full empty
        ls empty
        rename empty empty/below
        rename link file
        stat file
        rename file file2
        readlink file2)"},
    {"RenameAcrossDirectories", R"(
        mkdir a 0755
        mkdir b 0755
        put a/file one
        rename a/file b/file
        cat b/file
        stat a/file
        ls a
        ls b
        rename b/file a/other
        cat a/other)"},
    {"KnownChildrenFollowARenamedDirectory", R"(
        mkdir a 0755
        mkdir a/b 0755
        mkdir c 0755
        put a/b/file one
        stat a/b/file
        open f a/b/file O_RDWR
        open d a/b O_RDONLY|O_DIRECTORY
        rename a c/x
        stat a
        stat c/x/b/file
        cat c/x/b/file
        write f two
        ftruncate f 2
        fstat f
        cat c/x/b/file
        put c/x/b/new three
        getdents d
        openat g d file O_RDONLY
        read g 10
        rename c/x/b c/y
        cat c/y/new
        unlink c/y/file
        rmdir c/x
        fstat f
        ls c/y)"},
    {"AnOpenFileIsChangedByItsNewName", R"(
        put a hello
        open f a O_RDWR
        rename a b
        put a stranger
        ftruncate f 2
        fchmod f 0600
        futimens f 1000 2000
        fstat f
        stat a
        cat a
        stat b
        cat b)"},
    {"RenameFlags", R"(
        put a one
        put b two
        noreplace a b
        cat b)"},
    {"RenameOfTheWorkingTreeUpAndDown", R"(
        mkdir p 0755
        mkdir p/q 0755
        put p/q/f one
        rename p/q/f f
        rename p/q q
        rmdir p
        rename f q/g
        cat q/g)"},
    // ---- attributes
    {"Chmod", R"(
        put f text
        mkdir d 0755
        chmod f 0600
        chmod d 0700
        stat f
        stat d
        chmod f 06755
        stat f
        chmod d 03777
        stat d
        chmod f 0
        stat f)"},
    {"Chown", R"(
        put f text
        chown f 1 2
        stat f
        chown f -1 3
        stat f
        chown f 4 -1
        stat f
        chown f -1 -1
        stat f
        chmod f 06755
        chown f 5 6
        stat f)"},
    {"WritingClearsSetUserId", R"(
        put f text
        chmod f 06755
        open a f O_RDWR
        write a more
        fstat a)"},
    {"TruncateDownAndUp", R"(
        put f #100000
        truncate f 70001
        stat f
        cat f
        truncate f 200000
        stat f
        cat f
        truncate f 0
        stat f
        cat f
        truncate f 5
        cat f
        truncate f -1)"},
    {"TruncateThroughAHandle", R"(
        put f #10000
        open a f O_RDWR
        open b f O_RDONLY
        ftruncate a 5000
        fstat a
        fstat b
        pread b 10000 4000
        ftruncate a 9000
        pread b 10000 4000
        ftruncate b 0
        cat f)"},
    {"Times", R"(
        put f text
        mkdir d 0755
        symlink f l
        utimens f 1000000000.123456789 1100000000.987654321
        times f
        utimens f omit 5
        times f
        utimens f 7.5 omit
        times f
        utimens d 10.1 20.2
        times d
        utimens l 30.3 40.4
        times l
        utimens f 0 0
        times f
        utimens f 4000000000 4100000000
        times f
        utimens f now now
        open a f O_RDWR
        futimens a 50.5 60.6
        ftimes a)"},
    // ---- opening
    {"OpenFlags", R"(
        put f hello
        open a f O_RDONLY
        write a x
        open b f O_WRONLY
        read b 10
        open c f O_RDWR|O_TRUNC
        fstat c
        open d f O_RDWR|O_CREAT 0600
        write d hello
        open e f O_WRONLY|O_TRUNC
        fstat d
        read d 10
        open g new O_RDWR|O_CREAT|O_EXCL 0600
        open g new O_RDWR|O_CREAT|O_EXCL 0600
        stat new
        open h f O_RDONLY|O_NOFOLLOW
        open i . O_RDONLY|O_DIRECTORY
        open j f O_RDWR|O_SYNC
        write j sync
        open k f O_RDWR|O_DSYNC
        write k data
        open l f O_PATH
        fstat l
        read l 10
        cat f)"},
    {"TruncateOnOpenOfAReadFile", R"(
        put f #5000
        open a f O_RDONLY
        pread a 5000 0
        open b f O_WRONLY|O_TRUNC
        pread a 5000 0
        pwrite b #3000@77 0
        pread a 5000 0)"},
    {"Append", R"(
        put f one
        open a f O_WRONLY|O_APPEND
        open b f O_RDWR|O_APPEND
        write a two
        write b three
        pwrite a four 0
        lseek b 0
        write b five
        read b 100
        cat f
        open c new O_WRONLY|O_CREAT|O_APPEND 0644
        write c a
        write c b
        cat new
        truncate f 2
        write a six
        cat f)"},
    // ---- data
    {"OddOffsets", R"(
        open f f O_RDWR|O_CREAT 0644
        pwrite f #10000 3
        pread f 20000 0
        pread f 1 0
        pread f 1 3
        pread f 4096 4095
        pread f 4097 4096
        pread f 1 10002
        pread f 1 10003
        pread f 100 9990
        pwrite f #1 4095
        pwrite f #2 8191
        pread f 20000 0
        cat f
        stat f)"},
    {"LargeReadsAndWrites", R"(
        open f f O_RDWR|O_CREAT 0644
        pwrite f #3000001 0
        fstat f
        pread f 3000001 0
        pread f 1048577 65535
        pread f 2000000 2000000
        pwrite f #1500000@9 777777
        pread f 4000000 1
        cat f)"},
    {"Holes", R"(
        open f f O_RDWR|O_CREAT 0644
        pwrite f end 1000000
        fstat f
        pread f 100 500000
        pread f 100 999990
        cat f
        pwrite f far 5000000000
        fstat f
        pread f 10 4999999998
        ftruncate f 10)"},
    {"EmptyFile", R"(
        put f
        cat f
        stat f
        open a f O_RDWR
        read a 10
        pread a 10 1000
        write a x
        pread a 10 0
        cat f)"},
    {"AFileThatIsReadWhileItGrows", R"(
        put f one
        open a f O_RDONLY
        read a 100
        open b f O_WRONLY|O_APPEND
        write b two
        read a 100
        read a 100
        write b #100000
        read a 200000
        fstat a)"},
    {"AnEmptyFileThatIsReadWhileItGrows", R"(
        put f
        open a f O_RDONLY
        read a 100
        open b f O_WRONLY|O_APPEND
        write b two
        read a 100
        write b #50000
        pread a 60000 0
        lseek a 3
        read a 10
        fstat a)"},
    {"Sync", R"(
        put f text
        mkdir d 0755
        open a f O_RDWR
        write a more
        fsync a
        fdatasync a
        open b f O_RDONLY
        fsync b
        open c d O_RDONLY|O_DIRECTORY
        fsync c
        cat f)"},
    {"MemoryMaps", R"(
        put f #10000
        open a f O_RDWR
        map a 5000 mapped
        pread a 20 4995
        cat f
        ftruncate a 20000
        map a 19990 end
        fstat a
        cat f
        open b f O_RDONLY
        map b 0 x)"},
    {"AMapOfAnEmptyFileThatGrew", R"(
        open a f O_RDWR|O_CREAT 0644
        ftruncate a 4096
        map a 100 mapped
        cat f
        stat f)"},
    {"SeekToTheEnd", R"(
        put f #12345
        open a f O_RDWR
        seek_end a
        write a x
        seek_end a
        cat f)"},
    // ---- directories
    {"ListingWhileItChanges", R"(
        mkdir d 0755
        open h d O_RDONLY|O_DIRECTORY
        getdents h
        put d/a one
        mkdir d/b 0755
        symlink a d/c
        mkfifo d/e 0644
        getdents h
        unlink d/a
        rename d/b d/f
        getdents h
        ls d)"},
    {"ARemovedDirectoryIsEmpty", R"(
        mkdir d 0755
        open h d O_RDONLY|O_DIRECTORY
        rmdir d
        openat f h new O_RDWR|O_CREAT 0644
        stat d)"},
};

class Parity : public MountTest {
 protected:
  fs::path local_ = scratch().directory("local");

  /// Performs the case in directories of its own.
  void compare(const Case& parity, const fs::path& mounted) {
    SCOPED_TRACE(parity.name);
    fs::create_directory(local_ / parity.name);
    fs::create_directory(mounted / parity.name);
    const auto wanted = perform(parity.script, local_ / parity.name);
    const auto got = perform(parity.script, mounted / parity.name);
    ASSERT_EQ(got.size(), wanted.size());
    for (std::size_t i = 0; i < got.size(); ++i)
      EXPECT_EQ(got[i], wanted[i]) << "in line " << i + 1;
    EXPECT_THAT(snapshot(mounted / parity.name), ElementsAreArray(snapshot(local_ / parity.name)))
        << "through the mount";
    EXPECT_THAT(snapshot(exported() / parity.name),
                ElementsAreArray(snapshot(local_ / parity.name)))
        << "at the server";
  }
};

class PosixParity : public Parity, public testing::WithParamInterface<Case> {};

TEST_P(PosixParity, IsThatOfALocalFileSystem) {
  compare(GetParam(), mount_diod().path());
}

INSTANTIATE_TEST_SUITE_P(On, PosixParity, testing::ValuesIn(kCases),
                         [](const auto& of) { return std::string(of.param.name); });

/// All of them on one mount, with options that change the way through the program.
class PosixParityWith : public Parity, public testing::WithParamInterface<const char*> {};

TEST_P(PosixParityWith, IsThatOfALocalFileSystem) {
  const Fuse9p& mount = mount_diod({GetParam()});
  for (const Case& parity : kCases)
    compare(parity, mount.path());
}

INSTANTIATE_TEST_SUITE_P(Options, PosixParityWith,
                         testing::Values("directio", "actimeo=0", "actimeo=3600", "msize=8k",
                                         "maxfids=16"),
                         [](const auto& of) {
                           std::string name = of.param;
                           std::ranges::replace(name, '=', '_');
                           return name;
                         });

// ---- what a server that goes by path forces

class Unlinked : public MountTest {};

/// Without a name there is no way to the attributes of an open file, and a stranger that has got
/// the name must not be hit instead. A local file system would do it.
TEST_F(Unlinked, CannotBeChangedAndAStrangerOfItsNameIsLeftAlone) {
  const fs::path file = mount_diod().path() / "f";
  const OwnedFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  ASSERT_EQ(::write(fd.get(), "hello", 5), 5);
  fs::remove(file);
  std::ofstream(file) << "stranger";
  EXPECT_EQ(::ftruncate(fd.get(), 0), -1);
  EXPECT_EQ(errno, ESTALE);
  EXPECT_EQ(::fchmod(fd.get(), 0600), -1);
  EXPECT_EQ(errno, ESTALE);
  struct stat found {};
  EXPECT_EQ(::fstat(fd.get(), &found), 0);
  EXPECT_EQ(found.st_nlink, 0U);
  EXPECT_EQ(found.st_size, 5);
  EXPECT_EQ(read_file(exported() / "f"), "stranger");
  EXPECT_EQ(fs::status(exported() / "f").permissions(), fs::perms(0644));
}

// ---- large directories

class LargeDirectory : public MountTest {
 protected:
  static constexpr int kFiles = 5000;

  void SetUp() override {
    for (int i = 0; i < kFiles; ++i) {
      // Of different length, so that entries do not end where buffers do.
      std::ofstream(exported() / name_of(i)) << std::string(static_cast<std::size_t>(i % 7), 'x');
    }
  }
  static std::string name_of(int i) {
    return "file." + std::string(static_cast<std::size_t>(i % 40), 'n') + std::to_string(i);
  }
  static std::set<std::string> all_names() {
    std::set<std::string> names = {".", ".."};
    for (int i = 0; i < kFiles; ++i)
      names.insert(name_of(i));
    return names;
  }
  static std::vector<std::string> read_all(DIR* directory) {
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(directory))
      names.emplace_back(entry->d_name);
    EXPECT_EQ(errno, 0) << std::strerror(errno);
    return names;
  }
  static std::set<std::string> as_set(const std::vector<std::string>& names) {
    return {names.begin(), names.end()};
  }
};

TEST_F(LargeDirectory, ListsEachNameOnce) {
  DIR* directory = ::opendir(mount_diod().path().c_str());
  const auto names = read_all(directory);
  EXPECT_EQ(names.size(), all_names().size());
  EXPECT_EQ(as_set(names), all_names());
  ::rewinddir(directory);
  EXPECT_EQ(as_set(read_all(directory)), all_names()) << "after rewinddir";
  ::closedir(directory);
}

TEST_F(LargeDirectory, CanBeReadOnFromAnyPlace) {
  DIR* directory = ::opendir(mount_diod().path().c_str());
  std::vector<long> places;
  std::vector<std::string> names;
  for (;;) {
    places.push_back(::telldir(directory));
    const dirent* entry = ::readdir(directory);
    if (entry == nullptr)
      break;
    names.emplace_back(entry->d_name);
  }
  ASSERT_EQ(names.size(), all_names().size());
  for (const std::size_t from : {4999UL, 1UL, 2500UL, 0UL, 3777UL, 3776UL, 5001UL, 5002UL}) {
    ::seekdir(directory, places[from]);
    const std::vector<std::string> wanted(names.begin() + static_cast<long>(from), names.end());
    EXPECT_EQ(read_all(directory), wanted) << "from entry " << from;
  }
  ::closedir(directory);
}

TEST_F(LargeDirectory, ShowsTheAttributesThatStatShows) {
  const Fuse9p& mount = mount_diod();
  // A readdir with a stat behind each name is what makes the kernel ask for both at once.
  for (int round = 0; round < 2; ++round) {
    int seen = 0;
    for (const auto& entry : fs::directory_iterator(mount.path())) {
      struct stat here {
      }, there{};
      ASSERT_EQ(::lstat(entry.path().c_str(), &here), 0) << entry.path();
      ASSERT_EQ(::lstat((exported() / entry.path().filename()).c_str(), &there), 0);
      EXPECT_EQ(here.st_size, there.st_size) << entry.path();
      EXPECT_EQ(here.st_mode, there.st_mode) << entry.path();
      EXPECT_EQ(here.st_ino, there.st_ino) << entry.path();
      EXPECT_EQ(here.st_mtim.tv_nsec, there.st_mtim.tv_nsec) << entry.path();
      ++seen;
    }
    EXPECT_EQ(seen, kFiles);
  }
  const std::string listing = "ls -lnA --time-style=full-iso | grep -v ^total";
  EXPECT_EQ(shell(listing, mount.path()).output, shell(listing, exported()).output);
}

TEST_F(LargeDirectory, CanBeEmptiedWhileItIsRead) {
  const Fuse9p& mount = mount_diod();
  const Finished removal = shell("rm -rf ./*", mount.path());
  EXPECT_EQ(removal.status, kSuccess) << removal.output;
  EXPECT_TRUE(fs::is_empty(exported()));
}

// ---- what has no local counterpart

class Posix : public MountTest {};

TEST_F(Posix, StatfsTellsWhatTheServerTells) {
  struct statvfs here {
  }, there{};
  ASSERT_EQ(::statvfs(mount_diod().path().c_str(), &here), 0);
  ASSERT_EQ(::statvfs(exported().c_str(), &there), 0);
  EXPECT_EQ(here.f_bsize, there.f_bsize);
  EXPECT_EQ(here.f_blocks, there.f_blocks);
  EXPECT_EQ(here.f_files, there.f_files);
  EXPECT_EQ(here.f_namemax, there.f_namemax);
}

TEST_F(Posix, LinksAcrossMountsAreRefused) {
  const fs::path inside = mount_diod().path() / "file";
  const fs::path outside = scratch() / "file";
  std::ofstream(inside) << "x";
  EXPECT_EQ(::link(inside.c_str(), outside.c_str()), -1);
  EXPECT_EQ(errno, EXDEV);
  EXPECT_EQ(::rename(inside.c_str(), outside.c_str()), -1);
  EXPECT_EQ(errno, EXDEV);
}

TEST_F(Posix, RenameRefusesWhatTheProtocolCanNotDo) {
  const fs::path root = mount_diod().path();
  std::ofstream(root / "a") << "one";
  std::ofstream(root / "b") << "two";
  EXPECT_EQ(
      ::renameat2(AT_FDCWD, (root / "a").c_str(), AT_FDCWD, (root / "b").c_str(), RENAME_EXCHANGE),
      -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(
      ::renameat2(AT_FDCWD, (root / "a").c_str(), AT_FDCWD, (root / "c").c_str(), RENAME_NOREPLACE),
      -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(read_file(root / "a"), "one");
}

TEST_F(Posix, AReadOnlyMountRefusesChanges) {
  std::ofstream(exported() / "file") << "text";
  const fs::path root = mount_diod({"ro"}).path();
  EXPECT_EQ(read_file(root / "file"), "text");
  EXPECT_EQ(::unlink((root / "file").c_str()), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(::open((root / "new").c_str(), O_WRONLY | O_CREAT, 0644), -1);
  EXPECT_EQ(errno, EROFS);
}

TEST_F(Posix, ChangesMadeAtTheServerAreSeenAtTheNextOpen) {
  const fs::path root = mount_diod({"actimeo=3600"}).path();
  std::ofstream(exported() / "file") << "one";
  EXPECT_EQ(read_file(root / "file"), "one");
  std::ofstream(exported() / "file") << "longer than before";
  EXPECT_EQ(read_file(root / "file"), "longer than before");
  std::ofstream(exported() / "file") << "short";
  EXPECT_EQ(read_file(root / "file"), "short");
}

TEST_F(Posix, AFileReplacedAtTheServerIsFoundAnew) {
  const fs::path root = mount_diod({"actimeo=0"}).path();
  std::ofstream(exported() / "file") << "one";
  EXPECT_EQ(read_file(root / "file"), "one");
  std::ofstream(exported() / "other") << "two";
  fs::rename(exported() / "other", exported() / "file");
  EXPECT_EQ(read_file(root / "file"), "two");
  fs::remove(exported() / "file");
  fs::create_directory(exported() / "file");
  EXPECT_TRUE(fs::is_directory(root / "file"));
}

TEST_F(Posix, ADirectoryRenamedAtTheServerIsFoundByItsNewName) {
  fs::create_directories(exported() / "a/b/c");
  std::ofstream(exported() / "a/b/c/file") << "text";
  const fs::path root = mount_diod({"actimeo=0"}).path();
  EXPECT_EQ(read_file(root / "a/b/c/file"), "text");
  fs::rename(exported() / "a", exported() / "z");
  EXPECT_EQ(read_file(root / "z/b/c/file"), "text");
  EXPECT_FALSE(fs::exists(root / "a/b/c/file"));
}

TEST_F(Posix, APipeOnTheMountConnectsLocalProcesses) {
  const fs::path pipe = mount_diod().path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0644), 0);
  Process writer([&] {
    const int fd = ::open(pipe.c_str(), O_WRONLY);
    return ::write(fd, "through", 7) == 7 ? 0 : 1;
  });
  EXPECT_EQ(read_file(pipe), "through");
  EXPECT_EQ(writer.wait(), kSuccess);
}

TEST_F(Posix, ASharedMappingIsReadByAnotherProcess) {
  const fs::path file = mount_diod().path() / "file";
  const OwnedFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  ASSERT_EQ(::ftruncate(fd.get(), 8192), 0);
  void* memory = ::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  ASSERT_NE(memory, MAP_FAILED) << std::strerror(errno);
  std::memcpy(static_cast<char*>(memory) + 4090, "across pages", 12);
  ASSERT_EQ(::msync(memory, 8192, MS_SYNC), 0) << std::strerror(errno);
  EXPECT_EQ(read_file(exported() / "file").substr(4090, 12), "across pages");
  ::munmap(memory, 8192);
}

}  // namespace
}  // namespace fuse9p::test
