#include "common/config/toml_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/config/toml_tree.h"

namespace oltp20 {
namespace {

using testing::HasSubstr;

std::string refusal(const std::string& text) {
  return parse_toml(text, "t").status().message();
}

std::string repeat(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(TomlLimits, DeepNestingIsRefusedBeforeTheParserRecurses) {
  EXPECT_EQ(refusal("a = 1\nx = " + repeat("[", 100000)),
            "t:2: brackets are nested deeper than 16; no setting needs that, so simplify the line");
  EXPECT_THAT(refusal("x = " + repeat("{a=", 40000)), HasSubstr("nested deeper"));
  EXPECT_THAT(refusal("a" + repeat(".a", 100000) + " = 1"), HasSubstr("dots in one line"));
  EXPECT_THAT(refusal("[a" + repeat(".a", 100000) + "]"), HasSubstr("dots in one line"));
  EXPECT_TRUE(parse_toml("x = " + repeat("[", 16) + repeat("]", 16), "t"));
}

// Each hides the brackets behind something that could be taken for the start of a string.
TEST(TomlLimits, NestingCannotHideBehindQuotes) {
  const std::string deep = repeat("[", 100000);
  for (const std::string& before :
       {std::string("x = [\"\"\"a\"\"\"\", "), std::string("x = ['''a'''', "),
        std::string("x = [\"a\\\\\", "), std::string("x = ['a\\', "), std::string("x = [\"\", "),
        std::string("x = [ # \"\n"), std::string("x = [\"\"\"\\\"\"\"\", ")})
    EXPECT_THAT(refusal(before + deep), HasSubstr("nested deeper")) << before;
}

TEST(TomlLimits, BracketsInStringsAndCommentsDoNotCount) {
  const std::string many = repeat("[.", 50);
  EXPECT_TRUE(parse_toml("a = \"" + many + "\"\nb = '" + many + "' # " + many + "\n", "t"));
  EXPECT_TRUE(parse_toml("a = \"\"\"\n" + many + "\n\"\" \"\"\"\n", "t"));
}

TEST(TomlLimits, LongArraysAndFilesAreRefusedQuickly) {
  const Micros start = system_clock().monotonic_us();
  EXPECT_THAT(refusal("x = [" + repeat("1,", 100000) + "1]"), HasSubstr("more than 4096 items"));
  EXPECT_THAT(refusal("x = [" + repeat("1,\n", 50000) + "1]"), HasSubstr("more than 4096 items"));
  EXPECT_THAT(refusal(std::string(kConfigFileBytes + 1, '\n')), HasSubstr("is it the right file?"));
  EXPECT_LT(system_clock().monotonic_us() - start, 2 * kSecond);
  EXPECT_TRUE(parse_toml("x = [" + repeat("1,", 4000) + "1]", "t"));
}

TEST(TomlTree, BinaryIsRefused) {
  EXPECT_THAT(refusal(std::string("a = 1\n\0\n", 8)), HasSubstr("the file is not text"));
}

TEST(TomlTree, WhatIsNotUtf8IsRefusedWithItsLine) {
  EXPECT_THAT(refusal("a = 1\nb = '''l\xFF\xFF'''\n"), HasSubstr("t:2: the file is not UTF-8"));
  EXPECT_TRUE(parse_toml("a = '''l\xC3\xA4'''\n", "t"));
}

TEST(TomlTree, KnowsTheLines) {
  auto tree =
      parse_toml("\n[hub]\nname = 'a'\nlist = [\n 'x',\n 'y']\n\n[[p]]\na=1\n[[p]]\na=2\n", "t");
  ASSERT_TRUE(tree);
  const TomlNode& hub = tree->fields.at("hub");
  EXPECT_EQ(hub.line, 2);
  EXPECT_EQ(hub.fields.at("name").line, 3);
  EXPECT_EQ(hub.fields.at("list").items.at(1).line, 6);
  EXPECT_EQ(tree->fields.at("p").items.at(0).line, 8);
  EXPECT_EQ(tree->fields.at("p").items.at(1).line, 10);
}

}  // namespace
}  // namespace oltp20
