// SPDX-License-Identifier: MIT
#include "fuse/node_table.hpp"

#include <algorithm>
#include <cassert>

namespace fuse9p::fs {
namespace {

constexpr unsigned kSlotBits = 32;

/// Inode numbers of our own are from here on, far above those of file systems.
constexpr std::uint64_t kInventedInodes = 0xF9'00'00'00'00'00'00'00;

/// Did the server say this for certain after that?
bool is_newer(const Attributes& said, const Attributes& known) {
  return said.asked > known.heard;
}

/// Has what can't go back gone back?
bool is_back_in_time(const Attributes& said, const Attributes& known) {
  return !said.ctime_is_mtime && earlier(said.ctime, known.ctime);
}

/// Can the node be the file of which the server says this?
bool can_be(const Node& node, const Attributes& said) {
  const Attributes& known = node.attributes;
  if (known.heard == 0)  // made up
    return same_object(known.qid, said.qid) && known.type() == said.type();
  if (!may_be_same_object(known, said))
    return false;
  // Nothing takes a ctime back but a server's clock that is set back. A mistake about a file that
  // is open, or about a directory that may be somebody's, would be worse: those are believed.
  const bool went_back = is_newer(said, known) && is_back_in_time(said, known);
  return !went_back || node.open_handles > 0 || node.is_directory();
}

}  // namespace

Node::~Node() {
  links_.clear_and_dispose([this](Link* link) {
    if (link != &own_link_)
      delete link;
  });
}

Node* Node::child(std::string_view name) const {
  const Link* link = find_child(name);
  return link == nullptr ? nullptr : link->node;
}

Node::Link* Node::find_child(std::string_view name) const {
  if (!children_)
    return nullptr;
  const auto found = children_->find(name);
  return found == children_->end() ? nullptr : *found;
}

// ---- NodeRef

NodeRef::NodeRef(NodeTable& table, Node& node) : table_(&table), node_(&node) {
  ++node.pins_;
}

NodeRef::NodeRef(const NodeRef& other) : table_(other.table_), node_(other.node_) {
  if (node_ != nullptr)
    ++node_->pins_;
}

NodeRef& NodeRef::operator=(NodeRef&& other) noexcept {
  reset();
  table_ = other.table_;
  node_ = std::exchange(other.node_, nullptr);
  return *this;
}

void NodeRef::reset() {
  if (Node* node = std::exchange(node_, nullptr)) {
    --node->pins_;
    table_->release_if_unused(*node);
  }
}

// ---- NodeTable

NodeTable::NodeTable(const Attributes& root, std::function<void(Node&)> gone)
    : slots_(1), gone_(std::move(gone)) {
  Node& node = create(root);
  assert(node.id() == kRootId);
  node.nlookup_ = 1;  // the kernel never forgets the root
}

NodeTable::~NodeTable() = default;

Node& NodeTable::create(const Attributes& attributes) {
  std::uint32_t index = 0;
  if (free_slots_.empty()) {
    index = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    index = free_slots_.back();
    free_slots_.pop_back();
  }
  Slot& slot = slots_[index];
  slot.node = std::make_unique<Node>();
  slot.node->id_ = (static_cast<NodeId>(slot.generation) << kSlotBits) | index;
  slot.node->attributes = attributes;
  slot.node->fresh_until = Clock::now() + attr_timeout_;
  slot.node->inode_ = free_inode(attributes.qid.path);
  Node*& first = by_path_[attributes.qid.path];
  slot.node->next_of_path_ = std::exchange(first, slot.node.get());
  return *slot.node;
}

/// The path itself, unless it is the number of another file that has a name.
std::uint64_t NodeTable::free_inode(std::uint64_t path) {
  const auto found = by_path_.find(path);
  const Node* node = found == by_path_.end() ? nullptr : found->second;
  while (node != nullptr && node->unlinked())
    node = node->next_of_path_;
  if (node == nullptr)
    return path;
  do {
    ++invented_inodes_;
  } while (by_path_.contains(kInventedInodes + invented_inodes_));
  return kInventedInodes + invented_inodes_;
}

NodeRef NodeTable::find(NodeId id) {
  const auto index = static_cast<std::uint32_t>(id);
  if (index >= slots_.size() || !slots_[index].node || slots_[index].node->id() != id)
    return {};
  return {*this, *slots_[index].node};
}

NodeRef NodeTable::twin_of(const Node& parent, std::string_view name, const Attributes& attributes,
                           std::span<const NodeId> others) {
  const Node* known = parent.child(name);
  if (known != nullptr && can_be(*known, attributes))
    return {};
  const auto found = by_path_.find(attributes.qid.path);
  Node* node = found == by_path_.end() ? nullptr : found->second;
  const auto is_other = [&](const Node& one) {
    return &one == known || !one.is_alive() || std::ranges::count(others, one.id()) > 0;
  };
  while (node != nullptr && is_other(*node))
    node = node->next_of_path_;
  return node == nullptr ? NodeRef() : NodeRef(*this, *node);
}

NodeRef NodeTable::remember(Node& parent, std::string_view name, const Attributes& attributes,
                            Node* twin) {
  if (Node::Link* link = parent.find_child(name)) {
    if (update(*link->node, attributes))
      return {*this, *link->node};
    // Another file has the name now. The old one may live on by other names, or open.
    unlink(parent, name);
  }
  if (twin != nullptr && update(*twin, attributes)) {
    attach(*twin, parent, name);
    return {*this, *twin};
  }
  Node& node = create(attributes);
  attach(node, parent, name);
  return {*this, node};
}

bool NodeTable::update(Node& node, const Attributes& attributes) {
  if (!can_be(node, attributes))
    return false;
  const bool overtaken = attributes.asked != 0 && !is_newer(attributes, node.attributes) &&
                         is_back_in_time(attributes, node.attributes);
  if (overtaken)  // by a newer answer
    return true;
  node.attributes = attributes;
  node.fresh_until = Clock::now() + attr_timeout_;
  return true;
}

void NodeTable::forget(NodeId id, std::uint64_t lookups) {
  const NodeRef node = find(id);
  if (!node || node->is_root())
    return;
  node->nlookup_ -= std::min(lookups, node->nlookup_);
}

void NodeTable::add_link(Node& node, Node& parent, std::string_view name) {
  if (const Node* known = parent.child(name); known != nullptr && known != &node)
    unlink(parent, name);
  if (parent.child(name) == nullptr)
    attach(node, parent, name);
}

void NodeTable::prefer_link(Node& node, Node& parent, std::string_view name) {
  Node::Link* link = parent.find_child(name);
  if (link == nullptr || link->node != &node)
    return;
  node.links_.splice(node.links_.begin(), node.links_, node.links_.iterator_to(*link));
  ++node.path_epoch;
}

NodeRef NodeTable::unlink(Node& parent, std::string_view name) {
  Node::Link* link = parent.find_child(name);
  if (link == nullptr)
    return {};
  NodeRef ref(*this, *link->node);
  detach(*link);
  return ref;
}

void NodeTable::rename(Node& old_parent, std::string_view old_name, Node& new_parent,
                       std::string_view new_name) {
  unlink(new_parent, new_name);
  const NodeRef node = unlink(old_parent, old_name);
  if (!node)
    return;
  attach(*node, new_parent, new_name);
  for_each_below(*node, [](Node& below) { ++below.path_epoch; });
}

void NodeTable::for_each_below(Node& node, const std::function<void(Node&)>& visit) {
  std::vector<Node*> pending = {&node};
  while (!pending.empty()) {
    Node* current = pending.back();
    pending.pop_back();
    visit(*current);
    if (current->children_) {
      for (const Node::Link* link : *current->children_)
        pending.push_back(link->node);
    }
  }
}

bool NodeTable::any_above(const Node& node, const std::function<bool(const Node&)>& holds) const {
  if (holds(node))
    return true;
  const Node* seen = nullptr;  // of many links most are in one directory
  for (const Node::Link& link : node.links_) {
    if (link.parent == std::exchange(seen, link.parent))
      continue;
    for (const Node* up = link.parent;; up = up->link().parent) {
      if (holds(*up))
        return true;
      if (up->is_root() || up->unlinked())
        break;
    }
  }
  return false;
}

void NodeTable::attach(Node& node, Node& parent, std::string_view name) {
  Node::Link& link = node.own_link_.is_linked() ? *new Node::Link : node.own_link_;
  link.node = &node;
  link.parent = &parent;
  link.name = name;
  node.links_.push_back(link);
  if (!parent.children_)
    parent.children_ = std::make_unique<Node::Children>();
  parent.children_->insert(&link);
  ++parent.pins_;
}

void NodeTable::detach(Node::Link& link) {
  Node& node = *link.node;
  Node& parent = *link.parent;
  parent.children_->erase(&link);
  node.links_.erase(node.links_.iterator_to(link));
  if (&link != &node.own_link_)
    delete &link;
  ++node.path_epoch;
  --parent.pins_;
  release_if_unused(parent);
}

void NodeTable::release_if_unused(Node& node) {
  if (node.nlookup_ != 0 || node.pins_ != 0)
    return;
  gone_(node);
  ++node.pins_;  // not again while it goes
  while (!node.links_.empty())
    detach(node.links_.back());
  unlist(node);
  const auto index = static_cast<std::uint32_t>(node.id());
  slots_[index].node.reset();
  ++slots_[index].generation;
  free_slots_.push_back(index);
}

/// Out of the list of those with its qid.path.
void NodeTable::unlist(Node& node) {
  const auto entry = by_path_.find(node.qid().path);
  Node** place = &entry->second;
  while (*place != &node)
    place = &(*place)->next_of_path_;
  *place = node.next_of_path_;
  if (entry->second == nullptr)
    by_path_.erase(entry);
}

}  // namespace fuse9p::fs
