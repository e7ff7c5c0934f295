#include "spoke/database/outbox_rows.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "spoke/database/values.h"

namespace oltp20::spoke {
namespace {

std::optional<std::string> text_of(const pqxx::field& field) {
  if (field.is_null()) return std::nullopt;
  return std::string(field.c_str(), field.size());
}

Status gone(std::uint64_t xid) {
  return Status(Code::not_found,
                "rows of transaction " + std::to_string(xid) + " are no longer there");
}

}  // namespace

OutboxRow outbox_row(const pqxx::row& row, std::uint64_t xid, pqxx::row::size_type first) {
  OutboxRow out;
  out.xid = xid;
  out.position = row[first].as<std::int64_t>();
  out.id = id_of_uuid<RowId>(row[first + 1].c_str());
  out.type = row[first + 2].c_str();
  if (!row[first + 3].is_null()) out.date = row[first + 3].as<std::int32_t>();
  out.payload = text_of(row[first + 4]);
  out.headers = text_of(row[first + 5]);
  out.destination = text_of(row[first + 6]);
  out.sent_at_us = timestamp_us(row[first + 7].c_str());
  return out;
}

void read_head(const pqxx::result& answer, TickResult* result) {
  result->head.reserve(answer.size() - 1);
  std::map<std::uint64_t, std::vector<OutboxRow>> rows_of;
  for (std::size_t i = 1; i < answer.size(); ++i) {
    const pqxx::row row = answer[static_cast<pqxx::result::size_type>(i)];
    const auto xid = row[1].as<std::uint64_t>();
    if (row[9].is_null()) {
      result->head.push_back({xid, row[0].as<std::int64_t>(), row[2].as<std::uint32_t>(),
                              row[3].as<std::uint64_t>(), row[4].as<std::uint32_t>(),
                              static_cast<std::uint8_t>(row[17].as<int>())});
    } else {
      rows_of[xid].push_back(outbox_row(row, xid, 9));
    }
  }
  if (!rows_of.empty())
    for (const PendingTransaction& transaction : result->head)
      std::ranges::move(rows_of[transaction.xid], std::back_inserter(result->rows));
}

Result<std::vector<OutboxRow>> rows_by_xid(const pqxx::result& found,
                                           const std::vector<std::uint64_t>& xids) {
  struct Range {
    pqxx::result::size_type first = 0, count = 0;
  };
  std::unordered_map<std::uint64_t, Range> range_of;
  range_of.reserve(xids.size());
  for (pqxx::result::size_type i = 0; i < found.size(); ++i) {
    Range& range = range_of[found[i][0].as<std::uint64_t>()];
    if (range.count == 0) range.first = i;
    if (range.first + range.count++ != i)
      return Status(Code::internal, "the server returned rows out of order");
  }
  std::vector<OutboxRow> out;
  out.reserve(found.size());
  for (std::uint64_t xid : xids) {
    auto range = range_of.find(xid);
    if (range == range_of.end()) return gone(xid);
    for (pqxx::result::size_type i = 0; i < range->second.count; ++i) {
      out.push_back(outbox_row(found[range->second.first + i], xid, 1));
      if (i > 0 && out.back().position <= out[out.size() - 2].position)
        return Status(Code::internal, "the server returned rows out of order");
    }
  }
  return out;
}

Result<std::vector<OutboxRow>> rows_by_place(const pqxx::result& found,
                                             const std::vector<std::uint64_t>& xids, bool resumes,
                                             std::size_t limit) {
  std::vector<OutboxRow> out;
  out.reserve(found.size());
  std::size_t place = 0;  // in xids, from 1, of the transaction that was read last
  for (const auto& row : found) {
    const auto at = row[0].as<std::size_t>();
    OutboxRow next = outbox_row(row, xids.at(at - 1), 1);
    if (at < place || (at == place && next.position <= out.back().position))
      return Status(Code::internal, "the server returned rows out of order");
    if (at > place + 1 && !(resumes && at == 2)) return gone(xids.at(place));
    place = at;
    out.push_back(std::move(next));
  }
  if (resumes && place == 0) place = 1;
  if (out.size() < limit && place < xids.size()) return gone(xids.at(place));
  return out;
}

}  // namespace oltp20::spoke
