// SPDX-License-Identifier: MIT
// The verbs of 9P2000 and of 9P2000.u, which adds links, special files and numbers for users.
// Manual: open(5), read(5), remove(5), stat(5), the 9P2000.u draft.
#include "proto/codec.hpp"
#include "src/client_call.hpp"
#include "src/setattr.hpp"
#include "src/stat_record.hpp"
#include "src/verbs.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <ctime>
#include <deque>
#include <limits>

namespace fuse9p {
namespace {

using proto::Dialect;
using proto::Fid;

// Topen's and Tcreate's mode byte.
constexpr std::uint8_t kRead = 0, kReadWrite = 2, kTruncate = 0x10, kAppend = 0x80;
// The flags of open(2) as 9P2000.L writes them, which is how Client is asked.
constexpr std::uint32_t kAccessMode = 03, kWantsNew = 0200, kWantsEmpty = 01000, kWantsEnd = 02000;
/// One Tread of a directory asks for this much at most, however large msize is.
constexpr std::size_t kDirectoryBytes = std::size_t{256} << 10;

Capabilities capabilities_of(Dialect dialect) {
  const bool extended = dialect == Dialect::u;
  return {.symlinks = extended,
          .hard_links = extended,
          .special_files = extended,
          .xattrs = false,
          .locks = false,
          .rename_across_directories = false,
          .append_on_server = false,
          .may_append_on_server = extended,
          .unix_permissions = false,
          .numeric_users = extended,
          .synthetic_files = true};
}

/// A time of the wire: seconds from 1970 on, of 32 bits. What is outside becomes the nearest one.
std::uint32_t seconds_of(std::uint64_t time) {
  constexpr std::int64_t kLast = std::numeric_limits<std::uint32_t>::max() - 1;  // ~0: don't touch
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(std::bit_cast<std::int64_t>(time), 0, kLast));
}

std::uint32_t now() {
  return seconds_of(static_cast<std::uint64_t>(std::time(nullptr)));
}

class VerbsLegacy final : public Verbs {
 public:
  VerbsLegacy(Client& client, Dialect dialect, const IdNames& names)
      : Verbs(client, capabilities_of(dialect)), dialect_(dialect), names_(names) {}

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

  Dialect dialect() const { return dialect_; }
  const IdNames& names() const { return names_; }
  std::uint64_t moment() { return next_moment(); }

 private:
  std::uint8_t open_mode(std::uint32_t flags) const;
  awaitable<result<proto::Qid>> make(Fid directory, std::string_view name, std::uint32_t perm,
                                     std::string_view extension);
  awaitable<error_code> fill_in_identity(proto::Tsetattr changes, proto::Stat& wanted,
                                         std::string& group);
  awaitable<error_code> rename_to(Fid file, std::string_view new_name);
  awaitable<error_code> make_way(Fid directory, Fid source, std::string_view new_name);

  Dialect dialect_;
  const IdNames& names_;
};

/// Whole records, read one behind the other: the server knows one position, the next one, and the
/// beginning. Our cookies count the entries: "." is behind 0, ".." behind 1. The kernel comes back
/// to entries that it has had just before, which are kept for it; for older ones the directory is
/// read again.
class ReaderLegacy final : public DirectoryReader {
 public:
  static constexpr std::size_t kKeptEntries = 4096;

  ReaderLegacy(VerbsLegacy& verbs, const OpenFile& directory, std::size_t room)
      : verbs_(verbs), fid_(directory.fid.fid()), qid_(directory.qid), room_(room) {}
  awaitable<result<std::vector<DirectoryEntry>>> read(std::uint64_t cookie) override;

 private:
  static constexpr std::uint64_t kDots = 2;

  std::vector<DirectoryEntry> dots(std::uint64_t cookie) const;
  void rewind();
  awaitable<error_code> read_more();
  error_code take(proto::ByteView records, std::uint64_t asked);
  DirectoryEntry entry_of(const proto::Stat& stat) const;

