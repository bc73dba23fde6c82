// SPDX-License-Identifier: MIT
// The script: what the lines of scripted_server.hpp do.
#include "proto/text.hpp"
#include "tests/support/pattern.hpp"
#include "tests/support/scripted_server.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace fuse9p::test {

using namespace proto;

namespace {

/// The octal word that follows, if there is one.
mode_t mode_from(std::istream& in, mode_t otherwise) {
  std::string word;
  return in >> word ? static_cast<mode_t>(std::stoul(word, nullptr, 8)) : otherwise;
}

Dialect dialect_named(std::string_view version) {
  for (const Dialect dialect : {Dialect::legacy, Dialect::u, Dialect::l}) {
    if (version_string(dialect) == version)
      return dialect;
  }
  throw std::invalid_argument("no dialect " + std::string(version));
}

std::string in_words(const std::vector<Lock>& locks) {
  std::string words;
  for (const Lock& lock : locks) {
    const std::uint64_t length = lock.end == Lock::kToTheEnd ? 0 : lock.end - lock.start;
    words += words.empty() ? "" : ", ";
    words += lock.type == Lock::Type::write ? "write " : "read ";
    words += std::to_string(lock.start) + ' ' + std::to_string(length) + " by " +
             std::to_string(lock.proc_id) + '@' + lock.client_id;
  }
  return words.empty() ? "nothing" : words;
}

std::string in_words(const Tree::Node& file) {
  std::ostringstream words;
  words << std::oct << file.mode << std::dec << ' ' << file.uid << ' ' << file.gid << ' '
        << file.size() << ' ' << file.atime.tv_sec << ' ' << file.mtime.tv_sec;
  return words.str();
}

}  // namespace

void ScriptedServer::command(const std::string& line) {
  std::istringstream rest(line);
  std::string word;
  if (!(rest >> word) || word.starts_with('#'))
    return;
  if (ask(word, rest) || ask_locks(word, rest) || ask_device(word, rest))
    return answer_awaited();
  if (!set(word, rest) && !tamper(word, rest) && !plant(word, rest))
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
  } else if (word == "dialects") {
    dialects_.clear();
    while (rest >> text)
      dialects_.insert(dialect_named(text));
  } else if (word == "refuse") {
    static const std::map<std::string, Refuse> ways = {{"unknown", Refuse::unknown},
                                                       {"rerror", Refuse::rerror},
                                                       {"rlerror", Refuse::rlerror},
                                                       {"downgrade", Refuse::downgrade},
                                                       {"hangup", Refuse::hangup}};
    rest >> text;
    refuse_ = ways.at(text);
  } else if (word == "versions") {
    rest >> text;
    shows_versions_ = text == "on";
  } else if (word == "permissions") {
    rest >> text;
    checks_permissions_ = text == "on";
  } else if (word == "user") {
    std::uint32_t number = 0;
    rest >> text >> number;
    users_.add(text, number);
  } else if (word == "maxfids") {
    max_fids_ = {};
    rest >> max_fids_.number;
    while (rest >> text) {
      if (text == "strict")
        max_fids_.strict = true;
      else
        max_fids_.error = errno_named(text);
    }
  } else if (word == "locks") {
    static const std::map<std::string, Locks::Kind> kinds = {{"none", Locks::Kind::none},
                                                             {"ranges", Locks::Kind::ranges},
                                                             {"whole", Locks::Kind::whole},
                                                             {"fake", Locks::Kind::fake}};
    rest >> text;
    locks_.set_kind(kinds.at(text));
  } else if (word == "seed") {
    unsigned seed = 0;
    rest >> seed;
    dice_.seed(seed);
  } else {
    return false;
  }
  return true;
}

/// Another client's locks.
bool ScriptedServer::ask_locks(const std::string& word, std::istream& rest) {
  const std::string kAnother = "another";
  std::string path;
  if (word == "lock") {
    Lock lock{.client_id = kAnother};
    std::string type;
    std::uint64_t length = 0;
    rest >> path >> type >> lock.start >> length;
    lock.type = type == "write" ? Lock::Type::write : Lock::Type::read;
    if (length != 0)
      lock.end = lock.start + length;
    answers_.emplace_back(locks_.set(existing(path)->id, lock) ? "ok" : "blocked");
  } else if (word == "unlock") {
    rest >> path;
    locks_.set(existing(path)->id, Lock{.client_id = kAnother});
    answers_.emplace_back("ok");
  } else if (word == "locked") {
    rest >> path;
    answers_.push_back(in_words(locks_.of(existing(path)->id)));
  } else {
    return false;
  }
  return true;
}

