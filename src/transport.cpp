// SPDX-License-Identifier: MIT
#include "src/transport.hpp"

#include "src/deadline.hpp"
#include "src/log.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

extern "C" char** environ;

namespace fuse9p {

namespace asio = boost::asio;
using asio::awaitable;
using asio::redirect_error;
using asio::use_awaitable;
using asio::ip::tcp;
using Unix = asio::local::stream_protocol;

namespace {

// ip(7), rcmd(3): the ports that servers take for privileged; the lowest are left to services.
constexpr unsigned short kFirstPrivilegedPort = 665;
constexpr unsigned short kLastPrivilegedPort = 1023;

[[noreturn]] void fail(const std::string& what, const error_code& error,
                       const std::string& advice) {
  throw ConnectError(what + ": " + error.message() + (advice.empty() ? "" : "; " + advice));
}

error_code last_error() {
  return {errno, boost::system::system_category()};
}

// ---- TCP

void set_option(int fd, int level, int name, int value) {
  // A failure only means that a dead peer is noticed later.
  ::setsockopt(fd, level, name, &value, sizeof value);
}

/// Small requests leave at once, and a peer that is gone is noticed within kDeadPeerTimeout.
void tune(tcp::socket& socket) {
  constexpr int kProbes = 4;
  const auto seconds = static_cast<int>(kDeadPeerTimeout.count());
  const int fd = socket.native_handle();
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds / (kProbes + 1));
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds / (kProbes + 1));
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kProbes);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, seconds * 1000);
}

void bind_privileged(tcp::socket& socket, const tcp::endpoint& peer) {
  const auto any = peer.protocol() == tcp::v6() ? asio::ip::address(asio::ip::address_v6::any())
                                                : asio::ip::address(asio::ip::address_v4::any());
  error_code error;
  for (unsigned short port = kLastPrivilegedPort; port >= kFirstPrivilegedPort; --port) {
    socket.bind({any, port}, error);
    if (error != asio::error::address_in_use)
      break;
  }
  if (error)
    fail("privport: no source port from 665 to 1023", error, "run as root or leave it out");
}

std::string text_of(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  const std::string port = std::to_string(endpoint.port());
  return endpoint.address().is_v6() ? "[" + address + "]:" + port : address + ":" + port;
}

/// What to do when nobody can be connected to.
std::string advice_for(const error_code& error, std::string_view nobody) {
  if (error == asio::error::access_denied)
    return "this user may not connect there: ask as another one, or change who may";
  if (error == asio::error::connection_refused || error == std::errc::no_such_file_or_directory)
    return std::string(nobody);
  return "is a 9P server listening there?";
}

awaitable<tcp::socket> connect_tcp(const TcpEndpoint& target, bool privileged) {
  const auto executor = co_await asio::this_coro::executor;
  const std::string name = to_string(Endpoint(target));
  error_code error;
  tcp::resolver resolver(executor);
  const auto addresses = co_await resolver.async_resolve(target.host, target.port,
                                                         redirect_error(use_awaitable, error));
  if (error)
    fail(name + ": can't find the address", error, "check the host name and the port");
  std::string tried;
  for (const auto& entry : addresses) {
    tcp::socket socket(executor, entry.endpoint().protocol());
    if (privileged)
      bind_privileged(socket, entry.endpoint());
    co_await socket.async_connect(entry.endpoint(), redirect_error(use_awaitable, error));
    if (!error) {
      tune(socket);
      co_return socket;
    }
    tried += (tried.empty() ? "" : ", ") + text_of(entry.endpoint());
  }
  fail(name + ": can't connect to " + tried, error,
       advice_for(error, "start the 9P server, or name its port, HOST:PORT"));
}

// ---- a spawned command

/// The child's end of a socket pair, or a pipe, that must not leak into other children.
struct OwnedFd {
  explicit OwnedFd(int descriptor) : fd(descriptor) {}
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  ~OwnedFd() {
    if (fd >= 0)
      ::close(fd);
  }
  int release() { return std::exchange(fd, -1); }
  int fd;
};

/// What the command says on stderr goes to our log, a line at a time.
awaitable<void> log_lines(asio::posix::stream_descriptor stream) {
  constexpr std::size_t kLongestLine = 4096;
  std::string text;
  error_code error;
  while (!error) {
    const std::size_t length =
        co_await asio::async_read_until(stream, asio::dynamic_buffer(text, kLongestLine), '\n',
                                        redirect_error(use_awaitable, error));
    const std::string line = error ? text : text.substr(0, length - 1);
    if (!line.empty())
      log::warn("exec: {}", line);
    text.erase(0, error == asio::error::not_found ? text.size() : length);
    if (error == asio::error::not_found)
      error = {};
  }
}

}  // namespace

