// SPDX-License-Identifier: MIT
// Bulk transfers: one read or write of the caller's as many Tread or Twrite messages, in flight
// together, put together in order, cancelled together. read(5). Used by Client only.
#pragma once

#include "src/client.hpp"

namespace fuse9p::bulk {

/// Pieces of one transfer in flight; more are sent as these are answered.
inline constexpr std::size_t kMaxPiecesInFlight = 64;

/// `reach`: see Transferred.
using Handler = boost::asio::any_completion_handler<void(error_code error, std::size_t bytes,
                                                         std::size_t reach)>;

struct ReadRequest {
  proto::Fid fid{};
  std::uint64_t offset = 0;
  proto::Buffer destination{};
  std::uint32_t chunk = 0;
  ReadMode mode = ReadMode::exact;
  std::optional<std::uint64_t> known_size{};
};

struct WriteRequest {
  proto::Fid fid{};
  std::uint64_t offset = 0;
  proto::ConstBuffer data{};
  std::uint32_t chunk = 0;
  WriteMode mode = WriteMode::pieces;
};

/// How a fid's use is counted while requests name it.
using BeginUse = std::function<void(proto::Fid)>;

/// Starts the transfer; the handler is called once, with the bytes done before the first error.
/// Both keep themselves alive until then. A `total` cancellation of the handler's slot flushes all
/// pieces.
void start_read(Connection& connection, const BeginUse& begin_use, ReadRequest request,
                Handler handler);
void start_write(Connection& connection, const BeginUse& begin_use, WriteRequest request,
                 Handler handler);

}  // namespace fuse9p::bulk
