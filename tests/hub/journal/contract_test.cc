// The contract of hub/journal/journal.h, on every engine. Tests quote its rules by number.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "common/wire/hash_chain.h"
#include "tests/hub/journal/engine.h"
#include "tests/hub/journal/stream_builder.h"

namespace oltp20::hub::testing {
namespace {

using ::testing::HasSubstr;

class JournalContract : public ::testing::TestWithParam<EngineMaker> {
 protected:
  void SetUp() override {
    engine_ = GetParam().make();
    build_.emplace(journal());
  }
  Journal& journal() { return engine_->journal(); }
  StreamBuilder& build() { return *build_; }
  void open(const std::string& origin) {
    ASSERT_TRUE(append(journal(), {{}, {}, {build().run(origin)}}));
  }
  void reopen() {
    engine_->reopen();
    build_.emplace(journal());
  }

  std::unique_ptr<Engine> engine_;
  std::optional<StreamBuilder> build_;
};

TEST_P(JournalContract, EmptyJournalStandsAtTheStartOfItsStream) {
  JournalInfo info = journal().info();
  EXPECT_EQ(info.hub, "eu-west");
  EXPECT_FALSE(info.incarnation.is_zero());
  EXPECT_EQ(info.first_lsn, 1u);
  EXPECT_EQ(info.head.lsn, 0u);
  EXPECT_EQ(info.head.hash, stream_start("eu-west", info.incarnation, info.parent));
  EXPECT_EQ(info.loss, "");
  Result<ReadPage> page = journal().read({}, 1000);
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->items.empty());
  EXPECT_TRUE(page->at_head);
}

TEST_P(JournalContract, Rule1GroupsCompleteInTheOrderOfTheirAppend) {
  open("a");
  std::vector<int> order;
  std::promise<void> all;
  for (int i = 0; i < 20; ++i) {
    journal().append(build().group("a", 3), [&, i](Status status) {
      EXPECT_TRUE(status) << status.message();
      order.push_back(i);
      if (order.size() == 20) all.set_value();
    });
  }
  all.get_future().wait();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(order[i], i);
  EXPECT_EQ(journal().info().head, build().head());
}

TEST_P(JournalContract, Rule2WhatWasAcknowledgedSurvivesARestart) {
  open("a");
  ASSERT_TRUE(append(journal(), build().group("a", 5)));
  std::vector<OriginState> origins = journal().origins();
  StreamPosition head = build().head();
  reopen();
  EXPECT_EQ(journal().info().head, head);
  EXPECT_EQ(journal().info().loss, "");
  EXPECT_EQ(journal().origins(), origins);
  std::vector<ReadItem> items = read_all(journal());
  ASSERT_EQ(items.size(), 6u);
  EXPECT_EQ(items[5].entry->stream, head.hash);
  ASSERT_TRUE(append(journal(), build().group("a", 1))) << "it goes on where it was";
}

TEST_P(JournalContract, Rule3GroupThatLeavesAGapIsRefusedWhole) {
  open("a");
  StreamBuilder skipping = build();
  skipping.transaction("a");
  Group gap{{}, {}, {skipping.transaction("a")}};
  Status status = append(journal(), gap);
  EXPECT_EQ(status.code(), Code::internal);
  EXPECT_THAT(status.message(), HasSubstr("the head is 1"));

  StreamBuilder inside = build();
  Group broken = inside.group("a", 3);
  broken.entries.erase(broken.entries.begin() + 1);
  EXPECT_EQ(append(journal(), broken).code(), Code::internal);
  EXPECT_EQ(journal().info().head.lsn, 1u) << "nothing of a refused group is written";
  EXPECT_EQ(read_all(journal()).size(), 1u);
  EXPECT_TRUE(append(journal(), build().group("a", 3))) << "a refusal stops nothing else";
}

TEST_P(JournalContract, Rule3OriginWithoutARunOrOutOfOrderIsRefused) {
  StreamBuilder builder = build();
  builder.run("a");
  StreamBuilder other(journal());
  Entry stray = *builder.transaction("a");
  stray.lsn = 1;
  EXPECT_EQ(append(journal(), {{}, {}, {std::make_shared<Entry>(stray)}}).code(), Code::internal);
  open("a");
  Entry skipped = *StreamBuilder(journal()).transaction("a");
  skipped.prev = 7;
  skipped.seq = 8;
  EXPECT_EQ(append(journal(), {{}, {}, {std::make_shared<Entry>(skipped)}}).code(), Code::internal);
}

TEST_P(JournalContract, Rule4ReadsInOrderInPagesOfBoundedSize) {
  open("a");
  ASSERT_TRUE(append(journal(), build().group("a", 50, std::string(1000, 'p'))));
  ReadCursor cursor;
  Lsn expected = 1;
  int pages = 0;
  for (bool at_head = false; !at_head; ++pages) {
    Result<ReadPage> page = journal().read(cursor, 5000);
    ASSERT_TRUE(page);
    std::size_t bytes = 0;
    for (const ReadItem& item : page->items) {
      EXPECT_EQ(item.entry->lsn, expected++);
      bytes += item.entry->part.size();
    }
    EXPECT_LE(bytes, 5000u);
    cursor = page->next;
    at_head = page->at_head;
  }
  EXPECT_EQ(expected, 52u);
  EXPECT_GT(pages, 9);
  EXPECT_EQ(journal().read({10, 0}, 1)->items.size(), 1u) << "at least one item";
}

TEST_P(JournalContract, Rule4StreamHashesIdentifyPositions) {
  open("a");
  ASSERT_TRUE(append(journal(), build().group("a", 3)));
  JournalInfo info = journal().info();
  EXPECT_EQ(*journal().stream_hash_at(0), stream_start("eu-west", info.incarnation, info.parent));
  for (const ReadItem& item : read_all(journal()))
    EXPECT_EQ(*journal().stream_hash_at(item.entry->lsn), item.entry->stream);
  EXPECT_EQ(journal().stream_hash_at(5).status().code(), Code::not_found);
}

TEST_P(JournalContract, Rule5PartsAreInvisibleUntilTheirEntryCame) {
  open("a");
  Group first, second;
  EntryPtr large = build().large("a", 4, &first.parts);
  ASSERT_EQ(large->parts, 4u);
  std::vector<StoredPart> all = first.parts;
  second.parts.assign(all.begin() + 2, all.end());
  first.parts.resize(2);
  ASSERT_TRUE(append(journal(), first));
  EXPECT_EQ(read_all(journal()).size(), 1u);
  EXPECT_EQ(journal().info().head.lsn, 1u);
  second.entries = {large, build().transaction("a")};
  ASSERT_TRUE(append(journal(), second));
  reopen();
  std::vector<ReadItem> items = read_all(journal());
  ASSERT_EQ(items.size(), 6u);
  for (std::uint32_t i = 0; i < 4; ++i) {
    EXPECT_EQ(items[1 + i].entry->lsn, 2u);
    EXPECT_EQ(items[1 + i].part_no, i);
    EXPECT_EQ(items[1 + i].part, all[i].bytes);
  }
  EXPECT_EQ(items[5].entry->lsn, 3u);
  Result<ReadPage> one = journal().read({2, 1}, 1000);
  ASSERT_TRUE(one) << "a page of one part, however small the limit";
  EXPECT_EQ(one->items.size(), 1u);
  EXPECT_EQ(one->next, (ReadCursor{2, 2}));
  EXPECT_EQ(journal().read({2, 4}, 1000).status().code(), Code::invalid);
}

TEST_P(JournalContract, Rule5DropPartsTakesOnlyOrphans) {
  open("a");
  Group kept;
  kept.entries = {build().large("a", 2, &kept.parts)};
  ASSERT_TRUE(append(journal(), kept));
  StreamBuilder abandoned = build();
  Group orphan;
  EntryPtr never = abandoned.large("a", 3, &orphan.parts);
  ASSERT_TRUE(append(journal(), orphan));
  ASSERT_TRUE(append(journal(), {{{StreamBuilder::key("a"), 1}}, {}, {}}));
  EXPECT_EQ(read_all(journal()).size(), 3u) << "parts of an entry that came are not orphans";
  ASSERT_TRUE(append(journal(), {{}, {}, {never}}));
  EXPECT_EQ(journal().read({3, 0}, 1000).status().code(), Code::corrupt)
      << "the orphans must be gone";
}

// What would have come, had it not been cut off: large transactions of three origins, of which the
// journal knows two.
struct CutOff {
  explicit CutOff(StreamBuilder later) {
    entries = {later.large("a", 3, &parts), later.large("b", 2, &parts), later.run("c")};
    entries.push_back(later.large("c", 2, &parts));
  }
  // The entries come after all, without parts: each must miss what was collected.
  void expect_gone(Journal& journal) {
    Lsn first = journal.info().head.lsn + 1;
    ASSERT_TRUE(append(journal, {{}, {}, entries}));
    for (Lsn lsn : {first, first + 1, first + 3})
      EXPECT_EQ(journal.read({lsn, 0}, 1000).status().code(), Code::corrupt) << lsn;
  }
  std::vector<StoredPart> parts;
  std::vector<EntryPtr> entries;
};

TEST_P(JournalContract, Rule5NoOrphanOutlivesARestart) {
  open("a");
  open("b");
  Group kept;
  kept.entries = {build().large("a", 2, &kept.parts)};
  ASSERT_TRUE(append(journal(), kept));
  CutOff cut_off(build());
  ASSERT_TRUE(append(journal(), {{}, cut_off.parts, {}}));
  reopen();
  EXPECT_EQ(read_all(journal()).size(), 4u) << "parts of an entry that came are not orphans";
  cut_off.expect_gone(journal());
}

TEST_P(JournalContract, Rule5NoOrphanOutlivesARecovery) {
  open("a");
  open("b");
  CutOff cut_off(build());
  Group before, failing;
  before.parts.assign(cut_off.parts.begin(), cut_off.parts.begin() + 2);
  failing.parts.assign(cut_off.parts.begin() + 2, cut_off.parts.end());
  ASSERT_TRUE(append(journal(), before));
  engine_->break_disk();
  EXPECT_FALSE(append(journal(), failing));
  engine_->repair_disk();
  ASSERT_TRUE(journal().recover());
  cut_off.expect_gone(journal());
}

TEST_P(JournalContract, Rule6TrimRemovesUpToAndNeverTheHead) {
  open("a");
  Group with_parts = build().group("a", 3);
  with_parts.entries.push_back(build().large("a", 2, &with_parts.parts));
  ASSERT_TRUE(append(journal(), with_parts));
  ASSERT_TRUE(append(journal(), build().group("a", 5)));
  Hash boundary = *journal().stream_hash_at(5);
  ASSERT_TRUE(journal().trim(5));
  EXPECT_EQ(journal().info().first_lsn, 6u);
  Result<ReadPage> below = journal().read({5, 0}, 1000);
  EXPECT_EQ(below.status().code(), Code::not_found);
  EXPECT_THAT(below.status().message(), HasSubstr("begins at 6"));
  EXPECT_EQ(journal().stream_hash_at(4).status().code(), Code::not_found);
  EXPECT_EQ(*journal().stream_hash_at(5), boundary) << "who stands right before it may go on";
  EXPECT_EQ(read_all(journal(), 6).size(), 5u);
  ASSERT_TRUE(journal().trim(2)) << "nothing left to trim is no error";
  ASSERT_TRUE(journal().trim(1000));
  EXPECT_EQ(journal().info().first_lsn, 10u);
  reopen();
  EXPECT_EQ(journal().info().first_lsn, 10u);
  EXPECT_EQ(read_all(journal(), 10).size(), 1u);
  EXPECT_EQ(journal().origins().size(), 1u) << "marks survive their entries";
  EXPECT_TRUE(append(journal(), build().group("a", 1)));
}

TEST_P(JournalContract, Rule7AfterAFailedAppendNothingUntilRecover) {
  open("a");
  ASSERT_TRUE(append(journal(), build().group("a", 2)));
  StreamBuilder failing = build();
  engine_->break_disk();
  Status full = append(journal(), failing.group("a", 3));
  EXPECT_EQ(full.code(), Code::exhausted) << full.message();
  engine_->repair_disk();
  EXPECT_FALSE(append(journal(), build_->group("a", 1))) << "not before recover()";
  EXPECT_EQ(read_all(journal()).size(), 3u) << "what was durable stays readable";
  Status recovered = journal().recover();
  ASSERT_TRUE(recovered) << recovered.message();
  EXPECT_EQ(journal().info().head.lsn, 3u) << "nothing is left of the failed group";
  reopen();
  EXPECT_EQ(journal().info().head.lsn, 3u) << "and nothing of it comes back";
  EXPECT_EQ(journal().origins()[0].lsn, 3u);
  EXPECT_TRUE(append(journal(), build().group("a", 4)));
  EXPECT_EQ(read_all(journal()).size(), 7u);
}

TEST_P(JournalContract, Rule8ReadersRunBesideTheWriter) {
  open("a");
  std::atomic<bool> stop = false;
  std::atomic<int> reads = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        JournalInfo info = journal().info();
        Result<ReadPage> page = journal().read({info.first_lsn, 0}, 20000);
        if (!page) {
          EXPECT_EQ(page.status().code(), Code::not_found) << page.status().message();
          continue;
        }
        Lsn expected = info.first_lsn;
        for (const ReadItem& item : page->items) EXPECT_EQ(item.entry->lsn, expected++);
        EXPECT_EQ(journal().origins().size(), 1u);
        ++reads;
      }
    });
  }
  // On a busy machine all of it can be written before a reader was ever scheduled.
  constexpr int kLeast = 200, kMost = 100'000, kReads = 20;
  for (int i = 0; i < kLeast || (i < kMost && reads < kReads); ++i) {
    EXPECT_TRUE(append(journal(), build().group("a", 10)));
    if (i % 10 == 9) {
      EXPECT_TRUE(journal().trim(i * 5));
    }
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_GE(reads, kReads);
}

std::vector<EngineMaker> engines() {
  return {
      {"memory", make_memory_engine},
      {"rocksdb", make_rocksdb_engine},
  };
}

INSTANTIATE_TEST_SUITE_P(Engines, JournalContract, ::testing::ValuesIn(engines()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace oltp20::hub::testing
