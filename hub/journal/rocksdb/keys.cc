#include "hub/journal/rocksdb/keys.h"

#include <limits>

#include "common/base/bytes.h"
#include "hub/journal/origin_seal.h"

namespace oltp20::hub::store {
namespace {

void append_big_endian_32(std::string* out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
}

std::uint32_t read_big_endian_32(std::string_view four_bytes) {
  std::uint32_t value = 0;
  for (unsigned char byte : four_bytes.substr(0, 4)) value = value << 8 | byte;
  return value;
}

void append_origin(std::string* out, const OriginEpoch& origin) {
  out->append(origin.origin);
  out->push_back('\0');  // names hold no zero byte: shorter names sort first
  out->append(origin.epoch.view());
}

Status wrong_length(std::string_view what) {
  return Status(Code::corrupt, "a journal record of the wrong length: " + std::string(what));
}

void write_position(ByteWriter& out, const StreamPosition& position) {
  out.id(position.incarnation);
  out.u64(position.lsn);
  out.id(position.hash);
}

StreamPosition read_position(ByteReader& in) {
  StreamPosition position;
  position.incarnation = in.id<Incarnation>();
  position.lsn = in.u64();
  position.hash = in.id<Hash>();
  return position;
}

}  // namespace

std::string meta_key() {
  return {static_cast<char>(Space::meta)};
}

std::string prefix(Space space, LifeNo life) {
  std::string key(1, static_cast<char>(space));
  append_big_endian_32(&key, life);
  return key;
}

std::string life_key(LifeNo life) {
  return prefix(Space::life, life);
}

std::string lsn_key(Space space, LifeNo life, Lsn lsn) {
  std::string key = prefix(space, life);
  append_big_endian(&key, lsn);
  return key;
}

std::string origin_key(LifeNo life, const OriginEpoch& origin) {
  std::string key = prefix(Space::origin, life);
  append_origin(&key, origin);
  return key;
}

std::string part_key(LifeNo life, const OriginEpoch& origin, Seq seq, std::uint32_t part_no) {
  std::string key = prefix(Space::part, life);
  append_origin(&key, origin);
  append_big_endian(&key, seq);
  append_big_endian_32(&key, part_no);
  return key;
}

Result<OriginEpoch> origin_of_part(std::string_view part_key) {
  constexpr std::size_t kBefore = 1 + 4, kBehind = 1 + Epoch::size + 8 + 4;
  if (part_key.size() <= kBefore + kBehind) return wrong_length("key of a part");
  std::string_view name = part_key.substr(kBefore, part_key.size() - kBefore - kBehind);
  return OriginEpoch{std::string(name),
                     Epoch::from(part_key.substr(kBefore + name.size() + 1, Epoch::size))};
}

std::string parts_end(LifeNo life, const OriginEpoch& origin) {
  return part_key(life, origin, std::numeric_limits<Seq>::max(), 0);
}

Lsn lsn_of_key(std::string_view key) {
  return key.size() < 8 ? 0 : read_big_endian(key.substr(key.size() - 8));
}

std::string encode_meta(const Meta& meta) {
  std::string bytes;
  ByteWriter out(&bytes);
  out.u32(meta.version);
  out.str16(meta.hub);
  return bytes;
}

Result<Meta> decode_meta(std::string_view bytes) {
  ByteReader in(bytes);
  Meta meta;
  meta.version = in.u32();
  if (!in.ok()) return wrong_length("format version");
  if (meta.version != kFormatVersion) return meta;  // what follows may have changed
  meta.hub = in.str16();
  if (!in.at_end()) return wrong_length("hub");
  return meta;
}

std::string encode_life(const Life& life) {
  std::string bytes;
  ByteWriter out(&bytes);
  out.id(life.incarnation);
  write_position(out, life.parent);
  out.str32(life.loss);
  return bytes;
}

Result<Life> decode_life(std::string_view key, std::string_view bytes) {
  if (key.size() != 5) return wrong_length("key of an incarnation");
  ByteReader in(bytes);
  Life life;
  life.no = read_big_endian_32(key.substr(1));
  life.incarnation = in.id<Incarnation>();
  life.parent = read_position(in);
  life.loss = in.str32();
  if (!in.at_end()) return wrong_length("incarnation");
  return life;
}

std::string encode_place(const Place& place) {
  std::string bytes;
  ByteWriter out(&bytes);
  out.u64(place.lsn);
  out.id(place.hash);
  return bytes;
}

Result<Place> decode_place(std::string_view bytes) {
  ByteReader in(bytes);
  Place place;
  place.lsn = in.u64();
  place.hash = in.id<Hash>();
  if (!in.at_end()) return wrong_length("place in the stream");
  return place;
}

std::string encode_head(const Head& head) {
  std::string bytes = encode_place(head.place);
  bytes += head.origins_digest.view();
  return bytes;
}

Result<Head> decode_head(std::string_view bytes) {
  ByteReader in(bytes);
  Head head;
  head.place.lsn = in.u64();
  head.place.hash = in.id<Hash>();
  head.origins_digest = in.id<Hash>();
  if (!in.at_end()) return wrong_length("head");
  return head;
}

bool OriginRecord::is_intact() const {
  return seal == origin_seal(state);
}

std::string encode_origin(const OriginState& state) {
  std::string bytes = canonical_origin(state);
  bytes += origin_seal(state).view();
  return bytes;
}

Result<OriginRecord> decode_origin(LifeNo life, std::string_view key, std::string_view bytes) {
  ByteReader in(bytes);
  OriginRecord record;
  OriginState& state = record.state;
  state.origin = in.str16();
  state.life.id = in.id<Epoch>();
  state.life.parent = in.id<Epoch>();
  state.life.fork.seq = in.u64();
  state.life.fork.chain = in.id<Hash>();
  state.base = in.u64();
  state.last.seq = in.u64();
  state.last.chain = in.id<Hash>();
  state.lsn = in.u64();
  record.seal = in.id<Hash>();
  if (!in.at_end()) return wrong_length("origin");
  if (key != origin_key(life, {state.origin, state.life.id}))
    return Status(Code::corrupt, "the record of origin " + state.origin + " is in another's place");
  return record;
}

std::string encode_large(const LargeEntry& large) {
  std::string bytes;
  ByteWriter out(&bytes);
  out.str16(large.origin.origin);
  out.id(large.origin.epoch);
  out.u64(large.seq);
  return bytes;
}

Result<LargeEntry> decode_large(std::string_view bytes) {
  ByteReader in(bytes);
  LargeEntry large;
  large.origin.origin = in.str16();
  large.origin.epoch = in.id<Epoch>();
  large.seq = in.u64();
  if (!in.at_end()) return wrong_length("large transaction");
  return large;
}

}  // namespace oltp20::hub::store
