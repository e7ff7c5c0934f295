// Values that win over the file: flags first, then the environment.
//
// The environment's name of section.key is OLTP20_SECTION_KEY in capitals, dots and dashes as
// underscores: hub.listen is OLTP20_HUB_LISTEN.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace oltp20 {

struct ConfigOverrides {
  std::map<std::string, std::string> flags;        // "section.key" -> value
  std::map<std::string, std::string> environment;  // "OLTP20_SECTION_KEY" -> value

  // This process's environment; variables that are empty count as not set.
  static ConfigOverrides from_environment();
  // Takes "section.key=value". Errors: invalid, showing the form; a key that was given before.
  Status add_flag(std::string_view assignment);
};

std::string environment_name(std::string_view dotted_key);

}  // namespace oltp20
