#include "common/wire/envelope.h"

#include "common/base/bytes.h"
#include "common/base/limits.h"
#include "common/base/subject.h"

namespace oltp20 {
namespace {

constexpr std::uint8_t kLast = 1, kTombstone = 2, kOverlap = 4;
constexpr int kHopsShift = 4;  // the upper half of the flags
constexpr std::uint32_t kWithheld = 1u << 31;
constexpr std::uint8_t kMessageKind = 0;
constexpr std::uint8_t kHasDate = 1, kHasPayload = 2, kHasHeaders = 4, kHasDestination = 8;
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kReasonBytes = 1000;

Status malformed(std::string_view what) {
  return Status(Code::invalid, "malformed envelope: " + std::string(what));
}

std::uint8_t flags_of(const TransactionHeader& header, bool last) {
  return (last ? kLast : 0) | (header.tombstone ? kTombstone : 0) |
         (header.overlap ? kOverlap : 0) | header.hops << kHopsShift;
}

void write_header(ByteWriter& out, const TransactionHeader& header, bool last,
                  std::uint32_t part_no, std::uint32_t first_position, std::uint32_t rows) {
  out.u8(kEnvelopeVersion);
  out.u8(flags_of(header, last));
  out.str16(header.origin);
  out.id(header.epoch);
  out.u64(header.seq);
  out.u64(header.xid);
  out.u32(header.rows);
  out.str16(header.reason);
  out.u32(part_no);
  out.u32(first_position);
  out.u32(rows);
}

// What of the header enters the content hash: everything that all parts share.
void hash_header(Sha256& sha, const TransactionHeader& header) {
  std::string canonical;
  ByteWriter out(&canonical);
  out.u8('T');
  write_header(out, header, false, 0, 0, 0);
  sha.update(canonical);
}

Status parse_rows(ByteReader& in, std::uint32_t count, std::vector<RowSlice>* rows) {
  if (count > in.remaining() / 4) return malformed("more rows than bytes");
  rows->reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    std::uint32_t size = in.u32();
    RowSlice row;
    if (size & kWithheld) {
      if (size != (kWithheld | Hash::size)) return malformed("length of a withheld row");
      row.withheld = true;
      row.hash = in.id<Hash>();
    } else {
      row.salted = in.raw(size);
      if (row.salted.size() < kSaltBytes) return malformed("a row shorter than its salt");
    }
    if (!in.ok()) return malformed("cut inside row " + std::to_string(i));
    rows->push_back(row);
  }
  return {};
}

}  // namespace

Result<PartView> PartView::parse(std::string_view bytes) {
  if (bytes.size() > limits::kPartMostBytes) return malformed("a part too large");
  ByteReader in(bytes);
  PartView part;
  part.bytes = bytes;
  if (std::uint8_t version = in.u8(); version != kEnvelopeVersion)
    return malformed("version " + std::to_string(version) + ", this program reads version " +
                     std::to_string(kEnvelopeVersion) + "; upgrade whichever side is older");
  std::uint8_t flags = in.u8();
  part.header.hops = flags >> kHopsShift;
  if (part.header.hops > limits::kHops) return malformed("more hops than there may be");
  if (flags & 0xf & ~(kLast | kTombstone | kOverlap)) return malformed("unknown flags");
  part.last = flags & kLast;
  part.header.tombstone = flags & kTombstone;
  part.header.overlap = flags & kOverlap;
  part.header.origin = in.str16();
  part.header.epoch = in.id<Epoch>();
  part.header.seq = in.u64();
  part.header.xid = in.u64();
  part.header.rows = in.u32();
  part.header.reason = in.str16();
  part.part_no = in.u32();
  part.first_position = in.u32();
  std::uint32_t count = in.u32();
  if (!in.ok()) return malformed("cut inside the header");
  if (!is_name(part.header.origin)) return malformed("the origin's name");
  if (part.header.seq == 0 || part.header.seq > limits::kSeq)
    return malformed("sequence number " + std::to_string(part.header.seq));
  if (part.header.rows > limits::kTransactionRows) return malformed("too many rows");
  bool empty = part.header.rows == 0;
  if (empty != part.header.tombstone) return malformed("no rows, or a tombstone with rows");
  if (!empty && !part.header.reason.empty()) return malformed("a reason without a tombstone");
  if (part.header.reason.size() > kReasonBytes) return malformed("a reason too long");
  if (!empty && count == 0) return malformed("a part without rows");
  if (std::uint64_t{part.first_position} + count > part.header.rows)
    return malformed("rows beyond the transaction's end");
  if (part.last != (part.first_position + count == part.header.rows))
    return malformed("the last-part flag");
  if ((part.part_no == 0) != (part.first_position == 0)) return malformed("the part's number");
  OLTP20_TRY(parse_rows(in, count, &part.rows));
  if (!in.at_end()) return malformed("bytes after the last row");
  return part;
}

