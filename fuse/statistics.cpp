// SPDX-License-Identifier: MIT
#include "fuse/statistics.hpp"

#include "fuse/mount.hpp"

#include <boost/json.hpp>

#include <malloc.h>

namespace fuse9p::fs {

std::string statistics(Mount& mount) {
  const Connection& connection = mount.client().connection();
  const proto::Multiplexer& multiplexer = connection.multiplexer();
  const proto::MultiplexerCounters& counters = multiplexer.counters();
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  const boost::json::object out = {
      {"mount", mount.settings().mountpoint},
      {"server", connection.name()},
      {"connected", connection.is_open()},
      // since the mount began
      {"requests", counters.requests},
      {"replies", counters.replies},
      {"flushes", counters.flushes},
      {"honoured", counters.honoured},
      {"cancelled", counters.cancelled},
      {"cancelled_unsent", counters.cancelled_unsent},
      {"abandoned", counters.abandoned},
      {"late", counters.late},
      {"longest_wait_ms", duration_cast<milliseconds>(connection.longest_wait()).count()},
      // now
      {"outstanding", multiplexer.outstanding()},
      {"unresolved", multiplexer.unresolved()},
      {"unresolved_changes", mount.unresolved().size()},
      {"held_up", mount.unresolved().waiting() + mount.paths().waiting()},
      {"tags", multiplexer.tags_in_use()},
      {"tags_quarantined", multiplexer.tags_quarantined()},
      {"fids", mount.client().fids_in_use()},
      {"fids_cached", mount.fids().size()},
      {"nodes", mount.nodes().size()},
      {"open_files", mount.files().size()},
      {"open_directories", mount.directories().size()},
      {"operations", mount.operations()},
      {"heap_bytes", ::mallinfo2().uordblks},
  };
  return boost::json::serialize(out);
}

}  // namespace fuse9p::fs
