// SPDX-License-Identifier: MIT
// A conversation with a Multiplexer in text. A script holds what is done to it and, behind each
// such line, what must come of it:
//
//     ask w Twrite fid 1 offset 0 data hello      submit; w is the request's name from now on
//     -> Twrite tag 0 fid 1 offset 0 data hello   a whole frame was written
//     cancel w
//     -> Tflush tag 1 oldtag 0
//     <- Rwrite tag 0 count 5                     a frame comes; "| <frame>" adds one to the read
//     !  w replied Rwrite count 5                 an event
//     <- Rflush tag 1
//
// More that can be done:
//
//     asks r Tread ...        ask without a destination: the data stays in the reply's body
//     hold                    the socket is full: nothing is written from now on
//     write 3, write all      so many bytes are written all the same
//     go                      the socket has room again
//     wait 2000               so many milliseconds pass
//     lost                    the connection is lost
//     state                   says "= outstanding 1 unresolved 0 tags 2"
//     deadline                says "= deadline in 2000", or "= no deadline"
//     # words                 stands for itself
#pragma once

#include "proto/multiplexer.hpp"
#include "proto/text.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <deque>
#include <limits>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace fuse9p::test {

/// Bytes on the heap that nobody holds but their Buffer: a sanitizer sees who comes too late.
inline proto::Buffer heap_buffer(std::size_t size) {
  auto bytes = std::make_shared<std::vector<std::byte>>(size);
  const std::span<std::byte> view(*bytes);
  return {std::move(bytes), view};
}

/// Few tags, so that they come around: 0..tags-1, of which `reserve` are kept for Tflush.
inline proto::MultiplexerLimits few_tags(std::size_t tags = 4, std::size_t reserve = 1) {
  using std::chrono::seconds;
  proto::MultiplexerLimits limits;
  limits.tags = {
      .tags = tags, .flush_reserve = reserve, .quarantine_tags = 2, .quarantine_time = seconds(10)};
  limits.flush_timeout = seconds(2);
  return limits;
}

