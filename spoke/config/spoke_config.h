// spoke.toml as a struct. Values are checked; files that it names exist and can be read.
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

namespace oltp20::spoke {

// Where delivery begins at the first attach: at what is retained, or with what comes next.
enum class Start { earliest, now };
// How transactions of one tick are ordered; see invariant 4.
enum class Order { exact, fast };

struct SpokeConfig {
  std::string name;
  std::vector<std::string> subscribe;  // patterns; empty: the spoke only sends
  Start start = Start::earliest;
  Order order = Order::exact;
  std::int64_t horizon_hours = 168;
  std::int64_t handler_timeout_seconds = 30;
  std::string database_url;  // may hold a password: never logged, never in a message
  TlsFiles tls;
  std::optional<Endpoint> http_listen;  // absent: nothing is served
  std::vector<RemoteHub> hubs;          // at least one
};

// Errors: not_found when there is no such file; invalid with every problem of the file, one a line.
Result<SpokeConfig> load_spoke_config(const std::filesystem::path& file, ConfigOverrides overrides);

}  // namespace oltp20::spoke
