// Now: the time, as a core is told it.
#pragma once

#include "common/base/clock.h"

namespace oltp20::spoke {

struct Now {
  Micros monotonic = 0;
  Micros wall = 0;  // only ever compared with times that databases wrote, for metrics
};

}  // namespace oltp20::spoke
