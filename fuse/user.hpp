// SPDX-License-Identifier: MIT
// Users: as whom the server sees a request. With access=client or user each local user has an
// attach of its own under its number (n_uname), made at its first request; with access=any, or a
// number, all use the one that the mount was made with.
#pragma once

#include "proto/types.hpp"

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace fuse9p::fs {

/// Whose attach a fid comes from: a user's number, or the mount's own attach.
enum class UserId : std::uint32_t { mount = proto::kNoNumericUname };

struct UserPolicy {
  bool attach_each = false;
  /// The number that the mount's own attach was made with, if it was: that user needs no other.
  std::uint32_t mount_number = proto::kNoNumericUname;
  /// Nobody else is let in, not even root.
  std::optional<uid_t> only{};

  UserId user_of(uid_t uid) const {
    return attach_each && uid != mount_number ? UserId{uid} : UserId::mount;
  }
  bool lets_in(uid_t uid) const { return !only || *only == uid; }
};

}  // namespace fuse9p::fs
