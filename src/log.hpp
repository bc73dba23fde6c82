// SPDX-License-Identifier: MIT
// The log: stderr in the foreground, syslog in the background, by spdlog. Any thread may log; the
// loop's thread never waits for it: lines go through a bounded queue, of which the oldest are
// dropped (and counted) when the sink is slow.
//
// error: a person should act. warn: the server is odd, but handled. info: mount and unmount. debug:
// each FUSE operation. trace: each 9P message in text form.
#pragma once

#include <spdlog/spdlog.h>

#include <cstdint>
#include <string>

namespace fuse9p::log {

using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::trace;
using spdlog::warn;

/// Lines that may wait for a slow sink.
inline constexpr std::size_t kQueuedLines = 8192;

/// `trace` shows everything. Starts the sink's thread: call it after the last fork.
void to_stderr(bool trace);
void to_syslog();
/// Writes out what is queued and stops the thread.
void finish();

inline bool tracing() {
  return spdlog::default_logger_raw()->should_log(spdlog::level::trace);
}
inline bool debugging() {
  return spdlog::default_logger_raw()->should_log(spdlog::level::debug);
}

/// Lets a culprit speak at most kLinesPerMinute times; the rest is counted.
class RateLimit {
 public:
  static constexpr int kLinesPerMinute = 20;
  bool allow();

 private:
  std::int64_t minute_ = 0;
  int lines_ = 0;
};

}  // namespace fuse9p::log
