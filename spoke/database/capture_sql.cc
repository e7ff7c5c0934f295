#include "spoke/database/capture_sql.h"

namespace oltp20::spoke {

namespace {

// Rows and markers of the transactions that `condition` selects; `bytes` is null for markers. Where
// there is no row no marker is looked at: it would be one without a row.
std::string raw(const std::string& condition) {
  return "select xid, position, coalesce(octet_length(payload), 0) "
         "+ coalesce(octet_length(headers::text), 0) as bytes, hops "
         "from message.outgoing where " +
         condition +
         " union all select xid, position, null::integer, null::smallint from oltp20.marker "
         "where " +
         condition + " and (select true from message.outgoing where " + condition +
         " order by xid limit 1)";
}

const std::string kBegunSince = "xid >= pg_snapshot_xmax($1::text::pg_snapshot)";
const std::string kInProgress = "xid = any (array(select pg_snapshot_xip($1::text::pg_snapshot)))";

// Ticks of so few rows are read together with their rows: one question instead of two.
const std::string kFewRows = "16", kFewBytes = "16384";

const std::string kRowFields =
    "m.position, m.id, m.type, "
    "case when isfinite(m.date) then m.date - date '2000-01-01' "
    "when m.date > date '2000-01-01' then 2147483647 "
    "when m.date is not null then -2147483648 end as date, "
    "m.payload, m.headers::text, m.destination, m.sent_at ";
const std::string kRowColumns = kRowFields + "from message.outgoing m ";

std::string grouped(const std::string& further) {
  return "select xid, max(position) as place, count(bytes) as rows, sum(bytes) as bytes, "
         "max(bytes) as largest, max(hops) as hops from (" +
         raw(kBegunSince + further) + " union all " + raw(kInProgress + further) +
         ") as r group by xid having count(bytes) > 0";
}

// Over rows of (xid, place); null when there are none.
const char* const kDigest = "sha256(string_agg(xid8send(xid), ''::bytea order by place))";
const std::string kVisible = " and pg_visible_in_snapshot(xid, $2::text::pg_snapshot)";

}  // namespace

std::string take_tick_sql(bool wal_visible) {
  const std::string lsn = wal_visible ? "pg_current_wal_insert_lsn()" : "'0/0'::pg_lsn";
  // Rows of three kinds: the tick, its transactions, and their rows where these are few.
  return "with newest as materialized (select t.* from oltp20.tick t order by number desc limit 1),"
         " fits as materialized (select *, snapshot::text = $1 and number = $2::bigint as ok "
         "from newest), "
         "pending as materialized (" +
         grouped("") +
         "), "
         "total as materialized (select count(*) as transactions, "
         "coalesce(sum(bytes), 0)::bigint as volume, sum(rows) <= " +
         kFewRows + " and sum(bytes) <= " + kFewBytes + " as few, " + kDigest +
         " as ids from pending), "
         "taken as (insert into oltp20.tick (number, epoch, previous, snapshot, first, last, "
         "system_identifier, timeline, wal_lsn, digest) "
         "select number + 1, epoch, snapshot, pg_current_snapshot(), last + 1, "
         "last + transactions, $3, $4::bigint, " +
         lsn +
         ", ids from fits, total where ok and transactions > 0 returning *) "
         "select place, xid, rows, bytes, largest, tick, epoch, snapshot, volume, "
         "position, id, type, date, payload, headers, destination, sent_at, hops from ("
         "select 0 as kind, null::bigint as place, case when f.ok then 1 else 0 end as xid, "
         "t.first as rows, t.last as bytes, pg_wal_lsn_diff(t.wal_lsn, '0/0')::bigint as largest, "
         "t.number as tick, t.epoch::text as epoch, "
         "coalesce(t.snapshot, pg_current_snapshot())::text as snapshot, "
         "(select volume from total) as volume, null::bigint as position, null::uuid as id, "
         "null as type, null::integer as date, null as payload, null as headers, "
         "null as destination, null::timestamptz as sent_at, null::smallint as hops "
         "from fits f left join taken t on true "
         "union all (select 1, place, xid::text::bigint, rows, bytes, largest, null, null, null, "
         "null, null, null, null, null, null, null, null, null, hops "
         "from pending where (select ok from fits) order by place limit $5::bigint) "
         "union all select 2, null, m.xid::text::bigint, null, null, null, null, null, null, "
         "null, " +
         kRowFields +
         ", null from message.outgoing m where m.xid = any (array(select p.xid from pending p "
         "where (select ok from fits) "
         "and (select few from total)))"
         ") as answer order by kind, place, xid, position";
}

std::string transactions_sql() {
  return grouped(kVisible) + " and max(position) > $3::bigint order by place limit $4::bigint";
}

std::string same_order_sql() {
  return std::string("select t.digest is null or t.digest = (select ") + kDigest + " from (" +
         grouped(kVisible) + ") as p) from oltp20.tick t where t.number = $3::bigint";
}

// The lateral join walks the array in its order; the reader verifies that it did.
std::string rows_sql() {
  return "select o.* from unnest($1::text::xid8[]) with ordinality as wanted (xid, place), "
         "lateral (select wanted.place, " +
         kRowColumns +
         "where m.xid = wanted.xid "
         "and m.position > case when wanted.place = 1 then $2::bigint "
         "else -9223372036854775808 end "
         "order by m.position) as o limit $3::bigint";
}

// One walk over each index instead of one for each transaction takes less than half of the time.
std::string rows_by_xid_sql() {
  return "select m.xid, " + kRowColumns +
         "where m.xid = any ($1::text::xid8[]) order by m.xid, m.position limit $2::bigint";
}

}  // namespace oltp20::spoke
