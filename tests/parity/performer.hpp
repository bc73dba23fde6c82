// SPDX-License-Identifier: MIT
// Performs a parity script in a directory, which is the process's working directory meanwhile, so
// that all paths are short and its own.
//
// Calls stand in the tables of calls_*.cpp, each with its arguments. Besides there are
//
//     as USER           from here on as root, alice, bob or carol (users.hpp)
//     umask MODE        limit SIZE (RLIMIT_FSIZE)
//     fork PEER         another process, with copies of all descriptors, that waits for calls:
//     PEER: CALL        performed by PEER, who may be another user
//     PEER& CALL        the same, but nobody waits ...
//     PEER?             ... until this, whose answer is the call's
//     kill PEER
//
// An answer is "ok", a value, or the error's name.
#pragma once

#include "tests/parity/language.hpp"
#include "tests/support/process.hpp"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace fuse9p::test::parity {

struct Step {
  std::string call, answer;
  bool operator==(const Step&) const = default;
};
using Transcript = std::vector<Step>;

/// What a process has open, and who it is. Calls are functions on it.
class Performer {
 public:
  /// Throws std::system_error if the directory can't be entered.
  explicit Performer(const std::filesystem::path& directory);
  Performer(const Performer&) = delete;
  Performer& operator=(const Performer&) = delete;
  /// Back to where and who we were; peers end.
  ~Performer();

  /// Performs one call.
  std::string answer(const std::string& call);

  // ---- for calls

  /// -1 if what should have opened it has failed. A name that nothing has opened is an error of the
  /// script, and thrown.
  int fd(const std::string& name) const;
  /// -1 is kept, too.
  void keep(const std::string& name, int fd);
  void close(const std::string& name);
  /// Of opendir; null if that has failed.
  DIR* stream(const std::string& name) const;
  void keep(const std::string& name, DIR* stream);
  /// Of telldir.
  long& place(const std::string& name) { return places_[name]; }
  /// What `changed` saw the last time.
  std::pair<time_t, long>& seen_time(const std::string& key) { return seen_times_[key]; }

  void act_as(const std::string& user);
  void fork(const std::string& peer);
  /// Runs a program with nothing to read, as PEER; its answer is that of exec.
  std::string start(const std::string& peer, const std::string& program);
  void kill(const std::string& peer);
  /// "bob", the script's word for a process.
  std::string name_of(pid_t pid) const;

 private:
  struct Peer {
    OwnedFd channel;
    Process process;
  };
  struct CloseStream {
    void operator()(DIR* stream) const { ::closedir(stream); }
  };

  /// A call that begins with "PEER:", "PEER&" or "PEER?".
  std::string answer_of_peer(const std::string& call, std::size_t sign);
  int serve(int channel);
  /// A peer that does `body(its end of the channel)`, as the user that we are.
  Peer& add_peer(const std::string& name, const std::function<int(int)>& body);

  OwnedFd old_directory_;
  mode_t old_umask_;
  rlimit old_limit_{};
  /// Of calls that answer with an error instead.
  std::map<int, sighandler_t> old_signals_;
  std::string user_ = "root";
  std::map<std::string, OwnedFd> files_;
  std::map<std::string, std::unique_ptr<DIR, CloseStream>> streams_;
  std::map<std::string, long> places_;
  std::map<std::string, std::pair<time_t, long>> seen_times_;
  std::map<std::string, Peer> peers_;
};

/// Ends in the program, or tells errno on that descriptor and ends; closes it otherwise.
[[noreturn]] void exec_or_tell(const std::string& program, int errors);
/// What exec_or_tell() has told: "ok" or an error's name.
std::string answer_of_exec(int errors);

using Call = std::string (*)(Performer&, const Words&);
struct NamedCall {
  const char* name;
  Call call;
};
// One table for each file.
std::span<const NamedCall> calls_on_names();
std::span<const NamedCall> calls_on_attributes();
std::span<const NamedCall> calls_on_files();
std::span<const NamedCall> calls_on_data();
std::span<const NamedCall> calls_on_directories();
std::span<const NamedCall> calls_of_processes();

/// Performs a script; everything that it has opened is closed again.
Transcript perform(const std::string& script, const std::filesystem::path& directory);

/// All that is below the directory: a name, and as its "answer" type, mode, owner, links, size,
/// extended attributes and content. Sorted by name.
Transcript snapshot(const std::filesystem::path& directory);

}  // namespace fuse9p::test::parity
