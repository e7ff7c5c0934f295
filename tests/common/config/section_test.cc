#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "common/config/reader.h"
#include "tests/common/config/config_text.h"

namespace oltp20 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Read = std::function<void(ConfigSection&)>;

// The message of reading section [s] with `read`; empty: no problem.
std::string problem(std::string_view text, const Read& read, ConfigOverrides overrides = {}) {
  auto reader = from_text(text, std::move(overrides));
  if (!reader) return reader.status().message();
  ConfigSection section = reader->section("s");
  read(section);
  return reader->finish().message();
}

TEST(ConfigSection, EachTypeIsRead) {
  auto reader = from_text(
      "[s]\ntext = 'a'\nreal = 1.5\nwhole = 7\nyes = true\nsize = '2KiB'\nlist = ['a', 'b']\n"
      "pick = 'two'\nat = '127.0.0.1:0'\nin = { x = 3 }\n");
  ConfigSection s = reader->section("s");
  EXPECT_EQ(s.text("text"), "a");
  EXPECT_EQ(s.real("real", 0, 2), 1.5);
  EXPECT_EQ(s.integer_or("whole", 0, 0, 10), 7);
  EXPECT_TRUE(s.boolean_or("yes", false));
  EXPECT_EQ(s.bytes_or("size", 0, 1), 2048u);
  EXPECT_THAT(s.texts_or("list", {}), ElementsAre("a", "b"));
  EXPECT_EQ(s.choice_or("pick", "one", {"one", "two"}), "two");
  EXPECT_EQ(s.endpoint("at", PortZero::allowed).text(), "127.0.0.1:0");
  EXPECT_EQ(s.table("in").real("x", 0, 10), 3.0);
  EXPECT_TRUE(reader->finish()) << reader->finish().message();
}

TEST(ConfigSection, EachTypeIsReadFromAnOverride) {
  auto reader = from_text("", {{{"s.text", "a"},
                                {"s.real", "-1.5"},
                                {"s.whole", "7"},
                                {"s.yes", "true"},
                                {"s.size", "2KiB"},
                                {"s.list", "a, price.> ,"},
                                {"s.pick", "two"},
                                {"s.at", "[::1]:5"}},
                               {}});
  ConfigSection s = reader->section("s");
  EXPECT_EQ(s.text("text"), "a");
  EXPECT_EQ(s.real("real", -2, 2), -1.5);
  EXPECT_EQ(s.integer_or("whole", 0, 0, 10), 7);
  EXPECT_TRUE(s.boolean_or("yes", false));
  EXPECT_EQ(s.bytes_or("size", 0, 1), 2048u);
  EXPECT_THAT(s.texts_or("list", {}), ElementsAre("a", "price.>"));
  EXPECT_EQ(s.choice_or("pick", "one", {"one", "two"}), "two");
  EXPECT_EQ(s.endpoint("at", PortZero::refused).host, "::1");
  EXPECT_TRUE(reader->finish()) << reader->finish().message();
}

TEST(ConfigSection, RequiredKeysAreMissedByName) {
  auto text = [](ConfigSection& s) { s.text("k"); };
  EXPECT_EQ(problem("\n[s]\n", text),
            "test.toml:2: s.k: required but missing; add it to this section, or set OLTP20_S_K");
  EXPECT_EQ(problem("", text),
            "test.toml:1: s.k: required but missing; add a section [s] with it, or set OLTP20_S_K");
  auto reader = from_text("[[p]]\n");
  reader->list("p")[0].text("name");
  EXPECT_EQ(reader->finish().message(),
            "test.toml:1: p[1].name: required but missing; add it to this section");
}

