#include "tests/sim/scale/experiments.h"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>
#include <queue>
#include <set>

#include "common/base/limits.h"
#include "hub/routing/interest.h"

namespace oltp20::sim {

using namespace hub::routing;  // NOLINT: this file is about nothing else

namespace {

constexpr Micros kLook = 50 * kMillisecond, kGiveUp = 180 * kSecond, kSettle = 70 * kSecond;

double true_cost(const Network::Link& link) {
  return std::max(static_cast<double>(link.now_us()), static_cast<double>(limits::kRttNoise));
}

double milliseconds_of(const std::function<void()>& what) {
  const auto began = std::chrono::steady_clock::now();
  what();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began)
      .count();
}

std::uint64_t bytes_in_use() {
  return mallinfo2().uordblks + mallinfo2().hblkhd;
}

}  // namespace

Experiments::Experiments(const WorldSize& size, std::uint64_t seed)
    : net_(seed), dice_(seed, "experiments") {
  results_.size = size;
  Dice world(seed, "world");
  build_world(size, &world, &net_);
}

Results Experiments::run(std::size_t noise_minutes,
                         const std::function<void(const std::string&)>& say) {
  say_ = say;
  measure("all start at once", [&] {
    for (std::size_t i = 0; i < net_.hubs(); ++i) net_.start(i);
  });
  for (std::size_t i = 0; i < net_.hubs(); ++i)
    if (net_.hub(i).table) results_.paths += net_.hub(i).table->active().size();
  say_("a quiet minute");
  const Traffic before = net_.traffic();
  net_.run_for(60 * kSecond);
  results_.quiet = net_.traffic() - before;
  results_.quiet_stretch = stretch();
  run_events();
  run_noise(noise_minutes);
  for (std::size_t i = 0; i < net_.hubs(); ++i)
    for (const auto& [when, change] : net_.hub(i).changes) {
      const std::set<std::string> distinct(change.to.begin(), change.to.end());
      results_.loops +=
          distinct.size() != change.to.size() || change.to.size() > limits::kRouteHubs;
    }
  return results_;
}

void Experiments::run_events() {
  std::size_t busy = 0;  // the hub with the most links that is not observed
  for (std::size_t i = 0; i < net_.hubs(); ++i)
    if (!net_.hub(i).table &&
        (net_.hub(busy).table || net_.hub(i).links.size() > net_.hub(busy).links.size()))
      busy = i;
  const std::size_t link = net_.hub(busy).links.front();
  const auto cut = [&](const std::vector<std::size_t>& links) {
    for (std::size_t l : links) net_.cut(l);
  };
  const auto heal = [&](const std::vector<std::size_t>& links) {
    for (std::size_t l : links) net_.heal(l);
  };
  const auto cable = links_of_a_cable(20, &net_), ocean = links_to_americas(&net_);

  measure("a hub joins, knowing 4", [&] { net_.start(add_hub_near(busy, 4, &dice_, &net_)); });
  measure("one link is cut", [&] { net_.cut(link); });
  measure("it heals", [&] { net_.heal(link); });
  measure("a hub with " + std::to_string(net_.hub(busy).links.size()) + " links crashes",
          [&] { net_.crash(busy); });
  measure("it comes back, wiped", [&] { net_.start(busy); });
  measure("a cable with " + std::to_string(cable.size()) + " links is cut", [&] { cut(cable); });
  measure("it heals", [&] { heal(cable); });
  measure("all " + std::to_string(ocean.size()) + " links of the Americas are cut",
          [&] { cut(ocean); });
  measure("they heal", [&] { heal(ocean); });
}

void Experiments::measure(const std::string& name, const std::function<void()>& event) {
  say_(name);
  Phase phase;
  phase.name = name;
  const Traffic before = net_.traffic();
  const std::size_t changes_before = changes();
  const Micros began = net_.now();
  event();
  while (net_.now() - began < kGiveUp) {
    net_.run_for(kLook);
    if (phase.rerouted_us < 0 && are_routes_alive()) phase.rerouted_us = net_.now() - began;
    if (phase.rerouted_us >= 0 && net_.is_converged()) {
      phase.converged_us = net_.now() - began;
      break;
    }
  }
  net_.run_for(2 * kSecond);
  phase.traffic = net_.traffic() - before;
  net_.run_for(kSettle);
  phase.changes = changes() - changes_before;
  results_.phases.push_back(std::move(phase));
}

