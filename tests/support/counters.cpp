// SPDX-License-Identifier: MIT
#include "tests/support/counters.hpp"

#include <boost/json.hpp>

#include <signal.h>

#include <ostream>

namespace fuse9p::test {
namespace {

const std::string kBegin = "{\"mount\":";

Counters parse(const std::string& line) {
  Counters counters;
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(line.substr(line.find(kBegin)), error);
  if (error || !value.is_object()) {
    ADD_FAILURE() << "no JSON object: " << line;
    return counters;
  }
  for (const auto& [key, field] : value.get_object()) {
    if (field.is_string())
      counters.words[key] = field.get_string();
    else if (field.is_bool())
      counters.numbers[key] = field.get_bool() ? 1 : 0;
    else
      counters.numbers[key] = field.to_number<std::int64_t>(error);
    EXPECT_FALSE(error) << key << " in " << line;
  }
  return counters;
}

}  // namespace

std::int64_t Counters::operator[](const std::string& name) const {
  const auto found = numbers.find(name);
  if (found != numbers.end())
    return found->second;
  ADD_FAILURE() << "no number " << name << " among " << *this;
  return -1;
}

std::ostream& operator<<(std::ostream& out, const Counters& counters) {
  for (const auto& [name, number] : counters.numbers)
    out << name << ' ' << number << ", ";
  return out;
}

Counters ask_counters(Fuse9p& mount) {
  const std::size_t before = mount.log_lines(kBegin).size();
  mount.process().signal(SIGUSR1);
  std::vector<std::string> lines;
  const bool answered = eventually([&] {
    lines = mount.log_lines(kBegin);
    return lines.size() > before && lines.back().ends_with('}');  // to its end
  });
  if (answered)
    return parse(lines.back());
  ADD_FAILURE() << "no answer to SIGUSR1 in the log:\n" << mount.log();
  return {};
}

Counters await_counters(Fuse9p& mount, const std::function<bool(const Counters&)>& wanted) {
  Counters counters;
  const bool met = eventually([&] {
    counters = ask_counters(mount);
    return wanted(counters) || testing::Test::HasFailure();
  });
  EXPECT_TRUE(met) << "it stays at " << counters;
  return counters;
}

bool is_idle(const Counters& counters) {
  return counters["outstanding"] == 0 && counters["unresolved"] == 0 &&
         counters["unresolved_changes"] == 0 && counters["tags"] == 0 &&
         counters["operations"] == 0;
}

Counters await_idle(Fuse9p& mount) {
  return await_counters(mount, is_idle);
}

}  // namespace fuse9p::test
