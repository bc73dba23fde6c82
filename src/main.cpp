// SPDX-License-Identifier: MIT
// The program fuse9p(1): wiring only. Options, to the background, connect, mount, run, take down.

#include "fuse/errno.hpp"
#include "fuse/mount.hpp"
#include "fuse/statistics.hpp"
#include "src/client.hpp"
#include "src/daemon.hpp"
#include "src/exit_code.hpp"
#include "src/log.hpp"
#include "src/option_help.hpp"
#include "src/options.hpp"
#include "src/usage_error.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <optional>
#include <utility>

namespace fuse9p {
namespace {

/// After the unmount, operations that still wait for the server get this long to come to their end.
constexpr std::chrono::seconds kDrainTimeout{2};

/// The session and the mount of one run, from the first connection to the last clean-up.
class Program {
 public:
  Program(Options options, Background& background)
      : options_(std::move(options)),
        background_(background),
        signals_(io_),
        report_(io_, SIGUSR1) {}

  /// The exit code.
  int run() {
    if (!start())
      return kExitMount;
    io_.run();
    take_down();
    return exit_code_;
  }

 private:
  bool start() {
    std::exception_ptr failure;
    boost::asio::co_spawn(io_, connect(), [&](const std::exception_ptr& error) {
      failure = error;
      io_.stop();  // the connection goes on reading: the loop would not end by itself
    });
    wait_for_signals();
    io_.run();
    io_.restart();
    try {
      if (failure)
        std::rethrow_exception(failure);
      if (stopping_)  // a signal came first
        return false;
      mount();
      return true;
    } catch (const std::exception& error) {
      log::error("{}", error.what());
      return false;
    }
  }

  awaitable<void> connect() {
    Established established =
        co_await establish(options_.endpoint, transport_settings(), handshake());
    proto::MultiplexerLimits limits;
    limits.flush_timeout = options_.flush_timeout;
    client_.emplace(io_, std::move(established), limits,
                    Client::Events{.lost = [this](const std::string& why) { lost(why); }}, nullptr,
                    IdNames::local(options_.dfltuid, options_.dfltgid), options_.quirks);
    const auto root = co_await client_->getattr(client_->root());
    if (!root)
      throw ConnectError(client_->connection().name() + ": can't look at the root of aname=\"" +
                         options_.aname + "\": " + root.error().message() +
                         "; try another -o aname=EXPORT, or another -o uname=NAME");
    root_ = *root;
  }

  Transport::Settings transport_settings() const {
    return {.privileged_port = options_.privileged_port, .timeout = options_.connect_timeout};
  }
  proto::HandshakeConfig handshake() const {
    using proto::Dialect;
    return {.dialects = options_.dialect ? std::vector{*options_.dialect}
                                         : std::vector{Dialect::l, Dialect::u, Dialect::legacy},
            .can_reconnect = can_reconnect(options_.endpoint),
            .msize = options_.msize,
            .uname = options_.uname,
            .aname = options_.aname,
            .n_uname = options_.n_uname};
  }

  fs::UserPolicy users() const {
    using Mode = Access::Mode;
    const Access& access = options_.access;
    fs::UserPolicy policy;
    policy.attach_each = access.mode == Mode::user || access.mode == Mode::client;
    policy.mount_number = options_.n_uname;
    if (access.mode == Mode::uid)
      policy.only = access.uid;
    return policy;
  }

  /// What was asked for, cut down to what the session can do.
  void adapt_to_session() {
    const Capabilities& session = client_->capabilities();
    const bool several = options_.allow_other || options_.allow_root;
    if (options_.server_locks && (!session.locks || options_.quirks.has(Quirk::no_locks))) {
      options_.server_locks = false;
      options_.notes.emplace_back("locks=server: the server has no locks; they are local");
    }
    options_.no_xattr =
        options_.no_xattr || !session.xattrs || options_.quirks.has(Quirk::no_xattr);
    if (options_.quirks.has(Quirk::few_fids))
      options_.maxfids = std::min(options_.maxfids, kFewFids);
    options_.posix_acl = options_.posix_acl && session.xattrs;
    if (session.unix_permissions)
      return;
    // Only the server knows who may do what: it is asked each time, as the user that it is about.
    if (options_.permissions_implied)
      std::erase(options_.fuse_options, "default_permissions");
    if (several)
      options_.attr_timeout = options_.entry_timeout = options_.negative_timeout = {};
  }