struct Transport::Child {
  explicit Child(pid_t child)
      : pid(child), pidfd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0))) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    for (const int signal : {0, SIGTERM, SIGKILL}) {
      if (signal != 0)
        ::kill(pid, signal);
      if (ended())
        break;
    }
    ::close(pidfd);
  }
  bool ended() {
    if (status)
      return true;
    pollfd waiting{pidfd, POLLIN, 0};
    const auto grace = std::chrono::milliseconds(kChildGrace).count();
    if (pidfd >= 0 && ::poll(&waiting, 1, static_cast<int>(grace)) != 1)
      return false;
    int how = 0;
    if (::waitpid(pid, &how, 0) == pid)
      status = how;
    return status.has_value();
  }

  std::optional<int> status{};  // of waitpid(2)
  pid_t pid;
  int pidfd;
};

Transport Transport::spawn(asio::io_context& io, const std::string& command) {
  const std::string name = "exec:" + command;
  int stream[2];
  int messages[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream) != 0)
    fail(name, last_error(), "");
  OwnedFd ours(stream[0]);
  const OwnedFd theirs(stream[1]);
  if (::pipe2(messages, O_CLOEXEC) != 0)
    fail(name, last_error(), "");
  OwnedFd messages_in(messages[0]);
  const OwnedFd messages_out(messages[1]);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, theirs.fd, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, theirs.fd, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, messages_out.fd, STDERR_FILENO);
  // We ignore SIGPIPE and block nothing; the command starts as a shell would start it.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t defaults;
  ::sigemptyset(&defaults);
  ::sigaddset(&defaults, SIGPIPE);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);

  const std::string script = "exec " + command;
  const char* arguments[] = {"sh", "-c", script.c_str(), nullptr};
  pid_t pid = -1;
  errno =
      ::posix_spawn(&pid, "/bin/sh", &actions, &attributes, const_cast<char**>(arguments), environ);
  const error_code error = last_error();
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error)
    fail(name, error, "");
  auto child = std::make_unique<Child>(pid);
  asio::co_spawn(io, log_lines(asio::posix::stream_descriptor(io, messages_in.release())),
                 asio::detached);
  return {std::move(child), io, ours.release(), name};
}

// ---- Transport

namespace {

/// One descriptor for both directions, or one for each.
class DescriptorStream final : public Stream {
 public:
  /// `name`: of the transport, for messages.
  DescriptorStream(asio::io_context& io, int rfd, int wfd, const std::string& name) : in_(io) {
    adopt(in_, rfd, name);
    if (wfd != rfd)
      adopt(separate_out_.emplace(io), wfd, name);
  }

  void async_read_some(const ReadBuffers& buffers, ReadHandler handler) override {
    in_.async_read_some(buffers, std::move(handler));
  }
  std::size_t write_some(const std::vector<std::span<const std::byte>>& buffers,
                         error_code& error) override;
  void async_wait_writable(WaitHandler handler) override {
    out().async_wait(asio::posix::descriptor_base::wait_write, std::move(handler));
  }
  void close() override {
    error_code ignored;
    in_.close(ignored);
    if (separate_out_)
      separate_out_->close(ignored);
  }

 private:
  using Descriptor = asio::posix::stream_descriptor;
  static void adopt(Descriptor& descriptor, int fd, const std::string& name);
  Descriptor& out() { return separate_out_ ? *separate_out_ : in_; }

  Descriptor in_;
  std::optional<Descriptor> separate_out_;
};

void DescriptorStream::adopt(Descriptor& descriptor, int fd, const std::string& name) {
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
    fail(name + ": can't use descriptor " + std::to_string(fd), last_error(),
         "whoever starts fuse9p must leave it open, connected to a 9P server");
  error_code error;
  descriptor.assign(fd, error);
  if (!error)
    descriptor.native_non_blocking(true, error);
  if (error)
    fail(name + ": can't wait for it", error,
         "a socket, a pipe or a device that can be polled is needed");
}

std::size_t DescriptorStream::write_some(const std::vector<std::span<const std::byte>>& buffers,
                                         error_code& error) {
  constexpr std::size_t kMostVectors = 128;
  std::array<iovec, kMostVectors> vectors;
  const std::size_t count = std::min(buffers.size(), kMostVectors);
  for (std::size_t i = 0; i < count; ++i)
    vectors[i] = {const_cast<std::byte*>(buffers[i].data()), buffers[i].size()};
  const ssize_t written = ::writev(out().native_handle(), vectors.data(), static_cast<int>(count));
  error = written < 0 ? last_error() : error_code();
  return written < 0 ? 0 : static_cast<std::size_t>(written);
}

}  // namespace

Transport::Transport(std::unique_ptr<Stream> stream, std::string name)
    : stream_(std::move(stream)), name_(std::move(name)) {}

Transport::Transport(asio::io_context& io, int rfd, int wfd, std::string name)
    : Transport(std::make_unique<DescriptorStream>(io, rfd, wfd, name), name) {}

Transport::Transport(std::unique_ptr<Child> child, asio::io_context& io, int fd, std::string name)
    : Transport(io, fd, fd, std::move(name)) {
  child_ = std::move(child);
}

