// SPDX-License-Identifier: MIT
// FrameReader turns a byte stream into frames. Small frames are parsed where they were received;
// the data of an Rread or Rreaddir goes straight to where it belongs (readv into destination and
// scratch).
//
// Call protocol, in a loop: prepare() -> read into those buffers -> received(n) -> next() until it
// has nothing. Sizes are checked before anything is stored.
#pragma once

#include "proto/buffer.hpp"
#include "proto/codec.hpp"

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>

namespace fuse9p::proto {

/// What is to be done with a frame whose header has come.
struct Placement {
  enum class Kind : std::uint8_t {
    whole,    ///< keep it together; the frame's body is a view of all of it
    data,     ///< count[4] data[count]: the data goes to `destination`
    discard,  ///< like data, but nobody wants the bytes
  };
  Kind kind = Kind::whole;
  Buffer destination{};
};

/// A frame as next() gives it: valid until the next call of next() or prepare().
struct Frame {
  Header header;
  ByteView body;              ///< behind the header; of a data frame only count[4]
  std::size_t data_size = 0;  ///< bytes that went to the destination
  bool too_much = false;      ///< the data did not fit the destination and was discarded
};

class FrameReader {
 public:
  /// The largest frame that is kept whole: the longest string and room for the fields around it.
  static constexpr std::size_t kMaxWholeFrame = kMaxStringSize + 1024;
  static constexpr std::size_t kScratchSize = 2 * kMaxWholeFrame;

  /// Decides on a frame of this header; an error ends the stream.
  using Place = std::function<result<Placement>(const Header&)>;

  FrameReader(std::uint32_t max_frame, Place place);

  void set_max_frame(std::uint32_t bytes) { max_frame_ = bytes; }

  /// Where the next bytes belong: up to two buffers, never empty both, valid until received().
  std::array<std::span<std::byte>, 2> prepare();
  void received(std::size_t bytes);

  /// The next complete frame, nothing if more bytes are needed, or why the stream is broken.
  result<std::optional<Frame>> next();
  /// The header of the frame that next() is at or failed at, for messages.
  const Header& current() const { return header_; }

  /// The request of the frame being received is given up: the rest of its data is thrown away.
  /// Bytes of a read(2) under way still land in the old destination, which is therefore kept until
  /// then.
  void forget_destination();
  /// Is data of a reply to `tag` being received into a destination?
  bool receiving_data(Tag tag) const {
    return have_header_ && header_.tag == tag && placement_.kind == Placement::Kind::data;
  }

 private:
  std::size_t available() const { return end_ - begin_; }
  std::span<const std::byte> scratch() const { return {scratch_.get() + begin_, available()}; }
  error_code start_frame();
  error_code start_data();
  void take_data_from_scratch();
  bool data_complete() const { return data_left_ == 0 && skip_left_ == 0; }
  void compact();

  std::uint32_t max_frame_;
  Place place_;
  // Not zeroed: what is never received costs no page.
  std::unique_ptr<std::byte[]> scratch_ = std::make_unique_for_overwrite<std::byte[]>(kScratchSize);
  std::size_t begin_ = 0, end_ = 0;

  // The frame under way.
  bool have_header_ = false, in_data_ = false, too_much_ = false;
  Header header_;
  Placement placement_;
  std::array<std::byte, 4> count_{};
  std::size_t data_done_ = 0, data_left_ = 0;  // of the data
  std::size_t skip_left_ = 0;                  // bytes behind the data, or data nobody wants
  std::size_t consumed_ = 0;                   // of scratch, by the frame last returned
  // What keeps the memory that prepare() handed out; a destination may have no owner.
  std::optional<std::shared_ptr<void>> lent_;
};

}  // namespace fuse9p::proto
