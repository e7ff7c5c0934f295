// Eight writers for 30 s, while spoke, hub and destination database are killed in turn every 2 s.
#include <gtest/gtest.h>

#include <atomic>
#include <pqxx/pqxx>
#include <thread>

#include "tests/support/network.h"

namespace oltp20::test {
namespace {

const std::string kDb = "oltp20_framework";
constexpr int kWriters = 8;
constexpr int kSeconds = 30;

// Transactions of one to five rows that say how many they are; payload "WRITER.N.LINE/LINES".
// Before each commit the writer updates a row that all writers share, so that commit order is
// causal and known: the counter that it read.
void write(const std::string& url, int writer, std::atomic<bool>& stop,
           std::atomic<long>& committed) {
  pqxx::connection connection(url);
  for (long n = 1; !stop; ++n) {
    pqxx::work work(connection);
    int lines = 1 + static_cast<int>(n % 5);
    for (int line = 1; line <= lines; ++line)
      work.exec("insert into message.outgoing (type, payload) values ('chaos', '" +
                std::to_string(writer) + "." + std::to_string(n) + "." + std::to_string(line) +
                "/" + std::to_string(lines) + "')");
    if (n % 10 == 0) work.exec("update shared set n = n + 1");
    if (n % 7 == 3) {
      work.abort();
      continue;
    }
    work.commit();
    committed += lines;
    sleep_s(0.002);
  }
}

// Never must a reader see half a transaction.
void watch(const std::string& url, std::atomic<bool>& stop, std::atomic<long>& torn,
           std::atomic<long>& looks, std::atomic<long>& cut_off) {
  while (!stop) {
    try {
      pqxx::connection connection(url);
      while (!stop) {
        pqxx::work work(connection);
        torn +=
            work.exec(
                    "select count(*) from (select seq from message.incoming group by origin, "
                    "epoch, seq having count(*) <> max(split_part(payload, '/', 2)::int)) t")[0][0]
                .as<long>();
        ++looks;
        sleep_s(0.05);
      }
    } catch (const std::exception&) {
      ++cut_off;  // its database is being killed
      sleep_s(0.05);
    }
  }
}

TEST(Chaos, NothingIsLostDoubledTornOrReordered) {
  PostgresCluster a, b;
  Network net;
  net.add_spoke("a", a);
  net.add_spoke("b", b);
  a.sql(kDb, "create table shared (n bigint); insert into shared values (0)");
  net.start_hub();
  net.start_spoke("a");
  net.start_spoke("b");
  net.wait_until_attached("a");
  net.wait_until_attached("b");

  std::atomic<bool> stop{false}, stop_watching{false};
  std::atomic<long> committed{0}, torn{0}, looks{0}, cut_off{0};
  std::vector<std::thread> writers;
  for (int writer = 1; writer <= kWriters; ++writer)
    writers.emplace_back([&, writer] { write(a.url(kDb), writer, stop, committed); });
  std::thread watcher([&] { watch(b.url(kDb), stop_watching, torn, looks, cut_off); });

  const double end = now_s() + kSeconds;
  for (int round = 0; now_s() < end; ++round) {
    sleep_s(2);
    switch (round % 4) {
      case 0:
        net.spoke("a").kill9();
        net.start_spoke("a");
        break;
      case 1:
        net.hub().kill9();
        net.start_hub();
        break;
      case 2:
        b.kill9();
        b.start();
        break;
      case 3:
        net.spoke("b").kill9();
        net.start_spoke("b");
        break;
    }
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();
  const std::string sent = a.sql(kDb, "select count(*) from message.outgoing where type = 'chaos'");
  EXPECT_EQ(sent, std::to_string(committed));
  EXPECT_TRUE(eventually(90, [&] {
    return b.sql(kDb, "select count(*) from message.incoming") >= sent &&
           std::stol(b.sql(kDb, "select count(*) from message.incoming")) >= committed;
  })) << net.logs();
  stop_watching = true;
  watcher.join();

  EXPECT_EQ(b.sql(kDb, "select count(*) from message.incoming"), sent) << "lost or doubled";
  EXPECT_EQ(b.sql(kDb, "select count(distinct payload) from message.incoming"), sent) << "doubled";
  EXPECT_EQ(torn, 0) << "half a transaction was visible";
  EXPECT_GT(looks, 20);
  EXPECT_GE(cut_off, 3) << "the destination's database was not really killed";
  // Order of one origin: what was written by one writer has the order in which it was committed,
  // and seq has no holes.
  EXPECT_EQ(b.sql(kDb,
                  "select count(*) from (select split_part(payload, '.', 2)::int as n, "
                  "lag(split_part(payload, '.', 2)::int) over (partition by "
                  "split_part(payload, '.', 1) order by seq, position) as before from "
                  "message.incoming) t where before > n"),
            "0")
      << "reordered";
  EXPECT_EQ(b.sql(kDb,
                  "select count(distinct epoch) || ' ' || (max(seq) = count(distinct seq)) "
                  "from message.incoming"),
            "1 true")
      << read_text(net.path("a.log"));
  EXPECT_EQ(b.sql(kDb, "select count(*) from oltp20.gap"), "0");
  EXPECT_EQ(b.sql(kDb, "select count(*) from oltp20.dead_letter"), "0");
  std::printf("%s rows, %ld looks at the destination\n", sent.c_str(), looks.load());
}

}  // namespace
}  // namespace oltp20::test
