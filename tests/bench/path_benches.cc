// From database to database: draining a backlog, keeping up with 8 clients, and latency.
#include <stdexcept>

#include "tests/bench/benches.h"
#include "tests/bench/load.h"
#include "tests/support/process.h"

namespace oltp20::bench {
namespace {

constexpr int kClients = 8;
constexpr double kDrainSeconds = 300, kArrivalSeconds = 60;
constexpr double kProbeEvery_s = 0.1;
constexpr double kSettle_s = 0.3;

void add_cpu(Report& report, const std::string& bench, const std::string& test, const Path& path,
             const CpuTimes& before, std::int64_t transactions) {
  for (const auto& [process, seconds] : cpu_since(before, path.cpu()))
    report.add_cpu(bench, test, path.name(), process,
                   seconds * 1e6 / static_cast<double>(transactions));
}

void drain(Path& path, std::int64_t transactions, int rows, const std::string& test,
           Report& report) {
  path.prepare();
  path.pause();
  const std::int64_t before = path.rows_arrived();
  make_backlog(path.source(), transactions, rows);
  ProbeWatcher watcher(path.destination());
  ProbeSender last(path.source());
  last.send();
  test::sleep_s(kSettle_s);
  const CpuTimes cpu = path.cpu();
  const std::int64_t start_ns = now_ns();
  path.resume();
  watcher.wait_for(1, kDrainSeconds);
  const double seconds = static_cast<double>(watcher.last_arrival_ns() - start_ns) / 1e9;
  const std::int64_t arrived = path.rows_arrived() - before, sent = transactions * rows + 1;
  if (arrived != sent)
    throw std::runtime_error(path.name() + ": " + std::to_string(arrived) + " of " +
                             std::to_string(sent) + " rows arrived");
  test::sleep_s(kSettle_s);
  add_cpu(report, "drain", test, path, cpu, transactions);
  report.add({"drain", test, path.name(), "tx/s"}, static_cast<double>(transactions) / seconds);
}

void keep_up(Path& path, const Scale& scale, const std::string& test, Report& report) {
  path.prepare();
  ProbeWatcher watcher(path.destination());
  ProbeSender probes(path.source());
  probes.send();
  watcher.wait_for(1, kArrivalSeconds);
  watcher.take_latencies_us();
  const CpuTimes cpu = path.cpu();
  std::atomic<bool> driving{true};
  std::thread prober([&] {
    for (; driving; test::sleep_s(kProbeEvery_s)) probes.send();
  });
  const Driven driven = drive(path.source(), kClients, 1, scale.drive_s);
  const std::int64_t end_ns = now_ns();
  driving = false;
  prober.join();
  probes.send();
  watcher.wait_for(probes.sent(), kArrivalSeconds);
  const double behind_s = static_cast<double>(watcher.last_arrival_ns() - end_ns) / 1e9;
  const std::vector<double> lags_us = watcher.take_latencies_us();
  add_cpu(report, "driven", test, path, cpu, driven.transactions);
  const auto of = [&](const char* metric) { return Subject{"driven", test, path.name(), metric}; };
  report.add(of("committed tx/s"), static_cast<double>(driven.transactions) / driven.seconds);
  report.add(of("applied tx/s"),
             static_cast<double>(driven.transactions) / (driven.seconds + behind_s));
  report.add(of("lag p50, ms"), percentile(lags_us, 0.5) / 1000, false);
  report.add(of("lag most, ms"), percentile(lags_us, 1) / 1000, false);
}

void add_latency(Report& report, const std::string& test, const Path& path,
                 const std::vector<double>& us) {
  report.add({"latency", test, path.name(), "p50, µs"}, percentile(us, 0.5), false);
  report.add({"latency", test, path.name(), "p99, µs"}, percentile(us, 0.99), false);
}

void steady(Path& path, double per_second, double seconds, const std::string& test,
            Report& report) {
  path.prepare();
  ProbeWatcher watcher(path.destination());
  ProbeSender probes(path.source());
  for (int warm = 0; warm < 20; ++warm) probes.send();
  watcher.wait_for(probes.sent(), kArrivalSeconds);
  watcher.take_latencies_us();
  const CpuTimes cpu = path.cpu();
  const auto count = static_cast<std::int64_t>(per_second * seconds);
  const double start = test::now_s();
  for (std::int64_t i = 0; i < count; ++i) {
    const double due = start + static_cast<double>(i) / per_second;
    if (const double wait = due - test::now_s(); wait > 0) test::sleep_s(wait);
    probes.send();
  }
  watcher.wait_for(probes.sent(), kArrivalSeconds);
  add_cpu(report, "latency", test, path, cpu, count);
  add_latency(report, test, path, watcher.take_latencies_us());
}

void after_idleness(Path& path, const Scale& scale, const std::string& test, Report& report) {
  path.prepare();
  ProbeWatcher watcher(path.destination());
  ProbeSender probes(path.source());
  probes.send();
  watcher.wait_for(1, kArrivalSeconds);
  watcher.take_latencies_us();
  for (int i = 0; i < scale.lone_messages; ++i) {
    test::sleep_s(scale.idle_s);
    probes.send();
    watcher.wait_for(probes.sent(), kArrivalSeconds);
  }
  add_latency(report, test, path, watcher.take_latencies_us());
}

std::string round_of(int round, int rounds, const std::string& what) {
  return "round " + std::to_string(round + 1) + " of " + std::to_string(rounds) + ": " + what;
}

std::string count_of(std::int64_t transactions, const char* rows) {
  return number_text(static_cast<double>(transactions)) + " tx of " + rows;
}

}  // namespace

const char* const kNativeDefault = "native default";
const char* const kNativeOn = "native on";
const char* const kOurs = "OLTP 2.0";

std::vector<Path*> Paths::all() {
  if (paths_.empty()) {
    std::shared_ptr<Servers> servers = NativePath::make_servers();
    paths_.push_back(std::make_unique<NativePath>(kNativeDefault, servers, "off"));
    paths_.push_back(std::make_unique<NativePath>(kNativeOn, servers, "on"));
    paths_.push_back(std::make_unique<OurPath>(kOurs));
  }
  std::vector<Path*> out;
  for (const auto& path : paths_) out.push_back(path.get());
  return out;
}

void bench_drain(const Scale& scale, Paths& paths, Report& report, const Progress& progress) {
  const std::string one = count_of(scale.single_row, "1 row"),
                    ten = count_of(scale.ten_row, "10 rows");
  report.set_reference("drain", kNativeDefault);
  for (int round = 0; round < scale.rounds; ++round)
    for (Path* path : paths.all()) {
      progress(round_of(round, scale.rounds, "drain, " + path->name()));
      drain(*path, scale.single_row, 1, one, report);
      drain(*path, scale.ten_row, 10, ten, report);
    }
  for (const std::string& test : {one, ten}) {
    const Subject ours{"drain", test, kOurs, "tx/s"};
    report.add_target({"drain of " + test + " against native default",
                       ours,
                       {"drain", test, kNativeDefault, "tx/s"},
                       0.3});
    report.add_target(
        {"drain of " + test + " against native on", ours, {"drain", test, kNativeOn, "tx/s"}, 2});
  }
}

void bench_driven(const Scale& scale, Paths& paths, Report& report, const Progress& progress) {
  const std::string test = std::to_string(kClients) + " clients, 1 row";
  report.set_reference("driven", kNativeDefault);
  for (int round = 0; round < scale.rounds; ++round)
    for (Path* path : paths.all()) {
      progress(round_of(round, scale.rounds, "driven by 8 clients, " + path->name()));
      keep_up(*path, scale, test, report);
    }
}

void bench_latency(const Scale& scale, Paths& paths, Report& report, const Progress& progress) {
  report.set_reference("latency", kNativeDefault);
  const std::string slow = "100 tx/s";
  for (int round = 0; round < scale.rounds; ++round)
    for (Path* path : paths.all()) {
      progress(round_of(round, scale.rounds, "latency, " + path->name()));
      steady(*path, 100, scale.slow_rate_s, slow, report);
      steady(*path, 1000, scale.fast_rate_s, "1,000 tx/s", report);
      after_idleness(*path, scale, "after " + number_text(scale.idle_s) + " s of idleness", report);
    }
  report.add_target({"latency p50 at 100 tx/s against native default",
                     {"latency", slow, kOurs, "p50, µs"},
                     {"latency", slow, kNativeDefault, "p50, µs"},
                     4,
                     false});
}

}  // namespace oltp20::bench
