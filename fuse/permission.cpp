// SPDX-License-Identifier: MIT
#include "fuse/permission.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace fuse9p::fs {

bool permits(const Attributes& attributes, const Caller& caller, int mask) {
  const auto wanted = static_cast<std::uint32_t>(mask);
  const std::uint32_t owner = attributes.mode >> 6, group = attributes.mode >> 3,
                      other = attributes.mode;
  const auto grants = [&](std::uint32_t bits) { return (wanted & ~(bits & 07)) == 0; };
  if (!caller.number)
    return grants(owner | group | other);
  if (*caller.number == 0) {
    const bool may_run = S_ISDIR(attributes.mode) || ((owner | group | other) & X_OK) != 0;
    return (wanted & X_OK) == 0 || may_run;
  }
  if (*caller.number == attributes.uid)
    return grants(owner);
  return grants(std::ranges::count(caller.groups, attributes.gid) > 0 ? group : other);
}

}  // namespace fuse9p::fs
