// SPDX-License-Identifier: MIT
#include "tests/support/scripted_server.hpp"

#include "proto/text.hpp"
#include "tests/support/pattern.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <sstream>
#include <stdexcept>

namespace fuse9p::test {

using namespace proto;

namespace {

constexpr std::uint32_t kMostData = ~std::uint32_t{0};
constexpr std::uint32_t kAccessMode = 3;

ByteView view(std::string_view bytes) {
  return std::as_bytes(std::span(bytes));
}

/// Does this message make its fid something else? Then nothing else may name it meanwhile.
constexpr bool changes_fid(MessageType type) {
  return type == MessageType::Tlopen || type == MessageType::Tlcreate ||
         type == MessageType::Txattrcreate || type == MessageType::Tclunk ||
         type == MessageType::Tremove;
}
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

/// The octal word that follows, if there is one.
mode_t mode_from(std::istream& in, mode_t otherwise) {
  std::string word;
  return in >> word ? static_cast<mode_t>(std::stoul(word, nullptr, 8)) : otherwise;
}

}  // namespace

// ---- taking requests

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
  if (!takes_any(type) && fid.open != wants_open(type))
    return wrong(fid.open ? "it is open" : "it is not open");
  if (type == MessageType::Treaddir && fid.reading_directory)
    return wrong("another Treaddir is not answered yet");
  const std::uint32_t access = fid.flags & kAccessMode;
  if ((type == MessageType::Tread && access == 1) || (type == MessageType::Twrite && access == 0))
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

// ---- answering

void ScriptedServer::perform(Tag tag) {
  Pending& pending = pending_.at(tag);
  pending.held = false;
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
      answer(tag, *decode<T>(view(frame).subspan(kHeaderSize), Dialect::l));
  });
}

void ScriptedServer::fail(Tag tag, int error) {
  const Pending& pending = pending_.at(tag);
  if (pending.type == MessageType::Tclunk || pending.type == MessageType::Tremove)
    fids_.erase(pending.fids.front());
  reply(tag, Rlerror{.ecode = static_cast<std::uint32_t>(error)});
}

