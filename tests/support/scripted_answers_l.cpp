// SPDX-License-Identifier: MIT
// Answers to what only 9P2000.L has.
#include "tests/support/scripted_server.hpp"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include <cerrno>

namespace fuse9p::test {

using namespace proto;

namespace {

constexpr std::uint32_t kAccessMode = 3, kTruncate = 01000, kAppend = 02000, kExclusive = 0200;
constexpr std::uint32_t kRemoveDirectory = 0x200;

std::uint8_t dirent_type(const Tree::Node& node) {
  return static_cast<std::uint8_t>((node.mode & S_IFMT) >> 12);
}

}  // namespace

void ScriptedServer::answer(Tag tag, const Tstatfs&) {
  reply(tag, Rstatfs{.type = 0x01021997,
                     .bsize = 4096,
                     .blocks = 1U << 20,
                     .bfree = 1U << 19,
                     .bavail = 1U << 19,
                     .files = 1U << 20,
                     .ffree = 1U << 19,
                     .fsid = 0,
                     .namelen = 255});
}

void ScriptedServer::open_with(OpenFid& fid, std::uint32_t flags) {
  const std::uint32_t access = flags & kAccessMode;
  fid.open = true;
  fid.reads = access == O_RDONLY || access == O_RDWR;
  fid.writes = access == O_WRONLY || access == O_RDWR;
  fid.appends = (flags & kAppend) != 0;
}

void ScriptedServer::answer(Tag tag, const Tlopen& request) {
  OpenFid& fid = fids_.at(request.fid);
  const std::uint32_t access = request.flags & kAccessMode;
  if (fid.node->is_directory() && access != 0)
    return fail(tag, EISDIR);
  if ((request.flags & kTruncate) != 0 && !fid.node->is_directory()) {
    fid.node->content.clear();
    Tree::touch(*fid.node);
  }
  open_with(fid, request.flags);
  reply(tag, Rlopen{.qid = qid_of(*fid.node), .iounit = 0});
}

void ScriptedServer::answer(Tag tag, const Tlcreate& request) {
  OpenFid& fid = fids_.at(request.fid);
  Tree::NodePtr file = tree_.child(*fid.node, request.name);
  if (file && (request.flags & kExclusive) != 0)
    return fail(tag, EEXIST);
  if (file && file->is_directory())
    return fail(tag, EISDIR);
  if (file && (request.flags & kTruncate) != 0)
    file->content.clear();
  int error = 0;
  if (!file)
    file = made(request.fid, request.name, S_IFREG | (request.mode & 07777), request.gid, error);
  if (error != 0)
    return fail(tag, error);
  fid.place = {fid.node, std::string(request.name)};
  fid.node = file;
  open_with(fid, request.flags);
  reply(tag, Rlcreate{.qid = qid_of(*file), .iounit = 0});
}

void ScriptedServer::answer(Tag tag, const Tsymlink& request) {
  int error = 0;
  const auto link = made(request.dfid, request.name, S_IFLNK | 0777, request.gid, error);
  if (error != 0)
    return fail(tag, error);
  link->content = request.target;
  reply(tag, Rsymlink{.qid = qid_of(*link)});
}

void ScriptedServer::answer(Tag tag, const Tmknod& request) {
  int error = 0;
  const auto file = made(request.dfid, request.name, request.mode, request.gid, error);
  if (error != 0)
    return fail(tag, error);
  file->rdev = makedev(request.major, request.minor);
  reply(tag, Rmknod{.qid = qid_of(*file)});
}

void ScriptedServer::answer(Tag tag, const Tmkdir& request) {
  int error = 0;
  const mode_t inherited = node(request.dfid)->mode & S_ISGID;
  const auto directory = made(request.dfid, request.name,
                              S_IFDIR | inherited | (request.mode & 07777), request.gid, error);
  return error != 0 ? fail(tag, error) : reply(tag, Rmkdir{.qid = qid_of(*directory)});
}

void ScriptedServer::answer(Tag tag, const Tlink& request) {
  const int error = tree_.link(*node(request.dfid), request.name, node(request.fid));
  return error != 0 ? fail(tag, error) : reply(tag, Rlink{});
}

void ScriptedServer::answer(Tag tag, const Trename& request) {
  OpenFid& fid = fids_.at(request.fid);
  const Tree::Place from = place_of(fid);
  const int error =
      from.directory ? tree_.rename(*from.directory, from.name, *node(request.dfid), request.name)
                     : ENOENT;
  if (error == 0)
    fid.place = {node(request.dfid), std::string(request.name)};
  return error != 0 ? fail(tag, error) : reply(tag, Rrename{});
}

void ScriptedServer::answer(Tag tag, const Trenameat& request) {
  const int error = tree_.rename(*node(request.olddirfid), request.oldname,
                                 *node(request.newdirfid), request.newname);
  return error != 0 ? fail(tag, error) : reply(tag, Rrenameat{});
}

void ScriptedServer::answer(Tag tag, const Tunlinkat& request) {
  const bool directory_wanted = (request.flags & kRemoveDirectory) != 0;
  const int error = tree_.unlink(*node(request.dirfid), request.name, directory_wanted);
  return error != 0 ? fail(tag, error) : reply(tag, Runlinkat{});
}

void ScriptedServer::answer(Tag tag, const Treadlink& request) {
  const Tree::NodePtr link = node(request.fid);
  return S_ISLNK(link->mode) ? reply(tag, Rreadlink{.target = link->content}) : fail(tag, EINVAL);
}

void ScriptedServer::answer(Tag tag, const Tgetattr& request) {
  constexpr std::uint64_t kBasic = 0x7ff, kGeneration = 0x1000;
  constexpr std::uint64_t kBlock = 512;
  const Tree::Node& file = *node(request.fid);
  const auto seconds = [](const timespec& time) { return static_cast<std::uint64_t>(time.tv_sec); };
  const auto nanos = [](const timespec& time) { return static_cast<std::uint64_t>(time.tv_nsec); };
  reply(tag, Rgetattr{.valid = request.request_mask &
                               (kBasic | (file.generation != 0 ? kGeneration : 0)),
                      .qid = qid_of(file),
                      .mode = file.mode,
                      .uid = file.uid,
                      .gid = file.gid,
                      .nlink = file.nlink,
                      .rdev = file.rdev,
                      .size = file.is_directory() ? 0 : file.size(),
                      .blksize = 4096,
                      .blocks = (file.size() + kBlock - 1) / kBlock,
                      .atime_sec = seconds(file.atime),
                      .atime_nsec = nanos(file.atime),
                      .mtime_sec = seconds(file.mtime),
                      .mtime_nsec = nanos(file.mtime),
                      .ctime_sec = seconds(file.ctime),
                      .ctime_nsec = nanos(file.ctime),
                      .btime_sec = 0,
                      .btime_nsec = 0,
                      .gen = file.generation,
                      .data_version = 0});
}

namespace {

timespec time_of(std::uint64_t seconds, std::uint64_t nanoseconds) {
  return {static_cast<time_t>(seconds), static_cast<long>(nanoseconds)};
}

}  // namespace

void ScriptedServer::answer(Tag tag, const Tsetattr& request) {
  enum : std::uint32_t {
    mode = 1,
    uid = 2,
    gid = 4,
    size = 8,
    atime = 0x10,
    mtime = 0x20,
    atime_set = 0x80,
    mtime_set = 0x100
  };
  Tree::Node& file = *node(request.fid);
  const auto has = [&](std::uint32_t bit) { return (request.valid & bit) != 0; };
  if (has(size) && file.is_directory())
    return fail(tag, EISDIR);
  if (has(size) && request.size > Tree::kLargestFile)
    return fail(tag, EFBIG);
  Tree::changed(file);
  if (has(mode))
    file.mode = (file.mode & S_IFMT) | (request.mode & 07777);
  if (has(uid))
    file.uid = request.uid;
  if (has(gid))
    file.gid = request.gid;
  if (has(size)) {
    file.content.resize(request.size);
    Tree::touch(file);
  }
  const timespec now = file.ctime;
  if (has(atime))
    file.atime = has(atime_set) ? time_of(request.atime_sec, request.atime_nsec) : now;
  if (has(mtime))
    file.mtime = has(mtime_set) ? time_of(request.mtime_sec, request.mtime_nsec) : now;
  reply(tag, Rsetattr{});
}

void ScriptedServer::answer(Tag tag, const Txattrwalk& request) {
  if (!room_for(tag, request.newfid))
    return;
  const OpenFid& fid = fids_.at(request.fid);
  const Attributes& attributes = fid.node->attributes;
  const auto found = attributes.find(request.name);
  if (!request.name.empty() && found == attributes.end())
    return fail(tag, ENODATA);
  std::string value = request.name.empty() ? list_of(attributes) : found->second;
  const std::uint64_t size = value.size();
  fids_[request.newfid] = {
      .node = fid.node,
      .user = fid.user,
      .attribute = Attribute{.name = std::string(request.name), .value = std::move(value)}};
  reply(tag, Rxattrwalk{.size = size});
}

void ScriptedServer::answer(Tag tag, const Txattrcreate& request) {
  constexpr std::uint64_t kMostBytes = 1U << 16;  // XATTR_SIZE_MAX
  constexpr std::uint32_t kBoth = XATTR_CREATE | XATTR_REPLACE;
  if (request.attr_size > kMostBytes)
    return fail(tag, E2BIG);
  if (request.name.empty() || request.flags >= kBoth)
    return fail(tag, EINVAL);
  OpenFid& fid = fids_.at(request.fid);
  fid.attribute = Attribute::to_write(request.name, request.attr_size, request.flags);
  fid.attribute->excused = pending_.at(tag).disowned;
  reply(tag, Rxattrcreate{});
}

void ScriptedServer::answer(Tag tag, const Treaddir& request) {
  const Tree::Node& directory = *node(request.fid);
  const std::uint32_t room = limit(tag, request.count);
  Bytes data;
  Writer writer(data, Dialect::l);
  // Of whole entries as many as fit.
  const auto add = [&](std::uint64_t cookie, std::string_view name, const Tree::Node& file) {
    constexpr std::size_t kFixed = kQidSize + 8 + 1 + 2;
    if (data.size() + kFixed + name.size() > room)
      return false;
    writer.put(qid_of(file));
    writer.put(cookie);
    writer.put(dirent_type(file));
    writer.put(name);
    return true;
  };
  bool fits = true;
  if (request.offset < Tree::kDotCookie)
    fits = add(Tree::kDotCookie, ".", directory);
  if (fits && request.offset < Tree::kDotDotCookie)
    fits = add(Tree::kDotDotCookie, "..", *directory.parent.lock());
  for (auto child = directory.children.upper_bound(request.offset);
       fits && child != directory.children.end(); ++child)
    fits = add(child->first, child->second.name, *child->second.node);
  reply(tag, Rreaddir{.data = ByteView(data.data(), data.size())});
}

void ScriptedServer::answer(Tag tag, const Tfsync&) {
  reply(tag, Rfsync{});
}

}  // namespace fuse9p::test
