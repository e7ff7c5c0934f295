// Receipts at a hub: the newest word of each destination, passed on to the origin it is about.
#include "hub/core/receipts.h"

#include "tests/core/hub_fixture.h"

namespace oltp20::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = ReceiptException::Kind;

const EpochInfo kLife{epoch(1), {}, {}};

Receipt receipt(Seq seq, std::vector<ReceiptException> exceptions = {}) {
  return {"evil", kLife.id, 0, seq, 0, "", std::move(exceptions)};
}

struct HubReceipts : HubTest {
  HubReceipts() { attach(1, kLife); }
  void say(hub::LinkId link, DeliverReceipts frame) {
    event(hub::DeliverReceived{link, std::move(frame)});
  }
  void say(hub::LinkId link, Receipt one) { say(link, {false, false, {std::move(one)}}); }
  void later(Micros us = kSecond) {
    now_.monotonic += us;
    event(hub::TimePassed{});
  }
  // What the origin was told last on that link.
  std::vector<DestinationReceipt> told(hub::LinkId link = 1) {
    return receipts_[link].empty() ? std::vector<DestinationReceipt>()
                                   : receipts_[link].back().receipts;
  }
};

TEST_F(HubReceipts, AreFromWhomTheCertificateNamesAndForTheirOriginOnly) {
  deliver(2, "b");
  deliver(3, "c");
  say(2, receipt(7, {{Kind::dead_letter, 4, 5, "22P05", "no"}}));
  ASSERT_THAT(told(), SizeIs(1));
  EXPECT_EQ(told()[0].destination, "b");
  EXPECT_EQ(told()[0].region, "eu");
  EXPECT_EQ(told()[0].receipt.origin, "");
  EXPECT_EQ(told()[0].receipt.seq, 7u);
  ASSERT_THAT(told()[0].receipt.exceptions, SizeIs(1));
  later();
  say(3, {false, false, {{"other", kLife.id, 0, 3, 0, "", {}}}});
  later();
  EXPECT_THAT(receipts_[1], SizeIs(1)) << "of another origin this one hears nothing";
}

TEST_F(HubReceipts, OnlyTheNewestIsToldAlsoWhenItIsLower) {
  deliver(2, "b");
  for (Seq seq = 1; seq <= 50; ++seq) say(2, receipt(seq));
  EXPECT_THAT(receipts_[1], SizeIs(1)) << "the others within kReceiptPass are put together";
  later(limits::kReceiptPass);
  EXPECT_THAT(receipts_[1], SizeIs(2));
  EXPECT_EQ(told()[0].receipt.seq, 50u);
  later();
  say(2, receipt(20));
  EXPECT_EQ(told()[0].receipt.seq, 20u) << "a restored destination takes back";
  later();
  EXPECT_THAT(receipts_[1], SizeIs(3)) << "nothing new, nothing said";
}

TEST_F(HubReceipts, AnOriginThatAttachesIsToldEverything) {
  deliver(2, "b");
  say(2, receipt(5, {{Kind::dead_letter, 2, 3, "", "x"}}));
  later();
  say(2, receipt(9));
  EXPECT_THAT(told()[0].receipt.exceptions, IsEmpty()) << "it has been told";
  event(hub::LinkClosed{1});
  deliver(3, "c");
  say(3, receipt(4));
  later();
  attach(4, kLife, ChainPosition{0, origin_chain_start("evil", kLife)});
  ASSERT_THAT(told(4), SizeIs(2));
  EXPECT_EQ(told(4)[0].receipt.seq, 9u);
  EXPECT_THAT(told(4)[0].receipt.exceptions, SizeIs(1)) << "once more";
  EXPECT_EQ(told(4)[1].destination, "c");
}

TEST_F(HubReceipts, AMarkThatIsNotInTheWholeStatementIsTakenBack) {
  deliver(2, "b");
  say(2, {true, true, {receipt(5), {"evil", epoch(2), 0, 8, 0, "", {}}}});
  later();
  event(hub::LinkClosed{2});
  deliver(3, "b");
  say(3, {true, false, {receipt(4)}});
  later();
  ASSERT_THAT(told(), SizeIs(1)) << "it has not said everything yet";
  EXPECT_EQ(told()[0].receipt.seq, 4u);
  say(3, {false, true, {}});
  later();
  ASSERT_THAT(told(), SizeIs(1));
  EXPECT_EQ(told()[0].receipt.epoch, epoch(2));
  EXPECT_EQ(told()[0].receipt.seq, 0u);
}

