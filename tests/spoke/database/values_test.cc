#include "spoke/database/values.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <stdexcept>

namespace oltp20::spoke {
namespace {

TEST(Values, UuidsAndByteasGoBothWays) {
  const std::string raw("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\xff", 16);
  EXPECT_EQ(uuid_text(raw), "00010203-0405-0607-0809-0a0b0c0d0eff");
  EXPECT_EQ(uuid_bytes(uuid_text(raw)), raw);
  EXPECT_EQ(bytea_bytes(bytea_text(raw)), raw);
  EXPECT_THROW(uuid_bytes("00010203"), std::runtime_error);
  EXPECT_THROW(bytea_bytes("0001"), std::runtime_error);
}

TEST(Values, TimestampsAreExactToTheMicrosecond) {
  for (std::int64_t us : {std::int64_t{0}, std::int64_t{1'623'283'200'123'456}, std::int64_t{-1},
                          std::int64_t{253'402'300'799'999'999}})
    EXPECT_EQ(timestamp_us(timestamp_text(us)), us) << timestamp_text(us);
  EXPECT_EQ(timestamp_us("1970-01-01 00:00:01.5+00"), 1'500'000);
  EXPECT_EQ(timestamp_text(-1), "1969-12-31 23:59:59.999999+00");
  for (const char* bad : {"infinity", "2021-06-10", "2021-06-10 10:00:00+02", ""})
    EXPECT_THROW(timestamp_us(bad), std::runtime_error) << bad;
}

TEST(Values, DatesCountFrom2000) {
  EXPECT_EQ(date_text(0), "2000-01-01");
  EXPECT_EQ(date_text(7831), "2021-06-10");
  EXPECT_EQ(date_text(-730485), "0001-01-01 BC");
  EXPECT_EQ(date_text(std::numeric_limits<std::int32_t>::min()), "-infinity");
  EXPECT_EQ(date_text(std::numeric_limits<std::int32_t>::max()), "infinity");
}

}  // namespace
}  // namespace oltp20::spoke
