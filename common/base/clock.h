// Time, passed in. Only main makes the real clock; tests and the simulator make their own.
//
// 1. monotonic_us never goes back and measures durations and deadlines.
// 2. wall_us is the time of day in microseconds since 1970-01-01 UTC; it may jump, and nothing
//    that decides what is kept or sent may trust it alone.
// 3. Both may be called from any thread.
#pragma once

#include <cstdint>

namespace oltp20 {

using Micros = std::int64_t;
inline constexpr Micros kMillisecond = 1000;
inline constexpr Micros kSecond = 1000 * kMillisecond;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Micros monotonic_us() const = 0;
  virtual Micros wall_us() const = 0;
};

// The machine's own clocks.
const Clock& system_clock();

}  // namespace oltp20
