// SPDX-License-Identifier: MIT
// The verbs of 9P2000.L: nearly one message each. diod's protocol.md.
#include "proto/dirent.hpp"
#include "src/client_call.hpp"
#include "src/verbs.hpp"

#include <boost/asio/ip/host_name.hpp>

#include <algorithm>
#include <cerrno>

namespace fuse9p {
namespace {

using proto::Fid;

constexpr std::uint32_t kRemoveDirectory = 0x200;           // AT_REMOVEDIR
constexpr std::uint32_t kCreates = 0100, kWantsNew = 0200;  // O_CREAT, O_EXCL of Tlcreate
/// For servers that look a lock's client up by its name, and don't know ours.
constexpr std::string_view kAnyHost = "127.0.0.1";
/// One Treaddir asks for this much at most, however large msize is.
constexpr std::size_t kDirectoryBytes = std::size_t{256} << 10;

class VerbsL final : public Verbs {
 public:
  explicit VerbsL(Client& client)
      : Verbs(client, Capabilities{}), lock_client_(boost::asio::ip::host_name()) {}

  awaitable<result<Attributes>> getattr(Fid fid) override;
  awaitable<error_code> setattr(proto::Tsetattr changes) override;
  awaitable<result<proto::Rstatfs>> statfs(Fid fid) override;
  awaitable<result<std::string>> readlink(Fid fid) override;
  awaitable<result<OpenFile>> open(FidHandle fid, std::uint32_t flags) override;
  awaitable<result<OpenFile>> create(FidHandle fid, std::string_view name, std::uint32_t flags,
                                     std::uint32_t mode, std::uint32_t gid) override;
  awaitable<error_code> fsync(Fid fid, bool datasync) override;
  awaitable<result<LockStatus>> lock(Fid fid, LockRequest request) override;
  awaitable<result<LockRequest>> getlock(Fid fid, LockRequest request) override;
  awaitable<Transferred> readdir(Fid fid, std::uint64_t offset, proto::Buffer destination) override;
  std::unique_ptr<DirectoryReader> directory_reader(const OpenFile& directory) override;
  awaitable<result<proto::Qid>> mkdir(Fid directory, std::string_view name, std::uint32_t mode,
                                      std::uint32_t gid) override;
  awaitable<result<proto::Qid>> symlink(Fid directory, std::string_view name,
                                        std::string_view target, std::uint32_t gid) override;
  awaitable<result<proto::Qid>> mknod(Fid directory, std::string_view name, std::uint32_t mode,
                                      std::uint32_t major, std::uint32_t minor,
                                      std::uint32_t gid) override;
  awaitable<error_code> link(Fid directory, Fid file, std::string_view name) override;
  awaitable<error_code> unlink(Fid directory, std::string_view name, bool directory_wanted,
                               FidHandle known) override;
  awaitable<error_code> rename(Fid old_directory, std::string_view old_name, Fid new_directory,
                               std::string_view new_name, FidHandle known) override;

 private:
  std::string lock_client_;
};

/// The server's cookies are ours.
class ReaderL final : public DirectoryReader {
 public:
  ReaderL(Verbs& verbs, Fid fid, std::size_t room) : verbs_(verbs), fid_(fid), room_(room) {}
  awaitable<result<std::vector<DirectoryEntry>>> read(std::uint64_t cookie) override;

