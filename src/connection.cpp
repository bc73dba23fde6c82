// SPDX-License-Identifier: MIT
#include "src/connection.hpp"

#include "proto/ename.hpp"
#include "proto/text.hpp"
#include "src/deadline.hpp"
#include "src/log.hpp"
#include "src/server_error.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace fuse9p {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;
using proto::Handshake;

namespace {

void trace_frame(bool sent, proto::ByteView frame, proto::Dialect dialect) {
  log::trace("{} {}", sent ? "->" : "<-", proto::to_text(frame, dialect));
}

Stream::ReadBuffers buffers_of(const std::array<std::span<std::byte>, 2>& room) {
  return {asio::buffer(room[0].data(), room[0].size()),
          asio::buffer(room[1].data(), room[1].size())};
}

// ---- handshake

/// False: the server has ended the connection.
awaitable<bool> send_all(Transport& transport, proto::ByteView bytes) {
  while (!bytes.empty()) {
    error_code error;
    bytes = bytes.subspan(transport.write_some({bytes}, error));
    if (error == boost::system::errc::operation_would_block)
      co_await transport.async_wait_writable(asio::redirect_error(use_awaitable, error));
    if (error)
      co_return false;
  }
  co_return true;
}

/// What else it may be, by how it begins.
std::string_view guess(std::string_view bytes) {
  struct Greeting {
    std::string_view begins, meaning;
  };
  using namespace std::string_view_literals;
  constexpr Greeting kGreetings[] = {
      {"HTTP/"sv, "that is a web server: check the port"},
      {"SSH-"sv, "that is an SSH server: check the port, or try exec:ssh HOST COMMAND"},
      {"\x15\x03"sv,
       "that is TLS, which fuse9p does not speak: check the port, or try exec:COMMAND"},
      {"220"sv, "that is a mail or FTP server: check the port"},
      {"RFB "sv, "that is a VNC server: check the port"},
  };
  for (const auto& [begins, meaning] : kGreetings) {
    if (bytes.starts_with(begins))
      return meaning;
  }
  return "is the port right?";
}

/// The first bytes of a connection, in case that they are no frame.
class Beginning {
 public:
  void add(const std::array<std::span<std::byte>, 2>& room, std::size_t size) {
    for (const auto& part : room) {
      const std::size_t here = std::min(size, part.size());
      const std::size_t wanted = std::min(here, kMost - bytes_.size());
      bytes_.append(reinterpret_cast<const char*>(part.data()), wanted);
      size -= here;
    }
  }
  [[noreturn]] void refuse(const Transport& transport, std::string_view awaited) const {
    throw ConnectError(transport.name() + ": does not speak 9P: expected " + std::string(awaited) +
                       ", got " + proto::quoted(bytes_) + "; " + std::string(guess(bytes_)));
  }

