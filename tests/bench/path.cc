#include "tests/bench/path.h"

#include <stdexcept>

namespace oltp20::bench {
namespace {

const std::string kDb = "oltp20_framework";
constexpr double kAttachSeconds = 30;

// Notifies with what stands in front of the payload's first '|'.
std::string probe_trigger(const std::string& table) {
  return "create function public.probe() returns trigger language plpgsql as $$ begin "
         "perform pg_notify('probe', split_part(new.payload, '|', 1)); return null; end $$; "
         "create trigger probe after insert on " +
         table + " for each row when (new.type = '" + kProbe +
         "') execute function public.probe(); alter table " + table +
         " enable always trigger probe";
}

}  // namespace

const char* const kInsert =
    "insert into message.outgoing (type, date, payload) values ($1, current_date, $2)";
const char* const kProbe = "bench.probe";

test::ClusterOptions cluster_options() {
  return {.settings = {{"wal_level", "logical"},
                       {"shared_buffers", "512MB"},
                       {"max_wal_size", "8GB"},
                       {"synchronous_commit", "on"},
                       // A subscription that was enabled begins at once, not up to 5 s later.
                       {"wal_retrieve_retry_interval", "50ms"},
                       {"max_connections", "40"}},
          .own_identity = false};
}

// ---- native -------------------------------------------------------------------------------------

NativePath::NativePath(std::string name, std::shared_ptr<Servers> servers,
                       std::string synchronous_commit)
    : Path(std::move(name)),
      servers_(std::move(servers)),
      synchronous_commit_(std::move(synchronous_commit)) {}

std::shared_ptr<Servers> NativePath::make_servers() {
  auto servers = std::make_shared<Servers>();
  for (test::PostgresCluster* cluster : {&servers->a, &servers->b}) {
    cluster->create_database(kDb);
    cluster->sql(kDb,
                 "create schema message; create table message.outgoing (id uuid default "
                 "gen_random_uuid() primary key, type varchar, date date, payload text)");
  }
  servers->a.sql(kDb,
                 "create publication bench for table message.outgoing with (publish = 'insert')");
  servers->b.sql(kDb, probe_trigger("message.outgoing"));
  servers->b.sql(kDb, "create subscription bench connection '" + servers->a.url(kDb) +
                          "' publication bench with (copy_data = false)");
  return servers;
}

std::string NativePath::source() const {
  return servers_->a.url(kDb);
}
std::string NativePath::destination() const {
  return servers_->b.url(kDb);
}

void NativePath::prepare() {
  servers_->b.sql(
      kDb, "alter subscription bench set (synchronous_commit = '" + synchronous_commit_ + "')");
  servers_->a.sql(kDb, "truncate message.outgoing");  // not published: publish = 'insert'
  servers_->b.sql(kDb, "truncate message.outgoing");
  servers_->a.sql(kDb, "checkpoint");
  servers_->b.sql(kDb, "checkpoint");
}

void NativePath::pause() {
  servers_->b.sql(kDb, "alter subscription bench disable");
  const bool ended = test::eventually(10, [&] {
    return servers_->a.sql(kDb, "select count(*) from pg_replication_slots where active") == "0";
  });
  if (!ended) throw std::runtime_error("the subscription does not stop");
}

void NativePath::resume() {
  servers_->b.sql(kDb, "alter subscription bench enable");
}

std::int64_t NativePath::rows_arrived() const {
  return std::stoll(servers_->b.sql(kDb, "select count(*) from message.outgoing"));
}

CpuTimes NativePath::cpu() const {
  return {{"A", tree_cpu_s(servers_->a.pid())}, {"B", tree_cpu_s(servers_->b.pid())}};
}

// ---- ours ---------------------------------------------------------------------------------------

OurPath::OurPath(std::string name) : Path(std::move(name)) {
  network_.add_spoke("a", servers_.a, kDb);
  network_.add_spoke("b", servers_.b, kDb);
  servers_.b.sql(kDb, probe_trigger("message.incoming"));
  network_.start_hub();
  network_.start_spoke("a");
  network_.start_spoke("b");
  network_.wait_until_attached("a", kAttachSeconds);
  network_.wait_until_attached("b", kAttachSeconds);
}

std::string OurPath::source() const {
  return servers_.a.url(kDb);
}
std::string OurPath::destination() const {
  return servers_.b.url(kDb);
}

void OurPath::prepare() {
  servers_.a.sql(kDb, "checkpoint");
  servers_.b.sql(kDb, "checkpoint");
}

void OurPath::pause() {
  if (network_.spoke("a").stop() != 0) throw std::runtime_error(network_.logs());
}

void OurPath::resume() {
  network_.start_spoke("a");
}

std::int64_t OurPath::rows_arrived() const {
  return std::stoll(servers_.b.sql(kDb, "select count(*) from message.incoming"));
}

// The origin's agent begins again with resume(), and its count with it.
CpuTimes OurPath::cpu() const {
  auto& network = const_cast<test::Network&>(network_);
  test::Process& origin = network.spoke("a");
  return {{"A", tree_cpu_s(servers_.a.pid())},
          {"origin spoke", origin.running() ? tree_cpu_s(origin.pid()) : 0},
          {"hub", tree_cpu_s(network.hub().pid())},
          {"destination spoke", tree_cpu_s(network.spoke("b").pid())},
          {"B", tree_cpu_s(servers_.b.pid())}};
}

}  // namespace oltp20::bench
