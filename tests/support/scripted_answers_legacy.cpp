// SPDX-License-Identifier: MIT
// Answers to Topen and Tcreate of 9P2000 and 9P2000.u. Manual: open(5), the 9P2000.u draft.
#include "tests/support/scripted_mode.hpp"
#include "tests/support/scripted_server.hpp"

#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <sstream>

namespace fuse9p::test {

using namespace proto;

namespace {

constexpr std::string_view kInUse = "exclusive use file already open";

/// What kind of file a Tcreate asks for; 0 if that can't be.
mode_t type_of(std::uint32_t perm, std::string_view extension) {
  switch (perm & (dm::kDir | dm::kSpecial)) {
    case 0:
      return S_IFREG;
    case dm::kDir:
      return S_IFDIR;
    case dm::kSymlink:
      return S_IFLNK;
    case dm::kPipe:
      return S_IFIFO;
    case dm::kSocket:
      return S_IFSOCK;
    case dm::kDevice:
      return extension.starts_with('b') ? S_IFBLK : extension.starts_with('c') ? S_IFCHR : 0;
    default:
      return 0;
  }
}

/// "b 8 1" is block device 8:1. Nothing if it is no device.
std::optional<dev_t> device_of(std::string_view extension) {
  std::istringstream words{std::string(extension)};
  char type = 0;
  unsigned major = 0, minor = 0;
  if (words >> type >> major >> minor)
    return makedev(major, minor);
  return std::nullopt;
}

/// A new file has no permissions that its directory does not have.
std::uint32_t permissions(std::uint32_t perm, const Tree::Node& directory) {
  const std::uint32_t bound = (perm & dm::kDir) != 0 ? 0777 : 0666;
  return perm & (~bound | (directory.mode & bound));
}

}  // namespace

void ScriptedServer::open_as(OpenFid& fid, std::uint8_t mode) {
  const std::uint8_t access = mode & open_mode::kAccess;
  fid.open = true;
  fid.reads = access != open_mode::kWrite;
  fid.writes = access == open_mode::kWrite || access == open_mode::kReadWrite;
  fid.appends = (mode & open_mode::kAppend) != 0;
  fid.removes = (mode & open_mode::kRemoveOnClose) != 0;
}

/// Why a file can't be opened like that.
ScriptedServer::Refusal ScriptedServer::refusal_to_open(const OpenFid& fid,
                                                        std::uint8_t mode) const {
  constexpr int kWanted[] = {kToRead, kToWrite, kToRead | kToWrite, kToExecute};
  const Tree::Node& file = *fid.node;
  if (file.is_directory() && mode != open_mode::kRead)
    return {EISDIR};
  if (S_ISLNK(file.mode) && dialect_ == Dialect::u)
    return {ELOOP};
  const auto has_it_open = [&](const auto& other) {
    return other.second.open && other.second.node == fid.node;
  };
  if (file.exclusive && std::ranges::any_of(fids_, has_it_open))
    return {EBUSY, kInUse};
  const bool truncates = (mode & open_mode::kTruncate) != 0;
  const int wanted = kWanted[mode & open_mode::kAccess] | (truncates ? kToWrite : 0);
  if (!may(fid, file, wanted) ||
      ((mode & open_mode::kRemoveOnClose) != 0 && !may_change_directory_of(fid)))
    return {EACCES};
  return {};
}

void ScriptedServer::answer(Tag tag, const Topen& request) {
  OpenFid& fid = fids_.at(request.fid);
  if (const Refusal refusal = refusal_to_open(fid, request.mode))
    return fail(tag, refusal);
  open_as(fid, request.mode);
  if ((request.mode & open_mode::kTruncate) != 0 && fid.node->can_be_truncated()) {
    fid.node->content.clear();
    modified(fid);
  }
  reply(tag, Ropen{.qid = qid_of(*fid.node), .iounit = 0});
}

void ScriptedServer::answer(Tag tag, const Tcreate& request) {
  OpenFid& fid = fids_.at(request.fid);
  const Tree::NodePtr directory = fid.node;
  if (!may(fid, *directory, kToWrite))
    return fail(tag, EACCES);
  const bool is_link = (request.perm & dm::kSpecial) == dm::kLink;
  Tree::NodePtr file;
  if (const int error = is_link ? make_link(request, file) : make_file(request, file))
    return fail(tag, error);
  fid.node = file;
  fid.place = {directory, std::string(request.name)};
  open_as(fid, request.mode);
  reply(tag, Rcreate{.qid = qid_of(*file), .iounit = 0});
}

int ScriptedServer::make_file(const Tcreate& request, Tree::NodePtr& file) {
  const Tree::Node& directory = *node(request.fid);
  const mode_t type = type_of(request.perm, request.extension);
  const auto device = device_of(request.extension);
  const bool is_device = S_ISBLK(type) || S_ISCHR(type);
  if (type == 0 || (is_device && !device))
    return EINVAL;
  if (S_ISDIR(type) && request.mode != open_mode::kRead)
    return EISDIR;
  int error = 0;
  file = made(request.fid, request.name, type, directory.gid, error);
  if (error != 0)
    return error;
  set_mode(*file, S_ISLNK(type) ? 0777 : permissions(request.perm, directory));
  if (S_ISDIR(type))
    file->mode |= directory.mode & S_ISGID;
  if (S_ISLNK(type))
    file->content = request.extension;
  if (is_device)
    file->rdev = *device;
  return 0;
}

/// The extension of a Tcreate with DMLINK is the number of a fid: this becomes one more name of its
/// file.
int ScriptedServer::make_link(const Tcreate& request, Tree::NodePtr& file) {
  const auto linked = fid_to_link(request);
  if (!linked || !fids_.contains(*linked) || !is_name(request.name))
    return EINVAL;
  file = node(*linked);
  return tree_.link(*node(request.fid), request.name, file);
}

std::optional<Fid> ScriptedServer::fid_to_link(const Tcreate& request) {
  std::istringstream words{std::string(request.extension)};
  std::uint32_t number = 0;
  if ((request.perm & dm::kLink) != 0 && words >> number)
    return Fid{number};
  return std::nullopt;
}

}  // namespace fuse9p::test
