// SPDX-License-Identifier: MIT
// Multiplexer: many requests over one byte stream, and the rules of flush(5). It owns no socket, no
// clock and no thread: bytes and times go in, bytes and events come out, always in the same order
// for the same input.
//
// Call protocol, by one thread:
//   tick(now) first in every turn, and when deadline() has passed
//   submit(), cancel()               at any time, also while an event is being delivered
//   outgoing() -> write -> sent(n)   nothing else in between
//   prepare() -> read -> received(n) all of the others may come in between
//   next_event() until it has none   views in an event live until the next call of next_event() or
//                                    prepare()
//
// Every submitted request gets exactly one of Replied, Cancelled, Abandoned, Failed. One that was
// Abandoned gets a Settled later, when its fate is known. The table of states stands in the .cpp.
#pragma once

#include "proto/buffer.hpp"
#include "proto/codec.hpp"
#include "proto/frame_reader.hpp"
#include "proto/tag_pool.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fuse9p::proto {

/// A request encoded, its tag still open. Made by outgoing<T>().
struct Outgoing {
  MessageType type{};
  Bytes frame{};          ///< all but the payload
  ConstBuffer payload{};  ///< Twrite's data, sent by reference and held until it is written
  Buffer destination{};   ///< where the data of Rread or Rreaddir goes; empty: it stays in the body
  Fid created = kNoFid;   ///< the fid that exists if this succeeds
  error_code error{};     ///< of the encoding
};

/// The fid that a successful T leaves on the server: Twalk's and Txattrwalk's newfid, Tattach's
/// fid, Tauth's afid.
template <Request T>
constexpr Fid created_fid(const T& request) {
  if constexpr (std::is_same_v<T, Tattach>)
    return request.fid;
  else if constexpr (std::is_same_v<T, Tauth>)
    return request.afid;
  else if constexpr (requires { request.newfid; })
    return request.newfid;
  else
    return kNoFid;
}

/// `request` ready for submit(). Data of a Twrite is not copied: its `data` must be what
/// `payload.bytes` views.
template <Request T>
Outgoing outgoing(const T& request, Dialect dialect, ConstBuffer payload = {},
                  Buffer destination = {}) {
  Outgoing out{};
  out.type = T::kType;
  out.error = encode_head(out.frame, kNoTag, request, dialect);
  out.payload = std::move(payload);
  out.destination = std::move(destination);
  out.created = created_fid(request);
  return out;
}

/// Names a submitted request; RequestId{} names none. Never reused within 2^32 requests of one
/// slot, and no other request gets the slot before the outcome was taken with next_event().
struct RequestId {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  friend bool operator==(const RequestId&, const RequestId&) = default;
};

/// What the server said. Views live until the next next_event() or prepare().
struct Reply {
  MessageType type{};
  Dialect dialect = Dialect::l;
  ByteView body{};
  std::size_t data_size = 0;  ///< bytes that went to the request's destination
  error_code error{};         ///< Rerror, Rlerror, or a reply with more data than asked for
  std::string_view ename{};   ///< the server's own words, of Rerror

  /// The reply's fields, or `error`. Bytes behind the last field are ignored: some servers pad.
  template <Message R>
  result<R> as() const {
    if (error)
      return error;
    return decode<R>(body, dialect, Leftover::ignore);
  }
};

/// What an Rlerror or Rerror says, and the server's own words if it sent any.
std::pair<error_code, std::string_view> parse_error(MessageType type, ByteView body,
                                                    Dialect dialect);

struct Event {
  enum class Kind : std::uint8_t {
    replied,    ///< `reply` says what; it may have come while a flush was under way: it counts
    cancelled,  ///< the server did nothing (Rflush without reply), or `sent` is false: saw nothing
    abandoned,  ///< no answer within the flush timeout; Settled follows
    failed,     ///< the connection was lost, or the request could not be sent (`error`)
    settled,    ///< of an abandoned request: `reply` came late, or none will (`sent`, Rflush)
    late,       ///< a reply after Rflush was dropped; `created` may exist on the server
    broken,     ///< the stream can't be used any more: close it; `error` and `detail` say why
  };
  Kind kind{};
  RequestId id{};
  Reply reply{};
  error_code error{};
  bool sent = false;     ///< of cancelled: the request had left us
  bool replied = false;  ///< of settled: `reply` holds the late reply
  Fid created = kNoFid;  ///< of cancelled, abandoned, settled, late: see Outgoing
  std::string detail{};  ///< of broken: tag, type, and what was expected
};

struct MultiplexerLimits {
  TagLimits tags;
  Duration flush_timeout = std::chrono::seconds(2);
  /// Vectors in one outgoing(): IOV_MAX is 1,024; beyond some dozens nothing is gained.
  std::size_t gather = 64;
};

/// What went through, for logs and tests. Counts since the connection began.
struct MultiplexerCounters {
  std::uint64_t requests = 0;          ///< submitted
  std::uint64_t replies = 0;           ///< delivered
  std::uint64_t flushes = 0;           ///< Tflush sent
  std::uint64_t honoured = 0;          ///< replies that came while a flush was under way
  std::uint64_t cancelled_unsent = 0;  ///< cancelled before a byte was sent
  std::uint64_t cancelled = 0;         ///< cancelled by Rflush
  std::uint64_t abandoned = 0;         ///< given up without an answer
  std::uint64_t late = 0;              ///< replies that nobody waited for any more
};

