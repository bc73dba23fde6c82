// SPDX-License-Identifier: MIT
// Which seed it was, also if an assertion or a sanitizer ends the process.
#pragma once

#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdint>
#include <string_view>

// Defined only where a sanitizer is linked.
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming): its name, not ours.
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace fuse9p::sim {

inline volatile std::uint32_t current_seed = 0;

/// Async-signal-safe.
inline void say_current_seed() {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, current_seed);
  for (const std::string_view text :
       {std::string_view("again: FUSE9P_SEED="), std::string_view(digits, end.ptr),
        std::string_view(" FUSE9P_SIM_SEEDS=1\n")}) {
    if (::write(STDERR_FILENO, text.data(), text.size()) < 0)
      return;
  }
}

/// Ends as it would have, with a line more.
inline void leave_last_words() {
  std::signal(SIGABRT, [](int signal) {
    say_current_seed();
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  });
  if (&__sanitizer_set_death_callback != nullptr)
    __sanitizer_set_death_callback(say_current_seed);
}

}  // namespace fuse9p::sim
