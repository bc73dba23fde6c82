// SPDX-License-Identifier: MIT
#include "src/client.hpp"

#include "src/bulk.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/host_name.hpp>
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
constexpr std::uint32_t kRemoveDirectory = 0x200;  // AT_REMOVEDIR
/// For servers that look a lock's client up by its name, and don't know ours.
constexpr std::string_view kAnyHost = "127.0.0.1";

template <class T>
Fids fids_of(const T& request) {
  Fids fids;
  std::apply(
      [&](const auto&... field) {
        const auto add = [&](const auto& value) {
          if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, Fid>) {
            if (value != proto::kNoFid)
              fids.push_back(value);
          }
        };
        (add(request.*field.member), ...);
      },
      T::fields);
  return fids;
}

error_code as_error(int number) {
  return {number, proto::server_category()};
}

/// "I don't have this message": not to be asked again on this connection.
bool is_unsupported(const error_code& error) {
  constexpr int kKernelNotSupported = 524;  // ENOTSUPP, which leaks from some servers
  return error.category() == proto::server_category() &&
         (error.value() == EOPNOTSUPP || error.value() == ENOSYS ||
          error.value() == kKernelNotSupported);
}

/// Does a server that goes by path no longer know the file by the fid?
bool is_stale(const error_code& error) {
  return error == as_error(ENOENT) || error == as_error(ESTALE);
}

/// Is the fid gone by a Tremove with this outcome? Whatever the server says, it is, unless the
/// server never saw the request or can't do it.
bool ended_by_tremove(const error_code& error) {
  const bool answered = !error || error.category() == proto::server_category();
  return answered && !is_unsupported(error);
}

/// "No more fids", or no such large numbers.
bool is_out_of_fids(const error_code& error) {
  return error == as_error(ERANGE) || error == as_error(ENFILE) || error == as_error(EMFILE);
}

/// Did the server refuse it, so that it surely has not happened?
bool refused(const error_code& error) {
  return error.category() == proto::server_category() || error == proto::Error::withdrawn ||
         error == proto::Error::message_too_large;
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
               const proto::MultiplexerLimits& limits, Events events, std::unique_ptr<Clock> clock)
    : events_(std::move(events)),
      fates_(io),
      root_qid_(established.parameters.root_qid),
      aname_(established.parameters.aname),
      connection_(io, std::move(established), limits, std::move(clock)),
      root_(*this, *fids_.acquire()),
      io_(io),
      lock_client_(asio::ip::host_name()) {
  connection_.run(
      {.lost = [this](error_code, const std::string& why) { on_lost(why); },
       .settled = [this](proto::MessageType request, const Fids& fids,
                         error_code error) { on_settled(request, fids, error); },
       .given_up = [this](proto::RequestId id) { fates_.given_up(id); },
       .known = [this](proto::RequestId id) { fates_.known(id); },
       .late = [this](proto::MessageType reply, Fid created) { on_late(reply, created); }});
}

std::uint32_t Client::chunk(std::uint32_t iounit) const {
  const std::uint32_t most = connection_.msize() - proto::kIoHeaderSize;
  const std::uint32_t bytes = iounit == 0 ? most : std::min(iounit, most);
  return bytes >= kPage ? bytes / kPage * kPage : bytes;
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
    if (again)
      fids_.bar(fid.fid());
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

template <proto::Request T>
awaitable<result<proto::reply_of_t<T>>> Client::call(const T& request) {
  // Encoded here and now: the coroutine may start after what `request` views is gone.
  return call_encoded<proto::reply_of_t<T>>(proto::outgoing(request, connection_.dialect()),
                                            fids_of(request));
}

template <proto::Message R>
awaitable<result<R>> Client::call_encoded(proto::Outgoing request, Fids fids) {
  const Connection::Outcome outcome = co_await call_raw(std::move(request), fids);
  if (outcome.error)
    co_return outcome.error;
  co_return outcome.reply.as<R>();
}

awaitable<Connection::Outcome> Client::call_raw(proto::Outgoing request, Fids fids) {
  // One interrupt ends the whole operation: what has not been sent yet is not sent any more.
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none)
    co_return Connection::Outcome{proto::Error::withdrawn, {}};
  for (const Fid fid : fids)
    fids_.begin(fid);
  co_return co_await connection_.call(std::move(request), fids);
}

// ---- verbs

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
  FidHandle made;
  // No name: a server that prefers it to the number would take one user for another.
  const auto reply = co_await make_fid(made, [&](Fid fid) {
    return call(proto::Tattach{
        .fid = fid, .afid = proto::kNoFid, .uname = {}, .aname = aname_, .n_uname = n_uname});
  });
  if (!reply)
    co_return reply.error();
  co_return Walked{std::move(made), reply->qid};
}

