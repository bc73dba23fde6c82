// SPDX-License-Identifier: MIT
// Every message of 9P2000, 9P2000.u and 9P2000.L, each described once by its field list, in
// protocol order. Manual: section 5 of Plan 9, the 9P2000.u draft, diod's protocol.md for 9P2000.L.
//
// Strings, names and data are views: into the caller's memory when encoding, into the frame when
// decoding. They live as long as what they point into.
#pragma once

#include "proto/field.hpp"
#include "proto/types.hpp"

#include <boost/container/static_vector.hpp>
#include <boost/mp11/list.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace fuse9p::proto {

/// nwname[2] nwname*(wname[s])
using Names = boost::container::static_vector<std::string_view, kMaxWalkElements>;
/// nwqid[2] nwqid*(qid[13])
using Qids = boost::container::static_vector<Qid, kMaxWalkElements>;
/// count[4] data[count]; always the last field of its message.
using Data = std::span<const std::byte>;

/// A directory entry of 9P2000 and .u: stat(5). The defaults are wstat's "don't touch" values.
struct Stat {
  std::uint16_t type = 0xFFFF;
  std::uint32_t dev = 0xFFFFFFFF;
  Qid qid{0xFF, 0xFFFFFFFF, ~std::uint64_t{0}};
  std::uint32_t mode = 0xFFFFFFFF;
  std::uint32_t atime = 0xFFFFFFFF;
  std::uint32_t mtime = 0xFFFFFFFF;
  std::uint64_t length = ~std::uint64_t{0};
  std::string_view name{}, uid{}, gid{}, muid{}, extension{};
  std::uint32_t n_uid = 0xFFFFFFFF, n_gid = 0xFFFFFFFF, n_muid = 0xFFFFFFFF;

  static constexpr auto fields = std::tuple{
      Field{"type", &Stat::type, Base::hex},
      Field{"dev", &Stat::dev, Base::hex},
      Field{"qid", &Stat::qid},
      Field{"mode", &Stat::mode, Base::octal},
      Field{"atime", &Stat::atime},
      Field{"mtime", &Stat::mtime},
      Field{"length", &Stat::length},
      Field{"name", &Stat::name},
      Field{"uid", &Stat::uid},
      Field{"gid", &Stat::gid},
      Field{"muid", &Stat::muid},
      Field{"extension", &Stat::extension, Base::decimal, In::u},
      Field{"n_uid", &Stat::n_uid, Base::decimal, In::u},
      Field{"n_gid", &Stat::n_gid, Base::decimal, In::u},
      Field{"n_muid", &Stat::n_muid, Base::decimal, In::u},
  };
};

// ---- all dialects: version(5), attach(5), flush(5), walk(5), read(5), clunk(5), remove(5)

