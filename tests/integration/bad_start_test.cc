// What keeps a program from starting, and what it then tells the person: each test reads the
// message and the exit code (contract: 2 wrong usage or configuration, 3 not reached, 4 refused).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <filesystem>

#include "tests/support/network.h"

namespace oltp20::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kStarts = 10;  // a program that is refused has ended long before

// `text` with its only occurrence of `from` replaced.
std::string with(std::string text, const std::string& from, const std::string& to) {
  std::size_t at = text.find(from);
  if (at == std::string::npos) throw std::runtime_error("nothing to replace: " + from);
  return text.replace(at, from.size(), to);
}

class BadStart : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    net_ = new Network;
    write_file(net_->path("policy.toml"), net_->policy);
    net_->issue("spoke", "a", net_->path("a-tls"));
    write_file(net_->config_of("a"),
               "[spoke]\nname = \"a\"\nsubscribe = [\">\"]\n[database]\n"
               "url = \"postgresql://oltp20_agent@127.0.0.1:1/nowhere\"\n[tls]\n"
               "ca = \"a-tls/ca.pem\"\ncert = \"a-tls/cert.pem\"\nkey = \"a-tls/key.pem\"\n"
               "crl = \"a-tls/crl.pem\"\n[[hub]]\nname = \"hub\"\nendpoint = \"127.0.0.1:" +
                   std::to_string(net_->hub_port()) + "\"\n");
    hub_ = {"oltp20-hub", read_text(net_->config_of("hub")), "hub-tls"};
    spoke_ = {"oltp20-spoke", read_text(net_->config_of("a")), "a-tls"};
  }
  static void TearDownTestSuite() { delete net_; }

  struct Program {
    std::string name, config, tls;
  };

  static Outcome start(const std::string& name, const std::string& config,
                       std::vector<std::string> more = {}) {
    write_file(net_->path("bad.toml"), config);
    more.insert(more.begin(), {program(name), "--config", net_->path("bad.toml")});
    return run(more, kStarts);
  }
  // Both --check-config and the start itself refuse it, with the same sentence.
  template <typename Matcher>
  static void expect_refused(const std::string& name, const std::string& config,
                             const Matcher& message) {
    for (const std::vector<std::string>& more : {std::vector<std::string>{"--check-config"}, {}}) {
      Outcome outcome = start(name, config, more);
      EXPECT_EQ(outcome.exit_code, 2) << name << (more.empty() ? "" : more[0]) << outcome.output;
      EXPECT_THAT(outcome.output, AllOf(HasSubstr(name + ": "), message));
    }
  }
  // With every file of [tls] taken from another directory.
  static std::string with_tls(const Program& program, const std::string& directory) {
    std::string out = program.config;
    for (const char* file : {"ca.pem", "cert.pem", "key.pem", "crl.pem"}) {
      std::size_t end = out.find(std::string("/") + file + "\"");
      std::size_t begin = out.rfind('"', end) + 1;
      out.replace(begin, end - begin, net_->path(directory));
    }
    return out;
  }

  static inline Network* net_;
  static inline Program hub_, spoke_;
};

