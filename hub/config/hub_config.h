// hub.toml as a struct. Values are checked; files that it names exist and can be read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/config/endpoint.h"
#include "common/config/overrides.h"
#include "common/config/remotes.h"
#include "common/config/tls_files.h"

namespace oltp20::hub {

// Where the hub stands, in degrees; the physical floor of a link's RTT follows from it.
struct Location {
  double latitude = 0;
  double longitude = 0;
};

struct HubConfig {
  std::string name;
  Endpoint listen;  // port 0: the system chooses
  std::filesystem::path data_dir;
  std::optional<Location> location;
  std::optional<Endpoint> http_listen;  // absent: nothing is served
  TlsFiles tls;
  std::filesystem::path policy_file;
  std::int64_t horizon_hours = 168;
  std::uint64_t journal_max_bytes = std::uint64_t{50} << 30;
  std::vector<RemoteHub> peers;
};

// Errors: not_found when there is no such file; invalid with every problem of the file, one a line.
Result<HubConfig> load_hub_config(const std::filesystem::path& file, ConfigOverrides overrides);

}  // namespace oltp20::hub
