// Why traffic takes the way it takes, and what it would cost otherwise: `oltp20ctl topology path`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hub/routing/paths.h"

namespace oltp20::hub::routing {

struct Explanation {
  struct Step {
    std::string from, to;
    Cost cost_us = 0;  // the larger of both ends', without what draining adds
    std::uint32_t rtt_from_us = 0, rtt_to_us = 0;  // as each end measured
    std::optional<Micros> floor_us;                // what light needs, when both say where they are
    bool drained = false;
  };
  struct Path {
    Route hubs;  // empty: none
    std::vector<Step> steps;
    Cost cost_us = 0;
  };
  Path taken;
  Path next_best;                // the cheapest other one that is permitted
  std::vector<std::string> why;  // sentences: never empty
};

// The path over which `follower` gets the stream of `home`, as this hub's map has it. Where the
// follower is the hub of `table`, the path that it really takes, with its hysteresis; else, or with
// null, the cheapest permitted.
Explanation explain(const LinkState& state, const Residency* residency, const RouteTable* table,
                    const std::string& follower, const std::string& home);

}  // namespace oltp20::hub::routing
