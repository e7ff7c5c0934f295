// When a person is told that retention is held back.
#include <gtest/gtest.h>

#include "spoke/agent/retention_loop.h"

namespace oltp20::spoke {
namespace {

RetentionReport held(const std::string& why) {
  RetentionReport report;
  report.held_back = why;
  report.needs_person = true;
  return report;
}

TEST(HeldBack, IsToldAtOnceThenHourlyAndWhenTheReasonChanges) {
  HeldBack told;
  Micros now = 5 * kSecond;
  EXPECT_EQ(told.tell(held("a reader"), now), "a reader");
  EXPECT_FALSE(told.tell(held("a reader"), now + HeldBack::kSame - 1));
  EXPECT_EQ(told.tell(held("a reader"), now += HeldBack::kSame), "a reader");
  EXPECT_FALSE(told.tell(held("another"), now + HeldBack::kChanged - 1));
  EXPECT_EQ(told.tell(held("another"), now + HeldBack::kChanged), "another");
}

TEST(HeldBack, WhatTimeAloneBringsIsNotTold) {
  HeldBack told;
  RetentionReport young;
  young.held_back = "not yet old enough";
  EXPECT_FALSE(told.tell(young, kSecond));
  EXPECT_TRUE(told.tell(held("a reader"), 2 * kSecond)) << "the first one is told at once";
}

}  // namespace
}  // namespace oltp20::spoke
