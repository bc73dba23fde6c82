// SPDX-License-Identifier: MIT
// Verbs: what the dialects say differently. Client has one of these and hands on to it; what all
// dialects share (fids, walk, attach, bulk data) it does by itself. Used by Client and by the
// implementations only, on Client's terms: see client.hpp for what each verb does. What a dialect
// has no words for is refused here, with the errno that a program expects.
#pragma once

#include "src/client.hpp"
#include "src/server_error.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fuse9p {

class Verbs {
 public:
  virtual ~Verbs() = default;
  Verbs(const Verbs&) = delete;
  Verbs& operator=(const Verbs&) = delete;

  const Capabilities& capabilities() const { return capabilities_; }

  virtual awaitable<result<Attributes>> getattr(proto::Fid fid) = 0;
  virtual awaitable<error_code> setattr(proto::Tsetattr changes) = 0;
  virtual awaitable<result<proto::Rstatfs>> statfs(proto::Fid fid) = 0;
  virtual awaitable<result<std::string>> readlink(proto::Fid fid) = 0;

  virtual awaitable<result<OpenFile>> open(FidHandle fid, std::uint32_t flags) = 0;
  virtual awaitable<result<OpenFile>> create(FidHandle fid, std::string_view name,
                                             std::uint32_t flags, std::uint32_t mode,
                                             std::uint32_t gid) = 0;
  virtual awaitable<error_code> fsync(proto::Fid fid, bool datasync) = 0;

  virtual awaitable<result<LockStatus>> lock(proto::Fid fid, LockRequest request) = 0;
  virtual awaitable<result<LockRequest>> getlock(proto::Fid fid, LockRequest request) = 0;

  virtual awaitable<Transferred> readdir(proto::Fid fid, std::uint64_t offset,
                                         proto::Buffer destination) = 0;
  virtual std::unique_ptr<DirectoryReader> directory_reader(const OpenFile& directory) = 0;

  virtual awaitable<result<proto::Qid>> mkdir(proto::Fid directory, std::string_view name,
                                              std::uint32_t mode, std::uint32_t gid) = 0;
  virtual awaitable<result<proto::Qid>> symlink(proto::Fid directory, std::string_view name,
                                                std::string_view target, std::uint32_t gid) = 0;
  virtual awaitable<result<proto::Qid>> mknod(proto::Fid directory, std::string_view name,
                                              std::uint32_t mode, std::uint32_t major,
                                              std::uint32_t minor, std::uint32_t gid) = 0;
  virtual awaitable<error_code> link(proto::Fid directory, proto::Fid file,
                                     std::string_view name) = 0;
  virtual awaitable<error_code> unlink(proto::Fid directory, std::string_view name,
                                       bool directory_wanted, FidHandle known) = 0;
  virtual awaitable<error_code> rename(proto::Fid old_directory, std::string_view old_name,
                                       proto::Fid new_directory, std::string_view new_name,
                                       FidHandle known) = 0;

 protected:
  Verbs(Client& client, const Capabilities& capabilities)
      : client_(client), capabilities_(capabilities) {}

  template <proto::Request T>
  awaitable<result<proto::reply_of_t<T>>> call(const T& request) {
    return client_.call(request);
  }
  /// One request for data, which has a destination.
  awaitable<Transferred> call_for_data(proto::Outgoing request, proto::Fid fid);
  /// What one request for directory entries may ask for, with room for so much.
  std::uint32_t directory_count(std::size_t room) const;
  /// Is that a way of the server?
  bool has(Quirk quirk) const { return client_.quirks_.has(quirk); }
  void learn(Quirk quirk) { client_.learn(quirk); }
  /// For Attributes::asked and heard, of those that don't come by getattr().
  std::uint64_t next_moment() { return client_.next_moment(); }
  /// What open(2) with O_CREAT does when there is such a file.
  awaitable<result<OpenFile>> open_existing(proto::Fid directory, std::string_view name,
                                            std::uint32_t flags);
  /// By Tremove, of `known` if that is a fid walked by this very name, else of one walked to it.
  awaitable<error_code> remove_by_fid(proto::Fid directory, std::string_view name,
                                      bool directory_wanted, FidHandle known);
  awaitable<error_code> remove(FidHandle target);

  Client& client_;

 private:
  awaitable<result<FidHandle>> walk_for_removal(proto::Fid directory, std::string_view name,
                                                bool directory_wanted);

  Capabilities capabilities_;
};

/// 9P2000.L.
std::unique_ptr<Verbs> make_verbs_l(Client& client);
/// 9P2000 and 9P2000.u. `names` outlives them.
std::unique_ptr<Verbs> make_verbs_legacy(Client& client, proto::Dialect dialect,
                                         const IdNames& names);

}  // namespace fuse9p
