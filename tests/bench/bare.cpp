// SPDX-License-Identifier: MIT
// bench_bare: the same work as bench_load, done by the shortest 9P conversation there is, straight
// over TCP: no kernel, no cache, nobody to wait for but the server. What it needs is what server
// and protocol force upon any client.
//
//   bench_bare WORKLOAD PORT ANAME FOLDER --NAME NUMBER...    prints the seconds
//   bench_bare free-port                                      prints a port that nobody listens on
//   bench_bare await PORT                                     returns when somebody does
//
// --window is how many files or pieces are under way at once. A fid is never named before the
// reply that makes it has come: servers crash otherwise.

#include "proto/codec.hpp"
#include "proto/dirent.hpp"
#include "proto/multiplexer.hpp"
#include "tests/bench/arguments.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <functional>
#include <thread>

namespace fuse9p::bench {
namespace {

using namespace proto;

constexpr std::uint32_t kAskedMsize = 1U << 20;
constexpr std::uint32_t kPage = 4096;
constexpr std::uint64_t kGetattrBasic = 0x7FF;
constexpr std::uint32_t kReadOnly = 0, kWriteOnly = 1, kCreateExclusive = 0300;
constexpr std::uint32_t kDirectory = 0200000;
constexpr std::size_t kReceiveBuffer = std::size_t{4} << 20;

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

// ---- sockets

class Socket {
 public:
  Socket() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (fd_ < 0)
      fail("socket");
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() { ::close(fd_); }

  bool connect(std::uint16_t port) const {
    const sockaddr_in address = local(port);
    constexpr int kOn = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &kOn, sizeof kOn);
    return ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  std::uint16_t bind_anywhere() const {
    sockaddr_in address = local(0);
    socklen_t size = sizeof address;
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      fail("bind");
    return ntohs(address.sin_port);
  }
  int fd() const { return fd_; }

 private:
  static sockaddr_in local(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  int fd_;
};

/// A server that was just started tells nobody when it listens.
void await_server(std::uint16_t port) {
  constexpr int kAttempts = 500;
  constexpr std::chrono::milliseconds kPause{10};
  for (int i = 0; i < kAttempts; ++i) {
    if (const Socket socket; socket.connect(port))
      return;
    std::this_thread::sleep_for(kPause);
  }
  throw std::runtime_error("nobody listens on port " + std::to_string(port));
}

// ---- the conversation

class Session {
 public:
  explicit Session(std::uint16_t port) : input_(kReceiveBuffer) {
    if (!socket_.connect(port))
      fail("connect to port " + std::to_string(port));
  }

  std::uint32_t msize() const { return msize_; }
  /// What one message carries of a file: a page multiple.
  std::uint32_t chunk() const { return (msize_ - kIoHeaderSize) / kPage * kPage; }
  Fid new_fid() { return Fid{next_fid_++}; }

  /// Sends a request; run() calls `on_reply` with its answer. Data must stay where it is. An error
  /// from the server ends the program.
  template <Request T, class OnReply>
  void send(const T& request, OnReply on_reply) {
    send_raw(request, [on_reply = std::move(on_reply)](MessageType type, ByteView body) {
      if (type != reply_type(T::kType))
        throw std::runtime_error(std::string(T::kName) + ": " +
                                 parse_error(type, body, Dialect::l).first.message());
      const auto reply = decode<reply_of_t<T>>(body, Dialect::l);
      if (!reply)
        throw std::runtime_error(std::string(T::kName) + ": " + reply.error().message());
      on_reply(*reply);
    });
  }
  /// The same, but errors are the caller's.
  template <Request T>
  void send_raw(const T& request, std::function<void(MessageType, ByteView)> on_reply) {
    const Tag tag = T::kType == MessageType::Tversion ? kNoTag : take_tag();
    handlers_[to_int(tag)] = std::move(on_reply);
    Outgoing out;
    if (const error_code error = encode_head(out.head, tag, request, Dialect::l))
      throw std::runtime_error(std::string(T::kName) + ": " + error.message());
    if constexpr (detail::kEndsInData<T>)
      out.data = request.data;
    output_.push_back(std::move(out));
    ++outstanding_;
  }

  /// Until everything is answered, also what the answers have led to.
  void run() {
    while (outstanding_ > 0) {
      write();
      if (!output_.empty())
        wait();
      read();
    }
  }

  void attach(const std::string& aname) {
    send(Tversion{.msize = kAskedMsize, .version = version_string(Dialect::l)},
         [this](const Rversion& reply) { msize_ = reply.msize; });
    run();
    send(Tattach{.fid = new_fid(),
                 .afid = kNoFid,
                 .uname = "",
                 .aname = aname,
                 .n_uname = static_cast<std::uint32_t>(::geteuid())},
         [](const Rattach&) {});
    run();
  }
  static constexpr Fid root() { return Fid{0}; }

