#include "hub/routing/router.h"

#include <gtest/gtest.h>

#include "tests/sim/scale/network.h"

namespace oltp20::hub::routing {
namespace {

RouterSettings settings(const std::string& hub) {
  RouterSettings out;
  out.hub = hub;
  out.region = "r";
  return out;
}

// Two hubs and one link.
struct Fixture {
  sim::Network net;
  std::size_t a = net.add_hub(settings("a")), b = net.add_hub(settings("b"));
  std::size_t link = net.add_link(a, b, 100'000);
  explicit Fixture(std::uint64_t seed = 1) : net(seed) {
    net.start(a);
    net.start(b);
    net.run_for(10 * kSecond);
  }
  Router& router() { return *net.hub(a).router; }
  const Advertisement& own() {
    return router().state().map().find("a")->second.advertisement->content;
  }
};

TEST(Router, AdvertisesALinkOnceItHasProvedItself) {
  Fixture f;
  ASSERT_EQ(f.own().links.size(), 1u);
  EXPECT_EQ(f.own().links[0], (AdvertisedLink{"b", 100'000, 100'000, false}));
  EXPECT_EQ(f.router().advertised(), 2u);  // itself, then with the link
}

TEST(Router, IsSilentWhileNothingChanges) {
  Fixture f;
  const auto before = f.router().advertised();
  f.net.link(f.link).jitter_percent = 15;
  f.net.run_for(600 * kSecond);
  EXPECT_EQ(f.router().advertised(), before);
  f.net.run_for(limits::kAdvertiseRefresh);
  EXPECT_GE(f.router().advertised(), before + 1);
  EXPECT_LE(f.router().advertised(), before + 3);
}

TEST(Router, JitterOfThirtyPercentIsNotToldToTheNetwork) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Fixture f(seed);
    f.net.link(f.link).jitter_percent = 30;
    f.net.run_for(60 * kSecond);
    const auto before = f.router().advertised();
    f.net.run_for(600 * kSecond);
    EXPECT_EQ(f.router().advertised(), before) << seed;
  }
}

TEST(Router, TellsACostThatMovedAndNotMoreOftenThanItsBound) {
  Fixture f;
  const auto before = f.router().advertised();
  f.net.link(f.link).rtt_us = 200'000;
  f.net.run_for(20 * kSecond);
  EXPECT_GE(f.own().links[0].cost_us, 170'000u);
  for (int i = 0; i < 60; ++i) {  // it swings all the time
    f.net.link(f.link).rtt_us = i % 2 == 0 ? 20'000 : 1'500'000;
    f.net.run_for(2 * kSecond);
  }
  EXPECT_LE(f.router().advertised() - before, 140 * kSecond / limits::kAdvertiseCalm + 1);
}

TEST(Router, AFlappingLinkCostsABoundedNumberOfMessages) {
  Fixture f;
  const auto before = f.router().advertised();
  for (int i = 0; i < 100; ++i) {
    f.net.cut(f.link);
    f.net.run_for(3 * kSecond);
    f.net.heal(f.link);
    f.net.run_for(3 * kSecond);
  }
  EXPECT_LE(f.router().advertised() - before, 8u);  // two deaths, until it has to prove for longer
}

TEST(Router, AnOperatorsCostReplacesTheMeasuredOne) {
  Fixture f;
  ASSERT_TRUE(f.router().set_cost("b", 250'000).is_ok());
  f.net.run_for(kSecond);
  EXPECT_EQ(f.own().links[0], (AdvertisedLink{"b", 100'000, 250'000, false}));
  ASSERT_TRUE(f.router().set_cost("b", std::nullopt).is_ok());
  f.net.run_for(kSecond);
  EXPECT_EQ(f.own().links[0].cost_us, 100'000u);
  EXPECT_EQ(f.router().set_cost("b", limits::kRttMost + 1).code(), Code::invalid);
  EXPECT_EQ(f.router().set_cost("b", 0).code(), Code::invalid);
}

TEST(Router, ADrainedLinkAndADrainedHubSaySo) {
  Fixture f;
  ASSERT_TRUE(f.router().set_link_drained("b", true).is_ok());
  f.net.run_for(kSecond);
  EXPECT_TRUE(f.own().links[0].drained);
  ASSERT_TRUE(f.router().set_link_drained("b", false).is_ok());
  f.net.run_for(kSecond);
  EXPECT_FALSE(f.own().links[0].drained);
  f.router().set_drained(true);
  f.net.run_for(kSecond);
  EXPECT_TRUE(f.own().links[0].drained);
}

TEST(Router, HasABoundOfLinksAndIsNotItsOwnPeer) {
  Fixture f;
  Outbox out;
  for (std::size_t i = 1; i < limits::kMapPeers; ++i)
    EXPECT_TRUE(f.router().connect("p" + std::to_string(i), f.net.now(), &out).is_ok());
  EXPECT_EQ(f.router().connect("more", f.net.now(), &out).code(), Code::exhausted);
  EXPECT_EQ(f.router().connect("a", f.net.now(), &out).code(), Code::invalid);
}

TEST(Router, TellsWhatItsRegionWantsCoarsened) {
  Fixture f;
  std::vector<std::string> patterns;
  for (int i = 0; i < 1000; ++i) patterns.push_back("order.eu.s" + std::to_string(i));
  patterns.push_back("greeting");
  f.router().set_interest(patterns);
  f.net.run_for(kSecond);
  EXPECT_EQ(f.net.hub(f.b).router->state().map().find("a")->second.advertisement->content.interest,
            (std::vector<std::string>{"greeting", "order.eu.>"}));
}

TEST(Router, TwoHubsUnderOneNameDoNotFloodTheNetwork) {
  Fixture f;
  // A second "a", with the right key, whose words reach b from elsewhere.
  const auto before = f.router().advertised();
  for (int i = 0; i < 600; ++i) {
    Advertisement twin = f.own();
    twin.version += 5;
    const std::string canonical = canonical_bytes(twin);
    f.net.inject(f.b, "a",
                 Advertisements{{std::make_shared<const std::string>(
                     signed_bytes(canonical, sim::sign_as("a", canonical)))}});
    Outbox out;
    f.net.inject(f.a, "b",
                 Advertisements{{std::make_shared<const std::string>(
                     signed_bytes(canonical, sim::sign_as("a", canonical)))}});
    f.net.run_for(100 * kMillisecond);
  }
  EXPECT_LE(f.router().advertised() - before, 60 * kSecond / limits::kAdvertiseCalm + 2);
  EXPECT_GE(f.router().exceeded(), 10u);
}

}  // namespace
}  // namespace oltp20::hub::routing
