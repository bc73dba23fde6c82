// SPDX-License-Identifier: MIT
// Trees with everything that a copy should keep, and what two of them do not have in common: names,
// types, modes, owners, times in ns, content, holes, hard links, extended attributes.
#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace fuse9p::test {

/// What else is wanted of a tree; root alone may have devices and owners.
struct TreeExtras {
  bool devices = true;
  bool owners = true;
  bool xattrs = true;  ///< POSIX ACLs, too
};

/// Fills the empty directory: odd names, hard links across directories, files with holes, links
/// that lead nowhere, fifos, every mode bit, times before 1970 and far in the future.
void make_rich_tree(const std::filesystem::path& root, const TreeExtras& extras);

/// For each name below a directory what is to be known of it, as one line.
using Description = std::map<std::string, std::string>;
Description describe(const std::filesystem::path& root);

/// Lines of those that differ, each with what the one and what the other says; empty if none does.
std::string differences(const Description& one, const Description& other);

}  // namespace fuse9p::test
