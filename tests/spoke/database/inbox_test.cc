// The inbox: rows, marks and position in one commit (spoke/core/inbox.h, rules 1 to 5).
#include <chrono>
#include <thread>

#include "spoke/database/pg_inbox.h"
#include "tests/spoke/database/fixture.h"

namespace oltp20::spoke {
namespace {

const Epoch kEpoch = Epoch::from(std::string(16, 'e'));
const Epoch kChild = Epoch::from(std::string(16, 'c'));
const Incarnation kIncarnation = Incarnation::from(std::string(16, 'i'));

StreamPosition at(Lsn lsn) {
  return {kIncarnation, lsn, Hash::from(std::to_string(lsn))};
}
RowId id(int number) {
  return RowId::from("row " + std::to_string(number));
}

IncomingTransaction transaction(Seq seq, std::vector<int> ids, Epoch epoch = kEpoch) {
  IncomingTransaction out{"store-1", epoch, seq, {}, {}};
  std::uint32_t position = 0;
  for (int one : ids) {
    MessageRow row;
    row.id = id(one);
    row.type = "t";
    row.payload = "payload";
    row.sent_at_us = 1'623'283'200'123'456;
    out.rows.push_back({position++, row});
  }
  return out;
}

class InboxTest : public DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    inbox_ = make_pg_inbox({agent_url()});
    auto state = inbox_->open("eu-west");
    ASSERT_TRUE(state) << state.status().message();
    EXPECT_FALSE(state->position);
    EXPECT_FALSE(state->database.is_zero());
  }
  ApplyGroup group(std::optional<Seq> expected, Seq next, std::optional<StreamPosition> from,
                   StreamPosition to) {
    ApplyGroup out;
    out.marks.push_back({"store-1", kEpoch, expected, 0, next});
    out.expected_position = from;
    out.position = to;
    return out;
  }
  // Seq 1 with row 1.
  void apply_first() {
    ApplyGroup first = group(std::nullopt, 1, std::nullopt, at(1));
    first.transactions.push_back(transaction(1, {1}));
    Status status = inbox_->apply(first);
    ASSERT_TRUE(status) << status.message();
  }
  std::string count() const { return sql("select count(*) from message.incoming"); }

  std::unique_ptr<PgInbox> inbox_;
};

TEST_F(InboxTest, RowsMarkAndPositionArriveTogether) {
  ApplyGroup first = group(std::nullopt, 2, std::nullopt, at(2));
  first.transactions.push_back(transaction(1, {1}));
  first.transactions.push_back(transaction(2, {2, 3}));
  MessageRow& row = first.transactions[0].rows[0].row;
  row.payload = "tab\tnewline\nback\\slash \xc3\xa9 \\N";
  row.headers = "{\"n\": 0.30000000000000004}";
  row.date = 7831;
  row.destination = "region/eu";
  first.transactions[1].rows[0].row.date = INT32_MIN;
  first.epochs.push_back({"store-1", {kEpoch, Epoch{}, {}}});
  Status status = inbox_->apply(first);
  ASSERT_TRUE(status) << status.message();
  EXPECT_EQ(count(), "3");
  EXPECT_EQ(sql("select payload || '|' || headers || '|' || date || '|' || destination || '|' || "
                "(extract(epoch from sent_at) * 1000000)::bigint from message.incoming "
                "where seq = 1"),
            "tab\tnewline\nback\\slash \xc3\xa9 \\N|{\"n\": 0.30000000000000004}|2021-06-10|"
            "region/eu|1623283200123456");
  EXPECT_EQ(sql("select date from message.incoming where seq = 2 order by position"), "-infinity");
  auto state = inbox_->open("eu-west");
  ASSERT_TRUE(state) << state.status().message();
  EXPECT_EQ(state->position, at(2));
  ASSERT_EQ(state->marks.size(), 1u);
  EXPECT_EQ(state->marks[0].seq, 2u);
  ASSERT_EQ(state->epochs.size(), 1u);
  EXPECT_EQ(state->epochs[0].life.id, kEpoch);
  EXPECT_FALSE(inbox_->open("us-east")->position);
}

