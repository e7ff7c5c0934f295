// Opening, closing and destroying links: in order, told once, and never a hang.

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "tests/common/link/recorders.h"

namespace oltp20::link_test {
namespace {

TEST(Lifecycle, OpenedThenReceivedThenClosedOnBothSides) {
  Hub hub;
  ForwardRecorder spoke;
  auto client = ForwardClient::start(hub.reach(), &spoke);
  client->send(ForwardBegin{{1, {}}});
  ASSERT_TRUE(eventually([&] { return hub.recorder.link(0).forward.size() == 1; }));
  HubRecorder::Link link = hub.recorder.link(0);
  EXPECT_EQ(link.peer.identity.label(), "spoke/s1");
  EXPECT_EQ(link.peer.identity.region, "eu");
  EXPECT_EQ(link.peer.address.rfind("127.0.0.1:", 0), 0u) << link.peer.address;
  EXPECT_FALSE(link.peer.serial_hex.empty());
  EXPECT_GT(link.peer.not_after_s, system_clock().wall_us() / kSecond);

  hub.server().send(link.id, ForwardAck{1, 1, {}, 0});
  hub.server().close(link.id, {Code::conflict, "the chains differ"});
  ASSERT_TRUE(spoke.wait_closed());
  EXPECT_EQ(spoke.events(), "opened received closed ");
  std::vector<ForwardDown> frames = spoke.frames();
  ASSERT_FALSE(frames.empty());
  const auto* goodbye = std::get_if<Goodbye>(&frames.back());
  ASSERT_NE(goodbye, nullptr);
  EXPECT_EQ(goodbye->reason, "the chains differ");
  EXPECT_EQ(goodbye->code, Code::conflict);
  ASSERT_TRUE(eventually([&] { return hub.recorder.open() == 0; }));
  EXPECT_EQ(hub.recorder.link(0).closed->message(), "the chains differ");
  EXPECT_FALSE(hub.recorder.link(0).broken_order);
}

TEST(Lifecycle, TheHubHearsThatASpokeIsGone) {
  Hub hub;
  ForwardRecorder spoke;
  auto client = ForwardClient::start(hub.reach(), &spoke);
  ASSERT_TRUE(eventually([&] { return hub.recorder.count() == 1; }));
  client.reset();
  ASSERT_TRUE(eventually([&] { return hub.recorder.open() == 0; }));
  EXPECT_EQ(spoke.events().find("closed"), std::string::npos);  // its owner ended it
}

TEST(Lifecycle, TheHubHearsThatASpokeIsGoneWhoseFramesNobodyTook) {
  Hub hub;
  hub.recorder.consume = false;
  ForwardRecorder spoke;
  auto client = ForwardClient::start(hub.reach(), &spoke);
  for (Seq seq = 1; seq <= 2 * limits::kStreamInflight; ++seq)
    client->send(ForwardBegin{{seq, {}}});
  ASSERT_TRUE(
      eventually([&] { return hub.recorder.link(0).forward.size() == limits::kStreamInflight; }));
  client.reset();
  EXPECT_TRUE(eventually([&] { return hub.recorder.open() == 0; }));
}

TEST(Lifecycle, AHubThatStopsSaysGoodbye) {
  Hub hub;
  ForwardRecorder spoke;
  auto client = ForwardClient::start(hub.reach(), &spoke);
  ASSERT_TRUE(eventually([&] { return hub.recorder.count() == 1; }));
  hub.server().shutdown(2 * kSecond);
  EXPECT_EQ(hub.recorder.open(), 0u);  // nothing is called after shutdown()
  ASSERT_TRUE(spoke.wait_closed());
  EXPECT_EQ(std::get<Goodbye>(spoke.frames().back()).reason, "the hub is stopping");
}

TEST(Lifecycle, AHubStopsAlthoughASpokeNeitherReadsNorEnds) {
  Hub hub;
  DeliverRecorder spoke;  // consumes nothing
  auto client = DeliverClient::start(hub.reach(), &spoke);
  ASSERT_TRUE(eventually([&] { return hub.recorder.count() == 1; }));
  auto bytes = std::make_shared<const std::string>(limits::kPartBytes, 'x');
  DeliverPart part{1, 0, {}, 0, bytes};
  LinkId link = hub.recorder.link(0).id;
  for (int i = 0; i < 100; ++i) hub.server().send(link, DeliverBatch{{part}, true, {}});
  ASSERT_TRUE(eventually([&] { return spoke.frame_count() == limits::kStreamInflight; }));
  auto before = std::chrono::steady_clock::now();
  hub.server().shutdown(kSecond);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 4s);
  EXPECT_EQ(hub.recorder.open(), 0u);
  // It hears of the end once it has taken what came before.
  EXPECT_TRUE(eventually([&] {
    client->consumed(limits::kStreamInflight);
    return spoke.closed_status().has_value();
  }));
}

TEST(Lifecycle, ManyLinksEndInAnyOrderWithoutAHang) {
  for (int round = 0; round < 5; ++round) {
    Hub hub;
    std::vector<ForwardRecorder> spokes(6);
    std::vector<std::unique_ptr<ForwardClient>> clients;
    for (ForwardRecorder& spoke : spokes)
      clients.push_back(ForwardClient::start(hub.reach(), &spoke));
    bool all_open = eventually([&] { return hub.recorder.count() == spokes.size(); },
                               round % 2 == 0 ? 5000ms : 0ms);
    EXPECT_TRUE(all_open || round % 2 == 1);
    std::thread stopping([&] { hub.server().shutdown(kSecond); });
    for (std::size_t i = 0; i < clients.size(); i += 2) clients[i].reset();
    stopping.join();
    EXPECT_EQ(hub.recorder.open(), 0u);
  }
}

TEST(Lifecycle, AHubThatStopsAtOnceStillEndsEachLink) {
  for (int round = 0; round < 10; ++round) {
    Hub hub;
    std::vector<ForwardRecorder> spokes(12);
    std::vector<std::unique_ptr<ForwardClient>> clients;
    for (ForwardRecorder& spoke : spokes)
      clients.push_back(ForwardClient::start(hub.reach(), &spoke));
    ASSERT_TRUE(eventually([&] { return hub.recorder.count() == spokes.size(); }));
    hub.server().shutdown(0);
    EXPECT_EQ(hub.recorder.open(), 0u);
    for (ForwardRecorder& spoke : spokes) EXPECT_TRUE(spoke.wait_closed());
  }
}

TEST(Lifecycle, AHubThatStopsWaitsForAHandlerThatIsSlow) {
  Hub hub;
  hub.recorder.pause = 500ms;
  ForwardRecorder spoke, other;
  auto client = ForwardClient::start(hub.reach(), &spoke);
  auto second = ForwardClient::start(hub.reach(), &other);
  ASSERT_TRUE(eventually([&] { return hub.recorder.count() == 2; }));
  client->send(ForwardBegin{});
  ASSERT_TRUE(eventually([&] {
    return hub.recorder.link(0).forward.size() == 1 || hub.recorder.link(1).forward.size() == 1;
  }));
  second->send(ForwardBegin{});
  hub.server().shutdown(0);
  EXPECT_EQ(hub.recorder.open(), 0u);
  EXPECT_FALSE(hub.recorder.link(0).broken_order || hub.recorder.link(1).broken_order);
}

TEST(Lifecycle, NobodyListening) {
  std::string endpoint;
  {
    Hub hub;
    endpoint = hub.server().address();
  }
  ForwardRecorder spoke;
  auto client = ForwardClient::start({endpoint, "h1", network().spoke}, &spoke);
  client->send(ForwardBegin{});
  ASSERT_TRUE(spoke.wait_closed());
  EXPECT_EQ(spoke.closed_status()->code(), Code::unavailable);
  EXPECT_NE(spoke.why().find("the hub at " + endpoint + " is not reached"), std::string::npos)
      << spoke.why();
  EXPECT_EQ(spoke.events(), "closed ");
}

// A socket that takes connections and never says a word.
class Mute {
 public:
  Mute() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(socket_, 8), 0);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    endpoint = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  ~Mute() { ::close(socket_); }
  std::string endpoint;

