// SPDX-License-Identifier: MIT
// Any bytes as a frame. The first byte picks the dialect ('0' 9P2000, '1' .u, '2' .L), the rest is
// printed, and decoded as every message. What decodes must encode to the bytes that it came from,
// and its text form must parse to them.
#include "proto/text.hpp"
#include "tests/fuzz/claim.hpp"

#include <algorithm>
#include <array>
#include <span>

using namespace fuse9p::proto;
using fuse9p::test::claim;

namespace {

constexpr std::array kDialects = {Dialect::legacy, Dialect::u, Dialect::l};
constexpr std::size_t kNoLimit = ~std::size_t{0};

template <Message T>
constexpr bool kHasStat = requires(T t) {
  t.stat;
};

/// The sizes around a stat record are not trusted, and what it has beyond our fields is skipped:
/// such a message need not encode to the bytes it came from, but from then on to the same.
template <Message T>
void claim_stable(const Bytes& frame, Tag tag, Dialect dialect) {
  const auto message = decode<T>(std::span(frame).subspan(kHeaderSize), dialect);
  claim(message.has_value(), "what we encode decodes");
  Bytes again;
  claim(!encode_frame(again, tag, *message, dialect) && again == frame, "it encodes to the same");
}

template <Message T>
void decode_as(const Header& header, ByteView body, Dialect dialect) {
  const auto strict = decode<T>(body, dialect);
  const auto message = decode<T>(body, dialect, Leftover::ignore);
  claim(message || !strict, "ignoring leftovers refuses no more");
  if (!message)
    return;

  Bytes frame;
  if (const error_code error = encode_frame(frame, header.tag, *message, dialect)) {
    claim(kHasStat<T> && error == Error::bad_stat, "only a stat may be too large to send");
    return;
  }
  if constexpr (kHasStat<T>) {
    claim_stable<T>(frame, header.tag, dialect);
  } else {
    const auto encoded = std::span(frame).subspan(kHeaderSize);
    claim(encoded.size() <= body.size() && std::ranges::equal(encoded, body.first(encoded.size())),
          "a message encodes to the bytes it came from");
    claim(strict.has_value() == (encoded.size() == body.size()), "leftovers are refused");
  }
  if (header.type == T::kType) {
    const auto parsed = from_text(to_text(frame, dialect, kNoLimit), dialect);
    claim(parsed && *parsed == frame, "the text of a message parses to its frame");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  const Dialect dialect = kDialects[*data % kDialects.size()];
  const ByteView frame = std::as_bytes(std::span(data, size)).subspan(1);
  claim(!to_text(frame, dialect).empty(), "any frame has a text");
  claim(!to_text(frame, dialect, kNoLimit).empty(), "any frame has a text");
  if (frame.size() < kHeaderSize)
    return 0;
  const Header header = decode_header(frame.first<kHeaderSize>());
  boost::mp11::mp_for_each<boost::mp11::mp_transform<std::type_identity, AllMessages>>(
      [&](auto identity) {
        decode_as<typename decltype(identity)::type>(header, frame.subspan(kHeaderSize), dialect);
      });
  return 0;
}
