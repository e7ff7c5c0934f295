// The simulator as a program: runs seeds or scenario files, shrinks what fails.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include "tests/sim/scenario.h"
#include "tests/sim/switches.h"

namespace oltp20::sim {
namespace {

constexpr const char* kUsage =
    "Usage: oltp20-sim [--seeds A..B] [--hubs N] [--switch NAME] [--shrink] [--print] [--stop] "
    "[--trace] "
    "[FILE…]\n"
    "\n"
    "  --seeds A..B   runs these seeds (default 1..1000)\n"
    "  --hubs N       histories of 2 to N hubs, between which origins move\n"
    "  --switch NAME  with one rule broken; --switches lists them\n"
    "  --every-switch N  runs each switch until a check goes red, N seeds at most\n"
    "  --table FILE      with it: FILE has a row for each switch\n"
    "  --shrink       the first failure is shrunk and printed as a scenario\n"
    "  --print        prints the scenario of each seed instead of running it\n"
    "  --trace        prints what agents and hubs say\n"
    "  --stop         stops at the first failure\n"
    "  FILE           runs a scenario and compares its outcome with what it expects\n";

struct Options {
  std::uint64_t from = 1, to = 1000;
  std::size_t hubs = 1;
  std::string switched;
  std::uint64_t within = 0;  // seeds a switch
  std::string table;
  bool shrink = false, print = false, stop = false;
  std::vector<std::string> files;
};

struct Totals {
  std::uint64_t runs = 0, failures = 0, transactions = 0, crashes = 0, events = 0;
  Checks::Counts counts;
  void add(const Outcome& outcome) {
    ++runs;
    failures += outcome.breach.has_value();
    transactions += outcome.committed;
    crashes += outcome.crashes;
    events += outcome.events;
    counts.gaps += outcome.counts.gaps;
    counts.refused += outcome.counts.refused;
    counts.dead_letters += outcome.counts.dead_letters;
    counts.epochs += outcome.counts.epochs;
    counts.delivered += outcome.counts.delivered;
    counts.excused += outcome.counts.excused;
    counts.followed += outcome.counts.followed;
    counts.holes += outcome.counts.holes;
  }
};

int run_seeds(const Options& options) {
  Totals totals;
  auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t seed = options.from; seed <= options.to; ++seed) {
    Scenario scenario = generate(seed, options.hubs);
    scenario.switched = options.switched;
    if (options.print) {
      std::cout << scenario.text();
      continue;
    }
    Outcome outcome = run(scenario);
    if (!outcome.breach && (outcome.committed < 200 || outcome.crashes == 0))
      outcome.breach = Breach{"size", "fewer than 200 transactions, or no crash", 0};
    totals.add(outcome);
    if (!outcome.breach) continue;
    std::printf("seed %llu: %s at %.3f s: %s\n", static_cast<unsigned long long>(seed),
                outcome.breach->check.c_str(), static_cast<double>(outcome.breach->at) / kSecond,
                outcome.breach->text.c_str());
    std::fflush(stdout);
    if (options.shrink) {
      Scenario small = shrink(scenario, outcome.breach->check);
      small.header = "# Seed " + std::to_string(seed) + ", shrunk.\n";
      small.expect = outcome.breach->check;
      std::cout << small.text() << std::flush;
    }
    if (options.shrink || options.stop) break;
  }
  if (options.print) return 0;
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf(
      "%llu seeds, %llu failed; %llu transactions, %llu crashes, %llu events; %llu rows delivered, "
      "%llu refusals, %llu dead letters, %llu epochs, %llu gaps, %llu rows given up; "
      "%.1f s, %.2f ms a seed\n",
      static_cast<unsigned long long>(totals.runs),
      static_cast<unsigned long long>(totals.failures),
      static_cast<unsigned long long>(totals.transactions),
      static_cast<unsigned long long>(totals.crashes),
      static_cast<unsigned long long>(totals.events),
      static_cast<unsigned long long>(totals.counts.delivered),
      static_cast<unsigned long long>(totals.counts.refused),
      static_cast<unsigned long long>(totals.counts.dead_letters),
      static_cast<unsigned long long>(totals.counts.epochs),
      static_cast<unsigned long long>(totals.counts.gaps),
      static_cast<unsigned long long>(totals.counts.excused), seconds,
      totals.runs == 0 ? 0 : seconds * 1000 / static_cast<double>(totals.runs));
  if (options.hubs > 1)
    std::printf("%llu transactions followed, %llu holes explained\n",
                static_cast<unsigned long long>(totals.counts.followed),
                static_cast<unsigned long long>(totals.counts.holes));
  return totals.failures == 0 ? 0 : 1;
}

constexpr std::string_view kSeveralHubs = "(hubs)";  // of a switch that only several can show
constexpr std::size_t kMostHubs = 3;

// Which check each switch turns red, and how many seeds it takes. Fails when one stays green of
// which the table does not say so, or when a table is given that does not hold the switch.
int run_switches(std::uint64_t within, const std::string& table) {
  int result = 0;
  std::ifstream in(table);
  std::stringstream said;
  said << in.rdbuf();
  for (const SwitchInfo& info : kSwitches) {
    if (info.number == Switch::none) continue;
    std::string red;
    std::size_t hubs = info.rule.ends_with(kSeveralHubs) ? kMostHubs : 1;
    std::uint64_t seed = 1;
    for (; seed <= within && red.empty(); ++seed) {
      Scenario scenario = generate(seed, hubs);
      scenario.switched = info.name;
      if (Outcome outcome = run(scenario); outcome.breach) red = outcome.breach->check;
    }
    std::string row = "| " + std::string(info.name) + " | " + std::string(info.rule) + " | " +
                      std::string(info.what) + " | ";
    std::printf("%s%s | %llu |\n", row.c_str(), red.empty() ? "green" : red.c_str(),
                static_cast<unsigned long long>(seed - 1));
    std::fflush(stdout);
    bool told = table.empty() || said.str().find(row) != std::string::npos;
    bool known_green = said.str().find(row + "green") != std::string::npos;
    if (!told) std::printf("  %s has no such row\n", table.c_str());
    if (red.empty() != known_green || !told) result = 1;
  }
  return result;
}

int run_file(const std::string& path, const Options& options) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  Result<Scenario> scenario = parse_scenario(text.str());
  if (!in || !scenario) {
    std::fprintf(stderr, "%s: %s\n", path.c_str(),
                 in ? scenario.status().message().c_str() : "cannot be read");
    return 2;
  }
  if (!options.switched.empty()) scenario->switched = options.switched;
  Outcome outcome = run(*scenario);
  std::string result = outcome.breach ? outcome.breach->check : "ok";
  std::printf("%s: %s%s%s\n", path.c_str(), result.c_str(), outcome.breach ? ": " : "",
              outcome.breach ? outcome.breach->text.c_str() : "");
  if (options.shrink && outcome.breach) std::cout << shrink(*scenario, result).text();
  return result == scenario->expect ? 0 : 1;
}

