// oltp20-hub: the hub of a region.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "common/program/exit_code.h"
#include "common/program/signals.h"
#include "hub/hub_program.h"
#include "hub/journal/rocksdb/verify_directory.h"

namespace oltp20::hub {
namespace {

constexpr const char* kFooter = R"(Examples:
  oltp20-hub --config /etc/oltp20/hub.toml
  oltp20-hub --config hub.toml --check-config
  oltp20-hub --config hub.toml --set hub.listen=127.0.0.1:7999
  oltp20-hub verify --config hub.toml
  oltp20-hub --config hub.toml --restored    # once, after its data came from a backup

Every setting can also come from the environment: hub.listen is OLTP20_HUB_LISTEN.
SIGTERM ends it, SIGHUP reloads policy and revocation list.
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 not reached, 4 refused.)";

int complain(const Status& status, int code) {
  std::cerr << "oltp20-hub: " << status.message() << "\n";
  return code;
}

int check(const HubConfig& config) {
  Result<CertificateInfo> own = check_hub(config);
  if (!own) return complain(own.status(), kWrongUsage);
  std::cout << "the configuration of " << own->identity.label() << " in region "
            << own->identity.region << " is good\n";
  return kDone;
}

int verify(const HubConfig& config) {
  bool terminal = isatty(STDERR_FILENO);
  Result<DirectoryReport> report = verify_directory(config.data_dir.string(), [&](Lsn at, Lsn to) {
    if (terminal) std::cerr << "\rverified " << at << " of " << to << std::flush;
    return true;
  });
  if (terminal) std::cerr << "\n";
  if (!report) return complain(report.status(), exit_code(report.status()));
  for (const std::string& note : report->notes) std::cout << "note: " << note << "\n";
  for (const VerifyReport& stream : report->incarnations) {
    std::cout << "incarnation " << to_hex(stream.incarnation) << ": " << stream.entries
              << " entries, lsn " << stream.from << " to " << stream.to << ": "
              << (stream.is_sound() ? "sound" : "DAMAGED") << "\n";
    for (const Finding& finding : stream.findings)
      std::cout << "  lsn " << finding.lsn << " " << finding_name(finding.kind) << ": "
                << finding.sentence << "\n";
    if (stream.more_findings != 0) std::cout << "  and " << stream.more_findings << " more\n";
  }
  return report->is_sound() ? kDone : kFailed;
}

int run(const HubConfig& config, LogFormat format, bool restored) {
  Signals signals;
  Log log({.format = format}, system_clock());
  if (Status status = require_tls13(); !status) return complain(status, kFailed);
  HubProgram hub(config, log, restored);
  if (Status status = hub.start(); !status) {
    bool configuration = status.code() == Code::invalid || status.code() == Code::not_found ||
                         status.code() == Code::denied;
    return complain(status, configuration ? kWrongUsage : kFailed);
  }
  while (true) {
    int signal = signals.wait(kSecond);
    if (signal == SIGHUP) static_cast<void>(hub.reload().is_ok());  // said in the log
    if (signal == SIGTERM || signal == SIGINT) break;
    hub.update_metrics();
  }
  log.info("hub_stopping", {{"hub", config.name}});
  return kDone;
}

int main(int argc, char** argv) {
  CLI::App app("OLTP 2.0 hub: journals transactions of databases and delivers them to others.");
  app.footer(kFooter);
  app.set_version_flag("--version", std::string("oltp20-hub ") + OLTP20_VERSION);
  std::string file, format_name = "text";
  std::vector<std::string> settings;
  bool check_only = false, restored = false;
  app.add_option("--config", file, "the hub's TOML file")->required();
  app.add_option("--set", settings, "section.key=value, wins over the file");
  app.add_option("--log-format", format_name, "text or json");
  app.add_flag("--check-config", check_only,
               "check configuration, certificate and policy, and end");
  auto* restored_flag =
      app.add_flag("--restored", restored,
                   "the data directory was restored from a backup or copied: begin a new "
                   "incarnation of its journal. For one start, not for a service unit");
  auto* verify_command =
      app.add_subcommand("verify", "check the journal's files; the hub must not be running")
          ->fallthrough();
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
  Result<HubConfig> config = load_hub_config(file, std::move(overrides));
  if (!config) return complain(config.status(), kWrongUsage);
  if (restored && (check_only || *verify_command))
    return complain(Status(Code::invalid, restored_flag->get_name() + " is for starting the hub"),
                    kWrongUsage);
  if (check_only) return check(*config);
  if (*verify_command) return verify(*config);
  return run(*config, *format, restored);
}

}  // namespace
}  // namespace oltp20::hub

int main(int argc, char** argv) {
  return oltp20::hub::main(argc, argv);
}
