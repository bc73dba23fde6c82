// SPDX-License-Identifier: MIT
// How the scripted server answers when no rule says otherwise: as a good server does. Here is what
// all dialects have in common.
#include "tests/support/scripted_mode.hpp"
#include "tests/support/scripted_server.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fuse9p::test {

using namespace proto;

bool ScriptedServer::is_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == name.npos;
}

/// The type is the mode's top byte, but servers of 9P2000.L know only two of its bits.
Qid ScriptedServer::qid_of(const Tree::Node& node) const {
  constexpr std::uint32_t kInL = dm::kDir | dm::kSymlink;
  constexpr int kTopByte = 24;
  const bool is_l = dialect_ == Dialect::l;
  const std::uint32_t mode = mode_on_wire(node, is_l ? Dialect::u : dialect_);
  const auto type = static_cast<std::uint8_t>((is_l ? mode & kInL : mode) >> kTopByte);
  const bool counts = shows_versions_.value_or(!is_l) && !node.synthetic;
  return {type, counts ? node.version : 0, node.id};
}

Tree::Place ScriptedServer::place_of(const OpenFid& fid) const {
  const auto& [directory, name] = fid.place;
  if (directory && tree_.child(*directory, name) == fid.node)
    return fid.place;
  const auto places = tree_.places_of(*fid.node);
  return places.empty() ? Tree::Place{} : places.front();
}

// ---- permissions

bool ScriptedServer::may(const OpenFid& fid, const Tree::Node& node, int wanted) const {
  if (!checks_permissions_ || dialect_ == Dialect::l)
    return true;
  const bool is_owner = fid.user == node.uid, is_member = fid.user == node.gid;
  const auto of_owner = static_cast<int>(node.mode >> 6),
             of_group = static_cast<int>(node.mode >> 3), of_others = static_cast<int>(node.mode);
  int allowed = is_owner ? of_owner : is_member ? of_group : of_others;
  if (dialect_ == Dialect::legacy)  // one's rights add up
    allowed = (is_owner ? of_owner : 0) | (is_member ? of_group : 0) | of_others;
  else if (fid.user == 0)
    return true;
  return (wanted & ~allowed) == 0;
}

bool ScriptedServer::may_change_directory_of(const OpenFid& fid) const {
  const Tree::Place place = place_of(fid);
  return !place.directory || may(fid, *place.directory, kToWrite);
}

bool ScriptedServer::owns(const OpenFid& fid) const {
  const bool is_root = dialect_ == Dialect::u && fid.user == 0;
  return !checks_permissions_ || is_root || fid.user == fid.node->uid;
}

// ---- the session

std::uint32_t ScriptedServer::limit(Tag tag, std::size_t asked) const {
  const std::uint32_t most = pending_.at(tag).most;
  if (most == 0)  // half
    return static_cast<std::uint32_t>(std::max<std::size_t>(asked / 2, 1));
  return static_cast<std::uint32_t>(std::min<std::size_t>(asked, most));
}

bool ScriptedServer::room_for(Tag tag, Fid fid) {
  const bool too_high = max_fids_.strict && to_int(fid) >= max_fids_.number;
  if (fids_.size() < max_fids_.number && !too_high)
    return true;
  fail(tag, max_fids_.error);
  return false;
}

Tree::NodePtr ScriptedServer::made(proto::Fid directory, std::string_view name, mode_t mode,
                                   std::uint32_t gid, int& error) {
  Tree::NodePtr file;
  const OpenFid& fid = fids_.at(directory);
  error = is_name(name) ? tree_.make(*fid.node, name, mode, {fid.user, gid}, file) : EINVAL;
  return file;
}

void ScriptedServer::answer(Tag tag, const Tversion& request) {
  while (!fids_.empty())
    end(fids_.begin()->first);
  unsure_.clear();
  made_late_.clear();
  msize_ = std::min(request.msize, msize_limit_);
  const auto agreed = agree_on(request.version);
  if (!agreed)
    return refuse_version(tag);
  dialect_ = *agreed;
  reply(tag, Rversion{.msize = msize_, .version = version_string(dialect_)});
}

std::optional<Dialect> ScriptedServer::agree_on(std::string_view version) const {
  bool is_lower = false;
  for (const Dialect dialect : {Dialect::l, Dialect::u, Dialect::legacy}) {
    const bool asked = version == version_string(dialect);
    if (dialects_.contains(dialect) && (asked || is_lower))
      return dialect;
    is_lower = is_lower || (asked && refuse_ == Refuse::downgrade);
  }
  return std::nullopt;
}

/// There is no session then.
void ScriptedServer::refuse_version(Tag tag) {
  const std::uint32_t msize = std::exchange(msize_, 0);
  if (refuse_ == Refuse::hangup) {
    closed_ = true;
    return;
  }
  if (refuse_ == Refuse::unknown || refuse_ == Refuse::downgrade)
    return reply(tag, Rversion{.msize = msize, .version = "unknown"});
  dialect_ = refuse_ == Refuse::rlerror ? Dialect::l : Dialect::legacy;
  fail(tag, {EIO, "unknown version"});
}

void ScriptedServer::answer(Tag tag, const Tattach& request) {
  if (!room_for(tag, request.fid))
    return;
  const bool by_name = dialect_ == Dialect::legacy || request.n_uname == kNoNumericUname;
  fids_[request.fid] = {.node = tree_.root(),
                        .user = by_name ? users_.number_of(request.uname) : request.n_uname};
  reply(tag, Rattach{.qid = qid_of(*tree_.root())});
}

