// Rows into message.incoming by COPY, without those that a fork's overlap has brought already.
// Internal to this folder: it shows libpqxx.
#pragma once

#include <map>
#include <pqxx/pqxx>
#include <set>
#include <vector>

#include "spoke/core/inbox.h"

namespace oltp20::spoke {

// By (origin, epoch): ids of overlapping rows that an earlier life brought beyond the fork.
using KnownIds = std::map<OriginEpoch, std::set<RowId>>;
using Transactions = std::vector<const IncomingTransaction*>;

// `invalid` when a text holds what PostgreSQL cannot keep.
Status check_text(const IncomingTransaction& transaction);
Status content_error(const std::string& state, const std::string& sentence);

void prepare_incoming(pqxx::connection& connection);
// In the database, or earlier in the same group.
KnownIds known_ids(pqxx::transaction_base& sql, const Transactions& transactions);
// Of one transaction; none are skipped where it does not overlap.
const std::set<RowId>& known_of(const KnownIds& known, const IncomingTransaction& transaction);
void copy_rows(pqxx::transaction_base& sql, const Transactions& transactions,
               const KnownIds& known);

}  // namespace oltp20::spoke
