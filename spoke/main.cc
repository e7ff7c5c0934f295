// oltp20-spoke: the agent beside one database.
#include <CLI/CLI.hpp>
#include <iostream>

#include "common/program/end_within.h"
#include "common/program/exit_code.h"
#include "common/program/signals.h"
#include "spoke/database/installer.h"
#include "spoke/spoke_program.h"

namespace oltp20::spoke {
namespace {

constexpr const char* kFooter = R"(Examples:
  oltp20-spoke install --config spoke.toml --admin-url postgresql://postgres@127.0.0.1/shop
  oltp20-spoke --config spoke.toml
  oltp20-spoke --config spoke.toml --check-config
  oltp20-spoke uninstall --config spoke.toml

Every setting can also come from the environment: database.url is OLTP20_DATABASE_URL.
SIGTERM ends it; it may be killed at any moment without loss.
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 not reached, 4 refused.)";

constexpr Micros kStopsWithin = 9 * kSecond;  // 10 s are promised

int complain(const Status& status, int code) {
  std::cerr << "oltp20-spoke: " << status.message() << "\n";
  return code;
}

int check(const SpokeConfig& config) {
  Result<CertificateInfo> own = check_spoke(config);
  if (!own) return complain(own.status(), kWrongUsage);
  std::cout << "the configuration of " << own->identity.label() << " in region "
            << own->identity.region << " is good\n";
  return kDone;
}

int run(const SpokeConfig& config, LogFormat format) {
  Signals signals;
  Log log({.format = format}, system_clock());
  if (Status status = require_tls13(); !status) return complain(status, kFailed);
  SpokeProgram spoke(config, log);
  if (Status status = spoke.start(); !status) {
    bool configuration = status.code() == Code::invalid || status.code() == Code::not_found ||
                         status.code() == Code::denied;
    return complain(status, configuration ? kWrongUsage : kFailed);
  }
  while (true) {
    int signal = signals.wait(kSecond);
    if (signal == SIGTERM || signal == SIGINT) break;
    spoke.update_metrics();
  }
  end_process_within(kStopsWithin);
  log.info("spoke_stopping", {{"spoke", config.name}});
  return kDone;
}

int main(int argc, char** argv) {
  CLI::App app("OLTP 2.0 spoke: the agent that forwards a database's outbox and fills its inbox.");
  app.footer(kFooter);
  app.set_version_flag("--version", std::string("oltp20-spoke ") + OLTP20_VERSION);
  std::string file, format_name = "text", admin_url;
  std::vector<std::string> settings;
  bool check_only = false, force = false;
  app.add_option("--config", file, "the spoke's TOML file")->required();
  app.add_option("--set", settings, "section.key=value, wins over the file");
  app.add_option("--log-format", format_name, "text or json");
  app.add_flag("--check-config", check_only, "check configuration and certificate, and end");
  auto* install_command =
      app.add_subcommand("install", "put the schema into the database")->fallthrough();
  auto* uninstall_command =
      app.add_subcommand("uninstall", "take the schema out of the database")->fallthrough();
  for (auto* command : {install_command, uninstall_command})
    command->add_option("--admin-url", admin_url,
                        "connect as this user instead of [database] url's");
  uninstall_command->add_flag("--force", force,
                              "also when transactions are not yet stable: they are lost");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kWrongUsage;
  }
  Result<LogFormat> format = parse_log_format(format_name);
  if (!format) return complain(format.status(), kWrongUsage);
  ConfigOverrides overrides = ConfigOverrides::from_environment();
  for (const std::string& setting : settings)
    if (Status status = overrides.add_flag(setting); !status) return complain(status, kWrongUsage);
  Result<SpokeConfig> config = load_spoke_config(file, std::move(overrides));
  if (!config) return complain(config.status(), kWrongUsage);
  if (check_only) return check(*config);
  if (admin_url.empty()) admin_url = config->database_url;
  if (*install_command) {
    Status status = install({admin_url, config->database_url, order_name(config->order)});
    if (!status) return complain(status, exit_code(status));
    std::cout << "installed\n";
    return kDone;
  }
  if (*uninstall_command) {
    Status status = uninstall(admin_url, force);
    if (!status) return complain(status, exit_code(status));
    std::cout << "uninstalled; roles are left, other databases may use them\n";
    return kDone;
  }
  return run(*config, *format);
}

}  // namespace
}  // namespace oltp20::spoke

int main(int argc, char** argv) {
  return oltp20::spoke::main(argc, argv);
}
