#include "common/config/overrides.h"

#include <unistd.h>

#include <cctype>

namespace oltp20 {

std::string environment_name(std::string_view dotted_key) {
  std::string out = "OLTP20_";
  for (char c : dotted_key) {
    bool letter = std::isalnum(static_cast<unsigned char>(c)) != 0;
    out += letter ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : '_';
  }
  return out;
}

ConfigOverrides ConfigOverrides::from_environment() {
  ConfigOverrides out;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    std::string_view text = *variable;
    std::size_t equals = text.find('=');
    if (text.substr(0, 7) != "OLTP20_" || equals == std::string_view::npos) continue;
    if (equals + 1 < text.size())
      out.environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

Status ConfigOverrides::add_flag(std::string_view assignment) {
  std::size_t equals = assignment.find('='), dot = assignment.find('.');
  if (equals == std::string_view::npos || dot == std::string_view::npos || dot == 0 ||
      dot + 1 >= equals)
    return Status(Code::invalid, "\"" + std::string(assignment) +
                                     "\" is not SECTION.KEY=VALUE; write for instance "
                                     "hub.listen=127.0.0.1:7420");
  std::string key(assignment.substr(0, equals));
  if (!flags.emplace(key, assignment.substr(equals + 1)).second)
    return Status(Code::invalid, "flag " + key + " is given twice; give it once");
  return {};
}

}  // namespace oltp20
