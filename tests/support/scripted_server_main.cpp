// SPDX-License-Identifier: MIT
// The scripted server (scripted_server.hpp) as a program:
//
//     scripted_server [--script FILE] [--listen SOCKET] [--control FD] [LINE...]
//
// Each LINE, and each line of FILE, is a line of script. It talks 9P on its standard input and
// output, or to the first client of the Unix socket SOCKET; commands come from, and answers go to,
// the socket FD. SIGUSR1 is a "release". It ends with the connection: status 0, or 1 if the client
// has committed a breach (which stderr tells), or 2 if the script is wrong.
//
//     fuse9p 'exec:scripted_server "text /greeting hello" "on Tread hold"' /mnt

#include "tests/support/scripted_server.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <system_error>

namespace fuse9p::test {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

int accept_one(const std::string& path) {
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener, 1) != 0)
    fail(path);
  const int client = ::accept(listener, nullptr, nullptr);
  if (client < 0)
    fail(path);
  ::close(listener);
  return client;
}

int poke_descriptor() {
  sigset_t poke;
  ::sigemptyset(&poke);
  ::sigaddset(&poke, SIGUSR1);
  ::sigprocmask(SIG_BLOCK, &poke, nullptr);
  return ::signalfd(-1, &poke, SFD_CLOEXEC);
}

class Program {
 public:
  Program(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
      const std::string word = argv[i];
      if (word == "--script")
        read_script(argv[++i]);
      else if (word == "--listen")
        socket_ = argv[++i];
      else if (word == "--control")
        control_ = std::stoi(argv[++i]);
      else
        server_.command(word);
    }
    server_.take_answers();
  }

  /// The exit status.
  int run() {
    ::signal(SIGPIPE, SIG_IGN);
    poke_ = poke_descriptor();
    if (!socket_.empty())
      in_ = out_ = accept_one(socket_);
    ::fcntl(out_, F_SETFL, ::fcntl(out_, F_GETFL) | O_NONBLOCK);
    while (turn()) {
    }
    return server_.breaches().empty() ? 0 : 1;
  }

 private:
  void read_script(const std::string& path) {
    std::ifstream script(path);
    for (std::string line; std::getline(script, line);)
      server_.command(line);
  }

  /// False at the end of the connection.
  bool turn() {
    std::string& out = server_.outgoing();
    if (server_.closed() && out.empty())
      return false;
    const short writable = out.empty() ? 0 : POLLOUT;
    const short readable = server_.closed() ? 0 : POLLIN;
    pollfd waiting[] = {{in_, readable, 0},
                        {out.empty() ? -1 : out_, writable, 0},
                        {control_, POLLIN, 0},
                        {poke_, POLLIN, 0}};
    if (::poll(waiting, 4, -1) < 0)
      fail("poll");
    if (waiting[1].revents != 0 && !send(out))
      return false;
    if (waiting[3].revents != 0)
      poked();
    if (waiting[2].revents != 0)
      take_commands();
    if (waiting[0].revents != 0 && !receive())
      return false;
    send_answers();
    return true;
  }

  bool receive() {
    const ssize_t size = ::read(in_, buffer_, sizeof buffer_);
    if (size > 0)
      server_.received(std::string_view(buffer_, static_cast<std::size_t>(size)));
    return size > 0 || (size < 0 && errno == EAGAIN);
  }

  bool send(std::string& bytes) const {
    const ssize_t size = ::write(out_, bytes.data(), bytes.size());
    if (size > 0)
      bytes.erase(0, static_cast<std::size_t>(size));
    return size > 0 || (size < 0 && errno == EAGAIN);
  }

  void poked() {
    signalfd_siginfo ignored{};
    if (::read(poke_, &ignored, sizeof ignored) > 0) {
      server_.command("release");
      server_.take_answers();
    }
  }

  void take_commands() {
    const ssize_t size = ::read(control_, buffer_, sizeof buffer_);
    if (size <= 0) {
      control_ = -1;
      return;
    }
    commands_.append(buffer_, static_cast<std::size_t>(size));
    for (auto end = commands_.find('\n'); end != commands_.npos; end = commands_.find('\n')) {
      const std::string line = commands_.substr(0, end);
      commands_.erase(0, end + 1);
      server_.command(line);
    }
  }

  void send_answers() {
    for (const std::string& answer : server_.take_answers()) {
      const std::string line = answer + '\n';
      if (control_ >= 0 &&
          ::send(control_, line.data(), line.size(), 0) != static_cast<ssize_t>(line.size()))
        fail("control");
    }
  }

  ScriptedServer server_;
  std::string socket_, commands_;
  int in_ = STDIN_FILENO, out_ = STDOUT_FILENO, control_ = -1, poke_ = -1;
  char buffer_[1 << 16];
};

}  // namespace
}  // namespace fuse9p::test

int main(int argc, char** argv) {
  try {
    return fuse9p::test::Program(argc, argv).run();
  } catch (const std::exception& error) {
    std::cerr << "scripted_server: " << error.what() << '\n';
    return 2;
  }
}
