// What is done to the network of world_map.h, and what is measured meanwhile.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/scale/network.h"
#include "tests/sim/scale/world_map.h"

namespace oltp20::sim {

// One event, until all maps are equal and true again.
struct Phase {
  std::string name;
  Micros converged_us = -1;  // -1: not within the time that was given
  Micros rerouted_us = -1;   // until no observed path went over anything dead
  Traffic traffic;           // until two seconds later
  std::size_t changes = 0;   // of observed paths
};

struct Stretch {
  double mean = 1, p50 = 1, p99 = 1, most = 1;  // of what a path takes, by the least possible
};

struct NoiseMinute {
  Stretch stretch;
  std::size_t changes = 0;
  std::uint64_t advertisements = 0;  // made, not passed on
};

struct Results {
  WorldSize size;
  std::size_t paths = 0;  // observed
  std::vector<Phase> phases;
  Traffic quiet;  // in one minute without any event
  Stretch quiet_stretch;
  std::vector<NoiseMinute> noise;
  Traffic noise_traffic;
  std::size_t congested_links = 0, flapping_links = 0;
  std::size_t loops = 0;  // routes that name a hub twice or too many
  // Of one hub:
  std::uint64_t map_bytes = 0, table_bytes = 0, advertisement_bytes = 0;  // 0: not measured
  double recompute_ms = 0, search_ms = 0;
};

class Experiments {
 public:
  Experiments(const WorldSize& size, std::uint64_t seed);
  // `say` is told what goes on.
  Results run(std::size_t noise_minutes, const std::function<void(const std::string&)>& say);

  // Of one hub, with its own copy of everything; on the real clock.
  void measure_costs(Results* results);

 private:
  void measure(const std::string& name, const std::function<void()>& event);
  std::string advertisement_of(std::size_t hub);
  void run_events();
  void run_noise(std::size_t minutes);
  bool are_routes_alive();
  std::size_t changes();
  std::uint64_t advertised();
  Stretch stretch();
  std::vector<double> least_costs(std::size_t from);

  Network net_;
  Dice dice_;
  Results results_;
  std::function<void(const std::string&)> say_;
};

}  // namespace oltp20::sim
