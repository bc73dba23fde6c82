// SPDX-License-Identifier: MIT
// Databases on a mount of diod: SQLite with several writers, PostgreSQL through a crash. They lock,
// sync, rename and map files, and they notice when any of it goes wrong. FUSE9P_DATABASE_FACTOR
// multiplies what they do.

#include "tests/support/mount_fixture.hpp"

#include <gmock/gmock.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <sstream>

namespace fuse9p::test {
namespace {

namespace fs = std::filesystem;

int factor() {
  const char* given = std::getenv("FUSE9P_DATABASE_FACTOR");
  return given != nullptr ? std::atoi(given) : 1;
}

/// A transaction waits for the others, and each of them for the disk.
constexpr std::chrono::minutes kLongest(15);

// ---- SQLite

struct SqliteCase {
  const char* name;
  const char* journal_mode;
  std::vector<std::string> options{};  // of the mount
};

const SqliteCase kSqliteCases[] = {
    {"Journal", "delete"},
    {"Truncate", "truncate"},
    {"Wal", "wal"},
    {"JournalServerLocks", "delete", {"locks=server"}},
    {"WalServerLocks", "wal", {"locks=server"}},
};

std::ostream& operator<<(std::ostream& out, const SqliteCase& sqlite) {
  return out << sqlite.name;
}

std::string name_of(const ::testing::TestParamInfo<SqliteCase>& tested) {
  return tested.param.name;
}

class Sqlite : public MountTest, public ::testing::WithParamInterface<SqliteCase> {
 protected:
  void SetUp() override {
    database_ = mount_diod(GetParam().options).path() / "db";
    sql("PRAGMA journal_mode=" + std::string(GetParam().journal_mode) +
        "; CREATE TABLE counter(n); INSERT INTO counter VALUES(0);"
        "CREATE TABLE log(n PRIMARY KEY, writer, number, filler);");
  }

  /// What it prints.
  std::string sql(const std::string& statements) {
    const Finished finished = run(command(statements));
    EXPECT_EQ(finished.status, kSuccess) << statements << "\n" << finished.output;
    return finished.output;
  }
  /// A program that executes the statements of a file.
  Command script(const std::string& name, const std::string& statements) {
    std::ofstream(scratch() / name) << ".bail on\n.timeout 100000\n" << statements;
    return command(".read " + (scratch() / name).string());
  }
  /// Transactions each of which depends on all others: a lost one would leave a gap, or collide.
  static std::string transactions(int writer, int count) {
    std::ostringstream out;
    out << "PRAGMA wal_autocheckpoint=20; PRAGMA cache_size=10;\n";
    for (int number = 1; number <= count; ++number) {
      out << "BEGIN IMMEDIATE; UPDATE counter SET n = n + 1;"
          << "INSERT INTO log SELECT n, " << writer << ", " << number
          << ", randomblob(1 + n % 7000) FROM counter; COMMIT; SELECT " << number << ";\n";
    }
    return out.str();
  }
  std::string rows() { return sql("SELECT count(*) FROM log;"); }
  void expect_sound() {
    EXPECT_EQ(sql("PRAGMA integrity_check;"), "ok\n");
    EXPECT_EQ(sql("SELECT n = (SELECT count(*) FROM log), n = (SELECT max(n) FROM log) "
                  "FROM counter;"),
              "1|1\n");
  }