TEST_F(HubReceipts, ManyExceptionsAreAllToldToOneWhoIsThereAndSummedUpForOneWhoIsAway) {
  deliver(2, "b");
  auto letters = [](Seq from, Seq to) {
    std::vector<ReceiptException> out;
    for (Seq seq = from; seq <= to; ++seq)
      out.push_back({Kind::dead_letter, seq - 1, seq, "", "x"});
    return out;
  };
  say(2, receipt(200, letters(1, 200)));
  EXPECT_THAT(told()[0].receipt.exceptions, SizeIs(200));
  event(hub::LinkClosed{1});
  say(2, receipt(400, letters(201, 400)));
  attach(4, kLife, ChainPosition{0, origin_chain_start("evil", kLife)});
  const std::vector<ReceiptException> again = told(4)[0].receipt.exceptions;
  ASSERT_THAT(again, SizeIs(limits::kReceiptExceptions));
  EXPECT_EQ(again.front().kind, Kind::several) << "never told as applied";
  EXPECT_EQ(again.front().from, 0u);
  for (std::size_t i = 1; i < again.size(); ++i) {
    EXPECT_EQ(again[i].from, again[i - 1].to);
    EXPECT_EQ(again[i].kind, Kind::dead_letter);
  }
  EXPECT_EQ(again.back().to, 400u);
}

TEST_F(HubReceipts, WhatIsNoReceiptEndsTheLink) {
  hub::LinkId link = 10;
  auto expect_ended = [&](Receipt bad) {
    deliver(++link, "b");
    say(link, std::move(bad));
    EXPECT_THAT(ended(link), HasSubstr("a receipt with "));
  };
  expect_ended({"evil", kLife.id, 9, 5, 0, "", {}});
  expect_ended({"evil", kLife.id, 0, limits::kSeq + 1, 0, "", {}});
  expect_ended({"b", kLife.id, 0, 5, 0, "", {}});
  expect_ended({"no/name", kLife.id, 0, 5, 0, "", {}});
  expect_ended({"evil", kLife.id, 0, 5, 9, std::string(1000, 'x'), {}});
  expect_ended(receipt(5, {{Kind::dead_letter, 5, 6, "", ""}}));
  expect_ended(receipt(5, {{Kind::dead_letter, 3, 3, "", ""}}));
  deliver(++link, "b");
  say(link, {false, false, std::vector<Receipt>(limits::kReceiptPage + 1, receipt(1))});
  EXPECT_THAT(ended(link), HasSubstr("more receipts in one frame"));
  event(hub::LinkOpened{++link, false, identity("b"), "x"});
  say(link, receipt(1));
  EXPECT_THAT(ended(link), HasSubstr("out of turn"));
  EXPECT_THAT(receipts_[1], IsEmpty());
}

TEST(BoundedReceipts, WhatDoesNotFitIsDroppedAndCountedAndWhatIsKeptStays) {
  hub::Receipts receipts(2);
  auto said = [&](const std::string& origin, Seq seq) {
    EXPECT_TRUE(
        receipts.said(identity("b"), {}, {false, false, {{origin, kLife.id, 0, seq, 0, "", {}}}}));
  };
  for (const char* origin : {"x", "y", "z"}) said(origin, 1);
  said("x", 2);
  EXPECT_EQ(receipts.status().kept, 2u);
  EXPECT_EQ(receipts.status().dropped, 1u);
  receipts.attached("x", 1);
  receipts.attached("z", 2);
  hub::Actions actions;
  receipts.flush({kSecond, kSecond}, &actions);
  ASSERT_THAT(actions, SizeIs(1));
  const auto& frame = std::get<ForwardReceipts>(std::get<hub::SendForward>(actions[0]).frame);
  EXPECT_EQ(frame.receipts[0].receipt.seq, 2u);
}

TEST_F(HubTest, RowsToThoseWhoMayNotHaveThemAreRefused) {
  hub::PolicyRule evil, b, us;
  evil.who = "spoke/evil";
  evil.publish = {">"};
  b.who = "spoke/b";
  b.subscribe = {"order.>"};
  us.who = "region/us";
  policy({evil, b, us});
  attach(1, kLife);
  auto refused = [&](Seq seq, const char* type, const char* destination) {
    refused_.clear();
    send(1, parts_of("evil", kLife.id, seq, {row(type, "p", destination)}));
    return refused_.empty() ? std::string() : refused_[0].code + " " + refused_[0].reason;
  };
  EXPECT_EQ(refused(1, "order.new", "spoke/b"), "");
  EXPECT_EQ(refused(2, "order.new", "region/us"), "") << "b may be in it";
  EXPECT_THAT(refused(3, "price", "spoke/b"),
              HasSubstr("destination_denied the hub's policy lets nobody at spoke/b receive"));
}

}  // namespace
}  // namespace oltp20::tests
