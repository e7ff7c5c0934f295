// RouteTable: the path that this hub takes to every home, as a list of hubs, and when it changes.
//
// 1. A path that is broken, or no longer permitted, is left at the next flush(), for the cheapest.
// 2. Another one is taken only when it is cheaper by kRouteMarginPercent and kRttNoise, both now
// and
//    smoothed with the time constant kRouteSmoothing.
// 3. Residency comes before cost: a path through what is not permitted does not exist.
// 4. A request carries its whole path (source route): disagreement of maps cannot make a loop.
//
// One thread. Paths are computed at most every kRecompute.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hub/routing/graph.h"
#include "hub/routing/residency.h"

namespace oltp20::hub::routing {

using Route = std::vector<std::string>;  // hubs, from this one to the home

struct RouteChange {
  enum class Why { first, better, broken, forbidden, lost };
  std::string home;
  Route from, to;  // empty: none
  Why why = Why::first;
};
std::string_view why_text(RouteChange::Why why);

// Whether `other` is so much cheaper that it is worth a change.
bool is_worth_changing(double active_us, double other_us);
// Of a path on the graph; nullopt when a link of it is not there.
std::optional<Cost> cost_of(const Graph& graph, const Route& route);

class RouteTable {
 public:
  struct Active {
    Route route;
    Cost cost = 0, best_cost = 0;  // now: of the path taken, of the cheapest
    double smoothed_us = 0, smoothed_best_us = 0;
    Micros looked_us = 0;
  };

  // Without residency everything may pass everywhere.
  RouteTable(std::string self, std::shared_ptr<const Residency> residency)
      : self_(std::move(self)), residency_(std::move(residency)) {}
  void set_residency(std::shared_ptr<const Residency> residency);

  // After the map changed, and at least every kReconsider. Changes are added to `out`.
  void flush(const LinkState& state, Micros now, std::vector<RouteChange>* out);

  const Active* find(std::string_view home) const;
  const std::map<std::string, Active, std::less<>>& active() const { return active_; }
  const Residency* residency() const { return residency_.get(); }
  std::uint64_t recomputations() const { return recomputations_; }

 private:
  struct Class {
    std::vector<bool> closed;
    bool anything_closed = false;
    PathTree tree;
  };
  void recompute(const LinkState& state);
  void consider_all(Micros now, std::vector<RouteChange>* out);
  void consider(HubIndex home, const Class& cls, Micros now, std::vector<RouteChange>* out);
  const Class& class_of(HubIndex home);
  bool is_permitted(const Class& cls, const Route& route) const;

  std::string self_;
  std::shared_ptr<const Residency> residency_;
  std::optional<Graph> graph_;
  HubIndex source_ = kNoHub;
  std::map<std::uint32_t, Class> classes_;
  std::map<std::string, Active, std::less<>> active_;
  std::uint64_t revision_ = 0;  // of the map that the graph is of
  Micros recomputed_us_ = 0, considered_us_ = 0;
  bool waiting_ = false;  // some path waits until its smoothed cost agrees
  std::uint64_t recomputations_ = 0;
};

}  // namespace oltp20::hub::routing