int usage(const std::string& why) {
  std::fprintf(stderr, "%s%s%s", why.c_str(), why.empty() ? "" : "\n", kUsage);
  return 2;
}

int parse(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    auto value = [&] { return i + 1 < argc ? std::string(argv[++i]) : std::string(); };
    if (word == "--seeds") {
      std::string range = value();
      std::size_t dots = range.find("..");
      if (range.empty() || range.find_first_not_of("0123456789.") != std::string::npos)
        return usage("--seeds needs A..B");
      options->from = std::stoull(range);
      options->to = dots == std::string::npos ? options->from : std::stoull(range.substr(dots + 2));
    } else if (word == "--hubs") {
      options->hubs = std::stoull("0" + value());
    } else if (word == "--switch") {
      options->switched = value();
      if (!switch_of(options->switched)) return usage("there is no switch " + options->switched);
    } else if (word == "--switches") {
      for (const SwitchInfo& info : kSwitches)
        if (info.number != Switch::none)
          std::cout << info.name << "\trule " << info.rule << "\t" << info.what << "\n";
      return -1;
    } else if (word == "--shrink") {
      options->shrink = true;
    } else if (word == "--print") {
      options->print = true;
    } else if (word == "--every-switch") {
      options->within = std::stoull("0" + value());
    } else if (word == "--table") {
      options->table = value();
    } else if (word == "--trace") {
      trace_runs = true;
    } else if (word == "--stop") {
      options->stop = true;
    } else if (word == "--help" || word == "-h") {
      std::cout << kUsage;
      return -1;
    } else if (word.starts_with("-")) {
      return usage("unknown option: " + word);
    } else {
      options->files.push_back(word);
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (int code = parse(argc, argv, &options); code != 0) return code < 0 ? 0 : code;
  if (options.within != 0) return run_switches(options.within, options.table);
  if (options.files.empty()) return run_seeds(options);
  int worst = 0;
  for (const std::string& file : options.files) worst = std::max(worst, run_file(file, options));
  return worst;
}

}  // namespace oltp20::sim

int main(int argc, char** argv) {
  return oltp20::sim::main(argc, argv);
}
