// SPDX-License-Identifier: MIT
#include "tests/sim/referee.hpp"

#include "proto/text.hpp"

#include <algorithm>

namespace fuse9p::sim {

using namespace proto;

namespace {

constexpr Fid kRoot{0};

bool ends_its_fid(MessageType type) {
  return type == MessageType::Tclunk || type == MessageType::Tremove;
}
bool is_error(ByteView frame) {
  return header_of(frame).type == MessageType::Rlerror;
}

/// Calls `visit(request)`. Of a Twrite the payload may be missing: it is replaced by nothing.
template <class Visit>
bool visit_request(ByteView frame, Visit&& visit) {
  bool known = false;
  visit_type(header_of(frame).type, [&](auto identity) {
    using T = typename decltype(identity)::type;
    if constexpr (std::is_same_v<T, Twrite>) {
      Reader reader(frame.subspan(kHeaderSize), Dialect::l);
      Twrite request;
      reader.get(request.fid);
      reader.get(request.offset);
      known = !reader.error();
      visit(request);
    } else if constexpr (Request<T>) {
      const auto request = decode<T>(frame.subspan(kHeaderSize), Dialect::l);
      known = request.has_value();
      if (request)
        visit(*request);
    }
  });
  return known;
}

/// The fids that a request names; not the one that it makes.
template <Request T>
std::vector<Fid> fids_of(const T& request) {
  std::vector<Fid> fids;
  for_each_field<T>(Dialect::l, [&](const auto& field) {
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(request.*field.member)>, Fid>) {
      if (field.name != "newfid")
        fids.push_back(request.*field.member);
    }
  });
  return fids;
}

}  // namespace

Referee::Referee(const Time& time, Record& record, const MultiplexerLimits& limits,
                 std::uint32_t msize)
    : time_(time), record_(record), limits_(limits), msize_(msize), tags_(limits.tags.tags) {
  fids_[kRoot].is = FidState::Is::there;
}

void Referee::foul(const std::string& what) {
  record_.complain(what + ": " + to_text(view(now_), Dialect::l));
}

std::size_t Referee::open() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      tags_, [](const TagState& tag) { return tag.use != TagState::Use::free; }));
}

std::size_t Referee::fids() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      fids_, [](const auto& fid) { return fid.second.is != FidState::Is::absent; }));
}

std::size_t Referee::stray_fids() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(fids_, [](const auto& fid) { return fid.second.stray; }));
}

Fid Referee::fid_of(Tag tag) const {
  const auto& fids = tags_.at(to_int(tag)).fids;
  return fids.empty() ? kNoFid : fids.front();
}

// ---- what leaves the client

void Referee::sent(ByteView frame) {
  now_ = chars(frame);
  record_.note([&] { return "-> " + to_text(frame, Dialect::l); });
  const Header header = header_of(frame);
  if (header.size > msize_)
    foul("a frame above msize");
  if (to_int(header.tag) >= tags_.size())
    return foul("a tag above the limit");
  const TagState& state = tags_[to_int(header.tag)];
  if (state.use != TagState::Use::free)
    foul("the tag is in use");
  if (time_.now() < state.free_from)
    foul("the tag is in quarantine");
  const bool known = visit_request(frame, [&](const auto& request) {
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(request)>, Tflush>)
      sent_flush(header.tag, request.oldtag);
    else
      sent_request(header.tag, request);
  });
  if (!known)
    foul("no request");
}

void Referee::sent_flush(Tag tag, Tag oldtag) {
  if (to_int(oldtag) >= tags_.size())
    return foul("a Tflush of a tag above the limit");
  TagState& old = tags_[to_int(oldtag)];
  if (old.use != TagState::Use::request)
    foul(old.use == TagState::Use::flush ? "a Tflush of a Tflush"
                                         : "a Tflush of what is answered already");
  else if (old.flushed)
    foul("a second Tflush");
  else if (ends_its_fid(old.type))
    foul("a Tflush of a Tclunk or Tremove");
  old.flushed = true;
  tags_[to_int(tag)] = {
      .use = TagState::Use::flush, .type = MessageType::Tflush, .fids = {}, .flushes = oldtag};
}

template <Request T>
void Referee::sent_request(Tag tag, const T& request) {
  TagState& state = tags_[to_int(tag)];
  state = {.use = TagState::Use::request,
           .type = T::kType,
           .fids = fids_of(request),
           .created = created_fid(request)};
  if constexpr (requires { request.wname; })
    state.names = request.wname.size();
  for (const Fid fid : state.fids)
    name(fid, T::kType);
  if (state.created != kNoFid)
    create(state.created);
  if constexpr (requires { request.count; }) {
    if (request.count == 0 || request.count > msize_ - kIoHeaderSize)
      foul("a count that msize does not allow");
  }
}

