// SPDX-License-Identifier: MIT
// What the scripted server is to do with a request instead of just answering it. One rule a line:
//
//     on TYPE [CONDITION...] ACTION
//
// TYPE is a request's name (Tread) or "any". CONDITIONs, all of which must hold:
//     name NAME     the file's name, or one in the message
//     offset N      of Tread, Twrite, Treaddir; "from N": N or more
//     nth N         only the Nth request that fulfils the other conditions; "times N": the first N
// ACTIONs:
//     hold          no answer, until "release"
//     wait N        no answer, until N more requests have come; "wait some N": 1 to N, by lot
//     withhold      it is done now, but its answer comes at "release"
//     short N       Tread, Twrite, Treaddir: at most N bytes; "short half": half of what was asked
//     fail ERRNO [WORDS]  an error with that name or number; in 9P2000 and 9P2000.u with these
//                   words, or else strerror(3)'s
//     reply TEXT    this message (proto/text.hpp); its tag is the request's unless it has one
//     raw HEX...    these bytes; "tag" stands for the two of the request's tag
//     close         the connection ends
#pragma once

#include "proto/types.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fuse9p::test {

struct Action {
  enum class Kind : std::uint8_t { answer, hold, wait, withhold, shorten, fail, reply, raw, close };
  Kind kind = Kind::answer;
  std::uint32_t number = 0;  ///< of wait, short (0: half), fail
  bool at_most = false;      ///< of wait: "some"
  std::string text{};        ///< of reply, raw, fail
};

/// What rules look at.
struct Facts {
  proto::MessageType type{};
  std::vector<std::string> names{};
  std::optional<std::uint64_t> offset{};
};

class Rules {
 public:
  /// `line` without its "on". Throws std::invalid_argument.
  void add(const std::string& line);
  void clear() { rules_.clear(); }
  /// Does any of them look at names? To find them costs a walk through the tree.
  bool want_names() const;
  /// Of the first rule that applies; counts.
  Action decide(const Facts& facts);

 private:
  struct Rule {
    std::optional<proto::MessageType> type{};
    std::optional<std::string> name{};
    std::optional<std::uint64_t> offset{}, from{}, nth{}, times{};
    Action action{};
    std::uint64_t seen = 0;
  };
  static bool applies(const Rule& rule, const Facts& facts);
  static Action parse_action(const std::string& word, const std::string& rest);

  std::vector<Rule> rules_;
};

/// "ENOENT" or "2". Throws std::invalid_argument.
int errno_named(const std::string& name);
/// The number of a message by its name. Throws std::invalid_argument.
proto::MessageType message_type(const std::string& name);

}  // namespace fuse9p::test
