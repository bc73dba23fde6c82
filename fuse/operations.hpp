// SPDX-License-Identifier: MIT
// The operations of a mount: one coroutine per FUSE request that waits for the server, each reading
// top-down like the 9P conversation that it is. They stand in op_<family>.cpp. What is absent from
// the table is answered by libfuse with ENOSYS, from which the kernel makes what programs expect:
// EOPNOTSUPP for fallocate, ENOTTY for ioctl, its own copying.
#pragma once

#include "fuse/mount.hpp"

#include <fuse_lowlevel.h>

#include <optional>
#include <string>

namespace fuse9p::fs {

/// Userdata of the session: the Mount.
extern const fuse_lowlevel_ops kOperations;

using FileInfo = std::optional<fuse_file_info>;

// op_lookup.cpp
awaitable<void> lookup(Mount& mount, Request& request, fuse_ino_t parent, std::string name);
/// Is the fid that a lookup has made kept in the cache when others would have to go for it?
enum class KeepFid : std::uint8_t { always, if_room };
/// The file of that name as the server has it now: walk, getattr, node. Used by what makes names.
awaitable<result<NodeRef>> look_up(Mount& mount, UserId user, NodeRef parent, std::string name,
                                   KeepFid keep = KeepFid::always);
/// Answers with the entry, and takes the lookup back if the kernel did not want it.
void reply_entry(Mount& mount, Request& request, Node& node);

// op_attr.cpp
awaitable<void> getattr(Mount& mount, Request& request, fuse_ino_t ino, FileInfo file);
awaitable<void> setattr(Mount& mount, Request& request, fuse_ino_t ino, struct stat attributes,
                        int to_set, FileInfo file);
/// Fresh attributes of the node; ESTALE if the server has another file there now.
awaitable<error_code> refresh(Mount& mount, UserId user, NodeRef node);

// op_access.cpp
awaitable<void> access(Mount& mount, Request& request, fuse_ino_t ino, int mask);

// op_names.cpp
awaitable<void> readlink(Mount& mount, Request& request, fuse_ino_t ino);
awaitable<void> mknod(Mount& mount, Request& request, fuse_ino_t parent, std::string name,
                      mode_t mode, dev_t device);
awaitable<void> mkdir(Mount& mount, Request& request, fuse_ino_t parent, std::string name,
                      mode_t mode);
awaitable<void> symlink(Mount& mount, Request& request, std::string target, fuse_ino_t parent,
                        std::string name);
awaitable<void> link(Mount& mount, Request& request, fuse_ino_t ino, fuse_ino_t new_parent,
                     std::string new_name);
awaitable<void> unlink(Mount& mount, Request& request, fuse_ino_t parent, std::string name);
awaitable<void> rmdir(Mount& mount, Request& request, fuse_ino_t parent, std::string name);
awaitable<void> rename(Mount& mount, Request& request, fuse_ino_t parent, std::string name,
                       fuse_ino_t new_parent, std::string new_name, unsigned flags);
/// The permissions of a new file. The umask counts, but not beside a default ACL: with posixacl
/// that is for us to tell apart, else the kernel has applied it.
awaitable<result<mode_t>> permissions_for(Mount& mount, Request& request, NodeRef parent,
                                          mode_t mode);
/// Gives the file one more name at the server.
awaitable<error_code> link_to(Mount& mount, UserId user, NodeRef node, NodeRef directory,
                              std::string name);
/// The group of a new file: the directory's if that is setgid, else the caller's.
gid_t group_for(const Request& request, const Node& parent);

// op_file.cpp
awaitable<void> open(Mount& mount, Request& request, fuse_ino_t ino, FileInfo file);
awaitable<void> create(Mount& mount, Request& request, fuse_ino_t parent, std::string name,
                       mode_t mode, FileInfo file);
awaitable<void> read(Mount& mount, Request& request, fuse_ino_t ino, std::size_t size, off_t offset,
                     FileInfo file);
awaitable<void> write(Mount& mount, Request& request, fuse_ino_t ino, proto::ConstBuffer data,
                      off_t offset, FileInfo file);
awaitable<void> release(Mount& mount, Request& request, fuse_ino_t ino, FileInfo file);
awaitable<void> fsync(Mount& mount, Request& request, fuse_ino_t ino, int datasync, FileInfo file);

// op_lock.cpp: asked only with locks=server, but for flush. The kernel arbitrates otherwise.
awaitable<void> flush(Mount& mount, Request& request, fuse_ino_t ino, FileInfo file);
awaitable<void> getlk(Mount& mount, Request& request, fuse_ino_t ino, FileInfo file,
                      struct flock lock);
awaitable<void> setlk(Mount& mount, Request& request, fuse_ino_t ino, FileInfo file,
                      struct flock lock, int wait);
awaitable<void> flock(Mount& mount, Request& request, fuse_ino_t ino, FileInfo file, int operation);

// op_dir.cpp
awaitable<void> opendir(Mount& mount, Request& request, fuse_ino_t ino, FileInfo file);
awaitable<void> readdir(Mount& mount, Request& request, fuse_ino_t ino, std::size_t size,
                        off_t offset, FileInfo file);
awaitable<void> readdirplus(Mount& mount, Request& request, fuse_ino_t ino, std::size_t size,
                            off_t offset, FileInfo file);
awaitable<void> releasedir(Mount& mount, Request& request, fuse_ino_t ino, FileInfo file);
awaitable<void> fsyncdir(Mount& mount, Request& request, fuse_ino_t ino, int datasync,
                         FileInfo file);

// op_xattr.cpp
awaitable<void> setxattr(Mount& mount, Request& request, fuse_ino_t ino, std::string name,
                         proto::ConstBuffer value, int flags);
awaitable<void> getxattr(Mount& mount, Request& request, fuse_ino_t ino, std::string name,
                         std::size_t room);
awaitable<void> listxattr(Mount& mount, Request& request, fuse_ino_t ino, std::size_t room);
awaitable<void> removexattr(Mount& mount, Request& request, fuse_ino_t ino, std::string name);
/// Has it an attribute of that name? ENODATA or EOPNOTSUPP: no.
awaitable<error_code> find_xattr(Mount& mount, UserId user, NodeRef node, std::string name);

// op_statfs.cpp
awaitable<void> statfs(Mount& mount, Request& request, fuse_ino_t ino);

}  // namespace fuse9p::fs