 private:
  struct Outgoing {
    Bytes head;
    Data data;
    std::size_t written = 0;
  };

  Tag take_tag() {
    if (free_tags_.empty())
      free_tags_.push_back(Tag{next_tag_++});
    const Tag tag = free_tags_.back();
    free_tags_.pop_back();
    return tag;
  }

  /// As much as the socket takes.
  void write() {
    constexpr std::size_t kVectors = 128;
    while (!output_.empty()) {
      std::array<iovec, kVectors> vectors;
      std::size_t count = 0;
      const auto add = [&](const std::byte* bytes, std::size_t size) {
        if (size > 0)
          vectors[count++] = {const_cast<std::byte*>(bytes), size};
      };
      for (const Outgoing& out : output_) {
        if (count + 2 > kVectors)
          break;
        const std::size_t of_head = std::min(out.written, out.head.size());
        const std::size_t of_data = out.written - of_head;
        add(out.head.data() + of_head, out.head.size() - of_head);
        add(out.data.data() + of_data, out.data.size() - of_data);
      }
      msghdr message{};
      message.msg_iov = vectors.data();
      message.msg_iovlen = count;
      const ssize_t sent = ::sendmsg(socket_.fd(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0 && errno == EAGAIN)
        return;
      if (sent < 0)
        fail("send");
      drop(static_cast<std::size_t>(sent));
    }
  }

  void drop(std::size_t bytes) {
    while (bytes > 0) {
      Outgoing& out = output_.front();
      const std::size_t left = out.head.size() + out.data.size() - out.written;
      const std::size_t taken = std::min(bytes, left);
      out.written += taken;
      bytes -= taken;
      if (taken == left)
        output_.pop_front();
    }
  }

  void wait() const {
    pollfd ready{socket_.fd(), POLLIN | POLLOUT, 0};
    if (::poll(&ready, 1, -1) < 0)
      fail("poll");
  }

  void read() {
    const int flags = output_.empty() ? 0 : MSG_DONTWAIT;
    const ssize_t got = ::recv(socket_.fd(), input_.data() + end_, input_.size() - end_, flags);
    if (got < 0 && errno == EAGAIN)
      return;
    if (got < 0)
      fail("receive");
    if (got == 0)
      throw std::runtime_error("the server closed the connection");
    end_ += static_cast<std::size_t>(got);
    std::size_t begin = 0;
    while (end_ - begin >= kHeaderSize) {
      const ByteView rest = ByteView(input_).subspan(begin, end_ - begin);
      const Header header = decode_header(rest.first<kHeaderSize>());
      if (rest.size() < header.size)
        break;
      deliver(header, rest.first(header.size).subspan(kHeaderSize));
      begin += header.size;
    }
    std::memmove(input_.data(), input_.data() + begin, end_ - begin);
    end_ -= begin;
  }

  void deliver(const Header& header, ByteView body) {
    const auto handler = std::exchange(handlers_[to_int(header.tag)], nullptr);
    if (!handler)
      throw std::runtime_error("a reply to a request that was never sent");
    if (header.tag != kNoTag)
      free_tags_.push_back(header.tag);
    --outstanding_;
    handler(header.type, body);
  }

  Socket socket_;
  std::uint32_t msize_ = 0;
  std::uint32_t next_fid_ = 0;
  std::uint16_t next_tag_ = 0;
  std::vector<Tag> free_tags_;
  std::vector<std::function<void(MessageType, ByteView)>> handlers_ =
      std::vector<std::function<void(MessageType, ByteView)>>(0x10000);
  std::deque<Outgoing> output_;
  std::size_t outstanding_ = 0;
  std::vector<std::byte> input_;
  std::size_t end_ = 0;
};

/// Keeps `window` of `count` things under way: `start(i, done)` begins one, done() ends it.
class Overlap {
 public:
  using Done = std::function<void()>;
  Overlap(std::size_t count, std::size_t window, std::function<void(std::size_t, Done)> start)
      : count_(count), window_(window), start_(std::move(start)) {}

  void begin() {
    while (running_ < window_ && next_ < count_) {
      ++running_;
      start_(next_++, [this] {
        --running_;
        begin();
      });
    }
  }

 private:
  std::size_t count_, window_, next_ = 0, running_ = 0;
  std::function<void(std::size_t, Done)> start_;
};

// ---- workloads

class Workload {
 public:
  Workload(std::uint16_t port, const std::string& aname, const std::string& folder,
           const Arguments& arguments)
      : session_(port), arguments_(arguments), folder_(enter(session_, aname, folder)) {}

