// SPDX-License-Identifier: MIT
#include "proto/frame_reader.hpp"

#include "tests/support/seed.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace fuse9p::proto {
namespace {

using Kind = Placement::Kind;

constexpr std::uint32_t kMaxFrame = 1U << 20;

std::string text_of(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string little(std::uint64_t value, std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < size; ++i)
    out += static_cast<char>(value >> (8 * i) & 0xFF);
  return out;
}

std::string frame_bytes(std::uint64_t size, MessageType type, std::uint16_t tag,
                        const std::string& body) {
  return little(size, 4) + little(to_int(type), 1) + little(tag, 2) + body;
}

/// Letters that differ from their neighbours, so that a shift shows.
std::string letters(std::size_t size, char first = 'a') {
  std::string out(size, ' ');
  for (std::size_t i = 0; i < size; ++i)
    out[i] = static_cast<char>('a' + (static_cast<std::size_t>(first - 'a') + i) % 26);
  return out;
}

/// A frame of the stream, what its receiver wants, and what should come out.
struct Script {
  Kind kind = Kind::whole;
  std::string body = {};  // of a whole frame; else what stands behind the data
  std::string data = {};  // of a data frame
  std::size_t room = 0;   // bytes of the destination
  bool operator==(const Script&) const = default;

  bool too_much() const { return kind == Kind::data && data.size() > room; }
  bool placed() const { return kind == Kind::data && !too_much(); }
  std::string bytes(std::uint16_t tag) const {
    const std::string rest = kind == Kind::whole ? body : little(data.size(), 4) + data + body;
    return frame_bytes(kHeaderSize + rest.size(),
                       kind == Kind::whole ? MessageType::Rwalk : MessageType::Rread, tag, rest);
  }
};

/// Bytes on the heap that nobody holds but a Buffer: whoever writes into them after the owner has
/// gone is seen by the sanitizer.
Buffer new_buffer(std::size_t size) {
  auto bytes = std::make_shared<std::vector<std::byte>>(size);
  const std::span<std::byte> view(*bytes);
  return {std::move(bytes), view};
}

/// A FrameReader with a server before it and somebody who takes the frames behind it.
class Pipe {
 public:
  explicit Pipe(const std::vector<Script>& scripts)
      : scripts_(scripts),
        reader_(kMaxFrame, [this](const Header& header) { return place(header); }) {
    for (std::size_t i = 0; i < scripts.size(); ++i) {
      stream_ += scripts[i].bytes(static_cast<std::uint16_t>(i));
      destinations_.push_back(scripts[i].room == 0 ? Buffer{} : new_buffer(scripts[i].room));
    }
  }

  const std::string& stream() const { return stream_; }
  bool at_end() const { return at_ == stream_.size(); }
  std::size_t frames() const { return frames_; }
  FrameReader& reader() { return reader_; }

  /// One read(2) of at most `bytes`, as readv does it: the buffers are filled in their order.
  std::size_t read(std::size_t bytes) {
    begin_read(bytes);
    return end_read();
  }
  void begin_read(std::size_t bytes) {
    bytes_read_ = 0;
    bool any_room = false;
    for (const std::span<std::byte> buffer : reader_.prepare()) {
      any_room = any_room || !buffer.empty();
      const std::size_t part = std::min({buffer.size(), bytes, stream_.size() - at_});
      if (part != 0)
        std::memcpy(buffer.data(), stream_.data() + at_, part);
      at_ += part;
      bytes -= part;
      bytes_read_ += part;
    }
    ASSERT_TRUE(any_room) << "prepare() gave no room";
  }
  std::size_t end_read() {
    reader_.received(bytes_read_);
    return bytes_read_;
  }

  /// Takes the frames that are complete and compares them with the script.
  void take() {
    for (;;) {
      const auto frame = reader_.next();
      ASSERT_TRUE(frame) << frame.error().message();
      if (!*frame)
        return;
      check(**frame);
    }
  }

  /// The one who asked for the data of frame `i` gives up: afterwards the memory is nobody's.
  std::weak_ptr<void> give_back(std::size_t i) {
    if (reader_.receiving_data(Tag{static_cast<std::uint16_t>(i)}))
      reader_.forget_destination();
    given_back_ = i;
    const std::weak_ptr<void> memory = destinations_[i].owner;
    destinations_[i] = {};
    return memory;
  }