static void write_row(ByteWriter& out, const MessageRow& row) {
  out.u8(kMessageKind);
  out.id(row.id);
  out.str16(row.type);
  out.u8((row.date ? kHasDate : 0) | (row.payload ? kHasPayload : 0) |
         (row.headers ? kHasHeaders : 0) | (row.destination ? kHasDestination : 0));
  if (row.date) out.i32(*row.date);
  if (row.payload) out.str32(*row.payload);
  if (row.headers) out.str32(*row.headers);
  if (row.destination) out.str16(*row.destination);
  out.i64(row.sent_at_us);
}

Result<MessageRow> parse_row(const RowSlice& slice) {
  if (slice.withheld) return malformed("a withheld row has no content");
  ByteReader in(slice.salted.substr(kSaltBytes));
  if (std::uint8_t kind = in.u8(); kind != kMessageKind)
    return malformed("row kind " + std::to_string(kind) + " is unknown to this version");
  MessageRow row;
  row.id = in.id<RowId>();
  row.type = in.str16();
  std::uint8_t present = in.u8();
  if (present & ~(kHasDate | kHasPayload | kHasHeaders | kHasDestination))
    return malformed("unknown fields of a row");
  if (present & kHasDate) row.date = in.i32();
  if (present & kHasPayload) row.payload = in.str32();
  if (present & kHasHeaders) row.headers = in.str32();
  if (present & kHasDestination) row.destination = in.str16();
  row.sent_at_us = in.i64();
  if (!in.at_end()) return malformed("the length of a row");
  if (!is_type(row.type)) return malformed("a row's type");
  return row;
}

std::string_view row_type(const RowSlice& slice) {
  if (slice.withheld) return {};
  ByteReader in(slice.salted.substr(kSaltBytes));
  in.u8();
  in.raw(RowId::size);
  return in.str16();
}

Hash row_hash(std::string_view salted) {
  thread_local Sha256 sha;
  sha.update("R");
  sha.update(salted);
  return sha.finish();
}

std::string row_salt(std::string_view secret, const Epoch& epoch, Seq seq, std::uint32_t position) {
  thread_local Sha256 sha;
  std::string place;
  ByteWriter out(&place);
  out.id(epoch);
  out.u64(seq);
  out.u32(position);
  sha.update(secret);
  sha.update(place);
  return std::string(sha.finish().view().substr(0, kSaltBytes));
}

TransactionEncoder::TransactionEncoder(TransactionHeader header, std::string_view secret)
    : header_(std::move(header)), secret_(secret) {
  CHECK(!header_.tombstone && header_.rows > 0);
  hash_header(content_, header_);
}

void TransactionEncoder::add_row(const MessageRow& row) {
  CHECK(!ready_ && position_ < header_.rows);
  std::string salted = row_salt(secret_, header_.epoch, header_.seq, position_);
  ByteWriter body(&salted);
  write_row(body, row);
  content_.update(row_hash(salted));
  ByteWriter(&rows_).str32(salted);
  ++rows_in_part_;
  ++position_;
  if (rows_.size() >= limits::kPartBytes && position_ < header_.rows) close_part(false);
}

void TransactionEncoder::close_part(bool last) {
  std::string part;
  part.reserve(rows_.size() + 160);
  ByteWriter out(&part);
  write_header(out, header_, last, part_no_++, first_position_, rows_in_part_);
  part += rows_;
  rows_.clear();
  first_position_ = position_;
  rows_in_part_ = 0;
  ready_ = std::move(part);
}

std::optional<std::string> TransactionEncoder::take_part() {
  std::optional<std::string> out = std::move(ready_);
  ready_.reset();
  return out;
}

void TransactionEncoder::finish() {
  CHECK(!ready_ && position_ == header_.rows);
  close_part(true);
  content_hash_ = content_.finish();
}

std::string encode_tombstone(const TransactionHeader& header) {
  CHECK(header.tombstone && header.rows == 0);
  std::string part;
  ByteWriter out(&part);
  TransactionHeader bounded = header;
  if (bounded.reason.size() > kReasonBytes) bounded.reason.resize(kReasonBytes);
  write_header(out, bounded, true, 0, 0, 0);
  return part;
}

ContentHasher::ContentHasher(const TransactionHeader& header) {
  hash_header(content_, header);
}

void ContentHasher::add(const PartView& part) {
  for (const RowSlice& row : part.rows)
    content_.update(row.withheld ? row.hash : row_hash(row.salted));
}

Hash ContentHasher::finish() {
  return content_.finish();
}

Hash content_hash_of_single(const PartView& part) {
  ContentHasher hasher(part.header);
  hasher.add(part);
  return hasher.finish();
}

std::string withhold_rows_at(const PartView& part, const std::vector<bool>& keep) {
  CHECK(keep.size() == part.rows.size());
  std::string bytes;
  ByteWriter out(&bytes);
  write_header(out, part.header, part.last, part.part_no, part.first_position,
               static_cast<std::uint32_t>(part.rows.size()));
  for (std::size_t i = 0; i < part.rows.size(); ++i) {
    const RowSlice& row = part.rows[i];
    if (keep[i] && !row.withheld) {
      out.str32(row.salted);
    } else {
      out.u32(kWithheld | Hash::size);
      out.id(row.withheld ? row.hash : row_hash(row.salted));
    }
  }
  return bytes;
}

}  // namespace oltp20
