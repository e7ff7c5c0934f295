// Who may open a link: one certificate of this network, and each refusal says why.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/common/link/raw_peer.h"
#include "tests/common/link/recorders.h"

namespace oltp20::link_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A peer with that certificate is turned away in the handshake; the hub's log has `sentence`.
void expect_turned_away(const TlsPaths& as, const std::string& sentence) {
  Hub hub;
  grpc::Status status = try_forward(raw_channel(hub.server().address(), as));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << status.error_message();
  EXPECT_THAT(hub.refusals(), HasSubstr(sentence));
  EXPECT_EQ(hub.recorder.count(), 0u);
}

// Our client is told `code` and `sentence` about the hub at the other end.
void expect_hub_not_believed(const TlsPaths& hub_tls, const std::string& hub_name, Code code,
                             const std::string& sentence, TlsPaths as = network().spoke) {
  Hub hub(hub_tls);
  ForwardRecorder spoke;
  LinkClientOptions options = hub.reach(as);
  options.hub_name = hub_name;
  auto client = ForwardClient::start(options, &spoke);
  ASSERT_TRUE(spoke.wait_closed());
  EXPECT_EQ(spoke.closed_status()->code(), code);
  EXPECT_THAT(spoke.why(), HasSubstr(sentence));
  EXPECT_EQ(hub.recorder.count(), 0u);
}

TEST(Identity, AForeignCaIsTurnedAway) {
  CertificateFolder other;
  other.make_ca("other");
  TlsPaths as = other.issue("other", "spoke", "s1");
  expect_turned_away(as, "was not issued by the CA in " + network().hub.ca);
}

TEST(Identity, OurClientThatIsTurnedAwayListsTheLikelyCauses) {
  CertificateFolder other;
  other.make_ca("other");
  TlsPaths as = other.issue("other", "spoke", "s1");
  // A client that trusts this network's CA refuses its own certificate before it connects.
  TlsPaths mixed = as;
  mixed.ca = network().spoke.ca;
  Hub hub;
  ForwardRecorder spoke;
  auto client = ForwardClient::start(hub.reach(mixed), &spoke);
  ASSERT_TRUE(spoke.wait_closed());
  EXPECT_THAT(spoke.why(), HasSubstr("was not issued by the CA in " + mixed.ca));
  // One revoked at the hub alone cannot know.
  network().folder.make_ca("revoking");
  TlsPaths server = network().folder.issue("revoking", "hub", "h1");
  TlsPaths revoked = network().folder.issue("revoking", "spoke", "gone");
  network().folder.revoke("revoking", revoked);
  server.crl = network().folder.crl("revoking");
  Hub strict(server);
  ForwardRecorder gone;
  auto second = ForwardClient::start(strict.reach(revoked), &gone);
  ASSERT_TRUE(gone.wait_closed());
  EXPECT_EQ(gone.closed_status()->code(), Code::unavailable);
  EXPECT_THAT(gone.why(), HasSubstr("it may refuse this certificate (expired, revoked"));
  EXPECT_THAT(strict.refusals(), HasSubstr("/spoke/gone is revoked"));
}

TEST(Identity, AnExpiredCertificateIsTurnedAway) {
  TlsPaths as = network().folder.issue("ca", "spoke", "old", "--not-after 20240101000000Z");
  expect_turned_away(as, "/spoke/old has expired: issue a new one with certs/rotate");
}

TEST(Identity, ACertificateOfTheFutureIsTurnedAway) {
  TlsPaths as = network().folder.issue("ca", "spoke", "early",
                                       "--not-before 20400101000000Z --not-after 20410101000000Z");
  expect_turned_away(as, "/spoke/early is not valid yet: check this machine's clock");
}

TEST(Identity, AForeignTrustDomainIsTurnedAway) {
  TlsPaths as = network().folder.issue_with_names("ca", "foreign",
                                                  "URI:spiffe://elsewhere.test/region/eu/spoke/s1");
  expect_turned_away(as, "is of another trust domain than oltp20.test");
}

TEST(Identity, ACertificateWithoutAUriNameIsTurnedAway) {
  TlsPaths as = network().folder.issue_with_names("ca", "nameless", "DNS:s1");
  expect_turned_away(as, "carries 0 URI names where exactly one is needed");
}

TEST(Identity, ACertificateWithTwoUriNamesIsTurnedAway) {
  TlsPaths as = network().folder.issue_with_names("ca", "two-names",
                                                  "URI:spiffe://oltp20.test/region/eu/spoke/s1,"
                                                  "URI:spiffe://oltp20.test/region/eu/spoke/s2");
  expect_turned_away(as, "carries 2 URI names where exactly one is needed");
}

TEST(Identity, AUriOfAnotherFormIsTurnedAway) {
  TlsPaths as = network().folder.issue_with_names("ca", "odd-name", "URI:https://oltp20.test/s1");
  expect_turned_away(as, "is not one of ours");
}

