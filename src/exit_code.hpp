// SPDX-License-Identifier: MIT
// Exit codes of the program, the same as those of mount(8), which passes them on to its caller.
#pragma once

namespace fuse9p {

inline constexpr int kExitSuccess = 0;
/// Wrong arguments or options: UsageError.
inline constexpr int kExitUsage = 1;
/// The system failed us: no memory, no process, no descriptor.
inline constexpr int kExitSystem = 2;
/// The server could not be reached or refused, or the mount itself failed.
inline constexpr int kExitMount = 32;

}  // namespace fuse9p
