// SPDX-License-Identifier: MIT
// Handshake: from a fresh connection to an attached session, as a state machine that returns what
// is to be done next. Manual: version(5), attach(5).
//
//   start() -> send Tversion;  received(Rversion) -> send Tattach;  received(Rattach) -> done
//
// A server that refuses a dialect makes it ask for a fresh connection and the next dialect: a
// second Tversion on one connection is not understood everywhere, and tried only where there can be
// no other connection. No authentication (Tauth) is done.
#pragma once

#include "proto/codec.hpp"

#include <string>
#include <vector>

namespace fuse9p::proto {

struct HandshakeConfig {
  std::vector<Dialect> dialects = {Dialect::l};  ///< tried in this order
  bool can_reconnect = true;                     ///< else one connection must do for all of them
  std::uint32_t msize = 1U << 20;                ///< asked for; the server may grant less
  std::string uname, aname;
  std::uint32_t n_uname = kNoNumericUname;
  Fid root{0};  ///< the fid to attach
};

/// What both sides agreed on.
struct SessionParameters {
  Dialect dialect = Dialect::l;
  std::uint32_t msize = 0;
  Qid root_qid;
  std::string aname{};  ///< as asked for
};

class Handshake {
 public:
  /// Less than this and not even a directory entry fits.
  static constexpr std::uint32_t kLeastMsize = 512;

  struct Action {
    enum class Kind : std::uint8_t {
      send,       ///< send `frame`, then wait for the answer
      reconnect,  ///< close, connect again, call start()
      done,       ///< parameters() are valid
      failed,     ///< `message` says what was asked, what came, and what to try
    };
    Kind kind{};
    Bytes frame{};
    error_code error{};
    std::string message{};
  };

  explicit Handshake(HandshakeConfig config) : config_(std::move(config)) {}

  /// On each new connection.
  Action start();
  /// A whole frame from the server.
  Action received(ByteView frame);
  /// The server has ended the connection instead: some do that to a version that they don't know.
  Action closed();

  const SessionParameters& parameters() const { return parameters_; }
  /// The text of what is awaited, for messages about time-outs and lost connections.
  std::string_view awaited() const { return attaching_ ? "Rattach" : "Rversion"; }
  /// What was asked for and refused so far, and how; empty if nothing was.
  const std::string& refusals() const { return answers_; }

 private:
  Action on_version(ByteView frame);
  Action on_attach(ByteView frame);
  Action attach();
  Action refused(std::string_view answer);
  Action no_common_version() const;
  bool has_better_than(Dialect offered) const;
  Action unexpected(ByteView frame) const;
  std::string attempt() const;
  static Action fail(error_code error, std::string message);

  HandshakeConfig config_;
  std::size_t attempt_ = 0;  // index into dialects
  bool attaching_ = false;
  std::string answers_;       // what was refused so far
  std::string offered_;       // a dialect of ours that was not asked for
  bool only_hung_up_ = true;  // that is all that it ever did
  SessionParameters parameters_;
};

}  // namespace fuse9p::proto