  VerbsLegacy& verbs_;
  Fid fid_;
  proto::Qid qid_;
  std::size_t room_;
  std::uint64_t offset_ = 0;     ///< of the next Tread
  std::uint64_t first_ = kDots;  ///< the cookie before kept_
  std::deque<DirectoryEntry> kept_;
  bool at_end_ = false;
};

// ---- attributes

awaitable<result<Attributes>> VerbsLegacy::getattr(Fid fid) {
  const auto reply = co_await call(proto::Tstat{.fid = fid});
  if (!reply)
    co_return reply.error();
  co_return attributes_of(reply->stat, dialect_, names_);
}

/// What needs to be known before it is changed: the bits of the mode word that chmod(2) must not
/// touch, and whether owner and group are the wanted ones already, for 9P2000 can't give a file to
/// somebody else. `wanted` views `group`.
awaitable<error_code> VerbsLegacy::fill_in_identity(proto::Tsetattr changes, proto::Stat& wanted,
                                                    std::string& group) {
  using namespace setattr_valid;
  const auto reply = co_await call(proto::Tstat{.fid = changes.fid});
  if (!reply)
    co_return reply.error();
  const std::uint32_t mode = reply->stat.mode;
  const Attributes now_has = attributes_of(reply->stat, dialect_, names_);
  const auto changed = [&](std::uint32_t bit, std::uint32_t has, std::uint32_t wants) {
    return (changes.valid & bit) != 0 && has != wants;
  };
  const std::uint32_t mask = permission_mask(dialect_);
  const std::uint32_t new_mode = (mode & ~mask) | (perm_of(changes.mode, dialect_) & mask);
  if (changed(kMode, mode, new_mode))
    wanted.mode = new_mode;
  if (changed(kUid, now_has.uid, changes.uid)) {
    if (dialect_ == Dialect::legacy)
      co_return as_error(EPERM);
    wanted.n_uid = changes.uid;
  }
  if (changed(kGid, now_has.gid, changes.gid)) {
    if (dialect_ == Dialect::u) {
      wanted.n_gid = changes.gid;
    } else {
      const auto name = names_.group_name(changes.gid);
      if (!name)
        co_return as_error(EPERM);
      group = *name;
      wanted.gid = group;
    }
  }
  co_return error_code();
}

awaitable<error_code> VerbsLegacy::setattr(proto::Tsetattr changes) {
  using namespace setattr_valid;
  proto::Stat wanted;
  std::string group;
  if ((changes.valid & (kMode | kUid | kGid)) != 0) {
    const error_code error = co_await fill_in_identity(changes, wanted, group);
    if (error)
      co_return error;
  }
  if ((changes.valid & kSize) != 0)
    wanted.length = changes.size;
  if ((changes.valid & kMtime) != 0)
    wanted.mtime = (changes.valid & kMtimeSet) != 0 ? seconds_of(changes.mtime_sec) : now();
  // 9P2000's can't be set: the server keeps it.
  if ((changes.valid & kAtime) != 0 && dialect_ == Dialect::u)
    wanted.atime = (changes.valid & kAtimeSet) != 0 ? seconds_of(changes.atime_sec) : now();
  constexpr std::uint32_t kUntouched = 0xFFFFFFFF;
  const bool anything = wanted.mode != kUntouched || wanted.n_uid != kUntouched ||
                        wanted.n_gid != kUntouched || wanted.mtime != kUntouched ||
                        wanted.atime != kUntouched || !wanted.gid.empty() ||
                        (changes.valid & kSize) != 0;
  if (!anything)  // it would be an fsync
    co_return error_code();
  const proto::Twstat request{.fid = changes.fid, .stat = wanted};
  co_return (co_await call(request)).error();
}

/// There is no such question: zeros, which stand for "unknown".
awaitable<result<proto::Rstatfs>> VerbsLegacy::statfs(Fid) {
  co_return proto::Rstatfs{};
}

awaitable<result<std::string>> VerbsLegacy::readlink(Fid fid) {
  if (!capabilities().symlinks)
    co_return as_error(EINVAL);
  const auto reply = co_await call(proto::Tstat{.fid = fid});
  if (!reply)
    co_return reply.error();
  if ((reply->stat.mode & dm::kSymlink) == 0)
    co_return as_error(EINVAL);
  co_return std::string(reply->stat.extension);
}

// ---- opening

std::uint8_t VerbsLegacy::open_mode(std::uint32_t flags) const {
  auto mode = static_cast<std::uint8_t>(std::min<std::uint32_t>(flags & kAccessMode, kReadWrite));
  if ((flags & kWantsEmpty) != 0)
    mode |= kTruncate;
  // Servers that don't know it disregard it; see Capabilities::may_append_on_server.
  if ((flags & kWantsEnd) != 0 && dialect_ == Dialect::u)
    mode |= kAppend;
  return mode;
}

awaitable<result<OpenFile>> VerbsLegacy::open(FidHandle fid, std::uint32_t flags) {
  const auto reply = co_await call(proto::Topen{.fid = fid.fid(), .mode = open_mode(flags)});
  if (!reply)
    co_return reply.error();
  co_return OpenFile{std::move(fid), reply->qid, reply->iounit};
}

/// Tcreate is exclusive. Whoever did not ask for that gets the file that is there; what the server
/// says when there is one is its own choice of words.
awaitable<result<OpenFile>> VerbsLegacy::create(FidHandle fid, std::string_view name,
                                                std::uint32_t flags, std::uint32_t mode,
                                                std::uint32_t) {
  constexpr int kAttempts = 3;  // somebody may make and remove the name all the time
  const proto::Tcreate request{.fid = fid.fid(),
                               .name = name,
                               .perm = perm_of((mode & ~static_cast<mode_t>(S_IFMT)), dialect_),
                               .mode = open_mode(flags & ~kWantsEmpty),
                               .extension = {}};
  for (int attempt = 1;; ++attempt) {
    const auto reply = co_await call(request);
    if (reply)
      co_return OpenFile{std::move(fid), reply->qid, reply->iounit};
    if ((flags & kWantsNew) != 0 || reply.error().category() != proto::server_category())
      co_return reply.error();
    auto opened = co_await open_existing(fid.fid(), name, flags);
    if (opened)
      co_return std::move(*opened);
    if (opened.error() != as_error(ENOENT))
      co_return opened.error();
    if (reply.error() != as_error(EEXIST) || attempt == kAttempts)
      co_return reply.error();
  }
}

/// All don't touch: "commit to stable storage", which a server may refuse as a change that it does
/// not allow. Then there is no such thing there.
awaitable<error_code> VerbsLegacy::fsync(Fid fid, bool) {
  const proto::Twstat request{.fid = fid, .stat = {}};
  const error_code error = (co_await call(request)).error();
  const bool prohibited = error == as_error(EPERM) || error == as_error(EACCES) ||
                          error == as_error(EROFS) || is_unsupported(error);
  co_return prohibited ? error_code() : error;
}

awaitable<result<LockStatus>> VerbsLegacy::lock(Fid, LockRequest) {
  co_return as_error(EOPNOTSUPP);
}

awaitable<result<LockRequest>> VerbsLegacy::getlock(Fid, LockRequest) {
  co_return as_error(EOPNOTSUPP);
}

// ---- names

/// By Tcreate, which turns the directory's fid into the new file's: so of a clone.
awaitable<result<proto::Qid>> VerbsLegacy::make(Fid directory, std::string_view name,
                                                std::uint32_t perm, std::string_view extension) {
  const auto clone = co_await client_.clone(directory);
  if (!clone)
    co_return clone.error();
  const auto reply = co_await call(proto::Tcreate{
      .fid = clone->fid(), .name = name, .perm = perm, .mode = kRead, .extension = extension});
  if (!reply)
    co_return reply.error();
  co_return reply->qid;
}

awaitable<result<proto::Qid>> VerbsLegacy::mkdir(Fid directory, std::string_view name,
                                                 std::uint32_t mode, std::uint32_t) {
  return make(directory, name, perm_of((mode & ~static_cast<mode_t>(S_IFMT)) | S_IFDIR, dialect_),
              {});
}

awaitable<result<proto::Qid>> VerbsLegacy::symlink(Fid directory, std::string_view name,
                                                   std::string_view target, std::uint32_t) {
  if (!capabilities().symlinks)
    co_return as_error(EPERM);
  co_return co_await make(directory, name, perm_of(S_IFLNK | 0777, dialect_), target);
}

awaitable<result<proto::Qid>> VerbsLegacy::mknod(Fid directory, std::string_view name,
                                                 std::uint32_t mode, std::uint32_t major,
                                                 std::uint32_t minor, std::uint32_t) {
  const std::uint32_t type = mode & S_IFMT;
  const bool ordinary = type == S_IFREG || type == 0;
  if (!ordinary && !capabilities().special_files)
    co_return as_error(EPERM);
  const bool device = type == S_IFCHR || type == S_IFBLK;
  const std::string extension = device ? device_extension(mode, major, minor) : "";
  co_return co_await make(directory, name, perm_of(mode, dialect_), extension);
}

awaitable<error_code> VerbsLegacy::link(Fid directory, Fid file, std::string_view name) {
  if (!capabilities().hard_links)
    co_return as_error(EPERM);
  const std::string number = std::to_string(to_int(file));
  const auto made = co_await make(directory, name, dm::kLink, number);
  co_return made.error();
}

awaitable<error_code> VerbsLegacy::unlink(Fid directory, std::string_view name,
                                          bool directory_wanted, FidHandle known) {
  return remove_by_fid(directory, name, directory_wanted, std::move(known));
}

/// A new name, in the same directory. A name that is taken is an error then: what has it is removed
/// first, but not before the server has said that this is all that is in the way.
awaitable<error_code> VerbsLegacy::rename(Fid old_directory, std::string_view old_name, Fid,
                                          std::string_view new_name, FidHandle known) {
  if (known) {
    const error_code error = co_await rename_to(known.fid(), new_name);
    if (!is_stale(error) && error != as_error(EEXIST))
      co_return error;
  }
  const auto source = co_await client_.walk(old_directory, old_name);
  if (!source)
    co_return source.error();
  const Fid fid = source->fid.fid();
  error_code error = co_await rename_to(fid, new_name);
  if (error != as_error(EEXIST))
    co_return error;
  error = co_await make_way(old_directory, fid, new_name);
  if (error)
    co_return error;
  co_return co_await rename_to(fid, new_name);
}

awaitable<error_code> VerbsLegacy::rename_to(Fid file, std::string_view new_name) {
  proto::Twstat request{.fid = file, .stat = {}};
  request.stat.name = new_name;
  co_return (co_await call(request)).error();
}

/// Removes what has the name that `source` is to get, if rename(2) may replace it.
awaitable<error_code> VerbsLegacy::make_way(Fid directory, Fid source, std::string_view new_name) {
  auto target = co_await client_.walk(directory, new_name);
  if (!target)
    co_return target.error() == as_error(ENOENT) ? error_code() : target.error();
  const auto moved = co_await getattr(source);
  if (!moved)
    co_return moved.error();
  if (target->qid.path == moved->qid.path)  // another name of it, or the same in other letters
    co_return as_error(EEXIST);
  const bool is_directory = (target->qid.type & proto::qid_type::kDir) != 0;
  if (is_directory != S_ISDIR(moved->mode))
    co_return as_error(is_directory ? EISDIR : ENOTDIR);
  co_return co_await remove(std::move(target->fid));
}

// ---- directories

awaitable<Transferred> VerbsLegacy::readdir(Fid fid, std::uint64_t offset,
                                            proto::Buffer destination) {
  const proto::Tread request{
      .fid = fid, .offset = offset, .count = directory_count(destination.bytes.size())};
  return call_for_data(proto::outgoing(request, dialect_, {}, std::move(destination)), fid);
}

std::unique_ptr<DirectoryReader> VerbsLegacy::directory_reader(const OpenFile& directory) {
  return std::make_unique<ReaderLegacy>(*this, directory, directory_count(kDirectoryBytes));
}

awaitable<result<std::vector<DirectoryEntry>>> ReaderLegacy::read(std::uint64_t cookie) {
  if (cookie == 0)
    rewind();
  if (cookie < kDots)
    co_return dots(cookie);
  if (cookie < first_)
    rewind();
  while (cookie >= first_ + kept_.size() && !at_end_) {
    const error_code error = co_await read_more();
    if (error)
      co_return error;
  }
  const std::uint64_t known = std::min<std::uint64_t>(cookie - first_, kept_.size());
  const auto next = kept_.begin() + static_cast<std::ptrdiff_t>(known);
  co_return std::vector<DirectoryEntry>(next, kept_.end());
}

std::vector<DirectoryEntry> ReaderLegacy::dots(std::uint64_t cookie) const {
  constexpr std::uint8_t kDirectoryType = S_IFDIR >> 12;
  std::vector<DirectoryEntry> entries;
  for (std::uint64_t i = cookie; i < kDots; ++i)
    entries.push_back(
        {.name = i == 0 ? "." : "..", .cookie = i + 1, .qid = qid_, .type = kDirectoryType});
  return entries;
}

void ReaderLegacy::rewind() {
  offset_ = 0;
  first_ = kDots;
  kept_.clear();
  at_end_ = false;
}

awaitable<error_code> ReaderLegacy::read_more() {
  auto memory = std::make_shared_for_overwrite<std::byte[]>(room_);
  const std::span<std::byte> bytes(memory.get(), room_);
  const proto::Buffer destination{std::move(memory), bytes};
  const std::uint64_t asked = verbs_.moment();
  const auto done = co_await verbs_.readdir(fid_, offset_, destination);
  if (done.error) {
    rewind();  // it may have been read all the same: only the beginning is a sure position
    co_return done.error;
  }
  offset_ += done.bytes;
  at_end_ = done.bytes == 0;
  co_return take(bytes.first(done.bytes), asked);
}

/// Adds what was read, and lets go of what the kernel will hardly come back to.
error_code ReaderLegacy::take(proto::ByteView records, std::uint64_t asked) {
  const std::size_t before = kept_.size();
  const std::uint64_t heard = verbs_.moment();
  proto::Reader reader(records, verbs_.dialect());
  while (reader.left() != 0) {
    proto::Stat stat;
    reader.get_record(stat);
    if (reader.error()) {
      rewind();
      return as_error(EIO);
    }
    DirectoryEntry& entry = kept_.emplace_back(entry_of(stat));
    entry.attributes->asked = asked;
    entry.attributes->heard = heard;
  }
  const std::size_t surplus =
      kept_.size() > kKeptEntries ? std::min(before, kept_.size() - kKeptEntries) : 0;
  kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(surplus));
  first_ += surplus;
  return {};
}

DirectoryEntry ReaderLegacy::entry_of(const proto::Stat& stat) const {
  const Attributes attributes = attributes_of(stat, verbs_.dialect(), verbs_.names());
  return {.name = std::string(stat.name),
          .cookie = first_ + kept_.size() + 1,
          .qid = stat.qid,
          .type = static_cast<std::uint8_t>(attributes.type() >> 12),
          .attributes = attributes};
}

}  // namespace

std::unique_ptr<Verbs> make_verbs_legacy(Client& client, Dialect dialect, const IdNames& names) {
  return std::make_unique<VerbsLegacy>(client, dialect, names);
}

}  // namespace fuse9p
