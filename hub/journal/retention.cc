#include "hub/journal/retention.h"

#include <algorithm>
#include <cstdlib>

namespace oltp20::hub {
namespace {

constexpr Lsn kProbes = 256;

std::string hours(Micros us) {
  return std::to_string(us / (3600 * kSecond)) + " h";
}

}  // namespace

bool WallClockGuard::jumped_since_last(Micros wall_us, Micros offset_us) const {
  if (started_) return std::abs(offset_us - offset_us_) > kTolerance;
  const Micros pause_us = wall_us - newest_us_;
  return newest_us_ != 0 && (pause_us < -kTolerance || std::max(pause_us, longest_pause_us_) >
                                                           std::max(kTolerance, horizon_us_ / 4));
}

bool WallClockGuard::steady(Micros wall_us, Micros monotonic_us) {
  const Micros offset_us = wall_us - monotonic_us;
  if (jumped_since_last(wall_us, offset_us)) {
    jumped_ = true;
    jumped_at_us_ = monotonic_us;
  }
  started_ = true;
  offset_us_ = offset_us;
  if (jumped_ && monotonic_us - jumped_at_us_ >= horizon_us_) jumped_ = false;
  return !jumped_;
}

void RetentionLedger::add(Lsn lsn, Micros received_us, std::uint64_t bytes) {
  bytes_ += bytes;
  if (!samples_.empty()) {
    Sample& open = samples_.back();
    received_us = std::max(received_us, open.newest_us);  // ages never go back
    if (received_us - open.first_us < kSampleSpan && open.bytes + bytes <= kSampleBytes) {
      open.last = lsn;
      open.newest_us = received_us;
      open.bytes += bytes;
      return;
    }
  }
  if (samples_.size() >= kSamples) merge_neighbours();
  samples_.push_back({lsn, received_us, received_us, bytes});
}

void RetentionLedger::merge_neighbours() {
  std::deque<Sample> merged;
  for (std::size_t i = 0; i < samples_.size(); i += 2) {
    Sample both = samples_[i];
    if (i + 1 < samples_.size()) {
      both.last = samples_[i + 1].last;
      both.newest_us = samples_[i + 1].newest_us;
      both.bytes += samples_[i + 1].bytes;
    }
    merged.push_back(both);
  }
  samples_ = std::move(merged);
}

void RetentionLedger::trimmed(Lsn upto) {
  while (!samples_.empty() && samples_.front().last <= upto) {
    bytes_ -= samples_.front().bytes;
    samples_.pop_front();
  }
}

void RetentionLedger::redate(Micros wall_us) {
  for (Sample& sample : samples_) {
    sample.first_us = std::min(sample.first_us, wall_us);
    sample.newest_us = std::min(sample.newest_us, wall_us);
  }
}

Micros RetentionLedger::longest_pause_us() const {
  Micros longest_us = 0;
  for (std::size_t i = 1; i < samples_.size(); ++i)
    longest_us = std::max(longest_us, samples_[i].first_us - samples_[i - 1].newest_us);
  return longest_us;
}

RetentionDecision RetentionLedger::decide(Micros wall_us, bool wall_is_steady,
                                          const RetentionLimits& limits) const {
  RetentionDecision decision;
  std::uint64_t left = bytes_;
  for (const Sample& sample : samples_) {
    Micros age_us = wall_us - sample.newest_us;
    bool old = wall_is_steady && age_us > limits.horizon_us;
    if (!old && left <= limits.max_bytes) break;
    if (!old) {
      decision.forced += sample.last - decision.upto;
      decision.youngest_forced_age_us = age_us;
    }
    decision.upto = sample.last;
    decision.youngest_age_us = age_us;
    left -= sample.bytes;
  }
  if (decision.forced > 0)
    decision.sentence = "the journal's limit of " + std::to_string(limits.max_bytes) +
                        " bytes forces out entries up to " + std::to_string(decision.upto) +
                        ", the youngest " + hours(decision.youngest_forced_age_us) +
                        " old, before the horizon of " + hours(limits.horizon_us) +
                        "; until then only their origins keep them: raise [journal] max_bytes";
  else if (!wall_is_steady)
    decision.sentence =
        "the wall clock jumped, or this hub was down for long; until the horizon of " +
        hours(limits.horizon_us) + " has passed nothing is trimmed by its age";
  return decision;
}

Result<RetentionLedger> survey(const Journal& journal) {
  RetentionLedger ledger;
  JournalInfo info = journal.info();
  if (info.head.lsn < info.first_lsn) return ledger;
  Lsn count = info.head.lsn - info.first_lsn + 1;
  Lsn step = std::max<Lsn>(1, count / kProbes);
  std::uint64_t bytes_each = info.bytes / count;
  Lsn counted = info.first_lsn - 1;
  for (Lsn at = counted; at < info.head.lsn;) {
    at = std::min(at + step, info.head.lsn);
    Result<ReadPage> page = journal.read({at, 0}, 1);
    // What cannot be read takes its age from the next that can: it is kept longer, not shorter.
    if (!page && page.status().code() == Code::corrupt && at < info.head.lsn) continue;
    if (!page) return page.status();
    ledger.add(at, page->items.at(0).entry->received_us, bytes_each * (at - counted));
    counted = at;
  }
  return ledger;
}

}  // namespace oltp20::hub
