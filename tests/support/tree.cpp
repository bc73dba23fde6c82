// SPDX-License-Identifier: MIT
#include "tests/support/tree.hpp"

#include "tests/support/pattern.hpp"
#include "tests/support/process.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

namespace fuse9p::test {

namespace fs = std::filesystem;

namespace {

/// Of the system calls that must not fail.
void check(int result, const fs::path& path) {
  if (result != 0)
    throw std::system_error(errno, std::generic_category(), path.string());
}

void write(const fs::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// ---- making

const std::vector<std::string>& odd_names() {
  static const std::vector<std::string> names = {
      "plain",
      "with space",
      " leading",
      "trailing ",
      "new\nline",
      "-rf",
      "back\\slash",
      "quote'\"`$(",
      "*?[a-z]",
      "~",
      "tab\tand\x01"
      "ctrl",
      "...",
      "\xff\xfe\x80",
      "\xc3\xa4",
      "a\xcc\x88",
      "#hash%20",
      ".hidden",
      std::string(255, 'n'),
      std::string(254, 'n') + '\n',
  };
  return names;
}

void make_odd_names(const fs::path& root) {
  std::size_t number = 0;
  for (const std::string& name : odd_names()) {
    fs::create_directory(root / name);
    write(root / name / name, pattern(1000 + number, number));
    ++number;
  }
}

/// A file that is mostly hole, one that is nothing else, one that ends in data.
void make_holes(const fs::path& root) {
  constexpr off_t kMiB = 1 << 20;
  const std::pair<const char*, std::vector<off_t>> files[] = {
      {"sparse", {0, 5 * kMiB + 123, 40 * kMiB}}, {"hole", {}}, {"late", {16 * kMiB - 5}}};
  for (const auto& [name, offsets] : files) {
    const fs::path path = root / name;
    const OwnedFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    const std::string bytes = pattern(70'000);
    if (std::string_view(name) != "late")
      check(::ftruncate(file.get(), 48 * kMiB), path);
    for (const off_t offset : offsets)
      check(::pwrite(file.get(), bytes.data(), bytes.size(), offset) < 0 ? -1 : 0, path);
  }
}

void make_links(const fs::path& root) {
  fs::create_directories(root / "one" / "deeper");
  fs::create_directories(root / "two");
  write(root / "one" / "first", pattern(12'345));
  fs::create_hard_link(root / "one" / "first", root / "one" / "second");
  fs::create_hard_link(root / "one" / "first", root / "two" / "third");
  fs::create_hard_link(root / "one" / "first", root / "one" / "deeper" / "fourth");
  // The same content, another file.
  write(root / "two" / "stranger", pattern(12'345));
  fs::create_symlink("../one/first", root / "two" / "link");
  fs::create_symlink("nowhere/at all", root / "dangling");
  fs::create_symlink(std::string(1000, 'x'), root / "long");
  fs::create_symlink(".", root / "self");
  fs::create_hard_link(root / "dangling", root / "two" / "dangling too");
}

void make_modes(const fs::path& root) {
  for (const mode_t mode : {0U, 0400U, 0222U, 0755U, 01777U, 02755U, 04711U, 06555U}) {
    std::ostringstream name;
    name << std::oct << mode;
    write(root / ("file" + name.str()), name.str());
    check(::chmod((root / ("file" + name.str())).c_str(), mode), root);
    fs::create_directory(root / ("dir" + name.str()));
    check(::chmod((root / ("dir" + name.str())).c_str(), mode), root);
  }
}

void make_specials(const fs::path& root, const TreeExtras& extras) {
  check(::mkfifo((root / "fifo").c_str(), 0640), root);
  if (!extras.devices)
    return;
  check(::mknod((root / "null").c_str(), S_IFCHR | 0666, ::makedev(1, 3)), root);
  check(::mknod((root / "block").c_str(), S_IFBLK | 0600, ::makedev(259, 70'000)), root);
}

void make_owners(const fs::path& root) {
  for (const uid_t uid : {1U, 1000U, 65'534U, 3'000'000'000U}) {
    const fs::path file = root / std::to_string(uid);
    write(file, "owned");
    check(::chown(file.c_str(), uid, uid + 1), file);
    fs::create_symlink("target", root / ("link" + std::to_string(uid)));
    check(::lchown((root / ("link" + std::to_string(uid))).c_str(), uid, uid + 1), file);
  }
}

void make_xattrs(const fs::path& root) {
  fs::create_directory(root / "directory");
  for (const char* name : {"file", "directory"}) {
    const fs::path path = root / name;
    if (std::string_view(name) == "file")
      write(path, "with attributes");
    const std::string bytes = pattern(1500);
    check(::setxattr(path.c_str(), "user.plain", "value", 5, 0), path);
    check(::setxattr(path.c_str(), "user.empty", "", 0, 0), path);
    check(::setxattr(path.c_str(), "user.binary", bytes.data(), bytes.size(), 0), path);
    const Finished done = run({.arguments = {"setfacl", "-m", "u:1:rwx,g:2:r-x,m::rw", path}});
    check(done.status == kSuccess ? 0 : -1, path / done.output);
  }
  const Finished done =
      run({.arguments = {"setfacl", "-d", "-m", "u:1:rwx,o::-", root / "directory"}});
  check(done.status == kSuccess ? 0 : -1, root / done.output);
}

/// In another order than that of creation; directories behind what is in them.
void set_times(const fs::path& root) {
  // 1901, 1969, the epoch, now and then, behind 2038, behind 2106
  constexpr std::int64_t kSeconds[] = {
      -2'147'483'648, -1, 0, 1'700'000'000, 1'234'567'890, 2'147'483'648, 4'400'000'000};
  constexpr long kNanoseconds[] = {0, 1, 999'999'999, 123'456'789};
  std::vector<fs::path> paths = {root};
  for (const auto& entry : fs::recursive_directory_iterator(root))
    paths.push_back(entry.path());
  std::ranges::sort(paths, std::greater());
  std::size_t number = 0;
  for (const fs::path& path : paths) {
    const timespec time{.tv_sec = kSeconds[number % std::size(kSeconds)],
                        .tv_nsec = kNanoseconds[number % std::size(kNanoseconds)]};
    const timespec times[] = {time, time};
    check(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), path);
    ++number;
  }
}

// ---- describing

std::uint64_t content_hash(const fs::path& path) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a, a word at a time
  std::ifstream in(path, std::ios::binary);
  std::vector<std::uint64_t> words(8192);
  for (;;) {
    std::ranges::fill(words, 0);
    in.read(reinterpret_cast<char*>(words.data()),
            static_cast<std::streamsize>(words.size() * sizeof words[0]));
    if (in.gcount() == 0)
      return hash;
    for (const std::uint64_t word : words)
      hash = (hash ^ word) * 0x100000001b3;
  }
}

/// Those that a copy can carry: "name=value", sorted.
std::string xattrs_of(const fs::path& path) {
  std::string names(65536, '\0');
  const ssize_t size = ::llistxattr(path.c_str(), names.data(), names.size());
  if (size < 0)
    return errno == EOPNOTSUPP ? "" : " listxattr: " + std::system_category().message(errno);
  names.resize(static_cast<std::size_t>(size));
  std::vector<std::string> lines;
  std::istringstream in(names);
  for (std::string name; std::getline(in, name, '\0');) {
    std::string value(65536, '\0');
    const ssize_t length = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    value.resize(static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
    lines.push_back(' ' + name + '=' + (length < 0 ? "?" : std::to_string(length) + ':') +
                    std::to_string(std::hash<std::string>()(value)));
  }
  std::ranges::sort(lines);
  std::string all;
  for (const std::string& line : lines)
    all += line;
  return all;
}

std::string quoted(const std::string& name) {
  std::ostringstream out;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f)
      out << c;
    else
      out << "\\x" << std::hex << (byte >> 4) << (byte & 15);
  }
  return out.str();
}

}  // namespace

void make_rich_tree(const fs::path& root, const TreeExtras& extras) {
  const auto below = [&](const char* name) {
    fs::create_directories(root / name);
    return root / name;
  };
  make_odd_names(below("names"));
  make_holes(below("holes"));
  make_links(below("links"));
  make_modes(below("modes"));
  make_specials(below("specials"), extras);
  write(below("empty") / "file", "");
  if (extras.owners)
    make_owners(below("owners"));
  if (extras.xattrs)
    make_xattrs(below("xattrs"));
  set_times(root);
}

Description describe(const fs::path& root) {
  Description all;
  std::map<std::pair<dev_t, ino_t>, std::string> first_name;
  std::vector<fs::path> paths = {root};
  for (const auto& entry : fs::recursive_directory_iterator(root))
    paths.push_back(entry.path());
  std::ranges::sort(paths);
  for (const fs::path& path : paths) {
    const std::string name = path == root ? "." : path.string().substr(root.string().size() + 1);
    struct stat found {};
    check(::lstat(path.c_str(), &found), path);
    std::ostringstream line;
    line << std::oct << "mode " << found.st_mode << std::dec << " owner " << found.st_uid << ':'
         << found.st_gid << " mtime " << found.st_mtim.tv_sec << '+' << found.st_mtim.tv_nsec;
    if (!S_ISDIR(found.st_mode)) {
      const auto first = first_name.try_emplace({found.st_dev, found.st_ino}, name).first;
      line << " links " << found.st_nlink << " of " << quoted(first->second) << " size "
           << found.st_size;
    }
    if (S_ISCHR(found.st_mode) || S_ISBLK(found.st_mode))
      line << " device " << ::major(found.st_rdev) << ':' << ::minor(found.st_rdev);
    if (S_ISREG(found.st_mode))
      line << " content " << std::hex << content_hash(path) << std::dec;
    if (S_ISLNK(found.st_mode))
      line << " to " << quoted(fs::read_symlink(path));
    line << xattrs_of(path);
    all.emplace(quoted(name), line.str());
  }
  return all;
}

std::string differences(const Description& one, const Description& other) {
  std::ostringstream out;
  const auto compare = [&](const Description& a, const Description& b, bool both) {
    for (const auto& [name, line] : a) {
      const auto found = b.find(name);
      if (found == b.end())
        out << name << (both ? ": only in the first\n" : ": only in the second\n");
      else if (both && found->second != line)
        out << name << ":\n  " << line << "\n  " << found->second << '\n';
    }
  };
  compare(one, other, true);
  compare(other, one, false);
  return out.str();
}

}  // namespace fuse9p::test
