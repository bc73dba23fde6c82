// SPDX-License-Identifier: MIT
#include "src/endpoint.hpp"

#include "proto/types.hpp"
#include "src/usage_error.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

namespace fuse9p {
namespace {

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kLettersAndDigits =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

std::string quoted(std::string_view text) {
  return "\"" + std::string(text) + "\"";
}

bool only_has(std::string_view text, std::string_view allowed) {
  return text.find_first_not_of(allowed) == std::string_view::npos;
}

/// An IPv6 address, with or without a scope ("fe80::1%eth0").
bool is_ipv6(std::string_view host) {
  const auto percent = host.find('%');
  if (percent != std::string_view::npos && percent + 1 == host.size())
    return false;
  in6_addr address{};
  return inet_pton(AF_INET6, std::string(host.substr(0, percent)).c_str(), &address) == 1;
}

/// Letters beyond ASCII pass: the resolver knows about international names.
bool is_host_name(std::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x80 || only_has({&c, 1}, kLettersAndDigits) ||
           c == '-' || c == '.' || c == '_';
  });
}

void check_host(std::string_view host) {
  if (host.empty())
    throw UsageError("the host is missing");
  if (!is_host_name(host) && !is_ipv6(host))
    throw UsageError("host must be a name or an IP address, not " + quoted(host));
}

std::string port_of_source(std::string_view text) {
  try {
    return parse_port(text);
  } catch (const UsageError& error) {
    throw UsageError("port " + std::string(error.what()) + ", not " + quoted(text));
  }
}

ParsedSource tcp_source(std::string_view host, std::optional<std::string_view> port) {
  check_host(host);
  return {TcpEndpoint{std::string(host),
                      port ? port_of_source(*port) : std::to_string(proto::kDefaultPort)},
          std::nullopt, port.has_value()};
}

/// "[::1]" or "[::1]:5640"
ParsedSource parse_bracketed(std::string_view text) {
  const auto end = text.find(']');
  if (end == std::string_view::npos)
    throw UsageError("the closing ] is missing");
  const auto host = text.substr(1, end - 1);
  const auto rest = text.substr(end + 1);
  if (!is_ipv6(host))
    throw UsageError("must have an IPv6 address in brackets, not " + quoted(host));
  if (rest.empty())
    return tcp_source(host, std::nullopt);
  if (rest.front() != ':')
    throw UsageError("must have :PORT or nothing behind ], not " + quoted(rest));
  return tcp_source(host, rest.substr(1));
}

/// "host", "host:564", "::1" or the bracketed forms
ParsedSource parse_host_and_port(std::string_view text) {
  if (text.starts_with('['))
    return parse_bracketed(text);
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || is_ipv6(text))
    return tcp_source(text, std::nullopt);
  if (text.find(':', colon + 1) != std::string_view::npos)
    throw UsageError(
        "has more than one colon; write an IPv6 address with a port as [ADDRESS]:PORT");
  return tcp_source(text.substr(0, colon), text.substr(colon + 1));
}

/// What NFS, diod and v9fs users write: the tree follows the host, behind a colon.
ParsedSource parse_host_and_tree(std::string_view text) {
  if (text.find("://") != std::string_view::npos)
    throw UsageError("must not be a URL; write HOST, HOST:PORT or HOST:/ANAME");
  const auto colon = text.find(":/");
  ParsedSource parsed = parse_host_and_port(text.substr(0, colon));
  if (colon != std::string_view::npos)
    parsed.aname = text.substr(colon + 1);
  return parsed;
}

ParsedSource parse_unix(std::string_view path) {
  if (path.empty())
    throw UsageError("the path of the socket is missing");
  if (path.size() > kMaxSocketPath)
    throw UsageError("path of a socket must be at most " + std::to_string(kMaxSocketPath) +
                     " bytes long, not " + std::to_string(path.size()));
  return {UnixEndpoint{std::string(path)}, std::nullopt};
}

/// Plan 9's dial string, behind "tcp!".
ParsedSource parse_dialed_tcp(std::string_view text) {
  const auto mark = text.find('!');
  if (mark == std::string_view::npos)
    return tcp_source(text, std::nullopt);
  return tcp_source(text.substr(0, mark), text.substr(mark + 1));
}

ParsedSource parse_dial(std::string_view network, std::string_view address) {
  if (network == "tcp")
    return parse_dialed_tcp(address);
  if (network == "unix")
    return parse_unix(address);
  throw UsageError("network must be tcp or unix, not " + quoted(network));
}

int parse_descriptor(std::string_view text) {
  int descriptor = -1;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), descriptor);
  if (text.empty() || !only_has(text, kDigits) || failure != std::errc{})
    throw UsageError("must be fd:N or fd:RFD,WFD with descriptor numbers, not " + quoted(text));
  return descriptor;
}

