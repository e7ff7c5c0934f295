// Peers that speak gRPC but not our protocol: the link ends with a sentence, the process lives.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/common/link/raw_peer.h"
#include "tests/common/link/recorders.h"

namespace oltp20::link_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string bytes(std::size_t size) {
  return std::string(size, 'x');
}

template <typename Up, typename Down, typename Open>
void expect_ended(const std::vector<Up>& malformed, Open open, const std::string& sentence) {
  Hub hub;
  auto stub = v1::Broker::NewStub(raw_channel(hub.server().address(), network().spoke));
  for (std::size_t i = 0; i < malformed.size(); ++i) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 5s);
    auto stream = open(*stub, &context);
    ASSERT_TRUE(stream->Write(malformed[i]));
    Down frame, last;
    while (stream->Read(&frame)) last = frame;
    EXPECT_TRUE(stream->Finish().ok());
    ASSERT_TRUE(last.has_goodbye()) << malformed[i].ShortDebugString();
    EXPECT_EQ(last.goodbye().code(), static_cast<std::uint32_t>(Code::invalid));
    EXPECT_THAT(last.goodbye().reason(), HasSubstr(sentence));
    ASSERT_TRUE(eventually([&] { return hub.recorder.link(i).closed.has_value(); }));
    EXPECT_EQ(hub.recorder.link(i).closed->code(), Code::invalid);
    EXPECT_TRUE(hub.recorder.link(i).forward.empty() && hub.recorder.link(i).deliver.empty());
  }
}

TEST(Hostile, ForwardFramesWithFieldsOfAWrongSize) {
  std::vector<v1::ForwardUp> malformed(7);        // the first is empty
  malformed[1].mutable_hello()->set_spoke("s1");  // no epoch
  for (std::size_t i = 2; i < 5; ++i)
    malformed[i].mutable_hello()->mutable_epoch()->set_id(bytes(16));
  malformed[2].mutable_hello()->mutable_epoch()->set_id(bytes(17));
  malformed[3].mutable_hello()->mutable_epoch()->set_parent(bytes(15));
  malformed[4].mutable_hello()->mutable_stable()->set_chain(bytes(1));
  malformed[5].mutable_begin()->mutable_base()->set_chain(bytes(1'000'000));
  malformed[6].mutable_hello()->mutable_epoch()->mutable_fork()->set_chain(bytes(31));
  malformed[6].mutable_hello()->mutable_epoch()->set_id(bytes(16));
  expect_ended<v1::ForwardUp, v1::ForwardDown>(
      malformed,
      [](v1::Broker::Stub& stub, grpc::ClientContext* context) { return stub.Forward(context); },
      "the peer sends a malformed forward frame");
}

TEST(Hostile, DeliverFramesWithFieldsOfAWrongSize) {
  std::vector<v1::DeliverUp> malformed(5);
  malformed[1].mutable_hello();  // no database
  for (std::size_t i = 2; i < 5; ++i) malformed[i].mutable_hello()->set_database(bytes(16));
  malformed[2].mutable_hello()->add_positions()->set_incarnation(bytes(16));
  malformed[3].mutable_known()->add_known()->set_epoch(bytes(8));
  malformed[4].mutable_hello()->set_database(bytes(32));
  expect_ended<v1::DeliverUp, v1::DeliverDown>(
      malformed,
      [](v1::Broker::Stub& stub, grpc::ClientContext* context) { return stub.Deliver(context); },
      "the peer sends a malformed deliver frame");
}

TEST(Hostile, AFrameThatIsTooLargeEndsTheLink) {
  Hub hub;
  auto stub = v1::Broker::NewStub(raw_channel(hub.server().address(), network().spoke));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + 5s);
  auto stream = stub->Forward(&context);
  v1::ForwardUp frame;
  frame.mutable_parts()->add_part(bytes(2 * limits::kFrameBytes + 1));
  stream->Write(frame);
  v1::ForwardDown answer;
  while (stream->Read(&answer)) {
  }
  EXPECT_FALSE(stream->Finish().ok());
  ASSERT_TRUE(eventually([&] { return hub.recorder.count() == 1 && hub.recorder.open() == 0; }));
  EXPECT_TRUE(hub.recorder.link(0).forward.empty());
}

TEST(Hostile, AStringThatIsNotUtf8EndsTheLinkWithoutALineOfTheLibrary) {
  Hub hub;
  auto stub = v1::Broker::NewStub(raw_channel(hub.server().address(), network().spoke));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + 5s);
  auto stream = stub->Forward(&context);
  v1::ForwardUp frame;
  frame.mutable_hello()->set_spoke("\xFF");
  ::testing::internal::CaptureStderr();
  stream->Write(frame);
  v1::ForwardDown answer;
  while (stream->Read(&answer)) {
  }
  bool ended = eventually([&] { return hub.recorder.count() == 1 && hub.recorder.open() == 0; });
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), Not(HasSubstr("libprotobuf")));
  EXPECT_TRUE(ended);
  EXPECT_TRUE(hub.recorder.link(0).forward.empty());
}