 private:
  Verbs& verbs_;
  Fid fid_;
  std::size_t room_;
};

awaitable<result<Attributes>> VerbsL::getattr(Fid fid) {
  const auto reply = co_await call(proto::Tgetattr{.fid = fid, .request_mask = kGetattrMask});
  if (!reply)
    co_return reply.error();
  co_return attributes_of(*reply);
}

awaitable<error_code> VerbsL::setattr(proto::Tsetattr changes) {
  co_return (co_await call(changes)).error();
}

awaitable<result<proto::Rstatfs>> VerbsL::statfs(Fid fid) {
  if (!has(Quirk::no_statfs)) {
    const auto reply = co_await call(proto::Tstatfs{.fid = fid});
    if (reply || !is_unsupported(reply.error()))
      co_return reply;
    learn(Quirk::no_statfs);
  }
  co_return proto::Rstatfs{};  // "unknown"
}

awaitable<result<std::string>> VerbsL::readlink(Fid fid) {
  const auto reply = co_await call(proto::Treadlink{.fid = fid});
  if (!reply)
    co_return reply.error();
  co_return std::string(reply->target);
}

awaitable<result<OpenFile>> VerbsL::open(FidHandle fid, std::uint32_t flags) {
  const auto reply = co_await call(proto::Tlopen{.fid = fid.fid(), .flags = flags});
  if (!reply)
    co_return reply.error();
  co_return OpenFile{std::move(fid), reply->qid, reply->iounit};
}

awaitable<result<OpenFile>> VerbsL::create(FidHandle fid, std::string_view name,
                                           std::uint32_t flags, std::uint32_t mode,
                                           std::uint32_t gid) {
  const auto reply = co_await call(
      proto::Tlcreate{.fid = fid.fid(), .name = name, .flags = flags, .mode = mode, .gid = gid});
  if (reply)
    co_return OpenFile{std::move(fid), reply->qid, reply->iounit};
  if ((flags & kWantsNew) != 0 || reply.error() != as_error(EEXIST))
    co_return reply.error();
  learn(Quirk::exclusive_create);
  co_return co_await open_existing(fid.fid(), name, flags & ~kCreates);
}

awaitable<error_code> VerbsL::fsync(Fid fid, bool datasync) {
  if (!has(Quirk::no_fsync)) {
    const auto reply = co_await call(proto::Tfsync{.fid = fid, .datasync = datasync ? 1U : 0U});
    if (reply || !is_unsupported(reply.error()))
      co_return reply.error();
    learn(Quirk::no_fsync);
  }
  co_return error_code();
}

awaitable<result<LockStatus>> VerbsL::lock(Fid fid, LockRequest request) {
  if (has(Quirk::no_locks))
    co_return as_error(EOPNOTSUPP);
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
  if (is_unsupported(reply.error()))
    learn(Quirk::no_locks);
  if (!reply)
    co_return reply.error();
  constexpr auto kLast = static_cast<std::uint8_t>(LockStatus::grace);
  co_return reply->status > kLast ? LockStatus::refused : LockStatus{reply->status};
}

awaitable<result<LockRequest>> VerbsL::getlock(Fid fid, LockRequest request) {
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

awaitable<Transferred> VerbsL::readdir(Fid fid, std::uint64_t offset, proto::Buffer destination) {
  const proto::Treaddir request{
      .fid = fid, .offset = offset, .count = directory_count(destination.bytes.size())};
  return call_for_data(proto::outgoing(request, proto::Dialect::l, {}, std::move(destination)),
                       fid);
}

std::unique_ptr<DirectoryReader> VerbsL::directory_reader(const OpenFile& directory) {
  return std::make_unique<ReaderL>(*this, directory.fid.fid(), directory_count(kDirectoryBytes));
}

awaitable<result<std::vector<DirectoryEntry>>> ReaderL::read(std::uint64_t cookie) {
  auto memory = std::make_shared_for_overwrite<std::byte[]>(room_);
  const std::span<std::byte> bytes(memory.get(), room_);
  const proto::Buffer destination{std::move(memory), bytes};
  const auto done = co_await verbs_.readdir(fid_, cookie, destination);
  if (done.error)
    co_return done.error;
  std::vector<DirectoryEntry> entries;
  const auto add = [&](const proto::Dirent& dirent) {
    entries.push_back({.name = std::string(dirent.name),
                       .cookie = dirent.offset,
                       .qid = dirent.qid,
                       .type = dirent.type});
  };
  if (proto::for_each_dirent(bytes.first(done.bytes), add))
    co_return as_error(EIO);
  co_return entries;
}

awaitable<result<proto::Qid>> VerbsL::mkdir(Fid directory, std::string_view name,
                                            std::uint32_t mode, std::uint32_t gid) {
  const auto reply =
      co_await call(proto::Tmkdir{.dfid = directory, .name = name, .mode = mode, .gid = gid});
  if (!reply)
    co_return reply.error();
  co_return reply->qid;
}

awaitable<result<proto::Qid>> VerbsL::symlink(Fid directory, std::string_view name,
                                              std::string_view target, std::uint32_t gid) {
  const auto reply =
      co_await call(proto::Tsymlink{.dfid = directory, .name = name, .target = target, .gid = gid});
  if (!reply)
    co_return reply.error();
  co_return reply->qid;
}

awaitable<result<proto::Qid>> VerbsL::mknod(Fid directory, std::string_view name,
                                            std::uint32_t mode, std::uint32_t major,
                                            std::uint32_t minor, std::uint32_t gid) {
  const auto reply = co_await call(proto::Tmknod{
      .dfid = directory, .name = name, .mode = mode, .major = major, .minor = minor, .gid = gid});
  if (!reply)
    co_return reply.error();
  co_return reply->qid;
}

awaitable<error_code> VerbsL::link(Fid directory, Fid file, std::string_view name) {
  co_return (co_await call(proto::Tlink{.dfid = directory, .fid = file, .name = name})).error();
}

awaitable<error_code> VerbsL::unlink(Fid directory, std::string_view name, bool directory_wanted,
                                     FidHandle known) {
  if (!has(Quirk::no_unlinkat)) {
    const auto reply = co_await call(proto::Tunlinkat{
        .dirfid = directory, .name = name, .flags = directory_wanted ? kRemoveDirectory : 0});
    if (reply || !is_unsupported(reply.error()))
      co_return reply.error();
    learn(Quirk::no_unlinkat);
  }
  co_return co_await remove_by_fid(directory, name, directory_wanted, std::move(known));
}

awaitable<error_code> VerbsL::rename(Fid old_directory, std::string_view old_name,
                                     Fid new_directory, std::string_view new_name,
                                     FidHandle known) {
  if (!has(Quirk::no_renameat)) {
    const auto reply = co_await call(proto::Trenameat{.olddirfid = old_directory,
                                                      .oldname = old_name,
                                                      .newdirfid = new_directory,
                                                      .newname = new_name});
    if (reply || !is_unsupported(reply.error()))
      co_return reply.error();
    learn(Quirk::no_renameat);
  }
  if (known) {
    const auto reply =
        co_await call(proto::Trename{.fid = known.fid(), .dfid = new_directory, .name = new_name});
    if (!is_stale(reply.error()))
      co_return reply.error();
  }
  const auto source = co_await client_.walk(old_directory, old_name);
  if (!source)
    co_return source.error();
  co_return (co_await call(
                 proto::Trename{.fid = source->fid.fid(), .dfid = new_directory, .name = new_name}))
      .error();
}

}  // namespace

std::unique_ptr<Verbs> make_verbs_l(Client& client) {
  return std::make_unique<VerbsL>(client);
}

}  // namespace fuse9p
