#include "hub/config/policy_file.h"

#include "common/config/reader.h"

namespace oltp20::hub {
namespace {

// Selectors of `via` and `home_of`: "KIND/GLOB" with one of the kinds that make sense there.
void check_selectors(ConfigSection& section, std::string_view key,
                     const std::vector<std::string>& selectors, std::string_view one_kind) {
  for (const std::string& selector : selectors) {
    std::size_t slash = selector.find('/');
    std::string kind = selector.substr(0, slash);
    bool known = kind == one_kind || kind == "region";
    if (!known || slash == std::string::npos || slash + 1 == selector.size())
      section.problem(key, "\"" + selector + "\" is not " + std::string(one_kind) +
                               "/NAME or region/NAME, where * in NAME matches any characters");
  }
}

PolicyRule read_rule(ConfigSection section) {
  PolicyRule rule;
  rule.line = section.line();
  rule.who = section.text("who");
  rule.publish = section.texts_or("publish", {});
  rule.subscribe = section.texts_or("subscribe", {});
  bool has_via = section.has("via");
  std::vector<std::string> via = section.texts_or("via", {});
  rule.home_of = section.texts_or("home_of", {});
  rule.admin = section.texts_or("admin", {});

  check_selectors(section, "via", via, "hub");
  check_selectors(section, "home_of", rule.home_of, "spoke");
  bool for_hubs = rule.who.starts_with("hub/") || rule.who.starts_with("region/");
  if (!rule.who.empty() && !for_hubs) {
    if (has_via) section.problem("via", "means something for who = \"hub/...\" only; take it out");
    if (!rule.home_of.empty())
      section.problem("home_of", "means something for who = \"hub/...\" only; take it out");
  }
  if (has_via) rule.via = std::move(via);

  // One rule at a time, so that the problems of all rules are found.
  if (!rule.who.empty())
    if (auto alone = Policy::make({rule}); !alone) section.problem("", alone.status().message());
  return rule;
}

}  // namespace

Result<std::shared_ptr<const Policy>> load_policy(const std::filesystem::path& file) {
  auto reader = ConfigReader::open(file, {});
  if (!reader) return reader.status();
  std::vector<PolicyRule> rules;
  for (const ConfigSection& section : reader->list("rule")) rules.push_back(read_rule(section));
  OLTP20_TRY(reader->finish());
  return Policy::make(std::move(rules));
}

}  // namespace oltp20::hub
