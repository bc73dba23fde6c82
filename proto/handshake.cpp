// SPDX-License-Identifier: MIT
#include "proto/handshake.hpp"

#include "proto/multiplexer.hpp"
#include "proto/text.hpp"

#include <algorithm>

namespace fuse9p::proto {
namespace {

constexpr Tag kAttachTag{0};

bool is_error(MessageType type) {
  return type == MessageType::Rlerror || type == MessageType::Rerror;
}

std::string shortened(std::string text) {
  constexpr std::size_t kMostShown = 100;
  if (text.size() > kMostShown)
    text.replace(kMostShown, std::string::npos, "...");
  return text;
}

/// A server's text in a message of ours: it can neither flood nor forge it.
std::string shown(std::string_view text) {
  return shortened(quoted(text));
}

/// How one asks us for the dialect of that name; nothing if we don't have it.
std::string option_of(std::string_view version) {
  for (const Dialect dialect : {Dialect::l, Dialect::u, Dialect::legacy}) {
    if (version == version_string(dialect))
      return "-o version=" + std::string(version);
  }
  return {};
}

std::string words_of(MessageType type, ByteView body, Dialect dialect) {
  const auto [error, ename] = parse_error(type, body, dialect);
  return ename.empty() ? error.message() : shown(ename);
}

}  // namespace

Handshake::Action Handshake::start() {
  attaching_ = false;
  parameters_.dialect = config_.dialects.at(attempt_);
  Action action{.kind = Action::Kind::send};
  action.error =
      encode_frame(action.frame, kNoTag,
                   Tversion{.msize = config_.msize, .version = version_string(parameters_.dialect)},
                   parameters_.dialect);
  return action;
}

Handshake::Action Handshake::received(ByteView frame) {
  if (frame.size() < kHeaderSize)
    return unexpected(frame);
  return attaching_ ? on_attach(frame) : on_version(frame);
}

Handshake::Action Handshake::on_version(ByteView frame) {
  const Header header = decode_header(frame.first<kHeaderSize>());
  const ByteView body = frame.subspan(kHeaderSize);
  only_hung_up_ = false;
  if (is_error(header.type))
    return refused(words_of(header.type, body, parameters_.dialect));
  const auto answer = decode<Rversion>(body, parameters_.dialect, Leftover::ignore);
  if (header.type != MessageType::Rversion || header.tag != kNoTag || !answer)
    return unexpected(frame);
  const auto accepted = std::ranges::find(config_.dialects, answer->version,
                                          [](Dialect dialect) { return version_string(dialect); });
  if (accepted == config_.dialects.end()) {
    offered_ = option_of(answer->version);
    return refused(shown(answer->version));
  }
  if (has_better_than(*accepted))
    return refused(shown(answer->version));
  if (answer->msize < kLeastMsize)
    return fail(Error::message_too_large, "grants msize " + std::to_string(answer->msize) +
                                              ", at least " + std::to_string(kLeastMsize) +
                                              " is needed; tell the server to grant more");
  parameters_.dialect = *accepted;
  parameters_.msize = std::min(answer->msize, config_.msize);
  return attach();
}

/// Many servers answer what they don't know with the plain "9P2000", also those that would know
/// 9P2000.u if they were asked for it. A connection that is agreed on, though, may not be asked
/// again.
bool Handshake::has_better_than(Dialect offered) const {
  const auto next = attempt_ + 1;
  return offered != parameters_.dialect && config_.can_reconnect &&
         next < config_.dialects.size() && config_.dialects[next] != offered;
}

Handshake::Action Handshake::refused(std::string_view answer) {
  answers_ += (answers_.empty() ? "" : ", ");
  answers_ += "\"" + std::string(version_string(parameters_.dialect)) + "\" was answered with " +
              std::string(answer);
  if (++attempt_ < config_.dialects.size())
    return config_.can_reconnect ? Action{.kind = Action::Kind::reconnect} : start();
  return no_common_version();
}

Handshake::Action Handshake::no_common_version() const {
  std::string message = "no common version: " + answers_;
  if (!offered_.empty())
    message += "; try " + offered_;
  else if (only_hung_up_)
    message += "; is it a 9P server, and may this host use it?";
  else if (config_.dialects.size() == 1)
    message += "; leave -o version out, or try another one";
  else
    message += "; fuse9p knows no other versions";
  return fail(Error::unexpected_reply, std::move(message));
}

Handshake::Action Handshake::closed() {
  if (!attaching_)
    return refused("a closed connection");
  return fail(Error::connection_lost, "connection closed instead of an answer to " + attempt() +
                                          "; may this host and this user use it?");
}

Handshake::Action Handshake::attach() {
  attaching_ = true;
  Action action{.kind = Action::Kind::send};
  action.error = encode_frame(action.frame, kAttachTag,
                              Tattach{.fid = config_.root,
                                      .afid = kNoFid,
                                      .uname = config_.uname,
                                      .aname = config_.aname,
                                      .n_uname = config_.n_uname},
                              parameters_.dialect);
  if (action.error || action.frame.size() > parameters_.msize)
    return fail(Error::message_too_large, "uname and aname do not fit into a message of " +
                                              std::to_string(parameters_.msize) +
                                              " bytes; shorten them");
  return action;
}

Handshake::Action Handshake::on_attach(ByteView frame) {
  const Header header = decode_header(frame.first<kHeaderSize>());
  const ByteView body = frame.subspan(kHeaderSize);
  if (is_error(header.type))
    return fail(
        parse_error(header.type, body, parameters_.dialect).first,
        "refuses to " + attempt() + ": " + words_of(header.type, body, parameters_.dialect));
  const auto answer = decode<Rattach>(body, parameters_.dialect, Leftover::ignore);
  if (header.type != MessageType::Rattach || header.tag != kAttachTag || !answer)
    return unexpected(frame);
  parameters_.root_qid = answer->qid;
  parameters_.aname = config_.aname;
  return {.kind = Action::Kind::done};
}

/// What was asked, as the user knows it.
std::string Handshake::attempt() const {
  if (!attaching_)
    return "agree on version " + std::string(version_string(parameters_.dialect));
  return "attach as uname=" + quoted(config_.uname) +
         " n_uname=" + std::to_string(config_.n_uname) + " aname=" + quoted(config_.aname);
}

Handshake::Action Handshake::unexpected(ByteView frame) const {
  return fail(Error::unexpected_reply, "does not speak 9P: expected " + std::string(awaited()) +
                                           " to " + attempt() + ", got " +
                                           shortened(to_text(frame, parameters_.dialect)) +
                                           "; is the port right?");
}

Handshake::Action Handshake::fail(error_code error, std::string message) {
  return {.kind = Action::Kind::failed, .error = error, .message = std::move(message)};
}

}  // namespace fuse9p::proto
