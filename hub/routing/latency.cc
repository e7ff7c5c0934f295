#include "hub/routing/latency.h"

#include <algorithm>

#include "common/base/limits.h"

namespace oltp20::hub::routing {

std::uint32_t cost_of_rtt(Micros rtt_us) {
  return static_cast<std::uint32_t>(std::clamp(rtt_us, limits::kRttNoise, limits::kRttMost));
}

bool is_significant(std::uint32_t advertised_us, std::uint32_t cost_us) {
  const Micros moved = std::abs(static_cast<Micros>(cost_us) - static_cast<Micros>(advertised_us));
  return moved >= std::max(limits::kRttNoise,
                           static_cast<Micros>(advertised_us) * limits::kSignificantPercent / 100);
}

void LinkMonitor::open(Micros now) {
  opened_us_ = now;
  progress_us_ = now;
  answered_us_ = now - 1;  // what an earlier stream sent is not answered on this one
  probe_due_us_ = now;
  peer_sent_us_.reset();
  samples_ = 0;
  if (state_ == State::up) die();
  state_ = State::down;
}

void LinkMonitor::close(Micros) {
  if (state_ == State::up) die();
  state_ = State::down;
  opened_us_.reset();
}

void LinkMonitor::die() {
  state_ = State::down;
  if (proof_us() < limits::kProveMost) ++deaths_;
}

Micros LinkMonitor::proof_us() const {
  Micros proof = limits::kProveFirst;
  for (unsigned i = 0; i < deaths_ && proof < limits::kProveMost; ++i) proof *= 2;
  return std::min(proof, limits::kProveMost);
}

std::optional<Heartbeat> LinkMonitor::probe(Micros now) {
  if (!opened_us_ || probe_due_us_ > now) return std::nullopt;
  probe_due_us_ = now + limits::kProbePeriod;
  Heartbeat out;
  out.sent_us = now;
  if (peer_sent_us_) {
    out.echo_us = *peer_sent_us_;
    out.echo_age_us = now - peer_arrived_us_;
  }
  return out;
}

void LinkMonitor::receive(const Heartbeat& probe, Micros now) {
  if (!opened_us_) return;
  tick(now);  // a death that nobody looked for yet comes first
  peer_sent_us_ = probe.sent_us;
  peer_arrived_us_ = now;
  if (probe.echo_us <= answered_us_ || probe.echo_us > now) return;
  if (probe.echo_age_us < 0 || probe.echo_age_us > now - probe.echo_us) return;
  answered_us_ = probe.echo_us;
  last_rtt_us_ = now - probe.echo_us - probe.echo_age_us;
  ++samples_;
  average(&smoothed_us_, 0.164);
  average(&settled_us_, 0.06);
  progress_us_ = now;
  if (state_ != State::down) return;
  state_ = State::proving;
  since_us_ = now;
}

void LinkMonitor::average(double* to, double weight) const {
  *to += std::max(weight, 1.0 / samples_) * (static_cast<double>(last_rtt_us_) - *to);
}

void LinkMonitor::tick(Micros now) {
  if (!opened_us_) return;
  if (now - progress_us_ > limits::kProbeProgress) {
    if (state_ == State::up) die();
    state_ = State::down;
    samples_ = 0;
    return;
  }
  if (state_ == State::proving && now - since_us_ >= proof_us()) {
    state_ = State::up;
    since_us_ = forgiven_us_ = now;
  }
  while (state_ == State::up && deaths_ > 0 && now - forgiven_us_ >= limits::kForgiveDeath) {
    --deaths_;
    forgiven_us_ += limits::kForgiveDeath;
  }
}

}  // namespace oltp20::hub::routing
