// SPDX-License-Identifier: MIT
#include "proto/text.hpp"

#include "tests/support/message_spec.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/wire.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fuse9p::proto {
namespace {

using test::Golden;
using test::hex;
using test::wire;

constexpr std::size_t kNoLimit = ~std::size_t{0};

template <Message T>
std::string text_of(Tag tag, const T& message, Dialect dialect,
                    std::size_t payload_limit = kTracePayloadLimit) {
  Bytes frame;
  EXPECT_EQ(encode_frame(frame, tag, message, dialect), error_code());
  return to_text(frame, dialect, payload_limit);
}

Data data_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

/// The frame in hex, or the error's words.
std::string frame_of(std::string_view text, Dialect dialect) {
  const auto frame = from_text(text, dialect);
  return frame ? hex(*frame) : frame.error().message();
}

error_code text_error(std::string_view text, Dialect dialect = Dialect::l) {
  const auto frame = from_text(text, dialect);
  return frame ? error_code() : frame.error();
}

// ---- printing

TEST(ToText, PrintsFieldsInWireOrderByName) {
  EXPECT_EQ(text_of(Tag{7}, Tread{Fid{3}, 0, 4096}, Dialect::l),
            "Tread tag 7 fid 3 offset 0 count 4096");
  EXPECT_EQ(text_of(Tag{1}, Rclunk{}, Dialect::l), "Rclunk tag 1");
}

TEST(ToText, PrintsNoTagAndNoFidAsNumbers) {
  EXPECT_EQ(text_of(kNoTag, Tversion{65536, "9P2000.L"}, Dialect::l),
            "Tversion tag 65535 msize 65536 version 9P2000.L");
  EXPECT_EQ(text_of(Tag{1}, Tattach{Fid{0}, kNoFid, "glenda", "", 0}, Dialect::legacy),
            "Tattach tag 1 fid 0 afid 4294967295 uname glenda aname ''");
  EXPECT_EQ(text_of(Tag{2}, Tflush{Tag{1}}, Dialect::l), "Tflush tag 2 oldtag 1");
}

TEST(ToText, PrintsWhatTheDialectHas) {
  const Tcreate create{Fid{1}, "a", 0x80000000 | 0755, 0x10, "x"};
  EXPECT_EQ(text_of(Tag{1}, create, Dialect::legacy),
            "Tcreate tag 1 fid 1 name a perm 020000000755 mode 0x10");
  EXPECT_EQ(text_of(Tag{1}, create, Dialect::u),
            "Tcreate tag 1 fid 1 name a perm 020000000755 mode 0x10 extension x");
}

TEST(ToText, PrintsModesInOctalAndMasksInHex) {
  EXPECT_EQ(text_of(Tag{1}, Tlcreate{Fid{1}, "a", 0100101, 0644, 5}, Dialect::l),
            "Tlcreate tag 1 fid 1 name a flags 0100101 mode 0644 gid 5");
  EXPECT_EQ(text_of(Tag{1}, Tlopen{Fid{1}, 0}, Dialect::l), "Tlopen tag 1 fid 1 flags 0");
  EXPECT_EQ(text_of(Tag{1}, Tgetattr{Fid{1}, 0x7ff}, Dialect::l),
            "Tgetattr tag 1 fid 1 request_mask 0x7ff");
  EXPECT_EQ(text_of(Tag{1}, Topen{Fid{1}, 0}, Dialect::u), "Topen tag 1 fid 1 mode 0x0");
}

TEST(ToText, PrintsNamesAndQidsAsLists) {
  EXPECT_EQ(text_of(Tag{3}, Twalk{Fid{1}, Fid{2}, Names{"usr", "bin"}}, Dialect::l),
            "Twalk tag 3 fid 1 newfid 2 wname usr bin");
  EXPECT_EQ(text_of(Tag{3}, Twalk{Fid{1}, Fid{2}, {}}, Dialect::l),
            "Twalk tag 3 fid 1 newfid 2 wname");
  EXPECT_EQ(text_of(Tag{3}, Rwalk{Qids{{0x80, 0, 0x2a}, {0, 7, ~std::uint64_t{0}}}}, Dialect::l),
            "Rwalk tag 3 qid (0x2a 0 0x80) (0xffffffffffffffff 7 0x0)");
  EXPECT_EQ(text_of(Tag{3}, Rwalk{}, Dialect::l), "Rwalk tag 3 qid");
}

TEST(ToText, PrintsAStatInParentheses) {
  const Stat stat{.type = 0,
                  .dev = 0,
                  .qid = {0, 5, 6},
                  .mode = 0644,
                  .atime = 1,
                  .mtime = 2,
                  .length = 3,
                  .name = "a b",
                  .uid = "glenda",
                  .extension = "c 1 3",
                  .n_uid = 1000};
  EXPECT_EQ(text_of(Tag{5}, Rstat{stat}, Dialect::legacy),
            "Rstat tag 5 stat (type 0x0 dev 0x0 qid (0x6 5 0x0) mode 0644 atime 1 mtime 2 length 3 "
            "name 'a b' uid glenda gid '' muid '')");
  EXPECT_EQ(text_of(Tag{5}, Rstat{stat}, Dialect::u),
            "Rstat tag 5 stat (type 0x0 dev 0x0 qid (0x6 5 0x0) mode 0644 atime 1 mtime 2 length 3 "
            "name 'a b' uid glenda gid '' muid '' "
            "extension 'c 1 3' n_uid 1000 n_gid 4294967295 n_muid 4294967295)");
}

TEST(ToText, QuotesWhatIsNotABareWord) {
  EXPECT_EQ(quoted("usr"), "usr");
  EXPECT_EQ(quoted("/A-z_0.9:@%+=,~"), "/A-z_0.9:@%+=,~");
  EXPECT_EQ(quoted(""), "''");
  EXPECT_EQ(quoted("a b"), "'a b'");
  EXPECT_EQ(quoted("it's"), "'it''s'");
  EXPECT_EQ(quoted("'"), "''''");
  EXPECT_EQ(quoted("(x)"), "'(x)'");
  EXPECT_EQ(quoted("<5"), "'<5'");
  EXPECT_EQ(quoted("a\\b"), "'a\\x5cb'");
  EXPECT_EQ(quoted("line\n\x7f"), "'line\\x0a\\x7f'");
  EXPECT_EQ(quoted("\xc3\xa9"), "'\\xc3\\xa9'");
  EXPECT_EQ(quoted(std::string_view("\0", 1)), "'\\x00'");
}

TEST(ToText, PrintsDataUpToItsLimit) {
  const std::string data(48, 'x');
  EXPECT_EQ(text_of(Tag{4}, Twrite{Fid{7}, 0, data_of("hello\n")}, Dialect::l),
            "Twrite tag 4 fid 7 offset 0 data 'hello\\x0a'");
  EXPECT_EQ(text_of(Tag{4}, Rread{data_of(data)}, Dialect::l), "Rread tag 4 data " + data);
  EXPECT_EQ(text_of(Tag{4}, Rread{data_of(data + "x")}, Dialect::l), "Rread tag 4 data <49 bytes>");
  EXPECT_EQ(text_of(Tag{4}, Rread{data_of(data + "x")}, Dialect::l, kNoLimit),
            "Rread tag 4 data " + data + "x");
  EXPECT_EQ(text_of(Tag{4}, Rread{data_of("a")}, Dialect::l, 0), "Rread tag 4 data <1 bytes>");
  EXPECT_EQ(text_of(Tag{4}, Rread{}, Dialect::l, 0), "Rread tag 4 data ''");
}

TEST(ToText, PrintsAHeadWithoutItsPayloadByLength) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{5}, std::size_t{4096}}) {
    const std::vector<std::byte> payload(size, std::byte{'x'});
    const std::string length = '<' + std::to_string(size) + " bytes>";
    Bytes head;
    ASSERT_EQ(encode_head(head, Tag{4}, Twrite{Fid{7}, 9, payload}, Dialect::l), error_code());
    EXPECT_EQ(to_text(head, Dialect::l), "Twrite tag 4 fid 7 offset 9 data " + length);
    ASSERT_EQ(encode_head(head, Tag{4}, Rread{payload}, Dialect::l), error_code());
    EXPECT_EQ(to_text(head, Dialect::l), "Rread tag 4 data " + length);
    EXPECT_EQ(to_text(head, Dialect::l, kNoLimit), "Rread tag 4 data " + length);
    head.insert(head.end(), payload.begin(), payload.end() - 1);
    EXPECT_EQ(to_text(head, Dialect::l), "Rread tag 4 data " + length) << "with all but one byte";
  }
}

