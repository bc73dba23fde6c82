// SPDX-License-Identifier: MIT
#include "tests/support/scripted_rules.hpp"

#include "proto/messages.hpp"

#include <boost/mp11/algorithm.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <stdexcept>

namespace fuse9p::test {

int errno_named(const std::string& name) {
  constexpr int kLast = 133;
  for (int number = 1; number <= kLast; ++number) {
    const char* known = ::strerrorname_np(number);
    if (known != nullptr && name == known)
      return number;
  }
  return std::stoi(name);
}

proto::MessageType message_type(const std::string& name) {
  std::optional<proto::MessageType> found;
  boost::mp11::mp_for_each<boost::mp11::mp_transform<std::type_identity, proto::AllMessages>>(
      [&](auto identity) {
        using T = typename decltype(identity)::type;
        if (T::kName == name)
          found = T::kType;
      });
  if (!found)
    throw std::invalid_argument("no message " + name);
  return *found;
}

void Rules::add(const std::string& line) {
  std::istringstream in(line);
  Rule rule;
  std::string word;
  in >> word;
  if (word != "any")
    rule.type = message_type(word);
  while (in >> word) {
    if (word == "name")
      in >> rule.name.emplace();
    else if (word == "offset")
      in >> rule.offset.emplace();
    else if (word == "from")
      in >> rule.from.emplace();
    else if (word == "nth")
      in >> rule.nth.emplace();
    else if (word == "times")
      in >> rule.times.emplace();
    else
      break;
  }
  std::string rest;
  std::getline(in >> std::ws, rest);
  rule.action = parse_action(word, rest);
  rules_.push_back(std::move(rule));
}

Action Rules::parse_action(const std::string& word, const std::string& rest) {
  using Kind = Action::Kind;
  if (word == "hold")
    return {.kind = Kind::hold};
  if (word == "withhold")
    return {.kind = Kind::withhold};
  if (word == "wait") {
    const bool some = rest.starts_with("some ");
    const std::string number = some ? rest.substr(rest.find(' ')) : rest;
    return {.kind = Kind::wait,
            .number = static_cast<std::uint32_t>(std::stoul(number)),
            .at_most = some};
  }
  if (word == "short")
    return {.kind = Kind::shorten,
            .number = rest == "half" ? 0 : static_cast<std::uint32_t>(std::stoul(rest))};
  if (word == "fail") {
    const std::string error = rest.substr(0, rest.find(' '));
    return {.kind = Kind::fail,
            .number = static_cast<std::uint32_t>(errno_named(error)),
            .text = error == rest ? "" : rest.substr(error.size() + 1)};
  }
  if (word == "reply")
    return {.kind = Kind::reply, .text = rest};
  if (word == "raw")
    return {.kind = Kind::raw, .text = rest};
  if (word == "close")
    return {.kind = Kind::close};
  throw std::invalid_argument("no action " + word);
}

bool Rules::want_names() const {
  return std::ranges::any_of(rules_, [](const Rule& rule) { return rule.name.has_value(); });
}

bool Rules::applies(const Rule& rule, const Facts& facts) {
  if (rule.type && *rule.type != facts.type)
    return false;
  if (rule.name && std::ranges::find(facts.names, *rule.name) == facts.names.end())
    return false;
  if (rule.offset && rule.offset != facts.offset)
    return false;
  return !rule.from || (facts.offset && *facts.offset >= *rule.from);
}

Action Rules::decide(const Facts& facts) {
  for (Rule& rule : rules_) {
    if (!applies(rule, facts))
      continue;
    ++rule.seen;
    if (rule.nth ? rule.seen == *rule.nth : rule.seen <= rule.times.value_or(~std::uint64_t{0}))
      return rule.action;
  }
  return {};
}

}  // namespace fuse9p::test
