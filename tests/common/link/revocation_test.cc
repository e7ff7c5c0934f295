// Revocation and rotation while links are open.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/common/link/raw_peer.h"
#include "tests/common/link/recorders.h"

namespace oltp20::link_test {
namespace {

using ::testing::HasSubstr;

// A CA of its own with a hub that reads its revocation list.
class Revocation : public ::testing::Test {
 protected:
  Revocation() {
    folder.make_ca("ca");
    hub_tls = folder.issue("ca", "hub", "h1");
    hub_tls.crl = folder.crl("ca");
    spoke_tls = folder.issue("ca", "spoke", "s1");
    other_tls = folder.issue("ca", "spoke", "s2");
  }
  CertificateFolder folder;
  TlsPaths hub_tls, spoke_tls, other_tls;
};

TEST_F(Revocation, EndsLiveStreamsOfWhoeverIsOnTheListAndNoOther) {
  Hub hub(hub_tls);
  ForwardRecorder revoked, other;
  auto first = ForwardClient::start(hub.reach(spoke_tls), &revoked);
  auto second = ForwardClient::start(hub.reach(other_tls), &other);
  ASSERT_TRUE(eventually([&] { return hub.recorder.count() == 2; }));
  folder.revoke("ca", spoke_tls);
  ASSERT_TRUE(hub.server().reload());
  ASSERT_TRUE(revoked.wait_closed());
  std::vector<ForwardDown> frames = revoked.frames();
  ASSERT_FALSE(frames.empty());
  EXPECT_EQ(std::get<Goodbye>(frames.back()).code, Code::denied);
  EXPECT_EQ(std::get<Goodbye>(frames.back()).reason, "this certificate is revoked");
  std::this_thread::sleep_for(100ms);
  EXPECT_FALSE(other.closed_status());
  EXPECT_EQ(hub.recorder.open(), 1u);
}

TEST_F(Revocation, AppliesToNewStreamsOfAConnectionThatIsOlder) {
  Hub hub(hub_tls);
  auto channel = raw_channel(hub.server().address(), spoke_tls);
  ASSERT_TRUE(channel->WaitForConnected(std::chrono::system_clock::now() + 5s));
  folder.revoke("ca", spoke_tls);
  ASSERT_TRUE(hub.server().reload());
  grpc::Status status = try_forward(channel);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(status.error_message(), HasSubstr("/spoke/s1 is revoked"));
  EXPECT_EQ(hub.recorder.count(), 0u);
}

TEST_F(Revocation, AppliesToAResumedTlsSession) {
  Hub hub(hub_tls);
  std::string session = (folder.path() / "session.pem").string();
  std::string connect = "timeout 2 openssl s_client -alpn h2 -connect " + hub.server().address() +
                        " -cert " + spoke_tls.cert + " -key " + spoke_tls.key;
  // The session ticket comes behind the handshake: stay for a moment.
  command_output("(sleep 0.5) | " + connect + " -sess_out " + session);
  ASSERT_FALSE(file_text(session).empty());
  std::string resumed = command_output("(sleep 0.5) | " + connect + " -sess_in " + session);
  EXPECT_THAT(resumed, HasSubstr("TLSv1.3"));
  EXPECT_EQ(hub.refusals(), "");
  folder.revoke("ca", spoke_tls);
  ASSERT_TRUE(hub.server().reload());
  command_output("(sleep 0.5) | " + connect + " -sess_in " + session);
  EXPECT_THAT(hub.refusals(), HasSubstr("/spoke/s1 is revoked"));
}

TEST_F(Revocation, AListThatCannotBeReadLeavesTheOldOneInForce) {
  folder.revoke("ca", spoke_tls);
  Hub hub(hub_tls);
  run_command("echo rubbish > " + hub_tls.crl);
  Status status = hub.server().reload();
  EXPECT_EQ(status.code(), Code::invalid);
  EXPECT_THAT(status.message(), HasSubstr("holds no PEM CRL"));
  try_forward(raw_channel(hub.server().address(), spoke_tls));
  EXPECT_THAT(hub.refusals(), HasSubstr("/spoke/s1 is revoked"));
}

TEST_F(Revocation, AForgedListIsRefused) {
  CertificateFolder other;
  other.make_ca("other");
  Hub hub(hub_tls);
  run_command("cp " + other.crl("other") + " " + hub_tls.crl);
  Status status = hub.server().reload();
  EXPECT_EQ(status.code(), Code::invalid);
  EXPECT_THAT(status.message(), HasSubstr("is not signed by the CA"));
}

// The serial number that the hub shows in a new handshake.
std::string serial_shown(const std::string& endpoint, const TlsPaths& as) {
  std::string output =
      command_output("echo | timeout 5 openssl s_client -alpn h2 -connect " + endpoint + " -cert " +
                     as.cert + " -key " + as.key + " 2>/dev/null | openssl x509 -noout -serial");
  return output.substr(output.find("serial="));
}

TEST_F(Revocation, ARotatedCertificateIsShownInNewHandshakesAndStreamsLiveOn) {
  std::string link = (folder.path() / "live").string();
  run_command("ln -s " + std::filesystem::path(hub_tls.cert).parent_path().string() + " " + link);
  Hub hub({link + "/ca.pem", link + "/cert.pem", link + "/key.pem", ""});
  ForwardRecorder spoke;
  auto client = ForwardClient::start(hub.reach(spoke_tls), &spoke);
  ASSERT_TRUE(eventually([&] { return hub.recorder.count() == 1; }));
  std::string before = serial_shown(hub.server().address(), spoke_tls);
  run_command("certs/rotate " + (folder.path() / "ca").string() + " hub h1 --region eu --link " +
              link);
  EXPECT_TRUE(
      eventually([&] { return serial_shown(hub.server().address(), spoke_tls) != before; }, 3s));
  std::string expected = command_output("openssl x509 -noout -serial -in " + link + "/cert.pem");
  EXPECT_EQ(serial_shown(hub.server().address(), spoke_tls), expected);
  EXPECT_FALSE(spoke.closed_status());
  ForwardRecorder later;
  auto second = ForwardClient::start(hub.reach(spoke_tls), &later);
  EXPECT_TRUE(eventually([&] { return hub.recorder.count() == 2; }));
}

}  // namespace
}  // namespace oltp20::link_test
