// SPDX-License-Identifier: MIT
// What a person is told when a mount does not come about: the exact line, and the exit status. Each
// names the server or the option, what was attempted, the cause, what was expected, and what to do.

#include "tests/support/mount_fixture.hpp"
#include "tests/support/stranger.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <fstream>
#include <optional>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;

constexpr int kUsage = 1, kMount = 32;

/// In `line`, {} stands for the source.
struct Situation {
  std::string name;
  std::string source;
  std::vector<std::string> options;
  std::string line;
  int status = kMount;
};
std::string with(std::string text, const std::string& placeholder, const std::string& value) {
  for (auto at = text.find(placeholder); at != std::string::npos;
       at = text.find(placeholder, at + value.size()))
    text.replace(at, placeholder.size(), value);
  return text;
}

class Messages : public MountTest {
 protected:
  /// All that fuse9p says, but for the usage.
  std::pair<int, std::string> said(const std::string& source, const fs::path& mountpoint,
                                   const std::vector<std::string>& options,
                                   const std::vector<std::string>& by = {}) {
    Command command =
        fuse9p_command(scratch(), {.source = source, .options = options, .mountpoint = mountpoint});
    command.arguments.insert(command.arguments.begin(), by.begin(), by.end());
    const Finished finished = run(command);
    std::string text = finished.output;
    text.erase(std::min(text.find("usage: "), text.size()));
    return {finished.status.code, text};
  }
  void expect(const Situation& situation) { expect_at(situation, situation.source, mountpoint_); }
  void expect_at(const Situation& situation, const std::string& source, const fs::path& mountpoint,
                 const std::vector<std::string>& by = {}) {
    const auto [status, text] = said(source, mountpoint, situation.options, by);
    EXPECT_EQ(text, "fuse9p: " + with(situation.line, "{}", source) + '\n') << situation.name;
    EXPECT_EQ(status, situation.status) << situation.name;
    EXPECT_FALSE(is_mount_point(mountpoint)) << situation.name;
  }
  void expect_stranger(std::optional<std::string> words, const std::string& line,
                       Stranger::Then then = Stranger::Then::hang_up) {
    const Stranger stranger(std::move(words), then);
    expect({"stranger", stranger.source(), {"connect_timeout=0.5"}, line});
  }
  /// The scripted server, as a command.
  void expect_scripted(const std::vector<std::string>& script, std::vector<std::string> options,
                       const std::string& line) {
    std::string source = "exec:" FUSE9P_SCRIPTED_SERVER;
    for (const std::string& words : script)
      source += " '" + words + "'";
    expect({script.empty() ? "" : script.front(), source, std::move(options), line});
  }
  const fs::path& mountpoint() const { return mountpoint_; }

 private:
  fs::path mountpoint_ = scratch().directory("mnt");
};

// ---- nobody there

TEST_F(Messages, OfServersThatAreNotThere) {
  const std::string closed = "127.0.0.1:" + std::to_string(free_port());
  const fs::path socket = scratch() / "file";
  std::ofstream(socket) << "x";
  const std::vector<Situation> situations = {
      {"server down",
       closed,
       {},
       "{}: can't connect to {}: Connection refused; start the 9P server, or name its port, "
       "HOST:PORT"},
      {"unknown service",
       "127.0.0.1:no-such-service",
       {},
       "{}: can't find the address: Service not found; check the host name and the port"},
      {"no socket",
       "unix:/no/such/socket",
       {},
       "{}: can't connect: No such file or directory; start the 9P server, or name its socket, "
       "unix:PATH"},
      {"a file for a socket",
       "unix:" + socket.string(),
       {},
       "{}: can't connect: Connection refused; start the 9P server, or name its socket, unix:PATH"},
      {"no descriptor",
       "fd:99",
       {},
       "{}: can't use descriptor 99: Bad file descriptor; whoever starts fuse9p must leave it "
       "open, connected to a 9P server"},
      {"no device",
       "dev:/no/such/device",
       {},
       "{}: can't open it: No such file or directory; name a device that has a 9P server behind "
       "it"},
      {"a file for a device",
       "dev:" + socket.string(),
       {},
       "{}: is not a character device; a socket is named unix:PATH"},
      {"a command that ends",
       "exec:true",
       {},
       "{}: no common version: \"9P2000.L\" was answered with a closed connection, \"9P2000.u\" "
       "was answered with a closed connection, \"9P2000\" was answered with a closed connection; "
       "is it a 9P server, and may this host use it?"},
      {"a command that fails",
       "exec:false",
       {},
       "{}: the command ended with status 1 instead of answering with Rversion; try the command "
       "by itself"},
      {"a command that is killed",
       "exec:kill $$",
       {},
       "{}: the command was ended by signal 15 instead of answering with Rversion; try the command "
       "by itself"},
  };
  for (const Situation& situation : situations)
    expect(situation);
}

