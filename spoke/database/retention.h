// Retention of the outbox: turns the ring of partitions, empties what is stable and older than the
// horizon, forgets ticks and checkpoints that only those needed. Protocol rule 29. Then published
// tables whose columns have changed get their trigger functions anew.
//
// Age is judged by the database's clock, and only while that clock runs as the machine's monotonic
// one does: after a jump nothing is pruned until the horizon has passed once more. Connects for
// each run. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/status.h"

namespace oltp20::spoke {

class Canceller;

struct RetentionOptions {
  std::string url;
  Micros rotate_after_us = 0;  // 0: a third of the horizon
};

struct RetentionReport {
  bool rotated = false;
  bool clock_jumped = false;
  int emptied = 0;        // children of the ring
  std::string held_back;  // why the others were not: a sentence, or empty
  // It is not a matter of time and of the hub alone: somebody holds it back, or must decide.
  bool needs_person = false;
};

class Retention {
 public:
  Retention(RetentionOptions options, const Clock& clock);
  ~Retention();

  // Errors: as those of a connection; a child that is busy is not an error but `held_back`.
  Result<RetentionReport> run_once(Micros horizon_us);
  // Any thread: ends the statement that is running, with an error; none is no harm.
  void cancel();

 private:
  struct Baseline {
    double database_s = 0;
    Micros monotonic_us = 0;
  };
  struct Times;
  double jump_s(const Times& times, Micros horizon_us);

  RetentionOptions options_;
  const Clock& clock_;
  const std::unique_ptr<Canceller> canceller_;
  std::optional<Baseline> baseline_;
};

}  // namespace oltp20::spoke
