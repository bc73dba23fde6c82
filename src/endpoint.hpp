// SPDX-License-Identifier: MIT
// Where a 9P server is, as a user writes it: the SOURCE argument of fuse9p(1). Plain values and
// pure functions: nothing here resolves a name, opens a socket or starts a command. Anybody may
// call them before the mount is up; a bad source throws UsageError. Dial strings: dial(2).
#pragma once

#include <cstddef>
#include <cstdint>
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

/// A port of a virtual machine or of its host: vsock(7). CID 2 is the host, 1 is this machine.
struct VsockEndpoint {
  std::uint32_t cid = 0;
  std::uint32_t port = 0;
  bool operator==(const VsockEndpoint&) const = default;
};

/// A character device with a server at its other end: a virtio port, a serial line. It is one
/// stream, which can't be begun anew.
struct DeviceEndpoint {
  std::string path;
  bool operator==(const DeviceEndpoint&) const = default;
};

using Endpoint = std::variant<TcpEndpoint, UnixEndpoint, FdEndpoint, ExecEndpoint, VsockEndpoint,
                              DeviceEndpoint>;

/// Can there be another connection to it, when the first one is over?
[[nodiscard]] inline bool can_reconnect(const Endpoint& endpoint) {
  return !std::holds_alternative<FdEndpoint>(endpoint) &&
         !std::holds_alternative<DeviceEndpoint>(endpoint);
}

struct ParsedSource {
  Endpoint endpoint;
  /// The tree named behind the host, as in "host:/srv".
  std::optional<std::string> aname;
  /// False when the port of a TcpEndpoint or a VsockEndpoint is only the default, 564.
  bool port_given = false;
};

/// The longest path that sockaddr_un carries with its terminating zero, in bytes.
inline constexpr std::size_t kMaxSocketPath = 107;

/// Understands HOST, HOST:PORT, HOST:/ANAME, HOST:PORT:/ANAME (an IPv6 HOST bare or in brackets,
/// with a port only in brackets), tcp!HOST, tcp!HOST!PORT, unix:PATH, unix!PATH, /PATH, fd:N,
/// fd:RFD,WFD, exec:COMMAND, vsock:CID, vsock:CID:PORT and dev:PATH. The error names the source.
[[nodiscard]] ParsedSource parse_source(std::string_view source);

/// The port in canonical form. The error is only what was expected ("must be ..."): the caller
/// knows in which option or source the port stood.
[[nodiscard]] std::string parse_port(std::string_view text);

/// The one form in which messages name an endpoint: "host:564", "[::1]:564", "unix:/p", "fd:3,4".
[[nodiscard]] std::string to_string(const Endpoint& endpoint);

}  // namespace fuse9p
