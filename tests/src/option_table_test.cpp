// SPDX-License-Identifier: MIT
#include "src/option_table.hpp"

#include "src/option_help.hpp"
#include "tests/src/option_words.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <array>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace fuse9p {
namespace {

using namespace test;
using proto::Dialect;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;

TEST(OptionTable, TableGivesTheDefaultsOfTheStruct) {
  // Those whose default is not a value but a description, or the source's.
  const std::set<std::string_view> described{"trans",   "port",   "uname", "version",
                                             "n_uname", "access", "fsname"};
  for (const OptionSpec& option : kOptions) {
    if (option.default_text.empty() || described.contains(option.name))
      continue;
    Options options;
    option.set(options, option.default_text);
    EXPECT_EQ(options, Options{}) << option_label(option);
  }
}

// Values

struct Effect {
  std::string list;
  std::function<bool(const Options&)> holds;
};

void expect_effects(const std::vector<Effect>& effects) {
  for (const Effect& effect : effects)
    EXPECT_TRUE(effect.holds(parse_list(effect.list))) << effect.list;
}

TEST(OptionTable, EveryFlagSetsItsMember) {
  expect_effects({
      {"privport", [](const Options& o) { return o.privileged_port; }},
      {"noextend", [](const Options& o) { return o.dialect == Dialect::legacy; }},
      {"noxattr", [](const Options& o) { return o.no_xattr; }},
      {"posixacl", [](const Options& o) { return o.posix_acl; }},
      {"ignoreqv", [](const Options& o) { return o.ignore_qid_version; }},
      {"nodevmap", [](const Options& o) { return o.no_device_map; }},
      {"directio", [](const Options& o) { return o.direct_io; }},
      {"allow_other", [](const Options& o) { return o.allow_other; }},
      {"allow_root", [](const Options& o) { return o.allow_root; }},
      {"default_permissions", [](const Options& o) { return o.default_permissions; }},
      {"ro", [](const Options& o) { return o.read_only; }},
      {"ro,rw", [](const Options& o) { return !o.read_only; }},
  });
}

TEST(OptionTable, VersionIsReadInAnyCase) {
  expect_effects({
      {"version=9p2000", [](const Options& o) { return o.dialect == Dialect::legacy; }},
      {"version=9P2000.U", [](const Options& o) { return o.dialect == Dialect::u; }},
      {"version=9p2000.L", [](const Options& o) { return o.dialect == Dialect::l; }},
      {"version=9p2000.l", [](const Options& o) { return o.dialect == Dialect::l; }},
  });
}

TEST(OptionTable, SizesTakeSuffixesInAnyCase) {
  expect_effects({
      {"msize=4096", [](const Options& o) { return o.msize == 4096; }},
      {"msize=4k", [](const Options& o) { return o.msize == 4096; }},
      {"msize=512K", [](const Options& o) { return o.msize == 512 * 1024; }},
      {"msize=2m", [](const Options& o) { return o.msize == 2 * 1024 * 1024; }},
      {"msize=16M", [](const Options& o) { return o.msize == 16 * 1024 * 1024; }},
      {"msize=262144", [](const Options& o) { return o.msize == 262144; }},
  });
}

TEST(OptionTable, SecondsTakeFractions) {
  expect_effects({
      {"attr_timeout=0.25", [](const Options& o) { return o.attr_timeout.count() == 250; }},
      {"entry_timeout=.5", [](const Options& o) { return o.entry_timeout.count() == 500; }},
      {"negative_timeout=3", [](const Options& o) { return o.negative_timeout.count() == 3000; }},
      {"flush_timeout=0.1", [](const Options& o) { return o.flush_timeout.count() == 100; }},
      {"flush_timeout=3600", [](const Options& o) { return o.flush_timeout.count() == 3600'000; }},
      {"interrupt_grace=0", [](const Options& o) { return o.interrupt_grace.count() == 0; }},
      {"connect_timeout=1.0006",
       [](const Options& o) { return o.connect_timeout.count() == 1001; }},
      {"attr_timeout=31536000",
       [](const Options& o) { return o.attr_timeout == std::chrono::hours(24 * 365); }},
  });
}

TEST(OptionTable, ActimeoSetsAttributesAndEntries) {
  expect_effects({
      {"actimeo=5",
       [](const Options& o) {
         return o.attr_timeout.count() == 5000 && o.entry_timeout.count() == 5000 &&
                o.negative_timeout.count() == 0;
       }},
      {"actimeo=5,attr_timeout=2",
       [](const Options& o) {
         return o.attr_timeout.count() == 2000 && o.entry_timeout.count() == 5000;
       }},
      {"attr_timeout=2,actimeo=5", [](const Options& o) { return o.attr_timeout.count() == 5000; }},
  });
}

TEST(OptionTable, NumbersAndTextsSetTheirMembers) {
  expect_effects({
      {"dfltuid=0", [](const Options& o) { return o.dfltuid == 0; }},
      {"dfltgid=4294967294", [](const Options& o) { return o.dfltgid == 4294967294U; }},
      {"maxfids=16", [](const Options& o) { return o.maxfids == 16; }},
      {"aname=/srv", [](const Options& o) { return o.aname == "/srv"; }},
      {"aname=/a,aname=", [](const Options& o) { return o.aname.empty(); }},
      {"aname=a=b", [](const Options& o) { return o.aname == "a=b"; }},
      {"fsname=x", [](const Options& o) { return o.fsname == "x"; }},
      {"subtype=x", [](const Options& o) { return o.subtype == "x"; }},
  });
}

TEST(OptionTable, AccessIsAWordOrAUser) {
  using Mode = Access::Mode;
  expect_effects({
      {"access=user", [](const Options& o) { return o.access == Access{Mode::user}; }},
      {"access=client", [](const Options& o) { return o.access == Access{Mode::client}; }},
      {"access=any", [](const Options& o) { return o.access == Access{Mode::any}; }},
      {"access=0",
       [](const Options& o) {
         return o.access == Access{Mode::uid, 0};
       }},
      {"access=1000",
       [](const Options& o) {
         return o.access == Access{Mode::uid, 1000};
       }},
  });
}

TEST(OptionTable, EachUserIsAttachedWhenOthersAreLetInUnlessAccessSaysElse) {
  using Mode = Access::Mode;
  for (const std::string others : {"allow_other", "allow_root"}) {
    const Options options = parse({"fuse9p", "host", "/mnt", "-o", others});
    EXPECT_EQ(options.access.mode, Mode::client);
    EXPECT_THAT(options.fuse_options, Contains("default_permissions"));
  }
  EXPECT_EQ(parse({"fuse9p", "host", "/mnt", "-o", "allow_other,access=any"}).access.mode,
            Mode::any);
  EXPECT_THAT(parse({"fuse9p", "host", "/mnt", "-o", "access=user"}).fuse_options,
              Not(Contains("default_permissions")));
}

TEST(OptionTable, AUserOtherThanTheOneWhoMountsHasToBeLetIn) {
  const std::string own = std::to_string(getuid()), other = std::to_string(getuid() + 1);
  EXPECT_THAT(parse({"fuse9p", "host", "/mnt", "-o", "access=" + own}).fuse_options,
              Not(Contains("allow_other")));
  EXPECT_THAT(parse({"fuse9p", "host", "/mnt", "-o", "access=" + other}).fuse_options,
              IsSupersetOf({"allow_other", "default_permissions"}));
  EXPECT_EQ(list_error("allow_root,access=" + other),
            "option access=" + other + ": conflicts with allow_root");
}

TEST(OptionTable, CacheIsAWordOrTheBitsOfV9fs) {
  struct Case {
    std::string value;
    CacheMode mode;
  };
  const std::vector<Case> cases{
      {"none", CacheMode::none},       {"readahead", CacheMode::readahead},
      {"mmap", CacheMode::mmap},       {"loose", CacheMode::loose},
      {"fscache", CacheMode::fscache}, {"0", CacheMode::none},
      {"1", CacheMode::readahead},     {"5", CacheMode::mmap},
      {"15", CacheMode::loose},        {"0xf", CacheMode::loose},
      {"0X8F", CacheMode::fscache},    {"2", CacheMode::none},
      {"4", CacheMode::mmap},          {"8", CacheMode::loose},
      {"128", CacheMode::fscache},     {"0xff", CacheMode::fscache},
  };
  for (const auto& [value, mode] : cases) {
    const Options options = parse_list("cache=" + value);
    EXPECT_EQ(options.cache, mode) << value;
    EXPECT_EQ(options.cache_text, value);
  }
}

TEST(OptionTable, LocksAreThisMachinesOrTheServersToo) {
  EXPECT_FALSE(parse_list("ro").server_locks);
  EXPECT_TRUE(parse_list("locks=server").server_locks);
  EXPECT_FALSE(parse_list("locks=server,locks=local").server_locks);
}

TEST(OptionTable, DebugMaskOfV9fsIsDashD) {
  for (const std::string on : {"debug", "debug=1", "debug=0x04"}) {
    EXPECT_TRUE(parse_list(on).debug) << on;
    EXPECT_TRUE(parse_list(on).foreground) << on;
  }
  EXPECT_FALSE(parse_list("debug=0").debug);
  EXPECT_FALSE(parse_list("debug=0x0").foreground);
  EXPECT_TRUE(parse({"fuse9p", "host", "/mnt", "-d", "-o", "debug=0"}).debug);
}

TEST(OptionTable, BadValueIsNamedWithWhatWasExpected) {
  struct Case {
    std::string item;
    std::string expected;
  };
  const std::string size = "must be 4k to 16M";
  const std::string wait = "must be 0.1 to 3600 seconds";
  const std::string cache_time = "must be 0 to 31536000 seconds";
  const std::string id = "must be 0 to 4294967294";
  const std::string fd = "must be 0 to 2147483647";
  const std::string port = "must be 1 to 65535 or a service name";
  const std::string kernel =
      "only the kernel's own 9p client can do this; use tcp, unix, fd, exec, vsock or dev";
  const std::string access = "must be user, client, any or a numeric user id";
  const std::string cache =
      "must be none, readahead, mmap, loose, fscache or v9fs's bit mask, 0 to 0xff";
  const std::vector<Case> cases{
      {"msize=12", size},
      {"msize=4095", size},
      {"msize=16777217", size},
      {"msize=17M", size},
      {"msize=1G", size},
      {"msize=18014398509481985k", size},
      {"msize=k", size},
      {"msize=1.5M", size},
      {"msize=64kB", size},
      {"msize=-1", size},
      {"msize=", size},
      {"connect_timeout=0", wait},
      {"connect_timeout=3600.1", wait},
      {"flush_timeout=0.05", wait},
      {"flush_timeout=2s", wait},
      {"flush_timeout=", wait},
      {"interrupt_grace=-1", "must be 0 to 3600 seconds"},
      {"interrupt_grace=3601", "must be 0 to 3600 seconds"},
      {"attr_timeout=-0.0001", cache_time},
      {"entry_timeout=nan", cache_time},
      {"negative_timeout=inf", cache_time},
      {"negative_timeout=1e3", cache_time},
      {"actimeo=31536001", cache_time},
      {"actimeo=0x10", cache_time},
      {"n_uname=4294967295", id},
      {"dfltuid=-2", id},
      {"dfltgid=nobody", id},
      {"maxfids=15", "must be 16 to 4294967294"},
      {"maxfids=4294967295", "must be 16 to 4294967294"},
      {"rfdno=-1", fd},
      {"wfdno=2147483648", fd},
      {"port=0", port},
      {"port=65536", port},
      {"port=", port},
      {"port=-5", port},
      {"trans=virtio", kernel},
      {"trans=rdma", kernel},
      {"trans=xen", kernel},
      {"trans=usbg", kernel},
      {"trans=udp", "must be tcp, unix, fd, exec, vsock or dev"},
      {"version=9p2001", "must be 9p2000, 9p2000.u or 9p2000.L"},
      {"uname=", "must not be empty"},
      {"fsname=", "must not be empty"},
      {"subtype=", "must not be empty"},
      {"access=root", access},
      {"access=4294967295", access},
      {"access=", access},
      {"cache=lose", cache},
      {"cache=0x100", cache},
      {"cache=0x", cache},
      {"locks=both", "must be local or server"},
      {"debug=yes", "must be a number, decimal or behind 0x"},
      {"locktimeout=soon", "must be a number of seconds"},
      {"max_read=all", "must be a number of bytes, with k, M or G behind it if you like"},
  };
  for (const auto& [item, expected] : cases)
    EXPECT_EQ(list_error(item), bad_value(item, expected));
}

TEST(OptionTable, SuperfluousValueIsAnErrorForEveryFlag) {
  for (const OptionSpec& option : kOptions) {
    if (option.type != OptionType::flag || option.name.starts_with('-'))
      continue;
    const std::string item = std::string(option.name) + "=1";
    EXPECT_EQ(list_error(item), bad_value(item, "takes no value"));
  }
}

TEST(OptionTable, MissingValueIsAnErrorForEveryOptionThatNeedsOne) {
  for (const OptionSpec& option : kOptions) {
    if (option.argument.empty() || option.argument.starts_with('[') || option.name.starts_with('-'))
      continue;
    const std::string name(option.name);
    EXPECT_EQ(list_error(name), bad_value(name, "needs a value, " + option_label(option)));
  }
  EXPECT_EQ(list_error("msize"), "option msize: needs a value, msize=SIZE");
}

// Table, help and manual page

constexpr std::array<std::string_view, 3> kPages{"fuse9p.1", "fuse9p.5", "mount.fuse9p.8"};

/// Of the program itself, of its mounts, or of it as a helper of mount(8).
std::string_view page_of(const OptionSpec& option) {
  if (!option.name.starts_with('-'))
    return "fuse9p.5";
  return option.group == "Program options" ? "fuse9p.1" : "mount.fuse9p.8";
}

/// Label and default of each option, in no order: "-f" is there twice.
using Documented = std::multiset<std::pair<std::string, std::string>>;

/// The options of a page, or all of them.
Documented of_table(std::string_view page = "") {
  Documented documented;
  for (const OptionSpec& option : kOptions) {
    if (page.empty() || page == page_of(option))
      documented.emplace(option_label(option), option.default_text);
  }
  return documented;
}

std::vector<std::string> lines_of(std::istream& stream) {
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);)
    lines.push_back(line);
  return lines;
}

/// "Cm user Ns Op = Ns Ar NAME" -> "user[=NAME]"; "Fl h , Fl Fl help" -> "-h, --help"
std::string label_of_item(const std::string& item) {
  std::istringstream words(item);
  std::string label;
  std::string dashes;
  std::string closing;
  bool space = false;
  for (std::string word; words >> word;) {
    if (word == "Cm" || word == "Ar")
      continue;
    if (word == "Fl") {
      dashes += '-';
    } else if (word == "Ns") {
      space = false;
    } else if (word == "Op") {
      label += '[';
      closing = "]";
    } else {
      const bool joined = !space || word == ",";
      label += (joined ? "" : " ") + std::exchange(dashes, "") + word;
      space = true;
    }
  }
  return label + closing;
}

/// The items of section OPTIONS that begin with Fl or Cm, up to the next item; a line "The default
/// is X." belongs to the item above it. Items of nested lists have no value and no default.
Documented of_manual_page(std::string_view name) {
  std::ifstream page(FUSE9P_SOURCE_DIR "/man/" + std::string(name));
  EXPECT_TRUE(page) << name << " can't be read";
  const std::string_view start = "The default is ";
  std::vector<std::pair<std::string, std::string>> items;
  bool in_section = false;
  int depth = 0;
  for (const std::string& line : lines_of(page)) {
    if (line.starts_with(".Sh "))
      in_section = line == ".Sh OPTIONS";
    if (!in_section)
      continue;
    depth += line.starts_with(".Bl ") ? 1 : line == ".El" ? -1 : 0;
    if (depth == 1 && (line.starts_with(".It Cm ") || line.starts_with(".It Fl ")))
      items.emplace_back(label_of_item(line.substr(4)), "");
    if (line.starts_with(start) && !items.empty())
      items.back().second = line.substr(start.size(), line.size() - start.size() - 1);
  }
  return {items.begin(), items.end()};
}

/// Entries begin in column 2; text of an entry, wrapped, in a further one.
Documented of_help() {
  std::istringstream help(help_text());
  std::vector<std::pair<std::string, std::string>> entries;
  bool in_groups = false;
  for (const std::string& line : lines_of(help)) {
    in_groups = in_groups || line == "Program options:";
    if (!in_groups || !line.starts_with("  "))
      continue;
    const bool begins = line[2] != ' ';
    const std::size_t end = begins ? line.find("  ", 2) : 0;
    if (begins)
      entries.emplace_back(line.substr(2, end - 2), "");
    const std::size_t text = line.find_first_not_of(' ', end);
    if (text != std::string::npos)
      entries.back().second += " " + line.substr(text);
  }
  const std::string_view start = "(default: ";
  for (auto& [label, words] : entries) {
    const std::size_t found = words.rfind(start);
    words = found == std::string::npos
                ? ""
                : words.substr(found + start.size(), words.size() - found - start.size() - 1);
  }
  return {entries.begin(), entries.end()};
}

Words missing_from(const Documented& documented, const Documented& wanted) {
  std::vector<std::pair<std::string, std::string>> missing;
  std::set_difference(wanted.begin(), wanted.end(), documented.begin(), documented.end(),
                      std::back_inserter(missing));
  Words words;
  for (const auto& [label, default_text] : missing)
    words.emplace_back(label).append(" (default: ").append(default_text).append(")");
  return words;
}

TEST(OptionTable, TableHelpAndManPagesAgree) {
  for (const std::string_view page : kPages) {
    EXPECT_THAT(missing_from(of_manual_page(page), of_table(page)), IsEmpty()) << "not in " << page;
    EXPECT_THAT(missing_from(of_table(page), of_manual_page(page)), IsEmpty())
        << "obsolete in " << page;
  }
  const Documented table = of_table();
  EXPECT_THAT(missing_from(of_help(), table), IsEmpty()) << "not in --help";
  EXPECT_THAT(missing_from(table, of_help()), IsEmpty()) << "obsolete in --help";
}

TEST(OptionTable, PlaceholdersFollowTheLegendOfTypes) {
  const std::map<OptionType, std::set<std::string_view>> legend{
      {OptionType::flag, {""}},
      {OptionType::uint, {"UINT", "[MASK]"}},
      {OptionType::size, {"SIZE"}},
      {OptionType::seconds, {"SECONDS"}},
  };
  for (const OptionSpec& option : kOptions) {
    const auto entry = legend.find(option.type);
    if (entry != legend.end())
      EXPECT_TRUE(entry->second.contains(option.argument)) << option_label(option);
    else
      EXPECT_FALSE(option.argument.empty()) << option_label(option);
  }
}

TEST(OptionTable, NamesAreUniqueWithinProgramHelperAndLists) {
  std::set<std::pair<std::string_view, std::string_view>> names;
  for (const OptionSpec& option : kOptions) {
    const std::string_view scope = option.name.starts_with('-') ? option.group : "-o";
    EXPECT_TRUE(names.emplace(scope, option.name).second) << option.name;
  }
}

TEST(OptionTable, HelpFitsIn80ColumnsAndEndsItsLines) {
  const std::string help = help_text();
  std::istringstream stream(help);
  for (const std::string& line : lines_of(stream)) {
    EXPECT_LE(line.size(), 80U) << line;
    EXPECT_FALSE(line.ends_with(' ')) << line;
  }
  EXPECT_TRUE(help.ends_with(".\n"));
}

TEST(OptionTable, GroupsOfTheTableAreContiguous) {
  std::set<std::string_view> seen;
  std::string_view current;
  for (const OptionSpec& option : kOptions) {
    if (option.group == current)
      continue;
    current = option.group;
    EXPECT_TRUE(seen.insert(current).second) << current;
  }
}

TEST(OptionTable, UsageNamesTheOperands) {
  EXPECT_THAT(usage(), HasSubstr("fuse9p SOURCE MOUNTPOINT"));
  EXPECT_THAT(help_text(), HasSubstr("fuse9p SOURCE MOUNTPOINT"));
}

}  // namespace
}  // namespace fuse9p
