// SPDX-License-Identifier: MIT
// When does an interrupted caller get EINTR? The kernel tells us of any signal, once per request,
// and does not say which. No local file system answers stat or rename with EINTR, so:
//   - what may block for long (streams, opens that block) is given up at once;
//   - everything else at once if the signal is fatal, else only when the call has lasted longer
//   than
//     the grace time.
#pragma once

#include <sys/types.h>

namespace fuse9p::fs {

enum class Patience : unsigned char {
  none,   ///< any signal ends it at once
  grace,  ///< a signal that is not fatal must wait for the grace time
};

/// Is a fatal signal pending for the thread? For one with a fatal default action the kernel marks
/// SIGKILL pending in /proc/PID/status. False when that can't be read (another pid namespace).
bool fatal_signal_pending(pid_t thread);

}  // namespace fuse9p::fs