ParsedSource parse_descriptors(std::string_view text) {
  const auto comma = text.find(',');
  const int rfd = parse_descriptor(text.substr(0, comma));
  const int wfd = comma == std::string_view::npos ? rfd : parse_descriptor(text.substr(comma + 1));
  return {FdEndpoint{rfd, wfd}, std::nullopt};
}

ParsedSource parse_exec(std::string_view command) {
  if (only_has(command, " \t\n"))
    throw UsageError("the command is missing; write exec:COMMAND");
  return {ExecEndpoint{std::string(command)}, std::nullopt};
}

std::uint32_t parse_vsock_number(std::string_view text, std::string_view what) {
  constexpr std::uint32_t kAny = ~std::uint32_t{0};  // which is nobody
  std::uint32_t number = kAny;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || !only_has(text, kDigits) || failure != std::errc{} || number == kAny)
    throw UsageError(std::string(what) + " must be a number, not " + quoted(text) +
                     "; write vsock:CID:PORT, where CID 2 is the host");
  return number;
}

ParsedSource parse_vsock(std::string_view text) {
  const auto colon = text.find(':');
  const bool has_port = colon != std::string_view::npos;
  VsockEndpoint vsock{.cid = parse_vsock_number(text.substr(0, colon), "CID"),
                      .port = proto::kDefaultPort};
  if (has_port)
    vsock.port = parse_vsock_number(text.substr(colon + 1), "port");
  return {vsock, std::nullopt, has_port};
}

ParsedSource parse_device(std::string_view path) {
  if (!path.starts_with('/'))
    throw UsageError("must be dev:PATH with a path that begins with a slash, not " + quoted(path));
  return {DeviceEndpoint{std::string(path)}, std::nullopt};
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix))
    return false;
  text.remove_prefix(prefix.size());
  return true;
}

ParsedSource parse_any(std::string_view text) {
  if (take_prefix(text, "exec:"))
    return parse_exec(text);
  if (take_prefix(text, "unix:"))
    return parse_unix(text);
  if (take_prefix(text, "fd:"))
    return parse_descriptors(text);
  if (take_prefix(text, "vsock:"))
    return parse_vsock(text);
  if (take_prefix(text, "dev:"))
    return parse_device(text);
  if (text.starts_with('/'))
    return parse_unix(text);
  // A path may contain '!' (unix!/a!b), a host:/aname too: only a word in front of it is a network.
  const auto mark = text.find_first_of("!:/[");
  if (mark != std::string_view::npos && text[mark] == '!')
    return parse_dial(text.substr(0, mark), text.substr(mark + 1));
  return parse_host_and_tree(text);
}

std::string text_of(const TcpEndpoint& tcp) {
  const bool brackets = tcp.host.find(':') != std::string::npos;
  return (brackets ? "[" + tcp.host + "]" : tcp.host) + ":" + tcp.port;
}

std::string text_of(const UnixEndpoint& socket) {
  return "unix:" + socket.path;
}

std::string text_of(const FdEndpoint& fd) {
  const std::string text = "fd:" + std::to_string(fd.rfd);
  return fd.rfd == fd.wfd ? text : text + "," + std::to_string(fd.wfd);
}

std::string text_of(const VsockEndpoint& vsock) {
  return "vsock:" + std::to_string(vsock.cid) + ":" + std::to_string(vsock.port);
}

std::string text_of(const DeviceEndpoint& device) {
  return "dev:" + device.path;
}

std::string text_of(const ExecEndpoint& exec) {
  return "exec:" + exec.command;
}

}  // namespace

ParsedSource parse_source(std::string_view source) {
  try {
    return parse_any(source);
  } catch (const UsageError& error) {
    throw UsageError("source " + std::string(source) + ": " + error.what());
  }
}

std::string parse_port(std::string_view text) {
  constexpr std::string_view expected = "must be 1 to 65535 or a service name";
  const bool is_name = !text.empty() && only_has(text.substr(0, 1), kLettersAndDigits) &&
                       std::all_of(text.begin(), text.end(), [](char c) {
                         return only_has({&c, 1}, kLettersAndDigits) || c == '-' || c == '_';
                       });
  if (!is_name)
    throw UsageError(std::string(expected));
  if (!only_has(text, kDigits))
    return std::string(text);
  std::uint16_t port = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (failure != std::errc{} || port == 0)
    throw UsageError(std::string(expected));
  return std::to_string(port);
}

std::string to_string(const Endpoint& endpoint) {
  return std::visit([](const auto& kind) { return text_of(kind); }, endpoint);
}

}  // namespace fuse9p
