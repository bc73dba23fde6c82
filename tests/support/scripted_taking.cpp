// SPDX-License-Identifier: MIT
// What the scripted server does with what comes: it decodes each frame, judges the client by it,
// and asks the script what is to become of it.
#include "proto/text.hpp"
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
         type == MessageType::Tstatfs || type == MessageType::Tlink ||
         type == MessageType::Trename || type == MessageType::Treadlink;
}
constexpr bool of_other_dialects(MessageType type) {
  return type == MessageType::Topen || type == MessageType::Tcreate || type == MessageType::Tstat ||
         type == MessageType::Twstat;
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
      const auto request = decode<T>(view(frame).subspan(kHeaderSize), Dialect::l);
      if (!request)
        return breach(std::string(T::kName) + ": " + request.error().message());
      take(header.tag, *request, frame);
    }
  });
  if (!known)
    breach("a message of type " + std::to_string(to_int(header.type)));
}

template <Request T>
std::vector<Fid> ScriptedServer::fids_of(const T& request) {
  std::vector<Fid> fids;
  for_each_field<T>(Dialect::l, [&](const auto& field) {
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(request.*field.member)>, Fid>) {
      const Fid fid = request.*field.member;
      if (fid != kNoFid && (fid != created_by(request) || field.name == "fid"))
        fids.push_back(fid);
    }
  });
  if constexpr (std::is_same_v<T, Tattach>)
    fids.clear();
  return fids;
}

template <Request T>
bool ScriptedServer::check(Tag tag, const T& request) {
  const auto wrong = [&](const std::string& what) {
    breach(what);
    return false;
  };
  const std::string name(T::kName);
  const auto bad_tag = [&](Tag of) { return pending_.contains(of) || flushes_.contains(of); };
  if (of_other_dialects(T::kType))
    return wrong(name + " is not in 9P2000.L");
  if ((T::kType == MessageType::Tversion) != (tag == kNoTag))
    return wrong(name + " with tag " + std::to_string(to_int(tag)));
  if (T::kType == MessageType::Tversion ? !pending_.empty() : msize_ == 0)
    return wrong(name + " out of place");
  if (bad_tag(tag))
    return wrong(name + ": tag " + std::to_string(to_int(tag)) + " is in use");
  if constexpr (std::is_same_v<T, Tflush>) {
    const auto flushed = pending_.find(request.oldtag);
    if (request.oldtag == tag || flushes_.contains(request.oldtag))
      return wrong("Tflush of a Tflush");
    if (flushed != pending_.end() && flushed->second.flush != kNoTag)
      return wrong("a second Tflush of tag " + std::to_string(to_int(request.oldtag)));
    for (const LateRflush& late : late_) {
      if (late.oldtag == request.oldtag)
        return wrong("a second Tflush of tag " + std::to_string(to_int(request.oldtag)));
    }
  }
  for (const LateRflush& late : late_) {
    if (late.oldtag == tag)
      return wrong(name + ": tag " + std::to_string(to_int(tag)) + " is being flushed");
  }
  for (const Fid fid : fids_of(request)) {
    const auto found = fids_.find(fid);
    if (found == fids_.end()) {
      if (T::kType == MessageType::Tclunk && (unsure_.contains(fid) || made_late_.contains(fid)))
        continue;
      return wrong(name + ": there is no fid " + std::to_string(to_int(fid)) +
                   (coming_.contains(fid) ? " yet" : ""));
    }
    if (!check_fid(*found, T::kType))
      return false;
  }
  if (const Fid created = created_by(request);
      created != kNoFid && T::kType != MessageType::Tauth) {
    if (fids_.contains(created) || coming_.contains(created))
      return wrong(name + ": fid " + std::to_string(to_int(created)) + " is in use");
    if (unsure_.contains(created))
      return wrong(name + ": fid " + std::to_string(to_int(created)) +
                   " may exist; a Tclunk is due first");
  }
  if constexpr (requires { request.count; }) {
    if (request.count == 0 || request.count > msize_ - kIoHeaderSize)
      return wrong(name + " of " + std::to_string(request.count) + " bytes with msize " +
                   std::to_string(msize_));
  }
  if constexpr (std::is_same_v<T, Twrite>) {
    if (request.data.empty() || request.data.size() > msize_ - kIoHeaderSize)
      return wrong(name + " of " + std::to_string(request.data.size()) + " bytes with msize " +
                   std::to_string(msize_));
    const auto& attribute = fids_.at(request.fid).attribute;
    if (attribute && (request.offset > attribute->value.size() ||
                      request.data.size() > attribute->value.size() - request.offset))
      return wrong("Twrite beyond the size of the attribute");
  }
  if constexpr (requires { request.wname; }) {
    if (!std::ranges::all_of(request.wname, &ScriptedServer::is_name))
      return wrong("Twalk to a name that is none");
  }
  return true;
}

