// SPDX-License-Identifier: MIT
#include "src/option_table.hpp"

#include "src/option_values.hpp"
#include "src/usage_error.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace fuse9p {
namespace {

using proto::Dialect;
using std::chrono::milliseconds;

constexpr std::string_view kConnection = "Connection (-o)";
constexpr std::string_view kSession = "9P session (-o)";
constexpr std::string_view kCaching = "Caching and waiting (-o)";
constexpr std::string_view kMount = "Mount (-o)";
constexpr std::string_view kIgnored = "Accepted and ignored (-o)";

constexpr std::uint32_t kMaxId = proto::kNoNumericUname - 1;
constexpr std::uint32_t kMaxFids = to_int(proto::kNoFid) - 1;
constexpr milliseconds kMaxCacheTime = std::chrono::hours{24 * 365};
constexpr milliseconds kMaxWait = std::chrono::hours{1};
constexpr milliseconds kMinWait{100};

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

}  // namespace fuse9p
