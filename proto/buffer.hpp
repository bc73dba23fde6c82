// SPDX-License-Identifier: MIT
// Memory that a request and its caller hold together: a view and what keeps it alive. The
// multiplexer holds a Buffer until the request's fate is known, so that bytes that come late never
// land in memory that was given back.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace fuse9p::proto {

struct Buffer {
  std::shared_ptr<void> owner;
  std::span<std::byte> bytes;
};

struct ConstBuffer {
  std::shared_ptr<const void> owner;
  std::span<const std::byte> bytes;
};

}  // namespace fuse9p::proto