TEST_F(BadStart, TheConfigurationsThatTheTestsSpoilAreGood) {
  for (const Program& one : {hub_, spoke_}) {
    Outcome outcome = start(one.name, one.config, {"--check-config"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  }
}

// ---- configuration --------------------------------------------------------------------------

TEST_F(BadStart, AMistypedKeyIsNamedWithFileLineAndWhatWasMeant) {
  expect_refused("oltp20-hub", with(hub_.config, "data_dir =", "data_dri ="),
                 AllOf(HasSubstr("bad.toml:4: hub.data_dri: unknown key"),
                       HasSubstr("did you mean \"data_dir\"?"),
                       HasSubstr("hub.data_dir: required but missing")));
  expect_refused("oltp20-spoke", with(spoke_.config, "subscribe =", "subscribes ="),
                 AllOf(HasSubstr("bad.toml:3: spoke.subscribes: unknown key"),
                       HasSubstr("did you mean \"subscribe\"?")));
  expect_refused("oltp20-spoke", with(spoke_.config, "endpoint =", "endpiont ="),
                 AllOf(HasSubstr("bad.toml:13: hub[1].endpiont: unknown key"),
                       HasSubstr("did you mean \"endpoint\"?")));
}

TEST_F(BadStart, AnUnknownSectionIsNamed) {
  expect_refused(
      "oltp20-hub", with(hub_.config, "[http]", "[htpp]"),
      AllOf(HasSubstr("bad.toml:5: htpp: unknown section"), HasSubstr("did you mean \"http\"?")));
  expect_refused("oltp20-spoke", with(spoke_.config, "[database]", "[databases]"),
                 AllOf(HasSubstr("databases: unknown section"),
                       HasSubstr("did you mean \"database\"?"), HasSubstr("OLTP20_DATABASE_URL")));
}

TEST_F(BadStart, AFlagThatIsNoKeyIsNamed) {
  Outcome outcome = start("oltp20-hub", hub_.config, {"--set", "hub.lisen=127.0.0.1:1"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.output, HasSubstr("flag hub.lisen: unknown key; did you mean "
                                        "\"hub.listen\"?"));
}

TEST_F(BadStart, WrongTypesAndTextThatIsNotTomlAreNamedWithTheLine) {
  expect_refused("oltp20-hub", with(hub_.config, "name = \"hub\"", "name = 7"),
                 HasSubstr("bad.toml:2: hub.name: expected a string in quotes"));
  expect_refused("oltp20-spoke", with(spoke_.config, "[\">\"]", "\">\""),
                 HasSubstr("bad.toml:3: spoke.subscribe: expected an array of strings"));
  expect_refused("oltp20-spoke", with(spoke_.config, "name = \"a\"", "name = \"a"),
                 HasSubstr("bad.toml:2: "));
}

TEST_F(BadStart, AMissingFileIsNamed) {
  for (const char* name : {"oltp20-hub", "oltp20-spoke"}) {
    Outcome outcome = run({program(name), "--config", net_->path("none.toml")}, kStarts);
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_THAT(outcome.output, AllOf(HasSubstr("none.toml: cannot read the file: No such file"),
                                      HasSubstr("check the path")));
  }
}

TEST_F(BadStart, APolicyThatCannotBeReadKeepsTheHubFromStarting) {
  write_file(net_->path("bad-policy.toml"), "[[rule]]\nwho = \"spoke/*\"\npublishes = [\">\"]\n");
  std::string config = with(hub_.config, "\"policy.toml\"", "\"bad-policy.toml\"");
  expect_refused("oltp20-hub", config,
                 AllOf(HasSubstr("bad-policy.toml:3: rule[1].publishes: unknown key"),
                       HasSubstr("did you mean \"publish\"?")));
  write_file(net_->path("bad-policy.toml"), "[[rule]]\nwho = \"spokes/*\"\n");
  expect_refused("oltp20-hub", config,
                 AllOf(HasSubstr("bad-policy.toml:1"), HasSubstr("who must be spoke/NAME")));
}

// ---- certificates ---------------------------------------------------------------------------

TEST_F(BadStart, AnExpiredCertificateIsNamedWithTheRemedy) {
  net_->issue("hub", "hub", net_->path("old-hub"), {"--not-after", "20240101000000Z"});
  net_->issue("spoke", "a", net_->path("old-a"), {"--not-after", "20240101000000Z"});
  for (const Program& one : {hub_, spoke_})
    expect_refused(one.name, with_tls(one, one.name == "oltp20-hub" ? "old-hub" : "old-a"),
                   AllOf(HasSubstr("/cert.pem has expired"), HasSubstr("certs/rotate")));
}

TEST_F(BadStart, ACertificateOfAnotherCaIsNamedWithTheRemedy) {
  Network foreign;
  foreign.issue("spoke", "a", foreign.path("a-tls"));
  for (const Program& one : {hub_, spoke_}) {
    std::string config = with_tls(one, one.tls);
    for (const char* file : {"cert.pem", "key.pem"})
      config = with(config, net_->path(one.tls) + "/" + file, foreign.path(one.tls) + "/" + file);
    expect_refused(
        one.name, config,
        AllOf(HasSubstr("cert.pem was not issued by the CA in"), HasSubstr("certs/issue")));
  }
}

TEST_F(BadStart, AMissingCertificateOrKeyIsNamed) {
  for (const Program& one : {hub_, spoke_}) {
    expect_refused(one.name, with(one.config, "/cert.pem", "/gone.pem"),
                   AllOf(HasSubstr("tls.cert: cannot read"), HasSubstr("/gone.pem: No such file")));
    expect_refused(one.name, with(one.config, "/key.pem", "/gone.pem"),
                   HasSubstr("tls.key: cannot read"));
    expect_refused(one.name, with(one.config, "cert = ", "# cert = "),
                   HasSubstr("tls.cert: required but missing"));
  }
}

TEST_F(BadStart, AKeyOfAnotherCertificateIsNamed) {
  for (const Program& one : {hub_, spoke_})
    expect_refused(one.name,
                   with(one.config, one.tls + "/key.pem",
                        (one.tls == "a-tls" ? "hub-tls" : "a-tls") + std::string("/key.pem")),
                   AllOf(HasSubstr("key.pem does not belong to certificate"),
                         HasSubstr("replace both together")));
}

TEST_F(BadStart, ARevokedCertificateIsNamed) {
  net_->issue("spoke", "a", net_->path("revoked-a"));
  ASSERT_EQ(
      run({repository() + "/certs/revoke", net_->path("ca"), net_->path("revoked-a")}).exit_code,
      0);
  std::filesystem::copy_file(net_->path("ca/crl.pem"), net_->path("revoked-a/crl.pem"),
                             std::filesystem::copy_options::overwrite_existing);
  expect_refused("oltp20-spoke", with_tls(spoke_, "revoked-a"),
                 AllOf(HasSubstr("is revoked by"), HasSubstr("certs/issue")));
}

TEST_F(BadStart, ANameThatIsNotTheCertificatesIsNamedWithBoth) {
  expect_refused("oltp20-spoke", with(spoke_.config, "name = \"a\"", "name = \"b\""),
                 AllOf(HasSubstr("name is \"b\""), HasSubstr("says spoke/a"),
                       HasSubstr("correct the name, or issue another")));
  expect_refused("oltp20-hub", with(hub_.config, "name = \"hub\"", "name = \"hubb\""),
                 AllOf(HasSubstr("name is \"hubb\""), HasSubstr("says hub/hub")));
  expect_refused("oltp20-hub", with_tls({"", with(hub_.config, "\"hub\"", "\"a\""), ""}, "a-tls"),
                 AllOf(HasSubstr("name is \"a\""), HasSubstr("says spoke/a")));
}

// ---- what is in use, or newer ---------------------------------------------------------------

class BadStartBesideARunningHub : public BadStart {
 protected:
  static void SetUpTestSuite() {
    BadStart::SetUpTestSuite();
    net_->start_hub();
    bool up = eventually(10, [] { return net_->ctl({"status"}).exit_code == 0; });
    if (!up) throw std::runtime_error(net_->logs());
  }
  void TearDown() override {
    EXPECT_TRUE(net_->hub().running());
    EXPECT_EQ(net_->ctl({"status"}).exit_code, 0) << "the hub that was there first is disturbed";
  }
  static std::string hub_port() { return std::to_string(net_->hub_port()); }
  static std::string other_port() { return std::to_string(free_port()); }
  static std::string hub_http() { return std::to_string(net_->http_port("hub")); }
  // A second hub on ports and with a directory of its own.
  static std::string second_hub() {
    return with(with(with(hub_.config, hub_port(), other_port()), hub_http(), other_port()),
                "data_dir = \"hub\"", "data_dir = \"second\"");
  }
};

TEST_F(BadStartBesideARunningHub, ADataDirectoryInUseSaysByWhat) {
  Outcome outcome =
      start("oltp20-hub", with(second_hub(), "data_dir = \"second\"", "data_dir = \"hub\""));
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr(net_->hub_data()), HasSubstr("another hub"), HasSubstr("data_dir")));
}

TEST_F(BadStartBesideARunningHub, APortInUseIsNamed) {
  std::string config = second_hub();
  Outcome links = start("oltp20-hub", config, {"--set", "hub.listen=127.0.0.1:" + hub_port()});
  EXPECT_EQ(links.exit_code, 1);
  EXPECT_THAT(links.output, AllOf(HasSubstr("cannot listen on 127.0.0.1:" + hub_port() +
                                            ": Address already in use. "),
                                  HasSubstr("change [hub] listen"), Not(HasSubstr("grpc"))));
  Outcome debugged = run({"/usr/bin/env", "GRPC_VERBOSITY=error", program("oltp20-hub"), "--config",
                          net_->path("bad.toml"), "--set", "hub.listen=127.0.0.1:" + hub_port()},
                         kStarts);
  EXPECT_THAT(debugged.output, AllOf(HasSubstr("grpc: "), HasSubstr("change [hub] listen")));
  const std::string http = "http.listen=127.0.0.1:" + hub_http();
  for (const std::string& of : {config, spoke_.config}) {
    Outcome outcome = start(of == config ? "oltp20-hub" : "oltp20-spoke", of, {"--set", http});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.output,
                AllOf(HasSubstr("cannot serve HTTP on 127.0.0.1:" + hub_http()),
                      HasSubstr("Address already in use"), HasSubstr("set http.listen")));
  }
}

