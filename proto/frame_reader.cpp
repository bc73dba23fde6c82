// SPDX-License-Identifier: MIT
#include "proto/frame_reader.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace fuse9p::proto {

FrameReader::FrameReader(std::uint32_t max_frame, Place place)
    : max_frame_(max_frame), place_(std::move(place)) {}

std::array<std::span<std::byte>, 2> FrameReader::prepare() {
  begin_ += std::exchange(consumed_, 0);
  if (placement_.kind == Placement::Kind::discard) {
    skip_left_ += std::exchange(data_left_, 0);
    placement_.destination = {};
  }
  if (in_data_)
    take_data_from_scratch();  // else what is read now would overtake it
  compact();
  const std::span<std::byte> room(scratch_.get() + end_, kScratchSize - end_);
  lent_.reset();
  if (!in_data_ || data_left_ == 0)
    return {room, {}};
  lent_ = placement_.destination.owner;
  return {placement_.destination.bytes.subspan(data_done_, data_left_), room};
}

void FrameReader::received(std::size_t bytes) {
  if (in_data_ && lent_) {
    const std::size_t direct = std::min(bytes, data_left_);
    data_done_ += direct;
    data_left_ -= direct;
    bytes -= direct;
  }
  assert(bytes <= kScratchSize - end_);
  end_ += bytes;
  lent_.reset();
}

void FrameReader::compact() {
  if (begin_ == 0)
    return;
  std::memmove(scratch_.get(), scratch_.get() + begin_, available());
  end_ -= begin_;
  begin_ = 0;
}

result<std::optional<Frame>> FrameReader::next() {
  begin_ += std::exchange(consumed_, 0);
  if (!have_header_) {
    if (available() < kHeaderSize)
      return std::optional<Frame>();
    if (const error_code error = start_frame())
      return error;
  }
  if (placement_.kind == Placement::Kind::whole) {
    if (available() < header_.size)
      return std::optional<Frame>();
    consumed_ = header_.size;
    have_header_ = false;
    return Frame{header_, scratch().first(header_.size).subspan(kHeaderSize), 0, false};
  }
  if (!in_data_) {
    if (available() < kDataReplyHeaderSize)
      return std::optional<Frame>();
    if (const error_code error = start_data())
      return error;
  }
  take_data_from_scratch();
  if (!data_complete())
    return std::optional<Frame>();
  have_header_ = in_data_ = false;
  placement_.destination = {};
  return Frame{header_, count_, data_done_, too_much_};
}

error_code FrameReader::start_frame() {
  header_ = decode_header(scratch().first<kHeaderSize>());
  if (header_.size < kHeaderSize)
    return Error::frame_too_small;
  if (header_.size > max_frame_)
    return Error::frame_too_large;
  auto placement = place_(header_);
  if (!placement)
    return placement.error();
  placement_ = std::move(*placement);
  const bool whole = placement_.kind == Placement::Kind::whole;
  if (whole && header_.size > kMaxWholeFrame)
    return Error::frame_too_large;
  if (!whole && header_.size < kDataReplyHeaderSize)
    return Error::truncated;
  have_header_ = true;
  return {};
}

error_code FrameReader::start_data() {
  const std::size_t behind_count = header_.size - kDataReplyHeaderSize;
  const std::span<const std::byte> raw = scratch().subspan(kHeaderSize, count_.size());
  std::copy(raw.begin(), raw.end(), count_.begin());
  const std::size_t count =
      boost::endian::load_little_u32(reinterpret_cast<const unsigned char*>(raw.data()));
  if (count > behind_count)
    return Error::truncated;
  begin_ += kDataReplyHeaderSize;
  in_data_ = true;
  data_done_ = 0;
  too_much_ =
      placement_.kind == Placement::Kind::data && count > placement_.destination.bytes.size();
  const bool wanted = placement_.kind == Placement::Kind::data && !too_much_;
  data_left_ = wanted ? count : 0;
  skip_left_ = behind_count - data_left_;
  return {};
}

void FrameReader::take_data_from_scratch() {
  const std::size_t taken = std::min(available(), data_left_);
  if (taken != 0)
    std::memcpy(placement_.destination.bytes.data() + data_done_, scratch().data(), taken);
  data_done_ += taken;
  data_left_ -= taken;
  begin_ += taken;
  if (data_left_ != 0)
    return;
  const std::size_t skipped = std::min(available(), skip_left_);
  skip_left_ -= skipped;
  begin_ += skipped;
}

void FrameReader::forget_destination() {
  if (placement_.kind == Placement::Kind::data)
    placement_.kind = Placement::Kind::discard;
  if (!in_data_) {
    placement_.destination = {};
    return;
  }
  // A read under way may still fill the lent part; only what prepare() gives out next changes.
  if (!lent_) {
    skip_left_ += std::exchange(data_left_, 0);
    placement_.destination = {};
  }
}

}  // namespace fuse9p::proto
