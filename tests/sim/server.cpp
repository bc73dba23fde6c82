// SPDX-License-Identifier: MIT
#include "tests/sim/server.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fuse9p::sim {

using namespace proto;
using test::Tree;

namespace {

bool ends_its_fid(MessageType type) {
  return type == MessageType::Tclunk || type == MessageType::Tremove;
}

Qid qid_of(const Tree::Node& node) {
  return {node.is_directory() ? qid_type::kDir : std::uint8_t{0}, 0, node.id};
}

/// The first fid that a request names; kNoFid if it names none.
Fid first_fid(ByteView frame) {
  if (header_of(frame).type == MessageType::Tflush || frame.size() < kHeaderSize + sizeof(Fid))
    return kNoFid;
  Fid fid = kNoFid;
  Reader(frame.subspan(kHeaderSize), Dialect::l).get(fid);
  return fid;
}

}  // namespace

Tree::NodePtr Server::plant(const std::string& name, std::string content) {
  Tree::NodePtr made;
  if (tree_.make(*tree_.root(), name, S_IFREG | 0644, {}, made) != 0)
    record_.complain("can't plant " + name);
  else
    made->content = std::move(content);
  return made;
}

// ---- taking requests

void Server::received(std::string_view bytes) {
  for (std::string& frame : in_.push(bytes))
    take(std::move(frame));
}

void Server::take(std::string frame) {
  Pending pending;
  if (const auto found = fids_.find(first_fid(view(frame))); found != fids_.end())
    pending.fid = found->second;
  pending.withheld = dice_.chance(temper_.withhold);
  if (pending.withheld)
    record_.count(header_of(view(frame)).type == MessageType::Tflush ? Occurrence::flush_withheld
                                                                     : Occurrence::reply_withheld);
  pending.frame = std::move(frame);
  pending_.push_back(std::move(pending));
}

bool Server::has_something_to_answer() const {
  return std::ranges::any_of(pending_, [](const Pending& pending) { return !pending.withheld; });
}

void Server::answer_something() {
  std::vector<std::size_t> ready;
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    if (!pending_[i].withheld)
      ready.push_back(i);
  }
  if (ready.empty())
    return;
  const std::size_t chosen = dice_.pick(ready);
  if (chosen != ready.front())
    record_.count(Occurrence::reply_overtook);
  Pending request = std::move(pending_[chosen]);
  pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(chosen));
  answer(std::move(request));
}

void Server::behave() {
  temper_ = {.sloppy = temper_.sloppy, .has_unlinkat = temper_.has_unlinkat};
  behaves_ = true;
  forget_flushed();
  for (Pending& pending : pending_)
    pending.withheld = false;
}

void Server::forget_flushed() {
  std::erase_if(pending_, [](const Pending& pending) { return pending.flushed; });
}

// ---- answering

void Server::answer(Pending request) {
  const ByteView frame = view(request.frame);
  const Header header = header_of(frame);
  if (header.type == MessageType::Tflush)
    return answer_flush(request);
  tag_ = header.tag;
  is_late_ = request.flushed;
  late_replies_ += is_late_ ? 1 : 0;
  if (!request.fid) {
    if (header.type != MessageType::Tclunk && !temper_.sloppy)
      record_.complain("the server has no such fid");
    return fail(EBADF);
  }
  if (dice_.chance(temper_.refuse) && !ends_its_fid(header.type)) {
    record_.count(Occurrence::request_refused);
    return fail(EIO);
  }
  visit_type(header.type, [&](auto identity) {
    using T = typename decltype(identity)::type;
    if constexpr (Request<T>)
      perform(*request.fid, *decode<T>(frame.subspan(kHeaderSize), Dialect::l));
  });
}

template <Message R>
void Server::reply(const R& message) {
  Bytes frame;
  if (const error_code error = encode_frame(frame, tag_, message, Dialect::l))
    record_.complain("an answer that can't be encoded: " + error.message());
  if (frame.size() > msize_)
    record_.complain("an answer above msize");
  out_ += chars({frame.data(), frame.size()});
}

