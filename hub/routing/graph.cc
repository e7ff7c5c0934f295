#include "hub/routing/graph.h"

#include <algorithm>
#include <tuple>

#include "common/base/limits.h"

namespace oltp20::hub::routing {
namespace {

// A link as one end says it.
struct Half {
  HubIndex to;
  std::uint32_t cost_us;
  bool drained;
};

}  // namespace

Cost Graph::Link::length() const {
  return cost_us + (drained ? static_cast<Cost>(limits::kDrainedCost) : 0);
}

Graph::Graph(const LinkState::Map& map) {
  hubs_.reserve(map.size());
  index_.reserve(map.size());
  std::size_t most = 0;
  for (const auto& [name, known] : map) {
    if (known.expired) continue;
    index_.emplace(known.advertisement->content.hub, static_cast<HubIndex>(hubs_.size()));
    hubs_.push_back(known.advertisement);
    most += known.advertisement->content.links.size();
  }
  // What each end says, in numbers; names ascend, so numbers do.
  std::vector<Half> halves;
  std::vector<std::uint32_t> first;
  halves.reserve(most);
  for (const auto& hub : hubs_) {
    first.push_back(static_cast<std::uint32_t>(halves.size()));
    for (const AdvertisedLink& link : hub->content.links)
      if (const HubIndex to = find(link.peer); to != kNoHub)
        halves.push_back({to, link.cost_us, link.drained});
  }
  first.push_back(static_cast<std::uint32_t>(halves.size()));
  links_.reserve(halves.size());
  for (HubIndex from = 0; from < hubs_.size(); ++from) {
    first_.push_back(static_cast<std::uint32_t>(links_.size()));
    for (std::uint32_t i = first[from]; i < first[from + 1]; ++i) {
      const Half& here = halves[i];
      const auto begin = halves.begin() + first[here.to], end = halves.begin() + first[here.to + 1];
      const auto there = std::lower_bound(
          begin, end, from, [](const Half& half, HubIndex hub) { return half.to < hub; });
      if (there == end || there->to != from) continue;
      links_.push_back(
          {here.to, std::max(here.cost_us, there->cost_us), here.drained || there->drained});
    }
  }
  first_.push_back(static_cast<std::uint32_t>(links_.size()));
}

HubIndex Graph::find(std::string_view name) const {
  const auto at = index_.find(name);
  return at == index_.end() ? kNoHub : at->second;
}

const Graph::Link* Graph::between(HubIndex from, HubIndex to) const {
  const Range range = of(from);
  const Link* at = std::lower_bound(range.begin(), range.end(), to,
                                    [](const Link& link, HubIndex hub) { return link.to < hub; });
  return at != range.end() && at->to == to ? at : nullptr;
}

std::vector<HubIndex> PathTree::path(HubIndex hub) const {
  std::vector<HubIndex> out;
  if (cost[hub] == kUnreachable) return out;
  for (HubIndex at = hub; at != kNoHub; at = parent[at]) out.push_back(at);
  std::reverse(out.begin(), out.end());
  return out;
}

PathTree find_paths(const Graph& graph, HubIndex source, const Without& without) {
  PathTree tree;
  tree.cost.assign(graph.size(), kUnreachable);
  tree.parent.assign(graph.size(), kNoHub);
  tree.hubs.assign(graph.size(), 0);
  using Candidate = std::tuple<Cost, std::uint8_t, HubIndex>;  // cost, hubs, which
  std::vector<Candidate> heap;
  const auto later = std::greater<Candidate>();
  tree.cost[source] = 0;
  tree.hubs[source] = 1;
  heap.emplace_back(0, 1, source);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const auto [cost, hubs, at] = heap.back();
    heap.pop_back();
    if (cost != tree.cost[at] || hubs != tree.hubs[at]) continue;  // replaced by a better one
    if (hubs == limits::kRouteHubs) continue;
    if (at != source && without.closed != nullptr && (*without.closed)[at]) continue;
    for (const Graph::Link& link : graph.of(at)) {
      if ((at == without.link_from && link.to == without.link_to) ||
          (at == without.link_to && link.to == without.link_from))
        continue;
      const Cost there = cost + (without.drained_is_free ? link.cost_us : link.length());
      const std::uint8_t count = hubs + 1;
      const auto have = std::tuple(tree.cost[link.to], tree.hubs[link.to], tree.parent[link.to]);
      if (std::tuple(there, count, at) >= have) continue;
      const bool only_parent = there == tree.cost[link.to] && count == tree.hubs[link.to];
      tree.cost[link.to] = there;
      tree.hubs[link.to] = count;
      tree.parent[link.to] = at;
      if (only_parent) continue;  // it waits in the heap already
      heap.emplace_back(there, count, link.to);
      std::push_heap(heap.begin(), heap.end(), later);
    }
  }
  return tree;
}

}  // namespace oltp20::hub::routing
