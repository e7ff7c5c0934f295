// The keys and values of the journal's store; hub/journal/README.md is the format page.
//
// Keys are big-endian and so sort as the stream reads. A *life* is the place of an incarnation in
// this directory (1, 2, …); keys of an older life stay beside those of the current one.
// Decoders never trust their input: corrupt, with what is wrong.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/status.h"
#include "hub/journal/journal.h"

namespace oltp20::hub::store {

inline constexpr std::uint32_t kFormatVersion = 1;

using LifeNo = std::uint32_t;

// What a key is about: its first byte.
enum class Space : char {
  meta = 'm',    // format version and hub; written once
  life = 'i',    // an incarnation
  head = 'h',    // of a life
  first = 'f',   // of a life: the oldest entry kept
  origin = 'o',  // of a life: last state of an (origin, epoch)
  entry = 'e',   // of a life, by lsn
  large = 'l',   // of a life, by lsn: this entry has parts stored beside it
  part = 'p',    // of a life, by origin, epoch, seq, part
};
inline constexpr Space kSpacesOfALife[] = {Space::head,  Space::first, Space::origin,
                                           Space::entry, Space::large, Space::part};

std::string meta_key();
std::string life_key(LifeNo life);
// Keys of a space of one life lie in [prefix(space, life), prefix(space, life + 1)).
std::string prefix(Space space, LifeNo life);
std::string lsn_key(Space space, LifeNo life, Lsn lsn);
std::string origin_key(LifeNo life, const OriginEpoch& origin);
std::string part_key(LifeNo life, const OriginEpoch& origin, Seq seq, std::uint32_t part_no);
// Errors: corrupt.
Result<OriginEpoch> origin_of_part(std::string_view part_key);
// Behind every part of this (origin, epoch).
std::string parts_end(LifeNo life, const OriginEpoch& origin);
// The lsn at the end of an lsn_key().
Lsn lsn_of_key(std::string_view key);

struct Meta {
  std::uint32_t version = kFormatVersion;
  std::string hub;
};
std::string encode_meta(const Meta& meta);
Result<Meta> decode_meta(std::string_view bytes);

struct Life {
  LifeNo no = 0;  // in the key
  Incarnation incarnation;
  StreamPosition parent;
  std::string loss;  // why it began, when entries of its parent were missing
};
std::string encode_life(const Life& life);
Result<Life> decode_life(std::string_view key, std::string_view bytes);

// A place in the stream of a life.
struct Place {
  Lsn lsn = 0;
  Hash hash;
};
// Of the entry before the first.
std::string encode_place(const Place& place);
Result<Place> decode_place(std::string_view bytes);

struct Head {
  Place place;
  Hash origins_digest;  // over the seals of all origins' records (origin_seal.h)
};
std::string encode_head(const Head& head);
Result<Head> decode_head(std::string_view bytes);

struct OriginRecord {
  OriginState state;
  Hash seal;
  bool is_intact() const;  // the seal is that of the state
};
std::string encode_origin(const OriginState& state);
// Checks the form, and that the key is this origin's.
Result<OriginRecord> decode_origin(LifeNo life, std::string_view key, std::string_view bytes);

// The transaction of an entry whose parts are stored beside it.
struct LargeEntry {
  OriginEpoch origin;
  Seq seq = 0;
};
std::string encode_large(const LargeEntry& large);
Result<LargeEntry> decode_large(std::string_view bytes);

}  // namespace oltp20::hub::store