inline std::string as_text(proto::ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A request from its text form. The data of a Twrite is its payload; Tread and Treaddir get a
/// destination of `count` bytes if they want one.
inline proto::Outgoing outgoing_from_text(std::string_view text, proto::Dialect dialect,
                                          bool with_destination = true) {
  const auto frame = proto::from_text(text, dialect);
  if (!frame)
    throw std::invalid_argument("no message: " + std::string(text));
  const proto::ByteView view(frame->data(), frame->size());
  proto::Outgoing out;
  proto::visit_type(proto::decode_header(view.first<proto::kHeaderSize>()).type, [&](auto id) {
    using T = typename decltype(id)::type;
    if constexpr (proto::Request<T>) {
      auto message = proto::decode<T>(view.subspan(proto::kHeaderSize), dialect).value();
      proto::ConstBuffer payload;
      proto::Buffer destination;
      if constexpr (std::is_same_v<T, proto::Twrite>) {
        const proto::Buffer copy = heap_buffer(message.data.size());
        std::ranges::copy(message.data, copy.bytes.begin());
        payload = {copy.owner, copy.bytes};
        message.data = copy.bytes;
      } else if constexpr (requires { message.count; }) {
        if (with_destination)
          destination = heap_buffer(message.count);
      }
      out = proto::outgoing(message, dialect, std::move(payload), std::move(destination));
    }
  });
  if (out.frame.empty())
    throw std::invalid_argument("no request: " + std::string(text));
  return out;
}

class Talk {
 public:
  static constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

  explicit Talk(const proto::MultiplexerLimits& limits = {},
                proto::Dialect dialect = proto::Dialect::l, std::uint32_t msize = 8192)
      : mux_(dialect, msize, limits) {
    mux_.tick(now_);
  }

  proto::Multiplexer& mux() { return mux_; }
  /// No more than so many bytes come with one read from now on.
  void read_at_most(std::size_t bytes) { read_at_most_ = bytes; }

  /// Does what the script says and returns it with what came of it.
  std::string play(std::string_view script) {
    said_.clear();
    for (const std::string& line : lines_of(script)) {
      if (line.starts_with("->") || line.starts_with('!') || line.starts_with('='))
        continue;
      say(line);
      act(line);
      take_events();
      if (!held_)
        write(kAll);
    }
    return std::exchange(said_, {});
  }

  /// The lines of a script, without the space around them.
  static std::string tidy(std::string_view script) {
    std::string out;
    for (const std::string& line : lines_of(script))
      out += line + '\n';
    return out;
  }

  /// What the destination or payload of a request lives in; expired once nobody holds it.
  std::weak_ptr<const void> memory(std::string_view name) const { return named(name).memory; }
  /// Bytes as they come from the server.
  void feed(proto::ByteView bytes) {
    while (!bytes.empty()) {
      std::size_t taken = 0;
      for (const std::span<std::byte> buffer : mux_.prepare()) {
        const std::size_t part = std::min({buffer.size(), bytes.size(), read_at_most_ - taken});
        std::copy_n(bytes.begin(), part, buffer.begin());
        bytes = bytes.subspan(part);
        taken += part;
      }
      mux_.received(taken);
      if (taken == 0)
        throw std::logic_error("no room to read into");
      if (!bytes.empty())
        take_events();
    }
  }
  void cancel(std::string_view name) { mux_.cancel(named(name).id); }
  void take_events() {
    while (const auto event = mux_.next_event())
      say("! " + event_text(*event));
  }
  /// Events and frames since the last call, or in play().
  std::string said() { return std::exchange(said_, {}); }

 private:
  struct Asked {
    std::string name;
    proto::RequestId id;
    std::shared_ptr<const void> held;  // by the caller, until the outcome
    std::weak_ptr<const void> memory;
    proto::ByteView destination;
    int outcomes = 0;
  };

  static std::vector<std::string> lines_of(std::string_view script) {
    std::vector<std::string> lines;
    std::istringstream in{std::string(script)};
    for (std::string line; std::getline(in, line);) {
      std::istringstream words(line);
      std::string tidy;
      for (std::string word; words >> word;)
        tidy += (tidy.empty() ? "" : " ") + word;
      if (!tidy.empty())
        lines.push_back(tidy);
    }
    return lines;
  }

  void say(const std::string& line) { said_ += line + '\n'; }

  void act(const std::string& line) {
    const std::size_t space = line.find(' ');
    const std::string verb = line.substr(0, space);
    const std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
    if (verb == "ask" || verb == "asks")
      ask(rest, verb == "ask");
    else if (verb == "cancel")
      cancel(rest);
    else if (verb == "<-")
      feed_text(rest);
    else if (verb == "hold")
      held_ = true;
    else if (verb == "go")
      held_ = false;
    else if (verb == "write")
      write(rest == "all" ? kAll : std::stoul(rest));
    else if (verb == "wait")
      mux_.tick(now_ += std::chrono::milliseconds(std::stol(rest)));
    else if (verb == "lost")
      mux_.connection_lost(proto::Error::connection_lost);
    else if (verb == "state")
      say("= outstanding " + std::to_string(mux_.outstanding()) + " unresolved " +
          std::to_string(mux_.unresolved()) + " tags " + std::to_string(mux_.tags_in_use()));
    else if (verb == "deadline")
      say_deadline();
    else if (verb != "#")
      throw std::invalid_argument("no such line: " + line);
  }

  void say_deadline() {
    const auto deadline = mux_.deadline();
    if (!deadline)
      return say("= no deadline");
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*deadline - now_);
    say("= deadline in " + std::to_string(left.count()));
  }

  void ask(const std::string& line, bool with_destination) {
    const std::size_t space = line.find(' ');
    proto::Outgoing out =
        outgoing_from_text(line.substr(space + 1), mux_.dialect(), with_destination);
    Asked asked;
    asked.name = line.substr(0, space);
    asked.held = out.payload.owner ? out.payload.owner : out.destination.owner;
    asked.memory = asked.held;
    asked.destination = out.destination.bytes;
    asked.id = mux_.submit(std::move(out));
    asked_.push_back(std::move(asked));
  }

  void feed_text(const std::string& line) {
    std::string bytes;
    for (std::size_t at = 0; at != std::string::npos;) {
      const std::size_t bar = line.find(" | ", at);
      const auto frame = proto::from_text(line.substr(at, bar - at), mux_.dialect());
      if (!frame)
        throw std::invalid_argument("no frame: " + line);
      bytes += as_text({frame->data(), frame->size()});
      at = bar == std::string::npos ? bar : bar + 3;
    }
    feed(std::as_bytes(std::span(bytes)));
  }

  void write(std::size_t most) {
    while (most > 0) {
      std::size_t written = 0;
      for (const proto::ByteView view : mux_.outgoing()) {
        const std::size_t part = std::min(view.size(), most - written);
        wire_ += as_text(view.first(part));
        written += part;
      }
      if (written == 0)
        break;
      mux_.sent(written);
      most -= written;
    }
    say_frames();
  }

  void say_frames() {
    while (wire_.size() >= proto::kHeaderSize) {
      const auto bytes = std::as_bytes(std::span(wire_));
      const std::size_t size = proto::decode_header(bytes.first<proto::kHeaderSize>()).size;
      if (size < proto::kHeaderSize || size > wire_.size())
        return;
      say("-> " + proto::to_text(bytes.first(size), mux_.dialect()));
      wire_.erase(0, size);
    }
  }

  const Asked& named(std::string_view name) const {
    const auto found = std::ranges::find(asked_, name, &Asked::name);
    if (found == asked_.end())
      throw std::invalid_argument("no request " + std::string(name));
    return *found;
  }

  /// "w replied Rwrite count 5". The request's caller lets go of its memory at the outcome.
  std::string event_text(const proto::Event& event) {
    using What = proto::Event::Kind;
    if (event.kind == What::broken)
      return "broken " + event.error.message() + ": " + event.detail;
    if (event.kind == What::late)
      return "late " + reply_text(event.reply, {}) + created_text(event);
    const auto found = std::ranges::find(asked_, event.id, &Asked::id);
    if (found == asked_.end())
      return "event of nobody's request";
    std::string text = found->name + ' ';
    switch (event.kind) {
      case What::replied:
        text += "replied " + reply_text(event.reply, found->destination);
        break;
      case What::cancelled:
        text += (event.sent ? "cancelled" : "cancelled unsent") + created_text(event);
        break;
      case What::abandoned:
        text += "abandoned" + created_text(event);
        break;
      case What::failed:
        text += "failed " + event.error.message();
        break;
      case What::settled:
        text += event.replied ? "settled " + reply_text(event.reply, {}) : "settled by Rflush";
        return text + created_text(event);
      case What::late:
      case What::broken:
        break;
    }
    if (++found->outcomes != 1)
      text += " and that is one outcome too many";
    found->held = nullptr;
    found->destination = {};
    return text;
  }

  static std::string created_text(const proto::Event& event) {
    return event.created == proto::kNoFid ? ""
                                          : " created " + std::to_string(to_int(event.created));
  }

  std::string reply_text(const proto::Reply& reply, proto::ByteView destination) const {
    const bool error_type =
        reply.type == proto::MessageType::Rlerror || reply.type == proto::MessageType::Rerror;
    std::string ending;
    if (reply.error && !error_type)
      ending = ", " + reply.error.message();
    std::string rest = as_text(reply.body);
    std::size_t size = proto::kHeaderSize + rest.size();
    if (!destination.empty())
      rest += as_text(destination.first(reply.data_size));
    const bool data =
        reply.type == proto::MessageType::Rread || reply.type == proto::MessageType::Rreaddir;
    if (data && reply.body.size() == 4) {  // the payload went elsewhere
      proto::Reader reader(reply.body, reply.dialect);
      std::uint32_t count = 0;
      reader.get(count);
      size += count;
    }
    proto::Bytes head;
    proto::Writer writer(head, reply.dialect);
    writer.put(static_cast<std::uint32_t>(size));
    writer.put(to_int(reply.type));
    writer.put(proto::kNoTag);
    const std::string frame = as_text({head.data(), head.size()}) + rest;
    std::string text = proto::to_text(std::as_bytes(std::span(frame)), reply.dialect);
    const std::string tag = " tag 65535";
    return text.erase(text.find(tag), tag.size()) + ending;
  }

  proto::Multiplexer mux_;
  proto::TimePoint now_{std::chrono::seconds(1000)};
  std::deque<Asked> asked_;
  std::size_t read_at_most_ = kAll;
  bool held_ = false;
  std::string wire_;  // written, not yet a whole frame
  std::string said_;
};

/// Plays the script and expects what it says.
inline void expect_talk(Talk& talk, std::string_view script) {
  EXPECT_EQ(talk.play(script), Talk::tidy(script));
}
inline void expect_talk(const proto::MultiplexerLimits& limits, std::string_view script) {
  Talk talk(limits);
  expect_talk(talk, script);
}

}  // namespace fuse9p::test
