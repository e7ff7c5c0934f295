#include "tests/bench/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace oltp20::bench {
namespace {

double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

void add_value(std::vector<Figure>* figures, const Subject& subject, double value,
               bool more_is_better) {
  auto at = std::find_if(figures->begin(), figures->end(),
                         [&](const Figure& figure) { return figure.subject == subject; });
  if (at == figures->end()) at = figures->insert(at, Figure{subject, more_is_better, {}});
  at->runs.push_back(value);
}

std::string ratio_text(double ratio) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", ratio);
  return text;
}

nlohmann::json figure_json(const Figure& figure) {
  return {{"bench", figure.subject.bench},   {"case", figure.subject.test},
          {"system", figure.subject.system}, {"metric", figure.subject.metric},
          {"median", figure.median()},       {"least", figure.least()},
          {"most", figure.most()},           {"runs", figure.runs}};
}

}  // namespace

std::string number_text(double value) {
  char text[64];
  if (std::fabs(value) < 100) {
    std::snprintf(text, sizeof text, "%.3g", value);
    return text;
  }
  std::snprintf(text, sizeof text, "%.0f", value);
  std::string out;
  const std::string digits = text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

double Figure::median() const {
  return median_of(runs);
}
double Figure::least() const {
  return runs.empty() ? 0 : *std::min_element(runs.begin(), runs.end());
}
double Figure::most() const {
  return runs.empty() ? 0 : *std::max_element(runs.begin(), runs.end());
}

void Report::add(const Subject& subject, double value, bool more_is_better) {
  add_value(&figures_, subject, value, more_is_better);
}

void Report::add_cpu(const std::string& bench, const std::string& test, const std::string& system,
                     const std::string& process, double us_per_transaction) {
  add_value(&cpu_, {bench, test, system, process}, us_per_transaction, false);
}

void Report::set_reference(const std::string& bench, const std::string& system) {
  references_.emplace_back(bench, system);
}

void Report::note(const std::string& text) {
  if (std::find(notes_.begin(), notes_.end(), text) == notes_.end()) notes_.push_back(text);
}

void Report::add_target(Target target) {
  targets_.push_back(std::move(target));
}

const Figure* Report::find(const Subject& subject) const {
  for (const Figure& figure : figures_)
    if (figure.subject == subject) return &figure;
  return nullptr;
}

const Figure* Report::reference_of(const Figure& figure) const {
  for (const auto& [bench, system] : references_)
    if (bench == figure.subject.bench) {
      Subject subject = figure.subject;
      subject.system = system;
      return find(subject);
    }
  return nullptr;
}

std::string Report::markdown() const {
  std::string out =
      "| benchmark | case | system | metric | median | least to most | to reference |\n"
      "|---|---|---|---|---:|---:|---:|\n";
  for (const Figure& figure : figures_) {
    const Subject& about = figure.subject;
    const Figure* reference = reference_of(figure);
    const bool comparable = reference && reference->median() > 0;
    out += "| " + about.bench + " | " + about.test + " | " + about.system + " | " + about.metric +
           " | " + number_text(figure.median()) + " | " + number_text(figure.least()) + " to " +
           number_text(figure.most()) + " | " +
           (comparable ? ratio_text(figure.median() / reference->median()) + "x" : "") + " |\n";
  }
  out += cpu_table() + target_table();
  for (const std::string& note : notes_) out += "\n- " + note;
  return notes_.empty() ? out : out + "\n";
}

std::string Report::cpu_table() const {
  if (cpu_.empty()) return "";
  std::string out =
      "\n| CPU, µs a transaction | case | system | processes | sum |\n|---|---|---|---|---:|\n";
  for (std::size_t i = 0; i < cpu_.size();) {
    Subject about = cpu_[i].subject;
    std::string processes;
    double sum = 0;
    std::size_t next = i;
    for (; next < cpu_.size(); ++next) {
      const Subject& other = cpu_[next].subject;
      if (other.bench != about.bench || other.test != about.test || other.system != about.system)
        break;
      processes +=
          (processes.empty() ? "" : ", ") + other.metric + " " + number_text(cpu_[next].median());
      sum += cpu_[next].median();
    }
    out += "| " + about.bench + " | " + about.test + " | " + about.system + " | " + processes +
           " | " + number_text(sum) + " |\n";
    i = next;
  }
  return out;
}

void Report::each_target(const auto& visit) const {
  for (const Target& target : targets_) {
    const Figure *ours = find(target.ours), *peer = find(target.peer);
    if (!ours || !peer || peer->median() == 0) continue;
    const double ratio = ours->median() / peer->median();
    visit(target, ratio, target.at_least ? ratio >= target.bound : ratio <= target.bound);
  }
}

std::string Report::target_table() const {
  std::string rows;
  each_target([&](const Target& target, double ratio, bool met) {
    rows += "| " + target.what + " | " + (target.at_least ? "at least " : "at most ") +
            ratio_text(target.bound) + "x | " + ratio_text(ratio) + "x | " +
            (met ? "met" : "missed") + " |\n";
  });
  return rows.empty() ? "" : "\n| target | bound | measured | |\n|---|---:|---:|---|\n" + rows;
}

nlohmann::json Report::json() const {
  nlohmann::json out = {{"figures", nlohmann::json::array()},
                        {"cpu_us_per_transaction", nlohmann::json::array()},
                        {"targets", nlohmann::json::array()},
                        {"notes", notes_}};
  for (const Figure& figure : figures_) {
    nlohmann::json entry = figure_json(figure);
    const Figure* reference = reference_of(figure);
    if (reference && reference->median() > 0) {
      entry["reference"] = reference->subject.system;
      entry["ratio"] = figure.median() / reference->median();
    }
    out["figures"].push_back(std::move(entry));
  }
  for (const Figure& figure : cpu_) {
    nlohmann::json entry = figure_json(figure);
    entry["process"] = entry["metric"];
    entry.erase("metric");
    out["cpu_us_per_transaction"].push_back(std::move(entry));
  }
  each_target([&](const Target& target, double ratio, bool met) {
    out["targets"].push_back({{"what", target.what},
                              {"bound", target.bound},
                              {"at_least", target.at_least},
                              {"measured", ratio},
                              {"met", met}});
  });
  return out;
}

}  // namespace oltp20::bench
