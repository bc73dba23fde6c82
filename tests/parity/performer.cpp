// SPDX-License-Identifier: MIT
#include "tests/parity/performer.hpp"

#include "tests/parity/users.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace fuse9p::test::parity {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

const std::map<std::string, Call, std::less<>>& all_calls() {
  static const auto all = [] {
    std::map<std::string, Call, std::less<>> calls;
    for (const auto table : {calls_on_names(), calls_on_attributes(), calls_on_files(),
                             calls_on_data(), calls_on_directories(), calls_of_processes()}) {
      for (const NamedCall& named : table)
        calls.emplace(named.name, named.call);
    }
    return calls;
  }();
  return all;
}

void send(int channel, const std::string& message) {
  if (::send(channel, message.data(), message.size(), MSG_NOSIGNAL) < 0)
    fail("to a peer");
}

/// Nothing when the other side has ended.
std::string receive(int channel) {
  std::string message(std::size_t{1} << 20, '\0');
  const ssize_t size = ::recv(channel, message.data(), message.size(), 0);
  if (size < 0)
    fail("from a peer");
  message.resize(static_cast<std::size_t>(size));
  return message;
}

std::string receive_in_time(int channel) {
  pollfd readable{channel, POLLIN, 0};
  if (::poll(&readable, 1, static_cast<int>(patience().count())) != 1)
    throw std::runtime_error("a peer does not answer");
  return receive(channel);
}

}  // namespace

Performer::Performer(const fs::path& directory)
    : old_directory_(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC)), old_umask_(::umask(022)) {
  ::getrlimit(RLIMIT_FSIZE, &old_limit_);
  for (const int number : {SIGPIPE, SIGXFSZ})
    old_signals_[number] = ::signal(number, SIG_IGN);
  if (::chdir(directory.c_str()) != 0)
    fail(directory.string());
}

Performer::~Performer() {
  if (user_ != "root")
    become("root");
  ::setrlimit(RLIMIT_FSIZE, &old_limit_);
  for (const auto& [number, handler] : old_signals_)
    ::signal(number, handler);
  ::umask(old_umask_);
  static_cast<void>(::fchdir(old_directory_.get()));
}

std::string Performer::answer(const std::string& call) {
  const auto sign = call.find_first_of(" :&?");
  if (sign != std::string::npos && call[sign] != ' ')
    return answer_of_peer(call, sign);
  const Words words(call);
  const auto found = all_calls().find(words[0]);
  if (found == all_calls().end())
    words.refuse("there is no such call");
  return found->second(*this, words);
}

// ---- descriptors

int Performer::fd(const std::string& name) const {
  const auto found = files_.find(name);
  if (found == files_.end())
    throw std::runtime_error("nothing has opened " + name);
  return found->second.get();
}

void Performer::keep(const std::string& name, int fd) {
  files_[name] = OwnedFd(fd);
}

void Performer::close(const std::string& name) {
  files_[name] = OwnedFd();
}

DIR* Performer::stream(const std::string& name) const {
  const auto found = streams_.find(name);
  if (found == streams_.end())
    throw std::runtime_error("nothing has opened " + name);
  return found->second.get();
}

void Performer::keep(const std::string& name, DIR* stream) {
  streams_[name].reset(stream);
}

// ---- users and peers

void Performer::act_as(const std::string& user) {
  become(user);
  user_ = user;
}

Performer::Peer& Performer::add_peer(const std::string& name, const std::function<int(int)>& body) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    fail("socketpair");
  const OwnedFd theirs(ends[1]);
  Peer& made = peers_[name];
  made.channel = OwnedFd(ends[0]);
  become("root");  // for the note to the test's janitor
  made.process = Process([&] {
    become(user_);
    return body(theirs.get());
  });
  become(user_);
  return made;
}

void Performer::fork(const std::string& peer) {
  add_peer(peer, [this](int channel) { return serve(channel); });
}

std::string Performer::start(const std::string& peer, const std::string& program) {
  Ends errors = pipe_from_them();
  add_peer(peer, [&](int channel) -> int {
    ::dup2(channel, STDIN_FILENO);
    exec_or_tell(program, errors.theirs.get());
  });
  errors.theirs.reset();
  std::string answer = answer_of_exec(errors.ours.get());
  if (answer != "ok")
    kill(peer);  // with its copies of our descriptors
  return answer;
}

int Performer::serve(int channel) {
  for (;;) {
    const std::string call = receive(channel);
    if (call.empty())
      return 0;
    std::string said;
    try {
      said = answer(call);
    } catch (const std::exception& error) {
      said = std::string("failed: ") + error.what();
    }
    send(channel, said);
  }
}

std::string Performer::answer_of_peer(const std::string& call, std::size_t sign) {
  const int channel = peers_.at(call.substr(0, sign)).channel.get();
  if (call[sign] != '?')
    send(channel, calls_of(call.substr(sign + 1)).at(0));
  return call[sign] == '&' ? "begun" : receive_in_time(channel);
}

void Performer::kill(const std::string& peer) {
  become("root");
  Process& process = peers_.at(peer).process;
  process.signal(SIGKILL);
  process.wait();
  become(user_);
  peers_.erase(peer);
}

std::string Performer::name_of(pid_t pid) const {
  for (const auto& [name, peer] : peers_) {
    if (peer.process.pid() == pid)
      return name;
  }
  return pid == ::getppid() ? "its maker" : pid == -1 ? "an open file" : "a stranger";
}

// ---- functions

Transcript perform(const std::string& script, const fs::path& directory) {
  Performer performer(directory);
  Transcript transcript;
  for (const std::string& call : calls_of(script))
    transcript.push_back({call, performer.answer(call)});
  return transcript;
}

namespace {

std::string described(const std::string& path, const struct stat& of) {
  std::string text = shown(of);
  if (S_ISREG(of.st_mode))
    text += " holds " + shown(read_file(path));
  if (S_ISLNK(of.st_mode))
    text += " to " + shown(fs::read_symlink(path).string());
  return text;
}

void add_snapshot(const fs::path& directory, Transcript& found) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(directory))
    paths.push_back(entry.path().lexically_normal());
  std::ranges::sort(paths);
  for (const fs::path& path : paths) {
    struct stat of {};
    const bool known = ::lstat(path.c_str(), &of) == 0;
    found.push_back({shown(path.string()), known ? described(path, of) : error_name()});
    if (known && S_ISDIR(of.st_mode))
      add_snapshot(path, found);
  }
}

}  // namespace

Transcript snapshot(const fs::path& directory) {
  const Performer inside(directory);
  Transcript found;
  add_snapshot(".", found);
  return found;
}

}  // namespace fuse9p::test::parity