/// The request is over for its fids.
void ScriptedServer::settle(Pending& pending) {
  coming_.erase(pending.created);
  for (const Fid fid : pending.fids) {
    const auto found = fids_.find(fid);
    if (found == fids_.end())
      continue;
    --found->second.requests;
    found->second.looks -= pending.type == MessageType::Tgetattr ? 1 : 0;
    if (found->second.changing == pending.type)
      found->second.changing = {};
    if (pending.type == MessageType::Treaddir)
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
    return reply(tag, Rflush{});
  Bytes frame;
  encode_frame(frame, tag, Rlerror{.ecode = EINVAL}, Dialect::l);
  out_.append(reinterpret_cast<const char*>(frame.data()), frame.size());
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

// ---- commands

void ScriptedServer::command(const std::string& line) {
  std::istringstream rest(line);
  std::string word;
  if (!(rest >> word) || word.starts_with('#'))
    return;
  if (ask(word, rest))
    return answer_awaited();
  if (!set(word, rest) && !plant(word, rest))
    throw std::invalid_argument("no command: " + line);
  answers_.emplace_back("ok");
}

bool ScriptedServer::set(const std::string& word, std::istream& rest) {
  static const std::map<std::string, Flush> policies = {
      {"prompt", Flush::prompt}, {"answer", Flush::answer}, {"after", Flush::after},
      {"never", Flush::never},   {"late", Flush::late},     {"sloppy", Flush::sloppy},
      {"error", Flush::error},   {"mixed", Flush::mixed}};
  std::string text;
  if (word == "on") {
    std::getline(rest >> std::ws, text);
    rules_.add(text);
  } else if (word == "forget") {
    rules_.clear();
  } else if (word == "flush") {
    rest >> text;
    flush_ = policies.at(text);
  } else if (word == "msize") {
    rest >> msize_limit_;
  } else if (word == "maxfids") {
    max_fids_ = {};
    rest >> max_fids_.number;
    while (rest >> text) {
      if (text == "strict")
        max_fids_.strict = true;
      else
        max_fids_.error = errno_named(text);
    }
  } else if (word == "seed") {
    unsigned seed = 0;
    rest >> seed;
    dice_.seed(seed);
  } else {
    return false;
  }
  return true;
}

bool ScriptedServer::ask(const std::string& word, std::istream& rest) {
  std::string text;
  if (word == "release") {
    rest >> text;
    release(text == "reverse");
    answers_.emplace_back("ok");
  } else if (word == "await") {
    Awaited awaited;
    rest >> text >> awaited.number;
    if (text != "held")
      awaited.type = message_type(text);
    awaited_.push_back(awaited);
  } else if (word == "count") {
    rest >> text;
    answers_.push_back(std::to_string(counts_[message_type(text)]));
  } else if (word == "attaches") {
    answers_.push_back(std::to_string(counts_[MessageType::Tattach]));
  } else if (word == "uid") {
    rest >> text;
    answers_.push_back(std::to_string(existing(text)->uid));
  } else if (word == "fids") {
    const auto made = [&](Fid fid) { return fids_.contains(fid); };
    const auto doubtful = unsure_.size() - std::ranges::count_if(unsure_, made);
    answers_.push_back(std::to_string(fids_.size() + doubtful));
  } else if (word == "resize") {
    std::size_t size = 0;
    rest >> text >> size;
    const Tree::NodePtr file = existing(text);
    const std::size_t old = file->content.size();
    file->content.resize(size);
    if (size > old)
      file->content.replace(old, size - old, pattern(size - old, old));
    Tree::touch(*file);
    answers_.emplace_back("ok");
  } else if (word == "content") {
    rest >> text;
    const std::string& content = existing(text)->content;
    const std::string wanted = pattern(content.size());
    const auto differs = std::ranges::mismatch(content, wanted).in1;
    answers_.push_back(std::to_string(content.size()) +
                       (differs == content.end()
                            ? " ok"
                            : " differs at " + std::to_string(differs - content.begin())));
  } else {
    return false;
  }
  return true;
}

void ScriptedServer::answer_awaited() {
  while (!awaited_.empty()) {
    const Awaited& awaited = awaited_.front();
    const std::uint64_t number = awaited.type ? counts_[*awaited.type] : held().size();
    if (number < awaited.number)
      return;
    answers_.emplace_back("ok");
    awaited_.pop_front();
  }
}

Tree::NodePtr ScriptedServer::existing(const std::string& path) const {
  const Tree::NodePtr found = tree_.find(path);
  if (!found)
    throw std::invalid_argument("no file " + path);
  return found;
}

Tree::NodePtr ScriptedServer::plant_node(const std::string& path, mode_t mode) {
  const auto slash = path.rfind('/');
  Tree::NodePtr made;
  if (tree_.make(*existing(path.substr(0, slash)), path.substr(slash + 1), mode, {}, made) != 0)
    throw std::invalid_argument("can't make " + path);
  return made;
}

bool ScriptedServer::plant(const std::string& word, std::istream& rest) {
  std::string path;
  std::string text;
  rest >> path;
  if (word == "dir") {
    plant_node(path, S_IFDIR | mode_from(rest, 0755));
  } else if (word == "file") {
    std::size_t size = 0;
    rest >> size;
    plant_node(path, S_IFREG | mode_from(rest, 0644))->content = pattern(size);
  } else if (word == "text" || word == "synthetic") {
    const Tree::NodePtr file = plant_node(path, S_IFREG | 0644);
    std::getline(rest >> std::ws, file->content);
    file->synthetic = word == "synthetic";
  } else if (word == "symlink") {
    rest >> text;
    plant_node(text, S_IFLNK | 0777)->content = path;
  } else if (word == "link") {
    rest >> text;
    const auto slash = text.rfind('/');
    tree_.link(*existing(text.substr(0, slash)), text.substr(slash + 1), existing(path));
  } else if (word == "many") {
    int files = 0;
    rest >> files;
    plant_node(path, S_IFDIR | 0755);
    for (int i = 0; i < files; ++i)
      plant_node(path + "/file." + std::to_string(i), S_IFREG | 0644)->content = "x";
  } else {
    return false;
  }
  return true;
}

}  // namespace fuse9p::test
