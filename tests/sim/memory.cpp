// SPDX-License-Identifier: MIT
#include "tests/sim/memory.hpp"

#include <sanitizer/asan_interface.h>

#include <algorithm>

namespace fuse9p::sim {
namespace {

constexpr std::byte kDead{0xDD};

}  // namespace

Memory::~Memory() {
  for (const Block& block : blocks_)
    ASAN_UNPOISON_MEMORY_REGION(block.bytes.get(), block.size);
}

proto::Buffer Memory::lend(std::size_t size) {
  const std::size_t index = blocks_.size();
  blocks_.push_back({std::make_unique<std::byte[]>(size), size});
  std::byte* bytes = blocks_.back().bytes.get();
  return {std::shared_ptr<void>(bytes, [this, index](void*) { bury(index); }), {bytes, size}};
}

void Memory::bury(std::size_t index) {
  Block& block = blocks_[index];
  block.dead = true;
  std::fill_n(block.bytes.get(), block.size, kDead);
  ASAN_POISON_MEMORY_REGION(block.bytes.get(), block.size);
}

bool Memory::Block::overlaps(std::span<const std::byte> other) const {
  return other.data() < bytes.get() + size && bytes.get() < other.data() + other.size();
}

void Memory::answered(std::span<const std::byte> block) {
  for (Block& known : blocks_)
    known.answered = known.answered || known.overlaps(block);
}

bool Memory::is_answered(std::span<const std::byte> bytes) const {
  return std::ranges::any_of(
      blocks_, [&](const Block& block) { return block.answered && block.overlaps(bytes); });
}

bool Memory::is_dead(std::span<const std::byte> bytes) const {
  return std::ranges::any_of(
      blocks_, [&](const Block& block) { return block.dead && block.overlaps(bytes); });
}

bool Memory::dead_was_written() {
  return std::ranges::any_of(blocks_, [](const Block& block) {
    if (!block.dead)
      return false;
    ASAN_UNPOISON_MEMORY_REGION(block.bytes.get(), block.size);
    return std::any_of(block.bytes.get(), block.bytes.get() + block.size,
                       [](std::byte byte) { return byte != kDead; });
  });
}

}  // namespace fuse9p::sim
