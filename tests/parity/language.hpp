// SPDX-License-Identifier: MIT
// The words of a parity script, and how answers are written.
//
// A script is one call a line; " ; " parts calls, too. Words are parted by spaces. In a word, \s is
// a space, \n a newline, \xNN a byte, \e nothing at all (an empty word); <TEXT*N> is TEXT N times.
// A TEXT of #SIZE or #SIZE@OFFSET is SIZE bytes of pattern().
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <ctime>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace fuse9p::test::parity {

/// The calls of a script, one a string, without blanks around them.
std::vector<std::string> calls_of(const std::string& script);

/// One call: its name and its arguments.
class Words {
 public:
  explicit Words(const std::string& call);

  std::size_t size() const { return words_.size(); }
  bool has(std::size_t i) const { return i < words_.size(); }
  /// Throws std::runtime_error, with the call in it, if there are not so many.
  const std::string& operator[](std::size_t i) const;
  const char* c_str(std::size_t i) const { return (*this)[i].c_str(); }
  long number(std::size_t i) const;
  std::size_t size_at(std::size_t i) const { return static_cast<std::size_t>(number(i)); }
  mode_t mode(std::size_t i) const;  ///< octal
  timespec time(std::size_t i) const;
  /// What is written there.
  std::string text(std::size_t i) const;
  /// Names joined by |, each of which the table knows.
  int flags(std::size_t i, const std::map<std::string, int>& known) const;
  /// As for open(2).
  int open_flags(std::size_t i) const;

  /// Throws std::runtime_error: the script is wrong.
  [[noreturn]] void refuse(const std::string& why) const;

 private:
  std::string call_;
  std::vector<std::string> words_;
};

/// "ENOENT", of errno.
std::string error_name();
/// "ok", or the error of a call that gave -1.
std::string result(long value);
/// The number, or the error of a call that gave -1.
std::string counted(long value);
/// In quotes; a long one by its length and a hash.
std::string shown(std::string_view bytes);
std::string shown(const struct stat& of);
std::string shown(const timespec& time);
/// Is the answer an error's name?
bool is_error(std::string_view answer);

}  // namespace fuse9p::test::parity
