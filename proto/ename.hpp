// SPDX-License-Identifier: MIT
// Error strings of 9P2000 and 9P2000.u servers as Linux errnos: Plan 9's words from a table, Unix
// servers' from strerror(3).
#pragma once

#include <string_view>

namespace fuse9p::proto {

/// The errno that a server's error string means, 0 if no known text is in it (the caller then
/// reports EIO and logs the server's words). Case does not count; the text may stand anywhere in
/// the string, since servers put file names around it, and the longest one counts. Never EBADF,
/// which a program would take for its own descriptor, nor ENOSYS, which the kernel takes for a
/// promise.
int errno_of(std::string_view ename);

}  // namespace fuse9p::proto
