// SPDX-License-Identifier: MIT
// Capabilities: what a session can do. fuse/ asks this, and never for the dialect.
#pragma once

namespace fuse9p {

/// The defaults are those of 9P2000.L.
struct Capabilities {
  bool symlinks = true;
  bool hard_links = true;
  bool special_files = true;  ///< devices, fifos, sockets
  bool xattrs = true;
  bool locks = true;
  bool rename_across_directories = true;
  /// A file that is open for appending is written at its end, whatever the offset.
  bool append_on_server = true;
  /// It may be so, but is not to be relied on. Then what is written to the end is sent there, and
  /// what is written elsewhere needs an opening without O_APPEND all the same.
  bool may_append_on_server = true;
  /// Permission bits mean what they mean to Unix, so that they may be checked here, too. Plan 9
  /// adds up what owner, group and others may do: there only the server knows.
  bool unix_permissions = true;
  /// Users are numbers, which an attach can name; else only those with a name can be told apart.
  bool numeric_users = true;
  /// Any file may turn out to be a program's: a stream, a log, a place for commands. What is read
  /// and written has a meaning of its own then, and how much at a time as well.
  bool synthetic_files = false;
};

}  // namespace fuse9p