TEST_F(BadStartBesideARunningHub, AJournalOfANewerFormatIsLeftAsItIs) {
  std::string config = second_hub();
  {
    write_file(net_->path("second.toml"), config);
    Process hub({program("oltp20-hub"), "--config", net_->path("second.toml")},
                net_->path("second.log"));
    ASSERT_TRUE(eventually(10, [&] { return hub.log().find("hub_started") != std::string::npos; }));
    ASSERT_EQ(hub.stop(), 0);
  }
  const std::string meta_key = "m", newer("\x02\0\0\0what only it understands", 28);
  auto journal = [&] {
    rocksdb::DB* db = nullptr;
    EXPECT_TRUE(rocksdb::DB::Open({}, net_->path("second/db"), &db).ok());
    return std::unique_ptr<rocksdb::DB>(db);
  };
  std::string before;
  {
    auto db = journal();
    ASSERT_TRUE(db->Get({}, meta_key, &before).ok()) << "the key of the format record has moved";
    ASSERT_TRUE(db->Put({}, meta_key, newer).ok());
  }
  for (const char* verb : {"", "verify"}) {
    std::vector<std::string> more;
    if (*verb) more.push_back(verb);
    Outcome outcome = start("oltp20-hub", config, more);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.output;
    EXPECT_THAT(outcome.output, AllOf(HasSubstr("the journal in " + net_->path("second")),
                                      HasSubstr("has format 2"), HasSubstr("reads format 1"),
                                      HasSubstr("start the newer program that wrote it")));
  }
  std::string after;
  ASSERT_TRUE(journal()->Get({}, meta_key, &after).ok());
  EXPECT_EQ(after, newer);
}