class Multiplexer {
 public:
  Multiplexer(Dialect dialect, std::uint32_t msize, const MultiplexerLimits& limits = {});
  Multiplexer(const Multiplexer&) = delete;
  Multiplexer& operator=(const Multiplexer&) = delete;

  /// Takes the request over; its outcome comes as an event, also if it can't be sent at all.
  RequestId submit(Outgoing request);
  /// The caller no longer wants the answer. Unknown or finished ids, and second calls, do nothing.
  void cancel(RequestId id);

  /// The bytes to write next, in order; empty if there are none. Views live until sent().
  const std::vector<ByteView>& outgoing();
  /// The first `bytes` of them were written.
  void sent(std::size_t bytes);

  std::array<std::span<std::byte>, 2> prepare() { return reader_.prepare(); }
  void received(std::size_t bytes) { reader_.received(bytes); }

  /// The time of this turn; handles what has expired.
  void tick(TimePoint now);
  /// When tick() is due, if nothing else happens.
  std::optional<TimePoint> deadline() const;

  /// Everything outstanding fails with `error`; what is submitted later fails at once.
  void connection_lost(error_code error);

  std::optional<Event> next_event();

  /// Is shown each frame as it begins to be sent, and each that was received; data may be missing
  /// from it, as to_text() allows. For logs: it must not call the multiplexer.
  using Trace = std::function<void(bool sent, ByteView frame)>;
  void set_trace(Trace trace) { trace_ = std::move(trace); }

  const MultiplexerCounters& counters() const { return counters_; }
  /// Requests whose caller still waits.
  std::size_t outstanding() const { return outstanding_; }
  /// Requests whose caller has gone, but whose tag has not come back.
  std::size_t unresolved() const { return unresolved_; }
  std::size_t tags_in_use() const { return tags_.in_use(); }
  std::size_t tags_quarantined() const { return tags_.quarantined(); }
  Dialect dialect() const { return dialect_; }
  std::uint32_t msize() const { return msize_; }

 private:
  enum class State : std::uint8_t {
    free,
    queued,
    partly_written,
    in_flight,
    flushing,
    answered,
    abandoned,
  };
  struct Slot {
    std::uint32_t index = 0;  ///< in slots_
    std::uint32_t generation = 1;
    State state = State::free;
    bool sent = false;          ///< the whole request is on the wire
    bool flush_wanted = false;  ///< cancelled
    Tag tag = kNoTag, flush_tag = kNoTag;
    std::size_t written = 0, flush_written = 0;
    Outgoing request{};
    std::array<std::byte, 9> flush_frame{};
  };
  /// A frame to send: a request's, or the Tflush of it.
  struct OutItem {
    RequestId id;
    bool flush = false;
  };
  struct TagUse {
    std::uint32_t slot = 0;
    bool flush = false;
  };
  /// What a quarantined tag's request was.
  struct Ghost {
    MessageType type{};
    Fid created = kNoFid;
  };
  struct Expiry {
    RequestId id;
    TimePoint at;
  };

  Slot* find(RequestId id);
  std::uint32_t take_slot();
  void free(Slot& slot);
  static RequestId id_of(const Slot& slot) { return {slot.index, slot.generation}; }
  static bool fully_sent(const Slot& slot) { return slot.sent; }
  void conclude(const Slot& slot, Event event);

  void give_out_tags();
  bool start_flush(Slot& slot);
  void remember_expiry(const Slot& slot);
  void abandon(Slot& slot);

  bool live(const OutItem& item);
  std::optional<OutItem> next_item();
  void add_unsent(const OutItem& item, std::vector<ByteView>& out) const;
  std::size_t request_sent(Slot& slot, std::size_t bytes);
  std::size_t flush_sent(Slot& slot, std::size_t bytes);

  result<Placement> place(const Header& header);
  void trace_received(const Frame& frame) const;
  std::optional<Event> handle(const Frame& frame);
  std::optional<Event> handle_reply(Slot& slot, const Frame& frame);
  std::optional<Event> handle_rflush(Slot& slot, const Frame& frame);
  std::optional<Event> handle_late(const Frame& frame);
  Reply make_reply(const Frame& frame) const;
  Event broken(error_code error, std::string detail);
  std::string describe(const Header& header) const;

  Dialect dialect_;
  std::uint32_t msize_;
  MultiplexerLimits limits_;
  TagPool tags_;
  FrameReader reader_;
  TimePoint now_{};
  error_code lost_;
  bool late_ = false;  ///< the frame being received answers a quarantined tag
  Trace trace_;

  std::deque<Slot> slots_;  // never moves: views of frames stay valid while others are added
  std::vector<std::uint32_t> free_slots_, resting_slots_;  // resting: until events_ is empty
  std::vector<TagUse> by_tag_;
  std::vector<Ghost> ghosts_;  // by tag

  std::deque<RequestId> waiting_;        // for a tag
  std::deque<RequestId> flush_waiting_;  // for a tag for their Tflush
  std::deque<OutItem> flushes_, requests_;
  std::optional<OutItem> current_;  // partly written
  std::vector<ByteView> gathered_;

  std::deque<Expiry> expiries_;  // in order: the timeout is one for all
  std::deque<Event> events_;
  MultiplexerCounters counters_;
  std::size_t outstanding_ = 0, unresolved_ = 0;
};

}  // namespace fuse9p::proto
