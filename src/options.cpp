// SPDX-License-Identifier: MIT
#include "src/options.hpp"

#include "src/usage_error.hpp"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>
#include <utility>

namespace fuse9p {
namespace {

using proto::Dialect;
using std::chrono::milliseconds;

constexpr std::string_view kProgram = "Program options";
constexpr std::string_view kMountHelper = "Program options when run as mount.fuse9p by mount(8)";
constexpr std::string_view kConnection = "Connection (-o)";
constexpr std::string_view kSession = "9P session (-o)";
constexpr std::string_view kCaching = "Caching and waiting (-o)";
constexpr std::string_view kMount = "Mount (-o)";
constexpr std::string_view kIgnored = "Accepted and ignored (-o)";

/// Its value is taken apart by the command line's parser, not by a setter.
constexpr std::string_view kOptionList = "-o";
constexpr std::uint32_t kMaxId = proto::kNoNumericUname - 1;
constexpr std::uint32_t kMaxFids = to_int(proto::kNoFid) - 1;
constexpr milliseconds kMaxCacheTime = std::chrono::hours{24 * 365};
constexpr milliseconds kMaxWait = std::chrono::hours{1};
constexpr milliseconds kMinWait{100};

/// What messages and trans= call the kinds of endpoints, by TransportKind.
struct TransportWords {
  std::string_view name;
  std::string_view noun;
  std::string_view source_form;
};
constexpr std::array<TransportWords, 6> kTransports{{
    {"tcp", "a TCP address", "HOST or HOST:PORT"},
    {"unix", "a Unix socket", "/PATH or unix:PATH"},
    {"fd", "a pair of descriptors", "fd:N or the options rfdno and wfdno"},
    {"exec", "a command", "exec:COMMAND"},
    {"vsock", "a vsock address", "vsock:CID:PORT"},
    {"dev", "a character device", "dev:PATH"},
}};

// Values

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return lower;
}

template <class T>
std::optional<T> parse_whole(std::string_view text, int base = 10) {
  T value{};
  const auto* end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, value, base);
  return failure == std::errc{} && stop == end ? std::optional(value) : std::nullopt;
}

/// As v9fs writes its masks: decimal, or hexadecimal behind 0x.
std::optional<std::uint32_t> parse_mask(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X"))
    return parse_whole<std::uint32_t>(text.substr(2), 16);
  return parse_whole<std::uint32_t>(text);
}

/// "4096", "64k", "1M", "1G"
std::optional<std::uint64_t> parse_size(std::string_view text) {
  constexpr std::string_view suffixes = "kmg";
  const std::string lower = lower_case(text);
  const auto suffix = lower.empty() ? std::string::npos : suffixes.find(lower.back());
  if (suffix == std::string::npos)
    return parse_whole<std::uint64_t>(lower);
  const auto number = parse_whole<std::uint64_t>(lower.substr(0, lower.size() - 1));
  const auto shift = 10 * (suffix + 1);
  if (!number || *number > std::numeric_limits<std::uint64_t>::max() >> shift)
    return std::nullopt;
  return *number << shift;
}

std::optional<milliseconds> parse_seconds(std::string_view text) {
  double seconds = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, seconds, std::chars_format::fixed);
  constexpr double far_beyond_every_range = 1e12;
  if (failure != std::errc{} || stop != end || !(seconds >= 0 && seconds < far_beyond_every_range))
    return std::nullopt;
  return milliseconds(std::llround(seconds * 1000));
}

std::string size_text(std::uint32_t bytes) {
  const bool mega = bytes % (1U << 20) == 0;
  return std::to_string(bytes >> (mega ? 20 : 10)) + (mega ? "M" : "k");
}

/// A whole number of tenths of seconds: finer bounds there are none.
std::string seconds_text(milliseconds time) {
  const auto tenths = time.count() / 100;
  const auto fraction = tenths % 10 == 0 ? "" : "." + std::to_string(tenths % 10);
  return std::to_string(tenths / 10) + fraction;
}

/// As libfuse takes its lists apart.
std::string escaped(std::string_view value) {
  std::string result;
  for (const char c : value) {
    if (c == ',' || c == '\\')
      result += '\\';
    result += c;
  }
  return result;
}

// Setters: what the table points to. They throw UsageError with what was expected, and no more.

/// A string as template argument, so that a setter can know the name of its option.
template <std::size_t size>
struct Word {
  std::array<char, size> text{};
  consteval Word(const char (&literal)[size]) { std::copy_n(literal, size, text.begin()); }
  std::string str() const { return {text.data(), size - 1}; }
};

void ignore(Options&, std::string_view) {}

template <Word note>
void ignore_with_note(Options& options, std::string_view) {
  options.notes.push_back(note.str());
}

template <Word reason>
void refuse(Options&, std::string_view) {
  throw UsageError(reason.str());
}

template <bool Options::*member, bool value = true>
void set_flag(Options& options, std::string_view) {
  options.*member = value;
}

template <Word name>
void pass_on(Options& options, std::string_view) {
  options.fuse_options.push_back(name.str());
}

/// Quotes that kept a comma in the list together have to keep it in the kernel's list, too.
template <Word name>
void pass_value_on(Options& options, std::string_view value) {
  const bool quotes = value.find(',') != std::string_view::npos;
  const std::string text = quotes ? "\"" + std::string(value) + "\"" : std::string(value);
  options.fuse_options.push_back(name.str() + "=" + escaped(text));
}