/// Its tag is kNoTag, and nothing else may be outstanding.
struct Tversion {
  static constexpr auto kType = MessageType::Tversion;
  static constexpr std::string_view kName = "Tversion";
  std::uint32_t msize{};
  std::string_view version{};
  static constexpr auto fields = std::tuple{
      Field{"msize", &Tversion::msize},
      Field{"version", &Tversion::version},
  };
};
struct Rversion {
  static constexpr auto kType = MessageType::Rversion;
  static constexpr std::string_view kName = "Rversion";
  std::uint32_t msize{};
  std::string_view version{};
  static constexpr auto fields = std::tuple{
      Field{"msize", &Rversion::msize},
      Field{"version", &Rversion::version},
  };
};
struct Tauth {
  static constexpr auto kType = MessageType::Tauth;
  static constexpr std::string_view kName = "Tauth";
  Fid afid{};
  std::string_view uname{};
  std::string_view aname{};
  std::uint32_t n_uname{};
  static constexpr auto fields = std::tuple{
      Field{"afid", &Tauth::afid},
      Field{"uname", &Tauth::uname},
      Field{"aname", &Tauth::aname},
      Field{"n_uname", &Tauth::n_uname, Base::decimal, In::u_and_l},
  };
};
struct Rauth {
  static constexpr auto kType = MessageType::Rauth;
  static constexpr std::string_view kName = "Rauth";
  Qid aqid{};
  static constexpr auto fields = std::tuple{
      Field{"aqid", &Rauth::aqid},
  };
};
struct Tattach {
  static constexpr auto kType = MessageType::Tattach;
  static constexpr std::string_view kName = "Tattach";
  Fid fid{};
  Fid afid{};
  std::string_view uname{};
  std::string_view aname{};
  std::uint32_t n_uname{};
  static constexpr auto fields = std::tuple{
      Field{"fid", &Tattach::fid},
      Field{"afid", &Tattach::afid},
      Field{"uname", &Tattach::uname},
      Field{"aname", &Tattach::aname},
      Field{"n_uname", &Tattach::n_uname, Base::decimal, In::u_and_l},
  };
};
struct Rattach {
  static constexpr auto kType = MessageType::Rattach;
  static constexpr std::string_view kName = "Rattach";
  Qid qid{};
  static constexpr auto fields = std::tuple{
      Field{"qid", &Rattach::qid},
  };
};
/// 9P2000 and .u; some .L servers answer Tversion with it.
struct Rerror {
  static constexpr auto kType = MessageType::Rerror;
  static constexpr std::string_view kName = "Rerror";
  std::string_view ename{};
  std::uint32_t errnum{};
  static constexpr auto fields = std::tuple{
      Field{"ename", &Rerror::ename},
      Field{"errno", &Rerror::errnum, Base::decimal, In::u},
  };
};
/// flush(5): "I no longer want the answer to oldtag".
struct Tflush {
  static constexpr auto kType = MessageType::Tflush;
  static constexpr std::string_view kName = "Tflush";
  Tag oldtag{};
  static constexpr auto fields = std::tuple{
      Field{"oldtag", &Tflush::oldtag},
  };
};
struct Rflush {
  static constexpr auto kType = MessageType::Rflush;
  static constexpr std::string_view kName = "Rflush";
  static constexpr std::tuple<> fields{};
};
struct Twalk {
  static constexpr auto kType = MessageType::Twalk;
  static constexpr std::string_view kName = "Twalk";
  Fid fid{};
  Fid newfid{};
  Names wname{};
  static constexpr auto fields = std::tuple{
      Field{"fid", &Twalk::fid},
      Field{"newfid", &Twalk::newfid},
      Field{"wname", &Twalk::wname},
  };
};
struct Rwalk {
  static constexpr auto kType = MessageType::Rwalk;
  static constexpr std::string_view kName = "Rwalk";
  Qids qid{};
  static constexpr auto fields = std::tuple{
      Field{"qid", &Rwalk::qid},
  };
};
struct Tread {
  static constexpr auto kType = MessageType::Tread;
  static constexpr std::string_view kName = "Tread";
  Fid fid{};
  std::uint64_t offset{};
  std::uint32_t count{};
  static constexpr auto fields = std::tuple{
      Field{"fid", &Tread::fid},
      Field{"offset", &Tread::offset},
      Field{"count", &Tread::count},
  };
};
struct Rread {
  static constexpr auto kType = MessageType::Rread;
  static constexpr std::string_view kName = "Rread";
  Data data{};
  static constexpr auto fields = std::tuple{
      Field{"data", &Rread::data},
  };
};
struct Twrite {
  static constexpr auto kType = MessageType::Twrite;
  static constexpr std::string_view kName = "Twrite";
  Fid fid{};
  std::uint64_t offset{};
  Data data{};
  static constexpr auto fields = std::tuple{
      Field{"fid", &Twrite::fid},
      Field{"offset", &Twrite::offset},
      Field{"data", &Twrite::data},
  };
};
struct Rwrite {
  static constexpr auto kType = MessageType::Rwrite;
  static constexpr std::string_view kName = "Rwrite";
  std::uint32_t count{};
  static constexpr auto fields = std::tuple{
      Field{"count", &Rwrite::count},
  };
};
struct Tclunk {
  static constexpr auto kType = MessageType::Tclunk;
  static constexpr std::string_view kName = "Tclunk";
  Fid fid{};
  static constexpr auto fields = std::tuple{
      Field{"fid", &Tclunk::fid},
  };
};
struct Rclunk {
  static constexpr auto kType = MessageType::Rclunk;
  static constexpr std::string_view kName = "Rclunk";
  static constexpr std::tuple<> fields{};
};
struct Tremove {
  static constexpr auto kType = MessageType::Tremove;
  static constexpr std::string_view kName = "Tremove";
  Fid fid{};
  static constexpr auto fields = std::tuple{
      Field{"fid", &Tremove::fid},
  };
};
struct Rremove {
  static constexpr auto kType = MessageType::Rremove;
  static constexpr std::string_view kName = "Rremove";
  static constexpr std::tuple<> fields{};
};