 private:
  result<Placement> place(const Header& header) {
    const std::size_t i = to_int(header.tag);
    const Kind kind = given_back_ == i ? Kind::discard : scripts_.at(i).kind;
    return Placement{.kind = kind, .destination = kind == Kind::data ? destinations_[i] : Buffer{}};
  }

  void check(const Frame& frame) {
    SCOPED_TRACE("frame " + std::to_string(frames_));
    const std::size_t i = frames_++;
    ASSERT_LT(i, scripts_.size());
    const Script& script = scripts_[i];
    EXPECT_EQ(to_int(frame.header.tag), i);
    EXPECT_EQ(frame.header.size, script.bytes(0).size());
    if (script.kind == Kind::whole) {
      EXPECT_EQ(frame.header.type, MessageType::Rwalk);
      EXPECT_EQ(text_of(frame.body), script.body);
      EXPECT_EQ(frame.data_size, 0U);
      EXPECT_FALSE(frame.too_much);
      return;
    }
    EXPECT_EQ(frame.header.type, MessageType::Rread);
    EXPECT_EQ(text_of(frame.body), little(script.data.size(), 4));
    if (given_back_ == i)
      return;
    EXPECT_EQ(frame.data_size, script.placed() ? script.data.size() : 0U);
    EXPECT_EQ(frame.too_much, script.too_much());
    if (script.kind == Kind::data) {
      const std::string untouched(script.room - frame.data_size, '\0');
      EXPECT_EQ(text_of(destinations_[i].bytes), (script.placed() ? script.data : "") + untouched);
    }
    EXPECT_EQ(destinations_[i].owner.use_count(), script.room == 0 ? 0 : 1)
        << "the reader still holds the destination of a frame that is complete";
  }

