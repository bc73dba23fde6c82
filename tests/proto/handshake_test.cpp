// SPDX-License-Identifier: MIT
#include "proto/handshake.hpp"

#include "proto/text.hpp"
#include "tests/support/wire.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

namespace fuse9p::proto {
namespace {

using Kind = Handshake::Action::Kind;
using test::wire;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

HandshakeConfig config_for(std::vector<Dialect> dialects) {
  HandshakeConfig config;
  config.dialects = std::move(dialects);
  config.msize = 65536;
  config.uname = "glenda";
  config.aname = "/usr";
  config.n_uname = 1000;
  return config;
}

/// A handshake in text. What the client sends is printed in `dialect`.
class Shake {
 public:
  explicit Shake(std::vector<Dialect> dialects = {Dialect::l}) : Shake(config_for(dialects)) {}
  explicit Shake(const HandshakeConfig& config) : handshake_(config) {}

  std::string start() { return took(handshake_.start()); }
  /// What comes of a frame of the server: the frame sent in answer, or what else is to be done.
  std::string hear(std::string_view text, Dialect dialect = Dialect::l) {
    const auto frame = from_text(text, dialect).value();
    return hear_bytes({frame.data(), frame.size()});
  }
  std::string hear_bytes(ByteView frame) {
    // On the heap and no larger than it is, so that a sanitizer sees a read beyond it.
    const std::vector<std::byte> copy(frame.begin(), frame.end());
    return took(handshake_.received(copy));
  }
  std::string see_end() { return took(handshake_.closed()); }

  const Handshake& handshake() const { return handshake_; }
  error_code error() const { return error_; }

 private:
  std::string took(const Handshake::Action& action) {
    error_ = action.error;
    switch (action.kind) {
      case Kind::send:
        EXPECT_FALSE(action.error);
        return "-> " +
               to_text({action.frame.data(), action.frame.size()}, handshake_.parameters().dialect);
      case Kind::reconnect:
        return "reconnect";
      case Kind::done:
        return "done";
      case Kind::failed:
        EXPECT_TRUE(action.error);
        return "failed: " + action.message;
    }
    return "";
  }

