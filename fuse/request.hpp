// SPDX-License-Identifier: MIT
// Request: one FUSE request, from the kernel's question to exactly one reply. It carries the caller
// and the interrupt. It is owned by the coroutine that answers it; the destructor answers EIO, and
// complains, if nobody did.
#pragma once

#include "fuse/errno.hpp"
#include "fuse/signal_policy.hpp"
#include "fuse/user.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fuse_lowlevel.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace fuse9p::fs {

class Request : public std::enable_shared_from_this<Request> {
 public:
  /// `grace`: how long a signal that is not fatal is ignored, from the request's start.
  /// `drops_set_id`: see below.
  Request(boost::asio::io_context& io, fuse_req_t request, const UserPolicy& users,
          std::chrono::milliseconds grace, bool drops_set_id);
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  ~Request();

  /// Interrupts are listened to from here on.
  void listen();
  /// Where the coroutine that answers is cancelled.
  boost::asio::cancellation_slot slot() { return cancel_.slot(); }
  /// Patience::grace is the default.
  void be_brief() { patience_ = kBriefPatience; }
  /// For work that, once begun, goes on to its end whoever waits for it: where an interrupt has not
  /// ended it within `limit`, the caller gets EINTR all the same. `freed` is called then; the
  /// operation, when it is done, finds replied().
  void free_after(std::chrono::milliseconds limit, std::function<void()> freed);
  /// Bounds the wait for the server: beyond it the request is given up, and the answer is EIO.
  void give_up_after(std::chrono::milliseconds limit);

  uid_t uid() const { return context_.uid; }
  gid_t gid() const { return context_.gid; }
  /// As whom the server is to see it.
  UserId user() const { return user_; }
  /// Of what makes a name, with posixacl: the kernel has not applied it.
  mode_t umask() const { return context_.umask; }
  /// The set-id bits of the file go with this change: set_id.hpp.
  bool drops_set_id() const { return drops_set_id_; }
  /// Names the request in the log.
  std::uint64_t number() const { return number_; }

  // Exactly one of these. What the kernel takes back (the caller has gone) is not an error.
  void reply_error(const error_code& error);
  void reply_errno(int number);
  void reply_ok() { reply_errno(0); }
  /// False if the kernel did not take it: the lookup does not count then.
  bool reply_entry(const fuse_entry_param& entry);
  bool reply_create(const fuse_entry_param& entry, const fuse_file_info& file);
  bool reply_open(const fuse_file_info& file);
  bool reply_data(std::span<const std::byte> data);
  void reply_attr(const struct stat& attributes, double timeout);
  void reply_readlink(const std::string& target);
  void reply_xattr_size(std::size_t bytes);
  void reply_written(std::size_t bytes);
  void reply_lock(const struct flock& lock);
  void reply_statfs(const struct statvfs& statistics);

  bool replied() const { return request_ == nullptr; }
  /// For fuse_add_direntry.
  fuse_req_t raw() const { return request_; }

 private:
  static void on_interrupt(fuse_req_t request, void* self);
  void interrupted();
  void check_again();
  void free_later();
  fuse_req_t take();
  void trace(int number) const;

  boost::asio::io_context& io_;
  fuse_req_t request_;
  fuse_ctx context_;
  UserId user_;
  std::uint64_t number_;
  std::chrono::steady_clock::time_point started_;
  std::chrono::milliseconds patience_;
  bool drops_set_id_;
  boost::asio::cancellation_signal cancel_;
  std::unique_ptr<boost::asio::steady_timer> timer_;  // only once a signal came
  std::unique_ptr<boost::asio::steady_timer> limit_;
  std::chrono::milliseconds free_after_{};
  std::function<void()> freed_;  // none: interrupts end the work
  bool given_up_ = false;
};

}  // namespace fuse9p::fs
