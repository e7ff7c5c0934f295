#include "spoke/config/spoke_config.h"

#include "common/base/limits.h"
#include "common/base/subject.h"
#include "common/config/reader.h"

namespace oltp20::spoke {
namespace {

constexpr std::int64_t kMostHorizonHours = 10 * 366 * 24;
constexpr std::int64_t kMostHandlerSeconds = 24 * 3600;

void check_subscriptions(ConfigSection& spoke, const std::vector<std::string>& patterns) {
  if (patterns.size() > limits::kSubscriptions)
    spoke.problem("subscribe", "has " + std::to_string(patterns.size()) +
                                   " patterns, and at most " +
                                   std::to_string(limits::kSubscriptions) +
                                   " are possible; use * and > to say it with fewer");
  for (const std::string& pattern : patterns)
    if (Status status = check_pattern(pattern); !status)
      spoke.problem("subscribe", status.message());
}

// A URL or libpq's key=value form. The value stays out of the message: it may hold a password.
void check_database_url(ConfigSection& database, const std::string& url) {
  if (url.empty() || url.starts_with("postgresql://") || url.starts_with("postgres://")) return;
  bool keywords = url.find("://") == std::string::npos && url.find('=') != std::string::npos;
  if (!keywords)
    database.problem("url",
                     "is not a PostgreSQL URL; write for instance "
                     "\"postgresql://oltp20_agent@127.0.0.1:5432/oltp20_framework\"");
}

}  // namespace

Result<SpokeConfig> load_spoke_config(const std::filesystem::path& file,
                                      ConfigOverrides overrides) {
  auto reader = ConfigReader::open(file, std::move(overrides));
  if (!reader) return reader.status();
  SpokeConfig config;

  ConfigSection spoke = reader->section("spoke");
  config.name = read_name(spoke, "name");
  config.subscribe = spoke.texts_or("subscribe", {});
  check_subscriptions(spoke, config.subscribe);
  config.start = spoke.choice_or("start", "earliest", {"earliest", "now"}) == "now"
                     ? Start::now
                     : Start::earliest;
  config.order =
      spoke.choice_or("order", "exact", {"exact", "fast"}) == "fast" ? Order::fast : Order::exact;

  config.horizon_hours =
      reader->section("retention")
          .integer_or("horizon_hours", config.horizon_hours, 1, kMostHorizonHours);
  config.handler_timeout_seconds = reader->section("apply").integer_or(
      "handler_timeout_seconds", config.handler_timeout_seconds, 1, kMostHandlerSeconds);
  ConfigSection database = reader->section("database");
  config.database_url = database.text("url");
  check_database_url(database, config.database_url);
  config.tls = read_tls_files(reader->section("tls"));
  config.http_listen = reader->section("http").endpoint_if_set("listen", PortZero::allowed);

  config.hubs = read_remotes(*reader, "hub");
  if (config.hubs.empty())
    spoke.problem("", "there is no hub to attach to; add a [[hub]] with name and endpoint");

  OLTP20_TRY(reader->finish());
  return config;
}

}  // namespace oltp20::spoke
