#include "common/base/clock.h"

#include <chrono>

namespace oltp20 {
namespace {

class SystemClock final : public Clock {
 public:
  Micros monotonic_us() const override { return micros<std::chrono::steady_clock>(); }
  Micros wall_us() const override { return micros<std::chrono::system_clock>(); }

 private:
  template <typename Source>
  static Micros micros() {
    return std::chrono::duration_cast<std::chrono::microseconds>(Source::now().time_since_epoch())
        .count();
  }
};

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

}  // namespace oltp20
