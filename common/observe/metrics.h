// Metrics of one table a program.
//
// A program's table is a constexpr array of MetricRow whose order is that of an enum; Metrics<Id,
// kTable> hands out counters, gauges and histograms by that enum. What is not in the table, has
// another type, or gets another number of labels, does not compile.
//
// Handles are resolved once (a lock and a map) and kept: they live as long as the Metrics, and
// using one is an atomic operation that any thread may do. Label values are bounded: beyond
// kMostSeries of a metric the first label becomes "other", and at the last resort all labels do.
//
// A gauge whose label values come and go (spokes, links) is given whole, by replace(): what is not
// in the new set disappears, so that nothing stays at the last value that it had. Such a gauge has
// no handles. Beyond kMostSeries, "other" shows the highest of the rest.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace oltp20 {

enum class MetricType { counter, gauge, histogram };

inline constexpr std::size_t kMostSeries = 1000;     // label values of one metric
inline constexpr std::size_t kMostOtherSeries = 64;  // of those, "other" with the further labels
inline constexpr std::size_t kMostLabels = 2;
inline constexpr std::size_t kBuckets = 24;

// Bounds of a histogram: first, 2 * first, 4 * first, ... and infinity.
struct MetricRow {
  std::string_view name;
  MetricType type = MetricType::counter;
  std::string_view help;
  std::array<std::string_view, kMostLabels> labels{};
  double first_bucket = 0;  // of histograms

  constexpr std::size_t label_count() const {
    std::size_t count = 0;
    while (count < kMostLabels && !labels[count].empty()) ++count;
    return count;
  }
};

// From 10 microseconds to 84 seconds; from 1 to 8 million.
inline constexpr double kSecondsBuckets = 1e-5;
inline constexpr double kCountBuckets = 1;

class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  void add(double delta) { value_.fetch_add(delta, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

class Histogram {
 public:
  explicit Histogram(double first_bucket) : first_(first_bucket) {}
  void observe(double value, std::uint64_t times = 1);
  std::uint64_t count() const;
  double sum() const { return sum_.load(std::memory_order_relaxed); }
  double bound(std::size_t bucket) const;  // of the last one: infinity
  std::uint64_t in_bucket(std::size_t bucket) const {
    return buckets_[bucket].load(std::memory_order_relaxed);
  }

 private:
  const double first_;
  std::array<std::atomic<std::uint64_t>, kBuckets + 1> buckets_{};
  std::atomic<double> sum_{0};
};

// One series of a gauge that is given whole: values of its labels, and its own.
struct LabelledValue {
  std::array<std::string, kMostLabels> labels;
  double value = 0;
};

// What is behind Metrics; programs use the template below.
class MetricRegistry {
 public:
  explicit MetricRegistry(std::span<const MetricRow> table);
  ~MetricRegistry();
  MetricRegistry(const MetricRegistry&) = delete;

  // The whole table in Prometheus' text format. Any thread.
  std::string prometheus_text() const;

 protected:
  using Labels = std::array<std::string_view, kMostLabels>;
  Counter& counter_at(std::size_t row, const Labels& values);
  Gauge& gauge_at(std::size_t row, const Labels& values);
  Histogram& histogram_at(std::size_t row, const Labels& values);
  void replace_at(std::size_t row, std::vector<LabelledValue> values);

 private:
  struct Family;
  struct Series;
  Series& series_at(std::size_t row, const Labels& values);
  std::vector<std::unique_ptr<Family>> families_;
};

template <typename Id, const auto& kTable>
class Metrics : public MetricRegistry {
 public:
  Metrics() : MetricRegistry(kTable) {}

  template <Id id, typename... Values>
  Counter& counter(const Values&... values) {
    check<id, MetricType::counter, sizeof...(values)>();
    return counter_at(index(id), {std::string_view(values)...});
  }
  template <Id id, typename... Values>
  Gauge& gauge(const Values&... values) {
    check<id, MetricType::gauge, sizeof...(values)>();
    return gauge_at(index(id), {std::string_view(values)...});
  }
  template <Id id, typename... Values>
  Histogram& histogram(const Values&... values) {
    check<id, MetricType::histogram, sizeof...(values)>();
    return histogram_at(index(id), {std::string_view(values)...});
  }
  // The whole of a gauge with labels; see above.
  template <Id id>
  void replace(std::vector<LabelledValue> values) {
    static_assert(
        kTable[index(id)].type == MetricType::gauge && kTable[index(id)].label_count() > 0,
        "only a gauge with labels is given whole");
    replace_at(index(id), std::move(values));
  }

 private:
  static constexpr std::size_t index(Id id) { return static_cast<std::size_t>(id); }
  template <Id id, MetricType type, std::size_t labels>
  static constexpr void check() {
    static_assert(index(id) < std::size(kTable), "a metric must have its row in the table");
    static_assert(kTable[index(id)].type == type, "the table gives this metric another type");
    static_assert(kTable[index(id)].label_count() == labels, "one value for each label");
  }
};

// The table as rows of Markdown, for the runbook.
std::string metrics_markdown(std::span<const MetricRow> table);

}  // namespace oltp20