  void mount() {
    clear_the_way();
    adapt_to_session();
    fs::MountSettings settings{.mountpoint = options_.mountpoint,
                               .fuse_options = options_.fuse_options,
                               .allows_others = options_.allow_other || options_.allow_root,
                               .no_symfollow = options_.no_symfollow,
                               .attr_timeout = options_.attr_timeout,
                               .entry_timeout = options_.entry_timeout,
                               .negative_timeout = options_.negative_timeout,
                               .interrupt_grace = options_.interrupt_grace,
                               .flush_timeout = options_.flush_timeout,
                               .page_timeout = options_.page_timeout,
                               .max_fids = options_.maxfids,
                               .users = users(),
                               .server_locks = options_.server_locks,
                               .no_xattr = options_.no_xattr,
                               .posix_acl = options_.posix_acl && !options_.no_xattr,
                               .direct_io = options_.direct_io,
                               .ignore_qid_version = options_.ignore_qid_version};
    mount_.emplace(
        io_, *client_, root_, std::move(settings),
        fs::Mount::Events{.ready = [this] { ready(); }, .unmounted = [this] { stop(); }});
    // A daemon must not keep a directory busy, and must never look at its own mount.
    std::filesystem::current_path("/");
  }

  /// Not before the server has answered: a dead mount is at least seen to be one.
  void clear_the_way() {
    if (fs::remove_dead_mounts(options_.mountpoint, "fuse." + options_.subtype) > 0)
      options_.notes.push_back(
          options_.mountpoint +
          ": was still mounted by a fuse9p that is gone, unmounted that first");
  }

  void ready() {
    const Connection& connection = client_->connection();
    if (background_.in_background())
      log::to_syslog();
    background_.ready();
    log::info("{} on {}: {}, msize {} (asked for {})", connection.name(), options_.mountpoint,
              proto::version_string(connection.dialect()), connection.msize(), options_.msize);
    for (const std::string& note : options_.notes)
      log::info("{}", note);
  }

  void wait_for_signals() {
    report_on_signal();
    for (const int signal : {SIGINT, SIGTERM, SIGHUP})
      signals_.add(signal);
    signals_.async_wait([this](const error_code& error, int signal) {
      if (error)
        return;
      log::info("ended by SIG{}", ::sigabbrev_np(signal));
      stop();
    });
  }

  void report_on_signal() {
    report_.async_wait([this](const error_code& error, int) {
      if (error)
        return;
      if (mount_)
        log::info("{}", fs::statistics(*mount_));
      report_on_signal();
    });
  }

  void lost(const std::string& why) {
    if (stopping_)
      return;
    log::error(
        "{}: connection lost: {}; every call on {} fails with EIO until it is unmounted and "
        "mounted again",
        client_->connection().name(), why, options_.mountpoint);
  }

  /// Once: the take-down runs the loop itself, and the device's end comes here, too.
  void stop() {
    if (!std::exchange(stopping_, true))
      io_.stop();
  }

  /// Turns the loop until `done()`, for at most that long.
  template <class Done>
  void run_until(std::chrono::milliseconds limit, Done done) {
    const auto until = std::chrono::steady_clock::now() + limit;
    io_.restart();
    while (!done() && std::chrono::steady_clock::now() < until)
      io_.run_one_until(until);
  }

