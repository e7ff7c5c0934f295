// [[peer]] and [[hub]]: hubs that somebody connects to, by name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/config/reader.h"

namespace oltp20 {

struct RemoteHub {
  std::string name;  // as in its certificate
  Endpoint endpoint;
};

// Reports names that are malformed or listed twice.
std::vector<RemoteHub> read_remotes(ConfigReader& reader, std::string_view list);

// A required name of a hub or spoke; reports one that no certificate can carry.
std::string read_name(ConfigSection& section, std::string_view key);

}  // namespace oltp20
