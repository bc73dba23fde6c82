// SPDX-License-Identifier: MIT
#include "tests/support/scripted_tree.hpp"

#include <algorithm>
#include <cerrno>

namespace fuse9p::test {
namespace {

constexpr std::size_t kLongestName = 255;

timespec now() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return time;
}

bool is_below(const Tree::NodePtr& node, const Tree::Node& directory) {
  for (Tree::NodePtr at = node; at; at = at->parent.lock()) {
    if (at.get() == &directory)
      return true;
    if (at == at->parent.lock())
      break;
  }
  return false;
}

}  // namespace

Tree::Tree() : root_(std::make_shared<Node>()) {
  root_->id = next_id_++;
  root_->mode = S_IFDIR | 0755;
  root_->nlink = 2;
  root_->parent = root_;
  root_->atime = root_->mtime = root_->ctime = now();
}

Tree::NodePtr Tree::find(std::string_view path) const {
  NodePtr node = root_;
  while (node && !path.empty()) {
    path.remove_prefix(path.front() == '/' ? 1 : 0);
    const std::string_view name = path.substr(0, path.find('/'));
    path.remove_prefix(name.size());
    if (!name.empty())
      node = child(*node, name);
  }
  return node;
}

Tree::NodePtr Tree::child(const Node& directory, std::string_view name) const {
  if (name == "..")
    return directory.parent.lock();
  for (const auto& [cookie, entry] : directory.children) {
    if (entry.name == name)
      return entry.node;
  }
  return nullptr;
}

Tree::Children::iterator Tree::position(Node& directory, std::string_view name) {
  return std::ranges::find_if(directory.children,
                              [&](const auto& child) { return child.second.name == name; });
}

int Tree::check_new_name(Node& directory, std::string_view name) const {
  if (!directory.is_directory())
    return ENOTDIR;
  if (name.size() > kLongestName)
    return ENAMETOOLONG;
  return child(directory, name) ? EEXIST : 0;
}

int Tree::make(Node& directory, std::string_view name, mode_t mode, const Owner& owner,
               NodePtr& made) {
  if (const int error = check_new_name(directory, name))
    return error;
  made = std::make_shared<Node>();
  made->id = next_id_++;
  made->mode = mode;
  made->uid = owner.uid;
  made->gid = owner.gid;
  made->muid = owner.uid;
  made->nlink = made->is_directory() ? 2 : 1;
  made->atime = made->mtime = made->ctime = now();
  attach(directory, name, made);
  return 0;
}

int Tree::link(Node& directory, std::string_view name, const NodePtr& node) {
  if (node->is_directory())
    return EPERM;
  if (const int error = check_new_name(directory, name))
    return error;
  attach(directory, name, node);
  ++node->nlink;
  node->ctime = now();
  return 0;
}

int Tree::unlink(Node& directory, std::string_view name, bool directory_wanted) {
  const auto entry = position(directory, name);
  if (entry == directory.children.end())
    return ENOENT;
  const Node& node = *entry->second.node;
  if (node.is_directory() != directory_wanted)
    return directory_wanted ? ENOTDIR : EISDIR;
  if (!node.children.empty())
    return ENOTEMPTY;
  detach(directory, entry);
  return 0;
}

int Tree::rename(Node& from, std::string_view old_name, Node& to, std::string_view new_name) {
  const auto entry = position(from, old_name);
  if (entry == from.children.end())
    return ENOENT;
  const NodePtr node = entry->second.node;
  if (node->is_directory() && is_below(to.shared_from_this(), *node))
    return EINVAL;
  if (const NodePtr replaced = child(to, new_name)) {
    if (replaced == node)
      return 0;
    if (const int error = unlink(to, new_name, node->is_directory()))
      return error;
  }
  // The link count stays: a name goes, a name comes.
  detach(from, position(from, old_name));
  attach(to, new_name, node);
  node->nlink += node->is_directory() ? 2 : 1;
  return 0;
}

std::vector<Tree::Place> Tree::places_of(const Node& node) const {
  std::vector<Place> places;
  std::vector<NodePtr> directories = {root_};
  while (!directories.empty()) {
    const NodePtr directory = directories.back();
    directories.pop_back();
    for (const auto& [cookie, entry] : directory->children) {
      if (entry.node.get() == &node)
        places.push_back({directory, entry.name});
      if (entry.node->is_directory())
        directories.push_back(entry.node);
    }
  }
  return places;
}

void Tree::attach(Node& directory, std::string_view name, const NodePtr& node) {
  directory.children.emplace(next_cookie_++, Entry{std::string(name), node});
  if (node->is_directory()) {
    ++directory.nlink;
    node->parent = directory.weak_from_this();
  }
  touch(directory);
}

void Tree::detach(Node& directory, Children::iterator entry) {
  Node& node = *entry->second.node;
  node.nlink -= node.is_directory() ? 2 : 1;
  node.ctime = now();
  directory.nlink -= node.is_directory() ? 1 : 0;
  directory.children.erase(entry);
  touch(directory);
}

void Tree::touch(Node& node) {
  changed(node);
  node.mtime = node.ctime;
}

void Tree::changed(Node& node) {
  node.ctime = now();
  ++node.version;
}

}  // namespace fuse9p::test
