// SPDX-License-Identifier: MIT
#include "fuse/paths.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <memory>
#include <optional>

namespace fuse9p::fs {
namespace {

Attributes attributes(std::uint64_t path, mode_t mode) {
  Attributes out;
  out.qid.path = path;
  out.mode = mode;
  out.nlink = 2;
  return out;
}

/// d has the files f and g and the directory e, whose file is below; c is beside d.
class PathsTest : public ::testing::Test {
 protected:
  template <class T>
  struct Asked {
    std::optional<result<T>> answer;
    boost::asio::cancellation_signal interrupt;
    bool got() const { return answer && answer->has_value(); }
    bool failed() const { return answer && answer->has_error(); }
    void end() { answer.reset(); }
  };
  using Passing = std::shared_ptr<Asked<Paths::Passage>>;
  using Closing = std::shared_ptr<Asked<Paths::Closure>>;

  /// What still waits comes to its end while there are nodes.
  ~PathsTest() override {
    for (const auto& end : ends_)
      end();
    run();
  }

  template <class T>
  std::shared_ptr<Asked<T>> ask(awaitable<result<T>> question) {
    auto asked = std::make_shared<Asked<T>>();
    boost::asio::co_spawn(io_, answer(std::move(question), asked),
                          boost::asio::bind_cancellation_slot(
                              asked->interrupt.slot(),
                              [](const std::exception_ptr& error) { EXPECT_EQ(error, nullptr); }));
    run();
    return asked;
  }
  template <class T>
  static awaitable<void> answer(awaitable<result<T>> question, std::shared_ptr<Asked<T>> asked) {
    co_await boost::asio::this_coro::reset_cancellation_state(
        boost::asio::enable_total_cancellation());
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    asked->answer.emplace(co_await std::move(question));
  }
  Passing pass(const NodeRef& node) { return ask(paths_.pass(node)); }
  Closing rename_d() { return ask(paths_.close(root_, "d", root_, "new")); }
  void end(auto& asked) {
    asked->end();
    run();
  }
  void run() {
    io_.restart();
    io_.poll();
  }
  NodeRef add(const NodeRef& parent, std::string_view name, mode_t type) {
    NodeRef node = nodes_.remember(*parent, name, attributes(++last_path_, type | 0755));
    nodes_.looked_up(*node);
    return node;
  }

