// SPDX-License-Identifier: MIT
// Calls on directories:
//
//     ls PATH (names and types, sorted)        getdents F (the same of an open file)
//     opendir D PATH           entries D COUNT (how many there were)
//     rest D (names from here to the end, sorted)
//     rewind D                 tell D PLACE    seekdir D PLACE     closedir D
//     many PATH FROM TO        files with numbers for names        remove_many PATH FROM TO
//     chdir PATH               fchdir F
#include "tests/parity/performer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

namespace fuse9p::test::parity {
namespace {

std::string names(DIR* stream) {
  std::vector<std::string> found;
  errno = 0;
  while (const dirent* entry = ::readdir(stream))
    found.push_back(shown(entry->d_name) + '/' + std::to_string(entry->d_type));
  if (errno != 0)
    return error_name();
  std::ranges::sort(found);
  std::string text;
  for (const std::string& name : found)
    text += name + ' ';
  return text.size() > 2000 ? std::to_string(found.size()) + " names: " + shown(text) : text;
}

std::string ls(Performer&, const Words& w) {
  DIR* stream = ::opendir(w.c_str(1));
  if (stream == nullptr)
    return error_name();
  std::string text = names(stream);
  ::closedir(stream);
  return text;
}
std::string getdents(Performer& by, const Words& w) {
  const int copy = ::fcntl(by.fd(w[1]), F_DUPFD_CLOEXEC, 0);
  DIR* stream = copy < 0 ? nullptr : ::fdopendir(copy);
  if (stream == nullptr) {
    std::string error = error_name();
    ::close(copy);
    return error;
  }
  ::rewinddir(stream);
  std::string text = names(stream);
  ::closedir(stream);
  return text;
}

std::string opendir(Performer& by, const Words& w) {
  DIR* stream = ::opendir(w.c_str(2));
  std::string answer = stream == nullptr ? error_name() : "ok";
  by.keep(w[1], stream);
  return answer;
}
std::string entries(Performer& by, const Words& w) {
  long seen = 0;
  errno = 0;
  while (seen < w.number(2) && ::readdir(by.stream(w[1])) != nullptr)
    ++seen;
  return errno != 0 ? error_name() : std::to_string(seen);
}
std::string rest(Performer& by, const Words& w) {
  return names(by.stream(w[1]));
}
std::string rewind(Performer& by, const Words& w) {
  ::rewinddir(by.stream(w[1]));
  return "ok";
}
std::string tell(Performer& by, const Words& w) {
  by.place(w[2]) = ::telldir(by.stream(w[1]));
  return by.place(w[2]) < 0 ? error_name() : "ok";
}
std::string seekdir(Performer& by, const Words& w) {
  ::seekdir(by.stream(w[1]), by.place(w[2]));
  return "ok";
}
std::string closedir(Performer& by, const Words& w) {
  by.keep(w[1], nullptr);
  return "ok";
}

std::string numbered(const Words& w, long number) {
  return w[1] + '/' + std::to_string(number);
}
std::string many(Performer&, const Words& w) {
  for (long i = w.number(2); i < w.number(3); ++i) {
    const OwnedFd made(
        ::open(numbered(w, i).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (made.get() < 0)
      return error_name();
  }
  return "ok";
}
std::string remove_many(Performer&, const Words& w) {
  for (long i = w.number(2); i < w.number(3); ++i) {
    if (::unlink(numbered(w, i).c_str()) != 0)
      return error_name();
  }
  return "ok";
}

std::string chdir(Performer&, const Words& w) {
  return result(::chdir(w.c_str(1)));
}
std::string fchdir(Performer& by, const Words& w) {
  return result(::fchdir(by.fd(w[1])));
}

constexpr NamedCall kCalls[] = {
    {"ls", ls},
    {"getdents", getdents},
    {"opendir", opendir},
    {"entries", entries},
    {"rest", rest},
    {"rewind", rewind},
    {"tell", tell},
    {"seekdir", seekdir},
    {"closedir", closedir},
    {"many", many},
    {"remove_many", remove_many},
    {"chdir", chdir},
    {"fchdir", fchdir},
};

}  // namespace

std::span<const NamedCall> calls_on_directories() {
  return kCalls;
}

}  // namespace fuse9p::test::parity
