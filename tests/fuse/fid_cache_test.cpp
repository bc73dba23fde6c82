// SPDX-License-Identifier: MIT
#include "fuse/fid_cache.hpp"

#include "fuse/errno.hpp"
#include "tests/support/peer.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gmock/gmock.h>

#include <sys/stat.h>

#include <cerrno>

namespace fuse9p::fs {
namespace {

using test::Peer;
using ::testing::IsEmpty;

Attributes directory(std::uint64_t path) {
  Attributes out;
  out.qid = {proto::qid_type::kDir, 0, path};
  out.mode = S_IFDIR | 0755;
  return out;
}

Attributes file(std::uint64_t path) {
  Attributes out;
  out.qid = {0, 0, path};
  out.mode = S_IFREG | 0644;
  return out;
}

class FidCacheTest : public ::testing::Test {
 protected:
  using Outcome = std::shared_ptr<std::optional<result<FidLease>>>;

  Outcome acquire(const NodeRef& node, UserId user = UserId::mount) {
    auto outcome = std::make_shared<std::optional<result<FidLease>>>();
    boost::asio::co_spawn(io_, cache_.acquire(node, user),
                          [outcome](const std::exception_ptr&, result<FidLease> lease) {
                            outcome->emplace(std::move(lease));
                          });
    peer_.run();
    return outcome;
  }
  using OwnOutcome = std::shared_ptr<std::optional<result<FidHandle>>>;
  OwnOutcome own(const NodeRef& node) {
    auto outcome = std::make_shared<std::optional<result<FidHandle>>>();
    boost::asio::co_spawn(io_, cache_.own(node, UserId::mount),
                          [outcome](const std::exception_ptr&, result<FidHandle> fid) {
                            outcome->emplace(std::move(fid));
                          });
    peer_.run();
    return outcome;
  }
  void keep_spare(const NodeRef& node) {
    boost::asio::co_spawn(io_, cache_.keep_spare(node, UserId::mount), boost::asio::detached);
    peer_.run();
  }
  NodeRef look_up(Node& parent, std::string_view name, std::uint64_t path) {
    return look_up(parent, name, directory(path));
  }
  NodeRef look_up(Node& parent, std::string_view name, const Attributes& attributes) {
    NodeRef node = nodes_.remember(parent, name, attributes);
    nodes_.looked_up(*node);
    return node;
  }
  NodeRef root() { return nodes_.find(kRootId); }
  /// The root's own cached fid is fid 1.
  void cache_root() {
    const auto lease = acquire(root());
    EXPECT_EQ(peer_.next(), "Twalk tag 0 fid 0 newfid 1 wname");
    peer_.say("Rwalk tag 0 qid");
    ASSERT_TRUE(*lease);
  }