template <Word name, bool Options::*member, bool value = true>
void set_and_pass_on(Options& options, std::string_view) {
  options.*member = value;
  options.fuse_options.push_back(name.str());
}

template <std::string Options::*member>
void set_text(Options& options, std::string_view value) {
  options.*member = value;
}

template <std::string Options::*member>
void set_name(Options& options, std::string_view value) {
  if (value.empty())
    throw UsageError("must not be empty");
  options.*member = value;
}

template <auto member, auto min, auto max>
void set_uint(Options& options, std::string_view value) {
  using T = std::remove_reference_t<decltype(options.*member)>;
  const auto number = parse_whole<T>(value);
  if (!number || std::cmp_less(*number, min) || std::cmp_greater(*number, max))
    throw UsageError("must be " + std::to_string(min) + " to " + std::to_string(max));
  options.*member = *number;
}

template <milliseconds Options::*... members>
void set_time(Options& options, std::string_view value, milliseconds min, milliseconds max) {
  const auto time = parse_seconds(value);
  if (!time || *time < min || *time > max)
    throw UsageError("must be " + seconds_text(min) + " to " + seconds_text(max) + " seconds");
  ((options.*members = *time), ...);
}

template <milliseconds Options::*... members>
void set_cache_time(Options& options, std::string_view value) {
  set_time<members...>(options, value, milliseconds{0}, kMaxCacheTime);
}

template <milliseconds Options::*member>
void set_wait(Options& options, std::string_view value) {
  set_time<member>(options, value, kMinWait, kMaxWait);
}

void set_interrupt_grace(Options& options, std::string_view value) {
  set_time<&Options::interrupt_grace>(options, value, milliseconds{0}, kMaxWait);
}

void set_page_timeout(Options& options, std::string_view value) {
  set_time<&Options::page_timeout>(options, value, milliseconds{0}, kMaxWait);
}

void set_locktimeout(Options& options, std::string_view value) {
  if (!parse_seconds(value))
    throw UsageError("must be a number of seconds");
  options.notes.emplace_back("locktimeout: ignored");
}

void set_debug(Options& options, std::string_view value) {
  const auto mask = value.empty() ? std::optional(1U) : parse_mask(value);
  if (!mask)
    throw UsageError("must be a number, decimal or behind 0x");
  options.debug = options.debug || *mask != 0;
}

void set_trans(Options& options, std::string_view value) {
  constexpr std::array<std::string_view, 4> of_the_kernel{"virtio", "rdma", "xen", "usbg"};
  for (std::size_t i = 0; i < kTransports.size(); ++i) {
    if (kTransports[i].name == value) {
      options.trans = static_cast<TransportKind>(i);
      return;
    }
  }
  if (std::find(of_the_kernel.begin(), of_the_kernel.end(), value) != of_the_kernel.end())
    throw UsageError(
        "only the kernel's own 9p client can do this; use tcp, unix, fd, exec, vsock or dev");
  throw UsageError("must be tcp, unix, fd, exec, vsock or dev");
}

void set_port(Options& options, std::string_view value) {
  options.port = parse_port(value);
}

void set_version(Options& options, std::string_view value) {
  for (const auto dialect : {Dialect::legacy, Dialect::u, Dialect::l}) {
    if (lower_case(proto::version_string(dialect)) == lower_case(value)) {
      options.dialect = dialect;
      return;
    }
  }
  throw UsageError("must be 9p2000, 9p2000.u or 9p2000.L");
}

void set_quirks(Options& options, std::string_view value) {
  options.quirks = parse_quirks(value);
}

void set_noextend(Options& options, std::string_view) {
  options.dialect = Dialect::legacy;
}

void set_msize(Options& options, std::string_view value) {
  const auto size = parse_size(value);
  if (!size || *size < proto::kMinMsize || *size > proto::kMaxMsize)
    throw UsageError("must be " + size_text(proto::kMinMsize) + " to " +
                     size_text(proto::kMaxMsize));
  options.msize = static_cast<std::uint32_t>(*size);
}

void set_max_read(Options& options, std::string_view value) {
  if (!parse_size(value))
    throw UsageError("must be a number of bytes, with k, M or G behind it if you like");
  options.notes.emplace_back("max_read: ignored, msize bounds what one message carries");
}

void set_access(Options& options, std::string_view value) {
  using Mode = Access::Mode;
  if (value == "user") {
    options.access = {Mode::user};
  } else if (value == "client") {
    options.access = {Mode::client};
  } else if (value == "any") {
    options.access = {Mode::any};
  } else {
    const auto uid = parse_whole<std::uint32_t>(value);
    if (!uid || *uid > kMaxId)
      throw UsageError("must be user, client, any or a numeric user id");
    options.access = {Mode::uid, *uid};
  }
}

/// v9fs's bits: 1 data, 2 metadata, 4 write-back, 8 loose, 0x80 fscache; the strongest one counts.
CacheMode cache_of_mask(std::uint32_t mask) {
  if ((mask & 0x80U) != 0)
    return CacheMode::fscache;
  if ((mask & 0x08U) != 0)
    return CacheMode::loose;
  if ((mask & 0x04U) != 0)
    return CacheMode::mmap;
  return (mask & 0x01U) != 0 ? CacheMode::readahead : CacheMode::none;
}

