// SPDX-License-Identifier: MIT
// tests/wire/messages.spec, read, and messages made from its lines alone: as bytes and as text.
// Nothing here includes proto/: what comes out is golden, and proto/ is held against it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace fuse9p::test {

inline constexpr std::array kDialectNames = {"9P2000", "9P2000.u", "9P2000.L"};

/// The number of a message, from the manuals. R is T + 1; only the two errors have no T.
inline std::uint8_t type_number(std::string_view name) {
  static const std::map<std::string_view, int> requests = {
      {"statfs", 8},       {"lopen", 12},    {"lcreate", 14},  {"symlink", 16},  {"mknod", 18},
      {"rename", 20},      {"readlink", 22}, {"getattr", 24},  {"setattr", 26},  {"xattrwalk", 30},
      {"xattrcreate", 32}, {"readdir", 40},  {"fsync", 50},    {"lock", 52},     {"getlock", 54},
      {"link", 70},        {"mkdir", 72},    {"renameat", 74}, {"unlinkat", 76}, {"version", 100},
      {"auth", 102},       {"attach", 104},  {"flush", 108},   {"walk", 110},    {"open", 112},
      {"create", 114},     {"read", 116},    {"write", 118},   {"clunk", 120},   {"remove", 122},
      {"stat", 124},       {"wstat", 126},
  };
  if (name == "Rlerror")
    return 7;
  if (name == "Rerror")
    return 107;
  return static_cast<std::uint8_t>(requests.at(name.substr(1)) + (name.front() == 'R' ? 1 : 0));
}

enum class Kind { integer, qid, string, strings, qids, data, stat };

struct SpecField {
  std::string name;
  Kind kind = Kind::integer;
  std::size_t size = 0;  // of an integer
};

/// One line in one of its dialects.
struct SpecMessage {
  std::string line, name, dialect;
  std::vector<SpecField> fields;  // behind the tag
};

/// The stat record of a dialect, without its size[2].
struct SpecRecord {
  std::string line;
  std::vector<SpecField> fields;
};

struct Spec {
  std::vector<SpecMessage> messages;
  std::map<std::string, SpecRecord> stat;  // by dialect
};

namespace detail {

inline std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  for (std::size_t at = 0; (at = line.find_first_not_of(' ', at)) != line.npos;) {
    const std::size_t end = std::min(line.find(' ', at), line.size());
    words.emplace_back(line.substr(at, end - at));
    at = end;
  }
  return words;
}

/// name[2] -> "2"; empty for another shape.
inline std::string bracketed(const std::string& word, std::string& name) {
  const std::size_t open = word.find('[');
  if (open == std::string::npos || open == 0 || word.back() != ']')
    return {};
  name = word.substr(0, open);
  return word.substr(open + 1, word.size() - open - 2);
}

inline std::vector<SpecField> fields_of(std::span<const std::string> words) {
  std::vector<SpecField> fields;
  for (std::size_t i = 0; i < words.size(); ++i) {
    SpecField field;
    const std::string size = bracketed(words[i], field.name);
    const std::string next = i + 1 < words.size() ? words[i + 1] : "";
    if (next.starts_with(field.name + "*(") && size == "2" && next.back() == ')') {
      const std::size_t open = next.find('(') + 1;
      const std::string element = bracketed(next.substr(open, next.size() - open - 1), field.name);
      field.kind = element == "s" ? Kind::strings : Kind::qids;
      if (element != "s" && element != "13")
        throw std::runtime_error("list of " + next);
      ++i;
    } else if (next == "data[" + field.name + "]" && size == "4") {
      field = {"data", Kind::data};
      ++i;
    } else if (size == "s") {
      field.kind = Kind::string;
    } else if (size == "13") {
      field.kind = Kind::qid;
    } else if (size == "n" && field.name == "stat") {
      field.kind = Kind::stat;
    } else if (size == "1" || size == "2" || size == "4" || size == "8") {
      field.size = static_cast<std::size_t>(size.front() - '0');
    } else {
      throw std::runtime_error("no field: " + words[i]);
    }
    fields.push_back(field);
  }
  return fields;
}

}  // namespace detail

