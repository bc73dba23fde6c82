// SPDX-License-Identifier: MIT
#include "fuse/operations.hpp"
#include "src/xattr.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace fuse9p::fs {
namespace {

using Bytes = std::span<const std::byte>;

/// The node of a question about extended attributes; none, and the answer is given, if there is
/// nothing to be asked. ENOSYS is meant: the kernel does not come again.
NodeRef node_of(Mount& mount, Request& request, fuse_ino_t ino) {
  NodeRef node = mount.nodes().find(ino);
  if (mount.settings().no_xattr)
    request.reply_errno(ENOSYS);
  else if (!node)
    request.reply_errno(ESTALE);
  return request.replied() ? NodeRef() : std::move(node);
}

/// 0 if the server must be asked.
int known_error(const Node& node, std::string_view name) {
  const auto index = AbsentXattrs::index_of(name);
  return index ? node.absent_xattrs.error(*index, Clock::now()) : 0;
}

/// Asks the server, and takes note of what the file has not.
awaitable<result<xattr::Value>> ask(Mount& mount, UserId user, NodeRef node, std::string name,
                                    std::size_t room) {
  const auto index = AbsentXattrs::index_of(name);
  const auto mark = node->absent_xattrs.mark();
  auto value = co_await mount.with_fid(
      node, user, [&](proto::Fid fid) { return xattr::get(mount.client(), fid, name, room); });
  if (index && !value) {
    const auto now = Clock::now();
    node->absent_xattrs.learn(*index, errno_of(value.error()), mark, now,
                              now + mount.settings().attr_timeout);
  }
  co_return value;
}

/// `room` is the caller's: 0 asks for the size only.
void reply_value(Request& request, std::size_t room, const xattr::Value& value) {
  if (room == 0)
    request.reply_xattr_size(value.size);
  else
    request.reply_data(value.data.bytes);
}

/// Without the names that only root is shown, on every file system of Linux.
std::vector<std::byte> without_trusted(Bytes list) {
  constexpr std::string_view kTrusted = "trusted.";
  std::vector<std::byte> kept;
  while (!list.empty()) {
    const auto end = std::ranges::find(list, std::byte{0});
    const auto length = static_cast<std::size_t>(end - list.begin());
    const Bytes name = list.first(std::min(length + 1, list.size()));
    const std::string_view text(reinterpret_cast<const char*>(name.data()), length);
    if (!text.starts_with(kTrusted))
      kept.insert(kept.end(), name.begin(), name.end());
    list = list.subspan(name.size());
  }
  return kept;
}

/// It says also what the mode is.
bool is_access_acl(std::string_view name) {
  return name == "system.posix_acl_access";
}

/// Makes a change with `use(FidHandle)`, an awaitable<error_code>, which is never left half done: a
/// caller who is interrupted may be gone when it is.
template <class Use>
awaitable<void> change(Mount& mount, Request& request, NodeRef node, std::string name, Use use) {
  const Change intent = xattr_of(node, name);
  if (const bool cleared = co_await mount.unresolved().cleared(intent); !cleared)
    co_return request.reply_errno(EINTR);
  std::optional<Unresolved::Hold> hold;
  request.free_after(mount.settings().flush_timeout,
                     [&] { hold.emplace(mount.unresolved(), intent); });
  const error_code error = co_await mount.with_own_fid(node, request.user(), std::move(use));
  node->absent_xattrs.changed();
  node->fresh_until = {};
  // The kernel does not know that the mode comes with it, or takes it for not done at all.
  if (is_access_acl(intent.name) || request.replied())
    mount.forget_attributes(*node);
  if (!request.replied())
    request.reply_error(error);
}

}  // namespace

awaitable<void> getxattr(Mount& mount, Request& request, fuse_ino_t ino, std::string name,
                         std::size_t room) {
  const NodeRef node = node_of(mount, request, ino);
  if (!node)
    co_return;
  if (const int error = known_error(*node, name); error != 0)
    co_return request.reply_errno(error);
  const auto value = co_await ask(mount, request.user(), node, std::move(name), room);
  if (!value)
    co_return request.reply_error(value.error());
  reply_value(request, room, *value);
}

awaitable<error_code> find_xattr(Mount& mount, UserId user, NodeRef node, std::string name) {
  if (const int error = known_error(*node, name); error != 0)
    co_return as_error(error);
  co_return (co_await ask(mount, user, node, std::move(name), 0)).error();
}

awaitable<void> listxattr(Mount& mount, Request& request, fuse_ino_t ino, std::size_t room) {
  const NodeRef node = node_of(mount, request, ino);
  if (!node)
    co_return;
  const bool all = request.uid() == 0;
  const std::size_t asked = all ? room : xattr::kMaxBytes;
  auto list = co_await mount.with_fid(node, request.user(), [&](proto::Fid fid) {
    return xattr::get(mount.client(), fid, {}, asked);
  });
  if (!list)
    co_return request.reply_error(list.error());
  const std::vector<std::byte> shown = without_trusted(list->data.bytes);
  if (!all)
    list = xattr::Value{.size = shown.size(), .data = {.owner = {}, .bytes = shown}};
  if (room != 0 && list->size > room)
    co_return request.reply_errno(ERANGE);
  reply_value(request, room, *list);
}

awaitable<void> setxattr(Mount& mount, Request& request, fuse_ino_t ino, std::string name,
                         proto::ConstBuffer value, int flags) {
  const NodeRef node = node_of(mount, request, ino);
  if (!node)
    co_return;
  if (value.bytes.empty())  // the wire would say "remove"
    co_return request.reply_errno(EOPNOTSUPP);
  co_await change(mount, request, node, name, [&](FidHandle fid) {
    return xattr::set(mount.client(), std::move(fid), name, value,
                      static_cast<std::uint32_t>(flags));
  });
}

awaitable<void> removexattr(Mount& mount, Request& request, fuse_ino_t ino, std::string name) {
  const NodeRef node = node_of(mount, request, ino);
  if (!node)
    co_return;
  co_await change(mount, request, node, name, [&](FidHandle fid) {
    return xattr::remove(mount.client(), std::move(fid), name);
  });
}

}  // namespace fuse9p::fs
