// SPDX-License-Identifier: MIT
// Work in a directory of one's own, against a model in memory: every call must do exactly what the
// model says, content, sizes, modes, times, link counts and listings.
#pragma once

#include "tests/support/soak.hpp"
#include "tests/support/soak_calls.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

namespace fuse9p::test {

class OwnWork : public SoakCalls {
 public:
  /// `directory` is empty.
  OwnWork(std::filesystem::path directory, const SoakSettings& settings, int number);
  ~OwnWork();
  OwnWork(const OwnWork&) = delete;
  OwnWork& operator=(const OwnWork&) = delete;

  /// One operation. Throws Wrong.
  void step();
  /// Looks at everything that there is.
  void check_all();

 private:
  struct File {
    std::string content{};
    mode_t mode = 0;
    nlink_t names = 1;
    std::optional<timespec> mtime{};  ///< if utimensat(2) was the last to set it
    std::map<std::string, std::string> xattrs{};
  };
  using FilePtr = std::shared_ptr<File>;
  using Files = std::map<std::string, FilePtr>;
  /// A descriptor that stays open while names change, or are no more.
  struct Held {
    int fd;
    FilePtr file;
  };
  struct Action {
    std::size_t weight;
    void (OwnWork::*perform)();
  };
  static const std::vector<Action> kActions;

  std::string bytes(std::size_t most);
  /// Any file's; the one named "" if there is none, which is made then.
  Files::value_type& any_file();
  std::string any_directory();
  std::string new_name();
  std::string path(const std::string& name) const { return directory_ / name; }
  int open(const std::string& name, int flags, mode_t mode = 0);
  void close(int fd);

  void create();
  void create_again();
  void write();
  void append();
  void read();
  void map();
  void truncate();
  void change_mode();
  void change_times();
  void look();
  void look_for_nothing();
  void rename_file();
  void rename_directory();
  void link();
  void unlink();
  void make_directory();
  void remove_directory();
  void make_symlink();
  void read_symlink();
  void list();
  void change_xattrs();
  void sync();
  void hold();
  void use_held();

  void write_to(int fd, File& file);
  void expect_content(int fd, const File& file, const std::string& name);
  void expect_stat(const struct stat& found, const File& file, const std::string& name);
  bool is_below(const std::string& name, const std::string& directory) const;
  bool is_empty(const std::string& directory) const;

  std::filesystem::path directory_;
  int serial_ = 0;
  Files files_;
  std::map<std::string, std::string> symlinks_;
  std::set<std::string> directories_ = {""};  // the names end in '/', but for this one
  std::vector<Held> held_;
};

}  // namespace fuse9p::test
