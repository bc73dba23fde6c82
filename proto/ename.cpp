// SPDX-License-Identifier: MIT
#include "proto/ename.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace fuse9p::proto {
namespace {

constexpr int kMaxErrno = 4095;

struct Words {
  std::string_view text;  // lower case
  int error;
};
using Table = std::vector<std::pair<std::string, int>>;

// What servers say beside the words of strerror(3). Sources: lib9p, u9fs, plan9port, Inferno, the
// Linux table.
constexpr Words kServersWords[] = {
    {"only owner can change group", EACCES},
    {"not owner", EACCES},
    {"authentication failed", EACCES},
    {"unknown user", EACCES},
    {"unknown group", EINVAL},
    {"wstat prohibited", EPERM},
    {"create prohibited", EPERM},
    {"remove prohibited", EPERM},
    {"not a member of proposed group", EPERM},
    {"cannot remove root", EPERM},
    {"no wstat of root", EPERM},
    {"no access to special file", EPERM},
    {"directory entry not found", ENOENT},
    {"does not exist", ENOENT},
    {"file not found", ENOENT},
    {"illegal path element", ENOENT},
    {"file already exists", EEXIST},
    {"file or directory already exists", EEXIST},
    {"walk in non-directory", ENOTDIR},
    {"walk -- non directory", ENOTDIR},
    {"directory is not empty", ENOTEMPTY},
    {"file already open for i/o", ETXTBSY},
    {"exclusive use file already open", EBUSY},
    {"file is in use", EBUSY},
    {"exclusive lock", EBUSY},
    {"read only file system", EROFS},
    {"file is read only", EROFS},
    {"file system is full", ENOSPC},
    {"file system full", ENOSPC},
    {"no space", ENOSPC},
    {"file has been removed", ESTALE},
    {"phase error", ESTALE},
    {"bad arg", EINVAL},
    {"interrupted", EINTR},
    {"not implemented", EOPNOTSUPP},
    {"i/o count too large", EIO},
    {"corrupted", EIO},
    {"protocol botch", EPROTO},
    // Our own fids gone wrong, or the server's state: a program must not take it for its
    // descriptor.
    {"fid unknown or out of range", EIO},
    {"unknown fid", EIO},
    {"bad use of fid", EIO},
    {"fid already in use", EIO},
    {"duplicate fid", EIO},
    {"bad offset in directory read", EIO},
    // Where other libcs (musl, BSD, older glibc) differ from glibc.
    {"cross-device link", EXDEV},
    {"filename too long", ENAMETOOLONG},
    {"name too long", ENAMETOOLONG},
    {"i/o error", EIO},
    {"inappropriate ioctl", ENOTTY},
    {"invalid seek", ESPIPE},
    {"no file descriptors available", EMFILE},
    {"not a tty", ENOTTY},
    {"not supported", EOPNOTSUPP},
    {"operation timed out", ETIMEDOUT},
    {"out of memory", ENOMEM},
    {"quota exceeded", EDQUOT},
    {"resource busy", EBUSY},
    {"resource deadlock would occur", EDEADLK},
    {"result not representable", ERANGE},
    {"result too large", ERANGE},
    {"stale nfs file handle", ESTALE},
    {"symbolic link loop", ELOOP},
    {"value too large for data type", EOVERFLOW},
};

/// tolower(3) asks the locale.
std::string in_lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

/// What a program sees of a server's `error`.
int passed_on(int error) {
  switch (error) {
    case EBADF:  // it would take it for its own descriptor
      return EIO;
    case ENOSYS:  // the kernel would never ask again
      return EOPNOTSUPP;
    default:
      return error;
  }
}

/// Longest text first: "no such device or address" is not "no such device".
Table make_table() {
  Table table;
  for (const auto& [text, error] : kServersWords)
    table.emplace_back(text, error);
  for (int error = 1; error <= kMaxErrno; ++error)
    if (const char* text = strerrordesc_np(error))  // as strerror(3), but in no language
      table.emplace_back(in_lower_case(text), passed_on(error));
  std::ranges::stable_sort(table, std::ranges::greater{},
                           [](const auto& entry) { return entry.first.size(); });
  return table;
}

}  // namespace

int errno_of(std::string_view ename) {
  static const Table table = make_table();
  const std::string lower = in_lower_case(ename);
  for (const auto& [text, error] : table)
    if (lower.find(text) != std::string::npos)
      return error;
  return 0;
}

}  // namespace fuse9p::proto
