// SPDX-License-Identifier: MIT
// How Client and its verbs send one request and wait for the reply. Included by what sends
// messages: client.cpp and the implementations of verbs.hpp.
#pragma once

#include "src/client.hpp"
#include "src/server_error.hpp"

#include <tuple>
#include <type_traits>

namespace fuse9p {

/// The fids that a request names.
template <class T>
Fids fids_of(const T& request) {
  Fids fids;
  std::apply(
      [&](const auto&... field) {
        const auto add = [&](const auto& value) {
          if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, proto::Fid>) {
            if (value != proto::kNoFid)
              fids.push_back(value);
          }
        };
        (add(request.*field.member), ...);
      },
      T::fields);
  return fids;
}

template <proto::Request T>
awaitable<result<proto::reply_of_t<T>>> Client::call(const T& request) {
  // Encoded here and now: the coroutine may start after what `request` views is gone.
  return call_encoded<proto::reply_of_t<T>>(proto::outgoing(request, connection_.dialect()),
                                            fids_of(request));
}

template <proto::Message R>
awaitable<result<R>> Client::call_encoded(proto::Outgoing request, Fids fids) {
  const Connection::Outcome outcome = co_await call_raw(std::move(request), fids);
  if (outcome.error)
    co_return outcome.error;
  co_return outcome.reply.as<R>();
}

}  // namespace fuse9p
