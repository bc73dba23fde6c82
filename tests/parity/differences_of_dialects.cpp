// SPDX-License-Identifier: MIT
#include "tests/parity/differences.hpp"

namespace fuse9p::test::parity {
namespace {

// The configurations of tests/mount/dialect_parity_test.cpp.
constexpr const char *kPlain = "plain", *kLegacy = "plain|unix";
constexpr const char* kAny = ".*";
constexpr const char* kNothing = "";

constexpr Difference kDifferences[] = {
    // ---- what 9P2000 and 9P2000.u have no words for
    {kAny, "[fl]?(set|get|list|remove)xattr .*", "EOPNOTSUPP", kNothing, "no extended attributes",
     kLegacy},
    {kAny, "rename(_at)? .*", "EXDEV", kNothing, "a wstat gives a new name in the same directory",
     kLegacy},
    {kAny, "changed .*", kAny, kNothing, "the change time is the modification time, in seconds",
     kLegacy},
    {"TimesFarAway", "times .*", ".* (0|4294967294)\\.0", kNothing,
     "times are of 32 bits, and the last one says: don't touch", kLegacy},
    {"TheWorkingDirectoryIsRemovedAndMadeAgain", "'d/f'", "mode 100600 .*", kNothing,
     "a new file gets no permissions that its directory has not", "unix"},
    // ---- what 9P2000 has no words for
    {kAny, "symlink .*", "EPERM", kNothing, "no symbolic links", kPlain},
    {kAny, "(link|link_file|follow_link) .*", "EPERM", kNothing, "no hard links", kPlain},
    {kAny, "(mkfifo|mknod|bind) .*", "EPERM", kNothing, "no special files", kPlain},
    {kAny, "[fl]?chown .*", "EPERM", kNothing, "no change of owner", kPlain},
    {kAny, "(ftruncate|fchmod|chmod_by_proc|fchown|futimens) .*", "ESTALE", kNothing,
     "a file that is replaced while it is open can't be kept without hard links", kPlain},
    {kAny, "reopen (.) .*", "ESTALE", "close $1",
     "a file that is replaced while it is open can't be kept without hard links", kPlain},
    {"ADirectoryOfUnlinkedOpenFilesIsRemoved|TheWorkingDirectoryIsRemovedAndMadeAgain|"
     "OneOfManyMakesIt",
     "(.: )?rmdir .*", "ENOTEMPTY", kNothing,
     "an open file that was removed is hidden in it, and can't go to another directory", kPlain},
    // ---- what this server does in its own way
    {"NamesOfExtendedAttributes", "(set|get|list|remove)xattr .*", kAny, kNothing,
     "it takes every name of an attribute", "linux"},
};

constexpr Untold kUntold[] = {
    {kLegacy, kAny, " nlink [0-9]+", "", "no link counts"},
    {kLegacy, "f?times .*", "([0-9])\\.[0-9]+", "$1", "times are whole seconds"},
    {kPlain, "f?times .*", "^[^ ]+", "-", "access times are the server's own"},
    {kPlain, kAny, "mode (4|10)[1-7]([0-7]{3}) ", "mode $010$2 ", "no set-id and sticky bits"},
};

}  // namespace

std::span<const Difference> differences_of_dialects() {
  return kDifferences;
}

std::span<const Untold> untold() {
  return kUntold;
}

}  // namespace fuse9p::test::parity
