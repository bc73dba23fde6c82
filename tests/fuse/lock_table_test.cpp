// SPDX-License-Identifier: MIT
// The lock table against a model that knows each byte: every pair of locks in a small file, and
// long random histories, by seed.

#include "fuse/lock_table.hpp"

#include "tests/support/seed.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <vector>

namespace fuse9p::fs {
namespace {

constexpr std::uint64_t kBytes = 6;  // the model's; all bytes beyond are like the last one
constexpr std::uint64_t kOwners = 3;
constexpr LockType kTypes[] = {LockType::none, LockType::read, LockType::write};

std::uint64_t model_end(const Lock& lock) {
  return std::min(lock.end, kBytes);
}

/// What each owner holds of each byte.
class Model {
 public:
  bool conflict(const Lock& wanted) const {
    for (std::uint64_t owner = 0; owner < kOwners; ++owner) {
      for (std::uint64_t byte = wanted.begin; byte < model_end(wanted); ++byte) {
        const LockType held = held_[owner][byte];
        if (owner != wanted.owner && held != LockType::none && wanted.type != LockType::none &&
            (held == LockType::write || wanted.type == LockType::write))
          return true;
      }
    }
    return false;
  }
  void set(const Lock& lock) {
    for (std::uint64_t byte = lock.begin; byte < model_end(lock); ++byte)
      held_[lock.owner][byte] = lock.type;
  }
  void drop_owner(std::uint64_t owner) { held_[owner] = {}; }
  LockType strongest() const {
    LockType strongest = LockType::none;
    for (const auto& bytes : held_)
      for (const LockType type : bytes)
        strongest = std::max(strongest, type);
    return strongest;
  }
  bool agrees(const LockTable& table) const {
    Model read;
    for (const Lock& lock : table.locks())
      read.set(lock);
    return read.held_ == held_;
  }

 private:
  std::array<std::array<LockType, kBytes>, kOwners> held_{};
};

/// No two of an owner's overlap, and none could be one with another.
bool is_tidy(const LockTable& table) {
  const auto& locks = table.locks();
  for (std::size_t i = 0; i < locks.size(); ++i) {
    if (locks[i].type == LockType::none || locks[i].begin >= locks[i].end)
      return false;
    for (std::size_t j = 0; j < i; ++j) {
      const bool overlap = locks[i].begin < locks[j].end && locks[j].begin < locks[i].end;
      const bool touch = locks[i].begin == locks[j].end || locks[j].begin == locks[i].end;
      if (locks[i].owner == locks[j].owner &&
          (overlap || (touch && locks[i].type == locks[j].type)))
        return false;
    }
  }
  return true;
}

/// The last byte stands for all behind it: a range that has it goes to the end.
Lock make(std::uint64_t owner, LockType type, std::uint64_t begin, std::uint64_t end) {
  return {.owner = owner, .type = type, .begin = begin, .end = end == kBytes ? Lock::kEnd : end};
}

void check_step(LockTable& table, Model& model, const Lock& lock) {
  ASSERT_EQ(table.conflict(lock) != nullptr && lock.type != LockType::none, model.conflict(lock));
  if (model.conflict(lock))
    return;
  ASSERT_TRUE(table.set(lock));
  model.set(lock);
  ASSERT_TRUE(model.agrees(table));
  ASSERT_TRUE(is_tidy(table));
  ASSERT_EQ(table.strongest(), model.strongest());
}

TEST(LockTable, DoesAsBytesDoForEveryThreeLocks) {
  std::vector<Lock> all;
  for (std::uint64_t owner = 0; owner < 2; ++owner)
    for (const LockType type : kTypes)
      for (std::uint64_t begin = 0; begin < kBytes; ++begin)
        for (std::uint64_t end = begin + 1; end <= kBytes; ++end)
          all.push_back(make(owner, type, begin, end));
  for (const Lock& first : all) {
    if (first.owner != 0 || first.type == LockType::none)
      continue;
    for (const Lock& second : all) {
      for (const Lock& third : all) {
        LockTable table;
        Model model;
        for (const Lock& lock : {first, second, third})
          ASSERT_NO_FATAL_FAILURE(check_step(table, model, lock));
      }
    }
  }
}

TEST(LockTable, DoesAsBytesDoInLongHistories) {
  const auto seed = test::new_seed();
  SCOPED_TRACE(seed);
  std::mt19937_64 dice(seed);
  const auto below = [&](std::uint64_t limit) { return dice() % limit; };
  for (int history = 0; history < 200; ++history) {
    LockTable table;
    Model model;
    for (int step = 0; step < 100; ++step) {
      const std::uint64_t owner = below(kOwners), begin = below(kBytes);
      const std::uint64_t end = begin + 1 + below(kBytes - begin);
      ASSERT_NO_FATAL_FAILURE(check_step(table, model, make(owner, kTypes[below(3)], begin, end)));
      if (below(20) != 0)
        continue;
      table.drop_owner(owner);
      model.drop_owner(owner);
      ASSERT_TRUE(model.agrees(table));
    }
  }
}

TEST(LockTable, NamesTheOneThatIsInTheWay) {
  LockTable table;
  Lock held = make(0, LockType::write, 2, 4);
  held.pid = 77;
  ASSERT_TRUE(table.set(held));
  const Lock* found = table.conflict(make(1, LockType::read, 0, kBytes));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(*found, held);
}

TEST(LockTable, NamesTheFirstOfSeveralThatAreInTheWay) {
  LockTable table;
  const Lock behind = make(0, LockType::read, 3, 4), before = make(0, LockType::write, 1, 2);
  ASSERT_TRUE(table.set(behind));
  ASSERT_TRUE(table.set(before));
  const Lock* found = table.conflict(make(1, LockType::write, 0, kBytes));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(*found, before);
  EXPECT_EQ(*table.conflict(make(1, LockType::write, 2, kBytes)), behind);
}

TEST(LockTable, ForgetsWhatWasTakenThroughAnOpenFile) {
  LockTable table;
  Lock one = make(0, LockType::write, 0, 1), two = make(1, LockType::write, 2, 3);
  one.handle = 10;
  two.handle = 20;
  ASSERT_TRUE(table.set(one));
  ASSERT_TRUE(table.set(two));
  table.drop_handle(10);
  ASSERT_EQ(table.locks().size(), 1U);
  EXPECT_EQ(table.locks().front(), two);
}

TEST(LockTable, IsBounded) {
  LockTable table;
  std::uint64_t at = 0;
  while (table.set({.owner = 0, .type = LockType::read, .begin = at, .end = at + 1}))
    at += 2;
  EXPECT_EQ(table.locks().size(), LockTable::kMostLocks);
  EXPECT_TRUE(table.set({.owner = 0, .type = LockType::none})) << "giving back is always possible";
  EXPECT_TRUE(table.empty());
}

}  // namespace
}  // namespace fuse9p::fs