TEST(ToText, InventsNothingForACutHead) {
  EXPECT_EQ(to_text(wire("1c 00 00 00  76  04 00  09 00"), Dialect::l),
            "Twrite tag 4 <2 bytes: message ends before its last field>");
  EXPECT_EQ(to_text(wire("10 00 00 00  75  04 00  05 00 00"), Dialect::l),
            "Rread tag 4 <3 bytes: message ends before its last field>");
  // count and size contradict each other
  EXPECT_EQ(to_text(wire("10 00 00 00  75  04 00  06 00 00 00"), Dialect::l),
            "Rread tag 4 <4 bytes: message ends before its last field>");
  EXPECT_EQ(to_text(wire("10 00 00 00  75  04 00  04 00 00 00"), Dialect::l),
            "Rread tag 4 <4 bytes: message ends before its last field>");
}

TEST(ToText, PrintsATypeItDoesNotKnowByNumber) {
  EXPECT_EQ(to_text(wire("0a 00 00 00  c8  07 00  01 02 03"), Dialect::l),
            "type 200 tag 7 <3 bytes: unknown type>");
  EXPECT_EQ(to_text(wire("07 00 00 00  6a  ff ff"), Dialect::l),
            "type 106 tag 65535 <0 bytes: unknown type>");
}

TEST(ToText, PrintsWhatItCannotDecodeWithTheReason) {
  EXPECT_EQ(to_text(wire("0c 00 00 00  74  03 00  01 00 00 00 00"), Dialect::l),
            "Tread tag 3 <5 bytes: message ends before its last field>");
  EXPECT_EQ(to_text(wire("0c 00 00 00  17  01 00  03 00 'a' 00 'c'"), Dialect::l),
            "Rreadlink tag 1 <5 bytes: string with a NUL byte or over 65535 bytes>");
  EXPECT_EQ(to_text(wire("09 00 00 00  6f  01 00  ff ff"), Dialect::l),
            "Rwalk tag 1 <2 bytes: more than 16 walk elements>");
  EXPECT_EQ(to_text(wire("0b 00 00 00  7d  01 00  00 00  00 00"), Dialect::u),
            "Rstat tag 1 <4 bytes: stat record with inconsistent sizes>");
}

