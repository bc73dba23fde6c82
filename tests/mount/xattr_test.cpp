// SPDX-License-Identifier: MIT
// Extended attributes and ACLs on a mount of diod: what they do in a directory beside the one that
// it exports, on the same file system.

#include "tests/parity/performer.hpp"
#include "tests/support/mount_fixture.hpp"

#include <gmock/gmock.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <ostream>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;

struct Case {
  const char* name;
  const char* script;
};
void PrintTo(const Case& parity, std::ostream* out) {
  *out << parity.name;
}

const Case kCases[] = {
    {"SetGetListRemove", R"(
        put f text
        listxattr f
        getxattr f user.a
        setxattr f user.a one
        getxattr f user.a
        getxattr f user.a 0
        setxattr f user.b two
        listxattr f
        setxattr f user.a longer\sthan\sbefore
        getxattr f user.a
        setxattr f user.a x
        getxattr f user.a
        removexattr f user.a
        getxattr f user.a
        removexattr f user.a
        listxattr f
        cat f)"},
    {"CreateAndReplace", R"(
        put f text
        setxattr f user.a one replace
        setxattr f user.a one create
        setxattr f user.a two create
        getxattr f user.a
        setxattr f user.a two replace
        getxattr f user.a)"},
    {"Namespaces", R"(
        put f text
        setxattr f user.a 1
        setxattr f trusted.a 2
        setxattr f security.a 3
        setxattr f system.a 4
        setxattr f other.a 5
        setxattr f user 6
        setxattr f user. 7
        getxattr f user.a
        getxattr f trusted.a
        getxattr f security.a
        getxattr f system.a
        getxattr f other.a
        getxattr f user.
        removexattr f trusted.a
        removexattr f system.a
        removexattr f other.a
        listxattr f)"},
    {"RoomForTheAnswer", R"(
        put f text
        setxattr f user.a 12345
        getxattr f user.a 0
        getxattr f user.a 4
        getxattr f user.a 5
        getxattr f user.a 6
        setxattr f user.longer 1
        listxattr f 0
        listxattr f 1
        listxattr f 18
        listxattr f 19
        listxattr f 20)"},
    {"NamesAndValuesOfAnyBytes", R"(
        put f text
        setxattr f user.\xff\xfe\x01 v
        setxattr f user.\sspaced\s v
        setxattr f user.a b\xff\x01\xff
        getxattr f user.a
        getxattr f user.\xff\xfe\x01
        setxattr f <a*255> v
        setxattr f <a*256> v
        listxattr f)"},
    {"LargeValues", R"(
        put f text
        setxattr f user.a #3000
        getxattr f user.a
        getxattr f user.a 0
        setxattr f user.a #1000@500
        getxattr f user.a
        setxattr f user.a #65537
        getxattr f user.a)"},
    {"DirectoriesLinksAndPipes", R"(
        mkdir d 0755
        setxattr d user.a dir
        setxattr d trusted.a dir
        getxattr d user.a
        listxattr d
        symlink nowhere l
        lsetxattr l user.a link
        lsetxattr l trusted.a link
        lgetxattr l trusted.a
        lgetxattr l user.a
        listxattr l
        removexattr l trusted.a
        mkfifo p 0644
        setxattr p user.a pipe
        setxattr p trusted.a pipe
        getxattr p trusted.a
        listxattr p
        setxattr . user.root v
        getxattr . user.root)"},
    {"MissingFiles", R"(
        getxattr nothing user.a
        setxattr nothing user.a v
        listxattr nothing
        removexattr nothing user.a)"},
    {"StayWithTheFile", R"(
        put f text
        setxattr f user.a one
        link f g
        getxattr g user.a
        rename f h
        getxattr h user.a
        setxattr g user.a two
        getxattr h user.a
        chmod h 0600
        put h other
        getxattr h user.a
        unlink g
        getxattr h user.a
        mkdir d 0755
        mkdir d/e 0755
        put d/e/f x
        setxattr d/e/f user.a deep
        rename d z
        getxattr z/e/f user.a
        setxattr z/e/f user.a deeper
        getxattr z/e/f user.a)"},
};