// One statement for a few rows, COPY for many: what they write must be the same.
TEST_F(InboxTest, FewRowsAndManyRowsArriveAlike) {
  apply_first();
  const std::vector<std::string> texts = {"tab\tnew\nline\rreturn",
                                          "back\\slash \\N \\.",
                                          "\\N",
                                          "\\.",
                                          "{\"a\",b}",
                                          "NULL",
                                          "",
                                          " \xc3\xa9 "};
  auto with_texts = [&](Seq seq, int first_id, int rows) {
    std::vector<int> ids;
    for (int i = 0; i < rows; ++i) ids.push_back(first_id + i);
    IncomingTransaction out = transaction(seq, ids);
    for (std::size_t i = 0; i < out.rows.size(); ++i) {
      MessageRow& row = out.rows[i].row;
      row.payload.reset();
      if (i < texts.size()) row.payload = texts[i];
      if (i == 0) row.headers = "{\"quote\": \"\\\"\\\\\"}";
      if (i == 1) row.date = INT32_MAX;
      if (i == 2) row.destination = "spoke/store-2";
    }
    return out;
  };
  ApplyGroup few = group(1, 2, at(1), at(2)), many = group(2, 3, at(2), at(3));
  few.transactions.push_back(with_texts(2, 100, 9));
  many.transactions.push_back(with_texts(3, 200, 40));
  ASSERT_TRUE(inbox_->apply(few));
  ASSERT_TRUE(inbox_->apply(many));
  EXPECT_EQ(count(), "50");
  EXPECT_EQ(sql("select count(*) from message.incoming a join message.incoming b using (position) "
                "where a.seq = 2 and b.seq = 3 and (a.type, a.date, a.payload, a.headers, "
                "a.destination, a.sent_at) is not distinct from (b.type, b.date, b.payload, "
                "b.headers, b.destination, b.sent_at)"),
            "9");
  for (std::size_t i = 0; i < texts.size(); ++i)
    EXPECT_EQ(sql("select coalesce(payload, 'none') from message.incoming where seq = 2 and "
                  "position = " +
                  std::to_string(i)),
              texts[i]);
  EXPECT_EQ(sql("select payload is null from message.incoming where seq = 2 and position = 8"),
            "t");
}

TEST_F(InboxTest, AMarkThatDoesNotMatchChangesNothing) {
  apply_first();
  for (std::optional<Seq> wrong : {std::optional<Seq>(0), std::optional<Seq>()}) {
    ApplyGroup again = group(wrong, 2, at(1), at(2));
    again.transactions.push_back(transaction(2, {2}));
    Status status = inbox_->apply(again);
    EXPECT_EQ(status.code(), Code::conflict) << status.message();
  }
  ApplyGroup position = group(1, 2, at(7), at(8));
  position.transactions.push_back(transaction(2, {2}));
  EXPECT_EQ(inbox_->apply(position).code(), Code::conflict);
  ApplyGroup hash = group(1, 2, StreamPosition{kIncarnation, 1, Hash::from("other")}, at(2));
  EXPECT_EQ(inbox_->apply(hash).code(), Code::conflict);
  EXPECT_EQ(count(), "1");
  EXPECT_EQ(sql("select seq from oltp20.mark"), "1");
  EXPECT_EQ(sql("select lsn from oltp20.stream_position"), "1");
}

TEST_F(InboxTest, ContentErrorsNameTheirSqlstateAndLeaveNothing) {
  apply_first();
  ApplyGroup bad = group(1, 2, at(1), at(2));
  bad.transactions.push_back(transaction(2, {2, 3}));
  auto refused = [&](const std::string& state) {
    Status status = inbox_->apply(bad);
    EXPECT_EQ(status.code(), Code::invalid) << status.message();
    EXPECT_NE(status.message().find("SQLSTATE " + state), std::string::npos) << status.message();
    EXPECT_EQ(count(), "1");
    EXPECT_EQ(sql("select seq from oltp20.mark"), "1");
  };
  bad.transactions[0].rows[1].row.payload = "\xff";
  refused("22021");
  bad.transactions[0].rows[1].row.payload = std::string_view("a\0b", 3);
  refused("22021");
  bad.transactions[0].rows[1].row.payload = "fine";
  bad.transactions[0].rows[1].row.headers = "{";
  refused("22P02");
  bad.transactions[0].rows[1].row.headers = "{}";
  sql("create function no() returns trigger language plpgsql as "
      "$$ begin raise exception 'no'; end $$; create trigger no before insert on "
      "message.incoming for each row execute function no()");
  refused("P0001");
  sql("drop trigger no on message.incoming");
  EXPECT_TRUE(inbox_->apply(bad)) << "and the connection is as good as before";
}

