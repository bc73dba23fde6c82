// SPDX-License-Identifier: MIT
// IdNames: users and groups by name, as 9P2000 knows them, and the numbers that they have here. A
// table that is made before the mount is up; asking it never blocks.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace fuse9p {

class IdNames {
 public:
  static constexpr std::uint32_t kNobody = 65534;

  /// Knows no names. Whoever can't be found is one of these.
  explicit IdNames(std::uint32_t default_uid = kNobody, std::uint32_t default_gid = kNobody)
      : default_uid_(default_uid), default_gid_(default_gid) {}
  /// With what /etc/passwd and /etc/group have now. Other sources of names are not asked: they may
  /// need the network, or this very mount.
  static IdNames local(std::uint32_t default_uid, std::uint32_t default_gid);

  void add_user(std::string name, std::uint32_t uid);
  void add_group(std::string name, std::uint32_t gid);

  /// A name that is none here but a number is that number: some servers send it for want of a name.
  std::uint32_t uid_of(std::string_view name) const;
  std::uint32_t gid_of(std::string_view name) const;
  std::optional<std::string> user_name(std::uint32_t uid) const;
  std::optional<std::string> group_name(std::uint32_t gid) const;

 private:
  /// Of several names with one number, or numbers with one name, the first one counts.
  struct Table {
    std::map<std::string, std::uint32_t, std::less<>> numbers;
    std::map<std::uint32_t, std::string> names;

    void add(std::string name, std::uint32_t number);
    std::uint32_t number_of(std::string_view name, std::uint32_t fallback) const;
    std::optional<std::string> name_of(std::uint32_t number) const;
  };

  std::uint32_t default_uid_, default_gid_;
  Table users_, groups_;
};

}  // namespace fuse9p