TEST(ToText, PrintsLessThanAHeaderAsThat) {
  EXPECT_EQ(to_text(wire("0c 00 00"), Dialect::l), "<3 bytes: no header>");
  EXPECT_EQ(to_text({}, Dialect::l), "<0 bytes: no header>");
}

TEST(ToText, BelievesNoSizeInTheHeader) {
  EXPECT_EQ(to_text(wire("ff ff ff ff  75  01 00  00 00 00 00"), Dialect::l),
            "Rread tag 1 data ''");
  EXPECT_EQ(to_text(wire("ff ff ff ff  75  01 00  f4 ff ff ff"), Dialect::l),
            "Rread tag 1 <4 bytes: message ends before its last field>");
  EXPECT_EQ(to_text(wire("20 00 00 00  75  01 00  01 00 00 00 'a'"), Dialect::l),
            "Rread tag 1 data a");
  EXPECT_EQ(to_text(wire("00 00 00 00  79  01 00"), Dialect::l), "Rclunk tag 1");
}

// ---- parsing

TEST(FromText, ReadsTheManualsExamples) {
  EXPECT_EQ(frame_of("Twalk tag 3 fid 1 newfid 2 wname usr bin", Dialect::l),
            hex(wire("1b 00 00 00  6e  03 00  01 00 00 00  02 00 00 00  02 00"
                     "03 00 'usr'  03 00 'bin'")));
  EXPECT_EQ(frame_of("Rwalk tag 3 qid (0x2a 0 0x80)", Dialect::l),
            hex(wire("16 00 00 00  6f  03 00  01 00  80 00 00 00 00 2a 00 00 00 00 00 00 00")));
  EXPECT_EQ(frame_of("Twrite tag 4 fid 7 offset 0 data 'hello\\x0a'", Dialect::l),
            hex(wire("1d 00 00 00  76  04 00  07 00 00 00  00 00 00 00 00 00 00 00"
                     "06 00 00 00 'hello' 0a")));
}

TEST(FromText, TakesNumbersInAnyBase) {
  for (const char* number : {"493", "0755", "0x1ed", "0x1ED"})
    EXPECT_EQ(frame_of("Tlopen tag 1 fid 0 flags " + std::string(number), Dialect::l),
              hex(wire("0f 00 00 00  0c  01 00  00 00 00 00  ed 01 00 00")))
        << number;
}

