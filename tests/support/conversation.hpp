// SPDX-License-Identifier: MIT
// A conversation with the scripted server, in text.
#pragma once

#include "proto/text.hpp"
#include "tests/support/scripted_server.hpp"

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

namespace fuse9p::test {

/// "-> MESSAGE" is sent, "<- MESSAGE" must be the next answer, "= LINE" is a command, ": LINE" must
/// be the answer to the last one, "! WORDS" must be the breach (and is the last line). Nothing else
/// may be sent in answer. The tree has /file, /dir and /dir/deep, with the qid.paths 2, 3 and 4.
inline void converse(const std::string& text, proto::Dialect dialect = proto::Dialect::l) {
  ScriptedServer server;
  for (const char* line : {"text /file hello", "dir /dir", "text /dir/deep x"})
    server.command(line);
  const auto next_answer = [&]() -> std::string {
    std::string& out = server.outgoing();
    if (out.empty())
      return "nothing";
    const auto bytes = std::as_bytes(std::span(out));
    const std::uint32_t size = proto::decode_header(bytes.first<proto::kHeaderSize>()).size;
    const std::string message = proto::to_text(bytes.first(size), dialect);
    out.erase(0, size);
    return message;
  };
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto begin = line.find_first_not_of(' ');
    if (begin == line.npos)
      continue;
    const std::string kind = line.substr(begin, 2);
    const std::string rest = line.substr(line.find_first_not_of(" ->=<!:", begin));
    if (kind == "->") {
      const auto frame = proto::from_text(rest, dialect);
      ASSERT_TRUE(frame) << rest;
      server.received({reinterpret_cast<const char*>(frame->data()), frame->size()});
    } else if (kind == "<-") {
      EXPECT_EQ(next_answer(), rest) << "in " << line;
    } else if (kind == "= ") {
      server.take_answers();
      server.command(rest);
    } else if (kind == ": ") {
      EXPECT_EQ(server.take_answers(), std::vector{rest}) << "in " << line;
    } else {
      ASSERT_EQ(server.breaches().size(), 1U) << "not noticed: " << rest;
      EXPECT_NE(server.breaches()[0].find(rest), std::string::npos) << server.breaches()[0];
      EXPECT_TRUE(server.closed());
      return;
    }
  }
  EXPECT_EQ(next_answer(), "nothing");
  EXPECT_TRUE(server.breaches().empty()) << server.breaches()[0];
}

}  // namespace fuse9p::test
