// SPDX-License-Identifier: MIT
// Client: the verbs of a 9P session as coroutines. It owns the connection and the fids; above it
// nobody knows tags, below it nobody knows files. One thread. Errors are the server's errno
// (proto::server_category) or a proto::Error.
//
// Cancelling a coroutine (asio::cancellation_type::total) flushes the request it waits for; what
// that may have left on the server is cleaned up here.
#pragma once

#include "proto/dirent.hpp"
#include "proto/fid_pool.hpp"
#include "src/attributes.hpp"
#include "src/capabilities.hpp"
#include "src/connection.hpp"
#include "src/directory.hpp"
#include "src/fates.hpp"
#include "src/id_names.hpp"
#include "src/quirks.hpp"

#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <memory>
#include <string_view>

namespace fuse9p {

template <class T>
using result = proto::result<T>;
template <class T>
using awaitable = boost::asio::awaitable<T>;

class Client;
class Verbs;

/// A fid on the server, and the duty to give it back: the destructor queues a Tclunk, which nobody
/// waits for and nothing cancels. It must not outlive its Client.
class FidHandle {
 public:
  FidHandle() = default;
  FidHandle(Client& client, proto::Fid fid) : client_(&client), fid_(fid) {}
  FidHandle(FidHandle&& other) noexcept
      : client_(std::exchange(other.client_, nullptr)), fid_(other.fid_) {}
  FidHandle& operator=(FidHandle&& other) noexcept;
  ~FidHandle() { reset(); }

  proto::Fid fid() const { return fid_; }
  explicit operator bool() const { return client_ != nullptr; }
  void reset();
  /// The server has no such fid (any more): the number is free without a Tclunk.
  void forget();
  /// For a fid whose Tclunk would do harm: it is the server's, and its number taken, as long as the
  /// connection lasts.
  void leave() { client_ = nullptr; }

 private:
  Client* client_ = nullptr;
  proto::Fid fid_ = proto::kNoFid;
};

/// An open fid and how to use it.
struct OpenFile {
  FidHandle fid;
  proto::Qid qid;
  std::uint32_t iounit = 0;  ///< 0: unknown
};

struct Walked {
  FidHandle fid;
  proto::Qid qid;
};

struct WalkedXattr {
  FidHandle fid;
  std::uint64_t size = 0;
};

/// How much of a read or write was done. An error with bytes means: so far, then this.
struct Transferred {
  error_code error{};
  std::size_t bytes = 0;
  /// Where the last byte ends that was done: more than `bytes` if pieces behind the one that failed
  /// were done.
  std::size_t reach = 0;
};

enum class ReadMode : std::uint8_t {
  exact,   ///< short only at proven end of file; for the page cache, which takes short for the end
  stream,  ///< one Tread, its answer as it is; for files whose reads have a meaning of their own
};

enum class WriteMode : std::uint8_t {
  pieces,    ///< several Twrites at a time; what a short one has left out is sent again
  in_order,  ///< the same, one at a time: for what is put together at the server, as appended data
  stream,    ///< one at a time, and a short one is the end: for files whose writes have a meaning
};

/// What Tlock says and is told. The numbers are the wire's.
struct LockRequest {
  enum class Type : std::uint8_t { read = 0, write = 1, unlock = 2 };
  Type type{};
  std::uint64_t start = 0, length = 0;  ///< length 0: to the end, wherever that is
  std::uint32_t owner = 0;              ///< a number of this client's own choice
};
enum class LockStatus : std::uint8_t { granted = 0, blocked = 1, refused = 2, grace = 3 };

class Client {
 public:
  /// How long a request waits for a fid when the server has no more, until others are given back.
  static constexpr std::chrono::seconds kFidPatience{2};
  /// How often it tries another number; each time there is one less.
  static constexpr int kFidAttempts = 1000;

  struct Events {
    /// The connection is over, once.
    std::function<void(const std::string& why)> lost;
  };