std::optional<CacheMode> parse_cache(std::string_view value) {
  constexpr std::array<std::pair<std::string_view, CacheMode>, 5> modes{{
      {"none", CacheMode::none},
      {"readahead", CacheMode::readahead},
      {"mmap", CacheMode::mmap},
      {"loose", CacheMode::loose},
      {"fscache", CacheMode::fscache},
  }};
  for (const auto& [name, mode] : modes) {
    if (name == value)
      return mode;
  }
  const auto mask = parse_mask(value);
  return mask && *mask <= 0xFFU ? std::optional(cache_of_mask(*mask)) : std::nullopt;
}

void set_locks(Options& options, std::string_view value) {
  if (value != "local" && value != "server")
    throw UsageError("must be local or server");
  options.server_locks = value == "server";
}

void set_cache(Options& options, std::string_view value) {
  const auto mode = parse_cache(value);
  if (!mode)
    throw UsageError("must be none, readahead, mmap, loose, fscache or v9fs's bit mask, 0 to 0xff");
  options.cache = *mode;
  options.cache_text = value;
}

// The table

using enum OptionType;

constexpr std::array kTable = std::to_array<OptionSpec>({
    {"-o", text, "OPTIONS", "",
     "Options of the groups below, separated by commas; \\, is a comma "
     "within a value, and so is one in name=\"VALUE\". May be repeated; the last value of an "
     "option counts.",
     kProgram, ignore},
    {"-f", flag, "", "", "Stay in the foreground and log to standard error.", kProgram,
     set_flag<&Options::foreground>},
    {"-d", flag, "", "", "Log every operation and every message; implies -f.", kProgram,
     set_flag<&Options::debug>},
    {"-h, --help", flag, "", "", "Print this help and exit.", kProgram,
     set_flag<&Options::show_help>},
    {"-V, --version", flag, "", "", "Print the version and exit.", kProgram,
     set_flag<&Options::show_version>},

    {"-f", flag, "", "", "Fake: do everything but the mount itself.", kMountHelper,
     set_flag<&Options::fake>},
    {"-s", flag, "", "", "Sloppy: report unknown options instead of failing.", kMountHelper,
     set_flag<&Options::sloppy>},
    {"-n", flag, "", "", "Ignored: there is no mtab to write.", kMountHelper, ignore},
    {"-v", flag, "", "", "Ignored: errors are always explained.", kMountHelper, ignore},
    {"-N", text, "NS", "", "Refused: run mount under nsenter(1) instead.", kMountHelper,
     refuse<"a mount namespace can't be given; run mount under nsenter(1) instead">},
    {"-t", text, "TYPE", "", "Ignored: the type is known.", kMountHelper, ignore},

    {"trans", choice, "KIND", "from SOURCE",
     "What SOURCE is: tcp, unix, fd, exec, vsock or dev. Needed for fd with rfdno and wfdno only.",
     kConnection, set_trans},
    {"port", text, "PORT", "564", "TCP port or service name, when SOURCE has none.", kConnection,
     set_port},
    {"rfdno", uint, "UINT", "", "With trans=fd: read from this open descriptor; needs wfdno.",
     kConnection, set_uint<&Options::rfdno, 0, std::numeric_limits<int>::max()>},
    {"wfdno", uint, "UINT", "", "With trans=fd: write to this open descriptor; needs rfdno.",
     kConnection, set_uint<&Options::wfdno, 0, std::numeric_limits<int>::max()>},
    {"privport", flag, "", "", "Connect from a port below 1024; needs root.", kConnection,
     set_flag<&Options::privileged_port>},
    {"connect_timeout", seconds, "SECONDS", "10", "How long to wait for a connection.", kConnection,
     set_wait<&Options::connect_timeout>},

    {"version", choice, "DIALECT", "the best that the server has", "9p2000, 9p2000.u or 9p2000.L.",
     kSession, set_version},
    {"noextend", flag, "", "", "The same as version=9p2000.", kSession, set_noextend},
    {"msize", size, "SIZE", "1M", "Largest message to ask for, 4k to 16M; the server may lower it.",
     kSession, set_msize},
    {"uname", text, "NAME", "your login name", "User to attach as.", kSession,
     set_name<&Options::uname>},
    {"n_uname", uint, "UINT", "your user id",
     "Numeric user to attach as, in 9p2000.u and "
     "9p2000.L. With uname and without n_uname the server looks the name up.",
     kSession, set_uint<&Options::n_uname, std::uint32_t{0}, kMaxId>},
    {"aname", text, "NAME", "", "Tree of the server to attach to.", kSession,
     set_text<&Options::aname>},
    {"access", choice, "WHO", "client with allow_other, else any",
     "As whom the server sees local users: user and client: each under the own id; any: all as "
     "uname; a number: likewise, and only that user is let in.",
     kSession, set_access},
    {"dfltuid", uint, "UINT", "65534", "Owner of files whose owner has no local id.", kSession,
     set_uint<&Options::dfltuid, std::uint32_t{0}, kMaxId>},
    {"dfltgid", uint, "UINT", "65534", "Group of files whose group has no local id.", kSession,
     set_uint<&Options::dfltgid, std::uint32_t{0}, kMaxId>},
    {"maxfids", uint, "UINT", "100000", "Most fids to hold at the server, 16 or more.", kSession,
     set_uint<&Options::maxfids, std::uint32_t{16}, kMaxFids>},
    {"noxattr", flag, "", "", "No extended attributes.", kSession, set_flag<&Options::no_xattr>},
    {"posixacl", flag, "", "", "The kernel checks POSIX ACLs, as on a local disk.", kSession,
     set_flag<&Options::posix_acl>},
    {"quirks", text, "NAME[:NAME...]", "",
     "What the server does in its own way: diod1.0, ganesha, crosvm, or single quirks. Most are "
     "found out by themselves.",
     kSession, set_quirks},
    {"nodevmap", flag, "", "", "Accepted; not in this version.", kSession,
     set_flag<&Options::no_device_map>},
    {"locks", choice, "WHERE", "local",
     "local: locks hold between the processes of this machine. server: towards other clients of "
     "the server, too.",
     kSession, set_locks},
    {"debug", uint, "[MASK]", "", "v9fs's form of -d: any MASK but 0.", kSession, set_debug},

    {"cache", choice, "MODE", "readahead",
     "v9fs's none, readahead, mmap, loose, fscache or bit "
     "mask. All mean the same here: data is validated at each open.",
     kCaching, set_cache},
    {"directio", flag, "", "", "Bypass the page cache for every open file.", kCaching,
     set_flag<&Options::direct_io>},
    {"ignoreqv", flag, "", "", "Leave the qid's version out of the validation at open.", kCaching,
     set_flag<&Options::ignore_qid_version>},
    {"actimeo", seconds, "SECONDS", "1", "Sets attr_timeout and entry_timeout.", kCaching,
     set_cache_time<&Options::attr_timeout, &Options::entry_timeout>},
    {"attr_timeout", seconds, "SECONDS", "1", "How long attributes are taken for true.", kCaching,
     set_cache_time<&Options::attr_timeout>},
    {"entry_timeout", seconds, "SECONDS", "1", "How long a name is taken for the same file.",
     kCaching, set_cache_time<&Options::entry_timeout>},
    {"negative_timeout", seconds, "SECONDS", "0", "How long a missing name is taken for missing.",
     kCaching, set_cache_time<&Options::negative_timeout>},
    {"flush_timeout", seconds, "SECONDS", "2",
     "How long an interrupted call waits for the "
     "server's answer to Tflush, 0.1 to 3600.",
     kCaching, set_wait<&Options::flush_timeout>},
    {"interrupt_grace", seconds, "SECONDS", "1",
     "How long calls on metadata and regular files "
     "disregard a signal that does not end the process.",
     kCaching, set_interrupt_grace},
    {"page_timeout", seconds, "SECONDS", "0",
     "How long a read through the page cache waits for "
     "the server before it fails with EIO; 0: for ever.",
     kCaching, set_page_timeout},

    {"allow_other", flag, "", "", "Let other users in.", kMount,
     set_and_pass_on<"allow_other", &Options::allow_other>},
    {"allow_root", flag, "", "", "Let root in, and no other user.", kMount,
     set_and_pass_on<"allow_root", &Options::allow_root>},
    {"default_permissions", flag, "", "", "The kernel checks permission bits.", kMount,
     set_and_pass_on<"default_permissions", &Options::default_permissions>},
    {"auto_unmount", flag, "", "", "Unmount when the program ends, however it ends.", kMount,
     pass_on<"auto_unmount">},
    {"fsname", text, "NAME", "SOURCE", "Name of the source in /proc/mounts.", kMount,
     set_name<&Options::fsname>},
    {"subtype", text, "NAME", "fuse9p", "Type in /proc/mounts, behind \"fuse.\".", kMount,
     set_name<&Options::subtype>},
    {"ro", flag, "", "", "Read only.", kMount, set_and_pass_on<"ro", &Options::read_only>},
    {"rw", flag, "", "", "Read and write, as is the default.", kMount,
     set_and_pass_on<"rw", &Options::read_only, false>},
    {"suid", flag, "", "", "Honour set-user-id bits; root only.", kMount, pass_on<"suid">},
    {"nosuid", flag, "", "", "Disregard set-user-id bits, as is the default.", kMount,
     pass_on<"nosuid">},
    {"dev", flag, "", "", "Honour device files; root only.", kMount, pass_on<"dev">},
    {"nodev", flag, "", "", "Disregard device files, as is the default.", kMount, pass_on<"nodev">},
    {"exec", flag, "", "", "Allow programs to be run, as is the default.", kMount, pass_on<"exec">},
    {"noexec", flag, "", "", "Allow no programs to be run.", kMount, pass_on<"noexec">},
    {"sync", flag, "", "", "Mark the mount as synchronous.", kMount, pass_on<"sync">},
    {"async", flag, "", "", "The opposite of sync, as is the default.", kMount, pass_on<"async">},
    {"dirsync", flag, "", "", "Mark directories as synchronous.", kMount, pass_on<"dirsync">},
    {"nosymfollow", flag, "", "", "Follow no symbolic links; root only.", kMount,
     set_flag<&Options::no_symfollow>},
    {"symfollow", flag, "", "", "Follow symbolic links, as is the default.", kMount,
     set_flag<&Options::no_symfollow, false>},
    {"atime", flag, "", "", "Passed on; the server keeps access times.", kMount, pass_on<"atime">},
    {"noatime", flag, "", "", "Passed on; the server keeps access times.", kMount,
     pass_on<"noatime">},
    {"context", text, "LABEL", "", "SELinux: passed on to the kernel.", kMount,
     pass_value_on<"context">},
    {"fscontext", text, "LABEL", "", "SELinux: passed on to the kernel.", kMount,
     pass_value_on<"fscontext">},
    {"defcontext", text, "LABEL", "", "SELinux: passed on to the kernel.", kMount,
     pass_value_on<"defcontext">},
    {"rootcontext", text, "LABEL", "", "SELinux: passed on to the kernel.", kMount,
     pass_value_on<"rootcontext">},
    {"remount", flag, "", "",
     "Mount nothing, but give what is mounted on MOUNTPOINT the flags of this group, from ro to "
     "noatime; root only.",
     kMount, set_flag<&Options::remount>},

    {"diratime", flag, "", "", "The server keeps access times.", kIgnored, ignore},
    {"nodiratime", flag, "", "", "The server keeps access times.", kIgnored, ignore},
    {"relatime", flag, "", "", "The server keeps access times.", kIgnored, ignore},
    {"norelatime", flag, "", "", "The server keeps access times.", kIgnored, ignore},
    {"strictatime", flag, "", "", "The server keeps access times.", kIgnored,
     ignore_with_note<"strictatime: ignored, the server keeps access times">},
    {"nostrictatime", flag, "", "", "The server keeps access times.", kIgnored, ignore},
    {"lazytime", flag, "", "", "The server keeps all times.", kIgnored, ignore},
    {"nolazytime", flag, "", "", "The server keeps all times.", kIgnored, ignore},
    {"iversion", flag, "", "", "The server counts changes, or doesn't.", kIgnored, ignore},
    {"noiversion", flag, "", "", "The server counts changes, or doesn't.", kIgnored, ignore},
    {"mand", flag, "", "", "Linux has no mandatory locks any more.", kIgnored,
     ignore_with_note<"mand: ignored, Linux has no mandatory locks any more">},
    {"nomand", flag, "", "", "Linux has no mandatory locks any more.", kIgnored, ignore},
    {"afid", uint, "UINT", "", "v9fs does not use it either.", kIgnored,
     ignore_with_note<"afid: ignored, as v9fs does">},
    {"cachetag", text, "TAG", "", "There is no cache on disk.", kIgnored,
     ignore_with_note<"cachetag: ignored, there is no cache on disk">},
    {"locktimeout", seconds, "SECONDS", "", "v9fs's pause between attempts to lock.", kIgnored,
     set_locktimeout},
    {"max_read", size, "SIZE", "", "msize bounds what one message carries.", kIgnored,
     set_max_read},
    {"uid", text, "ID", "", "Files belong to whom the server says.", kIgnored,
     ignore_with_note<"uid: ignored, files belong to whom the server says">},
    {"gid", text, "ID", "", "Files belong to whom the server says.", kIgnored,
     ignore_with_note<"gid: ignored, files belong to whom the server says">},
    {"user_id", uint, "UINT", "", "As /proc/mounts has it: the user who mounted.", kIgnored,
     ignore},
    {"group_id", uint, "UINT", "", "As /proc/mounts has it: the group of the same.", kIgnored,
     ignore},
    {"nonempty", flag, "", "", "Old FUSE's word for what is the default.", kIgnored, ignore},
    {"silent", flag, "", "", "For the kernel's log.", kIgnored, ignore},
    {"loud", flag, "", "", "For the kernel's log.", kIgnored, ignore},
    {"_netdev", flag, "", "", "For mount(8) and systemd.", kIgnored, ignore},
    {"nofail", flag, "", "", "For mount(8) and systemd.", kIgnored, ignore},
    {"bootwait", flag, "", "", "For mountall(8).", kIgnored, ignore},
    {"nobootwait", flag, "", "", "For mountall(8).", kIgnored, ignore},
    {"auto", flag, "", "", "For mount(8).", kIgnored, ignore},
    {"noauto", flag, "", "", "For mount(8).", kIgnored, ignore},
    {"defaults", flag, "", "", "For mount(8).", kIgnored, ignore},
    {"user", text, "[NAME]", "", "For mount(8).", kIgnored, ignore},
    {"nouser", flag, "", "", "For mount(8).", kIgnored, ignore},
    {"users", flag, "", "", "For mount(8).", kIgnored, ignore},
    {"nousers", flag, "", "", "For mount(8).", kIgnored, ignore},
    {"owner", flag, "", "", "For mount(8).", kIgnored, ignore},
    {"noowner", flag, "", "", "For mount(8).", kIgnored, ignore},
    {"group", flag, "", "", "For mount(8).", kIgnored, ignore},
    {"nogroup", flag, "", "", "For mount(8).", kIgnored, ignore},
    {"helper", text, "NAME", "", "For mount(8).", kIgnored, ignore},
    {"uhelper", text, "NAME", "", "For umount(8).", kIgnored, ignore},
    {"comment", text, "[TEXT]", "", "For mount(8).", kIgnored, ignore},
    {"x-*", text, "[TEXT]", "", "For mount(8) and systemd.", kIgnored, ignore},
    {"X-*", text, "[TEXT]", "", "For mount(8).", kIgnored, ignore},
});

