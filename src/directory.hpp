// SPDX-License-Identifier: MIT
// Reading a directory, in one form for every dialect.
#pragma once

#include "src/attributes.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fuse9p {

struct DirectoryEntry {
  std::string name;                        ///< as the server sent it: not checked
  std::uint64_t cookie = 0;                ///< continues behind this entry
  proto::Qid qid;                          ///< not to be trusted for the file's type
  std::uint8_t type = 0;                   ///< DT_* of Linux
  std::optional<Attributes> attributes{};  ///< where they come with the names
};

/// Reads one open directory, one call at a time. Made by Client::directory_reader(); the open fid
/// must outlive it.
class DirectoryReader {
 public:
  virtual ~DirectoryReader() = default;
  /// Some of the entries behind that cookie (0: from the beginning), "." and ".." among them; none
  /// at the end.
  virtual boost::asio::awaitable<proto::result<std::vector<DirectoryEntry>>> read(
      std::uint64_t cookie) = 0;
};

}  // namespace fuse9p
