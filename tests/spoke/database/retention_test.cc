// Retention: the ring turns and is emptied, and nobody's rows are lost (protocol rule 29).
#include "spoke/database/retention.h"

#include <chrono>
#include <thread>

#include "tests/spoke/database/fixture.h"

namespace oltp20::spoke {
namespace {

class SteppedClock final : public Clock {
 public:
  Micros monotonic_us() const override { return system_clock().monotonic_us() + skipped; }
  Micros wall_us() const override { return system_clock().wall_us(); }
  Micros skipped = 0;
};

constexpr Micros kHorizon = 1;  // everything is old

class RetentionTest : public DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    opened_ = open_outbox();
    last_ = opened_.state.last_tick;
  }
  Strings capture_all() { return capture(*opened_.outbox, last_); }
  void make_stable(Seq seq) {
    ASSERT_TRUE(opened_.outbox->write_checkpoint(last_.epoch, {seq, {}}, "hub"));
  }
  RetentionReport run(Micros horizon_us = kHorizon) {
    auto report = retention().run_once(horizon_us);
    EXPECT_TRUE(report) << report.status().message();
    return report ? *report : RetentionReport{};
  }
  Retention& retention() {
    if (!retention_) retention_.emplace(RetentionOptions{agent_url(), 1}, clock_);
    return *retention_;
  }
  std::string rows() const { return sql("select count(*) from message.outgoing"); }
  std::string slot() const { return sql("select pg_sequence_last_value('oltp20.slot')"); }

  SteppedClock clock_;
  std::optional<Retention> retention_;
  Opened opened_;
  Tick last_;
};

TEST_F(RetentionTest, StableRowsGoOnceTheirChildIsIdle) {
  send("one");
  capture_all();
  make_stable(1);
  RetentionReport first = run();
  EXPECT_EQ(first.emptied, 0) << "the current child is not touched";
  EXPECT_TRUE(first.rotated);
  EXPECT_EQ(slot(), "1");
  send("two");
  EXPECT_EQ(run().emptied, 1);
  EXPECT_EQ(rows(), "1");
  EXPECT_EQ(capture_all(), Strings{"two"}) << "what is not captured stays";
  auto state = opened_.outbox->open();
  ASSERT_TRUE(state) << state.status().message();
  EXPECT_EQ(state->pruned, 1u);
  auto gone =
      opened_.outbox->transactions((*opened_.outbox->ticks_from(last_.epoch, 1, 1))[0], -1, 10);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.status().code(), Code::not_found);
}

TEST_F(RetentionTest, WhatIsNotStableNotOldOrNotCapturedStays) {
  send("one");
  run();  // rotates
  EXPECT_EQ(run().emptied, 0) << "not captured";
  capture_all();
  EXPECT_EQ(run().emptied, 0) << "not stable";
  make_stable(1);
  RetentionReport young = run(3600 * kSecond);
  EXPECT_EQ(young.emptied, 0);
  EXPECT_NE(young.held_back.find("horizon"), std::string::npos);
  EXPECT_FALSE(young.needs_person);
  EXPECT_EQ(rows(), "1");
  EXPECT_EQ(run().emptied, 1);
}

TEST_F(RetentionTest, AnOpenTransactionLosesNothingAndDelaysNobody) {
  send("one");
  capture_all();
  make_stable(1);
  pqxx::connection late(admin_url());
  pqxx::work open_transaction(late);
  open_transaction.exec("insert into message.outgoing (type, payload) values ('test', 'late')");
  run();
  ASSERT_EQ(slot(), "1");
  std::thread busy([&] {
    for (int i = 0; i < 20; ++i) send("busy");
  });
  const auto begun = std::chrono::steady_clock::now();
  RetentionReport held = run();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(2));
  busy.join();
  EXPECT_EQ(held.emptied, 0);
  EXPECT_NE(held.held_back.find("still open"), std::string::npos) << held.held_back;
  EXPECT_TRUE(held.needs_person);
  open_transaction.commit();
  EXPECT_EQ(run().emptied, 0) << "late is committed but not captured";
  EXPECT_EQ(capture_all().size(), 21u);
  make_stable(21);
  EXPECT_EQ(run().emptied, 0) << "the tick that took late is not stable";
  make_stable(22);
  EXPECT_GE(run().emptied, 1);
}

