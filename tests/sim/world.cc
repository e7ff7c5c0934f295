#include "tests/sim/world.h"

#include <cstdio>

#include "common/base/limits.h"
#include "tests/sim/scenario.h"

namespace oltp20::sim {

World::World(std::uint64_t seed, const std::vector<std::string>& hubs,
             const std::vector<std::string>& spokes)
    : seed_(seed), dice_(seed, "network"), checks_(*this), endpoints_(hubs) {
  for (const std::string& name : spokes) {
    std::string region = (spokes_.size() % 2 == 0) ? "eu" : "us";
    oracle_.spoke_known(name, region);
    spokes_[name] = std::make_unique<Spoke>(*this, name, region, seed);
  }
  for (const std::string& name : hubs) hubs_[name] = std::make_unique<Hub>(*this, name);
  if (hubs.size() > 1) follower_ = std::make_unique<Follower>(*this);
}

void World::set_permissions(Permissions permissions) {
  std::vector<hub::PolicyRule> rules;
  for (const auto& [name, permission] : permissions) {
    hub::PolicyRule rule;
    rule.who = "spoke/" + name;
    rule.publish = permission.publish;
    rule.subscribe = permission.receive;
    rules.push_back(std::move(rule));
  }
  hub::PolicyRule liar;  // it has a certificate, and rights of its own
  liar.who = "spoke/mallory";
  liar.publish = {"greeting"};
  rules.push_back(std::move(liar));
  for (const char* region : {"region/eu", "region/us"}) {  // so that they may be addressed
    hub::PolicyRule rule;
    rule.who = region;
    rules.push_back(std::move(rule));
  }
  policy_ = *hub::Policy::make(std::move(rules));
  std::size_t version = oracle_.policy_changed(std::move(permissions), now());
  for (const auto& [name, hub] : hubs_) hub->change_policy(policy_, version);
}

void World::say(const std::string& who, const std::string& text) const {
  if (trace_runs && !text.empty())
    std::printf("%10.6f %s: %s\n", static_cast<double>(scheduler_.now()) / kSecond, who.c_str(),
                text.c_str());
}

// ---- links --------------------------------------------------------------------------------------

Micros World::latency() {
  return dice_.chance(5) ? dice_.between(5'000, 200'000) : dice_.between(100, 3'000);
}

LinkPtr World::find(hub::LinkId id) const {
  auto at = links_.find(id);
  return at == links_.end() ? nullptr : at->second;
}

LinkPtr World::connect(Spoke& spoke, bool forward, const std::string& name) {
  Hub& hub = *hubs_.at(name);
  if (spoke.connected && hub.is_up()) return open(spoke.identity(), spoke.name(), forward, hub);
  auto link = std::make_shared<Link>();  // to nowhere
  link->forward = forward;
  link->spoke = spoke.name();
  link->hub_gone = true;
  link->up.ended = true;
  end_down(link, dice_.between(100, 100'000), Status(Code::unavailable, "nobody answers"));
  return link;
}

LinkPtr World::open(const Identity& identity, const std::string& spoke, bool forward, Hub& hub) {
  auto link = std::make_shared<Link>();
  link->id = next_link_++;
  link->forward = forward;
  link->spoke = spoke;
  link->hub = hub.name();
  link->hub_life = hub.life();
  link->identity = identity;
  if (spokes_.contains(spoke)) link->subscribe = oracle_.subscription(spoke);
  links_[link->id] = link;
  send_up(link, Opened{});
  send_down(link, Opened{});
  return link;
}

void World::send_up(const LinkPtr& link, UpItem item) {
  if (link->up.dead || link->up.ended) return;
  link->up.last = std::max(link->up.last, now() + latency());
  link->up.flying.emplace_back(link->up.last, std::move(item));
  scheduler_.at(link->up.last, [this, link] { pump_up(link); });
}

void World::send_down(const LinkPtr& link, DownItem item) {
  if (link->down.dead || link->down.ended) return;
  link->down.last = std::max(link->down.last, now() + latency());
  link->down.flying.emplace_back(link->down.last, std::move(item));
  scheduler_.at(link->down.last, [this, link] { pump_down(link); });
}

void World::pump_up(const LinkPtr& link) {
  auto& flying = link->up.flying;
  auto hub = hubs_.find(link->hub);
  while (!flying.empty() && flying.front().first <= now()) {
    UpItem& item = flying.front().second;
    bool frame = std::holds_alternative<ForwardUp>(item) || std::holds_alternative<DeliverUp>(item);
    if (frame && link->unconsumed >= limits::kStreamInflight) {
      // The reader is held back; that the link has ended is seen nevertheless.
      bool ended =
          std::holds_alternative<Closed>(flying.back().second) && flying.back().first <= now();
      if (!ended) return;
      flying.erase(flying.begin(), flying.end() - 1);
      continue;
    }
    if (hub != hubs_.end() && !link->hub_gone && hub->second->life() == link->hub_life) {
      if (std::get_if<Opened>(&item))
        hub->second->post(hub::LinkOpened{link->id, link->forward, link->identity, link->spoke});
      if (auto* up = std::get_if<ForwardUp>(&item))
        hub->second->post(hub::ForwardReceived{link->id, std::move(*up)});
      if (auto* up = std::get_if<DeliverUp>(&item))
        hub->second->post(hub::DeliverReceived{link->id, std::move(*up)});
      if (std::get_if<Closed>(&item)) {
        hub->second->post(hub::LinkClosed{link->id});
        link->hub_gone = true;
      }
      if (frame) ++link->unconsumed;
    }
    flying.pop_front();
  }
  if (link->hub_gone && link->agent_gone) links_.erase(link->id);
}

void World::pump_down(const LinkPtr& link) {
  auto& flying = link->down.flying;
  while (!flying.empty() && flying.front().first <= now()) {
    DownItem item = std::move(flying.front().second);
    flying.pop_front();
    if (link->agent_gone) continue;
    if (std::get_if<Closed>(&item)) link->agent_gone = true;
    if (auto spoke = spokes_.find(link->spoke); spoke != spokes_.end())
      spoke->second->received(link, std::move(item));
  }
  if (link->hub_gone && link->agent_gone) links_.erase(link->id);
}

void World::consumed(hub::LinkId id, std::size_t frames) {
  LinkPtr link = find(id);
  if (!link) return;
  checks_.consumed_is_true(*link, frames);
  link->unconsumed -= std::min(frames, link->unconsumed);
  scheduler_.after(1, [this, link] { pump_up(link); });
}

// What is under way arrives up to a point; behind it the hub sees the end.
void World::end_up(const LinkPtr& link, Micros after) {
  if (link->up.ended) return;
  auto& flying = link->up.flying;
  flying.resize(dice_.below(flying.size() + 1), {0, UpItem(Opened{})});
  link->up.dead = false;
  link->up.last = std::max(flying.empty() ? 0 : flying.back().first, now() + after);
  flying.emplace_back(link->up.last, Closed{Status()});
  link->up.ended = true;
  scheduler_.at(link->up.last, [this, link] { pump_up(link); });
}

void World::end_down(const LinkPtr& link, Micros after, const Status& status) {
  if (link->down.ended) return;
  auto& flying = link->down.flying;
  flying.resize(dice_.below(flying.size() + 1), {0, DownItem(Opened{})});
  link->down.last = std::max(flying.empty() ? 0 : flying.back().first, now() + after);
  flying.emplace_back(link->down.last, Closed{status});
  link->down.ended = true;
  scheduler_.at(link->down.last, [this, link] { pump_down(link); });
}

void World::agent_leaves(const LinkPtr& link, Micros seen_after) {
  link->agent_gone = true;
  link->down.ended = true;
  link->down.flying.clear();
  end_up(link, link->up.dead ? limits::kSilence : seen_after);
}

void World::hub_closes(const LinkPtr& link, Goodbye goodbye) {
  Status status(goodbye.code, "the hub says: " + goodbye.reason);
  if (link->forward) {
    send_down(link, ForwardDown(std::move(goodbye)));
  } else {
    send_down(link, DeliverDown(std::move(goodbye)));
  }
  send_down(link, Closed{status});
  if (!link->down.dead) link->down.ended = true;  // else only silence tells
  link->up.flying.clear();
  end_up(link, dice_.between(0, 50'000));
}

void World::hub_dies(const std::string& hub) {
  std::vector<LinkPtr> dead;
  for (const auto& [id, link] : links_)
    if (link->hub == hub) dead.push_back(link);
  bool host = dice_.chance(20);  // with its machine: only silence tells
  for (const LinkPtr& link : dead) {
    link->hub_gone = true;
    link->up.ended = true;
    link->up.flying.clear();
    end_down(link, host ? limits::kSilence : dice_.between(100, 20'000),
             Status(Code::unavailable, "the hub is gone"));
  }
}

void World::cut(const LinkPtr& link, Micros most) {
  end_up(link, dice_.between(0, most));
  end_down(link, dice_.between(0, most), Status(Code::unavailable, "the link was cut"));
}

void World::swallow(const LinkPtr& link, bool up, bool down) {
  if (up && !link->up.ended) {
    link->up.dead = true;
    link->up.flying.clear();
  }
  if (down && !link->down.ended) {
    link->down.dead = true;
    link->down.flying.clear();
  }
  scheduler_.after(limits::kSilence, [this, link] { cut(link, kSecond); });
}

}  // namespace oltp20::sim