// ---- 9P2000 and 9P2000.u: open(5), stat(5)

struct Topen {
  static constexpr auto kType = MessageType::Topen;
  static constexpr std::string_view kName = "Topen";
  Fid fid{};
  std::uint8_t mode{};
  static constexpr auto fields = std::tuple{
      Field{"fid", &Topen::fid},
      Field{"mode", &Topen::mode, Base::hex},
  };
};
struct Ropen {
  static constexpr auto kType = MessageType::Ropen;
  static constexpr std::string_view kName = "Ropen";
  Qid qid{};
  std::uint32_t iounit{};
  static constexpr auto fields = std::tuple{
      Field{"qid", &Ropen::qid},
      Field{"iounit", &Ropen::iounit},
  };
};
struct Tcreate {
  static constexpr auto kType = MessageType::Tcreate;
  static constexpr std::string_view kName = "Tcreate";
  Fid fid{};
  std::string_view name{};
  std::uint32_t perm{};
  std::uint8_t mode{};
  std::string_view extension{};
  static constexpr auto fields = std::tuple{
      Field{"fid", &Tcreate::fid},
      Field{"name", &Tcreate::name},
      Field{"perm", &Tcreate::perm, Base::octal},
      Field{"mode", &Tcreate::mode, Base::hex},
      Field{"extension", &Tcreate::extension, Base::decimal, In::u},
  };
};
struct Rcreate {
  static constexpr auto kType = MessageType::Rcreate;
  static constexpr std::string_view kName = "Rcreate";
  Qid qid{};
  std::uint32_t iounit{};
  static constexpr auto fields = std::tuple{
      Field{"qid", &Rcreate::qid},
      Field{"iounit", &Rcreate::iounit},
  };
};
struct Tstat {
  static constexpr auto kType = MessageType::Tstat;
  static constexpr std::string_view kName = "Tstat";
  Fid fid{};
  static constexpr auto fields = std::tuple{
      Field{"fid", &Tstat::fid},
  };
};
struct Rstat {
  static constexpr auto kType = MessageType::Rstat;
  static constexpr std::string_view kName = "Rstat";
  Stat stat{};
  static constexpr auto fields = std::tuple{
      Field{"stat", &Rstat::stat},
  };
};
struct Twstat {
  static constexpr auto kType = MessageType::Twstat;
  static constexpr std::string_view kName = "Twstat";
  Fid fid{};
  Stat stat{};
  static constexpr auto fields = std::tuple{
      Field{"fid", &Twstat::fid},
      Field{"stat", &Twstat::stat},
  };
};
struct Rwstat {
  static constexpr auto kType = MessageType::Rwstat;
  static constexpr std::string_view kName = "Rwstat";
  static constexpr std::tuple<> fields{};
};

// ---- 9P2000.L

