#include "hub/routing/graph.h"

#include <gtest/gtest.h>

#include "common/base/limits.h"
#include "tests/hub/routing/map_builder.h"
#include "tests/sim/dice.h"

namespace oltp20::hub::routing {
namespace {

std::string path(const Graph& graph, const std::string& from, const std::string& to,
                 const Without& without = {}) {
  std::string out;
  for (HubIndex hub : find_paths(graph, graph.find(from), without).path(graph.find(to)))
    out += (out.empty() ? "" : " ") + graph.name(hub);
  return out;
}

TEST(Graph, CountsALinkOnlyWhenBothEndsAdvertiseIt) {
  MapBuilder map;
  map.link("me", "a", 5).half("me", "b", 5).half("c", "me", 5).link("b", "c", 1);
  const Graph graph(map.publish().map());
  EXPECT_EQ(graph.links(), 2u);
  EXPECT_EQ(path(graph, "me", "b"), "");
  EXPECT_EQ(path(graph, "me", "c"), "");
  EXPECT_EQ(path(graph, "me", "a"), "me a");
}

TEST(Graph, TakesTheLargerCostOfBothEnds) {
  MapBuilder map;
  map.half("me", "a", 5).half("a", "me", 50).link("me", "b", 20).link("b", "a", 20);
  const Graph graph(map.publish().map());
  EXPECT_EQ(path(graph, "me", "a"), "me b a");
  EXPECT_EQ(path(graph, "a", "me"), "a b me");
  EXPECT_EQ(graph.between(graph.find("me"), graph.find("a"))->cost_us, 50'000u);
}

TEST(Graph, GoesOverADrainedLinkOnlyWhereNothingElseLeads) {
  MapBuilder map;
  map.link("me", "a", 5).half("me", "a", 5, true).link("me", "b", 2000).link("b", "a", 2000);
  map.link("a", "c", 5, true);
  const Graph graph(map.publish().map());
  EXPECT_EQ(path(graph, "me", "a"), "me b a");
  EXPECT_EQ(path(graph, "me", "c"), "me b a c");
  EXPECT_EQ(path(graph, "me", "a", {.drained_is_free = true}), "me a");
}

TEST(Graph, ClosedHubsAreReachedAndNotPassed) {
  MapBuilder map;
  map.link("me", "a", 5).link("a", "b", 5).link("me", "c", 50).link("c", "b", 50);
  const Graph graph(map.publish().map());
  std::vector<bool> closed(graph.size());
  closed[graph.find("a")] = closed[graph.find("me")] = true;
  EXPECT_EQ(path(graph, "me", "b"), "me a b");
  EXPECT_EQ(path(graph, "me", "b", {.closed = &closed}), "me c b");
  EXPECT_EQ(path(graph, "me", "a", {.closed = &closed}), "me a");
}

TEST(Graph, OfEqualPathsTakesTheShorterAndThenTheFirstByName) {
  MapBuilder map;
  map.link("me", "x", 10).link("x", "z", 10).link("me", "b", 10).link("b", "z", 10);
  map.link("me", "q", 5).link("q", "b", 5);
  EXPECT_EQ(path(Graph(map.publish().map()), "me", "z"), "me b z");
}

TEST(Graph, HasNoPathLongerThanASourceRoute) {
  MapBuilder map;
  std::string before = "me";
  for (std::size_t i = 100; i < 100 + limits::kRouteHubs; ++i) {
    const std::string next = "h" + std::to_string(i);
    map.link(before, next, 1);
    before = next;
  }
  const Graph graph(map.publish().map());
  const PathTree tree = find_paths(graph, graph.find("me"));
  EXPECT_EQ(tree.path(graph.find("h122")).size(), limits::kRouteHubs);
  EXPECT_EQ(tree.cost[graph.find("h123")], kUnreachable);
}

// Against the plainest method there is.
TEST(Graph, FindsTheCheapestPaths) {
  sim::Dice dice(3, "graph");
  for (int round = 0; round < 40; ++round) {
    MapBuilder map("h10");
    const std::size_t hubs = 5 + dice.below(25);
    const auto name = [](std::size_t i) { return "h" + std::to_string(10 + i); };
    for (std::size_t i = 1; i < hubs; ++i)
      map.link(name(i), name(dice.below(i)), static_cast<std::uint32_t>(1 + dice.below(9)));
    for (std::size_t i = 0; i < hubs; ++i) {
      const std::size_t a = dice.below(hubs), b = dice.below(hubs);
      if (a != b) map.link(name(a), name(b), static_cast<std::uint32_t>(1 + dice.below(9)));
    }
    const Graph graph(map.publish().map());
    std::vector<Cost> cost(graph.size(), kUnreachable / 2);
    cost[0] = 0;
    for (std::size_t i = 0; i < graph.size(); ++i)
      for (HubIndex from = 0; from < graph.size(); ++from)
        for (const Graph::Link& link : graph.of(from))
          cost[link.to] = std::min(cost[link.to], cost[from] + link.length());
    const PathTree tree = find_paths(graph, 0);
    ASSERT_EQ(tree.cost, cost);
    for (HubIndex to = 0; to < graph.size(); ++to) {
      Cost sum = 0;
      const auto hubs_of = tree.path(to);
      for (std::size_t i = 1; i < hubs_of.size(); ++i)
        sum += graph.between(hubs_of[i - 1], hubs_of[i])->length();
      ASSERT_EQ(sum, cost[to]);
      ASSERT_EQ(hubs_of.size(), tree.hubs[to]);
    }
  }
}

}  // namespace
}  // namespace oltp20::hub::routing
