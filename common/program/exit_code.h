// What a program's exit code says, the same for all of ours.
#pragma once

#include "common/base/status.h"

namespace oltp20 {

enum ExitCode : int {
  kDone = 0,
  kFailed = 1,
  kWrongUsage = 2,  // or wrong configuration
  kNotReached = 3,
  kRefused = 4,
};

inline ExitCode exit_code(const Status& status) {
  switch (status.code()) {
    case Code::ok:
      return kDone;
    case Code::invalid:
    case Code::not_found:
      return kWrongUsage;
    case Code::unavailable:
      return kNotReached;
    case Code::denied:
      return kRefused;
    default:
      return kFailed;
  }
}

}  // namespace oltp20
