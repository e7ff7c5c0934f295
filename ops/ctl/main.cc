// oltp20ctl: the operator's view of a hub, and hand on it.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>

#include "common/config/endpoint.h"
#include "common/config/reader.h"
#include "common/config/suggest.h"
#include "common/config/tls_files.h"
#include "common/link/client.h"
#include "common/program/exit_code.h"
#include "ops/ctl/tables.h"

namespace oltp20::ctl {
namespace {

constexpr const char* kFooter = R"(Examples:
  oltp20ctl --config ctl.toml status
  oltp20ctl --hub 127.0.0.1:7420 --ca ca.pem --cert admin.pem --key admin.key spokes list
  oltp20ctl --config ctl.toml --json journal verify

ctl.toml:  [ctl]  hub = "127.0.0.1:7420"
           [tls]  ca = "ca.pem"  cert = "admin.pem"  key = "admin.key"

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 not reached, 4 refused.)";

constexpr Micros kTimeout = 3600 * kSecond;  // verify reads a whole journal

struct Settings {
  std::string config, hub, ca, cert, key;
  bool json = false;
};

int complain(const Status& status, int code) {
  std::cerr << "oltp20ctl: " << status.message() << "\n";
  return code;
}

Result<LinkClientOptions> where(const Settings& settings) {
  LinkClientOptions options;
  if (!settings.config.empty()) {
    auto reader = ConfigReader::open(settings.config, ConfigOverrides::from_environment());
    if (!reader) return reader.status();
    options.endpoint = reader->section("ctl").endpoint("hub", PortZero::refused).text();
    TlsFiles files = read_tls_files(reader->section("tls"));
    OLTP20_TRY(reader->finish());
    options.tls = {files.ca.string(), files.cert.string(), files.key.string(),
                   files.crl ? files.crl->string() : ""};
  }
  if (!settings.hub.empty()) options.endpoint = settings.hub;
  if (!settings.ca.empty()) options.tls.ca = settings.ca;
  if (!settings.cert.empty()) options.tls.cert = settings.cert;
  if (!settings.key.empty()) options.tls.key = settings.key;
  if (options.endpoint.empty() || options.tls.ca.empty() || options.tls.cert.empty() ||
      options.tls.key.empty())
    return Status(Code::invalid,
                  "which hub? give --config FILE, or --hub HOST:PORT with --ca, --cert and --key");
  Result<Endpoint> endpoint = parse_endpoint(options.endpoint, PortZero::refused);
  if (!endpoint) return endpoint.status().in("--hub");
  if (Result<CertificateInfo> own = check_certificate_files(options.tls); !own)
    return Status(Code::invalid, own.status().message());
  return options;
}

void show_progress(const std::string& text) {
  nlohmann::json document = nlohmann::json::parse(text, nullptr, false);
  if (!isatty(STDERR_FILENO) || !document.is_object()) return;
  std::cerr << "\r" << document.value("at", std::uint64_t{0}) << " of "
            << document.value("to", std::uint64_t{0}) << std::flush;
}

int ask(const Settings& settings, const std::string& command, const nlohmann::json& arguments) {
  Result<LinkClientOptions> options = where(settings);
  if (!options) return complain(options.status(), kWrongUsage);
  if (Status status = require_tls13(); !status) return complain(status, kFailed);
  Result<std::string> answer =
      admin_query(*options, command, arguments.dump(), kTimeout, show_progress);
  if (!answer) {
    Code code = answer.status().code();
    bool usage = code == Code::invalid;
    int exit = code == Code::not_found ? static_cast<int>(kFailed)
               : usage                 ? static_cast<int>(kWrongUsage)
                                       : static_cast<int>(exit_code(answer.status()));
    return complain(answer.status(), exit);
  }
  std::cout << (settings.json ? *answer + "\n" : table_of(command, *answer)) << std::flush;
  if (command == "journal verify")
    return nlohmann::json::parse(*answer).value("sound", false) ? kDone : kFailed;
  return kDone;
}

// Of the parser's complaint "a subcommand is required": which word it did not know, if one was
// given.
std::string unknown_command(const CLI::App& app) {
  std::vector<std::string> words = app.remaining(true);
  if (words.empty()) return "";
  const CLI::App* group = &app;
  while (!group->get_subcommands().empty()) group = group->get_subcommands().front();
  std::vector<std::string> known;
  for (const CLI::App* command : group->get_subcommands([](const CLI::App*) { return true; }))
    known.push_back(command->get_name());
  std::string within = group == &app ? "" : " of " + group->get_name();
  return "\"" + words.front() + "\" is no command" + within + suggestion(words.front(), known);
}

int main(int argc, char** argv) {
  CLI::App app("oltp20ctl: ask a hub, and tell it.");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("oltp20ctl ") + OLTP20_VERSION);
  Settings settings;
  app.add_option("--config", settings.config, "TOML file that says which hub, and who asks");
  app.add_option("--hub", settings.hub, "HOST:PORT");
  app.add_option("--ca", settings.ca, "PEM file of the CA");
  app.add_option("--cert", settings.cert, "PEM file of the certificate");
  app.add_option("--key", settings.key, "PEM file of its key");
  app.add_flag("--json", settings.json, "print the answer as JSON");

  std::string chosen;
  nlohmann::json arguments = nlohmann::json::object();
  std::string name, epoch;
  std::uint64_t count = 20;
  auto command = [&](CLI::App* parent, const char* word, const char* help,
                     const std::string& full) {
    CLI::App* sub = parent->add_subcommand(word, help)->fallthrough();
    sub->callback([&chosen, full] { chosen = full; });
    return sub;
  };
  auto group = [&](const char* word, const char* help) {
    return app.add_subcommand(word, help)->require_subcommand(1)->fallthrough();
  };
  command(&app, "status", "the hub at a glance", "status");
  command(&app, "lag", "how far each spoke is behind", "lag");
  CLI::App* spokes = group("spokes", "who is attached");
  command(spokes, "list", "all spokes that this hub knows", "spokes list");
  command(spokes, "show", "one spoke", "spokes show")->add_option("NAME", name)->required();
  CLI::App* adopt =
      command(spokes, "adopt", "decide that this life of a spoke's database is the right one",
              "spokes adopt");
  adopt->add_option("NAME", name)->required();
  adopt->add_option("EPOCH", epoch)->required();
  CLI::App* journal = group("journal", "the hub's journal");
  command(journal, "stat", "size, head, incarnation", "journal stat");
  command(journal, "verify", "recompute every hash", "journal verify");
  command(journal, "tail", "the newest entries", "journal tail")
      ->add_option("-n,--count", count, "how many");
  CLI::App* policy = group("policy", "who may what");
  command(policy, "show", "the rules in force", "policy show");
  command(policy, "reload", "read policy and revocation list again", "policy reload");
  CLI::App* certs = group("certs", "certificates");
  command(certs, "list", "the hub's certificate and when it ends", "certs list");
  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    std::string unknown = unknown_command(app);
    if (!unknown.empty()) return complain(Status(Code::invalid, unknown), kWrongUsage);
    app.exit(error);
    return kWrongUsage;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kWrongUsage;
  }
  if (!name.empty()) arguments["name"] = name;
  if (!epoch.empty()) arguments["epoch"] = epoch;
  arguments["count"] = count;
  return ask(settings, chosen, arguments);
}

}  // namespace
}  // namespace oltp20::ctl

int main(int argc, char** argv) {
  return oltp20::ctl::main(argc, argv);
}
