#include "common/observe/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

namespace oltp20 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TestClock final : public Clock {
 public:
  Micros monotonic_us() const override { return now_us; }
  Micros wall_us() const override { return 1'000'000 * kSecond + now_us; }
  Micros now_us = 5;
};

// What a log wrote, line by line.
class LogFile {
 public:
  LogFile() : file_(std::tmpfile()) {}
  ~LogFile() { std::fclose(file_); }
  int descriptor() const { return fileno(file_); }
  std::vector<std::string> lines() const {
    std::vector<std::string> out;
    std::string line;
    std::rewind(file_);
    for (int c; (c = std::fgetc(file_)) != EOF;) {
      if (c != '\n')
        line += static_cast<char>(c);
      else
        out.push_back(std::exchange(line, ""));
    }
    return out;
  }

 private:
  std::FILE* file_;
};

TEST(Log, TextLine) {
  TestClock clock;
  LogFile file;
  Log log({.descriptor = file.descriptor()}, clock);
  log.info("spoke_attached", {{"spoke", "store-17"}, {"lsn", 5u}, {"fast", false}, {"rtt", 0.5}});
  log.warn("x", {{"reason", "two words"}, {"empty", ""}, {"bad", "a\nb\"=\xff"}});
  log.debug("hidden", {});
  EXPECT_THAT(file.lines(),
              ElementsAre("1970-01-12T13:46:40.000005Z info spoke_attached spoke=store-17 lsn=5 "
                          "fast=false rtt=0.5",
                          "1970-01-12T13:46:40.000005Z warn x reason=\"two words\" empty=\"\" "
                          "bad=\"a\\nb\\\"=\xEF\xBF\xBD\""));
}

TEST(Log, JsonLineSurvivesHostileText) {
  TestClock clock;
  LogFile file;
  Log log({.format = LogFormat::json, .descriptor = file.descriptor()}, clock);
  std::string hostile = "\"}\n{\"level\":\"info\"\xff" + std::string(1, '\0');
  log.error("denied", {{"who", hostile}, {"level", "mine"}, {"n", -3}});
  ASSERT_EQ(file.lines().size(), 1u);
  auto json = nlohmann::json::parse(file.lines()[0]);
  EXPECT_EQ(json["level"], "error");
  EXPECT_EQ(json["event"], "denied");
  EXPECT_EQ(json["n"], -3);
  EXPECT_THAT(json["who"].get<std::string>(), HasSubstr("\"}\n{\"level\""));
}

TEST(Log, RepeatsAreLimitedAndCounted) {
  TestClock clock;
  LogFile file;
  Log log({.burst = 2, .window_us = 10, .descriptor = file.descriptor()}, clock);
  for (int i = 0; i < 7; ++i) log.warn("denied", {{"who", "a"}});
  log.warn("denied", {{"who", "b"}});  // another subject is not hidden
  clock.now_us += 10;
  log.warn("denied", {{"who", "a"}});
  auto lines = file.lines();
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_THAT(lines[2], HasSubstr("who=b"));
  EXPECT_THAT(lines[3], HasSubstr("who=a suppressed=5"));
}

TEST(Log, WhatWasLeftOutIsSaidAtTheEnd) {
  TestClock clock;
  LogFile file;
  {
    Log log({.burst = 1, .descriptor = file.descriptor()}, clock);
    for (int i = 0; i < 4; ++i) log.warn("denied", {{"who", "a b"}});
  }
  ASSERT_EQ(file.lines().size(), 2u);
  EXPECT_THAT(file.lines()[1], HasSubstr("warn denied who=\"a b\" suppressed=3"));
}

TEST(Log, AFloodOfSubjectsIsLimitedAsOne) {
  TestClock clock;
  LogFile file;
  Log log({.burst = 1, .descriptor = file.descriptor()}, clock);
  for (int i = 0; i < 10000; ++i) log.warn("denied", {{"who", std::to_string(i)}});
  EXPECT_LE(file.lines().size(), 4097u);
}

TEST(Log, LinesOfThreadsDoNotMix) {
  LogFile file;
  Log log({.burst = 1 << 20, .descriptor = file.descriptor()}, system_clock());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) log.info("e", {{"pad", std::string(200, 'x')}, {"end", 1}});
    });
  for (std::thread& thread : threads) thread.join();
  auto lines = file.lines();
  ASSERT_EQ(lines.size(), 2000u);
  for (const std::string& line : lines) EXPECT_EQ(line.size(), lines[0].size());
}

TEST(Log, FormatsByName) {
  EXPECT_EQ(*parse_log_format("json"), LogFormat::json);
  EXPECT_EQ(parse_log_format("xml").status().message(),
            "\"xml\" is not a log format; write \"text\" or \"json\"");
}

}  // namespace
}  // namespace oltp20
