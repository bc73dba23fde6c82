// SPDX-License-Identifier: MIT
// Connection: the only place where Asio and the multiplexer meet. It owns the transport, its read
// and write loops and the clock of the flush deadlines. Everything runs on the io_context's one
// thread; replies are delivered one after the other, in the order in which they arrived.
#pragma once

#include "proto/handshake.hpp"
#include "proto/multiplexer.hpp"
#include "src/clock.hpp"
#include "src/transport.hpp"

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/container/static_vector.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace fuse9p {

/// A fresh transport on which the handshake is done.
struct Established {
  Transport transport;
  proto::SessionParameters parameters;
};
/// Connects, agrees on a version, attaches; with a fresh connection for each dialect that is
/// refused. The settings' timeout bounds each connection's handshake, too. Throws ConnectError.
boost::asio::awaitable<Established> establish(Endpoint endpoint, Transport::Settings settings,
                                              proto::HandshakeConfig config);

/// The fids that a request names.
using Fids = boost::container::static_vector<proto::Fid, 3>;

class Connection {
 public:
  /// Requests whose callers have gone and whose tags have not come back: beyond this the log calls
  /// the connection sick.
  static constexpr std::size_t kSickUnresolved = 256;

  /// The outcome of a request: `error` is the server's, or proto::Error. The reply's views live
  /// until the receiver suspends or returns.
  using Handler = boost::asio::any_completion_handler<void(error_code error, proto::Reply reply)>;

  struct Observer {
    /// The connection is over, once. Everything outstanding has got its error already.
    std::function<void(error_code error, const std::string& why)> lost;
    /// The fate of a request that names these fids is known: nothing of it can happen any more.
    /// `error`: what it came to, also if its caller has gone.
    std::function<void(proto::MessageType request, const Fids& fids, error_code error)> settled;
    /// The request was abandoned: its caller has gone, and the server may still do it.
    std::function<void(proto::RequestId id)> given_up;
    /// Of one that was given up: it is settled now.
    std::function<void(proto::RequestId id)> known;
    /// A reply came after its Rflush: the server may have done it all the same, and made the fid.
    std::function<void(proto::MessageType reply, proto::Fid created)> late;
  };

  /// No clock: the machine's.
  Connection(boost::asio::io_context& io, Established established,
             const proto::MultiplexerLimits& limits, std::unique_ptr<Clock> clock = nullptr);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Starts reading. Call it once, before any request.
  void run(Observer observer);

  /// Sends a request. `handler` is called exactly once, never from within start().
  proto::RequestId start(proto::Outgoing request, const Fids& fids, Handler handler);
  /// The caller no longer wants it: Tflush as needed. The handler still gets its one call: with the
  /// reply if that came first, else proto::Error::cancelled or abandoned, within the flush timeout.
  void cancel(proto::RequestId id);

  /// One request from a coroutine. Cancellation of type total is cancel().
  struct Outcome {
    error_code error;
    proto::Reply reply;
  };
  boost::asio::awaitable<Outcome> call(proto::Outgoing request, Fids fids);

  /// Ends the connection: everything outstanding fails with `error`.
  void close(error_code error, const std::string& why);

  bool is_open() const { return !lost_; }
  /// Nothing is awaited from the server.
  bool is_idle() const { return multiplexer_.outstanding() == 0 && multiplexer_.unresolved() == 0; }
  proto::Dialect dialect() const { return multiplexer_.dialect(); }
  std::uint32_t msize() const { return multiplexer_.msize(); }
  /// The longest time that a caller has waited for an outcome, or waits now.
  proto::Duration longest_wait() const;
  const proto::Multiplexer& multiplexer() const { return multiplexer_; }
  const std::string& name() const { return transport_.name(); }
  boost::asio::io_context& io() { return io_; }

 private:
  struct Waiter {
    /// Moved by swap() only: Boost 1.81's move assignment takes its argument for a handler to wrap,
    /// without end.
    Handler handler;
    proto::MessageType request{};
    Fids fids;
    proto::TimePoint since;
  };

  void read();
  void on_read(error_code error, std::size_t bytes);
  void write();
  void schedule_write();
  void deliver();
  void handle(proto::Event& event);
  void finish(proto::Event& event, error_code error);
  void log_words(std::string_view words);
  void settle(proto::RequestId id, error_code error);
  Handler take_handler(proto::RequestId id);
  void schedule_delivery();
  void begin_turn();
  void arm_timer();
  void tick();
  void watch_health();

  boost::asio::io_context& io_;
  std::unique_ptr<Clock> clock_;
  Transport transport_;
  proto::Multiplexer multiplexer_;
  Observer observer_;
  std::deque<Waiter> waiters_;  // by slot of the request id
  std::optional<proto::TimePoint> armed_;
  error_code lost_;
  std::set<std::string, std::less<>> unknown_words_;  // of errors, that were told
  bool write_scheduled_ = false, waiting_writable_ = false, delivery_scheduled_ = false;
  bool delivering_ = false, sick_ = false;
  proto::TimePoint turn_{};  // when this turn of the loop began
  proto::Duration longest_wait_{};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for what was posted
};

}  // namespace fuse9p
