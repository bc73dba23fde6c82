// SPDX-License-Identifier: MIT
#include "tests/support/soak_own.hpp"

#include "tests/support/pattern.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <iterator>
#include <numeric>

namespace fuse9p::test {
namespace {

constexpr std::size_t kLargestFile = 100'000, kMostFiles = 40, kMostDirectories = 10, kMostHeld = 5;
constexpr long kDeepest = 3;

struct stat status_of(const std::string& path, long& result) {
  struct stat found {};
  result = ::lstat(path.c_str(), &found);
  return found;
}

std::string leaf_of(std::string name) {
  if (name.ends_with('/'))
    name.pop_back();
  return name.substr(name.rfind('/') + 1);
}

/// "a/b" is in "a/", "a/b/" too; "b" is in "".
std::string parent_of(std::string name) {
  if (name.ends_with('/'))
    name.pop_back();
  return name.substr(0, name.rfind('/') + 1);
}

}  // namespace

const std::vector<OwnWork::Action> OwnWork::kActions = {
    {10, &OwnWork::create},
    {2, &OwnWork::create_again},
    {10, &OwnWork::write},
    {4, &OwnWork::append},
    {10, &OwnWork::read},
    {4, &OwnWork::map},
    {4, &OwnWork::truncate},
    {3, &OwnWork::change_mode},
    {3, &OwnWork::change_times},
    {8, &OwnWork::look},
    {2, &OwnWork::look_for_nothing},
    {6, &OwnWork::rename_file},
    {3, &OwnWork::rename_directory},
    {4, &OwnWork::link},
    {8, &OwnWork::unlink},
    {4, &OwnWork::make_directory},
    {3, &OwnWork::remove_directory},
    {2, &OwnWork::make_symlink},
    {2, &OwnWork::read_symlink},
    {4, &OwnWork::list},
    {3, &OwnWork::change_xattrs},
    {1, &OwnWork::sync},
    {4, &OwnWork::hold},
    {10, &OwnWork::use_held},
};

OwnWork::OwnWork(std::filesystem::path directory, const SoakSettings& settings, int number)
    : SoakCalls(settings.seed, number), directory_(std::move(directory)) {}

OwnWork::~OwnWork() {
  for (const Held& held : held_)
    ::close(held.fd);
}

void OwnWork::step() {
  static const std::size_t kTotal =
      std::accumulate(kActions.begin(), kActions.end(), std::size_t{0},
                      [](std::size_t sum, const Action& action) { return sum + action.weight; });
  std::size_t lot = draw(kTotal);
  for (const Action& action : kActions) {
    if (lot < action.weight)
      return (this->*action.perform)();
    lot -= action.weight;
  }
}

// ---- drawing

std::string OwnWork::bytes(std::size_t most) {
  return pattern(draw(most + 1), draw(1 << 20) + static_cast<std::size_t>(number()));
}

OwnWork::Files::value_type& OwnWork::any_file() {
  if (files_.empty())
    create();
  return *std::next(files_.begin(), static_cast<long>(draw(files_.size())));
}

std::string OwnWork::any_directory() {
  return *std::next(directories_.begin(), static_cast<long>(draw(directories_.size())));
}

std::string OwnWork::new_name() {
  std::string name = any_directory() + std::to_string(serial_++);
  if (one_in(10))
    name += std::string(200, 'n');
  if (one_in(10))
    name += " \n\xff'";
  return name;
}

int OwnWork::open(const std::string& name, int flags, mode_t mode) {
  return static_cast<int>(
      must(::open(path(name).c_str(), flags | O_CLOEXEC, mode), "open " + name));
}

void OwnWork::close(int fd) {
  must(::close(fd), "close");
}

bool OwnWork::is_below(const std::string& name, const std::string& directory) const {
  return name.size() > directory.size() && name.starts_with(directory);
}

bool OwnWork::is_empty(const std::string& directory) const {
  const auto inside = [&](const auto& names, auto name_of) {
    return std::ranges::any_of(
        names, [&](const auto& entry) { return is_below(name_of(entry), directory); });
  };
  const auto key = [](const auto& entry) { return entry.first; };
  return !inside(files_, key) && !inside(symlinks_, key) &&
         !inside(directories_, [](const std::string& name) { return name; });
}

// ---- content

void OwnWork::create() {
  if (files_.size() >= kMostFiles)
    return unlink();
  constexpr mode_t kModes[] = {0600, 0644, 0755, 0666, 0711};
  const std::string name = new_name();
  const auto file = std::make_shared<File>(File{.mode = kModes[draw(std::size(kModes))]});
  const int fd = open(name, O_RDWR | O_CREAT | O_EXCL, file->mode);
  files_[name] = file;
  write_to(fd, *file);
  expect_content(fd, *file, name);
  close(fd);
}

void OwnWork::create_again() {
  const auto& [name, file] = any_file();
  must_fail(::open(path(name).c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644), EEXIST,
            "open again " + name);
  close(open(name, O_RDWR | O_CREAT, 0600));  // which leaves it as it is
}

void OwnWork::write_to(int fd, File& file) {
  const std::string data = bytes(one_in(20) ? kLargestFile : 9000);
  const std::size_t room = kLargestFile - std::min(kLargestFile, data.size());
  const std::size_t offset = draw(std::min(room, file.content.size() + (one_in(5) ? 9000 : 0)) + 1);
  const long done = must(::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset)),
                         "pwrite " + std::to_string(data.size()) + " at " + std::to_string(offset));
  expect(done == static_cast<long>(data.size()), "short write: " + std::to_string(done));
  if (data.empty())
    return;
  if (file.content.size() < offset + data.size())
    file.content.resize(offset + data.size());
  file.content.replace(offset, data.size(), data);
  file.mtime.reset();
}

