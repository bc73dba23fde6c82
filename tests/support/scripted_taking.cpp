// SPDX-License-Identifier: MIT
// What the scripted server does with what comes: it decodes each frame, judges the client by it,
// and asks the script what is to become of it.
#include "proto/text.hpp"
#include "tests/support/scripted_mode.hpp"
#include "tests/support/scripted_server.hpp"

#include <algorithm>
#include <iostream>
#include <sstream>

namespace fuse9p::test {

using namespace proto;

namespace {

constexpr std::uint32_t kMostData = ~std::uint32_t{0};

constexpr bool wants_open(MessageType type) {
  return type == MessageType::Tread || type == MessageType::Twrite ||
         type == MessageType::Treaddir || type == MessageType::Tfsync ||
         type == MessageType::Tlock || type == MessageType::Tgetlock;
}
/// These leave the question open: attributes may be asked by any fid.
constexpr bool takes_any(MessageType type) {
  return type == MessageType::Tclunk || type == MessageType::Tremove ||
         type == MessageType::Tgetattr || type == MessageType::Tsetattr ||
         type == MessageType::Tstat || type == MessageType::Twstat ||
         type == MessageType::Tstatfs || type == MessageType::Tlink ||
         type == MessageType::Trename || type == MessageType::Treadlink;
}
/// Is it a message of that dialect?
constexpr bool belongs_to(Dialect dialect, MessageType type) {
  constexpr std::uint8_t kFirstOfAll = 100;  // below it, all are of 9P2000.L
  const bool legacy = type == MessageType::Topen || type == MessageType::Tcreate ||
                      type == MessageType::Tstat || type == MessageType::Twstat;
  return dialect == Dialect::l ? !legacy : to_int(type) >= kFirstOfAll;
}

template <class T>
Fid created_by(const T& request) {
  if constexpr (std::is_same_v<T, Tattach>)
    return request.fid;
  else if constexpr (std::is_same_v<T, Tauth>)
    return request.afid;
  else if constexpr (requires { request.newfid; })
    return request.newfid;
  else
    return kNoFid;
}

/// Hexadecimal words as bytes, "tag" as the tag.
std::string bytes_of(const std::string& words, Tag tag) {
  std::string bytes;
  std::istringstream in(words);
  for (std::string word; in >> word;) {
    if (word == "tag") {
      bytes += static_cast<char>(to_int(tag) & 0xFF);
      bytes += static_cast<char>(to_int(tag) >> 8);
    } else {
      bytes += static_cast<char>(std::stoul(word, nullptr, 16));
    }
  }
  return bytes;
}

}  // namespace

void ScriptedServer::breach(const std::string& what) {
  breaches_.push_back(what);
  std::cerr << "scripted_server: breach: " << what << std::endl;
  closed_ = true;
}

void ScriptedServer::received(std::string_view bytes) {
  in_ += bytes;
  while (!closed_ && in_.size() >= kHeaderSize) {
    const Header header = decode_header(view(in_).first<kHeaderSize>());
    const std::uint32_t most = msize_ == 0 ? msize_limit_ : msize_;
    if (header.size < kHeaderSize || header.size > most)
      return breach("a frame of " + std::to_string(header.size) + " bytes with msize " +
                    std::to_string(most));
    if (in_.size() < header.size)
      break;
    std::string frame = in_.substr(0, header.size);
    in_.erase(0, header.size);
    take_frame(std::move(frame));
    answer_awaited();
  }
}

void ScriptedServer::take_frame(std::string frame) {
  const Header header = decode_header(view(frame).first<kHeaderSize>());
  ++counts_[header.type];
  bool known = false;
  visit_type(header.type, [&](auto identity) {
    using T = typename decltype(identity)::type;
    if constexpr (Request<T>) {
      known = true;
      if (msize_ != 0 && !belongs_to(dialect_, T::kType))
        return breach(std::string(T::kName) + " is not in " +
                      std::string(version_string(dialect_)));
      const auto request = decode<T>(view(frame).subspan(kHeaderSize), dialect_);
      if (!request)
        return breach(std::string(T::kName) + ": " + request.error().message());
      take(header.tag, *request, frame);
    }
  });
  if (!known)
    breach("a message of type " + std::to_string(to_int(header.type)));
}

/// The fids that it names, the one that it may change first; not the one that it makes.
template <Request T>
std::vector<Fid> ScriptedServer::fids_of(const T& request) const {
  std::vector<Fid> fids;
  if constexpr (std::is_same_v<T, Tattach>) {
    if (request.afid != kNoFid)
      fids.push_back(request.afid);
    return fids;
  }
  for_each_field<T>(dialect_, [&](const auto& field) {
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(request.*field.member)>, Fid>) {
      const Fid fid = request.*field.member;
      if (fid != kNoFid && (fid != created_by(request) || field.name == "fid"))
        fids.push_back(fid);
    }
  });
  if constexpr (std::is_same_v<T, Tcreate>) {
    if (const auto linked = fid_to_link(request))
      fids.push_back(*linked);
  }
  return fids;
}