// Also if its lock waited for ever, nobody's insert would stand in that queue.
TEST_F(RetentionTest, NoInsertQueuesBehindTheLockOfRetention) {
  pqxx::connection late(admin_url()), application(admin_url());
  pqxx::work open_transaction(late);
  open_transaction.exec("insert into message.outgoing (type, payload) values ('test', 'late')");
  ASSERT_TRUE(run().rotated);
  std::thread waiting([&] {
    pqxx::connection connection(admin_url());
    pqxx::work work(connection);
    work.exec("lock table message.outgoing_0, oltp20.marker_0 in access exclusive mode");
  });
  const std::string queued = "select count(*) from pg_locks where not granted";
  while (sql(queued) == "0") std::this_thread::sleep_for(std::chrono::milliseconds(5));
  {
    pqxx::work work(application);
    work.exec("set local lock_timeout = '1ms'");
    EXPECT_NO_THROW(
        work.exec("insert into message.outgoing (type, payload) values ('test', 'now')"));
    EXPECT_NO_THROW(work.commit());
  }
  EXPECT_EQ(sql(queued), "1") << "the lock was not waiting any more: the test says nothing";
  open_transaction.commit();
  waiting.join();
  EXPECT_EQ(capture_all(), (Strings{"now", "late"})) << "late committed later";
}

TEST_F(RetentionTest, TheRingTurnsWithoutEndAndKeepsTheSequence) {
  for (int round = 0; round < 12; ++round) {
    send("r" + std::to_string(round));
    EXPECT_EQ(capture_all(), Strings{"r" + std::to_string(round)});
    make_stable(last_.last);
    EXPECT_TRUE(run().rotated) << round;
  }
  EXPECT_EQ(last_.last, 12u);
  EXPECT_LE(std::stoi(rows()), 2);
  EXPECT_LE(std::stoi(sql("select count(*) from oltp20.tick")), 4);
  auto state = opened_.outbox->open();
  ASSERT_TRUE(state) << state.status().message();
  EXPECT_EQ(state->last_tick.number, last_.number);
  EXPECT_GE(state->pruned, 10u);
}

TEST_F(RetentionTest, ARingThatIsFullKeepsWriting) {
  for (int round = 0; round < 6; ++round) {
    send("kept");
    run();
  }
  EXPECT_EQ(rows(), "6");
  EXPECT_EQ(capture_all().size(), 6u);
}

TEST_F(RetentionTest, AfterAJumpOfTheClockNothingIsPrunedByAge) {
  send("one");
  capture_all();
  make_stable(1);
  EXPECT_TRUE(run(3600 * kSecond).rotated);
  sql("insert into oltp20.retention_run values (clock_timestamp() - interval '50 minutes')");
  clock_.skipped -= 7200 * kSecond;  // the wall clock ran two hours ahead of the monotonic one
  RetentionReport jumped = run(3600 * kSecond);
  EXPECT_TRUE(jumped.clock_jumped);
  clock_.skipped = 0;
  retention_.reset();
  // Old by the wall clock, but the jump is within the horizon.
  sql("alter table oltp20.tick disable trigger all; "
      "update oltp20.tick set taken_at = taken_at - interval '2 hours'");
  EXPECT_EQ(run(3600 * kSecond).emptied, 0);
  EXPECT_EQ(rows(), "1");
  sql("update oltp20.clock_jump set at = at - interval '2 hours'");
  EXPECT_EQ(run(3600 * kSecond).emptied, 1);
}

