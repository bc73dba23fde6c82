// SPDX-License-Identifier: MIT
// Calls on attributes; ATIME and MTIME are SECONDS.NANOSECONDS, now or omit:
//
//     stat PATH (lstat)        followed PATH (stat)    fstat F
//     access PATH f|r|w|x...   (real ids)              eaccess PATH f|r|w|x... (effective ones)
//     chmod PATH MODE          fchmod F MODE           chmod_by_proc F MODE (by /proc/self/fd)
//     chown PATH USER GROUP    lchown PATH USER GROUP  fchown F USER GROUP
//     truncate PATH SIZE       ftruncate F SIZE
//     utimens PATH ATIME MTIME (of a symlink itself)   futimens F ATIME MTIME
//     utime_now PATH (utimes with no times)
//     times PATH               ftimes F                atime and mtime
//     tick                     returns when the file system's clock has moved on
//     changed PATH             which of the three times are not those of `changed` before
//     statfs PATH              fstatfs F
//     setxattr PATH NAME VALUE [create|replace]        fsetxattr F NAME VALUE
//     getxattr PATH NAME [SIZE]    fgetxattr F NAME    listxattr PATH [SIZE]
//     removexattr PATH NAME    fremovexattr F NAME     lgetxattr, lsetxattr: of a symlink itself
#include "tests/parity/performer.hpp"
#include "tests/parity/users.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

