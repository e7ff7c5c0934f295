// A made-up network on the real world: hubs in cities, links between near and far ones, RTTs from
// coordinates, and what the spokes of each region want.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/scale/network.h"

namespace oltp20::sim {

struct WorldSize {
  std::size_t hubs = 1000, links = 4000, spokes = 100'000, observed = 8;
};

// Adds hubs and links; the network is connected. Region is the city, a link's RTT is 1.25 to 1.9
// times what light needs, and 0.3 to 1 ms.
void build_world(const WorldSize& size, Dice* dice, Network* network);

// One hub more, with as many links to those that are near and one that is far.
std::size_t add_hub_near(std::size_t near, std::size_t links, Dice* dice, Network* network);

// What the spokes of one region subscribe to.
std::vector<std::string> subscriptions(const std::string& region, std::size_t spokes, Dice* dice);

// The links that cross from the Americas to anywhere else.
std::vector<std::size_t> links_to_americas(Network* network);
// Of those between continents, some that lie near each other: one cable.
std::vector<std::size_t> links_of_a_cable(std::size_t count, Network* network);

}  // namespace oltp20::sim
