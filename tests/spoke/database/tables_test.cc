// Rows that arrive in tables, and handlers (sql/009_apply.sql), through the inbox.
#include <gmock/gmock.h>

#include <deque>

#include "spoke/database/pg_inbox.h"
#include "tests/spoke/database/fixture.h"

namespace oltp20::spoke {
namespace {

using ::testing::HasSubstr;

const Epoch kEpoch = Epoch::from(std::string(16, 'e'));
const Epoch kChild = Epoch::from(std::string(16, 'c'));
const Incarnation kIncarnation = Incarnation::from(std::string(16, 'i'));

StreamPosition at(Lsn lsn) {
  return {kIncarnation, lsn, Hash::from(std::to_string(lsn))};
}

class TablesTest : public DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    sql("do $$ begin if not exists (select from pg_roles where rolname = 'shopkeeper') then "
        "create role shopkeeper login; end if; end $$; grant oltp20_developer to shopkeeper; "
        "create schema shop authorization shopkeeper");
    as_owner("create table shop.item (id integer primary key, name text, price numeric(10,2))");
    inbox_ = make_pg_inbox({agent_url(), {}, 1 * kSecond});
    auto state = inbox_->open("eu-west");
    ASSERT_TRUE(state) << state.status().message();
  }
  std::string as_owner(const std::string& statements) const {
    return sql(statements, "shopkeeper");
  }
  std::string shape(const std::string& relation = "shop.item") const {
    return sql("select oltp20.shape_of('" + relation + "')");
  }
  struct Sent {
    std::string type, payload, headers;
  };
  Sent item(const std::string& payload, const std::string& of_shape = "") const {
    return {"item", payload,
            R"({"oltp20.shape": ")" + (of_shape.empty() ? shape() : of_shape) + "\"}"};
  }
  IncomingTransaction transaction(Seq seq, const std::vector<Sent>& sent, Epoch epoch = kEpoch) {
    IncomingTransaction out{"store-1", epoch, seq, {}, {}};
    for (const Sent& one : sent) {
      const Sent& kept = kept_.emplace_back(one);
      MessageRow row;
      row.id = RowId::from("row " + std::to_string(++last_id_));
      row.type = kept.type;
      row.payload = kept.payload;
      if (!kept.headers.empty()) row.headers = kept.headers;
      row.sent_at_us = 1'623'283'200'123'456;
      out.rows.push_back({static_cast<std::uint32_t>(out.rows.size()), row});
    }
    return out;
  }
  // Each as seq, seq + 1, … in one group.
  Status apply(const std::vector<std::vector<Sent>>& transactions) {
    ApplyGroup group;
    group.marks.push_back(
        {"store-1", kEpoch, seq_ == 0 ? std::nullopt : std::optional<Seq>(seq_), 0, 0});
    if (seq_ > 0) group.expected_position = at(seq_);
    Seq next = seq_;
    for (const auto& rows : transactions) group.transactions.push_back(transaction(++next, rows));
    group.marks[0].next = next;
    group.position = at(next);
    Status status = inbox_->apply(group);
    if (status) seq_ = next;
    return status;
  }
  void expect_applied(const std::vector<std::vector<Sent>>& transactions) {
    Status status = apply(transactions);
    EXPECT_TRUE(status) << status.message();
  }
  void expect_refused(const std::vector<std::vector<Sent>>& transactions, const std::string& state,
                      const std::string& sentence) {
    Status status = apply(transactions);
    EXPECT_EQ(status.code(), Code::invalid) << status.message();
    EXPECT_THAT(status.message(), HasSubstr("SQLSTATE " + state));
    EXPECT_THAT(status.message(), HasSubstr(sentence));
  }
  // The next seq, as a dead letter, as the core does it.
  void put_aside(const std::vector<Sent>& sent) {
    IncomingTransaction rows = transaction(seq_ + 1, sent);
    TransactionHeader header;
    header.origin = "store-1";
    header.epoch = kEpoch;
    header.seq = rows.seq;
    header.rows = static_cast<std::uint32_t>(rows.rows.size());
    TransactionEncoder encoder(header, std::string(32, 's'));
    for (const IncomingRow& row : rows.rows) encoder.add_row(row.row);
    encoder.finish();
    ApplyGroup group;
    group.marks.push_back({"store-1", kEpoch, seq_, 0, seq_ + 1});
    group.expected_position = at(seq_);
    group.position = at(seq_ + 1);
    group.dead_letters.push_back(
        {"store-1", kEpoch, seq_ + 1, {*encoder.take_part()}, "OL001", "no"});
    Status status = inbox_->apply(group);
    ASSERT_TRUE(status) << status.message();
    ++seq_;
  }
  void retry() {
    sql("select oltp20.retry_dead_letter(origin, epoch, seq) from oltp20.dead_letter");
    Result<bool> done = inbox_->retry_dead_letters();
    ASSERT_TRUE(done) << done.status().message();
    EXPECT_TRUE(*done);
  }
  void accept() { as_owner("select oltp20.accept_table('item', 'shop.item')"); }
  std::string items() const {
    return sql(
        "select string_agg(id || ':' || coalesce(name, 'null') || ':' || price, ' ' "
        "order by id) from shop.item");
  }
  std::string messages() const { return sql("select count(*) from message.incoming"); }

  std::unique_ptr<PgInbox> inbox_;
  std::deque<Sent> kept_;
  int last_id_ = 0;
  Seq seq_ = 0;
};

