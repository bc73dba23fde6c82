// SPDX-License-Identifier: MIT
#include "fuse/attr.hpp"
#include "fuse/identity.hpp"
#include "fuse/operations.hpp"
#include "proto/text.hpp"
#include "src/log.hpp"

#include <algorithm>
#include <cerrno>

namespace fuse9p::fs {
namespace {

using Entry = DirectoryHandle::Entry;
using Directory = std::shared_ptr<DirectoryHandle>;

/// Entries of one directory whose walk and getattr are in flight at once; each needs a fid, of
/// which others want some, too.
constexpr std::size_t kLookupWindow = 512;
constexpr std::size_t kLookupShare = 8;
/// Chunks in a row that bring nothing new before a server is not believed any more.
constexpr int kFruitlessChunks = 3;
constexpr std::uint32_t kWireDirectory = 0200000;  // and O_RDONLY, which is 0

/// A name that may be shown: a server must not smuggle in paths.
bool is_sound(std::string_view name) {
  constexpr std::size_t kLongestName = 255;
  return !name.empty() && name.size() <= kLongestName && name.find('/') == std::string_view::npos;
}

// ---- names

std::shared_ptr<Entry> entry_of(DirectoryEntry found) {
  auto entry = std::make_shared<Entry>();
  entry->name = std::move(found.name);
  entry->cookie = found.cookie;
  entry->qid = found.qid;
  entry->type = found.type;
  return entry;
}

/// Reads the next entries from the server.
awaitable<error_code> read_chunk(Mount& mount, DirectoryHandle& directory) {
  if (!directory.reader)
    co_return as_error(ENOENT);  // as Linux says of a directory that was removed
  const std::uint64_t from = directory.read_to;
  auto chunk = co_await directory.reader->read(from);
  if (!chunk)
    co_return chunk.error();
  directory.at_end = chunk->empty();
  for (DirectoryEntry& found : *chunk) {
    directory.read_to = found.cookie;
    if (is_hidden_name(found.name))
      continue;
    if (is_sound(found.name))
      directory.entries.push_back(entry_of(std::move(found)));
    else
      log::warn("{}: a directory entry with the name {} was left out",
                mount.client().connection().name(), proto::quoted(found.name));
  }
  if (!directory.at_end && directory.read_to == from) {
    // It leads back to where it began, and would do so for ever.
    directory.entries.clear();
    co_return as_error(EIO);
  }
  co_return error_code();
}

/// Makes sure that there is an entry to hand out, or that the directory is at its end.
awaitable<error_code> fill(Mount& mount, DirectoryHandle& directory) {
  for (int tries = 0; directory.entries.empty() && !directory.at_end; ++tries) {
    if (tries == kFruitlessChunks)
      co_return as_error(EIO);
    if (const error_code error = co_await read_chunk(mount, directory))
      co_return error;
  }
  co_return error_code();
}

/// The kernel asks from `offset` on: usually where it stopped, else anywhere it has been.
void seek(DirectoryHandle& directory, std::uint64_t offset) {
  if (offset == directory.position && offset != 0)
    return;
  const auto found =
      std::ranges::find(directory.entries, offset, [](const auto& entry) { return entry->cookie; });
  if (offset != 0 && found != directory.entries.end()) {
    directory.entries.erase(directory.entries.begin(), std::next(found));
  } else {
    directory.entries.clear();
    directory.read_to = offset;
    directory.at_end = false;
  }
  directory.position = offset;
}

// ---- attributes of the entries

/// The file of a name that the server has just listed. ENOENT: it is gone. When it is the directory
/// itself that can't be found, that says nothing about what is in it: ESTALE.
awaitable<result<NodeRef>> look_up_listed(Mount& mount, Directory directory, std::string name) {
  for (int attempt = 0;; ++attempt) {
    auto found = co_await look_up(mount, directory->user, directory->node, name, KeepFid::if_room);
    if (found || found.error() != as_error(ENOENT) || attempt > 0)
      co_return found;
    // Did somebody else move the directory?
    if (const error_code error = co_await refresh(mount, directory->user, directory->node))
      co_return as_error(ESTALE);
  }
}

awaitable<void> look_up_entry(Mount& mount, Directory directory, std::shared_ptr<Entry> entry) {
  entry->found = co_await look_up_listed(mount, directory, entry->name);
  entry->state = Entry::State::done;
  --directory->looking_up;
  directory->changed.notify();
}

/// Keeps the window full: what will be handed out next is looked up already.
void look_ahead(Mount& mount, const Directory& directory) {
  const std::size_t window =
      std::clamp<std::size_t>(mount.fids().max_fids() / kLookupShare, 1, kLookupWindow);
  for (const auto& entry : directory->entries) {
    if (directory->looking_up >= window)
      return;
    if (entry->state != Entry::State::idle || entry->is_dot())
      continue;
    entry->state = Entry::State::looking_up;
    ++directory->looking_up;
    mount.spawn_detached(look_up_entry(mount, directory, entry));
  }
}

/// False: cancelled.
awaitable<bool> looked_up(Mount& mount, Directory directory, std::shared_ptr<Entry> entry) {
  while (entry->state != Entry::State::done) {
    look_ahead(mount, directory);
    if (const bool woken = co_await directory->changed.wait(); !woken)
      co_return false;
  }
  co_return true;
}

// ---- the kernel's buffer

/// d_ino: of what is known, the number that stat(2) shows.
std::uint64_t shown_inode(const Entry& entry, const Node& directory) {
  const Node* node = directory.child(entry.name);
  if (entry.name == ".")
    node = &directory;
  else if (entry.name == ".." && !directory.unlinked())
    node = directory.is_root() ? &directory : directory.link().parent;
  const bool known = node != nullptr && same_object(node->qid(), entry.qid);
  return known ? to_stat(*node).st_ino : inode_of(entry.qid);
}

/// Did the lookup find nothing, or has the name been removed since?
bool is_gone(const Entry& entry, const Node& directory) {
  if (entry.is_dot() || entry.state != Entry::State::done)
    return false;
  return entry.found ? directory.child(entry.name) == nullptr
                     : entry.found.error() == as_error(ENOENT);
}

/// Collects entries for one reply, and what must be undone if the kernel does not take it.
class Listing {
 public:
  Listing(Mount& mount, Request& request, std::size_t size)
      : mount_(mount), request_(request), bytes_(size) {}

