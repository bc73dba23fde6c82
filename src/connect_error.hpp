// SPDX-License-Identifier: MIT
// Why there is no session. Thrown before the mount is up only.
#pragma once

#include <stdexcept>

namespace fuse9p {

/// what() is one line for a person: the endpoint, the address, what the server answered, what to
/// try. Without the program's name.
struct ConnectError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace fuse9p
