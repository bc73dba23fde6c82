// SPDX-License-Identifier: MIT
// What is not as on a local file system, and why it can't be: the one list. A difference that is in
// no line of it fails the test, and so does a line that no case needs any more.
#pragma once

#include <span>

namespace fuse9p::test::parity {

/// When the mount answers a call so, the same call is not made locally: it counts as if it had been
/// answered so there, too, and `instead` is done. Therefore everything else must still be the same,
/// in particular what follows, and what is left behind.
struct Difference {
  const char* cases;    ///< regular expression of the case's name
  const char* call;     ///< of the call, or of 'NAME' of a file that is left behind
  const char* answer;   ///< of the mount's answer
  const char* instead;  ///< another call, or nothing; $1 is what (...) in `call` has matched
  const char* reason;
  const char* configurations = ".*";  ///< in which of them
};

std::span<const Difference> differences();
/// What 9P2000 and 9P2000.u besides can't do, and what the scripted server, which is in memory and
/// small, does not do as a file system of Linux.
std::span<const Difference> differences_of_dialects();

/// What a configuration can't tell: wherever it stands in an answer, `instead` takes its place, on
/// the mount and locally.
struct Untold {
  const char* configurations;
  const char* call;    ///< of calls like that; of 'NAME' of a file that is left behind
  const char* answer;  ///< this part of it
  const char* instead;
  const char* reason;
};

std::span<const Untold> untold();

}  // namespace fuse9p::test::parity