  std::vector<Script> scripts_;
  std::vector<Buffer> destinations_;
  std::string stream_;
  std::size_t at_ = 0, bytes_read_ = 0, frames_ = 0;
  std::optional<std::size_t> given_back_;
  FrameReader reader_;
};

/// One of each kind, with a whole frame before and behind each.
std::vector<Script> one_of_each() {
  return {
      {.kind = Kind::whole, .body = "whole"},
      {.kind = Kind::data, .data = letters(9), .room = 9},
      {.kind = Kind::whole, .body = ""},
      {.kind = Kind::data, .data = letters(5, 'g'), .room = 12},
      {.kind = Kind::discard, .data = letters(6)},
      {.kind = Kind::data, .data = letters(10), .room = 4},
      {.kind = Kind::whole, .body = letters(3)},
      {.kind = Kind::data, .body = "pad", .data = letters(4, 'p'), .room = 4},
      {.kind = Kind::data, .data = "", .room = 4},
      {.kind = Kind::data, .body = "pad", .data = "", .room = 4},
      {.kind = Kind::discard, .data = ""},
      {.kind = Kind::discard, .body = "pad", .data = letters(2)},
      {.kind = Kind::data, .body = "pad", .data = letters(2), .room = 1},
      {.kind = Kind::whole, .body = "end"},
  };
}

TEST(FrameReader, GivesTheFramesOfAStreamReadAtOnce) {
  Pipe pipe(one_of_each());
  while (!pipe.at_end()) {
    pipe.read(pipe.stream().size());
    pipe.take();
  }
  EXPECT_EQ(pipe.frames(), one_of_each().size());
}

TEST(FrameReader, GivesTheFramesOfAStreamReadByteByByte) {
  Pipe pipe(one_of_each());
  while (!pipe.at_end()) {
    ASSERT_EQ(pipe.read(1), 1U);
    pipe.take();
  }
  EXPECT_EQ(pipe.frames(), one_of_each().size());
}

TEST(FrameReader, GivesTheSameFramesWhereverTheStreamIsCutTwice) {
  const std::size_t size = Pipe(one_of_each()).stream().size();
  for (std::size_t first = 0; first <= size; ++first) {
    for (std::size_t second = 0; second <= size - first; second += first % 7 + 1) {
      Pipe pipe(one_of_each());
      for (std::size_t part : {first, second, size}) {
        for (; part > 0 && !pipe.at_end() && !HasFailure(); pipe.take())
          part -= pipe.read(part);
      }
      ASSERT_EQ(pipe.frames(), one_of_each().size());
      ASSERT_FALSE(HasFailure()) << "cut behind " << first << " and " << second << " more";
    }
  }
}

TEST(FrameReader, ReadsMayComeFasterThanFramesAreTaken) {
  for (std::size_t part = 1; part < 40; ++part) {
    Pipe pipe(one_of_each());
    for (int reads = 0; !pipe.at_end(); ++reads) {
      pipe.read(part);
      if (reads % 3 == 2)
        pipe.take();
    }
    pipe.take();
    ASSERT_EQ(pipe.frames(), one_of_each().size()) << part;
  }
}

TEST(FrameReader, FramesMayBeTakenWhileAReadIsUnderWay) {
  for (std::size_t part = 1; part < 40; ++part) {
    Pipe pipe(one_of_each());
    while (!pipe.at_end() && !HasFailure()) {
      pipe.begin_read(part);
      pipe.take();
      pipe.end_read();
    }
    pipe.take();
    ASSERT_EQ(pipe.frames(), one_of_each().size()) << part;
  }
}

TEST(FrameReader, GivesTheSameFramesInReadsOfRandomSize) {
  std::mt19937 random(test::new_seed());
  const auto up_to = [&](std::size_t most) {
    return std::uniform_int_distribution<std::size_t>(0, most)(random);
  };
  for (int round = 0; round < 60; ++round) {
    std::vector<Script> scripts;
    for (std::size_t left = 1 + up_to(8); left > 0; --left) {
      const std::size_t scale = std::size_t{1} << up_to(16);
      Script script{.kind = static_cast<Kind>(up_to(2))};
      script.body = letters(up_to(std::min<std::size_t>(scale, 60000)));
      if (script.kind != Kind::whole)
        script.data = letters(up_to(2 * scale), 'c');
      if (script.kind == Kind::data)
        script.room = up_to(3 * scale) + 1;
      scripts.push_back(script);
    }
    Pipe pipe(scripts);
    const std::size_t most = std::size_t{1} << up_to(18);
    while (!pipe.at_end() && !HasFailure()) {
      pipe.read(1 + up_to(most));
      pipe.take();
    }
    ASSERT_EQ(pipe.frames(), scripts.size());
    ASSERT_FALSE(HasFailure()) << "round " << round;
  }
}

TEST(FrameReader, DataGoesStraightIntoItsDestination) {
  Buffer destination = new_buffer(1000);
  FrameReader reader(kMaxFrame, [&](const Header&) {
    return result<Placement>(Placement{.kind = Kind::data, .destination = destination});
  });
  const std::string start =
      frame_bytes(kDataReplyHeaderSize + 1000, MessageType::Rread, 1, little(1000, 4) + "abc");
  std::memcpy(reader.prepare()[0].data(), start.data(), start.size());
  reader.received(start.size());
  ASSERT_TRUE(reader.next());
  const auto buffers = reader.prepare();
  EXPECT_EQ(buffers[0].data(), destination.bytes.data() + 3);
  EXPECT_EQ(buffers[0].size(), 997U);
  EXPECT_FALSE(buffers[1].empty()) << "the next frame may come with the same read";
}

TEST(FrameReader, DestinationMayBeMemoryThatNobodyOwns) {
  std::array<std::byte, 6> memory{};
  FrameReader reader(kMaxFrame, [&](const Header&) {
    return result<Placement>(
        Placement{.kind = Kind::data, .destination = {.owner = nullptr, .bytes = memory}});
  });
  const std::string head =
      frame_bytes(kDataReplyHeaderSize + 6, MessageType::Rread, 1, little(6, 4) + "ab");
  std::memcpy(reader.prepare()[0].data(), head.data(), head.size());
  reader.received(head.size());
  ASSERT_FALSE(reader.next()->has_value());
  std::memcpy(reader.prepare()[0].data(), "cdef", 4);
  reader.received(4);
  const auto frame = reader.next();
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->data_size, 6U);
  EXPECT_EQ(text_of(memory), "abcdef");
}

