// Distance is a fact: what light in fibre needs, whatever was measured.
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/clock.h"

namespace oltp20::hub::routing {

// Millionths of a degree; north and east are positive.
struct Place {
  std::int32_t latitude_udeg = 0;   // -90,000,000 to 90,000,000
  std::int32_t longitude_udeg = 0;  // -180,000,000 to 180,000,000
  bool operator==(const Place&) const = default;
};

inline constexpr double kFibreKmPerSecond = 200'000;

bool is_place(const Place& place);
// Along the great circle.
double distance_km(const Place& a, const Place& b);
// The least round trip that physics allows between both.
Micros floor_rtt_us(const Place& a, const Place& b);

}  // namespace oltp20::hub::routing
