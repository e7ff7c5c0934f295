// A small world: what oltp20-scale measures at full size holds.
#include <gtest/gtest.h>

#include "tests/sim/scale/report.h"

namespace oltp20::sim {
namespace {

Results run_small(std::uint64_t seed) {
  WorldSize size;
  size.hubs = 48;
  size.links = 180;
  size.spokes = 480;
  size.observed = 6;
  return Experiments(size, seed).run(10, [](const std::string&) {});
}

TEST(Scale, ASmallWorldConvergesReroutesInTimeAndDoesNotOscillate) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const Results r = run_small(seed);
    ASSERT_EQ(r.phases.size(), 10u);
    EXPECT_GE(r.paths, 6u * 47u);
    for (const Phase& phase : r.phases) {
      EXPECT_GE(phase.converged_us, 0) << phase.name;
      EXPECT_LE(phase.converged_us, 10 * kSecond) << phase.name;
      // Three seconds to find out, one to go another way.
      EXPECT_GE(phase.rerouted_us, 0) << phase.name;
      EXPECT_LE(phase.rerouted_us, 4 * kSecond) << phase.name;
    }
    EXPECT_EQ(r.loops, 0u);
    std::size_t changes = 0;
    for (const NoiseMinute& minute : r.noise) {
      changes += minute.changes;
      EXPECT_LT(minute.stretch.mean, 1.1);
    }
    EXPECT_LT(static_cast<double>(changes) * 6 / static_cast<double>(r.paths), 6) << seed;
  }
}

TEST(Scale, OneSeedIsOneHistory) {
  EXPECT_EQ(markdown_of(run_small(7)), markdown_of(run_small(7)));
}

}  // namespace
}  // namespace oltp20::sim
