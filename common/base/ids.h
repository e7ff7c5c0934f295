// The names of things: epochs, incarnations, hashes, positions.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace oltp20 {

// A fixed number of opaque bytes, compared and printed as such. Tag keeps kinds apart.
template <std::size_t N, typename Tag>
struct Opaque {
  std::array<std::uint8_t, N> bytes{};

  static constexpr std::size_t size = N;
  auto operator<=>(const Opaque&) const = default;
  bool is_zero() const { return *this == Opaque{}; }
  std::string_view view() const { return {reinterpret_cast<const char*>(bytes.data()), N}; }
  static Opaque from(std::string_view raw) {  // exactly N bytes; shorter input is zero-filled
    Opaque out;
    if (raw.empty()) return out;  // its data() may be null, which memcpy must not be given
    std::memcpy(out.bytes.data(), raw.data(), raw.size() < N ? raw.size() : N);
    return out;
  }
};

// One life of an origin's database: random, made when the database is not the continuation of the
// life that was known. Zero means "none".
using Epoch = Opaque<16, struct EpochTag>;
// One life of a hub's journal. Zero means "none".
using Incarnation = Opaque<16, struct IncarnationTag>;
// SHA-256.
using Hash = Opaque<32, struct HashTag>;
// A row's own identity (uuid).
using RowId = Opaque<16, struct RowIdTag>;

// Transactions of one (origin, epoch) are numbered 1, 2, 3, … without gaps. 0 is "before the
// first".
using Seq = std::uint64_t;
// Entries of one (hub, incarnation) are numbered 1, 2, 3, …
using Lsn = std::uint64_t;

// Where somebody stands in the chain of one (origin, epoch).
struct ChainPosition {
  Seq seq = 0;
  Hash chain;
  auto operator<=>(const ChainPosition&) const = default;
};

// Where somebody stands in the stream of one hub.
struct StreamPosition {
  Incarnation incarnation;
  Lsn lsn = 0;
  Hash hash;  // of the stream up to and including lsn
  auto operator<=>(const StreamPosition&) const = default;
};

// An epoch with the point of its parent from which it continues (zero epoch: the first life).
struct EpochInfo {
  Epoch id;
  Epoch parent;
  ChainPosition fork;  // the last transaction of the parent that this life still has
  auto operator<=>(const EpochInfo&) const = default;
};

// The numbering of one life of one origin. The key of marks, runs and spans.
struct OriginEpoch {
  std::string origin;
  Epoch epoch;
  auto operator<=>(const OriginEpoch&) const = default;
};

// Lower-case hexadecimal of raw bytes, and back (nullopt: not hexadecimal).
std::string to_hex(std::string_view raw);
std::optional<std::string> from_hex(std::string_view hex);

template <std::size_t N, typename Tag>
std::string to_hex(const Opaque<N, Tag>& id) {
  return to_hex(id.view());
}
template <typename Id>
std::optional<Id> id_from_hex(std::string_view hex) {
  auto raw = from_hex(hex);
  if (!raw || raw->size() != Id::size) return std::nullopt;
  return Id::from(*raw);
}

}  // namespace oltp20

template <std::size_t N, typename Tag>
struct std::hash<oltp20::Opaque<N, Tag>> {
  std::size_t operator()(const oltp20::Opaque<N, Tag>& id) const {
    return std::hash<std::string_view>{}(id.view());
  }
};
