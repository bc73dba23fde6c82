// SPDX-License-Identifier: MIT
#include "proto/fid_pool.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace fuse9p::proto {

std::optional<Fid> FidPool::acquire() {
  if (free_.empty()) {
    if (fids_.size() >= limit_)
      return std::nullopt;
    free_.push_back(Fid{static_cast<std::uint32_t>(fids_.size())});
    fids_.emplace_back();
  }
  const Fid fid = free_.front();
  free_.pop_front();
  at(fid).state = State::live;
  ++in_use_;
  return fid;
}

bool FidPool::doubt(Fid fid) {
  if (to_int(fid) >= fids_.size())
    return false;
  if (at(fid).state != State::free) {
    at(fid).doubted = true;
    return false;
  }
  free_.erase(std::find(free_.begin(), free_.end(), fid));
  at(fid).state = State::clunking;
  ++in_use_;
  return true;
}

void FidPool::begin(Fid fid) {
  assert(!is_free(fid));
  ++at(fid).requests;
}

bool FidPool::end(Fid fid) {
  Record& record = at(fid);
  assert(record.requests > 0);
  if (--record.requests > 0)
    return false;
  if (record.state == State::released)
    return !set_free(fid);
  if (record.state != State::retired)
    return false;
  record.state = State::clunking;
  return true;
}

bool FidPool::retire(Fid fid) {
  Record& record = at(fid);
  assert(record.state == State::live);
  record.state = record.requests > 0 ? State::retired : State::clunking;
  return record.state == State::clunking;
}

bool FidPool::release(Fid fid) {
  Record& record = at(fid);
  assert(record.state != State::free);
  if (record.requests == 0)
    return !set_free(fid);
  record.state = State::released;
  return false;
}

/// False, and it is clunked once more, if the server may have it all the same.
bool FidPool::set_free(Fid fid) {
  Record& record = at(fid);
  if (std::exchange(record.doubted, false)) {
    record.state = State::clunking;
    return false;
  }
  record.state = State::free;
  free_.push_back(fid);
  --in_use_;
  return true;
}

}  // namespace fuse9p::proto