template <Request T>
bool ScriptedServer::check(Tag tag, const T& request) {
  if (!check_tag(tag, T::kType, T::kName))
    return false;
  if constexpr (std::is_same_v<T, Tflush>) {
    if (!check_flush(tag, request.oldtag))
      return false;
  }
  return check_fids(request) && check_created(created_by(request), T::kType, T::kName) &&
         check_sizes(request) && check_words(request);
}

bool ScriptedServer::wrong(const std::string& what) {
  breach(what);
  return false;
}

bool ScriptedServer::check_tag(Tag tag, MessageType type, std::string_view name) {
  const std::string subject(name);
  if ((type == MessageType::Tversion) != (tag == kNoTag))
    return wrong(subject + " with tag " + std::to_string(to_int(tag)));
  if (type == MessageType::Tversion ? !pending_.empty() : msize_ == 0)
    return wrong(subject + " out of place");
  if (pending_.contains(tag) || flushes_.contains(tag))
    return wrong(subject + ": tag " + std::to_string(to_int(tag)) + " is in use");
  if (is_flushed_late(tag))
    return wrong(subject + ": tag " + std::to_string(to_int(tag)) + " is being flushed");
  return true;
}

/// Was it dropped, and its Rflush is still to come?
bool ScriptedServer::is_flushed_late(Tag tag) const {
  return std::ranges::find(late_, tag, &LateRflush::oldtag) != late_.end();
}

bool ScriptedServer::check_flush(Tag tag, Tag oldtag) {
  const auto flushed = pending_.find(oldtag);
  if (oldtag == tag || flushes_.contains(oldtag))
    return wrong("Tflush of a Tflush");
  const bool twice = flushed != pending_.end() && flushed->second.flush != kNoTag;
  if (twice || is_flushed_late(oldtag))
    return wrong("a second Tflush of tag " + std::to_string(to_int(oldtag)));
  return true;
}

template <Request T>
bool ScriptedServer::check_fids(const T& request) {
  const std::vector<Fid> fids = fids_of(request);
  for (const Fid fid : fids) {
    const auto found = fids_.find(fid);
    if (found == fids_.end()) {
      if (T::kType == MessageType::Tclunk && (unsure_.contains(fid) || made_late_.contains(fid)))
        continue;
      return wrong(std::string(T::kName) + ": there is no fid " + std::to_string(to_int(fid)) +
                   (coming_.contains(fid) ? " yet" : ""));
    }
    const bool links = T::kType == MessageType::Tcreate && fid != fids.front();
    if (!check_fid(*found, links ? MessageType::Tlink : T::kType))
      return false;
  }
  return true;
}