// T's row is in slot 0, its number, which sorts it behind U, in slot 1; U is stable and T is not.
TEST_F(RetentionTest, ANumberThatOrdersWhatIsNotStableStays) {
  send("old");
  capture_all();
  make_stable(1);
  pqxx::connection connection(admin_url());
  pqxx::work t(connection);
  t.exec("insert into message.outgoing (type, payload) values ('test', 'T')");
  send("U");
  ASSERT_EQ(sql("select oltp20.rotate('0 seconds')"), "t");
  t.commit();
  EXPECT_EQ(capture_all(), (Strings{"U", "T"}));
  make_stable(2);
  ASSERT_EQ(sql("select oltp20.rotate('0 seconds')"), "t");
  EXPECT_EQ(run().emptied, 0);
  auto again = opened_.outbox->transactions(last_, INT64_MIN, 100);
  ASSERT_TRUE(again) << again.status().message();
  EXPECT_EQ(payloads(*opened_.outbox, *again), (Strings{"U", "T"}));
  make_stable(3);
  EXPECT_EQ(run().emptied, 2);
}

TEST_F(RetentionTest, RowsOfFirstRoundsGoUnlessATransactionIsAtItsEnd) {
  sql("alter table oltp20.round disable trigger draw_order");
  sql("insert into oltp20.round select from generate_series(1, 350000)");
  sql("alter table oltp20.round enable always trigger draw_order");
  pqxx::connection connection(admin_url());
  pqxx::work work(connection);
  work.exec("insert into message.outgoing (type, payload) values ('test', 'a')");
  work.exec("set constraints all immediate");
  run();
  EXPECT_EQ(sql("select count(*) from oltp20.round"), "350000");
  work.commit();
  EXPECT_EQ(capture_all(), Strings{"a"});
  run();
  EXPECT_EQ(sql("select count(*) from oltp20.round"), "0");
  send("b");
  EXPECT_EQ(capture_all(), Strings{"b"});
}

TEST_F(RetentionTest, AReaderThatHoldsItBackIsNamed) {
  send("one");
  capture_all();
  make_stable(1);
  ASSERT_TRUE(run().rotated);
  const std::string app = database_ + "_app";
  sql("create role " + app + " login; grant oltp20_application to " + app);
  pqxx::connection reader(cluster_.url(database_, app));
  pqxx::work work(reader);
  work.exec("select from message.outgoing limit 0");
  RetentionReport held = run();
  EXPECT_EQ(held.emptied, 0);
  EXPECT_TRUE(held.needs_person);
  EXPECT_NE(held.held_back.find("'" + app + "'"), std::string::npos) << held.held_back;
  EXPECT_NE(held.held_back.find("reads or wrote"), std::string::npos) << held.held_back;
}

// The wall clock stood at 2038 for a while, and agent and application worked on.
TEST_F(RetentionTest, AnExcursionOfTheClockEndsWithTheExcursion) {
  send("one");
  capture_all();
  make_stable(1);
  ASSERT_TRUE(run(3600 * kSecond).rotated);
  const std::string in_2038 = "'2038-01-19 03:14:07'";
  sql("update oltp20.rotation set at = " + in_2038 + "; update oltp20.retention_run set at = " +
      in_2038 + "; insert into oltp20.clock_jump (at, seconds) values (" + in_2038 +
      ", 4e8); update oltp20.tick set taken_at = " + in_2038 +
      "; update oltp20.checkpoint set at = " + in_2038);
  retention_.reset();
  RetentionReport back = run(3600 * kSecond);
  EXPECT_TRUE(back.clock_jumped);
  EXPECT_FALSE(back.rotated);
  EXPECT_EQ(sql("select (select count(*) from oltp20.rotation where at > clock_timestamp()) + "
                "(select count(*) from oltp20.retention_run where at > clock_timestamp()) + "
                "(select count(*) from oltp20.clock_jump where at > clock_timestamp()) + "
                "(select count(*) from oltp20.checkpoint where at > clock_timestamp()) + "
                "(select count(*) from oltp20.tick where taken_at > clock_timestamp())"),
            "0");
  RetentionReport after = run(3600 * kSecond);
  EXPECT_FALSE(after.clock_jumped) << "seen once, with its traces removed";
  EXPECT_TRUE(after.needs_person) << "until the horizon has passed";
  EXPECT_NE(after.held_back.find("clock"), std::string::npos) << after.held_back;
  sql("update oltp20.clock_jump set at = at - interval '2 hours'; "
      "update oltp20.tick set taken_at = taken_at - interval '2 hours'");
  RetentionReport later = run(3600 * kSecond);
  EXPECT_EQ(later.emptied, 1);
  EXPECT_TRUE(later.rotated);
}

