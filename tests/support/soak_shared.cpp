// SPDX-License-Identifier: MIT
#include "tests/support/soak_shared.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <numeric>

namespace fuse9p::test {
namespace {

constexpr std::size_t kDirectories = 4, kNames = 12, kBelow = 4, kWordsInFile = 4096;

}  // namespace

const std::vector<SharedWork::Action> SharedWork::kActions = {
    {8, &SharedWork::create},
    {8, &SharedWork::write},
    {8, &SharedWork::read},
    {3, &SharedWork::truncate},
    {8, &SharedWork::rename},
    {5, &SharedWork::link},
    {8, &SharedWork::unlink},
    {4, &SharedWork::make_directory},
    {3, &SharedWork::remove_directory},
    {2, &SharedWork::make_symlink},
    {2, &SharedWork::read_symlink},
    {8, &SharedWork::look},
    {4, &SharedWork::list},
    {2, &SharedWork::change_mode},
    {3, &SharedWork::lock},
    {3, &SharedWork::count},
};

void SharedWork::step() {
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

/// "shared.2/n7", or "shared.2/n7/n1", if n7 is a directory just now.
std::string SharedWork::any_name() {
  std::string name = any_directory() + "/n" + std::to_string(draw(kNames));
  if (one_in(4))
    name += "/n" + std::to_string(draw(kBelow));
  return name;
}

std::string SharedWork::any_directory() {
  return "shared." + std::to_string(draw(kDirectories));
}

int SharedWork::open(const std::string& name, int flags) {
  // EACCES for root, too: fs.protected_regular.
  std::vector<int> allowed = {EISDIR, EEXIST};
  if ((flags & O_CREAT) != 0)
    allowed.push_back(EACCES);
  const int fd = ::open(path(name).c_str(), flags | O_CLOEXEC, one_in(4) ? 0600 : 0666);
  return attempt(fd, allowed, "open " + name) ? fd : -1;
}

bool SharedWork::attempt(long result, std::vector<int> errors, const std::string& call) {
  errors.insert(errors.end(), {ENOENT, ENOTDIR, ELOOP});
  if (::geteuid() != 0)
    errors.push_back(EACCES);
  return may(result, errors, call);
}

// ---- content

void SharedWork::write_to(int fd, const std::string& name) {
  const std::size_t first = draw(kWordsInFile);
  std::vector<std::uint64_t> words(1 + draw(kWordsInFile - first));
  for (std::size_t i = 0; i < words.size(); ++i)
    words[i] = placed_word(first + i, static_cast<unsigned>(number()));
  const std::size_t size = words.size() * sizeof words[0];
  const long done =
      must(::pwrite(fd, words.data(), size, static_cast<off_t>(first * sizeof words[0])),
           "pwrite " + name);
  expect(done == static_cast<long>(size), name + ": short write");
}

/// Each word is one that belongs there, or of a hole.
void SharedWork::expect_placed(int fd, const std::string& name) {
  std::array<std::uint64_t, kWordsInFile + 1> words{};
  const long size = must(::pread(fd, words.data(), sizeof words, 0), "pread " + name);
  for (std::size_t i = 0; i < static_cast<std::size_t>(size) / sizeof words[0]; ++i) {
    expect(words[i] == 0 || words[i] == placed_word(i, static_cast<unsigned>(words[i])),
           name + ": word " + std::to_string(i) + " is none of its place");
  }
}

void SharedWork::create() {
  const std::string name = any_name();
  const int fd = open(name, O_RDWR | O_CREAT | (one_in(3) ? O_EXCL : 0));
  if (fd < 0)
    return;
  write_to(fd, name);
  must(::close(fd), "close " + name);
}

void SharedWork::write() {
  const std::string name = any_name();
  const int fd = open(name, one_in(4) ? O_WRONLY | O_TRUNC : O_WRONLY);
  if (fd < 0)
    return;
  write_to(fd, name);
  must(::close(fd), "close " + name);
}

void SharedWork::read() {
  const std::string name = any_name();
  const int fd = open(name, O_RDONLY | O_NOFOLLOW);
  if (fd < 0)
    return;
  struct stat found {};
  must(::fstat(fd, &found), "fstat " + name);
  if (S_ISREG(found.st_mode)) {
    expect_placed(fd, name);
    expect_placed(fd, name);
  }
  must(::close(fd), "close " + name);
}

void SharedWork::truncate() {
  const std::string name = any_name();
  // At a multiple of 8, so that no word is cut.
  const auto size = static_cast<off_t>(8 * draw(kWordsInFile));
  if (one_in(2)) {
    attempt(::truncate(path(name).c_str(), size), {EISDIR}, "truncate " + name);
    return;
  }
  const int fd = open(name, O_WRONLY);
  if (fd < 0)
    return;
  must(::ftruncate(fd, size), "ftruncate " + name);
  must(::close(fd), "close " + name);
}

void SharedWork::lock() {
  const std::string name = any_name();
  const int fd = open(name, O_RDWR);
  if (fd < 0)
    return;
  if (one_in(2)) {
    if (may(::flock(fd, LOCK_EX | LOCK_NB), {EWOULDBLOCK}, "flock " + name))
      must(::flock(fd, LOCK_UN), "flock unlock " + name);
  } else {
    struct flock range {};
    range.l_type = one_in(2) ? F_WRLCK : F_RDLCK;
    range.l_start = static_cast<off_t>(draw(100));
    range.l_len = static_cast<off_t>(1 + draw(100));
    if (may(::fcntl(fd, F_SETLK, &range), {EAGAIN, EACCES}, "lock " + name) && one_in(2)) {
      range.l_type = F_UNLCK;
      must(::fcntl(fd, F_SETLK, &range), "unlock " + name);
    }
  }
  must(::close(fd), "close " + name);
}

/// Adds 1 to the number in a file that all have, under a lock: none of them may be lost.
void SharedWork::count() {
  const int fd =
      static_cast<int>(must(::open(path("counter").c_str(), O_RDWR | O_CLOEXEC), "open counter"));
  struct flock whole {};
  whole.l_type = F_WRLCK;
  must(::fcntl(fd, F_SETLKW, &whole), "lock counter");
  std::uint64_t number = 0;
  const long size = must(::pread(fd, &number, sizeof number, 0), "pread counter");
  expect(size == 0 || size == sizeof number, "counter has " + std::to_string(size) + " bytes");
  ++number;
  must(::pwrite(fd, &number, sizeof number, 0), "pwrite counter");
  must(::close(fd), "close counter");  // which unlocks it
  ++counted_;
}

// ---- names

void SharedWork::rename() {
  const std::string from = any_name();
  const std::string to = any_name();
  attempt(::rename(path(from).c_str(), path(to).c_str()),
          {EISDIR, ENOTEMPTY, EEXIST, EINVAL, EPERM}, "rename " + from + " to " + to);
}

void SharedWork::link() {
  const std::string from = any_name();
  const std::string to = any_name();
  // EPERM: a directory, or fs.protected_hardlinks.
  attempt(::link(path(from).c_str(), path(to).c_str()), {EEXIST, EPERM},
          "link " + from + " to " + to);
}

void SharedWork::unlink() {
  const std::string name = any_name();
  attempt(::unlink(path(name).c_str()), {EISDIR, EPERM}, "unlink " + name);
}

void SharedWork::make_directory() {
  const std::string name = any_name();
  attempt(::mkdir(path(name).c_str(), one_in(4) ? 0755 : 0777), {EEXIST}, "mkdir " + name);
}

void SharedWork::remove_directory() {
  const std::string name = any_name();
  attempt(::rmdir(path(name).c_str()), {ENOTEMPTY, EEXIST, EPERM}, "rmdir " + name);
}

void SharedWork::make_symlink() {
  const std::string name = any_name();
  const std::string target = "n" + std::to_string(draw(kNames));  // perhaps itself
  attempt(::symlink(target.c_str(), path(name).c_str()), {EEXIST}, "symlink " + name);
}

void SharedWork::read_symlink() {
  const std::string name = any_name();
  char target[100];
  const long size = ::readlink(path(name).c_str(), target, sizeof target);
  if (attempt(size, {EINVAL}, "readlink " + name))
    expect(size >= 2 && size <= 3 && target[0] == 'n', name + " leads where nobody said");
}

void SharedWork::look() {
  const std::string name = any_name();
  struct stat found {};
  const bool follow = one_in(2);
  if (attempt(::fstatat(AT_FDCWD, path(name).c_str(), &found, follow ? 0 : AT_SYMLINK_NOFOLLOW), {},
              "stat " + name))
    expect(S_ISREG(found.st_mode) || S_ISDIR(found.st_mode) || S_ISLNK(found.st_mode),
           name + " has a type that nobody made");
}

void SharedWork::list() {
  const std::string name = one_in(2) ? any_directory() : any_name();
  DIR* stream = ::opendir(path(name).c_str());
  if (!attempt(stream == nullptr ? -1 : 0, {}, "opendir " + name))
    return;
  const bool look = one_in(2);
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream);
    // ENOENT: the directory was removed meanwhile.
    if (entry == nullptr && may(errno == 0 ? 0 : -1, {ENOENT}, "readdir " + name))
      break;
    if (entry == nullptr)
      break;
    expect(entry->d_name[0] == 'n' || entry->d_name[0] == '.', name + " has a stranger's name");
    struct stat found {};
    if (look)
      attempt(::fstatat(::dirfd(stream), entry->d_name, &found, AT_SYMLINK_NOFOLLOW), {},
              "fstatat " + name + '/' + entry->d_name);
  }
  must(::closedir(stream), "closedir " + name);
}

void SharedWork::change_mode() {
  constexpr mode_t kModes[] = {0777, 0666, 0755, 0700};
  const std::string name = any_name();
  attempt(::chmod(path(name).c_str(), kModes[draw(std::size(kModes))]), {EPERM}, "chmod " + name);
}

}  // namespace fuse9p::test
