// SPDX-License-Identifier: MIT
#include "fuse/unresolved.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace fuse9p::fs {
namespace {

bool overlap(const Change& one, const Change& other) {
  if (one.node->id() != other.node->id() || one.what != other.what)
    return false;
  switch (one.what) {
    case Change::What::bytes:
      return one.begin < other.end && other.begin < one.end;
    case Change::What::name:
    case Change::What::xattr:
      return one.name == other.name;
    case Change::What::attributes:
      return true;
  }
  return false;
}

}  // namespace

bool Unresolved::blocks(const Change& change) const {
  return std::ranges::any_of(changes_, [&](const Changes& earlier) {
    return overlap(earlier.one, change) || overlap(earlier.other, change);
  });
}

awaitable<bool> Unresolved::cleared(const Change& one, const Change& other) {
  while (blocks(one) || blocks(other)) {
    ++waiting_;
    const bool woken = co_await changed_.wait();
    --waiting_;
    if (!woken)
      co_return false;
  }
  co_return true;
}

awaitable<void> Unresolved::settle(const Change& one, const Change& other, Fates::Mark mark) {
  if (!fates_.unknown_since(mark))
    co_return;
  // The interrupt that brought us here has had its effect: the caller has gone.
  co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
  const auto ours = add(one, other);
  const Paths::Passage passage = paths_.stay(one.node, other.node);
  co_await fates_.known_since(mark);
  remove(ours);
}

}  // namespace fuse9p::fs
