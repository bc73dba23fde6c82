// SPDX-License-Identifier: MIT
//
// The rules of flush(5), in our words:
//   1. Tflush says: I no longer want the answer. The server always answers Rflush.
//   2. The old request's reply may still come, but only before Rflush, and then it counts as if
//      nothing had been flushed.
//   3. No reply before Rflush: the request never happened.
//   4. The old tag is ours again at Rflush, not at the reply before it.
//   5. A Tflush goes out behind the whole of the request it names, once, and is never flushed
//      itself.
//
// state          | cancel             | reply             | Rflush          | deadline  | lost
// ---------------|--------------------|-------------------|-----------------|-----------|-------
// queued         | Cancelled, unsent  | broken            | -               | -         | Failed
// partly_written | wants flush        | broken            | -               | Abandoned | Failed
// in_flight      | Tflush -> flushing | Replied, free     | broken          | -         | Failed
//   wants flush  | -                  | Replied, free     | broken          | Abandoned | Failed
// flushing       | -                  | Replied, answered | Cancelled, free | Abandoned | Failed
// answered       | -                  | broken            | free            | -         | -
// abandoned      | -                  | Settled, answered | Settled, free   | -         | -
//
// Tclunk and Tremove are never flushed: what they give back must not be cut short. Cancelled in
// flight, they only lose their caller: at the reply or, Abandoned, at the deadline.
//
// "wants flush": the Tflush follows as soon as the request is complete and a tag is free for it.
// "free" frees both tags; the request's own is quarantined if its reply never came. A Tflush of
// which no byte was sent when the reply comes is taken back, and the request is free at once.

#include "proto/multiplexer.hpp"

#include "proto/ename.hpp"
#include "proto/text.hpp"

#include <algorithm>
#include <cassert>
#include <cerrno>

