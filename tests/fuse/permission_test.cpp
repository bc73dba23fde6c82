// SPDX-License-Identifier: MIT
#include "fuse/permission.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

namespace fuse9p::fs {
namespace {

Attributes file(std::uint32_t mode) {
  Attributes out;
  out.mode = mode;
  out.uid = 10;
  out.gid = 20;
  return out;
}
const Caller kOwner{10, {20}}, kMember{11, {5, 20}}, kOther{11, {5}}, kRoot{0, {0}}, kUnknown{};

TEST(Permission, OnlyTheOwnersBitsCountForTheOwner) {
  EXPECT_TRUE(permits(file(S_IFREG | 0600), kOwner, R_OK | W_OK));
  EXPECT_FALSE(permits(file(S_IFREG | 0600), kOwner, X_OK));
  EXPECT_FALSE(permits(file(S_IFREG | 0077), kOwner, R_OK));
}

TEST(Permission, OnlyTheGroupsBitsCountForAMember) {
  EXPECT_TRUE(permits(file(S_IFREG | 0040), kMember, R_OK));
  EXPECT_FALSE(permits(file(S_IFREG | 0040), kMember, R_OK | W_OK));
  EXPECT_FALSE(permits(file(S_IFREG | 0707), kMember, R_OK));
}

TEST(Permission, OthersHaveTheirOwnBits) {
  EXPECT_TRUE(permits(file(S_IFREG | 0004), kOther, R_OK));
  EXPECT_FALSE(permits(file(S_IFREG | 0770), kOther, R_OK));
}

TEST(Permission, RootMayAllButRunWhatNobodyMayRun) {
  EXPECT_TRUE(permits(file(S_IFREG | 0000), kRoot, R_OK | W_OK));
  EXPECT_FALSE(permits(file(S_IFREG | 0666), kRoot, X_OK));
  EXPECT_TRUE(permits(file(S_IFREG | 0010), kRoot, X_OK));
  EXPECT_TRUE(permits(file(S_IFDIR | 0000), kRoot, R_OK | W_OK | X_OK));
}

TEST(Permission, WhoIsKnownToTheServerByNameMayWhatAnybodyMay) {
  EXPECT_TRUE(permits(file(S_IFREG | 0420), kUnknown, R_OK | W_OK));
  EXPECT_FALSE(permits(file(S_IFREG | 0666), kUnknown, X_OK));
}

TEST(Permission, ToExistIsAskedOfNobody) {
  EXPECT_TRUE(permits(file(S_IFREG | 0000), kOther, F_OK));
}

}  // namespace
}  // namespace fuse9p::fs
