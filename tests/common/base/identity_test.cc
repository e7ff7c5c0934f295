#include "common/base/identity.h"

#include <gtest/gtest.h>

namespace oltp20 {
namespace {

TEST(Identity, RoundTrips) {
  for (const char* uri :
       {"spiffe://demo.example/region/eu-west/spoke/store-17",
        "spiffe://demo.example/region/eu-west/hub/eu-west", "spiffe://demo.example/admin/ops"}) {
    auto identity = parse_identity(uri);
    ASSERT_TRUE(identity) << uri;
    EXPECT_EQ(identity->uri(), uri);
  }
  EXPECT_EQ(parse_identity("spiffe://d/region/r/spoke/s")->label(), "spoke/s");
}

TEST(Identity, AnythingElseIsRefusedAndNamed) {
  for (const char* uri :
       {"", "https://d/region/r/spoke/s", "spiffe://d", "spiffe://d/spoke/s",
        "spiffe://d/region/r/spoke", "spiffe://d/region/r/spoke/s/x", "spiffe://d/region//spoke/s",
        "spiffe://d/region/r/node/s", "spiffe://d/region/r/spoke/s%20s"}) {
    auto identity = parse_identity(uri);
    ASSERT_FALSE(identity) << uri;
    EXPECT_NE(identity.status().message().find("certs/issue"), std::string::npos);
  }
}

}  // namespace
}  // namespace oltp20
