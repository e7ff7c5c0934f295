// What goes wrong while everything runs: /readyz names the thing and the remedy, /healthz says that
// a restart would not help, and when it is mended nothing is lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "tests/support/network.h"

namespace oltp20::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kDb = "oltp20_framework";

class BadRun : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    a_ = new PostgresCluster;
    b_ = new PostgresCluster;
    net_ = new Network;
    net_->policy =
        "[[rule]]\nwho = \"spoke/*\"\npublish = [\"greeting\"]\nsubscribe = [\">\"]\n"
        "[[rule]]\nwho = \"admin/*\"\nadmin = [\"read\", \"write\"]\n";
    net_->add_spoke("a", *a_);
    net_->add_spoke("b", *b_);
    net_->start_hub();
    net_->start_spoke("a");
    net_->start_spoke("b");
  }
  static void TearDownTestSuite() {
    delete net_;
    delete a_;
    delete b_;
  }
  void SetUp() override {
    net_->wait_until_attached("a", 30);
    net_->wait_until_attached("b", 30);
  }
  // What one test breaks, it has mended; all that was ever committed has arrived, once.
  void TearDown() override {
    net_->wait_until_attached("a", 30);
    net_->wait_until_attached("b", 30);
    EXPECT_TRUE(eventually(30, [&] { return arrived() == std::to_string(sent_); }))
        << arrived() << " of " << sent_ << "\n"
        << net_->logs();
    EXPECT_EQ(b_->sql(kDb, "select count(distinct payload) from message.incoming"),
              std::to_string(sent_));
    EXPECT_EQ(b_->sql(kDb, "select count(*) from oltp20.gap"), "0");
    EXPECT_EQ(b_->sql(kDb, "select count(*) from oltp20.dead_letter"), "0");
  }
  static void send(int count, const std::string& padding = "") {
    for (int i = 0; i < count; ++i)
      a_->sql(kDb, "insert into message.outgoing (type, payload) values ('greeting', '" +
                       std::to_string(++sent_) + padding + "')");
  }
  static std::string arrived() { return b_->sql(kDb, "select count(*) from message.incoming"); }
  static Outcome get(const std::string& name, const std::string& path) {
    return run({"curl", "-sS", "-m", "5", "-w", "%{http_code}",
                "http://127.0.0.1:" + std::to_string(net_->http_port(name)) + path});
  }
  // It becomes so within the time; alive all along.
  template <typename Matcher>
  static void expect_not_ready(const std::string& name, const Matcher& sentence,
                               double seconds = 15) {
    std::string last;
    eventually(seconds, [&] {
      last = get(name, "/readyz").output;
      return ::testing::Matches(AllOf(HasSubstr("\n503"), sentence))(last);
    });
    EXPECT_THAT(last, AllOf(HasSubstr("\n503"), sentence)) << net_->logs();
    EXPECT_THAT(get(name, "/healthz").output, HasSubstr("\n200"));
  }
  // The agent's connections end, and it has to open its database anew.
  static void disconnect_b() {
    b_->sql("postgres",
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name "
            "like 'oltp20-spoke%'");
  }
  static std::string database() { return "database '" + kDb + "' at "; }

  static inline PostgresCluster *a_, *b_;
  static inline Network* net_;
  static inline int sent_ = 0;
};

TEST_F(BadRun, AHubThatIsDown) {
  net_->hub().kill9();
  const std::string hub = "the hub at 127.0.0.1:" + std::to_string(net_->hub_port());
  for (const char* name : {"a", "b"})
    expect_not_ready(name, AllOf(StartsWith("not forwarding: " + hub + " is not reached"),
                                 HasSubstr("it may be down, the endpoint may be wrong"),
                                 HasSubstr("the hub's log says which")));
  send(3);
  net_->start_hub();
}

TEST_F(BadRun, AnOriginsDatabaseThatIsDown) {
  send(2);
  a_->stop();
  expect_not_ready("a", AllOf(StartsWith("not forwarding: " + database()),
                              HasSubstr("cannot be reached"), HasSubstr("Is the server running")));
  a_->start();
  send(2);
}

TEST_F(BadRun, ADestinationsDatabaseThatIsDown) {
  b_->kill9();
  expect_not_ready("b", AllOf(HasSubstr(database()), HasSubstr("cannot be reached"),
                              HasSubstr("Is the server running and is [database] url right?")));
  send(3);
  b_->start();
}

TEST_F(BadRun, ADatabaseThatRefusesTheAgent) {
  b_->sql("postgres", "alter role oltp20_agent nologin");
  disconnect_b();
  expect_not_ready("b", AllOf(HasSubstr(database()), HasSubstr("refuses user 'oltp20_agent'"),
                              HasSubstr("not permitted to log in"), HasSubstr("pg_hba.conf")));
  send(3);
  b_->sql("postgres", "alter role oltp20_agent login");
}