  /// The mount point first, so that nobody asks any more; then, as long as a flush may take, what
  /// the server still has to do for us; then the connection, which ends what still waits.
  void take_down() {
    stopping_ = true;
    mount_->unmount();
    signals_.cancel();
    report_.cancel();
    Connection& connection = client_->connection();
    run_until(options_.flush_timeout,
              [&] { return !connection.is_open() || (mount_->tidy() && connection.is_idle()); });
    connection.close(proto::Error::connection_lost, "unmounted");
    run_until(kDrainTimeout, [&] { return mount_->operations() == 0; });
    log::info("{}: unmounted", options_.mountpoint);
    if (mount_->operations() == 0)
      return;
    // They hold on to what would be destroyed now; the system cleans up instead.
    log::error("{} operations did not come to their end: this is a bug in fuse9p",
               mount_->operations());
    log::finish();
    ::_exit(kExitSystem);
  }

  Options options_;
  Background& background_;
  boost::asio::io_context io_{1};
  boost::asio::signal_set signals_, report_;
  std::optional<Client> client_;
  Attributes root_;
  std::optional<fs::Mount> mount_;
  bool stopping_ = false;
  int exit_code_ = kExitSuccess;
};

/// Where the mount goes and where sockets are, whatever directory we are in later.
void make_absolute(Options& options) {
  if (const auto descriptor = fs::passed_descriptor(options.mountpoint)) {
    ::fcntl(*descriptor, F_SETFD, FD_CLOEXEC);  // a server that we start must not keep it open
  } else {
    std::error_code error;
    const auto resolved = std::filesystem::canonical(options.mountpoint, error);
    if (error)
      throw UsageError("mount point " + options.mountpoint + ": " + error.message() +
                       "; name a directory that is there");
    options.mountpoint = resolved.string();
  }
  if (auto* socket = std::get_if<UnixEndpoint>(&options.endpoint))
    socket->path = std::filesystem::absolute(socket->path).string();
}

/// mount(8) does not tell its helpers of suid and dev: they hold unless it tells of nosuid and
/// nodev. Users don't get them anyway.
void follow_mount(Options& options) {
  if (options.mount_helper && ::geteuid() == 0)
    options.fuse_options.insert(options.fuse_options.begin(), {"suid", "dev"});
}

void refuse_what_is_roots(const Options& options) {
  if (options.no_symfollow && ::geteuid() != 0)
    throw UsageError("option nosymfollow: only root can ask for it");
}

int remount(const Options& options) {
  if (!options.fake)
    fs::remount(options.mountpoint, fs::mount_flags(options.fuse_options) |
                                        (options.no_symfollow ? MS_NOSYMFOLLOW : 0));
  return kExitSuccess;
}

void note_what_is_missing(Options& options) {
  if (options.no_device_map)
    options.notes.emplace_back("nodevmap: not in this version");
}

int run(Options options) {
  make_absolute(options);
  follow_mount(options);
  refuse_what_is_roots(options);
  if (options.remount)
    return remount(options);
  note_what_is_missing(options);
  if (options.fake)
    return kExitSuccess;
  ::signal(SIGPIPE, SIG_IGN);
  Background background(options.foreground);
  log::to_stderr(options.debug);
  const int code = Program(std::move(options), background).run();
  log::finish();
  return code;
}

}  // namespace
}  // namespace fuse9p

int main(int argc, char** argv) {
  using namespace fuse9p;
  try {
    Options options = parse_command_line(argc, argv);
    if (options.show_help) {
      std::cout << help_text();
      return kExitSuccess;
    }
    if (options.show_version) {
      std::cout << "fuse9p " FUSE9P_VERSION "\n";
      return kExitSuccess;
    }
    return run(std::move(options));
  } catch (const UsageError& error) {
    std::cerr << "fuse9p: " << error.what() << '\n' << usage();
    return kExitUsage;
  } catch (const fs::MountError& error) {
    std::cerr << "fuse9p: " << error.what() << '\n';
    return kExitMount;
  } catch (const std::exception& error) {
    std::cerr << "fuse9p: " << error.what() << '\n';
    return kExitSystem;
  }
}
