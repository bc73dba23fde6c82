// SPDX-License-Identifier: MIT
// The seeds of tests/fuzz: one of each message in each form it has, made from messages.spec, so
// that a new message has one. FUSE9P_WRITE_CORPUS=1 makes these tests write them instead.
#include "tests/support/message_spec.hpp"
#include "tests/support/wire.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;

using Files = std::map<std::string, std::string>;  // name -> bytes

/// Seeds by name: "Tattach.9P2000.u". A message that is the same in two dialects comes once.
template <class Form>
Files golden_seeds(Form form) {
  const Spec spec = read_spec(FUSE9P_SOURCE_DIR "/tests/wire/messages.spec");
  Files seeds;
  std::set<std::string> seen;
  for (const Golden& golden : golden_messages(spec, distinct_filling)) {
    const std::string bytes = form(golden);
    const auto* dialect = std::ranges::find(kDialectNames, golden.message.dialect);
    if (seen.insert(bytes).second)
      seeds[golden.message.name + '.' + golden.message.dialect] =
          std::to_string(dialect - kDialectNames.begin()) + bytes;
  }
  return seeds;
}

Files read_folder(const fs::path& folder) {
  Files files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::ostringstream bytes;
    bytes << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    files[entry.path().filename()] = bytes.str();
  }
  return files;
}

void expect_seeds(const std::string& corpus, const Files& seeds) {
  const fs::path folder = fs::path(FUSE9P_SOURCE_DIR "/tests/fuzz/corpus") / corpus;
  if (std::getenv("FUSE9P_WRITE_CORPUS") != nullptr)
    for (const auto& [name, bytes] : seeds)
      std::ofstream(folder / name, std::ios::binary) << bytes;
  const Files files = read_folder(folder);
  for (const auto& [name, bytes] : seeds) {
    const auto file = files.find(name);
    ASSERT_NE(file, files.end()) << folder / name << ": set FUSE9P_WRITE_CORPUS=1 to write it";
    EXPECT_EQ(hex(file->second), hex(bytes)) << folder / name;
  }
}

TEST(FuzzCorpus, OfDecodeHoldsEveryGoldenFrame) {
  expect_seeds("decode", golden_seeds([](const Golden& golden) { return golden.frame(); }));
}

TEST(FuzzCorpus, OfTextHoldsEveryGoldenText) {
  expect_seeds("text", golden_seeds([](const Golden& golden) { return golden.text() + '\n'; }));
}

}  // namespace
}  // namespace fuse9p::test
