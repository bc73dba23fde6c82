// SPDX-License-Identifier: MIT
#include "fuse/hidden_name.hpp"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

namespace fuse9p::fs {
namespace {

using namespace std::chrono_literals;

constexpr auto kLong = kForeignNamesLast + 1h;

/// A name as a mount of that process would give it, with what is put in the place of a field.
std::string name_of(const HiddenNameGiver& giver) {
  char text[200];
  std::snprintf(text, sizeof text, ".fuse9p-unlinked.%x.%x.%llu.%lld.%llu.0123456789abcdef.7",
                giver.machine, giver.boot, static_cast<unsigned long long>(giver.pid_namespace),
                static_cast<long long>(giver.pid), static_cast<unsigned long long>(giver.started));
  return text;
}

/// A process that has ended.
pid_t dead_process() {
  const pid_t pid = ::fork();
  if (pid == 0)
    ::_exit(0);
  ::waitpid(pid, nullptr, 0);
  return pid;
}

class HiddenNameTest : public ::testing::Test {
 protected:
  const HiddenNameGiver self_ = HiddenNameGiver::self();
  HiddenNameGiver other_ = self_;
};

TEST_F(HiddenNameTest, NamesAreNotGivenTwice) {
  HiddenNames one;
  HiddenNames two;
  const std::string first = one.next();
  EXPECT_TRUE(is_hidden_name(first));
  EXPECT_LT(first.size(), 200U);
  EXPECT_NE(first, one.next());
  EXPECT_NE(first, two.next()) << "the part that nobody can guess";
}

TEST_F(HiddenNameTest, OnesOwnNamesAreNoLeftovers) {
  EXPECT_FALSE(is_leftover(HiddenNames().next(), kLong, self_));
  EXPECT_FALSE(is_leftover(name_of(self_), kLong, self_));
}

TEST_F(HiddenNameTest, OfALivingProcessNoLeftovers) {
  HiddenNameGiver asked = self_;
  asked.pid = dead_process();  // somebody else asks about us
  EXPECT_FALSE(is_leftover(name_of(self_), kLong, asked));
}

TEST_F(HiddenNameTest, OfADeadProcessLeftovers) {
  other_.pid = dead_process();
  EXPECT_TRUE(is_leftover(name_of(other_), 0s, self_));
}

TEST_F(HiddenNameTest, OfAProcessThatOnlyWaitsToBeBuriedLeftovers) {
  other_.pid = ::fork();
  if (other_.pid == 0)
    ::_exit(0);
  siginfo_t ended{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(other_.pid), &ended, WEXITED | WNOWAIT), 0);
  EXPECT_TRUE(is_leftover(name_of(other_), 0s, self_));
  ::waitpid(static_cast<pid_t>(other_.pid), nullptr, 0);
}

TEST_F(HiddenNameTest, OfAnEarlierProcessWithTheSameNumberLeftovers) {
  other_.started = self_.started - 1;
  EXPECT_TRUE(is_leftover(name_of(other_), 0s, self_));
}

TEST_F(HiddenNameTest, FromBeforeTheLastBootLeftovers) {
  other_.boot = self_.boot ^ 1;
  EXPECT_TRUE(is_leftover(name_of(other_), 0s, self_));
}

TEST_F(HiddenNameTest, OfAnotherMachineLeftoversWhenOld) {
  other_.machine = self_.machine ^ 1;
  other_.pid = dead_process();
  EXPECT_FALSE(is_leftover(name_of(other_), kForeignNamesLast, self_));
  EXPECT_TRUE(is_leftover(name_of(other_), kLong, self_));
}

TEST_F(HiddenNameTest, OfAnotherPidNamespaceLeftoversWhenOld) {
  other_.pid_namespace = self_.pid_namespace ^ 1;
  other_.pid = dead_process();
  EXPECT_FALSE(is_leftover(name_of(other_), kForeignNamesLast, self_));
  EXPECT_TRUE(is_leftover(name_of(other_), kLong, self_));
}

TEST_F(HiddenNameTest, WhatIsNotSuchANameIsLeftAlone) {
  for (const char* name :
       {"", "file", ".fuse9p-unlinked", ".fuse9p-unlinked.", ".fuse9p-unlinked.1.2.3",
        ".fuse9p-unlinked.1.2.3.4.5.6.7.8", ".fuse9p-unlinked.x.2.3.4.5.6.7",
        ".fuse9p-unlinked.1.2.3.0.5.6.7", ".fuse9p-unlinked.1.2.3.-4.5.6.7",
        ".fuse9p-unlinkedX1.2.3.4.5.6.7", ".fuse9p-unlinked.1.2.3.4 .5.6.7"})
    EXPECT_FALSE(is_leftover(name, kLong, self_)) << name;
}

}  // namespace
}  // namespace fuse9p::fs
