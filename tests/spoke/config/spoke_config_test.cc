#include "spoke/config/spoke_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/common/config/config_directory.h"

namespace oltp20::spoke {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const char kFull[] = R"([spoke]
name = "store-17"
subscribe = ["greeting", "price.>"]
start = "now"
order = "fast"
[retention]
horizon_hours = 48
[apply]
handler_timeout_seconds = 5
[database]
url = "postgresql://agent:secret@127.0.0.1:5432/d"
[tls]
ca = "ca.pem"
cert = "it.pem"
key = "it.key"
[http]
listen = "127.0.0.1:7431"
[[hub]]
name = "eu-west"
endpoint = "127.0.0.1:7420"
)";

class SpokeConfigFile : public testing::Test {
 protected:
  std::string problem(const std::string& from, const std::string& to) {
    std::string text = kFull;
    std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    auto config = load_spoke_config(directory_.write("spoke.toml", text), {});
    return config ? "" : directory_.shown(config.status().message());
  }
  ConfigDirectory directory_;
};

TEST_F(SpokeConfigFile, EveryKeyOfTheContract) {
  // Variables of a hub on the same machine are none of ours.
  auto config = load_spoke_config(directory_.write("spoke.toml", kFull),
                                  {{}, {{"OLTP20_HUB_NAME", "x"}, {"OLTP20_SPOKE_NAME", "s"}}});
  ASSERT_TRUE(config) << config.status().message();
  EXPECT_EQ(config->name, "s");
  EXPECT_THAT(config->subscribe, ElementsAre("greeting", "price.>"));
  EXPECT_EQ(config->start, Start::now);
  EXPECT_EQ(config->order, Order::fast);
  EXPECT_EQ(config->horizon_hours, 48);
  EXPECT_EQ(config->handler_timeout_seconds, 5);
  EXPECT_EQ(config->database_url, "postgresql://agent:secret@127.0.0.1:5432/d");
  EXPECT_EQ(config->tls.key, directory_.path() / "it.key");
  EXPECT_EQ(config->http_listen->port, 7431);
  ASSERT_EQ(config->hubs.size(), 1u);
  EXPECT_EQ(config->hubs[0].endpoint.text(), "127.0.0.1:7420");
}

TEST_F(SpokeConfigFile, DefaultsOfTheOptionalKeys) {
  std::string text = kFull;
  text.erase(text.find("start"), text.find("[database]") - text.find("start"));
  auto config = load_spoke_config(directory_.write("spoke.toml", text), {});
  ASSERT_TRUE(config) << config.status().message();
  EXPECT_EQ(config->start, Start::earliest);
  EXPECT_EQ(config->order, Order::exact);
  EXPECT_EQ(config->horizon_hours, 168);
  EXPECT_EQ(config->handler_timeout_seconds, 30);
}

TEST_F(SpokeConfigFile, EveryMistakeIsNamed) {
  EXPECT_EQ(problem("\"now\"", "\"later\""),
            "spoke.toml:4: spoke.start: \"later\" is not a choice here; write \"earliest\" or "
            "\"now\"");
  EXPECT_THAT(problem("\"fast\"", "1"), HasSubstr("spoke.toml:5: spoke.order: expected a string"));
  EXPECT_THAT(problem("price.>", "price.>.x"),
              HasSubstr("spoke.toml:3: spoke.subscribe: \"price.>.x\" is not a pattern of types"));
  EXPECT_THAT(problem("[[hub]]\nname = \"eu-west\"\nendpoint = \"127.0.0.1:7420\"\n", ""),
              HasSubstr("spoke.toml:1: spoke: there is no hub to attach to; add a [[hub]]"));
  EXPECT_THAT(problem("ca.pem", "no.pem"), HasSubstr("spoke.toml:13: tls.ca: cannot read no.pem"));
}

TEST_F(SpokeConfigFile, PasswordsStayOutOfMessages) {
  std::string message = problem("postgresql://agent:secret", "mysql://agent:secret");
  EXPECT_THAT(message, HasSubstr("spoke.toml:11: database.url: is not a PostgreSQL URL"));
  EXPECT_THAT(message, Not(HasSubstr("secret")));
  std::string malformed = problem("5432/d\"", "5432/d");
  EXPECT_THAT(malformed, HasSubstr("spoke.toml:11: "));
  EXPECT_THAT(malformed, Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace oltp20::spoke
