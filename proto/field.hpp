// SPDX-License-Identifier: MIT
// A message is described once, by its field list: name on the wire, member, the dialects that have
// it, and the base it is printed in. Encoder, decoder, text form and tests all read this list.
#pragma once

#include "proto/types.hpp"

#include <cstdint>
#include <string_view>
#include <tuple>
#include <utility>

namespace fuse9p::proto {

/// The dialects in which a field is on the wire.
enum class In : std::uint8_t { all, u, u_and_l };

/// How an integer is printed; parsing takes any base with C's prefixes.
enum class Base : std::uint8_t { decimal, octal, hex };

template <class Message, class T>
struct Field {
  using value_type = T;
  std::string_view name;
  T Message::*member;
  Base base = Base::decimal;
  In in = In::all;

  constexpr bool present(Dialect dialect) const {
    return in == In::all || dialect == Dialect::u || (in == In::u_and_l && dialect == Dialect::l);
  }
};

template <class Message, class T>
Field(std::string_view, T Message::*) -> Field<Message, T>;
template <class Message, class T>
Field(std::string_view, T Message::*, Base) -> Field<Message, T>;
template <class Message, class T>
Field(std::string_view, T Message::*, Base, In) -> Field<Message, T>;

/// Calls `visit(field)` for each field of Message that `dialect` has, in wire order.
template <class Message, class Visit>
constexpr void for_each_field(Dialect dialect, Visit&& visit) {
  std::apply(
      [&](const auto&... field) { ((field.present(dialect) ? void(visit(field)) : void()), ...); },
      Message::fields);
}

}  // namespace fuse9p::proto
