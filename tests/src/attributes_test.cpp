// SPDX-License-Identifier: MIT
#include "src/attributes.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>

#include <functional>
#include <ostream>

namespace fuse9p {
namespace {

Attributes a_file() {
  Attributes out;
  out.qid = {0, 0, 7};
  out.mode = S_IFREG | 0644;
  out.nlink = 2;
  out.size = 10;
  out.mtime = {5, 6};
  out.ctime = {7, 8};
  return out;
}

struct Difference {
  const char* name;
  std::function<void(Attributes&)> make;
};
void PrintTo(const Difference& difference, std::ostream* out) {
  *out << difference.name;
}

class DifferenceIn : public testing::TestWithParam<Difference> {};

TEST_P(DifferenceIn, MakesTwoNamesTwoFiles) {
  Attributes other = a_file();
  GetParam().make(other);
  EXPECT_FALSE(agree(a_file(), other));
  EXPECT_FALSE(agree(other, a_file()));
}

INSTANTIATE_TEST_SUITE_P(
    Attributes, DifferenceIn,
    testing::Values(Difference{"Path", [](Attributes& file) { file.qid.path = 8; }},
                    Difference{"Type", [](Attributes& file) { file.mode = S_IFIFO | 0644; }},
                    Difference{"Mode", [](Attributes& file) { file.mode = S_IFREG | 0640; }},
                    Difference{"Links", [](Attributes& file) { file.nlink = 3; }},
                    Difference{"Size", [](Attributes& file) { file.size = 11; }},
                    Difference{"Mtime", [](Attributes& file) { file.mtime.tv_nsec = 7; }},
                    Difference{"Ctime", [](Attributes& file) { file.ctime.tv_nsec = 7; }},
                    Difference{"Owner", [](Attributes& file) { file.uid = 1; }},
                    Difference{"Group", [](Attributes& file) { file.gid = 1; }},
                    Difference{"Device", [](Attributes& file) { file.rdev = 1; }}),
    [](const auto& difference) { return std::string(difference.param.name); });

TEST(Attributes, WhatAReaderChangesMakesNoDifference) {
  Attributes other = a_file();
  other.atime = {9, 9};
  other.qid.version = 3;
  other.blocks = 8;
  EXPECT_TRUE(agree(a_file(), other));
}

TEST(Attributes, AGenerationCountsIfBothAreKnown) {
  Attributes one = a_file();
  Attributes other = a_file();
  one.generation = 1;
  EXPECT_TRUE(may_be_same_object(one, other));
  other.generation = 2;
  EXPECT_FALSE(may_be_same_object(one, other));
}

TEST(Attributes, AGenerationOf0OrOneThatIsNotValidIsNone) {
  proto::Rgetattr reply{};
  reply.valid = 0x7ff;
  reply.gen = 5;
  EXPECT_EQ(attributes_of(reply).generation, 0U);
  reply.valid = 0x17ff;
  EXPECT_EQ(attributes_of(reply).generation, 5U);
}

TEST(Attributes, TheTypeInAQidTellsDirectoriesAndSymlinksApart) {
  using namespace proto::qid_type;
  EXPECT_TRUE(same_object({0, 1, 7}, {0, 2, 7}));
  EXPECT_FALSE(same_object({0, 1, 7}, {kDir, 1, 7}));
  EXPECT_FALSE(same_object({kSymlink, 1, 7}, {0, 1, 7}));
  EXPECT_FALSE(same_object({0, 1, 7}, {0, 1, 8}));
  EXPECT_TRUE(same_object({kAppend, 1, 7}, {0, 1, 7}));
}

}  // namespace
}  // namespace fuse9p
