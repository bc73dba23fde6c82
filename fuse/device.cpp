// SPDX-License-Identifier: MIT
#include "fuse/device.hpp"

#include "src/log.hpp"

#include <fuse_lowlevel.h>

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

namespace fuse9p::fs {

namespace asio = boost::asio;

namespace {
constexpr std::size_t kSpareBuffers = 16;
constexpr std::chrono::milliseconds kTick{10};
/// Requests taken from the kernel before others have their turn. What they ask of the server then
/// leaves in one write.
constexpr int kReadsPerTurn = 32;
}  // namespace

struct Device::Buffer {
  std::unique_ptr<std::byte[]> bytes = std::make_unique_for_overwrite<std::byte[]>(kBufferSize);
};

struct Device::Shared {
  std::vector<std::unique_ptr<Buffer>> spare;
  std::size_t bytes_out = 0;
};

Device::Device(asio::io_context& io, fuse_session* session, std::function<void()> ended)
    : io_(io),
      session_(session),
      descriptor_(io, ::dup(fuse_session_fd(session))),
      tick_(io),
      ended_(std::move(ended)),
      shared_(std::make_shared<Shared>()),
      current_(make_buffer()) {
  descriptor_.native_non_blocking(true);
}

Device::~Device() {
  *alive_ = false;
}

std::shared_ptr<Device::Buffer> Device::make_buffer() {
  std::unique_ptr<Buffer> buffer;
  if (shared_->spare.empty()) {
    buffer = std::make_unique<Buffer>();
  } else {
    buffer = std::move(shared_->spare.back());
    shared_->spare.pop_back();
  }
  return {buffer.release(), [shared = shared_](Buffer* released) {
            std::unique_ptr<Buffer> owned(released);
            if (shared->spare.size() < kSpareBuffers)
              shared->spare.push_back(std::move(owned));
          }};
}

proto::ConstBuffer Device::take(const char* data, std::size_t size) {
  if (shared_->bytes_out + size > kHardBytes)
    return {};
  std::shared_ptr<const void> memory;
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  if (size <= kCopyLimit) {
    auto copy = std::make_shared_for_overwrite<std::byte[]>(size);
    std::memcpy(copy.get(), bytes, size);
    bytes = copy.get();
    memory = std::move(copy);
  } else {
    memory = std::exchange(current_, make_buffer());
  }
  shared_->bytes_out += size;
  // The data's own owner, so that the bytes are counted until the last piece is sent.
  std::shared_ptr<const void> counted(
      memory.get(), [memory, size, shared = shared_](const void*) { shared->bytes_out -= size; });
  return {std::move(counted), {bytes, size}};
}

void Device::start() {
  read();
}

void Device::stop() {
  boost::system::error_code ignored;
  descriptor_.close(ignored);
  tick_.cancel();
}

void Device::read() {
  descriptor_.async_read_some(
      asio::buffer(current_->bytes.get(), kBufferSize),
      [this, alive = alive_](const boost::system::error_code& error, std::size_t bytes) {
        if (*alive)
          on_read(error.value(), bytes);
      });
}

void Device::on_read(int error, std::size_t bytes) {
  // Once woken, all that is there: asking costs less than waiting again.
  for (int reads = 1; take_in(error, bytes); ++reads) {
    if (reads == kReadsPerTurn || error != 0 || shared_->bytes_out > kSoftBytes)
      return read_again();
    const ssize_t result = ::read(descriptor_.native_handle(), current_->bytes.get(), kBufferSize);
    if (result < 0 && errno == EAGAIN)
      return read();
    error = result < 0 ? errno : 0;
    bytes = result < 0 ? 0 : static_cast<std::size_t>(result);
  }
}

/// One request, or why there is none. False: nothing more is to be read.
bool Device::take_in(int error, std::size_t bytes) {
  if (!descriptor_.is_open())
    return false;  // stopped: nobody is to hear of an end that we made
  if (error == 0) {
    fuse_buf buffer{};
    // libfuse may keep nothing of it: an operation that wants the data calls take().
    const std::shared_ptr<Buffer> in_use = current_;
    buffer.mem = in_use->bytes.get();
    buffer.size = bytes;
    request_ = {in_use->bytes.get(), bytes};
    fuse_session_process_buf(session_, &buffer);
    request_ = {};
  } else if (error != ENOENT && error != EINTR && error != EAGAIN) {
    // ENOENT: the request was taken back. ENODEV: unmounted.
    if (error != ENODEV)
      log::error("/dev/fuse: {}", std::strerror(error));
    ended_();
    return false;
  }
  return descriptor_.is_open();
}

void Device::read_again() {
  if (shared_->bytes_out <= kSoftBytes)
    return read();
  tick_.expires_after(kTick);
  tick_.async_wait([this, alive = alive_](const boost::system::error_code& failed) {
    if (*alive && !failed)
      read();
  });
}

}  // namespace fuse9p::fs
