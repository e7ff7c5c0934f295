// Jittered exponential backoff that never gives up: the delay doubles from `first` to `most`, and
// half of it is random, so that many agents do not come back at the same moment.
#pragma once

#include <algorithm>

#include "common/base/clock.h"
#include "common/base/random.h"

namespace oltp20 {

class Backoff {
 public:
  Backoff(Micros first_us, Micros most_us) : first_us_(first_us), most_us_(most_us) {}

  // How long to wait before the next attempt.
  Micros next_us(Random& random) {
    delay_us_ = delay_us_ == 0 ? first_us_ : std::min(delay_us_ * 2, most_us_);
    return delay_us_ / 2 + static_cast<Micros>(random.below(delay_us_ / 2 + 1));
  }
  // After a success that lasted.
  void reset() { delay_us_ = 0; }

 private:
  Micros first_us_;
  Micros most_us_;
  Micros delay_us_ = 0;
};

}  // namespace oltp20