bool is_program_option(const OptionSpec& option) {
  return option.name.starts_with('-');
}

bool takes_no_value(const OptionSpec& option) {
  return option.argument.empty();
}

bool needs_value(const OptionSpec& option) {
  return !option.argument.empty() && !option.argument.starts_with('[');
}

// Looking up

/// "-h, --help" has two names, "x-*" any that begins so.
bool has_name(const OptionSpec& option, std::string_view name) {
  if (option.name.ends_with('*'))
    return name.starts_with(option.name.substr(0, option.name.size() - 1));
  const auto comma = option.name.find(", ");
  return option.name.substr(0, comma) == name ||
         (comma != std::string_view::npos && option.name.substr(comma + 2) == name);
}

const OptionSpec* find_option(std::string_view name) {
  const auto* found = std::find_if(kTable.begin(), kTable.end(), [&](const OptionSpec& option) {
    return !is_program_option(option) && has_name(option, name);
  });
  return found == kTable.end() ? nullptr : found;
}

const OptionSpec* find_program_option(std::string_view name, std::string_view group) {
  const auto* found = std::find_if(kTable.begin(), kTable.end(), [&](const OptionSpec& option) {
    return option.group == group && has_name(option, name);
  });
  return found == kTable.end() ? nullptr : found;
}

