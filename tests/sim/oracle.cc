#include "tests/sim/oracle.h"

#include <algorithm>

namespace oltp20::sim {
namespace {

bool any_covers(const std::vector<std::string>& patterns, const std::string& type) {
  return std::ranges::any_of(patterns,
                             [&](const std::string& p) { return pattern_covers(p, type); });
}

}  // namespace

bool pattern_covers(const std::string& pattern, const std::string& type) {
  if (pattern == ">") return true;
  bool open = pattern.ends_with(".*") || pattern.ends_with(".>");
  if (!open) return pattern == type;
  std::string stem = pattern.substr(0, pattern.size() - 1);
  if (!type.starts_with(stem) || type.size() == stem.size()) return false;
  return pattern.back() == '>' || type.find('.', stem.size()) == std::string::npos;
}

std::size_t Oracle::begin(const std::string& origin, std::vector<OracleRow> rows) {
  std::size_t number = transactions_.size();
  for (std::size_t i = 0; i < rows.size(); ++i) rows_[rows[i].id] = {number, i};
  transactions_.push_back({origin, std::move(rows), Fate::open, 0, 0, 0});
  return number;
}

void Oracle::committed(std::size_t transaction, Micros now) {
  OracleTransaction& t = at(transaction);
  t.fate = Fate::committed;
  t.committed_at = now;
  t.visible = ++moment_;
}

void Oracle::lost(std::size_t transaction, bool restored) {
  at(transaction).fate = restored ? Fate::lost_restored : Fate::lost_unflushed;
}

std::size_t Oracle::policy_changed(Permissions permissions, Micros now) {
  policies_.emplace_back(now, std::move(permissions));
  return policies_.size() - 1;
}

void Oracle::subscribed(const std::string& spoke, std::vector<std::string> patterns, Micros now) {
  subscriptions_[spoke].emplace_back(now, std::move(patterns));
}

std::optional<Oracle::Place> Oracle::find(const RowId& id) const {
  auto found = rows_.find(id);
  if (found == rows_.end()) return std::nullopt;
  return found->second;
}

bool Oracle::may_publish(const std::string& spoke, const OracleRow& row, std::size_t policy) const {
  const Permissions& permissions = policies_[policy].second;
  auto who = permissions.find(spoke);
  if (who == permissions.end() || !any_covers(who->second.publish, row.type)) return false;
  if (row.destination.empty()) return true;
  // Rules name spokes only, and which of them are in a region a hub learns from certificates: so of
  // a region it suffices that anybody may receive the type.
  for (const auto& [name, region] : regions_) {
    bool named = row.destination == "spoke/" + name;
    bool known = named || row.destination == "region/" + region;
    if (!known) continue;
    for (const auto& [other, permission] : permissions)
      if ((!named || other == name) && any_covers(permission.receive, row.type)) return true;
  }
  return false;
}

bool Oracle::is_for(const std::string& destination, const std::string& origin, const OracleRow& row,
                    std::size_t policy, const std::vector<std::string>& subscription) const {
  if (origin == destination) return false;
  if (!row.destination.empty() && row.destination != "spoke/" + destination &&
      row.destination != "region/" + regions_.at(destination))
    return false;
  const Permissions& permissions = policies_[policy].second;
  auto who = permissions.find(destination);
  return who != permissions.end() && any_covers(who->second.receive, row.type) &&
         any_covers(subscription, row.type);
}

// Versions in force at `since` or later, in every combination: a superset of what was in force.
template <typename Verdict>
bool Oracle::over_time(const std::string& destination, Micros since, bool all,
                       Verdict verdict) const {
  const auto& subscriptions = subscriptions_.at(destination);
  for (std::size_t p = 0; p < policies_.size(); ++p) {
    if (p + 1 < policies_.size() && policies_[p + 1].first <= since) continue;
    for (std::size_t s = 0; s < subscriptions.size(); ++s) {
      if (s + 1 < subscriptions.size() && subscriptions[s + 1].first <= since) continue;
      if (verdict(p, subscriptions[s].second) != all) return !all;
    }
  }
  return all;
}

bool Oracle::always_for(const std::string& destination, std::size_t transaction,
                        const OracleRow& row) const {
  const OracleTransaction& t = transactions_[transaction];
  return over_time(destination, t.committed_at, true, [&](std::size_t p, const auto& s) {
    return is_for(destination, t.origin, row, p, s);
  });
}

bool Oracle::ever_for(const std::string& destination, std::size_t transaction,
                      const OracleRow& row) const {
  const OracleTransaction& t = transactions_[transaction];
  return over_time(destination, t.committed_at, false, [&](std::size_t p, const auto& s) {
    return is_for(destination, t.origin, row, p, s);
  });
}

bool Oracle::always_publishable(std::size_t transaction) const {
  const OracleTransaction& t = transactions_[transaction];
  for (std::size_t p = 0; p < policies_.size(); ++p) {
    if (p + 1 < policies_.size() && policies_[p + 1].first <= t.committed_at) continue;
    for (const OracleRow& row : t.rows)
      if (!may_publish(t.origin, row, p)) return false;
  }
  return true;
}

}  // namespace oltp20::sim
