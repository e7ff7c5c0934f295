// The statements of capture, by name. The union is PgQ's: transactions that were in progress in the
// previous snapshot, by name, and those that had not begun; never a scan from its xmin.
#pragma once

#include <string>

namespace oltp20::spoke {

// $1 previous snapshot, $2 number of the last tick, $3 whether it opens an epoch, $4 system
// identifier, $5 timeline, $6 most transactions of the first page. Its first row (place -1) is the
// tick, the number of the table's last tick as `xid`; the others are transactions, by place.
// `wal_visible`: whether pg_current_wal_insert_lsn() may be called.
std::string take_tick_sql(bool wal_visible);

// $1 previous snapshot, $2 snapshot, $3 after which place, $4 most.
std::string transactions_sql();

// $1 previous snapshot, $2 snapshot, $3 number of a tick: whether its transactions are still in the
// order that the tick was taken with. No row: there is no such tick any more.
std::string same_order_sql();

// $1 array of transaction ids, $2 after which position (of the first of them), $3 most. In the
// array's order; the first column is the place in it, from 1.
std::string rows_sql();
// $1 array of transaction ids, $2 most. In the order of the ids, which are the first column.
std::string rows_by_xid_sql();

}  // namespace oltp20::spoke