  /// No clock: the machine's. `names`: for servers that know users by name. `quirks`: those that
  /// the server is said to have.
  Client(boost::asio::io_context& io, Established established,
         const proto::MultiplexerLimits& limits, Events events,
         std::unique_ptr<Clock> clock = nullptr, IdNames names = IdNames(), Quirks quirks = {});
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  /// What the server and its dialect can do.
  const Capabilities& capabilities() const;
  /// What it is known not to do, or to do otherwise, by now.
  const Quirks& quirks() const { return quirks_; }

  /// The fid that the handshake attached.
  static constexpr proto::Fid kRootFid{0};
  proto::Fid root() const { return root_.fid(); }
  const proto::Qid& root_qid() const { return root_qid_; }

  Connection& connection() { return connection_; }
  /// Data bytes that one message carries on a file of this iounit: a page multiple where possible.
  std::uint32_t chunk(std::uint32_t iounit) const;
  /// The most that one message carries: for files on which one read or write is to be one message.
  std::uint32_t largest_chunk(std::uint32_t iounit) const;
  std::size_t fids_in_use() const { return fids_.in_use(); }
  /// Of those, the ones that have a FidHandle.
  std::size_t fids_held() const { return fids_.held(); }
  /// Called when the server has no more fids, with the number that it seems to have: whoever keeps
  /// some for later use is to give them back.
  void on_fids_short(std::function<void(std::size_t usable)> handler) {
    fids_short_ = std::move(handler);
  }
  /// Does a request name it whose fate is not known, its caller perhaps gone? Then it must not be
  /// opened or removed: the request could meet it as something else.
  bool is_named(proto::Fid fid) const { return fids_.named(fid); }
  /// What became of requests whose outcome was proto::Error::abandoned.
  Fates& fates() { return fates_; }

  // ---- finding: walk(5)
  /// One name below `from`, which is not open.
  awaitable<result<Walked>> walk(proto::Fid from, std::string_view name);
  /// A second fid for the same file.
  awaitable<result<FidHandle>> clone(proto::Fid from);

  /// The tree's root once more, as the user with that number: attach(5). Where users have no
  /// numbers, under the name that it has here; EACCES if it has none.
  awaitable<result<Walked>> attach(std::uint32_t n_uname);

  // What follows is asked in 9P2000.L's words, and said in the session's dialect. What that cannot
  // say at all is refused with the errno that programs expect.

  // ---- attributes
  awaitable<result<Attributes>> getattr(proto::Fid fid);
  awaitable<error_code> setattr(proto::Tsetattr changes);
  awaitable<result<proto::Rstatfs>> statfs(proto::Fid fid);
  awaitable<result<std::string>> readlink(proto::Fid fid);

  // ---- opening: open(5). `fid` is a clone of one's own: it becomes the open file or is given
  // back.
  awaitable<result<OpenFile>> open(FidHandle fid, std::uint32_t flags);
  /// `fid` is a clone of the directory's. Flags and mode as in open(2); gid: the group of the file.
  awaitable<result<OpenFile>> create(FidHandle fid, std::string_view name, std::uint32_t flags,
                                     std::uint32_t mode, std::uint32_t gid);
  awaitable<error_code> fsync(proto::Fid fid, bool datasync);

  // ---- locks. `fid` is open. Nothing waits at the server: blocked is an answer.
  awaitable<result<LockStatus>> lock(proto::Fid fid, LockRequest request);
  /// The lock that is in the way; Type::unlock if none is.
  awaitable<result<LockRequest>> getlock(proto::Fid fid, LockRequest request);
  /// Called when a lock was granted behind its Rflush: it may be held without anybody's wish.
  void on_late_lock(std::function<void()> handler) { late_lock_ = std::move(handler); }

  // ---- data: read(5). Large transfers are split; the pieces are in flight together.
  /// Into `destination`. `known_size` is the file's size if it was learnt just now: a short answer
  /// that ends exactly there needs no second question.
  awaitable<Transferred> read(const OpenFile& file, std::uint64_t offset, proto::Buffer destination,
                              ReadMode mode, std::optional<std::uint64_t> known_size);
  awaitable<Transferred> write(const OpenFile& file, std::uint64_t offset, proto::ConstBuffer data,
                               WriteMode mode);
  /// Directory entries from `offset` on, raw, into `destination`; 0 bytes at the end.
  awaitable<Transferred> readdir(proto::Fid fid, std::uint64_t offset, proto::Buffer destination);
  /// The same in one form for every dialect. `directory` is open, and outlives the reader.
  std::unique_ptr<DirectoryReader> directory_reader(const OpenFile& directory);

