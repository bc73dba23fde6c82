// SPDX-License-Identifier: MIT
#include "fuse/node_table.hpp"

#include <algorithm>
#include <cassert>

namespace fuse9p::fs {
namespace {

constexpr unsigned kSlotBits = 32;

bool same_time(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool same_file(const Attributes& a, const Attributes& b) {
  return a.qid.path == b.qid.path && a.type() == b.type();
}

}  // namespace

Node* Node::child(std::string_view name) const {
  if (!children_)
    return nullptr;
  const auto found = children_->find(name);
  return found == children_->end() ? nullptr : found->second;
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
  return *slot.node;
}

NodeRef NodeTable::find(NodeId id) {
  const auto index = static_cast<std::uint32_t>(id);
  if (index >= slots_.size() || !slots_[index].node || slots_[index].node->id() != id)
    return {};
  return {*this, *slots_[index].node};
}

NodeRef NodeTable::remember(Node& parent, std::string_view name, const Attributes& attributes) {
  if (Node* known = parent.child(name)) {
    if (update(*known, attributes))
      return {*this, *known};
    // Another file has the name now. The old one may live on by other names, or open.
    const NodeRef old(*this, *known);
    detach(*known, parent, name);
  }
  Node* node = find_hard_link(attributes);
  if (node == nullptr)
    node = &create(attributes);
  else
    update(*node, attributes);
  attach(*node, parent, name);
  if (attributes.nlink > 1 && !node->is_directory())
    by_identity_[identity_of(attributes)] = node;
  return {*this, *node};
}

/// Two names are one file only if everything says so: qid.path is an inode number without a device.
Node* NodeTable::find_hard_link(const Attributes& attributes) {
  if (attributes.nlink < 2 || attributes.type() == 0040000)
    return nullptr;
  const auto found = by_identity_.find(identity_of(attributes));
  if (found == by_identity_.end())
    return nullptr;
  const Attributes& known = found->second->attributes;
  const bool agrees = known.size == attributes.size && known.uid == attributes.uid &&
                      known.gid == attributes.gid && known.rdev == attributes.rdev &&
                      same_time(known.mtime, attributes.mtime);
  return agrees && !found->second->unlinked() ? found->second : nullptr;
}

bool NodeTable::update(Node& node, const Attributes& attributes) {
  if (!same_file(node.attributes, attributes))
    return false;
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
  if (Node* known = parent.child(name); known != nullptr && known != &node) {
    const NodeRef old(*this, *known);
    detach(*known, parent, name);
  }
  if (parent.child(name) == nullptr)
    attach(node, parent, name);
  if (!node.is_directory())
    by_identity_[identity_of(node.attributes)] = &node;
}

NodeRef NodeTable::unlink(Node& parent, std::string_view name) {
  Node* node = parent.child(name);
  if (node == nullptr)
    return {};
  NodeRef ref(*this, *node);
  detach(*node, parent, name);
  return ref;
}

void NodeTable::rename(Node& old_parent, std::string_view old_name, Node& new_parent,
                       std::string_view new_name) {
  if (const NodeRef replaced = new_parent.child(new_name) == nullptr
                                   ? NodeRef()
                                   : NodeRef(*this, *new_parent.child(new_name)))
    detach(*replaced, new_parent, new_name);
  Node* node = old_parent.child(old_name);
  if (node == nullptr)
    return;
  const NodeRef moving(*this, *node);
  detach(*node, old_parent, old_name);
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
      for (const auto& [name, child] : *current->children_)
        pending.push_back(child);
    }
  }
}

void NodeTable::attach(Node& node, Node& parent, std::string_view name) {
  // The map's keys view the links' names, which must not move: rebuild those that do.
  const auto unhook = [&](const Node::Link& link) { link.parent->children_->erase(link.name); };
  const auto hook = [&](const Node::Link& link) {
    link.parent->children_->emplace(link.name, &node);
  };
  if (!parent.children_)
    parent.children_ = std::make_unique<Node::Children>();
  std::ranges::for_each(node.links_, unhook);
  node.links_.push_back({&parent, std::string(name)});
  std::ranges::for_each(node.links_, hook);
  ++parent.pins_;
}

bool NodeTable::detach(Node& node, Node& parent, std::string_view name) {
  const auto found = std::ranges::find_if(node.links_, [&](const Node::Link& link) {
    return link.parent == &parent && link.name == name;
  });
  if (found == node.links_.end())
    return false;
  for (const Node::Link& link : node.links_)
    link.parent->children_->erase(link.name);
  node.links_.erase(found);
  for (const Node::Link& link : node.links_)
    link.parent->children_->emplace(link.name, &node);
  ++node.path_epoch;
  if (node.unlinked()) {
    const auto entry = by_identity_.find(identity_of(node.attributes));
    if (entry != by_identity_.end() && entry->second == &node)
      by_identity_.erase(entry);
  }
  --parent.pins_;
  release_if_unused(parent);
  return true;
}

void NodeTable::release_if_unused(Node& node) {
  if (node.nlookup_ != 0 || node.pins_ != 0)
    return;
  gone_(node);
  ++node.pins_;  // not again while it goes
  while (!node.links_.empty()) {
    const Node::Link link = node.links_.back();
    detach(node, *link.parent, link.name);
  }
  const auto entry = by_identity_.find(identity_of(node.attributes));
  if (entry != by_identity_.end() && entry->second == &node)
    by_identity_.erase(entry);
  const auto index = static_cast<std::uint32_t>(node.id());
  slots_[index].node.reset();
  ++slots_[index].generation;
  free_slots_.push_back(index);
}

}  // namespace fuse9p::fs
