// oltp20-scale: the routing core of a thousand hubs on a map of the world; see README.md.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

#include "tests/sim/scale/report.h"

namespace oltp20::sim {
namespace {

constexpr char kUsage[] =
    R"(Usage: oltp20-scale [--hubs N] [--links N] [--spokes N] [--observed N] [--minutes N] [--seed N]
                    [--svg FILE] | --costs

Simulates the network of hubs in virtual time and prints what it measured, as Markdown.

  --hubs N --links N --spokes N   the size: 1000, 4000, 100000
  --observed N    hubs whose paths are computed and watched: 8 (all take part in everything else)
  --minutes N     of noise: 10
  --seed N        one seed is one history: 1
  --svg FILE      also draws it
  --costs         simulates nothing: only what map and paths cost one hub, last of the options

Exit codes: 0 done; 1 something did not converge, looped or was above its bound; 2 wrong usage.
)";

int run(const WorldSize& size, std::size_t minutes, std::uint64_t seed, const std::string& svg) {
  Experiments experiments(size, seed);
  Results results = experiments.run(
      minutes, [](const std::string& what) { std::cerr << "- " << what << std::endl; });
  experiments.measure_costs(&results);
  std::cout << markdown_of(results);
  if (!svg.empty()) std::ofstream(svg) << svg_of(results);
  bool good = results.loops == 0 && results.recompute_ms < 20 &&
              results.map_bytes + results.table_bytes < (64 << 20);
  for (const Phase& phase : results.phases) good &= phase.converged_us >= 0;
  if (!good) std::cerr << "something did not converge, looped or was above its bound\n";
  return good ? 0 : 1;
}

int main(int argc, char** argv) {
  WorldSize size;
  std::size_t minutes = 10;
  std::uint64_t seed = 1;
  std::string svg;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--help" || option == "-h") {
      std::cout << kUsage;
      return 0;
    }
    if (option == "--costs") {
      Results costs;
      Experiments(size, seed).measure_costs(&costs);
      std::cout << costs_of(costs);
      return costs.recompute_ms < 20 && costs.map_bytes + costs.table_bytes < (64 << 20) ? 0 : 1;
    }
    if (i + 1 == argc) {
      std::cerr << kUsage << option << " is unknown or needs a value\n";
      return 2;
    }
    const std::string value = argv[++i];
    if (option == "--svg") {
      svg = value;
      continue;
    }
    char* end = nullptr;
    const std::uint64_t number = std::strtoull(value.c_str(), &end, 10);
    if (value.empty() || *end != '\0' || number == 0 || number > 1'000'000) {
      std::cerr << kUsage << option << " needs a number from 1 to 1000000\n";
      return 2;
    }
    if (option == "--hubs" && number >= 16 && number < 4096) {
      size.hubs = number;
    } else if (option == "--links") {
      size.links = number;
    } else if (option == "--spokes") {
      size.spokes = number;
    } else if (option == "--observed") {
      size.observed = number;
    } else if (option == "--minutes") {
      minutes = number;
    } else if (option == "--seed") {
      seed = number;
    } else {
      std::cerr << kUsage << option << " " << value << " is not possible (hubs: 16 to 4095)\n";
      return 2;
    }
  }
  if (size.links < size.hubs || size.links > size.hubs * 6) {
    std::cerr << kUsage << "links must be between as many and 6 times as many as hubs\n";
    return 2;
  }
  return run(size, minutes, seed, svg);
}

}  // namespace
}  // namespace oltp20::sim

int main(int argc, char** argv) {
  return oltp20::sim::main(argc, argv);
}
