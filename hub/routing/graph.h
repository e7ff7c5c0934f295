// Graph: the map as numbers, and the cheapest paths in it.
//
// A link counts only when both ends advertise it, so neither a liar nor a hub that has lost the
// other conjures it up. Its cost is the larger of both ends': nobody can make a link look cheaper
// than its other end says, an operator raises it at either end, and paths are the same in both
// directions. It is drained when either end says so.
//
// Immutable after construction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hub/routing/link_state.h"

namespace oltp20::hub::routing {

using HubIndex = std::uint32_t;
using Cost = std::uint64_t;  // microseconds, with kDrainedCost for each drained link
inline constexpr Cost kUnreachable = ~Cost{0};
inline constexpr HubIndex kNoHub = ~HubIndex{0};

class Graph {
 public:
  struct Link {
    HubIndex to = 0;
    std::uint32_t cost_us = 0;
    bool drained = false;
    Cost length() const;
  };
  struct Range {
    const Link* from;
    const Link* to;
    const Link* begin() const { return from; }
    const Link* end() const { return to; }
    std::size_t size() const { return static_cast<std::size_t>(to - from); }
  };

  explicit Graph(const LinkState::Map& map);

  std::size_t size() const { return hubs_.size(); }
  std::size_t links() const { return links_.size() / 2; }
  const Advertisement& hub(HubIndex index) const { return hubs_[index]->content; }
  const std::string& name(HubIndex index) const { return hub(index).hub; }
  HubIndex find(std::string_view name) const;  // kNoHub: not on the map
  Range of(HubIndex hub) const {
    return {links_.data() + first_[hub], links_.data() + first_[hub + 1]};
  }
  const Link* between(HubIndex from, HubIndex to) const;  // null: none

 private:
  std::vector<std::shared_ptr<const SignedAdvertisement>> hubs_;  // ascending by name
  std::unordered_map<std::string_view, HubIndex> index_;
  std::vector<std::uint32_t> first_;
  std::vector<Link> links_;  // of each hub ascending by `to`
};

// The cheapest paths from one hub to all, of at most kRouteHubs hubs. Equal ones: fewest hubs, then
// the first names: never chance.
struct PathTree {
  std::vector<Cost> cost;          // kUnreachable: no path
  std::vector<HubIndex> parent;    // towards the source
  std::vector<std::uint8_t> hubs;  // on the path, with both ends

  // From the source to `hub`; empty when there is none.
  std::vector<HubIndex> path(HubIndex hub) const;
};

// What a search leaves out.
struct Without {
  const std::vector<bool>* closed = nullptr;  // hubs that nothing may pass through, but may end at
  HubIndex link_from = kNoHub, link_to = kNoHub;  // one link, in both directions
  bool drained_is_free = false;                   // as if nothing were drained
};
PathTree find_paths(const Graph& graph, HubIndex source, const Without& without = {});

}  // namespace oltp20::hub::routing
