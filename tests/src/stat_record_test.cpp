// SPDX-License-Identifier: MIT
#include "src/stat_record.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>

namespace fuse9p {
namespace {

using proto::Dialect;

proto::Stat with_mode(std::uint32_t mode, std::string_view extension = {}) {
  proto::Stat stat;
  stat.mode = mode;
  stat.extension = extension;
  return stat;
}

TEST(StatRecord, TypesOf9P2000uAreLinuxTypes) {
  const IdNames names;
  const auto mode = [&](std::uint32_t bits, std::string_view extension = {}) {
    return attributes_of(with_mode(bits, extension), Dialect::u, names).mode;
  };
  EXPECT_EQ(mode(0x80000000 | 0755), S_IFDIR | 0755U);
  EXPECT_EQ(mode(0x02000000 | 0777, "to"), S_IFLNK | 0777U);
  EXPECT_EQ(mode(0x00200000 | 0600), S_IFIFO | 0600U);
  EXPECT_EQ(mode(0x00100000 | 0600), S_IFSOCK | 0600U);
  EXPECT_EQ(mode(0x00800000 | 0600, "b 8 1"), S_IFBLK | 0600U);
  EXPECT_EQ(mode(0x00800000 | 0600, "c 1 3"), S_IFCHR | 0600U);
  EXPECT_EQ(mode(0x00080000 | 0x00040000 | 0x00010000 | 0755), S_IFREG | 07755U);
}

TEST(StatRecord, A9P2000ServersOtherBitsMeanNothing) {
  EXPECT_EQ(attributes_of(with_mode(0x02F70000 | 07644), Dialect::legacy, IdNames()).mode,
            S_IFREG | 0644U);
}

TEST(StatRecord, DeviceNumbersStandInTheExtension) {
  const auto rdev = [](std::string_view extension) {
    return attributes_of(with_mode(0x00800000, extension), Dialect::u, IdNames()).rdev;
  };
  EXPECT_EQ(rdev("c 1 3"), 0x103U);
  EXPECT_EQ(rdev("b 259 300"), 0x11032CU);  // 300 = 0x12C: its low byte stands below the major
  EXPECT_EQ(rdev("b"), 0U);
  EXPECT_EQ(rdev("b x y"), 0U);
  EXPECT_EQ(rdev(""), 0U);
}

TEST(StatRecord, NumbersGoBeforeNamesWhereThereAreNumbers) {
  IdNames names(99, 98);
  names.add_user("glenda", 1000);
  proto::Stat stat = with_mode(0644);
  stat.uid = "glenda";
  stat.gid = "stranger";
  EXPECT_EQ(attributes_of(stat, Dialect::u, names).uid, 1000U);
  EXPECT_EQ(attributes_of(stat, Dialect::u, names).gid, 98U);
  stat.n_uid = 7;
  stat.n_gid = 8;
  EXPECT_EQ(attributes_of(stat, Dialect::u, names).uid, 7U);
  EXPECT_EQ(attributes_of(stat, Dialect::u, names).gid, 8U);
  EXPECT_EQ(attributes_of(stat, Dialect::legacy, names).uid, 1000U);
}

TEST(StatRecord, ALengthThatNoFileHasIsClamped) {
  proto::Stat stat = with_mode(0644);
  stat.length = ~std::uint64_t{0} - 1;
  EXPECT_EQ(attributes_of(stat, Dialect::legacy, IdNames()).size, ~std::uint64_t{0} >> 1);
}

TEST(StatRecord, PermOfAModeIsItsWayBack) {
  for (const std::uint32_t mode :
       {S_IFDIR | 01777U, S_IFREG | 04755U, S_IFLNK | 0777U, S_IFIFO | 0600U, S_IFSOCK | 0600U})
    EXPECT_EQ(attributes_of(with_mode(perm_of(mode, Dialect::u)), Dialect::u, IdNames()).mode,
              mode);
  EXPECT_EQ(perm_of(S_IFDIR | 01777U, Dialect::legacy), 0x80000000U | 0777U);
  EXPECT_EQ(device_extension(S_IFBLK | 0600, 8, 1), "b 8 1");
  EXPECT_EQ(device_extension(S_IFCHR | 0600, 1, 3), "c 1 3");
}

TEST(IdNames, ANameThatIsANumberIsThatNumberUnlessSomebodyHasTheName) {
  IdNames names(99, 98);
  EXPECT_EQ(names.uid_of("17"), 17U);
  names.add_user("17", 1);
  EXPECT_EQ(names.uid_of("17"), 1U);
  EXPECT_EQ(names.uid_of("17x"), 99U);
  EXPECT_EQ(names.gid_of(""), 98U);
  EXPECT_EQ(names.uid_of("4294967296"), 99U);
}

TEST(IdNames, OfSeveralNamesWithOneNumberTheFirstCounts) {
  IdNames names;
  names.add_user("root", 0);
  names.add_user("toor", 0);
  EXPECT_EQ(names.user_name(0), "root");
  EXPECT_EQ(names.uid_of("toor"), 0U);
  EXPECT_EQ(names.user_name(1), std::nullopt);
}

TEST(IdNames, LocalNamesAreKnown) {
  EXPECT_EQ(IdNames::local(99, 98).uid_of("root"), 0U);
  EXPECT_EQ(IdNames::local(99, 98).group_name(0), "root");
}

}  // namespace
}  // namespace fuse9p
