// Refused transactions are published again: whole, as new ones, and not twice by mistake.
#include "tests/spoke/database/fixture.h"

namespace oltp20::spoke {
namespace {

class ResendTest : public DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    sql("create role " + database_ + "_admin login; grant oltp20_admin to " + database_ + "_admin");
    auto opened = open_outbox();
    outbox_ = std::move(opened.outbox);
    last_ = opened.state.last_tick;
    sql("begin; insert into message.outgoing (type, date, payload, headers, destination) values "
        "('a.b', '2021-06-10', 'one', '{\"h\": 1}', 'spoke/x'), ('c', null, null, null, null), "
        "('d', null, '', null, 'region/eu'); commit");
    sql("insert into message.outgoing (type, payload) values ('other', 'x')");
    capture(*outbox_, last_);
    sql("insert into oltp20.rejection (epoch, seq, xid, code, reason) select "
        "oltp20.current_epoch(),"
        " 1, xid, 'denied', 'type a.b is not yours' from message.outgoing where type = 'a.b'");
  }
  std::string resend(const std::string& rest = "", const std::string& user = "postgres") const {
    return error_of("select oltp20.resend_rejected(oltp20.current_epoch(), 1" + rest + ")", user);
  }
  std::string admin() const { return database_ + "_admin"; }
  void expect(const std::string& error, const std::string& part) const {
    EXPECT_NE(error.find(part), std::string::npos) << error;
  }
  std::unique_ptr<PgOutbox> outbox_;
  Tick last_;
};

TEST_F(ResendTest, TheWholeTransactionIsPublishedAsANewOneAndOnlyOnce) {
  EXPECT_EQ(sql("select oltp20.resend_rejected(epoch, seq) from oltp20.rejected "
                "where resent_at is null",
                admin()),
            "3");
  EXPECT_EQ(sql("select count(*) from oltp20.rejected where resent_at is null"), "0");
  EXPECT_EQ(capture(*outbox_, last_), (Strings{"one null "}));
  const std::string content =
      "select string_agg(concat_ws('|', type, date, coalesce(payload, 'NULL'), headers, "
      "destination), ',' order by position) from message.outgoing where xid ";
  EXPECT_EQ(sql(content + "= (select max(xid::text)::xid8 from oltp20.resent)"),
            sql(content + "= (select xid from oltp20.rejection)"));
  EXPECT_EQ(sql("select count(distinct id) from message.outgoing"), "7");
  expect(resend("", admin()), "was resent by " + admin());
  expect(resend("", admin()), "again => true");
  EXPECT_EQ(sql("select count(*) from message.outgoing"), "7");
  EXPECT_EQ(resend(", again => true", admin()), "");
  EXPECT_EQ(sql("select count(*) from message.outgoing"), "10");
}

TEST_F(ResendTest, TwoAtOnceDoNotBothSend) {
  pqxx::connection first(admin_url());
  pqxx::work open_transaction(first);
  open_transaction.exec("select oltp20.resend_rejected(oltp20.current_epoch(), 1)");
  std::string error;
  std::thread second([&] { error = resend(); });
  while (sql("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = "
             "current_database()") == "0")
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  open_transaction.commit();
  second.join();
  expect(error, "was resent by");
  EXPECT_EQ(sql("select count(*) from message.outgoing"), "7");
}

TEST_F(ResendTest, WhatIsNotWholeOrWasNotRefusedIsNotSent) {
  expect(error_of("select oltp20.resend_rejected(oltp20.current_epoch(), 2)"),
         "no transaction 2 of the life");
  sql("create role " + database_ + "_app login; grant oltp20_application to " + database_ + "_app");
  expect(resend("", database_ + "_app"), "permission denied");
  sql("insert into oltp20.pruned select oltp20.current_epoch(), 1, 1, 0");
  expect(resend(), "is no longer whole in the outbox");
  EXPECT_EQ(sql("select count(*) from message.outgoing"), "4");
}

// ---- how long refusals are kept
// ------------------------------------------------------------------

class RejectionsKept : public DatabaseTest {
 protected:
  // Refusals of transactions that are not in the outbox, from seq `from` on.
  void refuse(int from, int count, const std::string& age) const {
    sql("insert into oltp20.rejection (epoch, seq, xid, code, reason, at) select "
        "oltp20.current_epoch(), " +
        std::to_string(from) + " + n, '3', 'denied', 'no', clock_timestamp() - interval '" + age +
        "' from generate_series(0, " + std::to_string(count - 1) + ") n");
  }
  void resent(int from, int count, const std::string& age) const {
    sql("insert into oltp20.resent (epoch, seq, xid, at) select epoch, seq, '4', "
        "clock_timestamp() - interval '" +
        age + "' from oltp20.rejection where seq between " + std::to_string(from) + " and " +
        std::to_string(from + count - 1));
  }
  std::string prune(int most = 100) const {
    return sql("select oltp20.prune_rejections('1 hour', " + std::to_string(most) + ")",
               "oltp20_agent");
  }
  std::string left() const {
    return sql(
        "select coalesce(string_agg(seq::text, ' ' order by seq), '') from oltp20.rejection");
  }
};

TEST_F(RejectionsKept, ResentOnesForAHorizonOthersFor90Days) {
  refuse(1, 1, "89 days");  // nobody dealt with it
  refuse(2, 1, "91 days");
  refuse(3, 3, "3 hours");
  resent(3, 1, "2 hours");
  resent(4, 1, "10 minutes");
  resent(5, 1, "2 hours");
  sql("insert into oltp20.resent (epoch, seq, xid) select epoch, seq, '5' from oltp20.rejection "
      "where seq = 5");  // once more, just now
  EXPECT_EQ(prune(), "2");
  EXPECT_EQ(left(), "1 4 5");
  EXPECT_EQ(sql("select string_agg(seq::text, ' ' order by seq) from oltp20.resent"), "4 5 5");
  EXPECT_EQ(sql("select rejected from oltp20.status"), "3");
  EXPECT_EQ(prune(), "0");
}

TEST_F(RejectionsKept, WhileTheirRowsAreInTheOutbox) {
  send("refused");
  sql("insert into oltp20.rejection (epoch, seq, xid, code, reason, at) select "
      "oltp20.current_epoch(), 1, xid, 'denied', 'no', now() - interval '99 days' from "
      "message.outgoing");
  resent(1, 1, "98 days");
  EXPECT_EQ(prune(), "0");
  EXPECT_EQ(left(), "1");
}

TEST_F(RejectionsKept, AStepTakesAsManyAsItMay) {
  refuse(1, 50, "91 days");
  refuse(51, 50, "3 hours");
  resent(51, 50, "2 hours");
  EXPECT_EQ(prune(10), "20");
  EXPECT_EQ(prune(10), "20");
  EXPECT_EQ(sql("select rejected from oltp20.status"), "60");
}

TEST_F(RejectionsKept, NotByAClockThatJumped) {
  refuse(1, 1, "91 days");
  refuse(2, 1, "-10 days");
  sql("select oltp20.clock_jumped(-1000)");
  EXPECT_EQ(prune(), "0");
  EXPECT_EQ(sql("select count(*) from oltp20.rejection where at > now()"), "0");
}

TEST_F(RejectionsKept, AndResendingOneAtTheMomentHoldsNobodyUp) {
  refuse(1, 1, "91 days");
  pqxx::connection first(admin_url());
  pqxx::work open_transaction(first);
  open_transaction.exec("select from oltp20.rejection for update");
  EXPECT_EQ(prune(), "0");
  open_transaction.commit();
  EXPECT_EQ(prune(), "1");
}

}  // namespace
}  // namespace oltp20::spoke