void Referee::name(Fid fid, MessageType type) {
  FidState& state = fids_[fid];
  const bool exists = state.is == FidState::Is::there;
  const bool may_exist = state.is == FidState::Is::doubtful || state.may_clunk;
  const bool is_extra = !exists && !may_exist && state.extra_clunks > 0;
  if (is_extra)
    --state.extra_clunks;
  if (!exists && !(type == MessageType::Tclunk && (may_exist || is_extra)))
    foul(state.is == FidState::Is::coming  ? "the fid does not exist yet"
         : state.is == FidState::Is::going ? "the fid is being clunked"
                                           : "there is no such fid");
  if (ends_its_fid(type)) {
    if (state.requests > 0)
      foul("other requests name the fid");
    if (state.stray)
      record_.count(Occurrence::stray_fid_clunked);
    state.doubted = state.doubted && exists;
    state.is = FidState::Is::going;
    state.may_clunk = state.stray = false;
  }
  ++state.requests;
}

void Referee::create(Fid fid) {
  FidState& state = fids_[fid];
  // A stray fid whose number was in use when it was heard of can't be told from that one.
  if (state.is != FidState::Is::absent && !state.stray)
    foul("the new fid is in use");
  if (state.is == FidState::Is::absent && state.doubted)
    foul("the new fid may be in use");
  if (state.requests > 0)
    foul("requests still name the new fid");
  state = {.is = FidState::Is::coming, .doubted = state.stray, .extra_clunks = state.extra_clunks};
}

// ---- what the client is told

void Referee::received(ByteView frame) {
  now_ = chars(frame);
  record_.note([&] { return "<- " + to_text(frame, Dialect::l); });
  const Tag tag = header_of(frame).tag;
  if (to_int(tag) >= tags_.size())
    return;  // nonsense, which ends the connection
  TagState& state = tags_[to_int(tag)];
  switch (state.use) {
    case TagState::Use::flush:
      return received_rflush(state, is_error(frame));
    case TagState::Use::free:
      return received_late(state, frame);
    case TagState::Use::request:
      settle(state);
      answered(state, frame);
      state.replied = true;
      if (state.flushed)
        record_.count(Occurrence::reply_then_rflush);
      else
        state.use = TagState::Use::free;
  }
}

void Referee::received_rflush(TagState& flush, bool error) {
  flush.use = TagState::Use::free;
  TagState& old = tags_.at(to_int(flush.flushes));
  old.use = TagState::Use::free;
  if (error)
    record_.count(Occurrence::flush_refused);
  if (old.replied)
    return;
  record_.count(Occurrence::flush_answered);
  old.free_from = time_.now() + limits_.tags.quarantine_time;
  settle(old);
  if (old.created == kNoFid)
    return;
  FidState& made = fids_[old.created];
  made = {.is = FidState::Is::absent,
          .may_clunk = true,
          .doubted = made.doubted,
          .extra_clunks = made.extra_clunks};
}

void Referee::received_late(const TagState& tag, ByteView frame) {
  ++late_replies_;
  record_.count(Occurrence::late_reply);
  if (tag.created == kNoFid || is_error(frame))
    return;
  record_.count(Occurrence::late_fid);
  FidState& made = fids_[tag.created];
  ++made.extra_clunks;
  if (made.is == FidState::Is::absent) {
    made.is = FidState::Is::doubtful;
    made.stray = made.may_clunk = true;
  } else {
    record_.count(Occurrence::stray_fid_in_use);
    made.doubted = true;
  }
}

/// The request is over for the fids that it names.
void Referee::settle(TagState& tag) {
  for (const Fid fid : tag.fids)
    --fids_[fid].requests;
}

void Referee::answered(const TagState& tag, ByteView frame) {
  using Is = FidState::Is;
  if (ends_its_fid(tag.type)) {
    FidState& ended = fids_[tag.fids.front()];
    ended.is = Is::absent;
    ended.may_clunk = ended.doubted;
  } else if (tag.created != kNoFid) {
    FidState& made = fids_[tag.created];
    const auto walked = decode<Rwalk>(frame.subspan(kHeaderSize), Dialect::l);
    const bool whole = walked && walked->qid.size() == tag.names;
    made.is = is_error(frame) ? Is::absent : whole ? Is::there : Is::doubtful;
    made.may_clunk = is_error(frame);
  }
}

}  // namespace fuse9p::sim
