// SPDX-License-Identifier: MIT
// Calls on open files, and whole files at once; F and G are names of the script's own:
//
//     put PATH [TEXT]          create or truncate, and write           cat PATH
//     open F PATH FLAGS [MODE]     FLAGS as in C, joined by |
//     open_at F DIRECTORY PATH FLAGS [MODE]    reopen F G FLAGS (by /proc/self/fd)
//     close F                  dup F G (G is the same open file)
//     getdents F (names, sorted)
//     fsync F    fdatasync F    syncfs F    sync_range F OFFSET SIZE
//     advise F normal|random|dontneed|willneed
//     flock F sh|ex|un|nb      joined by |
//     lock F read|write|none START LENGTH          fcntl's, at once or not at all
//     wait_lock F read|write START LENGTH          until it can be had
//     test_lock F read|write START LENGTH          who would be in the way
//     ofd_lock F read|write|none START LENGTH      of the open file, not of the process
//     test_ofd_lock F read|write START LENGTH
//     setfl F FLAGS (fcntl)    getfl F             ioctl F (FIONREAD)
#include "tests/parity/performer.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace fuse9p::test::parity {
namespace {

// ---- opening

std::string kept(Performer& by, const std::string& name, int opened) {
  std::string answer = result(opened);
  by.keep(name, opened);
  return answer;
}

std::string open_from(Performer& by, int directory, const Words& w, std::size_t path) {
  const mode_t mode = w.has(path + 2) ? w.mode(path + 2) : 0;
  return kept(by, w[1],
              ::openat(directory, w.c_str(path), w.open_flags(path + 1) | O_CLOEXEC, mode));
}
std::string open(Performer& by, const Words& w) {
  return open_from(by, AT_FDCWD, w, 2);
}
std::string open_at(Performer& by, const Words& w) {
  return open_from(by, by.fd(w[2]), w, 3);
}
std::string reopen(Performer& by, const Words& w) {
  const std::string path = "/proc/self/fd/" + std::to_string(by.fd(w[2]));
  return kept(by, w[1], ::open(path.c_str(), w.open_flags(3) | O_CLOEXEC));
}
std::string close(Performer& by, const Words& w) {
  by.close(w[1]);
  return "ok";
}
std::string dup(Performer& by, const Words& w) {
  return kept(by, w[2], ::fcntl(by.fd(w[1]), F_DUPFD_CLOEXEC, 0));
}

// ---- whole files

// O_NONBLOCK, so that a pipe, too, has an answer.

std::string put(Performer&, const Words& w) {
  const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC;
  const OwnedFd file(::open(w.c_str(1), flags, 0644));
  if (file.get() < 0)
    return error_name();
  const std::string text = w.has(2) ? w.text(2) : "";
  const ssize_t written = ::write(file.get(), text.data(), text.size());
  const bool short_of = written >= 0 && static_cast<std::size_t>(written) < text.size();
  return short_of ? counted(written) + " bytes" : result(written);
}

std::string all_of(int fd) {
  std::string all;
  char bytes[65536];
  ssize_t size = 0;
  while ((size = ::read(fd, bytes, sizeof bytes)) > 0)
    all.append(bytes, static_cast<std::size_t>(size));
  return size < 0 ? error_name() : shown(all);
}
std::string cat(Performer&, const Words& w) {
  const OwnedFd file(::open(w.c_str(1), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  return file.get() < 0 ? error_name() : all_of(file.get());
}

// ---- on their way to the disk

std::string fsync(Performer& by, const Words& w) {
  return result(::fsync(by.fd(w[1])));
}
std::string fdatasync(Performer& by, const Words& w) {
  return result(::fdatasync(by.fd(w[1])));
}
std::string syncfs(Performer& by, const Words& w) {
  return result(::syncfs(by.fd(w[1])));
}
std::string sync_range(Performer& by, const Words& w) {
  constexpr unsigned kAll =
      SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  return result(::sync_file_range(by.fd(w[1]), w.number(2), w.number(3), kAll));
}
std::string advise(Performer& by, const Words& w) {
  const int advice = w.flags(2, {{"normal", POSIX_FADV_NORMAL},
                                 {"random", POSIX_FADV_RANDOM},
                                 {"dontneed", POSIX_FADV_DONTNEED},
                                 {"willneed", POSIX_FADV_WILLNEED}});
  errno = ::posix_fadvise(by.fd(w[1]), 0, 0, advice);
  return errno == 0 ? "ok" : error_name();
}

// ---- locks

std::string flock(Performer& by, const Words& w) {
  const int how = w.flags(2, {{"sh", LOCK_SH}, {"ex", LOCK_EX}, {"un", LOCK_UN}, {"nb", LOCK_NB}});
  return result(::flock(by.fd(w[1]), how));
}

struct flock range(const Words& w) {
  const int type = w.flags(2, {{"read", F_RDLCK}, {"write", F_WRLCK}, {"none", F_UNLCK}});
  struct flock lock {};
  lock.l_type = static_cast<short>(type);
  lock.l_whence = SEEK_SET;
  lock.l_start = w.number(3);
  lock.l_len = w.number(4);
  return lock;
}
std::string locked(Performer& by, const Words& w, int command) {
  struct flock lock = range(w);
  return result(::fcntl(by.fd(w[1]), command, &lock));
}
std::string tested(Performer& by, const Words& w, int command) {
  struct flock lock = range(w);
  if (::fcntl(by.fd(w[1]), command, &lock) < 0)
    return error_name();
  if (lock.l_type == F_UNLCK)
    return "nobody";
  return std::string(lock.l_type == F_RDLCK ? "read " : "write ") + std::to_string(lock.l_start) +
         ' ' + std::to_string(lock.l_len) + " by " + by.name_of(lock.l_pid);
}
std::string lock(Performer& by, const Words& w) {
  return locked(by, w, F_SETLK);
}
std::string wait_lock(Performer& by, const Words& w) {
  return locked(by, w, F_SETLKW);
}
std::string test_lock(Performer& by, const Words& w) {
  return tested(by, w, F_GETLK);
}
std::string ofd_lock(Performer& by, const Words& w) {
  return locked(by, w, F_OFD_SETLK);
}
std::string test_ofd_lock(Performer& by, const Words& w) {
  return tested(by, w, F_OFD_GETLK);
}

// ---- flags

std::string setfl(Performer& by, const Words& w) {
  return result(::fcntl(by.fd(w[1]), F_SETFL, w.open_flags(2)));
}
std::string getfl(Performer& by, const Words& w) {
  return counted(::fcntl(by.fd(w[1]), F_GETFL));
}
std::string ioctl(Performer& by, const Words& w) {
  int bytes = 0;
  return ::ioctl(by.fd(w[1]), FIONREAD, &bytes) < 0 ? error_name() : std::to_string(bytes);
}

constexpr NamedCall kCalls[] = {
    {"put", put},
    {"cat", cat},
    {"open", open},
    {"open_at", open_at},
    {"reopen", reopen},
    {"close", close},
    {"dup", dup},
    {"fsync", fsync},
    {"fdatasync", fdatasync},
    {"syncfs", syncfs},
    {"sync_range", sync_range},
    {"advise", advise},
    {"flock", flock},
    {"lock", lock},
    {"wait_lock", wait_lock},
    {"test_lock", test_lock},
    {"ofd_lock", ofd_lock},
    {"test_ofd_lock", test_ofd_lock},
    {"setfl", setfl},
    {"getfl", getfl},
    {"ioctl", ioctl},
};

}  // namespace

std::span<const NamedCall> calls_on_files() {
  return kCalls;
}

}  // namespace fuse9p::test::parity
