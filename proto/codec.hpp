// SPDX-License-Identifier: MIT
// Messages to bytes and back. Manual: intro(5).
//
//     size[4] type[1] tag[2] fields...      integers little-endian, string = len[2] bytes
//
// Encoding: encode_frame() for a whole frame, encode_head() for all but the payload of a message
// that ends in data (Twrite, Rread, Rreaddir), which then goes out by reference. Decoding:
// decode<T>() of the bytes behind the header; views point into those bytes. Errors are values and
// sticky: the first one stays. A Reader that has one reads nothing more; what a Writer with one has
// written is of no use.
#pragma once

#include "proto/error.hpp"
#include "proto/messages.hpp"
#include "proto/types.hpp"

#include <boost/container/small_vector.hpp>
#include <boost/endian/conversion.hpp>
#include <boost/mp11/algorithm.hpp>

#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace fuse9p::proto {

/// Holds every message but the ones with long names without allocating.
using Bytes = boost::container::small_vector<std::byte, 96>;
using ByteView = std::span<const std::byte>;

/// Appends wire values to a Bytes.
class Writer {
 public:
  explicit Writer(Bytes& out, Dialect dialect) : out_(out), dialect_(dialect) {}

  template <class T>
  requires std::is_unsigned_v<T>
  void put(T value) {
    std::byte raw[sizeof(T)];
    boost::endian::endian_store<T, sizeof(T), boost::endian::order::little>(
        reinterpret_cast<unsigned char*>(raw), value);
    out_.insert(out_.end(), raw, raw + sizeof(T));
  }
  void put(Tag value) { put(to_int(value)); }
  void put(Fid value) { put(to_int(value)); }
  void put(const Qid& qid);
  void put(std::string_view text);
  void put(const Names& names);
  void put(const Qids& qids);
  void put(const Stat& stat);
  /// count[4] data[count]
  void put(Data data);

  void fail(Error error) {
    if (!error_)
      error_ = error;
  }
  error_code error() const { return error_; }

 private:
  Bytes& out_;
  Dialect dialect_;
  error_code error_;
};

/// Takes wire values from a view.
class Reader {
 public:
  explicit Reader(ByteView in, Dialect dialect) : in_(in), dialect_(dialect) {}

  template <class T>
  requires std::is_unsigned_v<T>
  void get(T& value) {
    if (const ByteView raw = take(sizeof(T)); !raw.empty())
      value = boost::endian::endian_load<T, sizeof(T), boost::endian::order::little>(
          reinterpret_cast<const unsigned char*>(raw.data()));
  }
  void get(Tag& value);
  void get(Fid& value);
  void get(Qid& qid);
  void get(std::string_view& text);
  void get(Names& names);
  void get(Qids& qids);
  void get(Stat& stat);
  /// The record itself, size[2] first; bytes that its size covers beyond our fields are skipped.
  void get_record(Stat& stat);
  void get(Data& data);

  /// The next `size` bytes; empty with an error if there are fewer. `size` > 0.
  ByteView take(std::size_t size);
  std::size_t left() const { return in_.size(); }
  void fail(Error error) {
    if (!error_)
      error_ = error;
  }
  error_code error() const { return error_; }

 private:
  ByteView in_;
  Dialect dialect_;
  error_code error_;
};

/// size[4] type[1] tag[2]
struct Header {
  std::uint32_t size = 0;
  MessageType type{};
  Tag tag = kNoTag;
};
/// `bytes` holds at least kHeaderSize. No check but that.
Header decode_header(std::span<const std::byte, kHeaderSize> bytes);

/// Puts size[4] and tag[2] into a frame that encode_* made.
void patch_size(Bytes& frame, std::size_t size);
void patch_tag(Bytes& frame, Tag tag);

namespace detail {
template <class T>
inline constexpr bool kEndsInData = false;
template <class T>
requires requires(T t) {
  t.data;
}
inline constexpr bool kEndsInData<T> = true;

template <Message T>
error_code encode(Bytes& frame, Tag tag, const T& message, Dialect dialect, bool with_payload) {
  frame.clear();
  Writer writer(frame, dialect);
  writer.put(std::uint32_t{0});
  writer.put(to_int(T::kType));
  writer.put(tag);
  std::size_t payload = 0;
  for_each_field<T>(dialect, [&](const auto& field) {
    const auto& value = message.*field.member;
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, Data>) {
      if (!with_payload) {
        payload = value.size();
        return writer.put(static_cast<std::uint32_t>(value.size()));
      }
    }
    writer.put(value);
  });
  patch_size(frame, frame.size() + payload);
  return writer.error();
}
}  // namespace detail

/// The whole message, `size` included, into `frame`.
template <Message T>
error_code encode_frame(Bytes& frame, Tag tag, const T& message, Dialect dialect) {
  return detail::encode(frame, tag, message, dialect, true);
}

/// The same but for the payload of a message that ends in data; size and count include it.
template <Message T>
error_code encode_head(Bytes& frame, Tag tag, const T& message, Dialect dialect) {
  return detail::encode(frame, tag, message, dialect, false);
}

/// What decode() does with bytes behind the last field: some servers pad replies.
enum class Leftover : std::uint8_t { refuse, ignore };

/// The fields of a T from `body`, the frame behind its header. Views point into `body`.
template <Message T>
result<T> decode(ByteView body, Dialect dialect, Leftover leftover = Leftover::refuse) {
  T message;
  Reader reader(body, dialect);
  for_each_field<T>(dialect, [&](const auto& field) { reader.get(message.*field.member); });
  if (leftover == Leftover::refuse && reader.left() != 0)
    reader.fail(Error::trailing_bytes);
  if (reader.error())
    return reader.error();
  return message;
}

/// Calls `visit(std::type_identity<T>{})` for the message of that number; false if there is none.
template <class Visit>
bool visit_type(MessageType type, Visit&& visit) {
  bool found = false;
  boost::mp11::mp_for_each<boost::mp11::mp_transform<std::type_identity, AllMessages>>(
      [&](auto identity) {
        using T = typename decltype(identity)::type;
        if (T::kType == type) {
          found = true;
          visit(identity);
        }
      });
  return found;
}

}  // namespace fuse9p::proto
