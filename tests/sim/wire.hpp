// SPDX-License-Identifier: MIT
// The simulated connection: a stream for the client, and for the world the power to say how many
// bytes get through in each direction, and when it ends. Nothing moves by itself.
#pragma once

#include "src/stream.hpp"
#include "tests/sim/dice.hpp"
#include "tests/sim/frames.hpp"
#include "tests/sim/memory.hpp"
#include "tests/sim/record.hpp"

#include <boost/asio/io_context.hpp>

#include <memory>
#include <optional>
#include <string>

namespace fuse9p::sim {

/// Who wants to know what passes the client's end.
class Observer {
 public:
  virtual ~Observer() = default;
  /// The first byte of a frame has left. `frame` is all of it, or all but the payload.
  virtual void sent(proto::ByteView frame) = 0;
  /// The client is about to be told of a frame's last byte.
  virtual void received(proto::ByteView frame) = 0;
};

class Wire {
 public:
  Wire(boost::asio::io_context& io, Dice& dice, Record& record, const Memory& memory,
       Observer& observer)
      : io_(io), dice_(dice), record_(record), memory_(memory), observer_(observer) {}
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  /// The client's end; it must not outlive this.
  std::unique_ptr<Stream> stream();

  // ---- towards the client
  void to_client(std::string_view bytes) {
    if (!read_error_)
      to_client_ += bytes;
  }
  std::size_t undelivered() const { return to_client_.size(); }
  bool client_reads() const { return read_.has_value(); }
  /// Up to so many bytes, if the client reads; the end of the stream behind the last one.
  void deliver(std::size_t bytes);
  /// The header of the frame that the client has got a part of, and a part of its data.
  std::optional<proto::Header> inside_rread() const;

  // ---- from the client
  /// The client may send so many bytes more.
  void make_room(std::size_t bytes);
  std::string take_sent(std::size_t bytes);
  std::size_t sent() const { return from_client_.size(); }
  /// The header of the frame that has left half, if it has begun to send its payload.
  std::optional<proto::Header> inside_twrite() const;
  bool half_sent() const { return left_ > 0; }

  // ---- the end
  /// The client gets `more` of the bytes that are under way, then the end, which `error` names.
  void end(std::size_t more, error_code error);
  /// The next write fails.
  void break_writing();
  bool closed() const { return closed_; }

 private:
  class End;
  struct Read {
    Stream::ReadBuffers buffers;
    Stream::ReadHandler handler;
  };

  void start_read(const Stream::ReadBuffers& buffers, Stream::ReadHandler handler);
  void finish_read(std::string bytes, error_code error);
  void end_read_if_over();
  std::size_t write(const std::vector<std::span<const std::byte>>& buffers, error_code& error);
  void watch_sent(std::string_view offered, std::size_t taken);
  void start_wait(Stream::WaitHandler handler);
  void finish_wait(error_code error);
  void close();

  boost::asio::io_context& io_;
  Dice& dice_;
  Record& record_;
  const Memory& memory_;
  Observer& observer_;

  std::string to_client_, from_client_;
  std::optional<Read> read_;
  std::optional<Stream::WaitHandler> wait_;
  FrameSplitter received_;
  std::size_t room_ = 0;  // bytes that the client may still send
  std::string half_;      // of the frame sent in part: what has left
  std::size_t left_ = 0;  // and how much has not
  error_code read_error_, write_error_;
  bool closed_ = false;
};

}  // namespace fuse9p::sim
