#include "tests/sim/scale/world_map.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace oltp20::sim {
namespace {

using hub::routing::Place;

struct City {
  const char* name;
  double latitude, longitude;
};
constexpr City kCities[] = {
    {"dublin", 53.35, -6.26},        {"london", 51.51, -0.13},     {"paris", 48.86, 2.35},
    {"frankfurt", 50.11, 8.68},      {"amsterdam", 52.37, 4.90},   {"madrid", 40.42, -3.70},
    {"milan", 45.46, 9.19},          {"stockholm", 59.33, 18.07},  {"warsaw", 52.23, 21.01},
    {"vienna", 48.21, 16.37},        {"athens", 37.98, 23.73},     {"istanbul", 41.01, 28.98},
    {"telaviv", 32.09, 34.78},       {"cairo", 30.04, 31.24},      {"dubai", 25.20, 55.27},
    {"riyadh", 24.71, 46.68},        {"nairobi", -1.29, 36.82},    {"lagos", 6.52, 3.38},
    {"johannesburg", -26.20, 28.05}, {"capetown", -33.92, 18.42},  {"mumbai", 19.08, 72.88},
    {"delhi", 28.61, 77.21},         {"chennai", 13.08, 80.27},    {"singapore", 1.35, 103.82},
    {"jakarta", -6.21, 106.85},      {"bangkok", 13.76, 100.50},   {"hongkong", 22.32, 114.17},
    {"taipei", 25.03, 121.57},       {"seoul", 37.57, 126.98},     {"tokyo", 35.68, 139.69},
    {"osaka", 34.69, 135.50},        {"sydney", -33.87, 151.21},   {"melbourne", -37.81, 144.96},
    {"auckland", -36.85, 174.76},    {"newyork", 40.71, -74.01},   {"ashburn", 39.04, -77.49},
    {"atlanta", 33.75, -84.39},      {"miami", 25.76, -80.19},     {"chicago", 41.88, -87.63},
    {"dallas", 32.78, -96.80},       {"denver", 39.74, -104.99},   {"losangeles", 34.05, -118.24},
    {"sanjose", 37.34, -121.89},     {"seattle", 47.61, -122.33},  {"toronto", 43.65, -79.38},
    {"mexico", 19.43, -99.13},       {"bogota", 4.71, -74.07},     {"saopaulo", -23.55, -46.63},
    {"buenosaires", -34.60, -58.38}, {"santiago", -33.45, -70.67},
};

Place place_of(const City& city, Dice* dice) {
  const auto near = [&](double degrees) {
    return static_cast<std::int32_t>(degrees * 1e6) +
           static_cast<std::int32_t>(dice->between(-200'000, 200'000));
  };
  return {near(city.latitude), near(city.longitude)};
}

bool is_american(const Network::Hub& hub) {
  return hub.settings.place->longitude_udeg < -30'000'000;
}

Micros rtt_between(const Place& a, const Place& b, Dice* dice) {
  return hub::routing::floor_rtt_us(a, b) * dice->between(125, 190) / 100 +
         dice->between(300, 1000);
}

class Builder {
 public:
  Builder(const WorldSize& size, Dice* dice, Network* network)
      : size_(size), dice_(dice), net_(network) {}

  void run() {
    add_hubs();
    for (const auto& here : cities_) ring(here);
    join_near_cities();
    while (net_->links() < size_.links) {
      if (dice_->chance(50))
        far();
      else
        inside();
    }
  }

 private:
  void add_hubs() {
    const std::size_t cities =
        std::min(std::size(kCities), std::max<std::size_t>(4, size_.hubs / 4));
    cities_.resize(cities);
    for (std::size_t i = 0; i < size_.hubs; ++i) {
      // With few cities, still all over the world.
      const City& city = kCities[i % cities * std::size(kCities) / cities];
      hub::routing::RouterSettings settings;
      settings.hub = std::string(city.name) + "-" + std::to_string(i / cities + 1);
      settings.region = city.name;
      settings.place = place_of(city, dice_);
      const bool observed =
          i * size_.observed / size_.hubs != (i + 1) * size_.observed / size_.hubs;
      auto wants = subscriptions(settings.region, size_.spokes / size_.hubs, dice_);
      cities_[i % cities].push_back(net_->add_hub(std::move(settings), std::move(wants), observed));
    }
  }

  void link(std::size_t a, std::size_t b) {
    if (a == b || !linked_.insert({std::min(a, b), std::max(a, b)}).second) return;
    if (net_->hub(a).links.size() >= 40 || net_->hub(b).links.size() >= 40) return;
    net_->add_link(a, b,
                   rtt_between(*net_->hub(a).settings.place, *net_->hub(b).settings.place, dice_),
                   static_cast<unsigned>(dice_->between(2, 12)));
  }

