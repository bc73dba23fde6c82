// SPDX-License-Identifier: MIT
// How the scripted server answers when no rule says otherwise: as a good server does. Here is what
// all dialects have in common.
#include "tests/support/scripted_server.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fuse9p::test {

using namespace proto;

bool ScriptedServer::is_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == name.npos;
}

Qid ScriptedServer::qid_of(const Tree::Node& node) {
  const auto type = S_ISDIR(node.mode)   ? qid_type::kDir
                    : S_ISLNK(node.mode) ? qid_type::kSymlink
                                         : std::uint8_t{0};
  return {type, 0, node.id};
}

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
  msize_ = std::min(request.msize, msize_limit_);
  fids_.clear();
  locks_.clear();
  reply(tag, Rversion{.msize = msize_, .version = "9P2000.L"});
}

void ScriptedServer::answer(Tag tag, const Tattach& request) {
  if (!room_for(tag, request.fid))
    return;
  fids_[request.fid] = {.node = tree_.root(), .user = request.n_uname};
  reply(tag, Rattach{.qid = qid_of(*tree_.root())});
}

void ScriptedServer::answer(Tag tag, const Twalk& request) {
  if (!room_for(tag, request.newfid))
    return;
  Tree::NodePtr at = node(request.fid);
  Rwalk answer;
  for (const std::string_view name : request.wname) {
    if (!at->is_directory())
      return answer.qid.empty() ? fail(tag, ENOTDIR) : reply(tag, answer);
    at = tree_.child(*at, name);
    if (!at && answer.qid.empty())
      return fail(tag, name.size() > 255 ? ENAMETOOLONG : ENOENT);
    if (!at) {
      unsure_.insert(request.newfid);
      return reply(tag, answer);
    }
    answer.qid.push_back(qid_of(*at));
  }
  fids_[request.newfid] = {.node = at, .user = fids_.at(request.fid).user};
  reply(tag, answer);
}

void ScriptedServer::answer(Tag tag, const Tread& request) {
  const OpenFid& fid = fids_.at(request.fid);
  const std::string& content = fid.attribute ? fid.attribute->value : fid.node->content;
  if (fid.node->is_directory() && !fid.attribute)
    return fail(tag, EISDIR);
  const std::size_t at = std::min<std::size_t>(request.offset, content.size());
  const std::size_t size = std::min<std::size_t>(request.count, content.size() - at);
  const std::string data = content.substr(at, size == 0 ? 0 : limit(tag, size));
  reply(tag, Rread{.data = view(data)});
}

void ScriptedServer::answer(Tag tag, const Twrite& request) {
  OpenFid& fid = fids_.at(request.fid);
  const std::uint32_t size = limit(tag, request.data.size());
  if (fid.attribute) {
    fid.attribute->write(request.offset, chars(request.data.first(size)));
    return reply(tag, Rwrite{.count = size});
  }
  Tree::Node& file = *fid.node;
  const std::size_t at = fid.appends ? file.content.size() : request.offset;
  if (file.content.size() < at + size)
    file.content.resize(at + size);
  std::memcpy(file.content.data() + at, request.data.data(), size);
  Tree::touch(file);
  reply(tag, Rwrite{.count = size});
}

void ScriptedServer::answer(Tag tag, const Tclunk& request) {
  int error = 0;
  if (const auto found = fids_.find(request.fid); found != fids_.end()) {
    const auto& [node, attribute] = std::tie(found->second.node, found->second.attribute);
    if (attribute && attribute->writing)
      error = attribute->give_to(node->attributes);
  }
  locks_.clunked(request.fid);
  fids_.erase(request.fid);
  unsure_.erase(request.fid);
  return error != 0 ? fail(tag, error) : reply(tag, Rclunk{});
}

void ScriptedServer::answer(Tag tag, const Tremove& request) {
  const Tree::NodePtr file = node(request.fid);
  const auto places = tree_.places_of(*file);
  locks_.clunked(request.fid);
  fids_.erase(request.fid);
  const int error = places.empty()
                        ? ENOENT
                        : tree_.unlink(*places[0].directory, places[0].name, file->is_directory());
  return error != 0 ? fail(tag, error) : reply(tag, Rremove{});
}

}  // namespace fuse9p::test
