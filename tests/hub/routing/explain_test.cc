#include "hub/routing/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/limits.h"
#include "tests/hub/routing/map_builder.h"

namespace oltp20::hub::routing {
namespace {

using testing::Contains;
using testing::HasSubstr;

struct Fixture {
  MapBuilder map;
  RouteTable table{"me", nullptr};
  Fixture() {
    map.link("me", "a", 20).link("a", "home", 10).link("me", "b", 60).link("b", "home", 10);
    map.region("a", "abroad");
    map.place("me", {53'350'000, -6'260'000}).place("a", {51'510'000, -130'000});
  }
  Explanation ask(const Residency* residency = nullptr, const std::string& from = "me",
                  const std::string& to = "home") {
    return explain(*map.state(), residency, &table, from, to);
  }
};

TEST(Explain, SaysThePathItsCostAndTheNextBest) {
  Fixture f;
  f.map.publish();
  const Explanation e = f.ask();
  EXPECT_EQ(e.taken.hubs, (Route{"me", "a", "home"}));
  EXPECT_EQ(e.taken.cost_us, 30'000u);
  ASSERT_EQ(e.taken.steps.size(), 2u);
  EXPECT_EQ(e.taken.steps[0].cost_us, 20'000u);
  EXPECT_EQ(e.taken.steps[0].rtt_to_us, 20'000u);
  EXPECT_NEAR(static_cast<double>(e.taken.steps[0].floor_us.value()), 4640, 50);  // 464 km
  EXPECT_FALSE(e.taken.steps[1].floor_us.has_value());
  EXPECT_EQ(e.next_best.hubs, (Route{"me", "b", "home"}));
  EXPECT_EQ(e.next_best.cost_us, 70'000u);
  EXPECT_THAT(e.why, testing::ElementsAre("Taken: me - a - home, the cheapest permitted path."));
}

TEST(Explain, SaysThatResidencyForbidsAFasterOne) {
  Fixture f;
  f.map.publish();
  const NotThrough residency("home", "abroad");
  const Explanation e = f.ask(&residency);
  EXPECT_EQ(e.taken.hubs, (Route{"me", "b", "home"}));
  EXPECT_TRUE(e.next_best.hubs.empty());
  EXPECT_THAT(e.why, Contains("Not taken: me - a - home (30.0 ms) is faster, but traffic of home "
                              "for me may not pass through hub a in region abroad."));
  f.map.remove("me", "b");
  f.map.publish();
  const Explanation none = f.ask(&residency);
  EXPECT_TRUE(none.taken.hubs.empty());
  EXPECT_THAT(none.why, Contains(HasSubstr("There is no path that is permitted: me - a - home")));
}

TEST(Explain, SaysThatALinkIsDrained) {
  Fixture f;
  f.map.link("me", "a", 20, true).publish();
  const Explanation e = f.ask();
  EXPECT_EQ(e.taken.hubs, (Route{"me", "b", "home"}));
  EXPECT_THAT(e.why, Contains("Not taken: me - a - home (30.0 ms) is faster, but the link me - a "
                              "is drained."));
  f.map.remove("me", "b").publish();
  EXPECT_THAT(f.ask().why,
              Contains("It goes over a drained link, because nothing else leads there."));
}

TEST(Explain, SaysThatHysteresisKeepsAPath) {
  Fixture f;
  f.map.publish(kSecond);
  std::vector<RouteChange> changes;
  f.table.flush(*f.map.state(), kSecond, &changes);
  f.map.link("me", "a", 64).publish(2 * kSecond);
  f.table.flush(*f.map.state(), 2 * kSecond, &changes);
  const Explanation e = f.ask();
  EXPECT_EQ(e.taken.hubs, (Route{"me", "a", "home"}));
  EXPECT_EQ(e.next_best.hubs, (Route{"me", "b", "home"}));
  EXPECT_THAT(e.why, Contains("Taken: me - a - home, which is not the cheapest."));
  EXPECT_THAT(e.why, Contains(HasSubstr("Not yet taken: me - b - home (70.0 ms) is cheaper, but")));
  // Asked for others, there is no hysteresis to know of.
  EXPECT_EQ(f.ask(nullptr, "home", "me").taken.hubs, (Route{"home", "b", "me"}));
}

TEST(Explain, SaysWhyThereIsNoPath) {
  Fixture f;
  f.map.link("island", "rock", 1).publish(kSecond);
  EXPECT_THAT(f.ask(nullptr, "me", "nowhere").why,
              Contains(HasSubstr("nowhere is not on the map")));
  EXPECT_THAT(f.ask(nullptr, "me", "rock").why, Contains(HasSubstr("no chain of links")));
  Outbox out;
  f.map.state()->tick(2 * kSecond + limits::kAdvertisementAge, &out);
  EXPECT_THAT(f.ask().why, Contains(HasSubstr("home has not advertised itself for so long")));
}

}  // namespace
}  // namespace oltp20::hub::routing
