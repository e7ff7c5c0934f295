// Network: the shipped routing core of many hubs, in virtual time, over links with a delay, noise,
// cuts and losses. One seed is one history.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "hub/routing/paths.h"
#include "hub/routing/router.h"
#include "tests/sim/dice.h"
#include "tests/sim/scheduler.h"

namespace oltp20::sim {

// Frames between neighbours, and their sizes as they would travel (names, versions, digests).
struct Traffic {
  std::uint64_t advertisements = 0, advertisement_bytes = 0;
  std::uint64_t digests = 0, digest_bytes = 0;
  std::uint64_t summaries = 0, probes = 0;
  Traffic operator-(const Traffic& other) const;
};

// Signs with a secret that is made of the hub's name: whoever uses another name is found out.
std::string sign_as(const std::string& hub, std::string_view canonical);
Status verify_signature(const hub::routing::Advertisement& content, std::string_view canonical,
                        std::string_view signature);

class Network {
 public:
  struct Hub {
    hub::routing::RouterSettings settings;
    std::vector<std::string> interest;
    std::shared_ptr<const hub::routing::Residency> residency;
    std::unique_ptr<hub::routing::Router> router;     // null: it does not run
    std::unique_ptr<hub::routing::RouteTable> table;  // null: not observed
    std::vector<std::pair<Micros, hub::routing::RouteChange>> changes;
    std::vector<std::string> refusals;
    std::vector<std::size_t> links;
    bool observed = true;
    std::uint64_t life = 0;
    bool step_waits = false;
  };
  struct Link {
    std::size_t a = 0, b = 0;
    Micros rtt_us = 0;            // without noise and congestion
    double congestion = 1;        // multiplies it
    unsigned jitter_percent = 0;  // of each RTT, evenly up and down
    bool cut = false;
    bool loses_a_to_b = false, loses_b_to_a = false;
    Micros arrived_us[2] = {0, 0};  // the last frame of each direction: they arrive in order
    Micros now_us() const { return static_cast<Micros>(static_cast<double>(rtt_us) * congestion); }
  };

  explicit Network(std::uint64_t seed);

  std::size_t add_hub(hub::routing::RouterSettings settings, std::vector<std::string> interest = {},
                      bool observed = true);
  std::size_t add_link(std::size_t a, std::size_t b, Micros rtt_us, unsigned jitter_percent = 0);

  void start(std::size_t hub);
  // It vanishes; its peers see nothing but silence. Links are open again when it starts.
  void crash(std::size_t hub);
  void cut(std::size_t link) { links_[link].cut = true; }
  // Streams begin anew.
  void heal(std::size_t link);

  void run_until(Micros when);
  void run_for(Micros duration) { run_until(now() + duration); }
  // Runs until `holds`, asked every `step`; how long it took, or -1.
  Micros run_until_holds(const std::function<bool()>& holds, Micros step, Micros most);

  Micros now() const { return scheduler_.now(); }
  Scheduler* scheduler() { return &scheduler_; }
  Hub& hub(std::size_t index) { return hubs_[index]; }
  Link& link(std::size_t index) { return links_[index]; }
  std::size_t hubs() const { return hubs_.size(); }
  std::size_t links() const { return links_.size(); }
  std::size_t find(const std::string& name) const { return names_.at(name); }
  const Traffic& traffic() const { return traffic_; }
  // A frame from nowhere, as a hostile peer would send it.
  void inject(std::size_t to, const std::string& from, const hub::routing::Frame& frame);

  // All running hubs that can reach each other have equal maps of each other, and these are the
  // truth about links.
  bool is_converged();
  bool is_up(const Link& link) const;
  const Link* between(const std::string& a, const std::string& b) const;  // null: none
  // Every hub that a route names as next is linked to the one before, over a link that is up.
  bool is_route_alive(const hub::routing::Route& route) const;

 private:
  std::vector<std::size_t> parts() const;
  bool is_true(const hub::routing::Graph& graph, std::size_t part,
               const std::vector<std::size_t>& parts);
  void tick(std::size_t hub, std::uint64_t life);
  void step(std::size_t hub);
  void step_soon(std::size_t hub);
  void send(std::size_t from, const std::string& peer, hub::routing::Frame frame);
  void open(std::size_t link);
  void count(const hub::routing::Frame& frame);
  Result<std::shared_ptr<const hub::routing::SignedAdvertisement>> opened(
      std::shared_ptr<const std::string> bytes);

  Scheduler scheduler_;
  Dice dice_;
  std::vector<Hub> hubs_;
  std::vector<Link> links_;
  std::unordered_map<std::string, std::size_t> names_;
  std::unordered_map<std::uint64_t, std::size_t> between_;
  Traffic traffic_;
  // Checked once for all hubs: memory for a thousand copies there is not. Weak by the bytes.
  std::unordered_map<const std::string*,
                     std::pair<std::weak_ptr<const std::string>,
                               std::weak_ptr<const hub::routing::SignedAdvertisement>>>
      opened_;
};

}  // namespace oltp20::sim
