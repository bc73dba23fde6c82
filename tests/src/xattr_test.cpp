// SPDX-License-Identifier: MIT
// Extended attributes: the conversations, and that none is left half done.
#include "src/xattr.hpp"

#include "tests/src/client_fixture.hpp"

#include <gmock/gmock.h>

#include <cerrno>

namespace fuse9p {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using XattrTest = test::ClientTest;

/// The value that a test sets.
proto::ConstBuffer bytes_of(std::string_view text) {
  auto memory = std::make_shared<std::string>(text);
  const auto bytes = std::as_bytes(std::span(*memory));
  return {std::move(memory), bytes};
}

std::string text_of(const xattr::Value& value) {
  const auto bytes = value.data.bytes;
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST_F(XattrTest, AnXattrIsReadToJustItsSizeAndClunked) {
  const auto value = start(xattr::get(client_, client_.root(), "user.a", 100));
  EXPECT_EQ(peer_.next(), "Txattrwalk tag 0 fid 0 newfid 1 name user.a");
  peer_.say("Rxattrwalk tag 0 size 5");
  EXPECT_EQ(peer_.next(), "Tread tag 1 fid 1 offset 0 count 5");
  peer_.say("Rread tag 1 data 'he'");
  EXPECT_EQ(peer_.next(), "Tread tag 2 fid 1 offset 2 count 3");
  peer_.say("Rread tag 2 data 'llo'");
  ASSERT_TRUE(*value && (*value)->has_value());
  EXPECT_EQ(text_of(***value), "hello");
  EXPECT_THAT(peer_.all(), ElementsAre("Tclunk tag 3 fid 1"));
}

TEST_F(XattrTest, TheSizeOfAnXattrIsKnownWithoutReadingIt) {
  const auto value = start(xattr::get(client_, client_.root(), "user.a", 0));
  peer_.next();
  peer_.say("Rxattrwalk tag 0 size 5");
  ASSERT_TRUE(*value && (*value)->has_value());
  EXPECT_EQ((**value)->size, 5U);
  EXPECT_THAT(peer_.all(), ElementsAre("Tclunk tag 1 fid 1"));
}

TEST_F(XattrTest, AnEmptyXattrIsNotRead) {
  const auto value = start(xattr::get(client_, client_.root(), "user.a", 100));
  peer_.next();
  peer_.say("Rxattrwalk tag 0 size 0");
  ASSERT_TRUE(*value && (*value)->has_value());
  EXPECT_EQ((**value)->size, 0U);
  EXPECT_THAT(peer_.all(), ElementsAre("Tclunk tag 1 fid 1"));
}

TEST_F(XattrTest, AnXattrThatIsNotThereLeavesNoFid) {
  const auto value = start(xattr::get(client_, client_.root(), "user.a", 0));
  peer_.next();
  peer_.say("Rlerror tag 0 ecode 61");
  ASSERT_TRUE(*value);
  EXPECT_EQ((*value)->error().value(), ENODATA);
  EXPECT_THAT(peer_.all(), IsEmpty());
  EXPECT_EQ(client_.fids_in_use(), 1U);
}

/// (size announced, room, errno): beyond Linux's bound whatever the server says, memory is not even
/// asked for.
TEST_F(XattrTest, AnXattrThatIsTooLargeIsNotRead) {
  int tag = 0;
  for (const auto& [size, most, error] : {std::tuple{6UL, 5UL, ERANGE},
                                          {65537UL, 100'000UL, E2BIG},
                                          {65537UL, 0UL, E2BIG},
                                          {1UL << 63, 65536UL, E2BIG}}) {
    const auto value = start(xattr::get(client_, client_.root(), "user.a", most));
    peer_.next();
    peer_.say("Rxattrwalk tag " + std::to_string(tag++) + " size " + std::to_string(size));
    ASSERT_TRUE(*value);
    EXPECT_EQ((*value)->error().value(), error) << size;
    const std::string clunk = std::to_string(tag++);
    EXPECT_THAT(peer_.all(), ElementsAre(HasSubstr("Tclunk tag " + clunk)));
    peer_.say("Rclunk tag " + clunk);
  }
}

TEST_F(XattrTest, AnXattrThatEndsBeforeItsSizeIsAnError) {
  const auto value = start(xattr::get(client_, client_.root(), "user.a", 100));
  peer_.next();
  peer_.say("Rxattrwalk tag 0 size 5");
  peer_.next();
  peer_.say("Rread tag 1 data 'hel'");
  peer_.next();
  peer_.say("Rread tag 2");
  ASSERT_TRUE(*value);
  EXPECT_EQ((*value)->error().value(), EIO);
}

TEST_F(XattrTest, AnXattrIsSetWhenItsFidIsClunked) {
  const auto set = start(xattr::set(client_, clone(), "user.a", bytes_of("hello"), 1));
  EXPECT_EQ(peer_.next(), "Txattrcreate tag 1 fid 1 name user.a attr_size 5 flags 1");
  peer_.say("Rxattrcreate tag 1");
  EXPECT_EQ(peer_.next(), "Twrite tag 2 fid 1 offset 0 data hello");
  peer_.say("Rwrite tag 2 count 5");
  EXPECT_THAT(peer_.all(), ElementsAre("Tclunk tag 3 fid 1"));
  EXPECT_FALSE(*set);
  peer_.say("Rclunk tag 3");
  ASSERT_TRUE(*set);
  EXPECT_FALSE(**set);
  EXPECT_EQ(client_.fids_in_use(), 1U);
}

TEST_F(XattrTest, TheErrorOfTheTclunkIsThatOfTheSetxattr) {
  const auto set = start(xattr::set(client_, clone(), "user.a", bytes_of("hello"), 1));
  peer_.next();
  peer_.say("Rxattrcreate tag 1");
  peer_.next();
  peer_.say("Rwrite tag 2 count 5");
  peer_.next();
  peer_.say("Rlerror tag 3 ecode 17");
  ASSERT_TRUE(*set);
  EXPECT_EQ((*set)->value(), EEXIST);
  EXPECT_THAT(peer_.all(), IsEmpty()) << "the fid is gone, whatever the server says";
  EXPECT_EQ(client_.fids_in_use(), 1U);
}

TEST_F(XattrTest, ALargeXattrIsWrittenOnePieceBehindTheOther) {
  const auto set = start(xattr::set(client_, clone(), "user.a", data(65712), 0));
  peer_.next();
  peer_.say("Rxattrcreate tag 1");
  EXPECT_THAT(peer_.all(), ElementsAre("Twrite tag 2 fid 1 offset 0 data <65512 bytes>"));
  peer_.say("Rwrite tag 2 count 65512");
  EXPECT_THAT(peer_.all(), ElementsAre("Twrite tag 3 fid 1 offset 65512 data <200 bytes>"));
  peer_.say("Rwrite tag 3 count 200");
  EXPECT_THAT(peer_.all(), ElementsAre("Tclunk tag 4 fid 1"));
}

TEST_F(XattrTest, AnXattrThatCannotBeCreatedIsGivenBack) {
  const auto set = start(xattr::set(client_, clone(), "user.a", bytes_of("hello"), 0));
  peer_.next();
  peer_.say("Rlerror tag 1 ecode 95");
  ASSERT_TRUE(*set);
  EXPECT_EQ((*set)->value(), EOPNOTSUPP);
  EXPECT_THAT(peer_.all(), ElementsAre("Tclunk tag 2 fid 1"));
}

/// Its Tclunk would set garbage.
TEST_F(XattrTest, AnXattrThatIsNotWholeIsNotClunked) {
  const auto set = start(xattr::set(client_, clone(), "user.a", bytes_of("hello"), 0));
  peer_.next();
  peer_.say("Rxattrcreate tag 1");
  peer_.next();
  peer_.say("Rlerror tag 2 ecode 28");
  ASSERT_TRUE(*set);
  EXPECT_EQ((*set)->value(), ENOSPC);
  EXPECT_THAT(peer_.all(), IsEmpty());
  EXPECT_EQ(client_.fids_in_use(), 2U) << "its number must not be used again";
}

TEST_F(XattrTest, AnXattrIsRemovedByOneOfSizeZero) {
  const auto removed = start(xattr::remove(client_, clone(), "user.a"));
  EXPECT_EQ(peer_.next(), "Txattrcreate tag 1 fid 1 name user.a attr_size 0 flags 2");
  peer_.say("Rxattrcreate tag 1");
  EXPECT_EQ(peer_.next(), "Tclunk tag 2 fid 1");
  EXPECT_FALSE(*removed);
  peer_.say("Rlerror tag 2 ecode 61");
  ASSERT_TRUE(*removed);
  EXPECT_EQ((*removed)->value(), ENODATA);
}

/// An interrupt at the Nth message of a setxattr that has begun.
class InterruptedSetxattr : public XattrTest, public ::testing::WithParamInterface<int> {};

TEST_P(InterruptedSetxattr, GoesOnToItsEnd) {
  const std::pair<std::string, std::string> talk[] = {
      {"Txattrcreate tag 1 fid 1 name user.a attr_size 5 flags 0", "Rxattrcreate tag 1"},
      {"Twrite tag 2 fid 1 offset 0 data hello", "Rwrite tag 2 count 5"},
      {"Tclunk tag 3 fid 1", "Rclunk tag 3"}};
  const auto set = start(xattr::set(client_, clone(), "user.a", bytes_of("hello"), 0));
  for (int step = 0; const auto& [message, answer] : talk) {
    EXPECT_EQ(peer_.next(), message);
    if (step++ == GetParam())
      interrupt();
    EXPECT_THAT(peer_.all(), IsEmpty()) << "nothing is flushed";
    peer_.say(answer);
  }
  ASSERT_TRUE(*set);
  EXPECT_FALSE(**set);
  EXPECT_EQ(client_.fids_in_use(), 1U);
}

INSTANTIATE_TEST_SUITE_P(, InterruptedSetxattr, ::testing::Values(0, 1, 2));

TEST_F(XattrTest, ASetxattrThatIsInterruptedBeforeItHasBegunSendsNothing) {
  const auto set = start([](Client& client) -> awaitable<error_code> {
    auto fid = co_await client.clone(client.root());
    co_return co_await xattr::set(client, std::move(*fid), "user.a", bytes_of("hello"), 0);
  }(client_));
  EXPECT_EQ(peer_.next(), "Twalk tag 0 fid 0 newfid 1 wname");
  interrupt();
  peer_.say("Rwalk tag 0 qid");
  ASSERT_TRUE(*set);
  EXPECT_EQ(**set, proto::Error::withdrawn);
  EXPECT_THAT(peer_.all(), ElementsAre("Tflush tag 1 oldtag 0", "Tclunk tag 2 fid 1"));
}

}  // namespace
}  // namespace fuse9p
