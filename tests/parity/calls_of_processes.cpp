// SPDX-License-Identifier: MIT
// Calls of processes:
//
//     as USER                  umask MODE              limit SIZE (RLIMIT_FSIZE)
//     fork PEER                kill PEER               (performer.hpp)
//     exec PATH                its exit status, or why it does not run
//     copy_program PATH        puts /bin/cat there
//     start PEER PATH          runs that program, until `kill`
//     getcwd                   works here?
//     mount PATH               another file system, or on a file a device      unmount PATH
#include "tests/parity/performer.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fuse9p::test::parity {
namespace {

std::string as(Performer& by, const Words& w) {
  by.act_as(w[1]);
  return "ok";
}
std::string umask(Performer&, const Words& w) {
  ::umask(w.mode(1));
  return "ok";
}
std::string limit(Performer&, const Words& w) {
  rlimit bound{};
  ::getrlimit(RLIMIT_FSIZE, &bound);
  bound.rlim_cur = static_cast<rlim_t>(w.number(1));
  return result(::setrlimit(RLIMIT_FSIZE, &bound));
}
std::string fork(Performer& by, const Words& w) {
  by.fork(w[1]);
  return "ok";
}
std::string kill(Performer& by, const Words& w) {
  by.kill(w[1]);
  return "ok";
}

std::string exec(Performer&, const Words& w) {
  Ends errors = pipe_from_them();
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
    exec_or_tell(w[1], errors.theirs.get());
  }
  errors.theirs.reset();
  std::string answer = answer_of_exec(errors.ours.get());
  int status = 0;
  ::waitpid(child, &status, 0);
  return answer == "ok" ? "status " + std::to_string(WEXITSTATUS(status)) : answer;
}

std::string copy_program(Performer&, const Words& w) {
  const std::string program = read_file("/bin/cat");
  const OwnedFd file(::open(w.c_str(1), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755));
  const ssize_t written = ::write(file.get(), program.data(), program.size());
  return written == static_cast<ssize_t>(program.size()) ? "ok" : error_name();
}
std::string start(Performer& by, const Words& w) {
  return by.start(w[1], w[2]);
}

std::string mount(Performer&, const Words& w) {
  const char* path = w.c_str(1);
  const int mounted = ::mount("none", path, "tmpfs", 0, "size=64k,mode=1777");
  if (mounted == 0 || errno != ENOTDIR)
    return result(mounted);
  return result(::mount("/dev/null", path, nullptr, MS_BIND, nullptr));
}
std::string unmount(Performer&, const Words& w) {
  return result(::umount2(w.c_str(1), UMOUNT_NOFOLLOW));
}

std::string getcwd(Performer&, const Words&) {
  char path[8192];
  return ::getcwd(path, sizeof path) == nullptr ? error_name() : "ok";
}

constexpr NamedCall kCalls[] = {
    {"as", as},
    {"umask", umask},
    {"limit", limit},
    {"fork", fork},
    {"kill", kill},
    {"exec", exec},
    {"copy_program", copy_program},
    {"start", start},
    {"getcwd", getcwd},
    {"mount", mount},
    {"unmount", unmount},
};

}  // namespace

void exec_or_tell(const std::string& program, int errors) {
  const int null = ::open("/dev/null", O_WRONLY);
  ::dup2(null, STDOUT_FILENO);
  ::dup2(null, STDERR_FILENO);
  char* const arguments[] = {const_cast<char*>(program.c_str()), nullptr};
  char* const environment[] = {nullptr};
  ::execve(program.c_str(), arguments, environment);
  const int error = errno;
  ::_exit(::write(errors, &error, sizeof error) < 0 ? 126 : 127);
}

std::string answer_of_exec(int errors) {
  int error = 0;
  const bool failed = ::read(errors, &error, sizeof error) == sizeof error;
  errno = error;
  return failed ? error_name() : "ok";
}

std::span<const NamedCall> calls_of_processes() {
  return kCalls;
}

}  // namespace fuse9p::test::parity
