// SPDX-License-Identifier: MIT
#include "proto/error.hpp"

#include <cerrno>
#include <cstring>
#include <string>

// Boost's own base has a protected destructor; nobody deletes a category.
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"

namespace fuse9p::proto {
namespace {

constexpr std::uint32_t kMaxErrno = 4095;

struct ProtoCategory final : boost::system::error_category {
  const char* name() const noexcept override { return "fuse9p.proto"; }
  std::string message(int value) const override {
    switch (static_cast<Error>(value)) {
      case Error::ok:
        return "success";
      case Error::truncated:
        return "message ends before its last field";
      case Error::trailing_bytes:
        return "bytes left after the last field";
      case Error::frame_too_small:
        return "message size below 7";
      case Error::frame_too_large:
        return "message larger than it may be";
      case Error::unknown_type:
        return "unknown message type";
      case Error::bad_string:
        return "string with a NUL byte or over 65535 bytes";
      case Error::too_many_elements:
        return "more than 16 walk elements";
      case Error::bad_stat:
        return "stat record with inconsistent sizes";
      case Error::bad_text:
        return "not a 9P message in text form";
      case Error::unexpected_tag:
        return "reply to a tag that is not in use";
      case Error::unexpected_reply:
        return "reply of the wrong type";
      case Error::count_too_large:
        return "reply with more data than asked for";
      case Error::cancelled:
        return "request cancelled";
      case Error::withdrawn:
        return "request cancelled before it was sent";
      case Error::abandoned:
        return "request abandoned without an answer";
      case Error::connection_lost:
        return "connection lost";
      case Error::message_too_large:
        return "request does not fit into msize";
    }
    return "unknown error";
  }
};

struct ServerCategory final : boost::system::error_category {
  const char* name() const noexcept override { return "fuse9p.server"; }
  std::string message(int value) const override { return std::strerror(value); }
};

}  // namespace

const boost::system::error_category& proto_category() {
  static const ProtoCategory category;
  return category;
}

error_code make_error_code(Error error) {
  return {static_cast<int>(error), proto_category()};
}

const boost::system::error_category& server_category() {
  static const ServerCategory category;
  return category;
}

error_code make_server_error(std::uint32_t ecode) {
  const bool sane = ecode >= 1 && ecode <= kMaxErrno;
  return {sane ? static_cast<int>(ecode) : EIO, server_category()};
}

}  // namespace fuse9p::proto