/// Runs what it is given in both, and expects the same answers.
class XattrParity : public MountTest {
 protected:
  fs::path local_ = scratch().directory("local");

  void compare(const Case& one, const fs::path& mounted) {
    SCOPED_TRACE(one.name);
    fs::create_directory(local_ / one.name);
    fs::create_directory(mounted / one.name);
    EXPECT_THAT(parity::perform(one.script, mounted / one.name),
                testing::ElementsAreArray(parity::perform(one.script, local_ / one.name)));
    EXPECT_EQ(all_xattrs(exported() / one.name), all_xattrs(local_ / one.name)) << "at the server";
  }
  static std::string all_xattrs(const fs::path& directory) {
    return shell("find . | sort | xargs getfattr -h -d -m - -e hex", directory).output;
  }
  void compare_shell(const std::string& script, const fs::path& mounted) {
    for (const fs::path& directory : {local_, mounted})
      fs::permissions(directory, fs::perms::all);
    const Finished wanted = shell(script, local_);
    const Finished got = shell(script, mounted);
    EXPECT_EQ(got.output, wanted.output);
    EXPECT_EQ(got.status, wanted.status);
  }
};

class XattrCase : public XattrParity, public testing::WithParamInterface<Case> {};

TEST_P(XattrCase, IsAsOnALocalFileSystem) {
  compare(GetParam(), mount_diod().path());
}

INSTANTIATE_TEST_SUITE_P(On, XattrCase, testing::ValuesIn(kCases),
                         [](const auto& of) { return std::string(of.param.name); });

/// All of them on one mount, with options that change the way through the program.
class XattrCasesWith : public XattrParity, public testing::WithParamInterface<const char*> {};

TEST_P(XattrCasesWith, AreAsOnALocalFileSystem) {
  const Fuse9p& mount = mount_diod({GetParam()});
  for (const Case& one : kCases)
    compare(one, mount.path());
}

INSTANTIATE_TEST_SUITE_P(Options, XattrCasesWith,
                         testing::Values("actimeo=0", "actimeo=3600", "msize=4k", "maxfids=16",
                                         "posixacl"),
                         [](const auto& of) {
                           std::string name = of.param;
                           std::ranges::replace(name, '=', '_');
                           return name;
                         });

// ---- what differs, or has no local counterpart

class Xattr : public MountTest {
 protected:
  static std::string get(const fs::path& file, const char* name) {
    char value[100];
    const ssize_t size = ::getxattr(file.c_str(), name, value, sizeof value);
    return size < 0 ? ::strerrorname_np(errno) : std::string(value, static_cast<std::size_t>(size));
  }
  static std::string set(const fs::path& file, const char* name, const std::string& value) {
    const int done = ::setxattr(file.c_str(), name, value.data(), value.size(), 0);
    return done < 0 ? ::strerrorname_np(errno) : "ok";
  }
  /// A mount whose log has every message.
  Fuse9p& mount_traced(std::vector<std::string> options = {}) {
    options.push_back("aname=" + exported().string());
    const Diod diod(scratch(), exported(), Diod::Listen::exec);
    return mount({.source = diod.source(),
                  .options = std::move(options),
                  .run = Fuse9p::Run::foreground,
                  .arguments = {"-d"}});
  }
};

/// For the wire, that would be to remove it.
TEST_F(Xattr, AnEmptyValueIsRefusedAndNothingIsRemoved) {
  const fs::path file = mount_diod().path() / "file";
  std::ofstream(file) << "text";
  EXPECT_EQ(set(file, "user.a", ""), "EOPNOTSUPP");
  EXPECT_EQ(set(file, "user.a", "value"), "ok");
  EXPECT_EQ(set(file, "user.a", ""), "EOPNOTSUPP");
  EXPECT_EQ(get(file, "user.a"), "value");
}

TEST_F(Xattr, AnEmptyValueThatIsThereIsShown) {
  const fs::path file = mount_diod().path() / "file";
  std::ofstream(exported() / "file") << "text";
  EXPECT_EQ(set(exported() / "file", "user.a", ""), "ok");
  EXPECT_EQ(get(file, "user.a"), "");
}