/// Damerau-Levenshtein in its simple form: a pair of swapped letters counts as one edit.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

/// Names of -o options only: those of the command line are too short to be guessed.
std::string unknown_option(std::string_view name) {
  std::size_t nearest = std::max<std::size_t>(1, name.size() / 3) + 1;
  std::string_view suggestion;
  for (const OptionSpec& option : kTable) {
    const auto distance = edit_distance(name, option.name);
    if (!is_program_option(option) && distance < nearest) {
      nearest = distance;
      suggestion = option.name;
    }
  }
  const std::string text = "unknown option \"" + std::string(name) + "\"";
  return suggestion.empty() ? text : text + ", did you mean \"" + std::string(suggestion) + "\"?";
}

// Parsing

void apply(Options& options, const OptionSpec& option, std::string_view value,
           std::string_view as_written) {
  try {
    option.set(options, value);
  } catch (const UsageError& error) {
    throw UsageError("option " + std::string(as_written) + ": " + error.what());
  }
}

/// One "name" or "name=value".
void apply_item(Options& options, std::string_view item) {
  const auto equals = item.find('=');
  const auto name = item.substr(0, equals);
  const bool has_value = equals != std::string_view::npos;
  const OptionSpec* option = find_option(name);
  if (option == nullptr) {
    if (!options.sloppy)
      throw UsageError(unknown_option(name));
    options.notes.push_back(std::string(name) + ": ignored, there is no such option");
    return;
  }
  if (has_value && takes_no_value(*option))
    throw UsageError("option " + std::string(item) + ": takes no value");
  if (!has_value && needs_value(*option))
    throw UsageError("option " + std::string(item) + ": needs a value, " + option_label(*option));
  apply(options, *option, has_value ? item.substr(equals + 1) : "", item);
}

