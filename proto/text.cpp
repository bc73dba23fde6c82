// SPDX-License-Identifier: MIT
#include "proto/text.hpp"

#include <charconv>
#include <deque>
#include <optional>

namespace fuse9p::proto {
namespace {

constexpr std::string_view kBareCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/:@%+=,~-";
constexpr std::string_view kHexDigits = "0123456789abcdef";

std::string in_base(std::uint64_t value, Base base) {
  char buffer[32];
  const int radix = base == Base::hex ? 16 : base == Base::octal ? 8 : 10;
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, radix).ptr;
  const std::string_view prefix = base == Base::hex                   ? "0x"
                                  : base == Base::octal && value != 0 ? "0"
                                                                      : "";
  return std::string(prefix) + std::string(buffer, end);
}

// ---- printing

class Printer {
 public:
  /// `missing` bytes at the end of the data are not there to be printed.
  Printer(Dialect dialect, std::size_t payload_limit, std::size_t missing)
      : dialect_(dialect), payload_limit_(payload_limit), missing_(missing) {}

  /// " name value" of each field.
  template <class T>
  std::string fields(const T& message) {
    for_each_field<T>(dialect_, [&](const auto& field) {
      text_ += ' ';
      text_ += field.name;
      value(message.*field.member, field.base);
    });
    return std::move(text_);
  }

 private:
  template <class T>
  requires std::is_unsigned_v<T>
  void value(T number, Base base) { text_ += ' ' + in_base(number, base); }
  void value(Tag tag, Base base) { value(to_int(tag), base); }
  void value(Fid fid, Base base) { value(to_int(fid), base); }
  void value(const Qid& qid, Base) {
    text_ += " (" + in_base(qid.path, Base::hex) + ' ' + in_base(qid.version, Base::decimal) + ' ' +
             in_base(qid.type, Base::hex) + ')';
  }
  void value(std::string_view string, Base) { text_ += ' ' + quoted(string); }
  void value(const Names& names, Base) {
    for (const std::string_view name : names)
      text_ += ' ' + quoted(name);
  }
  void value(const Qids& qids, Base base) {
    for (const Qid& qid : qids)
      value(qid, base);
  }
  void value(const Stat& stat, Base) {
    const std::string record = Printer(dialect_, payload_limit_, missing_).fields(stat);
    text_ += " (" + record.substr(1) + ')';
  }
  void value(Data data, Base) {
    const std::size_t size = data.size() + missing_;
    if (missing_ != 0 || size > payload_limit_)
      text_ += " <" + in_base(size, Base::decimal) + " bytes>";
    else
      text_ += ' ' + quoted({reinterpret_cast<const char*>(data.data()), data.size()});
  }

  Dialect dialect_;
  std::size_t payload_limit_;
  std::size_t missing_;
  std::string text_;
};

/// The fields of a frame whose last `missing` bytes, all of them payload, are not in `body`: data
/// is the part that is.
template <Message T>
std::optional<T> decode_head(ByteView body, std::size_t missing, Dialect dialect) {
  T message;
  std::uint32_t count = 0;
  Reader reader(body, dialect);
  for_each_field<T>(dialect, [&](const auto& field) {
    auto& value = message.*field.member;
    if constexpr (std::is_same_v<decltype(value), Data&>)
      reader.get(count);
    else
      reader.get(value);
  });
  if (reader.error() || count != reader.left() + missing)
    return std::nullopt;
  message.data = body.last(reader.left());
  return message;
}

template <Message T>
std::string print_message(Tag tag, ByteView body, std::size_t missing, Dialect dialect,
                          std::size_t payload_limit) {
  const std::string start = std::string(T::kName) + " tag " + in_base(to_int(tag), Base::decimal);
  if constexpr (detail::kEndsInData<T>) {
    if (missing != 0) {
      if (const auto head = decode_head<T>(body, missing, dialect))
        return start + Printer(dialect, payload_limit, missing).fields(*head);
    }
  }
  const auto message = decode<T>(body, dialect, Leftover::ignore);
  if (!message)
    return start + " <" + in_base(body.size(), Base::decimal) +
           " bytes: " + message.error().message() + '>';
  return start + Printer(dialect, payload_limit, 0).fields(*message);
}

// ---- parsing

class Parser {
 public:
  Parser(std::string_view text, Dialect dialect) : rest_(text), dialect_(dialect) {}