  /// False if there is no room for it.
  bool add(const Entry& entry, const Node& directory, bool plus) {
    return plus ? add_plus(entry, directory) : add_name(entry, directory);
  }

  bool empty() const { return used_ == 0; }

  void reply() {
    if (request_.reply_data(std::as_bytes(std::span(bytes_)).first(used_)))
      return;
    for (const NodeId id : counted_)
      mount_.nodes().forget(id, 1);
  }

 private:
  bool add_name(const Entry& entry, const Node& directory) {
    const struct stat attributes = attributes_of(entry, directory);
    return added(fuse_add_direntry(request_.raw(), room(), left(), entry.name.c_str(), &attributes,
                                   static_cast<off_t>(entry.cookie)));
  }
  /// With its attributes, as a lookup: counted if it fits.
  bool add_plus(const Entry& entry, const Node& directory) {
    fuse_entry_param param{};
    // The size does not depend on what is in it: ask before a lookup is counted.
    if (fuse_add_direntry_plus(request_.raw(), nullptr, 0, entry.name.c_str(), &param, 0) > left())
      return false;
    param.attr = attributes_of(entry, directory);
    if (Node* node = entry.is_dot() || !entry.found ? nullptr : directory.child(entry.name)) {
      mount_.nodes().looked_up(*node);
      counted_.push_back(node->id());
      param = mount_.entry_of(*node);
    }
    return added(fuse_add_direntry_plus(request_.raw(), room(), left(), entry.name.c_str(), &param,
                                        static_cast<off_t>(entry.cookie)));
  }
  static struct stat attributes_of(const Entry& entry, const Node& directory) {
    struct stat attributes {};
    attributes.st_ino = shown_inode(entry, directory);
    attributes.st_mode = static_cast<mode_t>(entry.type) << 12;  // DT_* to S_IFMT
    return attributes;
  }

