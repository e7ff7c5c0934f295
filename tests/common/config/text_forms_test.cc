#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/config/endpoint.h"
#include "common/config/size_text.h"
#include "common/config/suggest.h"

namespace oltp20 {
namespace {

using testing::HasSubstr;

TEST(Size, Units) {
  EXPECT_EQ(*parse_size("50GiB"), 53687091200u);
  EXPECT_EQ(*parse_size("512 MiB"), 536870912u);
  EXPECT_EQ(*parse_size("3KB"), 3000u);
  EXPECT_EQ(*parse_size("17"), 17u);
  EXPECT_EQ(*parse_size("16777215TiB"), 16777215ull << 40);
  for (std::uint64_t bytes : {0ull, 1ull, 1000ull, 1024ull, 1ull << 50, 53687091200ull})
    EXPECT_EQ(*parse_size(size_text(bytes)), bytes);
  EXPECT_EQ(size_text(53687091200u), "50GiB");
}

TEST(Size, WhatIsNotOneIsExplained) {
  EXPECT_EQ(parse_size("50Gib").status().message(),
            "\"50Gib\" is not a size: the unit is not one of B, KiB, MiB, GiB, TiB, KB, MB, GB, "
            "TB; write a whole number and a unit, such as \"50GiB\" or \"512MiB\"");
  for (const char* bad :
       {"", "GiB", "-1", "+1", "1.5GiB", "1 GiB ", "99999999999999999999", "16777216TiB"})
    EXPECT_THAT(parse_size(bad).status().message(), HasSubstr("is not a size")) << bad;
}

TEST(Endpoint, Forms) {
  EXPECT_EQ(parse_endpoint("127.0.0.1:7420", PortZero::refused)->port, 7420);
  EXPECT_EQ(parse_endpoint("hub-1.example:1", PortZero::refused)->host, "hub-1.example");
  EXPECT_EQ(parse_endpoint("[::1]:65535", PortZero::refused)->text(), "[::1]:65535");
  EXPECT_TRUE(parse_endpoint("127.0.0.1:0", PortZero::allowed));
}

TEST(Endpoint, WhatIsNotOneIsExplained) {
  auto message = [](const char* text) {
    return parse_endpoint(text, PortZero::refused).status().message();
  };
  EXPECT_EQ(message("localhost"),
            "\"localhost\" is not HOST:PORT: there is no port; write for instance "
            "\"127.0.0.1:7420\" or \"[::1]:7420\"");
  EXPECT_THAT(message(":7420"), HasSubstr("there is no host"));
  EXPECT_THAT(message("::1:7420"), HasSubstr("an IPv6 address needs brackets"));
  EXPECT_THAT(message("[::g]:7420"), HasSubstr("not an IPv6 address"));
  EXPECT_THAT(message("http://h:1"), HasSubstr("an IPv6 address needs brackets"));
  EXPECT_THAT(message("a b:1"), HasSubstr("a character that host names do not have"));
  EXPECT_THAT(message("h:0"), HasSubstr("port 0 is nowhere to connect to"));
  for (const char* bad : {"h:", "h:65536", "h:-1", "h:7x", "h: 7"})
    EXPECT_THAT(message(bad), HasSubstr("the port is not a number")) << bad;
}

TEST(Endpoint, LoopbackIsThisMachineOnly) {
  for (const char* text : {"127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1"})
    EXPECT_TRUE(parse_endpoint(text, PortZero::refused)->is_loopback()) << text;
  for (const char* text : {"0.0.0.0:1", "10.0.0.1:1", "[::]:1", "127.example:1"})
    EXPECT_FALSE(parse_endpoint(text, PortZero::refused)->is_loopback()) << text;
}

TEST(Suggest, OnlyWhatIsClose) {
  EXPECT_EQ(closest_word("listn", {"name", "listen"}), "listen");
  EXPECT_EQ(closest_word("horizon", {"horizon_hours", "max_bytes"}), "");
  EXPECT_EQ(closest_word("zz", {"listen"}), "");
  EXPECT_EQ(closest_word(std::string(100000, 'a'), {"listen"}), "");
  EXPECT_EQ(suggestion("zz", {"a", "b"}), "; known here: a, b");
}

}  // namespace
}  // namespace oltp20
