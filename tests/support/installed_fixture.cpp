// SPDX-License-Identifier: MIT
#include "tests/support/installed_fixture.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>

namespace fuse9p::test {

namespace fs = std::filesystem;

namespace {

constexpr const char* kFstab = "/etc/fstab";
constexpr const char* kFuseConf = "/etc/fuse.conf";
constexpr const char* kDevice = "/dev/fuse";

void mount_or_throw(const char* source, const fs::path& target, const char* type,
                    unsigned long flags) {
  if (::mount(source, target.c_str(), type, flags, nullptr) != 0)
    throw std::system_error(errno, std::generic_category(), "mount on " + target.string());
}

void bind_mount(const fs::path& source, const fs::path& target) {
  mount_or_throw(source.c_str(), target, nullptr, MS_BIND);
}

/// The file on `path` is another one from now on: an empty one in `directory`.
void replace(const fs::path& path, const fs::path& directory) {
  const fs::path own = directory / path.filename();
  std::ofstream{own};
  bind_mount(own, path);
}

std::string without_newline(std::string text) {
  while (text.ends_with('\n'))
    text.pop_back();
  return text;
}

}  // namespace

void InstalledTest::SetUp() {
  ASSERT_EQ(::geteuid(), 0U) << "only root can pretend an installation and become other users";
  machine_ = OwnedFd(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(::unshare(CLONE_NEWNS), 0) << std::strerror(errno);
  mount_or_throw(nullptr, "/", nullptr, MS_REC | MS_PRIVATE);
  install();
}

void InstalledTest::TearDown() {
  end_mounts();
  for (const pid_t pid : daemons())
    ::kill(pid, SIGTERM);
  expect_daemons_end();
  servers_.clear();
  MountTest::TearDown();
  const fs::path directory = fs::current_path();
  EXPECT_EQ(::setns(machine_.get(), CLONE_NEWNS), 0) << std::strerror(errno);
  fs::current_path(directory);
}

/// As `cmake --install` does with prefix /usr. Links keep what else is in /sbin.
void InstalledTest::install() {
  const fs::path own = scratch().directory("machine");
  const fs::path sbin = fs::canonical("/sbin");
  bind_mount(sbin, scratch().directory("machine/sbin"));
  mount_or_throw("tmpfs", sbin, "tmpfs", 0);
  ASSERT_EQ(run({.arguments = {"cp", "-as", (own / "sbin/.").string(), sbin}}).status, kSuccess);
  const fs::path program = sbin / "fuse9p";
  fs::remove(program);
  fs::remove(sbin / "mount.fuse9p");
  std::ofstream{program};
  bind_mount(fuse9p_command(scratch(), {}).arguments[0], program);
  fs::create_symlink(program, sbin / "mount.fuse9p");
  mount_or_throw("tmpfs", "/run", "tmpfs", 0);  // where mount(8) keeps utab
  replace(kFstab, own);
  replace(kFuseConf, own);
  open_device();
}

/// A device of our own, for the mode belongs to the machine's.
void InstalledTest::open_device() {
  struct stat machine {};
  ASSERT_EQ(::stat(kDevice, &machine), 0) << "there is no " << kDevice;
  const fs::path devices = scratch().directory("machine/dev");
  mount_or_throw("tmpfs", devices, "tmpfs", 0);
  const fs::path device = devices / "fuse";
  ASSERT_EQ(::mknod(device.c_str(), S_IFCHR, machine.st_rdev), 0) << std::strerror(errno);
  ASSERT_EQ(::chmod(device.c_str(), 0666), 0);
  bind_mount(device, kDevice);
}

const Diod& InstalledTest::serve(Diod::Listen listen) {
  return servers_.emplace_back(scratch(), exported(), listen);
}

void InstalledTest::write_fstab(const std::string& lines) {
  std::ofstream(kFstab) << lines;
}

void InstalledTest::write_fuse_conf(const std::string& lines) {
  std::ofstream(kFuseConf) << lines;
}

/// What it leaves in the background is told to the janitor, who cannot see these mounts.
Finished InstalledTest::run_noted(Words words) {
  Command command{.arguments = std::move(words)};
  command.environment = fuse9p_command(scratch(), {}).environment;
  command.environment.emplace_back("PATH=/usr/sbin:/usr/bin:/sbin:/bin");
  Finished finished = run(std::move(command));
  for (const pid_t child : daemons())
    Scratch::note_process(child);
  return finished;
}

Finished InstalledTest::as_root(Words words) {
  return run_noted(std::move(words));
}

Finished InstalledTest::as_user(uid_t uid, Words words) {
  const std::string id = std::to_string(uid);
  Words all{"setpriv", "--reuid=" + id, "--regid=" + id, "--clear-groups", "env", "HOME=/"};
  all.insert(all.end(), words.begin(), words.end());
  return run_noted(std::move(all));
}

Finished InstalledTest::as_user(uid_t uid, const std::string& script) {
  return as_user(uid, Words{"sh", "-ec", script});
}

fs::path InstalledTest::home_of(uid_t uid) {
  fs::path home = scratch().directory("home." + std::to_string(uid));
  EXPECT_EQ(::chown(home.c_str(), uid, uid), 0);
  return home;
}

std::string InstalledTest::shown(const std::string& column, const fs::path& mountpoint) {
  return without_newline(
      as_root({"findmnt", "-n", "-o", column, "-M", mountpoint.string()}).output);
}

bool InstalledTest::has_option(const fs::path& mountpoint, const std::string& option) {
  std::istringstream options(shown("OPTIONS", mountpoint));
  for (std::string one; std::getline(options, one, ',');) {
    if (one == option)
      return true;
  }
  return false;
}

std::vector<pid_t> InstalledTest::daemons() {
  std::vector<pid_t> found;
  for (const pid_t child : children()) {
    const std::string name = read_file("/proc/" + std::to_string(child) + "/comm");
    if (name == "fuse9p\n" || name == "mount.fuse9p\n")
      found.push_back(child);
  }
  return found;
}

void InstalledTest::expect_daemons_end() {
  for (const pid_t pid : daemons())
    EXPECT_EQ(Process::adopt(pid).wait(), kSuccess);
}

}  // namespace fuse9p::test