awaitable<result<Attributes>> Client::getattr(Fid fid) {
  const std::uint64_t asked = ++moment_;
  const auto reply = co_await call(proto::Tgetattr{.fid = fid, .request_mask = kGetattrMask});
  if (!reply)
    co_return reply.error();
  Attributes attributes = attributes_of(*reply);
  attributes.asked = asked;
  attributes.heard = ++moment_;
  co_return attributes;
}

awaitable<error_code> Client::setattr(proto::Tsetattr changes) {
  co_return (co_await call(changes)).error();
}

awaitable<result<proto::Rstatfs>> Client::statfs(Fid fid) {
  return call(proto::Tstatfs{.fid = fid});
}

awaitable<result<std::string>> Client::readlink(Fid fid) {
  const auto reply = co_await call(proto::Treadlink{.fid = fid});
  if (!reply)
    co_return reply.error();
  co_return std::string(reply->target);
}

awaitable<result<OpenFile>> Client::open(FidHandle fid, std::uint32_t flags) {
  const auto reply = co_await call(proto::Tlopen{.fid = fid.fid(), .flags = flags});
  if (!reply)
    co_return reply.error();
  co_return OpenFile{std::move(fid), reply->qid, reply->iounit};
}

awaitable<result<OpenFile>> Client::create(FidHandle fid, std::string_view name,
                                           std::uint32_t flags, std::uint32_t mode,
                                           std::uint32_t gid) {
  const auto reply = co_await call(
      proto::Tlcreate{.fid = fid.fid(), .name = name, .flags = flags, .mode = mode, .gid = gid});
  if (!reply)
    co_return reply.error();
  co_return OpenFile{std::move(fid), reply->qid, reply->iounit};
}

awaitable<error_code> Client::fsync(Fid fid, bool datasync) {
  co_return (co_await call(proto::Tfsync{.fid = fid, .datasync = datasync ? 1U : 0U})).error();
}

awaitable<result<LockStatus>> Client::lock(Fid fid, LockRequest request) {
  proto::Tlock message{.fid = fid,
                       .type = static_cast<std::uint8_t>(request.type),
                       .start = request.start,
                       .length = request.length,
                       .proc_id = request.owner,
                       .client_id = lock_client_};
  auto reply = co_await call(message);
  if (reply.error() == as_error(EINVAL) && lock_client_ != kAnyHost) {
    lock_client_ = kAnyHost;
    message.client_id = lock_client_;
    reply = co_await call(message);
  }
  if (!reply)
    co_return reply.error();
  constexpr auto kLast = static_cast<std::uint8_t>(LockStatus::grace);
  co_return reply->status > kLast ? LockStatus::refused : LockStatus{reply->status};
}

awaitable<result<LockRequest>> Client::getlock(Fid fid, LockRequest request) {
  const auto reply = co_await call(proto::Tgetlock{.fid = fid,
                                                   .type = static_cast<std::uint8_t>(request.type),
                                                   .start = request.start,
                                                   .length = request.length,
                                                   .proc_id = request.owner,
                                                   .client_id = lock_client_});
  if (!reply)
    co_return reply.error();
  if (reply->type > static_cast<std::uint8_t>(LockRequest::Type::unlock))
    co_return as_error(EIO);
  co_return LockRequest{.type = LockRequest::Type{reply->type},
                        .start = reply->start,
                        .length = reply->length,
                        .owner = reply->proc_id};
}

awaitable<Transferred> Client::read(const OpenFile& file, std::uint64_t offset,
                                    proto::Buffer destination, ReadMode mode,
                                    std::optional<std::uint64_t> known_size) {
  bulk::ReadRequest request{.fid = file.fid.fid(),
                            .offset = offset,
                            .destination = std::move(destination),
                            .chunk = chunk(file.iounit),
                            .mode = mode,
                            .known_size = known_size};
  co_return co_await transfer(request.destination.bytes.size(), [&](bulk::Handler handler) {
    bulk::start_read(connection_, begin_use(), std::move(request), std::move(handler));
  });
}

awaitable<Transferred> Client::write(const OpenFile& file, std::uint64_t offset,
                                     proto::ConstBuffer data, bool in_order) {
  bulk::WriteRequest request{.fid = file.fid.fid(),
                             .offset = offset,
                             .data = std::move(data),
                             .chunk = chunk(file.iounit),
                             .in_order = in_order};
  co_return co_await transfer(request.data.bytes.size(), [&](bulk::Handler handler) {
    bulk::start_write(connection_, begin_use(), std::move(request), std::move(handler));
  });
}

template <class Start>
awaitable<Transferred> Client::transfer(std::size_t size, Start start) {
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none)
    co_return Transferred{proto::Error::withdrawn, 0};
  if (size == 0)
    co_return Transferred{};
  const auto initiate = [&](auto handler) { start(bulk::Handler(std::move(handler))); };
  auto [error, bytes] =
      co_await asio::async_initiate<const asio::as_tuple_t<asio::use_awaitable_t<>>&,
                                    void(error_code, std::size_t)>(
          initiate, asio::as_tuple(asio::use_awaitable));
  co_return Transferred{error, bytes};
}