/// Why it is not found depends on what this machine can ask.
TEST_F(Messages, OfAHostThatThereIsNot) {
  const auto [status, text] = said("no-such-host.invalid", mountpoint(), {"connect_timeout=10"});
  EXPECT_EQ(status, kMount);
  EXPECT_TRUE(text.starts_with("fuse9p: no-such-host.invalid:564: can't find the address: "))
      << text;
  EXPECT_NE(text.find("; check the host name and the port"), std::string::npos) << text;
}

TEST_F(Messages, OfAVsockToNobody) {
  const auto [status, text] = said("vsock:1:3", mountpoint(), {"connect_timeout=10"});
  EXPECT_EQ(status, kMount);
  EXPECT_TRUE(text.starts_with("fuse9p: vsock:1:3: can't connect: ")) << text;
  EXPECT_NE(text.find("; "), std::string::npos) << text;
}

// ---- somebody else there

TEST_F(Messages, OfServersThatSpeakSomethingElse) {
  const std::string got = "{}: does not speak 9P: expected Rversion, got ";
  expect_stranger("HTTP/1.1 400 Bad Request\r\n\r\n",
                  got + "'HTTP/1.1 400 Bad Request'; that is a web server: check the port");
  expect_stranger("SSH-2.0-OpenSSH_9.2\r\n",
                  got +
                      "'SSH-2.0-OpenSSH_9.2\\x0d\\x0a'; that is an SSH server: check the port, "
                      "or try exec:ssh HOST COMMAND");
  expect_stranger(std::string("\x15\x03\x01\x00\x02\x02\x28", 7),
                  got +
                      "'\\x15\\x03\\x01\\x00\\x02\\x02('; that is TLS, which fuse9p does not "
                      "speak: check the port, or try exec:COMMAND");
  expect_stranger("220 mail ESMTP\r\n",
                  got + "'220 mail ESMTP\\x0d\\x0a'; that is a mail or FTP server: check the port");
  expect_stranger("RFB 003.008\n",
                  got + "'RFB 003.008\\x0a'; that is a VNC server: check the port");
  expect_stranger(std::string(8, '\0'),
                  got + "'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00'; is the port right?");
  expect_stranger("garbage of some kind, and much of it",
                  got + "'garbage of some kind, an'; is the port right?");
}

TEST_F(Messages, OfServersThatSayNothing) {
  const std::string late =
      "{}: connected, but no Rversion within 500 ms; is it a 9P server on that port? Else wait "
      "longer: -o connect_timeout=SECONDS";
  expect_stranger("", late, Stranger::Then::stay);
  expect_stranger(std::string("\x13\x00", 2), late, Stranger::Then::stay);
  const std::string hung_up =
      "{}: no common version: \"9P2000.L\" was answered with a closed connection, \"9P2000.u\" was "
      "answered with a closed connection, \"9P2000\" was answered with a closed connection; is it "
      "a 9P server, and may this host use it?";
  expect_stranger(std::nullopt, hung_up);
  expect_stranger("", hung_up);
}

// ---- a 9P server that does not agree

