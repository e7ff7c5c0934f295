// What an origin learns in SQL of its transactions: oltp20.delivery, from receipts that
// destinations give once what they speak of is durable.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pqxx/pqxx>

#include "tests/support/network.h"

namespace oltp20::test {
namespace {

using ::testing::HasSubstr;

const std::string kDb = "oltp20_framework";

struct Receipts : ::testing::Test {
  Receipts() { net.start_pair(a, b); }
  static void refuse_poison(PostgresCluster& at, const std::string& like) {
    at.sql(kDb,
           "create function refuse_poison() returns trigger language plpgsql as $$ begin raise "
           "exception 'this is poison'; end $$; create trigger refuse_poison before insert on "
           "message.incoming for each row when (new.payload like '" +
               like + "') execute function refuse_poison()");
  }
  void send(const std::string& payload, const std::string& type = "x") {
    a.sql(kDb, "insert into message.outgoing (type, payload) values ('" + type + "', '" + payload +
                   "')");
  }
  // Of the transaction with this payload.
  std::string delivery(const std::string& what, const std::string& payload) {
    return a.sql(kDb, "select " + what +
                          " from oltp20.delivery where xid = (select xid from message.outgoing "
                          "where payload = '" +
                          payload + "' limit 1)");
  }
  void expect_state(const std::string& payload, const std::string& state) {
    EXPECT_TRUE(eventually(10, [&] { return delivery("state", payload) == state; }))
        << payload << ": " << delivery("state", payload) << "\n"
        << net.logs();
  }
  std::string received(PostgresCluster& at) {
    return at.sql(kDb, "select count(*) from message.incoming");
  }
  PostgresCluster a, b;
  Network net;
};

TEST_F(Receipts, ADeliveryIsToldInItsOrder) {
  send("first");
  expect_state("first", "applied");
  EXPECT_EQ(delivery("seq || destination || hub || array_length(ids, 1)", "first"), "1spoke/bhub1");
  EXPECT_EQ(delivery("(select sent_at from message.outgoing) <= captured_at and captured_at <= "
                     "journaled_at and stable_at = journaled_at and applied_at > captured_at and "
                     "rejected_at is null",
                     "first"),
            "t");
  EXPECT_EQ(a.sql(kDb, "select region from oltp20.receipt"), "eu") << "the certificate's word";
  EXPECT_EQ(a.sql(kDb,
                  "select database = (select incarnation from oltp20.database_life) from "
                  "oltp20.receipt"),
            "f");
  EXPECT_EQ(a.sql(kDb, "select database from oltp20.receipt"),
            b.sql(kDb, "select incarnation from oltp20.database_life"));
}

TEST_F(Receipts, ATransactionsPlaceIsFoundWhateverTheOrderOfCommits) {
  std::vector<std::unique_ptr<pqxx::connection>> sessions;
  for (int i = 0; i < 4; ++i) sessions.push_back(std::make_unique<pqxx::connection>(a.url(kDb)));
  std::vector<std::unique_ptr<pqxx::work>> open(sessions.size());
  for (int n = 0; n < 400; ++n) {  // each stays open over three to six others
    std::size_t at = static_cast<std::size_t>(n * 7 % 4);
    if (open[at]) open[at]->commit();
    open[at] = std::make_unique<pqxx::work>(*sessions[at]);
    open[at]->exec0("insert into message.outgoing (type, payload) select 'x', '" +
                    std::to_string(n) + "' from generate_series(0, " + std::to_string(n % 3) + ")");
  }
  for (auto& one : open) one->commit();
  open.clear();
  net.spoke("a").kill9();  // the next tick holds many
  for (int n = 400; n < 600; ++n) send(std::to_string(n));
  net.start_spoke("a");
  ASSERT_TRUE(eventually(20, [&] {
    return b.sql(kDb, "select count(distinct seq) from message.incoming") == "600";
  })) << net.logs();
  auto by_id = [](const std::string& id) { return "select string_agg(" + id; };
  std::string here = a.sql(kDb, by_id("o.id || ' ' || p.seq, ',' order by o.id) from "
                                      "message.outgoing o, oltp20.place_of(o.xid) p"));
  std::string there = b.sql(kDb, by_id("id || ' ' || seq, ',' order by id) from message.incoming"));
  EXPECT_EQ(here, there);
  EXPECT_GT(std::stoi(a.sql(kDb, "select max(last - first) from oltp20.tick")), 50);
}

TEST_F(Receipts, WhatWasPutAsideIsToldAndItsNeighboursAreApplied) {
  refuse_poison(b, "poison%");
  send("before");
  send("poison");
  send("behind");
  expect_state("behind", "applied");
  expect_state("before", "applied");
  expect_state("poison", "dead_letter");
  EXPECT_THAT(delivery("reason", "poison"), HasSubstr("P0001: "));
  EXPECT_THAT(delivery("reason", "poison"), HasSubstr("this is poison"));
  EXPECT_EQ(delivery("applied_at is null", "poison"), "t");
}

TEST_F(Receipts, ARefusalIsToldAndNothingIsApplied) {
  write_file(net.path("policy.toml"),
             "[[rule]]\nwho = \"spoke/*\"\npublish = [\"x\"]\nsubscribe = [\">\"]\n"
             "[[rule]]\nwho = \"admin/*\"\nadmin = [\"read\", \"write\"]\n");
  ASSERT_EQ(net.ctl({"policy", "reload"}).exit_code, 0);
  send("secret", "secret.plan");
  send("open");
  expect_state("open", "applied");
  EXPECT_EQ(delivery("rejected_code || coalesce(destination, '-')", "secret"), "type_denied-");
  EXPECT_THAT(delivery("rejected_reason", "secret"), HasSubstr("secret.plan"));
}

TEST_F(Receipts, ARestoredDestinationTakesBackWhatItHadApplied) {
  send("early");
  expect_state("early", "applied");
  const std::string at = delivery("applied_at", "early");
  net.spoke("b").stop();
  b.stop();
  std::unique_ptr<PostgresCluster> copy = b.cold_copy();
  b.start();
  net.start_spoke("b");
  for (int n = 0; n < 5; ++n) send("late" + std::to_string(n));
  expect_state("late4", "applied");
  net.spoke("b").stop();
  copy->start();
  refuse_poison(*copy, "late%");  // what it gets again it refuses, so that this shows
  net.move_spoke("b", *copy);
  net.start_spoke("b");
  expect_state("late0", "dead_letter");
  expect_state("late4", "dead_letter");
  expect_state("early", "applied");
  EXPECT_EQ(delivery("applied_at", "early"), at) << "which the copy has";
}

TEST_F(Receipts, BothSidesSayItAgainAfterTheyWereAway) {
  send("one");
  expect_state("one", "applied");
  auto forget = [&] {
    net.spoke("a").stop();
    a.sql(kDb, "truncate oltp20.receipt, oltp20.receipt_log");
    EXPECT_EQ(delivery("coalesce(state, 'unknown')", "one"), "unknown");
  };
  forget();
  net.start_spoke("a");
  expect_state("one", "applied");
  forget();
  net.hub().kill9();
  net.start_hub();  // which knows of nothing now
  net.start_spoke("a");
  expect_state("one", "applied");
}

TEST_F(Receipts, AreSwitchedOffByType) {
  a.sql(kDb, "select oltp20.set_receipts('price.>', false)");
  send("warm", "order");
  expect_state("warm", "applied");
  sleep_s(6);  // the agent has read it
  const std::string before = a.sql(kDb, "select at::text || seq from oltp20.receipt");
  for (int n = 0; n < 20; ++n) send("p" + std::to_string(n), "price.eurusd");
  ASSERT_TRUE(eventually(10, [&] { return received(b) == "21"; })) << net.logs();
  sleep_s(3);
  EXPECT_EQ(a.sql(kDb, "select at::text || seq from oltp20.receipt"), before)
      << "nothing is written";
  EXPECT_EQ(delivery("state", "p3"), "waiting");
  send("order", "order");
  expect_state("order", "applied");
  expect_state("p3", "applied");
  a.sql(kDb, "select oltp20.set_receipts('price.>', true)");
  EXPECT_EQ(a.sql(kDb, "select count(*) from oltp20.receipt_off"), "0");
}

TEST_F(Receipts, TheLogIsEmptiedByTruncateWhenItIsOldEnough) {
  send("one");
  expect_state("one", "applied");
  auto rows = [&] { return a.sql(kDb, "select count(*) from oltp20.receipt_log"); };
  EXPECT_EQ(a.sql(kDb, "select oltp20.prune_receipts(0, '0')"), "f") << "it is the current one";
  a.sql(kDb, "select setval('oltp20.slot', 1, true)");
  EXPECT_EQ(a.sql(kDb, "select oltp20.prune_receipts(0, '1 day')"), "f") << "it is young";
  EXPECT_EQ(rows(), "1");
  const std::string file = a.sql(kDb, "select pg_relation_filenode('oltp20.receipt_log_0')");
  EXPECT_EQ(a.sql(kDb, "select oltp20.prune_receipts(0, '0')"), "t");
  EXPECT_EQ(rows(), "0");
  EXPECT_NE(a.sql(kDb, "select pg_relation_filenode('oltp20.receipt_log_0')"), file);
  EXPECT_EQ(delivery("state || coalesce(applied_at::text, '')", "one"), "applied");
}

}  // namespace
}  // namespace oltp20::test
