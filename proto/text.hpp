// SPDX-License-Identifier: MIT
// The text form of a message: what the trace log prints, tests and scripts are written in, and bug
// reports quote.
//
//     Twalk tag 3 fid 1 newfid 2 wname usr bin
//     Rwalk tag 3 qid (0x2a 0 0x80) (0x2b 0 0x80)          a qid is (path version type)
//     Twrite tag 4 fid 7 offset 0 data 'hello\x0a'
//     Rstat tag 5 stat (type 0x0 dev 0x0 qid (0x1 0 0x0) ...)
//
// Words with other characters than letters, digits and ._/:@%+=,~- stand in quotes, in which '' is
// a quote and \xNN a byte. Data longer than the printer's limit becomes <4096 bytes>, which parses
// as as many zero bytes.
#pragma once

#include "proto/codec.hpp"

#include <string>
#include <string_view>

namespace fuse9p::proto {

/// The trace log's limit for data, in bytes.
inline constexpr std::size_t kTracePayloadLimit = 48;

/// A whole frame as text. `frame` may lack the payload of a message that ends in data (it then
/// prints as <N bytes>). What can't be decoded is printed with its type number and the reason.
std::string to_text(ByteView frame, Dialect dialect,
                    std::size_t payload_limit = kTracePayloadLimit);

/// One message in text form as a frame. Fields stand in wire order; a field left out has its
/// default. `tag` defaults to NOTAG. Error::bad_text, or what encoding says.
result<Bytes> from_text(std::string_view text, Dialect dialect);

/// A string as the text form writes it.
std::string quoted(std::string_view text);

}  // namespace fuse9p::proto
