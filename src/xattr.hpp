// SPDX-License-Identifier: MIT
// Extended attributes, as the conversations of several messages that 9P2000.L makes of them.
//
//     get, list    Txattrwalk, Tread of just the size that it announced, Tclunk
//     set          Txattrcreate on a fid of one's own, Twrite of every byte, Tclunk
//     remove       Txattrcreate with size 0, Tclunk
//
// It is the Tclunk that sets or removes, and its error is the result. What was written until then
// is taken for the value, all of it: servers set what they have, be it garbage. So from
// Txattrcreate on nothing ends the conversation but its own end, or the connection's.
#pragma once

#include "src/client.hpp"

#include <cstdint>
#include <span>
#include <string_view>

namespace fuse9p::xattr {

/// Linux's bound on a value and on the list of names. What is announced as larger is not asked for.
inline constexpr std::size_t kMaxBytes = std::size_t{64} << 10;

/// Of XATTR_REPLACE.
inline constexpr std::uint32_t kReplace = 2;

struct Value {
  std::size_t size = 0;
  proto::ConstBuffer data{};  ///< none if only the size was asked for
};

/// The value of an attribute, or with name "" the names of all, each with a NUL behind it. `room`
/// is the caller's, as of getxattr(2): 0 asks for the size only; ERANGE if it is too little, E2BIG
/// above kMaxBytes.
awaitable<result<Value>> get(Client& client, proto::Fid file, std::string_view name,
                             std::size_t room);

/// Sets it to `value`, which is not empty: the wire has no way to say that. Flags as of
/// setxattr(2). `fid` is a clone of one's own. Cancellation has an effect before Txattrcreate is
/// sent, and none from then on, to the end of the coroutine that calls this.
awaitable<error_code> set(Client& client, FidHandle fid, std::string_view name,
                          proto::ConstBuffer value, std::uint32_t flags);

/// The same way.
awaitable<error_code> remove(Client& client, FidHandle fid, std::string_view name);

}  // namespace fuse9p::xattr
