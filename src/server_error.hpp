// SPDX-License-Identifier: MIT
// What an error means to the client that gets it from a verb. Pure functions.
#pragma once

#include "proto/error.hpp"

#include <cerrno>

namespace fuse9p {

/// An errno as if the server had sent it.
inline proto::error_code as_error(int number) {
  return {number, proto::server_category()};
}

/// "I don't have this message": not to be asked again on this connection.
inline bool is_unsupported(const proto::error_code& error) {
  constexpr int kKernelNotSupported = 524;  // ENOTSUPP, which leaks from some servers
  return error.category() == proto::server_category() &&
         (error.value() == EOPNOTSUPP || error.value() == ENOSYS ||
          error.value() == kKernelNotSupported);
}

/// Does a server that goes by path no longer know the file by the fid?
inline bool is_stale(const proto::error_code& error) {
  return error == as_error(ENOENT) || error == as_error(ESTALE);
}

/// Is the fid gone by a Tremove with this outcome? Whatever the server says, it is, unless the
/// server never saw the request or can't do it.
inline bool ended_by_tremove(const proto::error_code& error) {
  const bool answered = !error || error.category() == proto::server_category();
  return answered && !is_unsupported(error);
}

/// "No more fids", or no such large numbers.
inline bool is_out_of_fids(const proto::error_code& error) {
  return error == as_error(ERANGE) || error == as_error(ENFILE) || error == as_error(EMFILE);
}

/// Did the server refuse it, so that it surely has not happened?
inline bool refused(const proto::error_code& error) {
  return error.category() == proto::server_category() || error == proto::Error::withdrawn ||
         error == proto::Error::message_too_large;
}

}  // namespace fuse9p
