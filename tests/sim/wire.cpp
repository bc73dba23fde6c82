// SPDX-License-Identifier: MIT
#include "tests/sim/wire.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <cstring>

namespace fuse9p::sim {

namespace asio = boost::asio;
using namespace proto;

namespace {

/// size[4] Twrite tag[2] fid[4] offset[8] count[4]
constexpr std::size_t kTwriteHeaderSize = kHeaderSize + 4 + 8 + 4;

}  // namespace

class Wire::End final : public Stream {
 public:
  explicit End(Wire& wire) : wire_(wire) {}
  ~End() override { wire_.close(); }

  void async_read_some(const ReadBuffers& buffers, ReadHandler handler) override {
    wire_.start_read(buffers, std::move(handler));
  }
  std::size_t write_some(const std::vector<std::span<const std::byte>>& buffers,
                         error_code& error) override {
    return wire_.write(buffers, error);
  }
  void async_wait_writable(WaitHandler handler) override { wire_.start_wait(std::move(handler)); }
  void close() override { wire_.close(); }

 private:
  Wire& wire_;
};

std::unique_ptr<Stream> Wire::stream() {
  return std::make_unique<End>(*this);
}

// ---- towards the client

void Wire::start_read(const Stream::ReadBuffers& buffers, Stream::ReadHandler handler) {
  if (read_)
    record_.complain("two reads at once");
  if (buffers[0].size() + buffers[1].size() == 0)
    record_.complain("a read of nothing");
  // A read under way may still end there, but no new one may begin.
  for (const asio::mutable_buffer& buffer : buffers) {
    if (memory_.is_answered({static_cast<const std::byte*>(buffer.data()), buffer.size()}))
      record_.complain("a read into memory whose caller has its answer");
  }
  read_.emplace(Read{buffers, std::move(handler)});
  end_read_if_over();
}

void Wire::end_read_if_over() {
  if (closed_)
    finish_read({}, asio::error::operation_aborted);
  else if (read_error_ && to_client_.empty())
    finish_read({}, read_error_);
}

void Wire::deliver(std::size_t bytes) {
  if (!read_)
    return;
  std::string delivered;
  for (const asio::mutable_buffer& buffer : read_->buffers) {
    const std::size_t part = std::min({bytes - delivered.size(), buffer.size(), to_client_.size()});
    if (part == 0)
      continue;
    auto* const place = static_cast<std::byte*>(buffer.data());
    if (memory_.is_dead({place, part}))
      return record_.complain("bytes arrive in memory that was given back");
    std::memcpy(place, to_client_.data(), part);
    delivered += to_client_.substr(0, part);
    to_client_.erase(0, part);
  }
  if (delivered.size() == 1)
    record_.count(Occurrence::one_byte_delivered);
  if (!delivered.empty())
    finish_read(std::move(delivered), {});
}

/// As in Asio, the bytes are in their place before the handler has its turn.
void Wire::finish_read(std::string bytes, error_code error) {
  if (!read_)
    return;
  asio::post(
      io_, [this, handler = std::move(read_->handler), bytes = std::move(bytes), error]() mutable {
        const auto frames = received_.push(bytes);
        if (!received_.begun().empty() && !bytes.empty())
          record_.count(Occurrence::frame_split_on_arrival);
        for (const std::string& frame : frames)
          observer_.received(view(frame));
        std::move(handler)(error, bytes.size());
      });
  read_.reset();
}

std::optional<Header> Wire::inside_rread() const {
  const ByteView begun = view(received_.begun());
  if (begun.size() <= kDataReplyHeaderSize || header_of(begun).type != MessageType::Rread)
    return std::nullopt;
  return header_of(begun);
}

// ---- from the client

std::size_t Wire::write(const std::vector<std::span<const std::byte>>& buffers, error_code& error) {
  error = write_error_;
  if (closed_)
    record_.complain("a write after the close");
  if (!error && room_ == 0) {
    record_.count(Occurrence::write_would_block);
    error = asio::error::would_block;
  }
  constexpr std::uint32_t kInterrupted = 20;
  if (!error && dice_.chance(kInterrupted)) {
    record_.count(Occurrence::write_interrupted);
    error = asio::error::interrupted;
  }
  if (error)
    return 0;
  std::string offered;
  for (const auto& buffer : buffers) {
    if (memory_.is_dead(buffer))
      record_.complain("bytes leave from memory that was given back");
    else
      offered += chars(buffer);
  }
  const std::size_t taken = std::min(room_, offered.size());
  if (taken < offered.size())
    record_.count(Occurrence::write_cut_short);
  room_ -= taken;
  watch_sent(offered, taken);
  from_client_ += offered.substr(0, taken);
  return taken;
}

void Wire::watch_sent(std::string_view offered, std::size_t taken) {
  while (taken > 0) {
    if (left_ == 0) {
      const Header header = header_of(view(offered));
      observer_.sent(view(offered.substr(0, std::min<std::size_t>(header.size, offered.size()))));
      half_.clear();
      left_ = header.size;
    }
    const std::size_t part = std::min(left_, taken);
    half_ += offered.substr(0, part);
    left_ -= part;
    taken -= part;
    offered.remove_prefix(part);
  }
}

void Wire::make_room(std::size_t bytes) {
  room_ += bytes;
  finish_wait({});
}

std::string Wire::take_sent(std::size_t bytes) {
  std::string taken = from_client_.substr(0, bytes);
  from_client_.erase(0, bytes);
  return taken;
}

std::optional<Header> Wire::inside_twrite() const {
  if (left_ == 0 || half_.size() <= kTwriteHeaderSize ||
      header_of(view(half_)).type != MessageType::Twrite)
    return std::nullopt;
  return header_of(view(half_));
}

void Wire::start_wait(Stream::WaitHandler handler) {
  if (wait_)
    record_.complain("two waits for room at once");
  wait_.emplace(std::move(handler));
  if (closed_)
    finish_wait(asio::error::operation_aborted);
  else if (room_ > 0 || write_error_)
    finish_wait({});
}

void Wire::finish_wait(error_code error) {
  if (!wait_)
    return;
  asio::post(io_, [handler = std::move(*wait_), error]() mutable { std::move(handler)(error); });
  wait_.reset();
}

// ---- the end

void Wire::end(std::size_t more, error_code error) {
  to_client_.resize(std::min(more, to_client_.size()));
  read_error_ = error;
  end_read_if_over();
}

void Wire::break_writing() {
  write_error_ = asio::error::broken_pipe;
  finish_wait({});
}

void Wire::close() {
  closed_ = true;
  finish_read({}, asio::error::operation_aborted);
  finish_wait(asio::error::operation_aborted);
}

}  // namespace fuse9p::sim
