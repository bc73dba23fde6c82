// SPDX-License-Identifier: MIT
#include "src/daemon.hpp"

#include "src/exit_code.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>

namespace fuse9p {
namespace {

constexpr char kReady = 'R';

/// The parent: its exit status is what the shell sees.
[[noreturn]] void wait_for(pid_t child, int from_child) {
  char word = 0;
  ssize_t size = 0;
  do
    size = ::read(from_child, &word, 1);
  while (size < 0 && errno == EINTR);
  if (size == 1 && word == kReady)
    ::_exit(0);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status))
    ::_exit(WEXITSTATUS(status));
  std::fprintf(stderr, "fuse9p: ended by signal %d before the mount was up\n", WTERMSIG(status));
  ::_exit(kExitSystem);
}

}  // namespace

Background::Background(bool stay) {
  if (stay)
    return;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    std::perror("fuse9p: pipe");
    std::exit(kExitSystem);
  }
  const pid_t child = ::fork();
  if (child < 0) {
    std::perror("fuse9p: fork");
    std::exit(kExitSystem);
  }
  if (child > 0) {
    ::close(ends[1]);
    wait_for(child, ends[0]);
  }
  ::close(ends[0]);
  ::setsid();
  to_parent_ = ends[1];
  in_background_ = true;
}

Background::~Background() {
  if (to_parent_ >= 0)
    ::close(to_parent_);
}

void Background::ready() {
  if (to_parent_ < 0)
    return;
  if (const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC); null >= 0) {
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
      ::dup2(null, stream);
    ::close(null);
  }
  // If the parent is gone nobody waits for the word.
  [[maybe_unused]] const ssize_t ignored = ::write(to_parent_, &kReady, 1);
  ::close(to_parent_);
  to_parent_ = -1;
}

}  // namespace fuse9p