TEST(FrameReader, LongestWholeFrameFitsBehindAnotherPartOfOne) {
  const std::string longest(FrameReader::kMaxWholeFrame - kHeaderSize, 'x');
  const std::vector<Script> scripts(5, {.kind = Kind::whole, .body = longest});
  for (const std::size_t part : {std::size_t{1000}, FrameReader::kMaxWholeFrame - 1,
                                 FrameReader::kMaxWholeFrame + 1, FrameReader::kScratchSize}) {
    Pipe pipe(scripts);
    while (!pipe.at_end()) {
      pipe.read(part);
      pipe.take();
    }
    EXPECT_EQ(pipe.frames(), scripts.size());
  }
}

// ---- sizes that lie

/// What next() says of these bytes where every frame is placed like `placement`.
error_code error_of(const std::string& bytes, const Placement& placement = {},
                    std::uint32_t max_frame = kMaxFrame) {
  FrameReader reader(max_frame, [&](const Header&) { return result<Placement>(placement); });
  const std::span<std::byte> room = reader.prepare()[0];
  std::memcpy(room.data(), bytes.data(), bytes.size());
  reader.received(bytes.size());
  const auto frame = reader.next();
  return frame ? error_code() : frame.error();
}

TEST(FrameReader, SizeBelowAHeaderEndsTheStream) {
  for (std::uint32_t size = 0; size < kHeaderSize; ++size)
    EXPECT_EQ(error_of(frame_bytes(size, MessageType::Rclunk, 1, "")), Error::frame_too_small)
        << size;
  EXPECT_EQ(error_of(frame_bytes(kHeaderSize, MessageType::Rclunk, 1, "")), error_code());
}

TEST(FrameReader, SizeAboveTheMostEndsTheStreamAtItsHeader) {
  EXPECT_EQ(error_of(frame_bytes(1001, MessageType::Rread, 1, ""), {.kind = Kind::discard}, 1000),
            Error::frame_too_large);
  EXPECT_EQ(error_of(frame_bytes(0xFFFFFFFF, MessageType::Rread, 1, ""), {.kind = Kind::discard}),
            Error::frame_too_large);
  EXPECT_EQ(error_of(frame_bytes(0x80000007, MessageType::Rread, 1, ""), {.kind = Kind::discard}),
            Error::frame_too_large);
  EXPECT_EQ(error_of(frame_bytes(1000, MessageType::Rread, 1, ""), {.kind = Kind::discard}, 1000),
            error_code());
}

TEST(FrameReader, MostMayBeSetLater) {
  FrameReader reader(kHeaderSize, [](const Header&) { return result<Placement>(Placement{}); });
  reader.set_max_frame(kHeaderSize + 1);
  const std::string bytes = frame_bytes(kHeaderSize + 1, MessageType::Rwalk, 1, "x");
  std::memcpy(reader.prepare()[0].data(), bytes.data(), bytes.size());
  reader.received(bytes.size());
  const auto frame = reader.next();
  EXPECT_TRUE(frame && *frame);
}

TEST(FrameReader, FrameThatIsKeptWholeHasABoundOfItsOwn) {
  const auto of_size = [](std::size_t size) {
    return error_of(frame_bytes(size, MessageType::Rwalk, 1, ""));
  };
  EXPECT_EQ(of_size(FrameReader::kMaxWholeFrame), error_code());
  EXPECT_EQ(of_size(FrameReader::kMaxWholeFrame + 1), Error::frame_too_large);
}

TEST(FrameReader, DataFrameWithoutRoomForItsCountEndsTheStream) {
  for (std::size_t size = kHeaderSize; size < kDataReplyHeaderSize; ++size)
    EXPECT_EQ(error_of(frame_bytes(size, MessageType::Rread, 1, "\1\0\0\0"),
                       {.kind = Kind::data, .destination = new_buffer(8)}),
              Error::truncated)
        << size;
}

TEST(FrameReader, CountBeyondTheFrameEndsTheStream) {
  for (const std::uint32_t count : {5U, 6U, 0x7FFFFFFFU, 0x80000000U, 0xFFFFFFFFU})
    for (const Kind kind : {Kind::data, Kind::discard})
      EXPECT_EQ(error_of(frame_bytes(kDataReplyHeaderSize + 4, MessageType::Rread, 1,
                                     little(count, 4) + "abcd"),
                         {.kind = kind, .destination = new_buffer(8)}),
                Error::truncated)
          << count;
}