TEST_F(TablesTest, RowsComeIntoTheTableWithTheMessagesOfTheirTransaction) {
  expect_applied({{item(R"({"id": "1", "name": "before", "price": "1.00"})")}});
  accept();
  expect_applied({{item(R"({"id": "2", "name": "", "price": "1.50"})"),
                   {"note", "hello", ""},
                   item(R"({"id": "3", "name": null, "price": "NaN"})")},
                  {{"note", "alone", ""}}});
  EXPECT_EQ(items(), "2::1.50 3:null:NaN");
  EXPECT_EQ(sql("select string_agg(payload, ' ' order by seq) from message.incoming where type = "
                "'note'"),
            "hello alone");
  EXPECT_EQ(sql("select string_agg(seq || '=' || rows, ' ' order by seq) from oltp20.applied"),
            "1=1 2=3 3=1");
  as_owner("select oltp20.unaccept_table('item')");
  expect_applied({{item(R"({"id": "4", "name": "after", "price": "1.00"})")}});
  EXPECT_EQ(items(), "2::1.50 3:null:NaN");
  EXPECT_EQ(messages(), "4");
  EXPECT_EQ(sql("select count(*) from pg_proc where pronamespace = 'oltp20_handler'::regnamespace"),
            "0");
}

TEST_F(TablesTest, TypesIdentityGeneratedColumnsAndPartitionsBehaveAsExpected) {
  as_owner(
      "create type shop.colour as enum ('red', 'deep blue'); "
      "create domain shop.short as varchar(5); "
      "create table shop.wide (id bigint generated always as identity, n numeric, f float8, "
      "t timestamptz, j jsonb, b bytea, a integer[], u uuid, c shop.colour, s shop.short, "
      "i interval, r int4range, twice numeric generated always as (n * 2) stored, "
      "noted text) partition by range (id); "
      "create table shop.wide_1 partition of shop.wide for values from (0) to (100); "
      "select oltp20.accept_table('wide', 'shop.wide')");
  const Sent wide{
      "wide",
      R"({"id": "7", "n": "0.1000000000000000055511151231257827", "f": "0.1", "t": "infinity",)"
      R"( "j": "{\"a\": [1.10, \"\\u00e9\"]}", "b": "\\x00ff", "a": "[0:1]={1,NULL}",)"
      R"( "u": "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "c": "deep blue", "s": "abcde",)"
      R"x( "i": "1 mon 2 days 03:00:00", "r": "[1,5)", "noted": "Ω\n"})x",
      "{\"oltp20.shape\": \"" + shape("shop.wide") + "\"}"};
  expect_applied({{wide}});
  EXPECT_EQ(sql("select concat_ws('|', id, n, f, t, j, b, a, u, c, s, i, r, twice, noted) "
                "from shop.wide_1"),
            "7|0.1000000000000000055511151231257827|0.1|infinity|{\"a\": [1.10, \"é\"]}|\\x00ff|"
            "[0:1]={1,NULL}|3f2504e0-4f89-41d3-9a0c-0305e82c3301|deep blue|abcde|"
            "1 mon 2 days 03:00:00|[1,5)|0.2000000000000000111022302462515654|Ω\n");
}

