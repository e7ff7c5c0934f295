// Receipts at a spoke: when a destination gives them, and when an origin writes them down.
#include "common/base/limits.h"
#include "tests/core/hub_fixture.h"
#include "tests/core/pair.h"

namespace oltp20::tests {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

// A destination that is fed frame by frame.
class GivenReceipts : public ::testing::Test {
 protected:
  GivenReceipts() { connect(); }
  static StreamPosition at(Lsn lsn) {
    return {Incarnation::from("stream"), lsn, Hash::from(std::to_string(lsn))};
  }
  void connect() {
    for (int second = 0; second < 10; ++second) step(kSecond);
    destination_.link_opened(now_, &out_);
    StreamPosition from = at(position_);
    destination_.link_received(DeliverWelcome{"hub", from.incarnation, from, false, 0, {}}, now_,
                               &out_);
  }
  void settle() {
    for (int i = 0; i < 100 && (destination_.work(now_, &out_) || i < 3); ++i) continue;
  }
  void step(Micros us) {
    now_.monotonic += us;
    settle();
  }
  void receive(const std::string& origin, Seq seq) {
    std::vector<DeliverItem> items;
    if (seq == 1) items.push_back(DeliverRun{1, origin, {epoch(1), {}, {}}, {}});
    std::string bytes = parts_of(origin, epoch(1), seq, {"t"}, origin + std::to_string(seq))[0];
    Hash hash = content_hash_of_single(*PartView::parse(bytes));
    items.push_back(DeliverPart{++position_, seq - 1, hash, 0,
                                std::make_shared<const std::string>(std::move(bytes))});
    destination_.link_received(DeliverBatch{std::move(items), true, at(position_)}, now_, &out_);
  }
  // What was said since the last call.
  std::vector<DeliverReceipts> said() {
    std::vector<DeliverReceipts> frames;
    for (auto& action : std::exchange(out_, {}))
      if (auto* send = std::get_if<spoke::SendDown>(&action))
        if (auto* frame = std::get_if<DeliverReceipts>(&send->frame)) frames.push_back(*frame);
    return frames;
  }

  ModelDatabase database_{2};
  ModelInbox inbox_{database_};
  SeededRandom random_{3};
  spoke::Now now_{kSecond, kSecond};
  spoke::Destination destination_{{"b", {">"}, false, {"hub"}}, inbox_, random_};
  spoke::DestinationActions out_;
  Lsn position_ = 0;
};

TEST_F(GivenReceipts, ComeOnlyOnceTheDatabaseHasFlushed) {
  step(kSecond);
  said();
  database_.flush_stuck = true;
  receive("a", 1);
  for (int i = 0; i < 20; ++i) step(kSecond);
  EXPECT_EQ(database_.marks.size(), 1u) << "it is applied";
  EXPECT_THAT(said(), IsEmpty()) << "and not durable";
  database_.flush_stuck = false;
  step(kSecond);
  auto frames = said();
  ASSERT_THAT(frames, SizeIs(1));
  ASSERT_THAT(frames[0].receipts, SizeIs(1));
  EXPECT_EQ(frames[0].receipts[0].origin, "a");
  EXPECT_EQ(frames[0].receipts[0].seq, 1u);
  for (int i = 0; i < 20; ++i) step(kSecond);
  EXPECT_THAT(said(), IsEmpty()) << "only what has changed";
}

TEST_F(GivenReceipts, ComeAtOnceAfterIdlenessAndThenInBatches) {
  step(kSecond);
  step(kSecond);
  said();
  receive("a", 1);
  step(0);
  EXPECT_THAT(said(), IsEmpty());
  step(limits::kReceiptQuiet);
  EXPECT_THAT(said(), SizeIs(1));
  std::size_t frames = 0;
  for (Seq seq = 2; seq <= 200; ++seq) {  // one in three milliseconds
    receive("a", seq);
    step(kMillisecond);
    step(2 * kMillisecond);
    frames += said().size();
  }
  EXPECT_THAT(frames, ::testing::AllOf(::testing::Ge(4u), ::testing::Le(13u)))
      << "in 600 ms, each of up to two: what was asked for, and what came since";
}

TEST_F(GivenReceipts, UnderLoadNoFlushIsForcedAndWhatWasFlushedMeanwhileIsTold) {
  step(kSecond);
  said();
  for (Seq seq = 1; seq <= 400; ++seq) {
    receive("a", 2 * seq - 1);
    receive("a", 2 * seq);
    now_.monotonic += kMillisecond;
    database_.flush_stuck = true;  // what is not forced is not stuck
    // One round with something waiting; the group takes both.
    destination_.work(now_, &out_);
    if (seq == 300) database_.flushed = database_.commits;  // by itself
  }
  auto frames = said();
  ASSERT_THAT(frames, SizeIs(1));
  EXPECT_GE(frames[0].receipts[0].seq, 2u);
  EXPECT_LE(frames[0].receipts[0].seq, 600u);
  EXPECT_LE(database_.flush_questions, 25u) << "in 400 ms";
}

TEST_F(GivenReceipts, AfterAnAttachEverythingIsSaidInPages) {
  const std::size_t origins = limits::kReceiptPage + 10;
  for (std::size_t i = 0; i < origins; ++i) receive("o" + std::to_string(i), 1);
  step(kSecond);
  step(kSecond);
  said();
  destination_.link_closed(Status(Code::unavailable, "cut"), now_, &out_);
  connect();
  step(kSecond);
  auto frames = said();
  ASSERT_THAT(frames, SizeIs(2));
  EXPECT_TRUE(frames[0].first && !frames[0].last && !frames[1].first && frames[1].last);
  EXPECT_EQ(frames[0].receipts.size() + frames[1].receipts.size(), origins);
  EXPECT_LE(frames[0].receipts.size(), limits::kReceiptPage);
}

TEST_F(GivenReceipts, AHoleIsToldWithItsReason) {
  receive("a", 1);
  receive("a", 5);
  step(kSecond);
  step(kSecond);
  auto frames = said();
  ASSERT_FALSE(frames.empty());
  const Receipt& receipt = frames.back().receipts.back();
  EXPECT_EQ(receipt.seq, 1u);
  EXPECT_EQ(receipt.held_to, 4u);
  EXPECT_THAT(receipt.held_reason, ::testing::HasSubstr("have not come by hub hub"));
}

TEST(MergedExceptions, KeepTheNewestAndCoverTheOthers) {
  using Kind = ReceiptException::Kind;
  std::vector<ReceiptException> all;
  for (Seq seq = 10; seq <= 100; seq += 10)
    all.push_back({Kind::dead_letter, seq - 1, seq, "c", "r"});
  merge_oldest(&all, 3);
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[0].kind, Kind::several);
  EXPECT_EQ(all[0].from, 9u);
  EXPECT_EQ(all[0].to, 80u);
  EXPECT_EQ(all[1].to, 90u);
  EXPECT_EQ(all[2].kind, Kind::dead_letter);
}