TEST(ConfigSection, WrongTypesSayWhatWasExpected) {
  struct Case {
    const char* line;
    Read read;
    const char* message;
  };
  const Case cases[] = {
      {"k = 1", [](auto& s) { s.text("k"); }, "expected a string in quotes, found an integer"},
      {"k = ''", [](auto& s) { s.text("k"); }, "is empty; give it a value or take the line out"},
      {"k = \"a\\u0000b\"", [](auto& s) { s.text("k"); }, "contains a zero byte; take it out"},
      {"k = 'x'", [](auto& s) { s.real("k", 0, 1); },
       "expected a number, found a string (take the quotes away)"},
      {"k = 1.5", [](auto& s) { s.integer_or("k", 0, 0, 9); },
       "expected a whole number, found a number with a fraction"},
      {"k = '5'", [](auto& s) { s.integer_or("k", 0, 0, 9); },
       "expected a whole number, found a string (take the quotes away)"},
      {"k = 'true'", [](auto& s) { s.boolean_or("k", true); },
       "expected true or false, found a string (take the quotes away)"},
      {"k = 50", [](auto& s) { s.bytes_or("k", 1, 1); },
       "expected a size such as \"50GiB\" in quotes, found an integer"},
      {"k = 'a'", [](auto& s) { s.texts_or("k", {}); },
       "expected an array of strings such as [\"a\", \"b\"], found a string"},
      {"k = ['a', 1]", [](auto& s) { s.texts_or("k", {}); },
       "expected only strings in this array, found an integer"},
      {"k = 1979-05-27", [](auto& s) { s.text("k"); },
       "expected a string in quotes, found a date or time"},
      {"k = 1", [](auto& s) { s.table("k"); },
       "expected a table such as { key = value }, found an integer"},
      {"k = 'both'",
       [](auto& s) {
         s.choice_or("k", "a", {"a", "b"});
       },
       "\"both\" is not a choice here; write \"a\" or \"b\""},
  };
  for (const Case& c : cases)
    EXPECT_EQ(problem("[s]\n" + std::string(c.line) + "\n", c.read),
              "test.toml:2: s.k: " + std::string(c.message));
}

TEST(ConfigSection, RangesAreSaid) {
  auto whole = [](ConfigSection& s) { s.integer_or("k", 1, 1, 100); };
  auto real = [](ConfigSection& s) { s.real("k", -90, 90); };
  auto size = [](ConfigSection& s) { s.bytes_or("k", 1, 1 << 20); };
  EXPECT_EQ(problem("[s]\nk = 0\n", whole),
            "test.toml:2: s.k: 0 is out of range; give a whole number from 1 to 100");
  EXPECT_THAT(problem("[s]\nk = 99999999999999999999\n", whole), HasSubstr("is out of range"));
  EXPECT_EQ(problem("[s]\nk = 90.5\n", real),
            "test.toml:2: s.k: 90.5 is out of range; give a number from -90 to 90");
  EXPECT_THAT(problem("[s]\nk = nan\n", real), HasSubstr("is out of range"));
  EXPECT_EQ(problem("[s]\nk = '1KiB'\n", size),
            "test.toml:2: s.k: 1KiB is too small; give at least 1MiB");
}

TEST(ConfigSection, FilesMustBeReadableAndStartAtTheFilesDirectory) {
  auto file = [](ConfigSection& s) { s.file("k"); };
  EXPECT_EQ(problem("[s]\nk = 'CMakeLists.txt'\n", file), "");
  EXPECT_EQ(problem("[s]\nk = '/nowhere/ca.pem'\n", file),
            "test.toml:2: s.k: cannot read /nowhere/ca.pem: No such file or directory; relative "
            "paths start at the configuration file's directory");
  EXPECT_THAT(problem("[s]\nk = 'common'\n", file), HasSubstr("is a directory; name a file"));

  auto reader = ConfigReader::from_text("[s]\nk = '../b/c'\nabsolute = '/x/y'\n", "n", "/a", {});
  EXPECT_EQ(reader->section("s").path("k"), "/b/c");
  EXPECT_EQ(reader->section("s").path("absolute"), "/x/y");
}

}  // namespace
}  // namespace oltp20
