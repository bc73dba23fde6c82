// SPDX-License-Identifier: MIT
#include "tests/sim/record.hpp"

namespace fuse9p::sim {

std::string_view name_of(Occurrence what) {
  static constexpr std::array<std::string_view, kOccurrences> kNames = {
      "one byte delivered",
      "frame split on arrival",
      "write cut short",
      "write would block",
      "write interrupted",
      "reply overtook an older request's",
      "reply withheld",
      "request refused",
      "Tread answered short",
      "Tread answered with too much",
      "Twrite answered short",
      "Twalk answered short",
      "no tag left",
      "cancelled before a byte was sent",
      "Rflush without reply",
      "reply, then Rflush",
      "error to a Tflush",
      "Rflush withheld",
      "reply after Rflush",
      "fid made after Rflush",
      "stray fid clunked",
      "stray fid of a number in use",
      "abandoned",
      "abandoned inside an Rread",
      "abandoned inside a Twrite",
      "abandoned, settled by its reply",
      "abandoned, settled by its Rflush",
      "all callers interrupted",
      "interrupted in a delivery",
      "time past the flush timeout",
      "time past the quarantine",
      "lost: end of stream",
      "lost: reset",
      "lost: write error",
      "lost: nonsense from the server",
      "closed by us",
      "closed in a delivery",
      "walk checked",
      "read checked",
      "write checked",
      "create checked",
      "directory checked",
      "removal checked",
      "removal by Tremove checked",
      "renaming checked",
      "ended quiet, all fids and tags back",
  };
  return kNames[static_cast<std::size_t>(what)];
}

}  // namespace fuse9p::sim
