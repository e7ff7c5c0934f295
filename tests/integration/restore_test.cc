// A database, or a hub, that is restored from a cold copy of its files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/support/network.h"

namespace oltp20::test {
namespace {

using ::testing::HasSubstr;

const std::string kDb = "oltp20_framework";

struct Restore : ::testing::Test {
  Restore() { net.start_pair(a, b); }
  static void send(PostgresCluster& cluster, const std::string& word, int from, int to) {
    for (int n = from; n <= to; ++n)
      cluster.sql(kDb, "insert into message.outgoing (type, payload) values ('x', '" + word +
                           std::to_string(n) + "')");
  }
  std::string received(PostgresCluster& at) {
    return at.sql(kDb, "select count(*) || ' ' || count(distinct payload) from message.incoming");
  }
  PostgresCluster a, b;
  Network net;
};

TEST_F(Restore, AnOriginsColdCopyGetsANewEpochAndNeitherLosesNorDoubles) {
  send(a, "before ", 1, 20);
  ASSERT_TRUE(eventually(10, [&] { return received(b) == "20 20"; })) << net.logs();
  sleep_s(1.5);  // confirmed, and written down
  net.spoke("a").stop();
  a.stop();
  std::unique_ptr<PostgresCluster> copy = a.cold_copy();
  a.start();
  net.start_spoke("a");
  net.wait_until_attached("a");
  send(a, "old life ", 1, 10);
  ASSERT_TRUE(eventually(10, [&] { return received(b) == "30 30"; })) << net.logs();
  net.spoke("a").stop();

  copy->start();
  send(*copy, "new life ", 1, 10);
  net.move_spoke("a", *copy);
  net.start_spoke("a");
  EXPECT_TRUE(eventually(20, [&] { return received(b) == "40 40"; })) << received(b) << net.logs();
  sleep_s(1);
  EXPECT_EQ(received(b), "40 40");
  EXPECT_EQ(copy->sql(kDb, "select count(*) from oltp20.epoch"), "2");
  EXPECT_EQ(b.sql(kDb, "select count(distinct epoch) from message.incoming"), "2");
  EXPECT_EQ(b.sql(kDb, "select count(*) from oltp20.gap"), "0");

  // The old life comes back: two databases claim to be this spoke.
  net.spoke("a").stop();
  send(a, "zombie ", 1, 3);
  net.move_spoke("a", a);
  net.start_spoke("a");
  EXPECT_TRUE(eventually(10, [&] {
    return net.spoke("a").log().find("oltp20ctl spokes adopt a") != std::string::npos;
  })) << net.logs();
  EXPECT_EQ(received(b), "40 40");
}

TEST_F(Restore, ADestinationsColdCopyGetsAgainWhatItLost) {
  send(a, "early ", 1, 10);
  ASSERT_TRUE(eventually(10, [&] { return received(b) == "10 10"; })) << net.logs();
  net.spoke("b").stop();
  b.stop();
  std::unique_ptr<PostgresCluster> copy = b.cold_copy();
  b.start();
  net.start_spoke("b");
  send(a, "late ", 1, 10);
  ASSERT_TRUE(eventually(10, [&] { return received(b) == "20 20"; })) << net.logs();
  net.spoke("b").stop();
  copy->start();
  net.move_spoke("b", *copy);
  net.start_spoke("b");
  EXPECT_TRUE(eventually(10, [&] { return received(*copy) == "20 20"; })) << net.logs();
}

TEST_F(Restore, AHubsColdCopyBeginsANewIncarnationWhenTold) {
  namespace fs = std::filesystem;
  auto stat = [&] {
    nlohmann::json out;
    EXPECT_TRUE(eventually(10, [&] {
      Outcome outcome = net.ctl({"--json", "journal", "stat"});
      if (outcome.exit_code != 0) return false;
      out = nlohmann::json::parse(outcome.output);
      return true;
    })) << net.logs();
    return out;
  };
  send(a, "before ", 1, 10);
  ASSERT_TRUE(eventually(10, [&] { return received(b) == "10 10"; })) << net.logs();
  nlohmann::json copied = stat();
  net.hub().stop();
  fs::copy(net.hub_data(), net.path("backup"), fs::copy_options::recursive);
  net.start_hub();
  send(a, "after ", 1, 10);
  ASSERT_TRUE(eventually(20, [&] { return received(b) == "20 20"; })) << net.logs();
  nlohmann::json lost = stat();
  net.hub().stop();

  fs::remove_all(net.hub_data());
  fs::rename(net.path("backup"), net.hub_data());
  Outcome wrong = run(
      {program("oltp20-hub"), "--config", net.config_of("hub"), "--restored", "--check-config"});
  EXPECT_EQ(wrong.exit_code, 2) << wrong.output;
  net.start_hub({}, {"--restored"});
  nlohmann::json now = stat();
  EXPECT_NE(now["incarnation"], lost["incarnation"]);
  EXPECT_EQ(now["parent"]["incarnation"], lost["incarnation"]);
  EXPECT_EQ(now["parent"]["lsn"], copied["head_lsn"]) << "as far as the copy went";
  EXPECT_THAT(net.hub().log(), HasSubstr("journal_restored"));
  send(a, "later ", 1, 10);
  EXPECT_TRUE(eventually(20, [&] { return received(b) == "30 30"; })) << received(b) << net.logs();
  EXPECT_EQ(b.sql(kDb, "select string_agg(origin || ':' || reason, ' ') from oltp20.gap"),
            ":hub hub has lost its stream or begun another, so what this database had not yet had "
            "of the old one behind lsn " +
                std::to_string(lost["head_lsn"].get<std::uint64_t>()) +
                " is known to its origins only");

  net.hub().stop();
  net.start_hub();
  EXPECT_EQ(stat()["incarnation"], now["incarnation"]) << "once only";
}

TEST_F(Restore, ASecondAgentOnOneDatabaseDoesNotRun) {
  Process second({program("oltp20-spoke"), "--config", net.config_of("a"), "--set",
                  "http.listen=127.0.0.1:" + std::to_string(free_port())},
                 net.path("second.log"));
  EXPECT_TRUE(eventually(10, [&] {
    return second.log().find("forward_stalled") != std::string::npos ||
           second.log().find("outbox_lost") != std::string::npos;
  })) << second.log();
  EXPECT_THAT(second.log(), HasSubstr("agent"));
  send(a, "still the first ", 1, 5);
  EXPECT_TRUE(eventually(5, [&] { return received(b) == "5 5"; })) << net.logs();
}

}  // namespace
}  // namespace oltp20::test
