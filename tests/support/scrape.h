// Scrape: a page of /metrics, read as Prometheus would, strictly.
#pragma once

#include <map>
#include <string>

namespace oltp20::test {

class Scrape {
 public:
  // Throws std::runtime_error with the line that is not Prometheus' text format 0.0.4, or a
  // histogram that is not cumulative.
  explicit Scrape(const std::string& text);

  // "NAME" or "NAME{label=\"value\",...}" exactly as on the page; throws when it is not there.
  double value(const std::string& series) const;
  bool has(const std::string& series) const { return samples_.contains(series); }
  // Series of a metric (of a histogram: its counts), and whether one of them is not 0.
  std::size_t series_of(const std::string& metric) const;
  bool is_set(const std::string& metric) const;
  // counter, gauge or histogram; empty when it is not on the page.
  std::string type_of(const std::string& metric) const;

 private:
  void read_comment(const std::string& line);
  void read_sample(const std::string& line);
  void check_histograms() const;

  std::map<std::string, std::string> types_;
  std::map<std::string, double> samples_;
  std::string family_;  // of the last TYPE line
};

// Of a program on this machine. Throws when it does not answer.
Scrape scrape(int http_port);

}  // namespace oltp20::test
