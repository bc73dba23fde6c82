// SPDX-License-Identifier: MIT
#include "fuse/mount.hpp"

#include "fuse/attr.hpp"
#include "fuse/fusermount.hpp"
#include "fuse/operations.hpp"
#include "src/log.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <fuse_lowlevel.h>

#include <linux/fuse.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <new>

namespace fuse9p::fs {

namespace asio = boost::asio;

namespace {

/// The kernel reads 128 KiB ahead by default; 4 MiB hide 10 ms of round trip at 400 MB/s.
constexpr int kReadAheadKiB = 4096;

/// What libfuse says goes to our log, and is kept to explain a mount that failed.
std::string& last_libfuse_message() {
  static std::string message;
  return message;
}

void log_libfuse(fuse_log_level, const char* format, va_list arguments) {
  char line[512];
  std::vsnprintf(line, sizeof line, format, arguments);
  std::string text(line);
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  if (!text.empty())
    last_libfuse_message() = text;
  log::debug("libfuse: {}", text);
}

/// flags2 of the kernel's INIT since 6.6; older headers lack it, and older kernels disregard it.
constexpr std::uint32_t kDirectIoAllowMmap = 1U << (36 - 32);

/// libfuse 3.14 keeps three things from the kernel that we want: lookups in one directory that do
/// not wait for each other (or one stuck lookup would stop a whole directory), shared maps of files
/// that bypass the page cache, and that set-id bits are ours to drop, or the kernel would ask for a
/// file's capabilities before each write. So its answer to INIT, which is the first, is completed
/// on its way.
ssize_t write_reply(int fd, iovec* parts, int count, void* userdata) {
  auto& init_answered = static_cast<Mount*>(userdata)->init_answered();
  if (!std::exchange(init_answered, true) && count == 2 &&
      parts[1].iov_len >= offsetof(fuse_init_out, unused)) {
    auto* answer = static_cast<fuse_init_out*>(parts[1].iov_base);
    answer->flags |= FUSE_PARALLEL_DIROPS | FUSE_HANDLE_KILLPRIV_V2;
    if ((answer->flags & FUSE_INIT_EXT) != 0)
      answer->flags2 |= kDirectIoAllowMmap;
  }
  return ::writev(fd, parts, count);
}

ssize_t read_request(int fd, void* buffer, std::size_t size, void*) {
  return ::read(fd, buffer, size);
}

/// The kernel takes the root's type from the mount point, and would never believe another one.
void check_type(const std::string& mountpoint, const Attributes& root) {
  struct stat found {};
  if (passed_descriptor(mountpoint))
    return;
  if (::stat(mountpoint.c_str(), &found) == 0 && (found.st_mode & S_IFMT) != root.type())
    throw MountError(mountpoint + (S_ISDIR(found.st_mode)
                                       ? ": is a directory, but the server's tree is a file; "
                                         "name a file to mount it on"
                                       : ": is not a directory, but the server's tree is one; "
                                         "name a directory to mount it on"));
}

/// fuse_session_new() wants argc and argv.
class Arguments {
 public:
  explicit Arguments(const std::vector<std::string>& options) {
    fuse_opt_add_arg(&args_, "fuse9p");
    for (const std::string& option : options) {
      fuse_opt_add_arg(&args_, "-o");
      fuse_opt_add_arg(&args_, option.c_str());
    }
  }
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;
  ~Arguments() { fuse_opt_free_args(&args_); }
  fuse_args* get() { return &args_; }

 private:
  fuse_args args_ = FUSE_ARGS_INIT(0, nullptr);
};

}  // namespace

/// The session of libfuse: made, mounted, unmounted, destroyed, each once.
struct Mount::Session {
  Session(Mount& owner, const std::vector<std::string>& options) {
    Arguments arguments(options);
    handle = fuse_session_new(arguments.get(), &kOperations, sizeof kOperations, &owner);
    if (handle == nullptr)
      throw MountError("mount options: " + last_libfuse_message());
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    unmount();
    fuse_session_destroy(handle);
  }
  void mount(const MountSettings& settings) {
    const std::string& mountpoint = settings.mountpoint;
    FusermountWords fusermount;
    const int failed = fuse_session_mount(handle, mountpoint.c_str());
    const std::string said = fusermount.end();
    if (failed != 0)
      throw MountError(mountpoint + ": " + (said.empty() ? last_libfuse_message() : said) +
                       advice_for_users(mountpoint, settings.allows_others));
    mounted = true;
    if (settings.no_symfollow)
      remount_only_here(mountpoint, mount_flags(settings.fuse_options) | MS_NOSYMFOLLOW);
    const fuse_custom_io io{.writev = write_reply,
                            .read = read_request,
                            .splice_receive = nullptr,
                            .splice_send = nullptr};
    if (const int error = fuse_session_custom_io(handle, &io, fuse_session_fd(handle)); error != 0)
      throw MountError(mountpoint + ": libfuse: " + std::strerror(-error));
  }
  /// Also when somebody else did it: libfuse sees that, and only gives its memory back.
  void unmount() {
    if (std::exchange(mounted, false))
      fuse_session_unmount(handle);
  }

