// SPDX-License-Identifier: MIT
#include "src/stat_record.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <string_view>

namespace fuse9p {
namespace {

using proto::Dialect;

constexpr std::uint32_t kPermissions = 0777;
constexpr std::uint32_t kNoNumber = 0xFFFFFFFF;

struct BitPair {
  std::uint32_t linux_bit, wire;
};
constexpr BitPair kSpecialBits[] = {
    {S_ISUID, dm::kSetUid}, {S_ISGID, dm::kSetGid}, {S_ISVTX, dm::kSticky}};
/// DMDEVICE is not here: what kind it is stands in the extension.
constexpr BitPair kTypes[] = {{S_IFDIR, dm::kDir},
                              {S_IFLNK, dm::kSymlink},
                              {S_IFIFO, dm::kNamedPipe},
                              {S_IFSOCK, dm::kSocket}};

struct Device {
  std::uint32_t type = S_IFCHR;
  std::uint64_t number = 0;
};

/// "b 8 1"; what does not read like that is a device without a number.
Device device_of(std::string_view extension) {
  Device device;
  if (extension.starts_with('b'))
    device.type = S_IFBLK;
  std::uint32_t numbers[2] = {};
  extension.remove_prefix(std::min<std::size_t>(1, extension.size()));
  for (std::uint32_t& number : numbers) {
    extension.remove_prefix(std::min(extension.find_first_not_of(' '), extension.size()));
    const auto [stop, error] =
        std::from_chars(extension.data(), extension.data() + extension.size(), number);
    if (error != std::errc())
      return device;
    extension.remove_prefix(static_cast<std::size_t>(stop - extension.data()));
  }
  const auto [major, minor] = numbers;
  device.number =
      (minor & 0xFF) | (std::uint64_t{major & 0xFFF} << 8) | (std::uint64_t{minor & 0xFFF00} << 12);
  return device;
}

std::uint32_t type_of(std::uint32_t mode, Dialect dialect) {
  if ((mode & dm::kDir) != 0)
    return S_IFDIR;
  if (dialect == Dialect::legacy)
    return S_IFREG;
  for (const auto& [type, wire] : kTypes) {
    if ((mode & wire) != 0)
      return type;
  }
  return S_IFREG;
}

}  // namespace

Attributes attributes_of(const proto::Stat& stat, Dialect dialect, const IdNames& names) {
  constexpr std::uint64_t kMaxSize = std::numeric_limits<std::int64_t>::max();
  constexpr std::uint64_t kBlock = 512;
  const bool extended = dialect == Dialect::u;
  Attributes out;
  out.qid = stat.qid;
  out.mode = (stat.mode & kPermissions) | type_of(stat.mode, dialect);
  if (extended) {
    for (const auto& [bit, wire] : kSpecialBits)
      out.mode |= (stat.mode & wire) != 0 ? bit : 0;
  }
  if (extended && (stat.mode & dm::kDevice) != 0) {
    const Device device = device_of(stat.extension);
    out.mode = (out.mode & ~static_cast<std::uint32_t>(S_IFMT)) | device.type;
    out.rdev = device.number;
  }
  out.uid = extended && stat.n_uid != kNoNumber ? stat.n_uid : names.uid_of(stat.uid);
  out.gid = extended && stat.n_gid != kNoNumber ? stat.n_gid : names.gid_of(stat.gid);
  out.size = std::min(stat.length, kMaxSize);
  out.blocks = out.size / kBlock + (out.size % kBlock != 0 ? 1 : 0);
  out.atime.tv_sec = stat.atime;
  out.mtime.tv_sec = out.ctime.tv_sec = stat.mtime;
  out.ctime_is_mtime = true;
  return out;
}

std::uint32_t permission_mask(Dialect dialect) {
  std::uint32_t mask = kPermissions;
  if (dialect == Dialect::u) {
    for (const BitPair& pair : kSpecialBits)
      mask |= pair.wire;
  }
  return mask;
}

std::uint32_t perm_of(std::uint32_t mode, Dialect dialect) {
  const std::uint32_t type = mode & S_IFMT;
  std::uint32_t perm = mode & kPermissions;
  if (type == S_IFDIR)
    perm |= dm::kDir;
  if (dialect == Dialect::legacy)
    return perm;
  for (const auto& [bit, wire] : kSpecialBits)
    perm |= (mode & bit) != 0 ? wire : 0;
  for (const auto& [bits, wire] : kTypes)
    perm |= type == bits ? wire : 0;
  if (type == S_IFCHR || type == S_IFBLK)
    perm |= dm::kDevice;
  return perm;
}

std::string device_extension(std::uint32_t mode, std::uint32_t major, std::uint32_t minor) {
  const char* const kind = (mode & S_IFMT) == S_IFBLK ? "b " : "c ";
  return kind + std::to_string(major) + ' ' + std::to_string(minor);
}

}  // namespace fuse9p
