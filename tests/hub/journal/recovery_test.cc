// Opening damaged, foreign and occupied journals: the recovery table of hub/journal/README.md.
#include "hub/journal/rocksdb/recovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/hub/journal/rocksdb_files.h"
#include "tests/hub/journal/rocksdb_fixture.h"
#include "tests/hub/journal/stream_builder.h"

namespace oltp20::hub::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class RecoveryTest : public ::testing::Test {
 protected:
  // A closed journal of one run and `transactions` transactions, each its own group.
  void fill(int transactions) {
    std::unique_ptr<Journal> journal = open_journal(path());
    StreamBuilder build(*journal);
    ASSERT_TRUE(append(*journal, {{}, {}, {build.run("a")}}));
    for (int i = 0; i < transactions; ++i) ASSERT_TRUE(append(*journal, build.group("a", 1)));
    head_ = journal->info().head;
  }
  Result<std::unique_ptr<Journal>> open(RocksJournalOptions options = {}) {
    options.directory = path();
    if (options.hub.empty()) options.hub = "eu-west";
    SecureRandom random;
    return open_rocksdb_journal(std::move(options), random);
  }
  void expect_new_incarnation(const Journal& journal, Lsn left) {
    JournalInfo info = journal.info();
    EXPECT_NE(info.incarnation, head_.incarnation);
    EXPECT_EQ(info.parent.incarnation, head_.incarnation);
    EXPECT_EQ(info.parent.lsn, left);
    EXPECT_EQ(info.head.lsn, 0u);
    EXPECT_TRUE(journal.origins().empty()) << "origins begin a new run (protocol rule 1)";
  }
  const std::string& path() const { return directory_.path(); }

  TemporaryDirectory directory_;
  StreamPosition head_;
};

TEST_F(RecoveryTest, TornTailOfAcknowledgedEntriesBeginsANewIncarnation) {
  fill(20);
  cut_file(newest_log(path()), 40);
  {
    std::unique_ptr<Journal> journal = open_journal(path());
    expect_new_incarnation(*journal, 20);
    EXPECT_THAT(journal->info().loss, AllOf(HasSubstr("21 to 21"), HasSubstr("new incarnation")));
    StreamBuilder build(*journal);
    ASSERT_TRUE(append(*journal, {{}, {}, {build.run("a", 20), build.transaction("a")}}));
  }
  std::unique_ptr<Journal> again = open_journal(path());
  EXPECT_EQ(again->info().loss, "") << "told once";
  EXPECT_EQ(again->info().head.lsn, 2u);
}

TEST_F(RecoveryTest, EntriesOfTheOldIncarnationAreKeptUntilTheNewOneIsTrimmed) {
  fill(20);
  cut_file(newest_log(path()), 40);
  std::string old_entry = store::lsn_key(store::Space::entry, 1, 7);
  {
    std::unique_ptr<Journal> journal = open_journal(path());
    StreamBuilder build(*journal);
    ASSERT_TRUE(append(*journal, {{}, {}, {build.run("a", 20), build.transaction("a")}}));
  }
  EXPECT_TRUE(raw_get(path(), old_entry));
  {
    std::unique_ptr<Journal> journal = open_journal(path());
    ASSERT_TRUE(journal->trim(1));
  }
  EXPECT_FALSE(raw_get(path(), old_entry));
}

TEST_F(RecoveryTest, TornTailThatNobodyWasPromisedIsNoLoss) {
  fill(20);
  std::string witness = path() + "/witness", copy = path() + "/witness.before";
  std::filesystem::copy_file(witness, copy);
  {
    std::unique_ptr<Journal> journal = open_journal(path());
    StreamBuilder build(*journal);
    ASSERT_TRUE(append(*journal, build.group("a", 1)));
  }
  std::filesystem::rename(copy, witness);  // as if the machine had died before acknowledging
  cut_file(newest_log(path()), 40);
  std::unique_ptr<Journal> journal = open_journal(path());
  EXPECT_EQ(journal->info().head, head_);
  EXPECT_EQ(journal->info().loss, "");
}

TEST_F(RecoveryTest, HeadAheadOfTheWitnessIsFine) {
  fill(5);
  std::string witness = path() + "/witness", copy = path() + "/witness.before";
  std::filesystem::copy_file(witness, copy);
  StreamPosition head;
  {
    std::unique_ptr<Journal> journal = open_journal(path());
    StreamBuilder build(*journal);
    ASSERT_TRUE(append(*journal, build.group("a", 10)));
    head = journal->info().head;
  }
  std::filesystem::rename(copy, witness);
  std::unique_ptr<Journal> journal = open_journal(path());
  EXPECT_EQ(journal->info().head, head);
  EXPECT_EQ(journal->info().loss, "");
}

TEST_F(RecoveryTest, OneTornWitnessSlotLeavesTheOther) {
  fill(20);
  flip_bit(path() + "/witness", 4096 + 20);
  std::unique_ptr<Journal> journal = open_journal(path());
  EXPECT_EQ(journal->info().head, head_);
  EXPECT_EQ(journal->info().loss, "");
}

