#include "tests/support/scrape.h"

#include <cmath>
#include <regex>
#include <sstream>
#include <stdexcept>

#include "tests/support/process.h"

namespace oltp20::test {
namespace {

const std::regex kComment("# (HELP|TYPE) ([a-z_][a-z0-9_]*) (.+)");
const std::regex kSample(
    R"re(([a-z_][a-z0-9_]*)(\{[a-z_]+="(?:[^"\\\n]|\\[\\n"])*"(?:,[a-z_]+="(?:[^"\\\n]|\\[\\n"])*")*\})? (\S+))re");

[[noreturn]] void bad(const std::string& what, const std::string& line) {
  throw std::runtime_error("not Prometheus' text format: " + what + ": " + line);
}

// The series without its `le`, so that the buckets of one histogram have one name.
std::string without_le(const std::string& series) {
  return std::regex_replace(std::regex_replace(series, std::regex("[,]?le=\"[^\"]*\""), ""),
                            std::regex("\\{\\}"), "");
}

}  // namespace

Scrape::Scrape(const std::string& text) {
  if (!text.ends_with('\n')) bad("no line end at the end", text.substr(text.rfind('\n') + 1));
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    line.starts_with('#') ? read_comment(line) : read_sample(line);
  check_histograms();
}

void Scrape::read_comment(const std::string& line) {
  std::smatch match;
  if (!std::regex_match(line, match, kComment)) bad("a comment", line);
  if (match[1] == "HELP") return;
  family_ = match[2];
  if (!types_.emplace(family_, match[3]).second) bad("a second TYPE", line);
}

void Scrape::read_sample(const std::string& line) {
  std::smatch match;
  if (!std::regex_match(line, match, kSample)) bad("a sample", line);
  const std::string name = match[1];
  if (types_[family_] == "histogram") {
    bool known =
        name == family_ + "_bucket" || name == family_ + "_sum" || name == family_ + "_count";
    if (!known) bad("a sample away from its TYPE", line);
  } else if (name != family_) {
    bad("a sample away from its TYPE", line);
  }
  std::size_t read = 0;
  const std::string number = match[3];
  double value = std::stod(number == "+Inf" ? "inf" : number, &read);
  if (read != number.size() && number != "+Inf") bad("a number", line);
  if (!samples_.emplace(name + match[2].str(), value).second) bad("a series twice", line);
}

void Scrape::check_histograms() const {
  for (const auto& [name, type] : types_) {
    if (type != "histogram") continue;
    std::map<std::string, std::map<double, double>> buckets;  // by series, by bound
    std::smatch match;
    for (const auto& [series, value] : samples_) {
      if (!series.starts_with(name + "_bucket")) continue;
      if (!std::regex_search(series, match, std::regex("le=\"([^\"]*)\""))) bad("no le", series);
      double bound = match[1] == "+Inf" ? INFINITY : std::stod(match[1]);
      buckets[without_le(series).replace(0, name.size() + 7, "")][bound] = value;
    }
    for (const auto& [labels, of] : buckets) {
      double before = 0;
      for (const auto& [bound, count] : of) {
        if (count < before) bad("buckets that shrink", name + labels);
        before = count;
      }
      if (of.rbegin()->first != INFINITY || before != value(name + "_count" + labels))
        bad("a count that is not the last bucket", name + labels);
    }
  }
}

double Scrape::value(const std::string& series) const {
  auto at = samples_.find(series);
  if (at == samples_.end()) throw std::runtime_error("no series " + series);
  return at->second;
}

std::size_t Scrape::series_of(const std::string& metric) const {
  const std::string name = metric + (type_of(metric) == "histogram" ? "_count" : "");
  std::size_t count = 0;
  for (const auto& [series, value] : samples_)
    count += series == name || series.starts_with(name + "{");
  return count;
}

bool Scrape::is_set(const std::string& metric) const {
  const std::string name = metric + (type_of(metric) == "histogram" ? "_count" : "");
  for (const auto& [series, value] : samples_)
    if ((series == name || series.starts_with(name + "{")) && value != 0) return true;
  return false;
}

std::string Scrape::type_of(const std::string& metric) const {
  auto at = types_.find(metric);
  return at == types_.end() ? "" : at->second;
}

Scrape scrape(int http_port) {
  Outcome page = run(
      {"curl", "-fsS", "-m", "5", "http://127.0.0.1:" + std::to_string(http_port) + "/metrics"});
  if (page.exit_code != 0) throw std::runtime_error("no metrics: " + page.output);
  return Scrape(page.output);
}

}  // namespace oltp20::test
