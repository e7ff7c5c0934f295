// What our triggers cost the application: commits a second of the same insert, no agent running.
#include "tests/bench/benches.h"
#include "tests/bench/load.h"

namespace oltp20::bench {
namespace {

constexpr int kClients = 8;
const std::string kPlain = "plain: the same table, no trigger";
const std::string kExact = "OLTP 2.0 exact", kFast = "OLTP 2.0 fast";
const std::string kFour = "a table of four columns and a key";
const std::string kPublished = "the same, published";

struct Source {
  std::string name, database;
};

void make_sources(test::PostgresCluster& cluster, test::Network& network,
                  const std::vector<Source>& sources) {
  for (const Source& source : sources) {
    if (source.name == kFour) {
      cluster.create_database(source.database);
      cluster.sql(source.database,
                  "create schema message; create table message.outgoing (id uuid default "
                  "gen_random_uuid() primary key, type varchar, date date, payload text)");
      continue;
    }
    network.add_spoke(source.database, cluster, source.database);
    if (source.name == kPublished) {
      cluster.sql(source.database,
                  "create schema shop; create table shop.sale (id uuid default gen_random_uuid() "
                  "primary key, type varchar, date date, payload text); "
                  "select oltp20.publish_table('shop.sale', 'shop.sale')");
      continue;
    }
    if (source.name != kExact) cluster.sql(source.database, "select oltp20.set_order('fast')");
    if (source.name == kPlain)
      cluster.sql(source.database, "drop trigger wake on message.outgoing");
  }
}

}  // namespace

void bench_commits(const Scale& scale, Report& report, const Progress& progress) {
  const std::vector<Source> sources = {{kPlain, "plain"},
                                       {kExact, "exact"},
                                       {kFast, "fast"},
                                       {kFour, "four"},
                                       {kPublished, "published"}};
  test::PostgresCluster cluster(cluster_options());
  test::Network network;
  make_sources(cluster, network, sources);
  report.set_reference("commits", kPlain);
  for (int round = 0; round < scale.commit_rounds; ++round) {
    progress("round " + std::to_string(round + 1) + " of " + std::to_string(scale.commit_rounds) +
             ": commits");
    for (const Source& source : sources)
      for (int rows : {1, 10}) {
        const std::string test =
            "8 clients, " + std::to_string(rows) + (rows == 1 ? " row" : " rows");
        cluster.sql(source.database, "checkpoint");
        const double cpu = tree_cpu_s(cluster.pid());
        const Driven driven = drive(cluster.url(source.database), kClients, rows, scale.commit_s,
                                    source.name == kPublished ? "shop.sale" : "message.outgoing");
        report.add_cpu(
            "commits", test, source.name, "A",
            (tree_cpu_s(cluster.pid()) - cpu) * 1e6 / static_cast<double>(driven.transactions));
        report.add({"commits", test, source.name, "tx/s"},
                   static_cast<double>(driven.transactions) / driven.seconds);
      }
  }
  for (const char* test : {"8 clients, 1 row", "8 clients, 10 rows"}) {
    const Subject plain{"commits", test, kPlain, "tx/s"};
    report.add_target({std::string("commits with exact, ") + test,
                       {"commits", test, kExact, "tx/s"},
                       plain,
                       0.7});
    report.add_target(
        {std::string("commits with fast, ") + test, {"commits", test, kFast, "tx/s"}, plain, 0.9});
    report.add_target({std::string("commits of a published table against exact, ") + test,
                       {"commits", test, kPublished, "tx/s"},
                       {"commits", test, kExact, "tx/s"},
                       0.7});
  }
}

}  // namespace oltp20::bench
