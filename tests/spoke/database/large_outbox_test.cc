// What people and applications ask of a large outbox or inbox reads what it answers, not all of it:
// pages are counted, times are not.
#include "tests/spoke/database/fixture.h"

namespace oltp20::spoke {
namespace {

constexpr int kTransactions = 10'000, kRowsEach = 20;  // 200,000 rows
constexpr int kTick = 50;                              // transactions

class LargeOutboxTest : public ::testing::Test {
 protected:
  // One database for all: filling it takes seconds.
  static void SetUpTestSuite() {
    cluster().create_database(kDb);
    Status status =
        install({cluster().url(kDb), cluster().url(kDb, "oltp20_agent"), std::string("exact")});
    ASSERT_TRUE(status) << status.message();
    sql("create function tick() returns void language sql as $$ insert into oltp20.tick "
        "(number, epoch, previous, snapshot, first, last, system_identifier, timeline, wal_lsn) "
        "select t.number + 1, t.epoch, t.snapshot, pg_current_snapshot(), t.last + 1, "
        "t.last + n.transactions, '', 0, '0/0' from (select * from oltp20.tick order by number "
        "desc limit 1) t, lateral (select count(distinct o.xid) as transactions from "
        "message.outgoing o where o.xid >= pg_snapshot_xmin(t.snapshot) and not "
        "pg_visible_in_snapshot(o.xid, t.snapshot)) n $$; "
        "create procedure fill(transactions integer, rows integer, per_tick integer) "
        "language plpgsql as $$ begin set synchronous_commit = off; "
        "for i in 1 .. transactions loop "
        "insert into message.outgoing (type, payload) select 'load', 'p' from "
        "generate_series(1, rows); commit; "
        "if i % per_tick = 0 then perform tick(); commit; end if; end loop; end $$");
    sql("call fill(" + std::to_string(kTransactions) + ", " + std::to_string(kRowsEach) + ", " +
        std::to_string(kTick) + ")");
    sql("insert into oltp20.checkpoint (epoch, seq, chain, hub) select oltp20.current_epoch(), "
        "n * 100, '', 'hub' from generate_series(1, 100) n; "
        "insert into oltp20.receipt (destination, epoch, region, database, base, seq, held_to, "
        "held_reason) select d, oltp20.current_epoch(), 'eu', gen_random_uuid(), 0, 9995, 0, '' "
        "from unnest('{b,c}'::text[]) d; "
        "analyze message.outgoing, oltp20.tick, oltp20.checkpoint, oltp20.receipt");
  }
  static test::PostgresCluster& cluster() { return shared_cluster(); }
  static std::string sql(const std::string& statements) { return cluster().sql(kDb, statements); }
  static std::string error_of(const std::string& statements) {
    try {
      return "answered " + sql(statements);
    } catch (const pqxx::sql_error& error) {
      return error.what();
    }
  }
  // Pages that the query touched, in memory or not.
  static int pages(const std::string& query, const std::string& before = "") {
    int sum = 0;
    const std::string plan =
        sql(before + "explain (analyze, buffers, timing off, format json) " + query);
    for (const std::string key : {"\"Shared Hit Blocks\": ", "\"Shared Read Blocks\": "}) {
      const std::size_t at = plan.find(key);
      if (at == std::string::npos) throw std::runtime_error(plan);
      sum += std::stoi(plan.substr(at + key.size()));
    }
    return sum;
  }
  static std::string rows(const std::string& query) {
    return sql("select string_agg(r::text, E'\\n' order by xid::text, destination) from (" + query +
               ") r");
  }
  static constexpr const char* kDb = "large_outbox";
};

TEST_F(LargeOutboxTest, TheNewestDeliveriesReadTheirOwnTicksOnly) {
  const int one_place = pages(
      "select * from oltp20.place_of((select xid from message.outgoing order by xid desc "
      "limit 1))");
  const std::string view = "select * from oltp20.delivery order by xid desc limit 20";
  EXPECT_LT(pages(view), 40 * one_place);
  EXPECT_LT(pages("select * from oltp20.deliveries(10)"), 10 * one_place);
  EXPECT_EQ(rows(view), rows("select * from oltp20.deliveries(10)"));  // of two destinations
  EXPECT_EQ(sql("select string_agg(distinct state, ' ') || ' ' || min(seq) || ' ' || max(seq) from "
                "oltp20.deliveries(10)"),
            "applied waiting 9991 10000");
  EXPECT_EQ(sql("select count(*) from oltp20.deliveries(10) where state = 'waiting' and "
                "cardinality(ids) = 20"),
            "10");
}

TEST_F(LargeOutboxTest, DeliveriesGoOnBeforeATransaction) {
  EXPECT_EQ(sql("select min(seq) || ' ' || max(seq) from oltp20.deliveries(3, before => (select "
                "xid from message.outgoing order by xid limit 1 offset 100000))"),
            "4998 5000");
  EXPECT_EQ(sql("select count(*) from oltp20.deliveries(3, before => '3')"), "0");
  for (const char* most : {"0", "1001", "null"})
    EXPECT_NE(error_of("select oltp20.deliveries(" + std::string(most) + ")").find("ask for 1 to"),
              std::string::npos);
}

TEST_F(LargeOutboxTest, ATickIsReadOnceForAllThatAreAskedFor) {
  sql("call fill(2000, 20, 2000)");
  sql("analyze message.outgoing");
  const int the_tick = pages(
      "select * from oltp20.ranks_in_tick((select max(number) from oltp20.tick), "
      "array['3'::xid8])");
  EXPECT_LT(pages("select * from oltp20.deliveries(50)"), 25 * the_tick);
  EXPECT_EQ(sql("select min(seq) || ' ' || max(seq) from oltp20.deliveries(50)"), "11951 12000");
}

TEST_F(LargeOutboxTest, AnIdIsLookedForInTheNewestRowsOrInItsTransaction) {
  const std::string oldest = " from message.outgoing order by position limit 1";
  const std::string id = sql("select id" + oldest), xid = sql("select xid" + oldest);
  const int unknown = pages("select oltp20.transaction_of(gen_random_uuid())");
  const int all = pages(
      "select n.xid from (select o.xid, o.id from message.outgoing o order by o.xid desc, "
      "o.position desc) n where n.id = '00000000-0000-0000-0000-000000000000'",
      "set enable_seqscan = off; set enable_bitmapscan = off; set enable_sort = off; ");
  const int in_transaction = pages("select oltp20.transaction_of('" + id + "', '" + xid + "')");
  EXPECT_LT(in_transaction, all / 4);  // mostly the catalog's, of a new session
  EXPECT_LT(unknown - in_transaction, 6 * all / 10);
  EXPECT_EQ(sql("call oltp20.wait_for('" +
                sql("select id from message.outgoing where type = 'load' order by position desc "
                    "limit 1") +
                "', 'captured')"),
            "reached");
  const std::string error = error_of("call oltp20.wait_for('" + id + "', 'captured')");
  EXPECT_NE(error.find("as far as the newest 100000 rows go"), std::string::npos) << error;
  EXPECT_NE(error.find("xid => XID"), std::string::npos) << error;
  const std::string in_its = "'captured', xid => '" + xid + "')";
  EXPECT_EQ(sql("call oltp20.wait_for('" + id + "', " + in_its), "reached");
  EXPECT_EQ(sql("call oltp20.wait_for(null, " + in_its), "reached");
  EXPECT_NE(error_of("call oltp20.wait_for(gen_random_uuid(), " + in_its)
                .find("transaction " + xid + " has no committed row with the id"),
            std::string::npos);
  EXPECT_NE(error_of("call oltp20.wait_for(null, 'captured', xid => '3')")
                .find("transaction 3 has no committed row at all"),
            std::string::npos);
}

TEST_F(LargeOutboxTest, OfALargeInboxTheNewestTransactionsAreReadAlone) {
  sql("insert into message.incoming (origin, epoch, seq, position, id, type, sent_at) select "
      "'o' || n % 2, oltp20.current_epoch(), n / 4, n % 4, gen_random_uuid(), 'x', now() from "
      "generate_series(0, 49999) n; "
      "insert into oltp20.applied_part (origin, epoch, seq, position, ids) select 'o' || n % 2, "
      "oltp20.current_epoch(), n / 4, 10 + n % 4, array[gen_random_uuid(), gen_random_uuid()] from "
      "generate_series(20000, 59999) n");
  sql("vacuum analyze message.incoming, oltp20.applied_part");  // as autovacuum does
  const std::string newest =
      "select * from oltp20.applied where origin = 'o1' order by epoch desc, seq desc limit 5";
  EXPECT_LT(pages(newest), 400);  // mostly the catalog's, of a new session
  EXPECT_EQ(sql("select min(seq) || ' ' || max(seq) || ' ' || sum(rows) from (" + newest + ") n"),
            "14995 14999 20");
  EXPECT_EQ(sql("select string_agg(seq || '=' || rows, ' ' order by seq) from oltp20.applied where "
                "origin = 'o1' and seq in (4, 12000, 14000)"),
            "4=2 12000=6 14000=4");
  EXPECT_EQ(sql("select count(*) || ' ' || sum(rows) from oltp20.applied"), "30000 130000");
}

// An old transaction keeps the snapshots' lower end where it was; refusals are counted as they
// come.
TEST_F(LargeOutboxTest, TheStatusReadsNeitherWhatIsCapturedNorRefusals) {
  pqxx::connection old_one(cluster().url(kDb));
  pqxx::work open_transaction(old_one);
  open_transaction.exec(
      "insert into message.outgoing (type) select 'old' from "
      "generate_series(1, 3)");
  sql("call fill(1000, 5, 1000)");
  sql("insert into message.outgoing (type) values ('new'); "
      "insert into oltp20.rejection (epoch, seq, xid, code, reason) select oltp20.current_epoch(), "
      "1000000 + n, '3', 'denied', 'no' from generate_series(1, 20000) n; "
      "delete from oltp20.rejection where seq > 1019990; "
      "insert into oltp20.dead_letter (origin, epoch, seq, sqlstate, error, retried_at) select "
      "'b', oltp20.current_epoch(), n, 'P0001', 'no', now() from generate_series(1, 20000) n");
  for (const std::string table : {"message.outgoing", "oltp20.dead_letter"})
    sql("vacuum analyze " + table);
  EXPECT_LT(pages("select * from oltp20.status"), 100);
  const std::string figures =
      "select rows_waiting || ' ' || rejected || ' ' || dead_letters from oltp20.status";
  EXPECT_EQ(sql(figures), "1 19990 0");
  open_transaction.commit();
  EXPECT_EQ(sql(figures), "4 19990 0");
}

}  // namespace
}  // namespace oltp20::spoke
