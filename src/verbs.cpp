// SPDX-License-Identifier: MIT
#include "src/verbs.hpp"

#include "src/client_call.hpp"

#include <algorithm>

namespace fuse9p {

using proto::Fid;

std::uint32_t Verbs::directory_count(std::size_t room) const {
  return static_cast<std::uint32_t>(
      std::min<std::size_t>(room, client_.connection().msize() - proto::kIoHeaderSize));
}

awaitable<Transferred> Verbs::call_for_data(proto::Outgoing request, Fid fid) {
  const auto outcome = co_await client_.call_raw(std::move(request), Fids(1, fid));
  co_return Transferred{outcome.error, outcome.reply.data_size};
}

awaitable<result<OpenFile>> Verbs::open_existing(Fid directory, std::string_view name,
                                                 std::uint32_t flags) {
  auto found = co_await client_.walk(directory, name);
  if (!found)
    co_return found.error();
  if ((found->qid.type & proto::qid_type::kDir) != 0)
    co_return as_error(EISDIR);
  co_return co_await open(std::move(found->fid), flags);
}

awaitable<error_code> Verbs::remove_by_fid(Fid directory, std::string_view name,
                                           bool directory_wanted, FidHandle known) {
  if (known) {
    const error_code error = co_await remove(std::move(known));
    if (!is_stale(error))
      co_return error;
  }
  auto walked = co_await walk_for_removal(directory, name, directory_wanted);
  if (!walked)
    co_return walked.error();
  co_return co_await remove(std::move(*walked));
}

/// Tremove takes files and empty directories alike: the type is checked first.
awaitable<result<FidHandle>> Verbs::walk_for_removal(Fid directory, std::string_view name,
                                                     bool directory_wanted) {
  auto target = co_await client_.walk(directory, name);
  if (!target)
    co_return target.error();
  const bool is_directory = (target->qid.type & proto::qid_type::kDir) != 0;
  if (is_directory != directory_wanted)
    co_return as_error(is_directory ? EISDIR : ENOTDIR);
  co_return std::move(target->fid);
}

awaitable<error_code> Verbs::remove(FidHandle target) {
  const auto reply = co_await call(proto::Tremove{.fid = target.fid()});
  if (ended_by_tremove(reply.error()))
    target.forget();
  co_return reply.error();
}

}  // namespace fuse9p
