// SPDX-License-Identifier: MIT
#include "fuse/identity.hpp"
#include "fuse/operations.hpp"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <climits>

namespace fuse9p::fs {
namespace {

/// Answers with what was just made. The name exists: an interrupt from here on must not make it
/// look as if it did not, so what could not be learnt is made up, and the kernel is told not to
/// keep it.
awaitable<void> reply_made(Mount& mount, Request& request, NodeRef parent, std::string name,
                           proto::Qid qid, mode_t mode) {
  const auto found = co_await look_up(mount, request.user(), parent, name);
  if (found)
    co_return reply_entry(mount, request, **found);
  if (!interrupted(found.error()) && !is_stale(found.error()))
    co_return request.reply_error(found.error());
  Attributes guess;
  guess.qid = qid;
  guess.mode = mode;
  guess.uid = request.uid();
  guess.gid = request.gid();
  const NodeRef node = remember(mount, parent, name, guess);
  node->fresh_until = {};
  reply_entry(mount, request, *node);
}

/// What a new name is to be.
struct Making {
  std::string_view name;
  mode_t mode;  ///< with its type
  gid_t gid;
};

/// Makes a name with `use(fid of the directory, Making)`, an awaitable<result<Qid>>, and answers.
template <class Use>
awaitable<void> make(Mount& mount, Request& request, fuse_ino_t parent, std::string name,
                     mode_t mode, Use use) {
  const NodeRef directory = mount.nodes().find(parent);
  if (!directory)
    co_return request.reply_errno(ESTALE);
  const Change change = name_of(directory, name);
  if (const bool cleared = co_await mount.unresolved().cleared(change); !cleared)
    co_return request.reply_errno(EINTR);
  const auto mark = mount.unresolved().mark();
  if (!S_ISLNK(mode)) {
    const auto permissions = co_await permissions_for(mount, request, directory, mode);
    if (!permissions)
      co_return request.reply_error(permissions.error());
    mode = (mode & S_IFMT) | *permissions;
  }
  const Making making{.name = name, .mode = mode, .gid = group_for(request, *directory)};
  const auto qid = co_await mount.with_directory(directory, request.user(),
                                                 [&](proto::Fid fid) { return use(fid, making); });
  if (!qid) {
    request.reply_error(qid.error());
    co_return co_await mount.unresolved().settle(change, mark);
  }
  forget_name(mount, *directory, name);  // whatever had it has been removed by somebody else
  co_await reply_made(mount, request, directory, name, *qid, mode);
}

/// The cached fid of a name, if it was surely walked by that name: it stands for the name itself.
FidHandle take_fid_of_name(Mount& mount, UserId user, const Node& parent, const std::string& name) {
  const Node* node = parent.child(name);
  if (node == nullptr || node->has_several_links())
    return {};
  return mount.fids().take(*node, user);
}

/// The node whose name is about to go.
class Losing {
 public:
  Losing(Mount& mount, const Node& directory, std::string_view name) : mount_(mount) {
    if (const Node* node = directory.child(name))
      node_ = mount.nodes().find(node->id());
  }
  void was_done() const {
    if (!node_)
      return;
    mount_.fids().drop(*node_);  // its path may be nobody's now, or another name's
    auto& nlink = node_->attributes.nlink;
    nlink = nlink == 0 || node_->is_directory() ? 0 : nlink - 1;
    node_->fresh_until = {};
  }
  void was_refused(const error_code& error) const {
    if (node_ && !interrupted(error))
      mount_.hidden().keep_no_more(node_);
  }

