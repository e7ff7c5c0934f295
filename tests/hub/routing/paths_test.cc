#include "hub/routing/paths.h"

#include <gtest/gtest.h>

#include "common/base/limits.h"
#include "tests/hub/routing/map_builder.h"

namespace oltp20::hub::routing {
namespace {

// Two ways from "me" to "home": through a and through b.
struct Fixture {
  MapBuilder map;
  RouteTable table{"me", nullptr};
  Micros now = 1000 * kSecond;
  std::vector<RouteChange> changes;

  Fixture() { map.link("a", "home", 10).link("b", "home", 10).link("me", "b", 60); }
  void through_a(std::uint32_t cost_ms) {
    map.link("me", "a", cost_ms);
    map.publish(now);
    flush();
  }
  void flush() { table.flush(*map.state(), now, &changes); }
  void run(Micros duration) {
    for (const Micros end = now + duration; now < end;) {
      now += 250 * kMillisecond;
      flush();
    }
  }
  std::string route() const {
    std::string out;
    const auto* active = table.find("home");
    if (active == nullptr) return "none";
    for (const std::string& hub : active->route) out += (out.empty() ? "" : " ") + hub;
    return out;
  }
  const RouteChange& last() const {
    for (auto at = changes.rbegin();; ++at)
      if (at->home == "home") return *at;
  }
};

TEST(Paths, TakesTheCheapest) {
  Fixture f;
  f.through_a(50);
  EXPECT_EQ(f.route(), "me a home");
  EXPECT_EQ(f.table.find("home")->cost, 60'000u);
  EXPECT_EQ(f.last().why, RouteChange::Why::first);
}

TEST(Paths, StaysOnADearerPathWithinTheMargin) {
  Fixture f;
  f.through_a(50);
  f.run(kSecond);
  f.through_a(66);  // 76 against 70: less than 10 %
  f.run(600 * kSecond);
  EXPECT_EQ(f.route(), "me a home");
}

TEST(Paths, AMarginBelowTheNoiseIsNone) {
  EXPECT_FALSE(is_worth_changing(3000, 2100));
  EXPECT_TRUE(is_worth_changing(3000, 1900));
  EXPECT_FALSE(is_worth_changing(100'000, 90'000));
  EXPECT_TRUE(is_worth_changing(100'000, 89'000));
}

TEST(Paths, AShortWorseningChangesNothing) {
  Fixture f;
  f.through_a(50);
  f.run(60 * kSecond);
  for (int i = 0; i < 20; ++i) {
    f.through_a(68);  // 78 against 70
    f.run(3 * kSecond);
    f.through_a(50);
    f.run(30 * kSecond);
  }
  EXPECT_EQ(f.route(), "me a home");
}

TEST(Paths, AWorseningThatStaysMovesTrafficSoon) {
  Fixture f;
  f.through_a(50);
  f.run(60 * kSecond);
  f.through_a(110);  // twice as slow
  EXPECT_EQ(f.route(), "me a home");
  f.run(15 * kSecond);
  EXPECT_EQ(f.route(), "me b home");
  EXPECT_EQ(f.last().why, RouteChange::Why::better);
}

TEST(Paths, ABrokenPathIsLeftAtOnce) {
  Fixture f;
  f.through_a(50);
  f.run(kSecond);
  f.map.remove("a", "home");
  f.map.publish(f.now);
  f.flush();
  EXPECT_EQ(f.route(), "me b home");
  EXPECT_EQ(f.last().why, RouteChange::Why::broken);
  f.map.remove("b", "home");
  f.map.publish(f.now);
  f.now += limits::kRecompute;
  f.flush();
  EXPECT_EQ(f.route(), "none");
  EXPECT_EQ(f.last().why, RouteChange::Why::lost);
}

TEST(Paths, IsComputedNoMoreOftenThanItsBound) {
  Fixture f;
  f.through_a(50);
  const auto before = f.table.recomputations();
  for (std::uint32_t i = 0; i < 100; ++i) {
    f.now += 10 * kMillisecond;
    f.through_a(51 + i % 2);
  }
  EXPECT_LE(f.table.recomputations() - before, 10u);
  EXPECT_GE(f.table.recomputations() - before, 9u);
  f.now += limits::kRecompute;
  f.flush();
  const auto after = f.table.recomputations();
  f.run(10 * kSecond);
  EXPECT_EQ(f.table.recomputations(), after);  // nothing changed
}

TEST(Paths, DoesNotGoThroughARegionThatIsNotAllowedEvenWhenItIsFaster) {
  Fixture f;
  f.map.region("a", "abroad");
  f.through_a(20);
  EXPECT_EQ(f.route(), "me a home");
  f.table.set_residency(std::make_shared<NotThrough>("home", "abroad"));
  f.now += limits::kRecompute;
  f.flush();
  EXPECT_EQ(f.route(), "me b home");
  EXPECT_EQ(f.last().why, RouteChange::Why::forbidden);
  // What ends there is another thing, and so is another home's traffic.
  EXPECT_EQ(f.table.find("a")->route, (Route{"me", "a"}));
  EXPECT_EQ(f.table.find("b")->route, (Route{"me", "a", "home", "b"}));
  f.map.remove("b", "home");
  f.map.publish(f.now);
  f.now += limits::kRecompute;
  f.flush();
  EXPECT_EQ(f.route(), "none");
}

}  // namespace
}  // namespace oltp20::hub::routing
