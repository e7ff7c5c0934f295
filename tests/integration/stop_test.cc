// SIGTERM ends an agent within ten seconds, also when somebody holds what it waits for.
#include <gtest/gtest.h>

#include <pqxx/pqxx>

#include "tests/support/network.h"

namespace oltp20::test {
namespace {

const std::string kDb = "oltp20_framework";
const std::string kWaiting =
    "select count(*) from pg_stat_activity where application_name = 'oltp20-spoke ";

class Stop : public ::testing::Test {
 protected:
  void SetUp() override {
    net_.add_spoke("a", a_);
    net_.add_spoke("b", b_);
    net_.start_hub();
    net_.start_spoke("a");
    net_.start_spoke("b");
    net_.wait_until_attached("a");
    net_.wait_until_attached("b");
  }
  void send() {
    a_.sql(kDb, "insert into message.outgoing (type, payload) values ('greeting', 'one')");
  }
  static bool waits(const PostgresCluster& cluster, const std::string& session) {
    return eventually(10, [&] {
      return cluster.sql(kDb, kWaiting + session + "' and wait_event_type = 'Lock'") != "0";
    });
  }

  PostgresCluster a_, b_;
  Network net_;
};

TEST_F(Stop, WhileSomebodyLocksTheMarks) {
  pqxx::connection connection(b_.url(kDb));
  pqxx::work lock(connection);
  lock.exec("lock table oltp20.mark in access exclusive mode");
  send();
  ASSERT_TRUE(waits(b_, "inbox")) << net_.logs();
  EXPECT_EQ(net_.spoke("b").stop(10), 0) << net_.logs();
  lock.abort();
  EXPECT_EQ(b_.sql(kDb, "select count(*) from message.incoming"), "0") << "nothing by halves";
  net_.start_spoke("b");
  EXPECT_TRUE(
      eventually(20, [&] { return b_.sql(kDb, "select count(*) from message.incoming") == "1"; }));
}

// Capture waits, and once it is cancelled the last checkpoint would wait, too.
TEST_F(Stop, WhileSomebodyLocksTicksAndCheckpoints) {
  pqxx::connection connection(a_.url(kDb));
  pqxx::work lock(connection);
  lock.exec("lock table oltp20.tick, oltp20.checkpoint in access exclusive mode");
  send();
  ASSERT_TRUE(waits(a_, "outbox")) << net_.logs();
  EXPECT_EQ(net_.spoke("a").stop(10), 0) << net_.logs();
  lock.abort();
  net_.start_spoke("a");
  EXPECT_TRUE(
      eventually(20, [&] { return b_.sql(kDb, "select count(*) from message.incoming") == "1"; }));
}

}  // namespace
}  // namespace oltp20::test