bool ScriptedServer::check_fid(const Fids::value_type& named, MessageType type) {
  const auto& [number, fid] = named;
  const auto wrong = [&, number = number](const std::string& what) {
    breach("type " + std::to_string(to_int(type)) + " on fid " + std::to_string(to_int(number)) +
           ": " + what);
    return false;
  };
  const int harmless = type == MessageType::Tlopen ? fid.looks : 0;
  if (fid.requests > harmless && changes_fid(type))
    return wrong("other requests that name it are not answered yet");
  if (fid.changing != MessageType{})
    return wrong("its state is not known yet");
  if (fid.attribute) {
    const Attribute& attribute = *fid.attribute;
    if (type == MessageType::Tclunk)
      return attribute.is_whole() || attribute.excused ||
             wrong("bytes of its attribute are missing");
    return type == (attribute.writing ? MessageType::Twrite : MessageType::Tread) ||
           wrong("it is an attribute's");
  }
  if (!takes_any(type) && fid.open != wants_open(type))
    return wrong(fid.open ? "it is open" : "it is not open");
  if (type == MessageType::Treaddir && fid.reading_directory)
    return wrong("another Treaddir is not answered yet");
  if ((type == MessageType::Tread && !fid.reads) || (type == MessageType::Twrite && !fid.writes))
    return wrong("it is not open for that");
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
  for_each_field<T>(Dialect::l, [&](const auto& field) {
    const auto& value = request.*field.member;
    using Value = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, std::string_view>)
      facts.names.emplace_back(value);
    else if constexpr (std::is_same_v<Value, Names>)
      facts.names.insert(facts.names.end(), value.begin(), value.end());
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
  } else {
    Pending& pending = pending_[tag];
    pending = {.frame = std::move(frame),
               .type = T::kType,
               .fids = fids_of(request),
               .created = created_by(request),
               .most = kMostData,
               .serial = ++serial_};
    if (pending.created != kNoFid) {
      coming_.insert(pending.created);
      made_late_.erase(pending.created);
    }
    for (const Fid fid : pending.fids) {
      const auto found = fids_.find(fid);
      if (found == fids_.end())
        continue;
      ++found->second.requests;
      found->second.looks += T::kType == MessageType::Tgetattr ? 1 : 0;
      if (changes_fid(T::kType))
        found->second.changing = T::kType;
      if (T::kType == MessageType::Treaddir)
        found->second.reading_directory = true;
    }
  }
  if constexpr (std::is_same_v<T, Tflush>) {
    if (action.kind != Action::Kind::hold)
      answer(tag, request);
  } else {
    follow(tag, action);
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
    case Action::Kind::shorten:
      pending.most = action.number;
      return perform(tag);
    case Action::Kind::fail:
      return fail(tag, static_cast<int>(action.number));
    case Action::Kind::reply: {
      auto frame = from_text(action.text, Dialect::l);
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