inline Spec read_spec(const std::string& path) {
  std::ifstream file(path);
  if (!file)
    throw std::runtime_error("cannot read " + path);
  Spec spec;
  std::vector<std::string> dialects;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#')
      continue;
    if (line.front() == '[') {
      dialects = detail::words_of(line.substr(1, line.find(']') - 1));
      for (const std::string& dialect : dialects)
        if (std::ranges::find(kDialectNames, dialect) == kDialectNames.end())
          throw std::runtime_error("no dialect: " + dialect);
      continue;
    }
    const std::vector<std::string> words = detail::words_of(line);
    const std::span rest(words);
    for (const std::string& dialect : dialects) {
      if (words.size() >= 2 && words[0] == "stat:" && words[1] == "size[2]")
        spec.stat[dialect] = {line, detail::fields_of(rest.subspan(2))};
      else if (words.size() >= 3 && words[0] == "size[4]" && words[2] == "tag[2]")
        spec.messages.push_back({line, words[1], dialect, detail::fields_of(rest.subspan(3))});
      else
        throw std::runtime_error("no message: " + line);
    }
  }
  return spec;
}

struct GoldenQid {
  std::uint8_t type = 0;
  std::uint32_t version = 0;
  std::uint64_t path = 0;
};

/// A field with what stands in it: the member of its kind.
struct Value {
  SpecField field;
  std::uint64_t number = 0;
  std::string text;  // a string, or data
  std::vector<std::string> strings;
  std::vector<GoldenQid> qids;  // one of them for a qid
  std::vector<Value> record;
};

/// What fields are filled with.
struct Filling {
  std::function<std::uint8_t()> byte;
  std::function<std::string(const SpecField&)> text;
  std::function<std::size_t()> elements;
};

/// Each byte differs from its neighbours, strings are their field's name: a swap shows.
inline Filling distinct_filling() {
  const auto next = std::make_shared<std::uint8_t>(std::uint8_t{0});
  return {[next] { return ++*next; }, [](const SpecField& field) { return "some-" + field.name; },
          [] { return std::size_t{3}; }};
}
inline Filling empty_filling() {
  return {[] { return std::uint8_t{0}; }, [](const SpecField&) { return std::string(); },
          [] { return std::size_t{0}; }};
}
inline Filling full_filling() {
  return {[] { return std::uint8_t{0xFF}; },
          [](const SpecField&) { return std::string(300, '\xFF'); },
          [] { return std::size_t{16}; }};
}
inline Filling random_filling(std::uint32_t seed) {
  const auto random = std::make_shared<std::mt19937>(seed);
  const auto up_to = [random](std::size_t most) { return std::size_t{(*random)()} % (most + 1); };
  return {[up_to] { return static_cast<std::uint8_t>(up_to(0xFF)); },
          [up_to](const SpecField& field) {
            std::string text(up_to(40), '\0');
            for (char& c : text)  // no NUL in a string
              c = static_cast<char>(field.kind == Kind::data ? up_to(0xFF) : 1 + up_to(0xFE));
            return text;
          },
          [up_to] { return up_to(16); }};
}

namespace detail {

inline std::uint64_t fill_number(const Filling& filling, std::size_t size) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < size; ++i)
    number |= std::uint64_t{filling.byte()} << (8 * i);
  return number;
}
inline GoldenQid fill_qid(const Filling& filling) {
  const auto type = filling.byte();
  const auto version = static_cast<std::uint32_t>(fill_number(filling, 4));
  return {type, version, fill_number(filling, 8)};
}

}  // namespace detail

inline std::vector<Value> fill(const std::vector<SpecField>& fields, const SpecRecord& stat,
                               const Filling& filling) {
  std::vector<Value> values;
  for (const SpecField& field : fields) {
    Value value{.field = field, .number = 0, .text = {}, .strings = {}, .qids = {}, .record = {}};
    switch (field.kind) {
      case Kind::integer:
        value.number = detail::fill_number(filling, field.size);
        break;
      case Kind::qid:
        value.qids = {detail::fill_qid(filling)};
        break;
      case Kind::string:
      case Kind::data:
        value.text = filling.text(field);
        break;
      case Kind::strings:
        for (std::size_t left = filling.elements(); left != 0; --left)
          value.strings.push_back(filling.text(field) + std::to_string(left));
        break;
      case Kind::qids:
        for (std::size_t left = filling.elements(); left != 0; --left)
          value.qids.push_back(detail::fill_qid(filling));
        break;
      case Kind::stat:
        value.record = fill(stat.fields, stat, filling);
        break;
    }
    values.push_back(std::move(value));
  }
  return values;
}