TEST(Identity, ACertificateForServersOnlyIsTurnedAway) {
  TlsPaths as = network().folder.issue_with_names(
      "ca", "server-only",
      "URI:spiffe://oltp20.test/region/eu/spoke/s1\nextendedKeyUsage = serverAuth");
  expect_turned_away(as, "is not accepted (unsuitable certificate purpose)");
}

TEST(Identity, ASpokesCertificateThatSignsAnotherIsNoCa) {
  TlsPaths forger = network().folder.issue("ca", "spoke", "forger");
  std::string out = (network().folder.path() / "forged").string();
  run_command("mkdir -p " + out + " && printf 'subjectAltName=URI:%s' " +
              "spiffe://oltp20.test/region/eu/spoke/s1 > " + out + "/extensions && " +
              "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes " +
              "-subj /CN=s1 -keyout " + out + "/key.pem -out " + out + "/request.pem && " +
              "openssl x509 -req -in " + out + "/request.pem -CA " + forger.cert + " -CAkey " +
              forger.key + " -set_serial 7 -days 9 -extfile " + out + "/extensions -out " + out +
              "/leaf.pem && cat " + out + "/leaf.pem " + forger.cert + " > " + out + "/cert.pem");
  expect_turned_away({forger.ca, out + "/cert.pem", out + "/key.pem", ""},
                     "was not issued by the CA");
}

// openssl's own client; stays for a moment, and says DONE when the hub did not cut it off.
std::string s_client(const Hub& hub, const std::string& more) {
  return command_output("(sleep 0.3) | timeout 5 openssl s_client -alpn h2 -connect " +
                        hub.reach().endpoint + " " + more);
}

std::string with_certificate() {
  return "-cert " + network().spoke.cert + " -key " + network().spoke.key;
}

TEST(Identity, APeerWithoutACertificateIsTurnedAway) {
  Hub hub;
  EXPECT_THAT(s_client(hub, with_certificate()), HasSubstr("DONE"));
  EXPECT_THAT(s_client(hub, ""), Not(HasSubstr("DONE")));
}

TEST(Identity, Tls12IsRefused) {
  Hub hub;
  EXPECT_THAT(s_client(hub, with_certificate() + " -tls1_3"), HasSubstr("New, TLSv1.3, Cipher is"));
  std::string output = s_client(hub, with_certificate() + " -tls1_2");
  EXPECT_THAT(output, HasSubstr("no peer certificate available"));
  EXPECT_THAT(output, HasSubstr("New, (NONE), Cipher is (NONE)"));
}

TEST(Identity, AnAdminMayNotOpenAStream) {
  Hub hub;
  ForwardRecorder recorder;
  auto client = ForwardClient::start(hub.reach(network().admin), &recorder);
  ASSERT_TRUE(recorder.wait_closed());
  EXPECT_EQ(recorder.closed_status()->code(), Code::denied);
  EXPECT_THAT(recorder.why(), HasSubstr("admin/a1 may not open this stream: spokes do"));
  EXPECT_THAT(hub.refusals(), HasSubstr("admin/a1: admin/a1 may not open this stream"));
  EXPECT_EQ(hub.recorder.count(), 0u);
}

TEST(Identity, AnotherHubThanExpectedIsNotBelieved) {
  expect_hub_not_believed(network().hub, "h2", Code::denied,
                          "answers hub/h1, the configuration expects hub/h2: correct [[hub]] name");
}

TEST(Identity, ASpokeThatPlaysHubIsNotBelieved) {
  expect_hub_not_believed(network().spoke, "", Code::denied,
                          "answers spoke/s1, which is not a hub");
}

TEST(Identity, AHubOfAForeignCaIsNotBelieved) {
  CertificateFolder other;
  other.make_ca("other");
  expect_hub_not_believed(other.issue("other", "hub", "h1"), "h1", Code::denied,
                          "/hub/h1 was not issued by the CA in " + network().spoke.ca);
}

TEST(Identity, AHubOfAForeignTrustDomainIsNotBelieved) {
  TlsPaths hub = network().folder.issue_with_names("ca", "foreign-hub",
                                                   "URI:spiffe://elsewhere.test/region/eu/hub/h1");
  expect_hub_not_believed(hub, "h1", Code::denied, "is of another trust domain than oltp20.test");
}

TEST(Identity, ARevokedHubIsNotBelieved) {
  network().folder.make_ca("hub-revoking");
  TlsPaths hub = network().folder.issue("hub-revoking", "hub", "h1");
  TlsPaths spoke = network().folder.issue("hub-revoking", "spoke", "s1");
  network().folder.revoke("hub-revoking", hub);
  spoke.crl = network().folder.crl("hub-revoking");
  expect_hub_not_believed(hub, "h1", Code::denied, "/hub/h1 is revoked", spoke);
}

}  // namespace
}  // namespace oltp20::link_test