  std::size_t any_of(std::size_t city) { return cities_[city][dice_->below(cities_[city].size())]; }

  double km(std::size_t a, std::size_t b) {
    return hub::routing::distance_km(*net_->hub(cities_[a][0]).settings.place,
                                     *net_->hub(cities_[b][0]).settings.place);
  }

  void ring(const std::vector<std::size_t>& here) {
    for (std::size_t i = 0; i < here.size(); ++i) link(here[i], here[(i + 1) % here.size()]);
  }

  // Three links to each of the nearest four; and each city to one that was joined before, so that
  // all hang together.
  void join_near_cities() {
    for (std::size_t city = 0; city < cities_.size(); ++city) {
      std::vector<std::size_t> others(cities_.size());
      std::iota(others.begin(), others.end(), 0);
      std::sort(others.begin(), others.end(),
                [&](std::size_t a, std::size_t b) { return km(city, a) < km(city, b); });
      for (std::size_t i = 1; i < std::min<std::size_t>(5, others.size()); ++i)
        for (int more = 0; more < 3; ++more) link(any_of(city), any_of(others[i]));
      for (std::size_t other : others)
        if (other < city) {
          link(any_of(city), any_of(other));
          link(any_of(city), any_of(other));
          break;
        }
    }
  }

  void far() {
    const std::size_t a = dice_->below(cities_.size()), b = dice_->below(cities_.size());
    // The farther, the rarer.
    if (a == b || dice_->below(20'000) < static_cast<std::uint64_t>(km(a, b))) return;
    link(any_of(a), any_of(b));
  }

  void inside() {
    const std::size_t city = dice_->below(cities_.size());
    link(any_of(city), any_of(city));
  }

  WorldSize size_;
  Dice* dice_;
  Network* net_;
  std::vector<std::vector<std::size_t>> cities_;
  std::set<std::pair<std::size_t, std::size_t>> linked_;
};

}  // namespace

void build_world(const WorldSize& size, Dice* dice, Network* network) {
  Builder(size, dice, network).run();
}

std::size_t add_hub_near(std::size_t near, std::size_t links, Dice* dice, Network* network) {
  hub::routing::RouterSettings settings;
  const auto& neighbour = network->hub(near).settings;
  settings.hub = neighbour.region + "-new";
  settings.region = neighbour.region;
  settings.place = neighbour.place;
  auto wants = subscriptions(settings.region, 100, dice);
  const std::size_t added = network->add_hub(std::move(settings), std::move(wants));
  std::set<std::size_t> peers{near, (near + network->hubs() / 2) % (network->hubs() - 1)};
  for (std::size_t i = 0; peers.size() < links && i < added; ++i)
    if (network->hub(i).settings.region == network->hub(near).settings.region) peers.insert(i);
  for (std::size_t i = 0; peers.size() < links && i < added; ++i) peers.insert(i);
  for (std::size_t peer : peers)
    network->add_link(
        added, peer,
        rtt_between(*network->hub(added).settings.place, *network->hub(peer).settings.place, dice),
        5);
  return added;
}

std::vector<std::string> subscriptions(const std::string& region, std::size_t spokes, Dice* dice) {
  static const char* const kKinds[] = {"order",   "price",    "stock",
                                       "payment", "shipment", "customer"};
  static const char* const kEvents[] = {"new", "changed", "paid", "cancelled", "closed"};
  std::vector<std::string> out{"greeting"};
  for (std::size_t spoke = 0; spoke < spokes; ++spoke) {
    for (std::uint64_t more = 1 + dice->below(4); more > 0; --more) {
      const bool here = dice->chance(70);
      std::string pattern = kKinds[dice->below(std::size(kKinds))];
      pattern += "." + (here ? region : kCities[dice->below(std::size(kCities))].name);
      if (dice->chance(60))
        pattern += "." + std::string(kEvents[dice->below(std::size(kEvents))]);
      else
        pattern += ".>";
      out.push_back(std::move(pattern));
    }
  }
  return out;
}

std::vector<std::size_t> links_to_americas(Network* network) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < network->links(); ++i)
    if (is_american(network->hub(network->link(i).a)) !=
        is_american(network->hub(network->link(i).b)))
      out.push_back(i);
  return out;
}

std::vector<std::size_t> links_of_a_cable(std::size_t count, Network* network) {
  std::vector<std::size_t> out = links_to_americas(network);
  const auto latitude = [&](std::size_t link) {
    return network->hub(network->link(link).a).settings.place->latitude_udeg;
  };
  std::sort(out.begin(), out.end(),
            [&](std::size_t a, std::size_t b) { return latitude(a) > latitude(b); });
  if (out.size() > 2 * count) out.resize(count);
  if (out.size() > count) out.resize(out.size() / 2);
  return out;
}

}  // namespace oltp20::sim
