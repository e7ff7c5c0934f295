// A transaction's way from one database into another, with real processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/network.h"

namespace oltp20::test {
namespace {

using ::testing::HasSubstr;

const std::string kDb = "oltp20_framework";

class Path : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    a_ = new PostgresCluster({.settings = {{"max_prepared_transactions", "0"}}});
    b_ = new PostgresCluster;
    net_ = new Network;
    net_->add_spoke("a", *a_);
    net_->add_spoke("b", *b_);
    net_->start_hub();
    net_->start_spoke("a");
    net_->start_spoke("b");
    net_->wait_until_attached("a");
    net_->wait_until_attached("b");
  }
  static void TearDownTestSuite() {
    delete net_;
    delete a_;
    delete b_;
  }
  void SetUp() override { tag_ = "t" + std::to_string(++number_); }
  std::string send(const std::string& payload) const {
    return "insert into message.outgoing (type, payload) values ('" + tag_ + "', '" + payload +
           "');";
  }
  long arrived() const {
    return std::stol(
        b_->sql(kDb, "select count(*) from message.incoming where type = '" + tag_ + "'"));
  }
  void expect_arrivals(long count) const {
    EXPECT_TRUE(eventually(10, [&] { return arrived() >= count; })) << net_->logs();
    EXPECT_EQ(arrived(), count);
  }
  std::string payloads() const {
    return b_->sql(kDb,
                   "select string_agg(payload, ' ' order by seq, position) from "
                   "message.incoming where type = '" +
                       tag_ + "'");
  }

  static inline PostgresCluster *a_, *b_;
  static inline Network* net_;
  static inline int number_ = 0;
  std::string tag_;
};

TEST_F(Path, TheMissionsStatementArrivesExactlyAsItWasWritten) {
  a_->sql(kDb,
          "insert into message.outgoing (type, date, payload) values ('greeting', "
          "'2021-06-10', 'Ah-Ha!');");
  ASSERT_TRUE(eventually(10, [&] {
    return b_->sql(kDb, "select count(*) from message.incoming where type = 'greeting'") == "1";
  })) << net_->logs();
  EXPECT_EQ(b_->sql(kDb,
                    "select origin || '|' || date || '|' || payload from message.incoming "
                    "where type = 'greeting'"),
            "a|2021-06-10|Ah-Ha!");
  EXPECT_EQ(
      b_->sql(kDb, "select sent_at::text || id from message.incoming where type = 'greeting'"),
      a_->sql(kDb, "select sent_at::text || id from message.outgoing where type = 'greeting'"));
}

TEST_F(Path, RolledBackAndSavepointWorkIsCapturedExactly) {
  a_->sql(kDb, "begin;" + send("never") + "rollback;");
  a_->sql(kDb, "begin;" + send("1") + "savepoint s;" + send("no") + "rollback to s;" + send("2") +
                   "savepoint t;" + send("3") + "release t; commit;");
  expect_arrivals(3);
  EXPECT_EQ(payloads(), "1 2 3");
  EXPECT_EQ(
      b_->sql(kDb, "select count(distinct seq) from message.incoming where type = '" + tag_ + "'"),
      "1");
}

TEST_F(Path, ATransactionHeldOpenStallsNobody) {
  Process open({"psql", "-X", "-q", a_->url(kDb), "-c",
                "begin;" + send("held") + "select pg_sleep(4); commit;"},
               net_->path("open.log"));
  ASSERT_TRUE(eventually(3, [&] {
    return a_->sql(kDb,
                   "select count(*) from pg_stat_activity where query like '%pg_sleep(4)%' "
                   "and pid <> pg_backend_pid()") != "0";
  }));
  sleep_s(0.2);
  a_->sql(kDb, send("later"));
  EXPECT_TRUE(eventually(2, [&] { return arrived() == 1; })) << "it waits for the open transaction";
  EXPECT_TRUE(open.running()) << "the test is too slow to say anything";
  EXPECT_EQ(payloads(), "later");
  open.wait(10);
  expect_arrivals(2);
  EXPECT_EQ(payloads(), "later held");
}

TEST_F(Path, ARefusedTypeIsRecordedAtItsOrigin) {
  const std::string everything = net_->policy;
  auto reload = [&](const std::string& policy) {
    write_file(net_->path("policy.toml"), policy);
    Outcome done = net_->ctl({"policy", "reload"});
    EXPECT_EQ(done.exit_code, 0) << done.output;
  };
  reload("[[rule]]\nwho = \"spoke/*\"\npublish = [\"" + tag_ +
         "\"]\nsubscribe = [\">\"]\n[[rule]]\nwho = \"admin/*\"\nadmin = [\"read\", \"write\"]\n");
  a_->sql(kDb, "insert into message.outgoing (type, payload) values ('secret.plan', 'x')");
  a_->sql(kDb, send("behind it"));
  expect_arrivals(1);
  EXPECT_TRUE(
      eventually(5, [&] { return a_->sql(kDb, "select count(*) from oltp20.rejected") == "1"; }));
  EXPECT_THAT(a_->sql(kDb, "select code || ': ' || reason from oltp20.rejected"),
              HasSubstr("type_denied: the hub's policy does not let spoke/a publish type "
                        "secret.plan"));
  reload(everything);
}

TEST_F(Path, TheOperatorSeesIt) {
  Outcome status = net_->ctl({"status"});
  EXPECT_EQ(status.exit_code, 0) << status.output;
  EXPECT_THAT(status.output, HasSubstr("journal.head_lsn"));
  Outcome spokes = net_->ctl({"--json", "spokes", "list"});
  EXPECT_THAT(spokes.output, HasSubstr("\"name\":\"a\""));
  Outcome verify = net_->ctl({"journal", "verify"});
  EXPECT_EQ(verify.exit_code, 0) << verify.output;
  EXPECT_THAT(verify.output, HasSubstr("sound"));
  Outcome metrics = run(
      {"curl", "-fsS", "http://127.0.0.1:" + std::to_string(net_->http_port("hub")) + "/metrics"});
  EXPECT_THAT(metrics.output, HasSubstr("oltp20_hub_transactions_journaled_total"));
  Outcome health = run(
      {"curl", "-fsS", "http://127.0.0.1:" + std::to_string(net_->http_port("a")) + "/healthz"});
  EXPECT_EQ(health.exit_code, 0) << health.output;
}

TEST_F(Path, ProgramsEndWithinTheTimeAndLoseNothing) {
  EXPECT_EQ(net_->spoke("a").stop(), 0) << net_->logs();
  EXPECT_EQ(net_->hub().stop(), 0) << net_->logs();
  a_->sql(kDb, send("while all was down"));
  net_->start_hub();
  net_->start_spoke("a");
  expect_arrivals(1);
  Outcome verify = net_->ctl({"journal", "verify"});
  EXPECT_EQ(verify.exit_code, 0) << verify.output;
}

}  // namespace
}  // namespace oltp20::test
