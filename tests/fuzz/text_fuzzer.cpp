// SPDX-License-Identifier: MIT
// Any bytes as a message in text form. The first byte picks the dialect ('0' 9P2000, '1' .u, '2'
// .L). What parses must print, and what is printed must parse to the same frame.
#include "proto/text.hpp"
#include "tests/fuzz/claim.hpp"

#include <array>
#include <string_view>

using namespace fuse9p::proto;
using fuse9p::test::claim;

namespace {

constexpr std::array kDialects = {Dialect::legacy, Dialect::u, Dialect::l};
constexpr std::size_t kNoLimit = ~std::size_t{0};
/// <16777216 bytes> is short to write and long to print.
constexpr std::size_t kLargestPrinted = 1U << 16;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  const Dialect dialect = kDialects[*data % kDialects.size()];
  const auto frame = from_text({reinterpret_cast<const char*>(data) + 1, size - 1}, dialect);
  if (!frame)
    return 0;
  claim(frame->size() >= kHeaderSize, "a frame has a header");
  claim(decode_header(std::span(*frame).first<kHeaderSize>()).size == frame->size(),
        "size[4] is the frame's size");
  if (frame->size() > kLargestPrinted)
    return 0;
  const std::string text = to_text(*frame, dialect, kNoLimit);
  const auto again = from_text(text, dialect);
  claim(again && *again == *frame, "what is printed parses to the same frame");
  claim(to_text(*again, dialect, kNoLimit) == text, "the text form is stable");
  return 0;
}
