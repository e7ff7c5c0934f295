// Verification finds what was done to a journal: through the interface, and in real files.
#include "hub/journal/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "hub/journal/memory_journal.h"
#include "hub/journal/rocksdb/keys.h"
#include "hub/journal/rocksdb/verify_directory.h"
#include "tests/hub/journal/rocksdb_files.h"
#include "tests/hub/journal/rocksdb_fixture.h"
#include "tests/hub/journal/stream_builder.h"

namespace oltp20::hub::testing {
namespace {

using store::Space;
using ::testing::HasSubstr;
using Kind = Finding::Kind;
constexpr Lsn kAll = ~Lsn{0};

std::string described(const VerifyReport& report) {
  std::string out;
  for (const Finding& finding : report.findings)
    out += std::string(finding_name(finding.kind)) + ": " + finding.sentence + "\n";
  return out;
}

bool has(const VerifyReport& report, Lsn lsn, Kind kind) {
  for (const Finding& finding : report.findings)
    if (finding.lsn == lsn && finding.kind == kind) return true;
  return false;
}

class VerifyFilesTest : public ::testing::Test {
 protected:
  // Entries 1: run; 2 … 11: transactions of "a"; 12: one of three parts; 13 … 22: more.
  void SetUp() override {
    std::unique_ptr<Journal> journal = open_journal(path());
    StreamBuilder build(*journal);
    ASSERT_TRUE(append(*journal, {{}, {}, {build.run("a")}}));
    ASSERT_TRUE(append(*journal, build.group("a", 10)));
    Group large;
    large.entries = {build.large("a", 3, &large.parts)};
    ASSERT_TRUE(append(*journal, large));
    ASSERT_TRUE(append(*journal, build.group("a", 10)));
  }
  VerifyReport check() {
    Result<DirectoryReport> report = verify_directory(path(), {});
    EXPECT_TRUE(report) << report.status().message();
    if (!report || report->incarnations.empty()) return {};
    return report->incarnations.back();
  }
  // What the running hub sees.
  VerifyReport check_online() {
    std::unique_ptr<Journal> journal = open_journal(path());
    Result<VerifyReport> report = verify(*journal, 1, kAll, {});
    EXPECT_TRUE(report) << report.status().message();
    return *report;
  }
  static std::string key(Lsn lsn) { return store::lsn_key(Space::entry, 1, lsn); }
  std::string bytes(Lsn lsn) { return raw_get(path(), key(lsn)).value(); }
  void change_entry(Lsn lsn, std::function<void(Entry&)> change) {
    Entry entry = *decode_entry(bytes(lsn));
    change(entry);
    raw_put(path(), key(lsn), encode_entry(entry));
  }
  const std::string& path() const { return directory_.path(); }