namespace detail {

inline void add_number(std::string& out, std::uint64_t number, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i)
    out += static_cast<char>(number >> (8 * i) & 0xFF);
}
inline void add_string(std::string& out, std::string_view text) {
  add_number(out, text.size(), 2);
  out += text;
}
inline void add_qid(std::string& out, const GoldenQid& qid) {
  add_number(out, qid.type, 1);
  add_number(out, qid.version, 4);
  add_number(out, qid.path, 8);
}

inline void add_values(std::string& out, const std::vector<Value>& values) {
  for (const Value& value : values) {
    switch (value.field.kind) {
      case Kind::integer:
        add_number(out, value.number, value.field.size);
        break;
      case Kind::qid:
        add_qid(out, value.qids.front());
        break;
      case Kind::string:
        add_string(out, value.text);
        break;
      case Kind::data:
        add_number(out, value.text.size(), 4);
        out += value.text;
        break;
      case Kind::strings:
        add_number(out, value.strings.size(), 2);
        for (const std::string& text : value.strings)
          add_string(out, text);
        break;
      case Kind::qids:
        add_number(out, value.qids.size(), 2);
        for (const GoldenQid& qid : value.qids)
          add_qid(out, qid);
        break;
      case Kind::stat: {
        std::string record;
        add_values(record, value.record);
        add_number(out, record.size() + 2, 2);
        add_string(out, record);
        break;
      }
    }
  }
}

/// Every byte that is neither letter nor digit as \xNN.
inline std::string quoted_text(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = "'";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
    out +=
        plain ? std::string(1, c) : std::string{'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return out + '\'';
}
inline std::string qid_text(const GoldenQid& qid) {
  return " (" + std::to_string(qid.path) + ' ' + std::to_string(qid.version) + ' ' +
         std::to_string(qid.type) + ')';
}

inline std::string values_text(const std::vector<Value>& values) {
  std::string out;
  for (const Value& value : values) {
    out += ' ' + value.field.name;
    switch (value.field.kind) {
      case Kind::integer:
        out += ' ' + std::to_string(value.number);
        break;
      case Kind::qid:
      case Kind::qids:
        for (const GoldenQid& qid : value.qids)
          out += qid_text(qid);
        break;
      case Kind::string:
      case Kind::data:
        out += ' ' + quoted_text(value.text);
        break;
      case Kind::strings:
        for (const std::string& text : value.strings)
          out += ' ' + quoted_text(text);
        break;
      case Kind::stat:
        out += " (" + values_text(value.record) + ')';
        break;
    }
  }
  return out;
}

}  // namespace detail

/// A message of the spec with values in it.
struct Golden {
  SpecMessage message;
  std::uint16_t tag = 0;
  std::vector<Value> values;

  std::string frame() const {
    std::string rest;
    detail::add_number(rest, type_number(message.name), 1);
    detail::add_number(rest, tag, 2);
    detail::add_values(rest, values);
    std::string out;
    detail::add_number(out, rest.size() + 4, 4);
    return out + rest;
  }
  /// In proto/text.hpp's form, though not as its printer would choose bases and quotes.
  std::string text() const {
    return message.name + " tag " + std::to_string(tag) + detail::values_text(values);
  }
};

/// Every message in every dialect that has it.
inline std::vector<Golden> golden_messages(const Spec& spec,
                                           const std::function<Filling()>& new_filling) {
  std::vector<Golden> all;
  for (const SpecMessage& message : spec.messages) {
    const Filling filling = new_filling();
    const auto tag = static_cast<std::uint16_t>(detail::fill_number(filling, 2));
    const auto stat = spec.stat.find(message.dialect);
    all.push_back(
        {message, tag,
         fill(message.fields, stat == spec.stat.end() ? SpecRecord{} : stat->second, filling)});
  }
  return all;
}

}  // namespace fuse9p::test
