// SPDX-License-Identifier: MIT
#include "fuse/attr.hpp"
#include "fuse/identity.hpp"
#include "fuse/operations.hpp"
#include "fuse/set_id.hpp"
#include "fuse/synthetic.hpp"
#include "src/setattr.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

namespace fuse9p::fs {
namespace {

using namespace boost::asio::experimental::awaitable_operators;

// 9P2000.L's open flags: Linux's numbers on x86, whatever this machine has.
struct FlagPair {
  int host;
  std::uint32_t wire;
};
constexpr FlagPair kOpenFlags[] = {
    {O_EXCL, 0200},        {O_TRUNC, 01000},  {O_APPEND, 02000},
    {O_NOFOLLOW, 0400000}, {O_DSYNC, 010000}, {O_SYNC & ~O_DSYNC, 04000000},
};
constexpr std::uint32_t kWireCreate = 0100;

/// O_DIRECT and the like are the kernel's business: servers refuse them.
std::uint32_t wire_flags(int flags) {
  auto wire = static_cast<std::uint32_t>(flags & O_ACCMODE);
  for (const FlagPair& pair : kOpenFlags) {
    if ((flags & pair.host) == pair.host)
      wire |= pair.wire;
  }
  return wire;
}

/// Are reads to go to the server as they are, and with a Plan 9 server writes as well? `emptied`:
/// by this open, so that it says nothing that the file is empty.
bool is_stream(const Mount& mount, const FileHandle& handle, bool emptied) {
  const Attributes& attributes = handle.node->attributes;
  if (!mount.client().capabilities().synthetic_files)
    return !handle.writable && may_be_synthetic(mount, attributes);
  return emptied ? is_marked(mount, attributes) : may_be_synthetic(mount, attributes);
}

std::shared_ptr<FileHandle> make_handle(Mount& mount, UserId user, OpenFile opened, NodeRef node,
                                        int flags, bool emptied) {
  auto handle =
      std::make_shared<FileHandle>(std::move(opened), std::move(node), user, mount.hidden());
  const bool append_only = (handle->file.qid.type & proto::qid_type::kAppend) != 0;
  handle->readable = (flags & O_ACCMODE) != O_WRONLY;
  handle->writable = (flags & O_ACCMODE) != O_RDONLY;
  const bool append = (flags & O_APPEND) != 0;
  handle->appends = append && mount.client().capabilities().may_append_on_server;
  handle->at_end = append && !append_only && !mount.client().capabilities().append_on_server;
  handle->stream = is_stream(mount, *handle, emptied);
  if (handle->stream)
    handle->writes = WriteMode::stream;
  else if (append || append_only)
    handle->writes = WriteMode::in_order;
  // The page cache would not ask beyond a file's length, and knows only the length that it was
  // told.
  handle->direct = handle->stream || handle->at_end || mount.settings().direct_io;
  return handle;
}

/// Were the pages that the kernel has read from this very content? Then it may keep them.
bool pages_are_valid(const Mount& mount, Node& node) {
  const bool valid = node.cached_content && same_content(*node.cached_content, node.attributes,
                                                         mount.settings().ignore_qid_version);
  node.cached_content = node.attributes;
  return valid;
}

fuse_file_info open_reply(Mount& mount, const FileInfo& asked, std::shared_ptr<FileHandle> handle,
                          bool keep_cache) {
  fuse_file_info reply = *asked;
  reply.direct_io = handle->direct ? 1 : 0;
  reply.keep_cache = keep_cache && !handle->direct ? 1 : 0;
  reply.fh = mount.files().add(std::move(handle));
  return reply;
}

/// For work that runs beside other work: it hears of the request's interrupt, as a value. `request`
/// is the state of the coroutine that waits for it: the only interrupt may have come already.
template <class T>
awaitable<T> interruptible(awaitable<T> work, boost::asio::cancellation_state request) {
  co_await boost::asio::this_coro::reset_cancellation_state(
      boost::asio::enable_total_cancellation());
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  if (request.cancelled() != boost::asio::cancellation_type::none)
    co_return error_code(proto::Error::withdrawn);
  co_return co_await std::move(work);
}

/// Opens, and asks what the file is like now: close to open, that decides about cached pages. Both
/// at once, so that it costs no time.
awaitable<result<OpenFile>> open_and_refresh(Mount& mount, NodeRef node, FidHandle fid,
                                             std::uint32_t flags) {
  const proto::Fid number = fid.fid();
  const auto state = co_await boost::asio::this_coro::cancellation_state;
  auto [attributes, opened] =
      co_await (interruptible(mount.client().getattr(number), state) &&
                interruptible(mount.client().open(std::move(fid), flags), state));
  if (!opened)
    co_return opened.error();
  if (!same_object(opened->qid, node->qid()))
    co_return as_error(ESTALE);  // another file has got the name
  if (!attributes && interrupted(attributes.error())) {
    // Open it is, and perhaps truncated: not to be denied any more. What is cached is not trusted.
    node->cached_content.reset();
    node->fresh_until = {};
    co_return std::move(*opened);
  }
  if (!attributes)
    co_return attributes.error();
  if (!mount.nodes().update(*node, *attributes))
    co_return as_error(ESTALE);
  co_return std::move(*opened);
}

/// Is it meant for the end of the file? Not pages of a mapping, nor what is written after fcntl(2)
/// took O_APPEND away.
bool is_appended(const fuse_file_info& write) {
  return write.writepage == 0 && (write.flags & O_APPEND) != 0;
}

/// What a write goes through. A server appends to what it has opened with O_APPEND, whatever the
/// offset: what belongs elsewhere needs an opening without it.
awaitable<result<const OpenFile*>> opening_for(Mount& mount, std::shared_ptr<FileHandle> handle,
                                               const fuse_file_info& write) {
  if (!handle->appends || is_appended(write))
    co_return &handle->file;
  if (!handle->placed) {
    auto opened = co_await mount.with_own_fid(handle->node, handle->user, [&](FidHandle fid) {
      return mount.client().open(std::move(fid), wire_flags(O_WRONLY));
    });
    if (!opened)
      co_return opened.error();
    if (!handle->placed)
      handle->placed = std::move(*opened);
  }
  co_return &*handle->placed;
}

/// The size, if it was learnt a moment ago and nothing of ours has changed it since.
std::optional<std::uint64_t> known_size(const Node& node) {
  if (node.fresh_until <= Clock::now())
    return std::nullopt;
  return node.attributes.size;
}

/// A write has ended early, as on a full disk, but pieces behind that end were done and have made
/// the file longer: it is cut back to what came before. False: it is not, as anybody else may have
/// written there, too.
awaitable<bool> cut_back(Mount& mount, std::shared_ptr<FileHandle> handle, const OpenFile& file,
                         std::uint64_t told, std::uint64_t reached) {
  const Node& node = *handle->node;
  const std::uint64_t before = node.attributes.size;
  if (before >= reached)
    co_return false;
  const auto passage = co_await mount.paths().pass(handle->node);
  if (!passage || !handle->path_is_current())
    co_return false;
  const auto found = co_await mount.client().getattr(file.fid.fid());
  if (!found || !same_object(found->qid, node.qid()) || found->size != reached)
    co_return false;
  proto::Tsetattr change{};
  change.fid = file.fid.fid();
  change.valid = setattr_valid::kSize;
  change.size = std::max(before, told);
  const error_code error = co_await mount.client().setattr(change);
  co_return !error;
}

/// A new file has none; the kernel would ask before the first write, which costs two round trips.
void expect_no_capability(const Mount& mount, Node& node) {
  static const auto index = *AbsentXattrs::index_of("security.capability");
  const auto now = Clock::now();
  node.absent_xattrs.learn(index, ENODATA, node.absent_xattrs.mark(), now,
                           now + mount.settings().attr_timeout);
}

/// A file that was just created or, without O_EXCL, perhaps only opened.
struct Created {
  OpenFile opened;
  result<Attributes> attributes;
};

/// Creates with `creation`, and asks what it is like.
awaitable<result<Created>> create_and_ask(Client& client, awaitable<result<OpenFile>> creation) {
  auto opened = co_await std::move(creation);
  if (!opened)
    co_return opened.error();
  auto attributes = co_await client.getattr(opened->fid.fid());
  co_return Created{std::move(*opened), std::move(attributes)};
}

/// Its node. It is open: what can't be learnt about it any more is made up, and the kernel is told
/// not to keep it.
awaitable<NodeRef> created_node(Mount& mount, UserId user, NodeRef directory, std::string name,
                                const Created& created, Attributes guess) {
  const auto& [opened, attributes] = created;
  guess.qid = opened.qid;
  if (attributes && same_object(attributes->qid, opened.qid)) {
    const auto node =
        co_await identify(mount, user, directory, name, *attributes, opened.fid.fid());
    if (node)
      co_return *node;
  }
  NodeRef node = remember(mount, directory, name, guess);
  node->fresh_until = {};
  co_return node;
}

}  // namespace

awaitable<void> open(Mount& mount, Request& request, fuse_ino_t ino, FileInfo file) {
  const NodeRef node = mount.nodes().find(ino);
  if (!node || node->unlinked())
    co_return request.reply_errno(ESTALE);
  const KeptOpen kept(node, mount.hidden());  // from now on: its name may go meanwhile
  if (may_be_synthetic(mount, node->attributes))
    request.be_brief();  // its open may block
  const bool truncate = (file->flags & O_TRUNC) != 0;
  const Change change = size_of(node);
  if (truncate) {
    if (const bool cleared = co_await mount.unresolved().cleared(change); !cleared)
      co_return request.reply_errno(EINTR);
  }
  const auto mark = mount.unresolved().mark();
  const Attributes told = node->attributes;
  auto opened = co_await mount.with_own_fid(node, request.user(), [&](FidHandle fid) {
    return open_and_refresh(mount, node, std::move(fid), wire_flags(file->flags));
  });
  if (!same_content(told, node->attributes, true))
    mount.forget_attributes(*node);  // or the kernel would read up to the size that it was told
  if (!opened) {
    request.reply_error(opened.error());
    if (truncate)
      co_await mount.unresolved().settle(change, mark);
    co_return;
  }
  const bool keep = pages_are_valid(mount, *node);
  if (truncate) {
    node->attributes.size = 0;
    node->cached_content.reset();
    node->fresh_until = {};
  }
  const auto handle = make_handle(mount, request.user(), std::move(*opened), node, file->flags,
                                  truncate && told.size != 0);
  if (truncate && request.drops_set_id())
    co_await drop_set_id(mount, request.user(), node);
  const fuse_file_info reply = open_reply(mount, file, handle, keep);
  if (!request.reply_open(reply))
    mount.files().remove(reply.fh);
}

awaitable<void> create(Mount& mount, Request& request, fuse_ino_t parent, std::string name,
                       mode_t mode, FileInfo file) {
  const NodeRef directory = mount.nodes().find(parent);
  if (!directory)
    co_return request.reply_errno(ESTALE);
  const Change change = name_of(directory, name);
  if (const bool cleared = co_await mount.unresolved().cleared(change); !cleared)
    co_return request.reply_errno(EINTR);
  const auto mark = mount.unresolved().mark();
  const auto permitted = co_await permissions_for(mount, request, directory, mode);
  if (!permitted)
    co_return request.reply_error(permitted.error());
  const mode_t permissions = *permitted;
  const gid_t gid = group_for(request, *directory);
  auto created = co_await mount.with_own_fid(directory, request.user(), [&](FidHandle fid) {
    return create_and_ask(
        mount.client(),
        mount.client().create(std::move(fid), name, wire_flags(file->flags) | kWireCreate,
                              permissions, gid));
  });
  if (!created) {
    request.reply_error(created.error());
    co_return co_await mount.unresolved().settle(change, mark);
  }
  // The file exists and is open: an interrupt from here on is no failure any more.
  if ((file->flags & O_EXCL) != 0)
    forget_name(mount, *directory, name);  // whatever had it has been removed by somebody else
  Attributes guess;
  guess.mode = permissions | S_IFREG;
  guess.uid = request.uid();
  guess.gid = gid;
  const NodeRef node =
      co_await created_node(mount, request.user(), directory, name, *created, guess);
  directory->fresh_until = {};
  node->cached_content = node->attributes;
  expect_no_capability(mount, *node);
  const auto handle =
      make_handle(mount, request.user(), std::move(created->opened), node, file->flags, true);
  const fuse_file_info reply = open_reply(mount, file, handle, false);
  mount.nodes().looked_up(*node);
  const fuse_entry_param entry = mount.entry_of(*node);
  if (!request.reply_create(entry, reply)) {
    mount.files().remove(reply.fh);
    mount.nodes().forget(entry.ino, 1);
  }
  // Nobody waits for this any more.
  co_await mount.fids().keep_spare(directory, request.user());
}

awaitable<void> read(Mount& mount, Request& request, fuse_ino_t, std::size_t size, off_t offset,
                     FileInfo file) {
  const auto handle = mount.files().find(file->fh);
  // The kernel reads ahead for posix_fadvise(2) whatever the file was opened for.
  if (!handle || !handle->readable)
    co_return request.reply_errno(EBADF);
  if (mount.locks().lost(*handle->node))
    co_return request.reply_errno(EIO);
  // A file that has got a length since it was opened is an ordinary one after all.
  const bool stream = handle->stream && (mount.client().capabilities().synthetic_files ||
                                         handle->node->attributes.size == 0);
  if (stream)
    request.be_brief();
  const auto page_timeout = mount.settings().page_timeout;
  if (!handle->direct && page_timeout.count() > 0)
    request.give_up_after(page_timeout);
  // Ours until the reply is out. (Named, as any aggregate in a co_await must be: g++ 12 copies an
  // unnamed one bit by bit.)
  auto memory = std::make_shared_for_overwrite<std::byte[]>(size);
  const std::span<std::byte> bytes(memory.get(), size);
  const proto::Buffer destination{std::move(memory), bytes};
  const auto done = co_await mount.client().read(
      handle->file, static_cast<std::uint64_t>(offset), destination,
      stream ? ReadMode::stream : ReadMode::exact, known_size(*handle->node));
  // The kernel takes a short answer through the page cache for the end of the file and cuts it off
  // there: with an error behind it, only a direct read may be short.
  const bool usable = handle->direct && done.bytes > 0;
  if (done.error && !usable)
    co_return request.reply_error(done.error);
  request.reply_data(bytes.first(done.bytes));
  // The file has become shorter than the kernel was told. Of several reads under way it cuts the
  // file at the one that it hears of first, and shows zeros up to there: let it ask.
  const std::uint64_t end = static_cast<std::uint64_t>(offset) + done.bytes;
  if (!handle->direct && done.bytes < size && end < handle->node->attributes.size)
    mount.forget_attributes(*handle->node);
}

awaitable<void> write(Mount& mount, Request& request, fuse_ino_t, proto::ConstBuffer data,
                      off_t offset, FileInfo file) {
  const auto handle = mount.files().find(file->fh);
  if (!handle)
    co_return request.reply_errno(EBADF);
  if (mount.locks().lost(*handle->node))
    co_return request.reply_errno(EIO);
  if (handle->writes == WriteMode::stream)
    request.be_brief();
  auto start = static_cast<std::uint64_t>(offset);
  if (handle->at_end && is_appended(*file)) {
    const auto attributes = co_await mount.client().getattr(handle->file.fid.fid());
    if (!attributes)
      co_return request.reply_error(attributes.error());
    start = attributes->size;
  }
  const Change change = bytes_of(handle->node, start, start + data.bytes.size());
  if (const bool cleared = co_await mount.unresolved().cleared(change); !cleared)
    co_return request.reply_errno(EINTR);
  if (request.drops_set_id()) {
    if (const error_code error = co_await drop_set_id(mount, request.user(), handle->node))
      co_return request.reply_error(error);
  }
  const auto to = co_await opening_for(mount, handle, *file);
  if (!to)
    co_return request.reply_error(to.error());
  const auto mark = mount.unresolved().mark();
  auto done = co_await mount.client().write(**to, start, data, handle->writes);
  Node& node = *handle->node;
  if (done.error && !interrupted(done.error) && done.reach > done.bytes) {
    const bool cut = co_await cut_back(mount, handle, **to, start + done.bytes, start + done.reach);
    if (cut) {  // what there is room for comes in order now
      data.bytes = data.bytes.subspan(done.bytes);
      const auto rest = co_await mount.client().write(**to, start + done.bytes, std::move(data),
                                                      WriteMode::in_order);
      done.bytes += rest.bytes;
      done.error = rest.error;
    }
  }
  node.fresh_until = {};
  node.attributes.size = std::max(node.attributes.size, start + done.bytes);
  if (done.bytes == 0)
    request.reply_error(done.error);
  else
    request.reply_written(done.bytes);
  if (done.error)
    co_await mount.unresolved().settle(change, mark);
}

awaitable<void> release(Mount& mount, Request& request, fuse_ino_t ino, FileInfo file) {
  mount.files().remove(file->fh);  // the Tclunk goes out by itself; nobody waits for it
  if (const NodeRef node = mount.nodes().find(ino); node && mount.settings().server_locks)
    co_await mount.locks().released(node, file->fh, file->lock_owner);
  request.reply_ok();
}

awaitable<void> fsync(Mount& mount, Request& request, fuse_ino_t, int datasync, FileInfo file) {
  const auto handle = mount.files().find(file->fh);
  if (!handle)
    co_return request.reply_errno(EBADF);
  request.reply_error(co_await mount.client().fsync(handle->file.fid.fid(), datasync != 0));
}

}  // namespace fuse9p::fs
