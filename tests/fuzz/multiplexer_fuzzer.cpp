// SPDX-License-Identifier: MIT
// A client's calls and a server's bytes in any order: the multiplexer must neither crash nor assert
// whatever the server says, and each request must get exactly one outcome.
//
// The input is a script. Its first byte picks the dialect ('0' 9P2000, '1' .u, '2' .L), the second
// the limits; then one byte says what is done and the next few how. Letters stand for their value
// modulo 8, so that seeds can be read:
//
//     a HOW        ask: '1' walk, '2' write, '3' read, '4' without destination, '5' readdir, ...
//     c WHICH      cancel
//     w MOST       write so many bytes
//     r TAG HOW    a proper reply to what the tag was last used for; so many bytes of data, and as
//                  many bytes of it come at once
//     f TAG MOST   Rflush, of which so many bytes come at once
//     x SIZE ...   these very bytes come
//     t TIME       a hundredth of a second each
//     e            the connection ends
#include "proto/multiplexer.hpp"
#include "tests/fuzz/claim.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace fuse9p::proto;
using fuse9p::test::claim;

enum class Verb : std::uint8_t { raw, ask, reply, cancel, time, end, rflush, write };
constexpr Verb verb_of(std::uint8_t byte) {
  return static_cast<Verb>(byte % 8);
}
static_assert(verb_of('x') == Verb::raw && verb_of('a') == Verb::ask);
static_assert(verb_of('r') == Verb::reply && verb_of('c') == Verb::cancel);
static_assert(verb_of('t') == Verb::time && verb_of('e') == Verb::end);
static_assert(verb_of('f') == Verb::rflush && verb_of('w') == Verb::write);

class Script {
 public:
  explicit Script(ByteView bytes) : bytes_(bytes) {}
  bool at_end() const { return bytes_.empty(); }
  std::uint8_t byte() {
    if (bytes_.empty())
      return 0;
    const auto value = std::to_integer<std::uint8_t>(bytes_.front());
    bytes_ = bytes_.subspan(1);
    return value;
  }
  ByteView bytes(std::size_t size) {
    const ByteView taken = bytes_.first(std::min(size, bytes_.size()));
    bytes_ = bytes_.subspan(taken.size());
    return taken;
  }

 private:
  ByteView bytes_;
};

Buffer heap_buffer(std::size_t size) {
  auto bytes = std::make_shared<std::vector<std::byte>>(size);
  const std::span<std::byte> view(*bytes);
  return {std::move(bytes), view};
}

MultiplexerLimits limits_of(std::uint8_t choice) {
  MultiplexerLimits limits;
  limits.tags.tags = 1 + choice % 7;
  limits.tags.flush_reserve = choice / 7 % std::min<std::size_t>(limits.tags.tags, 3);
  limits.tags.quarantine_tags = choice / 21 % 3;
  limits.tags.quarantine_time = std::chrono::milliseconds(1500);
  limits.flush_timeout = std::chrono::milliseconds(1000);
  limits.gather = 1 + choice / 63;
  return limits;
}

class World {
 public:
  World(Dialect dialect, std::uint8_t limits)
      : dialect_(dialect), mux_(dialect_, 8192, limits_of(limits)) {
    mux_.tick(now_);
  }

  void run(Script script) {
    while (!script.at_end()) {
      step(script);
      take_events();
      claim(mux_.outstanding() == waiting(), "outstanding() counts the requests that wait");
    }
    mux_.connection_lost(Error::connection_lost);
    take_events();
    for (const Request& request : requests_)
      claim(request.outcomes == 1, "each request gets exactly one outcome");
    claim(mux_.outstanding() == 0 && mux_.unresolved() == 0, "nothing is left after the end");
    claim(mux_.outgoing().empty(), "nothing is sent after the end");
  }

 private:
  struct Request {
    RequestId id;
    Buffer buffer;  // the caller's share of payload or destination, until the outcome
    int outcomes = 0;
    bool abandoned = false, settled = false;
  };

  void step(Script& script) {
    switch (verb_of(script.byte())) {
      case Verb::ask:
        return ask(script.byte());
      case Verb::cancel: {
        const std::uint8_t which = script.byte();
        return requests_.empty() ? void() : mux_.cancel(requests_[which % requests_.size()].id);
      }
      case Verb::write:
        return write(script.byte());
      case Verb::reply: {
        const std::uint8_t tag = script.byte();
        return reply(tag, script.byte());
      }
      case Verb::rflush: {
        const std::uint8_t tag = script.byte();
        return send(MessageType::Rflush, tag % 8, {}, script.byte());
      }
      case Verb::raw: {
        const ByteView bytes = script.bytes(script.byte());
        incoming_.insert(incoming_.end(), bytes.begin(), bytes.end());
        return read(bytes.size());
      }
      case Verb::time:
        now_ += std::chrono::milliseconds(10 * script.byte());
        return mux_.tick(now_);
      case Verb::end:
        return mux_.connection_lost(Error::connection_lost);
    }
  }

  // ---- the client

  void ask(std::uint8_t how) {
    Request request;
    if (how % 7 == 1 || how % 7 == 2 || how % 7 == 4)
      request.buffer = heap_buffer(how);
    request.id = mux_.submit(outgoing_of(how, request.buffer));
    requests_.push_back(std::move(request));
  }

