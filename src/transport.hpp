// SPDX-License-Identifier: MIT
// Transport: a byte stream to a server, whatever carries it. How it came about (TCP, Unix socket,
// inherited, a spawned command) is over once connect() is done. Used by one thread. Closing is
// idempotent; the destructor closes, and ends a spawned command within kChildGrace per step.
#pragma once

#include "src/connect_error.hpp"
#include "src/endpoint.hpp"
#include "src/stream.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace fuse9p {

/// How long a spawned command may take to end after its input closed, after SIGTERM, and after
/// SIGKILL.
inline constexpr std::chrono::seconds kChildGrace{2};
/// A peer that acknowledges nothing for this long is dead (TCP_USER_TIMEOUT and keepalive).
inline constexpr std::chrono::seconds kDeadPeerTimeout{60};

class Transport {
 public:
  struct Settings {
    bool privileged_port = false;  ///< bind a source port below 1024
    std::chrono::milliseconds timeout{10'000};
  };

  /// Resolves names and tries every address, within the timeout. Throws ConnectError.
  static boost::asio::awaitable<Transport> connect(Endpoint endpoint, Settings settings);
  /// Takes over connected descriptors (equal for a socket): tests, and fd: sources.
  Transport(boost::asio::io_context& io, int rfd, int wfd, std::string name);
  /// Over any stream: simulations.
  Transport(std::unique_ptr<Stream> stream, std::string name);

  Transport(Transport&&) noexcept;
  Transport& operator=(Transport&&) noexcept;
  ~Transport();

  /// Completes with the bytes read; error eof at the end of the stream.
  template <class Token>
  auto async_read_some(const Stream::ReadBuffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(error_code, std::size_t)>(
        [stream = stream_.get()](auto handler, const Stream::ReadBuffers& room) {
          stream->async_read_some(room, std::move(handler));
        },
        token, buffers);
  }
  /// Bytes written; 0 and would_block when the peer is slow.
  std::size_t write_some(const std::vector<std::span<const std::byte>>& buffers,
                         error_code& error) {
    return stream_->write_some(buffers, error);
  }
  template <class Token>
  auto async_wait_writable(Token&& token) {
    return boost::asio::async_initiate<Token, void(error_code)>(
        [stream = stream_.get()](auto handler) { stream->async_wait_writable(std::move(handler)); },
        token);
  }

  void close();
  /// Behind close(): how a spawned command has failed, "the command ended with status 127"; empty
  /// if there is none, it succeeded, or it does not end. Waits for its end, as the destructor does.
  std::string failure();
  /// "192.0.2.1:564" with the address that answered, "unix:/run/9p.sock", "exec:diod ...".
  const std::string& name() const { return name_; }

 private:
  struct Child;
  Transport(std::unique_ptr<Child> child, boost::asio::io_context& io, int fd, std::string name);
  static Transport spawn(boost::asio::io_context& io, const std::string& command);

  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Child> child_;
  std::string name_;
};

}  // namespace fuse9p