TEST(FromText, TakesAnySpaceBetweenWords) {
  EXPECT_EQ(frame_of("  Tread\ttag 1\n fid 2 offset 3\r\n count 4 ", Dialect::l),
            frame_of("Tread tag 1 fid 2 offset 3 count 4", Dialect::l));
  EXPECT_EQ(frame_of("Rattach tag 1 qid( 1 2 3 )", Dialect::l),
            frame_of("Rattach tag 1 qid (1 2 3)", Dialect::l));
}

TEST(FromText, UndoesQuoting) {
  EXPECT_EQ(frame_of("Rreadlink tag 1 target 'it''s a \\x5c\\xC3\\xa9 (x)'", Dialect::l),
            hex(wire("17 00 00 00  17  01 00  0e 00 'it' 27 's a ' 5c c3 a9 ' (x)'")));
  EXPECT_EQ(frame_of("Rreadlink tag 1 target ''", Dialect::l),
            hex(wire("09 00 00 00  17  01 00  00 00")));
  EXPECT_EQ(frame_of("Rreadlink tag 1 target ''''", Dialect::l),
            hex(wire("0a 00 00 00  17  01 00  01 00 27")));
  EXPECT_EQ(frame_of("Rread tag 1 data '\\x00\\xff'", Dialect::l),
            hex(wire("0d 00 00 00  75  01 00  02 00 00 00  00 ff")));
}

TEST(FromText, ReadsALengthAsThatManyZeroBytes) {
  EXPECT_EQ(frame_of("Rread tag 1 data <3 bytes>", Dialect::l),
            hex(wire("0e 00 00 00  75  01 00  03 00 00 00  00 00 00")));
  EXPECT_EQ(frame_of("Rread tag 1 data '<3 bytes>'", Dialect::l),
            hex(wire("14 00 00 00  75  01 00  09 00 00 00  '<3 bytes>'")));
  const auto most = from_text("Rread tag 1 data <16777216 bytes>", Dialect::l);
  ASSERT_TRUE(most) << most.error();
  EXPECT_EQ(most->size(), kDataReplyHeaderSize + kMaxMsize);
}

TEST(FromText, LeavesDefaultsWhereFieldsAreLeftOut) {
  EXPECT_EQ(frame_of("Tversion msize 8192 version 9P2000", Dialect::l),
            frame_of("Tversion tag 65535 msize 8192 version 9P2000", Dialect::l));
  EXPECT_EQ(frame_of("Tread tag 1 offset 5", Dialect::l),
            frame_of("Tread tag 1 fid 0 offset 5 count 0", Dialect::l));
  // wstat's defaults touch nothing
  EXPECT_EQ(frame_of("Twstat tag 1 fid 2 stat (mode 0644 name new)", Dialect::legacy),
            frame_of("Twstat tag 1 fid 2 stat (type 0xffff dev 0xffffffff "
                     "qid (0xffffffffffffffff 4294967295 0xff) mode 0644 atime 4294967295 "
                     "mtime 4294967295 length 18446744073709551615 name new uid '' gid '' muid '')",
                     Dialect::legacy));
}

TEST(FromText, KnowsNoFieldOfAnotherDialect) {
  EXPECT_EQ(text_error("Rerror tag 1 ename x errno 5", Dialect::u), error_code());
  EXPECT_EQ(text_error("Rerror tag 1 ename x errno 5", Dialect::legacy), Error::bad_text);
  EXPECT_EQ(text_error("Tauth tag 1 n_uname 5", Dialect::l), error_code());
  EXPECT_EQ(text_error("Tauth tag 1 n_uname 5", Dialect::legacy), Error::bad_text);
}

