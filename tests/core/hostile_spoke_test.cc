// What a hostile spoke, or one that breaks off, may send, and what others get to see of it.
#include "hub/journal/verify.h"
#include "tests/core/hub_fixture.h"

namespace oltp20::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(HubTest, ABeginningWithAChainOfItsOwnIsRefusedAndNotJournaled) {
  attach(1, {epoch(1), {}, {}}, ChainPosition{0, Hash::from("junk")});
  EXPECT_THAT(ended(1), HasSubstr("chain hash at 0"));
  EXPECT_EQ(journal_.info().head.lsn, 0u);
  attach(2, {epoch(1), {}, {}});
  send(2, parts_of("evil", epoch(1), 1, std::vector{row("greeting", "after all")}));
  EXPECT_EQ(journal_.info().head.lsn, 2u);
  Result<hub::VerifyReport> report = hub::verify(journal_, 1, journal_.info().head.lsn, {});
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->is_sound()) << report->findings.front().sentence;
}

struct Withheld : HubTest {
  Withheld() {
    hub::PolicyRule a, b, c, us;
    a.who = "spoke/evil";
    a.publish = {">"};
    b.who = "spoke/b";
    b.subscribe = {"public"};
    c.who = "spoke/c";
    c.subscribe = {">"};
    us.who = "region/us";  // in which b is not; only its certificate says so
    us.subscribe = {">"};
    policy({a, b, c, us});
    attach(1, life);
  }
  // b may have the type of the one and the address of the other, and so neither.
  std::vector<MessageRow> neither(int pairs) const {
    std::vector<MessageRow> rows;
    for (int i = 0; i < pairs; ++i) {
      rows.push_back(row("public", payload, "spoke/c"));
      rows.push_back(row("secret", payload, "spoke/b"));
    }
    return rows;
  }
  // As many types and destinations as no entry lists.
  void add_unlisted(std::vector<MessageRow>* rows) {
    for (int i = 0; i < 100; ++i) types.push_back("secret." + std::to_string(i));
    for (const std::string& type : types) rows->push_back(row(type, payload));
  }
  void receive() { deliver(2, "b", {{"evil", life.id}}); }
  const EpochInfo life{epoch(1), {}, {}};
  const std::string payload = std::string(10'000, 'x');
  std::deque<std::string> types;
};

TEST_F(Withheld, NothingLeavesOfALargeTransactionOfWhichNoRowMatches) {
  send(1, parts_of("evil", life.id, 1, neither(30)));
  send(1, parts_of("evil", life.id, 2, std::vector{row("public", "behind it")}));
  receive();
  std::vector<DeliverPart> parts = delivered<DeliverPart>();
  ASSERT_EQ(parts.size(), 1u) << "origin, size and time of what b may not have";
  EXPECT_EQ(PartView::parse(*parts[0].bytes)->header.seq, 2u);
  EXPECT_EQ(delivered<DeliverSpan>().size(), 1u) << "b's mark moves over it all the same";
}

TEST_F(Withheld, NorWhenItHasMorePairsThanAnEntryLists) {
  std::vector<MessageRow> rows = neither(10);
  add_unlisted(&rows);
  send(1, parts_of("evil", life.id, 1, rows));
  send(1, parts_of("evil", life.id, 2, std::vector{row("public", "behind it")}));
  receive();
  std::vector<DeliverPart> parts = delivered<DeliverPart>();
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(PartView::parse(*parts[0].bytes)->header.seq, 2u);
  EXPECT_EQ(delivered<DeliverSpan>().size(), 1u);
}

TEST_F(Withheld, OneRowAtItsEndBringsTheWholeOfIt) {
  std::vector<MessageRow> rows = neither(10);
  add_unlisted(&rows);
  rows.push_back(row("public", "for b"));
  std::vector<std::string> sent = parts_of("evil", life.id, 1, rows);
  ASSERT_GT(sent.size(), 2u);
  send(1, sent);
  receive();
  std::vector<DeliverPart> parts = delivered<DeliverPart>();
  ASSERT_EQ(parts.size(), sent.size()) << "all parts: the hash is over all rows";
  std::size_t shown = 0;
  for (std::uint32_t i = 0; i < parts.size(); ++i) {
    Result<PartView> part = PartView::parse(*parts[i].bytes);
    EXPECT_EQ(part->part_no, i);
    for (const RowSlice& slice : part->rows) shown += !slice.withheld;
  }
  EXPECT_EQ(shown, 1u);
  EXPECT_THAT(delivered<DeliverSpan>(), IsEmpty());
}

TEST_F(HubTest, ADestinationThatIsNoNameIsRefused) {
  attach(1, {epoch(1), {}, {}});
  const std::string long_name(65'000, 'd');
  Seq seq = 0;
  for (const std::string& destination :
       {"spoke/" + long_name, "region/" + std::string(64, 'n'), std::string("spoke/"),
        std::string("hub/eu"), std::string("spoke/a b"), std::string("spoke/a/b"),
        std::string("nowhere")}) {
    refused_.clear();
    send(1, parts_of("evil", epoch(1), ++seq, std::vector{row("t", "x", destination)}));
    ASSERT_EQ(refused_.size(), 1u) << destination;
    EXPECT_EQ(refused_[0].code, "destination_unknown");
    EXPECT_LT(refused_[0].reason.size(), 400u);
    TransactionHeader header;
    header.origin = "evil";
    header.epoch = epoch(1);
    header.seq = seq;
    header.tombstone = true;
    header.reason = "refused";
    send(1, {encode_tombstone(header)});
  }
  EXPECT_EQ(ended(1), "");
}

TEST_F(HubTest, WhatEntriesListIsCountedInTheTail) {
  attach(1, {epoch(1), {}, {}});
  std::deque<std::string> types;
  std::vector<MessageRow> rows;
  for (int i = 0; i < 16; ++i) {
    types.push_back(std::to_string(i) + "." + std::string(250, 't'));
    rows.push_back(row(types.back(), ""));
  }
  std::size_t before = core_.delivery().tail_bytes();
  std::vector<std::string> parts = parts_of("evil", epoch(1), 1, rows);
  ASSERT_EQ(parts.size(), 1u);
  std::size_t sent = parts[0].size();
  send(1, parts);
  EXPECT_GT(core_.delivery().tail_bytes() - before, sent + 16 * 250)
      << "the listed types are in memory beside the part";
}

TEST_F(HubTest, PartsOfWhatIsCutOffGoWithItsLink) {
  const std::string payload(200'000, 'x');
  for (int life = 1; life <= 5; ++life) {
    EpochInfo info{epoch(life), life == 1 ? Epoch{} : epoch(life - 1), {}};
    std::vector<std::string> parts =
        parts_of("evil", info.id, 1, std::vector<MessageRow>(40, row("t", payload)));
    attach(static_cast<hub::LinkId>(life), info);
    parts.pop_back();
    for (const std::string& part : parts) send(static_cast<hub::LinkId>(life), {part});
    EXPECT_GT(journal_.stored_parts(), 10u);
    event(hub::LinkClosed{static_cast<hub::LinkId>(life)});
    EXPECT_EQ(journal_.stored_parts(), 0u) << "of epoch " << life;
  }
  // As well when the hub ends the link, and what came whole stays.
  EpochInfo info{epoch(6), epoch(5), {}};
  attach(6, info);
  send(6, parts_of("evil", info.id, 1, std::vector<MessageRow>(5, row("t", payload))));
  std::size_t whole = journal_.stored_parts();
  EXPECT_GT(whole, 1u);
  std::vector<std::string> parts =
      parts_of("evil", info.id, 2, std::vector<MessageRow>(5, row("t", payload)));
  send(6, {parts[0]});
  EXPECT_EQ(journal_.stored_parts(), whole + 1);
  send(6, {parts[0]});
  EXPECT_THAT(ended(6), HasSubstr("out of order"));
  EXPECT_EQ(journal_.stored_parts(), whole);
}

}  // namespace
}  // namespace oltp20::tests
