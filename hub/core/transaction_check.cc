#include "hub/core/transaction_check.h"

#include <algorithm>

#include "common/base/limits.h"
#include "common/base/subject.h"

namespace oltp20::hub {
namespace {

template <typename Ask>
bool remembered(std::unordered_map<std::string, bool>& memory, std::size_t most,
                std::string_view key, Ask ask) {
  auto at = memory.find(std::string(key));
  if (at != memory.end()) return at->second;
  if (memory.size() >= most) memory.clear();
  return memory.emplace(key, ask()).first->second;
}

}  // namespace

bool PublishRights::may_publish(std::string_view type) {
  return remembered(types_, kRemembered, type, [&] { return policy_->may_publish(who_, type); });
}

bool PublishRights::knows_destination(std::string_view destination) {
  return remembered(destinations_, kRemembered, destination,
                    [&] { return policy_->knows_destination(destination); });
}

bool PublishRights::may_reach(std::string_view destination, std::string_view type) {
  return remembered(reaches_, kRemembered, std::string(destination) + ' ' + std::string(type),
                    [&] { return policy_->may_reach(destination, type); });
}

void PublishRights::change(std::shared_ptr<const Policy> policy) {
  policy_ = std::move(policy);
  types_.clear();
  destinations_.clear();
  reaches_.clear();
}

Status TransactionCheck::continues(const PartView& part) const {
  auto wrong = [](const char* what) {
    return Status(Code::conflict, std::string("parts of a transaction out of order: ") + what);
  };
  if (part.part_no != parts_) return wrong("the part's number");
  if (part.first_position != rows_) return wrong("the position of its first row");
  if (header_ && !(*header_ == part.header)) return wrong("the header differs from the first");
  return {};
}

Status TransactionCheck::add(const PartView& part, PublishRights& rights) {
  OLTP20_TRY(continues(part));
  if (!header_) {
    header_ = part.header;
    hasher_.emplace(part.header);
  }
  hasher_->add(part);
  ++parts_;
  rows_ += static_cast<std::uint32_t>(part.rows.size());
  bytes_ += part.bytes.size();
  for (const RowSlice& row : part.rows) {
    if (row.withheld)
      return Status(Code::invalid, "an origin must send every row of its transaction in full");
    if (!refused_) check_row(row, rights);
  }
  return {};
}

void TransactionCheck::check_row(const RowSlice& slice, PublishRights& rights) {
  Result<MessageRow> parsed = parse_row(slice);
  if (!parsed) {
    refused_ = {"malformed", parsed.status().message()};
    return;
  }
  const MessageRow& row = *parsed;
  newest_us_ = std::max(newest_us_, row.sent_at_us);
  std::size_t size =
      (row.payload ? row.payload->size() : 0) + (row.headers ? row.headers->size() : 0);
  if (size > limits::kRowBytes) {
    refused_ = {"too_large", "a row of type " + std::string(row.type) + " has " +
                                 std::to_string(size) +
                                 " bytes of payload and headers, the limit is " +
                                 std::to_string(limits::kRowBytes) +
                                 ": split it, or keep it elsewhere and send its address"};
  } else if (!rights.may_publish(row.type)) {
    refused_ = {"type_denied", "the hub's policy does not let spoke/" + header_->origin +
                                   " publish type " + std::string(row.type) +
                                   ": add it to a [[rule]] of policy.toml, reload, then "
                                   "insert the rows again"};
  } else if (row.destination && !is_destination(*row.destination)) {
    refused_ = {
        "destination_unknown",
        "a row of type " + std::string(row.type) +
            " has a destination that is neither spoke/NAME nor region/NAME, where NAME is 1 "
            "to 63 letters, digits, _, - and dots: correct it"};
  } else if (row.destination && !rights.knows_destination(*row.destination)) {
    refused_ = {"destination_unknown",
                "the hub's policy names no destination " + std::string(*row.destination) +
                    ": correct the row's destination, or add a [[rule]] for it"};
  } else if (row.destination && !rights.may_reach(*row.destination, row.type)) {
    refused_ = {
        "destination_denied",
        "the hub's policy lets nobody at " + std::string(*row.destination) + " receive type " +
            std::string(row.type) +
            ": correct the row's destination, or add the type to subscribe of its [[rule]]"};
  }
  // One more than fits is enough to know that there are too many to list.
  if (routes_.size() <= limits::kEntryRoutes)
    routes_.insert({std::string(row.type), std::string(row.destination.value_or(""))});
}

void TransactionCheck::describe(Entry* entry) {
  CHECK(header_ && rows_ == header_->rows);
  entry->content = hasher_->finish();
  entry->parts = parts_;
  entry->rows = rows_;
  entry->bytes = bytes_;
  if (routes_.size() <= limits::kEntryRoutes) entry->routes = {routes_.begin(), routes_.end()};
}

}  // namespace oltp20::hub
