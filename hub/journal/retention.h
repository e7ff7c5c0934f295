// Retention: up to where a journal may, or must, be trimmed (protocol rule 13).
//
// Pure: the owner tells the ledger what was appended, asks for a decision now and then, trims the
// journal and tells the ledger. The horizon says how long entries are kept; the limit in bytes is
// hard, and what it takes before the horizon is said aloud. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "common/base/clock.h"
#include "hub/journal/journal.h"

namespace oltp20::hub {

struct RetentionLimits {
  Micros horizon_us = 0;
  std::uint64_t max_bytes = 0;
};

struct RetentionDecision {
  Lsn upto = 0;    // trim() up to here; 0: nothing
  Lsn forced = 0;  // how many of them are younger than the horizon
  Micros youngest_forced_age_us = 0;
  Micros youngest_age_us = 0;  // of all that goes
  std::string sentence;        // why, when something was forced or time is not trusted
};

// Tells a wall clock that jumped: time alone must not decide what is kept. A clock that is wrong
// when the hub starts looks like a pause, so a pause of a quarter of the horizon counts as a jump,
// and so does an entry from the future.
class WallClockGuard {
 public:
  static constexpr Micros kTolerance = 5 * 60 * kSecond;

  // Of the journal that was opened: when its newest entry came (0: there is none), and the longest
  // pause between two that it keeps.
  WallClockGuard(Micros horizon_us, Micros newest_us, Micros longest_pause_us)
      : horizon_us_(horizon_us), newest_us_(newest_us), longest_pause_us_(longest_pause_us) {}

  // Call with each decision; slow drift is followed. After a jump it is not steady until the
  // horizon has passed, by the monotonic clock: then all that came before the jump is as old as
  // that.
  bool steady(Micros wall_us, Micros monotonic_us);

 private:
  bool jumped_since_last(Micros wall_us, Micros offset_us) const;

  Micros horizon_us_, newest_us_, longest_pause_us_;
  bool started_ = false;
  Micros offset_us_ = 0;
  bool jumped_ = false;
  Micros jumped_at_us_ = 0;
};

// Ages and sizes of a journal's entries, in a bounded number of samples.
class RetentionLedger {
 public:
  static constexpr std::size_t kSamples = 4096;
  static constexpr Micros kSampleSpan = 60 * kSecond;
  static constexpr std::uint64_t kSampleBytes = 16 << 20;

  // Entries up to `lsn`, behind the last that was added; `received_us` of the newest of them.
  void add(Lsn lsn, Micros received_us, std::uint64_t bytes);
  // After trim(upto) succeeded.
  void trimmed(Lsn upto);
  // What is dated later than this was dated by a clock that ran ahead: it is dated now, since it
  // would else wait for a day that is years away.
  void redate(Micros wall_us);

  // `wall_is_steady`: see WallClockGuard; when false only the limit in bytes decides.
  RetentionDecision decide(Micros wall_us, bool wall_is_steady,
                           const RetentionLimits& limits) const;
  std::uint64_t bytes() const { return bytes_; }
  Micros newest_us() const { return samples_.empty() ? 0 : samples_.back().newest_us; }
  Micros longest_pause_us() const;
  std::size_t samples() const { return samples_.size(); }

 private:
  struct Sample {
    Lsn last;
    Micros first_us, newest_us;
    std::uint64_t bytes;
  };
  void merge_neighbours();

  std::deque<Sample> samples_;
  std::uint64_t bytes_ = 0;
};

// The ledger of a journal that was just opened, from a few of its entries: ages exact to a part in
// kProbes, sizes evenly spread. Errors: those of read().
Result<RetentionLedger> survey(const Journal& journal);

}  // namespace oltp20::hub