void OwnWork::write() {
  const auto& [name, file] = any_file();
  const int fd = open(name, one_in(2) ? O_WRONLY : O_RDWR);
  write_to(fd, *file);
  if (one_in(2))
    write_to(fd, *file);
  close(fd);
}

void OwnWork::append() {
  const auto& [name, file] = any_file();
  if (file->content.size() > kLargestFile)
    return truncate();
  const int fd = open(name, O_WRONLY | O_APPEND);
  const std::string data = bytes(5000);
  const long done = must(::write(fd, data.data(), data.size()), "append");
  expect(done == static_cast<long>(data.size()), "short append");
  file->content += data;
  file->mtime.reset();
  close(fd);
}

void OwnWork::expect_content(int fd, const File& file, const std::string& name) {
  const bool whole = one_in(2);
  const std::size_t offset = whole ? 0 : draw(file.content.size() + 10);
  const std::size_t most = whole ? 2 * kLargestFile : draw(9000) + 1;
  std::string found(most, '?');
  std::size_t size = 0;
  while (size < found.size()) {
    const long done = must(
        ::pread(fd, found.data() + size, found.size() - size, static_cast<off_t>(offset + size)),
        "pread " + name);
    if (done == 0)
      break;
    size += static_cast<std::size_t>(done);
  }
  found.resize(size);
  const std::string wanted = offset < file.content.size() ? file.content.substr(offset, most) : "";
  if (found == wanted)
    return;
  const auto differs = std::ranges::mismatch(found, wanted).in1 - found.begin();
  expect(false, name + " differs at " + std::to_string(differs) + " from " +
                    std::to_string(offset) + " on: " + std::to_string(found.size()) +
                    " bytes instead of " + std::to_string(wanted.size()) + " of " +
                    std::to_string(file.content.size()));
}

void OwnWork::read() {
  const auto& [name, file] = any_file();
  const int fd = open(name, O_RDONLY | (one_in(8) ? O_DIRECT : 0));
  expect_content(fd, *file, name);
  close(fd);
}