TEST_F(TablesTest, AnExtraColumnIsFilledByDefaultAndAMissingOneIsRefused) {
  accept();
  const std::string old = shape();
  as_owner("alter table shop.item add stock integer default 5");
  expect_applied({{item(R"({"id": "1", "name": "a", "price": "1.50"})", old)}});
  EXPECT_EQ(sql("select stock from shop.item"), "5");
  EXPECT_EQ(sql("select type || ': ' || what from oltp20.drift"), "item: only in shop.item: stock");
  expect_applied({{item(R"({"id": "2", "name": "a", "price": "1.50"})", old)}});
  EXPECT_EQ(sql("select count(*) from oltp20.drift"), "1");
  expect_refused({{item(R"({"id": "3", "name": "a", "price": "1.50", "size": "L"})", "another")}},
                 "OL001", "shop.item has no column size");
  EXPECT_EQ(sql("select count(*) from shop.item"), "2");
}

TEST_F(TablesTest, NoValueIsRoundedOrCutSilently) {
  accept();
  const std::string old = shape();
  as_owner("alter table shop.item alter price type numeric(10,1), alter name type varchar(3)");
  expect_refused({{item(R"({"id": "1", "name": "abc", "price": "1.25"})", old)}}, "OL001",
                 "column price of shop.item would not keep the value '1.25'");
  expect_refused({{item(R"({"id": "1", "name": "abcd", "price": "1.5"})", old)}}, "OL001",
                 "column name of shop.item would not keep the value 'abcd'");
  expect_applied({{item(R"({"id": "1", "name": "abc", "price": "1.5"})", old)}});
  EXPECT_EQ(items(), "1:abc:1.5");
}

