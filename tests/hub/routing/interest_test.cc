#include "hub/routing/interest.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/subject.h"
#include "tests/sim/dice.h"

namespace oltp20::hub::routing {
namespace {

TEST(Interest, CoversAsMatchingSays) {
  EXPECT_TRUE(pattern_covers(">", "a.b"));
  EXPECT_TRUE(pattern_covers("a.>", "a.b.>"));
  EXPECT_TRUE(pattern_covers("a.*", "a.b"));
  EXPECT_FALSE(pattern_covers("a.*", "a.>"));
  EXPECT_FALSE(pattern_covers("a.b", "a.*"));
  EXPECT_FALSE(pattern_covers("a.>", "a"));
  EXPECT_FALSE(pattern_covers("a", "a.b"));
}

TEST(Interest, ThatFitsIsKeptButForWhatIsCovered) {
  EXPECT_EQ(coarsen({"b", "a.x", "a.>", "b"}, 8), (std::vector<std::string>{"a.>", "b"}));
}

TEST(Interest, JoinsWhatHasMostInCommonFirst) {
  EXPECT_EQ(coarsen({"order.eu.new", "order.eu.paid", "order.us.new", "greeting"}, 3),
            (std::vector<std::string>{"greeting", "order.eu.>", "order.us.new"}));
  EXPECT_EQ(coarsen({"a", "b", "c"}, 2), (std::vector<std::string>{"*"}));
  EXPECT_EQ(coarsen({"a", "b.c"}, 1), (std::vector<std::string>{">"}));
}

TEST(Interest, IsBoundedAndNeverLosesAnything) {
  sim::Dice dice(1, "interest");
  const auto word = [&] { return std::string(1, static_cast<char>('a' + dice.below(6))); };
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> asked, types;
    for (std::uint64_t i = 0; i < 1 + dice.below(40); ++i) {
      std::string pattern = word();
      for (std::uint64_t more = dice.below(4); more > 0; --more)
        pattern += "." + (dice.chance(10) ? "*" : word());
      if (dice.chance(15)) pattern += ".>";
      asked.push_back(pattern);
    }
    const std::size_t most = 1 + dice.below(10);
    const auto got = coarsen(asked, most);
    ASSERT_LE(got.size(), most);
    ASSERT_TRUE(std::is_sorted(got.begin(), got.end()));
    for (int i = 0; i < 200; ++i) {
      std::string type = word();
      for (std::uint64_t more = dice.below(5); more > 0; --more) type += "." + word();
      ASSERT_TRUE(!any_subject_matches(asked, type) || any_subject_matches(got, type)) << type;
    }
    for (const std::string& pattern : got) ASSERT_TRUE(check_pattern(pattern).is_ok()) << pattern;
  }
}

}  // namespace
}  // namespace oltp20::hub::routing
