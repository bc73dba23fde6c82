// SPDX-License-Identifier: MIT
#include "src/xattr.hpp"

#include "proto/text.hpp"
#include "src/log.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <cerrno>

namespace fuse9p::xattr {
namespace {

namespace asio = boost::asio;

error_code as_error(int number) {
  return {number, proto::server_category()};
}

/// The value behind a fid of xattr_walk(), to the last byte.
awaitable<result<proto::ConstBuffer>> read_all(Client& client, FidHandle fid, std::size_t size) {
  auto memory = std::make_shared_for_overwrite<std::byte[]>(size);
  const std::span<std::byte> bytes(memory.get(), size);
  const proto::Buffer destination{memory, bytes};
  const OpenFile file{.fid = std::move(fid), .qid = {}, .iounit = 0};
  const auto done = co_await client.read(file, 0, destination, ReadMode::exact, size);
  if (done.error)
    co_return done.error;
  if (done.bytes != size)
    co_return as_error(EIO);
  co_return proto::ConstBuffer{std::move(memory), bytes};
}

/// Has the cancellation come already? From here on it has no effect.
awaitable<bool> begin_to_the_end() {
  const auto state = co_await asio::this_coro::cancellation_state;
  const bool cancelled = state.cancelled() != asio::cancellation_type::none;
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_return !cancelled;
}

}  // namespace

awaitable<result<Value>> get(Client& client, proto::Fid file, std::string_view name,
                             std::size_t room) {
  auto walked = co_await client.xattr_walk(file, name);
  if (!walked)
    co_return walked.error();
  if (walked->size > kMaxBytes)
    co_return as_error(E2BIG);
  Value value{.size = static_cast<std::size_t>(walked->size)};
  if (room == 0)
    co_return value;
  if (value.size > room)
    co_return as_error(ERANGE);
  auto data = co_await read_all(client, std::move(walked->fid), value.size);
  if (!data)
    co_return data.error();
  value.data = std::move(*data);
  co_return value;
}

awaitable<error_code> set(Client& client, FidHandle fid, std::string_view name,
                          proto::ConstBuffer value, std::uint32_t flags) {
  const std::size_t size = value.bytes.size();
  if (const bool wanted = co_await begin_to_the_end(); !wanted)
    co_return proto::Error::withdrawn;
  if (const auto error = co_await client.xattr_create(fid.fid(), name, size, flags))
    co_return error;
  OpenFile file{.fid = std::move(fid), .qid = {}, .iounit = 0};
  // One at a time: some servers only let a value grow at its end.
  const auto done = co_await client.write(file, 0, std::move(value), WriteMode::in_order);
  if (done.error || done.bytes != size) {
    log::warn(
        "the server did not take the value of {}: a fid is left behind, for its Tclunk would "
        "set what it has of it",
        proto::quoted(name));
    file.fid.leave();
    co_return done.error ? done.error : as_error(EIO);
  }
  co_return co_await client.clunk(std::move(file.fid));
}

awaitable<error_code> remove(Client& client, FidHandle fid, std::string_view name) {
  if (const bool wanted = co_await begin_to_the_end(); !wanted)
    co_return proto::Error::withdrawn;
  if (const auto error = co_await client.xattr_create(fid.fid(), name, 0, kReplace))
    co_return error;
  co_return co_await client.clunk(std::move(fid));
}

}  // namespace fuse9p::xattr
