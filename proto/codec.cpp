// SPDX-License-Identifier: MIT
#include "proto/codec.hpp"

#include <algorithm>

namespace fuse9p::proto {
namespace {

constexpr std::byte kNul{0};

bool has_nul(ByteView bytes) {
  return std::find(bytes.begin(), bytes.end(), kNul) != bytes.end();
}

}  // namespace

void Writer::put(const Qid& qid) {
  put(qid.type);
  put(qid.version);
  put(qid.path);
}

void Writer::put(std::string_view text) {
  const ByteView bytes = std::as_bytes(std::span(text));
  if (text.size() > kMaxStringSize || has_nul(bytes))
    return fail(Error::bad_string);
  put(static_cast<std::uint16_t>(text.size()));
  out_.insert(out_.end(), bytes.begin(), bytes.end());
}

void Writer::put(const Names& names) {
  put(static_cast<std::uint16_t>(names.size()));
  for (const std::string_view name : names)
    put(name);
}

void Writer::put(const Qids& qids) {
  put(static_cast<std::uint16_t>(qids.size()));
  for (const Qid& qid : qids)
    put(qid);
}

void Writer::put(const Stat& stat) {
  // stat[n]: n[2], then the record, whose own size[2] does not count itself.
  const std::size_t outer = out_.size();
  put(std::uint16_t{0});
  put(std::uint16_t{0});
  for_each_field<Stat>(dialect_, [&](const auto& field) { put(stat.*field.member); });
  const std::size_t record = out_.size() - outer - sizeof(std::uint16_t);
  if (record > kMaxStringSize)
    return fail(Error::bad_stat);
  const auto store = [&](std::size_t at, std::size_t value) {
    boost::endian::store_little_u16(reinterpret_cast<unsigned char*>(&out_[at]),
                                    static_cast<std::uint16_t>(value));
  };
  store(outer, record);
  store(outer + 2, record - sizeof(std::uint16_t));
}

void Writer::put(Data data) {
  put(static_cast<std::uint32_t>(data.size()));
  out_.insert(out_.end(), data.begin(), data.end());
}

ByteView Reader::take(std::size_t size) {
  if (error_ || size > in_.size()) {
    fail(Error::truncated);
    in_ = {};
    return {};
  }
  const ByteView taken = in_.first(size);
  in_ = in_.subspan(size);
  return taken;
}

void Reader::get(Tag& value) {
  std::uint16_t raw = 0;
  get(raw);
  value = Tag{raw};
}

void Reader::get(Fid& value) {
  std::uint32_t raw = 0;
  get(raw);
  value = Fid{raw};
}

void Reader::get(Qid& qid) {
  get(qid.type);
  get(qid.version);
  get(qid.path);
}

void Reader::get(std::string_view& text) {
  std::uint16_t size = 0;
  get(size);
  if (size == 0) {
    text = {};
    return;
  }
  const ByteView bytes = take(size);
  if (has_nul(bytes))
    fail(Error::bad_string);
  text = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void Reader::get(Names& names) {
  std::uint16_t count = 0;
  get(count);
  if (count > kMaxWalkElements)
    return fail(Error::too_many_elements);
  for (std::uint16_t i = 0; i < count && !error_; ++i)
    get(names.emplace_back());
}

void Reader::get(Qids& qids) {
  std::uint16_t count = 0;
  get(count);
  if (count > kMaxWalkElements)
    return fail(Error::too_many_elements);
  for (std::uint16_t i = 0; i < count && !error_; ++i)
    get(qids.emplace_back());
}

void Reader::get(Stat& stat) {
  // The outer n[2] is 0 from some servers: only the record's own size is trusted.
  std::uint16_t ignored = 0;
  get(ignored);
  get_record(stat);
}

void Reader::get_record(Stat& stat) {
  std::uint16_t size = 0;
  get(size);
  if (error_)
    return;
  if (size == 0)
    return fail(Error::bad_stat);
  Reader record(take(size), dialect_);
  if (error_)
    return;
  for_each_field<Stat>(dialect_, [&](const auto& field) { record.get(stat.*field.member); });
  if (record.error())
    fail(record.error() == Error::truncated ? Error::bad_stat : Error::bad_string);
}

void Reader::get(Data& data) {
  std::uint32_t count = 0;
  get(count);
  data = count == 0 ? Data{} : take(count);
}

Header decode_header(std::span<const std::byte, kHeaderSize> bytes) {
  const auto* raw = reinterpret_cast<const unsigned char*>(bytes.data());
  return {boost::endian::load_little_u32(raw), static_cast<MessageType>(raw[4]),
          Tag{boost::endian::load_little_u16(raw + 5)}};
}

void patch_size(Bytes& frame, std::size_t size) {
  boost::endian::store_little_u32(reinterpret_cast<unsigned char*>(frame.data()),
                                  static_cast<std::uint32_t>(size));
}

void patch_tag(Bytes& frame, Tag tag) {
  boost::endian::store_little_u16(reinterpret_cast<unsigned char*>(frame.data()) + 5, to_int(tag));
}

}  // namespace fuse9p::proto
