// SPDX-License-Identifier: MIT
#include "fuse/errno.hpp"

#include "proto/error.hpp"

#include <cerrno>

namespace fuse9p::fs {
namespace {

constexpr int kFirstKernelInternal = 512;  // ERESTARTSYS; the kernel refuses it and what follows
constexpr int kKernelNotSupported = 524;   // ENOTSUPP

int errno_of_server(int number) {
  if (number == ENOSYS || number == kKernelNotSupported)
    return EOPNOTSUPP;
  return number == EBADF || number < 1 || number >= kFirstKernelInternal ? EIO : number;
}

}  // namespace

int errno_of(const error_code& error) {
  if (!error)
    return 0;
  if (error.category() == proto::server_category())
    return errno_of_server(error.value());
  if (interrupted(error))
    return EINTR;
  if (error == proto::Error::message_too_large)
    return ENAMETOOLONG;
  if (error == proto::Error::bad_string)
    return EINVAL;
  return EIO;
}

bool interrupted(const error_code& error) {
  return error == proto::Error::cancelled || error == proto::Error::withdrawn ||
         error == proto::Error::abandoned;
}

error_code as_error(int number) {
  return {number, proto::server_category()};
}

}  // namespace fuse9p::fs
