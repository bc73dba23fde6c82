// SPDX-License-Identifier: MIT
// What mount(8) does with fuse9p: by type, with flags, from fstab, and again with -o remount.

#include "tests/support/installed_fixture.hpp"

#include <gmock/gmock.h>

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <fstream>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr Status kUsage{.code = 1}, kMountFailed{.code = 32}, kSomeFailed{.code = 64};

class MountCommand : public InstalledTest {
 protected:
  void SetUp() override {
    InstalledTest::SetUp();
    std::ofstream(exported() / "file") << "text";
    mnt_ = scratch().directory("mnt");
  }
  const std::string& source() {
    if (source_.empty())
      source_ = serve().source();
    return source_;
  }
  std::string tree() const { return "aname=" + exported().string(); }
  Finished mount(Words more) {
    more.insert(more.begin(), "mount");
    return as_root(std::move(more));
  }
  void expect_success(const Finished& finished) {
    EXPECT_EQ(finished.status, kSuccess) << finished.output;
    EXPECT_EQ(finished.output, "");
  }
  /// One that works says nothing.
  void expect_mounts(Words more, const fs::path& mountpoint) {
    expect_success(mount(std::move(more)));
    EXPECT_EQ(read_file(mountpoint / "file"), "text");
  }
  void unmount(const fs::path& mountpoint) {
    expect_success(as_root({"umount", mountpoint}));
    EXPECT_FALSE(is_mount_point(mountpoint));
    expect_daemons_end();
  }
  /// A line of fstab.
  static std::string line(const std::string& source, const fs::path& mountpoint,
                          const std::string& type, const std::string& options) {
    return source + " " + mountpoint.string() + " " + type + " " + options + " 0 0\n";
  }
  fs::path mnt_;

 private:
  std::string source_;
};

/// By both names: through /sbin/mount.fuse9p, and through /sbin/mount.fuse, which fuse3 has.
class MountByType : public MountCommand, public testing::WithParamInterface<const char*> {
 protected:
  std::string type() const { return GetParam(); }
  void mount_with(const std::string& options) {
    expect_success(mount({"-t", type(), source(), mnt_, "-o", tree() + "," + options}));
  }
};

TEST_P(MountByType, ShowsSourceTypeAndOptions) {
  expect_mounts({"-t", type(), source(), mnt_, "-o", tree()}, mnt_);
  EXPECT_EQ(shown("SOURCE", mnt_), source());
  EXPECT_EQ(shown("FSTYPE", mnt_), "fuse.fuse9p");
  EXPECT_TRUE(has_option(mnt_, "rw"));
  EXPECT_TRUE(has_option(mnt_, "user_id=0"));
  unmount(mnt_);
}

TEST_P(MountByType, TakesEveryFormOfSource) {
  const Diod& tcp = serve(Diod::Listen::tcp4);
  const std::string port = std::to_string(tcp.port());
  const std::string socket = source().substr(std::string("unix:").size());
  const std::vector<std::string> sources{
      source(),
      socket,
      "unix!" + socket,
      tcp.source(),
      "127.0.0.1:" + port + ":" + exported().string(),
      "tcp!127.0.0.1!" + port,
      "exec:diod -n -e '" + exported().string() + "' -r 0 -w 1 2>\"/dev/null\"",
  };
  for (const std::string& form : sources) {
    expect_mounts({"-t", type(), form, mnt_, "-o", tree()}, mnt_);
    EXPECT_EQ(shown("SOURCE", mnt_), form);
    unmount(mnt_);
  }
}

TEST_P(MountByType, ShowsTheFlagsItWasGiven) {
  const Words flags{"ro", "nosuid", "nodev", "noexec", "sync", "dirsync", "noatime", "nosymfollow"};
  for (const std::string& flag : flags) {
    mount_with(flag);
    for (const std::string& other : flags)
      EXPECT_EQ(has_option(mnt_, other), other == flag) << other << " of a mount with " << flag;
    unmount(mnt_);
  }
}

