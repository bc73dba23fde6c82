// SPDX-License-Identifier: MIT
#include "src/bulk.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>

#include <algorithm>
#include <cerrno>

namespace fuse9p::bulk {

namespace asio = boost::asio;

namespace {

error_code io_error() {
  return {EIO, proto::server_category()};
}

/// What reading and writing share: pieces, their order, how many are out, the first failure.
class Transfer : public std::enable_shared_from_this<Transfer> {
 public:
  Transfer(Connection& connection, BeginUse begin_use, Handler handler)
      : connection_(connection), begin_use_(std::move(begin_use)), handler_(std::move(handler)) {}
  virtual ~Transfer() = default;

  void run(std::size_t size, std::uint32_t chunk, std::size_t window) {
    window_ = window;
    for (std::size_t at = 0; at < size; at += chunk)
      pieces_.push_back({.at = at, .size = std::min<std::size_t>(chunk, size - at)});
    auto slot = asio::get_associated_cancellation_slot(handler_);
    if (slot.is_connected()) {
      slot.assign([weak = weak_from_this()](asio::cancellation_type type) {
        const auto self = weak.lock();
        if (self && (type & asio::cancellation_type::total) != asio::cancellation_type::none)
          self->cancel();
      });
    }
    send_more();
  }

 protected:
  struct Piece {
    std::size_t at = 0;    ///< from the transfer's start
    std::size_t size = 0;  ///< wanted
    std::size_t done = 0;
    bool in_flight = false;
    proto::RequestId id{};
  };

  virtual void send(Piece& piece) = 0;
  /// A reply without error: takes note; true if the piece must go on.
  virtual bool replied(Piece& piece, const proto::Reply& reply) = 0;

  template <proto::Request T>
  void start(Piece& piece, const T& request, proto::ConstBuffer data, proto::Buffer destination) {
    piece.in_flight = true;
    ++in_flight_;
    begin_use_(request.fid);
    piece.id = connection_.start(
        proto::outgoing(request, connection_.dialect(), std::move(data), std::move(destination)),
        Fids(1, request.fid),
        [self = shared_from_this(), &piece](error_code error, const proto::Reply& reply) {
          self->on_reply(piece, error, reply);
        });
  }

  /// Nothing behind `at` counts any more; its error is the transfer's if it is the first.
  void stop_at(std::size_t at, error_code error) {
    if (at < end_) {
      end_ = at;
      error_ = error;
    }
  }
  Connection& connection() { return connection_; }

 private:
  void on_reply(Piece& piece, error_code error, const proto::Reply& reply) {
    piece.in_flight = false;
    --in_flight_;
    const bool more = error ? false : replied(piece, reply);
    if (error)
      stop_at(piece.at + piece.done, error);
    if (more && !cancelled_)
      send(piece);
    else if (more)
      stop_at(piece.at + piece.done, proto::Error::withdrawn);
    send_more();
    if (in_flight_ == 0)
      finish();
  }

  void send_more() {
    while (next_ < pieces_.size() && in_flight_ < window_) {
      Piece& piece = pieces_[next_++];
      if (cancelled_)
        stop_at(piece.at, proto::Error::withdrawn);
      else if (piece.at < end_)
        send(piece);
    }
  }

  void cancel() {
    cancelled_ = true;
    for (const Piece& piece : pieces_) {
      if (piece.in_flight)
        connection_.cancel(piece.id);
    }
  }

  void finish() {
    const Piece& last = pieces_.back();
    const std::size_t bytes = std::min(end_, last.at + last.size);
    std::size_t reach = bytes;
    for (const Piece& piece : pieces_) {
      if (piece.done > 0)
        reach = std::max(reach, piece.at + piece.done);
    }
    std::move(handler_)(error_, bytes, reach);
  }

  Connection& connection_;
  BeginUse begin_use_;
  Handler handler_;
  std::vector<Piece> pieces_;  // complete before the first is sent: references stay valid
  std::size_t next_ = 0, in_flight_ = 0, window_ = 0;
  std::size_t end_ = ~std::size_t{0};  // where the transfer stops short, and why
  error_code error_;
  bool cancelled_ = false;
};

class Read final : public Transfer {
 public:
  Read(Connection& connection, BeginUse begin_use, ReadRequest request, Handler handler)
      : Transfer(connection, std::move(begin_use), std::move(handler)),
        request_(std::move(request)) {}

 private:
  void send(Piece& piece) override {
    const std::size_t left = piece.size - piece.done;
    start(piece,
          proto::Tread{.fid = request_.fid,
                       .offset = request_.offset + piece.at + piece.done,
                       .count = static_cast<std::uint32_t>(left)},
          {},
          {request_.destination.owner,
           request_.destination.bytes.subspan(piece.at + piece.done, left)});
  }

  bool replied(Piece& piece, const proto::Reply& reply) override {
    piece.done += reply.data_size;
    if (piece.done == piece.size)
      return false;
    const std::size_t here = piece.at + piece.done;
    const bool at_known_end = request_.known_size && request_.offset + here == *request_.known_size;
    const bool ended = reply.data_size == 0 || at_known_end;
    if (ended || request_.mode == ReadMode::stream) {
      stop_at(here, {});
      return false;
    }
    return true;  // short, but not the end: ask for the rest
  }

  ReadRequest request_;
};

class Write final : public Transfer {
 public:
  Write(Connection& connection, BeginUse begin_use, WriteRequest request, Handler handler)
      : Transfer(connection, std::move(begin_use), std::move(handler)),
        request_(std::move(request)) {}

 private:
  void send(Piece& piece) override {
    const auto data = request_.data.bytes.subspan(piece.at + piece.done, piece.size - piece.done);
    start(piece,
          proto::Twrite{
              .fid = request_.fid, .offset = request_.offset + piece.at + piece.done, .data = data},
          {request_.data.owner, data}, {});
  }

  bool replied(Piece& piece, const proto::Reply& reply) override {
    const auto answer = reply.as<proto::Rwrite>();
    const std::size_t left = piece.size - piece.done;
    // Nothing written and no error, or more than was sent: the server can't be believed.
    if (!answer || answer->count == 0 || answer->count > left) {
      stop_at(piece.at + piece.done, io_error());
      return false;
    }
    piece.done += answer->count;
    const bool is_short = piece.done < piece.size;
    if (is_short && request_.mode == WriteMode::stream) {
      stop_at(piece.at + piece.done, {});
      return false;
    }
    return is_short;
  }

  WriteRequest request_;
};

}  // namespace

void start_read(Connection& connection, const BeginUse& begin_use, ReadRequest request,
                Handler handler) {
  const std::size_t chunk = request.chunk;
  std::size_t size = request.destination.bytes.size();
  if (request.mode == ReadMode::stream)
    size = std::min(size, chunk);
  std::make_shared<Read>(connection, begin_use, std::move(request), std::move(handler))
      ->run(size, static_cast<std::uint32_t>(chunk), kMaxPiecesInFlight);
}

void start_write(Connection& connection, const BeginUse& begin_use, WriteRequest request,
                 Handler handler) {
  const std::size_t size = request.data.bytes.size();
  const std::uint32_t chunk = request.chunk;
  const std::size_t window = request.mode == WriteMode::pieces ? kMaxPiecesInFlight : 1;
  std::make_shared<Write>(connection, begin_use, std::move(request), std::move(handler))
      ->run(size, chunk, window);
}

}  // namespace fuse9p::bulk