 private:
  static constexpr std::size_t kMost = 24;
  std::string bytes_;
};

/// Reads until there is a whole frame; `reader` keeps its views valid until the next call. Nothing:
/// the server has ended the connection.
awaitable<std::optional<proto::Frame>> receive_frame(Transport& transport,
                                                     proto::FrameReader& reader,
                                                     std::string_view awaited) {
  Beginning beginning;
  for (;;) {
    const auto frame = reader.next();
    if (!frame)
      beginning.refuse(transport, awaited);
    if (*frame)
      co_return *frame;
    error_code error;
    const auto room = reader.prepare();
    const std::size_t bytes = co_await transport.async_read_some(
        buffers_of(room), asio::redirect_error(use_awaitable, error));
    if (error)
      co_return std::nullopt;
    beginning.add(room, bytes);
    reader.received(bytes);
  }
}

/// What to try when the server does not let us in.
std::string_view advice_for(error_code error) {
  if (error == as_error(EPERM) || error == as_error(EACCES) || error == as_error(ENOENT))
    return "; try -o aname=EXPORT (often a path), or another -o uname=NAME; fuse9p does not "
           "authenticate (diod: -n)";
  if (error.category() == proto::server_category())
    return "; the server's log may say more";
  return {};
}

/// Sends `out`, and what the server's answer to it leads to.
awaitable<Handshake::Action> ask(Transport& transport, proto::FrameReader& reader,
                                 Handshake& handshake, proto::ByteView out) {
  const proto::Dialect dialect = handshake.parameters().dialect;
  if (log::tracing())
    trace_frame(true, out, dialect);
  std::optional<proto::Frame> frame;
  if (const bool sent = co_await send_all(transport, out); sent)
    frame = co_await receive_frame(transport, reader, handshake.awaited());
  if (!frame) {
    transport.close();
    if (const std::string failure = transport.failure(); !failure.empty())
      throw ConnectError(transport.name() + ": " + failure + " instead of answering with " +
                         std::string(handshake.awaited()) + "; try the command by itself");
    co_return handshake.closed();
  }
  const proto::ByteView whole(frame->body.data() - proto::kHeaderSize, frame->header.size);
  if (log::tracing())
    trace_frame(false, whole, dialect);
  co_return handshake.received(whole);
}

/// One connection's handshake: true when done, false when the server wants a fresh connection.
awaitable<bool> shake_hands(Transport& transport, Handshake& handshake, std::uint32_t msize) {
  // Answers are short: what begins like a longer one is no 9P.
  constexpr std::uint32_t kLongestAnswer = 8192;
  proto::FrameReader reader(std::min(msize, kLongestAnswer),
                            [](const proto::Header&) { return proto::Placement{}; });
  Handshake::Action action = handshake.start();
  while (action.kind == Handshake::Action::Kind::send) {
    const proto::Bytes out = std::move(action.frame);
    action = co_await ask(transport, reader, handshake, proto::ByteView(out.data(), out.size()));
  }
  if (action.kind == Handshake::Action::Kind::failed)
    throw ConnectError(transport.name() + ": " + action.message +
                       std::string(advice_for(action.error)));
  co_return action.kind == Handshake::Action::Kind::done;
}

/// A connection for the next attempt; if it can't be had, the reason is not all that there is to
/// tell.
awaitable<Transport> connect_again(Endpoint endpoint, Transport::Settings settings,
                                   const std::string& refusals) {
  try {
    co_return co_await Transport::connect(std::move(endpoint), settings);
  } catch (const ConnectError& error) {
    if (refusals.empty())
      throw;
    throw ConnectError(std::string(error.what()) + "; before that " + refusals);
  }
}

}  // namespace

awaitable<Established> establish(Endpoint endpoint, Transport::Settings settings,
                                 proto::HandshakeConfig config) {
  const std::uint32_t msize = config.msize;
  Handshake handshake(std::move(config));
  for (;;) {
    Transport transport = co_await connect_again(endpoint, settings, handshake.refusals());
    const bool done = co_await within(
        settings.timeout, shake_hands(transport, handshake, msize),
        [&] {
          return transport.name() + ": connected, but no " + std::string(handshake.awaited());
        },
        [&] {
          return handshake.awaited() == "Rversion" ? "is it a 9P server on that port?"
                                                   : "what does the server's log say?";
        });
    if (done)
      co_return Established{std::move(transport), handshake.parameters()};
  }
}

// ---- Connection

Connection::Connection(asio::io_context& io, Established established,
                       const proto::MultiplexerLimits& limits, std::unique_ptr<Clock> clock)
    : io_(io),
      clock_(clock ? std::move(clock) : std::make_unique<SteadyClock>(io)),
      transport_(std::move(established.transport)),
      multiplexer_(established.parameters.dialect, established.parameters.msize, limits) {
  if (log::tracing())
    multiplexer_.set_trace(
        [dialect = established.parameters.dialect](bool sent, proto::ByteView frame) {
          trace_frame(sent, frame, dialect);
        });
}

Connection::~Connection() {
  *alive_ = false;
}

