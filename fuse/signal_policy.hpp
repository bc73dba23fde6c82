// SPDX-License-Identifier: MIT
// When does an interrupted caller get EINTR? The kernel tells us of any signal, once per request,
// and does not say which. No local file system answers stat or rename with EINTR, so:
//   - a fatal signal ends every call at once;
//   - another signal ends at once what has blocked already on a stream or a synthetic file, and
//     everything else only when the call has lasted longer than the grace time.
#pragma once

#include <sys/types.h>

#include <chrono>

namespace fuse9p::fs {

/// How long calls that may block for ever by their nature go on in spite of a signal that is not
/// fatal, counted from their start: long enough for a server that does answer at once, so that
/// timers and SIGCHLD harm nobody. Other calls have the grace time, an option.
inline constexpr std::chrono::milliseconds kBriefPatience{20};

/// Is a fatal signal pending for the thread? For one with a fatal default action the kernel marks
/// SIGKILL pending in /proc/PID/status. False when that can't be read (another pid namespace).
bool fatal_signal_pending(pid_t thread);

}  // namespace fuse9p::fs
