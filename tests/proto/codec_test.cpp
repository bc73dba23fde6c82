// SPDX-License-Identifier: MIT
#include "proto/codec.hpp"

#include "tests/support/message_spec.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/wire.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace fuse9p::proto {
namespace {

using test::Golden;
using test::hex;
using test::Kind;
using test::Value;
using test::wire;

constexpr std::array kDialects = {Dialect::legacy, Dialect::u, Dialect::l};

const test::Spec& spec() {
  static const test::Spec read = test::read_spec(FUSE9P_SOURCE_DIR "/tests/wire/messages.spec");
  return read;
}

Dialect dialect_of(std::string_view name) {
  for (const Dialect dialect : kDialects)
    if (version_string(dialect) == name)
      return dialect;
  throw std::invalid_argument(std::string(name));
}

template <class Visit>
void for_each_message(Visit&& visit) {
  boost::mp11::mp_for_each<boost::mp11::mp_transform<std::type_identity, AllMessages>>(
      [&](auto identity) { visit(identity); });
}

/// Calls `visit(std::type_identity<T>{})` for the T of that name.
template <class Visit>
void with_message(std::string_view name, Visit&& visit) {
  bool found = false;
  for_each_message([&](auto identity) {
    using T = typename decltype(identity)::type;
    if (T::kName == name) {
      found = true;
      visit(identity);
    }
  });
  EXPECT_TRUE(found) << "no struct for " << name;
}

ByteView view(const std::string& bytes) {
  return std::as_bytes(std::span(bytes));
}

/// What decode() takes, in a block of its own: a read beyond it is one that a sanitizer sees.
std::vector<std::byte> body_of(ByteView frame) {
  std::vector<std::byte> body(frame.begin() + kHeaderSize, frame.end());
  body.shrink_to_fit();
  return body;
}

template <class T>
error_code decode_error(const std::vector<std::byte>& frame, Dialect dialect,
                        Leftover leftover = Leftover::refuse) {
  const std::vector<std::byte> body = body_of(frame);
  const auto message = decode<T>(body, dialect, leftover);
  return message ? error_code() : message.error();
}

// ---- messages.spec against messages.hpp

/// Our field list as the spec would write it.
template <class T>
std::string in_spec_notation(Dialect dialect) {
  std::string line;
  for_each_field<T>(dialect, [&](const auto& field) {
    using Type = typename std::remove_cvref_t<decltype(field)>::value_type;
    const std::string name(field.name);
    if constexpr (std::is_same_v<Type, Qid>)
      line += ' ' + name + "[13]";
    else if constexpr (std::is_same_v<Type, std::string_view>)
      line += ' ' + name + "[s]";
    else if constexpr (std::is_same_v<Type, Names>)
      line += " n" + name + "[2] n" + name + "*(" + name + "[s])";
    else if constexpr (std::is_same_v<Type, Qids>)
      line += " nw" + name + "[2] nw" + name + "*(" + name + "[13])";
    else if constexpr (std::is_same_v<Type, Data>)
      line += " count[4] " + name + "[count]";
    else if constexpr (std::is_same_v<Type, Stat>)
      line += ' ' + name + "[n]";
    else
      line += ' ' + name + '[' + std::to_string(sizeof(Type)) + ']';
  });
  return line;
}

TEST(MessagesSpec, NamesExactlyOurMessages) {
  std::set<std::string> theirs, ours;
  for (const auto& message : spec().messages)
    theirs.insert(message.name);
  for_each_message([&](auto identity) { ours.emplace(decltype(identity)::type::kName); });
  EXPECT_EQ(ours, theirs);
}

TEST(MessagesSpec, HasEachMessageOnceInADialect) {
  std::set<std::string> seen;
  for (const auto& message : spec().messages)
    EXPECT_TRUE(seen.insert(message.name + ' ' + message.dialect).second) << message.line;
}

TEST(MessagesSpec, LinesAreOurFieldLists) {
  for (const auto& message : spec().messages)
    with_message(message.name, [&](auto identity) {
      using T = typename decltype(identity)::type;
      EXPECT_EQ(
          "size[4] " + message.name + " tag[2]" + in_spec_notation<T>(dialect_of(message.dialect)),
          message.line)
          << message.dialect;
    });
}

TEST(MessagesSpec, StatRecordIsOurFieldList) {
  ASSERT_EQ(spec().stat.size(), 2U);
  for (const auto& [dialect, record] : spec().stat)
    EXPECT_EQ("stat: size[2]" + in_spec_notation<Stat>(dialect_of(dialect)), record.line);
}

TEST(MessagesSpec, TypeNumbersAreTheManuals) {
  for (const auto& message : spec().messages)
    with_message(message.name, [&](auto identity) {
      using T = typename decltype(identity)::type;
      EXPECT_EQ(to_int(T::kType), test::type_number(message.name)) << message.name;
    });
}

// Two members taken for each other would pass every test that goes through the list. All structs
// declare their members in wire order.
TEST(Messages, FieldListsNameTheMembersInTheirOrder) {
  const auto expect_ascending = [](const auto& message, std::string_view name) {
    const void* last = nullptr;
    for_each_field<std::remove_cvref_t<decltype(message)>>(Dialect::u, [&](const auto& field) {
      const void* member = &(message.*field.member);
      EXPECT_TRUE(std::less<>{}(last, member)) << name << ' ' << field.name;
      last = member;
    });
  };
  for_each_message([&](auto identity) {
    using T = typename decltype(identity)::type;
    expect_ascending(T{}, T::kName);
  });
  expect_ascending(Stat{}, "Stat");
}

TEST(Messages, ReplyOfARequestIsTheNextNumber) {
  std::size_t requests = 0;
  for_each_message([&](auto identity) {
    using T = typename decltype(identity)::type;
    EXPECT_EQ(is_request(T::kType), T::kName.front() == 'T') << T::kName;
    EXPECT_EQ(Request<T>, is_request(T::kType)) << T::kName;
    if constexpr (Request<T>) {
      ++requests;
      EXPECT_EQ(reply_of_t<T>::kType, reply_type(T::kType)) << T::kName;
      EXPECT_EQ(reply_of_t<T>::kName.substr(1), T::kName.substr(1));
    }
  });
  EXPECT_EQ(requests, 32U);
}

TEST(Messages, VisitTypeFindsEachNumberAndNoOther) {
  std::set<int> known;
  for (const auto& message : spec().messages)
    known.insert(test::type_number(message.name));
  for (int number = 0; number < 256; ++number) {
    int visited = -1;
    const bool found = visit_type(static_cast<MessageType>(number), [&](auto identity) {
      visited = to_int(decltype(identity)::type::kType);
    });
    EXPECT_EQ(found, known.contains(number)) << number;
    EXPECT_EQ(visited, found ? number : -1);
  }
}

// ---- golden frames

template <class T>
requires std::is_unsigned_v<T>
void expect_value(const Value& want, T got) {
  EXPECT_EQ(want.field.kind, Kind::integer);
  EXPECT_EQ(want.field.size, sizeof got);
  EXPECT_EQ(want.number, got);
}
void expect_value(const Value& want, Tag got) {
  expect_value(want, to_int(got));
}
void expect_value(const Value& want, Fid got) {
  expect_value(want, to_int(got));
}
void expect_qid(const test::GoldenQid& want, const Qid& got) {
  EXPECT_EQ(want.type, got.type);
  EXPECT_EQ(want.version, got.version);
  EXPECT_EQ(want.path, got.path);
}
void expect_value(const Value& want, const Qid& got) {
  ASSERT_EQ(want.field.kind, Kind::qid);
  expect_qid(want.qids.front(), got);
}
void expect_value(const Value& want, std::string_view got) {
  EXPECT_EQ(want.field.kind, Kind::string);
  EXPECT_EQ(want.text, got);
}
void expect_value(const Value& want, const Names& got) {
  EXPECT_EQ(want.field.kind, Kind::strings);
  EXPECT_THAT(got, testing::ElementsAreArray(want.strings));
}
void expect_value(const Value& want, const Qids& got) {
  EXPECT_EQ(want.field.kind, Kind::qids);
  ASSERT_EQ(want.qids.size(), got.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    expect_qid(want.qids[i], got[i]);
}
void expect_value(const Value& want, Data got) {
  EXPECT_EQ(want.field.kind, Kind::data);
  EXPECT_EQ(hex(want.text), hex(got));
}
void expect_value(const Value& want, const Stat& got);

template <class T>
void expect_values(const std::vector<Value>& want, const T& got, Dialect dialect) {
  std::size_t at = 0;
  for_each_field<T>(dialect, [&](const auto& field) {
    ASSERT_LT(at, want.size());
    SCOPED_TRACE(field.name);
    EXPECT_EQ(want[at].field.name, field.name);
    expect_value(want[at], got.*field.member);
    ++at;
  });
  EXPECT_EQ(at, want.size());
}
void expect_value(const Value& want, const Stat& got) {
  ASSERT_EQ(want.field.kind, Kind::stat);
  const bool has_extension = want.record.back().field.name == "n_muid";
  expect_values(want.record, got, has_extension ? Dialect::u : Dialect::legacy);
}

/// Golden bytes -> our values -> the golden bytes.
template <class T>
void expect_decodes_and_encodes(const Golden& golden) {
  SCOPED_TRACE(golden.message.dialect + ": " + golden.message.line);
  const Dialect dialect = dialect_of(golden.message.dialect);
  const std::string frame = golden.frame();
  const Header header = decode_header(view(frame).first<kHeaderSize>());
  EXPECT_EQ(header.size, frame.size());
  EXPECT_EQ(header.type, T::kType);
  EXPECT_EQ(to_int(header.tag), golden.tag);

  const std::vector<std::byte> body = body_of(view(frame));
  const auto message = decode<T>(body, dialect);
  ASSERT_TRUE(message) << message.error();
  expect_values(golden.values, *message, dialect);

  Bytes again;
  ASSERT_EQ(encode_frame(again, header.tag, *message, dialect), error_code());
  EXPECT_EQ(hex(again), hex(frame));
}

void expect_all_decode_and_encode(const std::vector<Golden>& messages) {
  for (const Golden& golden : messages)
    with_message(golden.message.name, [&](auto identity) {
      expect_decodes_and_encodes<typename decltype(identity)::type>(golden);
    });
}

TEST(Codec, GoldenFramesAreReadAndWritten) {
  expect_all_decode_and_encode(test::golden_messages(spec(), test::distinct_filling));
}

TEST(Codec, GoldenFramesOfEmptyAndZeroFieldsAreReadAndWritten) {
  expect_all_decode_and_encode(test::golden_messages(spec(), test::empty_filling));
}

TEST(Codec, GoldenFramesOfFullFieldsAreReadAndWritten) {
  expect_all_decode_and_encode(test::golden_messages(spec(), test::full_filling));
}

TEST(Codec, GoldenFramesOfRandomFieldsAreReadAndWritten) {
  std::uint32_t seed = test::new_seed();
  for (int round = 0; round < 20; ++round)
    expect_all_decode_and_encode(
        test::golden_messages(spec(), [&] { return test::random_filling(seed++); }));
}

// ---- vectors written by hand from the manuals

template <class T>
T decoded(const std::vector<std::byte>& body, Dialect dialect) {
  const auto message = decode<T>(body, dialect);
  if (!message)
    throw boost::system::system_error(message.error(), std::string(T::kName));
  return *message;
}

template <Message T>
std::string encoded(Tag tag, const T& message, Dialect dialect) {
  Bytes frame;
  EXPECT_EQ(encode_frame(frame, tag, message, dialect), error_code());
  return hex(frame);
}

Data data_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

TEST(CodecVector, Tversion) {
  EXPECT_EQ(encoded(kNoTag, Tversion{65536, "9P2000.L"}, Dialect::l),
            hex(wire("15 00 00 00  64  ff ff  00 00 01 00  08 00 '9P2000.L'")));
}

TEST(CodecVector, Rversion) {
  const auto frame = wire("13 00 00 00  65  ff ff  18 20 00 00  06 00 '9P2000'");
  const auto body = body_of(frame);
  const auto message = decoded<Rversion>(body, Dialect::legacy);
  EXPECT_EQ(message.msize, 8216U);
  EXPECT_EQ(message.version, "9P2000");
}

TEST(CodecVector, TattachHasANumericUserButIn9P2000) {
  const Tattach message{Fid{1}, kNoFid, "glenda", "", 1000};
  EXPECT_EQ(encoded(Tag{0}, message, Dialect::legacy),
            hex(wire("19 00 00 00  68  00 00  01 00 00 00  ff ff ff ff  06 00 'glenda'  00 00")));
  const auto numeric = hex(
      wire("1d 00 00 00  68  00 00  01 00 00 00  ff ff ff ff  06 00 'glenda'  00 00  e8 03 00 00"));
  EXPECT_EQ(encoded(Tag{0}, message, Dialect::u), numeric);
  EXPECT_EQ(encoded(Tag{0}, message, Dialect::l), numeric);
}

TEST(CodecVector, Twalk) {
  EXPECT_EQ(encoded(Tag{3}, Twalk{Fid{1}, Fid{2}, Names{"usr", "bin"}}, Dialect::legacy),
            hex(wire("1b 00 00 00  6e  03 00  01 00 00 00  02 00 00 00  02 00"
                     "03 00 'usr'  03 00 'bin'")));
}

TEST(CodecVector, Rwalk) {
  const auto frame = wire(
      "23 00 00 00  6f  03 00  02 00"
      "80  02 00 00 00  2a 00 00 00 00 00 00 00"
      "00  04 03 02 01  0f 0e 0d 0c 0b 0a 09 08");
  const auto body = body_of(frame);
  EXPECT_THAT(
      decoded<Rwalk>(body, Dialect::l).qid,
      testing::ElementsAre(Qid{qid_type::kDir, 2, 42}, Qid{0, 0x01020304, 0x08090a0b0c0d0e0f}));
}

TEST(CodecVector, Tread) {
  EXPECT_EQ(encoded(Tag{7}, Tread{Fid{5}, 0x100000000, 8168}, Dialect::l),
            hex(wire("17 00 00 00  74  07 00  05 00 00 00  00 00 00 00 01 00 00 00  e8 1f 00 00")));
}

TEST(CodecVector, Rread) {
  const auto body = body_of(wire("10 00 00 00  75  07 00  05 00 00 00 'hello'"));
  EXPECT_EQ(hex(decoded<Rread>(body, Dialect::l).data), hex(data_of("hello")));
}

TEST(CodecVector, RreadOfNothingIsTheEndOfTheFile) {
  const auto body = body_of(wire("0b 00 00 00  75  07 00  00 00 00 00"));
  EXPECT_TRUE(decoded<Rread>(body, Dialect::l).data.empty());
}

TEST(CodecVector, Twrite) {
  EXPECT_EQ(encoded(Tag{0x0102}, Twrite{Fid{9}, 1, data_of("hello")}, Dialect::u),
            hex(wire("1c 00 00 00  76  02 01  09 00 00 00  01 00 00 00 00 00 00 00"
                     "05 00 00 00 'hello'")));
}

TEST(CodecVector, RerrorHasAnErrnoInDotU) {
  const auto plain = body_of(wire("18 00 00 00  6b  04 00  0f 00 'file not found.'"));
  EXPECT_EQ(decoded<Rerror>(plain, Dialect::legacy).ename, "file not found.");
  EXPECT_EQ(decoded<Rerror>(plain, Dialect::l).ename, "file not found.");
  EXPECT_EQ(decode<Rerror>(plain, Dialect::u).error(), Error::truncated);

  const auto numeric = body_of(wire("1c 00 00 00  6b  04 00  0f 00 'file not found.' 02 00 00 00"));
  EXPECT_EQ(decoded<Rerror>(numeric, Dialect::u).ename, "file not found.");
  EXPECT_EQ(decoded<Rerror>(numeric, Dialect::u).errnum, 2U);
}

TEST(CodecVector, Rlerror) {
  const auto body = body_of(wire("0b 00 00 00  07  04 00  5f 00 00 00"));
  EXPECT_EQ(decoded<Rlerror>(body, Dialect::l).ecode, 95U);
}

TEST(CodecVector, Rgetattr) {
  const auto frame = wire(
      "a0 00 00 00  19  01 00"
      "ff 07 00 00 00 00 00 00"                             // valid: BASIC
      "80  00 00 00 00  01 02 00 00 00 00 00 00"            // qid
      "ed 41 00 00  e8 03 00 00  64 00 00 00"               // mode, uid, gid
      "03 00 00 00 00 00 00 00"                             // nlink
      "01 08 00 00 00 00 00 00"                             // rdev
      "00 10 00 00 00 00 00 00"                             // size
      "00 02 00 00 00 00 00 00"                             // blksize
      "08 00 00 00 00 00 00 00"                             // blocks
      "01 00 00 60 00 00 00 00  11 00 00 00 00 00 00 00"    // atime
      "02 00 00 60 00 00 00 00  12 00 00 00 00 00 00 00"    // mtime
      "03 00 00 60 00 00 00 00  13 00 00 00 00 00 00 00"    // ctime
      "04 00 00 60 00 00 00 00  14 00 00 00 00 00 00 00"    // btime
      "05 00 00 00 00 00 00 00  06 00 00 00 00 00 00 00");  // gen, data_version
  ASSERT_EQ(frame.size(), 160U);
  const auto body = body_of(frame);
  const auto message = decoded<Rgetattr>(body, Dialect::l);
  EXPECT_EQ(message.valid, 0x7ffU);
  EXPECT_EQ(message.qid, (Qid{qid_type::kDir, 0, 0x201}));
  EXPECT_EQ(message.mode, 040755U);
  EXPECT_EQ(message.uid, 1000U);
  EXPECT_EQ(message.gid, 100U);
  EXPECT_EQ(message.nlink, 3U);
  EXPECT_EQ(message.rdev, 0x801U);
  EXPECT_EQ(message.size, 4096U);
  EXPECT_EQ(message.blksize, 512U);
  EXPECT_EQ(message.blocks, 8U);
  EXPECT_EQ(message.atime_sec, 0x60000001U);
  EXPECT_EQ(message.atime_nsec, 0x11U);
  EXPECT_EQ(message.mtime_sec, 0x60000002U);
  EXPECT_EQ(message.mtime_nsec, 0x12U);
  EXPECT_EQ(message.ctime_sec, 0x60000003U);
  EXPECT_EQ(message.ctime_nsec, 0x13U);
  EXPECT_EQ(message.btime_sec, 0x60000004U);
  EXPECT_EQ(message.btime_nsec, 0x14U);
  EXPECT_EQ(message.gen, 5U);
  EXPECT_EQ(message.data_version, 6U);
}

TEST(CodecVector, Tsetattr) {
  const Tsetattr message{.fid = Fid{4},
                         .valid = 0x1a8,  // SIZE, MTIME, ATIME_SET, MTIME_SET
                         .mode = 0644,
                         .uid = 1,
                         .gid = 2,
                         .size = 0x0102030405060708,
                         .atime_sec = 3,
                         .atime_nsec = 4,
                         .mtime_sec = 5,
                         .mtime_nsec = 999999999};
  const auto frame = wire(
      "43 00 00 00  1a  01 00  04 00 00 00  a8 01 00 00  a4 01 00 00  01 00 00 00  02 00 00 00"
      "08 07 06 05 04 03 02 01"
      "03 00 00 00 00 00 00 00  04 00 00 00 00 00 00 00"
      "05 00 00 00 00 00 00 00  ff c9 9a 3b 00 00 00 00");
  ASSERT_EQ(frame.size(), 67U);
  EXPECT_EQ(encoded(Tag{1}, message, Dialect::l), hex(frame));
}

// 2000: the record is 49 bytes and its strings; its size does not count itself, n does.
constexpr std::string_view kPlainRecord =
    "3a 00  01 00  02 00 00 00  00 03 00 00 00 04 00 00 00 00 00 00 00  a4 01 00 00"
    "05 00 00 60  06 00 00 60  07 00 00 00 00 00 00 00"
    "02 00 'ab'  03 00 'uid'  03 00 'gid'  03 00 'mod'";
// .u: 63 bytes and its strings.
constexpr std::string_view kNumericRecord =
    "49 00  01 00  02 00 00 00  00 03 00 00 00 04 00 00 00 00 00 00 00  ff 01 00 02"
    "05 00 00 60  06 00 00 60  07 00 00 00 00 00 00 00"
    "02 00 'ab'  03 00 'uid'  03 00 'gid'  03 00 'mod'"
    "01 00 'x'  e8 03 00 00  64 00 00 00  ff ff ff ff";

std::vector<std::byte> rstat(std::string_view n, std::string_view record) {
  auto frame = wire("00 00 00 00  7d  05 00 " + std::string(n) + ' ' + std::string(record));
  frame[0] = static_cast<std::byte>(frame.size());
  return frame;
}

void expect_record(const Stat& stat) {
  EXPECT_EQ(stat.type, 1U);
  EXPECT_EQ(stat.dev, 2U);
  EXPECT_EQ(stat.qid, (Qid{0, 3, 4}));
  EXPECT_EQ(stat.atime, 0x60000005U);
  EXPECT_EQ(stat.mtime, 0x60000006U);
  EXPECT_EQ(stat.length, 7U);
  EXPECT_EQ(stat.name, "ab");
  EXPECT_EQ(stat.uid, "uid");
  EXPECT_EQ(stat.gid, "gid");
  EXPECT_EQ(stat.muid, "mod");
}

TEST(CodecVector, Rstat) {
  const auto frame = rstat("3c 00", kPlainRecord);
  ASSERT_EQ(frame.size(), 9U + 49U + 11U);
  const auto body = body_of(frame);
  const Stat stat = decoded<Rstat>(body, Dialect::legacy).stat;
  expect_record(stat);
  EXPECT_EQ(stat.mode, 0644U);
  EXPECT_EQ(stat.extension, "");
  EXPECT_EQ(encoded(Tag{5}, Rstat{stat}, Dialect::legacy), hex(frame));
}

TEST(CodecVector, RstatOfDotU) {
  const auto frame = rstat("4b 00", kNumericRecord);
  ASSERT_EQ(frame.size(), 9U + 63U + 12U);
  const auto body = body_of(frame);
  const Stat stat = decoded<Rstat>(body, Dialect::u).stat;
  expect_record(stat);
  EXPECT_EQ(stat.mode, 0x020001ffU);  // DMSYMLINK|0777
  EXPECT_EQ(stat.extension, "x");
  EXPECT_EQ(stat.n_uid, 1000U);
  EXPECT_EQ(stat.n_gid, 100U);
  EXPECT_EQ(stat.n_muid, 0xFFFFFFFFU);
  EXPECT_EQ(encoded(Tag{5}, Rstat{stat}, Dialect::u), hex(frame));
}

TEST(CodecVector, TwstatOfDefaultsTouchesNothing) {
  const auto frame = wire(
      "3e 00 00 00  7e  01 00  04 00 00 00  31 00  2f 00"
      "ff ff  ff ff ff ff  ff ff ff ff ff ff ff ff ff ff ff ff ff  ff ff ff ff"
      "ff ff ff ff  ff ff ff ff  ff ff ff ff ff ff ff ff  00 00  00 00  00 00  00 00");
  EXPECT_EQ(encoded(Tag{1}, Twstat{Fid{4}, Stat{}}, Dialect::legacy), hex(frame));
}

TEST(CodecVector, Treaddir) {
  // A cookie of ext4: 63 bits of hash.
  EXPECT_EQ(encoded(Tag{2}, Treaddir{Fid{6}, 0x7fffffffffffffff, 65512}, Dialect::l),
            hex(wire("17 00 00 00  28  02 00  06 00 00 00  ff ff ff ff ff ff ff 7f  e8 ff 00 00")));
}

TEST(CodecVector, RreaddirCarriesEntriesAsData) {
  const auto frame = wire(
      "24 00 00 00  29  02 00  19 00 00 00"
      "80  00 00 00 00  02 00 00 00 00 00 00 00  01 00 00 00 00 00 00 00  04  01 00 '.'");
  ASSERT_EQ(frame.size(), 36U);
  const auto body = body_of(frame);
  EXPECT_EQ(decoded<Rreaddir>(body, Dialect::l).data.size(), 25U);
}

// ---- a head without its payload

TEST(EncodeHead, LeavesOutThePayloadButCountsIt) {
  Bytes head;
  const std::vector<std::byte> payload(4096);
  const Twrite message{Fid{9}, 512, payload};
  ASSERT_EQ(encode_head(head, Tag{1}, message, Dialect::l), error_code());
  EXPECT_EQ(hex(head), hex(wire("17 10 00 00  76  01 00  09 00 00 00"
                                "00 02 00 00 00 00 00 00  00 10 00 00")));
}

TEST(EncodeHead, AndPayloadAreTheWholeFrame) {
  for (const Golden& golden : test::golden_messages(spec(), test::distinct_filling))
    with_message(golden.message.name, [&](auto identity) {
      using T = typename decltype(identity)::type;
      const Dialect dialect = dialect_of(golden.message.dialect);
      const std::string frame = golden.frame();
      const auto body = body_of(view(frame));
      const T message = decoded<T>(body, dialect);
      Bytes head;
      ASSERT_EQ(encode_head(head, Tag{golden.tag}, message, dialect), error_code());
      std::string whole = hex(head);
      if constexpr (detail::kEndsInData<T>) {
        EXPECT_EQ(head.size(), frame.size() - message.data.size());
        whole += ' ' + hex(message.data);
      }
      EXPECT_EQ(whole, hex(frame)) << golden.message.line;
    });
}

TEST(Codec, PatchTagChangesTheTagAlone) {
  Bytes frame;
  ASSERT_EQ(encode_frame(frame, Tag{0x1111}, Tclunk{Fid{0x22222222}}, Dialect::l), error_code());
  patch_tag(frame, Tag{0x0304});
  EXPECT_EQ(hex(frame), hex(wire("0b 00 00 00  78  04 03  22 22 22 22")));
  patch_size(frame, 0x01020304);
  EXPECT_EQ(hex(frame), hex(wire("04 03 02 01  78  04 03  22 22 22 22")));
}

TEST(Codec, EncodingBeginsAnewInAUsedBuffer) {
  Bytes frame(100, std::byte{0xEE});
  ASSERT_EQ(encode_frame(frame, Tag{1}, Rflush{}, Dialect::l), error_code());
  EXPECT_EQ(hex(frame), hex(wire("07 00 00 00  6d  01 00")));
}

// ---- hostile input

TEST(CodecHostile, FrameCutAtAnyByteIsAnError) {
  for (const Golden& golden : test::golden_messages(spec(), test::distinct_filling))
    with_message(golden.message.name, [&](auto identity) {
      using T = typename decltype(identity)::type;
      const std::string frame = golden.frame();
      for (std::size_t size = kHeaderSize; size < frame.size(); ++size) {
        const ByteView start = view(frame).first(size);
        const std::vector<std::byte> cut(start.begin(), start.end());
        for (const Leftover leftover : {Leftover::refuse, Leftover::ignore})
          ASSERT_EQ(decode_error<T>(cut, dialect_of(golden.message.dialect), leftover),
                    Error::truncated)
              << golden.message.line << " cut to " << size;
      }
    });
}

TEST(CodecHostile, AnyMessageDecodedAsAnyOtherStaysInsideItsFrame) {
  // No claim on what comes out: a sanitizer watches the reads.
  for (const Golden& golden : test::golden_messages(spec(), test::distinct_filling)) {
    const std::string frame = golden.frame();
    const auto body = body_of(view(frame));
    for_each_message([&](auto identity) {
      using T = typename decltype(identity)::type;
      for (const Dialect dialect : kDialects)
        if (const auto message = decode<T>(body, dialect, Leftover::ignore)) {
          Bytes again;  // reads every view
          EXPECT_EQ(encode_frame(again, Tag{0}, *message, dialect), error_code());
        }
    });
  }
}

TEST(CodecHostile, TrailingBytesAreRefusedOrIgnored) {
  for (const Golden& golden : test::golden_messages(spec(), test::distinct_filling))
    with_message(golden.message.name, [&](auto identity) {
      using T = typename decltype(identity)::type;
      const Dialect dialect = dialect_of(golden.message.dialect);
      std::vector<std::byte> padded = body_of(view(golden.frame()));
      padded.push_back(std::byte{0});
      const auto refused = decode<T>(padded, dialect);
      ASSERT_FALSE(refused) << golden.message.line;
      EXPECT_EQ(refused.error(), Error::trailing_bytes);
      const auto ignored = decode<T>(padded, dialect, Leftover::ignore);
      ASSERT_TRUE(ignored) << golden.message.line;
      expect_values(golden.values, *ignored, dialect);
    });
}

TEST(CodecHostile, StringLongerThanTheFrameIsTruncated) {
  EXPECT_EQ(decode_error<Rreadlink>(wire("0c 00 00 00  17  01 00  04 00 'abc'"), Dialect::l),
            Error::truncated);
  EXPECT_EQ(decode_error<Rreadlink>(wire("0c 00 00 00  17  01 00  ff ff 'abc'"), Dialect::l),
            Error::truncated);
  // Linux once read the length as a signed number.
  EXPECT_EQ(decode_error<Rreadlink>(wire("0c 00 00 00  17  01 00  00 80 'abc'"), Dialect::l),
            Error::truncated);
}

TEST(CodecHostile, StringWithANulIsRefused) {
  EXPECT_EQ(decode_error<Rreadlink>(wire("0c 00 00 00  17  01 00  03 00 'a' 00 'c'"), Dialect::l),
            Error::bad_string);
  EXPECT_EQ(decode_error<Rreadlink>(wire("0a 00 00 00  17  01 00  01 00 00"), Dialect::l),
            Error::bad_string);
  EXPECT_EQ(decode_error<Twalk>(wire("17 00 00 00  6e  01 00  01 00 00 00  02 00 00 00"
                                     "02 00  01 00 'a'  01 00 00"),
                                Dialect::l),
            Error::bad_string);
  EXPECT_EQ(decode_error<Rstat>(rstat("3c 00",
                                      "3a 00  01 00  02 00 00 00"
                                      "00 03 00 00 00 04 00 00 00 00 00 00 00  a4 01 00 00"
                                      "05 00 00 60  06 00 00 60  07 00 00 00 00 00 00 00"
                                      "02 00 'a' 00  03 00 'uid'  03 00 'gid'  03 00 'mod'"),
                                Dialect::legacy),
            Error::bad_string);
  Bytes frame;
  EXPECT_EQ(encode_frame(frame, Tag{1}, Rreadlink{std::string_view("a\0c", 3)}, Dialect::l),
            Error::bad_string);
}

TEST(CodecHostile, DataMayHoldNuls) {
  EXPECT_EQ(decode_error<Rread>(wire("0d 00 00 00  75  01 00  02 00 00 00  00 00"), Dialect::l),
            error_code());
}

TEST(CodecHostile, MoreThanSixteenElementsAreRefused) {
  std::string seventeen_names = "00 00 00 00  6e  01 00  01 00 00 00  02 00 00 00  11 00";
  std::string seventeen_qids = "00 00 00 00  6f  01 00  11 00";
  for (int i = 0; i < 17; ++i) {
    seventeen_names += " 01 00 'a'";
    seventeen_qids += " 80 00 00 00 00 00 00 00 00 00 00 00 00";
  }
  EXPECT_EQ(decode_error<Twalk>(wire(seventeen_names), Dialect::l), Error::too_many_elements);
  EXPECT_EQ(decode_error<Rwalk>(wire(seventeen_qids), Dialect::l), Error::too_many_elements);
  EXPECT_EQ(decode_error<Rwalk>(wire("09 00 00 00  6f  01 00  ff ff"), Dialect::l),
            Error::too_many_elements);
}

TEST(CodecHostile, MoreElementsThanTheFrameHoldsAreTruncated) {
  EXPECT_EQ(decode_error<Rwalk>(wire("09 00 00 00  6f  01 00  10 00"), Dialect::l),
            Error::truncated);
  EXPECT_EQ(decode_error<Twalk>(wire("14 00 00 00  6e  01 00  01 00 00 00  02 00 00 00"
                                     "02 00  01 00 'a'"),
                                Dialect::l),
            Error::truncated);
}

TEST(CodecHostile, DataCountBeyondTheFrameIsTruncated) {
  // Linux once compared it as a signed number.
  EXPECT_EQ(decode_error<Rread>(wire("0c 00 00 00  75  01 00  ff ff ff ff 'a'"), Dialect::l),
            Error::truncated);
  EXPECT_EQ(decode_error<Rreaddir>(wire("0c 00 00 00  29  01 00  02 00 00 00 'a'"), Dialect::l),
            Error::truncated);
  EXPECT_EQ(decode_error<Rread>(wire("0c 00 00 00  75  01 00  ff ff ff ff 'a'"), Dialect::l,
                                Leftover::ignore),
            Error::truncated);
}

TEST(CodecHostile, OuterSizeOfAStatIsNotTrusted) {
  // QEMU sends 0; the others are nonsense.
  for (const char* n : {"00 00", "01 00", "3b 00", "3d 00", "ff ff"}) {
    const auto body = body_of(rstat(n, kPlainRecord));
    const auto message = decode<Rstat>(body, Dialect::legacy);
    ASSERT_TRUE(message) << n << ": " << message.error();
    expect_record(message->stat);
  }
}

TEST(CodecHostile, StatSizeThatCutsAFieldIsABadStat) {
  const std::string fields(kPlainRecord.substr(5));
  for (int size = 1; size < 0x3a; ++size) {
    const auto head = hex(std::array{static_cast<std::byte>(size)}) + " 00 ";
    EXPECT_EQ(decode_error<Rstat>(rstat("3c 00", head + fields), Dialect::legacy, Leftover::ignore),
              Error::bad_stat)
        << size;
  }
  EXPECT_EQ(decode_error<Rstat>(rstat("3c 00", "00 00" + fields), Dialect::legacy),
            Error::bad_stat);
}

TEST(CodecHostile, StatSizeBeyondTheFrameIsTruncated) {
  const std::string fields(kPlainRecord.substr(5));
  for (const char* size : {"3b 00 ", "ff 00 ", "00 80 ", "ff ff "})
    EXPECT_EQ(decode_error<Rstat>(rstat("3c 00", size + fields), Dialect::legacy), Error::truncated)
        << size;
}

TEST(CodecHostile, StringBeyondItsStatIsABadStat) {
  // muid claims a fourth byte, which is behind the record but still in the frame.
  std::string record(kPlainRecord.substr(0, kPlainRecord.rfind("03 00")));
  EXPECT_EQ(decode_error<Rstat>(rstat("3c 00", record + "04 00 'mod!'"), Dialect::legacy,
                                Leftover::ignore),
            Error::bad_stat);
}

TEST(CodecHostile, StatOfTheOtherDialect) {
  // What a record has beyond our fields is skipped; what it lacks is an error.
  const auto body = body_of(rstat("4b 00", kNumericRecord));
  const auto longer = decode<Rstat>(body, Dialect::legacy);
  ASSERT_TRUE(longer) << longer.error();
  expect_record(longer->stat);
  EXPECT_EQ(decode_error<Rstat>(rstat("3c 00", kPlainRecord), Dialect::u), Error::bad_stat);
}

TEST(Reader, TakesRecordsOfADirectoryOneAfterTheOther) {
  const auto records = wire(std::string(kPlainRecord) + ' ' + std::string(kPlainRecord));
  Reader reader(records, Dialect::legacy);
  for (int i = 0; i < 2; ++i) {
    Stat stat;
    reader.get_record(stat);
    ASSERT_EQ(reader.error(), error_code());
    expect_record(stat);
  }
  EXPECT_EQ(reader.left(), 0U);
}

TEST(Reader, KeepsItsFirstErrorAndReadsNothingAfterIt) {
  const auto bytes = wire("01 00 00  04 00 00 00");
  Reader reader(bytes, Dialect::l);
  std::string_view text = "untouched";
  reader.get(text);
  EXPECT_EQ(reader.error(), Error::bad_string);
  std::uint32_t number = 77;
  reader.get(number);
  EXPECT_EQ(number, 77U);
  EXPECT_EQ(reader.error(), Error::bad_string);
}

TEST(Codec, StringsMayBe65535BytesLong) {
  const std::string longest(65535, 'x');
  Bytes frame;
  ASSERT_EQ(encode_frame(frame, Tag{1}, Rreadlink{longest}, Dialect::l), error_code());
  EXPECT_EQ(hex(std::span(frame).first(10)), hex(wire("08 00 01 00  17  01 00  ff ff 'x'")));
  const auto body = body_of(frame);
  EXPECT_EQ(decoded<Rreadlink>(body, Dialect::l).target, longest);

  const std::string too_long(65536, 'x');
  EXPECT_EQ(encode_frame(frame, Tag{1}, Rreadlink{too_long}, Dialect::l), Error::bad_string);
}

TEST(Codec, StatRecordsMayBe65535BytesLong) {
  // 49 bytes besides the strings; n counts all of them.
  const std::string longest(65535 - 49, 'x');
  Stat stat;
  stat.name = longest;
  Bytes frame;
  ASSERT_EQ(encode_frame(frame, Tag{1}, Rstat{stat}, Dialect::legacy), error_code());
  EXPECT_EQ(hex(std::span(frame).subspan(7, 4)), hex(wire("ff ff  fd ff")));
  const auto body = body_of(frame);
  EXPECT_EQ(decoded<Rstat>(body, Dialect::legacy).stat.name, longest);

  const std::string too_long = longest + 'x';
  stat.name = too_long;
  EXPECT_EQ(encode_frame(frame, Tag{1}, Rstat{stat}, Dialect::legacy), Error::bad_stat);
}

}  // namespace
}  // namespace fuse9p::proto
