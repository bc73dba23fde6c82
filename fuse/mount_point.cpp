// SPDX-License-Identifier: MIT
#include "fuse/mount_point.hpp"

#include "fuse/fusermount.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string_view>
#include <system_error>

namespace fuse9p::fs {
namespace {

/// One octal number of three digits at a time, behind a backslash: as the kernel escapes blanks.
std::string unescaped(const std::string& field) {
  std::string text;
  for (std::size_t i = 0; i < field.size(); ++i) {
    unsigned code = 0;
    const char* digits = field.data() + i + 1;
    if (field[i] == '\\' && i + 3 < field.size() &&
        std::from_chars(digits, digits + 3, code, 8).ptr == digits + 3) {
      text += static_cast<char>(code);
      i += 3;
    } else {
      text += field[i];
    }
  }
  return text;
}

/// Not what the kernel remembers of the attributes: the program is to answer.
int stat_now(const std::string& path) {
  struct statx ignored {};
  const int flags = AT_STATX_FORCE_SYNC | AT_NO_AUTOMOUNT;
  return ::statx(AT_FDCWD, path.c_str(), flags, STATX_BASIC_STATS, &ignored) == 0 ? 0 : errno;
}

/// Is its program gone? A request that was on its way meanwhile was aborted: the next one tells.
bool is_dead(const std::string& path) {
  int error = stat_now(path);
  if (error == ECONNABORTED)
    error = stat_now(path);
  return error == ENOTCONN;
}

/// Whoever still has a file open there keeps it: therefore lazily.
void unmount_lazily(const std::string& path) {
  if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
    return;
  const int error = errno;
  if (error != EPERM || !fusermount_unmount(path))
    throw MountError(path + ": a mount whose program is gone is in the way and can't be unmounted" +
                     (error == EPERM ? "" : ": " + std::string(std::strerror(error))));
}

/// A flag's two names, as mount(8) has them.
struct Flag {
  std::string_view set, clear;
  unsigned long bit;
};
constexpr std::array kFlags = std::to_array<Flag>({
    {"ro", "rw", MS_RDONLY},
    {"nosuid", "suid", MS_NOSUID},
    {"nodev", "dev", MS_NODEV},
    {"noexec", "exec", MS_NOEXEC},
    {"sync", "async", MS_SYNCHRONOUS},
    {"dirsync", "", MS_DIRSYNC},
    {"noatime", "atime", MS_NOATIME},
});

std::string why_not(int error) {
  switch (error) {
    case EBUSY:
      return "files are open for writing";
    case EPERM:
      return "only root can change its flags; unmount and mount it again instead";
    default:
      return std::strerror(error);
  }
}

void change_flags(const std::string& path, unsigned long flags) {
  if (::mount(nullptr, path.c_str(), nullptr, flags, nullptr) != 0)
    throw MountError(path + ": can't be remounted: " + why_not(errno));
}

}  // namespace

std::optional<MountTableEntry> mounted_on(const std::string& path) {
  std::optional<MountTableEntry> found;
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string id, parent, device, root, point, word;
    fields >> id >> parent >> device >> root >> point;
    if (unescaped(point) != path)
      continue;
    while (fields >> word && word != "-") {
    }
    std::string type, source;
    fields >> type >> source;
    found = {device, unescaped(type), unescaped(source)};  // the last line is the one on top
  }
  return found;
}

int remove_dead_mounts(const std::string& path, const std::string& type) {
  int removed = 0;
  for (auto mount = mounted_on(path); mount && is_dead(path); mount = mounted_on(path)) {
    if (mount->type != type)
      throw MountError(path + ": a mount of type " + mount->type +
                       " whose program is gone is in the way; to unmount it: umount -l");
    unmount_lazily(path);
    ++removed;
  }
  return removed;
}

unsigned long mount_flags(const std::vector<std::string>& options) {
  unsigned long flags = MS_NOSUID | MS_NODEV;
  for (const std::string& option : options) {
    for (const Flag& flag : kFlags) {
      if (option == flag.set)
        flags |= flag.bit;
      else if (option == flag.clear)
        flags &= ~flag.bit;
    }
  }
  return flags;
}

void remount(const std::string& path, unsigned long flags) {
  const auto mount = mounted_on(path);
  if (!mount || !mount->type.starts_with("fuse."))
    throw MountError(path + ": can't be remounted: it is no mount of fuse9p");
  change_flags(path, MS_REMOUNT | flags);
}

void remount_only_here(const std::string& path, unsigned long flags) {
  change_flags(path, MS_REMOUNT | MS_BIND | flags);
}

std::optional<int> passed_descriptor(const std::string& mountpoint) {
  constexpr std::string_view directory = "/dev/fd/";
  int descriptor = -1;
  const char* end = mountpoint.data() + mountpoint.size();
  if (!mountpoint.starts_with(directory))
    return std::nullopt;
  const auto parsed = std::from_chars(mountpoint.data() + directory.size(), end, descriptor);
  if (parsed.ec != std::errc{} || parsed.ptr != end || descriptor < 0)
    return std::nullopt;
  return descriptor;
}

}  // namespace fuse9p::fs
