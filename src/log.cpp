// SPDX-License-Identifier: MIT
#include "src/log.hpp"

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/syslog_sink.h>

#include <chrono>

#ifdef __SANITIZE_THREAD__
/// libspdlog is not compiled with ThreadSanitizer, which does not see the reference counts in there
/// that order the sink thread's last use of the logger and the main thread's end of it.
extern "C" const char* __tsan_default_suppressions();
const char* __tsan_default_suppressions() {
  return "race:^spdlog::";
}
#endif

namespace fuse9p::log {
namespace {

void install(spdlog::sink_ptr sink, const char* pattern, spdlog::level::level_enum level) {
  spdlog::init_thread_pool(kQueuedLines, 1);
  auto logger =
      std::make_shared<spdlog::async_logger>("fuse9p", std::move(sink), spdlog::thread_pool(),
                                             spdlog::async_overflow_policy::overrun_oldest);
  logger->set_pattern(pattern);
  logger->set_level(level);
  logger->flush_on(spdlog::level::warn);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace

void to_stderr(bool trace) {
  install(std::make_shared<spdlog::sinks::stderr_color_sink_mt>(),
          trace ? "%H:%M:%S.%f fuse9p: %^%l%$: %v" : "fuse9p: %v",
          trace ? spdlog::level::trace : spdlog::level::info);
}

void to_syslog() {
  install(std::make_shared<spdlog::sinks::syslog_sink_mt>("fuse9p", LOG_PID, LOG_DAEMON, true),
          "%v", spdlog::level::info);
}

void finish() {
  spdlog::shutdown();
}

bool RateLimit::allow() {
  using namespace std::chrono;
  const std::int64_t minute =
      duration_cast<minutes>(steady_clock::now().time_since_epoch()).count();
  if (minute != minute_) {
    minute_ = minute;
    lines_ = 0;
  }
  return ++lines_ <= kLinesPerMinute;
}

}  // namespace fuse9p::log