TEST(FrameReader, SaysWhichHeaderItFailedAt) {
  FrameReader reader(kMaxFrame,
                     [](const Header&) { return result<Placement>(Error::unexpected_tag); });
  const std::string bytes = frame_bytes(7, MessageType::Rclunk, 42, "");
  std::memcpy(reader.prepare()[0].data(), bytes.data(), bytes.size());
  reader.received(bytes.size());
  const auto frame = reader.next();
  ASSERT_FALSE(frame);
  EXPECT_EQ(frame.error(), Error::unexpected_tag);
  EXPECT_EQ(reader.current().type, MessageType::Rclunk);
  EXPECT_EQ(to_int(reader.current().tag), 42);
}

// ---- giving the destination back

enum class Moment { between_prepare_and_received, before_next, behind_next };

/// The middle one of three frames is given up when `before` bytes were received.
void give_back_in_the_middle(std::size_t before, Moment moment, std::size_t part) {
  SCOPED_TRACE("given back behind " + std::to_string(before) + " bytes, moment " +
               std::to_string(static_cast<int>(moment)) + ", reads of " + std::to_string(part));
  Pipe pipe({{.kind = Kind::whole, .body = "before"},
             {.kind = Kind::data, .body = "pad", .data = letters(20), .room = 24},
             {.kind = Kind::data, .data = letters(7, 'h'), .room = 7},
             {.kind = Kind::whole, .body = "behind"}});
  for (std::size_t left = before; left > 0; pipe.take())
    left -= pipe.read(left);
  std::weak_ptr<void> memory;
  pipe.begin_read(part);
  if (moment == Moment::between_prepare_and_received)
    memory = pipe.give_back(1);
  pipe.end_read();
  if (moment == Moment::before_next)
    memory = pipe.give_back(1);
  pipe.take();
  if (moment == Moment::behind_next)
    memory = pipe.give_back(1);
  pipe.begin_read(0);
  EXPECT_TRUE(memory.expired()) << "the reader holds on to what was given back";
  pipe.end_read();
  for (; !pipe.at_end() && !testing::Test::HasFailure(); pipe.take())
    pipe.read(part);
  EXPECT_EQ(pipe.frames(), 4U);
}

TEST(FrameReader, GivenBackDestinationIsNeverWrittenAgainAndTheStreamGoesOn) {
  const std::size_t size = 13 + (11 + 20 + 3) + (11 + 7) + 13;
  for (std::size_t before = 0; before < size; ++before)
    for (const Moment moment :
         {Moment::between_prepare_and_received, Moment::before_next, Moment::behind_next})
      for (const std::size_t part : {std::size_t{1}, std::size_t{4}, std::size_t{15}, size})
        give_back_in_the_middle(before, moment, part);
}

TEST(FrameReader, MemoryLentToARunningReadIsKeptUntilTheReadIsOver) {
  Pipe pipe({{.kind = Kind::data, .data = letters(20), .room = 20}});
  pipe.read(15);
  pipe.take();
  pipe.begin_read(3);  // readv has the memory
  const std::weak_ptr<void> memory = pipe.give_back(0);
  EXPECT_FALSE(memory.expired());
  pipe.end_read();
  pipe.begin_read(0);
  EXPECT_TRUE(memory.expired());
  pipe.end_read();
}

TEST(FrameReader, ReceivesDataOnlyWhileAFrameOfThatTagIsPlaced) {
  Pipe pipe(
      {{.kind = Kind::discard, .data = "abc"}, {.kind = Kind::data, .data = "abc", .room = 3}});
  std::string seen;
  while (!pipe.at_end()) {
    pipe.read(1);
    pipe.take();
    seen += pipe.reader().receiving_data(Tag{1}) ? '1' : '0';
    EXPECT_FALSE(pipe.reader().receiving_data(Tag{0}));
  }
  EXPECT_EQ(seen, std::string(14 + 6, '0') + std::string(7, '1') + "0");
}

}  // namespace
}  // namespace fuse9p::proto