  Handshake handshake_;
  error_code error_;
};

constexpr std::string_view kAttachL =
    "-> Tattach tag 0 fid 0 afid 4294967295 uname glenda aname /usr n_uname 1000";
constexpr std::string_view kAttachLegacy =
    "-> Tattach tag 0 fid 0 afid 4294967295 uname glenda aname /usr";

// ---- version

TEST(Handshake, AsksForItsFirstDialectWithNotag) {
  Shake shake({Dialect::l, Dialect::u});
  EXPECT_EQ(shake.start(), "-> Tversion tag 65535 msize 65536 version 9P2000.L");
  EXPECT_EQ(shake.handshake().awaited(), "Rversion");
}

TEST(Handshake, EachDialectIsAskedForByItsName) {
  EXPECT_EQ(Shake({Dialect::u}).start(), "-> Tversion tag 65535 msize 65536 version 9P2000.u");
  EXPECT_EQ(Shake({Dialect::legacy}).start(), "-> Tversion tag 65535 msize 65536 version 9P2000");
}

TEST(Handshake, ExactAnswerLeadsToAttachAndIsDone) {
  Shake shake;
  shake.start();
  EXPECT_EQ(shake.hear("Rversion msize 65536 version 9P2000.L"), kAttachL);
  EXPECT_EQ(shake.handshake().awaited(), "Rattach");
  EXPECT_EQ(shake.hear("Rattach tag 0 qid (0x2a 7 0x80)"), "done");
  EXPECT_EQ(shake.handshake().parameters().dialect, Dialect::l);
  EXPECT_EQ(shake.handshake().parameters().msize, 65536U);
  EXPECT_EQ(shake.handshake().parameters().root_qid, (Qid{.type = 0x80, .version = 7, .path = 42}));
}

TEST(Handshake, DowngradeToTheNextDialectOfTheListIsTaken) {
  Shake shake({Dialect::u, Dialect::legacy});
  shake.start();
  EXPECT_EQ(shake.hear("Rversion msize 65536 version 9P2000"), kAttachLegacy);
  EXPECT_EQ(shake.handshake().parameters().dialect, Dialect::legacy);
}

TEST(Handshake, DowngradeIsNotTakenBeforeWhatIsBetterWasAskedFor) {
  Shake shake({Dialect::l, Dialect::u, Dialect::legacy});
  shake.start();
  EXPECT_EQ(shake.hear("Rversion msize 65536 version 9P2000"), "reconnect");
  EXPECT_EQ(shake.start(), "-> Tversion tag 65535 msize 65536 version 9P2000.u");
  EXPECT_EQ(shake.hear("Rversion msize 65536 version 9P2000"), kAttachLegacy);
}

TEST(Handshake, WithOneConnectionADowngradeIsTaken) {
  HandshakeConfig config = config_for({Dialect::l, Dialect::u, Dialect::legacy});
  config.can_reconnect = false;
  Shake shake(config);
  shake.start();
  EXPECT_EQ(shake.hear("Rversion msize 65536 version 9P2000"), kAttachLegacy);
}

TEST(Handshake, WithOneConnectionTheNextDialectIsAskedForOnIt) {
  HandshakeConfig config = config_for({Dialect::l, Dialect::u});
  config.can_reconnect = false;
  Shake shake(config);
  shake.start();
  EXPECT_EQ(shake.hear("Rversion msize 65536 version unknown"),
            "-> Tversion tag 65535 msize 65536 version 9P2000.u");
  EXPECT_EQ(shake.hear("Rversion msize 65536 version 9P2000.u"), kAttachL);
}

TEST(Handshake, DowngradeToADialectThatIsNotOnTheListIsRefused) {
  Shake shake({Dialect::l});
  shake.start();
  EXPECT_THAT(shake.hear("Rversion msize 65536 version 9P2000"),
              AllOf(HasSubstr("failed: "), HasSubstr("9P2000.L"), HasSubstr("with 9P2000")));
  EXPECT_EQ(shake.error(), Error::unexpected_reply);
}

TEST(Handshake, UnknownLeadsToAFreshConnectionAndTheNextDialect) {
  Shake shake({Dialect::l, Dialect::u});
  shake.start();
  EXPECT_EQ(shake.hear("Rversion msize 65536 version unknown"), "reconnect");
  EXPECT_EQ(shake.start(), "-> Tversion tag 65535 msize 65536 version 9P2000.u");
  EXPECT_EQ(shake.hear("Rversion msize 65536 version 9P2000.u"), kAttachL);
  EXPECT_EQ(shake.handshake().parameters().dialect, Dialect::u);
}

TEST(Handshake, UnknownMayComeWithMsizeZero) {
  Shake shake({Dialect::l, Dialect::u});
  shake.start();
  EXPECT_EQ(shake.hear("Rversion msize 0 version unknown"), "reconnect");
}

TEST(Handshake, WhenAllAreRefusedTheMessageNamesWhatWasAskedAndWhatCame) {
  Shake shake({Dialect::l, Dialect::u, Dialect::legacy});
  shake.start();
  EXPECT_EQ(shake.hear("Rversion msize 8192 version unknown"), "reconnect");
  shake.start();
  EXPECT_EQ(shake.hear("Rlerror ecode 5"), "reconnect");
  shake.start();
  EXPECT_EQ(shake.hear("Rerror ename 'go away'", Dialect::legacy),
            "failed: no common version: \"9P2000.L\" was answered with unknown, "
            "\"9P2000.u\" was answered with Input/output error, "
            "\"9P2000\" was answered with 'go away'; fuse9p knows no other versions");
}

TEST(Handshake, AnEndedConnectionIsARefusalOfTheDialect) {
  Shake shake({Dialect::l, Dialect::u});
  shake.start();
  EXPECT_EQ(shake.see_end(), "reconnect");
  EXPECT_EQ(shake.start(), "-> Tversion tag 65535 msize 65536 version 9P2000.u");
  EXPECT_EQ(shake.hear("Rversion msize 65536 version 9P2000.u"), kAttachL);
}

TEST(Handshake, WhenAllConnectionsEndThereIsPerhapsNo9PServer) {
  Shake shake({Dialect::l, Dialect::u});
  shake.start();
  EXPECT_EQ(shake.see_end(), "reconnect");
  shake.start();
  EXPECT_EQ(shake.see_end(),
            "failed: no common version: \"9P2000.L\" was answered with a closed connection, "
            "\"9P2000.u\" was answered with a closed connection; is it a 9P server, and may this "
            "host use it?");
}

TEST(Handshake, AConnectionThatEndsInsteadOfAnAttachFails) {
  Shake shake({Dialect::l, Dialect::u});
  shake.start();
  EXPECT_EQ(shake.hear("Rversion msize 65536 version 9P2000.L"), kAttachL);
  EXPECT_THAT(shake.see_end(), AllOf(HasSubstr("failed: connection closed"), HasSubstr("aname")));
  EXPECT_EQ(shake.error(), Error::connection_lost);
}

TEST(Handshake, ADialectThatWasNotAskedForIsAdvisedWhenItIsOffered) {
  Shake shake({Dialect::l});
  shake.start();
  EXPECT_THAT(shake.hear("Rversion msize 65536 version 9P2000.u"),
              HasSubstr("; try -o version=9P2000.u"));
}

TEST(Handshake, ErrorInAnyFormIsARefusalOfTheDialect) {
  const auto refused = [](ByteView frame) {
    for (const Dialect asked : {Dialect::l, Dialect::u, Dialect::legacy}) {
      Shake shake({asked, Dialect::legacy});
      shake.start();
      EXPECT_EQ(shake.hear_bytes(frame), "reconnect") << test::hex(frame);
    }
  };
  refused(wire("0b 00 00 00 07 ff ff 5f 00 00 00"));                  // Rlerror
  refused(wire("10 00 00 00 6b ff ff 07 00 'botched'"));              // Rerror of 9P2000
  refused(wire("14 00 00 00 6b ff ff 07 00 'botched' 05 00 00 00"));  // of 9P2000.u
  refused(wire("0b 00 00 00 6b ff ff 5f 00 00 00"));                  // a bare errno
  refused(wire("07 00 00 00 6b ff ff"));                              // nothing at all
}

TEST(Handshake, BareErrnoIsNamedByItsMeaning) {
  Shake shake({Dialect::l});
  shake.start();
  EXPECT_THAT(shake.hear_bytes(wire("0b 00 00 00 6b ff ff 5f 00 00 00")),
              HasSubstr("answered with Operation not supported"));
}

// ---- msize

TEST(Handshake, LargerMsizeThanAskedForIsClamped) {
  Shake shake;
  shake.start();
  shake.hear("Rversion msize 4294967295 version 9P2000.L");
  EXPECT_EQ(shake.handshake().parameters().msize, 65536U);
}

TEST(Handshake, SmallerMsizeThanAskedForIsTaken) {
  Shake shake;
  shake.start();
  shake.hear("Rversion msize 8192 version 9P2000.L");
  EXPECT_EQ(shake.handshake().parameters().msize, 8192U);
}

TEST(Handshake, MsizeThatIsTooSmallFailsAndIsNamed) {
  for (const std::uint32_t msize : {0U, 1U, Handshake::kLeastMsize - 1}) {
    Shake shake({Dialect::l, Dialect::u});
    shake.start();
    EXPECT_THAT(shake.hear("Rversion msize " + std::to_string(msize) + " version 9P2000.L"),
                AllOf(HasSubstr("failed: "), HasSubstr("msize " + std::to_string(msize)),
                      HasSubstr(std::to_string(Handshake::kLeastMsize))));
  }
}

TEST(Handshake, LeastMsizeIsEnough) {
  Shake shake;
  shake.start();
  EXPECT_EQ(
      shake.hear("Rversion msize " + std::to_string(Handshake::kLeastMsize) + " version 9P2000.L"),
      kAttachL);
}

TEST(Handshake, NamesThatDoNotFitIntoMsizeFail) {
  HandshakeConfig config = config_for({Dialect::l});
  config.aname = std::string(600, 'a');
  Shake shake(config);
  shake.start();
  EXPECT_THAT(shake.hear("Rversion msize 512 version 9P2000.L"), HasSubstr("aname"));
  EXPECT_EQ(shake.error(), Error::message_too_large);
}

// ---- a server that speaks something else

TEST(Handshake, OtherMessageThanRversionFailsAndIsNamed) {
  Shake shake({Dialect::l, Dialect::u});
  shake.start();
  EXPECT_THAT(shake.hear("Rwalk tag 3 qid (0x1 0 0x80)"),
              AllOf(HasSubstr("failed: does not speak 9P"), HasSubstr("version 9P2000.L"),
                    HasSubstr("Rwalk tag 3")));
  EXPECT_EQ(shake.error(), Error::unexpected_reply);
}

TEST(Handshake, RversionWithoutNotagFails) {
  Shake shake;
  shake.start();
  EXPECT_THAT(shake.hear("Rversion tag 0 msize 8192 version 9P2000.L"),
              HasSubstr("does not speak 9P: expected Rversion"));
}

TEST(Handshake, BytesThatAreNoMessageFail) {
  for (const auto& frame :
       {wire(""), wire("07"), wire("06 00 00 00 65 ff"), wire("07 00 00 00 65 ff ff"),
        wire("0d 00 00 00 65 ff ff 00 20 00 00 ff ff"), wire("07 00 00 00 c8 ff ff"),
        wire("15 00 00 00 65 ff ff 00 20 00 00 08 00 '9P2000' 00 'L'")}) {
    Shake shake({Dialect::l, Dialect::u});
    shake.start();
    EXPECT_THAT(shake.hear_bytes(frame), HasSubstr("failed: does not speak 9P"))
        << test::hex(frame);
  }
}

TEST(Handshake, BytesBehindTheVersionAreIgnored) {
  Shake shake;
  shake.start();
  EXPECT_EQ(shake.hear_bytes(wire("18 00 00 00 65 ff ff 00 20 00 00 08 00 '9P2000.L' 'pad'")),
            kAttachL);
}

TEST(Handshake, WhatTheServerSaysCannotFloodOrForgeTheMessage) {
  const std::string flood(60000, 'x');
  Shake version({Dialect::l});
  version.start();
  EXPECT_LT(version.hear("Rversion msize 8192 version " + flood).size(), 400U);
  Shake garbage({Dialect::l});
  garbage.start();
  EXPECT_LT(garbage.hear("Rreadlink tag 1 target " + flood).size(), 400U);
  Shake attach({Dialect::u});
  attach.start();
  attach.hear("Rversion msize 65536 version 9P2000.u");
  const std::string said =
      attach.hear("Rerror tag 0 ename '\\x1b[2J\\x0a" + flood + "'", Dialect::u);
  EXPECT_LT(said.size(), 400U);
  EXPECT_THAT(said, AllOf(Not(HasSubstr("\n")), Not(HasSubstr("\x1b"))));
}

// ---- attach

TEST(Handshake, AttachCarriesTheConfiguredFidAndUser) {
  HandshakeConfig config = config_for({Dialect::u});
  config.root = Fid{9};
  config.n_uname = kNoNumericUname;
  Shake shake(config);
  shake.start();
  EXPECT_EQ(shake.hear("Rversion msize 8192 version 9P2000.u"),
            "-> Tattach tag 0 fid 9 afid 4294967295 uname glenda aname /usr n_uname 4294967295");
}

TEST(Handshake, RefusedAttachFailsWithTheServersErrorAndNamesTheUser) {
  Shake shake;
  shake.start();
  shake.hear("Rversion msize 8192 version 9P2000.L");
  EXPECT_THAT(shake.hear("Rlerror tag 0 ecode 13"),
              AllOf(HasSubstr("uname=glenda"), HasSubstr("n_uname=1000"), HasSubstr("aname=/usr"),
                    HasSubstr("Permission denied")));
  EXPECT_EQ(shake.error(), make_server_error(EACCES));
}

TEST(Handshake, RefusedAttachRepeatsTheServersWords) {
  Shake shake({Dialect::u});
  shake.start();
  shake.hear("Rversion msize 8192 version 9P2000.u");
  EXPECT_THAT(shake.hear("Rerror tag 0 ename 'unknown user' errno 0", Dialect::u),
              AllOf(HasSubstr("aname=/usr"), HasSubstr("unknown user")));
  EXPECT_EQ(shake.error(), make_server_error(EACCES));
}

TEST(Handshake, OtherMessageThanRattachFailsAndIsNamed) {
  for (const std::string_view reply :
       {"Rversion msize 8192 version 9P2000.L", "Rauth tag 0 aqid (0x1 0 0x8)",
        "Rattach tag 1 qid (0x1 0 0x80)"}) {
    Shake shake;
    shake.start();
    shake.hear("Rversion msize 8192 version 9P2000.L");
    EXPECT_THAT(shake.hear(reply), AllOf(HasSubstr("failed: "), HasSubstr("uname=glenda"),
                                         HasSubstr(std::string(reply.substr(0, 5)))));
    EXPECT_EQ(shake.error(), Error::unexpected_reply);
  }
}

TEST(Handshake, RattachThatIsTooShortFails) {
  Shake shake;
  shake.start();
  shake.hear("Rversion msize 8192 version 9P2000.L");
  EXPECT_THAT(shake.hear_bytes(wire("0b 00 00 00 69 00 00 80 00 00 00")), HasSubstr("failed: "));
}

// ---- again

TEST(Handshake, LaterConnectionBeginsWithTheDialectThatWorked) {
  Shake shake({Dialect::l, Dialect::u});
  shake.start();
  shake.hear("Rversion msize 8192 version unknown");
  shake.start();
  shake.hear("Rversion msize 8192 version 9P2000.u");
  shake.hear("Rattach tag 0 qid (0x1 0 0x80)");
  EXPECT_EQ(shake.start(), "-> Tversion tag 65535 msize 65536 version 9P2000.u");
  EXPECT_EQ(shake.handshake().awaited(), "Rversion");
}

}  // namespace
}  // namespace fuse9p::proto
