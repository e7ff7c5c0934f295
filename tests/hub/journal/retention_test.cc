#include "hub/journal/retention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hub/journal/memory_journal.h"
#include "tests/hub/journal/stream_builder.h"

namespace oltp20::hub::testing {
namespace {

using ::testing::HasSubstr;
constexpr Micros kHour = 3600 * kSecond;
constexpr std::uint64_t kMegabyte = 1 << 20;

// One sample an hour: entries 10, 20, 30, … of ten megabytes each.
RetentionLedger hourly(int hours) {
  RetentionLedger ledger;
  for (int hour = 0; hour < hours; ++hour)
    ledger.add(static_cast<Lsn>(hour + 1) * 10, hour * kHour, 10 * kMegabyte);
  return ledger;
}

TEST(RetentionTest, KeepsWhatIsYoungerThanTheHorizon) {
  RetentionLedger ledger = hourly(10);
  RetentionLimits limits{.horizon_us = 3 * kHour, .max_bytes = 1000 * kMegabyte};
  RetentionDecision decision = ledger.decide(9 * kHour, true, limits);
  EXPECT_EQ(decision.upto, 60u) << "the entry of hour 6 is exactly three hours old: kept";
  EXPECT_EQ(decision.forced, 0u);
  EXPECT_EQ(decision.sentence, "");
  ledger.trimmed(decision.upto);
  EXPECT_EQ(ledger.bytes(), 40 * kMegabyte);
  EXPECT_EQ(ledger.decide(9 * kHour, true, limits).upto, 0u);
}

TEST(RetentionTest, BytesForceOutYoungEntriesAndSaySo) {
  RetentionLimits limits{.horizon_us = 3 * kHour, .max_bytes = 25 * kMegabyte};
  RetentionDecision decision = hourly(10).decide(9 * kHour, true, limits);
  EXPECT_EQ(decision.upto, 80u);
  EXPECT_EQ(decision.forced, 20u);
  EXPECT_EQ(decision.youngest_forced_age_us, 2 * kHour);
  EXPECT_THAT(decision.sentence, HasSubstr("before the horizon of 3 h"));
}

TEST(RetentionTest, JumpedClockTrimsNothingByAge) {
  RetentionLimits limits{.horizon_us = 3 * kHour, .max_bytes = 1000 * kMegabyte};
  RetentionDecision decision = hourly(10).decide(1000 * kHour, false, limits);
  EXPECT_EQ(decision.upto, 0u);
  EXPECT_THAT(decision.sentence, HasSubstr("clock jumped"));
}

TEST(RetentionTest, GuardDistrustsAJumpForTheHorizonAndFollowsDrift) {
  WallClockGuard guard(168 * kHour, 0, 0);
  Micros wall = 1'000'000 * kSecond, monotonic = 0;
  for (int i = 0; i < 100; ++i) {
    wall += 61 * kSecond;  // a second too fast each minute
    monotonic += 60 * kSecond;
    EXPECT_TRUE(guard.steady(wall, monotonic));
  }
  wall += 48 * kHour;
  EXPECT_FALSE(guard.steady(wall, monotonic));
  EXPECT_FALSE(guard.steady(wall + 167 * kHour, monotonic + 167 * kHour));
  EXPECT_TRUE(guard.steady(wall + 168 * kHour, monotonic + 168 * kHour));
}

TEST(RetentionTest, GuardDistrustsAClockThatIsWrongWhenTheHubStarts) {
  const Micros newest = 1'000'000 * kHour;
  EXPECT_TRUE(WallClockGuard(168 * kHour, newest, 0).steady(newest + 41 * kHour, 0));
  EXPECT_FALSE(WallClockGuard(168 * kHour, newest, 0).steady(newest + 240 * kHour, 0)) << "ahead";
  EXPECT_FALSE(WallClockGuard(168 * kHour, newest, 0).steady(newest - kHour, 0)) << "behind";
  EXPECT_TRUE(WallClockGuard(168 * kHour, 0, 0).steady(newest, 0)) << "an empty journal";
}

// The hub ran with a clock ten days ahead, took an entry, and is started again with that clock.
TEST(RetentionTest, GuardRemembersAcrossAStartThatTheClockJumpedBetweenTwoEntries) {
  RetentionLedger ledger = hourly(10);
  EXPECT_EQ(ledger.longest_pause_us(), kHour);
  ledger.add(101, 249 * kHour, kMegabyte);
  EXPECT_EQ(ledger.longest_pause_us(), 240 * kHour);
  WallClockGuard guard(168 * kHour, ledger.newest_us(), ledger.longest_pause_us());
  EXPECT_FALSE(guard.steady(250 * kHour, 0));
  EXPECT_TRUE(guard.steady(418 * kHour, 168 * kHour));
}

TEST(RetentionTest, WhatIsDatedInTheFutureIsDatedNow) {
  RetentionLedger ledger = hourly(10);
  const RetentionLimits limits{.horizon_us = 3 * kHour, .max_bytes = 1000 * kMegabyte};
  ledger.redate(2 * kHour);
  EXPECT_EQ(ledger.newest_us(), 2 * kHour);
  EXPECT_EQ(ledger.decide(4 * kHour, true, limits).upto, 10u) << "hour 0 alone is old";
  EXPECT_EQ(ledger.decide(6 * kHour, true, limits).upto, 100u);
}

TEST(RetentionTest, LedgerStaysBoundedAndForgetsNoBytes) {
  RetentionLedger ledger;
  for (Lsn lsn = 1; lsn <= 20'000; ++lsn)
    ledger.add(lsn, static_cast<Micros>(lsn) * 120 * kSecond, 100);
  EXPECT_LE(ledger.samples(), RetentionLedger::kSamples);
  EXPECT_EQ(ledger.bytes(), 2'000'000u);
  RetentionDecision decision =
      ledger.decide(20'000 * 120 * kSecond, true, {.horizon_us = 0, .max_bytes = 1000 * kMegabyte});
  EXPECT_GE(decision.upto, 19'900u);
}

TEST(RetentionTest, SurveyOfAnOpenedJournalKnowsItsEntries) {
  SeededRandom random(1);
  MemoryJournal journal("eu-west", random);
  StreamBuilder build(journal);
  ASSERT_TRUE(append(journal, {{}, {}, {build.run("a")}}));
  ASSERT_TRUE(append(journal, build.group("a", 1000)));
  Result<RetentionLedger> ledger = survey(journal);
  ASSERT_TRUE(ledger);
  EXPECT_EQ(ledger->decide(kHour, true, {.horizon_us = 60 * kSecond, .max_bytes = 1 << 30}).upto,
            1001u);
  EXPECT_NEAR(static_cast<double>(ledger->bytes()), static_cast<double>(journal.info().bytes),
              2000.0);
}

}  // namespace
}  // namespace oltp20::hub::testing
