// SPDX-License-Identifier: MIT
// The entries inside an Rreaddir: qid[13] offset[8] type[1] name[s], one behind the other.
#pragma once

#include "proto/codec.hpp"

namespace fuse9p::proto {

struct Dirent {
  Qid qid;                   ///< not to be trusted for the file's type: some servers send dummies
  std::uint64_t offset = 0;  ///< opaque: give it back to read on behind this entry
  std::uint8_t type = 0;     ///< DT_* of Linux
  std::string_view name;

  static constexpr auto fields = std::tuple{
      Field{"qid", &Dirent::qid},
      Field{"offset", &Dirent::offset},
      Field{"type", &Dirent::type},
      Field{"name", &Dirent::name},
  };
};

/// The largest entry that a file system with names of 255 bytes can send.
inline constexpr std::uint32_t kMaxDirentSize = kQidSize + 8 + 1 + 2 + 255;

/// Calls `visit(dirent)` for each whole entry of `data`; an error if the bytes are not entries.
template <class Visit>
error_code for_each_dirent(Data data, Visit&& visit) {
  Reader reader(data, Dialect::l);
  while (reader.left() != 0) {
    Dirent entry;
    for_each_field<Dirent>(Dialect::l, [&](const auto& field) { reader.get(entry.*field.member); });
    if (reader.error())
      return reader.error();
    visit(entry);
  }
  return {};
}

}  // namespace fuse9p::proto
