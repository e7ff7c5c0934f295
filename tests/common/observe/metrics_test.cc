#include "common/observe/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace oltp20 {
namespace {

using testing::HasSubstr;

enum class TestMetric { plain, labelled, level, seconds };
constexpr MetricRow kTestTable[] = {
    {"plain_total", MetricType::counter, "Plain."},
    {"labelled_total", MetricType::counter, "Labelled.", {"who", "reason"}},
    {"level", MetricType::gauge, "Level.", {"queue"}},
    {"seconds", MetricType::histogram, "Seconds.", {}, 0.5},
};
using TestMetrics = Metrics<TestMetric, kTestTable>;

std::size_t lines_with(const std::string& text, std::string_view start) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
    count += std::string_view(text).substr(at).starts_with(start);
  return count;
}

TEST(MetricTable, ShowsNameHelpTypeAndValue) {
  TestMetrics metrics;
  metrics.counter<TestMetric::plain>().add(3);
  metrics.counter<TestMetric::labelled>("spoke/a", std::string("type")).add();
  metrics.gauge<TestMetric::level>("core").set(-2.5);
  std::string text = metrics.prometheus_text();
  EXPECT_THAT(text, HasSubstr("# HELP plain_total Plain.\n# TYPE plain_total counter\n"));
  EXPECT_THAT(text, HasSubstr("plain_total 3\n"));
  EXPECT_THAT(text, HasSubstr("labelled_total{who=\"spoke/a\",reason=\"type\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("level{queue=\"core\"} -2.5\n"));
}

TEST(MetricTable, HandlesAreTheSameAgain) {
  TestMetrics metrics;
  EXPECT_EQ(&metrics.counter<TestMetric::labelled>("a", "b"),
            &metrics.counter<TestMetric::labelled>("a", "b"));
  EXPECT_NE(&metrics.counter<TestMetric::labelled>("a", "b"),
            &metrics.counter<TestMetric::labelled>("b", "a"));
}

TEST(MetricTable, LabelValuesAreEscaped) {
  TestMetrics metrics;
  metrics.gauge<TestMetric::level>("a\"\n\\").set(1);
  EXPECT_THAT(metrics.prometheus_text(), HasSubstr(R"(level{queue="a\"\n\\"} 1)"));
}

TEST(MetricTable, HistogramsHaveCumulativeBuckets) {
  TestMetrics metrics;
  Histogram& seconds = metrics.histogram<TestMetric::seconds>();
  for (double value : {0.5, 0.6, 1.0, 3.0, 1e12}) seconds.observe(value);
  std::string text = metrics.prometheus_text();
  EXPECT_THAT(text, HasSubstr("seconds_bucket{le=\"0.5\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("seconds_bucket{le=\"1\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("seconds_bucket{le=\"4\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("seconds_bucket{le=\"+Inf\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("seconds_count 5\n"));
  EXPECT_EQ(seconds.count(), 5u);
}

TEST(MetricTable, CardinalityIsBoundedAndNothingIsLost) {
  TestMetrics metrics;
  const std::size_t names = 3 * kMostSeries;
  for (std::size_t i = 0; i < names; ++i) {
    std::string number = std::to_string(i);
    metrics.counter<TestMetric::labelled>("spoke/" + number, "type").add();
    metrics.counter<TestMetric::labelled>("spoke/" + number, "reason" + number).add();
  }
  std::string text = metrics.prometheus_text();
  EXPECT_LE(lines_with(text, "labelled_total{"), kMostSeries + kMostOtherSeries + 1);
  EXPECT_THAT(text, HasSubstr("labelled_total{who=\"other\",reason=\"type\"} 2500\n"));
  EXPECT_THAT(text, HasSubstr("labelled_total{who=\"other\",reason=\"other\"} "));
}

TEST(MetricTable, AGaugeThatIsGivenWholeForgetsWhatIsNotInIt) {
  TestMetrics metrics;
  metrics.replace<TestMetric::level>({{{"a"}, 1}, {{"b"}, 2}});
  metrics.replace<TestMetric::level>({{{"b"}, 3}});
  std::string text = metrics.prometheus_text();
  EXPECT_THAT(text, HasSubstr("level{queue=\"b\"} 3\n"));
  EXPECT_EQ(lines_with(text, "level{"), 1u);
}

TEST(MetricTable, AGaugeThatIsGivenWholeIsBoundedAndShowsTheWorstOfTheRest) {
  TestMetrics metrics;
  std::vector<LabelledValue> values;
  for (std::size_t i = 0; i < 2 * kMostSeries; ++i)
    values.push_back({{"spoke" + std::to_string(i)}, static_cast<double>(i)});
  std::swap(values[kMostSeries + 5], values.back());
  metrics.replace<TestMetric::level>(values);
  std::string text = metrics.prometheus_text();
  EXPECT_EQ(lines_with(text, "level{"), kMostSeries + 1);
  EXPECT_THAT(text, HasSubstr("level{queue=\"other\"} " + std::to_string(2 * kMostSeries - 1)));
}

TEST(MetricTable, ThreadsCountTogether) {
  TestMetrics metrics;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 10000; ++i) {
        metrics.counter<TestMetric::plain>().add();
        metrics.histogram<TestMetric::seconds>().observe(1);
        if (i % 1000 == 0) (void)metrics.prometheus_text();
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(metrics.counter<TestMetric::plain>().value(), 40000u);
  EXPECT_EQ(metrics.histogram<TestMetric::seconds>().sum(), 40000.0);
}

}  // namespace
}  // namespace oltp20
