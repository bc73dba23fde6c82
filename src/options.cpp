// SPDX-License-Identifier: MIT
#include "src/options.hpp"

#include "src/option_table.hpp"
#include "src/option_values.hpp"
#include "src/usage_error.hpp"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace fuse9p {
namespace {

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
  const auto found = std::ranges::find_if(kOptions, [&](const OptionSpec& option) {
    return !is_program_option(option) && has_name(option, name);
  });
  return found == kOptions.end() ? nullptr : &*found;
}

const OptionSpec* find_program_option(std::string_view name, std::string_view group) {
  const auto found = std::ranges::find_if(kOptions, [&](const OptionSpec& option) {
    return option.group == group && has_name(option, name);
  });
  return found == kOptions.end() ? nullptr : &*found;
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
  for (const OptionSpec& option : kOptions) {
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
}  // namespace

Options parse_command_line(int argc, const char* const* argv) {
  const std::span words(argv, static_cast<std::size_t>(std::max(argc, 0)));
  if (words.empty())
    throw UsageError("no SOURCE given");
  Options options = CommandLine(words.subspan(1), is_mount_helper(words.front())).parse();
  if (!options.show_help && !options.show_version)
    finish(options);
  return options;
}

}  // namespace fuse9p