using WrittenReceipts = Pair;

TEST_F(WrittenReceipts, SayWhatTheDestinationHas) {
  commit(1, 5);
  b.poison = "3";
  net.run(5 * kSecond);
  ASSERT_THAT(a.receipts, SizeIs(1));
  const DestinationReceipt& said = a.receipts.begin()->second;
  EXPECT_EQ(said.destination, "b");
  EXPECT_EQ(said.receipt.seq, 5u);
  EXPECT_TRUE(b.receipts.empty()) << "it has sent nothing";
  bool told = false;
  for (const DestinationReceipt& one : a.receipt_log)
    for (const ReceiptException& exception : one.receipt.exceptions)
      told |= exception.to == 3 && exception.kind == ReceiptException::Kind::dead_letter;
  EXPECT_TRUE(told);
}

TEST_F(WrittenReceipts, OnceASecondButAtOnceWhileSomebodyWaits) {
  auto writes_in_three_seconds = [&] {
    net.run(3 * kSecond);
    a.receipt_log.clear();
    for (int i = 0; i < 300; ++i) {
      commit(i, i);
      net.run(10 * kMillisecond);
    }
    return a.receipt_log.size();
  };
  EXPECT_LE(writes_in_three_seconds(), 4u);
  a.somebody_waits = true;
  EXPECT_GE(writes_in_three_seconds(), 20u) << "ten a second come";
}

TEST_F(WrittenReceipts, AreLeftOutWhereNobodyWantsThem) {
  a.receipts_off = {"greeting"};
  a.commit("order", "1");
  net.run(10 * kSecond);  // it has read what is off
  a.receipt_log.clear();
  commit(1, 50);
  net.run(10 * kSecond);
  EXPECT_EQ(b.received.size(), 51u);
  EXPECT_THAT(a.receipt_log, IsEmpty());
  a.commit("order", "2");
  net.run(3 * kSecond);
  ASSERT_FALSE(a.receipt_log.empty());
  EXPECT_EQ(a.receipt_log.back().receipt.seq, 52u);
}

TEST(HostileReceipts, OfWhatWasNeverSentAreNotWritten) {
  ModelDatabase database{1};
  ModelOutbox outbox(database);
  SeededRandom random(5);
  spoke::Origin origin({"a", 1}, outbox, random);
  spoke::Now now{kSecond, kSecond};
  spoke::OriginActions out;
  auto settle = [&] {
    for (int i = 0; i < 50; ++i) origin.work(now, &out);
  };
  database.commit("t", "x");
  settle();
  origin.link_opened(now, &out);
  origin.link_received(
      ForwardWelcome{"hub", {}, false, {0, origin_chain_start("a", database.epoch)}, 1 << 20}, now,
      &out);
  settle();
  auto say = [&](const std::string& who, const Epoch& life, Seq seq) {
    origin.link_received(ForwardReceipts{{{who, "eu", {}, {"", life, 0, seq, 0, "", {}}}}}, now,
                         &out);
    now.monotonic += 2 * kSecond;
    settle();
  };
  say("b", database.epoch.id, 2);
  say("b", epoch(9), 1);
  say("not a name", database.epoch.id, 1);
  EXPECT_THAT(database.receipts, IsEmpty());
  say("b", database.epoch.id, 1);
  EXPECT_THAT(database.receipts, SizeIs(1));
  say("b", database.epoch.id, 0);
  EXPECT_EQ(database.receipts.begin()->second.receipt.seq, 0u) << "taken back";
}

}  // namespace
}  // namespace oltp20::tests
