// SPDX-License-Identifier: MIT
// Stream: what a Transport reads from and writes to. The program has one kind, over descriptors;
// simulations have their own. Used by one thread, by Transport only. Handlers are called from the
// loop, never from within the call that takes them, and also after close() or the destructor, then
// with an error.
#pragma once

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/system/error_code.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace fuse9p {

using boost::system::error_code;

class Stream {
 public:
  /// Filled in this order; either may be empty, not both.
  using ReadBuffers = std::array<boost::asio::mutable_buffer, 2>;
  using ReadHandler =
      boost::asio::any_completion_handler<void(error_code error, std::size_t bytes)>;
  using WaitHandler = boost::asio::any_completion_handler<void(error_code error)>;

  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  /// Closes.
  virtual ~Stream() = default;

  /// Some bytes, at least one; error eof at the end. One at a time; the memory that `buffers` views
  /// is the stream's until the handler is called.
  virtual void async_read_some(const ReadBuffers& buffers, ReadHandler handler) = 0;
  /// Bytes written; 0 and would_block when the peer is slow.
  virtual std::size_t write_some(const std::vector<std::span<const std::byte>>& buffers,
                                 error_code& error) = 0;
  /// Until write_some() may get on, or fails. One at a time.
  virtual void async_wait_writable(WaitHandler handler) = 0;
  /// Idempotent.
  virtual void close() = 0;
};

}  // namespace fuse9p
