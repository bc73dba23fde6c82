// SPDX-License-Identifier: MIT
// The verbs of 9P2000 and 9P2000.u on the wire: what is asked, and what a caller gets.
#include "src/client.hpp"
#include "src/setattr.hpp"
#include "tests/support/peer.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <gmock/gmock.h>

#include <sys/stat.h>

#include <cerrno>
#include <deque>
#include <optional>

namespace fuse9p {
namespace {

using proto::Dialect;
using test::Peer;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::SizeIs;

IdNames names() {
  IdNames names(99, 98);
  names.add_user("glenda", 1000);
  names.add_group("sys", 3);
  return names;
}

/// A message with all its fields, when those that say nothing are left out.
std::string full(std::string_view text) {
  const auto frame = proto::from_text(text, Dialect::legacy);
  return proto::to_text({frame->data(), frame->size()}, Dialect::legacy);
}

class VerbsTest : public ::testing::Test {
 protected:
  explicit VerbsTest(Dialect dialect) : peer_(io_, dialect) {}
  ~VerbsTest() override {
    client_.connection().close(proto::Error::connection_lost, "the test is over");
    peer_.run();
  }

  /// Runs a verb; its outcome is in the optional once it is there. interrupt() is for the last one.
  template <class T>
  std::shared_ptr<std::optional<T>> start(awaitable<T> verb) {
    auto outcome = std::make_shared<std::optional<T>>();
    boost::asio::co_spawn(io_, store(std::move(verb), outcome),
                          boost::asio::bind_cancellation_slot(
                              interrupts_.emplace_back().slot(),
                              [](const std::exception_ptr& error) { EXPECT_EQ(error, nullptr); }));
    peer_.run();
    return outcome;
  }
  void interrupt() {
    interrupts_.back().emit(boost::asio::cancellation_type::total);
    peer_.run();
  }
  FidHandle clone() {
    auto cloned = start(client_.clone(client_.root()));
    EXPECT_EQ(peer_.next(), "Twalk tag 0 fid 0 newfid 1 wname");
    peer_.say("Rwalk tag 0 qid");
    return std::move(***cloned);
  }
  OpenFile open_directory() {
    auto opened = start(client_.open(clone(), 0200000));
    EXPECT_EQ(peer_.next(), "Topen tag 1 fid 1 mode 0x0");
    peer_.say("Ropen tag 1 qid (0x7 0 0x80) iounit 0");
    return std::move(***opened);
  }
  error_code setattr(std::uint32_t valid, proto::Tsetattr changes) {
    changes.fid = client_.root();
    changes.valid = valid;
    const auto done = start(client_.setattr(changes));
    return done->value_or(as_error(EINPROGRESS));
  }
  static error_code as_error(int number) { return {number, proto::server_category()}; }

  template <class T>
  static awaitable<void> store(awaitable<T> verb, std::shared_ptr<std::optional<T>> outcome) {
    co_await boost::asio::this_coro::reset_cancellation_state(
        boost::asio::enable_total_cancellation());
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    outcome->emplace(co_await std::move(verb));
  }

