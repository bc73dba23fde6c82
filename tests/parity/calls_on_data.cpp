// SPDX-License-Identifier: MIT
// Calls on what open files hold:
//
//     read F SIZE              pread F SIZE OFFSET     readv F SIZE... (into as many pieces)
//     write F TEXT             pwrite F TEXT OFFSET    writev F TEXT...
//     preadv F SIZE OFFSET [nowait|hipri]              preadv2
//     pwritev F TEXT OFFSET [append|dsync|sync]        pwritev2; at the position if OFFSET is -1
//     read_directly F SIZE OFFSET, write_directly F TEXT OFFSET: with memory for O_DIRECT
//     seek F OFFSET set|current|end|data|hole
//     allocate F MODE OFFSET SIZE      fallocate; MODE none, or punch, keep, zero, collapse,
//                                      insert, unshare, joined by |
//     copy_range F G SIZE      send_file F G SIZE      splice F G SIZE (through a pipe)
//     map F OFFSET TEXT        store through a shared mapping, and msync
//     map_privately F OFFSET TEXT      store through a private one; the answer is what it shows
//     mapped F OFFSET SIZE     read through a shared one (bus error: SIGBUS)
//     can_map F read|write|exec shared|private
#include "tests/parity/performer.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace fuse9p::test::parity {
namespace {

// ---- reading

std::string received(std::string& bytes, ssize_t size) {
  if (size < 0)
    return error_name();
  bytes.resize(static_cast<std::size_t>(size));
  return shown(bytes);
}
std::string read(Performer& by, const Words& w) {
  std::string bytes(w.size_at(2), '\0');
  return received(bytes, ::read(by.fd(w[1]), bytes.data(), bytes.size()));
}
std::string pread(Performer& by, const Words& w) {
  std::string bytes(w.size_at(2), '\0');
  return received(bytes, ::pread(by.fd(w[1]), bytes.data(), bytes.size(), w.number(3)));
}
std::string readv(Performer& by, const Words& w) {
  std::size_t size = 0;
  for (std::size_t i = 2; w.has(i); ++i)
    size += w.size_at(i);
  std::string bytes(size, '\0');
  std::vector<iovec> pieces;
  std::size_t offset = 0;
  for (std::size_t i = 2; w.has(i); offset += w.size_at(i++))
    pieces.push_back({bytes.data() + offset, w.size_at(i)});
  return received(bytes, ::readv(by.fd(w[1]), pieces.data(), static_cast<int>(pieces.size())));
}
std::string preadv(Performer& by, const Words& w) {
  std::string bytes(w.size_at(2), '\0');
  const iovec piece{bytes.data(), bytes.size()};
  const int flags = w.has(4) ? w.flags(4, {{"nowait", RWF_NOWAIT}, {"hipri", RWF_HIPRI}}) : 0;
  return received(bytes, ::preadv2(by.fd(w[1]), &piece, 1, w.number(3), flags));
}

// ---- writing

std::string write(Performer& by, const Words& w) {
  const std::string text = w.text(2);
  return counted(::write(by.fd(w[1]), text.data(), text.size()));
}
std::string pwrite(Performer& by, const Words& w) {
  const std::string text = w.text(2);
  return counted(::pwrite(by.fd(w[1]), text.data(), text.size(), w.number(3)));
}
std::string writev(Performer& by, const Words& w) {
  std::vector<std::string> texts;
  for (std::size_t i = 2; w.has(i); ++i)
    texts.push_back(w.text(i));
  std::vector<iovec> pieces;
  for (std::string& text : texts)
    pieces.push_back({text.data(), text.size()});
  return counted(::writev(by.fd(w[1]), pieces.data(), static_cast<int>(pieces.size())));
}
std::string pwritev(Performer& by, const Words& w) {
  std::string text = w.text(2);
  const iovec piece{text.data(), text.size()};
  const int flags =
      w.has(4) ? w.flags(4, {{"append", RWF_APPEND}, {"dsync", RWF_DSYNC}, {"sync", RWF_SYNC}}) : 0;
  return counted(::pwritev2(by.fd(w[1]), &piece, 1, w.number(3), flags));
}

// ---- O_DIRECT

constexpr std::size_t kAlignment = 4096;

struct Aligned {
  explicit Aligned(std::size_t size)
      : bytes(static_cast<char*>(
            std::aligned_alloc(kAlignment, (size / kAlignment + 1) * kAlignment))) {}
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  ~Aligned() { std::free(bytes); }
  char* bytes;
};
std::string read_directly(Performer& by, const Words& w) {
  const Aligned memory(w.size_at(2));
  const ssize_t size = ::pread(by.fd(w[1]), memory.bytes, w.size_at(2), w.number(3));
  return size < 0 ? error_name() : shown({memory.bytes, static_cast<std::size_t>(size)});
}
std::string write_directly(Performer& by, const Words& w) {
  const std::string text = w.text(2);
  const Aligned memory(text.size());
  std::memcpy(memory.bytes, text.data(), text.size());
  return counted(::pwrite(by.fd(w[1]), memory.bytes, text.size(), w.number(3)));
}

// ---- places

std::string seek(Performer& by, const Words& w) {
  const int whence = w.flags(3, {{"set", SEEK_SET},
                                 {"current", SEEK_CUR},
                                 {"end", SEEK_END},
                                 {"data", SEEK_DATA},
                                 {"hole", SEEK_HOLE}});
  return counted(::lseek(by.fd(w[1]), w.number(2), whence));
}
std::string allocate(Performer& by, const Words& w) {
  const int mode = w.flags(2, {{"none", 0},
                               {"punch", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE},
                               {"keep", FALLOC_FL_KEEP_SIZE},
                               {"zero", FALLOC_FL_ZERO_RANGE},
                               {"collapse", FALLOC_FL_COLLAPSE_RANGE},
                               {"insert", FALLOC_FL_INSERT_RANGE},
                               {"unshare", FALLOC_FL_UNSHARE_RANGE}});
  return result(::fallocate(by.fd(w[1]), mode, w.number(3), w.number(4)));
}

// ---- from file to file

std::string copy_range(Performer& by, const Words& w) {
  return counted(::copy_file_range(by.fd(w[1]), nullptr, by.fd(w[2]), nullptr, w.size_at(3), 0));
}
std::string send_file(Performer& by, const Words& w) {
  return counted(::sendfile(by.fd(w[2]), by.fd(w[1]), nullptr, w.size_at(3)));
}
std::string splice(Performer& by, const Words& w) {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC | O_NONBLOCK) != 0)
    return error_name();
  const OwnedFd out(pipe[0]), in(pipe[1]);
  const ssize_t taken = ::splice(by.fd(w[1]), nullptr, in.get(), nullptr, w.size_at(3), 0);
  if (taken <= 0)
    return counted(taken);
  return counted(
      ::splice(out.get(), nullptr, by.fd(w[2]), nullptr, static_cast<std::size_t>(taken), 0));
}

