#include "hub/journal/entry.h"

#include "common/base/bytes.h"
#include "common/wire/hash_chain.h"

namespace oltp20::hub {
namespace {

void write_routes(ByteWriter& out, const std::vector<Route>& routes) {
  out.u16(static_cast<std::uint16_t>(routes.size()));
  for (const Route& route : routes) {
    out.str16(route.type);
    out.str16(route.destination);
  }
}

// Grows with what is there, not with what the count says.
std::vector<Route> read_routes(ByteReader& in) {
  std::vector<Route> routes;
  for (std::size_t left = in.u16(); left > 0 && in.ok(); --left) {
    Route& route = routes.emplace_back();
    route.type = in.str16();
    route.destination = in.str16();
  }
  return routes;
}

}  // namespace

std::size_t Entry::memory_bytes() const {
  constexpr std::size_t kHeap = 128;  // names, blocks, the pointer to it
  std::size_t bytes = sizeof(Entry) + kHeap + part.size();
  for (const Route& route : routes)
    bytes += sizeof(Route) + route.type.size() + route.destination.size();
  return bytes;
}

std::string canonical_entry(const Entry& entry) {
  std::string bytes;
  bytes.reserve(256);
  ByteWriter out(&bytes);
  out.u8(kEntryVersion);
  out.u8(static_cast<std::uint8_t>(entry.kind));
  out.u64(entry.lsn);
  out.str16(entry.origin);
  out.str16(entry.region);
  out.id(entry.epoch);
  out.u64(entry.seq);
  out.u64(entry.prev);
  if (entry.kind == Entry::Kind::run) {
    out.id(entry.life.parent);
    out.u64(entry.life.fork.seq);
    out.id(entry.life.fork.chain);
  } else {
    out.id(entry.content);
  }
  out.id(entry.chain);
  out.i64(entry.received_us);
  out.u32(entry.parts);
  out.u32(entry.rows);
  out.u64(entry.bytes);
  write_routes(out, entry.routes);
  return bytes;
}

Hash entry_hash(const Entry& entry) {
  return entry_leaf(canonical_entry(entry));
}

std::string encode_entry(const Entry& entry) {
  std::string bytes = canonical_entry(entry);
  bytes.reserve(bytes.size() + Hash::size + 4 + entry.part.size());
  ByteWriter out(&bytes);
  out.id(entry.stream);
  out.str32(entry.part);
  return bytes;
}

Result<Entry> decode_entry(std::string_view bytes) {
  ByteReader in(bytes);
  Entry entry;
  if (std::uint8_t version = in.u8(); version != kEntryVersion)
    return Status(Code::invalid, "journal entry of format " + std::to_string(version) +
                                     "; this program reads format " +
                                     std::to_string(kEntryVersion) + ": start a newer program");
  entry.kind = static_cast<Entry::Kind>(in.u8());
  entry.lsn = in.u64();
  entry.origin = in.str16();
  entry.region = in.str16();
  entry.epoch = in.id<Epoch>();
  entry.seq = in.u64();
  entry.prev = in.u64();
  if (entry.kind == Entry::Kind::run) {
    entry.life.id = entry.epoch;
    entry.life.parent = in.id<Epoch>();
    entry.life.fork.seq = in.u64();
    entry.life.fork.chain = in.id<Hash>();
  } else if (entry.kind == Entry::Kind::transaction) {
    entry.content = in.id<Hash>();
  } else {
    return Status(Code::corrupt, "a journal entry of unknown kind");
  }
  entry.chain = in.id<Hash>();
  entry.received_us = in.i64();
  entry.parts = in.u32();
  entry.rows = in.u32();
  entry.bytes = in.u64();
  entry.routes = read_routes(in);
  entry.stream = in.id<Hash>();
  entry.part = in.str32();
  if (!in.at_end()) return Status(Code::corrupt, "a journal entry of the wrong length");
  return entry;
}

}  // namespace oltp20::hub
