// How much memory the map and the paths of a large network take.
#include <gtest/gtest.h>
#include <malloc.h>

#include "hub/routing/paths.h"
#include "tests/hub/routing/map_builder.h"
#include "tests/sim/dice.h"

namespace oltp20::hub::routing {
namespace {

std::uint64_t bytes_in_use() {
  return mallinfo2().uordblks + mallinfo2().hblkhd;
}

TEST(Size, AThousandHubsAndFourThousandLinksTakeLessThan64MiB) {
  MapBuilder map("hub-of-a-region-0");
  sim::Dice dice(1, "size");
  const auto name = [](std::size_t i) { return "hub-of-a-region-" + std::to_string(i); };
  std::vector<std::string> wants;  // as much as an advertisement holds
  for (int i = 100; i < 164; ++i)
    wants.push_back("a-kind-of-order.some-region.event-" + std::to_string(i));
  map.everybody_wants(wants);
  for (std::size_t i = 0; i < 1000; ++i)
    for (std::size_t step = 0; step < 4; ++step)
      map.link(name(i), name((i + 1 + step * 97) % 1000),
               static_cast<std::uint32_t>(1 + dice.below(100)));
  const std::uint64_t before = bytes_in_use();
  map.publish();
  RouteTable table(name(0), nullptr);
  std::vector<RouteChange> changes;
  table.flush(*map.state(), kSecond, &changes);
  const std::uint64_t taken = bytes_in_use() - before;
  EXPECT_EQ(table.active().size(), 999u);
  EXPECT_EQ(Graph(map.state()->map()).links(), 4000u);
  EXPECT_GT(taken, 1u << 20);  // it is measured at all
  EXPECT_LT(taken, 64u << 20);
}

}  // namespace
}  // namespace oltp20::hub::routing
