// What is said of certificate files that are missing or wrong, before anything is connected.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/common/link/recorders.h"

namespace oltp20::link_test {
namespace {

using ::testing::HasSubstr;

// The same sentence from the check, from a hub and from a client.
void expect_refused(const TlsPaths& paths, Code code, const std::string& sentence) {
  Result<CertificateInfo> info = check_certificate_files(paths);
  ASSERT_FALSE(info);
  EXPECT_EQ(info.status().code(), code);
  EXPECT_THAT(info.status().message(), HasSubstr(sentence));

  HubRecorder handler;
  auto server =
      LinkServer::start({"127.0.0.1:0", paths, "oltp20.test", nullptr}, &handler, nullptr);
  ASSERT_FALSE(server);
  EXPECT_THAT(server.status().message(), HasSubstr(sentence));

  ForwardRecorder spoke;
  auto client = ForwardClient::start({"127.0.0.1:1", "h1", paths}, &spoke);
  client->send(ForwardBegin{});
  client->consumed(1);
  ASSERT_TRUE(spoke.wait_closed());
  EXPECT_EQ(spoke.closed_status()->code(), code);
  EXPECT_THAT(spoke.why(), HasSubstr(sentence));
  EXPECT_EQ(spoke.events(), "closed ");

  Result<std::string> reply =
      admin_query({"127.0.0.1:1", "h1", paths}, "status", "{}", kSecond, {});
  ASSERT_FALSE(reply);
  EXPECT_THAT(reply.status().message(), HasSubstr(sentence));
}

TEST(TlsFiles, GoodOnesSayWhoWeAre) {
  Result<CertificateInfo> info = check_certificate_files(network().hub);
  ASSERT_TRUE(info) << info.status().message();
  EXPECT_EQ(info->identity.uri(), "spiffe://oltp20.test/region/eu/hub/h1");
  EXPECT_GT(info->not_after_s, system_clock().wall_us() / kSecond + 360 * 86400);
  EXPECT_LT(info->not_after_s, system_clock().wall_us() / kSecond + 370 * 86400);
}

TEST(TlsFiles, MissingFiles) {
  TlsPaths paths = network().spoke;
  paths.ca = "/nowhere/ca.pem";
  expect_refused(paths, Code::not_found, "the CA file /nowhere/ca.pem cannot be read");
  paths = network().spoke;
  paths.cert = "/nowhere/cert.pem";
  expect_refused(paths, Code::not_found, "the certificate /nowhere/cert.pem cannot be read");
  paths = network().spoke;
  paths.key = "/nowhere/key.pem";
  expect_refused(paths, Code::not_found, "the key /nowhere/key.pem cannot be read");
  paths = network().spoke;
  paths.crl = "/nowhere/crl.pem";
  expect_refused(paths, Code::not_found, "the revocation list /nowhere/crl.pem cannot be read");
}

TEST(TlsFiles, ADirectoryIsNoFile) {
  TlsPaths paths = network().spoke;
  paths.cert = network().folder.path().string();
  expect_refused(paths, Code::invalid, "holds no PEM certificate");
}

TEST(TlsFiles, FilesThatHoldSomethingElse) {
  TlsPaths paths = network().spoke;
  paths.ca = paths.key;
  expect_refused(paths, Code::invalid, "the CA file " + paths.ca + " holds no PEM certificate");
  paths = network().spoke;
  paths.cert = paths.key;
  expect_refused(paths, Code::invalid, "holds no PEM certificate");
  paths = network().spoke;
  paths.key = paths.ca;
  expect_refused(paths, Code::invalid, "holds no PEM private key");
}

TEST(TlsFiles, AKeyThatDoesNotMatch) {
  TlsPaths paths = network().spoke;
  paths.key = network().admin.key;
  expect_refused(paths, Code::invalid,
                 "the key " + paths.key + " does not belong to certificate " + paths.cert);
}

TEST(TlsFiles, AnotherCa) {
  network().folder.make_ca("unrelated");
  TlsPaths paths = network().spoke;
  paths.ca = (network().folder.path() / "unrelated" / "ca.pem").string();
  expect_refused(paths, Code::denied, "was not issued by the CA in " + paths.ca);
}

TEST(TlsFiles, AFileOfSeveralCasTrustsEachOfThem) {
  network().folder.make_ca("next");
  TlsPaths paths = network().spoke;
  paths.ca = (network().folder.path() / "bundle.pem").string();
  run_command("cat " + (network().folder.path() / "next" / "ca.pem").string() + " " +
              network().spoke.ca + " > " + paths.ca);
  Result<CertificateInfo> info = check_certificate_files(paths);
  EXPECT_TRUE(info) << info.status().message();
}

TEST(TlsFiles, Expired) {
  TlsPaths paths = network().folder.issue("ca", "spoke", "expired", "--not-after 20240101000000Z");
  expect_refused(paths, Code::denied, "has expired: issue a new one with certs/rotate");
}

TEST(TlsFiles, Revoked) {
  network().folder.make_ca("files-revoking");
  TlsPaths paths = network().folder.issue("files-revoking", "spoke", "s1");
  network().folder.revoke("files-revoking", paths);
  paths.crl = network().folder.crl("files-revoking");
  expect_refused(paths, Code::denied, "is revoked by " + paths.crl);
}

TEST(TlsFiles, ARevocationListOfAnotherCa) {
  network().folder.make_ca("list-maker");
  TlsPaths paths = network().spoke;
  paths.crl = network().folder.crl("list-maker");
  expect_refused(paths, Code::invalid, "is not signed by the CA in " + paths.ca);
}

}  // namespace
}  // namespace oltp20::link_test
