// SPDX-License-Identifier: MIT
// What Txattrwalk and Txattrcreate make a fid of: the value of an extended attribute, or the list
// of their names, to be read; or a value to be written, which the Tclunk then gives to the file.
#pragma once

#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace fuse9p::test {

using Attributes = std::map<std::string, std::string, std::less<>>;

/// Their names as listxattr(2) has them.
inline std::string list_of(const Attributes& attributes) {
  std::string list;
  for (const auto& [name, value] : attributes)
    list += name + '\0';
  return list;
}

struct Attribute {
  std::string name{};
  std::string value{};
  bool writing = false;
  std::uint32_t flags = 0;
  std::vector<bool> written{};  ///< which bytes of `value` have come
  bool excused = false;         ///< if bytes are missing, then not by the client's fault

  static Attribute to_write(std::string_view name, std::size_t size, std::uint32_t flags) {
    return {.name = std::string(name),
            .value = std::string(size, '\0'),
            .writing = true,
            .flags = flags,
            .written = std::vector<bool>(size)};
  }

  void write(std::size_t offset, std::string_view bytes) {
    value.replace(offset, bytes.size(), bytes);
    std::fill_n(written.begin() + static_cast<std::ptrdiff_t>(offset), bytes.size(), true);
  }
  bool is_whole() const { return std::ranges::find(written, false) == written.end(); }

  /// 0 or an errno. A size of 0 with XATTR_REPLACE takes the attribute away.
  int give_to(Attributes& attributes) const {
    const auto old = attributes.find(name);
    if (!is_whole())
      return EINVAL;
    if (old != attributes.end() && (flags & XATTR_CREATE) != 0)
      return EEXIST;
    if (old == attributes.end() && (flags & XATTR_REPLACE) != 0)
      return ENODATA;
    if (value.empty() && flags == XATTR_REPLACE)
      attributes.erase(old);
    else
      attributes.insert_or_assign(name, value);
    return 0;
  }
};

}  // namespace fuse9p::test
