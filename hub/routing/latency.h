// Latency of one link as one end sees it: probes, smoothing, cost, life and death.
//
// 1. A probe carries its sender's clock and echoes the peer's last one with how long ago it came,
// so
//    that RTT = now - echo - age needs no common clock.
// 2. Smoothed RTT = 0.836 old + 0.164 new. The settled RTT weighs a new sample with 0.06 (some 8
// s):
//    the cost is of it, since the whole network is told and should not follow every gust. The first
//    samples weigh alike. Cost: flat below kRttNoise, linear up to kRttMost.
// 3. Progress is an answer to a probe that was not answered before; it takes both directions.
//    Without progress for kProbeProgress a link is dead, whatever its socket says.
// 4. A link is used once it has made progress without a break for kProveFirst, doubled with each
//    death up to kProveMost; kForgiveDeath of life make up for one death. So a flapping link costs
//    the network a bounded number of messages.
// 5. Only the monotonic clock counts. A sample that cannot be true is no sample.
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/clock.h"
#include "common/wire/frames.h"

namespace oltp20::hub::routing {

// What an RTT costs, in microseconds.
std::uint32_t cost_of_rtt(Micros rtt_us);
// Whether a cost moved so far from what was advertised that others must know.
bool is_significant(std::uint32_t advertised_us, std::uint32_t cost_us);

class LinkMonitor {
 public:
  enum class State { down, proving, up };

  // The transport's stream is there, or gone.
  void open(Micros now);
  void close(Micros now);

  void receive(const Heartbeat& probe, Micros now);
  // The next probe to send, when it is due.
  std::optional<Heartbeat> probe(Micros now);
  // Death, proof and forgiveness by time. At least every kProbePeriod / 2.
  void tick(Micros now);

  State state() const { return state_; }
  bool is_open() const { return opened_us_.has_value(); }
  unsigned deaths() const { return deaths_; }
  // How long it has to prove itself.
  Micros proof_us() const;

  bool is_measured() const { return samples_ > 0; }
  Micros last_rtt_us() const { return last_rtt_us_; }
  Micros smoothed_rtt_us() const { return static_cast<Micros>(smoothed_us_); }
  Micros settled_rtt_us() const { return static_cast<Micros>(settled_us_); }

 private:
  void die();
  void average(double* to, double weight) const;

  State state_ = State::down;
  std::optional<Micros> opened_us_;
  Micros progress_us_ = 0;  // last progress, or when it was opened
  Micros since_us_ = 0;     // when it began to prove itself, or came up
  Micros forgiven_us_ = 0;  // up to when life has made up for deaths
  unsigned deaths_ = 0;
  Micros probe_due_us_ = 0;
  Micros answered_us_ = 0;  // the newest of our stamps that was echoed
  std::optional<Micros> peer_sent_us_;
  Micros peer_arrived_us_ = 0;
  unsigned samples_ = 0;  // of this life
  Micros last_rtt_us_ = 0;
  double smoothed_us_ = 0, settled_us_ = 0;
};

}  // namespace oltp20::hub::routing
