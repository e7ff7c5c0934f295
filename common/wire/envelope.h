// The envelope: how a transaction is written down, from its origin to its destinations.
//
// A transaction is one or more parts of at most about limits::kPartBytes; nearly all have one. The
// origin encodes once; hubs check, hash, journal and forward the very bytes, and read them in place
// through PartView. The same transaction always encodes to the same bytes (see README.md, the
// format page). Input is never trusted: PartView::parse checks every length and every field.
//
// Not thread-safe; views point into the bytes they were parsed from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/status.h"
#include "common/wire/sha256.h"

namespace oltp20 {

inline constexpr std::uint8_t kEnvelopeVersion = 1;

// One row of message.outgoing. An absent optional is SQL's NULL.
struct MessageRow {
  RowId id;
  std::string_view type;
  std::optional<std::int32_t> date;  // days since 2000-01-01; INT32_MIN, INT32_MAX: ∓infinity
  std::optional<std::string_view> payload;
  std::optional<std::string_view> headers;      // JSON text
  std::optional<std::string_view> destination;  // "spoke/NAME", "region/NAME"; absent: whoever may
  std::int64_t sent_at_us = 0;                  // since 1970-01-01 UTC, from the row
  bool operator==(const MessageRow&) const = default;
};

// What all parts of a transaction have in common.
struct TransactionHeader {
  std::string origin;
  Epoch epoch;
  Seq seq = 0;
  std::uint64_t xid = 0;   // the origin database's transaction id, for people
  std::uint32_t rows = 0;  // in the whole transaction; 0 for a tombstone
  bool tombstone = false;  // the origin fills the place of a refused transaction
  std::uint8_t hops = 0;   // handlers that it comes from, one answering the other
  bool overlap = false;    // may repeat rows that an earlier epoch sent beyond its fork
  std::string reason;      // why it is a tombstone, else empty
  bool operator==(const TransactionHeader&) const = default;
};

struct RowSlice {
  bool withheld = false;    // the receiver may not see it: `hash` stands for it
  std::string_view salted;  // salt and body; empty when withheld
  Hash hash;                // of salt and body; filled when withheld, else by row_hash()
};

// Reads a part in place.
class PartView {
 public:
  // Errors: invalid (malformed, unknown version), with what is wrong where.
  static Result<PartView> parse(std::string_view bytes);

  TransactionHeader header;
  bool last = false;
  std::uint32_t part_no = 0;         // 0, 1, 2, …
  std::uint32_t first_position = 0;  // of this part's first row in the transaction, from 0
  std::vector<RowSlice> rows;
  std::string_view bytes;
};

// The row inside a slice that is not withheld. Errors: invalid.
Result<MessageRow> parse_row(const RowSlice& slice);
// The type alone, in place; empty when malformed. For filters.
std::string_view row_type(const RowSlice& slice);

Hash row_hash(std::string_view salted);

// The salt of a row: derived from a secret of the origin and the row's place, so that encoding
// again gives the same bytes and nobody else can guess a withheld row from its hash.
std::string row_salt(std::string_view secret, const Epoch& epoch, Seq seq, std::uint32_t position);

// Writes one transaction as parts. Usage: add_row() for each row in order; each call may complete a
// part, which take_part() hands over; after the last row finish() completes the last one.
class TransactionEncoder {
 public:
  // `secret`: 32 bytes, the origin's own. The header must outlive nothing: it is copied.
  TransactionEncoder(TransactionHeader header, std::string_view secret);

  void add_row(const MessageRow& row);
  // A completed part, or nullopt. Call until nullopt after each add_row() and after finish().
  std::optional<std::string> take_part();
  // Completes the last part. CHECKs that as many rows were added as the header says.
  void finish();
  // After finish().
  const Hash& content_hash() const { return content_hash_; }

 private:
  void close_part(bool last);

  TransactionHeader header_;
  std::string secret_;
  std::string rows_;  // of the open part
  std::uint32_t rows_in_part_ = 0;
  std::uint32_t first_position_ = 0;
  std::uint32_t position_ = 0;
  std::uint32_t part_no_ = 0;
  std::optional<std::string> ready_;
  Sha256 content_;
  Hash content_hash_;
};

// A tombstone's only part.
std::string encode_tombstone(const TransactionHeader& header);

// Recomputes a transaction's content hash from its parts as they come, at hub and destination.
class ContentHasher {
 public:
  explicit ContentHasher(const TransactionHeader& header);
  void add(const PartView& part);
  Hash finish();

 private:
  Sha256 content_;
};
Hash content_hash_of_single(const PartView& part);

// The same part with the rows for which `keep` is false replaced by their hashes.
template <typename Keep>
std::string withhold_rows(const PartView& part, Keep keep);
std::string withhold_rows_at(const PartView& part, const std::vector<bool>& keep);

template <typename Keep>
std::string withhold_rows(const PartView& part, Keep keep) {
  std::vector<bool> kept;
  kept.reserve(part.rows.size());
  for (const RowSlice& row : part.rows) kept.push_back(keep(row));
  return withhold_rows_at(part, kept);
}

}  // namespace oltp20
