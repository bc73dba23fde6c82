// SPDX-License-Identifier: MIT
// The referee stands at the client's end of the wire and knows the rules of intro(5), flush(5) and
// clunk(5), and nothing of the client's code: which tags and fids are free is judged by what has
// left the client and what the client has been told, byte by byte. What the server has done does
// not count here, only what the client can know.
//
// Foul is: a tag that is in use, being flushed, or in quarantine; a fid that is not known to exist,
// or is being clunked; Tclunk or Tremove while requests name the fid; a second Tclunk; a newfid
// that exists or may; a Tflush of a Tflush, of a Tclunk or Tremove, of a request that is answered
// already, a second one; more bytes than msize allows.
#pragma once

#include "proto/multiplexer.hpp"
#include "tests/sim/clock.hpp"
#include "tests/sim/record.hpp"
#include "tests/sim/wire.hpp"

#include <map>
#include <vector>

namespace fuse9p::sim {

class Referee final : public Observer {
 public:
  Referee(const Time& time, Record& record, const proto::MultiplexerLimits& limits,
          std::uint32_t msize);

  void sent(proto::ByteView frame) override;
  void received(proto::ByteView frame) override;

  /// Requests and Tflushes whose answers have not arrived.
  std::size_t open() const;
  /// Fids that, as far as the client can know, exist or may exist.
  std::size_t fids() const;
  /// Of these, ones made after an Rflush.
  std::size_t stray_fids() const;
  /// Replies that came after their Rflush.
  std::uint64_t late_replies() const { return late_replies_; }
  /// The fid that the request of this tag names first.
  proto::Fid fid_of(proto::Tag tag) const;

 private:
  struct TagState {
    enum class Use : std::uint8_t { free, request, flush } use = Use::free;
    proto::MessageType type{};
    std::vector<proto::Fid> fids;        // that it names
    proto::Fid created = proto::kNoFid;  // that it would make
    std::size_t names = 0;               // of a Twalk: qids in the reply if it succeeds
    bool flushed = false;                // a Tflush names it
    bool replied = false;                // and its reply has come
    proto::Tag flushes = proto::kNoTag;  // of a Tflush: the request
    proto::TimePoint free_from{};        // quarantine
  };
  struct FidState {
    enum class Is : std::uint8_t { absent, coming, there, doubtful, going } is = Is::absent;
    bool stray = false;      // made behind the client's back
    bool may_clunk = false;  // absent, but nobody blames a client that makes sure
    bool doubted = false;    // made behind the client's back while in use: one more Tclunk is due
    int extra_clunks = 0;    // that are allowed: one for each reply that may have made it
    int requests = 0;        // unanswered ones that name it
  };

  void foul(const std::string& what);
  template <proto::Request T>
  void sent_request(proto::Tag tag, const T& request);
  void sent_flush(proto::Tag tag, proto::Tag oldtag);
  void name(proto::Fid fid, proto::MessageType type);
  void create(proto::Fid fid);
  void received_rflush(TagState& flush, bool error);
  void received_late(const TagState& tag, proto::ByteView frame);
  void settle(TagState& tag);
  void answered(const TagState& tag, proto::ByteView frame);

  const Time& time_;
  Record& record_;
  proto::MultiplexerLimits limits_;
  std::uint32_t msize_;
  std::vector<TagState> tags_;
  std::map<proto::Fid, FidState> fids_;
  std::uint64_t late_replies_ = 0;
  std::string now_;  // the frame that is being judged
};

}  // namespace fuse9p::sim
