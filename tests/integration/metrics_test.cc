// Every metric of the tables, on the real path: that it is there, that it is set somewhere, and
// that counters say exactly what happened.
#include "hub/observe/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <set>

#include "spoke/observe/metrics.h"
#include "tests/support/network.h"
#include "tests/support/scrape.h"

namespace oltp20::test {
namespace {

const std::string kDb = "oltp20_framework";
const std::string kHub = "oltp20_hub_", kSpoke = "oltp20_spoke_";

// What stays 0 in this run, and why. Everything else of the tables must be seen with a value.
const std::map<std::string, std::string> kNeverSet = {
    {"oltp20_hub_transactions_relayed_total", "there is one hub"},
    {"oltp20_hub_bytes_relayed_total", "there is one hub"},
    {"oltp20_hub_path_changes_total", "there is one hub"},
};
// Whose series are checked by name: the hub's queues are as a rule empty when it looks, and nothing
// here holds retention back for good (tests/spoke/database/retention_test.cc does), nor fills the
// hub's room for receipts (tests/core/receipts_test.cc does).
const std::set<std::string> kMayBeZero = {"oltp20_hub_queue_depth",
                                          "oltp20_hub_receipts_dropped_total",
                                          "oltp20_spoke_retention_held_back"};

class MetricsRun : public ::testing::Test {
 protected:
  MetricsRun() {
    net.policy =
        "[[rule]]\nwho = \"spoke/*\"\npublish = [\"greeting\"]\nsubscribe = [\">\"]\n"
        "[[rule]]\nwho = \"admin/*\"\nadmin = [\"read\", \"write\"]\n";
    net.add_spoke("a", a);
    net.add_spoke("b", b);
  }
  // A page; what is set on it counts as seen.
  Scrape look(const std::string& name) {
    Scrape page = scrape(net.http_port(name));
    for (const auto& rows : {rows_of(hub::kHubMetricTable), rows_of(spoke::kSpokeMetricTable)})
      for (const std::string& metric : rows)
        if (page.is_set(metric)) seen.insert(metric);
    return page;
  }
  double value(const std::string& name, const std::string& series) {
    return look(name).value((name == "hub" ? kHub : kSpoke) + series);
  }
  // While a program starts it does not answer, or does not know yet.
  double value_or_nan(const std::string& name, const std::string& series) {
    try {
      return value(name, series);
    } catch (const std::runtime_error&) {
      return NAN;
    }
  }
  // Until it is at least so much; what it was then.
  double at_least(const std::string& name, const std::string& series, double wanted,
                  double seconds = 10) {
    double last = NAN;
    eventually(seconds, [&] { return (last = value_or_nan(name, series)) >= wanted; });
    EXPECT_GE(last, wanted) << name << " " << series << "\n" << net.logs();
    return last;
  }
  void becomes(const std::string& name, const std::string& series, double wanted,
               double seconds = 10) {
    double last = NAN;
    eventually(seconds, [&] { return (last = value_or_nan(name, series)) == wanted; });
    EXPECT_EQ(last, wanted) << name << " " << series << "\n" << net.logs();
  }
  template <typename Table>
  static std::vector<std::string> rows_of(const Table& table) {
    std::vector<std::string> out;
    for (const MetricRow& row : table) out.emplace_back(row.name);
    return out;
  }
  void send(int count, const std::string& payload = "0123456789") {
    for (int i = 0; i < count; ++i)
      a.sql(kDb,
            "insert into message.outgoing (type, payload) values ('greeting', '" + payload + "')");
  }
  void start(const std::string& name) {
    net.start_spoke(name);
    net.wait_until_attached(name);
  }

  void refuse_one_and_discard_what_follows();
  void count_a_large_transaction_once();
  void put_one_aside();
  void deliver_again();
  void hold_one_back();
  void check_sums();
  void block_the_destination();
  void send_a_destination_away();
  void deny();
  void freeze_the_hub();
  void stop_the_hub();
  void check_tables(const std::string& name, const std::vector<std::string>& rows);

