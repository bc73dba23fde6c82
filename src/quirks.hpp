// SPDX-License-Identifier: MIT
// Quirks: what servers do otherwise than the protocol says, in one table. Most are recognised by
// the first answer that gives them away, and remembered as long as the connection lasts; all can be
// told beforehand, one by one or by the name of a server: quirks=NAME[:NAME...]. Plain values; the
// parser is for the time before the mount is up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace fuse9p {

enum class Quirk : std::uint8_t {
  no_unlinkat,
  no_renameat,
  no_statfs,
  no_fsync,
  no_locks,
  no_xattr,
  exclusive_create,
  few_fids,
};
inline constexpr std::size_t kQuirkCount = 8;

class Quirks {
 public:
  constexpr Quirks() = default;
  constexpr Quirks(std::initializer_list<Quirk> quirks) {
    for (const Quirk quirk : quirks)
      bits_ |= bit(quirk);
  }
  constexpr bool has(Quirk quirk) const { return (bits_ & bit(quirk)) != 0; }
  constexpr void add(Quirk quirk) { bits_ |= bit(quirk); }
  constexpr void add(const Quirks& others) { bits_ |= others.bits_; }
  bool operator==(const Quirks&) const = default;

 private:
  static constexpr std::uint32_t bit(Quirk quirk) { return 1U << static_cast<unsigned>(quirk); }
  std::uint32_t bits_ = 0;
};

struct QuirkSpec {
  Quirk quirk;
  std::string_view name;        ///< in quirks=
  std::string_view recognised;  ///< by what
  std::string_view done;        ///< about it
};
/// In the order of the enumeration. Static storage.
extern const std::span<const QuirkSpec> kQuirks;

/// A server that is known to have some; to others the answers say enough.
struct ServerSpec {
  std::string_view name;
  std::string_view help;
  Quirks quirks;
};
extern const std::span<const ServerSpec> kServers;

/// The most fids that a server with few_fids has.
inline constexpr std::uint32_t kFewFids = 1024;

const QuirkSpec& spec_of(Quirk quirk);

/// "diod1.0:no_fsync". Throws UsageError with what was expected.
[[nodiscard]] Quirks parse_quirks(std::string_view text);

}  // namespace fuse9p
