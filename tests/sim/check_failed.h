// In the simulator's build of the cores a CHECK that does not hold is thrown, so that the seed can
// be named and shrunk; see small/common/base/check.h.
#pragma once

#include <string>

namespace oltp20::sim {

struct CheckFailed {
  std::string text;
};

}  // namespace oltp20::sim