// ---- a policy that breaks while the hub runs ------------------------------------------------

TEST_F(BadStartBesideARunningHub, ABrokenPolicyAtReloadLeavesTheOldOneInForce) {
  auto rules = [] { return net_->ctl({"--json", "policy", "show"}).output; };
  const std::string before = rules();
  write_file(net_->path("policy.toml"),
             net_->policy + "[[rule]]\nwho = \"spoke/x\"\npubish = []\n");
  Outcome outcome = net_->ctl({"policy", "reload"});
  EXPECT_EQ(outcome.exit_code, 2);
  const auto sentence =
      AllOf(HasSubstr("policy.toml:10: rule[3].pubish: unknown key"), HasSubstr("did you mean"),
            HasSubstr("the old policy and revocation list stay in force"));
  EXPECT_THAT(outcome.output, sentence);
  EXPECT_EQ(rules(), before);
  std::size_t said = net_->hub().log().size();
  net_->hub().signal(SIGHUP);
  EXPECT_TRUE(eventually(
      5, [&] { return net_->hub().log().find("reload_failed", said) != std::string::npos; }));
  EXPECT_THAT(net_->hub().log().substr(said),
              AllOf(HasSubstr("policy.toml:10"), HasSubstr("pubish: unknown key"),
                    HasSubstr("the old policy and revocation list stay in force")));
  EXPECT_EQ(rules(), before);
  write_file(net_->path("policy.toml"), net_->policy);
  EXPECT_EQ(net_->ctl({"policy", "reload"}).exit_code, 0);
}