TEST(FromText, RefusesWhatIsNoMessage) {
  for (const char* text : {
           "",
           "  ",
           "tread",
           "Tfoo tag 1",
           "'Tread' tag 1",
           "Tread tag",
           "Tread tag x",
           "Tread tag -1",
           "Tread tag 65536",
           "Tread tag 1 tag 2",
           "Tread tag 1 fid",
           "Tread tag 1 fid 4294967296",
           "Tread tag 1 fid 1 fid 2",
           "Tread tag 1 offset 1 fid 2",
           "Tread tag 1 offset 18446744073709551616",
           "Tread tag 1 fid 0x",
           "Tread tag 1 fid 08",
           "Tread tag 1 fid 1x",
           "Tread tag 1 fid '1'",
           "Tread tag 1 fid 0x1 ffff",
           "Tread fid 1 tag 1",
           "Tread tag 1 fid 1 offset 0 count 1 rest",
           "Rclunk tag 1 )",
           "Rlock tag 1 status 256",
           "Rattach tag 1 qid",
           "Rattach tag 1 qid 1 2 3",
           "Rattach tag 1 qid (1 2)",
           "Rattach tag 1 qid (1 2 3",
           "Rattach tag 1 qid (1 2 3 4)",
           "Rattach tag 1 qid (1 2 256)",
           "Rattach tag 1 qid (1 2 3) (1 2 3)",
           "Rreadlink tag 1 target",
           "Rreadlink tag 1 target (",
           "Rreadlink tag 1 target 'open",
           "Rreadlink tag 1 target '",
           "Rreadlink tag 1 target 'odd''",
           "Rreadlink tag 1 target '\\'",
           "Rreadlink tag 1 target '\\x4'",
           "Rreadlink tag 1 target '\\xg0'",
           "Rreadlink tag 1 target '\\x0g'",
           "Rreadlink tag 1 target '\\n'",
           "Rreadlink tag 1 target a b",
           "Rread tag 1 data",
           "Rread tag 1 data <5",
           "Rread tag 1 data <5 byte>",
           "Rread tag 1 data <x bytes>",
           "Rread tag 1 data < bytes>",
           "Rread tag 1 data <-1 bytes>",
           "Rread tag 1 data <16777217 bytes>",
           "Rread tag 1 data <4294967296 bytes>",
           "Twalk tag 1 wname a b c d e f g h i j k l m n o p q",
           "Twalk tag 1 wname a (b)",
           "Rwalk tag 1 qid (1 2 3) x",
           "Rwalk tag 1 qid (1 2 3) (1 2",
           "Rwalk tag 1 qid (1 1 1) (1 1 1) (1 1 1) (1 1 1) (1 1 1) (1 1 1) (1 1 1) (1 1 1) (1 1 1)"
           " (1 1 1) (1 1 1) (1 1 1) (1 1 1) (1 1 1) (1 1 1) (1 1 1) (1 1 1)",
           "Twstat tag 1 stat",
           "Twstat tag 1 stat (",
           "Twstat tag 1 stat (mode 1",
           "Twstat tag 1 stat (mode 1))",
           "Twstat tag 1 stat (mode 1 type 1)",
           "Tread tag 3 <5 bytes: message ends before its last field>",
           "type 200 tag 7 <3 bytes: unknown type>",
       })
    EXPECT_EQ(text_error(text), Error::bad_text) << text;
}

TEST(FromText, SaysWhatEncodingSays) {
  EXPECT_EQ(text_error("Rreadlink tag 1 target 'a\\x00b'"), Error::bad_string);
  EXPECT_EQ(text_error("Rreadlink tag 1 target " + std::string(65536, 'x')), Error::bad_string);
  EXPECT_EQ(text_error("Twstat tag 1 stat (name " + std::string(65535, 'x') + ')'),
            Error::bad_stat);
}

// ---- both ways

Dialect dialect_of(std::string_view name) {
  return name == version_string(Dialect::l)   ? Dialect::l
         : name == version_string(Dialect::u) ? Dialect::u
                                              : Dialect::legacy;
}

void expect_text_both_ways(const std::function<test::Filling()>& new_filling) {
  static const test::Spec spec = test::read_spec(FUSE9P_SOURCE_DIR "/tests/wire/messages.spec");
  for (const Golden& golden : test::golden_messages(spec, new_filling)) {
    SCOPED_TRACE(golden.message.dialect + ": " + golden.message.line);
    const Dialect dialect = dialect_of(golden.message.dialect);
    const std::string frame = golden.frame();
    const std::string text = to_text(std::as_bytes(std::span(frame)), dialect, kNoLimit);
    EXPECT_EQ(frame_of(text, dialect), hex(frame)) << text;
    EXPECT_EQ(frame_of(golden.text(), dialect), hex(frame)) << golden.text();
  }
}

TEST(Text, OfEveryMessageParsesToItsFrame) {
  expect_text_both_ways(test::distinct_filling);
  expect_text_both_ways(test::empty_filling);
  expect_text_both_ways(test::full_filling);
}

TEST(Text, OfRandomFieldsParsesToItsFrame) {
  std::uint32_t seed = test::new_seed();
  for (int round = 0; round < 20; ++round)
    expect_text_both_ways([&] { return test::random_filling(seed++); });
}

}  // namespace
}  // namespace fuse9p::proto