void Connection::run(Observer observer) {
  observer_ = std::move(observer);
  begin_turn();
  read();
}

proto::RequestId Connection::start(proto::Outgoing request, const Fids& fids, Handler handler) {
  begin_turn();
  const proto::MessageType type = request.type;
  const proto::RequestId id = multiplexer_.submit(std::move(request));
  while (waiters_.size() <= id.slot)
    waiters_.emplace_back();
  waiters_[id.slot].handler.swap(handler);
  waiters_[id.slot].request = type;
  waiters_[id.slot].fids = fids;
  waiters_[id.slot].since = turn_;
  schedule_write();
  schedule_delivery();  // it may have failed at once
  arm_timer();          // or wait for a tag that comes free by time
  return id;
}

void Connection::cancel(proto::RequestId id) {
  begin_turn();
  multiplexer_.cancel(id);
  schedule_write();
  schedule_delivery();
  arm_timer();
}

awaitable<Connection::Outcome> Connection::call(proto::Outgoing request, Fids fids) {
  const auto initiate = [this](auto handler, proto::Outgoing message, const Fids& named) {
    auto slot = asio::get_associated_cancellation_slot(handler);
    const proto::RequestId id = start(std::move(message), named, std::move(handler));
    if (slot.is_connected()) {
      slot.assign([this, id](asio::cancellation_type type) {
        if ((type & asio::cancellation_type::total) != asio::cancellation_type::none)
          cancel(id);
      });
    }
  };
  auto [error, reply] =
      co_await asio::async_initiate<const asio::as_tuple_t<asio::use_awaitable_t<>>&,
                                    void(error_code, proto::Reply)>(
          initiate, asio::as_tuple(use_awaitable), std::move(request), fids);
  co_return Outcome{error, reply};
}

// ---- reading and delivering

void Connection::read() {
  transport_.async_read_some(buffers_of(multiplexer_.prepare()),
                             [this, alive = alive_](error_code error, std::size_t bytes) {
                               if (*alive)
                                 on_read(error, bytes);
                             });
}

void Connection::on_read(error_code error, std::size_t bytes) {
  if (lost_)
    return;
  begin_turn();
  multiplexer_.received(bytes);
  deliver();
  if (lost_)
    return;
  if (error)
    return close(proto::Error::connection_lost,
                 error == asio::error::eof ? "the server closed it" : error.message());
  schedule_write();  // a reply may have freed the tag that a request waited for
  arm_timer();
  read();
}

/// Each event in turn, inline. What is delivered may send, cancel or close.
void Connection::deliver() {
  if (std::exchange(delivering_, true))
    return;
  const auto alive = alive_;
  while (auto event = multiplexer_.next_event()) {
    handle(*event);
    if (!*alive)
      return;
  }
  delivering_ = false;
}

void Connection::handle(proto::Event& event) {
  using Kind = proto::Event::Kind;
  switch (event.kind) {
    case Kind::replied:
      return finish(event, event.reply.error);
    case Kind::cancelled:
      return finish(event, event.sent ? proto::Error::cancelled : proto::Error::withdrawn);
    case Kind::failed:
      return finish(event, event.error);
    case Kind::abandoned:
      watch_health();
      if (observer_.given_up)
        observer_.given_up(event.id);
      // Its fids stay named until Settled.
      return take_handler(event.id)(event.error, proto::Reply{});
    case Kind::settled:
      settle(event.id, event.replied ? event.reply.error : event.error);
      if (observer_.known)
        observer_.known(event.id);
      return;
    case Kind::late:
      log::debug("{}: a reply came after its Rflush and was dropped", name());
      if (observer_.late)
        observer_.late(event.reply.type, event.created);
      return;
    case Kind::broken:
      return close(event.error, event.error.message() + ": " + event.detail);
  }
}

Connection::Handler Connection::take_handler(proto::RequestId id) {
  Handler handler;
  handler.swap(waiters_[id.slot].handler);
  longest_wait_ = std::max(longest_wait_, turn_ - waiters_[id.slot].since);
  return handler;
}

