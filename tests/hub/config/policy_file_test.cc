#include "hub/config/policy_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/common/config/config_directory.h"

namespace oltp20::hub {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class PolicyFile : public testing::Test {
 protected:
  std::string problem(const std::string& text) {
    auto policy = load_policy(directory_.write("policy.toml", text));
    return policy ? "" : directory_.shown(policy.status().message());
  }
  ConfigDirectory directory_;
};

TEST_F(PolicyFile, TheContractsExample) {
  auto policy = load_policy(directory_.write("policy.toml", R"([[rule]]
who = "spoke/store-*"
publish = ["greeting", "order.>"]
subscribe = ["greeting", "price.>"]
[[rule]]
who = "hub/us-east"
subscribe = ["greeting", "price.>"]
via = ["hub/*"]
home_of = ["spoke/*", "region/us-east"]
[[rule]]
who = "admin/*"
admin = ["read", "write"]
)"));
  ASSERT_TRUE(policy) << policy.status().message();
  const auto& rules = (*policy)->rules();
  ASSERT_EQ(rules.size(), 3u);
  EXPECT_EQ(rules[1].line, 5);
  EXPECT_THAT(*rules[1].via, ElementsAre("hub/*"));
  EXPECT_THAT(rules[1].home_of, ElementsAre("spoke/*", "region/us-east"));
  EXPECT_FALSE(rules[0].via);
  Identity store{Identity::Kind::spoke, "d", "eu", "store-1"};
  EXPECT_TRUE((*policy)->may_publish(store, "order.new"));
  EXPECT_FALSE((*policy)->may_publish(store, "price.new"));
}

TEST_F(PolicyFile, WithoutRulesEverythingIsDenied) {
  auto policy = load_policy(directory_.write("policy.toml", "# nothing yet\n"));
  ASSERT_TRUE(policy);
  EXPECT_FALSE((*policy)->may_publish({Identity::Kind::spoke, "d", "eu", "a"}, "t"));
}

TEST_F(PolicyFile, AnEmptyViaIsNotAnAbsentOne) {
  auto policy = load_policy(directory_.write("policy.toml", "[[rule]]\nwho='hub/a'\nvia=[]\n"));
  ASSERT_TRUE(policy);
  ASSERT_TRUE((*policy)->rules()[0].via);
  EXPECT_TRUE((*policy)->rules()[0].via->empty());
}

TEST_F(PolicyFile, EveryMistakeOfEveryRuleIsNamed) {
  std::string all = problem(
      "[[rule]]\nwho = 'store/a'\n[[rule]]\nwho = 'spoke/a'\npublish = ['a..b']\nvia = ['hub/*']\n"
      "[[rule]]\nwho = 'hub/a'\nhome_of = ['eu']\nsubscibe = ['x']\n[[rule]]\n");
  EXPECT_THAT(all,
              HasSubstr("policy.toml:1: rule[1]: rule at line 1 (who = \"store/a\"): who must"));
  EXPECT_THAT(all,
              HasSubstr("policy.toml:3: rule[2]: rule at line 3 (who = \"spoke/a\"): \"a..b\""));
  EXPECT_THAT(all, HasSubstr("policy.toml:6: rule[2].via: means something for who = \"hub/...\""));
  EXPECT_THAT(all, HasSubstr("policy.toml:9: rule[3].home_of: \"eu\" is not spoke/NAME or region"));
  EXPECT_THAT(all, HasSubstr("policy.toml:10: rule[3].subscibe: unknown key; did you mean "
                             "\"subscribe\"?"));
  EXPECT_THAT(all, HasSubstr("policy.toml:11: rule[4].who: required but missing; add it"));
}

TEST_F(PolicyFile, AMissingFileIsNotADefault) {
  EXPECT_EQ(load_policy(directory_.path() / "none.toml").status().code(), Code::not_found);
}

}  // namespace
}  // namespace oltp20::hub
