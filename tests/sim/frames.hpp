// SPDX-License-Identifier: MIT
// Bytes to whole frames, for those who watch a stream or serve it.
#pragma once

#include "proto/codec.hpp"

#include <string>
#include <utility>
#include <vector>

namespace fuse9p::sim {

inline proto::ByteView view(std::string_view bytes) {
  return std::as_bytes(std::span(bytes));
}
inline std::string_view chars(proto::ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
/// Of a frame or its beginning, which holds at least kHeaderSize.
inline proto::Header header_of(proto::ByteView frame) {
  return proto::decode_header(frame.first<proto::kHeaderSize>());
}

class FrameSplitter {
 public:
  /// The frames that these bytes complete. A size that no frame has ends the stream for us.
  std::vector<std::string> push(std::string_view bytes) {
    std::vector<std::string> frames;
    bytes_ += bytes;
    std::size_t begin = 0;
    while (!broken_ && bytes_.size() - begin >= proto::kHeaderSize) {
      const std::size_t size = header_of(view(bytes_).subspan(begin)).size;
      broken_ = size < proto::kHeaderSize;
      if (broken_ || bytes_.size() - begin < size)
        break;
      frames.push_back(bytes_.substr(begin, size));
      begin += size;
    }
    bytes_.erase(0, begin);
    return frames;
  }
  /// What has come of the next frame.
  std::string_view begun() const { return bytes_; }

 private:
  std::string bytes_;
  bool broken_ = false;
};

}  // namespace fuse9p::sim