TEST_F(BadRun, ADatabaseWithANewerSchema) {
  b_->sql(kDb, "insert into oltp20.migration (number, name, checksum) values (999, 'newer', 'x')");
  disconnect_b();
  expect_not_ready("b",
                   AllOf(HasSubstr(database()), HasSubstr("has schema version 999, newer than"),
                         HasSubstr("Upgrade oltp20-spoke")));
  send(3);
  b_->sql(kDb, "delete from oltp20.migration where number = 999");
}

TEST_F(BadRun, ADatabaseWithAnOlderSchema) {
  b_->sql(kDb,
          "create table public.kept as select * from oltp20.migration order by number desc limit 1;"
          "delete from oltp20.migration where number = (select number from public.kept)");
  disconnect_b();
  expect_not_ready("b", AllOf(HasSubstr(database()), HasSubstr("older than this program's"),
                              HasSubstr("Run oltp20-spoke install --config FILE")));
  send(3);
  b_->sql(kDb, "insert into oltp20.migration select * from public.kept; drop table public.kept");
}

TEST_F(BadRun, ADatabaseWithoutTheSchema) {
  b_->sql(kDb, "alter schema oltp20 rename to hidden");
  disconnect_b();
  expect_not_ready("b", AllOf(HasSubstr(database()), HasSubstr("has no schema oltp20"),
                              HasSubstr("Run oltp20-spoke install --config FILE")));
  send(3);
  b_->sql(kDb, "alter schema hidden rename to oltp20");
}

TEST_F(BadRun, AJournalThatDoesNotTakeWrites) {
  net_->hub().stop();
  constexpr int kLimit = 6 << 20;
  net_->start_hub({"prlimit", "--fsize=" + std::to_string(kLimit) + ":unlimited"});
  net_->wait_until_attached("a", 30);
  send(10, std::string(900'000, 'x'));
  expect_not_ready("hub", AllOf(StartsWith("the journal in " + net_->hub_data()),
                                HasSubstr("does not take writes: "), HasSubstr("File too large"),
                                HasSubstr("waits in the outboxes")));
  expect_not_ready("a", AllOf(StartsWith("not forwarding: the hub says: the hub's journal does not "
                                         "take writes"),
                              HasSubstr("File too large")));
  Outcome lifted =
      run({"prlimit", "--pid", std::to_string(net_->hub().pid()), "--fsize=unlimited"});
  ASSERT_EQ(lifted.exit_code, 0) << lifted.output;
  EXPECT_TRUE(eventually(20, [&] {
    return get("hub", "/readyz").output == "taking transactions\n200";
  })) << get("hub", "/readyz").output;
  net_->wait_until_attached("a", 30);
  EXPECT_TRUE(eventually(30, [&] { return arrived() == std::to_string(sent_); })) << net_->logs();
  EXPECT_EQ(net_->ctl({"journal", "verify"}).exit_code, 0);
}

TEST_F(BadRun, APayloadOverTheLimitIsTheInsertsError) {
  try {
    a_->sql(
        kDb,
        "insert into message.outgoing (type, payload) values ('greeting', repeat('x', 1024001))");
    FAIL() << "it was taken";
  } catch (const std::exception& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("payload_and_headers_at_most_1000_KiB_split_or_store_elsewhere"));
  }
  send(1, std::string(1'000'000, 'x'));
}

TEST_F(BadRun, ATypeThatPolicyDenies) {
  a_->sql(kDb, "insert into message.outgoing (type, payload) values ('secret', 'plan')");
  send(1);
  ASSERT_TRUE(
      eventually(10, [&] { return a_->sql(kDb, "select count(*) from oltp20.rejected") == "1"; }));
  EXPECT_THAT(a_->sql(kDb, "select code || ': ' || reason from oltp20.rejected"),
              AllOf(HasSubstr("type_denied: the hub's policy does not let spoke/a publish type "
                              "secret"),
                    HasSubstr("add it to a [[rule]] of policy.toml, reload, then insert")));
}

TEST_F(BadRun, ASpokeWhoseCertificateIsRevoked) {
  const std::string tls = net_->path("b-tls");
  Outcome revoked = run({repository() + "/certs/revoke", net_->path("ca"), tls});
  ASSERT_EQ(revoked.exit_code, 0) << revoked.output;
  const auto copy = std::filesystem::copy_options::overwrite_existing;
  std::filesystem::copy_file(net_->path("ca/crl.pem"), net_->path("hub-tls/crl.pem"), copy);
  net_->hub().signal(SIGHUP);
  expect_not_ready("b",
                   AllOf(HasSubstr("refuse this certificate (expired, revoked, of another CA)"),
                         HasSubstr("the hub's log says which")));
  EXPECT_TRUE(eventually(10, [&] {
    return net_->hub().log().find("link_refused who=\"a peer\" reason=\"certificate of") !=
               std::string::npos ||
           net_->hub().log().find("is revoked") != std::string::npos;
  })) << net_->hub().log();
  send(2);
  net_->issue("spoke", "b", net_->path("b-new-tls"));
  std::filesystem::copy(net_->path("b-new-tls"), tls,
                        copy | std::filesystem::copy_options::recursive);
}

}  // namespace
}  // namespace oltp20::test
