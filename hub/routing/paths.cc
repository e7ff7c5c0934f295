#include "hub/routing/paths.h"

#include <cmath>

#include "common/base/limits.h"

namespace oltp20::hub::routing {
namespace {

Route names_of(const Graph& graph, const std::vector<HubIndex>& path) {
  Route out;
  out.reserve(path.size());
  for (HubIndex hub : path) out.push_back(graph.name(hub));
  return out;
}

// What `smoothed` has become after `value` stood for so long.
double smooth(double smoothed, double value, Micros elapsed) {
  return value + (smoothed - value) * std::exp(-static_cast<double>(elapsed) /
                                               static_cast<double>(limits::kRouteSmoothing));
}

}  // namespace

std::string_view why_text(RouteChange::Why why) {
  switch (why) {
    case RouteChange::Why::first:
      return "first path";
    case RouteChange::Why::better:
      return "better path";
    case RouteChange::Why::broken:
      return "path broken";
    case RouteChange::Why::forbidden:
      return "path no longer permitted";
    case RouteChange::Why::lost:
      return "no path";
  }
  return "";
}

bool is_worth_changing(double active_us, double other_us) {
  const double margin = std::max(static_cast<double>(limits::kRttNoise),
                                 active_us * limits::kRouteMarginPercent / 100);
  return other_us + margin < active_us;
}

std::optional<Cost> cost_of(const Graph& graph, const Route& route) {
  Cost cost = 0;
  HubIndex at = route.empty() ? kNoHub : graph.find(route.front());
  if (at == kNoHub) return std::nullopt;
  for (std::size_t i = 1; i < route.size(); ++i) {
    const HubIndex next = graph.find(route[i]);
    const Graph::Link* link = next == kNoHub ? nullptr : graph.between(at, next);
    if (link == nullptr) return std::nullopt;
    cost += link->length();
    at = next;
  }
  return cost;
}

void RouteTable::set_residency(std::shared_ptr<const Residency> residency) {
  residency_ = std::move(residency);
  revision_ = 0;
}

const RouteTable::Active* RouteTable::find(std::string_view home) const {
  const auto at = active_.find(home);
  return at == active_.end() ? nullptr : &at->second;
}

void RouteTable::flush(const LinkState& state, Micros now, std::vector<RouteChange>* out) {
  if (state.revision() != revision_) {
    if (recomputations_ > 0 && now - recomputed_us_ < limits::kRecompute) return;
    recomputed_us_ = now;
    recompute(state);
  } else if (!waiting_ || now - considered_us_ < limits::kReconsider) {
    return;
  }
  consider_all(now, out);
}

void RouteTable::recompute(const LinkState& state) {
  ++recomputations_;
  revision_ = state.revision();
  graph_.emplace(state.map());
  source_ = graph_->find(self_);
  classes_.clear();
}

const RouteTable::Class& RouteTable::class_of(HubIndex home) {
  const std::uint32_t number =
      residency_ ? residency_->class_of(graph_->name(home), self_) : std::uint32_t{0};
  const auto [at, added] = classes_.try_emplace(number);
  Class& cls = at->second;
  if (!added) return cls;
  if (residency_) {
    cls.closed.resize(graph_->size());
    for (HubIndex hub = 0; hub < graph_->size(); ++hub) {
      cls.closed[hub] = !residency_->may_pass(graph_->name(home), self_, graph_->name(hub),
                                              graph_->hub(hub).region);
      cls.anything_closed |= cls.closed[hub];
    }
  }
  Without without;
  if (cls.anything_closed) without.closed = &cls.closed;
  cls.tree = find_paths(*graph_, source_, without);
  return cls;
}

bool RouteTable::is_permitted(const Class& cls, const Route& route) const {
  if (!cls.anything_closed) return true;
  for (std::size_t i = 1; i + 1 < route.size(); ++i)
    if (cls.closed[graph_->find(route[i])]) return false;
  return true;
}

void RouteTable::consider_all(Micros now, std::vector<RouteChange>* out) {
  considered_us_ = now;
  waiting_ = false;
  if (source_ != kNoHub)
    for (HubIndex home = 0; home < graph_->size(); ++home)
      if (home != source_) consider(home, class_of(home), now, out);
  for (auto at = active_.begin(); at != active_.end();) {
    if (at->second.looked_us == now) {
      ++at;
      continue;
    }
    out->push_back({at->first, std::move(at->second.route), {}, RouteChange::Why::lost});
    at = active_.erase(at);
  }
}

void RouteTable::consider(HubIndex home, const Class& cls, Micros now,
                          std::vector<RouteChange>* out) {
  const Cost best = cls.tree.cost[home];
  if (best == kUnreachable) return;  // what is not looked at is lost
  const auto [at, added] = active_.try_emplace(graph_->name(home));
  Active& active = at->second;
  std::optional<Cost> cost;
  if (!added) cost = cost_of(*graph_, active.route);
  RouteChange::Why why = RouteChange::Why::first;
  if (!added) why = cost ? RouteChange::Why::forbidden : RouteChange::Why::broken;
  if (cost && is_permitted(cls, active.route)) {
    const Micros elapsed = now - active.looked_us;
    active.smoothed_us = smooth(active.smoothed_us, static_cast<double>(active.cost), elapsed);
    active.smoothed_best_us =
        smooth(active.smoothed_best_us, static_cast<double>(active.best_cost), elapsed);
    active.looked_us = now;
    active.cost = *cost;
    active.best_cost = best;
    if (!is_worth_changing(static_cast<double>(*cost), static_cast<double>(best))) return;
    if (!is_worth_changing(active.smoothed_us, active.smoothed_best_us)) {
      waiting_ = true;
      return;
    }
    why = RouteChange::Why::better;
  }
  Route to = names_of(*graph_, cls.tree.path(home));
  out->push_back({at->first, std::move(active.route), to, why});
  const auto cost_us = static_cast<double>(best);
  active = {std::move(to), best, best, cost_us, cost_us, now};
}

}  // namespace oltp20::hub::routing
