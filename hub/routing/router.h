// Router: one hub's part in the network: its links, what it advertises, its map.
//
//   connect(), disconnect(), receive(), set…(); then flush(now, &out) after a batch of them and at
//   least every kFlushPeriod; the RouteTable follows the map: table.flush(router.state(), …).
//
// It advertises
// 1. at once, but kAdvertiseUrgent apart: a link that died, draining, an operator's cost, what is
//    wanted, the policy's version, an earlier life that was heard of;
// 2. kAdvertiseSoon apart: links that came up;
// 3. kAdvertiseCalm apart: costs that moved by kSignificantPercent and kRttNoise;
// 4. every kAdvertiseRefresh: everything.
// So the messages of one hub are bounded whatever its links do. Two hubs that run under one name
// exceed each other for ever: kAdvertiseCalm apart, and exceeded() counts.
//
// One thread. The operator's costs and drains, and version(), are the caller's to keep over
// restarts.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/limits.h"
#include "hub/routing/latency.h"
#include "hub/routing/link_state.h"

namespace oltp20::hub::routing {

inline constexpr Micros kFlushPeriod = limits::kProbePeriod / 2;

struct RouterSettings {
  std::string hub, region;
  std::optional<Place> place;
  Incarnation incarnation;
  std::uint64_t last_version = 0;
};

class Router {
 public:
  struct OwnLink {
    LinkMonitor monitor;
    std::optional<std::uint32_t> operator_cost_us;
    bool drained = false;
    bool drained_advertised = false;
    std::uint32_t advertised_us = 0;  // 0: not advertised
    std::uint32_t cost_us() const;
  };

  Router(RouterSettings settings, LinkState::Open open, LinkState::Sign sign);

  // The transport to a peer is there; its identity is the certificate's. Errors: exhausted.
  Status connect(const std::string& peer, Micros now, Outbox* out);
  void disconnect(const std::string& peer, Micros now);
  void receive(const std::string& peer, const Frame& frame, Micros now, Outbox* out);

  // What the region wants; coarsened here.
  void set_interest(std::vector<std::string> patterns);
  void set_residency_version(std::uint64_t version);
  // Errors: exhausted, invalid.
  Status set_cost(const std::string& peer, std::optional<Micros> cost_us);
  Status set_link_drained(const std::string& peer, bool drained);
  void set_drained(bool drained);

  void flush(Micros now, Outbox* out);

  const LinkState& state() const { return state_; }
  LinkState* mutable_state() { return &state_; }
  const std::map<std::string, OwnLink, std::less<>>& links() const { return links_; }
  std::uint64_t advertised() const { return advertised_; }
  std::uint64_t exceeded() const { return exceeded_; }

 private:
  Result<OwnLink*> link(const std::string& peer);
  bool is_due(Micros now);
  void advertise(Micros now);

  RouterSettings settings_;
  LinkState state_;
  std::map<std::string, OwnLink, std::less<>> links_;
  std::vector<std::string> interest_;
  std::uint64_t residency_version_ = 0;
  bool drained_ = false;
  bool urgent_ = true;
  std::uint64_t advertised_ = 0, exceeded_ = 0;
  Micros advertised_us_ = 0;
};

}  // namespace oltp20::hub::routing