  template <class T>
  void fields(T& message) {
    for_each_field<T>(dialect_, [&](const auto& field) {
      if (peek() == field.name) {
        next();
        value(message.*field.member);
      }
    });
  }

  std::optional<std::string_view> word() {
    return peek().empty() ? std::nullopt : std::optional(next());
  }
  /// "tag N", or NOTAG where it is left out.
  Tag tag() {
    std::uint16_t number = to_int(kNoTag);
    if (peek() == "tag") {
      next();
      value(number);
    }
    return Tag{number};
  }
  bool ok() const { return ok_; }
  bool at_end() { return peek().empty(); }

 private:
  static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

  /// The next word, parenthesis or quoted string as it stands; empty at the end.
  std::string_view peek() {
    while (!rest_.empty() && is_space(rest_.front()))
      rest_.remove_prefix(1);
    if (rest_.empty())
      return {};
    if (rest_.front() == '(' || rest_.front() == ')')
      return rest_.substr(0, 1);
    if (rest_.front() == '\'')
      return rest_.substr(0, quoted_length());
    std::size_t length = 0;
    while (length < rest_.size() && !is_space(rest_[length]) && rest_[length] != '(' &&
           rest_[length] != ')')
      ++length;
    return rest_.substr(0, length);
  }
  std::size_t quoted_length() {
    for (std::size_t at = 1; at < rest_.size(); ++at) {
      if (rest_[at] != '\'')
        continue;
      if (at + 1 < rest_.size() && rest_[at + 1] == '\'')
        ++at;
      else
        return at + 1;
    }
    ok_ = false;
    return rest_.size();
  }
  std::string_view next() {
    const std::string_view token = peek();
    rest_.remove_prefix(token.size());
    return token;
  }
  void expect(std::string_view token) { ok_ = next() == token && ok_; }

  template <class T>
  requires std::is_unsigned_v<T>
  void value(T& number) {
    std::string_view token = next();
    int radix = 10;
    if (token.starts_with("0x")) {
      radix = 16;
      token.remove_prefix(2);
    } else if (token.size() > 1 && token.front() == '0') {
      radix = 8;
      token.remove_prefix(1);
    }
    const auto [end, error] =
        std::from_chars(token.data(), token.data() + token.size(), number, radix);
    ok_ = ok_ && !token.empty() && error == std::errc{} && end == token.data() + token.size();
  }
  void value(Tag& tag) {
    std::uint16_t number = 0;
    value(number);
    tag = Tag{number};
  }
  void value(Fid& fid) {
    std::uint32_t number = 0;
    value(number);
    fid = Fid{number};
  }
  void value(Qid& qid) {
    expect("(");
    value(qid.path);
    value(qid.version);
    value(qid.type);
    expect(")");
  }
  void value(std::string_view& text) { text = string(); }
  void value(Names& names) {
    while (ok_ && !peek().empty()) {
      if (names.size() == names.capacity()) {
        ok_ = false;
        return;
      }
      names.push_back(string());
    }
  }
  void value(Qids& qids) {
    while (ok_ && peek() == "(") {
      if (qids.size() == qids.capacity()) {
        ok_ = false;
        return;
      }
      value(qids.emplace_back());
    }
  }
  void value(Stat& stat) {
    expect("(");
    fields(stat);
    expect(")");
  }
  void value(Data& data) {
    const std::string_view token = peek();
    data = std::as_bytes(std::span(token.starts_with('<') ? zeros() : string()));
  }