/// A Linux errno of the generic numbering.
struct Rlerror {
  static constexpr auto kType = MessageType::Rlerror;
  static constexpr std::string_view kName = "Rlerror";
  std::uint32_t ecode{};
  static constexpr auto fields = std::tuple{
      Field{"ecode", &Rlerror::ecode},
  };
};
struct Tstatfs {
  static constexpr auto kType = MessageType::Tstatfs;
  static constexpr std::string_view kName = "Tstatfs";
  Fid fid{};
  static constexpr auto fields = std::tuple{
      Field{"fid", &Tstatfs::fid},
  };
};
struct Rstatfs {
  static constexpr auto kType = MessageType::Rstatfs;
  static constexpr std::string_view kName = "Rstatfs";
  std::uint32_t type{};
  std::uint32_t bsize{};
  std::uint64_t blocks{};
  std::uint64_t bfree{};
  std::uint64_t bavail{};
  std::uint64_t files{};
  std::uint64_t ffree{};
  std::uint64_t fsid{};
  std::uint32_t namelen{};
  static constexpr auto fields = std::tuple{
      Field{"type", &Rstatfs::type, Base::hex}, Field{"bsize", &Rstatfs::bsize},
      Field{"blocks", &Rstatfs::blocks},        Field{"bfree", &Rstatfs::bfree},
      Field{"bavail", &Rstatfs::bavail},        Field{"files", &Rstatfs::files},
      Field{"ffree", &Rstatfs::ffree},          Field{"fsid", &Rstatfs::fsid, Base::hex},
      Field{"namelen", &Rstatfs::namelen},
  };
};
struct Tlopen {
  static constexpr auto kType = MessageType::Tlopen;
  static constexpr std::string_view kName = "Tlopen";
  Fid fid{};
  std::uint32_t flags{};
  static constexpr auto fields = std::tuple{
      Field{"fid", &Tlopen::fid},
      Field{"flags", &Tlopen::flags, Base::octal},
  };
};
struct Rlopen {
  static constexpr auto kType = MessageType::Rlopen;
  static constexpr std::string_view kName = "Rlopen";
  Qid qid{};
  std::uint32_t iounit{};
  static constexpr auto fields = std::tuple{
      Field{"qid", &Rlopen::qid},
      Field{"iounit", &Rlopen::iounit},
  };
};
struct Tlcreate {
  static constexpr auto kType = MessageType::Tlcreate;
  static constexpr std::string_view kName = "Tlcreate";
  Fid fid{};
  std::string_view name{};
  std::uint32_t flags{};
  std::uint32_t mode{};
  std::uint32_t gid{};
  static constexpr auto fields = std::tuple{
      Field{"fid", &Tlcreate::fid},
      Field{"name", &Tlcreate::name},
      Field{"flags", &Tlcreate::flags, Base::octal},
      Field{"mode", &Tlcreate::mode, Base::octal},
      Field{"gid", &Tlcreate::gid},
  };
};
struct Rlcreate {
  static constexpr auto kType = MessageType::Rlcreate;
  static constexpr std::string_view kName = "Rlcreate";
  Qid qid{};
  std::uint32_t iounit{};
  static constexpr auto fields = std::tuple{
      Field{"qid", &Rlcreate::qid},
      Field{"iounit", &Rlcreate::iounit},
  };
};
struct Tsymlink {
  static constexpr auto kType = MessageType::Tsymlink;
  static constexpr std::string_view kName = "Tsymlink";
  Fid dfid{};
  std::string_view name{};
  std::string_view target{};
  std::uint32_t gid{};
  static constexpr auto fields = std::tuple{
      Field{"dfid", &Tsymlink::dfid},
      Field{"name", &Tsymlink::name},
      Field{"target", &Tsymlink::target},
      Field{"gid", &Tsymlink::gid},
  };
};
struct Rsymlink {
  static constexpr auto kType = MessageType::Rsymlink;
  static constexpr std::string_view kName = "Rsymlink";
  Qid qid{};
  static constexpr auto fields = std::tuple{
      Field{"qid", &Rsymlink::qid},
  };
};
struct Tmknod {
  static constexpr auto kType = MessageType::Tmknod;
  static constexpr std::string_view kName = "Tmknod";
  Fid dfid{};
  std::string_view name{};
  std::uint32_t mode{};
  std::uint32_t major{};
  std::uint32_t minor{};
  std::uint32_t gid{};
  static constexpr auto fields = std::tuple{
      Field{"dfid", &Tmknod::dfid},
      Field{"name", &Tmknod::name},
      Field{"mode", &Tmknod::mode, Base::octal},
      Field{"major", &Tmknod::major},
      Field{"minor", &Tmknod::minor},
      Field{"gid", &Tmknod::gid},
  };
};
struct Rmknod {
  static constexpr auto kType = MessageType::Rmknod;
  static constexpr std::string_view kName = "Rmknod";
  Qid qid{};
  static constexpr auto fields = std::tuple{
      Field{"qid", &Rmknod::qid},
  };
};
struct Trename {
  static constexpr auto kType = MessageType::Trename;
  static constexpr std::string_view kName = "Trename";
  Fid fid{};
  Fid dfid{};
  std::string_view name{};
  static constexpr auto fields = std::tuple{
      Field{"fid", &Trename::fid},
      Field{"dfid", &Trename::dfid},
      Field{"name", &Trename::name},
  };
};
struct Rrename {
  static constexpr auto kType = MessageType::Rrename;
  static constexpr std::string_view kName = "Rrename";
  static constexpr std::tuple<> fields{};
};
struct Treadlink {
  static constexpr auto kType = MessageType::Treadlink;
  static constexpr std::string_view kName = "Treadlink";
  Fid fid{};
  static constexpr auto fields = std::tuple{
      Field{"fid", &Treadlink::fid},
  };
};
struct Rreadlink {
  static constexpr auto kType = MessageType::Rreadlink;
  static constexpr std::string_view kName = "Rreadlink";
  std::string_view target{};
  static constexpr auto fields = std::tuple{
      Field{"target", &Rreadlink::target},
  };
};
struct Tgetattr {
  static constexpr auto kType = MessageType::Tgetattr;
  static constexpr std::string_view kName = "Tgetattr";
  Fid fid{};
  std::uint64_t request_mask{};
  static constexpr auto fields = std::tuple{
      Field{"fid", &Tgetattr::fid},
      Field{"request_mask", &Tgetattr::request_mask, Base::hex},
  };
};
struct Rgetattr {
  static constexpr auto kType = MessageType::Rgetattr;
  static constexpr std::string_view kName = "Rgetattr";
  std::uint64_t valid{};
  Qid qid{};
  std::uint32_t mode{};
  std::uint32_t uid{};
  std::uint32_t gid{};
  std::uint64_t nlink{};
  std::uint64_t rdev{};
  std::uint64_t size{};
  std::uint64_t blksize{};
  std::uint64_t blocks{};
  std::uint64_t atime_sec{};
  std::uint64_t atime_nsec{};
  std::uint64_t mtime_sec{};
  std::uint64_t mtime_nsec{};
  std::uint64_t ctime_sec{};
  std::uint64_t ctime_nsec{};
  std::uint64_t btime_sec{};
  std::uint64_t btime_nsec{};
  std::uint64_t gen{};
  std::uint64_t data_version{};
  static constexpr auto fields = std::tuple{
      Field{"valid", &Rgetattr::valid, Base::hex},
      Field{"qid", &Rgetattr::qid},
      Field{"mode", &Rgetattr::mode, Base::octal},
      Field{"uid", &Rgetattr::uid},
      Field{"gid", &Rgetattr::gid},
      Field{"nlink", &Rgetattr::nlink},
      Field{"rdev", &Rgetattr::rdev, Base::hex},
      Field{"size", &Rgetattr::size},
      Field{"blksize", &Rgetattr::blksize},
      Field{"blocks", &Rgetattr::blocks},
      Field{"atime_sec", &Rgetattr::atime_sec},
      Field{"atime_nsec", &Rgetattr::atime_nsec},
      Field{"mtime_sec", &Rgetattr::mtime_sec},
      Field{"mtime_nsec", &Rgetattr::mtime_nsec},
      Field{"ctime_sec", &Rgetattr::ctime_sec},
      Field{"ctime_nsec", &Rgetattr::ctime_nsec},
      Field{"btime_sec", &Rgetattr::btime_sec},
      Field{"btime_nsec", &Rgetattr::btime_nsec},
      Field{"gen", &Rgetattr::gen},
      Field{"data_version", &Rgetattr::data_version},
  };
};
struct Tsetattr {
  static constexpr auto kType = MessageType::Tsetattr;
  static constexpr std::string_view kName = "Tsetattr";
  Fid fid{};
  std::uint32_t valid{};
  std::uint32_t mode{};
  std::uint32_t uid{};
  std::uint32_t gid{};
  std::uint64_t size{};
  std::uint64_t atime_sec{};
  std::uint64_t atime_nsec{};
  std::uint64_t mtime_sec{};
  std::uint64_t mtime_nsec{};
  static constexpr auto fields = std::tuple{
      Field{"fid", &Tsetattr::fid},
      Field{"valid", &Tsetattr::valid, Base::hex},
      Field{"mode", &Tsetattr::mode, Base::octal},
      Field{"uid", &Tsetattr::uid},
      Field{"gid", &Tsetattr::gid},
      Field{"size", &Tsetattr::size},
      Field{"atime_sec", &Tsetattr::atime_sec},
      Field{"atime_nsec", &Tsetattr::atime_nsec},
      Field{"mtime_sec", &Tsetattr::mtime_sec},
      Field{"mtime_nsec", &Tsetattr::mtime_nsec},
  };
};
struct Rsetattr {
  static constexpr auto kType = MessageType::Rsetattr;
  static constexpr std::string_view kName = "Rsetattr";
  static constexpr std::tuple<> fields{};
};
struct Txattrwalk {
  static constexpr auto kType = MessageType::Txattrwalk;
  static constexpr std::string_view kName = "Txattrwalk";
  Fid fid{};
  Fid newfid{};
  std::string_view name{};
  static constexpr auto fields = std::tuple{
      Field{"fid", &Txattrwalk::fid},
      Field{"newfid", &Txattrwalk::newfid},
      Field{"name", &Txattrwalk::name},
  };
};
struct Rxattrwalk {
  static constexpr auto kType = MessageType::Rxattrwalk;
  static constexpr std::string_view kName = "Rxattrwalk";
  std::uint64_t size{};
  static constexpr auto fields = std::tuple{
      Field{"size", &Rxattrwalk::size},
  };
};
struct Txattrcreate {
  static constexpr auto kType = MessageType::Txattrcreate;
  static constexpr std::string_view kName = "Txattrcreate";
  Fid fid{};
  std::string_view name{};
  std::uint64_t attr_size{};
  std::uint32_t flags{};
  static constexpr auto fields = std::tuple{
      Field{"fid", &Txattrcreate::fid},
      Field{"name", &Txattrcreate::name},
      Field{"attr_size", &Txattrcreate::attr_size},
      Field{"flags", &Txattrcreate::flags},
  };
};
struct Rxattrcreate {
  static constexpr auto kType = MessageType::Rxattrcreate;
  static constexpr std::string_view kName = "Rxattrcreate";
  static constexpr std::tuple<> fields{};
};
struct Treaddir {
  static constexpr auto kType = MessageType::Treaddir;
  static constexpr std::string_view kName = "Treaddir";
  Fid fid{};
  std::uint64_t offset{};
  std::uint32_t count{};
  static constexpr auto fields = std::tuple{
      Field{"fid", &Treaddir::fid},
      Field{"offset", &Treaddir::offset},
      Field{"count", &Treaddir::count},
  };
};
struct Rreaddir {
  static constexpr auto kType = MessageType::Rreaddir;
  static constexpr std::string_view kName = "Rreaddir";
  Data data{};
  static constexpr auto fields = std::tuple{
      Field{"data", &Rreaddir::data},
  };
};
struct Tfsync {
  static constexpr auto kType = MessageType::Tfsync;
  static constexpr std::string_view kName = "Tfsync";
  Fid fid{};
  std::uint32_t datasync{};
  static constexpr auto fields = std::tuple{
      Field{"fid", &Tfsync::fid},
      Field{"datasync", &Tfsync::datasync},
  };
};
struct Rfsync {
  static constexpr auto kType = MessageType::Rfsync;
  static constexpr std::string_view kName = "Rfsync";
  static constexpr std::tuple<> fields{};
};
struct Tlock {
  static constexpr auto kType = MessageType::Tlock;
  static constexpr std::string_view kName = "Tlock";
  Fid fid{};
  std::uint8_t type{};
  std::uint32_t flags{};
  std::uint64_t start{};
  std::uint64_t length{};
  std::uint32_t proc_id{};
  std::string_view client_id{};
  static constexpr auto fields = std::tuple{
      Field{"fid", &Tlock::fid},
      Field{"type", &Tlock::type},
      Field{"flags", &Tlock::flags},
      Field{"start", &Tlock::start},
      Field{"length", &Tlock::length},
      Field{"proc_id", &Tlock::proc_id},
      Field{"client_id", &Tlock::client_id},
  };
};
struct Rlock {
  static constexpr auto kType = MessageType::Rlock;
  static constexpr std::string_view kName = "Rlock";
  std::uint8_t status{};
  static constexpr auto fields = std::tuple{
      Field{"status", &Rlock::status},
  };
};
struct Tgetlock {
  static constexpr auto kType = MessageType::Tgetlock;
  static constexpr std::string_view kName = "Tgetlock";
  Fid fid{};
  std::uint8_t type{};
  std::uint64_t start{};
  std::uint64_t length{};
  std::uint32_t proc_id{};
  std::string_view client_id{};
  static constexpr auto fields = std::tuple{
      Field{"fid", &Tgetlock::fid},         Field{"type", &Tgetlock::type},
      Field{"start", &Tgetlock::start},     Field{"length", &Tgetlock::length},
      Field{"proc_id", &Tgetlock::proc_id}, Field{"client_id", &Tgetlock::client_id},
  };
};
struct Rgetlock {
  static constexpr auto kType = MessageType::Rgetlock;
  static constexpr std::string_view kName = "Rgetlock";
  std::uint8_t type{};
  std::uint64_t start{};
  std::uint64_t length{};
  std::uint32_t proc_id{};
  std::string_view client_id{};
  static constexpr auto fields = std::tuple{
      Field{"type", &Rgetlock::type},           Field{"start", &Rgetlock::start},
      Field{"length", &Rgetlock::length},       Field{"proc_id", &Rgetlock::proc_id},
      Field{"client_id", &Rgetlock::client_id},
  };
};
struct Tlink {
  static constexpr auto kType = MessageType::Tlink;
  static constexpr std::string_view kName = "Tlink";
  Fid dfid{};
  Fid fid{};
  std::string_view name{};
  static constexpr auto fields = std::tuple{
      Field{"dfid", &Tlink::dfid},
      Field{"fid", &Tlink::fid},
      Field{"name", &Tlink::name},
  };
};
struct Rlink {
  static constexpr auto kType = MessageType::Rlink;
  static constexpr std::string_view kName = "Rlink";
  static constexpr std::tuple<> fields{};
};
struct Tmkdir {
  static constexpr auto kType = MessageType::Tmkdir;
  static constexpr std::string_view kName = "Tmkdir";
  Fid dfid{};
  std::string_view name{};
  std::uint32_t mode{};
  std::uint32_t gid{};
  static constexpr auto fields = std::tuple{
      Field{"dfid", &Tmkdir::dfid},
      Field{"name", &Tmkdir::name},
      Field{"mode", &Tmkdir::mode, Base::octal},
      Field{"gid", &Tmkdir::gid},
  };
};
struct Rmkdir {
  static constexpr auto kType = MessageType::Rmkdir;
  static constexpr std::string_view kName = "Rmkdir";
  Qid qid{};
  static constexpr auto fields = std::tuple{
      Field{"qid", &Rmkdir::qid},
  };
};
struct Trenameat {
  static constexpr auto kType = MessageType::Trenameat;
  static constexpr std::string_view kName = "Trenameat";
  Fid olddirfid{};
  std::string_view oldname{};
  Fid newdirfid{};
  std::string_view newname{};
  static constexpr auto fields = std::tuple{
      Field{"olddirfid", &Trenameat::olddirfid},
      Field{"oldname", &Trenameat::oldname},
      Field{"newdirfid", &Trenameat::newdirfid},
      Field{"newname", &Trenameat::newname},
  };
};
struct Rrenameat {
  static constexpr auto kType = MessageType::Rrenameat;
  static constexpr std::string_view kName = "Rrenameat";
  static constexpr std::tuple<> fields{};
};
struct Tunlinkat {
  static constexpr auto kType = MessageType::Tunlinkat;
  static constexpr std::string_view kName = "Tunlinkat";
  Fid dirfid{};
  std::string_view name{};
  std::uint32_t flags{};
  static constexpr auto fields = std::tuple{
      Field{"dirfid", &Tunlinkat::dirfid},
      Field{"name", &Tunlinkat::name},
      Field{"flags", &Tunlinkat::flags, Base::hex},
  };
};
struct Runlinkat {
  static constexpr auto kType = MessageType::Runlinkat;
  static constexpr std::string_view kName = "Runlinkat";
  static constexpr std::tuple<> fields{};
};

