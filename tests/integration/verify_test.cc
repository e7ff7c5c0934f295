// A journal that was tampered with, and what the two programs say of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "hub/journal/rocksdb/keys.h"
#include "tests/hub/journal/rocksdb_files.h"
#include "tests/support/network.h"

namespace oltp20::test {
namespace {

using ::testing::HasSubstr;
namespace files = hub::testing;

const std::string kDb = "oltp20_framework";
constexpr int kTransactions = 40;
constexpr Lsn kHead = kTransactions + 1;  // and the run record

std::string key(Lsn lsn) {
  return hub::store::lsn_key(hub::store::Space::entry, 1, lsn);
}

class Verify : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    net_ = new Network;
    PostgresCluster a;
    net_->add_spoke("a", a);
    net_->start_hub();
    net_->start_spoke("a");
    net_->wait_until_attached("a");
    for (int n = 1; n <= kTransactions; ++n)
      a.sql(kDb, "insert into message.outgoing (type, payload) values ('x', 'payload " +
                     std::to_string(n) + "')");
    bool all = eventually(10, [] { return head() == kHead; });
    if (!all) throw std::runtime_error(net_->logs());
    net_->spoke("a").stop();
    net_->hub().stop();
    files::flush_tables(net_->hub_data());
  }
  static void TearDownTestSuite() { delete net_; }

  void SetUp() override {
    directory_ = net_->path("damaged-" + std::to_string(++number_));
    std::filesystem::copy(net_->hub_data(), directory_, std::filesystem::copy_options::recursive);
  }
  static Lsn head() {
    Outcome stat = net_->ctl({"--json", "journal", "stat"});
    return stat.exit_code == 0 ? nlohmann::json::parse(stat.output).value("head_lsn", Lsn{0}) : 0;
  }
  std::vector<std::string> hub(std::vector<std::string> more) const {
    std::vector<std::string> out = {program("oltp20-hub"), "--config", net_->config_of("hub"),
                                    "--set", "hub.data_dir=" + directory_};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  // Of the stopped hub's files, then of the hub that runs on them.
  Outcome offline() const { return run(hub({"verify"}), 30); }
  Outcome online() const {
    Process running(hub({}), directory_ + ".log");
    Outcome outcome;
    EXPECT_TRUE(eventually(10, [&] {
      outcome = net_->ctl({"journal", "verify"});
      return outcome.exit_code != 3;  // it has come up
    })) << running.log();
    EXPECT_EQ(running.stop(), 0);
    return outcome;
  }
  template <typename Matcher>
  static void expect_found(const Outcome& outcome, const Matcher& what) {
    EXPECT_EQ(outcome.exit_code, 1) << outcome.output;
    EXPECT_THAT(outcome.output, what);
  }
  std::string bytes(Lsn lsn) const { return files::raw_get(directory_, key(lsn)).value(); }

  static inline Network* net_;
  static inline int number_ = 0;
  std::string directory_;
};

TEST_F(Verify, AnUntouchedJournalIsSound) {
  for (const Outcome& outcome : {offline(), online()}) {
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("sound"));
  }
}

TEST_F(Verify, AChangedByteIsFound) {
  std::string entry = bytes(20);
  entry[entry.find("payload 19")] ^= 1;
  files::raw_put(directory_, key(20), entry);
  for (const Outcome& outcome : {offline(), online()})
    expect_found(outcome, HasSubstr("entry 20: the rows of a/19 are not those that its hash was "
                                    "taken over"));
}

TEST_F(Verify, AFlippedBitOnTheDiskIsFound) {
  files::flip_bit(files::some_table(directory_), 2000);
  for (const Outcome& outcome : {offline(), online()})
    expect_found(outcome, HasSubstr("unreadable"));
}

TEST_F(Verify, AMissingEntryIsFound) {
  files::raw_delete(directory_, key(20));
  for (const Outcome& outcome : {offline(), online()}) expect_found(outcome, HasSubstr("entry 20"));
}

TEST_F(Verify, ReorderedEntriesAreFound) {
  const std::string one = bytes(20), other = bytes(21);
  files::raw_put(directory_, key(20), other);
  files::raw_put(directory_, key(21), one);
  for (const Outcome& outcome : {offline(), online()}) {
    expect_found(outcome, HasSubstr("entry 20"));
    EXPECT_THAT(outcome.output, HasSubstr("entry 21"));
  }
}

// What says where an origin resumes, with its seal made anew.
TEST_F(Verify, AForgedRecordOfAnOriginIsFound) {
  files::put_origin(directory_, [](hub::OriginState& state) { state.last.seq -= 5; });
  for (const Outcome& outcome : {offline(), online()})
    expect_found(outcome, HasSubstr("says seq 35 at entry 41, its entries say seq 40 at entry 41"));
}

TEST_F(Verify, AChangedRecordOfAnOriginIsFoundAndNotBelieved) {
  hub::OriginState state = files::get_origin(directory_);
  const std::string where = hub::store::origin_key(1, {state.origin, state.life.id});
  std::string record = files::raw_get(directory_, where).value();
  record[record.size() - 50] ^= 1;
  files::raw_put(directory_, where, record);
  expect_found(offline(), HasSubstr("its seal is broken"));
  Outcome refused = run(hub({}), 30);
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.output, HasSubstr("the record of origin a"));
  EXPECT_THAT(refused.output, HasSubstr("Nothing was deleted"));
}

// The newest three entries, with the head moved back as if they had never been.
TEST_F(Verify, ACutTailIsFound) {
  for (Lsn lsn = kHead - 2; lsn <= kHead; ++lsn) files::raw_delete(directory_, key(lsn));
  hub::Entry last = *hub::decode_entry(bytes(kHead - 3));
  files::put_origin(directory_, [&](hub::OriginState& state) {
    state.last = {last.seq, last.chain};
    state.lsn = last.lsn;
  });
  files::put_head(directory_, last.lsn, last.stream);
  const std::string lost = std::to_string(kHead - 2) + " to " + std::to_string(kHead);
  expect_found(offline(), HasSubstr("entry " + std::to_string(kHead - 2) + ": it and all up to " +
                                    std::to_string(kHead) + " were acknowledged and are missing"));
  expect_found(online(), HasSubstr("acknowledged entries " + lost + " are missing"));
}

}  // namespace
}  // namespace oltp20::test
