// SPDX-License-Identifier: MIT
#include "tests/parity/users.hpp"

#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <map>
#include <stdexcept>
#include <system_error>

namespace fuse9p::test::parity {
namespace {

constexpr gid_t kTeam = 4100, kClub = 4200;

const User& user(const std::string& name) {
  for (const User& known : users()) {
    if (known.name == name)
      return known;
  }
  throw std::runtime_error("no such user: " + name);
}

bool is_number(const std::string& word) {
  return !word.empty() && word.find_first_not_of("0123456789") == std::string::npos;
}

void check(int result, const std::string& what) {
  if (result != 0)
    throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

const std::vector<User>& users() {
  static const std::vector<User> all = {
      {"root", 0, 0, {}},
      {"alice", 4001, 4001, {kTeam}},
      {"bob", 4002, 4002, {kTeam}},
      {"carol", 4003, 4003, {}},
  };
  return all;
}

uid_t uid_of(const std::string& word) {
  if (word == "-")
    return static_cast<uid_t>(-1);
  return is_number(word) ? static_cast<uid_t>(std::stoul(word)) : user(word).uid;
}

gid_t gid_of(const std::string& word) {
  if (word == "-")
    return static_cast<gid_t>(-1);
  if (word == "team")
    return kTeam;
  if (word == "club")
    return kClub;
  return is_number(word) ? static_cast<gid_t>(std::stoul(word)) : user(word).gid;
}

void become(const std::string& name) {
  const User& who = user(name);
  check(::setresuid(0, 0, 0), "setresuid to root");
  check(::setgroups(who.others.size(), who.others.data()), "setgroups");
  check(::setresgid(who.gid, who.gid, 0), "setresgid");
  check(::setresuid(who.uid, who.uid, 0), "setresuid to " + name);
  // Else /proc/self were root's from now on.
  check(::prctl(PR_SET_DUMPABLE, 1), "prctl");
}

std::vector<std::string> user_database(const std::filesystem::path& directory) {
  std::ofstream passwd(directory / "passwd"), group(directory / "group");
  std::map<gid_t, std::string> members;
  for (const User& who : users()) {
    passwd << who.name << ":x:" << who.uid << ':' << who.gid << "::/:/bin/sh\n";
    group << who.name << ":x:" << who.gid << ":\n";
    for (const gid_t other : who.others)
      members[other] += (members[other].empty() ? "" : ",") + std::string(who.name);
  }
  group << "team:x:" << kTeam << ':' << members[kTeam] << "\nclub:x:" << kClub << ":\n";
  return {"LD_PRELOAD=libnss_wrapper.so", "NSS_WRAPPER_PASSWD=" + (directory / "passwd").string(),
          "NSS_WRAPPER_GROUP=" + (directory / "group").string()};
}

}  // namespace fuse9p::test::parity
