// SPDX-License-Identifier: MIT
#include "src/endpoint.hpp"

#include "src/usage_error.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace fuse9p {

// Found by GoogleTest through the argument's namespace.
std::ostream& operator<<(std::ostream& out, const TcpEndpoint& tcp) {
  return out << "tcp host \"" << tcp.host << "\" port \"" << tcp.port << '"';
}
std::ostream& operator<<(std::ostream& out, const UnixEndpoint& socket) {
  return out << "unix \"" << socket.path << '"';
}
std::ostream& operator<<(std::ostream& out, const FdEndpoint& fd) {
  return out << "fd " << fd.rfd << ',' << fd.wfd;
}
std::ostream& operator<<(std::ostream& out, const ExecEndpoint& exec) {
  return out << "exec \"" << exec.command << '"';
}

std::ostream& operator<<(std::ostream& out, const VsockEndpoint& vsock) {
  return out << "vsock " << vsock.cid << ':' << vsock.port;
}
std::ostream& operator<<(std::ostream& out, const DeviceEndpoint& device) {
  return out << "dev \"" << device.path << '"';
}

namespace {

std::string error_of(std::string_view source) {
  try {
    return "no error, but " + to_string(parse_source(source).endpoint);
  } catch (const UsageError& error) {
    return error.what();
  }
}

struct Form {
  std::string_view source;
  Endpoint endpoint;
  std::string_view canonical;
};

const std::vector<Form> kForms{
    {"host", TcpEndpoint{"host", "564"}, "host:564"},
    {"host:564", TcpEndpoint{"host", "564"}, "host:564"},
    {"files.example.org:5640", TcpEndpoint{"files.example.org", "5640"}, "files.example.org:5640"},
    {"192.0.2.1:0564", TcpEndpoint{"192.0.2.1", "564"}, "192.0.2.1:564"},
    {"my_host-1:65535", TcpEndpoint{"my_host-1", "65535"}, "my_host-1:65535"},
    {"b\xc3\xbc\x63her.example", TcpEndpoint{"b\xc3\xbc\x63her.example", "564"},
     "b\xc3\xbc\x63her.example:564"},
    {"host:9pfs", TcpEndpoint{"host", "9pfs"}, "host:9pfs"},
    {"host:9fs", TcpEndpoint{"host", "9fs"}, "host:9fs"},
    {"[::1]:5640", TcpEndpoint{"::1", "5640"}, "[::1]:5640"},
    {"[::1]", TcpEndpoint{"::1", "564"}, "[::1]:564"},
    {"::1", TcpEndpoint{"::1", "564"}, "[::1]:564"},
    {"2001:db8::5640", TcpEndpoint{"2001:db8::5640", "564"}, "[2001:db8::5640]:564"},
    {"[fe80::1%eth0]:1", TcpEndpoint{"fe80::1%eth0", "1"}, "[fe80::1%eth0]:1"},
    {"tcp!host!564", TcpEndpoint{"host", "564"}, "host:564"},
    {"tcp!host", TcpEndpoint{"host", "564"}, "host:564"},
    {"tcp!host!9fs", TcpEndpoint{"host", "9fs"}, "host:9fs"},
    {"tcp!::1!5640", TcpEndpoint{"::1", "5640"}, "[::1]:5640"},
    {"unix:/run/9p.sock", UnixEndpoint{"/run/9p.sock"}, "unix:/run/9p.sock"},
    {"unix!/run/9p.sock", UnixEndpoint{"/run/9p.sock"}, "unix:/run/9p.sock"},
    {"unix!/run/a!b:c", UnixEndpoint{"/run/a!b:c"}, "unix:/run/a!b:c"},
    {"unix:9p.sock", UnixEndpoint{"9p.sock"}, "unix:9p.sock"},
    {"/run/9p.sock", UnixEndpoint{"/run/9p.sock"}, "unix:/run/9p.sock"},
    {"/tmp/ns.glenda.:0/acme", UnixEndpoint{"/tmp/ns.glenda.:0/acme"},
     "unix:/tmp/ns.glenda.:0/acme"},
    {"fd:3", FdEndpoint{3, 3}, "fd:3"},
    {"fd:0,1", FdEndpoint{0, 1}, "fd:0,1"},
    {"exec:diod -n -e /srv -r 0 -w 1", ExecEndpoint{"diod -n -e /srv -r 0 -w 1"},
     "exec:diod -n -e /srv -r 0 -w 1"},
    {"vsock:2", VsockEndpoint{2, 564}, "vsock:2:564"},
    {"vsock:2:5640", VsockEndpoint{2, 5640}, "vsock:2:5640"},
    {"vsock:4294967294:4294967294", VsockEndpoint{4294967294, 4294967294},
     "vsock:4294967294:4294967294"},
    {"dev:/dev/virtio-ports/org.example.9p", DeviceEndpoint{"/dev/virtio-ports/org.example.9p"},
     "dev:/dev/virtio-ports/org.example.9p"},
    {"exec: a 'b,c' unix:!\\ ", ExecEndpoint{" a 'b,c' unix:!\\ "}, "exec: a 'b,c' unix:!\\ "},
};

TEST(Endpoint, EverySourceFormIsUnderstood) {
  for (const Form& form : kForms)
    EXPECT_EQ(parse_source(form.source).endpoint, form.endpoint) << form.source;
}

TEST(Endpoint, IsNamedInCanonicalForm) {
  for (const Form& form : kForms)
    EXPECT_EQ(to_string(form.endpoint), form.canonical) << form.source;
}

TEST(Endpoint, CanonicalFormIsASourceAgain) {
  for (const Form& form : kForms)
    EXPECT_EQ(parse_source(form.canonical).endpoint, form.endpoint) << form.canonical;
}

TEST(Endpoint, TreeFollowsTheHostBehindAColon) {
  struct Case {
    std::string_view source;
    Endpoint endpoint;
    std::string_view aname;
  };
  const std::vector<Case> cases{
      {"host:/export", TcpEndpoint{"host", "564"}, "/export"},
      {"host:5640:/a:/b c", TcpEndpoint{"host", "5640"}, "/a:/b c"},
      {"host:/", TcpEndpoint{"host", "564"}, "/"},
      {"host:/a!b", TcpEndpoint{"host", "564"}, "/a!b"},
      {"[::1]:/srv", TcpEndpoint{"::1", "564"}, "/srv"},
      {"[::1]:5640:/srv", TcpEndpoint{"::1", "5640"}, "/srv"},
      {"2001:db8::1:/srv", TcpEndpoint{"2001:db8::1", "564"}, "/srv"},
  };
  for (const auto& [source, endpoint, aname] : cases) {
    const ParsedSource parsed = parse_source(source);
    EXPECT_EQ(parsed.endpoint, endpoint) << source;
    EXPECT_EQ(parsed.aname, aname) << source;
  }
}

TEST(Endpoint, NoTreeIsReportedWhereNoneIsWritten) {
  for (const Form& form : kForms)
    EXPECT_EQ(parse_source(form.source).aname, std::nullopt) << form.source;
}

TEST(Endpoint, WrittenPortIsToldFromTheDefault) {
  for (const std::string_view source : {"host:564", "[::1]:564", "tcp!host!564", "host:564:/srv"})
    EXPECT_TRUE(parse_source(source).port_given) << source;
  EXPECT_TRUE(parse_source("vsock:2:564").port_given);
  for (const std::string_view source :
       {"host", "[::1]", "::1", "tcp!host", "host:/srv", "fd:3", "vsock:2"})
    EXPECT_FALSE(parse_source(source).port_given) << source;
}

TEST(Endpoint, ErrorNamesTheSourceTheValueAndWhatWasExpected) {
  struct Case {
    std::string_view source;
    std::string_view error;
  };
  const std::vector<Case> cases{
      {"host:0", "source host:0: port must be 1 to 65535 or a service name, not \"0\""},
      {"host:65536", "source host:65536: port must be 1 to 65535 or a service name, not \"65536\""},
      {"host:99999999999",
       "source host:99999999999: port must be 1 to 65535 or a service name, not \"99999999999\""},
      {"host:", "source host:: port must be 1 to 65535 or a service name, not \"\""},
      {"host:-1", "source host:-1: port must be 1 to 65535 or a service name, not \"-1\""},
      {"host:9 fs", "source host:9 fs: port must be 1 to 65535 or a service name, not \"9 fs\""},
      {"[::1]:", "source [::1]:: port must be 1 to 65535 or a service name, not \"\""},
      {"tcp!host!0", "source tcp!host!0: port must be 1 to 65535 or a service name, not \"0\""},
      {"tcp!host!", "source tcp!host!: port must be 1 to 65535 or a service name, not \"\""},
      {":564", "source :564: the host is missing"},
      {":/srv", "source :/srv: the host is missing"},
      {"tcp!", "source tcp!: the host is missing"},
      {"a b", "source a b: host must be a name or an IP address, not \"a b\""},
      {"dir/file", "source dir/file: host must be a name or an IP address, not \"dir/file\""},
      {"tcp!*!564", "source tcp!*!564: host must be a name or an IP address, not \"*\""},
      {"tcp!1::2::3!5",
       "source tcp!1::2::3!5: host must be a name or an IP address, not \"1::2::3\""},
      {"fe80::1%",
       "source fe80::1%: has more than one colon; write an IPv6 address with a port as "
       "[ADDRESS]:PORT"},
      {"host:1:2",
       "source host:1:2: has more than one colon; write an IPv6 address with a port as "
       "[ADDRESS]:PORT"},
      {"[::1", "source [::1: the closing ] is missing"},
      {"[host]:564", "source [host]:564: must have an IPv6 address in brackets, not \"host\""},
      {"[]", "source []: must have an IPv6 address in brackets, not \"\""},
      {"[::1]564", "source [::1]564: must have :PORT or nothing behind ], not \"564\""},
      {"tcp://host", "source tcp://host: must not be a URL; write HOST, HOST:PORT or HOST:/ANAME"},
      {"il!host!564", "source il!host!564: network must be tcp or unix, not \"il\""},
      {"!host", "source !host: network must be tcp or unix, not \"\""},
      {"unix:", "source unix:: the path of the socket is missing"},
      {"unix!", "source unix!: the path of the socket is missing"},
      {"fd:", "source fd:: must be fd:N or fd:RFD,WFD with descriptor numbers, not \"\""},
      {"fd:x", "source fd:x: must be fd:N or fd:RFD,WFD with descriptor numbers, not \"x\""},
      {"fd:-1", "source fd:-1: must be fd:N or fd:RFD,WFD with descriptor numbers, not \"-1\""},
      {"fd:3,", "source fd:3,: must be fd:N or fd:RFD,WFD with descriptor numbers, not \"\""},
      {"fd:3,4,5",
       "source fd:3,4,5: must be fd:N or fd:RFD,WFD with descriptor numbers, not \"4,5\""},
      {"fd:2147483648",
       "source fd:2147483648: must be fd:N or fd:RFD,WFD with descriptor numbers, not "
       "\"2147483648\""},
      {"vsock:",
       "source vsock:: CID must be a number, not \"\"; write vsock:CID:PORT, where CID 2 is the "
       "host"},
      {"vsock:host:564",
       "source vsock:host:564: CID must be a number, not \"host\"; write vsock:CID:PORT, where CID "
       "2 is the host"},
      {"vsock:4294967295",
       "source vsock:4294967295: CID must be a number, not \"4294967295\"; write vsock:CID:PORT, "
       "where CID 2 is the host"},
      {"vsock:2:",
       "source vsock:2:: port must be a number, not \"\"; write vsock:CID:PORT, where CID 2 is the "
       "host"},
      {"vsock:2:9pfs",
       "source vsock:2:9pfs: port must be a number, not \"9pfs\"; write vsock:CID:PORT, where CID "
       "2 "
       "is the host"},
      {"dev:", "source dev:: must be dev:PATH with a path that begins with a slash, not \"\""},
      {"dev:ttyS0",
       "source dev:ttyS0: must be dev:PATH with a path that begins with a slash, not \"ttyS0\""},
      {"exec:", "source exec:: the command is missing; write exec:COMMAND"},
      {"exec: \t", "source exec: \t: the command is missing; write exec:COMMAND"},
  };
  for (const auto& [source, error] : cases)
    EXPECT_EQ(error_of(source), error);
}

TEST(Endpoint, SocketPathOf107BytesIsTheLongest) {
  const std::string longest = "/" + std::string(kMaxSocketPath - 1, 'a');
  EXPECT_EQ(parse_source("unix:" + longest).endpoint, Endpoint(UnixEndpoint{longest}));
  for (const std::string prefix : {"unix:", "unix!", ""}) {
    const std::string source = prefix + longest + "a";
    EXPECT_EQ(error_of(source),
              "source " + source + ": path of a socket must be at most 107 bytes long, not 108");
  }
}

TEST(Endpoint, PortIsMadeCanonical) {
  EXPECT_EQ(parse_port("00564"), "564");
  EXPECT_EQ(parse_port("1"), "1");
  EXPECT_EQ(parse_port("65535"), "65535");
  EXPECT_EQ(parse_port("9pfs"), "9pfs");
}

}  // namespace
}  // namespace fuse9p
