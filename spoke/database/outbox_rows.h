// What the two statements for rows return, as rows in the order that is wanted; a transaction
// without rows is `not_found`. Internal to this folder: it shows libpqxx.
#pragma once

#include <pqxx/pqxx>
#include <vector>

#include "common/base/status.h"
#include "spoke/core/outbox.h"

namespace oltp20::spoke {

// Columns from `first` on: position, id, type, date, payload, headers, destination, sent_at.
OutboxRow outbox_row(const pqxx::row& row, std::uint64_t xid, pqxx::row::size_type first);

// Of take_tick_sql(), all but its first row: the first page of transactions, and their rows where
// they came along, in the order of the transactions.
void read_head(const pqxx::result& answer, TickResult* result);

// Of rows_by_xid_sql(), all rows of all of them: put from the ids' order into that of `xids`.
Result<std::vector<OutboxRow>> rows_by_xid(const pqxx::result& found,
                                           const std::vector<std::uint64_t>& xids);
// Of rows_sql(), in order already, as many as fit into `limit`; the first transaction may have no
// rows left when it `resumes`.
Result<std::vector<OutboxRow>> rows_by_place(const pqxx::result& found,
                                             const std::vector<std::uint64_t>& xids, bool resumes,
                                             std::size_t limit);

}  // namespace oltp20::spoke
