// Rows that are addressed: to a spoke, to a region, to nobody who is there, to one who may not have
// them. Region and name are those of certificates.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/network.h"

namespace oltp20::test {
namespace {

using ::testing::HasSubstr;

const std::string kDb = "oltp20_framework";
const std::string kPolicy =
    "[[rule]]\nwho = \"spoke/a\"\npublish = [\">\"]\nsubscribe = [\"order.>\"]\n"
    "[[rule]]\nwho = \"spoke/b\"\npublish = [\">\"]\nsubscribe = [\"order.>\"]\n"
    "[[rule]]\nwho = \"region/us\"\npublish = [\">\"]\nsubscribe = [\"order.>\", \"fill.>\"]\n"
    "[[rule]]\nwho = \"region/eu\"\n"
    "[[rule]]\nwho = \"spoke/c\"\n[[rule]]\nwho = \"spoke/d\"\n"  // so that they may be named
    "[[rule]]\nwho = \"admin/*\"\nadmin = [\"read\", \"write\"]\n";

struct Addressing : ::testing::Test {
  Addressing() {
    net.policy = kPolicy;
    net.add_spoke("a", a);
    net.add_spoke("b", b);
    net.add_spoke("c", c, kDb, "us");
    net.add_spoke("d", d, kDb, "us");
    net.start_hub();
    for (const char* name : {"a", "b", "c", "d"}) net.start_spoke(name);
    for (const char* name : {"a", "b", "c", "d"}) net.wait_until_attached(name);
  }
  void send(const std::string& type, const std::string& payload, const std::string& destination) {
    a.sql(kDb, "insert into message.outgoing (type, payload, destination) values ('" + type +
                   "', '" + payload + "', " +
                   (destination.empty() ? "null" : "'" + destination + "'") + ")");
  }
  static std::string received(PostgresCluster& at) {
    return at.sql(kDb,
                  "select string_agg(payload, ' ' order by seq, position) from "
                  "message.incoming");
  }
  std::string rejected(const std::string& payload) {
    return a.sql(kDb,
                 "select r.code || ': ' || r.reason from oltp20.rejected r join message.outgoing o "
                 "on o.id = any (r.ids) where o.payload = '" +
                     payload + "'");
  }
  PostgresCluster a, b, c, d;
  Network net;
};

TEST_F(Addressing, RowsReachWhomTheyNameAndNobodyElse) {
  send("order.new", "to-b", "spoke/b");
  send("order.new", "to-us", "region/us");
  send("fill.all", "to-c", "spoke/c");
  send("order.new", "to-eu", "region/eu");
  a.sql(kDb,
        "insert into message.outgoing (type, payload, destination) values "
        "('order.new', 'of-three-b', 'spoke/b'), ('order.new', 'of-three-d', 'spoke/d'), "
        "('order.new', 'of-three-all', null)");
  send("order.new", "to-all", "");
  EXPECT_TRUE(eventually(10, [&] {
    return received(b).ends_with("to-all") && received(c).ends_with("to-all") &&
           received(d).ends_with("to-all");
  })) << net.logs();
  EXPECT_EQ(received(b), "to-b to-eu of-three-b of-three-all to-all");
  EXPECT_EQ(received(c), "to-us to-c of-three-all to-all");
  EXPECT_EQ(received(d), "to-us of-three-d of-three-all to-all");
  EXPECT_EQ(received(a), "") << "nothing comes back";
  EXPECT_EQ(a.sql(kDb, "select count(*) from oltp20.rejected"), "0");
}

TEST_F(Addressing, TheUnknownAndTheForbiddenComeBackWithTheReason) {
  send("order.new", "nobody", "spoke/nobody");
  send("order.new", "nowhere", "region/mars");
  send("secret.plan", "forbidden", "spoke/b");
  send("secret.plan", "forbidden-region", "region/us");
  send("order.new", "good", "spoke/b");
  EXPECT_TRUE(eventually(10, [&] { return received(b) == "good"; })) << net.logs();
  EXPECT_TRUE(
      eventually(5, [&] { return a.sql(kDb, "select count(*) from oltp20.rejected") == "4"; }));
  EXPECT_EQ(rejected("nobody"),
            "destination_unknown: the hub's policy names no destination spoke/nobody: correct the "
            "row's destination, or add a [[rule]] for it");
  EXPECT_THAT(rejected("nowhere"), HasSubstr("destination_unknown"));
  EXPECT_THAT(rejected("nowhere"), HasSubstr("region/mars"));
  EXPECT_EQ(rejected("forbidden"),
            "destination_denied: the hub's policy lets nobody at spoke/b receive type secret.plan: "
            "correct the row's destination, or add the type to subscribe of its [[rule]]");
  EXPECT_THAT(rejected("forbidden-region"), HasSubstr("destination_denied"));
}

TEST_F(Addressing, AKnownDestinationThatIsAwayGetsItWhenItComes) {
  net.spoke("b").stop();
  send("order.new", "while away", "spoke/b");
  sleep_s(0.3);
  net.start_spoke("b");
  EXPECT_TRUE(eventually(10, [&] { return received(b) == "while away"; })) << net.logs();
  EXPECT_EQ(received(c), "");
}

}  // namespace
}  // namespace oltp20::test
