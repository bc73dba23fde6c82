// SPDX-License-Identifier: MIT
// Memory that callers lend to the client, and what notices its use after the last owner let go, in
// any build: given back, it is not freed but filled with a mark, and must still hold it at the end.
#pragma once

#include "proto/buffer.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace fuse9p::sim {

class Memory {
 public:
  Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory();

  proto::Buffer lend(std::size_t size);
  /// The one who lent this block has its answer. Others may still own it.
  void answered(std::span<const std::byte> block);
  bool is_answered(std::span<const std::byte> bytes) const;
  /// Was some of it given back?
  bool is_dead(std::span<const std::byte> bytes) const;
  /// Did somebody write to what was given back? For the end: it may be used again then.
  bool dead_was_written();

 private:
  struct Block {
    std::unique_ptr<std::byte[]> bytes;
    std::size_t size = 0;
    bool answered = false, dead = false;

    bool overlaps(std::span<const std::byte> other) const;
  };
  void bury(std::size_t index);

  std::vector<Block> blocks_;
};

}  // namespace fuse9p::sim
