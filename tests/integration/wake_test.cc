// How an agent sleeps and wakes: without a stall, without a cost to the application, and never in
// the way of PREPARE TRANSACTION.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <pqxx/pqxx>

#include "tests/support/network.h"

namespace oltp20::test {
namespace {

const std::string kDb = "oltp20_framework";

struct Pair {
  explicit Pair(const ClusterOptions& options = {}) : a(options) { net.start_pair(a, b); }
  PostgresCluster a, b;
  Network net;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// From the insert's own clock to the destination's, both on this machine.
double latency_ms(Pair& pair, pqxx::connection& source, int n) {
  {
    pqxx::nontransaction work(source);
    work.exec("insert into message.outgoing (type, payload) values ('lone', '" + std::to_string(n) +
              "')");
  }
  std::string ms;
  EXPECT_TRUE(eventually(5, [&] {
    ms = pair.b.sql(kDb,
                    "select extract(epoch from received_at - sent_at) * 1000 from "
                    "message.incoming where payload = '" +
                        std::to_string(n) + "'");
    return !ms.empty();
  })) << pair.net.logs();
  return ms.empty() ? 1e9 : std::stod(ms);
}

TEST(Wake, ALoneMessageAfterIdlenessIsAsFastAsOneInSteadyFlow) {
  Pair pair;
  pqxx::connection source(pair.a.url(kDb));
  int n = 0;
  for (int i = 0; i < 20; ++i) latency_ms(pair, source, ++n);  // warm
  // A stall in a link is in every round; what else the machine does is in some.
  constexpr int kRounds = 3;
  double least_excess = 1e9;
  for (int round = 0; round < kRounds && least_excess >= 3.0; ++round) {
    std::vector<double> steady, lone;
    for (int i = 0; i < 60; ++i) {
      steady.push_back(latency_ms(pair, source, ++n));
      sleep_s(0.01);
    }
    for (int i = 0; i < 7; ++i) {
      sleep_s(5);
      lone.push_back(latency_ms(pair, source, ++n));
    }
    std::printf("steady p50 %.2f ms, after 5 s idle p50 %.2f ms\n", median(steady), median(lone));
    least_excess = std::min(least_excess, median(lone) - median(steady));
  }
  EXPECT_LT(least_excess, 3.0);
}

TEST(Wake, AnAgentKilledAsleepCostsOneNotification) {
  Pair pair;
  sleep_s(1);  // it sleeps now
  pair.net.spoke("a").kill9();
  pqxx::connection listener(pair.a.url(kDb));
  struct Count : pqxx::notification_receiver {
    using notification_receiver::notification_receiver;
    int seen = 0;
    void operator()(const std::string&, int) override { ++seen; }
  };
  Count count(listener, "oltp20_outbox");
  pqxx::connection writer(pair.a.url(kDb));
  for (int n = 0; n < 50; ++n) {
    pqxx::nontransaction work(writer);
    work.exec("insert into message.outgoing (type, payload) values ('x', 'y')");
  }
  for (int i = 0; i < 20; ++i) {
    listener.get_notifs();
    sleep_s(0.02);
  }
  EXPECT_EQ(count.seen, 1);
  pair.net.start_spoke("a");
  EXPECT_TRUE(eventually(
      10, [&] { return pair.b.sql(kDb, "select count(*) from message.incoming") == "50"; }));
}

TEST(Wake, PrepareTransactionSucceedsAwakeAsleepAndDead) {
  Pair pair({.settings = {{"max_prepared_transactions", "10"}}});
  auto prepare = [&](const std::string& name) {
    pair.a.sql(kDb, "begin; insert into message.outgoing (type, payload) values ('p', '" + name +
                        "'); prepare transaction '" + name + "'");
  };
  for (int i = 0; i < 20; ++i)  // awake: in the middle of traffic
    pair.a.sql(kDb, "insert into message.outgoing (type, payload) values ('t', 'x')");
  EXPECT_NO_THROW(prepare("awake"));
  sleep_s(2);
  EXPECT_NO_THROW(prepare("asleep"));
  pair.net.spoke("a").kill9();
  EXPECT_NO_THROW(prepare("dead"));
  pair.net.start_spoke("a");
  pair.net.wait_until_attached("a");
  sleep_s(0.5);
  EXPECT_EQ(pair.b.sql(kDb, "select count(*) from message.incoming where type = 'p'"), "0");
  for (const char* name : {"dead", "awake"})
    pair.a.sql(kDb, "commit prepared '" + std::string(name) + "'");
  pair.a.sql(kDb, "rollback prepared 'asleep'");
  EXPECT_TRUE(eventually(10, [&] {
    return pair.b.sql(kDb,
                      "select string_agg(payload, ' ' order by payload) from message.incoming "
                      "where type = 'p'") == "awake dead";
  })) << pair.net.logs();
}

}  // namespace
}  // namespace oltp20::test