  char* room() { return bytes_.data() + used_; }
  std::size_t left() const { return bytes_.size() - used_; }
  bool added(std::size_t size) {
    if (size > left())
      return false;
    used_ += size;
    return true;
  }

  Mount& mount_;
  Request& request_;
  std::vector<char> bytes_;
  std::size_t used_ = 0;
  std::vector<NodeId> counted_;
};

/// One reader at a time: the server's position in the directory is one.
class Turn {
 public:
  explicit Turn(DirectoryHandle& directory) : directory_(directory) { directory_.busy = true; }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    directory_.busy = false;
    directory_.changed.notify();
  }

 private:
  DirectoryHandle& directory_;
};

awaitable<void> list(Mount& mount, Request& request, std::size_t size, off_t offset, FileInfo file,
                     bool plus) {
  const Directory directory = mount.directories().find(file->fh);
  if (!directory)
    co_return request.reply_errno(EBADF);
  while (directory->busy) {
    if (const bool woken = co_await directory->changed.wait(); !woken)
      co_return request.reply_errno(EINTR);
  }
  const Turn turn(*directory);
  seek(*directory, static_cast<std::uint64_t>(offset));
  Listing listing(mount, request, size);
  error_code error;
  for (;;) {
    error = co_await fill(mount, *directory);
    if (error || directory->entries.empty())
      break;
    const std::shared_ptr<Entry> entry = directory->entries.front();
    if (plus && !entry->is_dot()) {
      if (const bool done = co_await looked_up(mount, directory, entry); !done) {
        error = proto::Error::withdrawn;
        break;
      }
    }
    if (!is_gone(*entry, *directory->node) && !listing.add(*entry, *directory->node, plus))
      break;
    directory->position = entry->cookie;
    directory->entries.pop_front();
  }
  if (error && listing.empty())
    co_return request.reply_error(error);
  listing.reply();
}

}  // namespace

awaitable<void> opendir(Mount& mount, Request& request, fuse_ino_t ino, FileInfo file) {
  const NodeRef node = mount.nodes().find(ino);
  if (!node)
    co_return request.reply_errno(ESTALE);
  result<OpenFile> opened = OpenFile();
  if (!node->unlinked()) {
    opened = co_await mount.with_own_fid(node, request.user(), [&](FidHandle fid) {
      return mount.client().open(std::move(fid), kWireDirectory);
    });
    if (opened && !same_object(opened->qid, node->qid()))
      co_return request.reply_errno(ESTALE);  // another directory has got the name
  }
  if (!opened)
    co_return request.reply_error(opened.error());
  const auto handle =
      std::make_shared<DirectoryHandle>(mount.io(), std::move(*opened), node, request.user());
  if (handle->file.fid)
    handle->reader = mount.client().directory_reader(handle->file);
  fuse_file_info reply = *file;
  reply.fh = mount.directories().add(handle);
  if (!request.reply_open(reply))
    mount.directories().remove(reply.fh);
}

awaitable<void> readdir(Mount& mount, Request& request, fuse_ino_t, std::size_t size, off_t offset,
                        FileInfo file) {
  return list(mount, request, size, offset, file, false);
}

awaitable<void> readdirplus(Mount& mount, Request& request, fuse_ino_t, std::size_t size,
                            off_t offset, FileInfo file) {
  return list(mount, request, size, offset, file, true);
}

awaitable<void> releasedir(Mount& mount, Request& request, fuse_ino_t, FileInfo file) {
  mount.directories().remove(file->fh);
  request.reply_ok();
  co_return;
}

awaitable<void> fsyncdir(Mount& mount, Request& request, fuse_ino_t, int datasync, FileInfo file) {
  const Directory directory = mount.directories().find(file->fh);
  if (!directory)
    co_return request.reply_errno(EBADF);
  if (!directory->file.fid)
    co_return request.reply_ok();
  request.reply_error(co_await mount.client().fsync(directory->file.fid.fid(), datasync != 0));
}

}  // namespace fuse9p::fs
