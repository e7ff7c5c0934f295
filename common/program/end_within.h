// The last resort of an orderly end that takes too long, such as one that waits for a network that
// does not answer: the process ends all the same, with 0. A program that may call this loses
// nothing when it is killed at any moment.
#pragma once

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "common/base/clock.h"
#include "common/program/exit_code.h"

namespace oltp20 {

inline void end_process_within(Micros limit_us) {
  std::thread([limit_us] {
    std::this_thread::sleep_for(std::chrono::microseconds(limit_us));
    std::fputs("stopping took too long; ending without waiting further\n", stderr);
    std::_Exit(kDone);
  }).detach();
}

}  // namespace oltp20
