#include "common/wire/envelope.h"

#include <gtest/gtest.h>

#include "common/base/limits.h"
#include "common/base/random.h"

namespace oltp20 {
namespace {

const std::string kSecret(32, 's');

TransactionHeader header(std::uint32_t rows) {
  TransactionHeader h;
  h.origin = "store-17";
  h.epoch.bytes[0] = 7;
  h.seq = 42;
  h.xid = 1234;
  h.rows = rows;
  return h;
}

MessageRow row(std::string_view payload) {
  MessageRow r;
  r.id.bytes[3] = 9;
  r.type = "greeting";
  r.date = 7831;
  r.payload = payload;
  r.sent_at_us = 1'600'000'000'000'000;
  return r;
}

std::vector<std::string> encode(const TransactionHeader& h, const std::vector<MessageRow>& rows,
                                Hash* content = nullptr) {
  TransactionEncoder encoder(h, kSecret);
  std::vector<std::string> parts;
  auto take = [&] {
    while (auto part = encoder.take_part()) parts.push_back(*part);
  };
  for (const MessageRow& r : rows) {
    encoder.add_row(r);
    take();
  }
  encoder.finish();
  take();
  if (content) *content = encoder.content_hash();
  return parts;
}

TEST(Envelope, HopsTravelAndAreBounded) {
  for (int hops = 0; hops < 16; ++hops) {
    TransactionHeader h = header(1);
    h.hops = static_cast<std::uint8_t>(hops);
    const std::string part = encode(h, {row("x")}).front();
    auto view = PartView::parse(part);
    ASSERT_EQ(view.is_ok(), hops <= 8) << hops;
    if (!view) continue;
    EXPECT_EQ(view->header, h);
  }
}

TEST(Envelope, RoundTripsEveryField) {
  MessageRow full = row("Ah-Ha!");
  full.headers = R"({"a":1})";
  full.destination = "spoke/b";
  MessageRow empty;
  empty.type = "x";
  empty.payload = "";
  MessageRow infinite = row("i");
  infinite.date = INT32_MAX;
  Hash content;
  auto parts = encode(header(3), {full, empty, infinite}, &content);
  ASSERT_EQ(parts.size(), 1u);
  auto part = PartView::parse(parts[0]);
  ASSERT_TRUE(part) << part.status().message();
  EXPECT_EQ(part->header, header(3));
  EXPECT_TRUE(part->last);
  ASSERT_EQ(part->rows.size(), 3u);
  EXPECT_EQ(*parse_row(part->rows[0]), full);
  EXPECT_EQ(*parse_row(part->rows[1]), empty);
  EXPECT_EQ(*parse_row(part->rows[2]), infinite);
  EXPECT_EQ(row_type(part->rows[0]), "greeting");
  EXPECT_EQ(content_hash_of_single(*part), content);
}

TEST(Envelope, TheSameTransactionIsTheSameBytes) {
  EXPECT_EQ(encode(header(1), {row("a")}), encode(header(1), {row("a")}));
}

TEST(Envelope, AWithheldRowKeepsTheContentHashAndHidesItsContent) {
  Hash content;
  auto parts = encode(header(2), {row("public"), row("secret-word")}, &content);
  auto part = PartView::parse(parts[0]);
  int index = 0;
  std::string reduced = withhold_rows(*part, [&](const RowSlice&) { return index++ == 0; });
  EXPECT_EQ(reduced.find("secret-word"), std::string::npos);
  auto view = PartView::parse(reduced);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->rows[1].withheld);
  EXPECT_FALSE(parse_row(view->rows[1]));
  EXPECT_EQ(content_hash_of_single(*view), content);
}

TEST(Envelope, ARowsHashDoesNotTellEqualRowsApartFromOthers) {
  auto part0 = encode(header(2), {row("same"), row("same")});
  auto part = PartView::parse(part0[0]);
  EXPECT_NE(row_hash(part->rows[0].salted), row_hash(part->rows[1].salted)) << "salted by place";
}

TEST(Envelope, LargeTransactionsAreCutIntoPartsThatHashAsOne) {
  std::string big(100 * 1024, 'p');
  std::vector<MessageRow> rows(10, row(big));
  Hash content;
  auto parts = encode(header(10), rows, &content);
  ASSERT_GT(parts.size(), 2u);
  std::uint32_t position = 0, number = 0;
  std::unique_ptr<ContentHasher> hasher;
  for (const std::string& bytes : parts) {
    EXPECT_LT(bytes.size(), limits::kPartBytes + limits::kRowBytes);
    auto part = PartView::parse(bytes);
    ASSERT_TRUE(part) << part.status().message();
    EXPECT_EQ(part->part_no, number++);
    EXPECT_EQ(part->first_position, position);
    position += part->rows.size();
    EXPECT_EQ(part->last, number == parts.size());
    if (!hasher) hasher = std::make_unique<ContentHasher>(part->header);
    hasher->add(*part);
  }
  EXPECT_EQ(hasher->finish(), content);
}

TEST(Envelope, TombstonesSayWhy) {
  TransactionHeader h = header(0);
  h.tombstone = true;
  h.reason = "type_denied: no";
  auto bytes = encode_tombstone(h);
  auto part = PartView::parse(bytes);
  ASSERT_TRUE(part) << part.status().message();
  EXPECT_TRUE(part->header.tombstone);
  EXPECT_EQ(part->header.reason, "type_denied: no");
}

TEST(Envelope, EveryCutAndEveryLongerInputIsRefused) {
  std::string bytes = encode(header(2), {row("a"), row("b")})[0];
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(PartView::parse(std::string_view(bytes).substr(0, size))) << size;
  EXPECT_FALSE(PartView::parse(bytes + "x"));
}

TEST(Envelope, EveryFlippedBitIsRefusedOrChangesTheHash) {
  Hash content;
  std::string bytes = encode(header(2), {row("a"), row("b")}, &content)[0];
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    auto part = PartView::parse(flipped);
    if (part) {
      EXPECT_NE(content_hash_of_single(*part), content) << "bit " << bit;
    }
  }
}

TEST(Envelope, RandomBytesAreRefusedWithoutHarm) {
  SeededRandom random(1);
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = random.fill(random.below(300));
    if (!bytes.empty()) bytes[0] = kEnvelopeVersion;
    EXPECT_FALSE(PartView::parse(bytes));
  }
}

TEST(Envelope, ANewerVersionIsNamed) {
  std::string bytes = encode(header(1), {row("a")})[0];
  bytes[0] = 9;
  EXPECT_NE(PartView::parse(bytes).status().message().find("upgrade"), std::string::npos);
}

}  // namespace
}  // namespace oltp20