/// A backslash takes the meaning from a comma or from another one.
bool is_escape(std::string_view list, std::size_t at) {
  return list[at] == '\\' && at + 1 < list.size() && (list[at + 1] == ',' || list[at + 1] == '\\');
}

/// As mount(8) has it: name="a,b". Where the value ends, or npos if no quoted one begins here,
/// behind `item`.
std::size_t end_of_quotes(std::string_view list, std::size_t at, std::string_view item) {
  if (list[at] != '"' || item.empty() || item.find('=') != item.size() - 1)
    return std::string_view::npos;
  const auto end = list.find('"', at + 1);
  const bool closes = end + 1 == list.size() || (end < list.size() && list[end + 1] == ',');
  return closes ? end : std::string_view::npos;
}

/// Commas part the items, unless behind a backslash or in a quoted value.
std::vector<std::string> split_items(std::string_view list) {
  std::vector<std::string> items(1);
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (const auto end = end_of_quotes(list, i, items.back()); end != std::string_view::npos) {
      items.back() += list.substr(i + 1, end - i - 1);
      i = end;
    } else if (is_escape(list, i)) {
      items.back() += list[++i];
    } else if (list[i] == ',') {
      items.emplace_back();
    } else {
      items.back() += list[i];
    }
  }
  std::erase(items, "");
  return items;
}

/// The command line's words: operands, letters and long names. The lists of -o are kept for the
/// end, when it is known whether unknown options are to be forgiven.
class CommandLine {
 public:
  CommandLine(std::span<const char* const> words, bool mount_helper)
      : words_(words), mount_helper_(mount_helper) {}

  Options parse() {
    while (next_ < words_.size())
      take_word(words_[next_++]);
    options_.mount_helper = mount_helper_;
    if (options_.show_help || options_.show_version)
      return std::move(options_);
    for (const std::string& list : lists_) {
      for (const std::string& item : split_items(list))
        apply_item(options_, item);
    }
    return std::move(options_);
  }

 private:
  void take_word(std::string_view word) {
    if (only_operands_ || !word.starts_with('-') || word == "-")
      take_operand(word);
    else if (word == "--")
      only_operands_ = true;
    else if (word.starts_with("--"))
      apply(options_, find(word), "", word);
    else
      take_letters(word.substr(1));
  }

  void take_operand(std::string_view word) {
    if (operands_ == 2)
      throw UsageError("unexpected argument \"" + std::string(word) + "\" behind SOURCE " +
                       options_.source + " and MOUNTPOINT " + options_.mountpoint);
    (operands_++ == 0 ? options_.source : options_.mountpoint) = word;
  }

  /// "-fd", "-oro" or "-o" before its value
  void take_letters(std::string_view letters) {
    while (!letters.empty()) {
      const std::string name = "-" + std::string(letters.substr(0, 1));
      letters.remove_prefix(1);
      const OptionSpec& option = find(name);
      if (takes_no_value(option))
        apply(options_, option, "", name);
      else
        take_value(option, name, std::exchange(letters, ""));
    }
  }

