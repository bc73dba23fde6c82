// SPDX-License-Identifier: MIT
// Answers to Tlock and Tgetlock, of 9P2000.L.
#include "tests/support/scripted_server.hpp"

#include <cerrno>

namespace fuse9p::test {

using namespace proto;

namespace {

constexpr std::uint8_t kSuccess = 0, kBlocked = 1;
constexpr std::uint32_t kBlock = 1, kReclaim = 2;

template <class T>
Lock lock_of(const T& request) {
  const bool to_the_end = request.length == 0 || request.length > Lock::kToTheEnd - request.start;
  return {.type = static_cast<Lock::Type>(request.type),
          .start = request.start,
          .end = to_the_end ? Lock::kToTheEnd : request.start + request.length,
          .fid = request.fid,
          .proc_id = request.proc_id,
          .client_id = std::string(request.client_id)};
}

std::uint64_t length_of(const Lock& lock) {
  return lock.end == Lock::kToTheEnd ? 0 : lock.end - lock.start;
}

}  // namespace

int ScriptedServer::why_not(const OpenFid& fid, const Lock& lock) const {
  if (locks_.kind() == Locks::Kind::none)
    return EOPNOTSUPP;
  if (lock.type > Lock::Type::none)
    return EINVAL;
  const bool allowed = lock.type == Lock::Type::read    ? fid.reads
                       : lock.type == Lock::Type::write ? fid.writes
                                                        : true;
  return locks_.kind() == Locks::Kind::ranges && !allowed ? EBADF : 0;
}

void ScriptedServer::answer(Tag tag, const Tlock& request) {
  const OpenFid& fid = fids_.at(request.fid);
  const Lock lock = lock_of(request);
  if (const int error = why_not(fid, lock))
    return fail(tag, error);
  if ((request.flags & ~(kBlock | kReclaim)) != 0)
    return fail(tag, EINVAL);
  reply(tag, Rlock{.status = locks_.set(fid.node->id, lock) ? kSuccess : kBlocked});
}

void ScriptedServer::answer(Tag tag, const Tgetlock& request) {
  const OpenFid& fid = fids_.at(request.fid);
  const Lock asked = lock_of(request);
  if (const int error = why_not(fid, asked); error != 0 && error != EBADF)
    return fail(tag, error);
  Lock told = locks_.in_the_way_of(fid.node->id, asked).value_or(Lock{});
  // flock(2) does not say who it is: diod tells the asker of itself.
  if (told.type == Lock::Type::none || locks_.kind() == Locks::Kind::whole) {
    const Lock::Type type = told.type;
    told = asked;
    told.type = type;
  }
  reply(tag, Rgetlock{.type = static_cast<std::uint8_t>(told.type),
                      .start = told.start,
                      .length = length_of(told),
                      .proc_id = told.proc_id,
                      .client_id = told.client_id});
}

}  // namespace fuse9p::test