// What both sides agree on when a new life begins is stable in the parent: nobody has to say so.
TEST_F(RetentionTest, APromotionNeedsNobodyToSettleTheOldLife) {
  send("one");
  capture_all();
  make_stable(1);
  send("two");
  capture_all();  // the hub holds it; the checkpoint, a second later, did not come
  const ChainPosition fork{2, Hash::from(std::string(32, 'f'))};
  EpochInfo life{Epoch::from(std::string(16, 'e')), last_.epoch, fork};
  ASSERT_TRUE(opened_.outbox->begin_epoch(life, last_, 2, "promoted"));
  auto at = opened_.outbox->checkpoint_at_most(life.parent, 9);
  ASSERT_TRUE(at);
  EXPECT_EQ(*at, fork);
  ASSERT_TRUE(opened_.outbox->open());
  run();
  EXPECT_EQ(run().emptied, 1);
}

TEST_F(RetentionTest, OldRefusalsGo) {
  sql("insert into oltp20.rejection (epoch, seq, xid, code, reason, at) select "
      "oltp20.current_epoch(), n, '3', 'denied', 'no', now() - interval '91 days' from "
      "generate_series(1, 6000) n");
  run();
  EXPECT_EQ(sql("select count(*) || ' ' || (select rejected from oltp20.status) from "
                "oltp20.rejection"),
            "0 0");
}

TEST_F(RetentionTest, AskingWhatMayGoDoesNotReadAllTicks) {
  sql("insert into oltp20.tick select n, epoch, '3:3:', '3:3:', n, n, '', 0, '0/0', "
      "clock_timestamp() - interval '1 hour' * (n < 1000)::integer from oltp20.tick, "
      "generate_series(1, 50000) n where number = 0; analyze oltp20.tick");
  make_stable(40'000);
  EXPECT_EQ(sql("select oltp20.prunable_tick('30 minutes')"), "999");
  EXPECT_EQ(sql("select oltp20.prunable_tick('0')"), "40000");
  const std::string plan =
      sql("set enable_seqscan = off; select oltp20.prunable_tick('30 minutes'); "  // catalogues
          "explain (analyze, buffers, format json) select oltp20.prunable_tick('30 minutes')");
  EXPECT_LT(shared_hits(plan), 200) << plan;
}

TEST_F(RetentionTest, AnUnsettledAncestorHoldsPruningBack) {
  send("one");
  capture_all();
  const Tick from = last_;
  EpochInfo life{Epoch::from(std::string(16, 'e')), last_.epoch, {1, {}}};
  ASSERT_TRUE(opened_.outbox->begin_epoch(life, from, 1, "promoted"));
  auto state = opened_.outbox->open();
  ASSERT_TRUE(state);
  sql("delete from oltp20.checkpoint");  // a life of which no hub ever confirmed the fork
  run();
  RetentionReport held = run();
  EXPECT_EQ(held.emptied, 0) << "the parent's seq 1 is not known to be stable";
  EXPECT_NE(held.held_back.find("settle_epoch"), std::string::npos) << held.held_back;
  EXPECT_TRUE(held.needs_person);
  sql("select oltp20.settle_epoch(id, 'checked by hand') from oltp20.epoch where parent is null");
  EXPECT_EQ(run().emptied, 1);
}

}  // namespace
}  // namespace oltp20::spoke
