// SPDX-License-Identifier: MIT
#include "fuse/request.hpp"

#include "src/log.hpp"

#include <boost/asio/post.hpp>

#include <cerrno>
#include <cstring>

namespace fuse9p::fs {

namespace asio = boost::asio;

namespace {

/// The kernel tells of the first signal only: a later fatal one is found by looking.
constexpr std::chrono::milliseconds kFatalSignalPoll{50};

std::uint64_t last_number = 0;  // for the log only

}  // namespace

Request::Request(asio::io_context& io, fuse_req_t request, const UserPolicy& users,
                 std::chrono::milliseconds grace, bool drops_set_id)
    : io_(io),
      request_(request),
      context_(*fuse_req_ctx(request)),
      user_(users.user_of(context_.uid)),
      number_(++last_number),
      started_(std::chrono::steady_clock::now()),
      patience_(grace),
      drops_set_id_(drops_set_id) {}

Request::~Request() {
  if (replied())
    return;
  log::error("a request was left without an answer: this is a bug in fuse9p");
  reply_errno(EIO);
}

void Request::listen() {
  if (!replied())  // some operations answer before they first wait
    fuse_req_interrupt_func(request_, &Request::on_interrupt, this);
}

/// Runs under libfuse's lock: it only posts.
void Request::on_interrupt(fuse_req_t, void* self) {
  auto* request = static_cast<Request*>(self);
  asio::post(request->io_, [weak = request->weak_from_this()] {
    if (const auto alive = weak.lock())
      alive->interrupted();
  });
}

void Request::interrupted() {
  if (replied())
    return;
  const auto now = std::chrono::steady_clock::now();
  if (now >= started_ + patience_ || fatal_signal_pending(context_.pid)) {
    log::debug("FUSE #{} interrupted: it is given up", number_);
    cancel_.emit(asio::cancellation_type::total);
    return free_later();
  }
  check_again();
}

void Request::free_after(std::chrono::milliseconds limit, std::function<void()> freed) {
  free_after_ = limit;
  freed_ = std::move(freed);
}

void Request::free_later() {
  if (!freed_)
    return;
  limit_ = std::make_unique<asio::steady_timer>(io_, free_after_);
  limit_->async_wait([weak = weak_from_this()](const error_code& error) {
    const auto alive = weak.lock();
    if (error || !alive || alive->replied())
      return;
    alive->reply_errno(EINTR);
    alive->freed_();
  });
}

void Request::check_again() {
  if (!timer_)
    timer_ = std::make_unique<asio::steady_timer>(io_);
  const auto next_look = std::chrono::steady_clock::now() + kFatalSignalPoll;
  timer_->expires_at(
      std::min<std::chrono::steady_clock::time_point>(started_ + patience_, next_look));
  timer_->async_wait([weak = weak_from_this()](const error_code& error) {
    const auto alive = weak.lock();
    if (alive && !error)
      alive->interrupted();
  });
}

void Request::give_up_after(std::chrono::milliseconds limit) {
  limit_ = std::make_unique<asio::steady_timer>(io_, limit);
  limit_->async_wait([weak = weak_from_this(), limit](const error_code& error) {
    const auto alive = weak.lock();
    if (error || !alive || alive->replied())
      return;
    log::warn("a read has waited for {} ms without an answer and is given up (page_timeout)",
              limit.count());
    alive->given_up_ = true;
    alive->cancel_.emit(asio::cancellation_type::total);
  });
}

/// After this libfuse has forgotten the request, whatever the kernel says.
fuse_req_t Request::take() {
  for (const auto* timer : {&timer_, &limit_}) {
    if (*timer)
      (*timer)->cancel();
  }
  return std::exchange(request_, nullptr);
}

void Request::trace(int number) const {
  if (log::debugging())
    log::debug("FUSE #{} = {}", number_, number == 0 ? "ok" : std::strerror(number));
}

void Request::reply_error(const error_code& error) {
  reply_errno(errno_of(error));
}

void Request::reply_errno(int number) {
  if (given_up_ && number == EINTR)
    number = EIO;  // nobody has interrupted it
  trace(number);
  fuse_reply_err(take(), number);
}

bool Request::reply_entry(const fuse_entry_param& entry) {
  trace(0);
  return fuse_reply_entry(take(), &entry) == 0;
}

bool Request::reply_create(const fuse_entry_param& entry, const fuse_file_info& file) {
  trace(0);
  return fuse_reply_create(take(), &entry, &file) == 0;
}

bool Request::reply_open(const fuse_file_info& file) {
  trace(0);
  return fuse_reply_open(take(), &file) == 0;
}

bool Request::reply_data(std::span<const std::byte> data) {
  trace(0);
  return fuse_reply_buf(take(), reinterpret_cast<const char*>(data.data()), data.size()) == 0;
}

void Request::reply_attr(const struct stat& attributes, double timeout) {
  trace(0);
  fuse_reply_attr(take(), &attributes, timeout);
}

void Request::reply_readlink(const std::string& target) {
  trace(0);
  fuse_reply_readlink(take(), target.c_str());
}

void Request::reply_xattr_size(std::size_t bytes) {
  trace(0);
  fuse_reply_xattr(take(), bytes);
}

void Request::reply_written(std::size_t bytes) {
  trace(0);
  fuse_reply_write(take(), bytes);
}

void Request::reply_lock(const struct flock& lock) {
  trace(0);
  fuse_reply_lock(take(), &lock);
}

void Request::reply_statfs(const struct statvfs& statistics) {
  trace(0);
  fuse_reply_statfs(take(), &statistics);
}

}  // namespace fuse9p::fs