TEST_F(Xattr, WithNoxattrNothingIsSent) {
  Fuse9p& mount = mount_traced({"noxattr"});
  const fs::path file = mount.path() / "file";
  std::ofstream(file) << "text";
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(set(file, "user.a", "value"), "EOPNOTSUPP");
    EXPECT_EQ(get(file, "user.a"), "EOPNOTSUPP");
    EXPECT_EQ(::listxattr(file.c_str(), nullptr, 0), -1);
    EXPECT_EQ(errno, EOPNOTSUPP);
    EXPECT_EQ(::removexattr(file.c_str(), "user.a"), -1);
    EXPECT_EQ(errno, EOPNOTSUPP);
  }
  EXPECT_EQ(mount.unmount(), kSuccess);
  EXPECT_THAT(mount.log_lines("Txattr"), testing::IsEmpty());
  EXPECT_THAT(mount.log_lines(" setxattr "), testing::SizeIs(1)) << "the kernel comes once";
}

TEST_F(Xattr, OneNamespaceThatIsRefusedDoesNotSpoilTheOthers) {
  const fs::path file = mount_diod().path() / "file";
  std::ofstream(file) << "text";
  EXPECT_EQ(set(file, "nonsense.a", "value"), "EOPNOTSUPP");
  EXPECT_EQ(get(file, "nonsense.a"), "EOPNOTSUPP");
  EXPECT_EQ(set(file, "user.a", "value"), "ok");
  EXPECT_EQ(get(file, "user.a"), "value");
}

