// SPDX-License-Identifier: MIT
#include "tests/support/parity.hpp"

#include "tests/support/pattern.hpp"
#include "tests/support/process.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <sstream>
#include <stdexcept>

namespace fuse9p::test {

namespace fs = std::filesystem;

namespace {

using Words = std::vector<std::string>;

char hex_digit(char c) {
  return static_cast<char>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

std::string unescaped(const std::string& word) {
  if (const auto star = word.rfind('*'); star == 1)
    return std::string(std::stoul(word.substr(2)), word.front());
  std::string out;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (word[i] != '\\') {
      out += word[i];
    } else if (word[++i] == 'x') {
      out += static_cast<char>(hex_digit(word[i + 1]) * 16 + hex_digit(word[i + 2]));
      i += 2;
    } else {
      out += word[i] == 's' ? ' ' : word[i] == 'n' ? '\n' : word[i];
    }
  }
  return out;
}

Words words_of(const std::string& line) {
  std::istringstream in(line);
  Words words;
  for (std::string word; in >> word;)
    words.push_back(unescaped(word));
  return words;
}

/// A short text as it is, a long one by its length and a hash.
std::string shown(const std::string& bytes) {
  if (bytes.size() > 64)
    return std::to_string(bytes.size()) + " bytes, hash " +
           std::to_string(std::hash<std::string>()(bytes));
  std::ostringstream out;
  out << '\'';
  for (const char c : bytes) {
    if (c >= ' ' && c <= '~')
      out << c;
    else
      out << "\\x" << std::hex << (static_cast<unsigned>(c) & 0xFF);
  }
  return out.str() + '\'';
}

std::string text_of(const std::string& word) {
  if (!word.starts_with('#'))
    return word;
  const auto at = word.find('@');
  return pattern(std::stoul(word.substr(1)),
                 at == std::string::npos ? 0 : std::stoul(word.substr(at + 1)));
}

std::string error_name() {
  const char* name = ::strerrorname_np(errno);
  return name != nullptr ? name : std::to_string(errno);
}

std::string result(long value) {
  return value < 0 ? error_name() : "ok";
}

std::string shown(const struct stat& of) {
  std::ostringstream out;
  out << "mode " << std::oct << of.st_mode << std::dec << " nlink " << of.st_nlink << " uid "
      << of.st_uid << " gid " << of.st_gid << " rdev " << of.st_rdev;
  if (!S_ISDIR(of.st_mode))  // a directory's size is the file system's own business
    out << " size " << of.st_size;
  return out.str();
}

std::string shown(const timespec& time) {
  return std::to_string(time.tv_sec) + '.' + std::to_string(time.tv_nsec);
}

timespec time_of(const std::string& word) {
  if (word == "now")
    return {0, UTIME_NOW};
  if (word == "omit")
    return {0, UTIME_OMIT};
  const auto dot = word.find('.');
  return {std::stol(word), dot == std::string::npos ? 0 : std::stol(word.substr(dot + 1))};
}

mode_t mode_of(const std::string& word) {
  return static_cast<mode_t>(std::stoul(word, nullptr, 8));
}

int flags_of(const std::string& word) {
  static const std::map<std::string, int> known = {
      {"O_RDONLY", O_RDONLY},     {"O_WRONLY", O_WRONLY},       {"O_RDWR", O_RDWR},
      {"O_CREAT", O_CREAT},       {"O_EXCL", O_EXCL},           {"O_TRUNC", O_TRUNC},
      {"O_APPEND", O_APPEND},     {"O_DIRECTORY", O_DIRECTORY}, {"O_NOFOLLOW", O_NOFOLLOW},
      {"O_NONBLOCK", O_NONBLOCK}, {"O_SYNC", O_SYNC},           {"O_DSYNC", O_DSYNC},
      {"O_PATH", O_PATH},         {"O_CLOEXEC", O_CLOEXEC},     {"O_NOATIME", O_NOATIME},
      {"O_DIRECT", O_DIRECT},
  };
  int flags = 0;
  std::istringstream in(word);
  for (std::string flag; std::getline(in, flag, '|');)
    flags |= known.at(flag);
  return flags;
}

std::string names(DIR* directory) {
  std::vector<std::string> found;
  while (const dirent* entry = ::readdir(directory))
    found.push_back(shown(entry->d_name) + '/' + std::to_string(entry->d_type));
  std::ranges::sort(found);
  std::string text;
  for (const std::string& name : found)
    text += (text.empty() ? "" : " ") + name;
  return text;
}

/// Performs one script. Everything is relative to the directory's descriptor.
class Performer {
 public:
  explicit Performer(const fs::path& directory)
      : root_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (root_.get() < 0)
      throw std::runtime_error("no directory " + directory.string());
  }
  Performer(const Performer&) = delete;
  Performer& operator=(const Performer&) = delete;
  ~Performer() { ::umask(old_umask_); }

