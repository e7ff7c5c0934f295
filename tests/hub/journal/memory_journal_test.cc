// The switches that only the memory journal has: time and faults in the hands of a test.
#include "hub/journal/memory_journal.h"

#include <gtest/gtest.h>

#include "tests/hub/journal/stream_builder.h"

namespace oltp20::hub::testing {
namespace {

class MemoryJournalTest : public ::testing::Test {
 protected:
  void start() { ASSERT_TRUE(append(journal_, {{}, {}, {build_.run("a")}})); }
  Journal::Done record() {
    return [this](Status status) { outcomes_.push_back(status.code()); };
  }

  SeededRandom random_{1};
  MemoryJournal journal_{"eu-west", random_};
  StreamBuilder build_{journal_};
  std::vector<Code> outcomes_;
};

TEST_F(MemoryJournalTest, HeldGroupsCompleteOneByOne) {
  start();
  journal_.hold(true);
  journal_.append(build_.group("a", 2), record());
  journal_.append(build_.group("a", 2), record());
  EXPECT_TRUE(outcomes_.empty());
  EXPECT_EQ(journal_.info().head.lsn, 1u) << "not durable, not visible";
  EXPECT_TRUE(journal_.complete_one());
  EXPECT_EQ(outcomes_.size(), 1u);
  EXPECT_EQ(journal_.info().head.lsn, 3u);
  journal_.hold(false);
  EXPECT_EQ(journal_.info().head.lsn, 5u);
  EXPECT_FALSE(journal_.complete_one());
}

TEST_F(MemoryJournalTest, CrashLosesOnlyTheUnsyncedTail) {
  start();
  journal_.hold(true);
  journal_.append(build_.group("a", 2), record());
  journal_.crash();
  EXPECT_EQ(journal_.waiting(), 0u);
  EXPECT_TRUE(outcomes_.empty());
  EXPECT_EQ(journal_.info().head.lsn, 1u);
}

TEST_F(MemoryJournalTest, GroupsBehindAFailureFailToo) {
  start();
  journal_.hold(true);
  journal_.fail_next(Status(Code::exhausted, "full"));
  journal_.append(build_.group("a", 1), record());
  journal_.append(build_.group("a", 1), record());
  EXPECT_TRUE(journal_.complete_one());
  ASSERT_TRUE(journal_.recover());
  EXPECT_EQ(outcomes_, (std::vector<Code>{Code::exhausted, Code::exhausted}));
}

TEST_F(MemoryJournalTest, LostTailBeginsANewIncarnation) {
  start();
  ASSERT_TRUE(append(journal_, build_.group("a", 4)));
  StreamPosition kept{journal_.info().incarnation, 3, *journal_.stream_hash_at(3)};
  journal_.lose_tail(3);
  JournalInfo info = journal_.info();
  EXPECT_NE(info.incarnation, kept.incarnation);
  EXPECT_EQ(info.parent, kept);
  EXPECT_EQ(info.head.lsn, 0u);
  EXPECT_NE(info.loss, "");
  EXPECT_TRUE(journal_.origins().empty());
}

}  // namespace
}  // namespace oltp20::hub::testing
