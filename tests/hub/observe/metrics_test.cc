#include "hub/observe/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace oltp20::hub {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// The enum's words in the order of the table: a row in another place would count something else.
TEST(HubMetrics, EachWordOfTheEnumHasItsOwnRow) {
  std::ifstream header("hub/observe/metrics.h");
  std::stringstream text;
  text << header.rdbuf();
  std::string words = text.str();
  words = words.substr(words.find("enum class") + 10);
  words = words.substr(words.find('{') + 1);
  std::istringstream stream(words.substr(0, words.find('}')));
  for (const MetricRow& row : kHubMetricTable) {
    std::string word;
    stream >> word;
    word.pop_back();
    std::string name = "oltp20_hub_" + word;
    if (row.type == MetricType::counter) name += "_total";
    EXPECT_EQ(row.name, name);
  }
}

TEST(HubMetrics, UnitsAndHelp) {
  for (const MetricRow& row : kHubMetricTable) {
    EXPECT_THAT(row.name, StartsWith("oltp20_hub_"));
    EXPECT_TRUE(row.help.ends_with('.')) << row.name;
    EXPECT_EQ(row.type == MetricType::histogram, row.first_bucket > 0) << row.name;
  }
}

TEST(HubMetrics, TheReadmeIsThisTable) {
  std::ifstream readme("hub/observe/README.md");
  std::stringstream text;
  text << readme.rdbuf();
  EXPECT_TRUE(text.str().ends_with("|---|---|---|---|\n" + metrics_markdown(kHubMetricTable)))
      << "put this under the table's head:\n"
      << metrics_markdown(kHubMetricTable);
}

TEST(HubMetrics, AreShownFromTheStart) {
  HubMetrics metrics;
  EXPECT_THAT(metrics.prometheus_text(),
              HasSubstr("oltp20_hub_certificate_expiry_timestamp_seconds 0\n"));
}

}  // namespace
}  // namespace oltp20::hub