void ScriptedServer::answer(Tag tag, const Twalk& request) {
  if (!room_for(tag, request.newfid))
    return;
  const OpenFid& fid = fids_.at(request.fid);
  OpenFid walked{.node = fid.node, .place = fid.place, .user = fid.user};
  Rwalk answer;
  for (const std::string_view name : request.wname) {
    if (const int error = step(walked, name); error != 0 && answer.qid.empty())
      return fail(tag, error);
    else if (error == ENOENT)
      unsure_.insert(request.newfid);  // as diod makes it
    if (!walked.node)
      return reply(tag, answer);
    answer.qid.push_back(qid_of(*walked.node));
  }
  fids_[request.newfid] = std::move(walked);
  reply(tag, answer);
}

/// One name further. 0 or an errno; then there is no node.
int ScriptedServer::step(OpenFid& fid, std::string_view name) const {
  constexpr std::size_t kLongestName = 255;
  const Tree::NodePtr directory = std::exchange(fid.node, nullptr);
  if (!directory->is_directory())
    return ENOTDIR;
  if (!may(fid, *directory, kToExecute))
    return EACCES;
  fid.node = tree_.child(*directory, name);
  fid.place = {directory, std::string(name)};
  if (fid.node)
    return 0;
  return name.size() > kLongestName ? ENAMETOOLONG : ENOENT;
}

void ScriptedServer::answer(Tag tag, const Tread& request) {
  const OpenFid& fid = fids_.at(request.fid);
  const std::string& content = fid.attribute ? fid.attribute->value : fid.node->content;
  if (fid.node->is_directory() && !fid.attribute)
    return dialect_ == Dialect::l ? fail(tag, EISDIR) : read_directory(tag, request);
  if (fid.node->device == Tree::Node::Device::event && !fid.attribute)
    return read_event(tag, *fid.node, request.count);
  const std::size_t at = std::min<std::size_t>(request.offset, content.size());
  const std::size_t size = std::min<std::size_t>(request.count, content.size() - at);
  const std::string data = content.substr(at, size == 0 ? 0 : limit(tag, size));
  reply(tag, Rread{.data = view(data)});
}

/// One record, and the next one another time. Without one the read waits for it.
void ScriptedServer::read_event(Tag tag, Tree::Node& file, std::uint32_t count) {
  if (file.records.empty()) {
    pending_.at(tag).blocked = true;
    return;
  }
  std::string record = std::move(file.records.front());
  file.records.pop_front();
  const std::size_t size = std::min<std::size_t>(record.size(), count);
  const std::string told = record.substr(0, size == 0 ? 0 : limit(tag, size));
  if (told.size() < record.size())
    file.records.push_front(record.substr(told.size()));
  reply(tag, Rread{.data = view(told)});
}

void ScriptedServer::answer(Tag tag, const Twrite& request) {
  OpenFid& fid = fids_.at(request.fid);
  const std::uint32_t size = limit(tag, request.data.size());
  if (fid.attribute) {
    fid.attribute->write(request.offset, chars(request.data.first(size)));
    return reply(tag, Rwrite{.count = size});
  }
  Tree::Node& file = *fid.node;
  if (file.device == Tree::Node::Device::event)
    return fail(tag, EPERM);
  if (file.device == Tree::Node::Device::control) {
    file.records.emplace_back(chars(request.data.first(size)));
    return reply(tag, Rwrite{.count = size});
  }
  const bool appends = fid.appends || file.append;
  const std::size_t at = appends ? file.content.size() : request.offset;
  if (at > Tree::kLargestFile || at + size > Tree::kLargestFile)
    return fail(tag, EFBIG);
  if (file.content.size() < at + size)
    file.content.resize(at + size);
  std::memcpy(file.content.data() + at, request.data.data(), size);
  modified(fid);
  reply(tag, Rwrite{.count = size});
}

void ScriptedServer::answer(Tag tag, const Tclunk& request) {
  int error = 0;
  if (const auto found = fids_.find(request.fid); found != fids_.end()) {
    const auto& [node, attribute] = std::tie(found->second.node, found->second.attribute);
    if (attribute && attribute->writing)
      error = attribute->give_to(node->attributes);
  }
  if (const int failed = end(request.fid); error == 0)
    error = failed;
  unsure_.erase(request.fid);
  return error != 0 ? fail(tag, error) : reply(tag, Rclunk{});
}

int ScriptedServer::end(Fid number) {
  const auto found = fids_.find(number);
  if (found == fids_.end())
    return 0;
  const OpenFid fid = std::move(found->second);
  fids_.erase(found);
  locks_.clunked(number);
  return fid.removes ? remove(fid) : 0;
}

int ScriptedServer::remove(const OpenFid& fid) {
  const Tree::Place place = place_of(fid);
  if (!place.directory)
    return fid.node == tree_.root() ? EPERM : ENOENT;
  if (!may(fid, *place.directory, kToWrite))
    return EACCES;
  return tree_.unlink(*place.directory, place.name, fid.node->is_directory());
}

void ScriptedServer::answer(Tag tag, const Tremove& request) {
  fids_.at(request.fid).removes = true;
  const int error = end(request.fid);
  return error != 0 ? fail(tag, error) : reply(tag, Rremove{});
}

}  // namespace fuse9p::test
