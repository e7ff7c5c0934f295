#include "common/config/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/common/config/config_text.h"

namespace oltp20 {
namespace {

using testing::HasSubstr;

// Reads [hub] name, listen and [[peer]] name, as a program would.
Status read_like_a_program(std::string_view text, ConfigOverrides overrides = {}) {
  auto reader = from_text(text, std::move(overrides));
  if (!reader) return reader.status();
  ConfigSection hub = reader->section("hub");
  hub.text_or("name", "");
  hub.text_or("listen", "");
  for (ConfigSection peer : reader->list("peer")) peer.text_or("name", "");
  return reader->finish();
}

TEST(ConfigReader, AcceptsWhatWasAskedFor) {
  EXPECT_TRUE(read_like_a_program("[hub]\nname = 'a'\n[[peer]]\nname = 'b'\n"));
  EXPECT_TRUE(read_like_a_program(""));
}

TEST(ConfigReader, UnknownKeyNamesFileLineAndTheLikelyKey) {
  Status status = read_like_a_program("[hub]\nname = 'a'\nlisten_ = 'x'\n");
  EXPECT_EQ(status.code(), Code::invalid);
  EXPECT_EQ(status.message(), "test.toml:3: hub.listen_: unknown key; did you mean \"listen\"?");
  EXPECT_EQ(read_like_a_program("[hub]\nzzzzzzzz = 1\n").message(),
            "test.toml:2: hub.zzzzzzzz: unknown key; known here: listen, name");
  EXPECT_EQ(read_like_a_program("[[peer]]\nname='a'\n[[peer]]\nnane='b'\n").message(),
            "test.toml:4: peer[2].nane: unknown key; did you mean \"name\"?");
}

TEST(ConfigReader, UnknownSectionAndKeyOutsideOfSections) {
  EXPECT_EQ(read_like_a_program("\n[hubb]\nname = 'a'\n").message(),
            "test.toml:2: hubb: unknown section; did you mean \"hub\"?");
  EXPECT_EQ(read_like_a_program("name = 'a'\n").message(),
            "test.toml:1: name: unknown key outside of any section; known here: hub, peer");
}

TEST(ConfigReader, SectionAndListAreNotExchangeable) {
  EXPECT_EQ(read_like_a_program("[[hub]]\nname = 'a'\n").message(),
            "test.toml:1: hub: expected the section [hub], found an array");
  EXPECT_EQ(read_like_a_program("[peer]\nname = 'a'\n").message(),
            "test.toml:1: peer: expected a list whose items each begin with [[peer]], found a "
            "table");
  EXPECT_EQ(read_like_a_program("peer = [1]\n").message(),
            "test.toml:1: peer: expected a list whose items each begin with [[peer]], found an "
            "integer");
}

TEST(ConfigReader, MalformedTextIsOneSentenceWithItsLine) {
  EXPECT_EQ(read_like_a_program("[hub]\nname = \n").message(),
            "test.toml:2: missing value after key-value separator '='; expected value, but got "
            "nothing; correct this line");
  EXPECT_THAT(read_like_a_program("a = 1\nx = \"open\n").message(), HasSubstr("test.toml:2: "));
  EXPECT_THAT(read_like_a_program("\xff\xfe = 1\n").message(), HasSubstr("test.toml:1: "));
}

TEST(ConfigReader, DuplicatesAreRefused) {
  EXPECT_EQ(read_like_a_program("[hub]\nname = 'a'\nname = 'b'\n").message(),
            "test.toml:3: value (\"name\") already exists.; value already exists here; value "
            "defined twice; correct this line");
  EXPECT_THAT(read_like_a_program("[hub]\nname = 'a'\n[hub]\nlisten = 'b'\n").message(),
              HasSubstr("test.toml:3: table (\"hub\") already exists"));
}

TEST(ConfigReader, AllProblemsAreListedInTheOrderOfTheFile) {
  Status status =
      read_like_a_program("[hub]\nlisten = 5\nnames = 'a'\n[[peer]]\nname = true\n[x]\n");
  EXPECT_EQ(status.message(),
            "test.toml:2: hub.listen: expected a string in quotes, found an integer\n"
            "test.toml:3: hub.names: unknown key; did you mean \"name\"?\n"
            "test.toml:5: peer[1].name: expected a string in quotes, found a boolean\n"
            "test.toml:6: x: unknown section; known here: hub, peer");
}

TEST(ConfigReader, FlagsWinOverTheEnvironmentWhichWinsOverTheFile) {
  auto name_with = [](ConfigOverrides overrides) {
    auto reader = from_text("[hub]\nname = 'file'\n", std::move(overrides));
    std::string name = reader->section("hub").text("name");
    EXPECT_TRUE(reader->finish());
    return name;
  };
  EXPECT_EQ(name_with({}), "file");
  EXPECT_EQ(name_with({{}, {{"OLTP20_HUB_NAME", "environment"}}}), "environment");
  EXPECT_EQ(name_with({{{"hub.name", "flag"}}, {{"OLTP20_HUB_NAME", "environment"}}}), "flag");
}

TEST(ConfigReader, OverridesReachWhatTheFileDoesNotHave) {
  auto reader =
      from_text("", {{{"hub.location.latitude", "53.5"}}, {{"OLTP20_HUB_DATA_DIR", "d"}}});
  EXPECT_EQ(reader->section("hub").text("data_dir"), "d");
  EXPECT_EQ(reader->section("hub").table("location").real("latitude", -90, 90), 53.5);
  EXPECT_TRUE(reader->finish());
}

TEST(ConfigReader, UnknownOverridesAreNamed) {
  EXPECT_EQ(read_like_a_program("", {{{"hub.nam", "x"}}, {}}).message(),
            "flag hub.nam: unknown key; did you mean \"hub.name\"?");
  EXPECT_EQ(read_like_a_program("", {{}, {{"OLTP20_HUB_LISTN", "x"}}}).message(),
            "environment variable OLTP20_HUB_LISTN: unknown key; did you mean "
            "\"OLTP20_HUB_LISTEN\"?");
  // Another program's section, and a list.
  EXPECT_TRUE(read_like_a_program("", {{}, {{"OLTP20_SPOKE_NAME", "x"}}}));
  EXPECT_TRUE(read_like_a_program("", {{}, {{"OLTP20_PEER_NAME", "x"}}}));
}

TEST(ConfigReader, ABadOverrideIsBlamedAndNotTheFile) {
  auto reader = from_text("[j]\nhours = 5\n", {{}, {{"OLTP20_J_HOURS", "5h"}}});
  reader->section("j").integer_or("hours", 1, 1, 10);
  EXPECT_EQ(reader->finish().message(),
            "environment variable OLTP20_J_HOURS: j.hours: expected a whole number, found \"5h\"");
}

TEST(ConfigReader, AMissingFileSaysWhatToDo) {
  auto reader = ConfigReader::open("nowhere/hub.toml", {});
  EXPECT_EQ(reader.status().code(), Code::not_found);
  EXPECT_EQ(reader.status().message(),
            "nowhere/hub.toml: cannot read the file: No such file or directory; check the path and "
            "its permissions");
  EXPECT_THAT(ConfigReader::open(".", {}).status().message(), HasSubstr("it is a directory"));
}

TEST(ConfigOverrides, TakeThisProcessesEnvironment) {
  ASSERT_EQ(setenv("OLTP20_HUB_NAME", "a=b", 1), 0);
  ASSERT_EQ(setenv("OLTP20_HUB_LISTEN", "", 1), 0);
  ASSERT_EQ(setenv("OLTP2_HUB_NAME", "x", 1), 0);
  auto overrides = ConfigOverrides::from_environment();
  EXPECT_EQ(overrides.environment["OLTP20_HUB_NAME"], "a=b");
  EXPECT_FALSE(overrides.environment.contains("OLTP20_HUB_LISTEN"));
  EXPECT_FALSE(overrides.environment.contains("OLTP2_HUB_NAME"));
  unsetenv("OLTP20_HUB_NAME");
  unsetenv("OLTP20_HUB_LISTEN");
  unsetenv("OLTP2_HUB_NAME");
}

TEST(ConfigOverrides, FlagsHaveAForm) {
  ConfigOverrides overrides;
  EXPECT_TRUE(overrides.add_flag("hub.name=a=b"));
  EXPECT_EQ(overrides.flags["hub.name"], "a=b");
  EXPECT_EQ(overrides.add_flag("hub.name=c").message(),
            "flag hub.name is given twice; give it once");
  for (const char* bad : {"", "hub", "hub=x", ".a=x", "hub.=x", "=a.b"})
    EXPECT_THAT(overrides.add_flag(bad).message(), HasSubstr("is not SECTION.KEY=VALUE")) << bad;
}

}  // namespace
}  // namespace oltp20