void OwnWork::map() {
  const auto& [name, file] = any_file();
  std::string& content = file->content;
  if (content.empty())
    return write();
  const int fd = open(name, O_RDWR);
  void* memory = ::mmap(nullptr, content.size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  must(memory == MAP_FAILED ? -1 : 0, "mmap " + name);
  const bool early = one_in(2);
  if (early)
    close(fd);
  expect(std::memcmp(memory, content.data(), content.size()) == 0, name + " differs, mapped");
  if (one_in(2)) {
    const std::string data = bytes(9000).substr(0, content.size());
    const std::size_t offset = draw(content.size() - data.size() + 1);
    std::memcpy(static_cast<char*>(memory) + offset, data.data(), data.size());
    must(::msync(memory, content.size(), MS_SYNC), "msync " + name);
    content.replace(offset, data.size(), data);
    file->mtime.reset();
  }
  must(::munmap(memory, content.size()), "munmap " + name);
  if (!early)
    close(fd);
}

void OwnWork::truncate() {
  const auto& [name, file] = any_file();
  if (one_in(4)) {
    close(open(name, O_WRONLY | O_TRUNC));
    file->content.clear();
  } else {
    file->content.resize(draw(file->content.size() + 5000));
    must(::truncate(path(name).c_str(), static_cast<off_t>(file->content.size())),
         "truncate " + name + " to " + std::to_string(file->content.size()));
  }
  file->mtime.reset();
}

void OwnWork::sync() {
  const auto& [name, file] = any_file();
  const int fd = open(name, O_WRONLY);
  write_to(fd, *file);
  must(one_in(2) ? ::fsync(fd) : ::fdatasync(fd), "fsync " + name);
  close(fd);
}

// ---- attributes

void OwnWork::change_mode() {
  constexpr mode_t kModes[] = {0600, 0640, 0755, 0777, 0711};
  const auto& [name, file] = any_file();
  file->mode = kModes[draw(std::size(kModes))];
  must(::chmod(path(name).c_str(), file->mode), "chmod " + name);
}

void OwnWork::change_times() {
  const auto& [name, file] = any_file();
  const timespec time{.tv_sec = static_cast<time_t>(draw(2'000'000'000)),
                      .tv_nsec = static_cast<long>(draw(1'000'000'000))};
  const timespec times[] = {time, time};
  must(::utimensat(AT_FDCWD, path(name).c_str(), times, 0), "utimensat " + name);
  file->mtime = time;
}

void OwnWork::expect_stat(const struct stat& found, const File& file, const std::string& name) {
  const auto same = [&](auto has, auto wanted, const char* what) {
    expect(has == wanted, name + ": " + what + ' ' + std::to_string(has) + " instead of " +
                              std::to_string(wanted));
  };
  same(found.st_size, static_cast<off_t>(file.content.size()), "size");
  same(found.st_mode, S_IFREG | file.mode, "mode");
  same(found.st_nlink, file.names, "links");
  same(found.st_uid, ::geteuid(), "owner");
  if (file.mtime) {
    same(found.st_mtim.tv_sec, file.mtime->tv_sec, "mtime");
    same(found.st_mtim.tv_nsec, file.mtime->tv_nsec, "mtime's ns");
  }
}

void OwnWork::look() {
  const auto& [name, file] = any_file();
  long result = 0;
  const struct stat found = status_of(path(name), result);
  must(result, "lstat " + name);
  expect_stat(found, *file, name);
}

void OwnWork::look_for_nothing() {
  const std::string name = new_name();
  struct stat found {};
  must_fail(::lstat(path(name).c_str(), &found), ENOENT, "lstat " + name);
  must_fail(::unlink(path(name).c_str()), ENOENT, "unlink " + name);
  must_fail(::open(path(name).c_str(), O_RDONLY | O_CLOEXEC), ENOENT, "open " + name);
  must_fail(::rename(path(name).c_str(), path(name + 'x').c_str()), ENOENT, "rename " + name);
}

void OwnWork::change_xattrs() {
  const auto& [name, file] = any_file();
  const std::string file_path = path(name);
  const std::string key = "user.key" + std::to_string(draw(4));
  if (one_in(3)) {
    const int result = ::removexattr(file_path.c_str(), key.c_str());
    if (file->xattrs.erase(key) != 0)
      must(result, "removexattr " + name + ' ' + key);
    else
      must_fail(result, ENODATA, "removexattr " + name + ' ' + key);
  } else {
    // Never empty: on the wire that is a removal.
    const std::string value = 'v' + bytes(one_in(4) ? 1000 : 20);
    must(::setxattr(file_path.c_str(), key.c_str(), value.data(), value.size(), 0),
         "setxattr " + name + ' ' + key);
    file->xattrs[key] = value;
  }
  for (const auto& [known, value] : file->xattrs) {
    std::string found(2000, '\0');
    const long size = must(::getxattr(file_path.c_str(), known.c_str(), found.data(), found.size()),
                           "getxattr " + name + ' ' + known);
    found.resize(static_cast<std::size_t>(size));
    expect(found == value, name + ": another value of " + known);
  }
  char keys[4096];
  const long size = must(::listxattr(file_path.c_str(), keys, sizeof keys), "listxattr " + name);
  std::set<std::string> listed;
  for (const char* at = keys; at < keys + size; at += std::strlen(at) + 1)
    listed.insert(at);
  std::erase_if(listed, [](const std::string& key_name) { return !key_name.starts_with("user."); });
  expect(listed.size() == file->xattrs.size() &&
             std::ranges::all_of(listed, [&](const auto& k) { return file->xattrs.contains(k); }),
         name + ": listxattr says others");
}

// ---- names

void OwnWork::rename_file() {
  const auto [name, file] = any_file();
  const std::string to = one_in(3) ? any_file().first : new_name();
  must(::rename(path(name).c_str(), path(to).c_str()), "rename " + name + " to " + to);
  const auto replaced = files_.find(to);
  if (replaced != files_.end() && replaced->second == file)
    return;  // two names of one file: nothing happens
  if (replaced != files_.end())
    --replaced->second->names;
  files_.erase(name);
  files_[to] = file;
}

void OwnWork::rename_directory() {
  const std::string name = any_directory();
  const std::string parent = any_directory();
  if (name.empty())
    return list();
  const std::string to = parent + std::to_string(serial_++) + '/';
  if (parent.starts_with(name))
    return must_fail(::rename(path(name).c_str(), path(to).c_str()), EINVAL, "rename into itself");
  must(::rename(path(name).c_str(), path(to).c_str()), "rename " + name + " to " + to);
  const auto moved = [&](const std::string& old) {
    return old.starts_with(name) ? to + old.substr(name.size()) : old;
  };
  Files files;
  for (const auto& [old, file] : files_)
    files[moved(old)] = file;
  files_ = std::move(files);
  std::map<std::string, std::string> symlinks;
  for (const auto& [old, target] : symlinks_)
    symlinks[moved(old)] = target;
  symlinks_ = std::move(symlinks);
  std::set<std::string> directories;
  for (const std::string& old : directories_)
    directories.insert(moved(old));
  directories_ = std::move(directories);
}

void OwnWork::link() {
  const auto [name, file] = any_file();
  const std::string to = new_name();
  if (files_.size() >= kMostFiles)
    return unlink();
  must(::link(path(name).c_str(), path(to).c_str()), "link " + name + " to " + to);
  ++file->names;
  files_[to] = file;
  long result = 0;
  const struct stat one = status_of(path(name), result);
  must(result, "lstat " + name);
  const struct stat other = status_of(path(to), result);
  must(result, "lstat " + to);
  expect_stat(one, *file, name);
  expect_stat(other, *file, to);
  expect(one.st_ino == other.st_ino, name + " and " + to + " have different inodes");
  must_fail(::link(path(name).c_str(), path(to).c_str()), EEXIST, "link again " + to);
}

void OwnWork::unlink() {
  const auto [name, file] = any_file();
  must(::unlink(path(name).c_str()), "unlink " + name);
  --file->names;
  files_.erase(name);
}

void OwnWork::make_directory() {
  const std::string name = new_name() + '/';
  if (directories_.size() > kMostDirectories || std::ranges::count(name, '/') > kDeepest)
    return remove_directory();
  must(::mkdir(path(name).c_str(), 0755), "mkdir " + name);
  directories_.insert(name);
  must_fail(::mkdir(path(name).c_str(), 0755), EEXIST, "mkdir again " + name);
}

void OwnWork::remove_directory() {
  const std::string name = any_directory();
  if (name.empty())
    return list();
  const int result = ::rmdir(path(name).c_str());
  if (!is_empty(name))
    return must_fail(result, ENOTEMPTY, "rmdir " + name);
  must(result, "rmdir " + name);
  directories_.erase(name);
}

void OwnWork::make_symlink() {
  const std::string name = new_name();
  const std::string target = std::string(1 + draw(300), 't') + "/../x";
  if (symlinks_.size() >= kMostDirectories) {
    const std::string old = symlinks_.begin()->first;
    must(::unlink(path(old).c_str()), "unlink " + old);
    symlinks_.erase(old);
  }
  must(::symlink(target.c_str(), path(name).c_str()), "symlink " + name);
  symlinks_[name] = target;
}

void OwnWork::read_symlink() {
  if (symlinks_.empty())
    return make_symlink();
  const auto& [name, target] =
      *std::next(symlinks_.begin(), static_cast<long>(draw(symlinks_.size())));
  char found[1000];
  const long size = must(::readlink(path(name).c_str(), found, sizeof found), "readlink " + name);
  expect(std::string(found, static_cast<std::size_t>(size)) == target, name + " leads elsewhere");
}

void OwnWork::list() {
  const std::string directory = any_directory();
  std::multiset<std::string> wanted = {".", ".."};
  const auto add = [&](const std::string& name) {
    if (!name.empty() && parent_of(name) == directory)
      wanted.insert(leaf_of(name));
  };
  for (const auto& entry : files_)
    add(entry.first);
  for (const auto& entry : symlinks_)
    add(entry.first);
  for (const std::string& name : directories_)
    add(name);
  DIR* stream = ::opendir(path(directory).c_str());
  must(stream == nullptr ? -1 : 0, "opendir " + directory);
  std::multiset<std::string> found;
  while (const dirent* entry = ::readdir(stream)) {
    found.insert(entry->d_name);
    if (const auto file = files_.find(directory + entry->d_name); file != files_.end()) {
      expect(entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN, file->first + ": wrong type");
      if (one_in(4)) {
        struct stat status {};
        must(::fstatat(::dirfd(stream), entry->d_name, &status, 0), "fstatat " + file->first);
        expect_stat(status, *file->second, file->first);
      }
    }
  }
  ::closedir(stream);
  if (found == wanted)
    return;
  std::string what = "listing of \"" + directory + '"';
  for (const std::string& name : found)
    what += wanted.contains(name) ? "" : "; too much: " + name;
  for (const std::string& name : wanted)
    what += found.contains(name) ? "" : "; missing: " + name;
  expect(false, what);
}

// ---- what is open while its names change

void OwnWork::hold() {
  if (held_.size() >= kMostHeld) {
    close(held_.front().fd);
    held_.erase(held_.begin());
  }
  const auto [name, file] = any_file();
  held_.push_back({open(name, O_RDWR), file});
  if (!one_in(2))
    return;
  must(::unlink(path(name).c_str()), "unlink held " + name);
  --file->names;
  files_.erase(name);
}

void OwnWork::use_held() {
  if (held_.empty())
    return hold();
  const Held& held = held_[draw(held_.size())];
  const std::string name = "held with " + std::to_string(held.file->names) + " names";
  struct stat found {};
  switch (draw(6)) {
    case 4:
      write_to(held.fd, *held.file);
      break;
    case 1:
      held.file->content.resize(draw(held.file->content.size() + 5000));
      must(::ftruncate(held.fd, static_cast<off_t>(held.file->content.size())),
           "ftruncate " + name);
      held.file->mtime.reset();
      break;
    case 2:
      held.file->mode = one_in(2) ? 0600 : 0644;
      must(::fchmod(held.fd, held.file->mode), "fchmod " + name);
      break;
    case 0:
      must(::fstat(held.fd, &found), "fstat " + name);
      expect_stat(found, *held.file, name);
      break;
    default:
      expect_content(held.fd, *held.file, name);
  }
}

void OwnWork::check_all() {
  for (const auto& [name, file] : files_) {
    long result = 0;
    const struct stat found = status_of(path(name), result);
    must(result, "lstat " + name);
    expect_stat(found, *file, name);
    const int fd = open(name, O_RDONLY);
    expect_content(fd, *file, name);
    close(fd);
  }
  for (std::size_t i = 0; i < directories_.size(); ++i)
    list();
}

}  // namespace fuse9p::test
