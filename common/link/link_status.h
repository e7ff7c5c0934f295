// LinkStatus: what a link knows of itself, for metrics.
#pragma once

#include <cstddef>

#include "common/base/clock.h"

namespace oltp20 {

// Frames that may wait to be written; then the link ends (stream_pump.h).
inline constexpr std::size_t kUnsentFrames = 4096;

struct LinkStatus {
  Micros rtt_us = 0;           // as last measured by a heartbeat's echo; 0: not yet
  Micros rtt_smoothed_us = 0;  // 0.836 old + 0.164 new
  std::size_t unsent_frames = 0;
};

}  // namespace oltp20