// ---- mappings

class Mapping {
 public:
  Mapping(int fd, std::size_t size, int protection, int kind)
      : size_(size), memory_(::mmap(nullptr, size, protection, kind, fd, 0)) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (*this)
      ::munmap(memory_, size_);
  }
  explicit operator bool() const { return memory_ != MAP_FAILED; }
  char* bytes() const { return static_cast<char*>(memory_); }
  int sync() const { return ::msync(memory_, size_, MS_SYNC); }

 private:
  std::size_t size_;
  void* memory_;
};

/// What `use` says of a mapping: in a process of its own, which a bus error may end.
template <class Use>
std::string with_mapping(int fd, std::size_t size, int protection, int kind, Use use) {
  Ends answer = pipe_from_them();
  const pid_t user = ::fork();
  if (user == 0) {
    const Mapping mapping(fd, size, protection, kind);
    const std::string said = mapping ? use(mapping) : error_name();
    ::_exit(::write(answer.theirs.get(), said.data(), said.size()) < 0 ? 1 : 0);
  }
  answer.theirs.reset();
  std::string said(4096, '\0');
  const ssize_t length = ::read(answer.ours.get(), said.data(), said.size());
  said.resize(static_cast<std::size_t>(length < 0 ? 0 : length));
  int status = 0;
  ::waitpid(user, &status, 0);
  return WIFSIGNALED(status) ? std::string("SIG") + ::sigabbrev_np(WTERMSIG(status)) : said;
}

std::string map(Performer& by, const Words& w) {
  const std::string text = w.text(3);
  const std::size_t from = w.size_at(2);
  return with_mapping(by.fd(w[1]), from + text.size(), PROT_READ | PROT_WRITE, MAP_SHARED,
                      [&](const Mapping& mapping) {
                        std::memcpy(mapping.bytes() + from, text.data(), text.size());
                        return result(mapping.sync());
                      });
}
std::string map_privately(Performer& by, const Words& w) {
  const std::string text = w.text(3);
  const std::size_t from = w.size_at(2), size = from + text.size();
  return with_mapping(by.fd(w[1]), size, PROT_READ | PROT_WRITE, MAP_PRIVATE,
                      [&](const Mapping& mapping) {
                        std::memcpy(mapping.bytes() + from, text.data(), text.size());
                        return shown({mapping.bytes(), size});
                      });
}
std::string mapped(Performer& by, const Words& w) {
  const std::size_t from = w.size_at(2), size = w.size_at(3);
  return with_mapping(by.fd(w[1]), from + size, PROT_READ, MAP_SHARED, [&](const Mapping& mapping) {
    return shown({mapping.bytes() + from, size});
  });
}
std::string can_map(Performer& by, const Words& w) {
  const int protection =
      w.flags(2, {{"read", PROT_READ}, {"write", PROT_WRITE}, {"exec", PROT_EXEC}});
  const int kind = w.flags(3, {{"shared", MAP_SHARED}, {"private", MAP_PRIVATE}});
  const Mapping mapping(by.fd(w[1]), 1, protection, kind);
  return mapping ? "ok" : error_name();
}

constexpr NamedCall kCalls[] = {
    {"read", read},
    {"pread", pread},
    {"readv", readv},
    {"preadv", preadv},
    {"write", write},
    {"pwrite", pwrite},
    {"writev", writev},
    {"pwritev", pwritev},
    {"read_directly", read_directly},
    {"write_directly", write_directly},
    {"seek", seek},
    {"allocate", allocate},
    {"copy_range", copy_range},
    {"send_file", send_file},
    {"splice", splice},
    {"map", map},
    {"map_privately", map_privately},
    {"mapped", mapped},
    {"can_map", can_map},
};

}  // namespace

std::span<const NamedCall> calls_on_data() {
  return kCalls;
}

}  // namespace fuse9p::test::parity
