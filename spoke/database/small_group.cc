#include "spoke/database/small_group.h"

#include "spoke/database/row_text.h"
#include "spoke/database/values.h"

namespace oltp20::spoke {
namespace {

constexpr std::size_t kSmallGroupRows = 16;
constexpr std::size_t kSmallGroupBytes = 16 * 1024;

// Division by zero where mark, position or registry was not the expected one: nothing of it stays
// then.
constexpr const char* kSmallGroupSql =
    "with moved as (update oltp20.mark set seq = $4::bigint where origin = $1 and "
    "epoch = $2::uuid and seq = $3::bigint and "
    "(select version from oltp20.registry) = $21::bigint returning 1), "
    "placed as (update oltp20.stream_position set incarnation = $6::uuid, lsn = $7::bigint, "
    "hash = $8::bytea where hub = $5 and incarnation = $9::uuid and lsn = $10::bigint "
    "and hash = $11::bytea returning 1), "
    "put as (insert into message.incoming (origin, epoch, seq, position, id, type, date, payload, "
    "headers, destination, sent_at) select $1, $2::uuid, r.* from unnest($12::text::bigint[], "
    "$13::text::integer[], $14::text::uuid[], $15::text::text[], $16::text::date[], "
    "$17::text::text[], $18::text::jsonb[], $19::text::text[], $20::text::timestamptz[]) as r) "
    "select 1 / (select count(*) from moved) / (select count(*) from placed)";

}  // namespace

void prepare_small(pqxx::connection& connection) {
  connection.prepare("small_group", kSmallGroupSql);
}

bool is_small(const ApplyGroup& group) {
  if (!group.epochs.empty() || !group.gaps.empty() || !group.dead_letters.empty() ||
      group.marks.size() != 1 || !group.marks[0].expected || !group.expected_position)
    return false;
  std::size_t rows = 0, bytes = 0;
  for (const IncomingTransaction& transaction : group.transactions) {
    if (!transaction.overlaps.empty() || transaction.origin != group.marks[0].origin ||
        transaction.epoch != group.marks[0].epoch)
      return false;
    rows += transaction.rows.size();
    for (const IncomingRow& row : transaction.rows)
      bytes += row.row.payload.value_or("").size() + row.row.headers.value_or("").size();
  }
  return rows > 0 && rows <= kSmallGroupRows && bytes <= kSmallGroupBytes;
}

bool apply_small(pqxx::connection& connection, const std::string& hub, const ApplyGroup& group,
                 std::int64_t registry_version) {
  const MarkMove& mark = group.marks[0];
  RowArrays arrays;
  for (const IncomingTransaction& transaction : group.transactions)
    for (const IncomingRow& row : transaction.rows) arrays.add(transaction, row);
  const auto& rows = arrays.finish();
  const StreamPosition &before = *group.expected_position, &next = group.position;
  pqxx::nontransaction sql(connection);
  try {
    sql.exec_prepared("small_group", mark.origin, uuid_text(mark.epoch), *mark.expected, mark.next,
                      hub, uuid_text(next.incarnation), next.lsn, bytea_text(next.hash.view()),
                      uuid_text(before.incarnation), before.lsn, bytea_text(before.hash.view()),
                      rows[0], rows[1], rows[2], rows[3], rows[4], rows[5], rows[6], rows[7],
                      rows[8], registry_version);
  } catch (const pqxx::sql_error&) {
    return false;
  }
  return true;
}

}  // namespace oltp20::spoke
