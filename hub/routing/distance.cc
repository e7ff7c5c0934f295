#include "hub/routing/distance.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace oltp20::hub::routing {

bool is_place(const Place& place) {
  return std::abs(static_cast<std::int64_t>(place.latitude_udeg)) <= 90'000'000 &&
         std::abs(static_cast<std::int64_t>(place.longitude_udeg)) <= 180'000'000;
}

double distance_km(const Place& a, const Place& b) {
  constexpr double kEarthRadiusKm = 6371.0088, kRadians = std::numbers::pi / 180e6;
  const double from = a.latitude_udeg * kRadians, to = b.latitude_udeg * kRadians;
  const double north = std::sin((to - from) / 2);
  const double east =
      std::sin((static_cast<double>(b.longitude_udeg) - a.longitude_udeg) * kRadians / 2);
  const double haversine = north * north + std::cos(from) * std::cos(to) * east * east;
  return 2 * kEarthRadiusKm * std::asin(std::sqrt(std::clamp(haversine, 0.0, 1.0)));
}

Micros floor_rtt_us(const Place& a, const Place& b) {
  return static_cast<Micros>(2 * distance_km(a, b) / kFibreKmPerSecond * kSecond);
}

}  // namespace oltp20::hub::routing
