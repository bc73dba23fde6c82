// SPDX-License-Identifier: MIT
#include "fuse/errno.hpp"

#include "proto/error.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace fuse9p::fs {
namespace {

TEST(Errno, AServersErrnoPasses) {
  for (const int number : {EPERM, ENOENT, EACCES, EEXIST, ENOTEMPTY, ENOSPC, ESTALE, EDQUOT})
    EXPECT_EQ(errno_of(as_error(number)), number);
}

TEST(Errno, WhatTheKernelWouldRefuseOrMisunderstandNeverPasses) {
  EXPECT_EQ(errno_of(as_error(ENOSYS)), EOPNOTSUPP);  // "works for ever from now on"
  EXPECT_EQ(errno_of(as_error(524)), EOPNOTSUPP);
  EXPECT_EQ(errno_of(as_error(EBADF)), EIO);  // our fid, not the program's descriptor
  EXPECT_EQ(errno_of(as_error(512)), EIO);
  EXPECT_EQ(errno_of(proto::make_server_error(0)), EIO);
  EXPECT_EQ(errno_of(proto::make_server_error(0xFFFFFFFF)), EIO);
}

TEST(Errno, WhatTheCallerGaveUpIsEintr) {
  for (const auto error :
       {proto::Error::cancelled, proto::Error::withdrawn, proto::Error::abandoned})
    EXPECT_EQ(errno_of(error), EINTR);
}

TEST(Errno, ALostConnectionIsEio) {
  EXPECT_EQ(errno_of(proto::Error::connection_lost), EIO);
}

TEST(Errno, NoErrorIsZero) {
  EXPECT_EQ(errno_of(error_code()), 0);
}

TEST(Errno, AMessageThatDoesNotFitHadTooLongAName) {
  EXPECT_EQ(errno_of(proto::Error::message_too_large), ENAMETOOLONG);
}

}  // namespace
}  // namespace fuse9p::fs
