// SPDX-License-Identifier: MIT
// A TCP server that does not speak 9P.
#pragma once

#include "tests/support/process.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

namespace fuse9p::test {

/// Says the same to everybody who connects, behind what they say first.
class Stranger {
 public:
  enum class Then { hang_up, stay };
  /// No words: hangs up without listening.
  Stranger(std::optional<std::string> words, Then then) {
    const Listener listener = listen_on_loopback();
    source_ = "127.0.0.1:" + std::to_string(listener.port);
    process_ = Process([&] { return serve(listener.socket.get(), words, then); });
  }
  const std::string& source() const { return source_; }

 private:
  static int serve(int listener, const std::optional<std::string>& words, Then then) {
    std::vector<OwnedFd> kept;
    for (;;) {
      OwnedFd client(::accept(listener, nullptr, nullptr));
      char heard[8192];
      if (words && ::read(client.get(), heard, sizeof heard) > 0 && !words->empty() &&
          ::write(client.get(), words->data(), words->size()) < 0)
        return 1;
      if (then == Then::stay)
        kept.push_back(std::move(client));
    }
  }

  std::string source_;
  Process process_;
};

}  // namespace fuse9p::test
