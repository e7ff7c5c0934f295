#include "spoke/observe/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace oltp20::spoke {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// The enum's words in the order of the table: a row in another place would count something else.
TEST(SpokeMetrics, EachWordOfTheEnumHasItsOwnRow) {
  std::ifstream header("spoke/observe/metrics.h");
  std::stringstream text;
  text << header.rdbuf();
  std::string words = text.str();
  words = words.substr(words.find("enum class") + 10);
  words = words.substr(words.find('{') + 1);
  std::istringstream stream(words.substr(0, words.find('}')));
  for (const MetricRow& row : kSpokeMetricTable) {
    std::string word;
    stream >> word;
    word.pop_back();
    std::string name = "oltp20_spoke_" + word;
    if (row.type == MetricType::counter) name += "_total";
    EXPECT_EQ(row.name, name);
  }
}

TEST(SpokeMetrics, UnitsAndHelp) {
  for (const MetricRow& row : kSpokeMetricTable) {
    EXPECT_THAT(row.name, StartsWith("oltp20_spoke_"));
    EXPECT_TRUE(row.help.ends_with('.')) << row.name;
    EXPECT_EQ(row.type == MetricType::histogram, row.first_bucket > 0) << row.name;
  }
}

TEST(SpokeMetrics, TheReadmeIsThisTable) {
  std::ifstream readme("spoke/observe/README.md");
  std::stringstream text;
  text << readme.rdbuf();
  EXPECT_TRUE(text.str().ends_with("|---|---|---|---|\n" + metrics_markdown(kSpokeMetricTable)))
      << "put this under the table's head:\n"
      << metrics_markdown(kSpokeMetricTable);
}

TEST(SpokeMetrics, AreShownFromTheStart) {
  SpokeMetrics metrics;
  EXPECT_THAT(metrics.prometheus_text(),
              HasSubstr("oltp20_spoke_certificate_expiry_timestamp_seconds 0\n"));
}

}  // namespace
}  // namespace oltp20::spoke
