// SPDX-License-Identifier: MIT
// Who acts in a parity script. The server must know them, too: see user_database().
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace fuse9p::test::parity {

struct User {
  const char* name;
  uid_t uid;
  gid_t gid;                  ///< also the only member's
  std::vector<gid_t> others;  ///< supplementary groups
};
/// root; alice and bob, who are in the group "team"; carol, who is not.
const std::vector<User>& users();

/// "alice" or a number; "-" is -1, nobody. Throws std::runtime_error.
uid_t uid_of(const std::string& word);
/// "alice" (her own group), "team", "club" (nobody's) or a number; "-" is -1.
gid_t gid_of(const std::string& word);

/// Makes this process that user: real and effective ids and groups. Root can be had again, by way
/// of the saved id. Throws std::system_error.
void become(const std::string& user);

/// Writes passwd and group files with these users into the directory, and returns the environment
/// that makes a program believe them, by libnss_wrapper: NAME=VALUE each.
std::vector<std::string> user_database(const std::filesystem::path& directory);

}  // namespace fuse9p::test::parity