 private:
  Mount& mount_;
  NodeRef node_;
};

awaitable<error_code> remove_once(Mount& mount, UserId user, NodeRef directory, std::string name,
                                  bool directory_wanted) {
  auto closure = co_await mount.paths().close(directory, name);
  if (!closure)
    co_return closure.error();
  if (const Node* file = directory->child(name); file != nullptr && file->hidden)
    closure->reopen();  // who comes now goes by its hidden name
  FidHandle target = take_fid_of_name(mount, user, *directory, name);
  const auto unlink = [&](proto::Fid fid) {
    return mount.client().unlink(fid, name, directory_wanted, std::move(target));
  };
  const error_code error = co_await mount.with_passed_directory(directory, user, unlink);
  if (!error)
    mount.nodes().unlink(*directory, name);
  co_return error;
}

/// With a hidden name for a file that is open. That it is moved there may be all that is needed.
awaitable<error_code> remove_name(Mount& mount, UserId user, NodeRef directory, std::string name,
                                  bool directory_wanted) {
  const auto kept = co_await mount.hidden().keep(directory, name, user, true);
  if (!kept)
    co_return kept.error();
  if (*kept == HiddenLinks::Kept::moved)
    co_return error_code();
  error_code error = co_await remove_once(mount, user, directory, name, directory_wanted);
  const Node* const full = directory->child(name);
  if (error == as_error(ENOTEMPTY) && directory_wanted && full != nullptr) {
    const bool cleared = co_await mount.hidden().clear(mount.nodes().find(full->id()), user);
    if (cleared)
      error = co_await remove_once(mount, user, directory, name, directory_wanted);
  }
  co_return error;
}

awaitable<void> remove(Mount& mount, Request& request, fuse_ino_t parent, std::string name,
                       bool directory_wanted) {
  const NodeRef directory = mount.nodes().find(parent);
  if (!directory)
    co_return request.reply_errno(ESTALE);
  const Change change = name_of(directory, name);
  if (const bool cleared = co_await mount.unresolved().cleared(change); !cleared)
    co_return request.reply_errno(EINTR);
  const auto mark = mount.unresolved().mark();
  const Losing losing(mount, *directory, name);
  const error_code error =
      co_await remove_name(mount, request.user(), directory, name, directory_wanted);
  if (error) {
    request.reply_error(error);
    losing.was_refused(error);
    co_return co_await mount.unresolved().settle(change, mark);
  }
  losing.was_done();
  directory->fresh_until = {};
  request.reply_ok();
}

}  // namespace

awaitable<result<mode_t>> permissions_for(Mount& mount, Request& request, NodeRef parent,
                                          mode_t mode) {
  mode &= ~static_cast<mode_t>(S_IFMT);
  if (!mount.settings().posix_acl)
    co_return mode;
  const error_code error =
      co_await find_xattr(mount, request.user(), parent, "system.posix_acl_default");
  if (!error)
    co_return mode;
  if (error != as_error(ENODATA) && error != as_error(EOPNOTSUPP))
    co_return error;
  co_return mode & ~request.umask();
}

awaitable<error_code> link_to(Mount& mount, UserId user, NodeRef node, NodeRef directory,
                              std::string name) {
  const auto passage = co_await mount.paths().pass(node, directory);
  if (!passage)
    co_return passage.error();
  const auto file = co_await mount.fids().acquire(node, user);
  if (!file)
    co_return file.error();
  co_return co_await mount.with_passed_directory(
      directory, user, [&](proto::Fid fid) { return mount.client().link(fid, file->fid(), name); });
}

gid_t group_for(const Request& request, const Node& parent) {
  const bool inherited = (parent.attributes.mode & S_ISGID) != 0;
  return inherited ? parent.attributes.gid : request.gid();
}

awaitable<void> readlink(Mount& mount, Request& request, fuse_ino_t ino) {
  const NodeRef node = mount.nodes().find(ino);
  if (!node)
    co_return request.reply_errno(ESTALE);
  const auto ask = [&](proto::Fid fid) { return mount.client().readlink(fid); };
  auto target = co_await mount.with_fid(node, request.user(), ask);
  if (!target && mount.is_out_of_reach(*node, request.user(), target.error()))
    target = co_await mount.with_fid(node, mount.fids().holder(*node), ask);
  if (target.error() == as_error(EINVAL))  // what has the name now is no symlink: look again
    co_return request.reply_errno(ESTALE);
  if (!target)
    co_return request.reply_error(target.error());
  if (target->empty() || target->size() >= PATH_MAX)
    co_return request.reply_errno(EIO);
  request.reply_readlink(*target);
}

awaitable<void> mkdir(Mount& mount, Request& request, fuse_ino_t parent, std::string name,
                      mode_t mode) {
  const auto use = [&](proto::Fid fid, const Making& making) {
    return mount.client().mkdir(fid, making.name, making.mode & ~static_cast<mode_t>(S_IFMT),
                                making.gid);
  };
  co_await make(mount, request, parent, std::move(name), mode | S_IFDIR, use);
}

awaitable<void> mknod(Mount& mount, Request& request, fuse_ino_t parent, std::string name,
                      mode_t mode, dev_t device) {
  const auto use = [&, device](proto::Fid fid, const Making& making) {
    return mount.client().mknod(fid, making.name, making.mode, gnu_dev_major(device),
                                gnu_dev_minor(device), making.gid);
  };
  co_await make(mount, request, parent, std::move(name), mode, use);
}

awaitable<void> symlink(Mount& mount, Request& request, std::string target, fuse_ino_t parent,
                        std::string name) {
  const auto use = [&](proto::Fid fid, const Making& making) {
    return mount.client().symlink(fid, making.name, target, making.gid);
  };
  co_await make(mount, request, parent, std::move(name), S_IFLNK | 0777, use);
}

awaitable<void> link(Mount& mount, Request& request, fuse_ino_t ino, fuse_ino_t new_parent,
                     std::string new_name) {
  const NodeRef node = mount.nodes().find(ino);
  const NodeRef directory = mount.nodes().find(new_parent);
  if (!node || !directory)
    co_return request.reply_errno(ESTALE);
  const Change change = name_of(directory, new_name);
  if (const bool cleared = co_await mount.unresolved().cleared(change); !cleared)
    co_return request.reply_errno(EINTR);
  const auto mark = mount.unresolved().mark();
  const error_code error = co_await link_to(mount, request.user(), node, directory, new_name);
  if (error) {
    request.reply_error(error);
    co_return co_await mount.unresolved().settle(change, mark);
  }
  mount.nodes().add_link(*node, *directory, new_name);
  const error_code refreshed = co_await refresh(mount, request.user(), node);
  if (refreshed && !interrupted(refreshed))
    co_return request.reply_error(refreshed);
  if (refreshed) {
    ++node->attributes.nlink;
    node->fresh_until = {};
  }
  reply_entry(mount, request, *node);
}

awaitable<void> unlink(Mount& mount, Request& request, fuse_ino_t parent, std::string name) {
  return remove(mount, request, parent, std::move(name), false);
}

awaitable<void> rmdir(Mount& mount, Request& request, fuse_ino_t parent, std::string name) {
  return remove(mount, request, parent, std::move(name), true);
}

awaitable<void> rename(Mount& mount, Request& request, fuse_ino_t parent, std::string name,
                       fuse_ino_t new_parent, std::string new_name, unsigned flags) {
  if (flags != 0)  // 9P has neither RENAME_NOREPLACE nor RENAME_EXCHANGE
    co_return request.reply_errno(EINVAL);
  const NodeRef from = mount.nodes().find(parent);
  const NodeRef to = mount.nodes().find(new_parent);
  if (!from || !to)
    co_return request.reply_errno(ESTALE);
  if (from->id() != to->id() && !mount.client().capabilities().rename_across_directories)
    co_return request.reply_errno(EXDEV);
  const Change leaving = name_of(from, name);
  const Change arriving = name_of(to, new_name);
  if (const bool cleared = co_await mount.unresolved().cleared(leaving, arriving); !cleared)
    co_return request.reply_errno(EINTR);
  const Renames::UnderWay under_way(mount.renames());
  const auto mark = mount.unresolved().mark();
  const Losing losing(mount, *to, new_name);
  if (const auto kept = co_await mount.hidden().keep(to, new_name, request.user(), false); !kept)
    co_return request.reply_error(kept.error());
  // Until its fate is known, also when it is given up: what is below would not be found.
  const auto closure = co_await mount.paths().close(from, name, to, new_name);
  if (!closure)
    co_return request.reply_error(closure.error());
  const auto target = co_await mount.fids().acquire(to, request.user());
  if (!target)
    co_return request.reply_error(target.error());
  FidHandle source = take_fid_of_name(mount, request.user(), *from, name);
  const error_code error =
      co_await mount.with_passed_directory(from, request.user(), [&](proto::Fid fid) {
        return mount.client().rename(fid, name, target->fid(), new_name, std::move(source));
      });
  if (error) {
    request.reply_error(error);
    losing.was_refused(error);
    co_return co_await mount.unresolved().settle(leaving, arriving, mark);
  }
  Node* moved = from->child(name);
  const Node* replaced = to->child(new_name);
  if (moved != nullptr && moved == replaced)  // two names of one file: rename(2) does nothing
    co_return request.reply_ok();
  losing.was_done();
  // A server that goes by path has lost the fids of what moved and of all below.
  if (moved != nullptr)
    mount.fids().drop_below(*moved);
  mount.nodes().rename(*from, name, *to, new_name);
  from->fresh_until = to->fresh_until = {};
  request.reply_ok();
}

}  // namespace fuse9p::fs