Transport::Transport(Transport&&) noexcept = default;
Transport& Transport::operator=(Transport&&) noexcept = default;
Transport::~Transport() {
  close();
}

void Transport::close() {
  if (stream_)  // not moved from
    stream_->close();
}

std::string Transport::failure() {
  if (!child_ || !child_->ended() || child_->status == 0)
    return {};
  const int status = *child_->status;
  if (WIFSIGNALED(status))
    return "the command was ended by signal " + std::to_string(WTERMSIG(status));
  return "the command ended with status " + std::to_string(WEXITSTATUS(status));
}

namespace {

awaitable<Unix::socket> connect_unix(const UnixEndpoint& target) {
  Unix::socket socket(co_await asio::this_coro::executor);
  error_code error;
  co_await socket.async_connect(Unix::endpoint(target.path), redirect_error(use_awaitable, error));
  if (error)
    fail("unix:" + target.path + ": can't connect", error,
         advice_for(error, "start the 9P server, or name its socket, unix:PATH"));
  co_return socket;
}

using Vsock = asio::generic::stream_protocol;

/// Why not, for people who have not set it up.
std::string advice_on_vsock(const error_code& error) {
  if (error == asio::error::address_family_not_supported)
    return "this kernel has no vsock: load the module vsock";
  if (error == std::errc::no_such_device || error == asio::error::network_unreachable ||
      error == asio::error::timed_out)
    return "perhaps there is no such machine: CID 2 is the host, if there is one, and 1 this "
           "machine, with "
           "the module vsock_loopback";
  return "is a 9P server listening there?";
}

awaitable<Vsock::socket> connect_vsock(const VsockEndpoint& target) {
  const std::string name = to_string(Endpoint(target)) + ": can't connect";
  sockaddr_vm address{};
  address.svm_family = AF_VSOCK;
  address.svm_cid = target.cid;
  address.svm_port = target.port;
  Vsock::socket socket(co_await asio::this_coro::executor);
  error_code error;
  socket.open(Vsock(AF_VSOCK, 0), error);
  if (error)
    fail(name, error, advice_on_vsock(error));
  co_await socket.async_connect(Vsock::endpoint(&address, sizeof address),
                                redirect_error(use_awaitable, error));
  if (error)
    fail(name, error, advice_on_vsock(error));
  co_return socket;
}

/// A serial line carries bytes as they are only if it is told so.
void make_raw(int fd) {
  termios line{};
  if (::tcgetattr(fd, &line) != 0)
    return;  // it is none
  ::cfmakeraw(&line);
  ::tcsetattr(fd, TCSANOW, &line);
}

int open_device(const DeviceEndpoint& target) {
  const std::string name = "dev:" + target.path;
  OwnedFd device(::open(target.path.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (device.fd < 0)
    fail(name + ": can't open it", last_error(), "name a device that has a 9P server behind it");
  struct stat found {};
  if (::fstat(device.fd, &found) != 0 || !S_ISCHR(found.st_mode))
    throw ConnectError(name + ": is not a character device; a socket is named unix:PATH");
  make_raw(device.fd);
  return device.release();
}

}  // namespace

awaitable<Transport> Transport::connect(Endpoint endpoint, Settings settings) {
  auto& io = static_cast<asio::io_context&>((co_await asio::this_coro::executor).context());
  const std::string name = to_string(endpoint);
  const auto late = [&] { return name + ": can't connect: no answer"; };
  const auto advice = [] { return "is it up, and does no firewall drop what is sent there?"; };
  if (const auto* target = std::get_if<TcpEndpoint>(&endpoint)) {
    tcp::socket socket = co_await within(
        settings.timeout, connect_tcp(*target, settings.privileged_port), late, advice);
    const std::string peer = text_of(socket.remote_endpoint());
    const int fd = socket.release();
    co_return Transport(io, fd, fd, peer == name ? name : name + " (" + peer + ")");
  }
  if (const auto* target = std::get_if<UnixEndpoint>(&endpoint)) {
    Unix::socket socket = co_await within(settings.timeout, connect_unix(*target), late, advice);
    const int fd = socket.release();
    co_return Transport(io, fd, fd, name);
  }
  if (const auto* target = std::get_if<VsockEndpoint>(&endpoint)) {
    Vsock::socket socket = co_await within(settings.timeout, connect_vsock(*target), late, advice);
    const int fd = socket.release();
    co_return Transport(io, fd, fd, name);
  }
  if (const auto* target = std::get_if<DeviceEndpoint>(&endpoint)) {
    const int fd = open_device(*target);
    co_return Transport(io, fd, fd, name);
  }
  if (const auto* target = std::get_if<FdEndpoint>(&endpoint))
    co_return Transport(io, target->rfd, target->wfd, name);
  co_return spawn(io, std::get<ExecEndpoint>(endpoint).command);
}

}  // namespace fuse9p
