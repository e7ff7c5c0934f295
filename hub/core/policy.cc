#include "hub/core/policy.h"

#include "common/base/subject.h"

namespace oltp20::hub {
namespace {

bool rule_applies(const PolicyRule& rule, const Identity& who) {
  std::string_view selector = rule.who;
  std::size_t slash = selector.find('/');
  std::string_view kind = selector.substr(0, slash), glob = selector.substr(slash + 1);
  if (kind == "region") return !who.region.empty() && name_matches(glob, who.region);
  std::string label = who.label();
  return std::string_view(label).substr(0, kind.size() + 1) == std::string(kind) + "/" &&
         name_matches(glob, who.name);
}

Status bad_rule(const PolicyRule& rule, const std::string& what) {
  return Status(Code::invalid, "rule at line " + std::to_string(rule.line) + " (who = \"" +
                                   rule.who + "\"): " + what);
}

Status check_rule(const PolicyRule& rule) {
  std::size_t slash = rule.who.find('/');
  std::string kind = rule.who.substr(0, slash);
  bool known = kind == "spoke" || kind == "hub" || kind == "region" || kind == "admin";
  if (!known || slash == std::string::npos || slash + 1 == rule.who.size())
    return bad_rule(rule,
                    "who must be spoke/NAME, hub/NAME, region/NAME or admin/NAME, where * in "
                    "NAME matches any characters");
  for (const auto* patterns : {&rule.publish, &rule.subscribe})
    for (const std::string& pattern : *patterns)
      if (Status status = check_pattern(pattern); !status) return bad_rule(rule, status.message());
  for (const std::string& verb : rule.admin)
    if (verb != "read" && verb != "write")
      return bad_rule(rule, "admin takes \"read\" and \"write\", not \"" + verb + "\"");
  return {};
}

// Whether every type that `inner` matches is matched by `outer` as well.
bool covers(std::string_view outer, std::string_view inner) {
  if (outer == ">") return true;
  while (true) {
    std::size_t o = outer.find('.'), i = inner.find('.');
    std::string_view have = outer.substr(0, o), want = inner.substr(0, i);
    if (have == ">") return true;
    if (want == ">" || (want == "*" && have != "*") || (have != "*" && have != want)) return false;
    bool outer_ends = o == std::string_view::npos, inner_ends = i == std::string_view::npos;
    if (outer_ends || inner_ends) return outer_ends && inner_ends;
    outer.remove_prefix(o + 1);
    inner.remove_prefix(i + 1);
  }
}

}  // namespace

Result<std::shared_ptr<const Policy>> Policy::make(std::vector<PolicyRule> rules) {
  for (const PolicyRule& rule : rules) OLTP20_TRY(check_rule(rule));
  auto policy = std::make_shared<Policy>();
  policy->rules_ = std::move(rules);
  return std::shared_ptr<const Policy>(std::move(policy));
}

std::shared_ptr<const Policy> Policy::deny_all() {
  return std::make_shared<Policy>();
}

bool Policy::may_publish(const Identity& who, std::string_view type) const {
  for (const PolicyRule& rule : rules_)
    if (!rule.publish.empty() && rule_applies(rule, who) && any_subject_matches(rule.publish, type))
      return true;
  return false;
}

bool Policy::may_receive(const Identity& who, std::string_view type) const {
  for (const PolicyRule& rule : rules_)
    if (!rule.subscribe.empty() && rule_applies(rule, who) &&
        any_subject_matches(rule.subscribe, type))
      return true;
  return false;
}

bool Policy::may_admin(const Identity& who, std::string_view verb) const {
  for (const PolicyRule& rule : rules_)
    if (rule_applies(rule, who))
      for (const std::string& granted : rule.admin)
        if (granted == verb) return true;
  return false;
}

bool Policy::knows_destination(std::string_view destination) const {
  std::size_t slash = destination.find('/');
  if (slash == std::string_view::npos) return false;
  std::string_view kind = destination.substr(0, slash), name = destination.substr(slash + 1);
  for (const PolicyRule& rule : rules_) {
    std::string_view who = rule.who;
    if (who.substr(0, slash) == kind && who.size() > slash && who[slash] == '/' &&
        name_matches(who.substr(slash + 1), name))
      return true;
  }
  return false;
}

bool Policy::may_reach(std::string_view destination, std::string_view type) const {
  std::size_t slash = destination.find('/');
  if (slash == std::string_view::npos) return false;
  std::string_view kind = destination.substr(0, slash), name = destination.substr(slash + 1);
  for (const PolicyRule& rule : rules_) {
    std::string_view who = rule.who, selects = who.substr(0, who.find('/'));
    if (selects != "spoke" && selects != "region") continue;
    if (selects == kind && !name_matches(who.substr(slash + 1), name)) continue;
    if (any_subject_matches(rule.subscribe, type)) return true;
  }
  return false;
}

std::vector<std::string> Policy::narrowed(const Identity& who,
                                          const std::vector<std::string>& subscribe) const {
  std::vector<std::string> out;
  for (const std::string& pattern : subscribe) {
    bool covered = false;
    for (const PolicyRule& rule : rules_)
      if (rule_applies(rule, who))
        for (const std::string& granted : rule.subscribe) covered |= covers(granted, pattern);
    if (!covered) out.push_back(pattern);
  }
  return out;
}

bool addressed_to(std::string_view destination, const Identity& spoke) {
  if (destination.empty()) return true;
  return destination == spoke.label() || destination == "region/" + spoke.region;
}

}  // namespace oltp20::hub
