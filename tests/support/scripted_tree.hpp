// SPDX-License-Identifier: MIT
// The file system of the scripted server: a small tree in memory, with the errors that Linux would
// give. Files are known by what they are, not by their path, so a fid outlives the names.
#pragma once

#include "tests/support/scripted_attribute.hpp"

#include <sys/stat.h>

#include <cstdint>
#include <ctime>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fuse9p::test {

class Tree {
 public:
  struct Node;
  using NodePtr = std::shared_ptr<Node>;
  struct Entry {
    std::string name;
    NodePtr node;
  };
  struct Node : std::enable_shared_from_this<Node> {
    std::uint64_t id = 0;
    mode_t mode = 0;
    std::uint32_t uid = 0, gid = 0;
    std::uint64_t rdev = 0, nlink = 1;
    std::uint64_t generation = 0;
    std::string content;     ///< of a regular file; of a symlink its target
    bool synthetic = false;  ///< stat says 0 bytes, whatever there is to read
    /// What Plan 9's servers have: an event file gives one record for each read and blocks until
    /// there is one, a control file takes each write as a record.
    enum class Device : std::uint8_t { none, event, control } device = Device::none;
    std::deque<std::string> records;
    bool append = false, exclusive = false, temporary = false;  ///< DMAPPEND, DMEXCL, DMTMP
    std::uint32_t version = 1;                                  ///< counts changes: 0 is "unknown"
    std::uint32_t muid = 0;                                     ///< who changed it last
    timespec atime{}, mtime{}, ctime{};
    Attributes attributes;
    std::weak_ptr<Node> parent;               ///< of a directory
    std::map<std::uint64_t, Entry> children;  ///< by cookie, in the order in which they were made

    bool is_directory() const { return S_ISDIR(mode); }
    bool is_plain() const { return S_ISREG(mode) && !synthetic && device == Device::none; }
    bool can_be_truncated() const { return is_plain() && !append; }
    std::uint64_t size() const { return synthetic ? 0 : content.size(); }
  };

  /// All of it is in memory. Beyond that, EFBIG.
  static constexpr std::uint64_t kLargestFile = std::uint64_t{64} << 20;

  /// The cookies of "." and ".."; those of children are larger, and none is used twice.
  static constexpr std::uint64_t kDotCookie = 1, kDotDotCookie = 2;

  Tree();

  const NodePtr& root() const { return root_; }
  /// By an absolute path, for scripts. Null if there is none.
  NodePtr find(std::string_view path) const;
  /// ".." is understood. Null if there is none.
  NodePtr child(const Node& directory, std::string_view name) const;

  struct Owner {
    std::uint32_t uid = 0, gid = 0;
  };
  // What follows returns 0 or an errno.
  /// The new node comes out in `made`. `mode` with its type.
  int make(Node& directory, std::string_view name, mode_t mode, const Owner& owner, NodePtr& made);
  int link(Node& directory, std::string_view name, const NodePtr& node);
  int unlink(Node& directory, std::string_view name, bool directory_wanted);
  int rename(Node& from, std::string_view old_name, Node& to, std::string_view new_name);
  struct Place {
    NodePtr directory;
    std::string name;
  };
  /// Where the node is: once for each of its names.
  std::vector<Place> places_of(const Node& node) const;

  /// The next file that is made has this number: it was another one's, perhaps.
  void set_next_id(std::uint64_t id) { next_id_ = id; }

  /// Times and version: the content, or the entries, have changed.
  static void touch(Node& node);
  /// Something else has.
  static void changed(Node& node);

 private:
  using Children = std::map<std::uint64_t, Entry>;
  static Children::iterator position(Node& directory, std::string_view name);
  int check_new_name(Node& directory, std::string_view name) const;
  void attach(Node& directory, std::string_view name, const NodePtr& node);
  static void detach(Node& directory, Children::iterator entry);

  std::uint64_t next_id_ = 1, next_cookie_ = kDotDotCookie + 1;
  NodePtr root_;
};

}  // namespace fuse9p::test
