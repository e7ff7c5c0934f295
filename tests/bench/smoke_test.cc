// The benchmarks measure something: a very small run of all of them ends well and writes JSON and a
// plot with figures that are not zero.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tests/support/network.h"

namespace oltp20::bench {
namespace {

TEST(Bench, ATinyRunOfEverythingWritesFiguresThatAreNotZero) {
  test::TemporaryDirectory directory;
  const std::string json = directory.path() + "/out.json", plot = directory.path() + "/out.svg";
  const test::Outcome outcome =
      test::run({OLTP20_BENCH, "--scale", "tiny", "--json", json, "--plot", plot}, 100);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  const auto report = nlohmann::json::parse(test::read_text(json));
  std::set<std::string> benches, systems;
  for (const auto& figure : report["figures"]) {
    EXPECT_GT(figure["median"].get<double>(), 0) << figure;
    EXPECT_FALSE(figure["runs"].empty());
    benches.insert(figure["bench"]);
    systems.insert(figure["system"]);
  }
  EXPECT_EQ(benches, (std::set<std::string>{"drain", "driven", "latency", "commits", "hub"}));
  for (const char* system : {"native default", "native on", "OLTP 2.0", "OLTP 2.0 hub"})
    EXPECT_TRUE(systems.contains(system)) << system;
  EXPECT_FALSE(report["cpu_us_per_transaction"].empty());
  EXPECT_FALSE(report["targets"].empty());
  EXPECT_NE(test::read_text(plot).find("</svg>"), std::string::npos);
  EXPECT_NE(outcome.output.find("| benchmark |"), std::string::npos);
}

TEST(Bench, AnUnknownNameIsRefused) {
  EXPECT_EQ(test::run({OLTP20_BENCH, "--only", "everything"}).exit_code, 2);
}

}  // namespace
}  // namespace oltp20::bench