  void take_value(const OptionSpec& option, const std::string& name, std::string_view value) {
    if (value.empty() && next_ == words_.size())
      throw UsageError("option " + name + ": needs a value, " + option_label(option));
    if (value.empty())
      value = words_[next_++];
    if (name == kOptionList)
      lists_.emplace_back(value);
    else
      apply(options_, option, value, name + " " + std::string(value));
  }

  const OptionSpec& find(std::string_view name) const {
    const OptionSpec* option = mount_helper_ ? find_program_option(name, kMountHelper) : nullptr;
    if (option == nullptr)
      option = find_program_option(name, kProgram);
    if (option == nullptr)
      throw UsageError("unknown option \"" + std::string(name) + "\"");
    return *option;
  }

  std::span<const char* const> words_;
  bool mount_helper_;
  std::size_t next_ = 0;
  bool only_operands_ = false;
  int operands_ = 0;
  std::vector<std::string> lists_;
  Options options_;
};

// What needs more than one option to be decided

/// "source unix:/run/9p.sock is a Unix socket"
std::string what_source_is(const Options& options) {
  return "source " + options.source + " is " +
         std::string(kTransports[options.endpoint.index()].noun);
}

void check_kind(const Options& options) {
  if (!options.trans)
    return;
  const auto expected = static_cast<std::size_t>(*options.trans);
  if (options.endpoint.index() != expected)
    throw UsageError("option trans=" + std::string(kTransports[expected].name) + ": " +
                     what_source_is(options) + ", expected " +
                     std::string(kTransports[expected].source_form));
}

/// v9fs's way: trans=fd,rfdno=3,wfdno=4, and the source is a mere label. True when it applies.
bool take_descriptor_options(Options& options) {
  if (options.rfdno < 0 && options.wfdno < 0)
    return false;
  const std::string rfdno = "rfdno=" + std::to_string(options.rfdno);
  const std::string wfdno = "wfdno=" + std::to_string(options.wfdno);
  if (options.rfdno < 0)
    throw UsageError("option " + wfdno + ": needs rfdno");
  if (options.wfdno < 0)
    throw UsageError("option " + rfdno + ": needs wfdno");
  if (options.trans != TransportKind::fd)
    throw UsageError("option " + rfdno + ": needs trans=fd");
  options.endpoint = FdEndpoint{options.rfdno, options.wfdno};
  if (options.source.starts_with("fd:") &&
      parse_source(options.source).endpoint != options.endpoint)
    throw UsageError("option " + rfdno + "," + wfdno + ": source " + options.source +
                     " names other descriptors");
  return true;
}

std::string port_of(const Endpoint& endpoint) {
  if (const auto* vsock = std::get_if<VsockEndpoint>(&endpoint))
    return std::to_string(vsock->port);
  const auto* tcp = std::get_if<TcpEndpoint>(&endpoint);
  return tcp != nullptr ? tcp->port : "";
}

void take_port_option(Options& options, const ParsedSource& parsed) {
  if (options.port.empty())
    return;
  if (parsed.port_given && port_of(options.endpoint) != options.port)
    throw UsageError("option port=" + options.port + ": source " + options.source + " names port " +
                     port_of(options.endpoint));
  if (auto* vsock = std::get_if<VsockEndpoint>(&options.endpoint)) {
    const auto number = parse_whole<std::uint32_t>(options.port);
    if (!number)
      throw UsageError("option port=" + options.port + ": must be a number, " +
                       what_source_is(options));
    vsock->port = *number;
    return;
  }
  auto* tcp = std::get_if<TcpEndpoint>(&options.endpoint);
  if (tcp == nullptr) {
    options.notes.push_back("port=" + options.port + ": ignored, " + what_source_is(options));
    return;
  }
  tcp->port = options.port;
}

void take_tree_of_source(Options& options, const ParsedSource& parsed) {
  if (!parsed.aname)
    return;
  if (!options.aname.empty() && options.aname != *parsed.aname)
    throw UsageError("option aname=" + options.aname + ": source " + options.source +
                     " names tree " + *parsed.aname);
  options.aname = *parsed.aname;
}

/// v9fs's way: trans= says what the source is, which is only the rest of it.
std::string whole_source(const Options& options) {
  const std::string& source = options.source;
  const bool is_bare = source.find_first_of(":!") == std::string::npos;
  const bool is_number = source.find_first_not_of("0123456789:") == std::string::npos;
  if (options.trans == TransportKind::unix_socket && is_bare)
    return "unix:" + source;
  if (options.trans == TransportKind::vsock && is_number)
    return "vsock:" + source;
  if (options.trans == TransportKind::device && source.starts_with('/'))
    return "dev:" + source;
  return source;
}

void resolve_endpoint(Options& options) {
  if (take_descriptor_options(options)) {
    take_port_option(options, {});
    return;
  }
  if (options.trans == TransportKind::fd && !options.source.starts_with("fd:"))
    throw UsageError("option trans=fd: needs rfdno and wfdno, or a source fd:RFD,WFD");
  const ParsedSource parsed = parse_source(whole_source(options));
  options.endpoint = parsed.endpoint;
  check_kind(options);
  take_port_option(options, parsed);
  take_tree_of_source(options, parsed);
}

/// The user who mounts. A name that was asked for is the server's to look up: sending our own
/// number along would win over it.
void resolve_user(Options& options) {
  if (!options.uname.empty())
    return;
  const uid_t uid = getuid();
  const passwd* entry = getpwuid(uid);
  options.uname = entry != nullptr ? std::string(entry->pw_name) : std::to_string(uid);
  if (options.n_uname == proto::kNoNumericUname)
    options.n_uname = uid;
}

