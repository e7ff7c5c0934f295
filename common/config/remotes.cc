#include "common/config/remotes.h"

#include <set>

#include "common/base/subject.h"

namespace oltp20 {

std::string read_name(ConfigSection& section, std::string_view key) {
  std::string name = section.text(key);
  if (!name.empty() && !is_name(name))
    section.problem(key, "\"" + name +
                             "\" is not a name; use 1 to 63 letters, digits, _, - and ., as in "
                             "the certificate");
  return name;
}

std::vector<RemoteHub> read_remotes(ConfigReader& reader, std::string_view list) {
  std::vector<RemoteHub> out;
  std::set<std::string> names;
  for (ConfigSection item : reader.list(list)) {
    RemoteHub remote;
    remote.name = read_name(item, "name");
    remote.endpoint = item.endpoint("endpoint", PortZero::refused);
    if (!remote.name.empty() && !names.insert(remote.name).second)
      item.problem("name", "\"" + remote.name + "\" is listed twice; keep one of them");
    out.push_back(std::move(remote));
  }
  return out;
}

}  // namespace oltp20