  boost::asio::io_context io_{1};
  Peer peer_;
  std::deque<boost::asio::cancellation_signal> interrupts_;
  Client client_{io_,    peer_.established(), {}, {.lost = [](const std::string&) {}}, nullptr,
                 names()};
};

class LegacyVerbs : public VerbsTest {
 protected:
  LegacyVerbs() : VerbsTest(Dialect::legacy) {}
};
class ExtendedVerbs : public VerbsTest {
 protected:
  ExtendedVerbs() : VerbsTest(Dialect::u) {}
};

// ---- what there is

TEST_F(LegacyVerbs, TheSessionSaysWhatItCannotDo) {
  const Capabilities& session = client_.capabilities();
  EXPECT_FALSE(session.symlinks || session.hard_links || session.special_files || session.xattrs ||
               session.locks || session.rename_across_directories || session.unix_permissions ||
               session.numeric_users);
  EXPECT_TRUE(session.synthetic_files);
}

TEST_F(LegacyVerbs, WhatThereAreNoWordsForIsRefusedWithoutAMessage) {
  const proto::Fid root = client_.root();
  EXPECT_EQ((*start(client_.symlink(root, "a", "b", 0)))->error(), as_error(EPERM));
  EXPECT_EQ((*start(client_.mknod(root, "a", S_IFIFO | 0600, 0, 0, 0)))->error(), as_error(EPERM));
  EXPECT_EQ(**start(client_.link(root, root, "a")), as_error(EPERM));
  EXPECT_EQ((*start(client_.readlink(root)))->error(), as_error(EINVAL));
  EXPECT_EQ((*start(client_.lock(root, {})))->error(), as_error(EOPNOTSUPP));
  EXPECT_EQ((*start(client_.attach(4711)))->error(), as_error(EACCES));
  EXPECT_THAT(peer_.all(), IsEmpty());
}

TEST_F(LegacyVerbs, AUserIsAttachedByName) {
  const auto attached = start(client_.attach(1000));
  EXPECT_EQ(peer_.next(), "Tattach tag 0 fid 1 afid 4294967295 uname glenda aname /tree");
  peer_.say("Rattach tag 0 qid (0x7 0 0x80)");
  EXPECT_TRUE((*attached)->has_value());
}

TEST_F(ExtendedVerbs, AUserIsAttachedByNameAndNumber) {
  const auto attached = start(client_.attach(1000));
  EXPECT_EQ(peer_.next(),
            "Tattach tag 0 fid 1 afid 4294967295 uname glenda aname /tree n_uname 1000");
  peer_.say("Rattach tag 0 qid (0x7 0 0x80)");
  EXPECT_TRUE((*attached)->has_value());
}

// ---- attributes

TEST_F(LegacyVerbs, GetattrIsStat) {
  const auto got = start(client_.getattr(client_.root()));
  EXPECT_EQ(peer_.next(), "Tstat tag 0 fid 0");
  peer_.say(
      "Rstat tag 0 stat (type 0 dev 0 qid (0x6 5 0x0) mode 07644 atime 1 mtime 2 length 513 "
      "name a uid glenda gid sys muid glenda)");
  const Attributes& attributes = *got->value();
  EXPECT_EQ(attributes.mode, S_IFREG | 0644U);  // 9P2000 has no bits above these
  EXPECT_EQ(attributes.uid, 1000U);
  EXPECT_EQ(attributes.gid, 3U);
  EXPECT_EQ(attributes.size, 513U);
  EXPECT_EQ(attributes.blocks, 2U);
  EXPECT_EQ(attributes.nlink, 1U);
  EXPECT_EQ(attributes.atime.tv_sec, 1);
  EXPECT_EQ(attributes.mtime.tv_sec, 2);
  EXPECT_EQ(attributes.ctime.tv_sec, 2);
}

TEST_F(LegacyVerbs, ChmodKeepsTheBitsThatMakeTheFileWhatItIs) {
  setattr(setattr_valid::kMode, {.mode = S_IFREG | 0600});
  EXPECT_EQ(peer_.next(), "Tstat tag 0 fid 0");
  peer_.say("Rstat tag 0 stat (mode 010000000644 name a uid glenda gid sys)");
  EXPECT_EQ(peer_.next(), full("Twstat tag 1 fid 0 stat (mode 010000000600)"));
  peer_.say("Rwstat tag 1");
}

TEST_F(LegacyVerbs, AFileIsGivenToNobodyElse) {
  const auto done =
      start(client_.setattr({.fid = client_.root(), .valid = setattr_valid::kUid, .uid = 1}));
  peer_.next();
  peer_.say("Rstat tag 0 stat (mode 0644 name a uid glenda gid sys)");
  EXPECT_EQ(**done, as_error(EPERM));
  EXPECT_THAT(peer_.all(), IsEmpty());
}

TEST_F(LegacyVerbs, WhoeverOwnsItAlreadyMayBeGivenIt) {
  const auto done = start(client_.setattr({.fid = client_.root(),
                                           .valid = setattr_valid::kUid | setattr_valid::kGid,
                                           .uid = 1000,
                                           .gid = 3}));
  peer_.next();
  peer_.say("Rstat tag 0 stat (mode 0644 name a uid glenda gid sys)");
  EXPECT_EQ(**done, error_code());
  EXPECT_THAT(peer_.all(), IsEmpty());
}

TEST_F(LegacyVerbs, AGroupGoesByName) {
  start(client_.setattr({.fid = client_.root(), .valid = setattr_valid::kGid, .gid = 3}));
  peer_.next();
  peer_.say("Rstat tag 0 stat (mode 0644 name a uid glenda gid other)");
  EXPECT_EQ(peer_.next(), full("Twstat tag 1 fid 0 stat (gid sys)"));
}

TEST_F(LegacyVerbs, LengthAndTimeAreAskedForAtOnce) {
  setattr(setattr_valid::kSize | setattr_valid::kMtime | setattr_valid::kMtimeSet,
          {.size = 10, .mtime_sec = 5, .mtime_nsec = 7});
  EXPECT_EQ(peer_.next(), full("Twstat tag 0 fid 0 stat (mtime 5 length 10)"));
}

TEST_F(LegacyVerbs, AnAccessTimeCannotBeSetAndIsNoReasonToFail) {
  EXPECT_EQ(setattr(setattr_valid::kAtime | setattr_valid::kAtimeSet, {.atime_sec = 5}),
            error_code());
  EXPECT_THAT(peer_.all(), IsEmpty());
}

TEST_F(LegacyVerbs, FsyncTouchesNothing) {
  const auto done = start(client_.fsync(client_.root(), false));
  EXPECT_EQ(peer_.next(), full("Twstat tag 0 fid 0 stat ()"));
  peer_.say("Rerror tag 0 ename 'wstat prohibited'");
  EXPECT_EQ(**done, error_code());
}

TEST_F(LegacyVerbs, AFailedFsyncIsTold) {
  const auto done = start(client_.fsync(client_.root(), false));
  peer_.next();
  peer_.say("Rerror tag 0 ename 'i/o error'");
  EXPECT_EQ(**done, as_error(EIO));
}

// ---- opening

TEST_F(LegacyVerbs, TruncationGoesWithTheOpenAndAppendingDoesNot) {
  start(client_.open(clone(), 01 | 01000 | 02000));
  EXPECT_EQ(peer_.next(), "Topen tag 1 fid 1 mode 0x11");
}

TEST_F(ExtendedVerbs, AppendingGoesWithTheOpen) {
  start(client_.open(clone(), 01 | 02000));
  EXPECT_EQ(peer_.next(), "Topen tag 1 fid 1 mode 0x81");
}

TEST_F(LegacyVerbs, CreateMakesANewFileOfTheDirectorysFid) {
  const auto made = start(client_.create(clone(), "a", 0102, 0640, 0));
  EXPECT_EQ(peer_.next(), "Tcreate tag 1 fid 1 name a perm 0640 mode 0x2");
  peer_.say("Rcreate tag 1 qid (0x9 1 0x0) iounit 100");
  EXPECT_EQ((*made)->value().fid.fid(), proto::Fid{1});
  EXPECT_EQ((*made)->value().iounit, 100U);
}

TEST_F(LegacyVerbs, CreateOpensWhatIsThereUnlessItMustBeNew) {
  const auto made = start(client_.create(clone(), "a", 01101, 0640, 0));
  EXPECT_EQ(peer_.next(), "Tcreate tag 1 fid 1 name a perm 0640 mode 0x1");
  peer_.say("Rerror tag 1 ename 'the name is taken'");
  EXPECT_EQ(peer_.next(), "Twalk tag 2 fid 1 newfid 2 wname a");
  peer_.say("Rwalk tag 2 qid (0x9 1 0x0)");
  EXPECT_EQ(peer_.next(), "Topen tag 3 fid 2 mode 0x11");
  peer_.say("Ropen tag 3 qid (0x9 1 0x0) iounit 0");
  EXPECT_EQ((*made)->value().fid.fid(), proto::Fid{2});
  EXPECT_EQ(peer_.next(), "Tclunk tag 4 fid 1");
}

TEST_F(LegacyVerbs, AnExclusiveCreateIsRefusedWhenTheNameIsTaken) {
  const auto made = start(client_.create(clone(), "a", 0301, 0640, 0));
  peer_.next();
  peer_.say("Rerror tag 1 ename 'file already exists'");
  EXPECT_EQ((*made)->error(), as_error(EEXIST));
  EXPECT_EQ(peer_.next(), "Tclunk tag 2 fid 1");
}

TEST_F(LegacyVerbs, ACreateThatIsNotAllowedSaysSo) {
  const auto made = start(client_.create(clone(), "a", 0101, 0640, 0));
  peer_.next();
  peer_.say("Rerror tag 1 ename 'permission denied'");
  EXPECT_EQ(peer_.next(), "Twalk tag 2 fid 1 newfid 2 wname a");
  peer_.say("Rerror tag 2 ename 'file does not exist'");
  EXPECT_EQ((*made)->error(), as_error(EACCES));
}

TEST_F(LegacyVerbs, WhatFitsIntoOneMessageGoesInOne) {
  const OpenFile file{clone(), {}, 0};
  constexpr std::size_t kMost = 65536 - 24;  // no multiple of a page
  auto memory = std::make_shared<std::byte[]>(kMost);
  const std::span<std::byte> bytes(memory.get(), kMost);
  start(client_.write(file, 0, {memory, bytes}, WriteMode::in_order));
  EXPECT_THAT(peer_.next(), ::testing::StartsWith("Twrite tag 1 fid 1 offset 0 data"));
  peer_.say("Rwrite tag 1 count 65512");
  EXPECT_THAT(peer_.all(), IsEmpty());
  start(client_.read(file, 0, {memory, bytes}, ReadMode::stream, std::nullopt));
  EXPECT_EQ(peer_.next(), "Tread tag 2 fid 1 offset 0 count 65512");
}

// ---- names

TEST_F(LegacyVerbs, MkdirCreatesByACloneAndGivesItBack) {
  const auto made = start(client_.mkdir(client_.root(), "d", 0755, 0));
  EXPECT_EQ(peer_.next(), "Twalk tag 0 fid 0 newfid 1 wname");
  peer_.say("Rwalk tag 0 qid");
  EXPECT_EQ(peer_.next(), "Tcreate tag 1 fid 1 name d perm 020000000755 mode 0x0");
  peer_.say("Rcreate tag 1 qid (0x9 1 0x80) iounit 0");
  EXPECT_EQ((*made)->value().path, 9U);
  EXPECT_EQ(peer_.next(), "Tclunk tag 2 fid 1");
}

TEST_F(ExtendedVerbs, LinksAndDevicesAreCreatesWithAnExtension) {
  int tag = 0;
  // What comes behind the fid.
  const auto create = [&](auto verb) {
    start(std::move(verb));
    peer_.next();
    peer_.say("Rwalk tag " + std::to_string(tag++) + " qid");
    const std::string message = peer_.next();
    peer_.say("Rerror tag " + std::to_string(tag++) + " ename no errno 1");
    peer_.next();
    peer_.say("Rclunk tag " + std::to_string(tag++));
    return message.substr(message.find("name"));
  };
  const proto::Fid root = client_.root();
  EXPECT_EQ(create(client_.symlink(root, "l", "to", 0)),
            "name l perm 0200000777 mode 0x0 extension to");
  EXPECT_EQ(create(client_.mknod(root, "p", S_IFIFO | 0600, 0, 0, 0)),
            "name p perm 010000600 mode 0x0 extension ''");
  EXPECT_EQ(create(client_.mknod(root, "n", S_IFCHR | 0600, 1, 3, 0)),
            "name n perm 040000600 mode 0x0 extension 'c 1 3'");
  EXPECT_EQ(create(client_.link(root, root, "h")), "name h perm 0100000000 mode 0x0 extension 0");
}

TEST_F(LegacyVerbs, RemovingChecksTheTypeFirst) {
  const auto done = start(client_.unlink(client_.root(), "d", false));
  EXPECT_EQ(peer_.next(), "Twalk tag 0 fid 0 newfid 1 wname d");
  peer_.say("Rwalk tag 0 qid (0x9 1 0x80)");
  EXPECT_EQ(**done, as_error(EISDIR));
  EXPECT_EQ(peer_.next(), "Tclunk tag 1 fid 1");
}

TEST_F(LegacyVerbs, RenameIsANewNameByWstat) {
  const auto done = start(client_.rename(client_.root(), "a", client_.root(), "b"));
  EXPECT_EQ(peer_.next(), "Twalk tag 0 fid 0 newfid 1 wname a");
  peer_.say("Rwalk tag 0 qid (0x9 1 0x0)");
  EXPECT_EQ(peer_.next(), full("Twstat tag 1 fid 1 stat (name b)"));
  peer_.say("Rwstat tag 1");
  EXPECT_EQ(**done, error_code());
}

TEST_F(LegacyVerbs, WhatHasTheNewNameIsRemovedWhenTheServerMinds) {
  const auto done = start(client_.rename(client_.root(), "a", client_.root(), "b"));
  peer_.next();
  peer_.say("Rwalk tag 0 qid (0x9 1 0x0)");
  peer_.next();
  peer_.say("Rerror tag 1 ename 'file already exists'");
  EXPECT_EQ(peer_.next(), "Twalk tag 2 fid 0 newfid 2 wname b");
  peer_.say("Rwalk tag 2 qid (0x8 1 0x0)");
  EXPECT_EQ(peer_.next(), "Tstat tag 3 fid 1");
  peer_.say("Rstat tag 3 stat (qid (0x9 1 0x0) mode 0644 name a uid glenda gid sys)");
  EXPECT_EQ(peer_.next(), "Tremove tag 4 fid 2");
  peer_.say("Rremove tag 4");
  EXPECT_EQ(peer_.next(), full("Twstat tag 5 fid 1 stat (name b)"));
  peer_.say("Rwstat tag 5");
  EXPECT_EQ(**done, error_code());
}

TEST_F(LegacyVerbs, AFileIsNotRemovedToMakeWayForItself) {
  const auto done = start(client_.rename(client_.root(), "a", client_.root(), "A"));
  peer_.next();
  peer_.say("Rwalk tag 0 qid (0x9 1 0x0)");
  peer_.next();
  peer_.say("Rerror tag 1 ename 'file already exists'");
  peer_.next();
  peer_.say("Rwalk tag 2 qid (0x9 1 0x0)");
  peer_.next();
  peer_.say("Rstat tag 3 stat (qid (0x9 1 0x0) mode 0644 name a uid glenda gid sys)");
  EXPECT_EQ(**done, as_error(EEXIST));
}

TEST_F(LegacyVerbs, ADirectoryDoesNotMakeWayForAFile) {
  const auto done = start(client_.rename(client_.root(), "a", client_.root(), "d"));
  peer_.next();
  peer_.say("Rwalk tag 0 qid (0x9 1 0x0)");
  peer_.next();
  peer_.say("Rerror tag 1 ename 'file already exists'");
  peer_.next();
  peer_.say("Rwalk tag 2 qid (0x8 1 0x80)");
  peer_.next();
  peer_.say("Rstat tag 3 stat (qid (0x9 1 0x0) mode 0644 name a uid glenda gid sys)");
  EXPECT_EQ(**done, as_error(EISDIR));
}

// ---- directories

/// A stat record as it stands in a directory.
std::string record(std::string_view name, std::uint64_t path) {
  const auto frame =
      proto::from_text("Rstat tag 0 stat (type 0 dev 0 qid (" + std::to_string(path) +
                           " 1 0x0) mode 0644 atime 1 mtime 2 length 3 name " + std::string(name) +
                           " uid glenda gid sys muid glenda)",
                       Dialect::legacy);
  constexpr std::size_t kBefore = proto::kHeaderSize + 2;
  return {reinterpret_cast<const char*>(frame->data()) + kBefore, frame->size() - kBefore};
}

class DirectoryVerbs : public LegacyVerbs {
 protected:
  using Entries = result<std::vector<DirectoryEntry>>;

