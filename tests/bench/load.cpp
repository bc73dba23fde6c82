// SPDX-License-Identifier: MIT
// bench_load: what a program does to a directory, timed. It knows nothing of 9P.
//
//   bench_load WORKLOAD DIRECTORY --NAME NUMBER...
//
// Prints the seconds from the first call to the last answer.

#include "tests/bench/arguments.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <latch>
#include <memory>
#include <thread>

namespace fuse9p::bench {
namespace {

constexpr std::size_t kBulkCall = std::size_t{1} << 20;

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

class File {
 public:
  File(const std::string& path, int flags) : path_(path), fd_(::open(path.c_str(), flags, 0644)) {
    if (fd_ < 0)
      fail(path);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { ::close(fd_); }

  void read_at(char* to, std::size_t size, std::uint64_t offset) const {
    if (::pread(fd_, to, size, static_cast<off_t>(offset)) != static_cast<ssize_t>(size))
      fail("read " + path_);
  }
  void write_at(const char* from, std::size_t size, std::uint64_t offset) const {
    if (::pwrite(fd_, from, size, static_cast<off_t>(offset)) != static_cast<ssize_t>(size))
      fail("write " + path_);
  }

 private:
  std::string path_;
  int fd_;
};

struct Free {
  void operator()(char* memory) const { std::free(memory); }
};
/// Aligned as O_DIRECT may want it, and not zero.
std::unique_ptr<char, Free> make_buffer(std::size_t size) {
  std::unique_ptr<char, Free> memory(static_cast<char*>(std::aligned_alloc(kSmallRead, size)));
  std::memset(memory.get(), 0x5A, size);
  return memory;
}

struct Job {
  std::string directory;
  const Arguments& arguments;
  std::string data_path() const { return directory + "/" + kDataFile; }
  std::string path(std::size_t number) const { return directory + "/" + file_name(number); }
};

void sequential_read(const Job& job) {
  const std::uint64_t bytes = job.arguments.number("bytes");
  const auto buffer = make_buffer(kBulkCall);
  const Stopwatch stopwatch;
  const File file(job.data_path(), O_RDONLY);
  for (std::uint64_t at = 0; at < bytes; at += kBulkCall)
    file.read_at(buffer.get(), kBulkCall, at);
  stopwatch.print();
}

void sequential_write(const Job& job) {
  const std::uint64_t bytes = job.arguments.number("bytes");
  const auto buffer = make_buffer(kBulkCall);
  const Stopwatch stopwatch;
  {
    const File file(job.data_path(), O_WRONLY | O_CREAT | O_EXCL);
    for (std::uint64_t at = 0; at < bytes; at += kBulkCall)
      file.write_at(buffer.get(), kBulkCall, at);
  }
  stopwatch.print();
}

/// O_DIRECT: the page cache stays out of it, each read is a request.
void random_read(const Job& job) {
  const std::uint64_t bytes = job.arguments.number("bytes");
  const std::uint64_t count = job.arguments.number("count");
  const std::uint64_t callers = job.arguments.number("callers");
  std::deque<File> files;
  for (std::uint64_t i = 0; i < callers; ++i)
    files.emplace_back(job.data_path(), O_RDONLY | O_DIRECT);
  std::latch ready(static_cast<std::ptrdiff_t>(callers) + 1);
  std::atomic<bool> failed = false;
  const auto call = [&](std::uint64_t caller) {
    const auto buffer = make_buffer(kSmallRead);
    RandomPages pages(caller, bytes);
    ready.arrive_and_wait();
    try {
      for (std::uint64_t i = 0; i < count / callers; ++i)
        files[caller].read_at(buffer.get(), kSmallRead, pages.next());
    } catch (const std::exception& error) {
      failed = true;
      std::fprintf(stderr, "bench_load: %s\n", error.what());
    }
  };
  std::vector<std::jthread> threads;
  for (std::uint64_t i = 0; i < callers; ++i)
    threads.emplace_back(call, i);
  ready.arrive_and_wait();
  const Stopwatch stopwatch;
  threads.clear();
  if (failed)
    throw std::runtime_error("random reads failed");
  stopwatch.print();
}

void for_each_file(const Job& job, const std::function<void(const std::string& path)>& call) {
  const std::uint64_t count = job.arguments.number("count");
  const Stopwatch stopwatch;
  for (std::size_t i = 0; i < count; ++i)
    call(job.path(i));
  stopwatch.print();
}

void create(const Job& job) {
  for_each_file(
      job, [](const std::string& path) { const File file(path, O_WRONLY | O_CREAT | O_EXCL); });
}

void stat_files(const Job& job) {
  for_each_file(job, [](const std::string& path) {
    struct stat attributes {};
    if (::stat(path.c_str(), &attributes) != 0)
      fail("stat " + path);
  });
}

void unlink_files(const Job& job) {
  for_each_file(job, [](const std::string& path) {
    if (::unlink(path.c_str()) != 0)
      fail("unlink " + path);
  });
}

/// `ls -l`, the program itself.
void list(const Job& job) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  const char* arguments[] = {"ls", "-l", job.directory.c_str(), nullptr};
  const Stopwatch stopwatch;
  pid_t pid = -1;
  errno = ::posix_spawnp(&pid, "ls", &actions, nullptr, const_cast<char**>(arguments), environ);
  if (errno != 0)
    fail("ls");
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid || status != 0)
    throw std::runtime_error("ls -l " + job.directory + " failed");
  stopwatch.print();
  ::posix_spawn_file_actions_destroy(&actions);
}

int run(const Arguments& arguments) {
  const std::map<std::string, void (*)(const Job&)> workloads = {
      {"seq-read", sequential_read},
      {"seq-write", sequential_write},
      {"rand-read", random_read},
      {"create", create},
      {"stat", stat_files},
      {"unlink", unlink_files},
      {"list", list},
  };
  if (arguments.words.size() != 2 || !workloads.contains(arguments.words[0]))
    throw std::runtime_error("usage: bench_load WORKLOAD DIRECTORY --NAME NUMBER...");
  workloads.at(arguments.words[0])({arguments.words[1], arguments});
  return 0;
}

}  // namespace
}  // namespace fuse9p::bench

int main(int argc, char** argv) {
  try {
    return fuse9p::bench::run(fuse9p::bench::Arguments(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_load: %s\n", error.what());
    return 1;
  }
}