  /// <4096 bytes>
  std::string_view zeros() {
    constexpr std::uint32_t kLargest = kMaxMsize;
    std::string_view number = next().substr(1);
    std::uint32_t size = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), size);
    ok_ = ok_ && error == std::errc{} && end == number.data() + number.size() && size <= kLargest;
    expect("bytes>");
    return ok_ ? keep(std::string(size, '\0')) : std::string_view{};
  }

  std::string_view string() {
    const std::string_view token = next();
    if (token.empty() || token == "(" || token == ")")
      ok_ = false;
    if (!ok_ || token.front() != '\'')
      return token;
    return keep(unquoted(token.substr(1, token.size() - 2)));
  }
  std::string unquoted(std::string_view inner) {
    std::string out;
    for (std::size_t at = 0; at < inner.size(); ++at) {
      if (inner[at] == '\'') {
        ++at;
      } else if (inner[at] == '\\') {
        out += escaped(inner.substr(at));
        at += 3;
        continue;
      }
      out += inner[at];
    }
    return out;
  }
  char escaped(std::string_view escape) {
    unsigned byte = 0;
    const bool shaped = escape.size() >= 4 && escape[1] == 'x';
    if (shaped) {
      const auto [end, error] = std::from_chars(escape.data() + 2, escape.data() + 4, byte, 16);
      ok_ = ok_ && error == std::errc{} && end == escape.data() + 4;
    }
    ok_ = ok_ && shaped;
    return static_cast<char>(byte);
  }
  std::string_view keep(std::string text) { return strings_.emplace_back(std::move(text)); }

  std::string_view rest_;
  Dialect dialect_;
  bool ok_ = true;
  std::deque<std::string>
      strings_;  // what unquoting made: views into it live as long as the parser
};

}  // namespace

std::string quoted(std::string_view text) {
  if (!text.empty() && text.find_first_not_of(kBareCharacters) == std::string_view::npos)
    return std::string(text);
  std::string out = "'";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\'') {
      out += "''";
    } else if (byte < 0x20 || byte >= 0x7F || c == '\\') {
      out += "\\x";
      out += kHexDigits[byte >> 4];
      out += kHexDigits[byte & 0xF];
    } else {
      out += c;
    }
  }
  return out + '\'';
}

std::string to_text(ByteView frame, Dialect dialect, std::size_t payload_limit) {
  if (frame.size() < kHeaderSize)
    return "<" + in_base(frame.size(), Base::decimal) + " bytes: no header>";
  const Header header = decode_header(frame.first<kHeaderSize>());
  const std::size_t missing =
      header.size > frame.size() && header.size <= kMaxMsize ? header.size - frame.size() : 0;
  std::string text;
  const bool known = visit_type(header.type, [&](auto identity) {
    using T = typename decltype(identity)::type;
    text =
        print_message<T>(header.tag, frame.subspan(kHeaderSize), missing, dialect, payload_limit);
  });
  if (!known)
    text = "type " + in_base(to_int(header.type), Base::decimal) + " tag " +
           in_base(to_int(header.tag), Base::decimal) + " <" +
           in_base(frame.size() - kHeaderSize, Base::decimal) + " bytes: unknown type>";
  return text;
}

result<Bytes> from_text(std::string_view text, Dialect dialect) {
  Parser parser(text, dialect);
  const auto name = parser.word();
  result<Bytes> frame = Error::bad_text;
  boost::mp11::mp_for_each<boost::mp11::mp_transform<std::type_identity, AllMessages>>(
      [&](auto identity) {
        using T = typename decltype(identity)::type;
        if (!name || *name != T::kName)
          return;
        const Tag tag = parser.tag();
        T message;
        parser.fields(message);
        if (!parser.ok() || !parser.at_end())
          return;
        Bytes bytes;
        const error_code error = encode_frame(bytes, tag, message, dialect);
        frame = error ? result<Bytes>(error) : result<Bytes>(std::move(bytes));
      });
  return frame;
}

}  // namespace fuse9p::proto
