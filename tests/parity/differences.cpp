// SPDX-License-Identifier: MIT
#include "tests/parity/differences.hpp"

namespace fuse9p::test::parity {
namespace {

constexpr const char* kAny = ".*";

constexpr const char* kNothing = "";

constexpr Difference kDifferences[] = {
    // ---- what the protocol has not
    {kAny, "open (.) .* O_RDWR\\|O_TMPFILE .*", "EOPNOTSUPP", "close $1",
     "9P makes no file without a name"},
    {kAny, "(exchange|whiteout) .*", "EINVAL", kNothing, "9P renames without flags"},
    {kAny, "noreplace .*", "EINVAL", kNothing, "9P renames without flags"},
    {kAny, "l?setxattr ([^ ]*) ([^ ]*) \\\\e.*", "EOPNOTSUPP", "removexattr $1 $2",
     "9P takes an empty value for a removal"},
    {kAny, "allocate .*", "EOPNOTSUPP", kNothing, "9P reserves no room"},
    {"HolesAndWhereTheyAre", "seek f .* data", "0|2000000", kNothing, "9P tells of no holes"},
    {"HolesAndWhereTheyAre", "seek f .* hole", "4198400", kNothing, "9P tells of no holes"},
    {"SizesAtTheLimit", "seek f 9223372036854775807 set", "9223372036854775807", kNothing,
     "9P does not tell how large a file may be"},
    // ---- what FUSE has not
    {"PiecesAndVectors", "preadv f .* nowait", "EOPNOTSUPP", kNothing,
     "FUSE knows no read that must not wait"},
    {"MappingsByOthersAndSetIdBits", "map a 0 x", "ok", "pwrite a x 0",
     "what is stored through a mapping is written by the server, which clears the bits"},
    {"WritingByTheOwnerClearsSetIdBits|RootKeepsOrClearsSetIdBits|chown_nothing\\.file\\..*set_id",
     "stat .*|followed .*|'.*'", "mode 10[26]755 .*", kNothing,
     "FUSE does not tell of a chown to nobody in particular, which clears the bits"},
    // ---- what a server that goes by path can't do
    {"DirectoriesDeeperThanPathMax", "(mkdir|chdir) .*", "ENAMETOOLONG", kNothing,
     "diod goes by path, and no path is longer"},
    {kAny, "f[a-z]*xattr .*", "ESTALE", kNothing, "at the server a removed directory is nowhere"},
    // ---- what means nothing but to the file system itself
    {"seek(_data)?\\.fd_(removed_)?directory", "seek .*", kAny, kNothing,
     "offsets in a directory are cookies"},
};

}  // namespace

std::span<const Difference> differences() {
  return kDifferences;
}

}  // namespace fuse9p::test::parity
