// SPDX-License-Identifier: MIT
// Performs cases in two directories, says what is different, and remembers what was seen.
#pragma once

#include "tests/parity/cases.hpp"
#include "tests/parity/differences.hpp"
#include "tests/parity/performer.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <regex>
#include <string>
#include <vector>

namespace fuse9p::test::parity {

/// The directory of a place, in which each case has one of its own, as it is reached.
struct Ground {
  std::filesystem::path local, mounted;
  /// Where they can be prepared, and looked at afterwards: what the mount's server has, and where
  /// the local one can be written.
  std::filesystem::path local_origin, served;
};

/// Calls and their answers: which ever came, and how often.
class Coverage {
 public:
  void saw(const Transcript& transcript);
  bool has(const std::string& call, const std::string& answer) const;
  /// A line for each call: how often it was ok, and each error.
  std::string table() const;

 private:
  std::map<std::string, std::map<std::string, int>> seen_;
};

class Comparison {
 public:
  explicit Comparison(std::string configuration);

  /// Makes the case's directories, and performs in them what comes before. Throws
  /// std::runtime_error if that can't be done.
  void prepare(const Case& of, const Ground& ground);
  /// What is different, and nothing if all is well: the whole transcript, with both answers where
  /// they are not the same.
  std::optional<std::string> compare(const Case& of, const Ground& ground);

  const Coverage& coverage() const { return coverage_; }
  /// Lines of the list that no case has needed.
  std::vector<std::string> stale_differences() const;
  /// Of those, the ones that are about this configuration only.
  std::vector<std::string> stale_differences_of_its_own() const;

 private:
  struct Known {
    const Difference* line;
    std::regex cases, call, answer;
    bool needed = false;
  };

  struct Hidden {
    std::regex call, answer;
    std::string instead;
  };

  template <class Concerns>
  std::vector<std::string> stale(Concerns concerns) const;
  void know(std::span<const Difference> differences);
  /// Without what the configuration can't tell.
  Transcript as_told(Transcript transcript) const;
  std::optional<std::string> compared(const Case& of, const Ground& ground);
  /// The line of the list that speaks of this answer of the mount, or null.
  const Known* known(const std::string& name, const Step& there);
  /// What is local, for a script that has been performed on the mount.
  Transcript performed_locally(const Case& of, const std::filesystem::path& directory,
                               const Transcript& there);
  /// What the two have left behind, as a text; sets `differs`.
  std::string left_behind(const Case& of, const std::filesystem::path& here,
                          const std::filesystem::path& there, bool& differs);

  std::string configuration_;
  std::vector<Known> known_;
  std::vector<Hidden> hidden_;
  Coverage coverage_;
};

}  // namespace fuse9p::test::parity
