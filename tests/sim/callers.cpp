// SPDX-License-Identifier: MIT
#include "tests/sim/callers.hpp"

#include "tests/support/pattern.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>

namespace fuse9p::sim {

namespace asio = boost::asio;
using proto::Fid;
using test::Tree;

namespace {

constexpr std::uint32_t kReadOnly = 0, kReadWrite = 2;
constexpr std::uint32_t kMostPieces = 6;

bool is_lost(const error_code& error) {
  return error.category() == proto::proto_category() && error != proto::Error::cancelled &&
         error != proto::Error::withdrawn && error != proto::Error::abandoned &&
         error != proto::Error::count_too_large && error != proto::Error::message_too_large;
}

}  // namespace

// ---- starting and interrupting them

void Callers::start_one() {
  struct Entry {
    std::string_view name;
    Role role;
  };
  static constexpr std::array<Entry, 10> kRoles = {{{"look", &Callers::look},
                                                    {"read", &Callers::read},
                                                    {"read", &Callers::read},
                                                    {"write", &Callers::write},
                                                    {"write", &Callers::write},
                                                    {"list", &Callers::list},
                                                    {"copy_fids", &Callers::copy_fids},
                                                    {"remove", &Callers::create_and_remove},
                                                    {"rename", &Callers::create_and_rename},
                                                    {"bare", nullptr}}};
  const Entry& entry = kRoles[stage_.dice.below(kRoles.size())];
  Caller& caller = callers_.emplace_back();
  caller.number = callers_.size() - 1;
  caller.role = entry.name;
  ++running_;
  stage_.record.note([&] {
    return "start caller " + std::to_string(caller.number) + " " + std::string(caller.role);
  });
  if (entry.role == nullptr)
    return start_bare_request();
  asio::co_spawn(stage_.io, play(caller, entry.role),
                 asio::bind_cancellation_slot(caller.signal.slot(),
                                              [this, &caller](const std::exception_ptr& error) {
                                                if (error)
                                                  complain(caller, "ended with an exception");
                                                finish(caller);
                                              }));
}

awaitable<void> Callers::play(Caller& caller, Role role) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  co_await asio::this_coro::throw_if_cancelled(false);
  caller.begun = true;
  co_await (this->*role)(caller);
}

/// One request, told to the connection, and no coroutine around it.
void Callers::start_bare_request() {
  Caller& caller = callers_.back();
  Connection& connection = stage_.client.connection();
  caller.begun = true;
  caller.request = connection.start(
      proto::outgoing(proto::Tgetattr{.fid = stage_.client.root(), .request_mask = kGetattrMask},
                      connection.dialect()),
      {}, [this, &caller](error_code error, const proto::Reply&) {
        if (++caller.outcomes > 1)
          return complain(caller, "a second outcome");
        saw(error, proto::kNoFid);
        check_error(caller, error);
        finish(caller);
        disturb();
      });
}

void Callers::finish(Caller& caller) {
  stage_.record.note([&] { return "end of caller " + std::to_string(caller.number); });
  caller.done = true;
  --running_;
}

/// In the loop, as co_spawn would pass it on anyway: that is its moment.
void Callers::interrupt(Caller& caller) {
  asio::dispatch(stage_.io, [this, &caller] {
    if (!caller.begun)
      return;
    if (!caller.done && !caller.interrupted) {
      stage_.record.note([&] { return "interrupt caller " + std::to_string(caller.number); });
      caller.interrupted = stage_.time.now();
    }
    // Those that are done, or interrupted already, must bear it as well.
    if (caller.request)
      stage_.client.connection().cancel(*caller.request);
    else
      caller.signal.emit(asio::cancellation_type::total);
  });
}

void Callers::interrupt_one() {
  constexpr std::size_t kRecent = 12;
  if (callers_.empty())
    return;
  const std::size_t back = stage_.dice.below(std::min(kRecent, callers_.size()));
  interrupt(callers_[callers_.size() - 1 - back]);
}

void Callers::interrupt_all() {
  for (Caller& caller : callers_) {
    if (!caller.done)
      interrupt(caller);
  }
}

void Callers::check_freed(proto::Duration flush_timeout) const {
  for (const Caller& caller : callers_) {
    if (!caller.done && caller.interrupted &&
        *caller.interrupted + flush_timeout <= stage_.time.now())
      complain(caller, "was interrupted and still waits");
  }
}

void Callers::complain(const Caller& caller, const std::string& what) const {
  stage_.record.complain("caller " + std::to_string(caller.number) + " (" +
                         std::string(caller.role) + "): " + what);
}

