#include "hub/config/hub_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/common/config/config_directory.h"

namespace oltp20::hub {
namespace {

using testing::HasSubstr;

const char kFull[] = R"([hub]
name = "eu-west"
listen = "127.0.0.1:7420"
data_dir = "data"
location = { latitude = 53.35, longitude = -6.26 }
[http]
listen = "127.0.0.1:7421"
[tls]
ca = "ca.pem"
cert = "it.pem"
key = "it.key"
crl = "crl.pem"
[policy]
file = "policy.toml"
[journal]
horizon_hours = 24
max_bytes = "1GiB"
[[peer]]
name = "us-east"
endpoint = "127.0.0.1:7520"
)";

class HubConfigFile : public testing::Test {
 protected:
  // The problems of kFull after replacing `from` by `to`.
  std::string problem(const std::string& from, const std::string& to,
                      ConfigOverrides overrides = {}) {
    std::string text = kFull;
    std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    auto config = load_hub_config(directory_.write("hub.toml", text), std::move(overrides));
    return config ? "" : directory_.shown(config.status().message());
  }
  ConfigDirectory directory_;
};

TEST_F(HubConfigFile, EveryKeyOfTheContract) {
  auto config = load_hub_config(directory_.write("hub.toml", kFull), {});
  ASSERT_TRUE(config) << config.status().message();
  EXPECT_EQ(config->name, "eu-west");
  EXPECT_EQ(config->listen.text(), "127.0.0.1:7420");
  EXPECT_EQ(config->data_dir, directory_.path() / "data");
  EXPECT_EQ(config->location->latitude, 53.35);
  EXPECT_EQ(config->location->longitude, -6.26);
  EXPECT_EQ(config->http_listen->port, 7421);
  EXPECT_EQ(config->tls.ca, directory_.path() / "ca.pem");
  EXPECT_EQ(*config->tls.crl, directory_.path() / "crl.pem");
  EXPECT_EQ(config->policy_file, directory_.path() / "policy.toml");
  EXPECT_EQ(config->horizon_hours, 24);
  EXPECT_EQ(config->journal_max_bytes, 1u << 30);
  ASSERT_EQ(config->peers.size(), 1u);
  EXPECT_EQ(config->peers[0].name, "us-east");
  EXPECT_EQ(config->peers[0].endpoint.port, 7520);
}

TEST_F(HubConfigFile, DefaultsOfTheOptionalKeys) {
  auto config = load_hub_config(
      directory_.write("hub.toml",
                       "[hub]\nname='a'\nlisten='127.0.0.1:0'\ndata_dir='/d'\n[tls]\nca='ca.pem'\n"
                       "cert='it.pem'\nkey='it.key'\n[policy]\nfile='policy.toml'\n"),
      {});
  ASSERT_TRUE(config) << config.status().message();
  EXPECT_FALSE(config->location);
  EXPECT_FALSE(config->http_listen);
  EXPECT_FALSE(config->tls.crl);
  EXPECT_EQ(config->horizon_hours, 168);
  EXPECT_EQ(config->journal_max_bytes, 50ull << 30);
  EXPECT_TRUE(config->peers.empty());
}

TEST_F(HubConfigFile, EveryMistakeIsNamed) {
  EXPECT_EQ(problem("listen = \"127.0.0.1:7420\"", "listn = \"127.0.0.1:7420\""),
            "hub.toml:1: hub.listen: required but missing; add it to this section, or set "
            "OLTP20_HUB_LISTEN\nhub.toml:3: hub.listn: unknown key; did you mean \"listen\"?");
  EXPECT_THAT(problem("\"eu-west\"", "\"eu west\""),
              HasSubstr("hub.toml:2: hub.name: \"eu west\" is not a name; use 1 to 63 letters"));
  EXPECT_EQ(problem("53.35", "93.35"),
            "hub.toml:5: hub.location.latitude: 93.35 is out of range; give a number from -90 to "
            "90");
  EXPECT_THAT(problem(", longitude = -6.26", ""), HasSubstr("hub.location.longitude: required"));
  EXPECT_THAT(problem("\"data\"", "\"ca.pem\""),
              HasSubstr("hub.toml:4: hub.data_dir: ca.pem is not a directory"));
  EXPECT_THAT(problem("7421", "7420"), HasSubstr("hub.toml:7: http.listen: is the same as"));
  EXPECT_THAT(problem("it.key", "no.key"), HasSubstr("hub.toml:11: tls.key: cannot read no.key"));
  EXPECT_THAT(problem("\"policy.toml\"", "\"p.toml\""),
              HasSubstr("hub.toml:14: policy.file: cannot read p.toml"));
  EXPECT_THAT(problem("= 24", "= 0"), HasSubstr("hub.toml:16: journal.horizon_hours: 0 is out of"));
  EXPECT_THAT(problem("1GiB", "1MiB"), HasSubstr("hub.toml:17: journal.max_bytes: 1MiB is too"));
  EXPECT_THAT(problem("\"us-east\"", "\"eu-west\""), HasSubstr("a hub is not its own peer"));
  EXPECT_THAT(problem("7520", "0"), HasSubstr("hub.toml:20: peer[1].endpoint: \"127.0.0.1:0\""));
  EXPECT_THAT(problem("[[peer]]", "[[peer]]\nname='us-east'\nendpoint='h:1'\n[[peer]]"),
              HasSubstr("hub.toml:22: peer[2].name: \"us-east\" is listed twice"));
}

TEST_F(HubConfigFile, TheEnvironmentWins) {
  auto config =
      load_hub_config(directory_.write("hub.toml", kFull),
                      {{{"journal.max_bytes", "2GiB"}}, {{"OLTP20_HUB_LISTEN", "127.0.0.1:9"}}});
  ASSERT_TRUE(config) << config.status().message();
  EXPECT_EQ(config->listen.port, 9);
  EXPECT_EQ(config->journal_max_bytes, 2ull << 30);
}

}  // namespace
}  // namespace oltp20::hub
