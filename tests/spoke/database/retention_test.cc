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

TEST_F(RetentionTest, AnUnsettledAncestorHoldsPruningBack) {
  send("one");
  capture_all();
  const Tick from = last_;
  EpochInfo life{Epoch::from(std::string(16, 'e')), last_.epoch, {1, {}}};
  ASSERT_TRUE(opened_.outbox->begin_epoch(life, from, 1, "promoted"));
  auto state = opened_.outbox->open();
  ASSERT_TRUE(state);
  run();
  EXPECT_EQ(run().emptied, 0) << "the parent's seq 1 is not known to be stable";
  sql("select oltp20.settle_epoch(id, 'checked by hand') from oltp20.epoch where parent is null");
  EXPECT_EQ(run().emptied, 1);
}

}  // namespace
}  // namespace oltp20::spoke