class MountFlags : public MountByType {
 protected:
  void SetUp() override {
    MountByType::SetUp();
    std::ofstream(exported() / "script") << "#!/bin/sh\necho ran\n";
    fs::permissions(exported() / "script", fs::perms(0755));
    fs::copy("/usr/bin/id", exported() / "id");
    fs::permissions(exported() / "id", fs::perms(04755));
    fs::create_symlink("file", exported() / "link");
    ASSERT_EQ(::mknod((exported() / "null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  }
  std::string output(const std::string& script) { return shell(script, mnt_).output; }
  std::string run_setuid_program() {
    return as_user(kNobody, (mnt_ / "id").string() + " -u").output;
  }
};

TEST_P(MountFlags, AreOffUnlessAskedFor) {
  mount_with("allow_other");
  EXPECT_EQ(output("echo new > new; cat new"), "new\n");
  EXPECT_EQ(output("./script"), "ran\n");
  EXPECT_EQ(output("cat link"), "text");
  EXPECT_EQ(output("echo gone > null; cat null"), "");
  EXPECT_EQ(run_setuid_program(), "0\n");
}

TEST_P(MountFlags, HoldWhenAskedFor) {
  mount_with("allow_other,ro,nosuid,nodev,nosymfollow");
  EXPECT_THAT(output("echo new > new"), HasSubstr("Read-only file system"));
  EXPECT_THAT(output("cat link"), HasSubstr("Too many levels of symbolic links"));
  EXPECT_THAT(output("cat null"), HasSubstr("Permission denied"));
  EXPECT_EQ(run_setuid_program(), std::to_string(kNobody) + "\n");
  unmount(mnt_);
  mount_with("noexec");
  EXPECT_THAT(output("./script"), HasSubstr("Permission denied"));
}

TEST_P(MountFlags, MayBeGivenMoreThanOnceAndTheLastCounts) {
  mount_with("ro,nosuid,noexec,suid,exec,rw");
  for (const char* flag : {"ro", "nosuid", "noexec"})
    EXPECT_FALSE(has_option(mnt_, flag)) << flag;
}

/// -o remount: the flags change, the server notices nothing.
class Remount : public MountByType {};

TEST_P(Remount, ChangesTheFlags) {
  mount_with("nodev");
  expect_success(mount({"-o", "remount,ro", mnt_}));
  EXPECT_THAT(shell("echo x > new", mnt_).output, HasSubstr("Read-only file system"));
  EXPECT_TRUE(has_option(mnt_, "nodev")) << "what was not named is as it was";
  expect_success(mount({"-o", "remount,rw,noexec,nosymfollow", mnt_}));
  EXPECT_EQ(shell("echo x > new", mnt_).status, kSuccess);
  for (const char* flag : {"noexec", "nosymfollow", "nodev"})
    EXPECT_TRUE(has_option(mnt_, flag)) << flag;
  EXPECT_FALSE(has_option(mnt_, "nosuid"));
  EXPECT_EQ(daemons().size(), 1U) << "nothing was mounted";
}

TEST_P(Remount, GoesByTheLineOfFstab) {
  write_fstab(line(source(), mnt_, type(), "noexec,msize=8k," + tree()));
  expect_success(mount({mnt_}));
  expect_success(mount({"-o", "remount,ro", mnt_}));
  for (const char* flag : {"ro", "noexec"})
    EXPECT_TRUE(has_option(mnt_, flag)) << flag;
}

TEST_P(Remount, TakesNoOffenceAtANameThatIsNoSource) {
  mount_with("fsname=my files");
  expect_success(mount({"-o", "remount,ro", mnt_}));
  EXPECT_TRUE(has_option(mnt_, "ro"));
}

TEST_P(Remount, IsRefusedWhileFilesAreOpenForWriting) {
  mount_with("rw");
  const std::ofstream file(mnt_ / "file");
  const Finished finished = mount({"-o", "remount,ro", mnt_});
  EXPECT_EQ(finished.status, kMountFailed);
  EXPECT_THAT(finished.output, AllOf(HasSubstr(mnt_.string()), HasSubstr("open for writing")));
}

TEST_P(Remount, IsRootsOnly) {
  write_fstab(line(source(), mnt_, type(), "user,noauto," + tree()));
  ASSERT_EQ(::chown(mnt_.c_str(), kNobody, kNobody), 0);
  expect_success(as_user(kNobody, Words{"mount", mnt_}));
  const Finished finished = as_user(kNobody, Words{"mount", "-o", "remount,ro", mnt_});
  EXPECT_NE(finished.status, kSuccess);
  EXPECT_THAT(finished.output, HasSubstr("root"));
  EXPECT_FALSE(has_option(mnt_, "ro"));
}

const auto kTypes = testing::Values("fuse9p", "fuse.fuse9p");
std::string type_name(const testing::TestParamInfo<const char*>& info) {
  return std::string(info.param) == "fuse9p" ? "Fuse9p" : "FuseFuse9p";
}
INSTANTIATE_TEST_SUITE_P(Of, MountByType, kTypes, type_name);
INSTANTIATE_TEST_SUITE_P(Of, MountFlags, kTypes, type_name);
INSTANTIATE_TEST_SUITE_P(Of, Remount, kTypes, type_name);

TEST_F(MountCommand, RemountOfNothingIsRefused) {
  const Finished finished = as_root({"fuse9p", source(), mnt_, "-o", "remount,ro"});
  EXPECT_EQ(finished.status, kMountFailed);
  EXPECT_THAT(finished.output, AllOf(HasSubstr(mnt_.string()), HasSubstr("no mount of fuse9p")));
}

TEST_F(MountCommand, OldFormWithTheTypeInTheSourceWorks) {
  expect_mounts({"-t", "fuse", "fuse9p#" + source(), mnt_, "-o", tree()}, mnt_);
  EXPECT_EQ(shown("SOURCE", mnt_), source());
}

TEST_F(MountCommand, CommaInAValueIsEscapedOrQuoted) {
  const fs::path odd = scratch().directory("a,b");
  std::ofstream(odd / "file") << "text";
  const Diod diod(scratch(), odd, Diod::Listen::exec);
  const std::string escaped = (scratch() / "a\\,b").string();
  for (const std::string& option : {"aname=" + escaped, "aname=\"" + odd.string() + "\""}) {
    expect_mounts({"-t", "fuse9p", diod.source(), mnt_, "-o", "noexec," + option + ",nodev"}, mnt_);
    EXPECT_TRUE(has_option(mnt_, "nodev"));
    unmount(mnt_);
  }
}

TEST_F(MountCommand, FailureIsExplainedAndPassedOn) {
  const std::string nobody_listens = "127.0.0.1:" + std::to_string(free_port());
  for (const char* type : {"fuse9p", "fuse.fuse9p"}) {
    const Finished finished = mount({"-t", type, nobody_listens, mnt_});
    EXPECT_EQ(finished.status, kMountFailed);
    EXPECT_THAT(finished.output, AllOf(StartsWith("fuse9p: "), HasSubstr(nobody_listens)));
  }
  const Finished finished = mount({"-t", "fuse9p", nobody_listens, mnt_, "-o", "msise=8k"});
  EXPECT_EQ(finished.status, kUsage);
  EXPECT_THAT(finished.output, HasSubstr("did you mean \"msize\"?"));
}

TEST_F(MountCommand, SloppyAndFakeAreUnderstood) {
  EXPECT_EQ(mount({"-t", "fuse9p", source(), mnt_, "-f"}).status, kSuccess);
  EXPECT_FALSE(is_mount_point(mnt_));
  expect_mounts({"-s", "-n", "-v", "-t", "fuse9p", source(), mnt_, "-o", tree() + ",nonsense"},
                mnt_);
}

/// mount.fuse3 mounts, and starts fuse9p as somebody who may do nothing.
TEST_F(MountCommand, PrivilegesCanBeDroppedAltogether) {
  expect_success(mount({"-t", "fuse.fuse9p", source(), mnt_, "-o",
                        tree() + ",drop_privileges,setuid=nobody,allow_other"}));
  EXPECT_EQ(read_file(mnt_ / "file"), "text");
  ASSERT_EQ(daemons().size(), 1U);
  const std::string status = read_file("/proc/" + std::to_string(daemons()[0]) + "/status");
  EXPECT_THAT(status, AllOf(HasSubstr("CapEff:\t0000000000000000"), HasSubstr("NoNewPrivs:\t1")));
  unmount(mnt_);
}

TEST_F(MountCommand, PassedDescriptorStaysWithinFuse9p) {
  const std::string server = "exec:diod -n -e " + exported().string() + " -r 0 -w 1";
  expect_success(
      mount({"-t", "fuse.fuse9p", server, mnt_, "-o", tree() + ",drop_privileges,setuid=nobody"}));
  ASSERT_EQ(daemons().size(), 1U);
  const std::string descriptors = "/proc/" + std::to_string(daemons()[0]) + "/fd";
  EXPECT_THAT(as_root({"sh", "-c", "ls -l " + descriptors}).output, HasSubstr("/dev/fuse"));
  const std::string of_server =
      as_root({"sh", "-c", "ls -l /proc/$(cat /proc/$0/task/*/children | tr -d ' ')/fd",
               std::to_string(daemons()[0])})
          .output;
  EXPECT_THAT(of_server, AllOf(HasSubstr("socket:"), Not(HasSubstr("fuse"))));
  unmount(mnt_);
}

// ---- fstab

class Fstab : public MountCommand {
 protected:
  static constexpr const char* kOfSystemd =
      "_netdev,nofail,x-systemd.automount,x-systemd.idle-timeout=60,x-systemd.mount-timeout=10s";
  /// Mounts on this very directory.
  static long mounts_on(const fs::path& mountpoint) {
    const std::string point = " " + mountpoint.string() + " ";
    const std::string table = read_file("/proc/self/mountinfo");
    long count = 0;
    for (auto at = table.find(point); at != std::string::npos; at = table.find(point, at + 1))
      ++count;
    return count;
  }
};

TEST_F(Fstab, LineIsFoundByItsMountPoint) {
  for (const char* type : {"fuse9p", "fuse.fuse9p"}) {
    write_fstab(line(source(), mnt_, type, tree() + ",ro," + kOfSystemd));
    expect_mounts({mnt_}, mnt_);
    EXPECT_TRUE(has_option(mnt_, "ro"));
    unmount(mnt_);
  }
}

TEST_F(Fstab, OtherFileServesAsWell) {
  const fs::path table = scratch() / "table";
  std::ofstream(table) << line(source(), mnt_, "fuse9p", tree());
  expect_mounts({"--fstab", table, mnt_}, mnt_);
  unmount(mnt_);
  expect_mounts({"-a", "-T", table}, mnt_);
}

TEST_F(Fstab, EveryLineIsMountedOnce) {
  const fs::path by_exec = scratch().directory("by exec"), asked_for = scratch().directory("asked");
  write_fstab(
      line(source(), mnt_, "fuse9p", "defaults," + tree() + "," + kOfSystemd) +
      line("exec:diod\\040-n\\040-e\\040" + exported().string() + "\\040-r\\0400\\040-w\\0401",
           scratch() / "by\\040exec", "fuse9p", tree()) +
      line(source(), asked_for, "fuse9p", "noauto," + tree()));
  for (int round = 0; round < 2; ++round) {
    expect_success(mount({"-a"}));
    EXPECT_EQ(read_file(mnt_ / "file"), "text");
    EXPECT_EQ(read_file(by_exec / "file"), "text");
    EXPECT_EQ(mounts_on(mnt_), 1);
    EXPECT_FALSE(is_mount_point(asked_for));
    EXPECT_EQ(daemons().size(), 2U);
  }
}

/// mount(8) reports the failure whatever nofail says, as with NFS; systemd goes on with the boot.
TEST_F(Fstab, ServerThatIsDownKeepsNoOtherLineFromBeingMounted) {
  const fs::path down = scratch().directory("down");
  const std::string nobody_listens = "127.0.0.1:" + std::to_string(free_port());
  write_fstab(line(nobody_listens, down, "fuse9p", kOfSystemd) +
              line(source(), mnt_, "fuse9p", tree()));
  const Finished finished = mount({"-a"});
  EXPECT_EQ(finished.status, kSomeFailed);
  EXPECT_THAT(finished.output, HasSubstr(nobody_listens));
  EXPECT_FALSE(is_mount_point(down));
  EXPECT_EQ(read_file(mnt_ / "file"), "text");
}

TEST_F(Fstab, MountPointCanBeMadeOnTheWay) {
  const fs::path made = scratch() / "made";
  write_fstab(line(source(), made, "fuse9p", "X-mount.mkdir=0700," + tree()));
  expect_mounts({made}, made);
}

TEST_F(Fstab, EveryOptionOfItIsUnderstood) {
  const Words options{
      "defaults",     "auto",        "noauto",
      "user",         "user=glenda", "nouser",
      "users",        "nousers",     "owner",
      "noowner",      "group",       "nogroup",
      "_netdev",      "nofail",      "comment=by hand",
      "x-gvfs-hide",  "x-a.b=c=d",   "x-systemd.requires-mounts-for=/var",
      "X-mount.idle", "bootwait",    "nobootwait",
      "rw",           "ro",          "suid",
      "nosuid",       "dev",         "nodev",
      "exec",         "noexec",      "sync",
      "async",        "dirsync",     "atime",
      "noatime",      "diratime",    "nodiratime",
      "relatime",     "norelatime",  "strictatime",
      "lazytime",     "nolazytime",  "nostrictatime",
      "iversion",     "noiversion",  "mand",
      "nomand",       "silent",      "loud",
      "symfollow",    "nosymfollow", "uid=1000",
      "uid=nobody",   "gid=useruid", "gid=daemon",
      "nonempty",     "user_id=0",   "group_id=0",
  };
  for (const std::string& option : options) {
    const std::string in_fstab = option == "comment=by hand" ? "comment=by\\040hand" : option;
    write_fstab(line(source(), mnt_, "fuse9p", in_fstab));
    expect_success(mount({"-f", mnt_}));
  }
}

}  // namespace
}  // namespace fuse9p::test