TEST_F(RecoveryTest, MissingWitnessIsTakenForALoss) {
  fill(20);
  std::filesystem::remove(path() + "/witness");
  std::unique_ptr<Journal> journal = open_journal(path());
  expect_new_incarnation(*journal, 21);
  EXPECT_THAT(journal->info().loss, HasSubstr("witness file is missing"));
}

TEST_F(RecoveryTest, OtherEntryThanTheAcknowledgedOneIsTakenForALoss) {
  fill(20);
  StreamPosition other = head_;
  other.hash.bytes[0] ^= 1;
  {
    Result<store::Witness> witness = store::Witness::open(path() + "/witness");
    ASSERT_TRUE(witness->write(other));
  }
  std::unique_ptr<Journal> journal = open_journal(path());
  expect_new_incarnation(*journal, 21);
  EXPECT_THAT(journal->info().loss, HasSubstr("not the one that was acknowledged"));
}

TEST_F(RecoveryTest, LostDatabaseBeginsANewIncarnationAndTellsIt) {
  fill(20);
  std::filesystem::remove_all(path() + "/db");
  std::unique_ptr<Journal> journal = open_journal(path());
  EXPECT_NE(journal->info().incarnation, head_.incarnation);
  EXPECT_THAT(journal->info().loss, HasSubstr("21 entries were acknowledged"));
}

TEST_F(RecoveryTest, RestoredBackupBeginsANewIncarnationWhenTold) {
  fill(20);
  Result<std::unique_ptr<Journal>> journal = open({.restored = true});
  ASSERT_TRUE(journal);
  expect_new_incarnation(**journal, 21);
  EXPECT_EQ((*journal)->info().parent.hash, head_.hash);
}

TEST_F(RecoveryTest, FlippedBitInsideTheLogRefusesToOpenAndDeletesNothing) {
  fill(200);
  std::string log = newest_log(path());
  flip_bit(log, file_size(log) / 2);
  std::uint64_t before = file_size(log);
  for (int attempt = 0; attempt < 2; ++attempt) {
    Result<std::unique_ptr<Journal>> journal = open();
    ASSERT_FALSE(journal);
    EXPECT_EQ(journal.status().code(), Code::corrupt);
    EXPECT_THAT(journal.status().message(),
                AllOf(HasSubstr(log), HasSubstr("Nothing was deleted"), HasSubstr("verify")));
    EXPECT_EQ(file_size(log), before);
  }
}

TEST_F(RecoveryTest, FlippedBitInATableIsCorruptWhenItIsRead) {
  fill(2000);
  flush_tables(path());
  std::string table = some_table(path());
  ASSERT_NE(table, "");
  flip_bit(table, file_size(table) / 2);
  Result<std::unique_ptr<Journal>> journal = open();
  Status status = journal ? Status() : journal.status();
  if (journal) {
    ReadCursor cursor;
    for (bool at_head = false; status && !at_head;) {
      Result<ReadPage> page = (*journal)->read(cursor, 10000);
      if (!page) status = page.status();
      if (page) at_head = page->at_head;
      if (page) cursor = page->next;
    }
  }
  EXPECT_EQ(status.code(), Code::corrupt);
  EXPECT_THAT(status.message(), AllOf(HasSubstr(".sst"), HasSubstr("Nothing was deleted")));
}

TEST_F(RecoveryTest, MissingCurrentFileIsNotTakenForAnEmptyStore) {
  fill(20);
  std::filesystem::remove(path() + "/db/CURRENT");
  Result<std::unique_ptr<Journal>> journal = open();
  ASSERT_FALSE(journal);
  EXPECT_EQ(journal.status().code(), Code::corrupt);
  EXPECT_THAT(journal.status().message(), HasSubstr("CURRENT"));
  EXPECT_NE(newest_log(path()), "");
}

TEST_F(RecoveryTest, NewerFormatRefusesWithTheRemedy) {
  fill(2);
  raw_put(path(), store::meta_key(), store::encode_meta({store::kFormatVersion + 1, "eu-west"}));
  Result<std::unique_ptr<Journal>> journal = open();
  ASSERT_FALSE(journal);
  EXPECT_EQ(journal.status().code(), Code::invalid);
  EXPECT_THAT(journal.status().message(), AllOf(HasSubstr("format 2"), HasSubstr("newer program")));
}

TEST_F(RecoveryTest, AnotherHubsJournalIsRefused) {
  fill(2);
  Result<std::unique_ptr<Journal>> journal = open({.hub = "us-east"});
  ASSERT_FALSE(journal);
  EXPECT_EQ(journal.status().code(), Code::conflict);
  EXPECT_THAT(journal.status().message(),
              AllOf(HasSubstr("eu-west"), HasSubstr("us-east"), HasSubstr(path())));
}

