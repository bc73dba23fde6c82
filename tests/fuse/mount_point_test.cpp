// SPDX-License-Identifier: MIT
#include "fuse/mount_point.hpp"

#include <gtest/gtest.h>

#include <sys/mount.h>

#include <string>
#include <vector>

namespace fuse9p::fs {
namespace {

TEST(MountPoint, TableOfMountsIsRead) {
  const auto proc = mounted_on("/proc");
  ASSERT_TRUE(proc);
  EXPECT_EQ(proc->type, "proc");
  EXPECT_EQ(proc->device.find_first_not_of("0123456789:"), std::string::npos);
  EXPECT_NE(proc->device.find(':'), std::string::npos);
  EXPECT_FALSE(mounted_on("/proc/self"));
  EXPECT_FALSE(mounted_on(""));
}

TEST(MountPoint, WhatAnswersIsNotDead) {
  EXPECT_EQ(remove_dead_mounts("/proc", "proc"), 0);
  EXPECT_EQ(remove_dead_mounts("/no/such/directory", "fuse.fuse9p"), 0);
}

TEST(MountPoint, OnlyMountsOfFuseAreRemounted) {
  EXPECT_THROW(remount("/proc", MS_RDONLY), MountError);
  EXPECT_THROW(remount("/no/such/directory", MS_RDONLY), MountError);
}

TEST(MountPoint, LastOfContraryFlagsCounts) {
  struct Case {
    std::vector<std::string> options;
    unsigned long flags;
  };
  const std::vector<Case> cases{
      {{}, MS_NOSUID | MS_NODEV},
      {{"suid", "dev"}, 0},
      {{"suid", "dev", "nosuid"}, MS_NOSUID},
      {{"ro", "rw"}, MS_NOSUID | MS_NODEV},
      {{"rw", "ro"}, MS_NOSUID | MS_NODEV | MS_RDONLY},
      {{"suid", "dev", "noexec", "sync", "dirsync", "noatime"},
       MS_NOEXEC | MS_SYNCHRONOUS | MS_DIRSYNC | MS_NOATIME},
      {{"allow_other", "fsname=ro"}, MS_NOSUID | MS_NODEV},
  };
  for (const auto& [options, flags] : cases)
    EXPECT_EQ(mount_flags(options), flags) << testing::PrintToString(options);
}

TEST(MountPoint, DescriptorMayBePassedInstead) {
  EXPECT_EQ(passed_descriptor("/dev/fd/7"), 7);
  EXPECT_EQ(passed_descriptor("/dev/fd/0"), 0);
  for (const char* path : {"/dev/fd", "/dev/fd/", "/dev/fd/x", "/dev/fd/7x", "/dev/fd/-1", "/mnt",
                           "/dev/fd/99999999999", "dev/fd/7"})
    EXPECT_FALSE(passed_descriptor(path)) << path;
}

}  // namespace
}  // namespace fuse9p::fs
