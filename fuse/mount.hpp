// SPDX-License-Identifier: MIT
// Mount: one mounted file system. It owns the FUSE session and the device, and holds what the
// operations share: the 9P client, the nodes, their fids, the open handles. One thread.
#pragma once

#include "fuse/device.hpp"
#include "fuse/fid_cache.hpp"
#include "fuse/handle_table.hpp"
#include "fuse/hidden_links.hpp"
#include "fuse/locks.hpp"
#include "fuse/mount_point.hpp"
#include "fuse/node_table.hpp"
#include "fuse/paths.hpp"
#include "fuse/renames.hpp"
#include "fuse/request.hpp"
#include "fuse/unresolved.hpp"
#include "src/client.hpp"

#include <boost/asio/io_context.hpp>

#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace fuse9p::fs {

struct MountSettings {
  std::string mountpoint;                 ///< absolute and free of links, or a passed_descriptor()
  std::vector<std::string> fuse_options;  ///< each for an -o of its own
  bool allows_others = false;             ///< allow_other or allow_root is among them
  bool no_symfollow = false;              ///< needs root, for libfuse can't do it
  std::chrono::milliseconds attr_timeout{1000}, entry_timeout{1000}, negative_timeout{0};
  std::chrono::milliseconds interrupt_grace{1000};
  std::chrono::milliseconds flush_timeout{2000};  ///< of callers freed from what goes on
  std::chrono::milliseconds page_timeout{0};      ///< of a read through the page cache; 0: none
  std::size_t max_fids = 100'000;
  UserPolicy users{};
  bool server_locks = false;        ///< locks are the server's, too; else the kernel's alone
  bool no_xattr = false;            ///< no extended attributes
  bool posix_acl = false;           ///< the kernel checks ACLs
  bool direct_io = false;           ///< no page cache for any file
  bool ignore_qid_version = false;  ///< when cached data is validated
};

class Mount {
 public:
  struct Events {
    std::function<void()> ready;  ///< the kernel and we agree: the mount answers
    std::function<void()> unmounted;
  };

  /// Mounts. `root`: fresh attributes of the client's root. Throws MountError.
  Mount(boost::asio::io_context& io, Client& client, const Attributes& root, MountSettings settings,
        Events events);
  ~Mount();
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;

  /// Ends it: the mount point is free again when this returns. Calls that wait get ECONNABORTED.
  void unmount();
  /// Operations that have not come to their end.
  std::size_t operations() const { return operations_; }
  /// Is nothing left to be tidied up at the server?
  bool tidy() const { return hidden_.idle(); }

  // ---- for the operations
  boost::asio::io_context& io() { return io_; }
  Client& client() { return client_; }
  const Client& client() const { return client_; }
  NodeTable& nodes() { return nodes_; }
  FidCache& fids() { return fids_; }
  HandleTable<FileHandle>& files() { return files_; }
  HandleTable<DirectoryHandle>& directories() { return directories_; }
  Unresolved& unresolved() { return unresolved_; }
  Renames& renames() { return renames_; }
  HiddenLinks& hidden() { return hidden_; }
  Paths& paths() { return paths_; }
  Locks& locks() { return locks_; }
  Device& device() { return *device_; }
  const MountSettings& settings() const { return settings_; }

  /// The kernel's INIT: which of its capabilities we want.
  void negotiate(fuse_conn_info& connection);
  bool& init_answered() { return init_answered_; }
  /// Runs an operation for the request; whatever it throws becomes an errno.
  void spawn(std::shared_ptr<Request> request, awaitable<void> operation);
  /// Runs work that no request waits for.
  void spawn_detached(awaitable<void> work);

  /// What the kernel is told of a node that was found. The lookup is counted by reply_entry().
  fuse_entry_param entry_of(const Node& node) const;
  double attr_timeout() const { return seconds(settings_.attr_timeout); }
  /// The kernel is to ask for the attributes when it needs them next, whatever it was told.
  void forget_attributes(const Node& node);

  /// Was `error` about the way to the node rather than the node itself? A process that has changed
  /// its user may still be in a directory to which the new user could not go; the kernel has
  /// checked what is allowed there. It may be looked at, not more, as somebody who gets there.
  bool is_out_of_reach(const Node& node, UserId user, const error_code& error) const {
    return settings_.users.attach_each && user != UserId::mount && error == as_error(EACCES) &&
           !fids_.contains(node, user);
  }

