// Installing, versions, grants, refusal sentences, taking out again.
#include <atomic>
#include <thread>

#include "tests/spoke/database/fixture.h"

namespace oltp20::spoke {
namespace {

class InstallTest : public DatabaseTest {
 protected:
  Status open_status() const { return make_pg_outbox({agent_url(), "exact"})->open().status(); }
  static bool says(const Status& status, const std::string& part) {
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
    return !status.is_ok();
  }
};

TEST_F(InstallTest, TwiceIsHarmlessAndKeepsWhatIsThere) {
  send("kept");
  const std::string before =
      sql("select string_agg(checksum || applied_at, ',' order by number) "
          "from oltp20.migration");
  const std::string epoch = sql("select id from oltp20.epoch");
  install_here();
  EXPECT_EQ(sql("select string_agg(checksum || applied_at, ',' order by number) "
                "from oltp20.migration"),
            before);
  EXPECT_EQ(sql("select id from oltp20.epoch"), epoch);
  auto [outbox, state] = open_outbox();
  Tick last = state.last_tick;
  EXPECT_EQ(capture(*outbox, last), Strings{"kept"});
}

TEST_F(InstallTest, AnotherVersionOrNoSchemaIsNamedWithTheRemedy) {
  const std::string newest = sql("select max(number) from oltp20.migration");
  sql("insert into oltp20.migration values (" + newest + " + 1, 'future', 'x')");
  EXPECT_TRUE(says(open_status(), "newer than this program's"));
  EXPECT_TRUE(says(install({admin_url(), agent_url(), "exact"}), "Upgrade oltp20-spoke"));
  sql("delete from oltp20.migration where number >= " + newest);
  EXPECT_TRUE(says(open_status(), "older than this program's"));
  EXPECT_TRUE(says(open_status(), "oltp20-spoke install --config FILE"));
  sql("drop schema oltp20, message cascade");
  EXPECT_TRUE(says(open_status(), "has no schema oltp20. Run oltp20-spoke install"));
  EXPECT_EQ(open_status().code(), Code::invalid);
}

TEST_F(InstallTest, AMissingDatabaseOrRoleIsNamedWithWhatHelps) {
  const std::string nowhere = cluster_.url("nowhere", "oltp20_agent");
  for (const Status& missing : {make_pg_outbox({nowhere, "exact"})->open().status(),
                                install({cluster_.url("nowhere"), nowhere, "exact"})}) {
    EXPECT_EQ(missing.code(), Code::denied);
    EXPECT_TRUE(says(missing, "database 'nowhere' at "));
    EXPECT_TRUE(says(missing,
                     " does not exist. Create it first (create database \"nowhere\" "
                     "encoding 'UTF8' template template0), then run oltp20-spoke install "
                     "--config FILE; or correct [database] url."));
    EXPECT_EQ(missing.message().back(), '.');
  }
  Status stranger = make_pg_outbox({cluster_.url(database_, "stranger"), "exact"})->open().status();
  EXPECT_TRUE(says(stranger, " has no role 'stranger': "));
  EXPECT_TRUE(says(stranger, "role \"stranger\" does not exist. Run oltp20-spoke install"));
}

TEST_F(InstallTest, AChangedMigrationIsRefused) {
  sql("update oltp20.migration set checksum = 'other' where number = 2");
  EXPECT_TRUE(says(install({admin_url(), agent_url(), "exact"}), "002_capture"));
}

TEST_F(InstallTest, AFailureLeavesNothing) {
  cluster_.create_database(database_ + "_taken");
  const std::string admin = cluster_.url(database_ + "_taken");
  cluster_.sql(database_ + "_taken", "create schema message");
  EXPECT_TRUE(says(install({admin, agent_url(), "exact"}), "already has a schema 'message'"));
  EXPECT_EQ(cluster_.sql(database_ + "_taken",
                         "select count(*) from pg_namespace "
                         "where nspname = 'oltp20'"),
            "0");
}

TEST_F(InstallTest, AnOrdinaryAdministratorInstallsOrIsToldTheStatements) {
  test::PostgresCluster own;
  own.create_database("plain");
  own.sql("plain", "create role boss login; grant create on database plain to boss");
  const std::string agent = own.url("plain", "store_agent");
  Status refused = install({own.url("plain", "boss"), agent, "exact"});
  EXPECT_EQ(refused.code(), Code::denied);
  EXPECT_TRUE(says(refused, "create role oltp20_owner nologin;"));
  EXPECT_TRUE(says(refused, "create role \"store_agent\" login;"));
  EXPECT_TRUE(says(refused, "grant oltp20_owner to \"boss\";"));
  own.sql("plain", "alter role boss createrole");
  Status done = install({own.url("plain", "boss"), agent, "fast"});
  ASSERT_TRUE(done) << done.message();
  auto outbox = make_pg_outbox({agent, "fast"});
  auto state = outbox->open();
  EXPECT_TRUE(state) << state.status().message();
  own.sql("plain", "create role app login; grant oltp20_application to app");
  own.sql("plain", "insert into message.outgoing (type, payload) values ('t', 'p')", "app");
}

TEST_F(InstallTest, TheApplicationWritesTheOutboxByColumnAndNothingElse) {
  const std::string app = database_ + "_app";
  sql("create role " + app + " login; grant oltp20_application to " + app);
  sql("insert into message.outgoing (id, type, date, payload, headers, destination) values "
      "(gen_random_uuid(), 'a.b', '2021-06-10', 'p', '{}', 'spoke/x')",
      app);
  sql("select setval('oltp20.asleep', 1, true)");
  EXPECT_EQ(error_of("insert into message.outgoing (type) values ('a')", app), "");
  EXPECT_EQ(sql("select order_mode from oltp20.status", app), "exact");
  for (const char* refused : {"insert into message.outgoing (type, xid) values ('a', '5')",
                              "insert into message.outgoing (type, position) values ('a', 5)",
                              "insert into message.outgoing (type, head) values ('a', false)",
                              "insert into message.outgoing (type, slot) values ('a', 1)",
                              "insert into message.outgoing (type, sent_at) values ('a', now())",
                              "insert into message.outgoing_0 (type) values ('a')",
                              "insert into oltp20.marker (xid) values ('5')",
                              "insert into oltp20.marker default values",
                              "insert into oltp20.round default values",
                              "select oltp20.wake()",
                              "insert into message.incoming select",
                              "delete from message.outgoing",
                              "truncate message.outgoing",
                              "select * from oltp20.secret",
                              "select * from oltp20.tick",
                              "select setval('oltp20.position', 1)",
                              "select setval('oltp20.slot', 1)",
                              "select oltp20.set_order('fast')",
                              "select oltp20.prune_slot(0, '0')",
                              "select oltp20.rotate('0')",
                              "select oltp20.close_gap(1, 'x')",
                              "select oltp20.prune_incoming('0', 1)",
                              "select oltp20.prunable_tick('0')"})
    EXPECT_NE(error_of(refused, app).find("permission denied"), std::string::npos)
        << refused << ": " << error_of(refused, app);
  EXPECT_EQ(sql("select count(*) from pg_proc p join pg_namespace n on n.oid = pronamespace "
                "where nspname = 'oltp20' and prosecdef and (proconfig is null or not "
                "'search_path=pg_catalog, pg_temp' = any (proconfig))"),
            "0");
  EXPECT_EQ(sql("select count(*) from pg_class where relowner = 'oltp20_agent'::regrole"), "0")
      << "the agent owns nothing";
}

TEST_F(InstallTest, NoInsertQueuesBehindAChangeOfOrder) {
  pqxx::connection late(admin_url());
  pqxx::work open_transaction(late);
  open_transaction.exec("insert into message.outgoing (type) values ('late')");
  Status status;
  std::atomic<bool> done{false};
  std::thread changing([&] {
    status = install({admin_url(), agent_url(), "fast"});
    done = true;
  });
  int inserted = 0;
  std::string error;
  for (; !done && error.empty(); ++inserted)
    error = error_of("set lock_timeout = '5s'; insert into message.outgoing (type) values ('now')");
  if (!error.empty()) open_transaction.abort();
  changing.join();
  ASSERT_EQ(error, "");
  EXPECT_GT(inserted, 10);
  EXPECT_FALSE(status) << "the transaction is still open";
  EXPECT_NE(status.message().find("order stays 'exact'"), std::string::npos) << status.message();
  open_transaction.commit();
  status = install({admin_url(), agent_url(), "fast"});
  EXPECT_TRUE(status) << status.message();
  EXPECT_EQ(sql("select order_mode from oltp20.status"), "fast");
}

TEST_F(InstallTest, RefusalsSayWhy) {
  send("x");
  auto refused = [&](const std::string& statement, const std::string& part) {
    const std::string error = error_of(statement);
    EXPECT_NE(error.find(part), std::string::npos) << statement << ": " << error;
  };
  for (const char* statement :
       {"update message.outgoing set payload = 'y'", "delete from message.outgoing",
        "truncate message.outgoing", "truncate message.outgoing_0",
        "delete from message.outgoing_0", "update message.outgoing_0 set payload = 'y'",
        "set session_replication_role = replica; delete from message.outgoing",
        "set session_replication_role = replica; truncate message.outgoing_0",
        "set oltp20.retention = '1'; delete from message.outgoing"})
    refused(statement, "takes inserts only: other databases may already have");
  sql("insert into message.incoming select 'o', gen_random_uuid(), 1, 0, gen_random_uuid(), 't', "
      "null, null, null, null, now()");
  for (const char* statement : {"update message.incoming set payload = 'y'",
                                "delete from message.incoming", "truncate message.incoming"})
    refused(statement, "takes inserts only: it is the record of what arrived");
  refused("insert into message.outgoing (type) values ('a b')", "type_is_words_of_letters_digits");
  refused("insert into message.outgoing (type) values ('a..b')", "type_is_words_of_letters");
  refused("insert into message.outgoing (type) values (E'a\\n')", "type_is_words_of_letters");
  refused("insert into message.outgoing (type) values (repeat('a', 256))", "at_most_255_bytes");
  refused("insert into message.outgoing (type, destination) values ('a', 'b')",
          "destination_is_spoke_slash_name_or_region_slash_name");
  refused("insert into message.outgoing (type, payload) values ('a', repeat('x', 1024001))",
          "payload_and_headers_at_most_1000_KiB_split_or_store_elsewhere");
  refused(
      "insert into message.outgoing (type, payload, headers) "
      "values ('a', repeat('x', 1023990), '{\"a\": \"0123456789\"}')",
      "payload_and_headers_at_most_1000_KiB");
  EXPECT_EQ(error_of("insert into message.outgoing (type, payload) "
                     "values (repeat('a', 255), repeat('x', 1024000))"),
            "");
}

TEST_F(InstallTest, UninstallRefusesWhileSomethingIsNotStable) {
  auto [outbox, state] = open_outbox();
  EXPECT_EQ(uninstall(admin_url(), false).code(), Code::conflict) << "an agent runs";
  send("one");
  Tick last = state.last_tick;
  outbox.reset();
  EXPECT_TRUE(says(uninstall(admin_url(), false), "1 rows are not captured"));
  auto again = open_outbox();
  capture(*again.outbox, last);
  again.outbox.reset();
  EXPECT_TRUE(says(uninstall(admin_url(), false), "1 transactions are not stable"));
  auto third = open_outbox();
  ASSERT_TRUE(third.outbox->write_checkpoint(last.epoch, {1, {}}, "hub"));
  third.outbox.reset();
  Status gone = uninstall(admin_url(), false);
  EXPECT_TRUE(gone) << gone.message();
  EXPECT_EQ(sql("select count(*) from pg_namespace where nspname in ('oltp20', 'message')"), "0");
  EXPECT_TRUE(uninstall(admin_url(), false)) << "twice is harmless";
  install_here();
  send("forced");
  EXPECT_TRUE(uninstall(admin_url(), true));
}

TEST_F(InstallTest, UnreachableAndRefusingServersAreNamed) {
  auto nobody = make_pg_outbox({"postgresql://oltp20_agent@127.0.0.1:1/d", "exact"});
  auto state = nobody->open();
  EXPECT_EQ(state.status().code(), Code::unavailable);
  EXPECT_TRUE(says(state.status(), "database 'd' at 127.0.0.1:1"));
  auto unreadable = make_pg_outbox({"postgresql://[", "exact"});
  EXPECT_EQ(unreadable->open().status().code(), Code::invalid);
}

TEST_F(InstallTest, AStandbyOrReadOnlyServerIsRefused) {
  test::PostgresCluster primary;
  primary.create_database("d");
  ASSERT_TRUE(install({primary.url("d"), primary.url("d", "oltp20_agent"), "exact"}));
  auto standby = primary.make_standby();
  auto outbox = make_pg_outbox({standby->url("d", "oltp20_agent"), "exact"});
  EXPECT_TRUE(says(outbox->open().status(), "standby"));
  EXPECT_TRUE(says(outbox->open().status(), "Point [database] url at the primary"));
}

}  // namespace
}  // namespace oltp20::spoke
