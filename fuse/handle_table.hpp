// SPDX-License-Identifier: MIT
// HandleTable: what programs have open. A handle owns its fid for life and remembers how it was
// opened. The number that the kernel keeps (fh) is slot and generation.
#pragma once

#include "fuse/node_table.hpp"
#include "fuse/user.hpp"
#include "src/client.hpp"
#include "src/wakeup.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

namespace fuse9p::fs {

class HiddenLinks;

/// The node counts as open as long as this lives. `hidden` is told when it no longer is.
class KeptOpen {
 public:
  KeptOpen(NodeRef node, HiddenLinks& hidden);
  KeptOpen(const KeptOpen&) = delete;
  KeptOpen& operator=(const KeptOpen&) = delete;
  ~KeptOpen();

 private:
  NodeRef node_;
  HiddenLinks& hidden_;
};

struct FileHandle {
  OpenFile file;
  /// The same opened without O_APPEND, when it was first needed.
  std::optional<OpenFile> placed;
  NodeRef node;
  UserId user;                   ///< who opened it
  std::uint32_t path_epoch = 0;  ///< of the node, when it was opened
  bool readable = true, writable = false;
  bool appends = false;  ///< opened with O_APPEND: the server may disregard offsets
  WriteMode writes = WriteMode::pieces;
  bool direct = false;  ///< not through the page cache: short answers are allowed
  bool stream = false;  ///< one Tread per read(2), as it comes
  bool at_end = false;  ///< to be written at the end, of which the server must be asked

  FileHandle(OpenFile opened, NodeRef owner, UserId opener, HiddenLinks& hidden)
      : file(std::move(opened)), node(std::move(owner)), user(opener), kept_open_(node, hidden) {
    path_epoch = node->path_epoch;
  }
  FileHandle(const FileHandle&) = delete;
  FileHandle& operator=(const FileHandle&) = delete;

  /// Does its fid still go by the path that the server knows?
  bool path_is_current() const { return node->path_epoch == path_epoch; }

 private:
  KeptOpen kept_open_;
};

/// An open directory: entries that were read and not yet handed to the kernel, and what is known of
/// each. Kept alive by the lookups that are under way for it. One that was removed before it was
/// opened has no fid and no entries.
struct DirectoryHandle {
  struct Entry {
    std::string name;
    std::uint64_t cookie = 0;  ///< continues behind this entry
    proto::Qid qid;
    std::uint8_t type = 0;  ///< DT_*
    enum class State : std::uint8_t { idle, looking_up, done } state = State::idle;
    /// Of a lookup that is done: the file, or why not.
    result<NodeRef> found = NodeRef();

    bool is_dot() const { return name == "." || name == ".."; }
  };

  DirectoryHandle(boost::asio::io_context& io, OpenFile opened, NodeRef owner, UserId opener)
      : file(std::move(opened)), node(std::move(owner)), user(opener), changed(io) {}

  OpenFile file;
  std::unique_ptr<DirectoryReader> reader;  ///< of `file`
  NodeRef node;
  UserId user;  ///< who opened it
  std::deque<std::shared_ptr<Entry>> entries;
  std::uint64_t position = 0;  ///< cookie of the last entry handed out
  std::uint64_t read_to = 0;   ///< cookie of the last entry read from the server
  bool at_end = false;         ///< the server has no more behind read_to
  bool busy = false;           ///< a readdir is under way on it
  std::size_t looking_up = 0;
  Wakeup changed;
};

template <class Handle>
class HandleTable {
 public:
  std::uint64_t add(std::shared_ptr<Handle> handle) {
    std::uint32_t index = 0;
    if (free_.empty()) {
      index = static_cast<std::uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      index = free_.back();
      free_.pop_back();
    }
    slots_[index].handle = std::move(handle);
    return (std::uint64_t{slots_[index].generation} << 32) | index;
  }
  /// Null for a number that is not open.
  std::shared_ptr<Handle> find(std::uint64_t fh) const {
    const auto index = static_cast<std::uint32_t>(fh);
    const bool known = index < slots_.size() && slots_[index].generation == fh >> 32;
    return known ? slots_[index].handle : nullptr;
  }
  void remove(std::uint64_t fh) {
    if (!find(fh))
      return;
    Slot& slot = slots_[static_cast<std::uint32_t>(fh)];
    slot.handle.reset();
    ++slot.generation;
    free_.push_back(static_cast<std::uint32_t>(fh));
  }
  std::size_t size() const { return slots_.size() - free_.size(); }

 private:
  struct Slot {
    std::shared_ptr<Handle> handle;
    std::uint32_t generation = 0;
  };
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
};

}  // namespace fuse9p::fs
