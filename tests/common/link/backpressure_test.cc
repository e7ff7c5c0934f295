// A slow side holds the other back; nothing grows without a bound.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/common/link/raw_peer.h"
#include "tests/common/link/recorders.h"

namespace oltp20::link_test {
namespace {

using ::testing::HasSubstr;

TEST(Backpressure, AHubIsHandedAtMostTheFramesInFlight) {
  Hub hub;
  hub.recorder.consume = false;
  ForwardRecorder spoke;
  auto client = ForwardClient::start(hub.reach(), &spoke);
  for (Seq seq = 1; seq <= 100; ++seq) client->send(ForwardBegin{{seq, {}}});
  auto handed = [&] { return hub.recorder.link(0).forward.size(); };
  ASSERT_TRUE(eventually([&] { return handed() == limits::kStreamInflight; }));
  std::this_thread::sleep_for(200ms);
  EXPECT_EQ(handed(), limits::kStreamInflight);
  hub.server().consumed(hub.recorder.link(0).id, 3);
  ASSERT_TRUE(eventually([&] { return handed() == limits::kStreamInflight + 3; }));
  std::this_thread::sleep_for(200ms);
  EXPECT_EQ(handed(), limits::kStreamInflight + 3);
}

TEST(Backpressure, ASpokeIsHandedAtMostTheFramesInFlight) {
  Hub hub;
  ForwardRecorder spoke;
  auto client = ForwardClient::start(hub.reach(), &spoke);
  ASSERT_TRUE(eventually([&] { return hub.recorder.count() == 1; }));
  LinkId link = hub.recorder.link(0).id;
  for (Seq seq = 1; seq <= 100; ++seq) hub.server().send(link, ForwardAck{seq, 0, {}, 0});
  ASSERT_TRUE(eventually([&] { return spoke.frame_count() == limits::kStreamInflight; }));
  std::this_thread::sleep_for(200ms);
  EXPECT_EQ(spoke.frame_count(), limits::kStreamInflight);
  client->consumed(5);
  ASSERT_TRUE(eventually([&] { return spoke.frame_count() == limits::kStreamInflight + 5; }));
  client->consumed(1000);  // more than were handed over is no credit for the future
  std::this_thread::sleep_for(200ms);
  EXPECT_EQ(spoke.frame_count(), 2 * limits::kStreamInflight + 5);
}

// A spoke that opened Deliver and never reads.
class Deaf {
 public:
  explicit Deaf(const Hub& hub)
      : stub_(v1::Broker::NewStub(raw_channel(hub.reach().endpoint, network().spoke))),
        stream_(stub_->Deliver(&context_)) {}
  ~Deaf() {
    context_.TryCancel();
    (void)stream_->Finish();
  }

 private:
  std::unique_ptr<v1::Broker::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::DeliverUp, v1::DeliverDown>> stream_;
};

// How many of these the hub takes for a peer that does not read, until it ends the link.
std::size_t sent_until_cut_off(const DeliverBatch& batch, std::size_t most,
                               std::size_t pause_every) {
  Hub hub;
  Deaf spoke(hub);
  EXPECT_TRUE(eventually([&] { return hub.recorder.count() == 1; }));
  LinkId link = hub.recorder.link(0).id;
  std::size_t sent = 0;
  for (; sent < most && hub.recorder.open() == 1; ++sent) {
    hub.server().send(link, batch);
    // closed() comes from another thread, which must not have to race with this one.
    if (sent % pause_every == 0) std::this_thread::sleep_for(2ms);
  }
  EXPECT_TRUE(eventually([&] { return hub.recorder.open() == 0; }));
  EXPECT_EQ(hub.recorder.link(0).closed->code(), Code::exhausted);
  EXPECT_THAT(hub.recorder.link(0).closed->message(), HasSubstr("does not read"));
  return sent;
}

TEST(Backpressure, APeerThatDoesNotReadIsCutOffAtABoundInBytes) {
  auto bytes = std::make_shared<const std::string>(limits::kPartBytes, 'x');
  std::size_t most = (128 << 20) / limits::kPartBytes;  // four times what may wait
  EXPECT_LT(sent_until_cut_off({{DeliverPart{1, 0, {}, 0, bytes}}, true, {}}, most, 1), most);
}

TEST(Backpressure, APeerThatDoesNotReadIsCutOffAtABoundInFrames) {
  auto bytes = std::make_shared<const std::string>(1024, 'x');
  std::size_t most = 20'000;  // of which gRPC takes in some 4 MB; less than the bound in bytes
  EXPECT_LT(sent_until_cut_off({{DeliverPart{1, 0, {}, 0, bytes}}, true, {}}, most, 32), most);
}

TEST(Backpressure, ASpokeEndsALinkWhoseHubDoesNotRead) {
  Hub hub;
  hub.recorder.consume = false;
  ForwardRecorder spoke;
  auto client = ForwardClient::start(hub.reach(), &spoke);
  std::string part(limits::kPartBytes, 'x');
  std::size_t sent = 0, most = (128 << 20) / limits::kPartBytes;
  for (; sent < most && !spoke.closed_status(); ++sent) {
    client->send(ForwardParts{{part}});
    std::this_thread::sleep_for(2ms);
  }
  EXPECT_LT(sent, most);
  ASSERT_TRUE(spoke.wait_closed());
  EXPECT_EQ(spoke.why(), "exhausted: the hub does not read what it is sent");
  EXPECT_TRUE(eventually([&] { return hub.recorder.open() == 0; }));
}

}  // namespace
}  // namespace oltp20::link_test