void Connection::finish(proto::Event& event, error_code error) {
  if (!event.reply.ename.empty())
    log_words(event.reply.ename);
  Handler handler = take_handler(event.id);
  // First the fids, so that a handler that gives one back finds it unused.
  settle(event.id, error);
  std::move(handler)(error, event.reply);
}

/// Words that are no errno of ours are all that there is to find out what the server meant: they
/// are told, but each only once.
void Connection::log_words(std::string_view words) {
  constexpr std::size_t kMostWords = 100;
  const bool is_news = proto::errno_of(words) == 0 && unknown_words_.size() < kMostWords &&
                       unknown_words_.emplace(words).second;
  if (!is_news)
    return log::debug("{}: an error in the server's words: {}", name(), proto::quoted(words));
  log::warn("{}: an error that fuse9p does not know: {}", name(), proto::quoted(words));
}

void Connection::settle(proto::RequestId id, error_code error) {
  if (!observer_.settled)
    return;
  const Fids fids = waiters_[id.slot].fids;  // what is sent meanwhile may take the slot
  observer_.settled(waiters_[id.slot].request, fids, error);
}

void Connection::schedule_delivery() {
  if (std::exchange(delivery_scheduled_, true))
    return;
  asio::post(io_, [this, alive = alive_] {
    if (!*alive)
      return;
    delivery_scheduled_ = false;
    deliver();
  });
}

// ---- writing

/// All that is queued in one turn of the loop leaves in one writev at its end.
void Connection::schedule_write() {
  if (write_scheduled_ || waiting_writable_ || lost_)
    return;
  write_scheduled_ = true;
  asio::post(io_, [this, alive = alive_] {
    if (!*alive)
      return;
    write_scheduled_ = false;
    write();
  });
}

void Connection::write() {
  while (!lost_) {
    const auto& out = multiplexer_.outgoing();
    if (out.empty())
      return;
    error_code error;
    const std::size_t written = transport_.write_some(out, error);
    if (error == boost::system::errc::operation_would_block) {
      waiting_writable_ = true;
      return transport_.async_wait_writable([this, alive = alive_](error_code) {
        if (!*alive)
          return;
        waiting_writable_ = false;
        write();
      });
    }
    if (error == boost::system::errc::interrupted)
      continue;
    if (error)
      return close(proto::Error::connection_lost, error.message());
    multiplexer_.sent(written);
  }
}

// ---- time and end

void Connection::begin_turn() {
  turn_ = clock_->now();
  multiplexer_.tick(turn_);
}

proto::Duration Connection::longest_wait() const {
  proto::Duration longest = longest_wait_;
  for (const Waiter& waiter : waiters_) {
    if (waiter.handler)
      longest = std::max(longest, clock_->now() - waiter.since);
  }
  return longest;
}

void Connection::arm_timer() {
  const auto deadline = multiplexer_.deadline();
  if (!deadline || (armed_ && *armed_ <= *deadline))
    return;
  armed_ = deadline;
  clock_->wake_at(*deadline, [this, alive = alive_] {
    if (*alive)
      tick();
  });
}

void Connection::tick() {
  armed_.reset();
  begin_turn();
  schedule_write();
  deliver();
  arm_timer();
}

void Connection::watch_health() {
  const bool sick = multiplexer_.unresolved() > kSickUnresolved;
  if (sick && !sick_)
    log::warn("{}: {} requests were given up and are still unanswered: the server is stuck", name(),
              multiplexer_.unresolved());
  sick_ = sick;
}

void Connection::close(error_code error, const std::string& why) {
  if (lost_)
    return;
  lost_ = error;
  transport_.close();
  clock_->cancel();
  multiplexer_.connection_lost(error);
  schedule_delivery();
  if (observer_.lost)
    observer_.lost(error, why);
}

}  // namespace fuse9p