  std::shared_ptr<std::optional<Entries>> read(std::uint64_t cookie) {
    return start(reader_->read(cookie));
  }
  /// An Rread of those bytes.
  void say_data(int tag, const std::string& data) {
    proto::Bytes frame;
    const auto bytes = std::as_bytes(std::span(data));
    encode_frame(frame, proto::Tag(static_cast<std::uint16_t>(tag)), proto::Rread{bytes},
                 Dialect::legacy);
    peer_.say_bytes({frame.data(), frame.size()});
  }
  static std::vector<std::string> names_of(const std::optional<Entries>& entries) {
    std::vector<std::string> names;
    for (const DirectoryEntry& entry : entries->value())
      names.push_back(entry.name);
    return names;
  }

  OpenFile directory_ = open_directory();
  std::unique_ptr<DirectoryReader> reader_ = client_.directory_reader(directory_);
};

TEST_F(DirectoryVerbs, TheDotsAreOurs) {
  EXPECT_THAT(names_of(*read(0)), ElementsAre(".", ".."));
  EXPECT_THAT(names_of(*read(1)), ElementsAre(".."));
  EXPECT_THAT(peer_.all(), IsEmpty());
}

TEST_F(DirectoryVerbs, EntriesComeWithTheirAttributesAndOffsetsFollowEachOther) {
  const auto first = read(2);
  EXPECT_EQ(peer_.next(), "Tread tag 2 fid 1 offset 0 count 65512");
  const std::string data = record("a", 10) + record("b", 11);
  say_data(2, data);
  ASSERT_THAT(names_of(*first), ElementsAre("a", "b"));
  EXPECT_EQ((*first)->value()[1].cookie, 4U);
  EXPECT_EQ((*first)->value()[1].attributes->size, 3U);
  EXPECT_EQ((*first)->value()[1].attributes->qid.path, 11U);
  const auto second = read(4);
  EXPECT_EQ(peer_.next(),
            "Tread tag 3 fid 1 offset " + std::to_string(data.size()) + " count 65512");
  say_data(3, "");
  EXPECT_THAT((*second)->value(), IsEmpty());
}

TEST_F(DirectoryVerbs, WhatWasHandedOutJustBeforeIsKept) {
  const auto first = read(2);
  peer_.next();
  say_data(2, record("a", 10) + record("b", 11));
  EXPECT_THAT(names_of(*read(3)), ElementsAre("b"));
  EXPECT_THAT(peer_.all(), IsEmpty());
}

TEST_F(DirectoryVerbs, TheBeginningIsReadAnew) {
  read(2);
  peer_.next();
  say_data(2, record("a", 10));
  read(0);
  const auto again = read(2);
  EXPECT_EQ(peer_.next(), "Tread tag 3 fid 1 offset 0 count 65512");
  say_data(3, record("z", 10));
  EXPECT_THAT(names_of(*again), ElementsAre("z"));
}

TEST_F(DirectoryVerbs, AfterAnInterruptItIsReadFromTheBeginningUpToTheOldPlace) {
  read(2);
  peer_.next();
  say_data(2, record("a", 10));
  const auto interrupted = read(3);
  peer_.next();
  interrupt();
  EXPECT_EQ(peer_.next(), "Tflush tag 4 oldtag 3");
  peer_.say("Rflush tag 4");
  EXPECT_TRUE((*interrupted)->has_error());
  const auto again = read(3);
  EXPECT_THAT(peer_.next(), ::testing::HasSubstr("fid 1 offset 0 count 65512"));
  say_data(5, record("a", 10) + record("b", 11));
  EXPECT_THAT(names_of(*again), ElementsAre("b"));
}

TEST_F(DirectoryVerbs, BytesThatAreNoRecordsAreAnError) {
  const auto got = read(2);
  peer_.next();
  say_data(2, record("a", 10).substr(0, 20));
  EXPECT_EQ((*got)->error(), as_error(EIO));
}

}  // namespace
}  // namespace fuse9p
