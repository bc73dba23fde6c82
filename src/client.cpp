// SPDX-License-Identifier: MIT
#include "src/client.hpp"

#include "src/bulk.hpp"
#include "src/client_call.hpp"
#include "src/log.hpp"
#include "src/verbs.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cerrno>

namespace fuse9p {

namespace asio = boost::asio;
using proto::Fid;

namespace {

constexpr std::uint32_t kPage = 4096;

std::unique_ptr<Verbs> make_verbs(Client& client, proto::Dialect dialect, const IdNames& names) {
  if (dialect == proto::Dialect::l)
    return make_verbs_l(client);
  return make_verbs_legacy(client, dialect, names);
}

}  // namespace

// ---- FidHandle

FidHandle& FidHandle::operator=(FidHandle&& other) noexcept {
  reset();
  client_ = std::exchange(other.client_, nullptr);
  fid_ = other.fid_;
  return *this;
}

void FidHandle::reset() {
  if (Client* client = std::exchange(client_, nullptr))
    client->retire(fid_);
}

void FidHandle::forget() {
  if (Client* client = std::exchange(client_, nullptr))
    client->release(fid_);
}

// ---- Client

Client::Client(asio::io_context& io, Established established,
               const proto::MultiplexerLimits& limits, Events events, std::unique_ptr<Clock> clock,
               IdNames names, Quirks quirks)
    : events_(std::move(events)),
      fates_(io),
      root_qid_(established.parameters.root_qid),
      aname_(established.parameters.aname),
      connection_(io, std::move(established), limits, std::move(clock)),
      root_(*this, *fids_.acquire()),
      io_(io),
      names_(std::move(names)),
      quirks_(quirks),
      verbs_(make_verbs(*this, connection_.dialect(), names_)) {
  connection_.run(
      {.lost = [this](error_code, const std::string& why) { on_lost(why); },
       .settled = [this](proto::MessageType request, const Fids& fids,
                         error_code error) { on_settled(request, fids, error); },
       .given_up = [this](proto::RequestId id) { fates_.given_up(id); },
       .known = [this](proto::RequestId id) { fates_.known(id); },
       .late = [this](proto::MessageType reply, Fid created) { on_late(reply, created); }});
}

Client::~Client() = default;

std::uint32_t Client::chunk(std::uint32_t iounit) const {
  const std::uint32_t bytes = largest_chunk(iounit);
  return bytes >= kPage ? bytes / kPage * kPage : bytes;
}

std::uint32_t Client::largest_chunk(std::uint32_t iounit) const {
  const std::uint32_t most = connection_.msize() - proto::kIoHeaderSize;
  return iounit == 0 ? most : std::min(iounit, most);
}

// ---- fids

/// Sends a request that makes a fid, `start(newfid)`: again with another number if the server has
/// no more fids, when some have been given back.
template <class Start>
auto Client::make_fid(FidHandle& made, Start start) -> decltype(start(Fid{})) {
  for (int attempt = 1;; ++attempt) {
    result<Fid> number = as_error(ENFILE);
    if (const auto free = fids_.acquire())
      number = *free;
    else
      number = co_await await_fid();
    if (!number)
      co_return number.error();
    FidHandle fid(*this, *number);
    auto reply = co_await start(fid.fid());
    if (reply) {
      made = std::move(fid);
      co_return reply;
    }
    const bool again = is_out_of_fids(reply.error()) && attempt < kFidAttempts;
    if (again) {
      learn(Quirk::few_fids);
      fids_.bar(fid.fid());
    }
    if (refused(reply.error()))
      fid.forget();
    if (!again)
      co_return reply.error();
    if (fids_short_)
      fids_short_(fids_.usable());
  }
}

/// All numbers are in use: what is kept for later is given back, and an Rclunk awaited.
awaitable<result<Fid>> Client::await_fid() {
  if (fids_short_)
    fids_short_(fids_.usable());
  asio::steady_timer patience(io_, kFidPatience);
  const auto state = co_await asio::this_coro::cancellation_state;
  for (error_code ended = asio::error::operation_aborted; ended;) {
    if (const auto fid = fids_.acquire())
      co_return *fid;
    awaiting_fids_.push_back(&patience);
    co_await patience.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    std::erase(awaiting_fids_, &patience);
    if (state.cancelled() != asio::cancellation_type::none)
      co_return error_code(proto::Error::withdrawn);
  }
  co_return as_error(ENFILE);
}

void Client::wake_one_for_fid() {
  if (awaiting_fids_.empty())
    return;
  awaiting_fids_.front()->cancel();
  awaiting_fids_.pop_front();
}

void Client::retire(Fid fid) {
  if (fids_.retire(fid))
    send_clunk(fid);
}

void Client::release(Fid fid) {
  if (fids_.release(fid))
    send_clunk(fid);
  else
    wake_one_for_fid();
}

/// The number is free when the answer is here, whatever it says.
void Client::send_clunk(Fid fid) {
  if (!connection_.is_open())
    return;
  connection_.start(proto::outgoing(proto::Tclunk{fid}, connection_.dialect()), {},
                    [this, fid](error_code, const proto::Reply&) { release(fid); });
}

/// For this connection. Said once.
void Client::learn(Quirk quirk) {
  if (quirks_.has(quirk))
    return;
  quirks_.add(quirk);
  const QuirkSpec& spec = spec_of(quirk);
  log::info("{}: quirk {}: {}; {}", connection_.name(), spec.name, spec.recognised, spec.done);
}

void Client::on_lost(const std::string& why) {
  fates_.all_known();
  events_.lost(why);
}

void Client::on_settled(proto::MessageType request, const Fids& fids, error_code error) {
  const bool gone = request == proto::MessageType::Tremove && ended_by_tremove(error);
  for (const Fid fid : fids) {
    if (!fids_.end(fid))
      continue;
    if (gone)
      release(fid);
    else
      send_clunk(fid);
  }
}

/// A server that answered after its Rflush may have done it all, behind our back.
void Client::on_late(proto::MessageType reply, Fid created) {
  if (created != proto::kNoFid && fids_.doubt(created))
    send_clunk(created);
  if (reply == proto::MessageType::Rlock && late_lock_)
    late_lock_();
}

// ---- calls

awaitable<Connection::Outcome> Client::call_raw(proto::Outgoing request, Fids fids) {
  // One interrupt ends the whole operation: what has not been sent yet is not sent any more.
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none)
    co_return Connection::Outcome{proto::Error::withdrawn, {}};
  for (const Fid fid : fids)
    fids_.begin(fid);
  co_return co_await connection_.call(std::move(request), fids);
}

