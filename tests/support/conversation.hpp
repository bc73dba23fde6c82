// SPDX-License-Identifier: MIT
// A conversation with the scripted server, in text:
//
//     -> MESSAGE      is sent
//     <- MESSAGE      must be the next answer; * stands for any word, ... for any number of them
//     <= TAG NAME...  must be the next answer: an Rread of the stat records of these files
//     = LINE          is a command; ": LINE" must be its answer
//     ! WORDS         must be in the breach; this is the last line
//
// Nothing else may be sent in answer. The tree has /file, /dir and /dir/deep, with the qid.paths 2,
// 3 and 4.
#pragma once

#include "proto/text.hpp"
#include "tests/support/scripted_server.hpp"

#include <gtest/gtest.h>

#include <iterator>
#include <span>
#include <sstream>
#include <string>
#include <vector>

namespace fuse9p::test {

class Conversation {
 public:
  explicit Conversation(proto::Dialect dialect) : dialect_(dialect) {
    for (const char* line : {"text /file hello", "dir /dir", "text /dir/deep x"})
      server_.command(line);
  }

  void hold(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      SCOPED_TRACE(line);
      const auto begin = line.find_first_not_of(' ');
      if (begin == line.npos)
        continue;
      const std::string kind = line.substr(begin, 2);
      const std::string rest = line.substr(line.find_first_not_of(" ->=<!:", begin));
      if (kind == "! ")
        return expect_breach(rest);
      act(kind, rest);
    }
    EXPECT_EQ(text_of(next_frame()), "nothing");
    EXPECT_TRUE(server_.breaches().empty()) << server_.breaches()[0];
  }

 private:
  void act(const std::string& kind, const std::string& rest) {
    if (kind == "->") {
      send(rest);
    } else if (kind == "<-") {
      const std::string got = text_of(next_frame());
      EXPECT_TRUE(match(words_of(got), words_of(rest))) << got;
    } else if (kind == "<=") {
      EXPECT_EQ(names_of(next_frame()), rest);
    } else if (kind == "= ") {
      server_.take_answers();
      server_.command(rest);
    } else if (kind == ": ") {
      EXPECT_EQ(server_.take_answers(), std::vector{rest});
    } else {
      ADD_FAILURE() << "no such line";
    }
  }

  void expect_breach(const std::string& words) const {
    ASSERT_EQ(server_.breaches().size(), 1U) << "not noticed";
    EXPECT_NE(server_.breaches()[0].find(words), std::string::npos) << server_.breaches()[0];
    EXPECT_TRUE(server_.closed());
  }

  void send(const std::string& message) {
    const auto frame = proto::from_text(message, dialect_);
    ASSERT_TRUE(frame) << "no message";
    server_.received({reinterpret_cast<const char*>(frame->data()), frame->size()});
  }

  std::string next_frame() {
    std::string& out = server_.outgoing();
    if (out.empty())
      return {};
    const auto header = view(out).first<proto::kHeaderSize>();
    const std::string frame = out.substr(0, proto::decode_header(header).size);
    out.erase(0, frame.size());
    return frame;
  }
  std::string text_of(const std::string& frame) const {
    return frame.empty() ? "nothing" : proto::to_text(view(frame), dialect_);
  }

  /// "TAG NAME..."
  std::string names_of(const std::string& frame) const {
    if (frame.empty())
      return "nothing";
    const auto header = proto::decode_header(view(frame).first<proto::kHeaderSize>());
    const auto body = view(frame).subspan(proto::kHeaderSize);
    const auto read = proto::decode<proto::Rread>(body, dialect_);
    if (header.type != proto::MessageType::Rread || !read)
      return text_of(frame);
    std::string names = std::to_string(to_int(header.tag));
    proto::Reader reader(read->data, dialect_);
    while (reader.left() != 0 && !reader.error()) {
      proto::Stat stat;
      reader.get_record(stat);
      names += ' ' + std::string(stat.name);
    }
    return reader.error() ? reader.error().message() : names;
  }

  using Words = std::vector<std::string>;
  static Words words_of(const std::string& text) {
    std::istringstream in(text);
    return {std::istream_iterator<std::string>(in), {}};
  }
  static bool match(std::span<const std::string> got, std::span<const std::string> wanted) {
    if (wanted.empty() || (got.empty() && wanted[0] != "..."))
      return got.empty() && wanted.empty();
    if (wanted[0] == "...")
      return match(got, wanted.subspan(1)) || (!got.empty() && match(got.subspan(1), wanted));
    return (wanted[0] == "*" || wanted[0] == got[0]) && match(got.subspan(1), wanted.subspan(1));
  }

  proto::Dialect dialect_;
  ScriptedServer server_;
};

inline void converse(const std::string& text, proto::Dialect dialect = proto::Dialect::l) {
  Conversation(dialect).hold(text);
}

}  // namespace fuse9p::test
