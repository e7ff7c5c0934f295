// A map at hub "me" from a list of links, as if all hubs had advertised them.
#pragma once

#include <map>
#include <string>

#include "hub/routing/link_state.h"
#include "tests/sim/scale/network.h"

namespace oltp20::hub::routing {

class MapBuilder {
 public:
  explicit MapBuilder(const std::string& self = "me")
      : state_(
            self, 0,
            [](std::shared_ptr<const std::string> bytes) {
              return open_advertisement(std::move(bytes), sim::verify_signature);
            },
            [self](std::string_view canonical) { return sim::sign_as(self, canonical); }) {
    Outbox out;
    state_.add_peer("all", 0, &out);
  }

  // One end's view; link() is both.
  MapBuilder& half(const std::string& a, const std::string& b, std::uint32_t cost_ms,
                   bool drained = false) {
    hubs_[a][b] = {b, cost_ms * 1000, cost_ms * 1000, drained};
    return *this;
  }
  MapBuilder& link(const std::string& a, const std::string& b, std::uint32_t cost_ms,
                   bool drained = false) {
    return half(a, b, cost_ms, drained).half(b, a, cost_ms, drained);
  }
  MapBuilder& remove(const std::string& a, const std::string& b) {
    hubs_[a].erase(b);
    hubs_[b].erase(a);
    return *this;
  }
  MapBuilder& region(const std::string& hub, const std::string& region) {
    regions_[hub] = region;
    return *this;
  }
  MapBuilder& place(const std::string& hub, Place place) {
    places_[hub] = place;
    return *this;
  }

  MapBuilder& everybody_wants(std::vector<std::string> patterns) {
    interest_ = std::move(patterns);
    return *this;
  }

  const LinkState& publish(Micros now = kSecond) {
    ++version_;
    for (const auto& [hub, links] : hubs_) {
      Advertisement a;
      a.hub = hub;
      a.version = version_;
      a.region = regions_.contains(hub) ? regions_[hub] : "r";
      a.incarnation.bytes[0] = 1;
      a.interest = interest_;
      if (places_.contains(hub)) a.place = places_[hub];
      for (const auto& [peer, link] : links) a.links.push_back(link);
      if (hub == state_.self()) {
        state_.advertise(a, now);
        continue;
      }
      const std::string canonical = canonical_bytes(a);
      Outbox out;
      state_.receive("all",
                     Advertisements{{std::make_shared<const std::string>(
                         signed_bytes(canonical, sim::sign_as(hub, canonical)))}},
                     now, &out);
      CHECK(out.refusals.empty());
    }
    return state_;
  }
  LinkState* state() { return &state_; }

 private:
  LinkState state_;
  std::map<std::string, std::map<std::string, AdvertisedLink>> hubs_;
  std::map<std::string, std::string> regions_;
  std::map<std::string, Place> places_;
  std::vector<std::string> interest_;
  std::uint64_t version_ = 0;
};

// Nothing passes through the hubs of one region.
class NotThrough : public Residency {
 public:
  NotThrough(std::string home, std::string region)
      : home_(std::move(home)), region_(std::move(region)) {}
  std::uint32_t class_of(std::string_view home, std::string_view) const override {
    return home == home_ ? 1 : 0;
  }
  bool may_pass(std::string_view home, std::string_view, std::string_view,
                std::string_view region) const override {
    return home != home_ || region != region_;
  }

 private:
  std::string home_, region_;
};

}  // namespace oltp20::hub::routing