// ---- verbs that all dialects share

awaitable<result<Walked>> Client::walk(Fid from, std::string_view name) {
  proto::Twalk request{.fid = from, .newfid = proto::kNoFid, .wname = {}};
  request.wname.push_back(name);
  FidHandle made;
  const auto reply = co_await make_fid(made, [&](Fid newfid) {
    request.newfid = newfid;
    return call(request);
  });
  if (!reply)
    co_return reply.error();
  // Less than asked for: the spec makes no fid then, diod does. The Tclunk does no harm.
  if (reply->qid.size() != 1)
    co_return reply->qid.empty() ? as_error(ENOENT) : as_error(EIO);
  co_return Walked{std::move(made), reply->qid.front()};
}

awaitable<result<FidHandle>> Client::clone(Fid from) {
  FidHandle made;
  const auto reply = co_await make_fid(made, [&](Fid newfid) {
    return call(proto::Twalk{.fid = from, .newfid = newfid, .wname = {}});
  });
  if (!reply)
    co_return reply.error();
  co_return std::move(made);
}

awaitable<result<Walked>> Client::attach(std::uint32_t n_uname) {
  // In .L no name: a server that prefers it to the number would take one user for another.
  std::string uname;
  if (connection_.dialect() != proto::Dialect::l)
    uname = names_.user_name(n_uname).value_or("");
  if (uname.empty() && !capabilities().numeric_users)
    co_return as_error(EACCES);
  FidHandle made;
  const auto reply = co_await make_fid(made, [&](Fid fid) {
    return call(proto::Tattach{
        .fid = fid, .afid = proto::kNoFid, .uname = uname, .aname = aname_, .n_uname = n_uname});
  });
  if (!reply)
    co_return reply.error();
  co_return Walked{std::move(made), reply->qid};
}

awaitable<Transferred> Client::read(const OpenFile& file, std::uint64_t offset,
                                    proto::Buffer destination, ReadMode mode,
                                    std::optional<std::uint64_t> known_size) {
  const bool whole = mode == ReadMode::stream;
  bulk::ReadRequest request{.fid = file.fid.fid(),
                            .offset = offset,
                            .destination = std::move(destination),
                            .chunk = whole ? largest_chunk(file.iounit) : chunk(file.iounit),
                            .mode = mode,
                            .known_size = known_size};
  co_return co_await transfer(request.destination.bytes.size(), [&](bulk::Handler handler) {
    bulk::start_read(connection_, begin_use(), std::move(request), std::move(handler));
  });
}

awaitable<Transferred> Client::write(const OpenFile& file, std::uint64_t offset,
                                     proto::ConstBuffer data, WriteMode mode) {
  const bool whole = mode != WriteMode::pieces;
  bulk::WriteRequest request{.fid = file.fid.fid(),
                             .offset = offset,
                             .data = std::move(data),
                             .chunk = whole ? largest_chunk(file.iounit) : chunk(file.iounit),
                             .mode = mode};
  co_return co_await transfer(request.data.bytes.size(), [&](bulk::Handler handler) {
    bulk::start_write(connection_, begin_use(), std::move(request), std::move(handler));
  });
}