/// Who is let in, and as whom; a number that is not the own one has to be let in first.
void resolve_access(Options& options) {
  using Mode = Access::Mode;
  Access& access = options.access;
  if (access.mode == Mode::uid && access.uid != getuid() && !options.allow_other) {
    if (options.allow_root)
      throw UsageError("option access=" + std::to_string(access.uid) +
                       ": conflicts with allow_root");
    options.allow_other = true;
    options.fuse_options.emplace_back("allow_other");
  }
  const bool several = options.allow_other || options.allow_root;
  if (access.mode == Mode::unset)
    access.mode = several ? Mode::client : Mode::any;
  // One user must not walk through what another one has just made the kernel know.
  if (several && !options.default_permissions) {
    options.default_permissions = options.permissions_implied = true;
    options.fuse_options.emplace_back("default_permissions");
  }
}

void name_mount(Options& options) {
  if (options.fsname.empty())
    options.fsname = options.source;
  options.fuse_options.push_back("fsname=" + escaped(options.fsname));
  options.fuse_options.push_back("subtype=" + escaped(options.subtype));
}

void note_mappings(Options& options) {
  const std::string cache = "cache=" + options.cache_text + ": ";
  if (options.cache == CacheMode::none && !options.direct_io)
    options.notes.push_back(
        cache + "mapped to a page cache that is validated at open; directio bypasses it");
  if (options.cache == CacheMode::loose || options.cache == CacheMode::fscache)
    options.notes.push_back(cache +
                            "mapped to attribute and entry timeouts (actimeo) with validation at "
                            "open; data is never trusted past an open");
  if (options.privileged_port && !std::holds_alternative<TcpEndpoint>(options.endpoint))
    options.notes.push_back("privport: ignored, " + what_source_is(options));
}

void finish(Options& options) {
  if (options.source.empty())
    throw UsageError("no SOURCE given");
  if (options.mountpoint.empty())
    throw UsageError("no MOUNTPOINT given");
  if (options.remount)  // the rest is as it was, and SOURCE may be any text that fsname gave it
    return;
  if (options.allow_other && options.allow_root)
    throw UsageError("option allow_root: conflicts with allow_other");
  options.foreground = options.foreground || options.debug;
  resolve_endpoint(options);
  resolve_user(options);
  resolve_access(options);
  name_mount(options);
  note_mappings(options);
}

bool is_mount_helper(std::string_view program) {
  return program.substr(program.rfind('/') + 1).starts_with("mount.");
}

// Help

constexpr std::size_t kColumns = 80;
constexpr std::size_t kHelpColumn = 28;

/// Fills lines with words; `line` may hold a label already.
std::string wrapped(std::string line, std::string_view words) {
  std::string result;
  if (line.size() + 2 > kHelpColumn)
    result = std::exchange(line, "") + "\n";
  line.resize(kHelpColumn, ' ');
  while (!words.empty()) {
    const auto word = words.substr(0, words.find(' '));
    words.remove_prefix(std::min(word.size() + 1, words.size()));
    if (line.size() + 1 + word.size() > kColumns && line.size() > kHelpColumn) {
      result += line + "\n";
      line.assign(kHelpColumn, ' ');
    }
    line += (line.size() > kHelpColumn ? " " : "") + std::string(word);
  }
  return result + line + "\n";
}

std::string help_entry(const OptionSpec& option) {
  std::string help(option.help);
  if (!option.default_text.empty())
    help += " (default: " + std::string(option.default_text) + ")";
  return wrapped("  " + option_label(option), help);
}

}  // namespace

constinit const std::span<const OptionSpec> kOptions = kTable;

std::string option_label(const OptionSpec& option) {
  std::string label(option.name);
  std::string argument(option.argument);
  if (argument.empty())
    return label;
  if (is_program_option(option))
    return label + " " + argument;
  if (argument.starts_with('['))
    return label + "[=" + argument.substr(1);
  return label + "=" + argument;
}

Options parse_command_line(int argc, const char* const* argv) {
  const std::span words(argv, static_cast<std::size_t>(std::max(argc, 0)));
  if (words.empty())
    throw UsageError("no SOURCE given");
  Options options = CommandLine(words.subspan(1), is_mount_helper(words.front())).parse();
  if (!options.show_help && !options.show_version)
    finish(options);
  return options;
}

std::string usage() {
  return "usage: fuse9p SOURCE MOUNTPOINT [-fd] [-o OPTION[,OPTION...]]\n"
         "       fuse9p --help lists the options; man 5 fuse9p explains them\n";
}

std::string help_text() {
  std::string text =
      "usage: fuse9p SOURCE MOUNTPOINT [-fd] [-o OPTION[,OPTION...]]\n"
      "Mounts the 9P server at SOURCE on the directory MOUNTPOINT.\n\n"
      "SOURCE: HOST[:PORT][:/ANAME], tcp!HOST[!PORT], unix:PATH, fd:N, fd:RFD,WFD,\n"
      "exec:COMMAND, vsock:CID[:PORT] or dev:PATH. UINT is a whole number; SIZE is in\n"
      "bytes, k, M or G behind it multiplies; SECONDS may have a fraction. To unmount:\n"
      "fusermount3 -u MOUNTPOINT.\n";
  std::string_view group;
  for (const OptionSpec& option : kTable) {
    if (option.group != group) {
      group = option.group;
      text += "\n" + std::string(group) + ":\n";
    }
    text += help_entry(option);
  }
  return text;
}

}  // namespace fuse9p