  void sequential_read() {
    const Stopwatch stopwatch;
    const Fid file = open(kDataFile, kReadOnly);
    const std::uint64_t bytes = arguments_.number("bytes");
    overlap((bytes + chunk() - 1) / chunk(), [&](std::size_t i, Overlap::Done done) {
      const std::uint64_t at = i * chunk();
      read(file, at, std::min<std::uint64_t>(chunk(), bytes - at), std::move(done));
    });
    stopwatch.print();
  }

  void sequential_write() {
    const std::uint64_t bytes = arguments_.number("bytes");
    const std::vector<std::byte> buffer(chunk(), std::byte{0x5A});
    const Stopwatch stopwatch;
    const Fid file = make(kDataFile);
    overlap((bytes + chunk() - 1) / chunk(), [&](std::size_t i, Overlap::Done done) {
      const std::uint64_t at = i * chunk();
      const auto size = std::min<std::uint64_t>(chunk(), bytes - at);
      session_.send(Twrite{.fid = file, .offset = at, .data = Data(buffer).first(size)},
                    [size, done = std::move(done)](const Rwrite& reply) {
                      if (reply.count != size)
                        throw std::runtime_error("Twrite: wrote less than asked");
                      done();
                    });
    });
    stopwatch.print();
  }

  void random_read() {
    const Fid file = open(kDataFile, kReadOnly);
    RandomPages pages(0, arguments_.number("bytes"));
    const Stopwatch stopwatch;
    overlap(arguments_.number("count"), [&](std::size_t, Overlap::Done done) {
      read(file, pages.next(), kSmallRead, std::move(done));
    });
    stopwatch.print();
  }

  /// Per file: walk (a clone of the folder), lcreate, getattr (the kernel wants it), clunk.
  void create() {
    for_each_file([&](const std::string& name, const Overlap::Done& done) {
      const Fid fid = session_.new_fid();
      session_.send(Twalk{.fid = folder_, .newfid = fid, .wname = {}},
                    [=, this](const Rwalk&) { create_at(fid, name, done); });
    });
  }

  /// Per file: walk, getattr. The fids are left to the end of the connection.
  void stat_files() {
    for_each_file(
        [&](const std::string& name, Overlap::Done done) { look_up(name, std::move(done)); });
  }

  /// Per file: unlinkat, or, where a server does not have that, walk and remove.
  void unlink_files() {
    bool has_unlinkat = false;
    session_.send_raw(Tunlinkat{.dirfid = folder_, .name = "no such file", .flags = 0},
                      [&](MessageType type, ByteView body) {
                        const int error = parse_error(type, body, Dialect::l).first.value();
                        has_unlinkat = error == ENOENT;
                      });
    session_.run();
    for_each_file([&](const std::string& name, const Overlap::Done& done) {
      if (has_unlinkat)
        return session_.send(Tunlinkat{.dirfid = folder_, .name = name, .flags = 0},
                             [done](const Runlinkat&) { done(); });
      const Fid fid = session_.new_fid();
      session_.send(walk_of(name, fid), [=, this](const Rwalk&) {
        session_.send(Tremove{.fid = fid}, [done](const Rremove&) { done(); });
      });
    });
  }

  /// readdir to the end, and per entry: walk, getattr.
  void list() {
    std::deque<std::string> names;
    std::size_t running = 0;
    std::size_t seen = 0;
    const std::size_t window = arguments_.number("window");
    const std::function<void()> look_up_more = [&] {
      while (running < window && !names.empty()) {
        ++running;
        look_up(names.front(), [&] {
          --running;
          look_up_more();
        });
        names.pop_front();
      }
    };
    const Stopwatch stopwatch;
    const Fid directory = session_.new_fid();
    session_.send(Twalk{.fid = folder_, .newfid = directory, .wname = {}}, [](const Rwalk&) {});
    session_.run();
    session_.send(Tlopen{.fid = directory, .flags = kDirectory}, [](const Rlopen&) {});
    session_.run();
    const std::function<void(std::uint64_t)> read_from = [&](std::uint64_t offset) {
      const Treaddir request{
          .fid = directory, .offset = offset, .count = session_.msize() - kIoHeaderSize};
      session_.send(request, [&](const Rreaddir& reply) {
        if (reply.data.empty())
          return;
        std::uint64_t last = 0;
        const auto add = [&](const Dirent& entry) {
          last = entry.offset;
          ++seen;
          if (entry.name != "." && entry.name != "..")
            names.emplace_back(entry.name);
        };
        if (for_each_dirent(reply.data, add))
          throw std::runtime_error("Treaddir: bad entries");
        read_from(last);
        look_up_more();
      });
    };
    read_from(0);
    session_.run();
    stopwatch.print();
    if (seen < arguments_.number("count"))
      throw std::runtime_error("the folder lists " + std::to_string(seen) + " entries only");
  }

