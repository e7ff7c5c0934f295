#include "common/observe/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>

#include "common/base/check.h"

namespace oltp20 {
namespace {

prometheus::MetricType prometheus_type(MetricType type) {
  switch (type) {
    case MetricType::counter:
      return prometheus::MetricType::Counter;
    case MetricType::gauge:
      return prometheus::MetricType::Gauge;
    case MetricType::histogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

std::string_view type_name(MetricType type) {
  switch (type) {
    case MetricType::counter:
      return "counter";
    case MetricType::gauge:
      return "gauge";
    case MetricType::histogram:
      return "histogram";
  }
  return "";
}

prometheus::ClientMetric::Histogram collect(const Histogram& histogram) {
  prometheus::ClientMetric::Histogram out;
  std::uint64_t below = 0;
  for (std::size_t i = 0; i <= kBuckets; ++i) {
    below += histogram.in_bucket(i);
    out.bucket.push_back({below, histogram.bound(i)});
  }
  out.sample_count = below;  // not counted apart: it must agree with the last bucket
  out.sample_sum = histogram.sum();
  return out;
}

}  // namespace

void Histogram::observe(double value, std::uint64_t times) {
  std::size_t bucket = 0;
  for (double bound = first_; bucket < kBuckets && !(value <= bound); bound *= 2) ++bucket;
  buckets_[bucket].fetch_add(times, std::memory_order_relaxed);
  sum_.fetch_add(value * static_cast<double>(times), std::memory_order_relaxed);
}

std::uint64_t Histogram::count() const {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i <= kBuckets; ++i) count += in_bucket(i);
  return count;
}

double Histogram::bound(std::size_t bucket) const {
  if (bucket >= kBuckets) return std::numeric_limits<double>::infinity();
  return first_ * static_cast<double>(std::uint64_t{1} << bucket);
}

struct MetricRegistry::Series {
  explicit Series(double first_bucket) : histogram(first_bucket) {}
  Counter counter;
  Gauge gauge;
  Histogram histogram;
};

struct MetricRegistry::Family {
  MetricRow row;
  std::mutex mutex;  // guards series; what a Series holds is atomic
  std::map<std::array<std::string, kMostLabels>, std::unique_ptr<Series>> series;
};

MetricRegistry::MetricRegistry(std::span<const MetricRow> table) {
  for (const MetricRow& row : table) {
    families_.push_back(std::make_unique<Family>());
    families_.back()->row = row;
    // A metric without labels exists from the start: absent and zero are not the same.
    if (row.label_count() == 0) series_at(families_.size() - 1, {});
  }
}

MetricRegistry::~MetricRegistry() = default;

MetricRegistry::Series& MetricRegistry::series_at(std::size_t row, const Labels& values) {
  CHECK(row < families_.size());
  Family& family = *families_[row];
  std::array<std::string, kMostLabels> key;
  for (std::size_t i = 0; i < kMostLabels; ++i) key[i] = values[i];
  std::lock_guard lock(family.mutex);
  if (!family.series.contains(key) && family.series.size() >= kMostSeries) {
    key[0] = "other";
    if (!family.series.contains(key) && family.series.size() >= kMostSeries + kMostOtherSeries)
      for (std::size_t i = 0; i < family.row.label_count(); ++i) key[i] = "other";
  }
  std::unique_ptr<Series>& series = family.series[key];
  if (series == nullptr) series = std::make_unique<Series>(family.row.first_bucket);
  return *series;
}

Counter& MetricRegistry::counter_at(std::size_t row, const Labels& values) {
  return series_at(row, values).counter;
}
Gauge& MetricRegistry::gauge_at(std::size_t row, const Labels& values) {
  return series_at(row, values).gauge;
}
Histogram& MetricRegistry::histogram_at(std::size_t row, const Labels& values) {
  return series_at(row, values).histogram;
}

void MetricRegistry::replace_at(std::size_t row, std::vector<LabelledValue> values) {
  CHECK(row < families_.size());
  Family& family = *families_[row];
  std::map<std::array<std::string, kMostLabels>, std::unique_ptr<Series>> series;
  for (LabelledValue& one : values) {
    if (!series.contains(one.labels) && series.size() >= kMostSeries)
      for (std::size_t i = 0; i < family.row.label_count(); ++i) one.labels[i] = "other";
    std::unique_ptr<Series>& at = series[std::move(one.labels)];
    bool first = at == nullptr;
    if (first) at = std::make_unique<Series>(family.row.first_bucket);
    at->gauge.set(first ? one.value : std::max(at->gauge.value(), one.value));
  }
  std::lock_guard lock(family.mutex);
  family.series.swap(series);
}

std::string MetricRegistry::prometheus_text() const {
  std::vector<prometheus::MetricFamily> out;
  for (const auto& family : families_) {
    prometheus::MetricFamily collected;
    collected.name = family->row.name;
    collected.help = family->row.help;
    collected.type = prometheus_type(family->row.type);
    std::lock_guard lock(family->mutex);
    for (const auto& [values, series] : family->series) {
      prometheus::ClientMetric metric;
      for (std::size_t i = 0; i < family->row.label_count(); ++i)
        metric.label.push_back({std::string(family->row.labels[i]), values[i]});
      metric.counter.value = static_cast<double>(series->counter.value());
      metric.gauge.value = series->gauge.value();
      if (family->row.type == MetricType::histogram) metric.histogram = collect(series->histogram);
      collected.metric.push_back(std::move(metric));
    }
    out.push_back(std::move(collected));
  }
  return prometheus::TextSerializer().Serialize(out);
}

std::string metrics_markdown(std::span<const MetricRow> table) {
  std::string out;
  for (const MetricRow& row : table) {
    out += "| `" + std::string(row.name) + "` | " + std::string(type_name(row.type)) + " | ";
    for (std::size_t i = 0; i < row.label_count(); ++i)
      out += (i > 0 ? ", " : "") + std::string(row.labels[i]);
    out += " | " + std::string(row.help) + " |\n";
  }
  return out;
}

}  // namespace oltp20
