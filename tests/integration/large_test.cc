// A transaction of 100,000 rows arrives whole, and neither agent nor hub holds it in memory.
#include <gtest/gtest.h>

#include "tests/support/network.h"

namespace oltp20::test {
namespace {

TEST(Large, AHundredThousandRowsArriveWholeWithBoundedMemory) {
  const std::string db = "oltp20_framework";
  PostgresCluster a, b;
  Network net;
  net.start_pair(a, b);
  // Warm, so that what the process needs anyway is not counted.
  a.sql(db, "insert into message.outgoing (type, payload) values ('warm', 'x')");
  ASSERT_TRUE(
      eventually(10, [&] { return b.sql(db, "select count(*) from message.incoming") == "1"; }));
  const std::size_t hub_before = net.hub().peak_bytes();
  const std::size_t a_before = net.spoke("a").peak_bytes();
  const std::size_t b_before = net.spoke("b").peak_bytes();

  // About 100 MB in one transaction.
  a.sql(db,
        "insert into message.outgoing (type, payload) select 'bulk', n || repeat('x', 1000) "
        "from generate_series(1, 100000) n");
  a.sql(db, "insert into message.outgoing (type, payload) values ('after', 'x')");
  std::string seen;
  ASSERT_TRUE(eventually(90, [&] {
    seen = b.sql(db, "select count(*) from message.incoming where type = 'bulk'");
    EXPECT_TRUE(seen == "0" || seen == "100000") << "half a transaction is visible: " << seen;
    return seen != "0";
  })) << net.logs();
  EXPECT_EQ(b.sql(db,
                  "select count(distinct xmin::text) || ' ' || count(distinct payload) || ' ' "
                  "|| max(position) from message.incoming where type = 'bulk'"),
            "1 100000 99999");
  EXPECT_TRUE(eventually(10, [&] {
    return b.sql(db, "select count(*) from message.incoming where type = 'after'") == "1";
  })) << "what follows is not held up";

  const std::size_t most = 96 << 20;  // windows, memtable and pages; the transaction has 100 MB
  EXPECT_LT(net.hub().peak_bytes() - hub_before, most);
  EXPECT_LT(net.spoke("a").peak_bytes() - a_before, std::size_t{24} << 20);
  EXPECT_LT(net.spoke("b").peak_bytes() - b_before, std::size_t{32} << 20);
  RecordProperty("hub_growth", std::to_string(net.hub().peak_bytes() - hub_before));
  std::printf("peak growth: hub %zu MiB, origin %zu MiB, destination %zu MiB\n",
              (net.hub().peak_bytes() - hub_before) >> 20,
              (net.spoke("a").peak_bytes() - a_before) >> 20,
              (net.spoke("b").peak_bytes() - b_before) >> 20);
}

}  // namespace
}  // namespace oltp20::test