// ---- what each outcome must be

/// May a caller get this error? True if it has none.
bool Callers::check_error(const Caller& caller, const error_code& error, int also_allowed) {
  if (!error)
    return true;
  const Temper& temper = stage_.server.temper();
  const bool interrupt = error == proto::Error::cancelled || error == proto::Error::withdrawn ||
                         error == proto::Error::abandoned;
  if (interrupt && !caller.interrupted)
    complain(caller, "was not interrupted and got: " + error.message());
  if (is_lost(error) && stage_.client.connection().is_open())
    complain(caller, "the connection is well, but: " + error.message());
  if (error.category() == proto::server_category()) {
    // A server that is sloppy may have made fids that nobody expects.
    const bool allowed = error.value() == EIO || error.value() == also_allowed ||
                         (error.value() == EBADF && temper.sloppy);
    if (!allowed)
      complain(caller, "the server never said: " + error.message());
  }
  return false;
}

void Callers::saw(const error_code& error, Fid fid) {
  withdrawn_ += error == proto::Error::withdrawn ? 1 : 0;
  if (error != proto::Error::abandoned)
    return;
  stage_.record.count(Occurrence::abandoned);
  stage_.on_abandoned(fid);
}

/// What the one who has just been answered may do to the others, from within the delivery.
void Callers::disturb() {
  constexpr std::uint32_t kInterrupts = 30, kCloses = 1;
  if (calm_)
    return;
  if (stage_.dice.chance(kInterrupts)) {
    stage_.record.count(Occurrence::cancelled_in_delivery);
    interrupt_one();
  }
  if (stage_.client.connection().is_open() && stage_.dice.chance(kCloses)) {
    stage_.record.count(Occurrence::closed_in_delivery);
    stage_.client.connection().close(proto::Error::connection_lost, "closed in a delivery");
  }
}

// ---- the roles

awaitable<void> Callers::look(Caller& caller) {
  const bool exists = !stage_.dice.chance(200);
  const std::string name = exists ? stage_.dice.pick(stage_.files) : "nothing";
  const auto walked = co_await stage_.client.walk(stage_.client.root(), name);
  saw(walked.error(), proto::kNoFid);
  disturb();
  // A walk that was answered short says so, too.
  if (!check_error(caller, walked.error(), ENOENT))
    co_return;
  if (!exists)
    co_return complain(caller, "walked to nothing");
  stage_.record.count(Occurrence::walk_checked);
  const Tree::NodePtr node = stage_.server.find(name);
  if (walked->qid.path != node->id)
    complain(caller, "walked to another file");
  const auto attributes = co_await stage_.client.getattr(walked->fid.fid());
  saw(attributes.error(), walked->fid.fid());
  disturb();
  if (check_error(caller, attributes.error()) &&
      (attributes->qid.path != node->id || attributes->size != node->size()))
    complain(caller, "has another file's attributes");
}

awaitable<std::optional<OpenFile>> Callers::open_existing(Caller& caller, const std::string& name) {
  auto walked = co_await stage_.client.walk(stage_.client.root(), name);
  saw(walked.error(), proto::kNoFid);
  disturb();
  if (!check_error(caller, walked.error(), ENOENT))
    co_return std::nullopt;
  const Fid fid = walked->fid.fid();
  auto opened = co_await stage_.client.open(std::move(walked->fid), kReadOnly);
  saw(opened.error(), fid);
  disturb();
  if (!check_error(caller, opened.error()))
    co_return std::nullopt;
  co_return std::move(*opened);
}

awaitable<void> Callers::read(Caller& caller) {
  const std::string& name = stage_.dice.pick(stage_.files);
  const auto file = co_await open_existing(caller, name);
  if (!file)
    co_return;
  const Tree::NodePtr node = stage_.server.find(name);
  for (std::uint32_t times = stage_.dice.between(1, 4); times > 0; --times) {
    if (const bool goes_on = co_await read_once(caller, *file, node); !goes_on)
      co_return;
  }
}

