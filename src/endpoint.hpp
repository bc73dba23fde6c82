// SPDX-License-Identifier: MIT
// Where a 9P server is, as a user writes it: the SOURCE argument of fuse9p(1). Plain values and
// pure functions: nothing here resolves a name, opens a socket or starts a command. Anybody may
// call them before the mount is up; a bad source throws UsageError. Dial strings: dial(2).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace fuse9p {

/// A host name or an address without brackets, and a port in decimal or a service name ("9pfs"):
/// both are resolved at connect time.
struct TcpEndpoint {
  std::string host;
  std::string port;
  bool operator==(const TcpEndpoint&) const = default;
};

/// A Unix stream socket. The path is kept as written: a relative one counts from the directory in
/// which the program was started.
struct UnixEndpoint {
  std::string path;
  bool operator==(const UnixEndpoint&) const = default;
};

/// Descriptors inherited from the parent, connected to a server; they may be the same. Whoever
/// connects owns them from then on.
struct FdEndpoint {
  int rfd = 0;
  int wfd = 0;
  bool operator==(const FdEndpoint&) const = default;
};

/// A command for /bin/sh that speaks 9P on its standard input and output.
struct ExecEndpoint {
  std::string command;
  bool operator==(const ExecEndpoint&) const = default;
};

using Endpoint = std::variant<TcpEndpoint, UnixEndpoint, FdEndpoint, ExecEndpoint>;

struct ParsedSource {
  Endpoint endpoint;
  /// The tree named behind the host, as in "host:/srv".
  std::optional<std::string> aname;
  /// False when the port of a TcpEndpoint is only the default, 564.
  bool port_given = false;
};

/// The longest path that sockaddr_un carries with its terminating zero, in bytes.
inline constexpr std::size_t kMaxSocketPath = 107;

/// Understands HOST, HOST:PORT, HOST:/ANAME, HOST:PORT:/ANAME (an IPv6 HOST bare or in brackets,
/// with a port only in brackets), tcp!HOST, tcp!HOST!PORT, unix:PATH, unix!PATH, /PATH, fd:N,
/// fd:RFD,WFD and exec:COMMAND. The error names the source.
[[nodiscard]] ParsedSource parse_source(std::string_view source);

/// The port in canonical form. The error is only what was expected ("must be ..."): the caller
/// knows in which option or source the port stood.
[[nodiscard]] std::string parse_port(std::string_view text);

/// The one form in which messages name an endpoint: "host:564", "[::1]:564", "unix:/p", "fd:3,4".
[[nodiscard]] std::string to_string(const Endpoint& endpoint);

}  // namespace fuse9p
