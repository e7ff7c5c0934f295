// Report: what a run of the benchmarks found, as figures with their spread, ratios and targets; as
// JSON, as a Markdown table, and as a plot (plot.h).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace oltp20::bench {

// What a figure is about: "drain", "200,000 x 1 row", "native default", "tx/s".
struct Subject {
  std::string bench, test, system, metric;
  bool operator==(const Subject&) const = default;
};

struct Figure {
  Subject subject;
  bool more_is_better = true;
  std::vector<double> runs;  // one value a round
  double median() const;
  double least() const;
  double most() const;
};

// `ratio` of two medians compared with a bound.
struct Target {
  std::string what;
  Subject ours, peer;
  double bound = 0;
  bool at_least = true;
};

class Report {
 public:
  void add(const Subject& subject, double value, bool more_is_better = true);
  // CPU of one process per transaction; kept apart, in a table of its own.
  void add_cpu(const std::string& bench, const std::string& test, const std::string& system,
               const std::string& process, double us_per_transaction);
  // The system whose figures are 1.00x in this benchmark.
  void set_reference(const std::string& bench, const std::string& system);
  // How something was measured, or why it was not.
  void note(const std::string& text);
  // Counts only when both figures were measured.
  void add_target(Target target);

  const std::vector<Figure>& figures() const { return figures_; }
  const Figure* find(const Subject& subject) const;
  std::string markdown() const;
  nlohmann::json json() const;

 private:
  const Figure* reference_of(const Figure& figure) const;
  std::string cpu_table() const;
  std::string target_table() const;
  void each_target(const auto& visit) const;

  std::vector<Figure> figures_, cpu_;
  std::vector<std::pair<std::string, std::string>> references_;
  std::vector<Target> targets_;
  std::vector<std::string> notes_;
};

// Three significant digits, thousands separated.
std::string number_text(double value);

}  // namespace oltp20::bench