namespace fuse9p::test::parity {
namespace {

std::string stat_with(const Words& w, int flags) {
  struct stat found {};
  return ::fstatat(AT_FDCWD, w.c_str(1), &found, flags) < 0 ? error_name() : shown(found);
}
std::string stat(Performer&, const Words& w) {
  return stat_with(w, AT_SYMLINK_NOFOLLOW);
}
std::string followed(Performer&, const Words& w) {
  return stat_with(w, 0);
}
std::string fstat(Performer& by, const Words& w) {
  struct stat found {};
  return ::fstat(by.fd(w[1]), &found) < 0 ? error_name() : shown(found);
}

std::string access_with(const Words& w, int flags) {
  int wanted = F_OK;
  for (const char c : w[2])
    wanted |= c == 'r' ? R_OK : c == 'w' ? W_OK : c == 'x' ? X_OK : F_OK;
  return result(::faccessat(AT_FDCWD, w.c_str(1), wanted, flags));
}
std::string access(Performer&, const Words& w) {
  return access_with(w, 0);
}
std::string eaccess(Performer&, const Words& w) {
  return access_with(w, AT_EACCESS);
}

std::string chmod(Performer&, const Words& w) {
  return result(::chmod(w.c_str(1), w.mode(2)));
}
std::string fchmod(Performer& by, const Words& w) {
  return result(::fchmod(by.fd(w[1]), w.mode(2)));
}
std::string chmod_by_proc(Performer& by, const Words& w) {
  const std::string path = "/proc/self/fd/" + std::to_string(by.fd(w[1]));
  return result(::chmod(path.c_str(), w.mode(2)));
}

std::string chown(Performer&, const Words& w) {
  return result(::chown(w.c_str(1), uid_of(w[2]), gid_of(w[3])));
}
std::string lchown(Performer&, const Words& w) {
  return result(::lchown(w.c_str(1), uid_of(w[2]), gid_of(w[3])));
}
std::string fchown(Performer& by, const Words& w) {
  return result(::fchown(by.fd(w[1]), uid_of(w[2]), gid_of(w[3])));
}

std::string truncate(Performer&, const Words& w) {
  return result(::truncate(w.c_str(1), w.number(2)));
}
std::string ftruncate(Performer& by, const Words& w) {
  return result(::ftruncate(by.fd(w[1]), w.number(2)));
}

// ---- times

std::string utimens(Performer&, const Words& w) {
  const timespec both[2] = {w.time(2), w.time(3)};
  return result(::utimensat(AT_FDCWD, w.c_str(1), both, AT_SYMLINK_NOFOLLOW));
}
std::string futimens(Performer& by, const Words& w) {
  const timespec both[2] = {w.time(2), w.time(3)};
  return result(::futimens(by.fd(w[1]), both));
}
std::string utime_now(Performer&, const Words& w) {
  return result(::utimes(w.c_str(1), nullptr));
}
std::string times_of(const struct stat& of) {
  return shown(of.st_atim) + ' ' + shown(of.st_mtim);
}
std::string times(Performer&, const Words& w) {
  struct stat found {};
  return ::lstat(w.c_str(1), &found) < 0 ? error_name() : times_of(found);
}
std::string ftimes(Performer& by, const Words& w) {
  struct stat found {};
  return ::fstat(by.fd(w[1]), &found) < 0 ? error_name() : times_of(found);
}

std::pair<time_t, long> precise(const timespec& time) {
  return {time.tv_sec, time.tv_nsec};
}

/// File systems take their times from this clock, which moves every few milliseconds only.
std::string tick(Performer&, const Words&) {
  const auto now = [] {
    timespec time{};
    ::clock_gettime(CLOCK_REALTIME_COARSE, &time);
    return precise(time);
  };
  const auto before = now();
  return eventually([&] { return now() != before; }) ? "ok" : "the clock stands still";
}

std::string changed(Performer& by, const Words& w) {
  struct stat found {};
  if (::lstat(w.c_str(1), &found) < 0)
    return error_name();
  const std::pair<const char*, timespec> all[] = {
      {"atime", found.st_atim}, {"mtime", found.st_mtim}, {"ctime", found.st_ctim}};
  std::string which;
  for (const auto& [name, time] : all) {
    const bool is_new =
        std::exchange(by.seen_time(w[1] + ' ' + name), precise(time)) != precise(time);
    which += is_new ? std::string(name) + ' ' : "";
  }
  return which + "changed";
}

// ---- the file system

std::string shown_statfs(int done, const struct statfs& of) {
  return done < 0 ? error_name()
                  : "names of " + std::to_string(of.f_namelen) + ", blocks of " +
                        std::to_string(of.f_bsize) + " and " + std::to_string(of.f_frsize);
}
std::string statfs(Performer&, const Words& w) {
  struct statfs found {};
  const int done = ::statfs(w.c_str(1), &found);
  return shown_statfs(done, found);
}
std::string fstatfs(Performer& by, const Words& w) {
  struct statfs found {};
  const int done = ::fstatfs(by.fd(w[1]), &found);
  return shown_statfs(done, found);
}

// ---- extended attributes

constexpr std::size_t kLongestValue = std::size_t{1} << 16;

int xattr_flags(const Words& w) {
  return w.has(4) ? w.flags(4, {{"create", XATTR_CREATE}, {"replace", XATTR_REPLACE}}) : 0;
}
std::string setxattr(Performer&, const Words& w) {
  const std::string value = w.text(3);
  return result(::setxattr(w.c_str(1), w.c_str(2), value.data(), value.size(), xattr_flags(w)));
}
std::string lsetxattr(Performer&, const Words& w) {
  const std::string value = w.text(3);
  return result(::lsetxattr(w.c_str(1), w.c_str(2), value.data(), value.size(), xattr_flags(w)));
}
std::string fsetxattr(Performer& by, const Words& w) {
  const std::string value = w.text(3);
  return result(::fsetxattr(by.fd(w[1]), w.c_str(2), value.data(), value.size(), 0));
}

/// With a size of 0 only the length is asked for.
template <class Get>
std::string value_from(const Words& w, std::size_t size_word, Get get) {
  std::string value(w.has(size_word) ? w.size_at(size_word) : kLongestValue, '\0');
  const ssize_t size = get(value.data(), value.size());
  if (size < 0 || value.empty())
    return counted(size);
  value.resize(static_cast<std::size_t>(size));
  return shown(value);
}
std::string getxattr(Performer&, const Words& w) {
  return value_from(w, 3, [&](char* value, std::size_t size) {
    return ::getxattr(w.c_str(1), w.c_str(2), value, size);
  });
}
std::string lgetxattr(Performer&, const Words& w) {
  return value_from(w, 3, [&](char* value, std::size_t size) {
    return ::lgetxattr(w.c_str(1), w.c_str(2), value, size);
  });
}
std::string fgetxattr(Performer& by, const Words& w) {
  return value_from(w, 3, [&](char* value, std::size_t size) {
    return ::fgetxattr(by.fd(w[1]), w.c_str(2), value, size);
  });
}

std::string sorted_names(const std::string& list) {
  std::vector<std::string> names;
  std::istringstream in(list);
  for (std::string name; std::getline(in, name, '\0');)
    names.push_back(name);
  std::ranges::sort(names);
  std::string all;
  for (const std::string& name : names)
    all += shown(name) + ' ';
  return all + "listed";
}
std::string listxattr(Performer&, const Words& w) {
  std::string list(w.has(2) ? w.size_at(2) : kLongestValue, '\0');
  const ssize_t size = ::llistxattr(w.c_str(1), list.data(), list.size());
  if (size < 0 || list.empty())
    return counted(size);
  list.resize(static_cast<std::size_t>(size));
  return sorted_names(list);
}
std::string removexattr(Performer&, const Words& w) {
  return result(::removexattr(w.c_str(1), w.c_str(2)));
}
std::string fremovexattr(Performer& by, const Words& w) {
  return result(::fremovexattr(by.fd(w[1]), w.c_str(2)));
}

constexpr NamedCall kCalls[] = {
    {"stat", stat},
    {"followed", followed},
    {"fstat", fstat},
    {"access", access},
    {"eaccess", eaccess},
    {"chmod", chmod},
    {"fchmod", fchmod},
    {"chmod_by_proc", chmod_by_proc},
    {"chown", chown},
    {"lchown", lchown},
    {"fchown", fchown},
    {"truncate", truncate},
    {"ftruncate", ftruncate},
    {"utimens", utimens},
    {"futimens", futimens},
    {"utime_now", utime_now},
    {"times", times},
    {"ftimes", ftimes},
    {"tick", tick},
    {"changed", changed},
    {"statfs", statfs},
    {"fstatfs", fstatfs},
    {"setxattr", setxattr},
    {"lsetxattr", lsetxattr},
    {"fsetxattr", fsetxattr},
    {"getxattr", getxattr},
    {"lgetxattr", lgetxattr},
    {"fgetxattr", fgetxattr},
    {"listxattr", listxattr},
    {"removexattr", removexattr},
    {"fremovexattr", fremovexattr},
};

}  // namespace

std::span<const NamedCall> calls_on_attributes() {
  return kCalls;
}

}  // namespace fuse9p::test::parity