  std::vector<std::function<void()>> ends_;
  std::uint64_t last_path_ = 1;
  boost::asio::io_context io_{1};
  NodeTable nodes_{attributes(1, S_IFDIR | 0755), [](Node&) {}};
  Paths paths_{io_, nodes_, std::chrono::hours(1)};
  NodeRef root_ = nodes_.find(kRootId);
  NodeRef c_ = add(root_, "c", S_IFDIR), d_ = add(root_, "d", S_IFDIR);
  NodeRef e_ = add(d_, "e", S_IFDIR), f_ = add(d_, "f", S_IFREG), g_ = add(d_, "g", S_IFREG);
  NodeRef below_ = add(e_, "below", S_IFREG);
};

TEST_F(PathsTest, RequestsDoNotWaitForEachOther) {
  const auto one = pass(below_);
  const auto other = pass(below_);
  EXPECT_TRUE(one->got() && other->got());
}

TEST_F(PathsTest, ARenameWaitsForARequestBelowAndGoesOnWhenItHasEnded) {
  auto request = pass(below_);
  const auto rename = rename_d();
  EXPECT_FALSE(rename->answer);
  EXPECT_EQ(paths_.waiting(), 1U);
  end(request);
  EXPECT_TRUE(rename->got());
}

TEST_F(PathsTest, ARenameWaitsForAllRequestsBelow) {
  auto one = pass(below_);
  auto other = pass(f_);
  auto same = pass(f_);
  const auto rename = rename_d();
  end(one);
  end(other);
  EXPECT_FALSE(rename->answer);
  end(same);
  EXPECT_TRUE(rename->got());
}

TEST_F(PathsTest, RequestsBelowWaitForTheEndOfARename) {
  auto rename = rename_d();
  ASSERT_TRUE(rename->got());
  const auto itself = pass(d_);
  const auto below = pass(below_);
  EXPECT_FALSE(itself->answer || below->answer);
  end(rename);
  EXPECT_TRUE(itself->got() && below->got());
}

TEST_F(PathsTest, RequestsElsewhereDoNotWait) {
  const auto rename = rename_d();
  EXPECT_TRUE(pass(c_)->got());
  EXPECT_TRUE(pass(root_)->got());
  const auto unlink = ask(paths_.close(d_, "f"));
  EXPECT_FALSE(unlink->answer);  // its directory is being moved
}

TEST_F(PathsTest, ARequestInTheDirectoryOfARemovalHoldsNobodyUp) {
  const auto create = pass(d_);
  const auto removal = ask(paths_.close(d_, "f"));
  EXPECT_TRUE(removal->got());
  EXPECT_TRUE(pass(g_)->got());
  EXPECT_FALSE(pass(f_)->answer);
}

TEST_F(PathsTest, ALookupOfANameWaitsForTheChangeOfItsFile) {
  auto removal = ask(paths_.close(d_, "f"));
  const auto lookup = ask(paths_.pass_to(d_, "f"));
  EXPECT_FALSE(lookup->answer);
  EXPECT_TRUE(ask(paths_.pass_to(d_, "g"))->got());
  end(removal);
  EXPECT_TRUE(lookup->got());
}

TEST_F(PathsTest, AChangeWaitsForALookupOfItsName) {
  auto lookup = ask(paths_.pass_to(d_, "f"));
  const auto removal = ask(paths_.close(d_, "f"));
  EXPECT_FALSE(removal->answer);
  end(lookup);
  EXPECT_TRUE(removal->got());
}

TEST_F(PathsTest, WhatIsReplacedIsClosedToo) {
  auto request = pass(g_);
  auto rename = ask(paths_.close(d_, "f", d_, "g"));
  EXPECT_FALSE(rename->answer);
  end(request);
  EXPECT_TRUE(rename->got());
  EXPECT_FALSE(pass(g_)->answer);
}

TEST_F(PathsTest, ManyRequestsDoNotStarveARename) {
  auto first = pass(below_);
  auto rename = rename_d();
  const auto later = pass(below_);
  EXPECT_FALSE(later->answer);
  end(first);
  EXPECT_TRUE(rename->got());
  EXPECT_FALSE(later->answer);
  end(rename);
  EXPECT_TRUE(later->got());
}

TEST_F(PathsTest, ManyRenamesDoNotStarveARequest) {
  auto first = rename_d();
  const auto request = pass(below_);
  first->end();
  const auto second = rename_d();  // at once
  EXPECT_TRUE(request->got());
  EXPECT_FALSE(second->answer);
}

TEST_F(PathsTest, ARequestThatTakesTooLongIsNotWaitedFor) {
  Paths impatient(io_, nodes_, std::chrono::milliseconds(0));
  const auto stuck = ask(impatient.pass(below_));
  const auto rename = ask(impatient.close(root_, "d"));
  io_.restart();
  io_.run();
  EXPECT_TRUE(rename->got());
}

TEST_F(PathsTest, AnInterruptedRenameLeavesTheWayOpen) {
  const auto request = pass(below_);
  const auto rename = rename_d();
  const auto later = pass(f_);
  rename->interrupt.emit(boost::asio::cancellation_type::total);
  run();
  EXPECT_TRUE(rename->failed());
  EXPECT_TRUE(later->got());
  EXPECT_EQ(paths_.waiting(), 0U);
}

TEST_F(PathsTest, AnInterruptedRequestWaitsNoMore) {
  auto rename = rename_d();
  const auto request = pass(below_);
  request->interrupt.emit(boost::asio::cancellation_type::total);
  run();
  EXPECT_TRUE(request->failed());
  end(rename);
  EXPECT_TRUE(rename_d()->got());  // nothing of it is left
}

TEST_F(PathsTest, AFileIsBelowTheDirectoriesOfAllItsNames) {
  nodes_.add_link(*f_, *c_, "second");
  auto rename = rename_d();
  EXPECT_FALSE(pass(f_)->answer);
  end(rename);
  rename = ask(paths_.close(root_, "c"));
  EXPECT_FALSE(pass(f_)->answer);
}

TEST_F(PathsTest, WhatNeedsTwoWaysHoldsNeitherWhileItWaits) {
  auto rename = rename_d();
  const auto link = ask(paths_.pass(f_, c_));
  EXPECT_FALSE(link->answer);
  EXPECT_TRUE(ask(paths_.close(root_, "c"))->got());
}

TEST_F(PathsTest, TwoRenamesIntoEachOtherComeToTheirEnds) {
  auto one = ask(paths_.close(root_, "c", d_, "c"));
  const auto other = ask(paths_.close(root_, "d", c_, "d"));
  EXPECT_TRUE(one->got());
  EXPECT_FALSE(other->answer);
  end(one);
  EXPECT_TRUE(other->got());
}

TEST_F(PathsTest, WhatMovesWhileItIsClosedIsOpenAgainWhereItIsThen) {
  auto rename = rename_d();
  const auto below = pass(below_);
  nodes_.rename(*root_, "d", *c_, "moved");
  end(rename);
  EXPECT_TRUE(below->got());
  EXPECT_FALSE(ask(paths_.close(root_, "c"))->answer);  // the request is below
}

}  // namespace
}  // namespace fuse9p::fs
