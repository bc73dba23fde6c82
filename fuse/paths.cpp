// SPDX-License-Identifier: MIT
#include "fuse/paths.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace fuse9p::fs {

namespace asio = boost::asio;

// ---- Passage

Paths::Passage::Passage(Paths& paths, Nodes nodes) : paths_(&paths), nodes_(std::move(nodes)) {
  for (const NodeRef& node : nodes_)
    ++node->passages_;
  paths.passages_ += nodes_.size();
}

Paths::Passage::~Passage() {
  if (nodes_.empty())
    return;
  bool deserted = false;
  for (const NodeRef& node : nodes_)
    deserted = --node->passages_ == 0 || deserted;
  paths_->passages_ -= nodes_.size();
  if (deserted) {
    for (asio::steady_timer* bound : paths_->deserting_)
      bound->cancel();  // never resumes anybody from within the call
  }
}

// ---- Closure

Paths::Closure::Closure(Passage through, Nodes closed)
    : through_(std::move(through)), closed_(std::move(closed)) {
  for (const NodeRef& node : closed_)
    ++through_.paths_->closed_[&*node];
}

void Paths::Closure::reopen() {
  if (closed_.empty())
    return;
  Paths& paths = *through_.paths_;
  for (const NodeRef& node : closed_) {
    const auto entry = paths.closed_.find(&*node);
    if (--entry->second == 0)
      paths.closed_.erase(entry);
  }
  closed_.clear();
  paths.opened_.notify();
}

// ---- Paths

awaitable<result<Paths::Passage>> Paths::pass(NodeRef node) {
  return pass_by({Way{std::move(node), {}}});
}

awaitable<result<Paths::Passage>> Paths::pass(NodeRef one, NodeRef other) {
  return pass_by({Way{std::move(one), {}}, Way{std::move(other), {}}});
}

awaitable<result<Paths::Passage>> Paths::pass_to(NodeRef directory, std::string name) {
  return pass_by({Way{std::move(directory), std::move(name)}});
}

Paths::Passage Paths::stay(NodeRef one, NodeRef other) {
  return Passage(*this, {std::move(one), std::move(other)});
}

awaitable<result<Paths::Closure>> Paths::close(NodeRef directory, std::string name) {
  return close_all({Way{std::move(directory), std::move(name)}});
}

awaitable<result<Paths::Closure>> Paths::close(NodeRef from, std::string name, NodeRef to,
                                               std::string new_name) {
  return close_all(
      {Way{std::move(from), std::move(name)}, Way{std::move(to), std::move(new_name)}});
}

awaitable<result<Paths::Passage>> Paths::pass_by(Ways ways) {
  if (!closed_.empty()) {
    if (const bool opened = co_await open(ways); !opened)
      co_return proto::Error::withdrawn;
  }
  Nodes nodes;
  for (const Way& way : ways) {
    nodes.push_back(way.node);
    if (Node* file = way.file())
      nodes.emplace_back(nodes_, *file);
  }
  co_return Passage(*this, std::move(nodes));
}

awaitable<result<Paths::Closure>> Paths::close_all(Ways ways) {
  if (const bool opened = co_await open(ways); !opened)
    co_return proto::Error::withdrawn;
  Nodes through;
  Nodes closed;
  for (const Way& way : ways) {
    through.push_back(way.node);
    if (Node* file = way.file())
      closed.emplace_back(nodes_, *file);
  }
  std::vector<NodeRef> busy = busy_below(closed);  // before we are there ourselves
  Closure closure(Passage(*this, std::move(through)), std::move(closed));
  if (!busy.empty()) {
    if (const bool alone = co_await deserted(std::move(busy)); !alone)
      co_return proto::Error::withdrawn;
  }
  co_return std::move(closure);
}

/// Waits until nothing on the ways is closed. False: cancelled.
awaitable<bool> Paths::open(Ways ways) {
  while (std::ranges::any_of(ways, [this](const Way& way) { return is_closed(way); })) {
    ++waiting_;
    const bool woken = co_await opened_.wait();
    --waiting_;
    if (!woken)
      co_return false;
  }
  co_return true;
}

/// Waits until nobody is there, or for so long. False: cancelled.
awaitable<bool> Paths::deserted(std::vector<NodeRef> busy) {
  const auto cancelled = [](const asio::cancellation_state& state) {
    return state.cancelled() != asio::cancellation_type::none;
  };
  const auto state = co_await asio::this_coro::cancellation_state;
  asio::steady_timer bound(io_, patience_);
  const auto ours = deserting_.insert(deserting_.end(), &bound);
  ++waiting_;
  bool expired = false;
  while (!busy.empty() && !expired && !cancelled(state)) {
    error_code woken;  // none: the time is over
    co_await bound.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    expired = !woken;
    while (!busy.empty() && busy.back()->passages_ == 0)
      busy.pop_back();
  }
  --waiting_;
  deserting_.erase(ours);
  co_return !cancelled(state);
}

bool Paths::is_closed(const Way& way) const {
  if (closed_.empty())
    return false;
  const auto closed = [this](const Node& node) { return closed_.contains(&node); };
  const Node* file = way.file();
  return (file != nullptr && closed(*file)) || nodes_.any_above(*way.node, closed);
}

/// Those who have it, or anything below, as a part of their way just now.
std::vector<NodeRef> Paths::busy_below(const Nodes& nodes) {
  std::vector<NodeRef> busy;
  if (passages_ == 0)
    return busy;
  const auto add = [&](Node& node) {
    if (node.passages_ > 0)
      busy.emplace_back(nodes_, node);
  };
  for (const NodeRef& node : nodes)
    nodes_.for_each_below(*node, add);
  return busy;
}

}  // namespace fuse9p::fs
