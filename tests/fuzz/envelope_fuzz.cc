// The envelope: bytes of a peer, read as a part of a transaction, withheld, checked by policy.
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/wire/envelope.h"
#include "hub/core/filter.h"
#include "hub/core/transaction_check.h"
#include "tests/fuzz/property.h"

namespace oltp20 {
namespace {

const std::string kSecret(32, 's');
const Identity kWho{Identity::Kind::spoke, "test", "eu", "store-17"};

std::shared_ptr<const hub::Policy> policy() {
  static const auto one = [] {
    hub::PolicyRule rule;
    rule.who = "spoke/store-*";
    rule.publish = {"greeting", "order.>"};
    rule.subscribe = {"greeting", "order.*"};
    return *hub::Policy::make({rule});
  }();
  return one;
}

// What the encoder makes of rows that came out of a part reads as the same rows.
void check_encoding_again(const PartView& part, const std::vector<MessageRow>& rows) {
  TransactionEncoder encoder(part.header, kSecret);
  std::vector<std::string> parts;
  auto take = [&] {
    while (auto one = encoder.take_part()) parts.push_back(std::move(*one));
  };
  for (const MessageRow& row : rows) {
    encoder.add_row(row);
    take();
  }
  encoder.finish();
  take();
  std::size_t at = 0;
  for (const std::string& bytes : parts) {
    Result<PartView> again = PartView::parse(bytes);
    DEMAND(again.is_ok());
    DEMAND(again->header == part.header);
    for (const RowSlice& slice : again->rows) {
      Result<MessageRow> row = parse_row(slice);
      DEMAND(row.is_ok() && *row == rows[at]);
      ++at;
    }
  }
  DEMAND(at == rows.size());
}

// Withholding changes neither what is left nor the content's hash.
void check_withholding(const PartView& part) {
  DEMAND(withhold_rows(part, [](const RowSlice&) { return true; }) == part.bytes);
  std::size_t number = 0;
  const std::string reduced = withhold_rows(part, [&](const RowSlice&) { return number++ % 2; });
  Result<PartView> view = PartView::parse(reduced);
  DEMAND(view.is_ok());
  DEMAND(view->header == part.header && view->rows.size() == part.rows.size());
  DEMAND(content_hash_of_single(*view) == content_hash_of_single(part));
  for (std::size_t i = 0; i < view->rows.size(); i += 2) DEMAND(view->rows[i].withheld);
}

void check_policy(const PartView& part) {
  hub::PublishRights rights(kWho, policy());
  hub::TransactionCheck check;
  if (check.add(part, rights) && !check.refused() && part.last) {
    hub::Entry entry;
    check.describe(&entry);
    DEMAND(entry.content == content_hash_of_single(part));
  }
  hub::Filter filter(kWho, {">"}, policy());
  auto left = filter.apply(std::make_shared<const std::string>(part.bytes));
  DEMAND(left.is_ok());
  Result<PartView> seen = PartView::parse(*left->part);
  DEMAND(seen.is_ok());
  std::size_t shown = 0;
  for (const RowSlice& slice : seen->rows) {
    shown += !slice.withheld;
    if (!slice.withheld) DEMAND(policy()->may_receive(kWho, row_type(slice)));
  }
  DEMAND(shown == left->rows);
}

void fuzz(std::string_view bytes) {
  Result<PartView> part = PartView::parse(bytes);
  if (!part) {
    DEMAND(part.status().code() == Code::invalid && !part.status().message().empty());
    return;
  }
  std::vector<MessageRow> rows;
  for (const RowSlice& slice : part->rows)
    if (Result<MessageRow> row = parse_row(slice)) {
      DEMAND(row_type(slice) == row->type);
      rows.push_back(*row);
    } else {
      (void)row_type(slice);
    }
  if (!part->header.tombstone && rows.size() == part->header.rows)
    check_encoding_again(*part, rows);
  check_withholding(*part);
  check_policy(*part);
}

}  // namespace
}  // namespace oltp20

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A copy of its own size, so that a read behind its end is seen.
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  oltp20::fuzz(bytes);
  return 0;
}
