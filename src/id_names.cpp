// SPDX-License-Identifier: MIT
#include "src/id_names.hpp"

#include <grp.h>
#include <pwd.h>

#include <charconv>
#include <cstdio>
#include <memory>
#include <utility>

namespace fuse9p {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

}  // namespace

void IdNames::Table::add(std::string name, std::uint32_t number) {
  names.emplace(number, name);
  numbers.emplace(std::move(name), number);
}

std::uint32_t IdNames::Table::number_of(std::string_view name, std::uint32_t fallback) const {
  if (const auto found = numbers.find(name); found != numbers.end())
    return found->second;
  std::uint32_t number = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data(), end, number);
  return error == std::errc() && stop == end ? number : fallback;
}

std::optional<std::string> IdNames::Table::name_of(std::uint32_t number) const {
  const auto found = names.find(number);
  return found == names.end() ? std::nullopt : std::optional(found->second);
}

IdNames IdNames::local(std::uint32_t default_uid, std::uint32_t default_gid) {
  IdNames names(default_uid, default_gid);
  if (const File users{std::fopen("/etc/passwd", "re")}) {
    while (const passwd* user = ::fgetpwent(users.get()))
      names.add_user(user->pw_name, user->pw_uid);
  }
  if (const File groups{std::fopen("/etc/group", "re")}) {
    while (const group* one = ::fgetgrent(groups.get()))
      names.add_group(one->gr_name, one->gr_gid);
  }
  return names;
}

void IdNames::add_user(std::string name, std::uint32_t uid) {
  users_.add(std::move(name), uid);
}

void IdNames::add_group(std::string name, std::uint32_t gid) {
  groups_.add(std::move(name), gid);
}

std::uint32_t IdNames::uid_of(std::string_view name) const {
  return users_.number_of(name, default_uid_);
}

std::uint32_t IdNames::gid_of(std::string_view name) const {
  return groups_.number_of(name, default_gid_);
}

std::optional<std::string> IdNames::user_name(std::uint32_t uid) const {
  return users_.name_of(uid);
}

std::optional<std::string> IdNames::group_name(std::uint32_t gid) const {
  return groups_.name_of(gid);
}

}  // namespace fuse9p
