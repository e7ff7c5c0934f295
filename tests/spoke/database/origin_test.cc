// The origin's core on a real outbox: what only both together can get wrong.
#include "spoke/core/origin.h"

#include "tests/spoke/database/fixture.h"

namespace oltp20::spoke {
namespace {

class OriginTest : public DatabaseTest {
 protected:
  void begin(const std::string& order = "exact") {
    if (order != "exact") sql("select oltp20.set_order('" + order + "')");
    outbox_ = make_pg_outbox({agent_url(), order});
    origin_.emplace(OriginOptions{"store-1", 1}, *outbox_, random_);
  }
  // Rounds of 50 ms each, with a hub that welcomes and says nothing else.
  void run(int rounds) {
    for (int round = 0; round < rounds; ++round) {
      OriginActions out;
      if (origin_->status().database_open && outbox_->take_notification()) origin_->woken(now_);
      origin_->work(now_, &out);
      for (std::size_t i = 0; i < out.size(); ++i) {  // grows meanwhile
        if (std::holds_alternative<ConnectForward>(out[i])) origin_->link_opened(now_, &out);
        if (auto* sent = std::get_if<SendUp>(&out[i])) answer(ForwardUp(sent->frame), &out);
      }
      now_.monotonic += 50 * kMillisecond;
      now_.wall += 50 * kMillisecond;
    }
  }
  void answer(const ForwardUp& frame, OriginActions* out) {
    if (std::holds_alternative<ForwardHello>(frame)) {
      ForwardWelcome welcome;
      welcome.hub = "hub";
      welcome.window_bytes = 1 << 20;
      origin_->link_received(welcome, now_, out);
    } else if (std::holds_alternative<ForwardParts>(frame) && refuse_) {
      refuse_ = false;
      origin_->link_received(ForwardRefusal{1, "type_denied", "no rule"}, now_, out);
    }
  }
  bool flag() const {
    return sql("select pg_sequence_last_value('oltp20.asleep') is not null") == "t";
  }
  // Notified, and thrown away: the flag is cleared outside of the transaction.
  void clear_flag_and_roll_back() {
    pqxx::connection connection(admin_url());
    pqxx::work work(connection);
    work.exec("insert into message.outgoing (type) values ('test')");
    work.exec("set constraints all immediate");
    work.abort();
  }
  void expect_asleep_again() {
    run(40);
    ASSERT_TRUE(flag());
    clear_flag_and_roll_back();
    EXPECT_FALSE(flag());
    run(10);
    EXPECT_TRUE(flag()) << "without any commit";
    clear_flag_and_roll_back();
    send("one");
    run(40);
    EXPECT_EQ(origin_->status().sent, 1u);
    EXPECT_TRUE(flag()) << "after a commit that did not notify";
    const std::string before = sql("select pg_current_xact_id()");
    run(40);
    EXPECT_EQ(std::stoll(sql("select pg_current_xact_id()")), std::stoll(before) + 1)
        << "looking at the flag must not use a transaction id";
    EXPECT_FALSE(outbox_->take_notification());
    send("two");
    EXPECT_TRUE(notified(*outbox_));
  }

  std::unique_ptr<PgOutbox> outbox_;
  SeededRandom random_{1};
  std::optional<Origin> origin_;
  Now now_{kSecond, kSecond};
  bool refuse_ = false;
};

TEST_F(OriginTest, ANotifierThatRollsBackDoesNotEndWaking) {
  begin();
  expect_asleep_again();
}

TEST_F(OriginTest, ANotifierThatRollsBackDoesNotEndWakingInFastOrder) {
  begin("fast");
  expect_asleep_again();
}

TEST_F(OriginTest, ALargeTransactionRefusedHalfwayIsRecordedWithItsId) {
  send(std::string(10'000, 'x'), 1000);
  refuse_ = true;
  begin();
  run(40);
  ASSERT_FALSE(refuse_) << "nothing was sent";
  EXPECT_EQ(sql("select seq || ' ' || (xid = (select xid from message.outgoing limit 1)) || ' ' "
                "|| (ids = array(select id from message.outgoing order by position limit 100)) "
                "from oltp20.rejected"),
            "1 true true");
  EXPECT_EQ(sql("select count(*) from message.outgoing where xid = (select xid from "
                "oltp20.rejected)"),
            "1000");
}

}  // namespace
}  // namespace oltp20::spoke
