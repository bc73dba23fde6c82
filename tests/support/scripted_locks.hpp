// SPDX-License-Identifier: MIT
// The locks of the scripted server: who holds which bytes of which file. Servers differ in what
// they make of Tlock; the kinds here are what is found in the field. None of them waits.
#pragma once

#include "proto/types.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace fuse9p::test {

struct Lock {
  enum class Type : std::uint8_t { read, write, none };
  static constexpr std::uint64_t kToTheEnd = ~std::uint64_t{0};

  Type type = Type::none;
  std::uint64_t start = 0, end = kToTheEnd;  ///< without the byte at `end`
  proto::Fid fid = proto::kNoFid;            ///< through which it was taken
  std::uint32_t proc_id = 0;
  std::string client_id{};

  bool operator==(const Lock&) const = default;
};

class Locks {
 public:
  enum class Kind : std::uint8_t {
    none,    ///< Tlock is not supported
    ranges,  ///< of bytes, owned by (client_id, proc_id), as nfs-ganesha and fcntl(2) have them
    whole,   ///< files, owned by fids, as diod has them: flock(2)
    fake,    ///< everybody gets everything, as from QEMU and crosvm
  };
  using FileId = std::uint64_t;

  void set_kind(Kind kind) { kind_ = kind; }
  Kind kind() const { return kind_; }

  /// Takes the lock, or with Type::none gives its bytes back. False: it would have to wait.
  bool set(FileId file, Lock lock);
  /// What this one would have to wait for.
  std::optional<Lock> in_the_way_of(FileId file, const Lock& lock) const;
  /// The fid is clunked: what was taken through it is free.
  void clunked(proto::Fid fid);
  void clear() { locks_.clear(); }
  /// By their first byte.
  std::vector<Lock> of(FileId file) const;

 private:
  bool same_owner(const Lock& one, const Lock& other) const;
  void cut_out(std::vector<Lock>& locks, const Lock& hole) const;

  Kind kind_ = Kind::ranges;
  std::map<FileId, std::vector<Lock>> locks_;
};

}  // namespace fuse9p::test
