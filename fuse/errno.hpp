// SPDX-License-Identifier: MIT
// The one place where an error_code becomes the errno that a program sees.
#pragma once

#include <boost/system/error_code.hpp>

namespace fuse9p::fs {

using boost::system::error_code;

/// A server's errno passes if a program may see it; EBADF (our fid gone wrong) and kernel-internal
/// numbers become EIO, ENOSYS (which the kernel would remember as "always works") EOPNOTSUPP. A
/// cancelled or abandoned request is EINTR, a lost connection EIO. 0 for no error.
int errno_of(const error_code& error);

/// Was the request given up by the caller, rather than answered?
bool interrupted(const error_code& error);

/// An errno as if the server had sent it.
error_code as_error(int number);

}  // namespace fuse9p::fs
