#include "common/base/subject.h"

#include <gtest/gtest.h>

namespace oltp20 {
namespace {

TEST(Subject, PatternsMatchAsTheContractSays) {
  EXPECT_TRUE(subject_matches("greeting", "greeting"));
  EXPECT_FALSE(subject_matches("greeting", "greetings"));
  EXPECT_TRUE(subject_matches("price.>", "price.eu.gold"));
  EXPECT_TRUE(subject_matches("price.>", "price.eu"));
  EXPECT_FALSE(subject_matches("price.>", "price")) << "> stands for at least one word";
  EXPECT_TRUE(subject_matches("*.created", "order.created"));
  EXPECT_FALSE(subject_matches("*.created", "shop.order.created"));
  EXPECT_TRUE(subject_matches(">", "a.b.c"));
  EXPECT_FALSE(subject_matches("a.*", "a"));
}

TEST(Subject, TypesAreWordsJoinedByDots) {
  EXPECT_TRUE(is_type("order.created-2_x"));
  for (const char* bad : {"", ".", "a.", ".a", "a..b", "a b", "a.*", ">", "é"})
    EXPECT_FALSE(is_type(bad)) << bad;
  EXPECT_FALSE(is_type(std::string(256, 'a')));
}

TEST(Subject, BadPatternsAreRefusedWithASentence) {
  EXPECT_TRUE(check_pattern("a.*.>"));
  for (const char* bad : {"", "a.>.b", "a.b*", "a..b"}) {
    Status status = check_pattern(bad);
    ASSERT_FALSE(status) << bad;
    EXPECT_NE(status.message().find("words of letters"), std::string::npos);
  }
}

TEST(Names, DestinationsAreSpokesAndRegions) {
  EXPECT_TRUE(is_destination("spoke/store-17"));
  EXPECT_TRUE(is_destination("region/eu.west_1"));
  EXPECT_TRUE(is_destination("spoke/" + std::string(63, 'n')));
  for (const std::string& bad :
       {std::string(), std::string("spoke"), std::string("spoke/"), std::string("hub/eu"),
        std::string("spoke/a/b"), std::string("Spoke/a"), "spoke/" + std::string(64, 'n')})
    EXPECT_FALSE(is_destination(bad)) << bad;
}

TEST(Names, GlobsMatch) {
  EXPECT_TRUE(name_matches("store-*", "store-17"));
  EXPECT_TRUE(name_matches("*", ""));
  EXPECT_TRUE(name_matches("*-b-*", "a-b-c"));
  EXPECT_FALSE(name_matches("store-*", "shop-17"));
  EXPECT_FALSE(name_matches("store", "store-17"));
}

}  // namespace
}  // namespace oltp20