/// 1,000 writes, and a look at the file behind each: only now and then the server is asked whether
/// there are capabilities to be dropped, and the kernel does not even ask us before each write.
TEST_F(Xattr, CapabilitiesAreNotAskedForWithEachWrite) {
  Fuse9p& mount = mount_traced({"attr_timeout=3600"});
  const OwnedFd fd(::open((mount.path() / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  for (int i = 0; i < 1000; ++i)
    ASSERT_EQ(::pwrite(fd.get(), "x", 1, i), 1);
  EXPECT_LT(mount.log_lines(" getxattr ").size(), 10U);
  for (int i = 0; i < 1000; ++i) {
    struct stat found {};
    ASSERT_EQ(::pwrite(fd.get(), "x", 1, i), 1);
    ASSERT_EQ(::fstat(fd.get(), &found), 0);
  }
  EXPECT_LT(mount.log_lines("-> Txattrwalk").size(), 10U);
}

TEST_F(Xattr, ThatAFileHasNoneIsForgottenWhenOneIsSet) {
  const fs::path file = mount_diod({"attr_timeout=3600"}).path() / "file";
  std::ofstream(file) << "text";
  for (const char* name : {"security.capability", "security.selinux"}) {
    EXPECT_EQ(get(file, name), "ENODATA");
    EXPECT_EQ(get(file, name), "ENODATA");
  }
  ASSERT_EQ(shell("setcap cap_net_raw+ep file", file.parent_path()).status, kSuccess);
  EXPECT_THAT(get(file, "security.capability"), testing::SizeIs(20));
  EXPECT_EQ(set(file, "security.selinux", "label"), "ok");
  EXPECT_EQ(get(file, "security.selinux"), "label");
}

TEST_F(Xattr, OnlyRootIsShownTrustedNames) {
  const fs::path root = mount_diod({"allow_other"}).path();
  std::ofstream(root / "file") << "text";
  for (const char* name : {"trusted.a", "user.a", "trusted.b"})
    ASSERT_EQ(set(root / "file", name, "value"), "ok");
  const std::string as_nobody =
      "setpriv --reuid=65534 --regid=65534 --clear-groups getfattr -m - file";
  for (const fs::path& place : {root, exported()})
    EXPECT_EQ(shell(as_nobody, place).output, "# file: file\nuser.a\n\n") << place;
}

// ---- programs

/// What a copy of a tree must have in common with it.
const char* const kListing = R"sh(
    find . -printf '%p %m %l\n' | sort
    find . | sort | xargs getfattr -h -d -m - -e hex
    getfacl -nR .)sh";

class XattrPrograms : public MountTest {
 protected:
  XattrPrograms() {
    const Finished made = shell(R"sh(
        set -e
        mkdir tree tree/sub
        echo one >tree/one; echo two >tree/sub/two; ln -s one tree/link
        setfattr -n user.a -v some tree/one
        setfattr -n user.b -v "$(head -c 3000 /dev/zero | tr '\0' x)" tree/sub/two
        setfattr -h -n trusted.l -v link tree/link
        setfattr -n user.d -v directory tree/sub
        setfacl -m u:65534:rw tree/one
        setfacl -d -m u:65534:rwx tree/sub
        setcap cap_net_raw+ep tree/sub/two)sh",
                                scratch().path());
    EXPECT_EQ(made.status, kSuccess) << made.output;
    wanted_ = shell(kListing, tree_).output;
  }
  void expect_copy(const std::string& script, const std::string& name) {
    const Finished done = shell(script, root_);
    EXPECT_EQ(done.status, kSuccess) << done.output;
    EXPECT_EQ(shell(kListing, root_ / name).output, wanted_);
    EXPECT_EQ(shell(kListing, exported() / name).output, wanted_) << "at the server";
  }

  const fs::path tree_ = scratch() / "tree";
  const fs::path root_ = mount_diod({"allow_other"}).path();
  std::string wanted_;
};

TEST_F(XattrPrograms, RsyncHasNothingToDoTheSecondTime) {
  const std::string rsync = "rsync -aHAX --itemize-changes ";
  expect_copy(rsync + (tree_ / "").string() + " there", "there");
  EXPECT_EQ(shell(rsync + (tree_ / "").string() + " there", root_).output, "");
  const std::string back = (scratch() / "back").string();
  EXPECT_EQ(shell(rsync + "there/ " + back, root_).status, kSuccess);
  EXPECT_EQ(shell(kListing, back).output, wanted_);
}

TEST_F(XattrPrograms, CpAndMvKeepThem) {
  expect_copy("cp -a " + tree_.string() + " copied", "copied");
  expect_copy("cp -a copied again && mv again moved", "moved");
}

TEST_F(XattrPrograms, TarKeepsThem) {
  const std::string tar = "tar --acls --xattrs --xattrs-include='*' ";
  expect_copy(
      "mkdir there; " + tar + "-cf - -C " + tree_.string() + " . | " + tar + "-xf - -C there",
      "there");
}

// ---- set-id bits and capabilities

/// Runs what `change` is as `who`, on a file with all of them.
std::string drop_script(const std::string& change, const std::string& who) {
  const std::string as = who == "root" ? "" : "setpriv --reuid=65534 --regid=65534 --clear-groups ";
  return R"(
      for mode in 6777 6767 4666 2777; do
        rm -f file; cp /bin/true file; chown 65534:65534 file; chmod $mode file
        setcap cap_net_raw+ep file
        stat -c 'before %a' file
        )" +
         as + "sh -c '" + change + R"(' 2>/dev/null; echo status $?
        stat -c 'after %a' file
        getcap file
      done)";
}

class SetIdParity : public XattrParity,
                    public testing::WithParamInterface<std::tuple<const char*, const char*>> {};

TEST_P(SetIdParity, IsThatOfALocalFileSystem) {
  const auto& [change, who] = GetParam();
  compare_shell(drop_script(change, who), mount_diod({"allow_other"}).path());
}

INSTANTIATE_TEST_SUITE_P(
    DroppedBy, SetIdParity,
    testing::Combine(testing::Values("printf x 1<>file", "printf x >>file", "printf x >file",
                                     "true >file", "truncate -s 5 file", "truncate -s 5000000 file",
                                     "chown 65534 file", "chgrp 65534 file", "chown 5 file",
                                     "chmod 4711 file", "touch file",
                                     "dd of=file bs=4096 count=1 conv=notrunc oflag=direct "
                                     "if=/dev/zero"),
                     testing::Values("root", "nobody")),
    [](const auto& of) {
      std::string name = std::get<0>(of.param);
      name = name.substr(0, name.find(" bs")) + "_by_" + std::get<1>(of.param);
      std::ranges::replace_if(
          name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
      return name;
    });

/// One who may write to the file but does not own it.
TEST_F(XattrParity, SetIdBitsAreDroppedByTheGroup) {
  compare_shell(R"(
      cp /bin/true file; chown 0:65534 file; chmod 6775 file
      setpriv --reuid=65534 --regid=65534 --clear-groups sh -c 'printf x 1<>file'; echo $?
      stat -c %a file)",
                mount_diod({"allow_other"}).path());
}

