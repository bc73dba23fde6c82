// SPDX-License-Identifier: MIT
#include "tests/parity/scripts.hpp"

namespace fuse9p::test::parity {
namespace {

void add(std::span<const Script> scripts, Place place, std::vector<Case>& cases) {
  for (const Script& script : scripts)
    cases.push_back({script.name, place, script.prepare, script.script});
}

}  // namespace

std::vector<Case> cases_by_hand() {
  std::vector<Case> cases;
  add(scripts_on_names(), Place::ordinary, cases);
  add(scripts_on_attributes(), Place::ordinary, cases);
  add(scripts_on_files(), Place::ordinary, cases);
  add(scripts_of_users(), Place::ordinary, cases);
  add(scripts_of_processes(), Place::ordinary, cases);
  add(scripts_on_a_full_disk(), Place::full, cases);
  add(scripts_on_a_read_only_disk(), Place::read_only, cases);
  return cases;
}

}  // namespace fuse9p::test::parity