awaitable<bool> Callers::read_once(Caller& caller, const OpenFile& file,
                                   const Tree::NodePtr& node) {
  Dice& dice = stage_.dice;
  const bool stream = dice.chance(150);
  const std::uint32_t chunk = stage_.client.chunk(file.iounit);
  const std::size_t length = node->content.size();
  const std::uint64_t offset = dice.below(length + length / 8 + 1);
  const auto size = std::size_t{dice.between(1, chunk * dice.between(1, kMostPieces))};
  const auto known = dice.chance(500) ? std::optional<std::uint64_t>(length) : std::nullopt;
  proto::Buffer memory = stage_.memory.lend(size);
  const auto bytes = memory.bytes;
  const auto done = co_await stage_.client.read(file, offset, memory,
                                                stream ? ReadMode::stream : ReadMode::exact, known);
  stage_.memory.answered(bytes);
  saw(done.error, file.fid.fid());
  disturb();
  const std::string_view content = node->content;
  const std::string_view expected = content.substr(
      std::min<std::size_t>(offset, length), stream ? std::min<std::size_t>(size, chunk) : size);
  check_read(caller, done, chars(bytes), expected, !stream);
  co_return !done.error || done.error.category() == proto::server_category();
}

void Callers::check_read(const Caller& caller, const Transferred& done, std::string_view got,
                         std::string_view expected, bool exact) {
  check_error(caller, done.error);
  if (done.bytes > expected.size())
    return complain(caller, "read behind the end of the file");
  if (got.substr(0, done.bytes) != expected.substr(0, done.bytes))
    return complain(caller, "read what the file does not hold");
  if (done.error)
    return;
  if (exact ? done.bytes != expected.size() : (done.bytes == 0 && !expected.empty()))
    return complain(caller, "a read ended before the end of the file");
  stage_.record.count(Occurrence::read_checked);
}

awaitable<std::optional<OpenFile>> Callers::create(Caller& caller, const std::string& name) {
  auto cloned = co_await stage_.client.clone(stage_.client.root());
  saw(cloned.error(), proto::kNoFid);
  disturb();
  if (!check_error(caller, cloned.error()))
    co_return std::nullopt;
  const Fid fid = cloned->fid();
  auto created = co_await stage_.client.create(std::move(*cloned), name, kReadWrite, 0644, 0);
  const error_code error = created.error();
  saw(error, fid);
  disturb();
  check_change(caller, error, stage_.server.find(name) != nullptr);
  if (!check_error(caller, error))
    co_return std::nullopt;
  stage_.record.count(Occurrence::create_checked);
  co_return std::move(*created);
}

awaitable<void> Callers::write(Caller& caller) {
  const std::string name = "own." + std::to_string(caller.number);
  const auto file = co_await create(caller, name);
  if (!file)
    co_return;
  const Tree::NodePtr node = stage_.server.find(name);
  for (std::uint32_t times = stage_.dice.between(1, 4); times > 0; --times) {
    if (const bool goes_on = co_await write_once(caller, *file, node); !goes_on)
      co_return;
    if (!stage_.dice.chance(500))
      continue;
    if (const bool goes_on = co_await read_once(caller, *file, node); !goes_on)
      co_return;
  }
  const error_code error = co_await stage_.client.fsync(file->fid.fid(), false);
  saw(error, file->fid.fid());
  check_error(caller, error);
}

