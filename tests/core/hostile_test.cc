// The cores against peers that mean ill, or that are many.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/bytes.h"
#include "common/base/limits.h"
#include "common/wire/hash_chain.h"
#include "tests/core/hub_fixture.h"

namespace oltp20::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(HubTest, NumbersThatNoDatabaseHoldsAreRefused) {
  const Seq beyond = limits::kSeq;
  attach(1, {epoch(1), {}, {}}, ChainPosition{beyond, Hash::from("x")});
  EXPECT_THAT(ended(1), HasSubstr("beyond every limit"));
  attach(2, {epoch(1), epoch(0), {beyond + 1, {}}});
  EXPECT_THAT(ended(2), HasSubstr("beyond every limit"));
  EXPECT_FALSE(PartView::parse(parts_of("evil", epoch(1), beyond + 1, {"t"})[0]));
  EXPECT_EQ(journal_.info().head.lsn, 0u) << "nothing of it is journaled";
}

TEST_F(HubTest, APartThatCouldNotBeDeliveredIsNotTaken) {
  attach(1, {epoch(1), {}, {}});
  // Our encoder closes a part in time; this one puts three rows of legal size into one.
  const auto parts = parts_of("evil", epoch(1), 1, {"t", "t", "t"}, std::string(870'000, 'x'));
  std::string rows;
  for (const std::string& part : parts) {
    const Result<PartView> view = PartView::parse(part);
    for (const RowSlice& row : view->rows) ByteWriter(&rows).str32(row.salted);
  }
  std::string glued;
  ByteWriter out(&glued);
  out.u8(1);
  out.u8(1);
  out.str16("evil");
  out.id(epoch(1));
  out.u64(1);
  out.u64(0);
  out.u32(3);
  out.str16("");
  out.u32(0);
  out.u32(0);
  out.u32(3);
  out.raw(rows);
  send(1, {glued});
  EXPECT_THAT(ended(1), HasSubstr("a part too large"));
}

TEST_F(HubTest, APolicyThatChangesInsideALargeTransactionDoesNotTearIt) {
  hub::PolicyRule from, to;
  from.who = "spoke/evil";
  from.publish = {">"};
  to.who = "spoke/b";
  to.subscribe = {"x"};
  policy({from, to});
  attach(1, {epoch(1), {}, {}});
  std::vector<std::string> types;
  for (int i = 0; i < 2000; ++i) types.push_back(i % 2 == 0 ? "x" : "y");
  for (std::string& part : parts_of("evil", epoch(1), 1, types, std::string(10'000, 'x')))
    send(1, {std::move(part)});
  deliver(2, "b");  // its window is spent in the middle
  ASSERT_FALSE(delivered_.empty());
  ASSERT_FALSE(delivered_.back().complete);
  to.subscribe = {"x", "y"};
  policy({from, to});
  EXPECT_THAT(ended(2), HasSubstr("in the middle of a transaction"));
}

TEST_F(HubTest, AnOperatorsDecisionTakesThePlaceOfTheEarlierOne) {
  const EpochInfo root{epoch(0), {}, {}}, one{epoch(1), epoch(0), {}}, two{epoch(2), epoch(0), {}};
  attach(1, root);
  event(hub::LinkClosed{1});
  attach(2, one);
  event(hub::LinkClosed{2});
  attach(3, two);
  EXPECT_THAT(ended(3), HasSubstr("oltp20ctl spokes adopt"));
  event(hub::EpochAdopted{"evil", two.id});
  attach(4, two);
  EXPECT_EQ(ended(4), "");
  event(hub::EpochAdopted{"evil", one.id});
  EXPECT_THAT(ended(4), HasSubstr("an operator has decided for another life"));
  attach(5, two);
  EXPECT_THAT(ended(5), HasSubstr("an operator has decided for epoch"));
  attach(6, one, core_.ingest().lives().find("evil", one.id)->durable);
  EXPECT_EQ(ended(6), "");
}

TEST_F(HubTest, ALifeThatDescendsFromNothingKnownIsRefused) {
  attach(1, {epoch(1), {}, {}});
  event(hub::LinkClosed{1});
  attach(2, {epoch(2), {}, {}});
  EXPECT_THAT(ended(2), HasSubstr("does not descend from it"));
  attach(3, {epoch(4), epoch(3), {}});
  EXPECT_THAT(ended(3), HasSubstr("descends from no life that is known"));
}

TEST_F(HubTest, LinksThatSayNothingAreFewAndEnd) {
  for (hub::LinkId link = 1; link <= 40; ++link)
    event(hub::LinkOpened{link, link % 2 == 0, identity("evil"), "x"});
  EXPECT_EQ(closed_.size(), 40 - 2 * limits::kLinksOfOne);
  now_.monotonic += limits::kHelloWithin + 1;
  event(hub::TimePassed{});
  EXPECT_EQ(closed_.size(), 40u);
  EXPECT_EQ(core_.ingest().status().sessions, 0u);
}

// ---- a hub that means ill -----------------------------------------------------------------------

TEST(HostileHub, ContradictingEveryLifeCostsItTime) {
  ModelDatabase a{1};
  ModelOutbox outbox(a);
  SeededRandom random(3);
  spoke::Origin origin({"a", 1}, outbox, random);
  a.commit("greeting", "1");
  spoke::Now now{kSecond, kSecond};
  for (int step = 0; step < 10'000; ++step) {
    now.monotonic += kMillisecond;
    spoke::OriginActions out;
    origin.work(now, &out);
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (std::holds_alternative<spoke::ConnectForward>(out[i])) origin.link_opened(now, &out);
      auto* sent = std::get_if<spoke::SendUp>(&out[i]);
      if (!sent || !std::holds_alternative<ForwardHello>(sent->frame)) continue;
      ForwardWelcome welcome;
      welcome.hub = "hub";
      welcome.knows_epoch = true;
      welcome.held = {1'000'000, Hash::from("junk")};
      origin.link_received(welcome, now, &out);
    }
  }
  EXPECT_LT(a.epochs.size(), 14u) << "in ten seconds";
}

class HostileHubTest : public ::testing::Test {
 protected:
  HostileHubTest() { connect(at(0)); }
  static StreamPosition at(Lsn lsn) {
    return {Incarnation::from("stream"), lsn, Hash::from(std::to_string(lsn))};
  }
  void connect(StreamPosition from) {
    for (int second = 0; second < 10; ++second) {  // what it has to wait for is over
      now_.monotonic += kSecond;
      settle();
    }
    destination_.link_opened(now_, &out_);
    destination_.link_received(DeliverWelcome{"hub", from.incarnation, from, false, 0, {}}, now_,
                               &out_);
  }
  void settle() {
    for (int i = 0; i < 100 && (destination_.work(now_, &out_) || i < 3); ++i) continue;
  }
  void receive(std::vector<DeliverItem> items, StreamPosition position) {
    destination_.link_received(DeliverBatch{std::move(items), true, position}, now_, &out_);
  }
  static DeliverPart part(const std::string& origin, Seq seq, bool genuine = true) {
    std::string bytes = parts_of(origin, epoch(1), seq, {"t"}, origin + std::to_string(seq))[0];
    Hash hash = content_hash_of_single(*PartView::parse(bytes));
    return {1, seq - 1, genuine ? hash : Hash::from("another"), 0,
            std::make_shared<const std::string>(std::move(bytes))};
  }
  static DeliverRun run(const std::string& origin) { return {1, origin, {epoch(1), {}, {}}, {}}; }

  ModelDatabase database_{2};
  ModelInbox inbox_{database_};
  SeededRandom random_{3};
  spoke::Now now_{kSecond, kSecond};
  spoke::Destination destination_{{"b", {">"}, false, {"hub"}}, inbox_, random_};
  spoke::DestinationActions out_;
};

TEST_F(HostileHubTest, WhatExceedsTheWindowEndsTheLink) {
  auto megabyte = std::make_shared<const std::string>(1 << 20, 'x');
  for (int i = 0; i < 100; ++i) receive({DeliverPart{1, 0, {}, 0, megabyte}}, at(1));
  EXPECT_FALSE(destination_.status().attached);
  EXPECT_EQ(destination_.status().queued_bytes, 0u);
  EXPECT_THAT(destination_.status().trouble, HasSubstr("more than the window"));
}

TEST_F(HostileHubTest, WhatAGroupFoundOutIsForgottenWithTheGroup) {
  receive({run("X"), part("X", 1)}, at(1));
  settle();
  // A hole before X 5 and the first of Z, beside something whose hash does not match.
  receive({part("X", 5), run("Z"), part("Z", 1), part("Y", 1, false)}, at(4));
  settle();
  EXPECT_FALSE(destination_.status().attached);
  EXPECT_THAT(database_.gaps, IsEmpty());
  connect(at(1));
  receive({part("X", 5), run("Z"), part("Z", 1), part("Y", 1), part("X", 6)}, at(5));
  settle();
  ASSERT_EQ(database_.gaps.size(), 1u) << "whom it holds back the database must know";
  EXPECT_EQ(database_.gaps[0].gap.from, 1u);
  EXPECT_EQ(database_.gaps[0].gap.to, 4u);
  EXPECT_EQ(database_.known.count({"Z", epoch(1)}), 1u);
  EXPECT_EQ(database_.marks.count({"Z", epoch(1)}), 1u);
}

TEST_F(HostileHubTest, NumbersThatNoDatabaseHoldsEndTheLinkAndNotTheDatabase) {
  receive({DeliverRun{1, "X", {epoch(1), epoch(0), {limits::kSeq + 1, {}}}, {}}}, at(1));
  settle();
  EXPECT_THAT(destination_.status().trouble, HasSubstr("beyond every limit"));
  connect(at(0));
  receive({run("X"), part("X", 1)}, at(1));
  settle();
  receive({DeliverSpan{"X", epoch(1), 1, limits::kSeq + 1}}, at(2));
  settle();
  EXPECT_THAT(destination_.status().trouble, HasSubstr("a span that is none"));
}

// ---- a database whose users mean ill ------------------------------------------------------------

TEST_F(HostileHubTest, WhoeverNotifiesDisturbsNobody) {
  for (int i = 0; i < 1000; ++i) {
    now_.monotonic += 10 * kMillisecond;
    destination_.database_changed(now_);
    settle();
    ASSERT_TRUE(destination_.status().attached);
  }
}

TEST_F(HostileHubTest, WhatTheDatabaseCannotTakeAgainAndAgainHoldsBackItsOriginAlone) {
  database_.locked = "X2";
  for (int attempt = 0; attempt < 20 && database_.gaps.empty(); ++attempt) {
    receive({run("X"), part("X", 1), part("X", 2), part("X", 3), run("Z"), part("Z", 1)}, at(6));
    settle();
    if (!destination_.status().attached) connect(at(0));
  }
  EXPECT_THAT(database_.payloads(), ::testing::UnorderedElementsAre("X1", "Z1"));
  ASSERT_EQ(database_.gaps.size(), 1u);
  EXPECT_EQ(database_.gaps[0].gap.from, 1u);
  EXPECT_EQ(database_.gaps[0].gap.to, 2u);
  EXPECT_THAT(database_.gaps[0].gap.reason, HasSubstr("could not take it 5 times"));
  EXPECT_EQ(database_.positions["hub"], at(6)) << "others go on";
  EXPECT_THAT(database_.dead_letters, IsEmpty());
  // When the cause is gone the operator has it tried again.
  database_.locked.clear();
  database_.retry_gap("X");
  connect(at(0));
  receive({part("X", 1), part("X", 2), part("X", 3), part("Z", 1)}, at(6));
  settle();
  EXPECT_THAT(database_.payloads(), ::testing::UnorderedElementsAre("X1", "Z1", "X2", "X3"));
}

TEST(Oversized, ATransactionThatNoHubWouldTakeIsRefusedByItsOrigin) {
  ModelDatabase a{1}, b{2};
  ModelNetwork net(allow_all());
  net.add_spoke("a", a, {">"});
  net.add_spoke("b", b, {">"});
  a.commit("greeting", "1");
  a.commit("bulk", "too many rows");
  a.pretended_rows[a.committed.back().xid] = limits::kTransactionRows + 1;
  a.commit("greeting", "2");
  net.run(5 * kSecond);
  EXPECT_EQ(b.payloads(), (std::vector<std::string>{"1", "2"}));
  ASSERT_EQ(a.rejected[a.epoch.id].size(), 1u);
  EXPECT_EQ(a.rejected[a.epoch.id].at(2).code, "too_large");
  EXPECT_EQ(net.origin("a").journaled, 3u);
}

}  // namespace
}  // namespace oltp20::tests
