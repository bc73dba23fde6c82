// SPDX-License-Identifier: MIT
#include "tests/parity/demands.hpp"

namespace fuse9p::test::parity {
namespace {

// Not seen, and why:
//   EIO                          needs a broken disk; tests/mount/lost_test.cpp has it
//   EINTR                        tests/mount/interrupt_test.cpp
//   ENOMEM, EMFILE, ENFILE       of the machine and the process, not of the file system
//   EOVERFLOW                    all offsets have 64 bits here
//   EMLINK                       tests/mount/posix_test.cpp: 65,000 links take their time
//   EDQUOT                       a server that runs as root is above quotas
//   EDEADLK, ENOLCK              the kernel's own
//   EXDEV of copy_file_range     Linux copies between file systems
//   E2BIG of exec                of the process
//   ETXTBSY of unlink and rename Linux permits it
constexpr Demand kDemands[] = {
    // ---- names
    {"mkdir", "EACCES EEXIST ELOOP ENAMETOOLONG ENOENT ENOSPC ENOTDIR EROFS", "EMLINK EDQUOT"},
    {"rmdir", "EACCES EBUSY EINVAL ELOOP ENAMETOOLONG ENOENT ENOTDIR ENOTEMPTY EPERM EROFS", "EIO"},
    {"unlink", "EACCES EBUSY EISDIR ELOOP ENAMETOOLONG ENOENT ENOTDIR EPERM EROFS", "ETXTBSY EIO"},
    {"rename",
     "EACCES EBUSY EINVAL EISDIR ELOOP ENAMETOOLONG ENOENT ENOTDIR ENOTEMPTY EPERM EROFS EXDEV",
     "EMLINK ENOSPC EIO ETXTBSY EDQUOT"},
    {"noreplace", "EACCES EBUSY EEXIST EINVAL ELOOP ENAMETOOLONG ENOENT ENOTDIR EPERM EROFS", ""},
    {"exchange", "EACCES EBUSY EINVAL ELOOP ENAMETOOLONG ENOENT ENOTDIR EPERM EROFS EXDEV", ""},
    {"link", "EACCES EEXIST ELOOP ENAMETOOLONG ENOENT ENOSPC ENOTDIR EPERM EROFS EXDEV",
     "EMLINK EDQUOT EIO"},
    {"symlink", "EACCES EEXIST ELOOP ENAMETOOLONG ENOENT ENOSPC ENOTDIR EROFS", "EIO EDQUOT"},
    {"readlink", "EACCES EINVAL ELOOP ENAMETOOLONG ENOENT ENOTDIR", "EIO"},
    {"mkfifo", "EACCES EEXIST ELOOP ENAMETOOLONG ENOENT ENOSPC ENOTDIR EROFS", "EDQUOT"},
    {"mknod", "EACCES EEXIST ELOOP ENAMETOOLONG ENOENT ENOSPC ENOTDIR EPERM EROFS", "EDQUOT EIO"},
    {"bind", "EACCES EADDRINUSE ELOOP ENOENT ENOTDIR EROFS", "EIO"},
    {"connect", "EACCES ECONNREFUSED ELOOP ENOENT ENOTDIR", "EIO"},
    // ---- attributes
    {"stat", "EACCES ELOOP ENAMETOOLONG ENOENT ENOTDIR", "EIO EOVERFLOW"},
    {"followed", "EACCES ELOOP ENAMETOOLONG ENOENT ENOTDIR", "EIO EOVERFLOW"},
    {"fstat", "EBADF", "EIO EOVERFLOW"},
    {"access", "EACCES ELOOP ENAMETOOLONG ENOENT ENOTDIR EROFS", "EIO"},
    {"eaccess", "EACCES ELOOP ENAMETOOLONG ENOENT ENOTDIR", "EIO"},
    {"chmod", "EACCES ELOOP ENAMETOOLONG ENOENT ENOTDIR EPERM EROFS", "EIO EINTR"},
    {"fchmod", "EBADF EPERM EROFS", "EIO EINTR"},
    {"chown", "EACCES ELOOP ENAMETOOLONG ENOENT ENOTDIR EPERM EROFS", "EIO EINTR"},
    {"lchown", "EACCES ELOOP ENAMETOOLONG ENOENT ENOTDIR EPERM EROFS", "EIO EINTR"},
    {"fchown", "EBADF EPERM EROFS", "EIO EINTR"},
    {"utimens", "EACCES EINVAL ELOOP ENAMETOOLONG ENOENT ENOTDIR EPERM EROFS", ""},
    {"utime_now", "EACCES ELOOP ENAMETOOLONG ENOENT ENOTDIR EROFS", ""},
    {"futimens", "EACCES EBADF EPERM EROFS", ""},
    {"truncate", "EACCES EFBIG EINVAL EISDIR ELOOP ENAMETOOLONG ENOENT ENOTDIR EROFS ETXTBSY",
     "EIO EINTR"},
    {"ftruncate", "EBADF EFBIG EINVAL", "EIO EINTR"},
    {"statfs", "EACCES ELOOP ENAMETOOLONG ENOENT ENOTDIR", "EIO EINTR"},
    {"fstatfs", "EBADF", "EIO EINTR"},
    // ---- opening
    {"open",
     "EACCES EEXIST EINVAL EISDIR ELOOP ENAMETOOLONG ENOENT ENOSPC ENOTDIR ENXIO EOPNOTSUPP "
     "EPERM EROFS ETXTBSY",
     "EINTR EMFILE ENFILE ENOMEM EOVERFLOW EDQUOT"},
    {"open_at", "EACCES EBADF ENOENT ENOTDIR", ""},
    {"ls", "EACCES ELOOP ENAMETOOLONG ENOENT ENOTDIR", "EMFILE ENFILE"},
    {"getdents", "EBADF ENOTDIR", "EIO"},
    {"chdir", "EACCES ELOOP ENAMETOOLONG ENOENT ENOTDIR", "EIO"},
    {"fchdir", "EACCES EBADF ENOTDIR", "EIO EINTR"},
    {"exec", "EACCES ELOOP ENAMETOOLONG ENOENT ENOEXEC ENOTDIR ETXTBSY", "E2BIG ENOMEM EIO"},
    // ---- data
    {"read", "EAGAIN EBADF EISDIR", "EINTR EIO"},
    {"pread", "EBADF EINVAL EISDIR ESPIPE", "EINTR EIO"},
    {"readv", "EAGAIN EBADF EISDIR", "EINTR EIO"},
    {"write", "EAGAIN EBADF EFBIG ENOSPC EPIPE", "EINTR EIO EDQUOT"},
    {"pwrite", "EBADF EFBIG EINVAL ENOSPC ESPIPE", "EINTR EIO EDQUOT"},
    {"writev", "EBADF ENOSPC", "EINTR EIO"},
    {"seek", "EBADF EINVAL ENXIO ESPIPE", "EOVERFLOW"},
    {"fsync", "EBADF EINVAL", "EINTR EIO"},
    {"fdatasync", "EBADF EINVAL", "EINTR EIO"},
    {"allocate", "EBADF EFBIG EINVAL ENODEV EOPNOTSUPP ESPIPE", "EINTR EIO ENOSPC"},
    {"copy_range", "EBADF EINVAL EISDIR", "EFBIG EIO ENOMEM ENOSPC EXDEV"},
    {"send_file", "EBADF EINVAL", "EIO ENOMEM"},
    {"splice", "EAGAIN EBADF EINVAL", "ENOMEM"},
    {"map", "EACCES EBADF ENODEV", "EINVAL EMFILE ENOMEM"},
    // ---- locks
    {"flock", "EAGAIN EBADF", "EINTR ENOLCK"},
    {"lock", "EAGAIN EBADF EINVAL EOVERFLOW", "EDEADLK EINTR ENOLCK"},
    {"ofd_lock", "EAGAIN EBADF", "EINTR ENOLCK"},
};

}  // namespace

std::span<const Demand> demands() {
  return kDemands;
}

}  // namespace fuse9p::test::parity