// One link in ten is congested in waves of 8 to 20 minutes, up to 2.2 times as slow; one in fifty
// is so at once and for two minutes; some flap, dead for 4 s of 15.
void Experiments::run_noise(std::size_t minutes) {
  say_("noise");
  struct Wave {
    std::size_t link;
    double height, period_s, phase;
  };
  std::vector<Wave> waves;
  std::vector<std::size_t> sudden, flapping;
  for (std::size_t i = 0; i < net_.links(); ++i) {
    if (dice_.chance(10))
      waves.push_back({i, static_cast<double>(dice_.between(30, 120)) / 100,
                       static_cast<double>(dice_.between(480, 1200)),
                       static_cast<double>(dice_.below(1000)) / 1000});
    else if (dice_.chance(2))
      sudden.push_back(i);
    else if (dice_.below(net_.links()) < 5)
      flapping.push_back(i);
  }
  results_.congested_links = waves.size() + sudden.size();
  results_.flapping_links = flapping.size();
  const Traffic before = net_.traffic();
  const Micros began = net_.now();
  for (std::size_t minute = 0; minute < minutes; ++minute) {
    const std::size_t changes_before = changes();
    const std::uint64_t advertised_before = advertised();
    for (int tick = 0; tick < 60; ++tick) {
      const double elapsed_s = static_cast<double>(net_.now() - began) / kSecond;
      for (const Wave& wave : waves)
        net_.link(wave.link).congestion =
            1 +
            wave.height *
                (1 - std::cos(2 * std::numbers::pi * (elapsed_s / wave.period_s + wave.phase))) / 2;
      if (tick == 0)
        for (std::size_t link : sudden)
          net_.link(link).congestion = (link + minute / 2) % 5 == 0 ? 2.0 : 1.0;
      for (std::size_t link : flapping) {
        if (tick % 15 == 0) net_.cut(link);
        if (tick % 15 == 4) net_.heal(link);
      }
      net_.run_for(kSecond);
    }
    results_.noise.push_back(
        {stretch(), changes() - changes_before, advertised() - advertised_before});
    say_("minute " + std::to_string(minute + 1) + " of noise");
  }
  results_.noise_traffic = net_.traffic() - before;
}

bool Experiments::are_routes_alive() {
  for (std::size_t i = 0; i < net_.hubs(); ++i) {
    if (!net_.hub(i).table) continue;
    for (const auto& [home, active] : net_.hub(i).table->active())
      if (!net_.is_route_alive(active.route)) return false;
  }
  return true;
}

std::size_t Experiments::changes() {
  std::size_t out = 0;
  for (std::size_t i = 0; i < net_.hubs(); ++i)
    for (const auto& [when, change] : net_.hub(i).changes)
      out += change.why != RouteChange::Why::first;
  return out;
}

std::uint64_t Experiments::advertised() {
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < net_.hubs(); ++i)
    if (net_.hub(i).router) out += net_.hub(i).router->advertised();
  return out;
}

// Computed from the links themselves; it knows nothing of maps.
std::vector<double> Experiments::least_costs(std::size_t from) {
  std::vector<double> least(net_.hubs(), INFINITY);
  std::priority_queue<std::pair<double, std::size_t>> queue;
  least[from] = 0;
  queue.emplace(0, from);
  while (!queue.empty()) {
    const auto [minus, at] = queue.top();
    queue.pop();
    if (-minus > least[at]) continue;
    for (std::size_t l : net_.hub(at).links) {
      const Network::Link& link = net_.link(l);
      if (!net_.is_up(link)) continue;
      const std::size_t to = link.a == at ? link.b : link.a;
      const double cost = least[at] + true_cost(link);
      if (cost >= least[to]) continue;
      least[to] = cost;
      queue.emplace(-cost, to);
    }
  }
  return least;
}