 private:
  int socket_;
};

TEST(Lifecycle, AClientMayBeDestroyedWhileItConnects) {
  Mute mute;
  ForwardRecorder spoke;
  auto before = std::chrono::steady_clock::now();
  for (int i = 0; i < 3; ++i) {
    auto client = ForwardClient::start({mute.endpoint, "h1", network().spoke}, &spoke);
    client->send(ForwardBegin{});
    if (i > 0) std::this_thread::sleep_for(50ms);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - before, 2s);
  EXPECT_EQ(spoke.events(), "");
}

TEST(Lifecycle, AClientMayBeDestroyedAfterItsHubDied) {
  auto hub = std::make_unique<Hub>();
  ForwardRecorder spoke;
  auto client = ForwardClient::start(hub->reach(), &spoke);
  ASSERT_TRUE(eventually([&] { return hub->recorder.count() == 1; }));
  hub.reset();
  client->send(ForwardBegin{});
  client.reset();
  SUCCEED();
}

TEST(Lifecycle, TwoHubsCannotShareAPort) {
  Hub hub;
  try {
    Hub second(network().hub, nullptr, hub.server().address());
    FAIL() << "two hubs listen on " << hub.server().address();
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("cannot listen on " + hub.server().address()),
              std::string::npos)
        << error.what();
  }
}

TEST(Lifecycle, UnknownAndClosedLinksAreIgnored) {
  Hub hub;
  hub.server().send(77, ForwardAck{});
  hub.server().consumed(77, 1);
  hub.server().close(77, {Code::denied, "no"});
  SUCCEED();
}

}  // namespace
}  // namespace oltp20::link_test
