// SPDX-License-Identifier: MIT
// stress-ng's file system stressors and fio with verification, on a mount of diod: programs whose
// business it is to find what is wrong. FUSE9P_STRESS_FACTOR multiplies what they do.
//
// Left out, since they say nothing about this file system: bind-mount, binderfs, dup, eventfd,
// fanotify, ioprio, procfs; chattr, fiemap, file-ioctl, inode-flags, verity, which are ioctls that
// 9P has no words for; lease, which is the kernel's alone; io, which is sync(2), the whole
// machine's; link and symlink, which make 8,192 names each and show no more than our own tests.

#include "tests/support/mount_fixture.hpp"
#include "tests/support/seed.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ostream>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;

constexpr int kProcesses = 2;
constexpr int kTimeoutSeconds = 200;  // for one that hangs: the number of operations bounds them

int factor() {
  const char* given = std::getenv("FUSE9P_STRESS_FACTOR");
  return given != nullptr ? std::atoi(given) : 1;
}

class StressTest : public MountTest {
 protected:
  void stress(Command command, const fs::path& directory) {
    command.directory = directory.string();
    const Finished finished = run(command);
    EXPECT_EQ(finished.status, kSuccess) << finished.output;
    // The kernel tells of the last close when close(2) has returned.
    EXPECT_TRUE(eventually([&] { return fs::is_empty(exported()); })) << "it left something behind";
  }
};

template <class Tested>
std::string name_of(const ::testing::TestParamInfo<Tested>& tested) {
  std::string name(tested.param.name);
  std::erase(name, '-');
  return name;
}

// ---- stress-ng

struct Stressor {
  const char* name;
  int operations;
  std::vector<std::string> arguments{};
};

std::ostream& operator<<(std::ostream& out, const Stressor& stressor) {
  return out << stressor.name;
}

// As many operations as take a second or so.
const Stressor kStressors[] = {
    {"aio", 4'000},
    {"chdir", 200, {"--chdir-dirs", "200"}},
    {"chmod", 30},
    {"dentry", 500, {"--dentries", "250"}},
    {"dir", 250, {"--dir-dirs", "250"}},
    {"dirdeep", 200, {"--dirdeep-inodes", "200"}},
    {"dirmany", 500},
    {"filename", 100, {"--filename-opts", "posix"}},
    {"flock", 20'000},
    {"fstat", 2'000},
    {"getdent", 5'000},
    {"hdd", 400, {"--hdd-bytes", "8M", "--hdd-opts", "direct,fsync,rd-rnd,wr-rnd"}},
    {"inotify", 5},
    {"iomix", 200, {"--iomix-bytes", "8M"}},
    {"locka", 20'000},
    {"lockf", 5'000},
    {"lockofd", 20'000},
    {"mknod", 300},
    {"mmap", 10, {"--mmap-file", "--mmap-bytes", "1M"}},
    {"open", 1'000},
    {"readahead", 2'000, {"--readahead-bytes", "16M"}},
    {"rename", 2'000},
    {"seek", 3'000, {"--seek-size", "8M"}},
    {"sendfile", 400},
    {"splice", 10'000},
    {"touch", 500},
    {"utime", 500},
};

class Stress : public StressTest, public ::testing::WithParamInterface<Stressor> {};

TEST_P(Stress, FindsNothingWrong) {
  const Stressor& stressor = GetParam();
  const std::string option = std::string("--") + stressor.name;
  Command command{.arguments = {"stress-ng", option, std::to_string(kProcesses), option + "-ops",
                                std::to_string(factor() * stressor.operations), "--verify",
                                "--temp-path", ".", "--timeout", std::to_string(kTimeoutSeconds)}};
  command.arguments.insert(command.arguments.end(), stressor.arguments.begin(),
                           stressor.arguments.end());
  stress(command, mount_diod().path());
}

INSTANTIATE_TEST_SUITE_P(Ng, Stress, ::testing::ValuesIn(kStressors), name_of<Stressor>);

// ---- fio

struct Job {
  const char* name;
  std::vector<std::string> arguments;
};

std::ostream& operator<<(std::ostream& out, const Job& job) {
  return out << job.name;
}

const Job kJobs[] = {
    {"Mixed", {"--ioengine=psync", "--rw=randrw", "--bsrange=512-64k", "--bs_unaligned"}},
    {"Sequential", {"--ioengine=sync", "--rw=rw", "--bs=128k", "--fsync=32"}},
    {"Mapped", {"--ioengine=mmap", "--rw=randrw", "--bs=4k", "--fsync=64"}},
    {"Direct", {"--ioengine=psync", "--rw=randrw", "--bs=64k", "--direct=1"}},
    {"Asynchronous",
     {"--ioengine=libaio", "--rw=randrw", "--bs=16k", "--iodepth=16", "--direct=1"}},
};

class Fio : public StressTest, public ::testing::WithParamInterface<Job> {};

TEST_P(Fio, ReadsWhatItWrote) {
  Command command{.arguments = {"fio", "--name=job", "--numjobs=4", "--thread=0",
                                "--group_reporting", "--size=" + std::to_string(factor() * 8) + "M",
                                "--verify=crc32c", "--verify_fatal=1", "--verify_backlog=200",
                                "--verify_state_save=0", "--unlink=1",
                                "--randseed=" + std::to_string(new_seed()),
                                // No status file, no threads that look at the machine's disks.
                                "--disk_util=0", "--minimal"}};
  command.arguments.insert(command.arguments.end(), GetParam().arguments.begin(),
                           GetParam().arguments.end());
  stress(command, mount_diod().path());
}

INSTANTIATE_TEST_SUITE_P(Verified, Fio, ::testing::ValuesIn(kJobs), name_of<Job>);

}  // namespace
}  // namespace fuse9p::test
