// Tables, handlers and dead letters between two databases, with real processes. Rows of a published
// table are written into the outbox as publishing writes them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

#include "tests/support/network.h"

namespace oltp20::test {
namespace {

using ::testing::HasSubstr;

const std::string kDb = "oltp20_framework";

class Apply : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    a_ = new PostgresCluster({.settings = {{"max_prepared_transactions", "0"}}});
    b_ = new PostgresCluster({.settings = {{"max_prepared_transactions", "0"}}});
    net_ = new Network;
    net_->add_spoke("a", *a_);
    net_->add_spoke("b", *b_);
    net_->start_hub();
    for (const std::string spoke : {"a", "b"}) net_->start_spoke(spoke);
    for (const std::string spoke : {"a", "b"}) net_->wait_until_attached(spoke);
  }
  static void TearDownTestSuite() {
    delete net_;
    delete a_;
    delete b_;
  }
  void expect(const PostgresCluster& cluster, const std::string& statement,
              const std::string& answer, double seconds = 15) const {
    std::string last;
    EXPECT_TRUE(eventually(seconds, [&] { return (last = cluster.sql(kDb, statement)) == answer; }))
        << statement << " says " << last << "\n"
        << net_->logs();
  }

  static inline PostgresCluster *a_, *b_;
  static inline Network* net_;
};

TEST_F(Apply, RowsOfATableAndMessagesArriveTogetherAndAPoisonedOneAlone) {
  a_->sql(kDb, "create table item (id integer primary key, name text)");
  b_->sql(kDb,
          "create table item (id integer primary key, name text check (name <> 'poison')); "
          "select oltp20.accept_table('item', 'item')");
  auto send = [&](const std::string& rows) {
    a_->sql(kDb, "begin; insert into item values " + rows +
                     "; insert into message.outgoing (type, payload, headers) select 'item', "
                     "json_object(array['id', 'name'], array[id::text, name])::text, "
                     "jsonb_build_object('oltp20.shape', oltp20.shape_of('item')) from item "
                     "where id in (select (column1)::integer from (values " +
                     rows +
                     ") as v) order by id; insert into message.outgoing (type, payload) "
                     "values ('with.items', null); commit");
  };
  send("(1, 'one'), (2, null)");
  expect(*b_, "select count(*) from message.incoming where type = 'with.items'", "1");
  expect(*b_, "select string_agg(id || coalesce(name, '-'), ' ' order by id) from item", "1one 2-");
  send("(3, 'three'), (4, 'poison')");
  send("(5, 'five')");
  expect(*b_, "select string_agg(id::text, ' ' order by id) from item", "1 2 5");
  EXPECT_EQ(b_->sql(kDb, "select sqlstate from oltp20.dead_letter"), "23514");
  // Mended, and retried by the agent as soon as it is told.
  b_->sql(kDb,
          "alter table item drop constraint item_name_check; select "
          "oltp20.retry_dead_letter(origin, epoch, seq) from oltp20.dead_letter");
  expect(*b_, "select string_agg(id::text, ' ' order by id) from item", "1 2 3 4 5");
  expect(*b_, "select count(*) from message.incoming where type = 'with.items'", "3");
  EXPECT_EQ(b_->sql(kDb, "select dead_letters from oltp20.status"), "0");
}

TEST_F(Apply, ATransactionOfManyTableRowsArrivesWhole) {
  a_->sql(kDb, "create table many (id integer primary key, t text)");
  b_->sql(kDb,
          "create table many (id integer primary key, t text); "
          "select oltp20.accept_table('many', 'many')");
  a_->sql(kDb,
          "insert into message.outgoing (type, payload, headers) select 'many', "
          "json_object(array['id', 't'], array[n::text, 'text'])::text, "
          "jsonb_build_object('oltp20.shape', oltp20.shape_of('many')) "
          "from generate_series(1, 30000) n");
  expect(*b_, "select count(*) from many", "30000", 60);
  EXPECT_EQ(b_->sql(kDb, "select rows from oltp20.applied order by rows desc"), "30000");
}

TEST_F(Apply, HandlersThatAnswerEachOtherEndInADeadLetter) {
  for (auto [cluster, hears, says] : {std::tuple{a_, "ping.a", "ping.b"}, {b_, "ping.b", "ping.a"}})
    cluster->sql(kDb, std::string("create function answer(message.incoming) returns void language "
                                  "sql as $$ insert into message.outgoing (type, payload) values "
                                  "('") +
                          says + "', $1.payload || '.') $$; select oltp20.on_message('" + hears +
                          "', 'public.answer(message.incoming)')");
  a_->sql(kDb, "insert into message.outgoing (type, payload) values ('ping.b', '')");
  // The first has no hop, a's last answer has 8, and b's to that would have nine.
  expect(*b_, "select count(*) from oltp20.dead_letter where retried_at is null", "1");
  EXPECT_THAT(b_->sql(kDb, "select error from oltp20.dead_letter where retried_at is null"),
              HasSubstr("handlers_have_answered_each_other_8_times"));
  EXPECT_EQ(a_->sql(kDb, "select max(hops) from message.outgoing"), "8");
  EXPECT_EQ(b_->sql(kDb, "select max(hops) from message.outgoing"), "7");
  EXPECT_EQ(a_->sql(kDb, "select count(*) from message.outgoing where type = 'ping.b'"), "5");
}

TEST_F(Apply, AStrictOriginWaitsBehindWhatIsRefused) {
  b_->sql(kDb,
          "create table gate (closed boolean); insert into gate values (true); "
          "create function pass(message.incoming) returns void language plpgsql as $$ begin "
          "if (select closed from public.gate) then raise exception 'the gate is closed'; end if; "
          "end $$; select oltp20.on_message('gate', 'public.pass(message.incoming)'), "
          "oltp20.set_strict('a', true)");
  a_->sql(kDb, "insert into message.outgoing (type) values ('gate')");
  a_->sql(kDb, "insert into message.outgoing (type) values ('behind.it')");
  expect(*b_, "select count(*) from oltp20.gap where closed_at is null", "1");
  EXPECT_THAT(b_->sql(kDb, "select reason from oltp20.gap where closed_at is null"),
              HasSubstr("its origin is strict"));
  EXPECT_EQ(b_->sql(kDb, "select count(*) from message.incoming where type = 'behind.it'"), "0");
  b_->sql(kDb,
          "update gate set closed = false; select oltp20.retry_gap(id) from oltp20.gap "
          "where closed_at is null");
  expect(*b_,
         "select string_agg(type, ' ' order by seq) from message.incoming where type in "
         "('gate', 'behind.it')",
         "gate behind.it");
  b_->sql(kDb, "select oltp20.set_strict('a', false)");
}

}  // namespace
}  // namespace oltp20::test