template <class Start>
awaitable<Transferred> Client::transfer(std::size_t size, Start start) {
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none)
    co_return Transferred{proto::Error::withdrawn};
  if (size == 0)
    co_return Transferred{};
  const auto initiate = [&](auto handler) { start(bulk::Handler(std::move(handler))); };
  auto [error, bytes, reach] =
      co_await asio::async_initiate<const asio::as_tuple_t<asio::use_awaitable_t<>>&,
                                    void(error_code, std::size_t, std::size_t)>(
          initiate, asio::as_tuple(asio::use_awaitable));
  co_return Transferred{error, bytes, reach};
}

std::function<void(Fid)> Client::begin_use() {
  return [this](Fid fid) { fids_.begin(fid); };
}

// ---- extended attributes

awaitable<result<WalkedXattr>> Client::xattr_walk(Fid file, std::string_view name) {
  FidHandle made;
  const auto reply = co_await make_fid(made, [&](Fid newfid) {
    return call(proto::Txattrwalk{.fid = file, .newfid = newfid, .name = name});
  });
  if (!reply)
    co_return reply.error();
  co_return WalkedXattr{std::move(made), reply->size};
}

awaitable<error_code> Client::xattr_create(Fid fid, std::string_view name, std::uint64_t size,
                                           std::uint32_t flags) {
  co_return (co_await call(
                 proto::Txattrcreate{.fid = fid, .name = name, .attr_size = size, .flags = flags}))
      .error();
}

awaitable<error_code> Client::clunk(FidHandle fid) {
  // A clean-up: nothing cancels it.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  const auto reply = co_await call(proto::Tclunk{.fid = fid.fid()});
  fid.forget();  // it is gone, whatever the server says
  co_return reply.error();
}

// ---- verbs that each dialect says in its own way

const Capabilities& Client::capabilities() const {
  return verbs_->capabilities();
}

awaitable<result<Attributes>> Client::getattr(Fid fid) {
  const std::uint64_t asked = next_moment();
  auto attributes = co_await verbs_->getattr(fid);
  if (attributes) {
    attributes->asked = asked;
    attributes->heard = next_moment();
  }
  co_return attributes;
}

awaitable<error_code> Client::setattr(proto::Tsetattr changes) {
  return verbs_->setattr(changes);
}

awaitable<result<proto::Rstatfs>> Client::statfs(Fid fid) {
  return verbs_->statfs(fid);
}

awaitable<result<std::string>> Client::readlink(Fid fid) {
  return verbs_->readlink(fid);
}

awaitable<result<OpenFile>> Client::open(FidHandle fid, std::uint32_t flags) {
  return verbs_->open(std::move(fid), flags);
}

awaitable<result<OpenFile>> Client::create(FidHandle fid, std::string_view name,
                                           std::uint32_t flags, std::uint32_t mode,
                                           std::uint32_t gid) {
  return verbs_->create(std::move(fid), name, flags, mode, gid);
}

awaitable<error_code> Client::fsync(Fid fid, bool datasync) {
  return verbs_->fsync(fid, datasync);
}

awaitable<result<LockStatus>> Client::lock(Fid fid, LockRequest request) {
  return verbs_->lock(fid, request);
}

awaitable<result<LockRequest>> Client::getlock(Fid fid, LockRequest request) {
  return verbs_->getlock(fid, request);
}

awaitable<Transferred> Client::readdir(Fid fid, std::uint64_t offset, proto::Buffer destination) {
  return verbs_->readdir(fid, offset, std::move(destination));
}

std::unique_ptr<DirectoryReader> Client::directory_reader(const OpenFile& directory) {
  return verbs_->directory_reader(directory);
}

awaitable<result<proto::Qid>> Client::mkdir(Fid directory, std::string_view name,
                                            std::uint32_t mode, std::uint32_t gid) {
  return verbs_->mkdir(directory, name, mode, gid);
}

awaitable<result<proto::Qid>> Client::symlink(Fid directory, std::string_view name,
                                              std::string_view target, std::uint32_t gid) {
  return verbs_->symlink(directory, name, target, gid);
}

awaitable<result<proto::Qid>> Client::mknod(Fid directory, std::string_view name,
                                            std::uint32_t mode, std::uint32_t major,
                                            std::uint32_t minor, std::uint32_t gid) {
  return verbs_->mknod(directory, name, mode, major, minor, gid);
}

awaitable<error_code> Client::link(Fid directory, Fid file, std::string_view name) {
  return verbs_->link(directory, file, name);
}

awaitable<error_code> Client::unlink(Fid directory, std::string_view name, bool directory_wanted,
                                     FidHandle known) {
  return verbs_->unlink(directory, name, directory_wanted, std::move(known));
}

awaitable<error_code> Client::rename(Fid old_directory, std::string_view old_name,
                                     Fid new_directory, std::string_view new_name,
                                     FidHandle known) {
  return verbs_->rename(old_directory, old_name, new_directory, new_name, std::move(known));
}

}  // namespace fuse9p
