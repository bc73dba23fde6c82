// SPDX-License-Identifier: MIT
#include "tests/parity/comparison.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <iomanip>
#include <iterator>
#include <set>
#include <sstream>
#include <stdexcept>

namespace fuse9p::test::parity {

namespace fs = std::filesystem;

// ---- Coverage

namespace {

/// "open", also for "bob: open f ...".
std::string name_of_call(const std::string& call) {
  const auto first = call.substr(0, call.find(' '));
  const bool by_peer =
      !first.empty() && std::string_view(":&").find(first.back()) != std::string::npos;
  return by_peer ? name_of_call(call.substr(call.find(' ') + 1)) : first;
}

}  // namespace

void Coverage::saw(const Transcript& transcript) {
  for (const Step& step : transcript)
    ++seen_[name_of_call(step.call)][is_error(step.answer) ? step.answer : "ok"];
}

bool Coverage::has(const std::string& call, const std::string& answer) const {
  const auto found = seen_.find(call);
  return found != seen_.end() && found->second.contains(answer);
}

std::string Coverage::table() const {
  std::ostringstream out;
  for (const auto& [call, answers] : seen_) {
    out << std::left << std::setw(16) << call;
    for (const auto& [answer, times] : answers)
      out << ' ' << answer << ' ' << times;
    out << '\n';
  }
  return out.str();
}

// ---- Comparison

namespace {

/// Two transcripts of the same calls as one text; sets `differs` if an answer does.
std::string merged(const Transcript& here, const Transcript& there, bool& differs) {
  std::string text;
  for (std::size_t i = 0; i < here.size(); ++i) {
    const auto& [call, wanted] = here[i];
    const std::string& got = there[i].answer;
    const bool same = wanted == got;
    differs = differs || !same;
    text += (same ? "    " : "  ! ") + call + " -> " +
            (same ? got : "local: " + wanted + ", mount: " + got) + '\n';
  }
  return text;
}

/// Makes both of the same length and order: what only one has is "absent" in the other.
void align(Transcript& here, Transcript& there) {
  std::set<std::string> names;
  for (const Transcript* transcript : {&here, &there}) {
    for (const Step& step : *transcript)
      names.insert(step.call);
  }
  for (Transcript* transcript : {&here, &there}) {
    std::map<std::string, std::string> found;
    for (const Step& step : *transcript)
      found.emplace(step.call, step.answer);
    transcript->clear();
    for (const std::string& name : names)
      transcript->push_back({name, found.contains(name) ? found.at(name) : "absent"});
  }
}

/// A directory in which all may write, and in which that has been done.
void make_prepared(const std::string& script, const fs::path& directory) {
  fs::create_directory(directory);
  ::chmod(directory.c_str(), 0777);
  for (const auto& [call, answer] : perform(script, directory)) {
    if (is_error(answer))
      throw std::runtime_error(directory.string() + " can't be prepared: " + call + " -> " +
                               answer);
  }
}

}  // namespace

Comparison::Comparison(std::string configuration) : configuration_(std::move(configuration)) {
  know(differences());
  know(differences_of_dialects());
  for (const Untold& one : untold()) {
    if (std::regex_match(configuration_, std::regex(one.configurations)))
      hidden_.push_back({std::regex(one.call), std::regex(one.answer), one.instead});
  }
}

void Comparison::know(std::span<const Difference> differences) {
  for (const Difference& difference : differences) {
    if (std::regex_match(configuration_, std::regex(difference.configurations)))
      known_.push_back({&difference, std::regex(difference.cases), std::regex(difference.call),
                        std::regex(difference.answer)});
  }
}

Transcript Comparison::as_told(Transcript transcript) const {
  for (auto& [call, answer] : transcript) {
    for (const Hidden& hidden : hidden_) {
      if (!is_error(answer) && std::regex_match(call, hidden.call))
        answer = std::regex_replace(answer, hidden.answer, hidden.instead);
    }
  }
  return transcript;
}

const Comparison::Known* Comparison::known(const std::string& name, const Step& there) {
  const auto found = std::ranges::find_if(known_, [&](const Known& one) {
    return std::regex_match(there.answer, one.answer) && std::regex_match(there.call, one.call) &&
           std::regex_match(name, one.cases);
  });
  if (found == known_.end())
    return nullptr;
  found->needed = true;
  return &*found;
}

Transcript Comparison::performed_locally(const Case& of, const fs::path& directory,
                                         const Transcript& there) {
  Performer performer(directory);
  Transcript here;
  for (const Step& step : there) {
    const Known* difference = known(of.name, step);
    if (difference == nullptr) {
      here.push_back({step.call, performer.answer(step.call)});
      continue;
    }
    here.push_back(step);
    const char* instead = difference->line->instead;
    if (*instead != '\0')
      performer.answer(std::regex_replace(step.call, difference->call, instead));
  }
  return here;
}

std::string Comparison::left_behind(const Case& of, const fs::path& here, const fs::path& there,
                                    bool& differs) {
  Transcript ours = as_told(snapshot(here)), theirs = as_told(snapshot(there));
  align(ours, theirs);
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (known(of.name, theirs[i]) != nullptr)
      ours[i] = theirs[i];
  }
  return merged(ours, theirs, differs);
}

void Comparison::prepare(const Case& of, const Ground& ground) {
  make_prepared(of.prepare, ground.local_origin / of.name);
  make_prepared(of.prepare, ground.served / of.name);
}

std::optional<std::string> Comparison::compare(const Case& of, const Ground& ground) {
  try {
    return compared(of, ground);
  } catch (const std::exception& error) {
    return "case " + of.name + " can't be performed: " + error.what() + '\n';
  }
}

std::optional<std::string> Comparison::compared(const Case& of, const Ground& ground) {
  std::string report = "case " + of.name + '\n';
  for (const std::string& call : calls_of(of.prepare))
    report += "    (prepared: " + call + ")\n";
  const Transcript there = perform(of.script, ground.mounted / of.name);
  const Transcript here = performed_locally(of, ground.local / of.name, there);
  coverage_.saw(there);
  bool differs = false;
  const fs::path left = ground.local_origin / of.name;
  report += merged(as_told(here), as_told(there), differs);
  report += "  left behind, through the mount:\n";
  report += left_behind(of, left, ground.mounted / of.name, differs);
  report += "  left behind, at the server:\n";
  report += left_behind(of, left, ground.served / of.name, differs);
  if (of.place == Place::full) {
    fs::remove_all(left);
    fs::remove_all(ground.mounted / of.name);
  }
  return differs ? std::optional(report) : std::nullopt;
}

template <class Concerns>
std::vector<std::string> Comparison::stale(Concerns concerns) const {
  std::vector<std::string> stale;
  for (const Known& one : known_) {
    if (!one.needed && concerns(*one.line))
      stale.push_back(std::string(one.line->call) + " -> " + one.line->answer + ": " +
                      one.line->reason);
  }
  return stale;
}

std::vector<std::string> Comparison::stale_differences() const {
  return stale([](const Difference&) { return true; });
}

std::vector<std::string> Comparison::stale_differences_of_its_own() const {
  return stale(
      [](const Difference& line) { return std::string_view(line.configurations) != ".*"; });
}

}  // namespace fuse9p::test::parity