bool ScriptedServer::check_fid(const Fids::value_type& named, MessageType type) {
  const OpenFid& fid = named.second;
  const auto is_wrong = [&, number = to_int(named.first)](const std::string& what) {
    return wrong("type " + std::to_string(to_int(type)) + " on fid " + std::to_string(number) +
                 ": " + what);
  };
  const bool opens = type == MessageType::Tlopen || type == MessageType::Topen;
  if (fid.requests > (opens ? fid.looks : 0) && changes_fid(type))
    return is_wrong("other requests that name it are not answered yet");
  if (fid.changing != MessageType{})
    return is_wrong("its state is not known yet");
  if (fid.attribute) {
    const Attribute& attribute = *fid.attribute;
    if (type == MessageType::Tclunk)
      return attribute.is_whole() || attribute.excused ||
             is_wrong("bytes of its attribute are missing");
    return type == (attribute.writing ? MessageType::Twrite : MessageType::Tread) ||
           is_wrong("it is an attribute's");
  }
  if (!takes_any(type) && fid.open != wants_open(type))
    return is_wrong(fid.open ? "it is open" : "it is not open");
  if (reads_directory(fid, type) && fid.reading_directory)
    return is_wrong("another read of the directory is not answered yet");
  if ((type == MessageType::Tread && !fid.reads) || (type == MessageType::Twrite && !fid.writes))
    return is_wrong("it is not open for that");
  return true;
}

bool ScriptedServer::reads_directory(const OpenFid& fid, MessageType type) {
  return type == MessageType::Treaddir ||
         (type == MessageType::Tread && fid.node->is_directory() && !fid.attribute);
}

bool ScriptedServer::check_created(Fid fid, MessageType type, std::string_view name) {
  if (fid == kNoFid || type == MessageType::Tauth)
    return true;
  const std::string subject = std::string(name) + ": fid " + std::to_string(to_int(fid));
  if (fids_.contains(fid) || coming_.contains(fid))
    return wrong(subject + " is in use");
  if (unsure_.contains(fid))
    return wrong(subject + " may exist; a Tclunk is due first");
  return true;
}

template <Request T>
bool ScriptedServer::check_sizes(const T& request) {
  std::size_t count = 1;
  if constexpr (requires { request.count; })
    count = request.count;
  if constexpr (std::is_same_v<T, Twrite>)
    count = request.data.size();
  if (count == 0 || count > std::max(msize_, kIoHeaderSize + 1) - kIoHeaderSize)
    return wrong(std::string(T::kName) + " of " + std::to_string(count) + " bytes with msize " +
                 std::to_string(msize_));
  if constexpr (std::is_same_v<T, Twrite>) {
    const auto& attribute = fids_.at(request.fid).attribute;
    if (attribute && (request.offset > attribute->value.size() ||
                      count > attribute->value.size() - request.offset))
      return wrong("Twrite beyond the size of the attribute");
  }
  return true;
}

template <Request T>
bool ScriptedServer::check_words(const T& request) {
  const auto unknown = [&](std::string_view what) {
    return wrong(std::string(T::kName) + " with a bit of " + std::string(what) +
                 " that is not in " + std::string(version_string(dialect_)));
  };
  if constexpr (requires { request.wname; }) {
    // Not every server of 9P2000.L would go up.
    const auto leads_somewhere = [&](std::string_view name) {
      return is_name(name) || (name == ".." && dialect_ != Dialect::l);
    };
    if (!std::ranges::all_of(request.wname, leads_somewhere))
      return wrong("Twalk to a name that is none");
  }
  if constexpr (std::is_same_v<T, Topen> || std::is_same_v<T, Tcreate>) {
    if ((request.mode & ~open_mode::known(dialect_)) != 0)
      return unknown("mode");
  }
  if constexpr (std::is_same_v<T, Tcreate>) {
    if ((request.perm & ~dm::known(dialect_)) != 0)
      return unknown("perm");
  }
  return true;
}

