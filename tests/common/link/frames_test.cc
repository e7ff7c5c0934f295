// Each kind of frame passes over a real link with every field as it was sent.

#include <gtest/gtest.h>

#include "tests/common/link/frame_equality.h"
#include "tests/common/link/recorders.h"

namespace oltp20::link_test {
namespace {

template <typename Id>
Id id_of(char fill) {
  return Id::from(std::string(Id::size, fill));
}

EpochInfo a_life() {
  return {id_of<Epoch>('e'), id_of<Epoch>('p'), {41, id_of<Hash>('f')}};
}

StreamPosition a_position(Lsn lsn) {
  return {id_of<Incarnation>('i'), lsn, id_of<Hash>('h')};
}

Receipt a_receipt(const std::string& origin) {
  return {origin,
          id_of<Epoch>('o'),
          3,
          12,
          15,
          "a gap",
          {{ReceiptException::Kind::dead_letter, 8, 9, "22P05", "no"},
           {ReceiptException::Kind::given_up, 4, 7, "", "lost"}}};
}

TEST(Frames, EveryKindPassesFromAnOriginToItsHub) {
  Hub hub;
  ForwardRecorder spoke;
  auto client = ForwardClient::start(hub.reach(), &spoke);
  std::vector<ForwardUp> sent = {
      ForwardHello{
          kProtocolVersion, "s1", a_life(), {a_life()}, {7, id_of<Hash>('c')}, 99, "agent"},
      ForwardBegin{{8, id_of<Hash>('b')}},
      ForwardParts{{std::string("one\0two", 7), std::string(limits::kPartBytes, 'x')}},
  };
  for (const ForwardUp& frame : sent) client->send(frame);
  ASSERT_TRUE(eventually([&] { return hub.recorder.link(0).forward.size() == sent.size(); }));
  EXPECT_TRUE(hub.recorder.link(0).forward == sent);
  EXPECT_EQ(hub.recorder.link(0).kind, LinkKind::forward);
}

TEST(Frames, EveryKindPassesFromAHubToAnOrigin) {
  Hub hub;
  ForwardRecorder spoke;
  auto client = ForwardClient::start(hub.reach(), &spoke);
  ASSERT_TRUE(eventually([&] { return hub.recorder.count() == 1; }));
  LinkId link = hub.recorder.link(0).id;
  std::vector<ForwardDown> sent = {
      ForwardWelcome{"h1", id_of<Incarnation>('i'), true, {5, id_of<Hash>('c')}, 1 << 20},
      ForwardAck{10, 9, id_of<Hash>('a'), 12345},
      ForwardRefusal{11, "type_denied", "spoke/s1 may not publish \"x\""},
      ForwardReceipts{{{"s2", "eu", id_of<Incarnation>('d'), a_receipt("")}}},
      Goodbye{Code::conflict, "enough"},
  };
  for (const ForwardDown& frame : sent) hub.server().send(link, frame);
  ASSERT_TRUE(eventually([&] { return spoke.frame_count() == sent.size(); }));
  EXPECT_TRUE(spoke.frames() == sent);
}

TEST(Frames, EveryKindPassesFromADestinationToItsHub) {
  Hub hub;
  DeliverRecorder spoke;
  auto client = DeliverClient::start(hub.reach(), &spoke);
  std::vector<DeliverUp> sent = {
      DeliverHello{kProtocolVersion,
                   "s1",
                   "agent",
                   id_of<Incarnation>('d'),
                   {"greeting", "price.>"},
                   true,
                   {a_position(3), a_position(2)},
                   1 << 23},
      DeliverKnown{{{"s2", id_of<Epoch>('2')}, {"s3", id_of<Epoch>('3')}}, false},
      DeliverAck{1, 2, 3},
      DeliverReceipts{true, false, {a_receipt("s2"), a_receipt("s3")}},
      DeliverReceipts{false, true, {}},
  };
  for (const DeliverUp& frame : sent) client->send(frame);
  ASSERT_TRUE(eventually([&] { return hub.recorder.link(0).deliver.size() == sent.size(); }));
  EXPECT_TRUE(hub.recorder.link(0).deliver == sent);
  EXPECT_EQ(hub.recorder.link(0).kind, LinkKind::deliver);
}

TEST(Frames, EveryKindPassesFromAHubToADestination) {
  Hub hub;
  DeliverRecorder spoke;
  auto client = DeliverClient::start(hub.reach(), &spoke);
  ASSERT_TRUE(eventually([&] { return hub.recorder.count() == 1; }));
  LinkId link = hub.recorder.link(0).id;
  auto bytes = std::make_shared<const std::string>("part\0bytes", 10);
  std::vector<DeliverItem> items = {
      DeliverRun{4, "s2", a_life(), {1, id_of<Hash>('r')}},
      DeliverSpan{"s3", id_of<Epoch>('s'), 5, 9},
      DeliverPart{6, 3, id_of<Hash>('t'), 1623283200000000, bytes},
  };
  std::vector<DeliverDown> sent = {
      DeliverWelcome{"h1", id_of<Incarnation>('i'), a_position(1), true, 77, {"price.>"}},
      DeliverBatch{items, false, a_position(6)},
      Goodbye{Code::denied, "enough"},
  };
  for (const DeliverDown& frame : sent) hub.server().send(link, frame);
  ASSERT_TRUE(eventually([&] { return spoke.frame_count() == sent.size(); }));
  EXPECT_TRUE(spoke.frames() == sent);
}

TEST(Frames, ComeInTheOrderInWhichTheyWereSent) {
  Hub hub;
  ForwardRecorder spoke;
  auto client = ForwardClient::start(hub.reach(), &spoke);
  constexpr Seq kCount = 2000;
  for (Seq seq = 1; seq <= kCount; ++seq) client->send(ForwardBegin{{seq, {}}});
  ASSERT_TRUE(eventually([&] { return hub.recorder.link(0).forward.size() == kCount; }));
  Seq expected = 0;
  for (const ForwardUp& frame : hub.recorder.link(0).forward)
    ASSERT_EQ(std::get<ForwardBegin>(frame).base.seq, ++expected);
}

}  // namespace
}  // namespace oltp20::link_test