  std::string perform(const Words& words) {
    const auto found = kCalls.find(words.at(0));
    if (found == kCalls.end())
      throw std::runtime_error("no such call: " + words[0]);
    return (this->*found->second)(words);
  }

 private:
  using Call = std::string (Performer::*)(const Words&);

  int at() const { return root_.get(); }
  int fd(const Words& w) const { return open_.at(w.at(1)).get(); }

  // ---- names
  std::string mkdir(const Words& w) { return result(::mkdirat(at(), w[1].c_str(), mode_of(w[2]))); }
  std::string rmdir(const Words& w) { return result(::unlinkat(at(), w[1].c_str(), AT_REMOVEDIR)); }
  std::string unlink(const Words& w) { return result(::unlinkat(at(), w[1].c_str(), 0)); }
  std::string symlink(const Words& w) {
    return result(::symlinkat(w[1].c_str(), at(), w[2].c_str()));
  }
  std::string readlink(const Words& w) {
    char target[5000];
    const ssize_t size = ::readlinkat(at(), w[1].c_str(), target, sizeof target);
    return size < 0 ? error_name() : shown(std::string(target, static_cast<std::size_t>(size)));
  }
  std::string link(const Words& w) {
    return result(::linkat(at(), w[1].c_str(), at(), w[2].c_str(), 0));
  }
  std::string rename(const Words& w) {
    return result(::renameat(at(), w[1].c_str(), at(), w[2].c_str()));
  }
  std::string exchange(const Words& w) {
    return result(::renameat2(at(), w[1].c_str(), at(), w[2].c_str(), RENAME_EXCHANGE));
  }
  std::string noreplace(const Words& w) {
    return result(::renameat2(at(), w[1].c_str(), at(), w[2].c_str(), RENAME_NOREPLACE));
  }
  std::string mkfifo(const Words& w) {
    return result(::mkfifoat(at(), w[1].c_str(), mode_of(w[2])));
  }
  std::string mknod(const Words& w) {
    const mode_t type = w[2] == "fifo" ? S_IFIFO : w[2] == "socket" ? S_IFSOCK : S_IFREG;
    return result(::mknodat(at(), w[1].c_str(), type | mode_of(w[3]), 0));
  }
  std::string ls(const Words& w) {
    const int directory = ::openat(at(), w[1].c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
      return error_name();
    DIR* stream = ::fdopendir(directory);
    std::string text = names(stream);
    ::closedir(stream);
    return text;
  }

  // ---- attributes
  std::string stat(const Words& w) {
    struct stat found {};
    return ::fstatat(at(), w[1].c_str(), &found, AT_SYMLINK_NOFOLLOW) < 0 ? error_name()
                                                                          : shown(found);
  }
  std::string followed(const Words& w) {
    struct stat found {};
    return ::fstatat(at(), w[1].c_str(), &found, 0) < 0 ? error_name() : shown(found);
  }
  std::string times(const Words& w) {
    struct stat found {};
    if (::fstatat(at(), w[1].c_str(), &found, AT_SYMLINK_NOFOLLOW) < 0)
      return error_name();
    return shown(found.st_atim) + ' ' + shown(found.st_mtim);
  }
  std::string chmod(const Words& w) {
    return result(::fchmodat(at(), w[1].c_str(), mode_of(w[2]), 0));
  }
  std::string chown(const Words& w) {
    return result(::fchownat(at(), w[1].c_str(), static_cast<uid_t>(std::stol(w[2])),
                             static_cast<gid_t>(std::stol(w[3])), AT_SYMLINK_NOFOLLOW));
  }
  std::string utimens(const Words& w) {
    const timespec both[2] = {time_of(w[2]), time_of(w[3])};
    return result(::utimensat(at(), w[1].c_str(), both, AT_SYMLINK_NOFOLLOW));
  }
  std::string truncate(const Words& w) {
    return result(::truncate(path(w).c_str(), std::stol(w[2])));
  }
  // ---- extended attributes
  std::string path(const Words& w) const {
    return "/proc/self/fd/" + std::to_string(at()) + '/' + w.at(1);
  }
  std::string setxattr(const Words& w) {
    const std::string value = text_of(w[3]);
    const int flags = w.size() < 5 ? 0 : w[4] == "create" ? XATTR_CREATE : XATTR_REPLACE;
    return result(::lsetxattr(path(w).c_str(), w[2].c_str(), value.data(), value.size(), flags));
  }
  std::string getxattr(const Words& w) {
    std::string value(w.size() > 3 ? std::stoul(w[3]) : 65536, '\0');
    const ssize_t size = ::lgetxattr(path(w).c_str(), w[2].c_str(),
                                     value.empty() ? nullptr : value.data(), value.size());
    return value.empty() ? counted(size) : received(value, size);
  }
  std::string removexattr(const Words& w) {
    return result(::lremovexattr(path(w).c_str(), w[2].c_str()));
  }
  std::string listxattr(const Words& w) {
    std::string list(w.size() > 2 ? std::stoul(w[2]) : 65536, '\0');
    const ssize_t size =
        ::llistxattr(path(w).c_str(), list.empty() ? nullptr : list.data(), list.size());
    if (list.empty() || size < 0)
      return counted(size);
    return sorted(std::string_view(list).substr(0, static_cast<std::size_t>(size)));
  }
  /// Names with a NUL behind each.
  static std::string sorted(std::string_view list) {
    std::vector<std::string> found;
    for (std::size_t end = 0; (end = list.find('\0')) != list.npos; list.remove_prefix(end + 1))
      found.emplace_back(list.substr(0, end));
    std::ranges::sort(found);
    std::string text = std::to_string(found.size());
    for (const std::string& name : found)
      text += ' ' + shown(name);
    return text + (list.empty() ? "" : " and no end");
  }
  std::string umask(const Words& w) {
    ::umask(mode_of(w[1]));
    return "ok";
  }

  // ---- whole files
  std::string put(const Words& w) {
    const OwnedFd file(
        ::openat(at(), w[1].c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (file.get() < 0)
      return error_name();
    const std::string text = w.size() > 2 ? text_of(w[2]) : "";
    return result(::write(file.get(), text.data(), text.size()));
  }
  std::string cat(const Words& w) {
    const OwnedFd file(::openat(at(), w[1].c_str(), O_RDONLY | O_CLOEXEC));
    return file.get() < 0 ? error_name() : all_of(file.get());
  }
  static std::string all_of(int fd) {
    std::string all;
    char bytes[65536];
    ssize_t size = 0;
    while ((size = ::read(fd, bytes, sizeof bytes)) > 0)
      all.append(bytes, static_cast<std::size_t>(size));
    return size < 0 ? error_name() : shown(all);
  }

  // ---- open files
  std::string open_at(int directory, const Words& w, std::size_t path) {
    const mode_t mode = w.size() > path + 2 ? mode_of(w[path + 2]) : 0;
    const int opened =
        ::openat(directory, w[path].c_str(), flags_of(w[path + 1]) | O_CLOEXEC, mode);
    if (opened < 0)
      return error_name();
    open_[w[1]] = OwnedFd(opened);
    return "ok";
  }
  std::string open(const Words& w) { return open_at(at(), w, 2); }
  std::string openat(const Words& w) { return open_at(open_.at(w[2]).get(), w, 3); }
  std::string close(const Words& w) {
    open_.erase(w[1]);
    return "ok";
  }
  std::string read(const Words& w) {
    std::string bytes(std::stoul(w[2]), '\0');
    return received(bytes, ::read(fd(w), bytes.data(), bytes.size()));
  }
  std::string pread(const Words& w) {
    std::string bytes(std::stoul(w[2]), '\0');
    return received(bytes, ::pread(fd(w), bytes.data(), bytes.size(), std::stol(w[3])));
  }
  static std::string received(std::string& bytes, ssize_t size) {
    if (size < 0)
      return error_name();
    bytes.resize(static_cast<std::size_t>(size));
    return shown(bytes);
  }
  std::string write(const Words& w) {
    const std::string text = text_of(w[2]);
    return counted(::write(fd(w), text.data(), text.size()));
  }
  std::string pwrite(const Words& w) {
    const std::string text = text_of(w[2]);
    return counted(::pwrite(fd(w), text.data(), text.size(), std::stol(w[3])));
  }
  std::string lseek(const Words& w) { return counted(::lseek(fd(w), std::stol(w[2]), SEEK_SET)); }
  std::string seek_end(const Words& w) { return counted(::lseek(fd(w), 0, SEEK_END)); }
  static std::string counted(ssize_t size) {
    return size < 0 ? error_name() : std::to_string(size);
  }
  std::string fstat(const Words& w) {
    struct stat found {};
    return ::fstat(fd(w), &found) < 0 ? error_name() : shown(found);
  }
  std::string ftruncate(const Words& w) { return result(::ftruncate(fd(w), std::stol(w[2]))); }
  std::string fchmod(const Words& w) { return result(::fchmod(fd(w), mode_of(w[2]))); }
  std::string futimens(const Words& w) {
    const timespec both[2] = {time_of(w[2]), time_of(w[3])};
    return result(::futimens(fd(w), both));
  }
  std::string ftimes(const Words& w) {
    struct stat found {};
    return ::fstat(fd(w), &found) < 0 ? error_name()
                                      : shown(found.st_atim) + ' ' + shown(found.st_mtim);
  }
  std::string fsync(const Words& w) { return result(::fsync(fd(w))); }
  std::string fdatasync(const Words& w) { return result(::fdatasync(fd(w))); }
  std::string getdents(const Words& w) {
    DIR* stream = ::fdopendir(::dup(fd(w)));
    ::rewinddir(stream);
    std::string text = names(stream);
    ::closedir(stream);
    return text;
  }
  std::string map(const Words& w) {
    const std::string text = text_of(w[3]);
    const std::size_t offset = std::stoul(w[2]);
    void* memory =
        ::mmap(nullptr, offset + text.size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd(w), 0);
    if (memory == MAP_FAILED)
      return error_name();
    std::memcpy(static_cast<char*>(memory) + offset, text.data(), text.size());
    const std::string answer = result(::msync(memory, offset + text.size(), MS_SYNC));
    ::munmap(memory, offset + text.size());
    return answer;
  }

  static const std::map<std::string, Call> kCalls;

  OwnedFd root_;
  std::map<std::string, OwnedFd> open_;
  mode_t old_umask_ = ::umask(022);
};

const std::map<std::string, Performer::Call> Performer::kCalls = {
    {"mkdir", &Performer::mkdir},
    {"rmdir", &Performer::rmdir},
    {"unlink", &Performer::unlink},
    {"symlink", &Performer::symlink},
    {"readlink", &Performer::readlink},
    {"link", &Performer::link},
    {"rename", &Performer::rename},
    {"exchange", &Performer::exchange},
    {"noreplace", &Performer::noreplace},
    {"mkfifo", &Performer::mkfifo},
    {"mknod", &Performer::mknod},
    {"ls", &Performer::ls},
    {"stat", &Performer::stat},
    {"followed", &Performer::followed},
    {"times", &Performer::times},
    {"chmod", &Performer::chmod},
    {"chown", &Performer::chown},
    {"utimens", &Performer::utimens},
    {"truncate", &Performer::truncate},
    {"setxattr", &Performer::setxattr},
    {"getxattr", &Performer::getxattr},
    {"removexattr", &Performer::removexattr},
    {"listxattr", &Performer::listxattr},
    {"umask", &Performer::umask},
    {"put", &Performer::put},
    {"cat", &Performer::cat},
    {"open", &Performer::open},
    {"openat", &Performer::openat},
    {"close", &Performer::close},
    {"read", &Performer::read},
    {"pread", &Performer::pread},
    {"write", &Performer::write},
    {"pwrite", &Performer::pwrite},
    {"lseek", &Performer::lseek},
    {"seek_end", &Performer::seek_end},
    {"fstat", &Performer::fstat},
    {"ftruncate", &Performer::ftruncate},
    {"fchmod", &Performer::fchmod},
    {"futimens", &Performer::futimens},
    {"ftimes", &Performer::ftimes},
    {"fsync", &Performer::fsync},
    {"fdatasync", &Performer::fdatasync},
    {"getdents", &Performer::getdents},
    {"map", &Performer::map},
};

}  // namespace

std::vector<std::string> perform(const std::string& script, const fs::path& directory) {
  Performer performer(directory);
  std::vector<std::string> transcript;
  std::istringstream lines(script);
  for (std::string line; std::getline(lines, line);) {
    const Words words = words_of(line);
    if (!words.empty())
      transcript.push_back(line.substr(line.find_first_not_of(' ')) + " -> " +
                           performer.perform(words));
  }
  return transcript;
}

namespace {

void add_snapshot(const fs::path& directory, const std::string& prefix,
                  std::vector<std::string>& found) {
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = prefix + entry.path().filename().string();
    struct stat of {};
    if (::lstat(entry.path().c_str(), &of) != 0) {
      found.push_back(shown(name) + ": " + error_name());
      continue;
    }
    std::string line = shown(name) + ": " + shown(of);
    if (S_ISREG(of.st_mode))
      line += " holds " + shown(read_file(entry.path()));
    if (S_ISLNK(of.st_mode))
      line += " to " + shown(fs::read_symlink(entry.path()).string());
    found.push_back(std::move(line));
    if (S_ISDIR(of.st_mode))
      add_snapshot(entry.path(), name + "/", found);
  }
}

}  // namespace

std::vector<std::string> snapshot(const fs::path& directory) {
  std::vector<std::string> found;
  add_snapshot(directory, "", found);
  std::ranges::sort(found);
  return found;
}

}  // namespace fuse9p::test