  PostgresCluster a, b;
  Network net;
  std::set<std::string> seen;
};

// The first of eleven transactions is refused while the others are under way behind it. Nothing is
// captured before a hub is there, so all eleven are of one tick.
void MetricsRun::refuse_one_and_discard_what_follows() {
  net.start_spoke("a");
  net.start_spoke("b");
  ASSERT_TRUE(eventually(10, [&] {
    return net.spoke("a").log().find("outbox_open") != std::string::npos;
  })) << net.logs();
  a.sql(kDb, "insert into message.outgoing (type, payload) values ('secret', 'plan')");
  send(10);
  net.start_hub();
  becomes("b", "transactions_applied_total", 10, 20);
  becomes("a", "transactions_journaled_total", 11);

  Scrape origin = look("a"), hub = look("hub"), destination = look("b");
  EXPECT_EQ(origin.value(kSpoke + "transactions_captured_total"), 11);
  EXPECT_EQ(origin.value(kSpoke + "bytes_captured_total"), 104);
  EXPECT_EQ(origin.value(kSpoke + "capture_tick_seconds_count"), 1);
  EXPECT_EQ(origin.value(kSpoke + "transactions_forwarded_total"), 22);
  EXPECT_EQ(origin.value(kSpoke + "transactions_rejected_total{reason=\"type_denied\"}"), 1);
  EXPECT_EQ(origin.value(kSpoke + "commit_to_journaled_seconds_count"), 10);
  EXPECT_EQ(hub.value(kHub + "transactions_received_total"), 22);
  EXPECT_EQ(hub.value(kHub + "bytes_received_total"),
            origin.value(kSpoke + "bytes_forwarded_total"));
  EXPECT_EQ(hub.value(kHub + "transactions_rejected_total"), 1);
  EXPECT_EQ(hub.value(kHub + "bytes_rejected_total"),
            origin.value(kSpoke + "bytes_rejected_total"));
  EXPECT_EQ(hub.value(kHub + "denied_total{who=\"spoke/a\",reason=\"type_denied\"}"), 1);
  EXPECT_EQ(hub.value(kHub + "transactions_discarded_total"), 10);
  EXPECT_EQ(hub.value(kHub + "transactions_journaled_total"), 11);
  EXPECT_EQ(hub.value(kHub + "group_transactions_sum"), 11);
  EXPECT_EQ(hub.value(kHub + "commit_to_journaled_seconds_count"), 10);
  EXPECT_EQ(hub.value(kHub + "hop_seconds_count{hop=\"origin_to_hub\"}"), 10);
  EXPECT_EQ(hub.value(kHub + "hop_seconds_count{hop=\"hub_journal\"}"), 11);
  EXPECT_EQ(hub.value(kHub + "transactions_delivered_total"), 10);
  EXPECT_EQ(destination.value(kSpoke + "commit_to_applied_seconds_count"), 10);
  EXPECT_EQ(destination.value(kSpoke + "apply_group_transactions_sum"), 10);
  // From a row's writing to its application, nothing took longer than this test.
  EXPECT_LT(destination.value(kSpoke + "commit_to_applied_seconds_sum"), 10 * 30);
  EXPECT_GT(destination.value(kSpoke + "commit_to_applied_seconds_sum"), 0);
  becomes("hub", "hop_seconds_count{hop=\"hub_to_destination\"}", 10);
}

void MetricsRun::count_a_large_transaction_once() {
  a.sql(kDb,
        "insert into message.outgoing (type, payload) select 'greeting', repeat('x', 2000) "
        "from generate_series(1, 400)");
  becomes("b", "transactions_applied_total", 11);
  becomes("a", "transactions_journaled_total", 12);
  EXPECT_EQ(value("a", "transactions_captured_total"), 12);
  EXPECT_EQ(value("a", "bytes_captured_total"), 104 + 400 * 2000);
  EXPECT_EQ(value("hub", "transactions_received_total"), 23);
  EXPECT_EQ(value("hub", "transactions_delivered_total"), 11);
  becomes("hub", "hop_seconds_count{hop=\"hub_to_destination\"}", 11);
}

// In a group with others, so that the group is redone one by one.
void MetricsRun::put_one_aside() {
  b.sql(kDb,
        "alter table message.incoming add constraint no_poison check (payload <> 'poison') not "
        "valid");
  a.sql(kDb,
        "begin; insert into message.outgoing (type, payload) values ('greeting', 'before'); commit;"
        "begin; insert into message.outgoing (type, payload) values ('greeting', 'poison'); commit;"
        "begin; insert into message.outgoing (type, payload) values ('greeting', 'behind'); "
        "commit;");
  becomes("b", "transactions_dead_letter_total", 1);
  becomes("b", "transactions_applied_total", 13);
  EXPECT_EQ(value("b", "commit_to_applied_seconds_count"), 13);
  EXPECT_EQ(value("b", "apply_group_transactions_sum"), 13);
  becomes("b", "dead_letters", 1);
}

// The destination forgets where it is in the hub's stream: everything comes again.
void MetricsRun::deliver_again() {
  check_sums();
  ASSERT_EQ(net.spoke("b").stop(), 0);
  b.sql(kDb, "delete from oltp20.stream_position");
  start("b");
  becomes("b", "transactions_duplicate_total", 14);
  EXPECT_EQ(value("b", "transactions_applied_total"), 0);
  EXPECT_EQ(value("b", "transactions_dead_letter_total"), 0);
  EXPECT_EQ(b.sql(kDb, "select count(distinct seq) from message.incoming"), "13");
}

// What was delivered is what was applied and put aside; nothing is counted twice or forgotten.
void MetricsRun::check_sums() {
  Scrape hub = look("hub"), origin = look("a"), destination = look("b");
  EXPECT_EQ(hub.value(kHub + "transactions_received_total"),
            hub.value(kHub + "transactions_journaled_total") +
                hub.value(kHub + "transactions_rejected_total") +
                hub.value(kHub + "transactions_discarded_total"));
  EXPECT_EQ(hub.value(kHub + "transactions_journaled_total"), 15);
  EXPECT_EQ(hub.value(kHub + "transactions_delivered_total"), 14);
  EXPECT_EQ(hub.value(kHub + "bytes_delivered_total"),
            destination.value(kSpoke + "bytes_applied_total") +
                destination.value(kSpoke + "bytes_dead_letter_total"));
  EXPECT_EQ(origin.value(kSpoke + "transactions_journaled_total"), 15);
  EXPECT_EQ(origin.value(kSpoke + "bytes_forwarded_total"),
            hub.value(kHub + "bytes_received_total"));
}

// A mark that went back leaves a hole in front of what comes next.
void MetricsRun::hold_one_back() {
  ASSERT_EQ(net.spoke("b").stop(), 0);
  b.sql(kDb, "update oltp20.mark set seq = seq - 1 where origin = 'a'");
  start("b");
  send(1);
  becomes("b", "held_back", 1);
  becomes("b", "gaps", 1);
  EXPECT_EQ(value("b", "transactions_applied_total"), 0);
  b.sql(kDb, "select oltp20.close_gap(id, 'a test') from oltp20.gap");
  becomes("b", "transactions_applied_total", 1);
  becomes("b", "held_back", 0);
  becomes("b", "gaps", 0);
}

// The destination's database keeps the applier waiting: the lag shows on both sides, and goes.
void MetricsRun::block_the_destination() {
  Process lock({"psql", "-X", "-q", b.url(kDb), "-c",
                "begin; lock table message.incoming; select pg_sleep(60)"},
               net.path("lock.log"));
  ASSERT_TRUE(eventually(5, [&] {
    return b.sql(kDb,
                 "select count(*) from pg_locks where mode = 'AccessExclusiveLock' and granted and "
                 "relation = 'message.incoming'::regclass") == "1";
  }));
  send(3);
  at_least("hub", "spoke_lag_transactions{spoke=\"b\"}", 3);
  double age = at_least("hub", "spoke_lag_seconds{spoke=\"b\"}", 0.5);
  EXPECT_GT(at_least("hub", "spoke_lag_seconds{spoke=\"b\"}", age + 0.5), age);
  at_least("hub", "spoke_window_bytes{spoke=\"b\"}", 1);
  at_least("b", "apply_lag_transactions", 1);
  at_least("b", "apply_lag_seconds", 0.5);
  at_least("b", "queue_depth{queue=\"apply_bytes\"}", 1);
  b.sql("postgres",
        "select pg_terminate_backend(pid) from pg_stat_activity where query like "
        "'%pg_sleep(60)%' and pid <> pg_backend_pid()");
  becomes("b", "apply_lag_transactions", 0);
  becomes("hub", "spoke_lag_transactions{spoke=\"b\"}", 0);
  becomes("hub", "spoke_lag_seconds{spoke=\"b\"}", 0);
  becomes("hub", "spoke_window_bytes{spoke=\"b\"}", 0);
}

// The lag of who is away goes on growing; what belongs to its link goes.
void MetricsRun::send_a_destination_away() {
  ASSERT_EQ(net.spoke("b").stop(), 0);
  becomes("hub", "spoke_attached{spoke=\"b\"}", 0);
  becomes("hub", "spoke_lag_transactions{spoke=\"b\"}", 0);
  send(3);
  becomes("hub", "spoke_lag_transactions{spoke=\"b\"}", 3);
  double age = at_least("hub", "spoke_lag_seconds{spoke=\"b\"}", 0.1);
  at_least("hub", "spoke_lag_seconds{spoke=\"b\"}", age + 1);
  Scrape page = look("hub");
  EXPECT_FALSE(page.has(kHub + "spoke_window_bytes{spoke=\"b\"}"));
  EXPECT_FALSE(page.has(kHub + "link_rtt_seconds{peer=\"spoke/b\",link=\"deliver\"}"));
  EXPECT_EQ(page.value(kHub + "sessions{kind=\"deliver\"}"), 1);
  Outcome lag = net.ctl({"--json", "lag"});
  EXPECT_THAT(lag.output, ::testing::HasSubstr("\"lag_transactions\":3")) << lag.output;
  start("b");
  becomes("hub", "spoke_attached{spoke=\"b\"}", 1);
  becomes("hub", "spoke_lag_transactions{spoke=\"b\"}", 0);
  for (const char* link : {"forward", "deliver"}) {
    const std::string labels = std::string(",link=\"") + link + "\"}";
    for (const char* metric : {"link_rtt_seconds", "link_rtt_smoothed_seconds"}) {
      const std::string of_hub = std::string(metric) + "{peer=\"spoke/b\"" + labels;
      const std::string of_b = std::string(metric) + "{hub=\"hub\"" + labels;
      ASSERT_TRUE(eventually(10, [&] { return look("hub").has(kHub + of_hub); })) << of_hub;
      ASSERT_TRUE(eventually(10, [&] { return look("b").has(kSpoke + of_b); })) << of_b;
      EXPECT_LT(value("hub", of_hub), 1);
      EXPECT_LT(value("b", of_b), 1);
    }
  }
}

void MetricsRun::deny() {
  const std::string hub = "127.0.0.1:" + std::to_string(net.hub_port());
  auto status = [&](const std::string& tls) {
    return run({program("oltp20ctl"), "--hub", hub, "--ca", tls + "/ca.pem", "--cert",
                tls + "/cert.pem", "--key", tls + "/key.pem", "status"});
  };
  EXPECT_EQ(status(net.path("a-tls")).exit_code, 4);
  becomes("hub", "denied_total{who=\"spoke/a\",reason=\"admin\"}", 1);
  // Not with oltp20ctl, which would see itself that its certificate is not of this CA.
  Network foreign;
  foreign.issue("admin", "stranger", foreign.path("tls"));
  run({"curl", "-sk", "--http2", "-m", "3", "--cert", foreign.path("tls/cert.pem"), "--key",
       foreign.path("tls/key.pem"), "https://" + hub + "/"});
  at_least("hub", "denied_total{who=\"unknown\",reason=\"link\"}", 1);
}

// A hub that does not answer: what was sent to it stays in the window and in the lag.
void MetricsRun::freeze_the_hub() {
  net.hub().signal(SIGSTOP);
  send(2);
  at_least("a", "window_bytes", 1, 4);
  at_least("a", "outbox_waiting", 2, 4);
  at_least("a", "forward_lag_seconds", 0.1, 4);
  net.hub().signal(SIGCONT);
  becomes("a", "outbox_waiting", 0, 20);
  becomes("a", "window_bytes", 0);
  becomes("a", "forward_lag_seconds", 0);
}

// Nothing is captured without a hub: the database is asked what waits.
void MetricsRun::stop_the_hub() {
  for (const char* name : {"a", "b"}) EXPECT_EQ(value(name, "connected{hub=\"hub\"}"), 1);
  net.hub().kill9();
  becomes("a", "connected{hub=\"hub\"}", 0);
  send(5);
  becomes("a", "outbox_waiting", 5);
  double age = at_least("a", "forward_lag_seconds", 0.1);
  at_least("a", "forward_lag_seconds", age + 1);
  ASSERT_EQ(net.spoke("a").stop(), 0);  // the figure is not the process's memory
  net.start_spoke("a");
  becomes("a", "outbox_waiting", 5);
  at_least("a", "forward_lag_seconds", age + 1);
  net.start_hub();
  net.wait_until_attached("a", 30);
  becomes("a", "outbox_waiting", 0);
  becomes("a", "forward_lag_seconds", 0);
  becomes("a", "transactions_journaled_total", 5);
}

void MetricsRun::check_tables(const std::string& name, const std::vector<std::string>& rows) {
  Scrape page = look(name);
  for (const std::string& metric : rows) {
    EXPECT_NE(page.type_of(metric), "") << name << " does not show " << metric;
    if (kMayBeZero.contains(metric)) continue;
    EXPECT_TRUE(seen.contains(metric) != kNeverSet.contains(metric))
        << metric
        << (seen.contains(metric) ? " is set now: take it out of kNeverSet"
                                  : " was never seen with a value: nothing sets it");
  }
}

TEST_F(MetricsRun, EveryMetricIsSetAndCountersAreExact) {
  refuse_one_and_discard_what_follows();
  count_a_large_transaction_once();
  put_one_aside();
  deliver_again();
  hold_one_back();
  block_the_destination();
  send_a_destination_away();
  deny();
  freeze_the_hub();
  stop_the_hub();
  Scrape hub = look("hub");
  for (const char* queue : {"core", "reads", "ingest_bytes", "link_frames"}) {
    const std::string label = std::string("{queue=\"") + queue + "\"}";
    EXPECT_GT(hub.value(kHub + "queue_limit" + label), 0);
    EXPECT_LE(hub.value(kHub + "queue_depth" + label), hub.value(kHub + "queue_limit" + label));
  }
  double now = std::stod(a.sql(kDb, "select extract(epoch from now())"));
  for (const char* name : {"hub", "a", "b"})
    EXPECT_GT(value(name, "certificate_expiry_timestamp_seconds"), now);
  check_tables("hub", rows_of(hub::kHubMetricTable));
  check_tables("a", rows_of(spoke::kSpokeMetricTable));
  check_tables("b", rows_of(spoke::kSpokeMetricTable));
}

}  // namespace
}  // namespace oltp20::test
