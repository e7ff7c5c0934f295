// Scenario: a history as text. What the application, the operators and misfortune do, and when;
// what hubs and agents make of it follows from the cores and the seed. README.md lists the steps.
#pragma once

#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "tests/sim/checks.h"

namespace oltp20::sim {

struct Step {
  std::int64_t at_ms = 0;
  std::vector<std::string> words;  // the verb first
  std::string text() const;
};

struct Scenario {
  std::string header;  // prose, why it is kept
  std::uint64_t seed = 1;
  std::vector<std::string> hubs = {"hub"};
  std::vector<std::string> spokes;
  std::vector<Step> steps;
  std::string switched;       // a switch by name; empty: none
  std::string expect = "ok";  // or the name of the check that goes red
  std::string text() const;
};

Result<Scenario> parse_scenario(const std::string& text);

// From a seed alone: at least 200 transactions and a crash. With more than one hub: two of them at
// least, and origins that move between them.
Scenario generate(std::uint64_t seed, std::size_t hubs = 1);

struct Outcome {
  std::optional<Breach> breach;
  std::size_t committed = 0, crashes = 0;
  std::uint64_t events = 0;
  Micros virtual_us = 0;
  Checks::Counts counts;
};

// Prints what agents and hubs say while runs go on.
inline bool trace_runs = false;

// Runs it in this thread. A CHECK of the product that fails is a breach named "check".
Outcome run(const Scenario& scenario);

// Drops steps as long as the same check goes red.
Scenario shrink(const Scenario& scenario, const std::string& check);

}  // namespace oltp20::sim