TEST_F(TablesTest, ARowWhoseColumnsAreNotThoseOfItsShapeLosesNothing) {
  accept();
  expect_refused({{item(R"({"id": "1", "name": "a", "price": "1.50", "more": "x"})")}}, "OL001",
                 "has no column more");
  expect_refused({{{"item", R"({"id": "1"})", ""}}}, "OL002", "does not come from a published");
  expect_refused({{item(R"({"id": "1'; drop table shop.item; --", "name": "a", "price": "1"})")}},
                 "22P02", "invalid input syntax");
  expect_refused({{item(R"({"id": "1", "name\"); drop table shop.item; --": "a"})")}}, "OL001",
                 "has no column");
  expect_refused({{item("no json")}}, "22P02", "json");
  EXPECT_EQ(sql("select count(*) from shop.item"), "0");
}

TEST_F(TablesTest, ARenamedTableIsStillFilled) {
  accept();
  as_owner("alter table shop.item rename to thing");
  expect_applied({{item(R"({"id": "1", "name": "a", "price": "1.50"})", shape("shop.thing"))}});
  EXPECT_EQ(sql("select count(*) from shop.thing"), "1");
}

TEST_F(TablesTest, DeferredConstraintsBlameTheTransactionThatBrokeThem) {
  as_owner(
      "create table shop.part (id integer primary key, item integer references shop.item "
      "deferrable initially deferred); select oltp20.accept_table('part', 'shop.part')");
  accept();
  auto part = [&](const std::string& id, const std::string& item_id) {
    return Sent{"part", "{\"id\": \"" + id + "\", \"item\": \"" + item_id + "\"}",
                "{\"oltp20.shape\": \"" + shape("shop.part") + "\"}"};
  };
  // A later transaction of the group brings what the first lacks: no excuse.
  expect_refused({{part("1", "9")}, {item(R"({"id": "9", "name": "late", "price": "1"})")}},
                 "23503", "store-1/1: ");
  // Within one transaction the child may come first.
  expect_applied({{part("1", "9"), item(R"({"id": "9", "name": "a", "price": "1.00"})")}});
}

TEST_F(TablesTest, HandlersRunWithTheRightsOfWhoRegisteredThem) {
  as_owner(
      "create table shop.seen (who text, type text, payload text); "
      "create function shop.note(message.incoming) returns void language sql as "
      "$$ insert into shop.seen values (current_user, $1.type, $1.payload) $$; "
      "select oltp20.on_message('order.>', 'shop.note(message.incoming)')");
  expect_applied({{{"order", "1", ""}, {"order.new", "2", ""}, {"orders.new", "3", ""}},
                  {{"order.new.now", "4", ""}}});
  EXPECT_EQ(sql("select string_agg(who || ' ' || type || ' ' || payload, ', ') from shop.seen"),
            "shopkeeper order.new 2, shopkeeper order.new.now 4");
  EXPECT_EQ(messages(), "4");
  as_owner("select oltp20.off_message('order.>', 'shop.note(message.incoming)')");
  expect_applied({{{"order.new", "5", ""}}});
  EXPECT_EQ(sql("select count(*) from shop.seen"), "2");
}

TEST_F(TablesTest, WhatAHandlerSaysIsTheTransactionsFaultWhateverItsClass) {
  as_owner(
      "create function shop.fail(message.incoming) returns void language plpgsql as $$ begin "
      "if $1.payload = 'sleep' then perform pg_sleep(60); end if; "
      "raise exception 'as told' using errcode = $1.payload; end $$; "
      "select oltp20.on_message('bad', 'shop.fail(message.incoming)')");
  for (const std::string state : {"42501", "P0001", "XX000", "55000", "23505"})
    expect_refused({{{"bad", state, ""}}}, state, "as told");
  for (const std::string state : {"40001", "40P01", "55P03", "08006", "53200", "57P03"}) {
    Status status = apply({{{"bad", state, ""}}});
    EXPECT_EQ(status.code(), Code::exhausted) << state << ": " << status.message();
  }
  auto begun = std::chrono::steady_clock::now();
  expect_refused({{{"bad", "sleep", ""}}}, "57014", "handler_timeout_seconds");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(30));
  EXPECT_EQ(messages(), "0");
  expect_applied({{{"good", "", ""}}});
}

TEST_F(TablesTest, WhatAHandlerSetsForTheSessionDoesNotStay) {
  as_owner(
      "create function shop.set(message.incoming) returns void language plpgsql as $$ begin "
      "perform set_config('search_path', 'shop', false), set_config('timezone', 'Asia/Tokyo', "
      "false), set_config('statement_timeout', '1', false); end $$; "
      "create function shop.look(message.incoming) returns void language sql as $$ select $1 $$; "
      "select oltp20.on_message('set', 'shop.set(message.incoming)')");
  expect_applied({{{"set", "", ""}}});
  as_owner(
      "create table shop.settings as select ''::text as a; "
      "create or replace function shop.look(message.incoming) returns void language sql as "
      "$$ insert into shop.settings values (current_setting('timezone')) $$; "
      "select oltp20.on_message('look', 'shop.look(message.incoming)')");
  expect_applied({{{"look", "", ""}}});
  EXPECT_EQ(sql("select max(a) from shop.settings"), "UTC");
}

TEST_F(TablesTest, OverlapIsRecognisedInTablesToo) {
  accept();
  expect_applied({{item(R"({"id": "1", "name": "a", "price": "1.00"})")}});
  ApplyGroup fork;
  fork.marks.push_back({"store-1", kChild, std::nullopt, 0, 1});
  fork.expected_position = at(1);
  fork.position = at(2);
  fork.transactions.push_back(transaction(1,
                                          {item(R"({"id": "1", "name": "a", "price": "1.00"})"),
                                           item(R"({"id": "2", "name": "b", "price": "1.00"})")},
                                          kChild));
  fork.transactions[0].rows[0].row.id = RowId::from("row 1");
  fork.transactions[0].overlaps = {Overlap{kEpoch, 0}};
  Status status = inbox_->apply(fork);
  ASSERT_TRUE(status) << status.message();
  EXPECT_EQ(items(), "1:a:1.00 2:b:1.00");
}

TEST_F(TablesTest, ADeadLetterIsRetriedWholeWhenItsCauseIsGone) {
  accept();
  expect_applied({{{"note", "first", ""}}});
  put_aside({item(R"({"id": "1", "name": "a", "price": "1.00", "size": "L"})", "another"),
             {"note", "with it", ""}});
  EXPECT_EQ(sql("select what from oltp20.drift"), "not in shop.item: size");
  expect_applied({{{"note", "third", ""}}});
  retry();
  EXPECT_THAT(sql("select error from oltp20.dead_letter where retried_at is null and "
                  "retry_wanted_at is null and retry_failed_at is not null"),
              HasSubstr("has no column size"));
  EXPECT_EQ(messages(), "2");
  as_owner("alter table shop.item add size text");
  retry();
  EXPECT_EQ(sql("select retried_by from oltp20.dead_letter where retried_at is not null"),
            "postgres");
  EXPECT_EQ(sql("select size from shop.item"), "L");
  EXPECT_EQ(sql("select string_agg(payload, ' ' order by seq) from message.incoming"),
            "first with it third");
  EXPECT_EQ(sql("select dead_letters from oltp20.status"), "0");
  EXPECT_THAT(error_of("select oltp20.retry_dead_letter(origin, epoch, seq) from "
                       "oltp20.dead_letter"),
              HasSubstr("was applied at"));
  EXPECT_THAT(error_of("select oltp20.retry_dead_letter('x', gen_random_uuid(), 1)"),
              HasSubstr("there is no dead letter x/"));
}

TEST_F(TablesTest, ARetriedLetterSkipsWhatAnotherLifeHasBroughtAndIsSeenByTheNext) {
  accept();
  expect_applied({{{"note", "first", ""}}});
  const Sent one = item(R"({"id": "1", "name": "a", "price": "1.00"})"),
             two = item(R"({"id": "2", "name": "b", "price": "1.00"})");
  put_aside({one, two});
  const std::string id_of_one = "row " + std::to_string(last_id_ - 1),
                    id_of_two = "row " + std::to_string(last_id_);
  auto child = [&](std::optional<Seq> from, Seq seq, const Sent& row, const std::string& id) {
    ApplyGroup group;
    group.marks.push_back({"store-1", kChild, from, 0, seq});
    group.epochs.push_back({"store-1", {kChild, kEpoch, {1, Hash{}}}});
    group.expected_position = at(seq_);
    group.position = at(++seq_);
    group.transactions.push_back(transaction(seq, {row}, kChild));
    group.transactions[0].rows[0].row.id = RowId::from(id);
    group.transactions[0].overlaps = {Overlap{kEpoch, 1}};
    Status status = inbox_->apply(group);
    EXPECT_TRUE(status) << status.message();
  };
  child(std::nullopt, 1, one, id_of_one);
  retry();
  EXPECT_EQ(items(), "1:a:1.00 2:b:1.00");
  child(1, 2, two, id_of_two);
  EXPECT_EQ(items(), "1:a:1.00 2:b:1.00");
}

TEST_F(TablesTest, ADiscardedLetterIsKeptWithItsReason) {
  expect_applied({{{"note", "first", ""}}});
  put_aside({{"note", "second", ""}});
  const std::string discard =
      "select oltp20.discard_dead_letter(origin, epoch, seq, '%') from oltp20.dead_letter";
  auto discard_because = [&](const std::string& why) {
    std::string statement = discard;
    return error_of(statement.replace(statement.find('%'), 1, why));
  };
  EXPECT_THAT(discard_because(""), HasSubstr("say why"));
  EXPECT_EQ(discard_because("an example"), "");
  EXPECT_THAT(discard_because("again"), HasSubstr("was discarded by postgres"));
  EXPECT_EQ(sql("select discard_reason from oltp20.dead_letter"), "an example");
  EXPECT_EQ(sql("select count(*) from oltp20.dead_letter_part"), "1");
}

TEST_F(TablesTest, AChangeOfStrictOriginsIsAConflictOnce) {
  expect_applied({{{"note", "first", ""}}});
  sql("select oltp20.set_strict('store-1', true)");
  EXPECT_EQ(apply({{{"note", "second", ""}}}).code(), Code::conflict);
  auto state = inbox_->open("eu-west");
  ASSERT_TRUE(state) << state.status().message();
  EXPECT_EQ(state->strict_origins, std::vector<std::string>{"store-1"});
  expect_applied({{{"note", "second", ""}}});
}

TEST_F(TablesTest, ALargeTransactionIsAppliedPartByPart) {
  accept();
  as_owner(
      "create table shop.seen (payload text); "
      "create function shop.note(message.incoming) returns void language sql as "
      "$$ insert into shop.seen select $1.payload || count(*) from shop.item $$; "
      "select oltp20.on_message('done', 'shop.note(message.incoming)')");
  ASSERT_TRUE(inbox_->begin_large({"store-1", kEpoch, std::nullopt, 0, 1}));
  IncomingTransaction first = transaction(1, {{"done", "items: ", ""}}), second = first;
  ASSERT_TRUE(inbox_->add_rows(first));
  for (int part = 0; part < 3; ++part) {
    IncomingTransaction rows = transaction(1, {});
    for (int i = 0; i < 500; ++i) {
      auto one = transaction(1, {item("{\"id\": \"" + std::to_string(part * 500 + i) +
                                      "\", \"name\": \"n\", \"price\": \"1.00\"}")});
      one.rows[0].position = static_cast<std::uint32_t>(1 + part * 500 + i);
      rows.rows.push_back(one.rows[0]);
    }
    Status status = inbox_->add_rows(rows);
    ASSERT_TRUE(status) << status.message();
  }
  Status status = inbox_->commit_large(std::nullopt, at(1));
  ASSERT_TRUE(status) << status.message();
  EXPECT_EQ(sql("select count(*) from shop.item"), "1500");
  EXPECT_EQ(sql("select payload from shop.seen"), "items: 1500");
  EXPECT_EQ(sql("select rows from oltp20.applied"), "1501");
}

TEST_F(TablesTest, WhoMayAcceptAndRegister) {
  sql("do $$ begin if not exists (select from pg_roles where rolname = 'stranger') then "
      "create role stranger login; end if; end $$; grant usage on schema shop to stranger");
  EXPECT_THAT(error_of("select oltp20.accept_table('item', 'shop.item')", "stranger"),
              HasSubstr("permission denied"));
  sql("grant oltp20_developer to stranger");
  EXPECT_THAT(error_of("select oltp20.accept_table('item', 'shop.item')", "stranger"),
              HasSubstr("shop.item belongs to shopkeeper"));
  EXPECT_THAT(error_of("insert into oltp20.accepted values ('item', 'shop.item', 1)", "stranger"),
              HasSubstr("permission denied"));
  accept();
  EXPECT_THAT(error_of("select oltp20.unaccept_table('item')", "stranger"),
              HasSubstr("must be owner"));
  EXPECT_THAT(error_of("select oltp20_handler.a_" + sql("select number from oltp20.accepted") +
                           "('shop.item'::regclass, ''::text, null::jsonb[])",
                       "stranger"),
              HasSubstr("permission denied"));
  EXPECT_THAT(error_of("select oltp20.on_message('a', 'shop.none(message.incoming)')", "stranger"),
              HasSubstr("there is no function"));
  EXPECT_THAT(
      error_of("select oltp20.on_message('a..b', 'shop.none(message.incoming)')", "stranger"),
      HasSubstr("is no pattern"));
  sql("revoke oltp20_developer from stranger");
}

}  // namespace
}  // namespace oltp20::spoke
