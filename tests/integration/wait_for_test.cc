// oltp20.wait_for(): an application waits in SQL for what becomes of its transaction.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <pqxx/pqxx>
#include <thread>

#include "tests/support/network.h"

namespace oltp20::test {
namespace {

using ::testing::HasSubstr;

const std::string kDb = "oltp20_framework";

struct WaitFor : ::testing::Test {
  WaitFor() {
    net.policy += "[[rule]]\nwho = \"region/us\"\n";  // it may be addressed; nobody is there
    net.start_pair(a, b);
  }
  std::string send(const std::string& type = "x", const std::string& destination = "null") {
    return a.sql(kDb, "insert into message.outgoing (type, payload, destination) values ('" + type +
                          "', 'p', " + destination + ") returning id");
  }
  std::string call(const std::string& id, const std::string& rest) {
    return "call oltp20.wait_for('" + id + "', " + rest + ")";
  }
  std::string wait(const std::string& id, const std::string& rest) {
    return a.sql(kDb, call(id, rest));
  }
  // The sentence of the error.
  std::string error(const std::string& statements) {
    try {
      return "answered " + a.sql(kDb, statements);
    } catch (const std::exception& failure) {
      return failure.what();
    }
  }
  PostgresCluster a, b;
  Network net;
};

TEST_F(WaitFor, EachStateIsReached) {
  const std::string id = send();
  EXPECT_EQ(wait(id, "'captured'"), "reached") << net.logs();
  EXPECT_EQ(wait(id, "'journaled'"), "reached") << net.logs();
  EXPECT_EQ(wait(id, "'stable'"), "reached");
  EXPECT_EQ(wait(id, "'applied', 'spoke/b'"), "reached") << net.logs();
  EXPECT_EQ(b.sql(kDb, "select id from message.incoming"), id);
}

TEST_F(WaitFor, TheAnswerComesPromptlyAlsoUnderLoad) {
  std::atomic<bool> stop{false};
  std::thread load([&] {  // keeps checkpoints and receipts at their lazy pace
    pqxx::connection writer(a.url(kDb));
    while (!stop) {
      pqxx::nontransaction(writer).exec(
          "insert into message.outgoing (type, payload) values ('load', 'x')");
      sleep_s(0.002);
    }
  });
  auto median_ms = [&](const std::string& rest) {
    pqxx::connection session(a.url(kDb));
    std::vector<double> times;
    for (int i = 0; i < 40; ++i) {
      pqxx::nontransaction sql(session);
      std::string id =
          sql.exec1(
                 "insert into message.outgoing (type, payload) values ('x', 'p') returning id")[0]
              .c_str();
      double begun = now_s();
      EXPECT_STREQ(sql.exec1(call(id, rest))[0].c_str(), "reached");
      times.push_back((now_s() - begun) * 1000);
      sleep_s(0.02);
    }
    std::sort(times.begin(), times.end());
    std::printf("%s: p50 %.1f ms, p90 %.1f ms\n", rest.c_str(), times[20], times[36]);
    return times[20];
  };
  sleep_s(2);
  double journaled = median_ms("'journaled'"), applied = median_ms("'applied', 'spoke/b'");
  stop = true;
  load.join();
  // Lazily it would take half a second, or more.
  EXPECT_LT(journaled, 150);
  EXPECT_LT(applied, 300);
}

TEST_F(WaitFor, TimesOutWhenItDoesNotCome) {
  net.spoke("b").stop();
  const std::string id = send();
  EXPECT_EQ(wait(id, "'applied', 'spoke/b', '300 ms'"), "timeout");
  EXPECT_EQ(wait(id, "'applied', 'spoke/never-seen', '100 ms'"), "timeout");
  EXPECT_EQ(wait(id, "'journaled'"), "reached");
  net.start_spoke("b");
  EXPECT_EQ(wait(id, "'applied', 'spoke/b'"), "reached") << net.logs();
  net.spoke("a").stop();
  EXPECT_EQ(wait(send(), "'captured', null, '100 ms'"), "timeout");
}

TEST_F(WaitFor, SaysRejectedAndDeadLetter) {
  b.sql(kDb,
        "create function refuse_poison() returns trigger language plpgsql as $$ begin raise "
        "exception 'poison'; end $$; create trigger t before insert on message.incoming for each "
        "row when (new.type = 'poison') execute function refuse_poison()");
  EXPECT_EQ(wait(send("poison"), "'applied', 'spoke/b'"), "dead_letter") << net.logs();
  write_file(net.path("policy.toml"),
             "[[rule]]\nwho = \"spoke/a\"\npublish = [\"x\"]\n"
             "[[rule]]\nwho = \"spoke/b\"\nsubscribe = [\">\"]\n"
             "[[rule]]\nwho = \"admin/*\"\nadmin = [\"read\", \"write\"]\n");
  ASSERT_EQ(net.ctl({"policy", "reload"}).exit_code, 0);
  const std::string id = send("secret.plan");
  EXPECT_EQ(wait(id, "'journaled'"), "rejected") << net.logs();
  EXPECT_EQ(wait(id, "'applied', 'spoke/b'"), "rejected");
  EXPECT_EQ(wait(send("x", "'spoke/nobody'"), "'stable'"), "rejected");
}

TEST_F(WaitFor, RefusesWithASentence) {
  const std::string id = send();
  EXPECT_THAT(error("begin; insert into message.outgoing (id, type) values "
                    "('00000000-0000-0000-0000-00000000000a', 'x'); " +
                    call("00000000-0000-0000-0000-00000000000a", "'captured'")),
              HasSubstr("belongs to this very transaction, which nobody sees before it is "
                        "committed: commit, then wait"));
  for (const char* level : {"repeatable read", "serializable"})
    EXPECT_THAT(
        error("begin isolation level " + std::string(level) + "; " + call(id, "'captured'")),
        HasSubstr("wait in one that is READ COMMITTED"));
  EXPECT_THAT(error(call("00000000-0000-0000-0000-00000000000b", "'captured'")),
              HasSubstr("no committed row of message.outgoing has the id"));
  EXPECT_THAT(error(call(id, "'arrived'")), HasSubstr("not for 'arrived'"));
  EXPECT_THAT(error(call(id, "'applied'")), HasSubstr("name the destination"));
  EXPECT_THAT(error(call(id, "'applied', 'region/eu'")), HasSubstr("wait for one spoke"));
  EXPECT_THAT(error(call(id, "'captured', null, '-1 s'")), HasSubstr("the timeout is an interval"));
  const std::string to_b = send("x", "'spoke/b'");
  EXPECT_THAT(error(call(to_b, "'applied', 'spoke/c'")),
              HasSubstr("none of its rows is addressed to spoke/c"));
  EXPECT_EQ(wait(to_b, "'applied', 'spoke/b'"), "reached") << net.logs();
  const std::string to_us = send("x", "'region/us'");
  EXPECT_THAT(error(call(to_us, "'applied', 'spoke/b'")),
              HasSubstr("none of its rows is addressed to spoke/b"));
  a.sql(kDb, "select oltp20.set_receipts('quiet', false)");
  EXPECT_THAT(error(call(send("quiet"), "'applied', 'spoke/b'")),
              HasSubstr("receipts are switched off"));
}

TEST_F(WaitFor, WorksFromProceduresFunctionsAndTransactionBlocks) {
  a.sql(
      kDb,
      "create procedure pay(inout answer text default null) language plpgsql as $$ declare row_id "
      "uuid; begin insert into message.outgoing (type) values ('x') returning id into row_id; "
      "commit; call oltp20.wait_for(row_id, 'applied', 'spoke/b', '10 s', answer); end $$; "
      "create function look(row_id uuid) returns text language plpgsql as $$ declare answer text; "
      "begin call oltp20.wait_for(row_id, 'applied', 'spoke/b', '10 s', answer); return answer; "
      "end $$");
  EXPECT_EQ(a.sql(kDb, "call pay()"), "reached") << net.logs();
  EXPECT_EQ(a.sql(kDb, "select look('" + send() + "')"), "reached") << net.logs();
  EXPECT_EQ(a.sql(kDb, "begin; select 1; " + call(send(), "'applied', 'spoke/b'")), "reached");
}

TEST_F(WaitFor, TheApplicationsRoleMayWaitAndLook) {
  a.sql(kDb, "create role shop login; grant oltp20_application to shop");
  const std::string id =
      a.sql(kDb, "insert into message.outgoing (type) values ('x') returning id", "shop");
  EXPECT_EQ(a.sql(kDb, call(id, "'applied', 'spoke/b'"), "shop"), "reached") << net.logs();
  EXPECT_EQ(a.sql(kDb, "select state from oltp20.delivery", "shop"), "applied");
  EXPECT_EQ(a.sql(kDb, "select state from oltp20.deliveries()", "shop"), "applied");
  const std::string xid = a.sql(kDb, "select xid from message.outgoing", "shop");
  EXPECT_EQ(a.sql(kDb, call(id, "'applied', 'spoke/b', xid => '" + xid + "'"), "shop"), "reached");
  EXPECT_THROW(a.sql(kDb, "select oltp20.set_receipts('x', false)", "shop"), std::exception);
  EXPECT_THROW(a.sql(kDb,
                     "select oltp20.record_receipt('b', 'eu', gen_random_uuid(), "
                     "oltp20.current_epoch(), 0, 5, 0, '')",
                     "shop"),
               std::exception);
}

}  // namespace
}  // namespace oltp20::test
