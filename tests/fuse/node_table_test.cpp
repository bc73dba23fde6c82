// SPDX-License-Identifier: MIT
#include "fuse/node_table.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>

#include <random>
#include <set>

namespace fuse9p::fs {
namespace {

/// As the server said it one after the other: times in order.
Attributes heard(std::uint32_t mode) {
  static std::uint64_t moment = 0;
  Attributes out;
  out.mode = mode;
  out.asked = ++moment;
  out.heard = ++moment;
  out.ctime.tv_sec = static_cast<std::time_t>(moment);
  return out;
}

Attributes file(std::uint64_t path, std::uint64_t nlink = 1) {
  Attributes out = heard(S_IFREG | 0644);
  out.qid = {0, 0, path};
  out.nlink = nlink;
  return out;
}

Attributes directory(std::uint64_t path) {
  Attributes out = heard(S_IFDIR | 0755);
  out.qid = {proto::qid_type::kDir, 0, path};
  return out;
}

Attributes symlink(std::uint64_t path, std::uint64_t size) {
  Attributes out = heard(S_IFLNK | 0777);
  out.qid = {proto::qid_type::kSymlink, 0, path};
  out.size = size;
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

// ---- one inode number, two names

TEST_F(NodeTableTest, AFileWithTheSameInodeMayBeTheSameUnderAnotherName) {
  const NodeRef a = look_up(root(), "a", file(2, 2));
  const Attributes said = file(2, 2);
  const NodeRef twin = table_.twin_of(root(), "b", said, {});
  ASSERT_TRUE(twin);
  EXPECT_EQ(twin->id(), a->id());
  EXPECT_EQ(table_.remember(root(), "b", said, &*twin)->id(), a->id());
  EXPECT_TRUE(a->has_several_links());
}

TEST_F(NodeTableTest, TwinsAreOfferedOneByOne) {
  const NodeRef a = look_up(root(), "a", file(2));
  const NodeRef b = look_up(root(), "b", file(2));
  const std::vector<NodeId> one = {a->id()};
  const std::vector<NodeId> both = {a->id(), b->id()};
  EXPECT_EQ(table_.twin_of(root(), "c", file(2), one)->id(), b->id());
  EXPECT_FALSE(table_.twin_of(root(), "c", file(2), both));
}

TEST_F(NodeTableTest, WhatIsKnownByTheNameNeedsNoTwin) {
  look_up(root(), "a", file(2));
  look_up(root(), "b", file(2));
  EXPECT_FALSE(table_.twin_of(root(), "b", file(2), {}));
}

TEST_F(NodeTableTest, WhatHasLostTheNameIsNoTwin) {
  const NodeRef link = look_up(root(), "a", symlink(2, 5));
  EXPECT_FALSE(table_.twin_of(root(), "a", symlink(2, 6), {}));
}

TEST_F(NodeTableTest, AFileThatIsGoneIsNoTwin) {
  const NodeRef node = look_up(root(), "a", file(2, 2));
  table_.unlink(root(), "a");
  EXPECT_TRUE(node->unlinked());
  EXPECT_FALSE(table_.twin_of(root(), "b", file(2, 2), {}));
}

TEST_F(NodeTableTest, AFileThatIsGoneAndOpenMayHaveAnotherName) {
  const NodeRef node = look_up(root(), "a", file(2, 2));
  ++node->open_handles;
  table_.unlink(root(), "a");
  EXPECT_TRUE(table_.twin_of(root(), "b", file(2, 2), {}));
  --node->open_handles;
}

TEST_F(NodeTableTest, TwoFilesThatLiveNeverShowTheSameInodeNumber) {
  const NodeRef a = look_up(root(), "a", file(2));
  const NodeRef b = look_up(root(), "b", file(2));
  const NodeRef c = look_up(root(), "c", directory(2));
  EXPECT_EQ(a->inode(), 2U);
  EXPECT_NE(b->inode(), a->inode());
  EXPECT_NE(c->inode(), a->inode());
  EXPECT_NE(c->inode(), b->inode());
}

TEST_F(NodeTableTest, TheInodeNumberOfANodeStaysTheSame) {
  const NodeRef a = look_up(root(), "a", file(2));
  const NodeRef b = look_up(root(), "b", file(2));
  const std::uint64_t number = b->inode();
  table_.unlink(root(), "a");
  look_up(root(), "b", file(2));
  EXPECT_EQ(b->inode(), number);
}

TEST_F(NodeTableTest, TheInodeNumberOfAFileThatIsGoneIsFreeAgain) {
  const NodeRef a = look_up(root(), "a", file(2));
  table_.unlink(root(), "a");
  EXPECT_EQ(look_up(root(), "b", file(2))->inode(), 2U);
}

// ---- an inode number used again

struct Sign {
  const char* name;
  Attributes before, after;
};
void PrintTo(const Sign& sign, std::ostream* out) {
  *out << sign.name;
}
class SignOfAnotherFile : public NodeTableTest, public testing::WithParamInterface<Sign> {};

TEST_P(SignOfAnotherFile, MakesAnotherNode) {
  const NodeRef old = look_up(root(), "a", GetParam().before);
  EXPECT_FALSE(table_.update(*old, GetParam().after));
  EXPECT_NE(look_up(root(), "a", GetParam().after)->id(), old->id());
  EXPECT_TRUE(old->unlinked());
}

Attributes device(std::uint64_t number) {
  Attributes out = heard(S_IFCHR | 0600);
  out.qid.path = 2;
  out.rdev = number;
  return out;
}
Attributes of_generation(std::uint64_t number) {
  Attributes out = file(2);
  out.generation = number;
  return out;
}
Attributes changed_at(std::time_t seconds) {
  Attributes out = file(2);
  out.ctime.tv_sec = seconds;
  return out;
}
INSTANTIATE_TEST_SUITE_P(NodeTable, SignOfAnotherFile,
                         testing::Values(Sign{"Inode", file(2), file(3)},
                                         Sign{"Type", file(2), directory(2)},
                                         Sign{"LengthOfASymlink", symlink(2, 5), symlink(2, 6)},
                                         Sign{"NumberOfADevice", device(0x101), device(0x102)},
                                         Sign{"Generation", of_generation(1), of_generation(2)},
                                         Sign{"ACtimeThatWentBack", changed_at(7), changed_at(6)}),
                         [](const auto& sign) { return std::string(sign.param.name); });

TEST_F(NodeTableTest, WhatMayChangeIsNoSignOfAnotherFile) {
  const NodeRef old = look_up(root(), "a", of_generation(1));
  Attributes said = file(2, 3);  // it does not say its generation
  said.mode = S_IFREG | 0400;
  said.size = 99;
  said.uid = said.gid = 5;
  EXPECT_EQ(look_up(root(), "a", said)->id(), old->id());
}

TEST_F(NodeTableTest, AClockThatIsSetBackTakesNoOpenFileAndNoDirectoryAway) {
  const NodeRef open = look_up(root(), "a", changed_at(7));
  ++open->open_handles;
  EXPECT_TRUE(table_.update(*open, changed_at(6)));
  EXPECT_EQ(open->attributes.ctime.tv_sec, 6);
  --open->open_handles;
  const NodeRef d = look_up(root(), "d", directory(3));
  Attributes said = directory(3);
  said.ctime.tv_sec = 0;
  EXPECT_TRUE(table_.update(*d, said));
}

/// 9P2000's stat(5) has no ctime: what stands for it can be set to anything.
TEST_F(NodeTableTest, AnMtimeThatStandsForACtimeMayGoBack) {
  Attributes first = changed_at(7), said = changed_at(6);
  first.ctime_is_mtime = said.ctime_is_mtime = true;
  const NodeRef node = look_up(root(), "a", first);
  EXPECT_TRUE(table_.update(*node, said));
  EXPECT_EQ(node->attributes.ctime.tv_sec, 6);
}

TEST_F(NodeTableTest, AnAnswerThatWasOvertakenByANewerOneChangesNothing) {
  Attributes early = file(2);
  Attributes late = file(2);
  late.asked = early.asked;  // both under way at once
  late.size = 7;
  const NodeRef node = look_up(root(), "a", late);
  EXPECT_TRUE(table_.update(*node, early));
  EXPECT_EQ(node->attributes.size, 7U);
}

TEST_F(NodeTableTest, WhatWasMadeUpIsCorrectedByTheServer) {
  Attributes guess = device(0);
  guess.asked = guess.heard = 0;
  const NodeRef node = look_up(root(), "a", guess);
  EXPECT_TRUE(table_.update(*node, device(0x102)));
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

/// The directory's list views it where it is: if links moved, each new one would mean to put all of
/// them into their lists anew.
TEST_F(NodeTableTest, ALinkStaysWhereItIsWhenOthersComeAndGo) {
  constexpr int kLinks = 1000;
  const NodeRef node = look_up(root(), "a", file(2, kLinks));
  const Node::Link* const first = &node->link();
  for (int number = 0; number < kLinks; ++number)
    table_.add_link(*node, root(), std::to_string(number));
  EXPECT_EQ(&node->link(), first);
  table_.prefer_link(*node, root(), "500");
  const Node::Link* const preferred = &node->link();
  EXPECT_NE(preferred, first);
  EXPECT_EQ(preferred->name, "500");
  for (int number = 0; number < kLinks; number += 3)
    table_.unlink(root(), std::to_string(number));
  EXPECT_EQ(&node->link(), preferred);
  table_.unlink(root(), "500");
  EXPECT_EQ(&node->link(), first);
}

TEST_F(NodeTableTest, TheOldestLinkIsTheOneToWalkBy) {
  const NodeRef node = look_up(root(), "a", file(2, 5));
  for (const char* name : {"b", "c"})
    table_.add_link(*node, root(), name);
  EXPECT_EQ(node->link().name, "a");
  table_.unlink(root(), "a");
  EXPECT_EQ(node->link().name, "b");
  table_.add_link(*node, root(), "d");
  table_.unlink(root(), "b");
  EXPECT_EQ(node->link().name, "c");
  table_.unlink(root(), "c");
  EXPECT_EQ(node->link().name, "d");
  EXPECT_FALSE(node->has_several_links());
}

TEST_F(NodeTableTest, FidsAreWalkedByTheNameThatIsPreferred) {
  const NodeRef node = look_up(root(), "a", file(2, 5));
  for (const char* name : {"b", "c"})
    table_.add_link(*node, root(), name);
  const auto epoch = node->path_epoch;
  table_.prefer_link(*node, root(), "c");
  EXPECT_EQ(node->link().name, "c");
  EXPECT_NE(node->path_epoch, epoch) << "who walks just now must do so again";
  for (const char* name : {"a", "b", "c"})
    EXPECT_EQ(root().child(name), &*node) << name;
  table_.prefer_link(*node, root(), "none");
  table_.unlink(root(), "c");
  EXPECT_EQ(node->link().name, "a");
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
        const Attributes said = path % 3 == 0 ? directory(path) : file(path, 1 + pick(2));
        const NodeRef twin = said.nlink > 1 ? table_.twin_of(*where, name, said, {}) : NodeRef();
        const NodeRef node = table_.remember(*where, name, said, twin ? &*twin : nullptr);
        table_.looked_up(*node);
        told.push_back(node->id());
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