// ---- oltp20ctl ------------------------------------------------------------------------------

TEST_F(BadStartBesideARunningHub, CtlThatIsNotPermittedEndsWith4) {
  write_file(net_->path("policy.toml"),
             with(net_->policy, "admin = [\"read\", \"write\"]", "admin = [\"read\"]"));
  ASSERT_EQ(net_->ctl({"policy", "reload"}).exit_code, 0);
  Outcome outcome = net_->ctl({"policy", "reload"});
  EXPECT_EQ(outcome.exit_code, 4);
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("oltp20ctl: admin/tester may not \"policy reload\""),
                                    HasSubstr("admin = [\"write\"]"), HasSubstr("[[rule]]")));
  write_file(net_->path("policy.toml"), net_->policy);
  net_->hub().signal(SIGHUP);
  EXPECT_TRUE(eventually(5, [] { return net_->ctl({"policy", "reload"}).exit_code == 0; }));

  Outcome spoke = run({program("oltp20ctl"), "--hub", "127.0.0.1:" + hub_port(), "--ca",
                       net_->path("a-tls/ca.pem"), "--cert", net_->path("a-tls/cert.pem"), "--key",
                       net_->path("a-tls/key.pem"), "status"});
  EXPECT_EQ(spoke.exit_code, 4);
  EXPECT_THAT(spoke.output, HasSubstr("spoke/a may not \"status\""));
}

TEST_F(BadStartBesideARunningHub, CtlThatReachesNobodyEndsWith3) {
  Outcome outcome = net_->ctl({"--hub", "127.0.0.1:" + other_port(), "status"});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("is not reached"), HasSubstr("it may be down"),
                                    HasSubstr("the endpoint may be wrong")));
}

TEST_F(BadStartBesideARunningHub, CtlOfAnotherNetworkIsToldWhoseCertificateItSaw) {
  Network foreign;
  foreign.issue("admin", "tester", foreign.path("ca-of-others"));
  const std::string of_others = foreign.path("ca-of-others");
  Outcome outcome =
      run({program("oltp20ctl"), "--hub", "127.0.0.1:" + hub_port(), "--ca", of_others + "/ca.pem",
           "--cert", of_others + "/cert.pem", "--key", of_others + "/key.pem", "status"});
  EXPECT_EQ(outcome.exit_code, 4);
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("region/eu/hub/hub was not issued by the CA in " +
                                              of_others + "/ca.pem"),
                                    HasSubstr("use the CA of this network")));
}

TEST_F(BadStartBesideARunningHub, CtlUsedWronglyEndsWith2) {
  struct {
    std::vector<std::string> words;
    const char* message;
  } cases[] = {
      {{"statsu"}, "oltp20ctl: \"statsu\" is no command; did you mean \"status\"?"},
      {{"journal", "sta"}, "\"sta\" is no command of journal; did you mean \"stat\"?"},
      {{"journal"}, "subcommand is required"},
      {{"spokes", "show"}, "NAME is required"},
      {{"spokes", "adopt", "a", "not-an-epoch"}, "an epoch of 32 hexadecimal digits"},
      {{"--hub", "nowhere", "status"}, "--hub: "},
      {{"--cert", net_->path("gone.pem"), "status"}, "gone.pem cannot be read"},
  };
  for (const auto& [words, message] : cases) {
    Outcome outcome = net_->ctl(words);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr(message));
  }
  Outcome outcome = run({program("oltp20ctl"), "status"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.output, HasSubstr("which hub? give --config FILE, or --hub HOST:PORT"));
  for (const char* name : {"oltp20-hub", "oltp20-spoke"}) {
    outcome = run({program(name), "--confg", "x"}, kStarts);
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_THAT(outcome.output, HasSubstr("--config"));
  }
}

}  // namespace
}  // namespace oltp20::test
