// Lives of an origin: restored, promoted, copied, forked; and agents that claim to be one another.
#include <algorithm>

#include "tests/core/pair.h"

namespace oltp20::tests {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

TEST_F(Pair, ARestoredOriginBeginsANewEpochAndNeitherLosesNorDoubles) {
  commit(1, 20);
  net.run(3 * kSecond);
  ModelDatabase copy = a;
  commit(21, 30);
  net.run(3 * kSecond);
  net.kill_spoke("a");
  copy.id_salt = 9;
  copy.commit("greeting", "new life");  // other content than the old life's 21
  net.add_spoke("a", copy, {">"});
  net.run(5 * kSecond);
  auto expected = numbers(1, 30);
  expected.push_back("new life");
  EXPECT_EQ(b.payloads(), expected);
  EXPECT_EQ(copy.epochs.size(), 2u);
  EXPECT_EQ(copy.epochs.back().parent, a.epoch.id);
  // The old life may not come back.
  net.kill_spoke("a");
  a.commit("greeting", "zombie");
  net.add_spoke("a", a, {">"});
  net.run(10 * kSecond);
  EXPECT_EQ(b.payloads(), expected);
  EXPECT_THAT(net.notices, Contains(HasSubstr("oltp20ctl spokes adopt a")));
}

TEST_F(Pair, OnlyTheChainHashShowsALifeThatWentItsOwnWay) {
  commit(1, 5);
  net.run(3 * kSecond);
  net.kill_spoke("a");
  // The copy takes a tick, and dies before the hub has any of it.
  ModelDatabase copy = a;
  copy.id_salt = 9;
  net.journal().hold(true);
  net.add_spoke("a", copy, {">"});
  for (int i = 1; i <= 5; ++i) copy.commit("greeting", "copy " + std::to_string(i));
  net.run(kSecond);
  net.kill_spoke("a");
  net.kill_hub();
  net.journal().hold(false);
  net.start_hub();
  // Meanwhile the original goes on, with fewer transactions than the copy has captured.
  net.add_spoke("a", a, {">"});
  commit(6, 8);
  net.run(5 * kSecond);
  ASSERT_EQ(b.payloads(), numbers(1, 8));
  net.kill_spoke("a");
  net.add_spoke("a", copy, {">"});
  net.run(10 * kSecond);
  auto expected = numbers(1, 8);
  for (int i = 1; i <= 5; ++i) expected.push_back("copy " + std::to_string(i));
  EXPECT_EQ(b.payloads(), expected);
  EXPECT_EQ(copy.epochs.size(), 2u);
}

TEST_F(Pair, ANewLifeWaitsUntilTheOldOneWasAppliedUpToTheFork) {
  commit(1, 5);
  net.run(3 * kSecond);
  ModelDatabase before = b;
  commit(6, 10);
  net.run(3 * kSecond);
  net.kill_spoke("a");
  net.kill_spoke("b");
  a.server.timeline = 2;
  // The hub's disk is gone, and so is what the destination had of 6 to 10.
  ModelNetwork fresh(allow_all());
  fresh.add_spoke("a", a, {">"});
  fresh.add_spoke("b", before, {">"});
  commit(11, 12);
  fresh.run(5 * kSecond);
  EXPECT_EQ(before.payloads(), numbers(1, 5)) << "11 and 12 would hide that 6 to 10 are missing";
  const auto gaps = before.gaps_of("a");
  ASSERT_EQ(gaps.size(), 1u);
  EXPECT_EQ(gaps[0].gap.from, 5u);
  EXPECT_EQ(gaps[0].gap.to, 10u);
  before.close_gap("a");
  fresh.run(5 * kSecond);
  EXPECT_THAT(before.payloads(), Contains("11"));
  EXPECT_THAT(before.payloads(), Contains("12"));
}

TEST_F(Pair, APromotedReplicaThatLostCommitsIsSeenByItsTimeline) {
  commit(1, 10);
  net.run(3 * kSecond);
  net.kill_spoke("a");
  a.server.timeline = 2;
  a.commit("greeting", "11");
  net.add_spoke("a", a, {">"});
  net.run(5 * kSecond);
  EXPECT_EQ(b.payloads(), numbers(1, 11));
  EXPECT_EQ(a.epochs.size(), 2u);
  net.kill_spoke("a");
  net.add_spoke("a", a, {">"});
  net.run(5 * kSecond);
  EXPECT_EQ(a.epochs.size(), 2u) << "one promotion, one epoch";
}

TEST_F(Pair, OverlapIsRecognisedByIdWhenTheNewLifeSendsAgain) {
  commit(1, 5);
  net.run(3 * kSecond);
  net.kill_spoke("a");
  // The checkpoint and half of the ticks are lost: rows 1 to 5 are captured again.
  a.checkpoints.clear();
  a.server.system_identifier = "other";
  net.kill_hub();
  ModelNetwork fresh(allow_all());
  fresh.add_spoke("a", a, {">"});
  fresh.add_spoke("b", b, {">"});
  commit(6, 6);
  fresh.run(5 * kSecond);
  EXPECT_EQ(b.payloads(), numbers(1, 6));
}

// What was prepared in the old life and committed there is committed once more in the new one.
TEST_F(Pair, APreparedTransactionThatBothLivesCommitArrivesOnce) {
  commit(1, 5);
  net.run(3 * kSecond);
  ModelDatabase copy = a;
  commit(6, 6);
  copy.next_xid = a.next_xid;  // the copy has 6 as well, prepared
  copy.next_position = a.next_position;
  net.run(3 * kSecond);
  net.kill_spoke("a");
  copy.id_salt = 9;
  copy.server.timeline = 2;
  copy.commit("greeting", "7");
  net.add_spoke("a", copy, {">"});
  net.run(5 * kSecond);
  ASSERT_EQ(copy.epochs.size(), 2u);
  copy.committed.push_back(a.committed.back());
  copy.commit("greeting", "8");
  net.run(5 * kSecond);
  EXPECT_EQ(b.payloads(), numbers(1, 8));
  // The same in the life after the next.
  net.kill_spoke("a");
  copy.server.timeline = 3;
  copy.committed.push_back(a.committed.back());
  net.add_spoke("a", copy, {">"});
  net.run(5 * kSecond);
  EXPECT_EQ(copy.epochs.size(), 3u);
  EXPECT_EQ(b.payloads(), numbers(1, 8));
}

TEST_F(Pair, ASecondAgentOfTheSameSpokeIsRefusedWhileTheFirstIsAttached) {
  commit(1, 3);
  net.run(2 * kSecond);
  Identity identity{Identity::Kind::spoke, "test", "eu", "a"};
  hub::Actions out;
  net.hub().step(hub::LinkOpened{999, true, identity, "elsewhere"}, {}, &out);
  ForwardHello hello;
  hello.spoke = "a";
  hello.agent = "another";
  hello.epoch = a.epoch;
  net.hub().step(hub::ForwardReceived{999, hello}, {}, &out);
  bool refused = std::ranges::any_of(out, [](const hub::Action& action) {
    const auto* close = std::get_if<hub::CloseLink>(&action);
    return close && close->link == 999 && close->goodbye.code == Code::conflict &&
           close->goodbye.reason.find("another agent") != std::string::npos;
  });
  EXPECT_TRUE(refused);
}

TEST_F(Pair, ACopyOfTheDestinationDoesNotPushTheFirstOut) {
  commit(1, 3);
  net.run(2 * kSecond);
  Identity identity{Identity::Kind::spoke, "test", "eu", "b"};
  hub::Actions out;
  net.hub().step(hub::LinkOpened{999, false, identity, "elsewhere"}, {}, &out);
  DeliverHello hello;
  hello.spoke = "b";
  hello.agent = "another";
  net.hub().step(hub::DeliverReceived{999, hello}, {}, &out);
  ASSERT_EQ(out.size(), 3u);  // consumed, refused, closed
  EXPECT_EQ(std::get<hub::CloseLink>(out[2]).link, 999u);
  EXPECT_EQ(std::get<hub::CloseLink>(out[2]).goodbye.code, Code::conflict);
  commit(4, 5);
  net.run(2 * kSecond);
  EXPECT_EQ(b.payloads(), numbers(1, 5));
}

// The second life took a tick, and the hub never heard of it.
TEST_F(Pair, ALifeThatNobodyHeardOfHidesNoOverlap) {
  commit(1, 5);
  net.run(3 * kSecond);
  net.kill_spoke("a");
  net.kill_spoke("b");
  a.checkpoints.clear();
  a.server.system_identifier = "other";
  ModelNetwork fresh(allow_all());
  fresh.journal().hold(true);
  fresh.add_spoke("a", a, {">"});
  fresh.add_spoke("b", b, {">"});
  fresh.run(kSecond);
  fresh.kill_spoke("a");
  fresh.kill_hub();
  fresh.journal().hold(false);
  fresh.start_hub();
  a.server.timeline = 2;
  fresh.add_spoke("a", a, {">"});
  commit(6, 6);
  fresh.run(10 * kSecond);
  EXPECT_EQ(a.epochs.size(), 3u);
  EXPECT_EQ(b.payloads(), numbers(1, 6));
}

}  // namespace
}  // namespace oltp20::tests