  boost::asio::io_context io_{1};
  Peer peer_{io_};
  Client client_{io_, peer_.established(), {}, {.lost = [](const std::string&) {}}};
  NodeTable nodes_{directory(1), [this](Node& node) { cache_.drop(node); }};
  FidCache cache_{nodes_, client_, 3};
};

TEST_F(FidCacheTest, AFidIsMadeByWalkingFromTheNearestAncestorThatHasOne) {
  cache_root();
  const NodeRef d = look_up(*root(), "d", 2);
  const NodeRef e = look_up(*d, "e", 3);
  const auto lease = acquire(e);
  EXPECT_EQ(peer_.next(), "Twalk tag 1 fid 1 newfid 2 wname d");
  peer_.say("Rwalk tag 1 qid (0x2 0 0x80)");
  EXPECT_EQ(peer_.next(), "Twalk tag 2 fid 2 newfid 3 wname e");
  peer_.say("Rwalk tag 2 qid (0x3 0 0x80)");
  ASSERT_TRUE(*lease);
  EXPECT_EQ((**lease)->fid(), proto::Fid{3});
}

TEST_F(FidCacheTest, ACachedFidCostsNoMessage) {
  cache_root();
  const auto again = acquire(root());
  ASSERT_TRUE(*again);
  EXPECT_THAT(peer_.all(), IsEmpty());
}

TEST_F(FidCacheTest, AnotherFileUnderTheNameIsStaleAndIsNotKept) {
  cache_root();
  const auto lease = acquire(look_up(*root(), "d", 2));
  EXPECT_EQ(peer_.next(), "Twalk tag 1 fid 1 newfid 2 wname d");
  peer_.say("Rwalk tag 1 qid (0x99 0 0x80)");
  ASSERT_TRUE(*lease);
  EXPECT_EQ((*lease)->error(), as_error(ESTALE));
  EXPECT_EQ(peer_.next(), "Tclunk tag 2 fid 2");
}

TEST_F(FidCacheTest, AWalkOvertakenByARenameIsBegunAnew) {
  cache_root();
  const auto lease = acquire(look_up(*root(), "d", 2));
  EXPECT_EQ(peer_.next(), "Twalk tag 1 fid 1 newfid 2 wname d");
  nodes_.rename(*root(), "d", *root(), "e");
  peer_.say("Rwalk tag 1 qid (0x2 0 0x80)");
  EXPECT_EQ(peer_.all(),
            (std::vector<std::string>{"Tclunk tag 2 fid 2", "Twalk tag 3 fid 1 newfid 3 wname e"}));
  peer_.say("Rwalk tag 3 qid (0x2 0 0x80)");
  ASSERT_TRUE(*lease);
  EXPECT_TRUE((*lease)->has_value());
}

TEST_F(FidCacheTest, EachUserHasAnAttachAndFidsOfItsOwn) {
  cache_root();
  const NodeRef node = look_up(*root(), "d", 2);
  const auto lease = acquire(node, UserId{1000});
  EXPECT_EQ(peer_.next(), "Tattach tag 1 fid 2 afid 4294967295 uname '' aname /tree n_uname 1000");
  peer_.say("Rattach tag 1 qid (0x1 0 0x80)");
  EXPECT_EQ(peer_.next(), "Twalk tag 2 fid 2 newfid 3 wname d");
  peer_.say("Rwalk tag 2 qid (0x2 0 0x80)");
  ASSERT_TRUE(*lease);
  EXPECT_TRUE((*lease)->has_value());
  EXPECT_FALSE(cache_.contains(*node, UserId::mount));
  EXPECT_EQ(cache_.holder(*node), UserId{1000});
  EXPECT_EQ(cache_.holder(*root()), UserId{1000});  // the other one had to go
}

TEST_F(FidCacheTest, AUserWhomTheServerDoesNotLetInHasNoAccess) {
  const auto lease = acquire(root(), UserId{1000});
  peer_.next();
  peer_.say("Rlerror tag 0 ecode 2");  // whatever it says
  ASSERT_TRUE(*lease);
  EXPECT_EQ((*lease)->error(), as_error(EACCES));
}

TEST_F(FidCacheTest, ANodesFidsAreDroppedForAllUsers) {
  cache_root();
  const NodeRef node = look_up(*root(), "d", 2);
  for (const std::uint32_t user : {1000U, 1001U})
    cache_.insert(*node, UserId{user}, FidHandle());
  EXPECT_EQ(cache_.size(), 3U);
  cache_.drop(*node);
  EXPECT_EQ(cache_.size(), 1U);
}

TEST_F(FidCacheTest, TheLeastRecentlyUsedFidGoesWhenThereAreTooMany) {
  cache_root();
  std::vector<NodeRef> nodes;
  for (std::uint64_t path = 2; path <= 4; ++path) {
    nodes.push_back(look_up(*root(), "d" + std::to_string(path), path));
    cache_.insert(*nodes.back(), UserId::mount, FidHandle());
  }
  EXPECT_EQ(cache_.size(), 3U);
  EXPECT_FALSE(cache_.contains(*root(), UserId::mount));  // used first, and not since
}

TEST_F(FidCacheTest, AFidInUseIsNotEvicted) {
  cache_root();
  const auto held = acquire(root());
  for (std::uint64_t path = 2; path <= 6; ++path)
    cache_.insert(*look_up(*root(), "d" + std::to_string(path), path), UserId::mount, FidHandle());
  EXPECT_TRUE(cache_.contains(*root(), UserId::mount));
}

TEST_F(FidCacheTest, WhenANodeGoesItsFidIsClunked) {
  cache_root();
  const NodeId id = look_up(*root(), "d", 2)->id();
  const auto lease = acquire(nodes_.find(id));
  peer_.next();
  peer_.say("Rwalk tag 1 qid (0x2 0 0x80)");
  lease->reset();
  nodes_.forget(id, 1);
  EXPECT_EQ(peer_.next(), "Tclunk tag 2 fid 2");
}

// ---- fids to be opened

TEST_F(FidCacheTest, AFileIsOpenedByTheFidThatItsLookupMade) {
  cache_root();
  const NodeRef node = look_up(*root(), "f", file(2));
  const auto lease = acquire(node);
  peer_.next();
  peer_.say("Rwalk tag 1 qid (0x2 0 0x0)");
  lease->reset();
  const auto fid = own(node);
  EXPECT_THAT(peer_.all(), IsEmpty());
  ASSERT_TRUE(*fid);
  EXPECT_EQ((**fid)->fid(), proto::Fid{2});
  EXPECT_FALSE(cache_.contains(*node, UserId::mount));
}

TEST_F(FidCacheTest, AFileWhoseFidIsInUseIsOpenedByAClone) {
  cache_root();
  const NodeRef node = look_up(*root(), "f", file(2));
  const auto lease = acquire(node);
  peer_.next();
  peer_.say("Rwalk tag 1 qid (0x2 0 0x0)");
  const auto fid = own(node);
  EXPECT_EQ(peer_.next(), "Twalk tag 2 fid 2 newfid 3 wname");
  peer_.say("Rwalk tag 2 qid");
  ASSERT_TRUE(*fid);
  EXPECT_EQ((**fid)->fid(), proto::Fid{3});
  EXPECT_TRUE(cache_.contains(*node, UserId::mount));
}

TEST_F(FidCacheTest, ADirectoryKeepsItsFidAndIsOpenedByAClone) {
  cache_root();
  const auto fid = own(root());
  EXPECT_EQ(peer_.next(), "Twalk tag 1 fid 1 newfid 2 wname");
  peer_.say("Rwalk tag 1 qid");
  ASSERT_TRUE(*fid);
  EXPECT_EQ((**fid)->fid(), proto::Fid{2});
  EXPECT_TRUE(cache_.contains(*root(), UserId::mount));
}

TEST_F(FidCacheTest, ASpareIsMadeForTheSecondWhoWantsOneAndCostsTheThirdNothing) {
  cache_root();
  keep_spare(root());
  EXPECT_THAT(peer_.all(), IsEmpty());
  keep_spare(root());
  EXPECT_EQ(peer_.next(), "Twalk tag 1 fid 1 newfid 2 wname");
  peer_.say("Rwalk tag 1 qid");
  const auto fid = own(root());
  EXPECT_THAT(peer_.all(), IsEmpty());
  ASSERT_TRUE(*fid);
  EXPECT_EQ((**fid)->fid(), proto::Fid{2});
}

TEST_F(FidCacheTest, ASpareGoesWithTheFidThatItWasClonedFrom) {
  cache_root();
  keep_spare(root());
  keep_spare(root());
  peer_.next();
  cache_.drop(*root());  // while it is being made
  peer_.say("Rwalk tag 1 qid");
  EXPECT_THAT(peer_.all(), ::testing::ElementsAre("Tclunk tag 2 fid 2", "Tclunk tag 3 fid 1"));
}

}  // namespace
}  // namespace fuse9p::fs
