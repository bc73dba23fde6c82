// SPDX-License-Identifier: MIT
// The command line of fuse9p(1): one table of options, from which come the parser, --help and the
// check of the manual page. Used by main() before the mount is up, on any thread; it reads the
// password file when it needs a default for uname, and touches nothing else. A wrong command line
// throws UsageError, whose text names the option, its value and what was expected.
#pragma once

#include "proto/types.hpp"
#include "src/endpoint.hpp"
#include "src/quirks.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fuse9p {

/// trans=, in the order of Endpoint's alternatives.
enum class TransportKind : std::uint8_t { tcp, unix_socket, fd, exec, vsock, device };

/// cache=, in v9fs's words.
enum class CacheMode : std::uint8_t { none, readahead, mmap, loose, fscache };

/// access=: who may use the mount, and as whom the server sees them.
struct Access {
  enum class Mode : std::uint8_t {
    unset,   ///< client if others than the one who mounts are let in, else any
    user,    ///< each local user is attached under the own numeric id
    client,  ///< the same, and permission bits are checked here (9P2000.L)
    any,     ///< everybody is the user who was attached first
    uid,     ///< only the user `uid`
  };
  Mode mode = Mode::unset;
  std::uint32_t uid = 0;  ///< with Mode::uid only
  bool operator==(const Access&) const = default;
};

/// What the user asked for. Times are in milliseconds, sizes in bytes. Grouped for the reader:
/// there is one of it, its padding costs nothing.
struct Options {           // NOLINT(clang-analyzer-optin.performance.Padding)
  std::string source;      ///< as written
  std::string mountpoint;  ///< as written: may be relative
  Endpoint endpoint;       ///< from source, trans, port, rfdno and wfdno

  std::optional<TransportKind> trans;
  std::string port;  ///< empty when not given; a TcpEndpoint has it already
  int rfdno = -1;    ///< -1 when not given
  int wfdno = -1;    ///< -1 when not given
  bool privileged_port = false;
  std::chrono::milliseconds connect_timeout{10'000};

  std::optional<proto::Dialect> dialect;  ///< nothing: the best that the server has
  std::uint32_t msize = 1U << 20;
  std::string uname;
  /// kNoNumericUname when uname was given by name alone: the server looks it up.
  std::uint32_t n_uname = proto::kNoNumericUname;
  std::string aname;
  Access access;
  std::uint32_t dfltuid = 65534;
  std::uint32_t dfltgid = 65534;
  std::uint32_t maxfids = 100'000;
  bool no_xattr = false;
  bool posix_acl = false;
  bool ignore_qid_version = false;
  Quirks quirks;
  bool no_device_map = false;

  CacheMode cache = CacheMode::readahead;
  std::string cache_text = "readahead";  ///< cache= as written
  bool direct_io = false;
  std::chrono::milliseconds attr_timeout{1'000};
  std::chrono::milliseconds entry_timeout{1'000};
  std::chrono::milliseconds negative_timeout{0};
  std::chrono::milliseconds flush_timeout{2'000};
  std::chrono::milliseconds interrupt_grace{1'000};
  std::chrono::milliseconds page_timeout{0};  ///< 0: none

  bool server_locks = false;  ///< locks=server

  bool read_only = false;
  bool allow_other = false;
  bool allow_root = false;
  bool default_permissions = false;
  bool no_symfollow = false;  ///< not among fuse_options: libfuse does not know it
  bool remount = false;       ///< mount nothing, change the flags; no other member is checked then
  /// Nobody asked for them: they come with access for several users, where bits mean something.
  bool permissions_implied = false;
  std::string fsname;  ///< source when not given
  std::string subtype = "fuse9p";
  /// For fuse_session_new(), each behind an -o of its own; commas and backslashes are escaped.
  std::vector<std::string> fuse_options;

  bool foreground = false;
  bool debug = false;  ///< implies foreground
  bool show_help = false;
  bool show_version = false;
  bool mount_helper = false;  ///< run by mount(8)
  bool fake = false;          ///< mount -f: everything but the mount itself
  bool sloppy = false;        ///< mount -s: unknown options become notes
  /// One line for each option that was accepted but does something else than its name says, or
  /// nothing; to be logged after the start.
  std::vector<std::string> notes;

  bool operator==(const Options&) const = default;
};

/// The whole command line, argv[0] included, defaults filled in and conflicts refused. When
/// argv[0]'s last part begins with "mount." the conventions of mount(8) for its helpers apply. With
/// show_help or show_version set nothing else has been looked at.
[[nodiscard]] Options parse_command_line(int argc, const char* const* argv);

}  // namespace fuse9p