TEST_F(InboxTest, OverlapRowsAreRecognisedByIdInTheTableAndInTheGroup) {
  apply_first();
  ApplyGroup fork = group(1, 2, at(1), at(3));
  fork.transactions.push_back(transaction(2, {2}));
  fork.transactions.push_back(transaction(1, {1, 2, 3}, kChild));
  fork.transactions[1].overlaps = {Overlap{kEpoch, 0}};
  fork.marks.push_back({"store-1", kChild, std::nullopt, 0, 1});
  Status status = inbox_->apply(fork);
  ASSERT_TRUE(status) << status.message();
  EXPECT_EQ(sql("select string_agg(position::text, ',') from message.incoming "
                "where epoch = '63636363-6363-6363-6363-636363636363'"),
            "2");
  // Only the overlap: what lies at or before the fork is no duplicate.
  ApplyGroup more = group(2, 3, at(3), at(4));
  more.transactions.push_back(transaction(2, {1}, kChild));
  more.transactions[0].overlaps = {Overlap{kEpoch, 1}};
  ASSERT_TRUE(inbox_->apply(more));
  EXPECT_EQ(count(), "4");
}

// Rows of the old life may come at any time, also after the first look.
TEST_F(InboxTest, OverlapSeesWhatTheOldLifeBringsLater) {
  apply_first();
  ApplyGroup child = group(1, 1, at(1), at(2));
  child.marks = {{"store-1", kChild, std::nullopt, 0, 1}};
  child.transactions.push_back(transaction(1, {1, 10}, kChild));
  child.transactions[0].overlaps = {Overlap{kEpoch, 0}};
  ASSERT_TRUE(inbox_->apply(child));
  ApplyGroup late = group(1, 3, at(2), at(3));
  late.transactions.push_back(transaction(2, {2}));
  late.transactions.push_back(transaction(3, {3}));
  ASSERT_TRUE(inbox_->apply(late));
  ApplyGroup more = group(1, 2, at(3), at(4));
  more.marks = {{"store-1", kChild, 1, 0, 2}};
  more.transactions.push_back(transaction(2, {2, 3, 11}, kChild));
  more.transactions[0].overlaps = {Overlap{kEpoch, 0}};
  ASSERT_TRUE(inbox_->apply(more));
  EXPECT_EQ(sql("select string_agg(seq || '.' || position, ' ' order by seq, position) from "
                "message.incoming where epoch = '63636363-6363-6363-6363-636363636363'"),
            "1.1 2.2");
  // A look from further back: what lies between was not in question before.
  ApplyGroup other = group(3, 3, at(4), at(5));
  const Epoch third = Epoch::from(std::string(16, 't'));
  other.marks = {{"store-1", third, std::nullopt, 0, 2}};
  for (Seq seq : {1, 2}) {
    other.transactions.push_back(transaction(seq, {10, 11, static_cast<int>(seq)}, third));
    other.transactions.back().overlaps = {Overlap{kChild, 1}, Overlap{kEpoch, 1}};
  }
  ASSERT_TRUE(inbox_->apply(other));
  ApplyGroup last = group(3, 3, at(5), at(6));
  last.marks = {{"store-1", third, 2, 0, 3}};
  last.transactions.push_back(transaction(3, {10, 1, 2, 12}, third));
  last.transactions.back().overlaps = {Overlap{kChild, 0}, Overlap{kEpoch, 0}};
  ASSERT_TRUE(inbox_->apply(last));
  EXPECT_EQ(sql("select string_agg(seq || '.' || position, ' ' order by seq, position) from "
                "message.incoming where epoch = '74747474-7474-7474-7474-747474747474'"),
            "1.0 1.2 2.0 3.3");
}

TEST_F(InboxTest, AnOverlapReadsTheOldLifeOnce) {
  sql("insert into message.incoming (origin, epoch, seq, position, id, type, sent_at) "
      "select 'store-1', '65656565-6565-6565-6565-656565656565', n, 0, gen_random_uuid(), 't', "
      "now() from generate_series(1, 50000) n; analyze message.incoming");
  ApplyGroup child = group(1, 1, std::nullopt, at(1));
  child.marks = {{"store-1", kChild, std::nullopt, 0, 1}};
  child.transactions.push_back(transaction(1, {1}, kChild));
  child.transactions[0].overlaps = {Overlap{kEpoch, 0}};
  ASSERT_TRUE(inbox_->apply(child));
  const std::string plan =
      sql("set enable_seqscan = off; prepare look as select * from oltp20.known_ids('store-1', "
          "'65656565-6565-6565-6565-656565656565', 0, array[gen_random_uuid(), gen_random_uuid()]);"
          " execute look; explain (analyze, buffers, format json) execute look");
  EXPECT_LT(shared_hits(plan), 100) << plan;
}

