// SPDX-License-Identifier: MIT
// The words of 9P: tags, fids, qids, message types, dialects and the sizes of the wire format.
// Manual: intro(5), 9P2000.u and 9P2000.L. Plain values; anybody may include this.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fuse9p::proto {

/// Names one outstanding request on a connection. Handed out by TagPool only.
enum class Tag : std::uint16_t {};
/// The tag of Tversion, and of nothing else.
inline constexpr Tag kNoTag{0xFFFF};

/// Client's name for a file on the server. Handed out by FidPool only.
enum class Fid : std::uint32_t {};
/// "No fid": the afid of an attach without authentication.
inline constexpr Fid kNoFid{0xFFFFFFFF};
/// "No numeric user": the server goes by uname.
inline constexpr std::uint32_t kNoNumericUname = 0xFFFFFFFF;

constexpr std::uint16_t to_int(Tag tag) {
  return static_cast<std::uint16_t>(tag);
}
constexpr std::uint32_t to_int(Fid fid) {
  return static_cast<std::uint32_t>(fid);
}

/// The server's identity of a file: 13 bytes, type[1] version[4] path[8] in this order.
struct Qid {
  std::uint8_t type = 0;
  std::uint32_t version = 0;
  std::uint64_t path = 0;
  auto operator<=>(const Qid&) const = default;
};

namespace qid_type {
inline constexpr std::uint8_t kDir = 0x80, kAppend = 0x40, kExclusive = 0x20, kMount = 0x10,
                              kAuth = 0x08, kTemporary = 0x04, kSymlink = 0x02, kLink = 0x01;
}

/// What two sides agree on at Tversion.
enum class Dialect : std::uint8_t {
  legacy,  ///< 9P2000
  u,       ///< 9P2000.u
  l,       ///< 9P2000.L
};

constexpr std::string_view version_string(Dialect dialect) {
  switch (dialect) {
    case Dialect::legacy:
      return "9P2000";
    case Dialect::u:
      return "9P2000.u";
    case Dialect::l:
      return "9P2000.L";
  }
  return "unknown";
}

/// T-messages are even, the reply to T is T + 1. 6 and 106 are never sent.
enum class MessageType : std::uint8_t {
  Rlerror = 7,
  Tstatfs = 8,
  Rstatfs,
  Tlopen = 12,
  Rlopen,
  Tlcreate = 14,
  Rlcreate,
  Tsymlink = 16,
  Rsymlink,
  Tmknod = 18,
  Rmknod,
  Trename = 20,
  Rrename,
  Treadlink = 22,
  Rreadlink,
  Tgetattr = 24,
  Rgetattr,
  Tsetattr = 26,
  Rsetattr,
  Txattrwalk = 30,
  Rxattrwalk,
  Txattrcreate = 32,
  Rxattrcreate,
  Treaddir = 40,
  Rreaddir,
  Tfsync = 50,
  Rfsync,
  Tlock = 52,
  Rlock,
  Tgetlock = 54,
  Rgetlock,
  Tlink = 70,
  Rlink,
  Tmkdir = 72,
  Rmkdir,
  Trenameat = 74,
  Rrenameat,
  Tunlinkat = 76,
  Runlinkat,
  Tversion = 100,
  Rversion,
  Tauth = 102,
  Rauth,
  Tattach = 104,
  Rattach,
  Rerror = 107,
  Tflush = 108,
  Rflush,
  Twalk = 110,
  Rwalk,
  Topen = 112,
  Ropen,
  Tcreate = 114,
  Rcreate,
  Tread = 116,
  Rread,
  Twrite = 118,
  Rwrite,
  Tclunk = 120,
  Rclunk,
  Tremove = 122,
  Rremove,
  Tstat = 124,
  Rstat,
  Twstat = 126,
  Rwstat,
};

constexpr std::uint8_t to_int(MessageType type) {
  return static_cast<std::uint8_t>(type);
}
constexpr bool is_request(MessageType type) {
  return to_int(type) % 2 == 0;
}
constexpr MessageType reply_type(MessageType request) {
  return static_cast<MessageType>(to_int(request) + 1);
}

/// size[4] type[1] tag[2]
inline constexpr std::size_t kHeaderSize = 7;
/// size[4] type[1] tag[2] count[4]: what stands before the data of Rread and Rreaddir.
inline constexpr std::size_t kDataReplyHeaderSize = 11;
/// IOHDRSZ: msize less this is the most that one Tread, Twrite or Treaddir may carry. Servers hold
/// a client to 24 even where 11 would do.
inline constexpr std::uint32_t kIoHeaderSize = 24;
inline constexpr std::size_t kQidSize = 13;
/// MAXWELEM: names in one Twalk.
inline constexpr std::size_t kMaxWalkElements = 16;
/// The least msize that we can work with, and the most that we ask for.
inline constexpr std::uint32_t kMinMsize = 4096;
inline constexpr std::uint32_t kMaxMsize = 16U << 20;
/// The longest string a message can carry; also bounds every reply without data.
inline constexpr std::size_t kMaxStringSize = 0xFFFF;
inline constexpr std::uint16_t kDefaultPort = 564;

}  // namespace fuse9p::proto