TEST_F(Messages, OfDialectsThatDoNotMeet) {
  expect_scripted({"dialects", "refuse unknown"}, {},
                  "{}: no common version: \"9P2000.L\" was answered with unknown, \"9P2000.u\" was "
                  "answered with unknown, \"9P2000\" was answered with unknown; fuse9p knows no "
                  "other versions");
  expect_scripted({"dialects 9P2000", "refuse downgrade"}, {"version=9p2000.L"},
                  "{}: no common version: \"9P2000.L\" was answered with 9P2000; try -o "
                  "version=9P2000");
  expect_scripted({"dialects 9P2000.L", "refuse rerror"}, {"version=9p2000.u"},
                  "{}: no common version: \"9P2000.u\" was answered with 'unknown version'; leave "
                  "-o version out, or try another one");
  expect_scripted({"dialects 9P2000", "refuse rlerror"}, {"version=9p2000.L"},
                  "{}: no common version: \"9P2000.L\" was answered with Input/output error; leave "
                  "-o version out, or try another one");
  expect_scripted({"on Tversion reply Rattach qid (0x1 0 0x80)"}, {},
                  "{}: does not speak 9P: expected Rversion to agree on version 9P2000.L, got "
                  "Rattach tag 65535 qid (0x1 0 0x80); is the port right?");
}

TEST_F(Messages, OfMessageSizesThatAreNone) {
  for (const std::string msize : {"0", "23", "511"})
    expect_scripted(
        {"on Tversion reply Rversion msize " + msize + " version 9P2000.L"}, {},
        "{}: grants msize " + msize + ", at least 512 is needed; tell the server to grant more");
  expect_scripted({"msize 600"}, {"version=9p2000", "aname=" + std::string(600, 'x')},
                  "{}: uname and aname do not fit into a message of 600 bytes; shorten them");
}

TEST_F(Messages, OfAttachesThatAreRefused) {
  const std::string names =
      "; try -o aname=EXPORT (often a path), or another -o uname=NAME; fuse9p "
      "does not authenticate (diod: -n)";
  const std::string me = "uname=glenda n_uname=1000 ";
  const std::vector<std::string> options = {"uname=glenda", "n_uname=1000", "aname=/srv"};
  expect_scripted({"on Tattach fail EACCES"}, options,
                  "{}: refuses to attach as " + me + "aname=/srv: Permission denied" + names);
  expect_scripted(
      {"on Tattach fail ENOENT"}, options,
      "{}: refuses to attach as " + me + "aname=/srv: No such file or directory" + names);
  expect_scripted({"on Tattach fail EPERM no such user", "dialects 9P2000.u", "refuse downgrade"},
                  options, "{}: refuses to attach as " + me + "aname=/srv: 'no such user'" + names);
  expect_scripted({"on Tattach fail EIO"}, options,
                  "{}: refuses to attach as " + me +
                      "aname=/srv: Input/output error; the server's log may say more");
  expect_scripted({"on Tattach close"}, options,
                  "{}: connection closed instead of an answer to attach as " + me +
                      "aname=/srv; may this host and this user use it?");
  expect_scripted({"on Tattach reply Rversion msize 9000 version 9P2000.L"}, options,
                  "{}: does not speak 9P: expected Rattach to attach as " + me +
                      "aname=/srv, got Rversion tag 0 msize 9000 version 9P2000.L; is the port "
                      "right?");
  expect_scripted({"on Tattach hold"}, {"uname=glenda", "n_uname=1000", "connect_timeout=0.5"},
                  "{}: connected, but no Rattach within 500 ms; what does the server's log say? "
                  "Else wait longer: -o connect_timeout=SECONDS");
  expect_scripted({"on Tgetattr fail EACCES"}, options,
                  "{}: can't look at the root of aname=\"/srv\": Permission denied; try another -o "
                  "aname=EXPORT, or another -o uname=NAME");
}

// ---- options and addresses

