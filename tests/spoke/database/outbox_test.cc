// Capture: each committed transaction in exactly one tick (spoke/core/outbox.h, rules 1 to 4).
#include <chrono>
#include <thread>

#include "spoke/database/capture_sql.h"
#include "tests/spoke/database/fixture.h"

namespace oltp20::spoke {
namespace {

class PgOutboxTest : public DatabaseTest {
 protected:
  // Long enough for a notification that should not be there to arrive.
  static void pause() { std::this_thread::sleep_for(std::chrono::milliseconds(100)); }
};

TEST_F(PgOutboxTest, TheMissionsStatementArrivesWithItsDate) {
  sql("insert into message.outgoing (type, date, payload) "
      "values ('greeting', '2021-06-10', 'Ah-Ha!')");
  auto [outbox, state] = open_outbox();
  auto taken = outbox->take_tick(state.last_tick);
  ASSERT_TRUE(taken && *taken);
  EXPECT_EQ((*taken)->tick.first, 1u);
  EXPECT_EQ((*taken)->tick.last, 1u);
  ASSERT_EQ((*taken)->head.size(), 1u);
  EXPECT_EQ((*taken)->head[0].rows, 1u) << "markers are not rows";
  EXPECT_EQ((*taken)->head[0].bytes, 6u);
  auto rows = outbox->rows({(*taken)->head[0].xid}, -1, 10);
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 1u);
  EXPECT_EQ((*rows)[0].type, "greeting");
  EXPECT_EQ((*rows)[0].payload, "Ah-Ha!");
  EXPECT_EQ((*rows)[0].date, 7831);
  EXPECT_FALSE((*rows)[0].headers || (*rows)[0].destination);
}

TEST_F(PgOutboxTest, ValuesSurviveHostileSettings) {
  sql("alter database " + database_ + " set datestyle = 'German, DMY'; alter database " +
      database_ + " set timezone = 'Asia/Kathmandu'; alter role oltp20_agent in database " +
      database_ + " set bytea_output = 'escape'; alter role oltp20_agent in database " + database_ +
      " set statement_timeout = 1; alter database " + database_ +
      " set default_transaction_isolation = 'serializable'");
  sql("insert into message.outgoing (id, type, date, payload, headers, destination) values "
      "('00010203-0405-0607-0809-0a0b0c0d0e0f', 't', 'infinity', E'a\\tb\\n\\\\', "
      "'{\"n\": 0.30000000000000004}', 'region/eu-west'), (gen_random_uuid(), 't', '-infinity', "
      "null, null, 'spoke/b')");
  const std::string us =
      sql("select (extract(epoch from sent_at) * 1000000)::bigint "
          "from message.outgoing order by position limit 1");
  auto [outbox, state] = open_outbox();
  auto taken = outbox->take_tick(state.last_tick);
  ASSERT_TRUE(taken && *taken);
  auto rows = outbox->rows({(*taken)->head[0].xid}, -1, 10);
  ASSERT_TRUE(rows) << rows.status().message();
  ASSERT_EQ(rows->size(), 2u);
  const OutboxRow& row = (*rows)[0];
  EXPECT_EQ(to_hex(row.id), "000102030405060708090a0b0c0d0e0f");
  EXPECT_EQ(row.date, INT32_MAX);
  EXPECT_EQ((*rows)[1].date, INT32_MIN);
  EXPECT_EQ(row.payload, "a\tb\n\\");
  EXPECT_EQ(row.headers, "{\"n\": 0.30000000000000004}");
  EXPECT_EQ(row.destination, "region/eu-west");
  EXPECT_EQ(std::to_string(row.sent_at_us), us);
}

TEST_F(PgOutboxTest, ALateCommitIsNeitherMissedNorAStall) {
  pqxx::connection late(admin_url());
  pqxx::work open_transaction(late);
  open_transaction.exec("insert into message.outgoing (type, payload) values ('test', 'late')");
  auto [outbox, state] = open_outbox();
  Tick last = state.last_tick;
  send("early");
  EXPECT_EQ(capture(*outbox, last), Strings{"early"}) << "an open transaction stalls nobody";
  send("middle");
  EXPECT_EQ(capture(*outbox, last), Strings{"middle"});
  open_transaction.commit();
  EXPECT_EQ(capture(*outbox, last), Strings{"late"});
  EXPECT_EQ(last.last, 3u);
  EXPECT_TRUE(capture(*outbox, last).empty());
}

TEST_F(PgOutboxTest, RolledBackTransactionsAndSavepointsLeaveNothing) {
  auto [outbox, state] = open_outbox();
  Tick last = state.last_tick;
  sql("begin; insert into message.outgoing (type, payload) values ('test', 'gone'); rollback");
  sql("begin; savepoint a; insert into message.outgoing (type, payload) values ('test', 'gone');"
      "rollback to a; insert into message.outgoing (type, payload) values ('test', 'kept');"
      "savepoint b; insert into message.outgoing (type, payload) values ('test', 'inner');"
      "release b; savepoint c; insert into message.outgoing (type, payload) "
      "values ('test', 'gone'); rollback to c; commit");
  sql("begin; savepoint a; insert into message.outgoing (type, payload) values ('test', 'gone');"
      "rollback to a; commit");
  EXPECT_EQ(capture(*outbox, last), Strings{"kept inner"});
  EXPECT_EQ(last.last, 1u);
}

TEST_F(PgOutboxTest, IdleRoundsWriteNothing) {
  auto [outbox, state] = open_outbox();
  Tick last = state.last_tick;
  send("one");
  capture(*outbox, last);
  const std::string before = sql("select pg_current_xact_id()");
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(capture(*outbox, last).empty());
  EXPECT_EQ(std::stoll(sql("select pg_current_xact_id()")), std::stoll(before) + 1)
      << "a round without news must not use a transaction id";
}

// The short way, with one question, must say what the long way says.
TEST_F(PgOutboxTest, FewRowsComeWithTheirTickInTheOrderOfItsTransactions) {
  auto [outbox, state] = open_outbox();
  pqxx::connection first(admin_url()), second(admin_url());
  const auto insert = [](pqxx::work& work, const std::string& payload) {
    work.exec0("insert into message.outgoing (type, payload, headers) values ('t', '" + payload +
               "', '{}')");
  };
  {
    pqxx::work early(first), late(second);
    insert(early, "early 1");  // begins first, has the lower id, and commits last
    insert(late, "late 1");
    insert(late, "late 2");
    late.commit();
    insert(early, "early 2");
    early.commit();
  }
  auto taken = outbox->take_tick(state.last_tick);
  ASSERT_TRUE(taken && *taken);
  std::vector<std::uint64_t> xids;
  for (const PendingTransaction& transaction : (*taken)->head) xids.push_back(transaction.xid);
  auto rows = outbox->rows(xids, -1, 100);
  ASSERT_TRUE(rows);
  Strings came, asked;
  for (const OutboxRow& row : (*taken)->rows) came.push_back(*row.payload);
  for (const OutboxRow& row : *rows) asked.push_back(*row.payload);
  EXPECT_EQ(came, (Strings{"late 1", "late 2", "early 1", "early 2"}));
  EXPECT_EQ(came, asked);
  ASSERT_EQ((*taken)->rows.size(), rows->size());
  for (std::size_t i = 0; i < rows->size(); ++i) {
    EXPECT_EQ((*taken)->rows[i].id, (*rows)[i].id);
    EXPECT_EQ((*taken)->rows[i].headers, (*rows)[i].headers);
    EXPECT_EQ((*taken)->rows[i].sent_at_us, (*rows)[i].sent_at_us);
  }
  sql("insert into message.outgoing (type, payload) select 't', 'x' from generate_series(1, 17)");
  taken = outbox->take_tick((*taken)->tick);
  ASSERT_TRUE(taken && *taken);
  EXPECT_TRUE((*taken)->rows.empty()) << "many are read in pages";
}

TEST_F(PgOutboxTest, WhatCommitsBehindAnEmptyPollIsFoundByTheNext) {
  auto [outbox, state] = open_outbox();
  Tick last = state.last_tick;
  pqxx::connection writer(admin_url());
  pqxx::work open(writer);
  open.exec0("insert into message.outgoing (type, payload) values ('t', 'late')");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(capture(*outbox, last), Strings{});
  open.commit();
  EXPECT_EQ(capture(*outbox, last), Strings{"late"});
}

TEST_F(PgOutboxTest, ATickIsPagedAndReadAgainTheSame) {
  for (int i = 0; i < 20; ++i) send("t" + std::to_string(i), i % 3 + 1);
  pqxx::connection late(admin_url());
  pqxx::work open_transaction(late);
  open_transaction.exec("insert into message.outgoing (type, payload) values ('test', 'late')");
  auto [outbox, state] = open_outbox();
  auto taken = outbox->take_tick(state.last_tick);
  ASSERT_TRUE(taken && *taken);
  const Tick tick = (*taken)->tick;
  open_transaction.commit();
  send("after");
  Strings paged;
  std::int64_t after = -1;
  while (true) {
    auto page = outbox->transactions(tick, after, 7);
    ASSERT_TRUE(page) << page.status().message();
    if (page->empty()) break;
    after = page->back().order;
    for (const std::string& one : payloads(*outbox, *page)) paged.push_back(one);
  }
  EXPECT_EQ(paged, payloads(*outbox, (*taken)->head));
  EXPECT_EQ(paged.size(), 20u);
  EXPECT_EQ(tick.last, 20u);
  auto ticks = outbox->ticks_from(tick.epoch, 5, 10);
  ASSERT_TRUE(ticks);
  ASSERT_EQ(ticks->size(), 1u);
  EXPECT_EQ((*ticks)[0].snapshot, tick.snapshot);
  EXPECT_EQ((*ticks)[0].previous, tick.previous);
  auto before = outbox->tick_at_most(tick.epoch, 19);
  ASSERT_TRUE(before);
  EXPECT_EQ(before->number, 0u);
}

TEST_F(PgOutboxTest, RowsOfALargeTransactionComeInPages) {
  send("big", 10'000);
  send("small");
  auto [outbox, state] = open_outbox();
  auto taken = outbox->take_tick(state.last_tick);
  ASSERT_TRUE(taken && *taken);
  ASSERT_EQ((*taken)->head.size(), 2u);
  EXPECT_EQ((*taken)->head[0].rows, 10'000u);
  std::vector<std::uint64_t> xids = {(*taken)->head[0].xid, (*taken)->head[1].xid};
  std::int64_t after = -1;
  std::size_t seen = 0;
  while (true) {
    auto rows = outbox->rows(xids, after, 3000);
    ASSERT_TRUE(rows) << rows.status().message();
    seen += rows->size();
    after = rows->back().position;
    if (rows->back().xid != xids[0]) break;
  }
  EXPECT_EQ(seen, 10'001u);
  auto exact = outbox->rows(xids, -1, 10'000);
  ASSERT_TRUE(exact);
  auto rest = outbox->rows(xids, exact->back().position, 10'000);
  ASSERT_TRUE(rest) << rest.status().message();
  EXPECT_EQ(rest->size(), 1u);
  EXPECT_EQ(outbox->rows({1, xids[1]}, -1, 10).status().code(), Code::not_found);
  EXPECT_EQ(outbox->rows({xids[1], 1}, -1, 10).status().code(), Code::not_found);
  EXPECT_EQ(outbox->rows({1}, -1, 10).status().code(), Code::not_found);
}

TEST_F(PgOutboxTest, ATickSurvivesACrashOfTheServerAndNumbersStay) {
  test::PostgresCluster own({.settings = {{"synchronous_commit", "off"}}});
  own.create_database("crash");
  const std::string agent = own.url("crash", "oltp20_agent");
  ASSERT_TRUE(install({own.url("crash"), agent, "exact"}));
  auto outbox = make_pg_outbox({agent, "exact"});
  auto state = outbox->open();
  ASSERT_TRUE(state) << state.status().message();
  Tick last = state->last_tick;
  for (int round = 0; round < 3; ++round) {
    own.sql("crash", "insert into message.outgoing (type, payload) values ('test', 'x')");
    ASSERT_EQ(capture(*outbox, last).size(), 1u);
  }
  own.kill9();
  auto lost = outbox->take_tick(last);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.status().code(), Code::unavailable) << lost.status().message();
  own.start();
  state = outbox->open();
  ASSERT_TRUE(state) << state.status().message();
  EXPECT_EQ(state->last_tick.number, last.number) << "rule 2: a returned tick is durable";
  EXPECT_EQ(state->last_tick.snapshot, last.snapshot);
  auto again = outbox->transactions(state->last_tick, -1, 10);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->size(), 1u);
}

TEST_F(PgOutboxTest, ASecondAgentIsToldWhoRuns) {
  auto first = open_outbox();
  auto second = make_pg_outbox({agent_url(), "exact"});
  auto state = second->open();
  ASSERT_FALSE(state);
  EXPECT_EQ(state.status().code(), Code::conflict);
  EXPECT_NE(state.status().message().find("oltp20-spoke outbox"), std::string::npos)
      << state.status().message();
}

// A lock that anybody may take must not keep the agent out; another agent's must.
TEST_F(PgOutboxTest, AStrangersAdvisoryLockIsNamedAndNotObeyed) {
  sql("create role " + database_ + "_stranger login");
  pqxx::connection stranger(cluster_.url(database_, database_ + "_stranger"));
  pqxx::nontransaction(stranger).exec("select pg_advisory_lock(2129440, 1)");
  std::string warning;
  auto outbox =
      make_pg_outbox({agent_url(), "exact", [&](const std::string& text) { warning = text; }});
  auto state = outbox->open();
  ASSERT_TRUE(state) << state.status().message();
  EXPECT_NE(warning.find(database_ + "_stranger"), std::string::npos) << warning;
  send("one");
  Tick last = state->last_tick;
  EXPECT_EQ(capture(*outbox, last), Strings{"one"});
}

TEST_F(PgOutboxTest, AnEmptyPollReadsNoMarkerWithoutARow) {
  auto [outbox, state] = open_outbox();
  sql("insert into oltp20.marker select from generate_series(1, 1000)");
  pqxx::connection connection(agent_url());
  pqxx::work work(connection);
  work.exec(
      "set local enable_seqscan = off; set local plan_cache_mode = force_generic_plan; "
      "prepare poll as " +
      take_tick_sql(true));
  std::string plan;
  for (const auto& row : work.exec("explain (analyze, costs off, timing off) execute poll (" +
                                   work.quote(state.last_tick.snapshot) + ", " +
                                   std::to_string(state.last_tick.number) + ", '', 0, 10)")) {
    const std::string line = row[0].c_str();
    if (line.find("marker_") == std::string::npos || line.find("Scan") == std::string::npos)
      continue;
    plan += line + "\n";
    EXPECT_NE(line.find("never executed"), std::string::npos) << line;
  }
  EXPECT_NE(plan, "");
  Tick last = state.last_tick;
  EXPECT_TRUE(capture(*outbox, last).empty());
  send("one");
  EXPECT_EQ(capture(*outbox, last), Strings{"one"});
}

TEST_F(PgOutboxTest, ATickIsACompareAndSet) {
  auto [outbox, state] = open_outbox();
  send("one");
  Tick last = state.last_tick;
  EXPECT_EQ(capture(*outbox, last), Strings{"one"});
  send("two");
  auto stale = outbox->take_tick(state.last_tick);
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.status().code(), Code::conflict);
  EXPECT_EQ(capture(*outbox, last), Strings{"two"}) << "the refused attempt left nothing";
}

TEST_F(PgOutboxTest, NotifiesOnlyWhoSleepsAndOnlyOnce) {
  auto [outbox, state] = open_outbox();
  ASSERT_TRUE(state.may_notify);
  send("awake");
  pause();
  EXPECT_FALSE(outbox->take_notification());
  ASSERT_TRUE(outbox->set_asleep(true));
  sql("begin; insert into message.outgoing (type) values ('test'); rollback");
  pause();
  EXPECT_FALSE(outbox->take_notification());
  send("asleep");
  EXPECT_TRUE(notified(*outbox));
  EXPECT_EQ(sql("select pg_sequence_last_value('oltp20.asleep') is null"), "t")
      << "the first notifier clears the flag: an agent that died asleep costs one notification";
  send("next");
  pause();
  EXPECT_FALSE(outbox->take_notification());
}

TEST_F(PgOutboxTest, FastOrderNotifiesToo) {
  sql("select oltp20.set_order('fast')");
  auto [outbox, state] = open_outbox("fast");
  ASSERT_TRUE(outbox->set_asleep(true));
  send("asleep");
  EXPECT_TRUE(notified(*outbox));
  send("next");
  pause();
  EXPECT_FALSE(outbox->take_notification());
  Tick last = state.last_tick;
  EXPECT_EQ(capture(*outbox, last), (Strings{"asleep", "next"}));
}

TEST_F(PgOutboxTest, WorksWhereTheLogsFunctionsAreHidden) {
  sql("revoke execute on function pg_current_wal_insert_lsn() from public");
  auto [outbox, state] = open_outbox();
  EXPECT_EQ(state.server, ServerIdentity{});
  send("one");
  Tick last = state.last_tick;
  EXPECT_EQ(capture(*outbox, last), Strings{"one"});
}

TEST_F(PgOutboxTest, CheckpointsAndRefusalsAreKept) {
  auto [outbox, state] = open_outbox();
  const Epoch epoch = state.epoch.id;
  ChainPosition five{5, Hash::from(std::string(32, 'a'))};
  ASSERT_TRUE(outbox->write_checkpoint(epoch, five, "eu-west"));
  ASSERT_TRUE(outbox->write_checkpoint(epoch, five, "eu-west"));
  ChainPosition other{5, Hash::from(std::string(32, 'b'))};
  EXPECT_EQ(outbox->write_checkpoint(epoch, other, "eu-west").code(), Code::conflict);
  auto at = outbox->checkpoint_at_most(epoch, 7);
  ASSERT_TRUE(at);
  EXPECT_EQ(*at, five);
  EXPECT_EQ(outbox->checkpoint_at_most(epoch, 4)->seq, 0u);
  ASSERT_TRUE(outbox->record_rejection(epoch, {6, "type_denied", "no rule"}, 42));
  ASSERT_TRUE(outbox->record_rejection(epoch, {6, "type_denied", "no rule"}, 42));
  ASSERT_TRUE(outbox->record_rejection(epoch, {3, "type_denied", "no rule"}, 41));
  auto again = outbox->open();
  ASSERT_TRUE(again) << again.status().message();
  EXPECT_EQ(again->stable, five);
  auto refused = outbox->rejections(epoch, 5);
  ASSERT_TRUE(refused);
  ASSERT_EQ(refused->size(), 1u);
  EXPECT_EQ((*refused)[0].seq, 6u);
  EXPECT_EQ((*refused)[0].code, "type_denied");
  EXPECT_EQ(again->secret.size(), 32u);
  EXPECT_EQ(again->secret, state.secret);
}

}  // namespace
}  // namespace oltp20::spoke
