// Dice: chance of one component, from the run's seed and the component's name, so that taking one
// step out of a scenario disturbs the others as little as possible.
#pragma once

#include <string_view>

#include "common/base/random.h"

namespace oltp20::sim {

class Dice {
 public:
  Dice(std::uint64_t seed, std::string_view name) : state_(seed * 0x9e3779b97f4a7c15ULL) {
    for (char c : name) state_ = (state_ ^ static_cast<std::uint8_t>(c)) * 0x100000001b3ULL;
    next();
  }
  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  // Evenly from [0, bound); 0 when bound is 0.
  std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
  std::int64_t between(std::int64_t least, std::int64_t most) {
    return least + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(most - least + 1)));
  }
  bool chance(unsigned percent) { return below(100) < percent; }

 private:
  std::uint64_t state_;
};

}  // namespace oltp20::sim
