// What an administrator asks and is told.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/common/link/recorders.h"

namespace oltp20::link_test {
namespace {

using ::testing::HasSubstr;

class Desk final : public AdminHandler {
 public:
  Reply query(const PeerInfo& who, const std::string& command, const std::string& arguments,
              const std::function<void(const std::string&)>& progress) override {
    if (command == "status")
      return {{}, "{\"who\":\"" + who.identity.label() + "\",\"arguments\":" + arguments + "}"};
    if (command == "journal verify") {
      for (int i = 1; i <= 3; ++i) progress("{\"done\":" + std::to_string(i) + "}");
      return {{}, "{\"bad\":0}"};
    }
    if (command == "slow") std::this_thread::sleep_for(1500ms);
    if (command == "topology drain") return {Status(Code::denied, "admin/a1 may only read"), ""};
    return {Status(Code::invalid, "unknown command \"" + command + "\""), ""};
  }
};

class Admin : public ::testing::Test {
 protected:
  Result<std::string> ask(const std::string& command, Micros timeout = 5 * kSecond) {
    return admin_query(hub.reach(network().admin), command, "{\"a\":1}", timeout,
                       [this](const std::string& json) { progress += json; });
  }
  Desk desk;
  Hub hub{network().hub, &desk};
  std::string progress;
};

TEST_F(Admin, AReplySaysWhoAskedWhat) {
  Result<std::string> reply = ask("status");
  ASSERT_TRUE(reply) << reply.status().message();
  EXPECT_EQ(*reply, "{\"who\":\"admin/a1\",\"arguments\":{\"a\":1}}");
  EXPECT_EQ(progress, "");
}

TEST_F(Admin, ProgressComesBeforeTheReply) {
  Result<std::string> reply = ask("journal verify");
  ASSERT_TRUE(reply) << reply.status().message();
  EXPECT_EQ(*reply, "{\"bad\":0}");
  EXPECT_EQ(progress, "{\"done\":1}{\"done\":2}{\"done\":3}");
}

TEST_F(Admin, ErrorsKeepTheirCodeAndSentence) {
  Result<std::string> unknown = ask("dance");
  EXPECT_EQ(unknown.status().code(), Code::invalid);
  EXPECT_EQ(unknown.status().message(), "unknown command \"dance\"");
  Result<std::string> denied = ask("topology drain");
  EXPECT_EQ(denied.status().code(), Code::denied);
  EXPECT_EQ(denied.status().message(), "admin/a1 may only read");
}

TEST_F(Admin, AnAnswerThatDoesNotComeInTimeIsSaidSo) {
  Result<std::string> reply = ask("slow", 300 * kMillisecond);
  EXPECT_EQ(reply.status().code(), Code::unavailable);
  EXPECT_THAT(reply.status().message(), HasSubstr("did not answer within 0.3 s"));
}

TEST_F(Admin, NobodyListening) {
  LinkClientOptions options = hub.reach(network().admin);
  hub.stop();
  Result<std::string> reply = admin_query(options, "status", "{}", 5 * kSecond, {});
  EXPECT_EQ(reply.status().code(), Code::unavailable);
  EXPECT_THAT(reply.status().message(), HasSubstr("is not reached"));
}

TEST_F(Admin, AHubOfAnotherNameIsNotAsked) {
  LinkClientOptions options = hub.reach(network().admin);
  options.hub_name = "h2";
  Result<std::string> reply = admin_query(options, "status", "{}", 5 * kSecond, {});
  EXPECT_EQ(reply.status().code(), Code::denied);
  EXPECT_THAT(reply.status().message(), HasSubstr("the configuration expects hub/h2"));
}

TEST(AdminWithout, AHubWithoutAnAdminHandlerRefuses) {
  Hub hub;
  Result<std::string> reply =
      admin_query(hub.reach(network().admin), "status", "{}", 5 * kSecond, {});
  EXPECT_EQ(reply.status().code(), Code::denied);
  EXPECT_THAT(reply.status().message(), HasSubstr("this hub has no admin service"));
}

}  // namespace
}  // namespace oltp20::link_test
