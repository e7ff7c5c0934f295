// Entry: one record of a hub's stream, and its bytes on disk (README.md has the format page).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/status.h"

namespace oltp20::hub {

inline constexpr std::uint8_t kEntryVersion = 1;

// What decides who may have a row: its type with its destination ("": whoever may).
struct Route {
  std::string type;
  std::string destination;
  auto operator<=>(const Route&) const = default;
};

// A transaction, or a run: the record that opens or reopens an (origin, epoch) in this stream.
struct Entry {
  enum class Kind : std::uint8_t { transaction = 1, run = 2 };

  Kind kind = Kind::transaction;
  Lsn lsn = 0;
  std::string origin;
  std::string region;  // the origin's, from its certificate
  Epoch epoch;
  Seq seq = 0;     // run: the base; the first transaction of the run has prev = base
  Seq prev = 0;    // the seq that precedes it, of the same (origin, epoch), in this stream
  EpochInfo life;  // run only: the epoch with its parent
  Hash content;    // transaction only: its content hash
  Hash chain;      // of the (origin, epoch), at seq
  std::int64_t received_us = 0;  // wall clock of the hub
  std::uint32_t parts = 0;       // 1: the bytes are in `part`; more: they are stored beside
  std::uint32_t rows = 0;
  std::uint64_t bytes = 0;  // of all parts
  // The distinct routes of its rows, for filters, in order; empty when there are more than
  // limits::kEntryRoutes (then look at the rows).
  std::vector<Route> routes;
  Hash stream;       // of the stream up to and including this entry
  std::string part;  // the only part, when parts == 1

  OriginEpoch key() const { return {origin, epoch}; }
  // In memory, with the only part, approximately: for the bounds of who keeps entries.
  std::size_t memory_bytes() const;
};
using EntryPtr = std::shared_ptr<const Entry>;

// Everything but `stream` and `part`: what the entry's hash is taken over.
std::string canonical_entry(const Entry& entry);
Hash entry_hash(const Entry& entry);

std::string encode_entry(const Entry& entry);
// Errors: corrupt (what is wrong), invalid (a newer version).
Result<Entry> decode_entry(std::string_view bytes);

}  // namespace oltp20::hub
