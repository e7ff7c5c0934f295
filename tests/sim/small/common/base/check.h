// Stands in front of common/base/check.h in the simulator's build: a failed CHECK is thrown.
#pragma once

#include <string>

#include "tests/sim/check_failed.h"

#define CHECK(condition)                                                                        \
  do {                                                                                          \
    if (!(condition)) [[unlikely]]                                                              \
      throw ::oltp20::sim::CheckFailed{std::string(__FILE__) + ":" + std::to_string(__LINE__) + \
                                       ": " #condition};                                        \
  } while (false)