TEST(Hostile, RandomBytesOverTlsDoNotHarmTheHub) {
  Hub hub;
  for (int round = 0; round < 5; ++round)
    command_output("head -c 20000 /dev/urandom | timeout 5 openssl s_client -alpn h2 -connect " +
                   hub.server().address() + " -cert " + network().spoke.cert + " -key " +
                   network().spoke.key);
  command_output("head -c 20000 /dev/urandom | timeout 1 openssl s_client -connect " +
                 hub.server().address());
  ForwardRecorder spoke;
  auto client = ForwardClient::start(hub.reach(), &spoke);
  EXPECT_TRUE(eventually([&] { return hub.recorder.count() == 1; }));
}

// A hub, by certificate, that sends one frame of the test's choice.
class FalseHub final : public v1::Broker::Service {
 public:
  FalseHub(v1::ForwardDown forward, v1::DeliverDown deliver)
      : forward_(std::move(forward)), deliver_(std::move(deliver)) {
    using namespace grpc::experimental;
    const TlsPaths& own = network().hub;
    TlsServerCredentialsOptions tls(std::make_shared<StaticDataCertificateProvider>(
        file_text(own.ca),
        std::vector<IdentityKeyCertPair>{{file_text(own.key), file_text(own.cert)}}));
    tls.watch_identity_key_cert_pairs();
    tls.set_cert_request_type(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", TlsServerCredentials(tls), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  LinkClientOptions reach() const {
    return {"127.0.0.1:" + std::to_string(port_), "h1", network().spoke};
  }
  grpc::Status Forward(grpc::ServerContext*,
                       grpc::ServerReaderWriter<v1::ForwardDown, v1::ForwardUp>* stream) override {
    return serve(stream, forward_);
  }
  grpc::Status Deliver(grpc::ServerContext*,
                       grpc::ServerReaderWriter<v1::DeliverDown, v1::DeliverUp>* stream) override {
    return serve(stream, deliver_);
  }

 private:
  template <typename Down, typename Up>
  static grpc::Status serve(grpc::ServerReaderWriter<Down, Up>* stream, const Down& frame) {
    stream->Write(frame);
    Up ignored;
    while (stream->Read(&ignored)) {
    }
    return grpc::Status::OK;
  }
  const v1::ForwardDown forward_;
  const v1::DeliverDown deliver_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST(Hostile, AHubThatSendsMalformedForwardFrames) {
  std::vector<v1::ForwardDown> malformed(4);  // the first is empty
  malformed[1].mutable_welcome()->set_incarnation(bytes(15));
  malformed[2].mutable_ack()->set_chain(bytes(33));
  malformed[3].mutable_welcome()->set_incarnation(bytes(16));
  malformed[3].mutable_welcome()->mutable_held()->set_chain(bytes(3));
  for (const v1::ForwardDown& frame : malformed) {
    FalseHub hub(frame, {});
    ForwardRecorder spoke;
    auto client = ForwardClient::start(hub.reach(), &spoke);
    ASSERT_TRUE(spoke.wait_closed()) << frame.ShortDebugString();
    EXPECT_EQ(spoke.why(), "invalid: the hub sends a malformed forward frame");
    EXPECT_EQ(spoke.frame_count(), 0u);
  }
}

TEST(Hostile, AHubThatSendsMalformedDeliverFrames) {
  auto position = [](v1::DeliverDown& frame) {
    frame.mutable_batch()->mutable_position()->set_incarnation(bytes(16));
    frame.mutable_batch()->mutable_position()->set_hash(bytes(32));
    return frame.mutable_batch();
  };
  std::vector<v1::DeliverDown> malformed(6);
  malformed[1].mutable_welcome()->set_incarnation(bytes(16));  // no position
  malformed[2].mutable_batch();                                // no position
  position(malformed[3])->add_items();                         // an item of no kind
  position(malformed[4])->add_items()->mutable_part()->set_content(bytes(5));
  position(malformed[5])->add_items()->mutable_span()->set_epoch(bytes(5));
  for (const v1::DeliverDown& frame : malformed) {
    FalseHub hub({}, frame);
    DeliverRecorder spoke;
    auto client = DeliverClient::start(hub.reach(), &spoke);
    ASSERT_TRUE(spoke.wait_closed()) << frame.ShortDebugString();
    EXPECT_EQ(spoke.why(), "invalid: the hub sends a malformed deliver frame");
    EXPECT_EQ(spoke.frame_count(), 0u);
  }
}

TEST(Hostile, AGoodbyeWithAnUnknownCodeIsUnavailable) {
  v1::ForwardDown frame;
  frame.mutable_goodbye()->set_code(4711);
  FalseHub hub(frame, {});
  ForwardRecorder spoke;
  auto client = ForwardClient::start(hub.reach(), &spoke);
  ASSERT_TRUE(eventually([&] { return spoke.frame_count() == 1; }));
  std::vector<ForwardDown> frames = spoke.frames();
  EXPECT_EQ(std::get<Goodbye>(frames[0]).code, Code::unavailable);
}

}  // namespace
}  // namespace oltp20::link_test