 private:
  /// The folder that the work is done in.
  static Fid enter(Session& session, const std::string& aname, const std::string& folder) {
    session.attach(aname);
    const Fid fid = session.new_fid();
    Twalk request{.fid = Session::root(), .newfid = fid, .wname = {}};
    request.wname.push_back(folder);
    session.send(request, [](const Rwalk&) {});
    session.run();
    return fid;
  }

  std::uint32_t chunk() const { return session_.chunk(); }
  Twalk walk_of(std::string_view name, Fid newfid) const {
    Twalk request{.fid = folder_, .newfid = newfid, .wname = {}};
    request.wname.push_back(name);
    return request;
  }

  void overlap(std::size_t count, std::function<void(std::size_t, Overlap::Done)> start) {
    Overlap all(count, arguments_.number("window"), std::move(start));
    all.begin();
    session_.run();
  }

  void for_each_file(const std::function<void(const std::string&, Overlap::Done)>& start) {
    const Stopwatch stopwatch;
    overlap(arguments_.number("count"),
            [&](std::size_t i, Overlap::Done done) { start(file_name(i), std::move(done)); });
    stopwatch.print();
  }

  void look_up(const std::string& name, Overlap::Done done) {
    const Fid fid = session_.new_fid();
    session_.send(walk_of(name, fid), [=, this, done = std::move(done)](const Rwalk&) {
      session_.send(Tgetattr{.fid = fid, .request_mask = kGetattrBasic},
                    [done](const Rgetattr&) { done(); });
    });
  }

  void create_at(Fid fid, const std::string& name, Overlap::Done done) {
    const Tlcreate request{.fid = fid,
                           .name = name,
                           .flags = kWriteOnly | kCreateExclusive,
                           .mode = 0644,
                           .gid = static_cast<std::uint32_t>(::getegid())};
    session_.send(request, [=, this, done = std::move(done)](const Rlcreate&) {
      session_.send(Tgetattr{.fid = fid, .request_mask = kGetattrBasic},
                    [=, this](const Rgetattr&) {
                      session_.send(Tclunk{fid}, [done](const Rclunk&) { done(); });
                    });
    });
  }

  Fid open(std::string_view name, std::uint32_t flags) {
    const Fid fid = session_.new_fid();
    session_.send(walk_of(name, fid), [](const Rwalk&) {});
    session_.run();
    session_.send(Tlopen{.fid = fid, .flags = flags}, [](const Rlopen&) {});
    session_.run();
    return fid;
  }

  Fid make(std::string_view name) {
    const Fid fid = session_.new_fid();
    session_.send(Twalk{.fid = folder_, .newfid = fid, .wname = {}}, [](const Rwalk&) {});
    session_.run();
    session_.send(Tlcreate{.fid = fid,
                           .name = name,
                           .flags = kWriteOnly | kCreateExclusive,
                           .mode = 0644,
                           .gid = static_cast<std::uint32_t>(::getegid())},
                  [](const Rlcreate&) {});
    session_.run();
    return fid;
  }

  void read(Fid file, std::uint64_t offset, std::uint64_t size, Overlap::Done done) {
    session_.send(Tread{.fid = file, .offset = offset, .count = static_cast<std::uint32_t>(size)},
                  [size, done = std::move(done)](const Rread& reply) {
                    if (reply.data.size() != size)
                      throw std::runtime_error("Tread: got less than asked");
                    done();
                  });
  }

  Session session_;
  const Arguments& arguments_;
  Fid folder_;
};

int run(const Arguments& arguments) {
  const std::map<std::string, void (Workload::*)()> workloads = {
      {"seq-read", &Workload::sequential_read},
      {"seq-write", &Workload::sequential_write},
      {"rand-read", &Workload::random_read},
      {"create", &Workload::create},
      {"stat", &Workload::stat_files},
      {"unlink", &Workload::unlink_files},
      {"list", &Workload::list},
  };
  const auto& words = arguments.words;
  const auto port = [&] { return static_cast<std::uint16_t>(Arguments::whole(words.at(1))); };
  if (words.size() == 1 && words[0] == "free-port") {
    std::printf("%u\n", unsigned{Socket().bind_anywhere()});
  } else if (words.size() == 2 && words[0] == "await") {
    await_server(port());
  } else if (words.size() == 4 && workloads.contains(words[0])) {
    Workload workload(port(), words[2], words[3], arguments);
    (workload.*workloads.at(words[0]))();
  } else {
    throw std::runtime_error("usage: bench_bare WORKLOAD PORT ANAME FOLDER --NAME NUMBER...");
  }
  return 0;
}

}  // namespace
}  // namespace fuse9p::bench

int main(int argc, char** argv) {
  try {
    return fuse9p::bench::run(fuse9p::bench::Arguments(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_bare: %s\n", error.what());
    return 1;
  }
}
