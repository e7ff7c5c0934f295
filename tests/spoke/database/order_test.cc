// The order of transactions: the counter-examples of ordering by the last outbox row, and prepared
// transactions.
#include <chrono>
#include <future>
#include <thread>

#include "tests/spoke/database/fixture.h"

namespace oltp20::spoke {
namespace {

class OrderTest : public DatabaseTest {};

// T inserts its payment, then waits for the balance that U holds; U's payment comes second and
// commits first. U is what T waited for.
TEST_F(OrderTest, WhoWaitedForALockComesAfterWhoHeldIt) {
  sql("create table account (balance int); insert into account values (0)");
  auto [outbox, state] = open_outbox();
  pqxx::connection one(admin_url()), two(admin_url());
  pqxx::work u(one);
  u.exec("update account set balance = balance + 1");
  std::promise<void> inserted;
  std::thread waiting([&] {
    pqxx::work t(two);
    t.exec("insert into message.outgoing (type, payload) values ('test', 'T')");
    inserted.set_value();
    t.exec("update account set balance = balance + 1");
    t.commit();
  });
  inserted.get_future().wait();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  u.exec("insert into message.outgoing (type, payload) values ('test', 'U')");
  u.exec("select 1");
  u.commit();
  waiting.join();
  Tick last = state.last_tick;
  EXPECT_EQ(capture(*outbox, last), (Strings{"U", "T"}));
}

TEST_F(OrderTest, WhoWaitedAfterTheLastRowOfBothComesAfter) {
  sql("create table account (balance int); insert into account values (0)");
  auto [outbox, state] = open_outbox();
  pqxx::connection one(admin_url()), two(admin_url());
  pqxx::work u(one);
  u.exec("update account set balance = 1");
  u.exec("insert into message.outgoing (type, payload) values ('test', 'U')");
  std::promise<void> inserted;
  std::thread waiting([&] {
    pqxx::work t(two);
    t.exec("insert into message.outgoing (type, payload) values ('test', 'T')");
    inserted.set_value();
    t.exec("update account set balance = 2");
    t.commit();
  });
  inserted.get_future().wait();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  u.exec("insert into message.outgoing (type, payload) values ('test', 'again')");
  u.commit();
  waiting.join();
  Tick last = state.last_tick;
  EXPECT_EQ(capture(*outbox, last), (Strings{"U again", "T"}));
}

// The child is inserted first, its foreign key is checked at commit: the parent must precede it.
TEST_F(OrderTest, ADeferredForeignKeySortsTheChildBehindItsParent) {
  sql("create table parent (id int primary key); create table child (parent int references parent "
      "deferrable initially deferred)");
  auto [outbox, state] = open_outbox();
  pqxx::connection one(admin_url()), two(admin_url());
  pqxx::work child(one), parent(two);
  child.exec("insert into child values (1)");
  child.exec("insert into message.outgoing (type, payload) values ('test', 'child')");
  parent.exec("insert into parent values (1)");
  parent.exec("insert into message.outgoing (type, payload) values ('test', 'parent')");
  parent.commit();
  child.commit();
  Tick last = state.last_tick;
  EXPECT_EQ(capture(*outbox, last), (Strings{"parent", "child"}));
}

// A user's deferred trigger that fires behind ours and waits: the number is drawn after it.
TEST_F(OrderTest, TheNumberIsDrawnAfterAllDeferredTriggersOfTheTransaction) {
  sql("create table account (balance int); insert into account values (0); "
      "create table booking (n int); "
      "create function late() returns trigger language plpgsql as "
      "$$ begin update account set balance = balance + 1; return null; end $$; "
      "create constraint trigger late after insert on booking deferrable initially deferred "
      "for each row execute function late()");
  auto [outbox, state] = open_outbox();
  pqxx::connection one(admin_url()), two(admin_url());
  pqxx::work u(one);
  u.exec("update account set balance = balance + 1");
  std::thread waiting([&] {
    pqxx::work t(two);
    t.exec("insert into message.outgoing (type, payload) values ('test', 'T')");
    t.exec("insert into booking values (1)");
    t.commit();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  u.exec("insert into message.outgoing (type, payload) values ('test', 'U')");
  u.commit();
  waiting.join();
  Tick last = state.last_tick;
  EXPECT_EQ(capture(*outbox, last), (Strings{"U", "T"}));
}

TEST_F(OrderTest, RowsBehindSetConstraintsImmediateStillCount) {
  auto [outbox, state] = open_outbox();
  pqxx::connection one(admin_url());
  pqxx::work t(one);
  t.exec("insert into message.outgoing (type, payload) values ('test', 'T')");
  t.exec("set constraints all immediate");
  send("U");
  t.exec("set constraints all deferred");
  t.exec("insert into message.outgoing (type, payload) values ('test', 'again')");
  send("V");
  t.commit();
  Tick last = state.last_tick;
  EXPECT_EQ(capture(*outbox, last), (Strings{"U", "V", "T again"}));
}

TEST_F(OrderTest, AStrangersSettingDoesNotSwitchTheOrderOff) {
  auto [outbox, state] = open_outbox();
  pqxx::connection one(admin_url());
  pqxx::nontransaction(one).exec("set oltp20.head = '1'");
  pqxx::work t(one);
  t.exec("insert into message.outgoing (type, payload) values ('test', 'T')");
  send("U");
  t.commit();
  Tick last = state.last_tick;
  EXPECT_EQ(capture(*outbox, last), (Strings{"U", "T"}));
}

TEST_F(OrderTest, TheModeMustBeTheConfigurations) {
  auto outbox = make_pg_outbox({agent_url(), "fast"});
  auto state = outbox->open();
  ASSERT_FALSE(state);
  EXPECT_EQ(state.status().code(), Code::invalid);
  EXPECT_NE(state.status().message().find("set_order('fast')"), std::string::npos);
  sql("select oltp20.set_order('fast')");
  EXPECT_TRUE(outbox->open());
  EXPECT_NE(error_of("select oltp20.set_order('other')").find("exact"), std::string::npos);
}

// Deferred triggers fire as whoever is current at COMMIT, who may be somebody without any right.
TEST_F(OrderTest, PublishingWithSomebodyElsesRightsCommits) {
  const std::string owner = database_ + "_publisher", web = database_ + "_web";
  sql("create role " + owner + "; grant oltp20_application to " + owner + "; create role " + web +
      " login; grant " + owner + " to " + web + "; create schema shop authorization " + owner +
      "; grant usage on schema shop to " + web + "; set role " + owner +
      "; create function shop.pay(p text) returns void language sql security definer "
      "set search_path = pg_catalog, pg_temp as "
      "$$ insert into message.outgoing (type, payload) values ('pay', p) $$");
  const std::string bare = database_ + "_bare";
  sql("create role " + bare + " login; grant usage on schema shop to " + bare);
  auto [outbox, state] = open_outbox();
  ASSERT_TRUE(outbox->set_asleep(true));
  EXPECT_EQ(error_of("select shop.pay('10')", bare), "");
  EXPECT_TRUE(notified(*outbox));
  EXPECT_EQ(error_of("begin; set role " + owner +
                     "; insert into message.outgoing (type, payload) "
                     "values ('pay', '11'); set role " +
                     bare + "; commit"),
            "");
  Tick last = state.last_tick;
  EXPECT_EQ(capture(*outbox, last), (Strings{"10", "11"}));
}

// What the tick says of the order is compared whenever it is read again from its start.
TEST_F(OrderTest, ATickThatReadsInAnotherOrderIsCorruptAndGivesNothing) {
  auto [outbox, state] = open_outbox();
  pqxx::connection one(admin_url());
  pqxx::work t(one);
  t.exec("insert into message.outgoing (type, payload) values ('test', 'T')");
  send("U");
  t.commit();
  Tick last = state.last_tick;
  EXPECT_EQ(capture(*outbox, last), (Strings{"U", "T"}));
  auto again = outbox->transactions(last, INT64_MIN, 10);
  ASSERT_TRUE(again) << again.status().message();
  EXPECT_EQ(payloads(*outbox, *again), (Strings{"U", "T"}));
  sql("delete from oltp20.marker where xid = (select xid from message.outgoing "
      "where payload = 'T')");
  for (std::size_t limit : {10, 1}) {
    again = outbox->transactions(last, INT64_MIN, limit);
    ASSERT_FALSE(again) << "the order is " << payloads(*outbox, *again).front() << " first";
    EXPECT_EQ(again.status().code(), Code::corrupt);
    EXPECT_NE(again.status().message().find("another order"), std::string::npos)
        << again.status().message();
  }
}

test::PostgresCluster& preparing_cluster() {
  static test::PostgresCluster cluster({.settings = {{"max_prepared_transactions", "5"}}});
  return cluster;
}
class PreparedTest : public DatabaseTest {
 protected:
  PreparedTest() : DatabaseTest(preparing_cluster()) {}
  void prepare(const std::string& name) {
    sql("begin; insert into message.outgoing (type, payload) values ('test', '" + name +
        "'); prepare transaction '" + name + "'");
  }
};

TEST_F(PreparedTest, SucceedsWhetherTheAgentIsAwakeAsleepOrDead) {
  {
    auto [outbox, state] = open_outbox();
    EXPECT_FALSE(state.may_notify);
    Tick last = state.last_tick;
    prepare("awake");
    EXPECT_TRUE(capture(*outbox, last).empty()) << "in progress until COMMIT PREPARED";
    ASSERT_TRUE(outbox->set_asleep(true));
    prepare("asleep");
    send("plain");
    EXPECT_EQ(capture(*outbox, last), Strings{"plain"});
    sql("commit prepared 'asleep'");
    EXPECT_EQ(capture(*outbox, last), Strings{"asleep"});
    sql("rollback prepared 'awake'");
    EXPECT_TRUE(capture(*outbox, last).empty());
  }
  sql("select setval('oltp20.asleep', 1, true)");
  prepare("dead");
  sql("commit prepared 'dead'");
  sql("select oltp20.set_order('fast')");
  prepare("fast");
  sql("commit prepared 'fast'");
}

}  // namespace
}  // namespace oltp20::spoke
