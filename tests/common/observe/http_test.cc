#include "common/observe/http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>
#include <stdexcept>
#include <thread>

#include "common/base/clock.h"

namespace oltp20 {
namespace {

using testing::HasSubstr;

const Endpoint kAnyPort{"127.0.0.1", 0};

class Http : public testing::Test {
 protected:
  HttpServer server_{{[] { return std::string("a_total 1\n"); },
                      [this] {
                        return Health{good_, "journal writes"};
                      },
                      [] {
                        return Health{false, "not attached to any hub"};
                      }}};
  httplib::Result get(const std::string& path) {
    return httplib::Client("127.0.0.1", server_.port()).Get(path);
  }
  std::atomic<bool> good_ = true;
};

TEST_F(Http, ServesMetricsAndHealth) {
  ASSERT_TRUE(server_.start(kAnyPort));
  ASSERT_NE(server_.port(), 0);
  EXPECT_EQ(get("/metrics")->body, "a_total 1\n");
  EXPECT_THAT(get("/metrics")->get_header_value("Content-Type"), HasSubstr("version=0.0.4"));
  EXPECT_EQ(get("/healthz")->status, 200);
  EXPECT_EQ(get("/readyz")->status, 503);
  EXPECT_EQ(get("/readyz")->body, "not attached to any hub\n");
  good_ = false;
  EXPECT_EQ(get("/healthz")->status, 503);
  EXPECT_EQ(get("/nothing")->status, 404);
}

TEST_F(Http, JsonRoutesAndTheirErrors) {
  server_.add_json("/good", [] { return Result<std::string>("{\"a\":1}"); });
  server_.add_json("/gone",
                   [] { return Result<std::string>(Status(Code::not_found, "no \"x\"")); });
  server_.add_json("/bug", []() -> Result<std::string> { throw std::runtime_error("x"); });
  ASSERT_TRUE(server_.start(kAnyPort));
  EXPECT_EQ(get("/good")->body, "{\"a\":1}");
  EXPECT_EQ(get("/gone")->status, 404);
  EXPECT_EQ(get("/gone")->body, "{\"error\":\"no \\\"x\\\"\"}");
  EXPECT_EQ(get("/bug")->status, 500);
}

TEST_F(Http, APortInUseIsASentenceWithTheRemedy) {
  ASSERT_TRUE(server_.start(kAnyPort));
  HttpServer second({[] { return ""; }, [] { return Health{}; }, [] { return Health{}; }});
  Status status = second.start({"127.0.0.1", server_.port()});
  EXPECT_EQ(status.code(), Code::unavailable);
  EXPECT_THAT(status.message(), HasSubstr("cannot serve HTTP on 127.0.0.1:"));
  EXPECT_THAT(status.message(), HasSubstr("Address already in use; stop what uses it"));
  EXPECT_THAT(status.message(), HasSubstr("set http.listen to another address"));
}

TEST_F(Http, StopFreesThePortAndMayBeCalledTwice) {
  ASSERT_TRUE(server_.start(kAnyPort));
  std::uint16_t port = server_.port();
  EXPECT_TRUE(get("/metrics"));
  server_.stop();
  server_.stop();
  EXPECT_FALSE(get("/metrics"));
  EXPECT_TRUE(server_.start({"127.0.0.1", port}));
}

// Clients that connect and say nothing, fewer than there are threads, hold up nobody.
TEST_F(Http, SilentConnectionsDoNotBlockOthers) {
  ASSERT_TRUE(server_.start(kAnyPort));
  std::vector<int> silent;
  for (std::size_t i = 0; i + 1 < kHttpThreads; ++i) {
    int s = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server_.port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(connect(s, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    silent.push_back(s);
  }
  Micros start = system_clock().monotonic_us();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(get("/metrics"));
  EXPECT_LT(system_clock().monotonic_us() - start, kSecond);
  server_.stop();
  EXPECT_LT(system_clock().monotonic_us() - start, 6 * kSecond);
  for (int s : silent) close(s);
}

TEST_F(Http, RequestsAtOnceAreAllAnswered) {
  ASSERT_TRUE(server_.start(kAnyPort));
  std::atomic<int> answered = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 32; ++i)
    clients.emplace_back([&] {
      auto response = get("/metrics");
      if (response && response->status == 200) ++answered;
    });
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(answered, 32);
}

}  // namespace
}  // namespace oltp20
