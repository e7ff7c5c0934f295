#include "tests/sim/scale/network.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "common/wire/sha256.h"

namespace oltp20::sim {

using namespace hub::routing;  // NOLINT: this file is about nothing else

namespace {
constexpr Micros kBatch = 2 * kMillisecond;
}  // namespace

Traffic Traffic::operator-(const Traffic& other) const {
  return {advertisements - other.advertisements,
          advertisement_bytes - other.advertisement_bytes,
          digests - other.digests,
          digest_bytes - other.digest_bytes,
          summaries - other.summaries,
          probes - other.probes};
}

std::string sign_as(const std::string& hub, std::string_view canonical) {
  Sha256 sha;
  sha.update("secret of " + hub);
  sha.update(canonical);
  const Hash once = sha.finish();
  return std::string(once.view()) + std::string(once.view());  // as long as Ed25519's
}

Status verify_signature(const Advertisement& content, std::string_view canonical,
                        std::string_view signature) {
  if (sign_as(content.hub, canonical) == signature) return {};
  return Status(Code::denied, "hub " + content.hub + " did not sign this advertisement");
}

Network::Network(std::uint64_t seed) : dice_(seed, "network") {}

std::size_t Network::add_hub(RouterSettings settings, std::vector<std::string> interest,
                             bool observed) {
  const std::size_t index = hubs_.size();
  names_[settings.hub] = index;
  Hub hub;
  hub.settings = std::move(settings);
  hub.interest = std::move(interest);
  hub.observed = observed;
  hubs_.push_back(std::move(hub));
  return index;
}

std::size_t Network::add_link(std::size_t a, std::size_t b, Micros rtt_us, unsigned jitter) {
  Link link;
  link.a = a;
  link.b = b;
  link.rtt_us = rtt_us;
  link.jitter_percent = jitter;
  const std::size_t index = links_.size();
  links_.push_back(link);
  hubs_[a].links.push_back(index);
  hubs_[b].links.push_back(index);
  between_[std::min(a, b) << 32 | std::max(a, b)] = index;
  if (hubs_[a].router && hubs_[b].router) open(index);
  return index;
}

void Network::start(std::size_t index) {
  Hub& hub = hubs_[index];
  ++hub.life;
  hub.settings.incarnation.bytes[0] = static_cast<std::uint8_t>(hub.life);
  hub.router = std::make_unique<Router>(
      hub.settings,
      [this](std::shared_ptr<const std::string> bytes) { return opened(std::move(bytes)); },
      [name = hub.settings.hub](std::string_view canonical) { return sign_as(name, canonical); });
  hub.router->set_interest(hub.interest);
  if (hub.observed) hub.table = std::make_unique<RouteTable>(hub.settings.hub, hub.residency);
  for (std::size_t link : hub.links) {
    const Link& l = links_[link];
    if (hubs_[l.a].router && hubs_[l.b].router) open(link);
  }
  const auto phase = static_cast<Micros>(dice_.below(kFlushPeriod));
  scheduler_.after(phase, [this, index, life = hub.life] { tick(index, life); });
}

void Network::crash(std::size_t index) {
  hubs_[index].router.reset();
  hubs_[index].table.reset();
  ++hubs_[index].life;
}

void Network::open(std::size_t index) {
  const Link& link = links_[index];
  for (const auto& [here, there] : {std::pair(link.a, link.b), std::pair(link.b, link.a)}) {
    Outbox out;
    Router& router = *hubs_[here].router;
    router.disconnect(hubs_[there].settings.hub, now());
    CHECK(router.connect(hubs_[there].settings.hub, now(), &out).is_ok());
    for (auto& s : out.sends) send(here, s.peer, std::move(s.frame));
  }
}

void Network::heal(std::size_t index) {
  Link& link = links_[index];
  link.cut = false;
  if (hubs_[link.a].router && hubs_[link.b].router) open(index);
}

void Network::run_until(Micros when) {
  scheduler_.run_until(when, [] { return false; });
}

Micros Network::run_until_holds(const std::function<bool()>& holds, Micros step, Micros most) {
  const Micros began = now();
  while (!holds()) {
    if (now() - began >= most) return -1;
    run_for(step);
  }
  return now() - began;
}

void Network::tick(std::size_t index, std::uint64_t life) {
  if (hubs_[index].life != life) return;
  step(index);
  scheduler_.after(kFlushPeriod, [this, index, life] { tick(index, life); });
}

// A hub takes what came within a batch together.
void Network::step_soon(std::size_t index) {
  if (hubs_[index].step_waits) return;
  hubs_[index].step_waits = true;
  scheduler_.after(kBatch, [this, index, life = hubs_[index].life] {
    hubs_[index].step_waits = false;
    if (hubs_[index].life == life && hubs_[index].router) step(index);
  });
}

void Network::step(std::size_t index) {
  Hub& hub = hubs_[index];
  Outbox out;
  hub.router->flush(now(), &out);
  for (auto& refusal : out.refusals) hub.refusals.push_back(refusal.status.message());
  for (auto& s : out.sends) send(index, s.peer, std::move(s.frame));
  if (!hub.table) return;
  std::vector<RouteChange> changes;
  hub.table->flush(hub.router->state(), now(), &changes);
  for (auto& change : changes) hub.changes.emplace_back(now(), std::move(change));
}

void Network::count(const Frame& frame) {
  if (const auto* advertisements = std::get_if<Advertisements>(&frame)) {
    for (const auto& bytes : advertisements->bytes) {
      ++traffic_.advertisements;
      traffic_.advertisement_bytes += bytes->size() + 4;
    }
  } else if (const auto* digest = std::get_if<Digest>(&frame)) {
    ++traffic_.digests;
    for (const auto& entry : digest->entries) traffic_.digest_bytes += 18 + entry.hub.size();
  } else if (std::holds_alternative<Summary>(frame)) {
    ++traffic_.summaries;
  } else {
    ++traffic_.probes;
  }
}

void Network::send(std::size_t from, const std::string& peer, Frame frame) {
  const std::size_t to = names_.at(peer);
  const std::size_t index = between_.at(std::min(from, to) << 32 | std::max(from, to));
  Link& link = links_[index];
  count(frame);
  const bool forward = from == link.a;
  if (link.cut || (forward ? link.loses_a_to_b : link.loses_b_to_a)) return;
  // One direction has all the noise, so that each RTT has as much of it as the link says.
  Micros delay = link.now_us() / 2;
  if (forward && link.jitter_percent != 0)
    delay += link.now_us() *
             dice_.between(-static_cast<std::int64_t>(link.jitter_percent) * 100,
                           static_cast<std::int64_t>(link.jitter_percent) * 100) /
             10'000;
  Micros arrives = now() + std::max<Micros>(delay, 1);
  const bool probe = std::holds_alternative<Heartbeat>(frame);
  if (!probe) {
    arrives = std::max(arrives, link.arrived_us[forward]);
    link.arrived_us[forward] = arrives;
  }
  scheduler_.at(arrives,
                [this, from, to, index, probe, life = hubs_[to].life, frame = std::move(frame)] {
                  if (links_[index].cut || hubs_[to].life != life || !hubs_[to].router) return;
                  Outbox out;
                  hubs_[to].router->receive(hubs_[from].settings.hub, frame, now(), &out);
                  for (auto& refusal : out.refusals)
                    hubs_[to].refusals.push_back(refusal.status.message());
                  for (auto& s : out.sends) send(to, s.peer, std::move(s.frame));
                  if (!probe) step(to);
                });
}

void Network::inject(std::size_t to, const std::string& from, const Frame& frame) {
  Outbox out;
  hubs_[to].router->receive(from, frame, now(), &out);
  for (auto& refusal : out.refusals) hubs_[to].refusals.push_back(refusal.status.message());
  for (auto& s : out.sends) send(to, s.peer, std::move(s.frame));
  step(to);
}

Result<std::shared_ptr<const SignedAdvertisement>> Network::opened(
    std::shared_ptr<const std::string> bytes) {
  auto& [key, value] = opened_[bytes.get()];
  if (auto held = key.lock(); held == bytes)
    if (auto before = value.lock()) return before;
  auto result = open_advertisement(bytes, verify_signature);
  if (!result) return result;
  key = bytes;
  value = *result;
  if (opened_.size() > 100'000)
    std::erase_if(opened_, [](const auto& entry) { return entry.second.first.expired(); });
  return result;
}

bool Network::is_up(const Link& link) const {
  return !link.cut && hubs_[link.a].router && hubs_[link.b].router && !link.loses_a_to_b &&
         !link.loses_b_to_a;
}

// Of each running hub, the first hub of the part of the network that it can reach.
std::vector<std::size_t> Network::parts() const {
  std::vector<std::size_t> part(hubs_.size());
  std::iota(part.begin(), part.end(), 0);
  const auto top = [&](std::size_t hub) {
    while (part[hub] != hub) hub = part[hub] = part[part[hub]];
    return hub;
  };
  for (const Link& link : links_) {
    if (!is_up(link)) continue;
    const std::size_t a = top(link.a), b = top(link.b);
    part[std::max(a, b)] = std::min(a, b);
  }
  for (std::size_t hub = 0; hub < part.size(); ++hub) part[hub] = top(hub);
  return part;
}

bool Network::is_true(const Graph& graph, std::size_t part, const std::vector<std::size_t>& parts) {
  std::size_t up = 0, known = 0;
  for (const Link& link : links_) {
    if (!is_up(link) || parts[link.a] != part) continue;
    ++up;
    const HubIndex a = graph.find(hubs_[link.a].settings.hub),
                   b = graph.find(hubs_[link.b].settings.hub);
    if (a == kNoHub || b == kNoHub || graph.between(a, b) == nullptr) return false;
  }
  for (std::size_t hub = 0; hub < hubs_.size(); ++hub) {
    if (!hubs_[hub].router || parts[hub] != part) continue;
    const HubIndex index = graph.find(hubs_[hub].settings.hub);
    if (index == kNoHub) return false;
    known += graph.of(index).size();
  }
  return known == 2 * up;
}

bool Network::is_converged() {
  const std::vector<std::size_t> part = parts();
  std::size_t running = 0, together = 0, first = hubs_.size();
  for (std::size_t hub = 0; hub < hubs_.size(); ++hub) {
    if (!hubs_[hub].router) continue;
    if (running++ == 0) first = part[hub];
    together += part[hub] == first;
  }
  const bool whole = running == together;
  // What one hub knows of its part; of a whole network that is its map.
  const auto knows = [&](std::size_t hub) {
    const LinkState& state = hubs_[hub].router->state();
    if (whole) return state.summary();
    std::uint64_t out = 0;
    for (std::size_t other = 0; other < hubs_.size(); ++other) {
      if (part[other] != part[hub] || !hubs_[other].router) continue;
      const auto at = state.map().find(hubs_[other].settings.hub);
      if (at != state.map().end()) out ^= at->second.advertisement->digest;
    }
    return out;
  };
  std::map<std::size_t, std::uint64_t> of_part;
  for (std::size_t hub = 0; hub < hubs_.size(); ++hub) {
    if (!hubs_[hub].router) continue;
    if (!of_part.contains(part[hub])) {
      // The costly question once a part, and before the other costly one.
      if (!whole && !is_true(Graph(hubs_[hub].router->state().map()), part[hub], part))
        return false;
      of_part[part[hub]] = knows(hub);
    } else if (of_part[part[hub]] != knows(hub)) {
      return false;
    }
  }
  if (!whole) return true;
  for (std::size_t hub = 0; hub < hubs_.size(); ++hub)
    if (hubs_[hub].router) return is_true(Graph(hubs_[hub].router->state().map()), part[hub], part);
  return true;
}

const Network::Link* Network::between(const std::string& a, const std::string& b) const {
  const std::size_t here = names_.at(a), there = names_.at(b);
  const auto at = between_.find(std::min(here, there) << 32 | std::max(here, there));
  return at == between_.end() ? nullptr : &links_[at->second];
}

bool Network::is_route_alive(const Route& route) const {
  for (std::size_t i = 1; i < route.size(); ++i) {
    const Link* link = between(route[i - 1], route[i]);
    if (link == nullptr || !is_up(*link)) return false;
  }
  return true;
}

}  // namespace oltp20::sim
