// SPDX-License-Identifier: MIT
#include "proto/fid_pool.hpp"

#include <algorithm>
#include <cassert>

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

bool FidPool::seize(Fid fid) {
  const auto found = std::find(free_.begin(), free_.end(), fid);
  if (found == free_.end())
    return false;
  free_.erase(found);
  at(fid).state = State::live;
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
  if (record.state == State::released) {
    set_free(fid);
    return false;
  }
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

void FidPool::release(Fid fid) {
  Record& record = at(fid);
  assert(record.state != State::free);
  if (record.requests > 0)
    record.state = State::released;
  else
    set_free(fid);
}

void FidPool::set_free(Fid fid) {
  at(fid).state = State::free;
  free_.push_back(fid);
  --in_use_;
}

}  // namespace fuse9p::proto
