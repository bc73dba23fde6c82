// SPDX-License-Identifier: MIT
#include "src/option_help.hpp"

#include "src/option_table.hpp"

#include <algorithm>
#include <string_view>

namespace fuse9p {
namespace {

constexpr std::size_t kColumns = 80;
constexpr std::size_t kHelpColumn = 28;

/// Fills lines with words; `line` may hold a label already.
std::string wrapped(std::string line, std::string_view words) {
  std::string result;
  if (line.size() + 2 > kHelpColumn) {
    result = line + '\n';
    line.clear();
  }
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
  for (const OptionSpec& option : kOptions) {
    if (option.group != group) {
      group = option.group;
      text += "\n" + std::string(group) + ":\n";
    }
    text += help_entry(option);
  }
  return text;
}

}  // namespace fuse9p