  Outgoing outgoing_of(std::uint8_t how, const Buffer& buffer) const {
    const Fid fid{how};
    switch (how % 7) {
      case 0:
        return outgoing(Twalk{.fid = fid, .newfid = Fid{how + 1U}, .wname = {"a"}}, dialect_);
      case 1:
        return outgoing(Twrite{.fid = fid, .data = buffer.bytes}, dialect_,
                        {buffer.owner, buffer.bytes});
      case 2:
        return outgoing(Tread{.fid = fid, .count = how}, dialect_, {}, buffer);
      case 3:
        return outgoing(Tread{.fid = fid, .count = how}, dialect_);
      case 4:
        return outgoing(Treaddir{.fid = fid, .count = how}, dialect_, {}, buffer);
      case 5:
        return outgoing(Tclunk{.fid = fid}, dialect_);
      default: {
        const std::string name(std::size_t{how} * 40, 'n');  // beyond msize at times
        return outgoing(Tunlinkat{.dirfid = fid, .name = name}, dialect_);
      }
    }
  }

  void write(std::size_t most) {
    std::vector<std::byte> written;
    for (const ByteView view : mux_.outgoing()) {
      const ByteView part = view.first(std::min(view.size(), most - written.size()));
      written.insert(written.end(), part.begin(), part.end());
    }
    mux_.sent(written.size());
    // The server notes which request has which tag.
    for (const std::byte byte : written) {
      frame_.push_back(byte);
      if (frame_.size() < kHeaderSize)
        continue;
      const Header header = decode_header(ByteView(frame_).first<kHeaderSize>());
      claim(header.size >= kHeaderSize, "what is sent is made of frames");
      if (frame_.size() == header.size) {
        types_[to_int(header.tag)] = header.type;
        frame_.clear();
      }
    }
  }

  std::size_t waiting() const {
    std::size_t count = 0;
    for (const Request& request : requests_)
      count += request.outcomes == 0 ? 1 : 0;
    return count;
  }

  void take_events() {
    while (const auto event = mux_.next_event())
      take(*event);
  }

  void take(const Event& event) {
    using Kind = Event::Kind;
    read_all(event.reply);
    claim(event.kind == Kind::broken || event.detail.empty(), "detail is of Broken");
    if (event.kind == Kind::broken || event.kind == Kind::late) {
      claim(!broken_, "nothing is read behind Broken");
      broken_ = event.kind == Kind::broken;
      return;
    }
    const auto found = std::ranges::find(requests_, event.id, &Request::id);
    claim(found != requests_.end(), "each event is of a request");
    if (event.kind == Kind::settled) {
      claim(found->abandoned && !found->settled, "Settled comes once, behind Abandoned");
      found->settled = true;
      return;
    }
    if (event.kind == Kind::replied)
      claim(event.reply.data_size <= found->buffer.bytes.size(), "data fits its destination");
    claim(++found->outcomes == 1, "no request gets two outcomes");
    found->abandoned = event.kind == Kind::abandoned;
    found->buffer = {};  // given back: who writes there from now on is seen by the sanitizer
  }

  /// Every byte of the views must be there.
  static void read_all(const Reply& reply) {
    static volatile unsigned sink = 0;
    for (const std::byte byte : reply.body)
      sink = sink + std::to_integer<unsigned>(byte);
    for (const char c : reply.ename)
      sink = sink + static_cast<unsigned>(c);
    if (reply.type == MessageType::Rwalk)
      sink = sink + (reply.as<Rwalk>().has_value() ? 1U : 0U);
    else if (reply.type == MessageType::Rread)
      sink = sink + (reply.as<Rread>().has_value() ? 1U : 0U);
  }

  // ---- the server

  /// An answer of the right type to what this tag was last used for.
  void reply(std::uint8_t tag, std::uint8_t how) {
    tag = tag % 8;
    const auto found = types_.find(tag);
    if (found == types_.end())
      return;
    const auto type = how % 16 == 15 ? MessageType::Rlerror : reply_type(found->second);
    std::vector<std::byte> body;
    if (type == MessageType::Rread || type == MessageType::Rreaddir)
      body.assign(4U + how, std::byte{0});
    else if (type == MessageType::Rwalk)
      body.assign(15, std::byte{0});
    else
      body.assign(4, std::byte{0});
    if (!body.empty())
      body[0] = type == MessageType::Rwalk ? std::byte{1} : std::byte{how};
    send(type, tag, body, how);
  }

  void send(MessageType type, std::uint8_t tag, const std::vector<std::byte>& body,
            std::size_t at_once) {
    Bytes head;
    Writer writer(head, dialect_);
    writer.put(static_cast<std::uint32_t>(kHeaderSize + body.size()));
    writer.put(to_int(type));
    writer.put(std::uint16_t{tag});
    incoming_.insert(incoming_.end(), head.begin(), head.end());
    incoming_.insert(incoming_.end(), body.begin(), body.end());
    read(at_once);
  }

  /// One read of at most so many bytes; the rest comes with the next.
  void read(std::size_t most) {
    std::size_t taken = 0;
    for (const std::span<std::byte> buffer : mux_.prepare()) {
      const std::size_t part = std::min({buffer.size(), incoming_.size(), most - taken});
      std::copy_n(incoming_.begin(), part, buffer.begin());
      incoming_.erase(incoming_.begin(), incoming_.begin() + static_cast<std::ptrdiff_t>(part));
      taken += part;
    }
    mux_.received(taken);
  }

  Dialect dialect_;
  TimePoint now_{std::chrono::seconds(1000)};
  Multiplexer mux_;
  std::deque<Request> requests_;
  std::vector<std::byte> frame_;                // being written
  std::map<std::uint16_t, MessageType> types_;  // of the last request of each tag
  std::vector<std::byte> incoming_;
  bool broken_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Script script(std::as_bytes(std::span(data, size)));
  const auto dialect = static_cast<Dialect>(script.byte() % 3);
  World world(dialect, script.byte());
  world.run(script);
  return 0;
}
