// SPDX-License-Identifier: MIT
// The place that is mounted on, as the kernel's mount table has it: what is there already, what a
// program that died has left there, and the flags of what is mounted. All of it is for the time
// before a mount is up; paths are absolute and free of links.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace fuse9p::fs {

/// what() is one line for a person.
struct MountError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A line of /proc/self/mountinfo: mountinfo(5).
struct MountTableEntry {
  std::string device;  ///< "0:57", which is also the name of its backing device information
  std::string type;    ///< "fuse.fuse9p"
  std::string source;
};

/// What is mounted on this very path: the mount on top if there are several. Asks no file system.
std::optional<MountTableEntry> mounted_on(const std::string& path);

/// Takes away what programs have left that ended without an unmount: mounts of this type that
/// answer ENOTCONN. Returns their number. Throws MountError if one can't be unmounted, or is of
/// another type: that one is not ours to remove.
int remove_dead_mounts(const std::string& path, const std::string& type);

/// What mount(8) calls flags, as mount(2) takes them: MS_RDONLY for "ro". The last one counts; what
/// is no flag is skipped. FUSE's own default is nosuid,nodev.
unsigned long mount_flags(const std::vector<std::string>& options);

/// Gives the mount on `path` these flags. Throws MountError.
void remount(const std::string& path, unsigned long flags);
/// The same for flags that belong to the mount alone and not to its file system, as MS_NOSYMFOLLOW.
void remount_only_here(const std::string& path, unsigned long flags);

/// "/dev/fd/N": somebody with privileges has mounted already and passes the descriptor on, as
/// mount.fuse3(8) does with drop_privileges.
std::optional<int> passed_descriptor(const std::string& mountpoint);

}  // namespace fuse9p::fs
