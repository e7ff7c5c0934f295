#include "hub/config/hub_config.h"

#include "common/config/reader.h"

namespace oltp20::hub {
namespace {

constexpr std::int64_t kMostHorizonHours = 10 * 366 * 24;
constexpr std::uint64_t kLeastJournalBytes = 16
                                             << 20;  // below that there is no room for two groups

std::optional<Location> read_location(ConfigSection table) {
  if (!table.present() && !table.has("latitude") && !table.has("longitude")) return std::nullopt;
  return Location{table.real("latitude", -90, 90), table.real("longitude", -180, 180)};
}

}  // namespace

Result<HubConfig> load_hub_config(const std::filesystem::path& file, ConfigOverrides overrides) {
  auto reader = ConfigReader::open(file, std::move(overrides));
  if (!reader) return reader.status();
  HubConfig config;

  ConfigSection hub = reader->section("hub");
  config.name = read_name(hub, "name");
  config.listen = hub.endpoint("listen", PortZero::allowed);
  config.data_dir = hub.path("data_dir");
  std::error_code error;
  if (std::filesystem::exists(config.data_dir, error) &&
      !std::filesystem::is_directory(config.data_dir, error))
    hub.problem("data_dir", config.data_dir.string() + " is not a directory; name one");
  config.location = read_location(hub.table("location"));

  config.http_listen = reader->section("http").endpoint_if_set("listen", PortZero::allowed);
  if (config.http_listen == config.listen && config.listen.port != 0)
    reader->section("http").problem("listen", "is the same as hub.listen; give it another port");
  config.tls = read_tls_files(reader->section("tls"));
  config.policy_file = reader->section("policy").file("file");

  ConfigSection journal = reader->section("journal");
  config.horizon_hours =
      journal.integer_or("horizon_hours", config.horizon_hours, 1, kMostHorizonHours);
  config.journal_max_bytes =
      journal.bytes_or("max_bytes", config.journal_max_bytes, kLeastJournalBytes);

  config.peers = read_remotes(*reader, "peer");
  for (const RemoteHub& peer : config.peers)
    if (!config.name.empty() && peer.name == config.name)
      hub.problem("name", "\"" + peer.name +
                              "\" is also in the list of peers; a hub is not its "
                              "own peer, so take it out there");

  OLTP20_TRY(reader->finish());
  return config;
}

}  // namespace oltp20::hub
