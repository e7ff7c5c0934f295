// The benchmarks. Each measures its systems in turn, round after round, and adds to the report.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/path.h"
#include "tests/bench/report.h"

namespace oltp20::bench {

// How much is measured.
struct Scale {
  int rounds = 3;
  std::int64_t single_row = 200'000;  // transactions of a backlog
  std::int64_t ten_row = 20'000;
  double drive_s = 5;
  double slow_rate_s = 5;  // how long 100 transactions a second are sent
  double fast_rate_s = 3;  // and 1,000
  int lone_messages = 6;
  double idle_s = 1.5;  // in front of each of them
  int commit_rounds = 5;
  double commit_s = 3;
  std::int64_t hub_transactions = 200'000;

  static Scale quick();
  static Scale tiny();  // for the test that all of this works
};

using Progress = std::function<void(const std::string&)>;

// The three ways from database to database; made when first asked for, since that takes seconds.
class Paths {
 public:
  std::vector<Path*> all();

 private:
  std::vector<std::unique_ptr<Path>> paths_;
};

extern const char* const kNativeDefault;
extern const char* const kNativeOn;
extern const char* const kOurs;

void bench_drain(const Scale& scale, Paths& paths, Report& report, const Progress& progress);
void bench_driven(const Scale& scale, Paths& paths, Report& report, const Progress& progress);
void bench_latency(const Scale& scale, Paths& paths, Report& report, const Progress& progress);
void bench_commits(const Scale& scale, Report& report, const Progress& progress);
void bench_hub(const Scale& scale, Report& report, const Progress& progress);

}  // namespace oltp20::bench
