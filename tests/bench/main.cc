// oltp20-bench: measures, prints one table, and writes JSON and a plot. ops/bench runs it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "tests/bench/benches.h"
#include "tests/bench/plot.h"
#include "tests/support/process.h"

namespace oltp20::bench {
namespace {

const std::vector<std::string> kNames = {"drain", "driven", "latency", "commits", "hub"};

const char* const kSettings =
    "PostgreSQL 15 on both sides, fsync = on, synchronous_commit = on, wal_level = logical, "
    "shared_buffers = 512MB, max_wal_size = 8GB; payload 240 bytes of text; everything on loopback "
    "or unix sockets of one machine. \"native default\" is logical replication with the "
    "subscription's default, synchronous_commit = off; \"native on\" has it on. OLTP 2.0: order "
    "exact, one hub, journal fsynced, mutual TLS 1.3, and at the destination synchronous_commit = "
    "off as well";

struct Arguments {
  std::string scale = "full", json, plot;
  std::vector<std::string> only;
};

Scale scale_of(const std::string& name) {
  return name == "quick" ? Scale::quick() : name == "tiny" ? Scale::tiny() : Scale();
}

int run(const Arguments& arguments) {
  const Scale scale = scale_of(arguments.scale);
  const double start = test::now_s();
  const Progress progress = [&](const std::string& text) {
    std::fprintf(stderr, "%5.0f s  %s\n", test::now_s() - start, text.c_str());
  };
  const auto wanted = [&](const std::string& name) {
    return arguments.only.empty() || std::count(arguments.only.begin(), arguments.only.end(), name);
  };
  Report report;
  report.note(kSettings);
  Paths paths;
  if (wanted("drain")) bench_drain(scale, paths, report, progress);
  if (wanted("driven")) bench_driven(scale, paths, report, progress);
  if (wanted("latency")) bench_latency(scale, paths, report, progress);
  if (wanted("commits")) bench_commits(scale, report, progress);
  if (wanted("hub")) bench_hub(scale, report, progress);
  std::cout << report.markdown();
  if (!arguments.json.empty()) test::write_file(arguments.json, report.json().dump(2) + "\n");
  if (!arguments.plot.empty()) test::write_file(arguments.plot, plot_svg(report));
  progress("done");
  return 0;
}

}  // namespace

Scale Scale::quick() {
  Scale scale;
  scale.rounds = 1;
  scale.single_row = 40'000;
  scale.ten_row = 4'000;
  scale.drive_s = 3;
  scale.slow_rate_s = 3;
  scale.fast_rate_s = 2;
  scale.lone_messages = 3;
  scale.commit_rounds = 1;
  scale.commit_s = 2;
  scale.hub_transactions = 50'000;
  return scale;
}

Scale Scale::tiny() {
  Scale scale;
  scale.rounds = scale.commit_rounds = 1;
  scale.single_row = 200;
  scale.ten_row = 20;
  scale.drive_s = 0.2;
  scale.slow_rate_s = 0.2;
  scale.fast_rate_s = 0.1;
  scale.lone_messages = 1;
  scale.idle_s = 0.2;
  scale.commit_s = 0.1;
  scale.hub_transactions = 500;
  return scale;
}

}  // namespace oltp20::bench

int main(int argc, char** argv) {
  oltp20::bench::Arguments arguments;
  CLI::App app("Measures OLTP 2.0 beside its peers; ops/bench builds and runs it");
  app.add_option("--scale", arguments.scale, "full, quick (one round), or tiny (does it work)")
      ->check(CLI::IsMember({"full", "quick", "tiny"}));
  app.add_option("--only", arguments.only, "these benchmarks alone")
      ->check(CLI::IsMember(oltp20::bench::kNames))
      ->delimiter(',');
  app.add_option("--json", arguments.json, "file for all figures");
  app.add_option("--plot", arguments.plot, "SVG file");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    return oltp20::bench::run(arguments);
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return 1;
  }
}