template <Request T>
Facts ScriptedServer::facts_of(const T& request) const {
  Facts facts{.type = T::kType};
  if constexpr (requires { request.offset; })
    facts.offset = request.offset;
  if (!rules_.want_names())
    return facts;
  for (const Fid fid : fids_of(request)) {
    const auto found = fids_.find(fid);
    if (found == fids_.end())
      continue;
    for (const Tree::Place& place : tree_.places_of(*found->second.node))
      facts.names.push_back(place.name);
  }
  for_each_field<T>(dialect_, [&](const auto& field) {
    const auto& value = request.*field.member;
    using Value = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, std::string_view>)
      facts.names.emplace_back(value);
    else if constexpr (std::is_same_v<Value, Names>)
      facts.names.insert(facts.names.end(), value.begin(), value.end());
    else if constexpr (std::is_same_v<Value, Stat>)
      facts.names.emplace_back(value.name);
  });
  return facts;
}

template <Request T>
void ScriptedServer::take(Tag tag, const T& request, std::string frame) {
  if (!check(tag, request))
    return;
  pass_time();
  const Action action = rules_.decide(facts_of(request));
  if constexpr (std::is_same_v<T, Tflush>) {
    flushes_.insert(tag);
    if (action.kind != Action::Kind::hold)
      answer(tag, request);
  } else {
    enter(tag, {.frame = std::move(frame),
                .type = T::kType,
                .fids = fids_of(request),
                .created = created_by(request),
                .most = kMostData,
                .serial = ++serial_});
    follow(tag, action);
  }
}

/// From now on it is unanswered, and its fids are named.
void ScriptedServer::enter(Tag tag, Pending request) {
  Pending& pending = pending_[tag];
  pending = std::move(request);
  if (pending.created != kNoFid) {
    coming_.insert(pending.created);
    made_late_.erase(pending.created);
  }
  for (const Fid number : pending.fids) {
    const auto found = fids_.find(number);
    if (found == fids_.end())
      continue;
    OpenFid& fid = found->second;
    ++fid.requests;
    fid.looks += looks(pending.type) ? 1 : 0;
    if (changes_fid(pending.type) && number == pending.fids.front())
      fid.changing = pending.type;
    pending.reads_directory = reads_directory(fid, pending.type);
    fid.reading_directory = fid.reading_directory || pending.reads_directory;
  }
}

void ScriptedServer::follow(Tag tag, const Action& action) {
  Pending& pending = pending_.at(tag);
  const bool nonsense = action.kind == Action::Kind::reply || action.kind == Action::Kind::raw;
  if (nonsense && pending.created != kNoFid)
    unsure_.insert(pending.created);
  if (nonsense)
    excuse(pending);
  switch (action.kind) {
    case Action::Kind::answer:
      return perform(tag);
    case Action::Kind::hold:
      pending.held = true;
      return;
    case Action::Kind::wait:
      pending.held = true;
      pending.wait =
          action.at_most ? 1 + static_cast<std::uint32_t>(dice_()) % action.number : action.number;
      return;
    case Action::Kind::withhold: {
      std::string before = std::exchange(out_, {});
      perform(tag);
      withheld_ += std::exchange(out_, std::move(before));
      return;
    }
    case Action::Kind::shorten:
      pending.most = action.number;
      return perform(tag);
    case Action::Kind::fail:
      return fail(tag, {static_cast<int>(action.number), action.text});
    case Action::Kind::reply: {
      auto frame = from_text(action.text, dialect_);
      if (!frame)
        throw std::invalid_argument("no message: " + action.text);
      if (decode_header(ByteView(frame->data(), frame->size()).first<kHeaderSize>()).tag == kNoTag)
        patch_tag(*frame, tag);
      out_.append(reinterpret_cast<const char*>(frame->data()), frame->size());
      return finish(tag);
    }
    case Action::Kind::raw:
      out_ += bytes_of(action.text, tag);
      return finish(tag);
    case Action::Kind::close:
      closed_ = true;
      return;
  }
}

}  // namespace fuse9p::test
