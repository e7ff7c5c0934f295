// The shipped cores together: origin, hub and destination, with models around them, in virtual
// time.
#include "common/base/limits.h"
#include "tests/core/pair.h"

namespace oltp20::tests {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST_F(Pair, TransactionsArriveOnceInOrder) {
  commit(1, 100);
  net.run(3 * kSecond);
  EXPECT_EQ(b.payloads(), numbers(1, 100));
  EXPECT_EQ(net.origin("a").journaled, 100u);
  EXPECT_EQ(b.marks.begin()->second.seq, 100u);
  EXPECT_THAT(a.payloads(), IsEmpty()) << "an origin never gets its own back";
}

TEST_F(Pair, NothingIsAcknowledgedBeforeTheJournalIsDurable) {
  net.run(kSecond);
  net.journal().hold(true);
  commit(1, 5);
  net.run(kSecond);
  EXPECT_EQ(net.origin("a").journaled, 0u);
  EXPECT_THAT(b.payloads(), IsEmpty()) << "delivered before it was durable";
  net.kill_hub();  // what was not synced is gone
  net.journal().hold(false);
  net.start_hub();
  net.run(10 * kSecond);
  EXPECT_EQ(b.payloads(), numbers(1, 5));
}

TEST_F(Pair, HubAgentsAndDatabasesMayDieAtAnyStep) {
  SeededRandom random(7);
  int written = 0;
  for (int round = 0; round < 300; ++round) {
    commit(written + 1, written + 3);
    written += 3;
    for (std::uint64_t steps = random.below(12); steps > 0; --steps) net.round();
    switch (random.below(8)) {
      case 0:
        net.kill_hub();
        net.start_hub();
        break;
      case 1:
        net.kill_spoke("a");
        net.add_spoke("a", a, {">"});
        break;
      case 2:
        net.kill_spoke("b");
        net.add_spoke("b", b, {">"});
        break;
      default:
        net.run(20 * kMillisecond);
    }
  }
  net.run(60 * kSecond);
  EXPECT_EQ(b.payloads(), numbers(1, written));
  EXPECT_EQ(a.epochs.size(), 1u) << "no kill is another life of the database";
}

TEST_F(Pair, AFailedJournalLosesNothing) {
  net.run(kSecond);
  net.journal().fail_next(Status(Code::exhausted, "no space left on device"));
  commit(1, 50);
  net.run(20 * kSecond);
  EXPECT_EQ(b.payloads(), numbers(1, 50));
  EXPECT_THAT(net.notices, Contains(HasSubstr("no space left on device")));
}

TEST_F(Pair, ALargeTransactionArrivesWholeWithBoundedMemory) {
  std::vector<ModelRow> rows;
  for (int i = 0; i < 20000; ++i) rows.push_back({"bulk", std::string(1000, 'x'), ""});
  a.commit(rows);
  a.commit("greeting", "behind it");
  net.run(30 * kSecond);
  ASSERT_EQ(b.received.size(), 20001u);
  EXPECT_EQ(b.received[19999].position, 19999u);
  EXPECT_EQ(b.payloads().back(), "behind it");
}

TEST_F(Pair, ALargeTransactionCutOffInTheMiddleIsSentAgain) {
  std::vector<ModelRow> rows;
  for (int i = 0; i < 20000; ++i) rows.push_back({"bulk", std::string(1000, 'x'), ""});
  a.commit(rows);
  for (int i = 0; i < 15; ++i) net.round();
  net.kill_spoke("a");
  EXPECT_THAT(b.payloads(), IsEmpty());
  net.add_spoke("a", a, {">"});
  for (int i = 0; i < 40; ++i) net.round();
  net.kill_spoke("b");
  net.add_spoke("b", b, {">"});
  net.run(30 * kSecond);
  EXPECT_EQ(b.received.size(), 20000u);
}

TEST_F(Pair, ALargeTransactionThatTheDatabaseRefusesIsPutAsideAlone) {
  std::vector<ModelRow> rows;
  for (int i = 0; i < 3000; ++i) rows.push_back({"bulk", std::string(1000, 'x'), ""});
  rows[2500].payload = b.poison = "refused";
  a.commit("greeting", "before it");
  a.commit(rows);
  a.commit("greeting", "behind it");
  net.run(10 * kSecond);
  EXPECT_THAT(b.payloads(), ElementsAre("before it", "behind it"));
  ASSERT_EQ(b.dead_letters.size(), 1u);
  EXPECT_EQ(b.dead_letters[0].seq, 2u);
  EXPECT_EQ(b.dead_letters[0].sqlstate, "22P05");
  std::size_t kept = 0;
  for (const std::string& part : b.dead_letters[0].parts)
    kept += PartView::parse(part)->rows.size();
  EXPECT_EQ(kept, 3000u) << "the whole content is kept";
  EXPECT_THAT(b.gaps, IsEmpty());
  EXPECT_EQ(b.marks.begin()->second.seq, 3u);
}

TEST_F(Pair, WhoHasMarksOfManyOriginsTellsThemInPages) {
  const std::size_t many = 2 * limits::kKnownPage + 7;
  for (std::size_t i = 0; i < many; ++i) {
    OriginEpoch key{"store-" + std::to_string(i), Epoch::from("epoch")};
    b.marks[key] = {key.origin, key.epoch, 0, 1};
    b.known[key] = {key.epoch, {}, {}};
  }
  net.kill_spoke("b");
  net.add_spoke("b", b, {">"});
  commit(1, 3);
  net.run(5 * kSecond);
  EXPECT_EQ(b.payloads(), numbers(1, 3));
  EXPECT_EQ(net.destination("b").marks, many + 1);
}

struct Ruled : Pair {
  static std::vector<hub::PolicyRule> rules() {
    hub::PolicyRule a, b;
    a.who = "spoke/a";
    a.publish = {"greeting", "order.>"};
    a.subscribe = {">"};
    b.who = "spoke/b";
    b.subscribe = {"greeting", "order.*.open"};
    return {a, b};
  }
  Ruled() : Pair(rules()) {}
};

TEST_F(Ruled, ARefusedTransactionIsRecordedAndNothingBehindItWaits) {
  a.commit("greeting", "1");
  a.commit("secret", "denied");
  a.commit("greeting", "2");
  a.commit({{"greeting", "x", "spoke/nobody"}});
  a.commit("greeting", "3");
  net.run(5 * kSecond);
  EXPECT_THAT(b.payloads(), ElementsAre("1", "2", "3"));
  const auto& rejected = a.rejected[a.epoch.id];
  ASSERT_EQ(rejected.size(), 2u);
  EXPECT_EQ(rejected.at(2).code, "type_denied");
  EXPECT_THAT(rejected.at(2).reason, HasSubstr("secret"));
  EXPECT_EQ(rejected.at(4).code, "destination_unknown");
  EXPECT_EQ(net.origin("a").journaled, 5u) << "tombstones fill the place";
  // A restart encodes the tombstones again to the same chain.
  net.kill_spoke("a");
  net.add_spoke("a", a, {">"});
  a.commit("greeting", "4");
  net.run(5 * kSecond);
  EXPECT_THAT(b.payloads(), ElementsAre("1", "2", "3", "4"));
  EXPECT_EQ(a.epochs.size(), 1u);
}

TEST_F(Ruled, RowsThatMayNotBeReceivedNeverLeaveTheHub) {
  a.commit({{"order.eu.open", "yes", ""}, {"order.eu.secret", "HIDDEN", ""}});
  a.commit({{"order.eu.secret", "HIDDEN", ""}});
  a.commit({{"greeting", "HIDDEN", "spoke/a"}});
  a.commit("greeting", "last");
  net.run(5 * kSecond);
  EXPECT_THAT(b.payloads(), ElementsAre("yes", "last"));
  for (const std::string& bytes : net.frames_to("b")) EXPECT_THAT(bytes, Not(HasSubstr("HIDDEN")));
  EXPECT_EQ(b.marks.begin()->second.seq, 4u) << "spans move the mark past what did not match";
}

TEST_F(Ruled, SpansSurviveADestinationsRestart) {
  a.commit("greeting", "1");
  net.run(3 * kSecond);
  for (int i = 0; i < 5; ++i) a.commit("order.eu.secret", "hidden");
  net.run(3 * kSecond);
  net.kill_spoke("b");
  net.add_spoke("b", b, {">"});
  for (int i = 0; i < 5; ++i) a.commit("order.eu.secret", "hidden");
  a.commit("greeting", "2");
  net.run(3 * kSecond);
  EXPECT_THAT(b.payloads(), ElementsAre("1", "2"));
  EXPECT_THAT(b.gaps, IsEmpty());
}

TEST_F(Ruled, ARevokedPermissionTakesEffectOnALiveLink) {
  a.commit("greeting", "1");
  net.run(2 * kSecond);
  auto narrowed = rules();
  narrowed[1].subscribe = {"order.*.open"};
  narrowed[0].publish = {"order.>"};
  net.change_policy(narrowed);
  a.commit("greeting", "refused");
  a.commit("order.eu.open", "2");
  net.run(2 * kSecond);
  EXPECT_THAT(b.payloads(), ElementsAre("1", "2"));
  EXPECT_EQ(a.rejected[a.epoch.id].size(), 1u);
}

TEST_F(Pair, AHoleHoldsOneOriginBackUntilAnOperatorClosesIt) {
  ModelDatabase c{3};
  net.add_spoke("c", c, {">"});
  commit(1, 5);
  net.run(3 * kSecond);
  net.kill_spoke("b");
  commit(6, 10);
  net.run(3 * kSecond);
  // The hub forgets what b has not seen.
  ASSERT_TRUE(net.journal().trim(net.journal().info().head.lsn - 2).is_ok());
  net.kill_hub();
  net.start_hub();
  net.add_spoke("b", b, {">"});
  c.commit("greeting", "from c");
  net.run(5 * kSecond);
  auto before_close = numbers(1, 5);
  before_close.push_back("from c");
  EXPECT_EQ(b.payloads(), before_close) << "others are not held back";
  // The agent's restart forgets nothing of it.
  net.kill_spoke("b");
  net.add_spoke("b", b, {">"});
  commit(11, 12);
  net.run(5 * kSecond);
  const auto gaps = b.gaps_of("a");
  ASSERT_EQ(gaps.size(), 1u);
  EXPECT_EQ(gaps[0].gap.from, 5u);
  EXPECT_EQ(gaps[0].gap.to, 8u);
  EXPECT_EQ(b.payloads(), before_close);
  b.close_gap("a");
  net.run(5 * kSecond);
  for (const std::string& number : numbers(9, 12)) EXPECT_THAT(b.payloads(), Contains(number));
  EXPECT_EQ(b.received.size(), 10u) << "going back doubles nothing";
}

TEST_F(Pair, WhatTheDatabaseRefusesIsPutAsideAlone) {
  b.poison = "4";
  commit(1, 10);
  net.run(5 * kSecond);
  auto expected = numbers(1, 10);
  expected.erase(expected.begin() + 3);
  EXPECT_EQ(b.payloads(), expected);
  ASSERT_EQ(b.dead_letters.size(), 1u);
  EXPECT_EQ(b.dead_letters[0].seq, 4u);
  EXPECT_EQ(b.dead_letters[0].sqlstate, "22P05");
  EXPECT_THAT(b.dead_letters[0].parts.at(0), HasSubstr("4"));
}

TEST_F(Pair, WhatIsDeliveredAgainIsNotAppliedAgain) {
  commit(1, 5);
  net.run(3 * kSecond);
  net.kill_spoke("b");
  b.positions["hub"].hash = Hash::from("another stream");  // so the stream begins anew
  net.add_spoke("b", b, {">"});
  commit(6, 6);
  net.run(3 * kSecond);
  EXPECT_EQ(b.payloads(), numbers(1, 6));
  EXPECT_THAT(net.notices, Contains(HasSubstr("begins anew")));
}

TEST_F(Pair, ARestoredDestinationGetsAgainWhatItLost) {
  commit(1, 5);
  net.run(3 * kSecond);
  ModelDatabase copy = b;
  commit(6, 9);
  net.run(3 * kSecond);
  net.kill_spoke("b");
  net.add_spoke("b", copy, {">"});
  net.run(3 * kSecond);
  EXPECT_EQ(copy.payloads(), numbers(1, 9));
}

TEST_F(Pair, AWipedHubIsFilledFromTheConfirmedPointOn) {
  commit(1, 5);
  net.run(3 * kSecond);
  ModelNetwork fresh(allow_all());
  fresh.add_spoke("a", a, {">"});
  fresh.add_spoke("b", b, {">"});
  commit(6, 9);
  fresh.run(5 * kSecond);
  EXPECT_EQ(b.payloads(), numbers(1, 9));
  EXPECT_THAT(b.gaps_of("a"), IsEmpty());
  ASSERT_EQ(b.gaps_of("").size(), 1u) << "what else the old stream had nobody can say";
  EXPECT_THAT(b.gaps_of("")[0].gap.reason, HasSubstr("has lost its stream"));
}

// Whoever was away for longer than the hub keeps its stream is told, also where nothing that he
// knows shows a hole.
TEST_F(Pair, AStretchOfTheStreamThatIsGoneIsAGap) {
  ModelDatabase z{3};
  commit(1, 2);
  net.run(3 * kSecond);
  net.kill_spoke("b");
  net.add_spoke("z", z, {">"});
  for (int i = 1; i <= 5; ++i) z.commit("greeting", "z" + std::to_string(i));
  net.run(3 * kSecond);
  commit(3, 3);
  net.run(3 * kSecond);
  ASSERT_TRUE(net.journal().trim(net.journal().info().head.lsn - 1).is_ok());
  net.kill_hub();
  net.start_hub();
  net.add_spoke("b", b, {">"});
  z.commit("greeting", "z6");
  net.run(5 * kSecond);
  EXPECT_THAT(b.payloads(), ElementsAre("1", "2", "3", "z6"));
  ASSERT_EQ(b.gaps_of("").size(), 1u);
  EXPECT_EQ(b.gaps_of("")[0].gap.from, 4u);
  EXPECT_EQ(b.gaps_of("")[0].gap.to, 10u);
}

TEST_F(Pair, ALostTailOfTheJournalIsANewIncarnation) {
  commit(1, 9);
  net.run(3 * kSecond);
  net.kill_hub();
  net.journal().lose_tail(4);
  net.start_hub();
  commit(10, 12);
  net.run(5 * kSecond);
  EXPECT_EQ(b.payloads(), numbers(1, 12));
  EXPECT_EQ(a.epochs.size(), 1u);
}

}  // namespace
}  // namespace oltp20::tests