  TemporaryDirectory directory_;
};

TEST_F(VerifyFilesTest, UntouchedJournalIsSoundAndStaysUntouched) {
  std::string before = fingerprint(path());
  VerifyReport report = check();
  EXPECT_TRUE(report.is_sound()) << described(report);
  EXPECT_EQ(report.entries, 22u);
  EXPECT_EQ(report.parts, 20u + 3u);
  EXPECT_EQ(report.from, 1u);
  EXPECT_EQ(report.to, 22u);
  EXPECT_EQ(fingerprint(path()), before);
  VerifyReport online = check_online();
  EXPECT_TRUE(online.is_sound()) << described(online);
  EXPECT_EQ(online.entries, 22u);
  EXPECT_EQ(online.parts, 23u);
}

TEST_F(VerifyFilesTest, TrimmedJournalIsSound) {
  ASSERT_TRUE(open_journal(path())->trim(15));
  VerifyReport report = check();
  EXPECT_TRUE(report.is_sound()) << described(report);
  EXPECT_EQ(report.from, 16u);
  EXPECT_TRUE(check_online().is_sound());
}

TEST_F(VerifyFilesTest, FindsAChangedByteOfAnEntry) {
  change_entry(5, [](Entry& entry) { entry.received_us ^= 1; });
  for (const VerifyReport& report : {check(), check_online()}) {
    EXPECT_TRUE(has(report, 5, Kind::changed)) << described(report);
    EXPECT_EQ(report.findings.size(), 1u) << "one damage, one finding: " << described(report);
  }
}

TEST_F(VerifyFilesTest, FindsAChangedByteOfAPayload) {
  change_entry(5, [](Entry& entry) { entry.part[entry.part.size() - 10] ^= 1; });
  for (const VerifyReport& report : {check(), check_online()})
    EXPECT_TRUE(has(report, 5, Kind::content)) << described(report);
}

TEST_F(VerifyFilesTest, FindsAChangedByteOfALargePart) {
  std::string part = store::part_key(1, StreamBuilder::key("a"), 11, 1);
  std::string content = raw_get(path(), part).value();
  content[content.size() / 2] ^= 1;
  raw_put(path(), part, content);
  for (const VerifyReport& report : {check(), check_online()})
    EXPECT_TRUE(has(report, 12, Kind::content)) << described(report);
}

TEST_F(VerifyFilesTest, FindsAMissingPart) {
  raw_delete(path(), store::part_key(1, StreamBuilder::key("a"), 11, 2));
  EXPECT_TRUE(has(check(), 12, Kind::content));
  EXPECT_FALSE(check_online().is_sound());
}

TEST_F(VerifyFilesTest, FindsAMissingEntry) {
  raw_delete(path(), key(7));
  VerifyReport report = check();
  EXPECT_TRUE(has(report, 7, Kind::missing)) << described(report);
  VerifyReport online = check_online();
  EXPECT_TRUE(has(online, 7, Kind::unreadable)) << described(online);
  EXPECT_EQ(online.entries, 22u) << "it goes on behind what is missing";
}

TEST_F(VerifyFilesTest, FindsReorderedEntries) {
  std::string five = bytes(5), six = bytes(6);
  raw_put(path(), key(5), six);
  raw_put(path(), key(6), five);
  VerifyReport report = check();
  EXPECT_TRUE(has(report, 5, Kind::reordered)) << described(report);
  EXPECT_TRUE(has(report, 6, Kind::reordered)) << described(report);
  EXPECT_TRUE(has(check_online(), 5, Kind::unreadable));
}

TEST_F(VerifyFilesTest, FindsReorderedEntriesWhoseNumbersWereForged) {
  Entry five = *decode_entry(bytes(5)), six = *decode_entry(bytes(6));
  std::swap(five.lsn, six.lsn);
  raw_put(path(), key(5), encode_entry(six));
  raw_put(path(), key(6), encode_entry(five));
  VerifyReport report = check();
  EXPECT_TRUE(has(report, 5, Kind::changed)) << described(report);
  EXPECT_TRUE(has(report, 5, Kind::link)) << described(report);
}

TEST_F(VerifyFilesTest, FindsAForgedEntryWithItsHashesMadeAnew) {
  // Whoever rewrites an entry with its stream hash contradicts the next one.
  change_entry(5, [&](Entry& entry) {
    entry.routes = {{"payment", ""}};
    entry.stream = Hash{};
  });
  VerifyReport report = check();
  EXPECT_TRUE(has(report, 5, Kind::changed)) << described(report);
  EXPECT_TRUE(has(report, 6, Kind::changed)) << described(report);
}

TEST_F(VerifyFilesTest, FindsABrokenOriginChain) {
  change_entry(5, [](Entry& entry) { entry.chain.bytes[0] ^= 1; });
  EXPECT_TRUE(has(check(), 5, Kind::origin));
}

TEST_F(VerifyFilesTest, FindsACutTail) {
  cut_file(newest_log(path()), 40);
  VerifyReport report = check();
  // The last group of ten was torn off.
  EXPECT_TRUE(has(report, 13, Kind::cut)) << described(report);
  std::unique_ptr<Journal> journal = open_journal(path());
  EXPECT_NE(journal->info().loss, "");
  journal.reset();
  Result<DirectoryReport> after = verify_directory(path(), {});
  ASSERT_TRUE(after);
  EXPECT_TRUE(after->is_sound());
  ASSERT_EQ(after->notes.size(), 1u) << "the loss is still told";
  EXPECT_EQ(after->incarnations.size(), 2u);
}

TEST_F(VerifyFilesTest, FindsATailThatWasDeletedNeatly) {
  for (Lsn lsn = 18; lsn <= 22; ++lsn) raw_delete(path(), key(lsn));
  VerifyReport report = check();
  EXPECT_TRUE(has(report, 22, Kind::cut)) << described(report);
  EXPECT_TRUE(has(report, 18, Kind::missing)) << described(report);
}

TEST_F(VerifyFilesTest, NamesTheEntriesInADamagedBlock) {
  {
    std::unique_ptr<Journal> journal = open_journal(path());
    StreamBuilder build(*journal);
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(append(*journal, build.group("a", 20)));
  }
  flush_tables(path());
  flip_bit(some_table(path()), 20'000);
  VerifyReport report = check();
  EXPECT_FALSE(report.is_sound());
  EXPECT_THAT(described(report), HasSubstr(".sst"));
  EXPECT_EQ(report.entries, 1022u) << "what is not damaged is checked all the same";
  EXPECT_LT(report.findings.size(), 200u) << described(report);
}

TEST_F(VerifyFilesTest, DamagedLogIsNamed) {
  std::string log = newest_log(path());
  flip_bit(log, file_size(log) / 2);
  Result<DirectoryReport> report = verify_directory(path(), {});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.status().code(), Code::corrupt);
  EXPECT_THAT(report.status().message(), HasSubstr(log));
}

TEST_F(VerifyFilesTest, FindsAForgedOriginRecordByItsEntries) {
  const std::vector<std::pair<std::function<void(OriginState&)>, std::string>> forgeries = {
      {[](OriginState& state) { state.last.seq -= 5; }, "says seq 16"},
      {[](OriginState& state) { state.last.seq += 5; }, "says seq 26"},
      {[](OriginState& state) { state.last.chain = Hash::from("x"); }, "another chain hash"},
      {[](OriginState& state) { state.lsn = 20; }, "at entry 20"},
      {[](OriginState& state) { state.base = 3; }, "base than its run"},
      {[](OriginState& state) { state.life.parent = Epoch::from("x"); }, "another parent"}};
  const OriginState truth = get_origin(path());
  for (const auto& [forge, sentence] : forgeries) {
    put_origin(path(), forge);
    for (const VerifyReport& report : {check(), check_online()}) {
      EXPECT_THAT(described(report), HasSubstr("record: the record of origin a in epoch"));
      EXPECT_THAT(described(report), HasSubstr(sentence));
      EXPECT_EQ(report.findings.size(), 1u) << described(report);
    }
    put_origin(path(), [&](OriginState& state) { state = truth; });
  }
  EXPECT_TRUE(check().is_sound());
}

TEST_F(VerifyFilesTest, FindsAChangedOrRemovedOriginRecordAndDoesNotOpenOnIt) {
  OriginState state = get_origin(path());
  const std::string where = store::origin_key(1, {state.origin, state.life.id});
  const std::string truth = raw_get(path(), where).value();
  SecureRandom random;
  auto opens = [&] {
    return open_rocksdb_journal({.directory = path(), .hub = "eu-west"}, random).status();
  };
  std::string changed = truth;
  changed[changed.size() - 50] ^= 1;
  raw_put(path(), where, changed);
  EXPECT_THAT(described(check()), HasSubstr("record: the record of origin a was changed"));
  EXPECT_EQ(opens().code(), Code::corrupt);
  EXPECT_THAT(opens().message(), HasSubstr("record of origin a in epoch"));

  raw_delete(path(), where);
  EXPECT_TRUE(has(check(), 22, Kind::record)) << described(check());
  EXPECT_EQ(opens().code(), Code::corrupt);

  raw_put(path(), where, truth);
  put_origin(path(), [](OriginState& record) { record.lsn = 23; });
  EXPECT_THAT(described(check()), HasSubstr("behind the head"));
  EXPECT_EQ(opens().code(), Code::corrupt);
}

// Of an origin whose entries are all trimmed only the seals can tell.
TEST_F(VerifyFilesTest, FindsWhatWasDoneToTheRecordOfATrimmedOrigin) {
  OriginState state = get_origin(path());
  const std::string where = store::origin_key(1, {state.origin, state.life.id});
  const std::string earlier = raw_get(path(), where).value();
  {
    std::unique_ptr<Journal> journal = open_journal(path());
    StreamBuilder build(*journal);
    ASSERT_TRUE(append(*journal, build.group("a", 1)));
    ASSERT_TRUE(append(*journal, {{}, {}, {build.run("b"), build.transaction("b")}}));
    ASSERT_TRUE(journal->trim(23));
  }
  ASSERT_TRUE(check().is_sound()) << described(check());
  const std::string truth = raw_get(path(), where).value();
  std::string changed = truth;
  changed[changed.size() - 50] ^= 1;
  const std::string sealed = "the origins' records are not those of the head";
  raw_put(path(), where, changed);
  EXPECT_THAT(described(check()), HasSubstr("its seal is broken"));
  raw_put(path(), where, earlier);
  EXPECT_THAT(described(check()), HasSubstr(sealed));
  raw_delete(path(), where);
  EXPECT_THAT(described(check()), HasSubstr(sealed));
  raw_put(path(), where, truth);
  EXPECT_TRUE(check().is_sound());
  EXPECT_TRUE(check_online().is_sound());
}

TEST_F(VerifyFilesTest, RunningHubIsLeftAlone) {
  std::unique_ptr<Journal> journal = open_journal(path());
  Result<DirectoryReport> report = verify_directory(path(), {});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.status().code(), Code::conflict);
  EXPECT_THAT(report.status().message(), HasSubstr("oltp20ctl journal verify"));
}

TEST(VerifyTest, RangeProgressAndStop) {
  SeededRandom random(1);
  MemoryJournal journal("eu-west", random);
  StreamBuilder build(journal);
  ASSERT_TRUE(append(journal, {{}, {}, {build.run("a")}}));
  ASSERT_TRUE(append(journal, build.group("a", 5000)));
  Result<VerifyReport> part = verify(journal, 100, 200, {});
  ASSERT_TRUE(part);
  EXPECT_TRUE(part->is_sound()) << described(*part);
  EXPECT_EQ(part->entries, 101u);
  int calls = 0;
  Result<VerifyReport> stopped = verify(journal, 1, kAll, [&](Lsn, Lsn to) {
    EXPECT_EQ(to, 5001u);
    return ++calls < 2;
  });
  ASSERT_TRUE(stopped);
  EXPECT_EQ(calls, 2);
  EXPECT_TRUE(stopped->stopped);
  EXPECT_TRUE(stopped->is_sound()) << described(*stopped);
  EXPECT_LT(stopped->entries, 5001u);
}

}  // namespace
}  // namespace oltp20::hub::testing
