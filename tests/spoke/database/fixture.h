// One server a test program; each test gets a database of its own with the schema installed.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <pqxx/pqxx>
#include <string>
#include <thread>
#include <vector>

#include "spoke/database/installer.h"
#include "spoke/database/pg_outbox.h"
#include "tests/support/postgres.h"

namespace oltp20::spoke {

inline test::PostgresCluster& shared_cluster() {
  static test::PostgresCluster cluster({.settings = {{"max_prepared_transactions", "0"}}});
  return cluster;
}

class DatabaseTest : public ::testing::Test {
 protected:
  explicit DatabaseTest(test::PostgresCluster& cluster = shared_cluster()) : cluster_(cluster) {}

  void SetUp() override {
    static int number = 0;
    database_ = "test_" + std::to_string(++number);
    cluster_.create_database(database_);
    install_here();
  }
  void install_here(const std::string& order = "exact") {
    Status status = install({admin_url(), agent_url(), order});
    ASSERT_TRUE(status) << status.message();
  }

  std::string admin_url() const { return cluster_.url(database_); }
  std::string agent_url() const { return cluster_.url(database_, "oltp20_agent"); }
  std::string sql(const std::string& statements, const std::string& user = "postgres") const {
    return cluster_.sql(database_, statements, user);
  }
  // The sentence of the error, or "" when the statements succeed.
  std::string error_of(const std::string& statements, const std::string& user = "postgres") const {
    try {
      sql(statements, user);
      return "";
    } catch (const pqxx::sql_error& error) {
      return error.what();
    }
  }
  void send(const std::string& payload, int rows = 1) const {
    sql("insert into message.outgoing (type, payload) select 'test', '" + payload +
        "' || case when n > 1 then n::text else '' end from generate_series(1, " +
        std::to_string(rows) + ") n");
  }

  // Payloads of everything visible and not yet captured, in order, one string a transaction.
  static std::vector<std::string> capture(Outbox& outbox, Tick& last) {
    auto taken = outbox.take_tick(last);
    EXPECT_TRUE(taken) << taken.status().message();
    if (!taken || !*taken) return {};
    last = (*taken)->tick;
    return payloads(outbox, (*taken)->head);
  }
  static std::vector<std::string> payloads(Outbox& outbox,
                                           const std::vector<PendingTransaction>& pending) {
    std::vector<std::uint64_t> xids;
    for (const PendingTransaction& transaction : pending) xids.push_back(transaction.xid);
    auto rows = outbox.rows(xids, -1, 1'000'000);
    EXPECT_TRUE(rows) << rows.status().message();
    std::vector<std::string> out;
    std::uint64_t previous = 0;
    for (const OutboxRow& row : *rows) {
      if (row.xid != previous)
        out.emplace_back();
      else
        out.back() += ' ';
      out.back() += row.payload.value_or("null");
      previous = row.xid;
    }
    return out;
  }

  struct Opened {
    std::unique_ptr<PgOutbox> outbox;
    OutboxState state;
  };
  Opened open_outbox(const std::string& order = "exact") const {
    Opened out{make_pg_outbox({agent_url(), order}), {}};
    auto state = out.outbox->open();
    EXPECT_TRUE(state) << state.status().message();
    if (state) out.state = *state;
    return out;
  }

  // Pages that a statement touched: of `explain (analyze, buffers, format json)`, its top node.
  static int shared_hits(const std::string& plan) {
    const std::string key = "\"Shared Hit Blocks\": ";
    const std::size_t at = plan.find(key);
    EXPECT_NE(at, std::string::npos) << plan;
    return at == std::string::npos ? -1 : std::stoi(plan.substr(at + key.size()));
  }

  // Notifications come a moment after the commit.
  static bool notified(PgOutbox& outbox) {
    for (int attempt = 0; attempt < 200; ++attempt) {
      if (outbox.take_notification()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  test::PostgresCluster& cluster_;
  std::string database_;
};

using Strings = std::vector<std::string>;

}  // namespace oltp20::spoke
