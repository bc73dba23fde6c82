// SPDX-License-Identifier: MIT
#include "fuse/locks.hpp"

#include "fuse/errno.hpp"
#include "fuse/mount.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cerrno>
#include <random>

namespace fuse9p::fs {

namespace asio = boost::asio;

namespace {

constexpr std::uint32_t kReadOnly = 0, kWriteOnly = 1, kReadWrite = 2;  // Tlopen's flags

LockRequest::Type wire_type(LockType type) {
  switch (type) {
    case LockType::none:
      return LockRequest::Type::unlock;
    case LockType::read:
      return LockRequest::Type::read;
    case LockType::write:
      return LockRequest::Type::write;
  }
  return LockRequest::Type::unlock;
}

}  // namespace

struct Locks::File {
  File(asio::io_context& io, NodeRef of) : node(std::move(of)), changed(io) {}

  LockTable& table(Space space) { return space == Space::posix ? ranges : whole; }
  LockType strongest() const { return std::max(ranges.strongest(), whole.strongest()); }

  NodeRef node;
  LockTable ranges, whole;         // fcntl's and flock's
  LockType held = LockType::none;  // at the server, while nobody has the turn
  OpenFile own;                    // the fid on which it stands
  Handle borrowed;                 // if there is none of our own to be had
  bool turn = false;               // somebody has it
  bool put_right = true;           // what an attempt may have shaken
  bool doubtful = false;           // a request was cancelled: one that lies may do it yet
  bool lost = false;
  Wakeup changed;
};

struct Locks::Waiting {
  const File* file;
  Lock wanted;
};

Locks::Locks(Mount& mount)
    : mount_(mount), owner_(std::random_device()() & std::numeric_limits<std::int32_t>::max()) {
  mount_.client().on_late_lock([this] { on_late_lock(); });
}

Locks::~Locks() {
  mount_.client().on_late_lock(nullptr);
}

// ---- what operations ask for

awaitable<error_code> Locks::take(Handle handle, Space space, Lock wanted, bool wait) {
  const FilePtr file = file_of(handle->node);
  LockTable& table = file->table(space);
  // flock(2) gives its old lock up first: two that hold it shared may both want it alone.
  if (space == Space::flock && table.held_by(wanted.owner) != wanted.type)
    table.drop_owner(wanted.owner);
  auto pause_time = kFirstPause;
  error_code error;
  for (bool done = false; !done && !error;) {
    if (file->lost) {
      error = as_error(EIO);
    } else if (table.conflict(wanted) != nullptr) {
      error = as_error(EAGAIN);
      if (wait)
        error = co_await await_local(file, space, wanted);
    } else if (file->held >= wanted.type && !file->turn) {
      done = table.set(wanted);
      if (!done)
        error = as_error(ENOLCK);
    } else if (const bool turn = co_await begin_turn(file); !turn) {
      error = as_error(EINTR);
    } else if (table.conflict(wanted) != nullptr || file->held >= wanted.type || file->lost) {
      end_turn(*file);  // it changed meanwhile
    } else {
      const auto status = co_await raise(file, handle, wanted.type);
      if (!status)
        error = status.error();
      else if (*status == LockStatus::refused || (*status == LockStatus::grace && !wait))
        error = as_error(ENOLCK);
      else if (*status != LockStatus::granted && !wait)
        error = as_error(EAGAIN);
      else if (*status != LockStatus::granted) {
        const bool slept = co_await pause(pause_time);
        if (!slept)
          error = as_error(EINTR);
      }
    }
  }
  // It may have become less: a read lock instead of a write lock, or nothing after an attempt.
  co_await settle(file);
  co_return error;
}

awaitable<void> Locks::drop(NodeRef node, Space space, Lock range) {
  const FilePtr file = known(*node);
  if (!file)
    co_return;
  file->table(space).set(range);
  co_await settle(file);
}

awaitable<void> Locks::closed_by(NodeRef node, std::uint64_t owner) {
  const FilePtr file = known(*node);
  if (!file)
    co_return;
  file->ranges.drop_owner(owner);
  co_await settle(file);
}

awaitable<void> Locks::released(NodeRef node, std::uint64_t fh, std::uint64_t flock_owner) {
  const FilePtr file = known(*node);
  if (!file)
    co_return;
  // The kernel does not tell of the end of a lock that belongs to an open file (F_OFD_SETLK).
  file->ranges.drop_handle(fh);
  file->whole.drop_handle(fh);
  file->whole.drop_owner(flock_owner);
  co_await settle(file);
}

awaitable<result<Lock>> Locks::test(Handle handle, Lock wanted) {
  const FilePtr file = known(*handle->node);
  const Lock* other = file ? file->ranges.conflict(wanted) : nullptr;
  if (other != nullptr)
    co_return *other;
  Lock none = wanted;
  none.type = LockType::none;
  // While we hold it there, nobody else can have what is in our way, but for readers beside us: to
  // ask for these could cost us the lock, since some servers try it out.
  if (file && (file->held != LockType::none || file->turn))
    co_return none;
  const auto answer = co_await mount_.client().getlock(
      handle->file.fid.fid(), {.type = wire_type(wanted.type),
                               .start = wanted.begin,
                               .length = wanted.end == Lock::kEnd ? 0 : wanted.end - wanted.begin,
                               .owner = owner_});
  if (!answer)
    co_return answer.error();
  if (answer->type == LockRequest::Type::unlock)
    co_return none;
  // Who it is can't be said: it is a process of another machine.
  Lock found{.type = answer->type == LockRequest::Type::read ? LockType::read : LockType::write,
             .begin = answer->start};
  const bool to_the_end = answer->length == 0 || answer->length > Lock::kEnd - answer->start;
  found.end = to_the_end ? Lock::kEnd : answer->start + answer->length;
  co_return found;
}

bool Locks::lost(const Node& node) const {
  const FilePtr file = known(node);
  return file && file->lost;
}

// ---- waiting for each other on this machine

awaitable<error_code> Locks::await_local(FilePtr file, Space space, const Lock& wanted) {
  if (waiters_ >= kMostWaiters)
    co_return as_error(ENOLCK);
  const bool posix = space == Space::posix;
  if (posix && would_deadlock(*file, wanted))
    co_return as_error(EDEADLK);
  const Waiting waiting{file.get(), wanted};
  const bool first = posix && waiting_.emplace(wanted.owner, &waiting).second;
  ++waiters_;
  const bool woken = co_await file->changed.wait();
  --waiters_;
  if (first)
    waiting_.erase(wanted.owner);
  co_return woken ? error_code() : as_error(EINTR);
}

/// Does one that `wanted` would wait for wait, over others perhaps, for the owner of `wanted`?
bool Locks::would_deadlock(const File& file, const Lock& wanted) const {
  const Lock* blocker = file.ranges.conflict(wanted);
  for (std::size_t steps = 0; blocker != nullptr && steps <= waiting_.size(); ++steps) {
    if (blocker->owner == wanted.owner)
      return true;
    const auto next = waiting_.find(blocker->owner);
    if (next == waiting_.end())
      return false;
    blocker = next->second->file->ranges.conflict(next->second->wanted);
  }
  return false;
}

// ---- the server's lock

awaitable<bool> Locks::begin_turn(FilePtr file) {
  while (file->turn) {
    if (const bool woken = co_await file->changed.wait(); !woken)
      co_return false;
  }
  file->turn = true;
  co_return true;
}

void Locks::end_turn(File& file) {
  file.turn = false;
  file.changed.notify();
}

/// In our turn, which this ends, or hands over.
awaitable<result<LockStatus>> Locks::raise(FilePtr file, Handle handle, LockType type) {
  const auto mark = mount_.client().fates().mark();
  const LockType before = file->held;
  if (const error_code error = co_await open_lock_fid(file, handle); error) {
    end_turn(*file);
    co_return error;
  }
  const auto status = co_await ask(file, type);
  const bool granted = status && *status == LockStatus::granted;
  const bool in_doubt =
      !status && interrupted(status.error()) && status.error() != proto::Error::withdrawn;
  // A server that goes by flock(2) drops a lock before it tries for a stronger one.
  const bool shaken = !granted && before != LockType::none;
  if (in_doubt || shaken) {
    file->doubtful = file->doubtful || in_doubt;
    file->put_right = false;
    mount_.spawn_detached(put_right(file, mark));
    // Who is told that it has become no stronger relies on what it was.
    for (bool woken = !in_doubt; woken && !file->put_right;)
      woken = co_await file->changed.wait();
    co_return status;
  }
  if (granted) {
    file->held = type;
    // Another machine may have written what we have in our page cache: the next read is to ask.
    if (before == LockType::none) {
      file->node->fresh_until = {};
      mount_.forget_attributes(*file->node);
    }
  }
  end_turn(*file);
  co_return status;
}

/// For writing if that is allowed: some servers want it for a write lock.
awaitable<error_code> Locks::open_lock_fid(FilePtr file, Handle handle) {
  if (file->own.fid || file->borrowed)
    co_return error_code();
  error_code error = as_error(ESTALE);
  for (const std::uint32_t flags : {kReadWrite, kReadOnly, kWriteOnly}) {
    if (file->node->unlinked())
      break;
    auto opened = co_await mount_.with_own_fid(file->node, handle->user, [&](FidHandle fid) {
      return mount_.client().open(std::move(fid), flags);
    });
    if (opened) {
      file->own = std::move(*opened);
      co_return error_code();
    }
    error = opened.error();
    if (interrupted(error) || error == proto::Error::connection_lost)
      co_return error;
  }
  // Its name is gone, or nobody may open it any more.
  file->borrowed = std::move(handle);
  co_return error_code();
}

awaitable<result<LockStatus>> Locks::ask(FilePtr file, LockType type) {
  const OpenFile& on = file->own.fid ? file->own : file->borrowed->file;
  auto status = co_await mount_.client().lock(
      on.fid.fid(), LockRequest{.type = wire_type(type), .owner = owner_});
  if (status.error() == as_error(EOPNOTSUPP) || status.error() == as_error(ENOSYS)) {
    if (complaints_.allow())
      log::warn("{}: the server has no locks; mount with locks=local to have them on this machine",
                mount_.client().connection().name());
    co_return as_error(ENOLCK);
  }
  co_return status;
}

/// Makes the server's lock what ours need, if it is stronger; the caller need not wait to the end.
awaitable<void> Locks::settle(FilePtr file) {
  file->changed.notify();
  if (file->strongest() < file->held)
    mount_.spawn_detached(lower(file));
  while (file->strongest() < file->held) {
    if (const bool woken = co_await file->changed.wait(); !woken)
      break;
  }
  forget_if_idle(file);
}

awaitable<void> Locks::lower(FilePtr file) {
  co_await begin_turn(file);
  if (file->strongest() < file->held)
    co_await put_right(file, mount_.client().fates().mark());
  else
    end_turn(*file);
}

/// In our turn, which this ends. What was asked since `mark` may still happen: first that.
awaitable<void> Locks::put_right(FilePtr file, Fates::Mark mark) {
  co_await mount_.client().fates().known_since(mark);
  for (;;) {
    const LockType type = file->strongest();
    const auto status = co_await ask(file, type);
    const bool granted = status && *status == LockStatus::granted;
    file->held = granted ? type : LockType::none;
    if (!granted && file->strongest() != LockType::none) {
      file->lost = true;
      if (complaints_.allow())
        log::error(
            "{}: a lock was lost to another client; reads and writes of that file fail with EIO "
            "until all its locks are given up",
            mount_.client().connection().name());
    }
    if (file->strongest() >= file->held)
      break;
  }
  file->put_right = true;
  end_turn(*file);
  forget_if_idle(file);
}

/// A server that answers behind its Rflush has given us a lock that we did not want any more.
void Locks::on_late_lock() {
  for (const auto& [id, file] : files_) {
    if (!file->doubtful || file->turn)
      continue;  // in a turn it is put right by what follows
    file->turn = true;
    mount_.spawn_detached(put_right(file, mount_.client().fates().mark()));
  }
}

awaitable<bool> Locks::pause(std::chrono::milliseconds& time) {
  const auto state = co_await asio::this_coro::cancellation_state;
  asio::steady_timer timer(mount_.io(), time);
  time = std::min(2 * time, kLongestPause);
  error_code ignored;
  if (state.cancelled() == asio::cancellation_type::none)
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  co_return state.cancelled() == asio::cancellation_type::none;
}

// ---- files

Locks::FilePtr Locks::known(const Node& node) const {
  const auto found = files_.find(node.id());
  return found == files_.end() ? nullptr : found->second;
}

Locks::FilePtr Locks::file_of(const NodeRef& node) {
  FilePtr& file = files_[node->id()];
  if (!file)
    file = std::make_shared<File>(mount_.io(), node);
  return file;
}

void Locks::forget_if_idle(const FilePtr& file) {
  const bool idle = file->ranges.empty() && file->whole.empty() && !file->turn;
  if (!idle || file->held != LockType::none)
    return;
  file->lost = false;
  file->borrowed.reset();
  if (file->node->open_handles == 0)
    files_.erase(file->node->id());
}

}  // namespace fuse9p::fs