TEST_F(InboxTest, AStrangersAdvisoryLockIsNamedAndNotObeyed) {
  inbox_.reset();
  sql("create role " + database_ + "_stranger login");
  pqxx::connection stranger(cluster_.url(database_, database_ + "_stranger"));
  while (pqxx::nontransaction(stranger)
             .exec1("select pg_try_advisory_lock(2129440, 2)")[0]
             .as<bool>() == false)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::string warning;
  inbox_ = make_pg_inbox({agent_url(), [&](const std::string& text) { warning = text; }});
  auto state = inbox_->open("eu-west");
  ASSERT_TRUE(state) << state.status().message();
  EXPECT_NE(warning.find(database_ + "_stranger"), std::string::npos) << warning;
}

TEST_F(InboxTest, ALargeDeadLetterIsKeptPartByPartInOneCommit) {
  apply_first();
  const MarkMove mark{"store-1", kEpoch, 1, 0, 2};
  const DeadLetter letter{"store-1", kEpoch, 2, {}, "22P02", "no json"};
  const std::string bytes("\x00\xff part", 7);
  ASSERT_TRUE(inbox_->begin_dead_letter(mark, letter));
  ASSERT_TRUE(inbox_->add_part(bytes));
  EXPECT_EQ(sql("select count(*) from oltp20.dead_letter"), "0") << "not yet committed";
  inbox_->abort_large();
  ASSERT_TRUE(inbox_->begin_dead_letter(mark, letter));
  ASSERT_TRUE(inbox_->add_part(bytes));
  ASSERT_TRUE(inbox_->add_part("two"));
  Status status = inbox_->commit_large(at(1), at(2));
  ASSERT_TRUE(status) << status.message();
  EXPECT_EQ(sql("select string_agg(part || ':' || encode(content, 'hex'), ' ' order by part) "
                "from oltp20.dead_letter_part"),
            "0:" + to_hex(bytes) + " 1:" + to_hex("two"));
  EXPECT_EQ(sql("select seq from oltp20.mark"), "2");
}

TEST_F(InboxTest, DeadLettersKeepTheWholeContent) {
  ApplyGroup first = group(std::nullopt, 1, std::nullopt, at(1));
  const std::string bytes("\x00\xff part", 7);
  first.dead_letters.push_back({"store-1", kEpoch, 1, {bytes, "two"}, "23505", "duplicate"});
  Status status = inbox_->apply(first);
  ASSERT_TRUE(status) << status.message();
  EXPECT_EQ(sql("select encode(string_agg(content, ''::bytea order by part), 'hex') "
                "from oltp20.dead_letter_part"),
            to_hex(bytes + "two"));
  EXPECT_EQ(sql("select sqlstate || error from oltp20.dead_letter"), "23505duplicate");
}