 private:
  Command command(const std::string& statements) const {
    return {.arguments = {"sqlite3", database_, statements}};
  }
  fs::path database_;
};

TEST_P(Sqlite, FourWritersLoseNothing) {
  constexpr int kWriters = 4;
  const int transactions_each = 30 * factor();
  std::deque<Process> processes;
  for (int writer = 0; writer < kWriters; ++writer) {
    Command command =
        script("writer" + std::to_string(writer), transactions(writer, transactions_each));
    const OwnedFd out(::open((scratch() / ("out" + std::to_string(writer))).c_str(),
                             O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    command.out = command.err = out.get();
    processes.emplace_back(command);
  }
  // One that reads meanwhile: what one transaction sees always fits together.
  std::string reading;
  for (int i = 0; i < 20 * factor(); ++i)
    reading += "SELECT (SELECT n FROM counter) = (SELECT count(*) FROM log);\n";
  const Finished read = run(script("reader", reading));
  EXPECT_EQ(read.status, kSuccess) << read.output;
  EXPECT_EQ(read.output.find('0'), std::string::npos) << read.output;
  for (int writer = 0; writer < kWriters; ++writer)
    EXPECT_EQ(processes[static_cast<std::size_t>(writer)].wait_for(kLongest), kSuccess)
        << read_file(scratch() / ("out" + std::to_string(writer)));
  EXPECT_EQ(rows(), std::to_string(kWriters * transactions_each) + "\n");
  EXPECT_EQ(sql("SELECT count(DISTINCT writer * 100000 + number) FROM log;"), rows());
  expect_sound();
  end_mounts();
  EXPECT_EQ(run({.arguments = {"sqlite3", exported() / "db", "PRAGMA integrity_check;"}}).output,
            "ok\n");
}

TEST_P(Sqlite, AKilledWriterLosesNothingThatItHadCommitted) {
  for (int round = 0; round < 4 * factor(); ++round) {
    Command command = script("writer", transactions(round, 100'000));
    const Ends answers = pipe_from_them();
    command.out = command.err = answers.theirs.get();
    Process writer(command);
    // "1\n2\n...": in the midst of a later one it ends.
    std::string said;
    char bytes[512];
    while (std::ranges::count(said, '\n') < 5 + 3 * round) {
      const ssize_t size = ::read(answers.ours.get(), bytes, sizeof bytes);
      ASSERT_GT(size, 0);
      said.append(bytes, static_cast<std::size_t>(size));
    }
    writer.signal(SIGKILL);
    EXPECT_EQ(writer.wait(), Status{.signal = SIGKILL}) << said;
    said.erase(said.rfind('\n'));
    const std::string committed = said.substr(said.rfind('\n') + 1);
    EXPECT_EQ(sql("SELECT count(*) >= " + committed +
                  " FROM log WHERE writer = " + std::to_string(round) + ';'),
              "1\n")
        << said;
    expect_sound();
  }
}

INSTANTIATE_TEST_SUITE_P(With, Sqlite, ::testing::ValuesIn(kSqliteCases), name_of);

// ---- PostgreSQL

/// A database cluster of the user nobody, on a mount that root has opened to others.
class Postgres : public MountTest {
 protected:
  void SetUp() override {
    fs::permissions(exported(), fs::perms::all | fs::perms::sticky_bit);
    const fs::path socket = scratch().directory("socket");
    fs::permissions(socket, fs::perms::all);
    data_ = mount_diod({"allow_other"}).path() / "data";
    log_ = scratch() / "postgres.log";
    // No core's or package's directory: the newest version that is there.
    for (const auto& version : fs::directory_iterator("/usr/lib/postgresql"))
      programs_ = std::max(programs_, version.path() / "bin");
  }

  Command as_nobody(std::vector<std::string> arguments) {
    arguments.front() = programs_ / arguments.front();
    arguments.insert(arguments.begin(),
                     {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"});
    return {.arguments = std::move(arguments),
            .environment = {"PGHOST=" + (scratch() / "socket").string(), "PGUSER=nobody",
                            "PGDATABASE=postgres", "LC_ALL=C", "HOME=/"},
            .directory = "/"};
  }
  std::string done(const std::vector<std::string>& arguments) {
    const Finished finished = run(as_nobody(arguments));
    EXPECT_EQ(finished.status, kSuccess) << arguments.front() << ": " << finished.output;
    return finished.output;
  }
  std::string sql(const std::string& statement) { return done({"psql", "-XqAtc", statement}); }
  void initialize() {
    done({"initdb", "-D", data_, "--auth=trust", "--no-locale", "--encoding=UTF8",
          "--data-checksums", "--wal-segsize=1", "--no-instructions"});
  }
  void start() {
    const OwnedFd log(::open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    Command command =
        as_nobody({"postgres", "-D", data_, "-k", scratch() / "socket", "-c",
                   "listen_addresses=", "-c", "shared_buffers=4MB", "-c", "max_connections=20"});
    command.out = command.err = log.get();
    server_ = Process(command);
    const bool ready = eventually([&] {
      return run(as_nobody({"pg_isready", "-q"})).status == kSuccess;
    });
    ASSERT_TRUE(ready) << log_text();
  }
  /// Kills the postmaster; its children notice that by themselves.
  void crash() {
    const auto before = children();
    server_.signal(SIGKILL);
    EXPECT_EQ(server_.wait(), Status{.signal = SIGKILL});
    for (const pid_t child : children()) {
      if (std::ranges::find(before, child) == before.end())
        Process::adopt(child).wait();
    }
  }
  void stop() {
    server_.signal(SIGINT);  // a fast shutdown
    EXPECT_EQ(server_.wait(), kSuccess) << log_text();
  }
  /// A load in which every transaction changes four tables.
  Command load(int transactions) {
    return as_nobody({"pgbench", "-n", "-c", "4", "-j", "2", "-t", std::to_string(transactions)});
  }
  void expect_sound() {
    EXPECT_EQ(sql("SELECT (SELECT sum(abalance) FROM pgbench_accounts) = sum(delta),"
                  "       (SELECT sum(bbalance) FROM pgbench_branches) = sum(delta),"
                  "       (SELECT sum(tbalance) FROM pgbench_tellers) = sum(delta)"
                  "  FROM pgbench_history"),
              "t|t|t\n");
    done({"pg_amcheck", "--all", "--install-missing", "--heapallindexed"});
  }
  std::string log_text() const { return read_file(log_); }
  const fs::path& data() const { return data_; }

 private:
  fs::path data_, log_, programs_;
  Process server_;
};

TEST_F(Postgres, SurvivesItsCrash) {
  initialize();
  ASSERT_NO_FATAL_FAILURE(start());
  done({"pgbench", "-q", "-i", "-s", "1"});
  EXPECT_EQ(run(load(50 * factor())).status, kSuccess);
  EXPECT_EQ(sql("SELECT count(*) FROM pgbench_history"), std::to_string(200 * factor()) + "\n");
  expect_sound();
  sql("CREATE TABLE acknowledged(n serial)");

  // The crash comes while these two are at it.
  const OwnedFd noise(::open((scratch() / "noise").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  Command endless = load(1'000'000);
  endless.out = endless.err = noise.get();
  Process background(endless);
  std::ofstream(scratch() / "inserts") << [] {
    std::string statements;
    for (int i = 0; i < 100'000; ++i)
      statements += "INSERT INTO acknowledged DEFAULT VALUES RETURNING n;\n";
    return statements;
  }();
  const OwnedFd out(::open((scratch() / "inserted").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  Command inserts = as_nobody({"psql", "-XqAtf", scratch() / "inserts"});
  inserts.out = out.get();
  inserts.err = noise.get();
  Process inserter(inserts);
  EXPECT_TRUE(eventually([&] {
    return sql("SELECT (SELECT count(*) FROM acknowledged) > 50 AND"
               "       (SELECT count(*) FROM pgbench_history) > " +
               std::to_string(200 * factor() + 50)) == "t\n";
  }));
  crash();
  EXPECT_NE(background.wait(), kSuccess);
  EXPECT_NE(inserter.wait(), kSuccess);

  ASSERT_NO_FATAL_FAILURE(start());
  EXPECT_THAT(log_text(), testing::HasSubstr("automatic recovery in progress"));
  expect_sound();
  const std::string inserted = read_file(scratch() / "inserted");
  const auto acknowledged = std::ranges::count(inserted, '\n');
  EXPECT_GT(acknowledged, 0);
  EXPECT_GE(std::stoi(sql("SELECT count(*) FROM acknowledged")), acknowledged);
  EXPECT_EQ(run(load(20 * factor())).status, kSuccess);
  sql("VACUUM FULL pgbench_accounts");
  sql("REINDEX TABLE pgbench_tellers");
  expect_sound();
  stop();
  done({"pg_checksums", "--check", "-D", data()});
  EXPECT_EQ(shell("diff -r . " + (exported() / "data").string(), data()).output, "");
}

}  // namespace
}  // namespace fuse9p::test