std::function<void(Fid)> Client::begin_use() {
  return [this](Fid fid) { fids_.begin(fid); };
}

awaitable<Transferred> Client::readdir(Fid fid, std::uint64_t offset, proto::Buffer destination) {
  proto::Treaddir request{.fid = fid, .offset = offset, .count = 0};
  request.count = std::min(static_cast<std::uint32_t>(destination.bytes.size()),
                           connection_.msize() - proto::kIoHeaderSize);
  auto out = proto::outgoing(request, connection_.dialect(), {}, std::move(destination));
  const auto outcome = co_await call_raw(std::move(out), Fids(1, fid));
  co_return Transferred{outcome.error, outcome.reply.data_size};
}

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

awaitable<result<proto::Qid>> Client::mkdir(Fid directory, std::string_view name,
                                            std::uint32_t mode, std::uint32_t gid) {
  const auto reply =
      co_await call(proto::Tmkdir{.dfid = directory, .name = name, .mode = mode, .gid = gid});
  if (!reply)
    co_return reply.error();
  co_return reply->qid;
}

awaitable<result<proto::Qid>> Client::symlink(Fid directory, std::string_view name,
                                              std::string_view target, std::uint32_t gid) {
  const auto reply =
      co_await call(proto::Tsymlink{.dfid = directory, .name = name, .target = target, .gid = gid});
  if (!reply)
    co_return reply.error();
  co_return reply->qid;
}

awaitable<result<proto::Qid>> Client::mknod(Fid directory, std::string_view name,
                                            std::uint32_t mode, std::uint32_t major,
                                            std::uint32_t minor, std::uint32_t gid) {
  const auto reply = co_await call(proto::Tmknod{
      .dfid = directory, .name = name, .mode = mode, .major = major, .minor = minor, .gid = gid});
  if (!reply)
    co_return reply.error();
  co_return reply->qid;
}

awaitable<error_code> Client::link(Fid directory, Fid file, std::string_view name) {
  co_return (co_await call(proto::Tlink{.dfid = directory, .fid = file, .name = name})).error();
}

awaitable<error_code> Client::unlink(Fid directory, std::string_view name, bool directory_wanted,
                                     FidHandle known) {
  if (has_unlinkat_) {
    const auto reply = co_await call(proto::Tunlinkat{
        .dirfid = directory, .name = name, .flags = directory_wanted ? kRemoveDirectory : 0});
    if (reply || !is_unsupported(reply.error()))
      co_return reply.error();
    has_unlinkat_ = false;
  }
  if (known) {
    const error_code error = co_await remove(std::move(known));
    if (!is_stale(error))
      co_return error;
  }
  auto walked = co_await walk_for_removal(directory, name, directory_wanted);
  if (!walked)
    co_return walked.error();
  co_return co_await remove(std::move(*walked));
}

/// Tremove takes files and empty directories alike: the type is checked first.
awaitable<result<FidHandle>> Client::walk_for_removal(Fid directory, std::string_view name,
                                                      bool directory_wanted) {
  auto target = co_await walk(directory, name);
  if (!target)
    co_return target.error();
  const bool is_directory = (target->qid.type & proto::qid_type::kDir) != 0;
  if (is_directory != directory_wanted)
    co_return as_error(is_directory ? EISDIR : ENOTDIR);
  co_return std::move(target->fid);
}

awaitable<error_code> Client::remove(FidHandle target) {
  const auto reply = co_await call(proto::Tremove{.fid = target.fid()});
  if (ended_by_tremove(reply.error()))
    target.forget();
  co_return reply.error();
}

awaitable<error_code> Client::rename(Fid old_directory, std::string_view old_name,
                                     Fid new_directory, std::string_view new_name,
                                     FidHandle known) {
  if (has_renameat_) {
    const auto reply = co_await call(proto::Trenameat{.olddirfid = old_directory,
                                                      .oldname = old_name,
                                                      .newdirfid = new_directory,
                                                      .newname = new_name});
    if (reply || !is_unsupported(reply.error()))
      co_return reply.error();
    has_renameat_ = false;
  }
  if (known) {
    const auto reply =
        co_await call(proto::Trename{.fid = known.fid(), .dfid = new_directory, .name = new_name});
    if (!is_stale(reply.error()))
      co_return reply.error();
  }
  const auto source = co_await walk(old_directory, old_name);
  if (!source)
    co_return source.error();
  co_return (co_await call(
                 proto::Trename{.fid = source->fid.fid(), .dfid = new_directory, .name = new_name}))
      .error();
}

}  // namespace fuse9p