// ---- ACLs

const char* const kAclScript = R"sh(
    show() {
      for file in "$@"; do
        echo "$file $(stat -c %a $file) $(getfacl -ncE $file 2>&1 | tr '\n' ' ')"
      done
    }
    as() { setpriv --reuid=$1 --regid=$1 --clear-groups sh -c "$2" 2>&1; }
    umask 027
    mkdir plain; touch plain/file; mkdir plain/dir; mkfifo plain/pipe
    show plain plain/file plain/dir plain/pipe

    mkdir def; setfacl -d -m u:65534:rwx,g::rwx,o::rx def; echo $?
    umask 077
    touch def/file; mkdir def/dir; mkfifo def/pipe; ln -s file def/link; cp /bin/true def/copy
    install -m 640 /bin/true def/installed; : >def/opened
    show def def/file def/dir def/pipe def/copy def/installed def/opened
    touch def/dir/deep; show def/dir/deep
    setfacl -b def; echo $?
    touch def/later; mkdir def/later.d; show def def/later def/later.d
    setfacl -d -m u::rwx,g::rx,o::- def; touch def/masked; show def/masked
    setfacl -k def; echo $?

    umask 022
    echo secret >file; chmod 600 file; setfacl -m u:65534:r file; show file
    as 65534 'cat file'; as 1 'cat file'; as 65534 'echo x >>file'
    chmod 620 file; show file; chmod 600 file; as 65534 'cat file'
    setfacl -m u:1:---,u:65534:rw file; chmod o+r file; show file
    as 1 'cat file'; as 2 'cat file'; as 65534 'echo more >>file'; cat file
    setfacl -x u:65534 file; show file; as 65534 'cat file'

    mkdir closed; chmod 700 closed; echo deep >closed/file; setfacl -m u:65534:x closed
    as 65534 'cat closed/file'; as 1 'cat closed/file'; as 65534 'ls closed'

    for kind in access default; do setfattr -x system.posix_acl_$kind def; echo $?; done
    chown 65534:65534 file; chmod 2755 file; as 65534 'setfacl -m u:5:r file'; show file
    as 5 'setfacl -m u:5:rwx file'; setfacl -m u:5:rwx nothing 2>&1
    setfattr -n system.posix_acl_access -v nonsense file 2>&1
    setfattr -n system.posix_acl_default -v nonsense file 2>&1
    show file)sh";

TEST_F(XattrParity, OfAclsTheKernelEnforcesAll) {
  compare_shell(kAclScript, mount_diod({"allow_other", "posixacl"}).path());
}

TEST_F(XattrParity, OfAclsTheKernelEnforcesAllWithoutCaching) {
  compare_shell(kAclScript, mount_diod({"allow_other", "posixacl", "actimeo=0"}).path());
}

/// Stored they are in any case, and what they say of the mode is seen at once.
TEST_F(XattrParity, AclsAreStoredWithoutPosixacl) {
  compare_shell(R"sh(
      touch file; mkdir dir
      setfacl -m u:65534:rw,m::rw file; stat -c %a file; getfacl -n file
      setfacl -d -m u:65534:rwx dir; getfacl -n dir
      chmod 604 file; getfacl -n file
      setfacl -m m::r file; stat -c %a file
      setfacl -b file; stat -c %a file; getfacl -n file
      umask 0; touch dir/new; getfacl -n dir/new)sh",
                mount_diod({"attr_timeout=3600"}).path());
}

}  // namespace
}  // namespace fuse9p::test
