// SPDX-License-Identifier: MIT
// How client and server agree on a dialect, with servers that have some of them and refuse the
// others in each of the ways that there are.

#include "tests/support/mount_fixture.hpp"

#include <gmock/gmock.h>

#include <fstream>

namespace fuse9p::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::string kPlain = "9P2000", kExtended = "9P2000.u", kLinux = "9P2000.L";

class Negotiation : public MountTest {
 protected:
  /// Each connection has a server of its own.
  static std::string source(const std::vector<std::string>& script) {
    std::string source = "exec:" FUSE9P_SCRIPTED_SERVER;
    for (const std::string& line : script)
      source += " \"" + line + "\"";
    return source;
  }
  /// What is spoken, by what the log says.
  std::string agreed(const std::vector<std::string>& script,
                     std::vector<std::string> options = {}) {
    Fuse9p& mounted = mount(
        {.source = source(script), .options = std::move(options), .run = Fuse9p::Run::foreground});
    std::ofstream(mounted.path() / "f") << "words";
    EXPECT_EQ(read_file(mounted.path() / "f"), "words");
    EXPECT_EQ(mounted.log_lines("breach").size(), 0U) << mounted.log();
    const auto lines = mounted.log_lines(", msize ");
    EXPECT_EQ(lines.size(), 1U) << mounted.log();
    const std::string line = lines.empty() ? "" : lines.front();
    const auto begin = line.find(": 9P") + 2;
    return line.substr(begin, line.find(',', begin) - begin);
  }
  std::string refused(const std::vector<std::string>& script,
                      std::vector<std::string> options = {}) {
    const Finished finished = run(fuse9p_command(
        scratch(), {.source = source(script),
                    .options = std::move(options),
                    .mountpoint = scratch().directory("mnt." + std::to_string(++tries_))}));
    EXPECT_EQ(finished.status, Status{.code = 32}) << finished.output;
    return finished.output;
  }

 private:
  int tries_ = 0;
};

TEST_F(Negotiation, TakesTheBestThatTheServerHas) {
  EXPECT_EQ(agreed({}), kLinux);
  EXPECT_EQ(agreed({"dialects 9P2000 9P2000.u"}), kExtended);
  EXPECT_EQ(agreed({"dialects 9P2000"}), kPlain);
}

TEST_F(Negotiation, UnderstandsEveryWayToRefuse) {
  for (const char* const how : {"unknown", "rerror", "rlerror", "downgrade", "hangup"}) {
    const std::string refuse = std::string("refuse ") + how;
    EXPECT_EQ(agreed({"dialects 9P2000", refuse}), kPlain) << how;
    EXPECT_EQ(agreed({"dialects 9P2000 9P2000.u", refuse}), kExtended) << how;
  }
}

TEST_F(Negotiation, IsForcedByVersion) {
  EXPECT_EQ(agreed({}, {"version=9p2000"}), kPlain);
  EXPECT_EQ(agreed({}, {"version=9P2000.u"}), kExtended);
  EXPECT_EQ(agreed({}, {"version=9p2000.l"}), kLinux);
  EXPECT_EQ(agreed({}, {"noextend"}), kPlain);
}

TEST_F(Negotiation, SaysWhatTheServerOffersInstead) {
  EXPECT_THAT(refused({"dialects 9P2000", "refuse downgrade"}, {"version=9p2000.L"}),
              AllOf(HasSubstr("\"9P2000.L\" was answered with 9P2000"),
                    HasSubstr("try -o version=9P2000")));
}

TEST_F(Negotiation, SaysWhatWasAskedForAndWhatCame) {
  EXPECT_THAT(refused({"dialects", "refuse unknown"}),
              AllOf(HasSubstr("\"9P2000.L\" was answered with unknown"),
                    HasSubstr("\"9P2000.u\" was answered with unknown"),
                    HasSubstr("\"9P2000\" was answered with unknown")));
  EXPECT_THAT(refused({"dialects", "refuse rerror"}, {"version=9p2000"}),
              HasSubstr("\"9P2000\" was answered with 'unknown version'"));
  EXPECT_THAT(refused({"dialects", "refuse hangup"}),
              AllOf(HasSubstr("\"9P2000\" was answered with a closed connection"),
                    HasSubstr("is it a 9P server")));
}

}  // namespace
}  // namespace fuse9p::test
