// SPDX-License-Identifier: MIT
// Calls on names:
//
//     mkdir PATH MODE          rmdir PATH              unlink PATH
//     symlink TARGET PATH      readlink PATH           mkfifo PATH MODE
//     mknod PATH file|fifo|socket|null|disk MODE       (null is /dev/null's device)
//     link OLD NEW             follow_link OLD NEW (what a symlink names)
//     link_file F NEW          the open file, by /proc/self/fd
//     rename OLD NEW           rename_at F OLD G NEW   between open directories
//     exchange OLD NEW, noreplace OLD NEW, whiteout OLD NEW: renameat2
//     mkdir_at F PATH MODE, unlink_at F PATH, stat_at F PATH
//     bind S PATH (listens)    connect S PATH          sockets
#include "tests/parity/performer.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>

// Of Linux's fs.h, which does not go well with stdio.h.
#ifndef RENAME_WHITEOUT
#define RENAME_WHITEOUT 4
#endif

namespace fuse9p::test::parity {
namespace {

std::string mkdir(Performer&, const Words& w) {
  return result(::mkdir(w.c_str(1), w.mode(2)));
}
std::string mkdir_at(Performer& by, const Words& w) {
  return result(::mkdirat(by.fd(w[1]), w.c_str(2), w.mode(3)));
}
std::string rmdir(Performer&, const Words& w) {
  return result(::rmdir(w.c_str(1)));
}
std::string unlink(Performer&, const Words& w) {
  return result(::unlink(w.c_str(1)));
}
std::string unlink_at(Performer& by, const Words& w) {
  return result(::unlinkat(by.fd(w[1]), w.c_str(2), 0));
}
std::string stat_at(Performer& by, const Words& w) {
  struct stat found {};
  const int done = ::fstatat(by.fd(w[1]), w.c_str(2), &found, AT_SYMLINK_NOFOLLOW);
  return done < 0 ? error_name() : shown(found);
}

std::string symlink(Performer&, const Words& w) {
  return result(::symlink(w.c_str(1), w.c_str(2)));
}
std::string readlink(Performer&, const Words& w) {
  char target[5000];
  const ssize_t size = ::readlink(w.c_str(1), target, sizeof target);
  return size < 0 ? error_name() : shown({target, static_cast<std::size_t>(size)});
}

std::string mkfifo(Performer&, const Words& w) {
  return result(::mkfifo(w.c_str(1), w.mode(2)));
}
std::string mknod(Performer&, const Words& w) {
  const std::map<std::string, int> types = {{"file", S_IFREG},
                                            {"fifo", S_IFIFO},
                                            {"socket", S_IFSOCK},
                                            {"null", S_IFCHR},
                                            {"disk", S_IFBLK}};
  const auto type = static_cast<mode_t>(w.flags(2, types));
  const dev_t device = S_ISCHR(type) ? makedev(1, 3) : S_ISBLK(type) ? makedev(259, 70000) : 0;
  return result(::mknod(w.c_str(1), type | w.mode(3), device));
}

std::string link_with(const Words& w, int flags) {
  return result(::linkat(AT_FDCWD, w.c_str(1), AT_FDCWD, w.c_str(2), flags));
}
std::string link(Performer&, const Words& w) {
  return link_with(w, 0);
}
std::string follow_link(Performer&, const Words& w) {
  return link_with(w, AT_SYMLINK_FOLLOW);
}
std::string link_file(Performer& by, const Words& w) {
  const std::string path = "/proc/self/fd/" + std::to_string(by.fd(w[1]));
  return result(::linkat(AT_FDCWD, path.c_str(), AT_FDCWD, w.c_str(2), AT_SYMLINK_FOLLOW));
}

std::string rename_with(const Words& w, unsigned flags) {
  return result(::renameat2(AT_FDCWD, w.c_str(1), AT_FDCWD, w.c_str(2), flags));
}
std::string rename(Performer&, const Words& w) {
  return result(::rename(w.c_str(1), w.c_str(2)));
}
std::string rename_at(Performer& by, const Words& w) {
  return result(::renameat(by.fd(w[1]), w.c_str(2), by.fd(w[3]), w.c_str(4)));
}
std::string exchange(Performer&, const Words& w) {
  return rename_with(w, RENAME_EXCHANGE);
}
std::string noreplace(Performer&, const Words& w) {
  return rename_with(w, RENAME_NOREPLACE);
}
std::string whiteout(Performer&, const Words& w) {
  return rename_with(w, RENAME_WHITEOUT);
}

// ---- sockets

using SocketCall = int (*)(int, const sockaddr*, socklen_t);

std::string socket_at(Performer& by, const Words& w, SocketCall call) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (w[2].size() >= sizeof address.sun_path)
    return "too long for the address of a socket";
  w[2].copy(address.sun_path, sizeof address.sun_path - 1);
  const int made = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  by.keep(w[1], made);
  return result(call(made, reinterpret_cast<sockaddr*>(&address), sizeof address));
}
std::string bind(Performer& by, const Words& w) {
  std::string answer = socket_at(by, w, ::bind);
  return answer == "ok" ? result(::listen(by.fd(w[1]), 1)) : answer;
}
std::string connect(Performer& by, const Words& w) {
  return socket_at(by, w, ::connect);
}

constexpr NamedCall kCalls[] = {
    {"mkdir", mkdir},         {"mkdir_at", mkdir_at},   {"rmdir", rmdir},
    {"unlink", unlink},       {"unlink_at", unlink_at}, {"stat_at", stat_at},
    {"symlink", symlink},     {"readlink", readlink},   {"mkfifo", mkfifo},
    {"mknod", mknod},         {"link", link},           {"follow_link", follow_link},
    {"link_file", link_file}, {"rename", rename},       {"rename_at", rename_at},
    {"exchange", exchange},   {"noreplace", noreplace}, {"whiteout", whiteout},
    {"bind", bind},           {"connect", connect},
};

}  // namespace

std::span<const NamedCall> calls_on_names() {
  return kCalls;
}

}  // namespace fuse9p::test::parity