TEST_F(InboxTest, ClosingAGapMovesMarkAndPositionAndTellsTheAgent) {
  apply_first();
  ApplyGroup held = group(1, 1, at(1), at(9));
  held.gaps.push_back({"store-1", kEpoch, 1, 5, at(4), "the hub has dropped them"});
  ASSERT_TRUE(inbox_->apply(held));
  ApplyGroup twice = group(1, 1, at(9), at(10));
  twice.gaps = held.gaps;
  ASSERT_TRUE(inbox_->apply(twice));
  EXPECT_EQ(sql("select count(*) from oltp20.gap"), "1") << "found again is the same gap";
  EXPECT_NE(error_of("select oltp20.close_gap(1, '')").find("say why"), std::string::npos);
  sql("select oltp20.close_gap(id, 'lost for good') from oltp20.gap");
  EXPECT_EQ(sql("select close_reason from oltp20.gap"), "lost for good");
  bool told = false;
  for (int i = 0; i < 200 && !told; ++i) {
    told = inbox_->take_notification();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE(told);
  EXPECT_EQ(inbox_->apply(group(1, 2, at(10), at(11))).code(), Code::conflict);
  auto state = inbox_->open("eu-west");
  ASSERT_TRUE(state);
  EXPECT_EQ(state->marks[0].seq, 5u);
  EXPECT_EQ(state->position, at(4));
  EXPECT_NE(error_of("select oltp20.close_gap(1, 'again')"), "");
}

TEST_F(InboxTest, AGapThatIsTriedAgainGivesNothingUp) {
  apply_first();
  ApplyGroup held = group(1, 1, at(1), at(9));
  held.gaps.push_back({"store-1", kEpoch, 1, 2, at(4), "somebody holds a lock"});
  ASSERT_TRUE(inbox_->apply(held));
  auto state = inbox_->open("eu-west");
  ASSERT_TRUE(state) << state.status().message();
  ASSERT_EQ(state->held_back.size(), 1u) << "whoever opens learns whom it must hold back";
  EXPECT_EQ(state->held_back[0], (OriginEpoch{"store-1", kEpoch}));
  sql("select oltp20.retry_gap(id) from oltp20.gap");
  EXPECT_EQ(inbox_->apply(group(1, 2, at(9), at(10))).code(), Code::conflict);
  state = inbox_->open("eu-west");
  ASSERT_TRUE(state);
  EXPECT_EQ(state->marks[0].seq, 1u);
  EXPECT_EQ(state->position, at(4));
  EXPECT_TRUE(state->held_back.empty());
}

TEST_F(InboxTest, AnOpenGapFollowsIntoTheHubsNextStream) {
  apply_first();
  ApplyGroup held = group(1, 1, at(1), at(9));
  held.gaps.push_back({"store-1", kEpoch, 1, 5, at(4), "the hub has dropped them"});
  ASSERT_TRUE(inbox_->apply(held));
  const StreamPosition next{Incarnation::from(std::string(16, 'n')), 0, Hash::from("start")};
  ApplyGroup restarted = group(1, 1, at(9), next);
  restarted.another_stream = true;
  Status status = inbox_->apply(restarted);
  ASSERT_TRUE(status) << status.message();
  StreamPosition later = next;
  later.lsn = 7;
  ASSERT_TRUE(inbox_->apply(group(1, 1, next, later)));
  sql("select oltp20.close_gap(id, 'lost for good') from oltp20.gap");
  auto state = inbox_->open("eu-west");
  ASSERT_TRUE(state);
  EXPECT_EQ(state->position, next) << "what the new stream brought meanwhile comes again";
}

TEST_F(InboxTest, AGapOfTheStreamHoldsNobodyBack) {
  apply_first();
  ApplyGroup restarted = group(1, 1, at(1), at(9));
  restarted.gaps.push_back({"", {}, 1, 9, at(9), "dropped before it came here"});
  Status status = inbox_->apply(restarted);
  ASSERT_TRUE(status) << status.message();
  auto state = inbox_->open("eu-west");
  ASSERT_TRUE(state);
  EXPECT_TRUE(state->held_back.empty());
  EXPECT_EQ(sql("select open_gaps from oltp20.status"), "1");
  sql("select oltp20.close_gap(id, 'checked at the origins') from oltp20.gap");
  EXPECT_EQ(sql("select open_gaps from oltp20.status"), "0");
  EXPECT_EQ(sql("select count(*) from oltp20.mark"), "1");
}

// Headers that INSERT took and COPY does not: the depth of the parser's stack differs.
TEST_F(InboxTest, WhatIsTooComplexForTheServerIsContent) {
  const std::string deep(900'000, '[');
  ApplyGroup first = group(std::nullopt, 1, std::nullopt, at(1));
  first.transactions.push_back(transaction(1, {1}));
  first.transactions[0].rows[0].row.headers = deep;
  Status status = inbox_->apply(first);
  EXPECT_EQ(status.code(), Code::invalid) << status.message();
  EXPECT_NE(status.message().find("SQLSTATE 54001"), std::string::npos) << status.message();
}

TEST_F(InboxTest, ALargeTransactionIsOneCommit) {
  apply_first();
  ASSERT_TRUE(inbox_->begin_large({"store-1", kEpoch, 1, 0, 2}));
  for (int part = 0; part < 5; ++part) {
    IncomingTransaction rows = transaction(2, {});
    for (int i = 0; i < 2000; ++i) {
      rows.rows.push_back(transaction(2, {part * 2000 + i}).rows[0]);
      rows.rows.back().position = static_cast<std::uint32_t>(part * 2000 + i);
    }
    Status status = inbox_->add_rows(rows);
    ASSERT_TRUE(status) << status.message();
    EXPECT_EQ(count(), "1") << "not visible before the commit";
  }
  ASSERT_TRUE(inbox_->commit_large(at(1), at(2)));
  EXPECT_EQ(count(), "10001");
  ASSERT_TRUE(inbox_->begin_large({"store-1", kEpoch, 2, 0, 3}));
  ASSERT_TRUE(inbox_->add_rows(transaction(3, {1})));
  inbox_->abort_large();
  EXPECT_EQ(inbox_->begin_large({"store-1", kEpoch, 1, 0, 3}).code(), Code::conflict);
  ASSERT_TRUE(inbox_->begin_large({"store-1", kEpoch, 2, 0, 3}));
  EXPECT_EQ(inbox_->commit_large(at(1), at(3)).code(), Code::conflict) << "the position is 2";
  EXPECT_EQ(count(), "10001");
  EXPECT_TRUE(inbox_->apply(group(2, 3, at(2), at(3))));
}

TEST_F(InboxTest, WhatIsFlushedGrowsAlsoUnderLoad) {
  EXPECT_EQ(*inbox_->flushed(true), inbox_->commits());
  Seq seq = 0;
  const std::uint64_t before = inbox_->commits();
  bool ever = false;
  for (const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
       !ever && std::chrono::steady_clock::now() < end; ++seq) {
    ApplyGroup next = group(seq == 0 ? std::nullopt : std::optional<Seq>(seq), seq + 1,
                            seq == 0 ? std::nullopt : std::optional(at(seq)), at(seq + 1));
    next.transactions.push_back(transaction(seq + 1, {static_cast<int>(seq)}));
    ASSERT_TRUE(inbox_->apply(next));
    EXPECT_EQ(inbox_->commits(), before + seq + 1);
    auto flushed = inbox_->flushed(false);
    ASSERT_TRUE(flushed) << flushed.status().message();
    EXPECT_LE(*flushed, inbox_->commits());
    ever = *flushed > before;
  }
  EXPECT_TRUE(ever) << "the server flushes by itself";
}

TEST_F(InboxTest, WhatWasFlushedSurvivesACrashAndNothingReconnectsByItself) {
  test::PostgresCluster own;
  own.create_database("d");
  const std::string agent = own.url("d", "oltp20_agent");
  ASSERT_TRUE(install({own.url("d"), agent, "exact"}));
  auto inbox = make_pg_inbox({agent});
  auto state = inbox->open("eu-west");
  ASSERT_TRUE(state) << state.status().message();
  ApplyGroup first = group(std::nullopt, 1, std::nullopt, at(1));
  first.transactions.push_back(transaction(1, {1}));
  ASSERT_TRUE(inbox->apply(first));
  EXPECT_EQ(*inbox->flushed(true), inbox->commits());
  own.kill9();
  EXPECT_EQ(inbox->apply(group(1, 2, at(1), at(2))).code(), Code::unavailable);
  own.start();
  EXPECT_EQ(inbox->apply(group(1, 2, at(1), at(2))).code(), Code::unavailable) << "rule 5";
  auto again = inbox->open("eu-west");
  ASSERT_TRUE(again) << again.status().message();
  EXPECT_EQ(again->position, at(1));
  EXPECT_EQ(again->database, state->database) << "a crash is not another life";
}

TEST_F(InboxTest, ASecondAgentIsRefusedButTheOutboxIsNotInTheWay) {
  auto [outbox, state] = open_outbox();
  auto second = make_pg_inbox({agent_url()});
  EXPECT_EQ(second->open("eu-west").status().code(), Code::conflict);
}

TEST_F(InboxTest, AnotherServerIsAnotherLife) {
  const Incarnation before = inbox_->open("eu-west")->database;
  sql("update oltp20.database_life set timeline = timeline + 1");
  const Incarnation after = inbox_->open("eu-west")->database;
  EXPECT_NE(before, after);
  EXPECT_EQ(inbox_->open("eu-west")->database, after);
}

TEST_F(InboxTest, OnlyRetentionRemovesFromTheInbox) {
  apply_first();
  EXPECT_EQ(sql("select oltp20.prune_incoming('1 hour', 100)"), "0");
  EXPECT_EQ(sql("select oltp20.prune_incoming('0', 100)"), "1");
  EXPECT_EQ(count(), "0");
}

}  // namespace
}  // namespace oltp20::spoke
