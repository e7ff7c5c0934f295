#include "hub/routing/router.h"

#include <algorithm>

#include "hub/routing/interest.h"

namespace oltp20::hub::routing {

std::uint32_t Router::OwnLink::cost_us() const {
  if (monitor.state() != LinkMonitor::State::up) return 0;
  return operator_cost_us.value_or(cost_of_rtt(monitor.settled_rtt_us()));
}

Router::Router(RouterSettings settings, LinkState::Open open, LinkState::Sign sign)
    : settings_(std::move(settings)),
      state_(settings_.hub, settings_.last_version, std::move(open), std::move(sign)) {}

Result<Router::OwnLink*> Router::link(const std::string& peer) {
  if (peer == settings_.hub)
    return Status(Code::invalid, "hub " + peer + " cannot be its own peer; name another hub");
  if (!links_.contains(peer) && links_.size() >= limits::kMapPeers)
    return Status(Code::exhausted, "hub " + settings_.hub + " has " +
                                       std::to_string(limits::kMapPeers) +
                                       " links already; remove one before " + peer + " is added");
  return &links_[peer];
}

Status Router::connect(const std::string& peer, Micros now, Outbox* out) {
  auto added = link(peer);
  if (!added) return added.status();
  (*added)->monitor.open(now);
  state_.add_peer(peer, now, out);
  return {};
}

void Router::disconnect(const std::string& peer, Micros now) {
  const auto at = links_.find(peer);
  if (at == links_.end()) return;
  at->second.monitor.close(now);
  state_.remove_peer(peer);
}

void Router::receive(const std::string& peer, const Frame& frame, Micros now, Outbox* out) {
  const auto at = links_.find(peer);
  if (at == links_.end() || !at->second.monitor.is_open()) return;
  if (const auto* probe = std::get_if<Heartbeat>(&frame))
    at->second.monitor.receive(*probe, now);
  else if (const auto* advertisements = std::get_if<Advertisements>(&frame))
    state_.receive(peer, *advertisements, now, out);
  else if (const auto* digest = std::get_if<Digest>(&frame))
    state_.receive(peer, *digest, out);
  else if (const auto* summary = std::get_if<Summary>(&frame))
    state_.receive(peer, *summary, now, out);
}

void Router::set_interest(std::vector<std::string> patterns) {
  patterns = coarsen(std::move(patterns), limits::kInterestPatterns);
  urgent_ |= patterns != interest_;
  interest_ = std::move(patterns);
}

void Router::set_residency_version(std::uint64_t version) {
  urgent_ |= version != residency_version_;
  residency_version_ = version;
}

Status Router::set_cost(const std::string& peer, std::optional<Micros> cost_us) {
  if (cost_us && (*cost_us < 1 || *cost_us > limits::kRttMost))
    return Status(Code::invalid, "a link's cost is between 1 us and " +
                                     std::to_string(limits::kRttMost / kSecond) +
                                     " s; drain the link to keep traffic off it");
  auto to = link(peer);
  if (!to) return to.status();
  (*to)->operator_cost_us.reset();
  if (cost_us) (*to)->operator_cost_us = static_cast<std::uint32_t>(*cost_us);
  urgent_ = true;
  return {};
}

Status Router::set_link_drained(const std::string& peer, bool drained) {
  auto to = link(peer);
  if (!to) return to.status();
  (*to)->drained = drained;
  return {};
}

void Router::set_drained(bool drained) {
  drained_ = drained;
}

bool Router::is_due(Micros now) {
  if (advertised_ == 0) return true;
  const Micros since = now - advertised_us_;
  if (since < limits::kAdvertiseUrgent) return false;
  if (since >= limits::kAdvertiseRefresh) return true;
  bool moved = state_.outdone() && exceeded_ > 0;
  bool soon = false, urgent = urgent_ || (state_.outdone() && exceeded_ == 0);
  for (const auto& [peer, link] : links_) {
    const std::uint32_t cost = link.cost_us();
    if (cost == 0 || link.advertised_us == 0) {
      urgent |= link.advertised_us != 0;
      soon |= cost != 0;
      continue;
    }
    urgent |= (link.drained || drained_) != link.drained_advertised;
    moved |= is_significant(link.advertised_us, cost);
  }
  return urgent || (soon && since >= limits::kAdvertiseSoon) ||
         (moved && since >= limits::kAdvertiseCalm);
}

void Router::advertise(Micros now) {
  if (state_.outdone()) ++exceeded_;
  Advertisement content;
  content.region = settings_.region;
  content.incarnation = settings_.incarnation;
  content.place = settings_.place;
  content.residency_version = residency_version_;
  content.interest = interest_;
  for (auto& [peer, link] : links_) {
    link.advertised_us = link.cost_us();
    link.drained_advertised = link.drained || drained_;
    if (link.advertised_us == 0) continue;
    const Micros rtt = std::min(link.monitor.smoothed_rtt_us(), limits::kRttMost);
    content.links.push_back(
        {peer, static_cast<std::uint32_t>(rtt), link.advertised_us, link.drained_advertised});
  }
  urgent_ = false;
  ++advertised_;
  advertised_us_ = now;
  state_.advertise(std::move(content), now);
}

void Router::flush(Micros now, Outbox* out) {
  for (auto& [peer, link] : links_) {
    link.monitor.tick(now);
    if (auto probe = link.monitor.probe(now)) out->sends.push_back({peer, *probe});
  }
  if (is_due(now)) advertise(now);
  state_.tick(now, out);
  state_.flush(out);
}

}  // namespace oltp20::hub::routing