  fuse_session* handle = nullptr;
  bool mounted = false;
};

Mount::Mount(asio::io_context& io, Client& client, const Attributes& root, MountSettings settings,
             Events events)
    : io_(io),
      client_(client),
      settings_(std::move(settings)),
      events_(std::move(events)),
      nodes_(root, [this](Node& node) { fids_.drop(node); }),
      fids_(nodes_, client_, settings_.max_fids),
      hidden_(*this),
      paths_(io, nodes_),
      unresolved_(io, client_.fates(), paths_),
      renames_(io),
      locks_(*this) {
  nodes_.set_attr_timeout(settings_.attr_timeout);
  fuse_set_log_func(log_libfuse);
  session_ = std::make_unique<Session>(*this, settings_.fuse_options);
  check_type(settings_.mountpoint, root);
  session_->mount(settings_);
  device_ = std::make_unique<Device>(io_, session_->handle, events_.unmounted);
  device_->start();
}

Mount::~Mount() {
  unmount();
}

void Mount::unmount() {
  fuse_session_exit(session_->handle);  // replies that come too late are no error now
  device_->stop();
  session_->unmount();
  hidden_.close_all();
}

void Mount::negotiate(fuse_conn_info& connection) {
  const auto want = [&](unsigned capability, bool wanted) {
    if (wanted)
      connection.want |= capability & connection.capable;
    else
      connection.want &= ~capability;
  };
  want(FUSE_CAP_ASYNC_READ, true);      // several read-ahead requests at once
  want(FUSE_CAP_ASYNC_DIO, true);       // a large O_DIRECT read in pieces at once
  want(FUSE_CAP_ATOMIC_O_TRUNC, true);  // truncation goes with Tlopen: one message less, and atomic
  want(FUSE_CAP_READDIRPLUS, true);     // ls -l: the attributes come with the names
  want(FUSE_CAP_READDIRPLUS_AUTO, true);  // but only when somebody asks for them
  want(FUSE_CAP_AUTO_INVAL_DATA, true);   // pages go when size or mtime change
  want(FUSE_CAP_HANDLE_KILLPRIV, false);  // it would not say when: see set_id.hpp
  // The kernel checks ACLs, and leaves the umask to us, for a default ACL takes its place.
  want(FUSE_CAP_POSIX_ACL | FUSE_CAP_DONT_MASK, settings_.posix_acl);
  want(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE, false);  // slower
  want(FUSE_CAP_WRITEBACK_CACHE, false);  // data is the server's when write(2) returns
  // Without them the kernel arbitrates by itself.
  want(FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS, settings_.server_locks);
  connection.max_write = Device::kMaxWrite;
  connection.max_background = 64;
  connection.congestion_threshold = 48;
  // Behind our answer, or the kernel would cut it to what it had offered.
  asio::post(io_, [this] { raise_read_ahead(); });
  spawn_detached(hidden_.clear_root());
  events_.ready();
}

/// The kernel lets us ask for at most 128 KiB; root may set more on the mount's own bdi.
void Mount::raise_read_ahead() const {
  // The device number of the mount, without a stat(2) that would ask ourselves.
  if (const auto mount = mounted_on(settings_.mountpoint))
    std::ofstream("/sys/class/bdi/" + mount->device + "/read_ahead_kb") << kReadAheadKiB;
}

/// Everything that an operation may throw ends here.
awaitable<void> Mount::perform(std::shared_ptr<Request> request, awaitable<void> operation) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  co_await asio::this_coro::throw_if_cancelled(false);
  int failure = 0;
  try {
    co_await std::move(operation);
  } catch (const std::bad_alloc&) {
    failure = ENOMEM;
  } catch (const std::exception& error) {
    log::error("an operation failed: {}", error.what());
    failure = EIO;
  }
  if (failure != 0 && !request->replied())
    request->reply_errno(failure);
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): the handler keeps it.
void Mount::spawn(std::shared_ptr<Request> request, awaitable<void> operation) {
  ++operations_;
  const auto slot = request->slot();
  // The handler keeps the request: its signal must outlive the slot.
  auto finished = [this, request](const std::exception_ptr&) { --operations_; };
  asio::co_spawn(io_, perform(request, std::move(operation)),
                 asio::bind_cancellation_slot(slot, std::move(finished)));
}

void Mount::spawn_detached(awaitable<void> work) {
  ++operations_;
  asio::co_spawn(io_, std::move(work), [this](const std::exception_ptr&) { --operations_; });
}

fuse_entry_param Mount::entry_of(const Node& node) const {
  fuse_entry_param entry{};
  entry.ino = node.id();
  entry.attr = to_stat(node);
  const bool fresh = node.fresh_until > Clock::now();
  entry.attr_timeout = fresh ? attr_timeout() : 0;
  entry.entry_timeout = fresh ? seconds(settings_.entry_timeout) : 0;
  return entry;
}

void Mount::forget_attributes(const Node& node) {
  // A negative offset: not the pages, whose locks the kernel may hold while it waits for us.
  fuse_lowlevel_notify_inval_inode(session_->handle, node.id(), -1, 0);
}

}  // namespace fuse9p::fs