  // ---- extended attributes: the single messages; the conversations are in xattr.hpp
  /// A fid from which the value of the attribute is read, or with name "" the list of all names,
  /// and its size, which is the server's word for it. `file` is not open.
  awaitable<result<WalkedXattr>> xattr_walk(proto::Fid file, std::string_view name);
  /// Makes of `fid`, a clone of one's own, one that takes a value of that size: its Tclunk sets it,
  /// with that of size 0 the attribute is removed. Flags as of setxattr(2).
  awaitable<error_code> xattr_create(proto::Fid fid, std::string_view name, std::uint64_t size,
                                     std::uint32_t flags);
  /// Gives the fid back and waits for the answer: where Tclunk does something, and may fail.
  awaitable<error_code> clunk(FidHandle fid);

  // ---- names. `directory` fids are not open.
  awaitable<result<proto::Qid>> mkdir(proto::Fid directory, std::string_view name,
                                      std::uint32_t mode, std::uint32_t gid);
  awaitable<result<proto::Qid>> symlink(proto::Fid directory, std::string_view name,
                                        std::string_view target, std::uint32_t gid);
  awaitable<result<proto::Qid>> mknod(proto::Fid directory, std::string_view name,
                                      std::uint32_t mode, std::uint32_t major, std::uint32_t minor,
                                      std::uint32_t gid);
  awaitable<error_code> link(proto::Fid directory, proto::Fid file, std::string_view name);
  /// unlink(2), or rmdir(2) with `directory_wanted`. Where it takes a fid of the file it is `known`
  /// if that is a fid walked by this very name, else one walked to it.
  awaitable<error_code> unlink(proto::Fid directory, std::string_view name, bool directory_wanted,
                               FidHandle known = {});
  /// `known` as above.
  awaitable<error_code> rename(proto::Fid old_directory, std::string_view old_name,
                               proto::Fid new_directory, std::string_view new_name,
                               FidHandle known = {});

 private:
  friend class FidHandle;
  friend class Verbs;

  template <proto::Request T>
  awaitable<result<proto::reply_of_t<T>>> call(const T& request);
  template <proto::Message R>
  awaitable<result<R>> call_encoded(proto::Outgoing request, Fids fids);
  awaitable<Connection::Outcome> call_raw(proto::Outgoing request, Fids fids);
  template <class Start>
  awaitable<Transferred> transfer(std::size_t size, Start start);
  std::function<void(proto::Fid)> begin_use();

  template <class Start>
  auto make_fid(FidHandle& made, Start start) -> decltype(start(proto::Fid{}));
  awaitable<result<proto::Fid>> await_fid();
  void wake_one_for_fid();
  void retire(proto::Fid fid);
  void release(proto::Fid fid);
  void send_clunk(proto::Fid fid);
  void on_lost(const std::string& why);
  void learn(Quirk quirk);
  std::uint64_t next_moment() { return ++moment_; }
  void on_settled(proto::MessageType request, const Fids& fids, error_code error);
  void on_late(proto::MessageType reply, proto::Fid created);

  Events events_;
  Fates fates_;
  proto::FidPool fids_;
  proto::Qid root_qid_;
  std::string aname_;
  Connection connection_;
  FidHandle root_;
  std::uint64_t moment_ = 0;  ///< of Attributes::asked and heard
  std::function<void()> late_lock_;
  std::function<void(std::size_t)> fids_short_;
  boost::asio::io_context& io_;
  std::deque<boost::asio::steady_timer*> awaiting_fids_;
  IdNames names_;
  Quirks quirks_;
  std::unique_ptr<Verbs> verbs_;
};

}  // namespace fuse9p
