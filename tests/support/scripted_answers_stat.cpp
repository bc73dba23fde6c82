// SPDX-License-Identifier: MIT
// Stat records: answers to Tstat, Twstat and to Tread of a directory, of 9P2000 and 9P2000.u.
// Manual: stat(5), read(5).
#include "tests/support/scripted_mode.hpp"
#include "tests/support/scripted_server.hpp"

#include <sys/sysmacros.h>

#include <cerrno>

namespace fuse9p::test {

using namespace proto;

namespace {

/// What a wstat does not touch.
const Stat kUntouched;

std::uint32_t seconds(const timespec& time) {
  return static_cast<std::uint32_t>(time.tv_sec);
}

/// What 9P2000.u has in addition: where a symlink leads, which device it is.
std::string extension_of(const Tree::Node& node) {
  if (S_ISLNK(node.mode))
    return node.content;
  if (!S_ISBLK(node.mode) && !S_ISCHR(node.mode))
    return {};
  return (S_ISBLK(node.mode) ? "b " : "c ") + std::to_string(major(node.rdev)) + ' ' +
         std::to_string(minor(node.rdev));
}

/// Nothing is to change: the client wants all to be on disk.
bool is_fsync(const Stat& wanted, Dialect dialect) {
  bool untouched = true;
  for_each_field<Stat>(dialect, [&](const auto& field) {
    untouched = untouched && wanted.*field.member == kUntouched.*field.member;
  });
  return untouched;
}

}  // namespace

/// Calls `visit(stat)`; its strings live that long.
template <class Visit>
void ScriptedServer::with_stat(const Tree::Node& node, std::string_view name, Visit&& visit) const {
  const std::string uid = users_.name_of(node.uid), gid = users_.name_of(node.gid),
                    muid = users_.name_of(node.muid);
  const std::string extension = extension_of(node);
  visit(Stat{.type = 0,
             .dev = 0,
             .qid = qid_of(node),
             .mode = mode_on_wire(node, dialect_),
             .atime = seconds(node.atime),
             .mtime = seconds(node.mtime),
             .length = node.is_directory() ? 0 : node.size(),
             .name = name,
             .uid = uid,
             .gid = gid,
             .muid = muid,
             .extension = extension,
             .n_uid = node.uid,
             .n_gid = node.gid,
             .n_muid = node.muid});
}

void ScriptedServer::answer(Tag tag, const Tstat& request) {
  const OpenFid& fid = fids_.at(request.fid);
  const std::string name = fid.node == tree_.root() ? "/" : place_of(fid).name;
  with_stat(*fid.node, name, [&](const Stat& stat) { reply(tag, Rstat{.stat = stat}); });
}

// ---- directories

/// Of whole records as many as fit; they are read one after the other, or from the beginning.
void ScriptedServer::read_directory(Tag tag, const Tread& request) {
  OpenFid& fid = fids_.at(request.fid);
  if (request.offset != 0 && request.offset != fid.next_offset)
    return fail(tag, {EINVAL, "bad offset in directory read"});
  const auto& children = fid.node->children;
  std::uint64_t cookie = request.offset == 0 ? 0 : fid.next_cookie;
  Bytes data;
  std::size_t room = limit(tag, request.count);
  for (auto child = children.upper_bound(cookie); child != children.end(); ++child) {
    const Bytes record = record_of(*child->second.node, child->second.name);
    if (data.empty() && record.size() <= request.count)
      room = std::max(room, record.size());  // an empty answer would be the end
    if (data.size() + record.size() > room)
      break;
    data.insert(data.end(), record.begin(), record.end());
    cookie = child->first;
  }
  if (data.empty() && children.upper_bound(cookie) != children.end())
    return fail(tag, {EINVAL, "count too small for a directory entry"});
  fid.next_cookie = cookie;
  fid.next_offset = request.offset + data.size();
  reply(tag, Rread{.data = ByteView(data.data(), data.size())});
}

Bytes ScriptedServer::record_of(const Tree::Node& node, std::string_view name) const {
  Bytes record;
  with_stat(node, name, [&](const Stat& stat) { Writer(record, dialect_).put(stat); });
  constexpr int kOuterSize = 2;  // which Rstat has, and a directory has not
  record.erase(record.begin(), record.begin() + kOuterSize);
  return record;
}

// ---- Twstat

/// All of it is done, or nothing.
void ScriptedServer::answer(Tag tag, const Twstat& request) {
  OpenFid& fid = fids_.at(request.fid);
  if (is_fsync(request.stat, dialect_))
    return reply(tag, Rwstat{});
  for (const auto check : {&ScriptedServer::refusal_of_constants, &ScriptedServer::refusal_of_name,
                           &ScriptedServer::refusal_of_mode, &ScriptedServer::refusal_of_length,
                           &ScriptedServer::refusal_of_owner}) {
    if (const Refusal refusal = (this->*check)(fid, request.stat))
      return fail(tag, refusal);
  }
  change(fid, request.stat);
  reply(tag, Rwstat{});
}

/// What nobody can change.
ScriptedServer::Refusal ScriptedServer::refusal_of_constants(const OpenFid& fid,
                                                             const Stat& wanted) const {
  const auto forbidden = [](std::string_view words) { return Refusal{EPERM, words}; };
  if (wanted.type != kUntouched.type)
    return forbidden("wstat -- attempt to change type");
  if (wanted.dev != kUntouched.dev)
    return forbidden("wstat -- attempt to change dev");
  if (wanted.qid != kUntouched.qid)
    return forbidden("wstat -- attempt to change qid");
  if (!wanted.muid.empty() || wanted.n_muid != kUntouched.n_muid)
    return forbidden("wstat -- attempt to change muid");
  if (wanted.atime != kUntouched.atime && dialect_ == Dialect::legacy)
    return forbidden("wstat -- attempt to change atime");
  const bool times = wanted.mtime != kUntouched.mtime || wanted.atime != kUntouched.atime;
  return times && !owns(fid) ? Refusal{EPERM} : Refusal{};
}

/// A new name in the same directory, which nothing has yet.
ScriptedServer::Refusal ScriptedServer::refusal_of_name(const OpenFid& fid,
                                                        const Stat& wanted) const {
  if (wanted.name.empty())
    return {};
  const Tree::Place place = place_of(fid);
  if (fid.node == tree_.root())
    return {EPERM, "wstat -- the root has no other name"};
  if (!is_name(wanted.name))
    return {EINVAL};
  if (!place.directory)
    return {ENOENT};
  if (!may_change_directory_of(fid))
    return {EACCES};
  const bool taken = wanted.name != place.name && tree_.child(*place.directory, wanted.name);
  return taken ? Refusal{EEXIST} : Refusal{};
}

/// Permissions, not what kind of file it is.
ScriptedServer::Refusal ScriptedServer::refusal_of_mode(const OpenFid& fid,
                                                        const Stat& wanted) const {
  if (wanted.mode == kUntouched.mode)
    return {};
  if ((wanted.mode & ~dm::known(dialect_)) != 0)
    return {EINVAL};
  const std::uint32_t now = mode_on_wire(*fid.node, dialect_);
  if (((wanted.mode ^ now) & dm::kDir) != 0)
    return {EPERM, "wstat -- attempt to change DMDIR bit"};
  // Of the bits that only 9P2000.u has a client may leave out what it does not want to talk about.
  if ((wanted.mode & dm::kSpecial & ~now) != 0)
    return {EPERM, "wstat -- attempt to change the type"};
  return owns(fid) ? Refusal{} : Refusal{EPERM};
}

ScriptedServer::Refusal ScriptedServer::refusal_of_length(const OpenFid& fid,
                                                          const Stat& wanted) const {
  if (wanted.length == kUntouched.length)
    return {};
  if (fid.node->is_directory())
    return wanted.length == 0 ? Refusal{} : Refusal{EISDIR};
  if (!fid.node->is_plain())
    return {EPERM, "wstat prohibited"};
  if (wanted.length > Tree::kLargestFile)
    return {EFBIG};
  return may(fid, *fid.node, kToWrite) ? Refusal{} : Refusal{EACCES};
}

/// 9P2000 has no words for a change of owner; groups go by name there.
ScriptedServer::Refusal ScriptedServer::refusal_of_owner(const OpenFid& fid,
                                                         const Stat& wanted) const {
  const auto uid = id_in(wanted.n_uid, wanted.uid), gid = id_in(wanted.n_gid, wanted.gid);
  const bool has_uid = !wanted.uid.empty() || wanted.n_uid != kUntouched.n_uid;
  const bool has_gid = !wanted.gid.empty() || wanted.n_gid != kUntouched.n_gid;
  if (has_uid && uid != fid.node->uid) {
    if (dialect_ == Dialect::legacy)
      return {EPERM, "wstat -- attempt to change uid"};
    if (!uid || !(fid.user == 0 || !checks_permissions_))
      return {EPERM};
  }
  if (has_gid && !gid)
    return {EINVAL, "unknown group"};
  return has_gid && gid != fid.node->gid && !owns(fid) ? Refusal{EPERM, "not owner"} : Refusal{};
}

std::optional<std::uint32_t> ScriptedServer::id_in(std::uint32_t number,
                                                   std::string_view name) const {
  return number != kUntouched.n_uid ? std::optional(number) : users_.find(name);
}

void ScriptedServer::change(OpenFid& fid, const Stat& wanted) {
  Tree::Node& file = *fid.node;
  if (const Tree::Place place = place_of(fid); !wanted.name.empty()) {
    tree_.rename(*place.directory, place.name, *place.directory, wanted.name);
    fid.place = {place.directory, std::string(wanted.name)};
  }
  if (wanted.length != kUntouched.length && !file.is_directory()) {
    file.content.resize(wanted.length);
    modified(fid);
  } else {
    Tree::changed(file);
  }
  if (wanted.mode != kUntouched.mode)
    set_mode(file, wanted.mode);
  file.uid = id_in(wanted.n_uid, wanted.uid).value_or(file.uid);
  file.gid = id_in(wanted.n_gid, wanted.gid).value_or(file.gid);
  if (wanted.mtime != kUntouched.mtime)
    file.mtime = {static_cast<time_t>(wanted.mtime), 0};
  if (wanted.atime != kUntouched.atime)
    file.atime = {static_cast<time_t>(wanted.atime), 0};
}

}  // namespace fuse9p::test