void Server::fail(int error) {
  reply(Rlerror{.ecode = static_cast<std::uint32_t>(error)});
}

/// The request that it names is dropped, answered, or left for after the Rflush, as one likes.
void Server::answer_flush(const Pending& pending) {
  const ByteView frame = view(pending.frame);
  const Tag oldtag = decode<Tflush>(frame.subspan(kHeaderSize), Dialect::l)->oldtag;
  const auto old = std::ranges::find_if(pending_, [&](const Pending& other) {
    return header_of(view(other.frame)).tag == oldtag && !other.flushed;
  });
  if (old != pending_.end()) {
    constexpr std::uint32_t kAnswered = 250, kLeft = 300;
    if (temper_.sloppy && !behaves_ && dice_.chance(kLeft)) {
      old->flushed = true;
      old->withheld = false;
    } else {
      Pending request = std::move(*old);
      pending_.erase(old);
      if (dice_.chance(kAnswered))
        answer(std::move(request));
    }
  }
  tag_ = header_of(frame).tag;
  is_late_ = false;
  constexpr std::uint32_t kRefused = 100;
  if (dice_.chance(kRefused))
    fail(EINVAL);
  else
    reply(Rflush{});
}

/// `bytes`, or fewer, but at least one.
std::size_t Server::some_of(std::size_t bytes, Occurrence what) {
  if (bytes < 2 || !dice_.chance(temper_.answer_short))
    return bytes;
  record_.count(what);
  return dice_.between(1, static_cast<std::uint32_t>(bytes - 1));
}

void Server::perform(OpenFid& fid, const Twalk& request) {
  if (fids_.contains(request.newfid)) {
    if (!fids_[request.newfid]->stray && !is_late_)
      record_.complain("the server has the new fid already");
    return fail(EBADF);
  }
  Tree::NodePtr node = fid.node;
  Rwalk answer;
  for (const std::string_view name : request.wname) {
    if (dice_.chance(temper_.walk_short)) {
      record_.count(Occurrence::walk_answered_short);
      constexpr std::uint32_t kAsDiod = 500;  // which makes the fid all the same
      if (dice_.chance(kAsDiod))
        fids_[request.newfid] = std::make_shared<OpenFid>(OpenFid{.node = node, .stray = is_late_});
      return reply(answer);
    }
    node = tree_.child(*node, name);
    if (!node)
      return fail(ENOENT);
    answer.qid.push_back(qid_of(*node));
  }
  fids_[request.newfid] = std::make_shared<OpenFid>(OpenFid{.node = node, .stray = is_late_});
  reply(answer);
}

void Server::perform(OpenFid& fid, const Tgetattr& request) {
  reply(Rgetattr{.valid = request.request_mask,
                 .qid = qid_of(*fid.node),
                 .mode = fid.node->mode,
                 .nlink = fid.node->nlink,
                 .size = fid.node->size(),
                 .blksize = 4096});
}

void Server::perform(OpenFid& fid, const Tlopen&) {
  fid.open = true;
  reply(Rlopen{.qid = qid_of(*fid.node)});
}

void Server::perform(OpenFid& fid, const Tlcreate& request) {
  if (tree_.child(*fid.node, request.name))
    return fail(EEXIST);
  fid.node = plant(std::string(request.name), {});
  fid.open = true;
  reply(Rlcreate{.qid = qid_of(*fid.node)});
}

void Server::perform(OpenFid& fid, const Tread& request) {
  const std::string_view content = fid.node->content;
  const std::string_view rest =
      content.substr(std::min<std::size_t>(request.offset, content.size()), request.count);
  if (rest.size() == request.count && request.count < msize_ - kIoHeaderSize &&
      dice_.chance(temper_.answer_too_much)) {
    record_.count(Occurrence::read_answered_too_long);
    return reply(Rread{.data = view(std::string(request.count + 1, '!'))});
  }
  reply(Rread{.data = view(rest.substr(0, some_of(rest.size(), Occurrence::read_answered_short)))});
}

