// SPDX-License-Identifier: MIT
#include "src/quirks.hpp"

#include "src/usage_error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace fuse9p {
namespace {

TEST(Quirks, StandInTheTableInTheirOrderEachWithItsReasons) {
  ASSERT_EQ(kQuirks.size(), kQuirkCount);
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kQuirks.size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(kQuirks[i].quirk), i) << kQuirks[i].name;
    EXPECT_EQ(&spec_of(kQuirks[i].quirk), &kQuirks[i]);
    EXPECT_FALSE(kQuirks[i].recognised.empty());
    EXPECT_FALSE(kQuirks[i].done.empty());
    EXPECT_TRUE(names.insert(kQuirks[i].name).second);
  }
  for (const ServerSpec& server : kServers) {
    EXPECT_TRUE(names.insert(server.name).second);
    EXPECT_NE(server.quirks, Quirks()) << server.name;
  }
}

TEST(Quirks, AreNamedOneByOneOrByTheServer) {
  for (const QuirkSpec& spec : kQuirks)
    EXPECT_EQ(parse_quirks(spec.name), Quirks({spec.quirk}));
  EXPECT_EQ(parse_quirks("diod1.0"), Quirks({Quirk::no_unlinkat, Quirk::no_renameat}));
  EXPECT_EQ(parse_quirks("diod1.0:no_fsync:no_renameat"),
            Quirks({Quirk::no_unlinkat, Quirk::no_renameat, Quirk::no_fsync}));
}

TEST(Quirks, UnknownNamesAreRefusedWithThoseThatThereAre) {
  for (const char* const text : {"", "diod", "diod1.0:", "no_unlinkat,no_fsync"}) {
    try {
      static_cast<void>(parse_quirks(text));
      ADD_FAILURE() << text;
    } catch (const UsageError& error) {
      EXPECT_THAT(error.what(),
                  testing::AllOf(testing::StartsWith("must be names parted by colons"),
                                 testing::HasSubstr("diod1.0"), testing::HasSubstr("few_fids")));
    }
  }
}

}  // namespace
}  // namespace fuse9p