/// Events and control files.
bool ScriptedServer::ask_device(const std::string& word, std::istream& rest) {
  std::string text;
  if (word == "emit") {
    rest >> text;
    const Tree::NodePtr file = existing(text);
    std::getline(rest >> std::ws, file->records.emplace_back());
    deliver_event(*file);
    answers_.emplace_back("ok");
  } else if (word == "written") {
    rest >> text;
    std::string& answer = answers_.emplace_back();
    for (const std::string& record : existing(text)->records)
      answer += (answer.empty() ? "" : " ") + quoted(record);
  } else {
    return false;
  }
  return true;
}

/// The oldest read that waits for it gets it.
void ScriptedServer::deliver_event(const Tree::Node& file) {
  std::optional<Tag> reader;
  for (const auto& [tag, pending] : pending_) {
    if (!pending.blocked)
      continue;
    // Behind a sloppy Rflush the client may have given the fid back already.
    const auto fid = fids_.find(pending.fids.front());
    const bool waits = fid != fids_.end() && fid->second.node.get() == &file;
    if (waits && (!reader || pending.serial < pending_.at(*reader).serial))
      reader = tag;
  }
  if (reader)
    perform(*reader);
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
  } else if (word == "xattr?") {
    std::string name;
    rest >> text >> name;
    const Attributes& attributes = existing(text)->attributes;
    const auto found = attributes.find(name);
    answers_.push_back(found == attributes.end() ? "no " + name : quoted(found->second));
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
  } else if (word == "text?") {
    rest >> text;
    answers_.push_back(quoted(existing(text)->content));
  } else if (word == "stat?") {
    rest >> text;
    const Tree::NodePtr file = tree_.find(text);
    answers_.push_back(file ? in_words(*file) : "nothing");
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
  const Tree::Place place = place_of(path);
  Tree::NodePtr made;
  if (tree_.make(*place.directory, place.name, mode, {}, made) != 0)
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
  } else if (word == "text" || word == "synthetic" || word == "append" || word == "exclusive") {
    const Tree::NodePtr file = plant_node(path, S_IFREG | 0644);
    std::getline(rest >> std::ws, file->content);
    file->synthetic = word == "synthetic";
    file->append = word == "append";
    file->exclusive = word == "exclusive";
  } else if (word == "event" || word == "ctl") {
    const bool event = word == "event";
    const Tree::NodePtr file = plant_node(path, S_IFREG | (event ? 0444 : 0222));
    file->device = event ? Tree::Node::Device::event : Tree::Node::Device::control;
    file->synthetic = true;
  } else if (word == "xattr") {
    std::string name;
    rest >> name;
    std::getline(rest >> std::ws, text);
    existing(path)->attributes[name] = text;
  } else if (word == "symlink") {
    rest >> text;
    plant_node(text, S_IFLNK | 0777)->content = path;
  } else if (word == "link") {
    rest >> text;
    const Tree::Place place = place_of(text);
    tree_.link(*place.directory, place.name, existing(path));
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

bool ScriptedServer::tamper(const std::string& word, std::istream& rest) {
  const auto next = [&] {
    std::string text;
    rest >> text;
    return text;
  };
  const auto check = [&](int error) {
    if (error != 0)
      throw std::invalid_argument("can't " + word);
  };
  if (word == "remove") {
    const Tree::Place place = place_of(next());
    const Tree::NodePtr node = tree_.child(*place.directory, place.name);
    check(node ? tree_.unlink(*place.directory, place.name, node->is_directory()) : ENOENT);
  } else if (word == "move") {
    const Tree::Place from = place_of(next());
    const Tree::Place to = place_of(next());
    check(tree_.rename(*from.directory, from.name, *to.directory, to.name));
  } else if (word == "inode") {
    const Tree::NodePtr file = existing(next());
    file->id = std::stoull(next());
  } else if (word == "numbers") {
    tree_.set_next_id(std::stoull(next()));
  } else if (word == "generation") {
    const Tree::NodePtr file = existing(next());
    file->generation = std::stoull(next());
  } else if (word == "age") {
    const Tree::NodePtr file = existing(next());
    file->ctime.tv_sec -= std::stol(next());
  } else if (word == "device") {
    const Tree::NodePtr file = existing(next());
    file->rdev = std::stoull(next(), nullptr, 0);
  } else if (word == "write" || word == "extend") {
    const Tree::NodePtr file = existing(next());
    std::string words;
    std::getline(rest >> std::ws, words);
    file->content = word == "write" ? words : file->content + words;
    Tree::touch(*file);
  } else if (word == "owner") {
    const Tree::NodePtr file = existing(next());
    file->uid = static_cast<std::uint32_t>(std::stoul(next()));
    file->gid = static_cast<std::uint32_t>(std::stoul(next()));
  } else {
    return false;
  }
  return true;
}

Tree::Place ScriptedServer::place_of(const std::string& path) const {
  const auto slash = path.rfind('/');
  return {existing(path.substr(0, slash)), path.substr(slash + 1)};
}

}  // namespace fuse9p::test