/// All of them: what visit_type(), the text form and the tests go through.
using AllMessages = boost::mp11::mp_list<
    Tversion, Rversion, Tauth, Rauth, Tattach, Rattach, Rerror, Tflush, Rflush, Twalk, Rwalk, Tread,
    Rread, Twrite, Rwrite, Tclunk, Rclunk, Tremove, Rremove, Topen, Ropen, Tcreate, Rcreate, Tstat,
    Rstat, Twstat, Rwstat, Rlerror, Tstatfs, Rstatfs, Tlopen, Rlopen, Tlcreate, Rlcreate, Tsymlink,
    Rsymlink, Tmknod, Rmknod, Trename, Rrename, Treadlink, Rreadlink, Tgetattr, Rgetattr, Tsetattr,
    Rsetattr, Txattrwalk, Rxattrwalk, Txattrcreate, Rxattrcreate, Treaddir, Rreaddir, Tfsync,
    Rfsync, Tlock, Rlock, Tgetlock, Rgetlock, Tlink, Rlink, Tmkdir, Rmkdir, Trenameat, Rrenameat,
    Tunlinkat, Runlinkat>;

/// reply_of_t<Twalk> is Rwalk. Errors (Rerror, Rlerror) may stand in for any of them.
template <class T>
struct reply_of;
template <>
struct reply_of<Tversion> : std::type_identity<Rversion> {};
template <>
struct reply_of<Tauth> : std::type_identity<Rauth> {};
template <>
struct reply_of<Tattach> : std::type_identity<Rattach> {};
template <>
struct reply_of<Tflush> : std::type_identity<Rflush> {};
template <>
struct reply_of<Twalk> : std::type_identity<Rwalk> {};
template <>
struct reply_of<Tread> : std::type_identity<Rread> {};
template <>
struct reply_of<Twrite> : std::type_identity<Rwrite> {};
template <>
struct reply_of<Tclunk> : std::type_identity<Rclunk> {};
template <>
struct reply_of<Tremove> : std::type_identity<Rremove> {};
template <>
struct reply_of<Topen> : std::type_identity<Ropen> {};
template <>
struct reply_of<Tcreate> : std::type_identity<Rcreate> {};
template <>
struct reply_of<Tstat> : std::type_identity<Rstat> {};
template <>
struct reply_of<Twstat> : std::type_identity<Rwstat> {};
template <>
struct reply_of<Tstatfs> : std::type_identity<Rstatfs> {};
template <>
struct reply_of<Tlopen> : std::type_identity<Rlopen> {};
template <>
struct reply_of<Tlcreate> : std::type_identity<Rlcreate> {};
template <>
struct reply_of<Tsymlink> : std::type_identity<Rsymlink> {};
template <>
struct reply_of<Tmknod> : std::type_identity<Rmknod> {};
template <>
struct reply_of<Trename> : std::type_identity<Rrename> {};
template <>
struct reply_of<Treadlink> : std::type_identity<Rreadlink> {};
template <>
struct reply_of<Tgetattr> : std::type_identity<Rgetattr> {};
template <>
struct reply_of<Tsetattr> : std::type_identity<Rsetattr> {};
template <>
struct reply_of<Txattrwalk> : std::type_identity<Rxattrwalk> {};
template <>
struct reply_of<Txattrcreate> : std::type_identity<Rxattrcreate> {};
template <>
struct reply_of<Treaddir> : std::type_identity<Rreaddir> {};
template <>
struct reply_of<Tfsync> : std::type_identity<Rfsync> {};
template <>
struct reply_of<Tlock> : std::type_identity<Rlock> {};
template <>
struct reply_of<Tgetlock> : std::type_identity<Rgetlock> {};
template <>
struct reply_of<Tlink> : std::type_identity<Rlink> {};
template <>
struct reply_of<Tmkdir> : std::type_identity<Rmkdir> {};
template <>
struct reply_of<Trenameat> : std::type_identity<Rrenameat> {};
template <>
struct reply_of<Tunlinkat> : std::type_identity<Runlinkat> {};
template <class T>
using reply_of_t = typename reply_of<T>::type;

template <class T>
concept Message = requires {
  { T::kType } -> std::convertible_to<MessageType>;
  { T::kName } -> std::convertible_to<std::string_view>;
  T::fields;
};
template <class T>
concept Request = Message<T> && requires {
  typename reply_of<T>::type;
};

}  // namespace fuse9p::proto
