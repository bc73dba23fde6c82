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
  ++held_;
  return fid;
}

bool FidPool::doubt(Fid fid) {
  if (to_int(fid) >= fids_.size())
    return false;
  Record& record = at(fid);
  if (!is_free(fid)) {
    record.doubted = true;
    return false;
  }
  if (record.state == State::free)
    free_.erase(std::find(free_.begin(), free_.end(), fid));
  record.state = State::clunking;
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
  --held_;
  record.state = record.requests > 0 ? State::retired : State::clunking;
  return record.state == State::clunking;
}

bool FidPool::release(Fid fid) {
  Record& record = at(fid);
  assert(!is_free(fid));
  held_ -= record.state == State::live ? 1 : 0;
  if (record.requests == 0)
    return !set_free(fid);
  record.state = State::released;
  return false;
}

void FidPool::bar(Fid fid) {
  limit_ = std::min(limit_, static_cast<std::uint32_t>(fids_.size()));
  if (usable() > kFewest && !std::exchange(at(fid).barred, true))
    ++barred_;
}

/// False, and it is clunked once more, if the server may have it all the same.
bool FidPool::set_free(Fid fid) {
  Record& record = at(fid);
  if (std::exchange(record.doubted, false)) {
    record.state = State::clunking;
    return false;
  }
  record.state = record.barred ? State::barred : State::free;
  if (!record.barred)
    free_.push_back(fid);
  --in_use_;
  return true;
}

}  // namespace fuse9p::proto