void Server::perform(OpenFid& fid, const Twrite& request) {
  std::string& content = fid.node->content;
  const std::size_t size = some_of(request.data.size(), Occurrence::write_answered_short);
  content.resize(std::max<std::size_t>(content.size(), request.offset + size));
  std::memcpy(content.data() + request.offset, request.data.data(), size);
  reply(Rwrite{.count = static_cast<std::uint32_t>(size)});
}

/// Whole entries, as many as fit.
void Server::perform(OpenFid& fid, const Treaddir& request) {
  Bytes data;
  const auto& children = fid.node->children;
  for (auto child = children.upper_bound(request.offset); child != children.end(); ++child) {
    Bytes entry;
    Writer writer(entry, Dialect::l);
    writer.put(qid_of(*child->second.node));
    writer.put(child->first);
    writer.put(std::uint8_t{0});
    writer.put(std::string_view(child->second.name));
    if (data.size() + entry.size() > request.count)
      break;
    data.insert(data.end(), entry.begin(), entry.end());
  }
  reply(Rreaddir{.data = ByteView(data.data(), data.size())});
}

void Server::perform(OpenFid&, const Tfsync&) {
  reply(Rfsync{});
}

void Server::perform(OpenFid& fid, const Tunlinkat& request) {
  if (!temper_.has_unlinkat)
    return fail(EOPNOTSUPP);
  const int error = tree_.unlink(*fid.node, request.name, false);
  return error != 0 ? fail(error) : reply(Runlinkat{});
}

/// All is in the root directory: the second fid that a request names is not looked at.
void Server::perform(OpenFid& fid, const Trenameat& request) {
  if (!temper_.has_unlinkat)
    return fail(EOPNOTSUPP);
  const int error = tree_.rename(*fid.node, request.oldname, *tree_.root(), request.newname);
  return error != 0 ? fail(error) : reply(Rrenameat{});
}

void Server::perform(OpenFid& fid, const Trename& request) {
  const auto places = tree_.places_of(*fid.node);
  const int error = places.empty() ? ENOENT
                                   : tree_.rename(*places[0].directory, places[0].name,
                                                  *tree_.root(), request.name);
  return error != 0 ? fail(error) : reply(Rrename{});
}

void Server::perform(OpenFid&, const Tclunk& request) {
  fids_.erase(request.fid);
  reply(Rclunk{});
}

void Server::perform(OpenFid& fid, const Tremove& request) {
  const auto places = tree_.places_of(*fid.node);
  const int error =
      places.empty() ? ENOENT : tree_.unlink(*places[0].directory, places[0].name, false);
  fids_.erase(request.fid);
  return error != 0 ? fail(error) : reply(Rremove{});
}

template <Request T>
void Server::perform(OpenFid&, const T&) {
  fail(EOPNOTSUPP);
}

void Server::talk_nonsense() {
  const std::vector<Bytes> nonsense = [&] {
    Bytes wild, small;
    encode_frame(wild, Tag{0x7777}, Rclunk{}, Dialect::l);
    small = wild;
    patch_size(small, kHeaderSize - 1);
    Bytes large = wild;
    patch_size(large, msize_ + 1);
    Bytes unasked;
    encode_frame(unasked, Tag{0}, Rversion{}, Dialect::l);
    return std::vector<Bytes>{wild, small, large, unasked};
  }();
  const Bytes& chosen = nonsense[dice_.below(nonsense.size())];
  out_ += chars({chosen.data(), chosen.size()});
}

std::size_t Server::fids() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(fids_, [](const auto& fid) { return !fid.second->stray; }));
}

}  // namespace fuse9p::sim