namespace fuse9p::proto {

namespace {
bool may_be_flushed(MessageType type) {
  return type != MessageType::Tclunk && type != MessageType::Tremove;
}
}  // namespace

Multiplexer::Multiplexer(Dialect dialect, std::uint32_t msize, const MultiplexerLimits& limits)
    : dialect_(dialect),
      msize_(msize),
      limits_(limits),
      tags_(limits.tags),
      reader_(msize, [this](const Header& header) { return place(header); }),
      by_tag_(limits.tags.tags),
      ghosts_(limits.tags.tags) {}

// ---- requests

RequestId Multiplexer::submit(Outgoing request) {
  Slot& slot = slots_[take_slot()];
  slot.state = State::queued;
  slot.request = std::move(request);
  ++outstanding_;
  ++counters_.requests;
  const RequestId id = id_of(slot);
  const std::size_t size = slot.request.frame.size() + slot.request.payload.bytes.size();
  error_code error = lost_ ? lost_ : slot.request.error;
  if (!error && size > msize_)
    error = Error::message_too_large;
  if (error) {
    conclude(slot, {.kind = Event::Kind::failed, .error = error});
    free(slot);
    return id;
  }
  assert(decode_header(ByteView(slot.request.frame).first<kHeaderSize>()).size == size &&
         "the payload is not the message's data");
  // In order: nobody gets a tag before those who wait for one.
  waiting_.push_back(id);
  give_out_tags();
  return id;
}

void Multiplexer::cancel(RequestId id) {
  Slot* slot = find(id);
  if (slot == nullptr || slot->flush_wanted)
    return;
  switch (slot->state) {
    case State::queued:
      // Its place in a queue goes stale with its generation.
      ++counters_.cancelled_unsent;
      conclude(*slot, {.kind = Event::Kind::cancelled, .error = Error::cancelled});
      if (slot->tag != kNoTag)
        tags_.release(slot->tag);
      free(*slot);
      return give_out_tags();
    case State::partly_written:
      slot->flush_wanted = true;
      return remember_expiry(*slot);
    case State::in_flight:
      slot->flush_wanted = true;
      if (may_be_flushed(slot->request.type) && !start_flush(*slot))
        flush_waiting_.push_back(id);
      return remember_expiry(*slot);
    case State::free:
    case State::flushing:
    case State::answered:
    case State::abandoned:
      return;
  }
}

void Multiplexer::connection_lost(error_code error) {
  assert(error);
  lost_ = error;
  for (Slot& slot : slots_) {
    if (slot.state == State::free)
      continue;
    if (slot.state != State::answered && slot.state != State::abandoned)
      conclude(slot, {.kind = Event::Kind::failed, .error = error});
    free(slot);
  }
  unresolved_ = 0;
  waiting_.clear();
  flush_waiting_.clear();
  expiries_.clear();
  reader_.forget_destination();
}

Multiplexer::Slot* Multiplexer::find(RequestId id) {
  if (id.slot >= slots_.size())
    return nullptr;
  Slot& slot = slots_[id.slot];
  return slot.generation == id.generation && slot.state != State::free ? &slot : nullptr;
}

std::uint32_t Multiplexer::take_slot() {
  if (free_slots_.empty()) {
    const auto index = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back().index = index;
    return index;
  }
  const std::uint32_t index = free_slots_.back();
  free_slots_.pop_back();
  return index;
}

/// Callers keep what they know of a request by its slot: it rests until they took all outcomes.
void Multiplexer::free(Slot& slot) {
  (events_.empty() ? free_slots_ : resting_slots_).push_back(slot.index);
  slot = Slot{.index = slot.index, .generation = slot.generation + 1};
}

/// The one event that a request's caller gets.
void Multiplexer::conclude(const Slot& slot, Event event) {
  event.id = id_of(slot);
  event.created = slot.request.created;
  --outstanding_;
  events_.push_back(std::move(event));
}

// ---- tags and flushes

void Multiplexer::give_out_tags() {
  for (; !flush_waiting_.empty(); flush_waiting_.pop_front()) {
    Slot* slot = find(flush_waiting_.front());
    if (slot != nullptr && slot->flush_tag == kNoTag && !start_flush(*slot))
      break;
  }
  for (; !waiting_.empty(); waiting_.pop_front()) {
    Slot* slot = find(waiting_.front());
    if (slot == nullptr)
      continue;
    const auto tag = tags_.acquire(now_);
    if (!tag)
      break;
    slot->tag = *tag;
    by_tag_[to_int(*tag)] = {slot->index, false};
    patch_tag(slot->request.frame, *tag);
    requests_.push_back({id_of(*slot), false});
  }
}

bool Multiplexer::start_flush(Slot& slot) {
  const auto tag = tags_.acquire_for_flush(now_);
  if (!tag)
    return false;
  tags_.begin_flush(slot.tag);
  slot.flush_tag = *tag;
  by_tag_[to_int(*tag)] = {slot.index, true};
  Bytes frame;
  encode_frame(frame, *tag, Tflush{.oldtag = slot.tag}, dialect_);
  std::copy(frame.begin(), frame.end(), slot.flush_frame.begin());
  flushes_.push_back({id_of(slot), true});
  if (slot.state == State::in_flight)
    slot.state = State::flushing;
  return true;
}

void Multiplexer::remember_expiry(const Slot& slot) {
  expiries_.push_back({id_of(slot), now_ + limits_.flush_timeout});
}

void Multiplexer::tick(TimePoint now) {
  now_ = now;
  for (; !expiries_.empty() && expiries_.front().at <= now; expiries_.pop_front()) {
    Slot* slot = find(expiries_.front().id);
    if (slot != nullptr && slot->state != State::answered)
      abandon(*slot);
  }
  give_out_tags();
}

std::optional<TimePoint> Multiplexer::deadline() const {
  std::optional<TimePoint> earliest;
  if (!expiries_.empty())
    earliest = expiries_.front().at;
  if (!waiting_.empty() || !flush_waiting_.empty()) {
    if (const auto release = tags_.next_release(); release && (!earliest || *release < *earliest))
      earliest = release;
  }
  return earliest;
}

/// The caller goes; tags, fid numbers and what is half written stay until the fate is known.
void Multiplexer::abandon(Slot& slot) {
  ++counters_.abandoned;
  ++unresolved_;
  slot.state = State::abandoned;
  conclude(slot, {.kind = Event::Kind::abandoned, .error = Error::abandoned});
  slot.request.destination = {};
  if (reader_.receiving_data(slot.tag))
    reader_.forget_destination();
}

// ---- sending

const std::vector<ByteView>& Multiplexer::outgoing() {
  gathered_.clear();
  if (lost_)
    return gathered_;
  const auto gather = [&](const OutItem& item) {
    if (gathered_.size() < limits_.gather && live(item))
      add_unsent(item, gathered_);
  };
  if (current_)
    gather(*current_);
  for (const auto* queue : {&flushes_, &requests_}) {
    for (const OutItem& item : *queue) {
      if (gathered_.size() >= limits_.gather)
        break;
      gather(item);
    }
  }
  gathered_.resize(std::min(gathered_.size(), limits_.gather));  // a request may add two
  return gathered_;
}

void Multiplexer::sent(std::size_t bytes) {
  while (bytes > 0) {
    std::optional<OutItem> item = next_item();
    assert(item);
    Slot& slot = slots_[item->id.slot];
    bytes -= item->flush ? flush_sent(slot, bytes) : request_sent(slot, bytes);
    if (live(*item))
      current_ = item;
  }
  // Now, not above: the Tflush of a request that just became complete was not among these bytes.
  give_out_tags();
}

/// Is there something left to send of it?
bool Multiplexer::live(const OutItem& item) {
  const Slot* slot = find(item.id);
  if (slot == nullptr)
    return false;
  return item.flush ? slot->flush_written < slot->flush_frame.size() : !fully_sent(*slot);
}

std::optional<Multiplexer::OutItem> Multiplexer::next_item() {
  if (current_)
    return std::exchange(current_, std::nullopt);
  for (auto* queue : {&flushes_, &requests_}) {
    while (!queue->empty()) {
      const OutItem item = queue->front();
      queue->pop_front();
      if (live(item))
        return item;
    }
  }
  return std::nullopt;
}

void Multiplexer::add_unsent(const OutItem& item, std::vector<ByteView>& out) const {
  const Slot& slot = slots_[item.id.slot];
  if (item.flush) {
    out.push_back(ByteView(slot.flush_frame).subspan(slot.flush_written));
    return;
  }
  const ByteView frame(slot.request.frame.data(), slot.request.frame.size());
  const ByteView payload = slot.request.payload.bytes;
  if (slot.written < frame.size())
    out.push_back(frame.subspan(slot.written));
  if (!payload.empty())
    out.push_back(payload.subspan(slot.written < frame.size() ? 0 : slot.written - frame.size()));
}

std::size_t Multiplexer::request_sent(Slot& slot, std::size_t bytes) {
  const std::size_t size = slot.request.frame.size() + slot.request.payload.bytes.size();
  const std::size_t part = std::min(bytes, size - slot.written);
  if (trace_ && slot.written == 0)
    trace_(true, ByteView(slot.request.frame.data(), slot.request.frame.size()));
  slot.written += part;
  if (slot.state == State::queued)
    slot.state = State::partly_written;
  if (slot.written < size)
    return part;
  slot.sent = true;
  slot.request.payload = {};
  if (slot.state == State::partly_written)
    slot.state = State::in_flight;
  if (slot.flush_wanted && may_be_flushed(slot.request.type))
    flush_waiting_.push_back(id_of(slot));
  return part;
}

std::size_t Multiplexer::flush_sent(Slot& slot, std::size_t bytes) {
  const std::size_t part = std::min(bytes, slot.flush_frame.size() - slot.flush_written);
  if (trace_ && slot.flush_written == 0)
    trace_(true, slot.flush_frame);
  slot.flush_written += part;
  if (slot.flush_written == slot.flush_frame.size())
    ++counters_.flushes;
  return part;
}

// ---- receiving

std::optional<Event> Multiplexer::next_event() {
  while (events_.empty() && !lost_) {
    const auto frame = reader_.next();
    if (!frame)
      return broken(frame.error(), describe(reader_.current()));
    if (!*frame)
      break;
    if (auto event = handle(**frame))
      return event;
  }
  if (events_.empty())
    return std::nullopt;
  Event event = std::move(events_.front());
  events_.pop_front();
  if (events_.empty()) {
    free_slots_.insert(free_slots_.end(), resting_slots_.begin(), resting_slots_.end());
    resting_slots_.clear();
  }
  return event;
}

/// Where the data of a reply goes, as soon as its header is here.
result<Placement> Multiplexer::place(const Header& header) {
  if (!tags_.valid(header.tag) || tags_.state(header.tag) == TagPool::State::free)
    return Error::unexpected_tag;
  // Settled here: quarantine may end, and the tag go to somebody else, before the frame is whole.
  late_ = tags_.state(header.tag) == TagPool::State::quarantined;
  const bool data = header.type == MessageType::Rread || header.type == MessageType::Rreaddir;
  if (late_)
    return Placement{.kind = data ? Placement::Kind::discard : Placement::Kind::whole};
  const TagUse use = by_tag_[to_int(header.tag)];
  const Slot& slot = slots_[use.slot];
  // Now, not when the frame is whole: a queued request can be withdrawn meanwhile, and its slot be
  // another's, whose reply this is not.
  if (!use.flush && !slot.sent)
    return Error::unexpected_tag;
  if (!data)
    return Placement{};
  if (use.flush || header.type != reply_type(slot.request.type))
    return Error::unexpected_reply;
  if (slot.state == State::abandoned)
    return Placement{.kind = Placement::Kind::discard};
  if (slot.request.destination.bytes.empty())
    return Placement{};
  return Placement{.kind = Placement::Kind::data, .destination = slot.request.destination};
}

void Multiplexer::trace_received(const Frame& frame) const {
  Bytes bytes;
  Writer writer(bytes, dialect_);
  writer.put(frame.header.size);
  writer.put(to_int(frame.header.type));
  writer.put(frame.header.tag);
  bytes.insert(bytes.end(), frame.body.begin(), frame.body.end());
  trace_(false, ByteView(bytes.data(), bytes.size()));
}

std::optional<Event> Multiplexer::handle(const Frame& frame) {
  if (trace_)
    trace_received(frame);
  if (late_)
    return handle_late(frame);
  const TagUse use = by_tag_[to_int(frame.header.tag)];
  Slot& slot = slots_[use.slot];
  return use.flush ? handle_rflush(slot, frame) : handle_reply(slot, frame);
}

namespace {
bool is_error(MessageType type) {
  return type == MessageType::Rlerror || type == MessageType::Rerror;
}
}  // namespace

std::optional<Event> Multiplexer::handle_reply(Slot& slot, const Frame& frame) {
  const MessageType type = frame.header.type;
  if (slot.state == State::answered)
    return broken(Error::unexpected_tag, describe(frame.header));
  if (type != reply_type(slot.request.type) && !is_error(type))
    return broken(Error::unexpected_reply, describe(frame.header));
  Event event{.id = id_of(slot), .reply = make_reply(frame), .created = slot.request.created};
  if (slot.state == State::abandoned) {
    event.kind = Event::Kind::settled;
    event.replied = true;
    ++counters_.late;
    --unresolved_;
  } else {
    event.kind = Event::Kind::replied;
    ++counters_.replies;
    --outstanding_;
    if (slot.state == State::flushing)
      ++counters_.honoured;
  }
  if (slot.flush_written > 0) {
    slot.state = State::answered;  // the Rflush frees both tags
    slot.request.destination = {};
    ++unresolved_;
    return event;
  }
  if (slot.flush_tag != kNoTag)
    tags_.release(slot.flush_tag);  // taken back: no byte of it was sent
  tags_.release(slot.tag);
  free(slot);
  give_out_tags();
  return event;
}

std::optional<Event> Multiplexer::handle_rflush(Slot& slot, const Frame& frame) {
  if (slot.flush_written < slot.flush_frame.size())
    return broken(Error::unexpected_tag, describe(frame.header));
  if (frame.header.type != MessageType::Rflush && !is_error(frame.header.type))
    return broken(Error::unexpected_reply, describe(frame.header));
  std::optional<Event> event;
  tags_.release(slot.flush_tag);
  if (slot.state == State::answered) {
    --unresolved_;
    tags_.release(slot.tag);
  } else {
    event = Event{
        .kind = slot.state == State::abandoned ? Event::Kind::settled : Event::Kind::cancelled,
        .id = id_of(slot),
        .error = Error::cancelled,
        .sent = true,
        .created = slot.request.created};
    if (slot.state == State::abandoned) {
      --unresolved_;
    } else {
      --outstanding_;
      ++counters_.cancelled;
    }
    tags_.quarantine(slot.tag, now_);
    ghosts_[to_int(slot.tag)] = {slot.request.type, slot.request.created};
  }
  free(slot);
  give_out_tags();
  return event;
}

/// A reply to a tag whose Rflush has come: dropped, but what it made must be undone.
std::optional<Event> Multiplexer::handle_late(const Frame& frame) {
  const Ghost& ghost = ghosts_[to_int(frame.header.tag)];
  const bool failed = is_error(frame.header.type);
  if (frame.header.type != reply_type(ghost.type) && !failed)
    return broken(Error::unexpected_reply, describe(frame.header));
  ++counters_.late;
  return Event{.kind = Event::Kind::late,
               .reply = make_reply(frame),
               .created = failed ? kNoFid : ghost.created};
}

Reply Multiplexer::make_reply(const Frame& frame) const {
  Reply reply{.type = frame.header.type,
              .dialect = dialect_,
              .body = frame.body,
              .data_size = frame.data_size};
  if (frame.too_much)
    reply.error = Error::count_too_large;
  if (is_error(frame.header.type))
    std::tie(reply.error, reply.ename) = parse_error(frame.header.type, frame.body, dialect_);
  return reply;
}

/// Some 9P2000.L servers send type 107 with a bare errno; some .u errnos are another system's, but
/// small ones agree everywhere.
std::pair<error_code, std::string_view> parse_error(MessageType type, ByteView body,
                                                    Dialect dialect) {
  const bool bare_number = type == MessageType::Rlerror ||
                           (dialect == Dialect::l && body.size() == sizeof(std::uint32_t));
  if (bare_number) {
    const auto message = decode<Rlerror>(body, dialect, Leftover::ignore);
    return {message ? make_server_error(message->ecode) : message.error(), {}};
  }
  auto message = decode<Rerror>(body, dialect, Leftover::ignore);
  if (!message)  // a .u server that leaves the errno out
    message = decode<Rerror>(body, Dialect::legacy, Leftover::ignore);
  if (!message)
    return {message.error(), {}};
  constexpr std::uint32_t kMaxSharedErrno = 34;  // EPERM..ERANGE: the same on every Unix
  if (message->errnum >= 1 && message->errnum <= kMaxSharedErrno)
    return {make_server_error(message->errnum), message->ename};
  const int number = errno_of(message->ename);
  if (number == 0 && message->errnum != 0)
    return {make_server_error(message->errnum), message->ename};
  return {make_server_error(number == 0 ? EIO : static_cast<std::uint32_t>(number)),
          message->ename};
}

Event Multiplexer::broken(error_code error, std::string detail) {
  lost_ = error;  // nothing more is read or sent
  return {.kind = Event::Kind::broken, .error = error, .detail = std::move(detail)};
}

std::string Multiplexer::describe(const Header& header) const {
  const auto name_of = [](MessageType type) {
    std::string name = "type " + std::to_string(to_int(type));
    visit_type(type, [&](auto identity) { name = decltype(identity)::type::kName; });
    return name;
  };
  std::string text = name_of(header.type) + " tag " + std::to_string(to_int(header.tag)) +
                     " size " + std::to_string(header.size);
  if (!tags_.valid(header.tag))
    return text + ", a tag never handed out";
  const TagUse use = by_tag_[to_int(header.tag)];
  switch (tags_.state(header.tag)) {
    case TagPool::State::free:
      return text + ", a tag that no request holds";
    case TagPool::State::quarantined:
      return text + ", where the flushed request was " + name_of(ghosts_[to_int(header.tag)].type);
    case TagPool::State::in_flight:
    case TagPool::State::flushing:
      return text + ", where the request is " +
             name_of(use.flush ? MessageType::Tflush : slots_[use.slot].request.type);
  }
  return text;
}

}  // namespace fuse9p::proto
