// SPDX-License-Identifier: MIT
#include "tests/support/soak.hpp"

#include "tests/support/soak_own.hpp"
#include "tests/support/soak_shared.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace fuse9p::test {

namespace fs = std::filesystem;

void prepare_soak(const fs::path& root) {
  // The last one is sticky: only owners remove and rename there.
  for (int i = 0; i < 4; ++i) {
    const fs::path directory = root / ("shared." + std::to_string(i));
    fs::create_directory(directory);
    fs::permissions(directory, i == 3 ? fs::perms::all | fs::perms::sticky_bit : fs::perms::all);
  }
  std::ofstream(root / "counter").flush();
  fs::permissions(root / "counter", fs::perms(0666));
}

int run_soaker(const SoakSettings& settings, int number) {
  ::umask(0);
  const std::string name = std::to_string(number);
  const fs::path home = settings.root / ("home." + name);
  if (::mkdir(home.c_str(), 0700) != 0)
    return 1;
  OwnWork own(home, settings, number);
  SharedWork shared(settings, number);
  std::mt19937 random(settings.seed + static_cast<unsigned>(number));
  try {
    for (int i = 0; i < settings.operations; ++i)
      random() % 2 == 0 ? own.step() : shared.step();
    own.check_all();
  } catch (const Wrong& wrong) {
    std::ofstream(settings.reports / name)
        << "process " << number << ", user " << ::geteuid() << ": " << wrong.what()
        << "\n-- in its own directory, latest last\n"
        << own.history() << "-- in the shared ones\n"
        << shared.history();
    return 1;
  }
  std::ofstream(settings.reports / ("counted." + name)) << shared.counted();
  return 0;
}

SoakCount soak_count(const SoakSettings& settings) {
  SoakCount count;
  for (const auto& entry : fs::directory_iterator(settings.reports)) {
    std::uint64_t counted = 0;
    if (entry.path().filename().string().starts_with("counted."))
      std::ifstream(entry.path()) >> counted;
    count.expected += counted;
  }
  std::ifstream(settings.root / "counter", std::ios::binary)
      .read(reinterpret_cast<char*>(&count.found), sizeof count.found);
  return count;
}

}  // namespace fuse9p::test
