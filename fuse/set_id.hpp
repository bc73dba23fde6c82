// SPDX-License-Identifier: MIT
// The set-user-ID and set-group-ID bits, which Linux drops when a file gets another content or
// another owner. The kernel leaves that to us (FUSE_HANDLE_KILLPRIV_V2), or it would ask for a
// file's capabilities before each write. With a write, and with what truncates, it says whether the
// caller has no right to keep the bits; a chown drops them whoever does it.
//
// A server that acts as the caller drops them by itself; others are told here. With a write that
// comes first, so that nobody runs the new content with the old rights; else behind the change,
// which may be refused.
#pragma once

#include "fuse/mount.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace fuse9p::fs {

/// Does the kernel want them dropped, by this request as it was read from /dev/fuse? (libfuse does
/// not pass that on.)
bool asks_to_drop_set_id(std::span<const std::byte> request);

/// What is left of the mode. Set-group-ID stays with those who may not execute the file: there it
/// means something else.
std::uint32_t without_set_id(std::uint32_t mode);

/// Drops them if the file, as far as is known, has any. No error if the user may not, or if the
/// file has lost its name: then the server, who acts as the user, sees to it.
awaitable<error_code> drop_set_id(Mount& mount, UserId user, NodeRef node);

}  // namespace fuse9p::fs
