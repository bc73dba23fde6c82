// SPDX-License-Identifier: MIT
#include "fuse/node_table.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>

#include <random>
#include <set>

namespace fuse9p::fs {
namespace {

Attributes file(std::uint64_t path, std::uint64_t nlink = 1) {
  Attributes out;
  out.qid = {0, 0, path};
  out.mode = S_IFREG | 0644;
  out.nlink = nlink;
  return out;
}

Attributes directory(std::uint64_t path) {
  Attributes out;
  out.qid = {proto::qid_type::kDir, 0, path};
  out.mode = S_IFDIR | 0755;
  return out;
}

class NodeTableTest : public ::testing::Test {
 protected:
  NodeRef look_up(Node& parent, std::string_view name, const Attributes& attributes) {
    NodeRef node = table_.remember(parent, name, attributes);
    table_.looked_up(*node);
    return node;
  }
  Node& root() { return table_.root(); }

  std::multiset<NodeId> gone_;
  NodeTable table_{directory(1), [this](Node& node) { gone_.insert(node.id()); }};
};

TEST_F(NodeTableTest, TheRootIsNode1AndIsNeverForgotten) {
  EXPECT_EQ(root().id(), kRootId);
  table_.forget(kRootId, 1000);
  EXPECT_TRUE(table_.find(kRootId));
}

TEST_F(NodeTableTest, AFileFoundAgainIsTheSameNode) {
  const NodeId first = look_up(root(), "a", file(2))->id();
  EXPECT_EQ(look_up(root(), "a", file(2))->id(), first);
  EXPECT_EQ(table_.size(), 2U);
}

TEST_F(NodeTableTest, AnotherFileOfTheSameNameIsAnotherNode) {
  const NodeRef old = look_up(root(), "a", file(2));
  const NodeRef fresh = look_up(root(), "a", file(3));
  EXPECT_NE(old->id(), fresh->id());
  EXPECT_TRUE(old->unlinked());
  EXPECT_EQ(root().child("a"), &*fresh);
}

TEST_F(NodeTableTest, ADirectoryInPlaceOfAFileWithTheSameInodeIsAnotherNode) {
  const NodeRef old = look_up(root(), "a", file(2));
  EXPECT_NE(old->id(), look_up(root(), "a", directory(2))->id());
}

TEST_F(NodeTableTest, ANodeGoesWhenTheKernelHasForgottenItAsOftenAsItWasTold) {
  const NodeId id = look_up(root(), "a", file(2))->id();
  look_up(root(), "a", file(2));
  table_.forget(id, 1);
  EXPECT_TRUE(table_.find(id));
  table_.forget(id, 1);
  EXPECT_FALSE(table_.find(id));
  EXPECT_EQ(gone_.count(id), 1U);
  EXPECT_EQ(root().child("a"), nullptr);
}

TEST_F(NodeTableTest, ANodeidIsNotUsedAgain) {
  const NodeId id = look_up(root(), "a", file(2))->id();
  table_.forget(id, 1);
  EXPECT_NE(look_up(root(), "b", file(3))->id(), id);
  EXPECT_FALSE(table_.find(id));
}

TEST_F(NodeTableTest, AReferenceKeepsAForgottenNode) {
  const NodeRef node = look_up(root(), "a", file(2));
  table_.forget(node->id(), 1);
  EXPECT_TRUE(table_.find(node->id()));
}

TEST_F(NodeTableTest, AParentStaysAsLongAsAChildNeedsItToBeWalkedTo) {
  const NodeId parent = look_up(root(), "d", directory(2))->id();
  const NodeId child = look_up(*table_.find(parent), "a", file(3))->id();
  table_.forget(parent, 1);
  EXPECT_TRUE(table_.find(parent));
  table_.forget(child, 1);
  EXPECT_FALSE(table_.find(parent));
  EXPECT_EQ(table_.size(), 1U);
}

TEST_F(NodeTableTest, TwoNamesOfOneFileAreOneNodeIfEverythingAgrees) {
  const NodeRef first = look_up(root(), "a", file(2, 2));
  EXPECT_EQ(look_up(root(), "b", file(2, 2))->id(), first->id());
  EXPECT_TRUE(first->has_several_links());
}

TEST_F(NodeTableTest, EqualInodesWithOneNameEachAreTwoFiles) {
  const NodeRef first = look_up(root(), "a", file(2, 1));
  EXPECT_NE(look_up(root(), "b", file(2, 1))->id(), first->id());
}

TEST_F(NodeTableTest, EqualInodesThatDifferInAnythingElseAreTwoFiles) {
  const NodeRef first = look_up(root(), "a", file(2, 2));
  Attributes other = file(2, 2);
  other.size = 7;
  EXPECT_NE(look_up(root(), "b", other)->id(), first->id());
}

TEST_F(NodeTableTest, AnUnlinkedFileIsNotFoundByItsIdentityAgain) {
  const NodeRef node = look_up(root(), "a", file(2, 2));
  table_.unlink(root(), "a");
  EXPECT_TRUE(node->unlinked());
  EXPECT_NE(look_up(root(), "b", file(2, 2))->id(), node->id());
}

TEST_F(NodeTableTest, AttributesOfAnotherFileNeverUpdateANode) {
  const NodeRef node = look_up(root(), "a", file(2));
  EXPECT_FALSE(table_.update(*node, file(3)));
  EXPECT_EQ(node->qid().path, 2U);
}

TEST_F(NodeTableTest, RenameMovesTheNodeAndChangesThePathsOfAllBelow) {
  const NodeRef d = look_up(root(), "d", directory(2));
  const NodeRef a = look_up(*d, "a", file(3));
  const auto before = a->path_epoch;
  table_.rename(root(), "d", root(), "e");
  EXPECT_EQ(root().child("e"), &*d);
  EXPECT_EQ(root().child("d"), nullptr);
  EXPECT_NE(a->path_epoch, before);
}

TEST_F(NodeTableTest, RenameOverAFileLeavesTheOldOneWithoutAName) {
  const NodeRef a = look_up(root(), "a", file(2));
  const NodeRef b = look_up(root(), "b", file(3));
  table_.rename(root(), "a", root(), "b");
  EXPECT_TRUE(b->unlinked());
  EXPECT_EQ(root().child("b"), &*a);
}

TEST_F(NodeTableTest, NamesStayFindableWhenAFileGainsAndLosesLinks) {
  const NodeRef node = look_up(root(), "a", file(2, 5));
  for (const char* name : {"b", "c", "d", "e"})
    table_.add_link(*node, root(), name);
  table_.unlink(root(), "c");
  for (const char* name : {"a", "b", "d", "e"})
    EXPECT_EQ(root().child(name), &*node) << name;
  EXPECT_EQ(root().child("c"), nullptr);
}

TEST_F(NodeTableTest, RandomHistoriesLeaveNothingBehind) {
  std::random_device device;
  const unsigned seed = device();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto pick = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  std::vector<NodeId> told;
  const auto a_directory = [&]() -> NodeRef {
    if (!told.empty()) {
      if (NodeRef node = table_.find(told[pick(static_cast<unsigned>(told.size()))]);
          node && node->is_directory())
        return node;
    }
    return table_.find(kRootId);
  };
  for (int step = 0; step < 20'000; ++step) {
    const NodeRef where = a_directory();
    const std::string name(1, static_cast<char>('a' + pick(6)));
    switch (pick(5)) {
      case 0:
      case 1: {
        const std::uint64_t path = 2 + pick(30);
        told.push_back(
            look_up(*where, name, path % 3 == 0 ? directory(path) : file(path, 1 + pick(2)))->id());
        break;
      }
      case 2:
        table_.unlink(*where, name);
        break;
      case 3: {
        const NodeRef to = a_directory();
        // As the kernel does: nothing moves into itself.
        const Node* moving = where->child(name);
        bool inside = false;
        for (const Node* up = &*to; moving != nullptr && !up->is_root() && !up->unlinked();
             up = up->link().parent)
          inside = inside || up == moving;
        if (moving != nullptr && !inside && moving != to->child("z"))
          table_.rename(*where, name, *to, "z");
        break;
      }
      default:
        if (!told.empty()) {
          const std::size_t at = pick(static_cast<unsigned>(told.size()));
          table_.forget(told[at], 1);
          told.erase(told.begin() + static_cast<std::ptrdiff_t>(at));
        }
    }
  }
  for (const NodeId id : told)
    table_.forget(id, 1);
  EXPECT_EQ(table_.size(), 1U);
}

}  // namespace
}  // namespace fuse9p::fs
