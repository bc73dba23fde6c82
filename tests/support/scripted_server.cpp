// SPDX-License-Identifier: MIT
// Requests from when they have come until they are answered: what is held, what is flushed, and
// how.
#include "tests/support/scripted_server.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fuse9p::test {

using namespace proto;

bool ScriptedServer::changes_fid(MessageType type) {
  return type == MessageType::Topen || type == MessageType::Tcreate ||
         type == MessageType::Tlopen || type == MessageType::Tlcreate ||
         type == MessageType::Txattrcreate || type == MessageType::Tclunk ||
         type == MessageType::Tremove;
}

/// Does it only ask what the file is?
bool ScriptedServer::looks(MessageType type) {
  return type == MessageType::Tgetattr || type == MessageType::Tstat;
}

void ScriptedServer::perform(Tag tag) {
  Pending& pending = pending_.at(tag);
  pending.held = pending.blocked = false;
  // Behind a sloppy Rflush the client may have given the fid back already.
  const auto known = [&](Fid fid) { return fid == pending.created || fids_.contains(fid); };
  if (pending.disowned && !std::ranges::all_of(pending.fids, known))
    return fail(tag, EBADF);
  if (pending.disowned && pending.created != kNoFid)
    made_late_.insert(pending.created);
  const std::string frame = pending.frame;
  visit_type(pending.type, [&](auto identity) {
    using T = typename decltype(identity)::type;
    if constexpr (Request<T>)
      answer(tag, *decode<T>(view(frame).subspan(kHeaderSize), dialect_));
  });
}

void ScriptedServer::fail(Tag tag, const Refusal& why) {
  const Pending& pending = pending_.at(tag);
  if (pending.type == MessageType::Tclunk || pending.type == MessageType::Tremove)
    fids_.erase(pending.fids.front());
  excuse(pending);
  const auto number = static_cast<std::uint32_t>(why.error);
  if (dialect_ == Dialect::l)
    return reply(tag, Rlerror{.ecode = number});
  // As u9fs: "No such file or directory".
  const char* known = ::strerrordesc_np(why.error);
  const std::string_view words = why.words.empty() && known != nullptr ? known : why.words;
  reply(tag, Rerror{.ename = words, .errnum = number});
}

void ScriptedServer::excuse(const Pending& pending) {
  if (pending.type != MessageType::Twrite)
    return;
  const auto found = fids_.find(pending.fids.front());
  if (found != fids_.end() && found->second.attribute)
    found->second.attribute->excused = true;
}

/// The request is over for its fids.
void ScriptedServer::settle(Pending& pending) {
  coming_.erase(pending.created);
  for (const Fid fid : pending.fids) {
    const auto found = fids_.find(fid);
    if (found == fids_.end())
      continue;
    --found->second.requests;
    found->second.looks -= looks(pending.type) ? 1 : 0;
    if (found->second.changing == pending.type)
      found->second.changing = {};
    if (pending.reads_directory)
      found->second.reading_directory = false;
  }
  pending.answered = true;
  pending.held = false;
}

/// Its answer was sent.
void ScriptedServer::finish(Tag tag) {
  const auto found = pending_.find(tag);
  if (!found->second.disowned)
    settle(found->second);
  const Tag flush = found->second.flush;
  if (flush == kNoTag) {
    pending_.erase(found);
  } else if (flush_ != Flush::never) {
    pending_.erase(found);
    send_rflush(flush, flush_);
  }
}

/// As though it was never sent.
void ScriptedServer::drop(Tag tag) {
  const auto found = pending_.find(tag);
  if (found->second.created != kNoFid)
    unsure_.insert(found->second.created);
  excuse(found->second);
  settle(found->second);
  pending_.erase(found);
}

/// What the client must think after the Rflush: it never happened, but there may be such a fid.
void ScriptedServer::disown(Pending& pending) {
  const bool held = pending.held;
  settle(pending);
  if (pending.created != kNoFid)
    unsure_.insert(pending.created);
  pending.answered = false;
  pending.held = held;
  pending.disowned = true;
}

ScriptedServer::Flush ScriptedServer::policy_for(const Pending& pending) {
  if (flush_ != Flush::mixed)
    return flush_;
  constexpr Flush kDrawn[] = {Flush::prompt, Flush::answer, Flush::after,
                              Flush::late,   Flush::sloppy, Flush::error};
  const Flush drawn = kDrawn[dice_() % std::size(kDrawn)];
  // A fid that is made or changed behind the client's back can meet the number's next use.
  const bool touches_fids = pending.created != kNoFid || changes_fid(pending.type);
  return drawn == Flush::sloppy && touches_fids ? Flush::prompt : drawn;
}

void ScriptedServer::send_rflush(Tag tag, Flush policy) {
  flushes_.erase(tag);
  if (policy != Flush::error)
    send(tag, Rflush{});
  else if (dialect_ == Dialect::l)
    send(tag, Rlerror{.ecode = EINVAL});
  else
    send(tag, Rerror{.ename = "bad tag", .errnum = EINVAL});
}

void ScriptedServer::answer(Tag tag, const Tflush& request) {
  const auto found = pending_.find(request.oldtag);
  if (found == pending_.end() || found->second.answered || found->second.disowned)
    return send_rflush(tag, flush_);
  Pending& pending = found->second;
  const Flush policy = policy_for(pending);
  switch (policy) {
    case Flush::prompt:
    case Flush::error:
      drop(request.oldtag);
      return send_rflush(tag, policy);
    case Flush::answer:
      perform(request.oldtag);
      if (pending_.contains(request.oldtag))  // it waits for an event
        drop(request.oldtag);
      return send_rflush(tag, policy);
    case Flush::after:
    case Flush::never:
      pending.flush = tag;
      return;
    case Flush::late:
      late_.push_back({.flush = tag, .oldtag = request.oldtag, .wait = pending.wait});
      return drop(request.oldtag);
    case Flush::sloppy:
      disown(pending);
      return send_rflush(tag, policy);
    case Flush::mixed:
      break;  // policy_for() has drawn another one
  }
}

std::vector<Tag> ScriptedServer::held() const {
  std::vector<std::pair<std::uint64_t, Tag>> by_age;
  for (const auto& [tag, pending] : pending_) {
    if (pending.held)
      by_age.emplace_back(pending.serial, tag);
  }
  std::ranges::sort(by_age);
  std::vector<Tag> tags;
  for (const auto& [serial, tag] : by_age)
    tags.push_back(tag);
  return tags;
}

void ScriptedServer::release(bool reverse) {
  std::vector<Tag> tags = held();
  if (reverse)
    std::ranges::reverse(tags);
  for (const Tag tag : tags)
    perform(tag);
  out_ += std::exchange(withheld_, {});
  for (const LateRflush& late : std::exchange(late_, {}))
    send_rflush(late.flush, flush_);
}

/// Another request has come: some have waited for that.
void ScriptedServer::pass_time() {
  std::vector<Tag> due;
  for (auto& [tag, pending] : pending_) {
    if (pending.held && pending.wait > 0 && --pending.wait == 0)
      due.push_back(tag);
  }
  for (const Tag tag : due)
    perform(tag);
  std::vector<LateRflush> later;
  for (LateRflush& late : std::exchange(late_, {})) {
    if (late.wait > 0 && --late.wait == 0)
      send_rflush(late.flush, flush_);
    else
      later.push_back(late);
  }
  late_ = std::move(later);
}

}  // namespace fuse9p::test