TEST_F(Messages, OfOptionsAndAddressesThatAreWrong) {
  const std::vector<Situation> situations = {
      {"port 0",
       "host:0",
       {},
       "source {}: port must be 1 to 65535 or a service name, not \"0\"",
       kUsage},
      {"a URL",
       "http://host",
       {},
       "source {}: must not be a URL; write HOST, HOST:PORT or HOST:/ANAME",
       kUsage},
      {"odd host",
       "a b",
       {},
       "source {}: host must be a name or an IP address, not \"a b\"",
       kUsage},
      {"odd CID",
       "vsock:host:564",
       {},
       "source {}: CID must be a number, not \"host\"; write vsock:CID:PORT, where CID 2 is the "
       "host",
       kUsage},
      {"relative device",
       "dev:ttyS0",
       {},
       "source {}: must be dev:PATH with a path that begins with a slash, not \"ttyS0\"",
       kUsage},
      {"virtio",
       "tag",
       {"trans=virtio"},
       "option trans=virtio: only the kernel's own 9p client can do this; use tcp, unix, fd, exec, "
       "vsock or dev",
       kUsage},
      {"another transport",
       "/run/sock",
       {"trans=tcp"},
       "option trans=tcp: source {} is a Unix socket, expected HOST or HOST:PORT",
       kUsage},
      {"two ports", "host:564", {"port=565"}, "option port=565: source {} names port 564", kUsage},
      {"unknown option",
       "host",
       {"msise=8192"},
       "unknown option \"msise\", did you mean \"msize\"?",
       kUsage},
      {"small msize", "host", {"msize=12"}, "option msize=12: must be 4k to 16M", kUsage},
      {"odd version",
       "host",
       {"version=9p"},
       "option version=9p: must be 9p2000, 9p2000.u or 9p2000.L",
       kUsage},
      {"odd time",
       "host",
       {"attr_timeout=soon"},
       "option attr_timeout=soon: must be 0 to 31536000 seconds",
       kUsage},
      {"no value", "host", {"aname"}, "option aname: needs a value, aname=NAME", kUsage},
      {"two kinds of others",
       "host",
       {"allow_other", "allow_root"},
       "option allow_root: conflicts with allow_other",
       kUsage},
      {"odd quirk",
       "host",
       {"quirks=odd"},
       "option quirks=odd: must be names parted by colons, out of diod1.0, ganesha, crosvm, "
       "no_unlinkat, no_renameat, no_statfs, no_fsync, no_locks, no_xattr, exclusive_create, "
       "few_fids",
       kUsage},
  };
  for (const Situation& situation : situations)
    expect(situation);
}

// ---- the mount point, and FUSE

TEST_F(Messages, OfMountPointsThatAreNone) {
  const std::string source = "exec:" FUSE9P_SCRIPTED_SERVER;
  const fs::path file = scratch() / "file", missing = scratch() / "missing";
  std::ofstream(file) << "x";
  expect_at({"missing",
             source,
             {},
             "mount point " + missing.string() +
                 ": No such file or directory; name a directory that is there",
             kUsage},
            source, missing);
  expect_at(
      {"below a file",
       source,
       {},
       "mount point " + (file / "x").string() + ": Not a directory; name a directory that is there",
       kUsage},
      source, file / "x");
  expect_at({"a file",
             source,
             {},
             file.string() + ": is not a directory, but the server's tree is one; name a directory "
                             "to mount it on"},
            source, file);
}

/// In a mount namespace of its own, in which /dev is not the machine's.
TEST_F(Messages, OfAMachineWithoutFuse) {
  const std::string source = "exec:" FUSE9P_SCRIPTED_SERVER;
  const auto in_namespace = [](const std::string& script) {
    return std::vector<std::string>{"unshare", "-m", "sh", "-c", script + "; exec \"$@\"", "sh"};
  };
  expect_at({"no device",
             source,
             {},
             mountpoint().string() + ": fuse: device not found, try 'modprobe fuse' first; the "
                                     "kernel's log (dmesg) may say more"},
            source, mountpoint(), in_namespace("mount -t tmpfs none /dev"));
  expect_at({"another device",
             source,
             {},
             mountpoint().string() +
                 ": fuse: mount failed: Invalid argument; the kernel's log (dmesg) may say more"},
            source, mountpoint(), in_namespace("mount --bind /dev/null /dev/fuse"));
}

}  // namespace
}  // namespace fuse9p::test
