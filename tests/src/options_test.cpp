// SPDX-License-Identifier: MIT
#include "src/options.hpp"

#include "tests/src/option_words.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace fuse9p {
namespace {

using namespace test;
using proto::Dialect;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// Defaults

TEST(Options, DefaultsNeedNoMoreThanSourceAndMountpoint) {
  const Options options = parse({"fuse9p", "host", "/mnt"});
  EXPECT_EQ(options.source, "host");
  EXPECT_EQ(options.mountpoint, "/mnt");
  EXPECT_EQ(options.endpoint, Endpoint(TcpEndpoint{"host", "564"}));
  EXPECT_FALSE(options.trans);
  EXPECT_EQ(options.connect_timeout, milliseconds(10'000));
  EXPECT_EQ(options.dialect, std::nullopt);
  EXPECT_EQ(options.msize, 1048576U);
  EXPECT_EQ(options.aname, "");
  EXPECT_EQ(options.access.mode, Access::Mode::any);
  EXPECT_EQ(options.dfltuid, 65534U);
  EXPECT_EQ(options.dfltgid, 65534U);
  EXPECT_EQ(options.maxfids, 100000U);
  EXPECT_EQ(options.cache, CacheMode::readahead);
  EXPECT_EQ(options.attr_timeout, milliseconds(1000));
  EXPECT_EQ(options.entry_timeout, milliseconds(1000));
  EXPECT_EQ(options.negative_timeout, milliseconds(0));
  EXPECT_EQ(options.flush_timeout, milliseconds(2000));
  EXPECT_EQ(options.interrupt_grace, milliseconds(1000));
  EXPECT_THAT(options.fuse_options, ElementsAre("fsname=host", "subtype=fuse9p"));
  EXPECT_THAT(options.notes, IsEmpty());
}

TEST(Options, EveryFlagIsOffByDefault) {
  const Options options = parse({"fuse9p", "host", "/mnt"});
  for (const bool flag :
       {options.privileged_port, options.no_xattr, options.posix_acl, options.ignore_qid_version,
        options.no_device_map, options.direct_io, options.read_only, options.allow_other,
        options.allow_root, options.default_permissions, options.foreground, options.debug,
        options.show_help, options.show_version, options.fake, options.sloppy})
    EXPECT_FALSE(flag);
}

TEST(Options, UserIsTheOneWhoMounts) {
  const Options options = parse({"fuse9p", "host", "/mnt"});
  EXPECT_EQ(options.uname, login_name());
  EXPECT_EQ(options.n_uname, getuid());
}

TEST(Options, NamedUserIsLookedUpByTheServer) {
  const Options options = parse_list("uname=glenda");
  EXPECT_EQ(options.uname, "glenda");
  EXPECT_EQ(options.n_uname, proto::kNoNumericUname);
}

TEST(Options, NumberOfTheUserIsSentWhenGiven) {
  EXPECT_EQ(parse_list("uname=glenda,n_uname=7").n_uname, 7U);
  const Options unnamed = parse_list("n_uname=7");
  EXPECT_EQ(unnamed.uname, login_name());
  EXPECT_EQ(unnamed.n_uname, 7U);
}
TEST(Options, LastValueCounts) {
  EXPECT_EQ(parse_list("msize=8k,msize=64k").msize, 65536U);
  EXPECT_EQ(parse({"fuse9p", "-o", "msize=8k", "host", "/mnt", "-omsize=64k"}).msize, 65536U);
}

// Lists

TEST(Options, CommaBehindABackslashBelongsToTheValue) {
  EXPECT_EQ(parse_list(R"(aname=a\,b,uname=c)").aname, "a,b");
  EXPECT_EQ(parse_list(R"(aname=a\\,uname=c)").aname, R"(a\)");
  EXPECT_EQ(parse_list(R"(aname=a\\\,b)").aname, R"(a\,b)");
  EXPECT_EQ(parse_list(R"(aname=C:\dir\)").aname, R"(C:\dir\)");
}

TEST(Options, QuotesKeepAValueTogether) {
  EXPECT_EQ(parse_list(R"(aname="a,b",uname=c)").aname, "a,b");
  EXPECT_EQ(parse_list(R"(ro,aname="/a,b")").aname, "/a,b");
  EXPECT_EQ(parse_list(R"(aname="a\b")").aname, R"(a\b)");
  EXPECT_EQ(parse_list(R"(aname="")").aname, "");
  // They are no more than letters where they don't enclose the value.
  EXPECT_EQ(parse_list(R"(aname=a"b",uname=c)").aname, R"(a"b")");
  EXPECT_EQ(parse_list(R"(aname="a"b,uname=c)").aname, R"("a"b)");
  EXPECT_EQ(parse_list(R"(aname=",uname=c)").aname, R"(")");
  EXPECT_EQ(parse_list(R"(aname=a="b",uname=c)").aname, R"(a="b")");
}

TEST(Options, EmptyItemsAreSkipped) {
  EXPECT_TRUE(parse_list(",,ro,,").read_only);
  EXPECT_FALSE(parse_list("").read_only);
}

// Unknown options

TEST(Options, UnknownOptionSuggestsTheNearest) {
  struct Case {
    std::string item;
    std::string suggestion;
  };
  const std::vector<Case> cases{
      {"msizee", "msize"},
      {"msize_=4096", "msize"},
      {"mszie=4096", "msize"},
      {"msiz", "msize"},
      {"mzise", ""},
      {"unmae=x", "uname"},
      {"allowother", "allow_other"},
      {"attrtimeout=1", "attr_timeout"},
      {"or", "ro"},
      {"netdev", "_netdev"},
      {"direct_io", "directio"},
      {"timeout_flush", ""},
      {"frobnicate", ""},
      {"MSIZE=4096", ""},
      {"acregmin=3", ""},
      {"z", ""},
  };
  for (const auto& [item, suggestion] : cases) {
    const std::string unknown = "unknown option \"" + item.substr(0, item.find('=')) + "\"";
    const std::string hint = suggestion.empty() ? "" : ", did you mean \"" + suggestion + "\"?";
    EXPECT_EQ(list_error(item), unknown + hint);
  }
}

TEST(Options, SuggestionStaysWithinAThirdOfTheName) {
  EXPECT_THAT(list_error("aname2222"), Not(HasSubstr("did you mean")));     // 4 edits, 9 letters
  EXPECT_THAT(list_error("aname222"), Not(HasSubstr("did you mean")));      // 3 edits, 8 letters
  EXPECT_THAT(list_error("aname22"), HasSubstr("did you mean \"aname\""));  // 2 edits, 7 letters
}

// The command line

TEST(Options, ProgramOptionsMayStandAnywhereAndTogether) {
  for (const Words& words : std::vector<Words>{{"fuse9p", "-f", "host", "/mnt", "-o", "ro"},
                                               {"fuse9p", "host", "/mnt", "-foro"},
                                               {"/usr/bin/fuse9p", "host", "-oro", "-f", "/mnt"},
                                               {"fuse9p", "-fo", "ro", "--", "host", "/mnt"}}) {
    const Options options = parse(words);
    EXPECT_TRUE(options.foreground);
    EXPECT_TRUE(options.read_only);
    EXPECT_FALSE(options.debug);
    EXPECT_EQ(options.source, "host");
    EXPECT_EQ(options.mountpoint, "/mnt");
  }
}

TEST(Options, DebugImpliesForeground) {
  const Options options = parse({"fuse9p", "-d", "host", "/mnt"});
  EXPECT_TRUE(options.debug);
  EXPECT_TRUE(options.foreground);
}

TEST(Options, HelpAndVersionNeedNothingElse) {
  for (const std::string word : {"-h", "--help"})
    EXPECT_TRUE(parse({"fuse9p", word}).show_help) << word;
  for (const std::string word : {"-V", "--version"})
    EXPECT_TRUE(parse({"fuse9p", word}).show_version) << word;
  EXPECT_TRUE(parse({"fuse9p", "-o", "nonsense", "-h"}).show_help);
}

TEST(Options, OperandsMayBeginWithADashBehindTwoDashes) {
  const Options options = parse({"fuse9p", "-f", "--", "host", "-mnt"});
  EXPECT_EQ(options.mountpoint, "-mnt");
}

TEST(Options, WrongCommandLineIsExplained) {
  struct Case {
    Words words;
    std::string error;
  };
  const std::vector<Case> cases{
      {{}, "no SOURCE given"},
      {{"fuse9p"}, "no SOURCE given"},
      {{"fuse9p", "host"}, "no MOUNTPOINT given"},
      {{"fuse9p", "", "/mnt"}, "no SOURCE given"},
      {{"fuse9p", "host", ""}, "no MOUNTPOINT given"},
      {{"fuse9p", "host", "/mnt", "/srv"},
       "unexpected argument \"/srv\" behind SOURCE host and MOUNTPOINT /mnt"},
      {{"fuse9p", "host", "/mnt", "-o"}, "option -o: needs a value, -o OPTIONS"},
      {{"fuse9p", "host", "/mnt", "-x"}, "unknown option \"-x\""},
      {{"fuse9p", "host", "/mnt", "-fx"}, "unknown option \"-x\""},
      {{"fuse9p", "host", "/mnt", "--hlep"}, "unknown option \"--hlep\""},
      {{"fuse9p", "host", "/mnt", "--help=all"}, "unknown option \"--help=all\""},
      {{"fuse9p", "host:0", "/mnt"},
       "source host:0: port must be 1 to 65535 or a service name, not \"0\""},
  };
  for (const auto& [words, error] : cases)
    EXPECT_EQ(error_of(words), error);
}

TEST(Options, LettersOfTheMountHelperAreUnknownElsewhere) {
  for (const std::string letter : {"-s", "-n", "-v", "-N", "-t"})
    EXPECT_EQ(error_of({"fuse9p", "host", "/mnt", letter}), "unknown option \"" + letter + "\"");
}

// As a helper of mount(8)

TEST(MountHelper, IsRecognizedByItsName) {
  for (const std::string name : {"mount.fuse9p", "/sbin/mount.fuse9p", "mount.9p"})
    EXPECT_TRUE(parse({name, "host", "/mnt", "-f"}).fake) << name;
  for (const std::string name : {"fuse9p", "mount", "/mount.d/fuse9p"})
    EXPECT_FALSE(parse({name, "host", "/mnt", "-f"}).fake) << name;
}

TEST(MountHelper, DashFMeansFakeAndNotForeground) {
  const Options options = parse({"mount.fuse9p", "host", "/mnt", "-f"});
  EXPECT_TRUE(options.fake);
  EXPECT_FALSE(options.foreground);
}

TEST(MountHelper, TakesEveryLetterThatMountPasses) {
  const Options options = parse({"mount.fuse9p", "host", "/mnt", "-s", "-f", "-n", "-v", "-o",
                                 "rw,_netdev", "-t", "fuse.fuse9p"});
  EXPECT_TRUE(options.fake);
  EXPECT_TRUE(options.sloppy);
  EXPECT_THAT(options.fuse_options, ElementsAre("rw", "fsname=host", "subtype=fuse9p"));
  EXPECT_TRUE(parse({"mount.fuse9p", "host", "/mnt", "-sfnv", "-o", "rw"}).sloppy);
  EXPECT_TRUE(parse({"mount.fuse9p", "-h"}).show_help);
  EXPECT_TRUE(parse({"mount.fuse9p", "host", "/mnt", "-d"}).debug);
}

TEST(MountHelper, SloppyTurnsUnknownOptionsIntoNotes) {
  for (const Words& words : std::vector<Words>{{"mount.fuse9p", "a", "/b", "-o", "vers=3", "-s"},
                                               {"mount.fuse9p", "a", "/b", "-s", "-o", "vers=3"}})
    EXPECT_THAT(parse(words).notes, ElementsAre("vers: ignored, there is no such option"));
  EXPECT_EQ(error_of({"mount.fuse9p", "host", "/mnt", "-o", "vers=3"}), "unknown option \"vers\"");
}

TEST(MountHelper, NamespaceIsRefused) {
  EXPECT_EQ(error_of({"mount.fuse9p", "host", "/mnt", "-N", "/proc/1/ns/mnt"}),
            "option -N /proc/1/ns/mnt: a mount namespace can't be given; run mount under "
            "nsenter(1) instead");
}

// Source and transport

TEST(OptionsEndpoint, ComesFromSourceAndOptions) {
  struct Case {
    std::string source;
    std::string list;
    Endpoint endpoint;
  };
  const std::vector<Case> cases{
      {"192.0.2.1", "trans=tcp,port=5640", TcpEndpoint{"192.0.2.1", "5640"}},
      {"host", "port=9pfs", TcpEndpoint{"host", "9pfs"}},
      {"host:5640", "port=5640", TcpEndpoint{"host", "5640"}},
      {"tcp!host", "trans=tcp,port=05640", TcpEndpoint{"host", "5640"}},
      {"/run/sock", "trans=unix", UnixEndpoint{"/run/sock"}},
      {"unix:/run/sock", "trans=unix", UnixEndpoint{"/run/sock"}},
      {"unix:/run/sock", "", UnixEndpoint{"/run/sock"}},
      {"none", "trans=fd,rfdno=3,wfdno=4", FdEndpoint{3, 4}},
      {"my 9p!", "rfdno=3,wfdno=3,trans=fd", FdEndpoint{3, 3}},
      {"fd:3,4", "trans=fd,rfdno=3,wfdno=4", FdEndpoint{3, 4}},
      {"fd:3,4", "trans=fd", FdEndpoint{3, 4}},
      {"fd:5", "", FdEndpoint{5, 5}},
      {"exec:diod -e /a,b", "trans=exec", ExecEndpoint{"diod -e /a,b"}},
      {"9p.sock", "trans=unix", UnixEndpoint{"9p.sock"}},
      {"run/9p.sock", "trans=unix", UnixEndpoint{"run/9p.sock"}},
      {"2", "trans=vsock", VsockEndpoint{2, 564}},
      {"2", "trans=vsock,port=5640", VsockEndpoint{2, 5640}},
      {"2:5640", "trans=vsock", VsockEndpoint{2, 5640}},
      {"vsock:2:5640", "port=5640", VsockEndpoint{2, 5640}},
      {"/dev/vport0p1", "trans=dev", DeviceEndpoint{"/dev/vport0p1"}},
      {"dev:/dev/vport0p1", "trans=dev", DeviceEndpoint{"/dev/vport0p1"}},
  };
  for (const auto& [source, list, endpoint] : cases)
    EXPECT_EQ(to_string(parse_list(list, source).endpoint), to_string(endpoint)) << source << list;
}

TEST(OptionsEndpoint, ConflictNamesBothSides) {
  struct Case {
    std::string source;
    std::string list;
    std::string error;
  };
  const std::vector<Case> cases{
      {"host:5640", "port=5641", "option port=5641: source host:5640 names port 5640"},
      {"unix:/s", "trans=tcp",
       "option trans=tcp: source unix:/s is a Unix socket, expected HOST or HOST:PORT"},
      {"host:564", "trans=unix",
       "option trans=unix: source host:564 is a TCP address, expected /PATH or unix:PATH"},
      {"host", "trans=exec",
       "option trans=exec: source host is a TCP address, expected exec:COMMAND"},
      {"fd:3", "trans=exec",
       "option trans=exec: source fd:3 is a pair of descriptors, expected exec:COMMAND"},
      {"exec:x", "trans=tcp",
       "option trans=tcp: source exec:x is a command, expected HOST or HOST:PORT"},
      {"host", "trans=vsock",
       "option trans=vsock: source host is a TCP address, expected vsock:CID:PORT"},
      {"vsock:2", "trans=tcp",
       "option trans=tcp: source vsock:2 is a vsock address, expected HOST or HOST:PORT"},
      {"dev:/dev/null", "trans=unix",
       "option trans=unix: source dev:/dev/null is a character device, expected /PATH or "
       "unix:PATH"},
      {"vsock:2:564", "port=5640", "option port=5640: source vsock:2:564 names port 564"},
      {"vsock:2", "port=9pfs",
       "option port=9pfs: must be a number, source vsock:2 is a vsock address"},
      {"none", "trans=fd", "option trans=fd: needs rfdno and wfdno, or a source fd:RFD,WFD"},
      {"none", "trans=fd,rfdno=3", "option rfdno=3: needs wfdno"},
      {"none", "trans=fd,wfdno=4", "option wfdno=4: needs rfdno"},
      {"none", "rfdno=3,wfdno=4", "option rfdno=3: needs trans=fd"},
      {"host", "trans=tcp,rfdno=3,wfdno=4", "option rfdno=3: needs trans=fd"},
      {"fd:5", "trans=fd,rfdno=3,wfdno=4",
       "option rfdno=3,wfdno=4: source fd:5 names other descriptors"},
      {"host:/a", "aname=/b", "option aname=/b: source host:/a names tree /a"},
  };
  for (const auto& [source, list, error] : cases)
    EXPECT_EQ(list_error(list, source), error);
}

TEST(OptionsEndpoint, TreeOfTheSourceIsTheAname) {
  EXPECT_EQ(parse_list("", "host:/srv").aname, "/srv");
  EXPECT_EQ(parse_list("aname=/srv", "host:/srv").aname, "/srv");
  EXPECT_EQ(parse_list("", "host:5640:/srv").endpoint, Endpoint(TcpEndpoint{"host", "5640"}));
}

TEST(OptionsEndpoint, OptionsForTcpAreNotedElsewhere) {
  EXPECT_THAT(parse_list("port=5640,privport", "unix:/s").notes,
              ElementsAre("port=5640: ignored, source unix:/s is a Unix socket",
                          "privport: ignored, source unix:/s is a Unix socket"));
  EXPECT_THAT(parse_list("trans=fd,rfdno=3,wfdno=4,port=564", "none").notes,
              ElementsAre("port=564: ignored, source none is a pair of descriptors"));
}

// For libfuse and for mount(8)

TEST(Options, MountFlagsReachFuseInTheirOrder) {
  const std::string passed =
      "allow_other,default_permissions,auto_unmount,ro,rw,suid,nosuid,dev,nodev,exec,noexec,sync,"
      "async,dirsync,atime,noatime";
  std::string joined;
  for (const std::string& option : parse_list(passed + ",fsname=x,subtype=y").fuse_options)
    joined += (joined.empty() ? "" : ",") + option;
  EXPECT_EQ(joined, passed + ",fsname=x,subtype=y");
  EXPECT_THAT(parse_list("allow_root").fuse_options,
              ElementsAre("allow_root", "default_permissions", "fsname=host", "subtype=fuse9p"));
}

TEST(Options, LabelsReachTheKernelAsTheyWere) {
  const Options options =
      parse_list(R"(context="system_u:object_r:tmp_t:s0:c1,c2",rootcontext=a:b)");
  EXPECT_THAT(options.fuse_options,
              ElementsAre(R"(context="system_u:object_r:tmp_t:s0:c1\,c2")", "rootcontext=a:b",
                          "fsname=host", "subtype=fuse9p"));
}

TEST(Options, SymbolicLinksAreNotLibfusesBusiness) {
  EXPECT_FALSE(parse_list("symfollow").no_symfollow);
  EXPECT_TRUE(parse_list("nosymfollow").no_symfollow);
  EXPECT_FALSE(parse_list("nosymfollow,symfollow").no_symfollow);
  EXPECT_EQ(parse_list("nosymfollow").fuse_options, parse_list("").fuse_options);
}

TEST(Options, RemountChecksNothingButItsFlags) {
  // As mount(8) calls it: SOURCE is what the mount table shows.
  const Options options =
      parse({"fuse9p", "my own:name:", "/mnt", "-o", "rw,user_id=0,group_id=0,remount,ro"});
  EXPECT_TRUE(options.remount);
  EXPECT_THAT(options.fuse_options, ElementsAre("rw", "ro"));
  EXPECT_FALSE(parse_list("").remount);
}

TEST(Options, NameOfTheProgramTellsWhoRunsIt) {
  EXPECT_FALSE(parse({"fuse9p", "host", "/mnt"}).mount_helper);
  EXPECT_TRUE(parse({"/sbin/mount.fuse9p", "host", "/mnt"}).mount_helper);
}

TEST(Options, AllowRootAndAllowOtherExcludeEachOther) {
  for (const std::string list : {"allow_root,allow_other", "allow_other,allow_root"})
    EXPECT_EQ(list_error(list), "option allow_root: conflicts with allow_other");
}

TEST(Options, NamesForFuseAreEscapedAsItsParserReadsThem) {
  EXPECT_THAT(parse_list(R"(subtype=a\,b)", R"(exec:a \, b)").fuse_options,
              ElementsAre(R"(fsname=exec:a \\\, b)", R"(subtype=a\,b)"));
}

TEST(Options, WhatOnlyMountActsUponIsIgnoredSilently) {
  for (const std::string item : {"_netdev",
                                 "nofail",
                                 "bootwait",
                                 "nobootwait",
                                 "auto",
                                 "noauto",
                                 "defaults",
                                 "user",
                                 "user=glenda",
                                 "nouser",
                                 "users",
                                 "nousers",
                                 "owner",
                                 "noowner",
                                 "group",
                                 "nogroup",
                                 "helper=x",
                                 "uhelper=x",
                                 "comment",
                                 "comment=a b",
                                 "x-systemd.automount",
                                 "x-systemd.idle-timeout=60",
                                 "x-gvfs-show",
                                 "X-mount.mkdir",
                                 "X-mount.mkdir=0755",
                                 "diratime",
                                 "nodiratime",
                                 "relatime",
                                 "norelatime",
                                 "nostrictatime",
                                 "lazytime",
                                 "nolazytime",
                                 "iversion",
                                 "noiversion",
                                 "user_id=0",
                                 "group_id=0",
                                 "nonempty",
                                 "silent",
                                 "loud",
                                 "nomand"}) {
    Options expected = parse_list("");
    EXPECT_EQ(parse_list(item), expected) << item;
  }
}

// Notes

TEST(Options, OptionThatDoesNotDoWhatItSaysLeavesANote) {
  const std::string mapped =
      ": mapped to attribute and entry timeouts (actimeo) with validation at open; data is never "
      "trusted past an open";
  const std::string none =
      ": mapped to a page cache that is validated at open; directio bypasses it";
  const std::map<std::string, std::string> notes{
      {"cache=loose", "cache=loose" + mapped},
      {"cache=fscache", "cache=fscache" + mapped},
      {"cache=0xf", "cache=0xf" + mapped},
      {"cache=none", "cache=none" + none},
      {"cachetag=x", "cachetag: ignored, there is no cache on disk"},
      {"afid=7", "afid: ignored, as v9fs does"},
      {"locktimeout=30", "locktimeout: ignored"},
      {"max_read=128k", "max_read: ignored, msize bounds what one message carries"},
      {"strictatime", "strictatime: ignored, the server keeps access times"},
      {"uid=1000", "uid: ignored, files belong to whom the server says"},
      {"gid=users", "gid: ignored, files belong to whom the server says"},
      {"mand", "mand: ignored, Linux has no mandatory locks any more"},
  };
  for (const auto& [item, note] : notes)
    EXPECT_THAT(parse_list(item).notes, ElementsAre(note)) << item;
}

TEST(Options, OptionThatDoesWhatItSaysLeavesNone) {
  for (const std::string list : {"cache=mmap", "cache=readahead", "cache=none,directio",
                                 "cache=loose,cache=mmap", "privport", "port=5640", "ro,noatime"})
    EXPECT_THAT(parse_list(list).notes, IsEmpty()) << list;
}

// Lines that are in use

TEST(OptionsOfV9fs, LineOfFstabIsUnderstood) {
  const std::string list =
      "trans=tcp,version=9p2000.L,msize=262144,access=client,cache=loose,uname=root,aname=/srv,"
      "port=5640,_netdev,nofail,x-systemd.automount,rw,relatime";
  const Options options = parse({"/sbin/mount.fuse9p", "192.0.2.1", "/mnt/srv", "-o", list});
  EXPECT_EQ(options.endpoint, Endpoint(TcpEndpoint{"192.0.2.1", "5640"}));
  EXPECT_EQ(options.dialect, Dialect::l);
  EXPECT_EQ(options.msize, 262144U);
  EXPECT_EQ(options.access.mode, Access::Mode::client);
  EXPECT_EQ(options.cache, CacheMode::loose);
  EXPECT_EQ(options.uname, "root");
  EXPECT_EQ(options.aname, "/srv");
  EXPECT_THAT(options.fuse_options, ElementsAre("rw", "fsname=192.0.2.1", "subtype=fuse9p"));
  EXPECT_THAT(options.notes, ElementsAre(HasSubstr("cache=loose: mapped to")));
}

TEST(OptionsOfV9fs, LinesFromTheFieldAreAccepted) {
  struct Case {
    std::string source;
    std::string list;
    std::string endpoint;
  };
  const std::vector<Case> cases{
      // Linux, Documentation/filesystems/9p.rst
      {"10.10.1.2", "", "10.10.1.2:564"},
      {"/tmp/ns.glenda.:0/acme", "trans=unix,uname=glenda", "unix:/tmp/ns.glenda.:0/acme"},
      // minikube mount
      {"192.168.49.1",
       "dfltgid=1000,dfltuid=1000,msize=262144,port=34067,trans=tcp,version=9p2000.L",
       "192.168.49.1:34067"},
      // diod, mount.diod(8) and auto.diod
      {"server:/g/g0", "rw,nodev,nosuid,uname=root,access=user,privport", "server:564"},
      {"nohost", "trans=fd,rfdno=8,wfdno=8,aname=ctl,msize=65512,debug=0x1", "fd:8"},
      // /proc/mounts of v9fs, pasted back
      {"127.0.0.1", "rw,sync,dirsync,relatime,cache=f,access=client,trans=tcp,port=5640", ""},
      {"127.0.0.1", "rw,sync,dirsync,relatime,cache=0xf,access=client,trans=tcp,port=5640",
       "127.0.0.1:5640"},
      // mount -t fuse.fuse9p by way of mount.fuse3
      {"host:/srv", "rw,dev,suid,allow_other,default_permissions", "host:564"},
  };
  for (const auto& [source, list, endpoint] : cases) {
    if (endpoint.empty())
      EXPECT_THAT(list_error(list, source), HasSubstr("option cache=f: must be none")) << list;
    else
      EXPECT_EQ(to_string(parse_list(list, source).endpoint), endpoint) << list;
  }
}
}  // namespace
}  // namespace fuse9p
