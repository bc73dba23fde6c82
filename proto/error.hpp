// SPDX-License-Identifier: MIT
// What can be wrong with bytes, and what can become of a request: the error category
// "fuse9p.proto". Errors are values of boost::system::error_code; wire data never throws or
// asserts.
#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

#include <cstdint>
#include <type_traits>

namespace fuse9p::proto {

enum class Error {
  ok = 0,
  // Decoding.
  truncated,          ///< the frame ends before its fields do
  trailing_bytes,     ///< bytes are left after the last field
  frame_too_small,    ///< size[4] below 7
  frame_too_large,    ///< size[4] above msize, or above what this reply may be
  unknown_type,       ///< no message of this number in this dialect
  bad_string,         ///< a NUL inside, or over 65,535 bytes
  too_many_elements,  ///< over 16 names or qids
  bad_stat,           ///< a stat record whose sizes contradict each other
  bad_text,           ///< the text form does not parse
  // Replies that end the connection.
  unexpected_tag,    ///< a reply to a tag that nobody holds
  unexpected_reply,  ///< an R-message of another type than the request's
  count_too_large,   ///< more data than was asked for
  // Outcomes of a request.
  cancelled,          ///< Rflush came first: the server did nothing (or should not have)
  withdrawn,          ///< cancelled before a byte was sent: the server never saw it
  abandoned,          ///< no answer in time: the outcome is unknown
  connection_lost,    ///< the connection ended first: the outcome is unknown
  message_too_large,  ///< does not fit into msize; nothing was sent
};

using boost::system::error_code;
template <class T>
using result = boost::system::result<T>;

const boost::system::error_category& proto_category();
error_code make_error_code(Error error);

/// The category of what a server answered in Rlerror, or in Rerror after translation: values are
/// Linux errnos 1..4095 as the server sent them.
const boost::system::error_category& server_category();
/// `ecode` of the wire as an error; 0 and values above 4095 are nonsense and become EIO.
error_code make_server_error(std::uint32_t ecode);

}  // namespace fuse9p::proto

template <>
struct boost::system::is_error_code_enum<fuse9p::proto::Error> : std::true_type {};