TEST_F(RecoveryTest, DirectoryInUseIsRefusedUntilItIsFree) {
  std::unique_ptr<Journal> first = open_journal(path());
  Result<std::unique_ptr<Journal>> second = open();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.status().code(), Code::conflict);
  EXPECT_THAT(second.status().message(),
              AllOf(HasSubstr(path()), HasSubstr("another hub"), HasSubstr("data_dir")));
  first.reset();
  EXPECT_TRUE(open());
}

TEST_F(RecoveryTest, OnAFullDiskItDoesNotOpenAndSaysWhatHelps) {
  FillableDisk disk;
  {
    std::unique_ptr<Journal> journal = open_journal(path(), disk.env());
    StreamBuilder build(*journal);
    ASSERT_TRUE(append(*journal, {{}, {}, {build.run("a"), build.transaction("a")}}));
  }
  disk.set_full(true);
  Status full = open({.env = disk.env()}).status();
  EXPECT_EQ(full.code(), Code::exhausted);
  EXPECT_THAT(full.message(),
              AllOf(HasSubstr(path()), HasSubstr("Free or add space"), HasSubstr("is lost")));
  disk.set_full(false);
  Result<std::unique_ptr<Journal>> journal = open({.env = disk.env()});
  ASSERT_TRUE(journal) << journal.status().message();
  EXPECT_EQ((*journal)->info().head.lsn, 2u);
}

TEST_F(RecoveryTest, RecoverWaitsForTheDiskAndKeepsReadingMeanwhile) {
  FillableDisk disk;
  std::unique_ptr<Journal> journal = open_journal(path(), disk.env());
  StreamBuilder build(*journal);
  ASSERT_TRUE(append(*journal, {{}, {}, {build.run("a"), build.transaction("a")}}));
  disk.set_full(true);
  StreamBuilder failing = build;
  Group lost = failing.group("a", 2);
  Status full = append(*journal, lost);
  EXPECT_EQ(full.code(), Code::exhausted);
  EXPECT_THAT(full.message(),
              AllOf(HasSubstr(path()), HasSubstr("Free or add space on the filesystem "
                                                 "of [hub] data_dir; nothing "
                                                 "is lost")));
  EXPECT_FALSE(journal->recover());
  EXPECT_EQ(read_all(*journal).size(), 2u);
  EXPECT_FALSE(append(*journal, build.group("a", 1)));
  // The flush failed, but the group may have reached the disk all the same.
  for (const EntryPtr& entry : lost.entries)
    raw_put(path(), store::lsn_key(store::Space::entry, 1, entry->lsn), encode_entry(*entry));
  Entry last = *lost.entries.back();
  put_origin(path(), [&](OriginState& state) {
    state.last = {last.seq, last.chain};
    state.lsn = last.lsn;
  });
  put_head(path(), last.lsn, last.stream);
  disk.set_full(false);
  Status recovered = journal->recover();
  ASSERT_TRUE(recovered) << recovered.message();
  EXPECT_EQ(journal->info().head.lsn, 2u);
  StreamBuilder again(*journal);
  EXPECT_TRUE(append(*journal, again.group("a", 1)));
  journal.reset();
  Result<std::unique_ptr<Journal>> reopened = open();
  ASSERT_TRUE(reopened) << reopened.status().message();
  EXPECT_EQ((*reopened)->info().head, again.head()) << "nothing of the failed group comes back";
}

TEST_F(RecoveryTest, MoreWaitingGroupsThanTheQueueHoldsAreRefused) {
  Result<std::unique_ptr<Journal>> opened = open({.queue_groups = 4});
  Journal& journal = **opened;
  StreamBuilder build(journal);
  ASSERT_TRUE(append(journal, {{}, {}, {build.run("a")}}));
  int ok = 0, refused = 0;
  for (int i = 0; i < 2000; ++i)
    journal.append(build.group("a", 1), [&](Status status) { ++(status ? ok : refused); });
  (void)append(journal, {});
  EXPECT_EQ(ok + refused, 2000);
  EXPECT_GT(refused, 0);
  EXPECT_EQ(journal.info().head.lsn, 1u + ok);
  ASSERT_TRUE(journal.recover());
  StreamBuilder again(journal);
  EXPECT_TRUE(append(journal, again.group("a", 1)));
}

TEST_F(RecoveryTest, MetricsHookSeesEachGroup) {
  std::vector<std::size_t> entries;
  Result<std::unique_ptr<Journal>> journal =
      open({.on_commit = [&](std::size_t count, std::size_t bytes, Micros fsync_us) {
        entries.push_back(count);
        EXPECT_GT(bytes, 0u);
        EXPECT_GE(fsync_us, 0);
      }});
  StreamBuilder build(**journal);
  ASSERT_TRUE(append(**journal, {{}, {}, {build.run("a")}}));
  ASSERT_TRUE(append(**journal, build.group("a", 3)));
  EXPECT_EQ(entries, (std::vector<std::size_t>{1, 3}));
}

}  // namespace
}  // namespace oltp20::hub::testing
