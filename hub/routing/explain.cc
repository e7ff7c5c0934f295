#include "hub/routing/explain.h"

#include <algorithm>
#include <cstdio>

#include "common/base/limits.h"

namespace oltp20::hub::routing {
namespace {

std::string ms(double us) {
  char out[32];
  std::snprintf(out, sizeof out, "%.1f ms", us / 1000);
  return out;
}

std::string joined(const Route& hubs) {
  std::string out;
  for (const std::string& hub : hubs) out += (out.empty() ? "" : " - ") + hub;
  return out;
}

const AdvertisedLink* said(const Advertisement& by, const std::string& peer) {
  const auto at = std::find_if(by.links.begin(), by.links.end(),
                               [&](const AdvertisedLink& link) { return link.peer == peer; });
  return at == by.links.end() ? nullptr : &*at;
}

class Explainer {
 public:
  Explainer(const LinkState& state, const Residency* residency, const std::string& follower,
            const std::string& home)
      : state_(state),
        graph_(state.map()),
        residency_(residency),
        follower_(follower),
        home_(home),
        from_(graph_.find(follower)),
        to_(graph_.find(home)) {
    closed_.assign(graph_.size(), false);
    for (HubIndex hub = 0; residency != nullptr && hub < graph_.size(); ++hub)
      closed_[hub] = !may_pass(hub);
  }

  Explanation run(const RouteTable* table) {
    if (!is_known(follower_, from_) || !is_known(home_, to_)) return std::move(out_);
    const Path best = cheapest({.closed = &closed_});
    const RouteTable::Active* active = nullptr;
    if (table != nullptr && follower_ == state_.self()) active = table->find(home_);
    out_.taken = best;
    if (active != nullptr && cost_of(graph_, active->route)) out_.taken = path_of(active->route);
    if (out_.taken.hubs.empty()) {
      say_no_path();
      return std::move(out_);
    }
    out_.next_best = second();
    say_taken();
    say_residency();
    say_drained();
    if (active != nullptr && best.hubs != out_.taken.hubs) say_hysteresis(best, *active);
    return std::move(out_);
  }

 private:
  using Path = Explanation::Path;

  void say(std::string sentence) { out_.why.push_back(std::move(sentence)); }

  bool may_pass(HubIndex hub) const {
    return residency_->may_pass(home_, follower_, graph_.name(hub), graph_.hub(hub).region);
  }

  bool is_known(const std::string& hub, HubIndex index) {
    if (index != kNoHub) return true;
    const bool expired = state_.map().contains(hub);
    say("There is no path: hub " + hub +
        (expired
             ? " has not advertised itself for so long that it left the map; see whether it runs."
             : " is not on the map; check the name, or link it to a hub that is."));
    return false;
  }

  Path cheapest(const Without& without) const {
    Route hubs;
    for (HubIndex hub : find_paths(graph_, from_, without).path(to_))
      hubs.push_back(graph_.name(hub));
    return path_of(hubs);
  }

  Path path_of(const Route& hubs) const {
    Path out{hubs, {}, cost_of(graph_, hubs).value_or(0)};
    for (std::size_t i = 1; i < hubs.size(); ++i) {
      const HubIndex from = graph_.find(hubs[i - 1]), to = graph_.find(hubs[i]);
      const Graph::Link& link = *graph_.between(from, to);
      Explanation::Step step{hubs[i - 1], hubs[i], link.cost_us};
      step.rtt_from_us = said(graph_.hub(from), step.to)->rtt_us;
      step.rtt_to_us = said(graph_.hub(to), step.from)->rtt_us;
      step.drained = link.drained;
      if (graph_.hub(from).place && graph_.hub(to).place)
        step.floor_us = floor_rtt_us(*graph_.hub(from).place, *graph_.hub(to).place);
      out.steps.push_back(std::move(step));
    }
    return out;
  }

  // Another path lacks at least one link of the one that is taken.
  Path second() const {
    Path best;
    for (const Explanation::Step& step : out_.taken.steps) {
      Path other = cheapest({&closed_, graph_.find(step.from), graph_.find(step.to)});
      if (!other.hubs.empty() && (best.hubs.empty() || other.cost_us < best.cost_us))
        best = std::move(other);
    }
    return best;
  }

  void say_no_path() {
    const Path open = cheapest({});
    if (open.hubs.empty())
      say("There is no path: no chain of links that both ends advertise leads from " + follower_ +
          " to " + home_ + ".");
    else
      say("There is no path that is permitted: " + joined(open.hubs) + " (" +
          ms(static_cast<double>(open.cost_us)) + ") leads there, but " + forbidden(open) + ".");
  }

  std::string forbidden(const Path& path) const {
    for (std::size_t i = 1; i + 1 < path.hubs.size(); ++i) {
      const HubIndex hub = graph_.find(path.hubs[i]);
      if (closed_[hub])
        return "traffic of " + home_ + " for " + follower_ + " may not pass through hub " +
               path.hubs[i] + " in region " + graph_.hub(hub).region;
    }
    return "it is permitted";
  }

  void say_taken() {
    const bool cheapest =
        out_.next_best.hubs.empty() || out_.taken.cost_us <= out_.next_best.cost_us;
    say("Taken: " + joined(out_.taken.hubs) +
        (cheapest ? ", the cheapest permitted path." : ", which is not the cheapest."));
    if (out_.next_best.hubs.empty()) say("There is no other permitted path.");
  }

  void say_residency() {
    const Path open = cheapest({});
    if (open.cost_us < out_.taken.cost_us && forbidden(open) != "it is permitted")
      say("Not taken: " + joined(open.hubs) + " (" + ms(static_cast<double>(open.cost_us)) +
          ") is faster, but " + forbidden(open) + ".");
  }

  void say_drained() {
    const Path open = cheapest({.closed = &closed_, .drained_is_free = true});
    Cost cost = 0, taken = 0;
    const Explanation::Step* drained = nullptr;
    for (const Explanation::Step& step : open.steps) {
      cost += step.cost_us;
      if (step.drained && drained == nullptr) drained = &step;
    }
    bool itself = false;
    for (const Explanation::Step& step : out_.taken.steps) {
      taken += step.cost_us;
      itself |= step.drained;
    }
    if (itself) say("It goes over a drained link, because nothing else leads there.");
    if (drained != nullptr && cost < taken)
      say("Not taken: " + joined(open.hubs) + " (" + ms(static_cast<double>(cost)) +
          ") is faster, but the link " + drained->from + " - " + drained->to + " is drained.");
  }

  void say_hysteresis(const Path& best, const RouteTable::Active& active) {
    say("Not yet taken: " + joined(best.hubs) + " (" + ms(static_cast<double>(best.cost_us)) +
        ") is cheaper, but a path is changed only for one that is cheaper by " +
        std::to_string(limits::kRouteMarginPercent) + " % and " + ms(limits::kRttNoise) +
        ", now and smoothed over " + std::to_string(limits::kRouteSmoothing / kSecond) +
        " s (smoothed: taken " + ms(active.smoothed_us) + ", cheapest " +
        ms(active.smoothed_best_us) + ").");
  }

  const LinkState& state_;
  Graph graph_;
  const Residency* residency_;
  const std::string& follower_;
  const std::string& home_;
  HubIndex from_, to_;
  std::vector<bool> closed_;
  Explanation out_;
};

}  // namespace

Explanation explain(const LinkState& state, const Residency* residency, const RouteTable* table,
                    const std::string& follower, const std::string& home) {
  return Explainer(state, residency, follower, home).run(table);
}

}  // namespace oltp20::hub::routing
