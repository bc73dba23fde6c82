// SPDX-License-Identifier: MIT
#include "proto/ename.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <string>
#include <string_view>

namespace fuse9p::proto {
namespace {

struct Row {
  std::string_view ename;
  int error;
};

// What Plan 9, Inferno, lib9p and u9fs servers say.
constexpr Row kServersWords[] = {
    {"file does not exist", ENOENT},
    {"file not found", ENOENT},
    {"No such file or directory", ENOENT},
    {"directory entry not found", ENOENT},
    {"illegal path element", ENOENT},
    {"permission denied", EACCES},
    {"Permission denied", EACCES},
    {"not owner", EACCES},
    {"only owner can change group in wstat", EACCES},
    {"authentication failed", EACCES},
    {"unknown user", EACCES},
    {"Operation not permitted", EPERM},
    {"wstat prohibited", EPERM},
    {"not a member of proposed group", EPERM},
    {"cannot remove root", EPERM},
    {"no access to special file", EPERM},
    {"create prohibited", EPERM},
    {"remove prohibited", EPERM},
    {"file exists", EEXIST},
    {"file already exists", EEXIST},
    {"file or directory already exists", EEXIST},
    {"File exists", EEXIST},
    {"not a directory", ENOTDIR},
    {"walk in non-directory", ENOTDIR},
    {"is a directory", EISDIR},
    {"Is a directory", EISDIR},
    {"directory is not empty", ENOTEMPTY},
    {"directory not empty", ENOTEMPTY},
    {"file is in use", EBUSY},
    {"exclusive use file already open", EBUSY},
    {"exclusive lock", EBUSY},
    {"file already open for I/O", ETXTBSY},
    {"file has been removed", ESTALE},
    {"phase error", ESTALE},
    {"read only file system", EROFS},
    {"file is read only", EROFS},
    {"file system is full", ENOSPC},
    {"no space", ENOSPC},
    {"interrupted", EINTR},
    {"i/o error", EIO},
    {"i/o count too large", EIO},
    {"corrupted directory entry", EIO},
    {"protocol botch", EPROTO},
    // Our fids gone wrong: a program would take EBADF for its own descriptor.
    {"fid unknown or out of range", EIO},
    {"unknown fid", EIO},
    {"bad use of fid", EIO},
    {"fid already in use", EIO},
    {"duplicate fid", EIO},
    {"bad offset in directory read", EIO},
};

// What other libcs call what glibc calls otherwise.
constexpr Row kOtherUnixWords[] = {
    {"Filename too long", ENAMETOOLONG},
    {"Symbolic link loop", ELOOP},
    {"Resource busy", EBUSY},
    {"I/O error", EIO},
    {"Quota exceeded", EDQUOT},
    {"Invalid seek", ESPIPE},
    {"Out of memory", ENOMEM},
    {"No file descriptors available", EMFILE},
    {"Value too large for data type", EOVERFLOW},
    {"Result not representable", ERANGE},
    {"Result too large", ERANGE},
    {"Operation timed out", ETIMEDOUT},
    {"Resource deadlock would occur", EDEADLK},
    {"Resource deadlock avoided", EDEADLK},
    {"Not supported", EOPNOTSUPP},
    {"Stale NFS file handle", ESTALE},
    {"Not a tty", ENOTTY},
};

std::string in_case(std::string_view text, int (*change)(int)) {
  std::string changed(text);
  std::ranges::transform(changed, changed.begin(),
                         [&](unsigned char c) { return static_cast<char>(change(c)); });
  return changed;
}

void expect_errno(std::string_view ename, int error) {
  EXPECT_EQ(errno_of(ename), error) << ename;
  EXPECT_EQ(errno_of(in_case(ename, std::toupper)), error) << ename;
  EXPECT_EQ(errno_of(in_case(ename, std::tolower)), error) << ename;
}

TEST(Ename, ServersWordsAreTheirErrnos) {
  for (const auto& [ename, error] : kServersWords)
    expect_errno(ename, error);
}

TEST(Ename, OtherUnixesWordsAreTheirErrnos) {
  for (const auto& [ename, error] : kOtherUnixWords)
    expect_errno(ename, error);
}

TEST(Ename, ServersWordsAreFoundBetweenOthers) {
  for (const auto& [ename, error] : kServersWords) {
    const std::string words(ename);
    EXPECT_EQ(errno_of("'/tmp/x' " + words), error) << ename;
    EXPECT_EQ(errno_of(words + ": '/tmp/x'"), error) << ename;
    EXPECT_EQ(errno_of("open /tmp/x: " + words + " (glenda)"), error) << ename;
  }
  EXPECT_EQ(errno_of("'/tmp/x' file does not exist"), ENOENT);
  EXPECT_EQ(errno_of("walk: '/tmp/x' does not exist"), ENOENT);
}

TEST(Ename, StrerrorTextsAreTheirErrnos) {
  int known = 0;
  for (int error = 1; error <= 133; ++error) {
    const std::string_view text = std::strerror(error);  // no setlocale() here: in English
    if (text.starts_with("Unknown error"))
      continue;
    ++known;
    const int expected = error == EBADF ? EIO : error == ENOSYS ? EOPNOTSUPP : error;
    expect_errno(text, expected);
    EXPECT_EQ(errno_of("open /tmp/x: " + std::string(text)), expected) << text;
  }
  EXPECT_EQ(known, 131);  // 41 and 58 are not in use
}

TEST(Ename, TheErrnosThatWouldMisleadAreNeverGiven) {
  EXPECT_EQ(errno_of("Bad file descriptor"), EIO);
  EXPECT_EQ(errno_of("bad file descriptor"), EIO);
  EXPECT_EQ(errno_of("Function not implemented"), EOPNOTSUPP);
  EXPECT_EQ(errno_of("not implemented"), EOPNOTSUPP);
}

TEST(Ename, TheLongerTextWins) {
  EXPECT_EQ(errno_of("Protocol not supported"), EPROTONOSUPPORT);
  EXPECT_EQ(errno_of("Remote I/O error"), EREMOTEIO);
  EXPECT_EQ(errno_of("Too many open files in system"), ENFILE);
  EXPECT_EQ(errno_of("No such device or address"), ENXIO);
}

TEST(Ename, UnknownWordsAreZero) {
  EXPECT_EQ(errno_of(""), 0);
  EXPECT_EQ(errno_of("Success"), 0);
  EXPECT_EQ(errno_of("the disk is on fire"), 0);
  EXPECT_EQ(errno_of("file does not"), 0);
  EXPECT_EQ(errno_of(std::string(65535, 'x')), 0);
  EXPECT_EQ(errno_of("\xff\xfe\x01"), 0);
}

}  // namespace
}  // namespace fuse9p::proto