Stretch Experiments::stretch() {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < net_.hubs(); ++i) {
    if (!net_.hub(i).table) continue;
    const std::vector<double> least = least_costs(i);
    for (const auto& [home, active] : net_.hub(i).table->active()) {
      double cost = 0;
      for (std::size_t h = 1; h < active.route.size(); ++h) {
        const Network::Link* link = net_.between(active.route[h - 1], active.route[h]);
        if (link != nullptr) cost += true_cost(*link);
      }
      const double best = least[net_.find(home)];
      if (best > 0 && std::isfinite(best) && net_.is_route_alive(active.route))
        ratios.push_back(cost / best);
    }
  }
  Stretch out;
  if (ratios.empty()) return out;
  std::sort(ratios.begin(), ratios.end());
  out.mean = 0;
  for (double ratio : ratios) out.mean += ratio / static_cast<double>(ratios.size());
  out.p50 = ratios[ratios.size() / 2];
  out.p99 = ratios[ratios.size() * 99 / 100];
  out.most = ratios.back();
  return out;
}

// As if each hub had told the truth once.
std::string Experiments::advertisement_of(std::size_t index) {
  const Network::Hub& hub = net_.hub(index);
  Advertisement content;
  content.hub = hub.settings.hub;
  content.version = 1;
  content.region = hub.settings.region;
  content.incarnation.bytes[0] = 1;
  content.place = hub.settings.place;
  content.interest = coarsen(hub.interest, limits::kInterestPatterns);
  for (std::size_t l : hub.links) {
    const Network::Link& link = net_.link(l);
    const auto cost = static_cast<std::uint32_t>(true_cost(link));
    content.links.push_back(
        {net_.hub(link.a == index ? link.b : link.a).settings.hub, cost, cost, false});
  }
  std::sort(content.links.begin(), content.links.end(),
            [](const auto& a, const auto& b) { return a.peer < b.peer; });
  const std::string canonical = canonical_bytes(content);
  return signed_bytes(canonical, sign_as(content.hub, canonical));
}

void Experiments::measure_costs(Results* results) {
  results->size = results_.size;
  const std::uint64_t before = bytes_in_use();
  auto own = std::make_unique<LinkState>(
      "onlooker", 0,
      [](std::shared_ptr<const std::string> bytes) {
        return open_advertisement(std::move(bytes), verify_signature);
      },
      [](std::string_view canonical) { return sign_as("onlooker", canonical); });
  Outbox out;
  own->add_peer("all", net_.now(), &out);
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < net_.hubs(); ++i) {
    auto made = std::make_shared<const std::string>(advertisement_of(i));
    bytes += made->size();
    own->receive("all", Advertisements{{std::move(made)}}, net_.now(), &out);
  }
  CHECK(own->map().size() == net_.hubs() && out.refusals.empty());
  results->map_bytes = bytes_in_use() - before;
  results->advertisement_bytes = bytes / net_.hubs();

  RouteTable table(net_.hub(0).settings.hub, nullptr);
  std::vector<RouteChange> changes;
  Micros now = net_.now();
  table.flush(*own, now, &changes);
  changes = {};
  results->table_bytes = bytes_in_use() - before - results->map_bytes;
  std::vector<double> recompute, search;
  for (int i = 0; i < 31; ++i) {
    table.set_residency(nullptr);  // computes anew
    now += limits::kRecompute;
    recompute.push_back(milliseconds_of([&] { table.flush(*own, now, &changes); }));
    const Graph graph(own->map());
    search.push_back(milliseconds_of([&] { (void)find_paths(graph, 0); }));
  }
  std::sort(recompute.begin(), recompute.end());
  std::sort(search.begin(), search.end());
  results->recompute_ms = recompute[recompute.size() / 2];
  results->search_ms = search[search.size() / 2];
}

}  // namespace oltp20::sim
