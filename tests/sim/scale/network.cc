#include "tests/sim/scale/network.h"

#include <algorithm>

#include "common/wire/sha256.h"

namespace oltp20::sim {

using namespace hub::routing;  // NOLINT: this file is about nothing else

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

bool Network::is_converged() {
  const Router* any = nullptr;
  for (const Hub& hub : hubs_) {
    if (!hub.router) continue;
    if (any == nullptr) any = hub.router.get();
    if (hub.router->state().summary() != any->state().summary()) return false;
  }
  if (any == nullptr) return true;
  const Graph graph(any->state().map());
  std::size_t up = 0;
  for (const Link& link : links_) {
    if (!is_up(link)) continue;
    ++up;
    const HubIndex a = graph.find(hubs_[link.a].settings.hub),
                   b = graph.find(hubs_[link.b].settings.hub);
    if (a == kNoHub || b == kNoHub || graph.between(a, b) == nullptr) return false;
  }
  return graph.links() == up;
}

bool Network::is_route_alive(const Route& route) const {
  for (std::size_t i = 1; i < route.size(); ++i) {
    const std::size_t a = names_.at(route[i - 1]), b = names_.at(route[i]);
    const auto at = between_.find(std::min(a, b) << 32 | std::max(a, b));
    if (at == between_.end() || !is_up(links_[at->second])) return false;
  }
  return true;
}

}  // namespace oltp20::sim
