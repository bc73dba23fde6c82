// SPDX-License-Identifier: MIT
#include "src/quirks.hpp"

#include "src/usage_error.hpp"

#include <algorithm>

namespace fuse9p {
namespace {

constexpr QuirkSpec kQuirkTable[] = {
    {Quirk::no_unlinkat, "no_unlinkat", "Tunlinkat is not supported", "walk and Tremove instead"},
    {Quirk::no_renameat, "no_renameat", "Trenameat is not supported", "walk and Trename instead"},
    {Quirk::no_statfs, "no_statfs", "Tstatfs is not supported", "statfs(2) tells of zeros"},
    {Quirk::no_fsync, "no_fsync", "Tfsync is not supported",
     "fsync(2) succeeds: the server has had the data all along"},
    {Quirk::no_locks, "no_locks", "Tlock is not supported", "locks=server has no effect there"},
    {Quirk::no_xattr, "no_xattr", "only by this option: it may be about one name, or one file",
     "as noxattr"},
    {Quirk::exclusive_create, "exclusive_create",
     "Tlcreate finds a file, and is not to be exclusive", "the file that is there is opened"},
    {Quirk::few_fids, "few_fids", "ERANGE, ENFILE or EMFILE for a new fid",
     "not more than 1024, or than there were, are kept"},
};
static_assert(std::size(kQuirkTable) == kQuirkCount);

constexpr ServerSpec kServerTable[] = {
    {"diod1.0", "diod before 1.1, as in Debian 12", {Quirk::no_unlinkat, Quirk::no_renameat}},
    {"ganesha", "nfs-ganesha", {Quirk::few_fids}},
    {"crosvm",
     "crosvm and other users of rust-p9",
     {Quirk::exclusive_create, Quirk::no_xattr, Quirk::no_locks}},
};

}  // namespace

constinit const std::span<const QuirkSpec> kQuirks = kQuirkTable;
constinit const std::span<const ServerSpec> kServers = kServerTable;

const QuirkSpec& spec_of(Quirk quirk) {
  return kQuirkTable[static_cast<std::size_t>(quirk)];
}

namespace {

Quirks quirks_of(std::string_view name) {
  if (const auto* server = std::ranges::find(kServerTable, name, &ServerSpec::name);
      server != std::end(kServerTable))
    return server->quirks;
  if (const auto* spec = std::ranges::find(kQuirkTable, name, &QuirkSpec::name);
      spec != std::end(kQuirkTable))
    return {spec->quirk};
  std::string known;
  for (const ServerSpec& server : kServerTable)
    known += (known.empty() ? "" : ", ") + std::string(server.name);
  for (const QuirkSpec& spec : kQuirkTable)
    known += ", " + std::string(spec.name);
  throw UsageError("must be names parted by colons, out of " + known);
}

}  // namespace

Quirks parse_quirks(std::string_view text) {
  Quirks quirks;
  for (;;) {
    const auto colon = text.find(':');
    quirks.add(quirks_of(text.substr(0, colon)));
    if (colon == std::string_view::npos)
      return quirks;
    text.remove_prefix(colon + 1);
  }
}

}  // namespace fuse9p
