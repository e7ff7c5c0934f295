// Reading and writing of our binary formats: little-endian integers, length-prefixed strings.
//
// ByteReader never throws and never reads past the end: after the first failure every further read
// returns zero and ok() stays false, so that a decoder checks once.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "common/base/ids.h"

namespace oltp20 {

class ByteWriter {
 public:
  explicit ByteWriter(std::string* out) : out_(out) {}

  template <typename T>
  void integer(T value) {
    static_assert(std::is_integral_v<T>);
    char raw[sizeof(T)];  // x86-64 and arm64 are little-endian, as the format is
    std::memcpy(raw, &value, sizeof(T));
    out_->append(raw, sizeof(T));
  }
  void u8(std::uint8_t v) { integer(v); }
  void u16(std::uint16_t v) { integer(v); }
  void u32(std::uint32_t v) { integer(v); }
  void u64(std::uint64_t v) { integer(v); }
  void i32(std::int32_t v) { integer(v); }
  void i64(std::int64_t v) { integer(v); }
  void raw(std::string_view bytes) { out_->append(bytes); }
  template <std::size_t N, typename Tag>
  void id(const Opaque<N, Tag>& v) {
    out_->append(v.view());
  }
  void str16(std::string_view s) {  // at most 65,535 bytes; the caller has checked
    u16(static_cast<std::uint16_t>(s.size()));
    raw(s);
  }
  void str32(std::string_view s) {
    u32(static_cast<std::uint32_t>(s.size()));
    raw(s);
  }

 private:
  std::string* out_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view in) : in_(in) {}

  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && in_.empty(); }
  std::size_t remaining() const { return in_.size(); }

  template <typename T>
  T integer() {
    static_assert(std::is_integral_v<T>);
    T value = 0;
    if (std::string_view bytes = raw(sizeof(T)); bytes.size() == sizeof(T))
      std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }
  std::uint8_t u8() { return integer<std::uint8_t>(); }
  std::uint16_t u16() { return integer<std::uint16_t>(); }
  std::uint32_t u32() { return integer<std::uint32_t>(); }
  std::uint64_t u64() { return integer<std::uint64_t>(); }
  std::int32_t i32() { return integer<std::int32_t>(); }
  std::int64_t i64() { return integer<std::int64_t>(); }
  std::string_view raw(std::size_t size) {
    if (!ok_ || in_.size() < size) {
      ok_ = false;
      in_ = {};
      return {};
    }
    std::string_view out = in_.substr(0, size);
    in_.remove_prefix(size);
    return out;
  }
  template <typename Id>
  Id id() {
    return Id::from(raw(Id::size));
  }
  std::string_view str16() { return raw(u16()); }
  std::string_view str32() { return raw(u32()); }

 private:
  std::string_view in_;
  bool ok_ = true;
};

// Big-endian, so that keys sort as the numbers do.
inline void append_big_endian(std::string* out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
}
inline std::uint64_t read_big_endian(std::string_view eight_bytes) {
  std::uint64_t value = 0;
  for (unsigned char byte : eight_bytes.substr(0, 8)) value = value << 8 | byte;
  return value;
}

}  // namespace oltp20