awaitable<bool> Callers::write_once(Caller& caller, const OpenFile& file,
                                    const Tree::NodePtr& node) {
  Dice& dice = stage_.dice;
  const std::uint32_t chunk = stage_.client.chunk(file.iounit);
  const std::uint64_t offset = dice.below(node->content.size() + 1);
  const auto size = std::size_t{dice.between(1, chunk * dice.between(1, kMostPieces))};
  // Other bytes than those that stand there.
  const std::string text = test::pattern(size, dice.below(100'000));
  Transferred done;
  {
    const proto::Buffer memory = stage_.memory.lend(size);
    std::memcpy(memory.bytes.data(), text.data(), size);
    const proto::ConstBuffer data{memory.owner, memory.bytes};
    const WriteMode mode = dice.chance(200) ? WriteMode::in_order : WriteMode::pieces;
    done = co_await stage_.client.write(file, offset, data, mode);
  }
  saw(done.error, file.fid.fid());
  disturb();
  check_error(caller, done.error);
  if (done.bytes > size || (!done.error && done.bytes < size))
    complain(caller, "wrote " + std::to_string(done.bytes) + " bytes of " + std::to_string(size));
  else if (node->content.size() < offset + done.bytes ||
           std::string_view(node->content).substr(offset, done.bytes) !=
               std::string_view(text).substr(0, done.bytes))
    complain(caller, "the server has not got what was written");
  else if (!done.error)
    stage_.record.count(Occurrence::write_checked);
  co_return !done.error || done.error.category() == proto::server_category();
}

awaitable<void> Callers::list(Caller& caller) {
  auto cloned = co_await stage_.client.clone(stage_.client.root());
  saw(cloned.error(), proto::kNoFid);
  if (!check_error(caller, cloned.error()))
    co_return;
  const auto opened = co_await stage_.client.open(std::move(*cloned), kReadOnly);
  saw(opened.error(), proto::kNoFid);
  if (!check_error(caller, opened.error()))
    co_return;
  constexpr std::uint32_t kLeastRoom = 64, kMostRoom = 1000;
  std::map<std::string, int, std::less<>> seen;
  std::uint64_t offset = 0;
  for (;;) {
    const proto::Buffer memory = stage_.memory.lend(stage_.dice.between(kLeastRoom, kMostRoom));
    const Fid fid = opened->fid.fid();
    const auto done = co_await stage_.client.readdir(fid, offset, memory);
    stage_.memory.answered(memory.bytes);
    saw(done.error, fid);
    disturb();
    if (!check_error(caller, done.error))
      co_return;
    if (done.bytes == 0)
      break;
    const auto error =
        proto::for_each_dirent(memory.bytes.first(done.bytes), [&](const proto::Dirent& entry) {
          ++seen[std::string(entry.name)];
          offset = entry.offset;
        });
    if (error)
      co_return complain(caller, "no directory entries");
  }
  const bool complete =
      std::ranges::all_of(stage_.files, [&](const std::string& name) { return seen[name] == 1; });
  if (!complete)
    complain(caller, "a name is missing, or there twice");
  stage_.record.count(Occurrence::directory_checked);
}

/// Many fids, given back in any order.
awaitable<void> Callers::copy_fids(Caller& caller) {
  constexpr std::uint32_t kMostFids = 8;
  std::vector<FidHandle> fids;
  for (std::uint32_t times = stage_.dice.between(1, kMostFids); times > 0; --times) {
    auto cloned = co_await stage_.client.clone(fids.empty() ? stage_.client.root()
                                                            : stage_.dice.pick(fids).fid());
    saw(cloned.error(), proto::kNoFid);
    disturb();
    if (check_error(caller, cloned.error()))
      fids.push_back(std::move(*cloned));
    if (!fids.empty() && stage_.dice.chance(300)) {
      std::swap(stage_.dice.pick(fids), fids.back());
      fids.pop_back();
    }
  }
}

/// True if there is a file of this name then.
awaitable<bool> Callers::create_empty(Caller& caller, const std::string& name) {
  const auto file = co_await create(caller, name);
  co_return file.has_value();
}

awaitable<void> Callers::create_and_remove(Caller& caller) {
  const std::string name = "brief." + std::to_string(caller.number);
  if (const bool created = co_await create_empty(caller, name); !created)
    co_return;
  FidHandle known;
  if (stage_.dice.chance(300)) {
    auto walked = co_await stage_.client.walk(stage_.client.root(), name);
    saw(walked.error(), proto::kNoFid);
    if (!check_error(caller, walked.error(), ENOENT))
      co_return;
    known = std::move(walked->fid);
  }
  const error_code error =
      co_await stage_.client.unlink(stage_.client.root(), name, false, std::move(known));
  saw(error, proto::kNoFid);
  disturb();
  check_change(caller, error, stage_.server.find(name) == nullptr);
  if (check_error(caller, error, ENOENT))
    stage_.record.count(stage_.server.temper().has_unlinkat ? Occurrence::removal_checked
                                                            : Occurrence::tremove_checked);
}

awaitable<void> Callers::create_and_rename(Caller& caller) {
  const std::string name = "old." + std::to_string(caller.number);
  const std::string new_name = "new." + std::to_string(caller.number);
  if (const bool created = co_await create_empty(caller, name); !created)
    co_return;
  const error_code error =
      co_await stage_.client.rename(stage_.client.root(), name, stage_.client.root(), new_name);
  saw(error, proto::kNoFid);
  disturb();
  check_change(caller, error, stage_.server.find(new_name) && !stage_.server.find(name));
  if (check_error(caller, error, ENOENT))
    stage_.record.count(Occurrence::renaming_checked);
}

/// A change of names is there if it was reported, and is not if it was refused or never sent.
void Callers::check_change(const Caller& caller, const error_code& error, bool there) {
  const bool done_nothing = error == proto::Error::withdrawn ||
                            (error == proto::Error::cancelled && !stage_.server.temper().sloppy) ||
                            error.category() == proto::server_category();
  if (!error && !there)
    complain(caller, "nothing was changed");
  if (error && done_nothing && there)
    complain(caller, "a change that was not to be has been made");
}

}  // namespace fuse9p::sim
