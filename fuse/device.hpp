// SPDX-License-Identifier: MIT
// Device: /dev/fuse on the io_context. It reads requests into pooled buffers and hands each to
// libfuse, which calls the operations. It is never left unread: interrupts and forgets come through
// it, and a request that we hold is a process that only we can free. fuse(4).
#pragma once

#include "proto/buffer.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <span>
#include <vector>

struct fuse_session;

namespace fuse9p::fs {

class Device {
 public:
  /// A request with the largest write that the kernel sends, and its header.
  static constexpr std::size_t kMaxWrite = std::size_t{1} << 20;
  static constexpr std::size_t kBufferSize = kMaxWrite + 4096;
  /// Writes up to this size are copied out: a large buffer is not pinned for little data.
  static constexpr std::size_t kCopyLimit = std::size_t{64} << 10;
  /// Write data held for requests under way. Beyond the soft bound requests are read one per tick;
  /// beyond the hard bound a write is refused with EAGAIN.
  static constexpr std::size_t kSoftBytes = std::size_t{128} << 20;
  static constexpr std::size_t kHardBytes = std::size_t{512} << 20;

  /// `session` is mounted. `ended` is called once, when the file system was unmounted or the device
  /// failed.
  Device(boost::asio::io_context& io, fuse_session* session, std::function<void()> ended);
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device();

  void start();
  void stop();

  /// Within an operation: keeps the write data that libfuse passed it beyond the call. Large data
  /// stays where it is, and the device goes on with another buffer. No owner: at the hard bound.
  proto::ConstBuffer take(const char* data, std::size_t size);
  /// Within an operation: the request that it is, as the kernel wrote it.
  std::span<const std::byte> request() const { return request_; }

 private:
  struct Buffer;
  struct Shared;  // what outlives the device: buffers that are still out
  std::shared_ptr<Buffer> make_buffer();
  void read();
  void read_again();
  void on_read(int error, std::size_t bytes);
  bool take_in(int error, std::size_t bytes);

  boost::asio::io_context& io_;
  fuse_session* session_;
  boost::asio::posix::stream_descriptor descriptor_;
  boost::asio::steady_timer tick_;
  std::function<void()> ended_;
  std::shared_ptr<Shared> shared_;
  std::shared_ptr<Buffer> current_;
  std::span<const std::byte> request_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace fuse9p::fs