  /// A fid for the node and, if the server no longer knows the file by it, once more a fresh one: a
  /// server that goes by path loses fids when somebody else renames what is above them. `use` is an
  /// awaitable of an error_code or a result. From the walk to the end of `use` there is a Passage
  /// for the node, so `use` must not ask for one, as all of these functions do.
  template <class Use>
  auto with_fid(NodeRef node, UserId user, Use use) -> decltype(use(proto::Fid{})) {
    return with_fid(std::move(node), user, std::move(use), true);
  }
  /// The same for a directory in which a name is looked for: ENOENT is about the name.
  template <class Use>
  auto with_directory(NodeRef node, UserId user, Use use) -> decltype(use(proto::Fid{})) {
    return with_fid(std::move(node), user, std::move(use), false);
  }
  /// The same for one name in it, whose file is not to be moved or removed meanwhile.
  template <class Use>
  auto with_directory_of(NodeRef node, std::string name, UserId user, Use use)
      -> decltype(use(proto::Fid{}));
  /// The same for who has a Passage for the directory.
  template <class Use>
  auto with_passed_directory(NodeRef node, UserId user, Use use) -> decltype(use(proto::Fid{})) {
    return with_passed_fid(std::move(node), user, std::move(use), false);
  }
  /// The same with an unopened fid that `use` consumes: a FidHandle.
  template <class Use>
  auto with_own_fid(NodeRef node, UserId user, Use use) -> decltype(use(FidHandle()));

 private:
  struct Session;
  template <class Use>
  auto with_fid(NodeRef node, UserId user, Use use, bool enoent_is_stale)
      -> decltype(use(proto::Fid{}));
  template <class Use>
  auto with_passed_fid(NodeRef node, UserId user, Use use, bool enoent_is_stale)
      -> decltype(use(proto::Fid{}));
  static double seconds(std::chrono::milliseconds time) {
    return std::chrono::duration<double>(time).count();
  }
  void raise_read_ahead() const;
  awaitable<void> perform(std::shared_ptr<Request> request, awaitable<void> operation);

  boost::asio::io_context& io_;
  Client& client_;
  MountSettings settings_;
  Events events_;
  NodeTable nodes_;
  FidCache fids_;
  HiddenLinks hidden_;
  HandleTable<FileHandle> files_;
  HandleTable<DirectoryHandle> directories_;
  Paths paths_;
  Unresolved unresolved_;
  Renames renames_;
  Locks locks_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Device> device_;
  std::size_t operations_ = 0;
  bool init_answered_ = false;
};

/// Does the server no longer know a file by its fid?
inline bool is_stale(const error_code& error) {
  return error == as_error(ESTALE) || error == as_error(ENOENT);
}
inline error_code error_of(const error_code& error) {
  return error;
}
template <class T>
error_code error_of(const result<T>& outcome) {
  return outcome.error();
}

template <class Use>
auto Mount::with_fid(NodeRef node, UserId user, Use use, bool enoent_is_stale)
    -> decltype(use(proto::Fid{})) {
  const auto passage = co_await paths_.pass(node);
  if (!passage)
    co_return passage.error();
  co_return co_await with_passed_fid(node, user, std::move(use), enoent_is_stale);
}

template <class Use>
auto Mount::with_directory_of(NodeRef node, std::string name, UserId user, Use use)
    -> decltype(use(proto::Fid{})) {
  const auto passage = co_await paths_.pass_to(node, std::move(name));
  if (!passage)
    co_return passage.error();
  co_return co_await with_passed_fid(node, user, std::move(use), false);
}

template <class Use>
auto Mount::with_passed_fid(NodeRef node, UserId user, Use use, bool enoent_is_stale)
    -> decltype(use(proto::Fid{})) {
  const bool cached = fids_.contains(*node, user);
  auto lease = co_await fids_.acquire(node, user);
  if (!lease)
    co_return lease.error();
  auto outcome = co_await use(lease->fid());
  const error_code error = error_of(outcome);
  const bool stale = error == as_error(ESTALE) || (enoent_is_stale && is_stale(error));
  if (!stale || !cached || node->unlinked())
    co_return outcome;
  fids_.drop(*node);
  lease = co_await fids_.acquire(node, user);
  if (!lease)
    co_return lease.error();
  co_return co_await use(lease->fid());
}

template <class Use>
auto Mount::with_own_fid(NodeRef node, UserId user, Use use) -> decltype(use(FidHandle())) {
  const auto passage = co_await paths_.pass(node);
  if (!passage)
    co_return passage.error();
  const bool cached = fids_.contains(*node, user);
  auto fid = co_await fids_.own(node, user);
  if (!fid && !cached)
    co_return fid.error();
  error_code error = fid.error();
  if (fid) {
    auto outcome = co_await use(std::move(*fid));
    error = error_of(outcome);
    if (!is_stale(error) || !cached)
      co_return outcome;
  }
  if (!is_stale(error) || node->unlinked())
    co_return error;
  fids_.drop(*node);
  fid = co_await fids_.own(node, user);
  if (!fid)
    co_return fid.error();
  co_return co_await use(std::move(*fid));
}

}  // namespace fuse9p::fs
