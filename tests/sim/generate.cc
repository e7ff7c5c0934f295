// Generates a history from a seed: what an application does, with misfortune in between.
#include <algorithm>

#include "tests/sim/dice.h"
#include "tests/sim/scenario.h"

namespace oltp20::sim {
namespace {

const std::vector<std::string> kTypes = {"greeting", "order.eu", "order.us",
                                         "price",    "secret.a", "secret.b"};
constexpr std::int64_t kTransactions = 200;

class Generator {
 public:
  Generator(std::uint64_t seed, std::size_t hubs)
      : dice_(seed, hubs > 1 ? "generator of hubs" : "generator") {
    scenario_.seed = seed;
    for (std::size_t more = hubs > 1 ? 1 + dice_.below(hubs - 1) : 0; more > 0; --more)
      scenario_.hubs.push_back(std::string("hub-") +
                               static_cast<char>('a' + scenario_.hubs.size()));
    std::size_t count = 2 + dice_.below(3);
    for (std::size_t i = 0; i < count; ++i) scenario_.spokes.push_back(std::string(1, 'a' + i));
    length_ms_ = dice_.between(4'000, 20'000);
    rights_change_ = dice_.chance(60);
    disks_are_lost_ = dice_.chance(50);
    large_ = dice_.chance(30);
  }

  Scenario generate();

 private:
  std::string any_spoke() { return scenario_.spokes[dice_.below(scenario_.spokes.size())]; }
  bool several() const { return scenario_.hubs.size() > 1; }
  std::string any_hub() {
    return several() ? scenario_.hubs[dice_.below(scenario_.hubs.size())] : "hub";
  }
  std::int64_t any_time() { return dice_.between(1, length_ms_); }
  void add(std::int64_t at, std::vector<std::string> words) {
    scenario_.steps.push_back({at, std::move(words)});
  }
  std::string arg(const char* name, std::int64_t value) {
    return std::string(name) + "=" + std::to_string(value);
  }
  std::string some_types();
  std::string destination();
  void transaction(std::int64_t at);
  void fault(std::int64_t at);
  void fault_of_disks(std::int64_t at);
  void fault_of_links(std::int64_t at);
  void change_of_rights(std::int64_t at);
  void moves();
  void move(std::int64_t at);

  Dice dice_;
  Scenario scenario_;
  std::int64_t length_ms_;
  bool rights_change_, disks_are_lost_, large_;
};

// Always with the one that everybody may have, so that the last probe is not refused.
std::string Generator::some_types() {
  if (dice_.chance(30)) return ">";
  std::string out = "greeting";
  if (dice_.chance(50)) out += dice_.chance(50) ? ",order.*" : ",order.eu";
  if (dice_.chance(60)) out += ",price";
  if (dice_.chance(40)) out += dice_.chance(50) ? ",secret.>" : ",secret.b";
  return out;
}

std::string Generator::destination() {
  if (dice_.chance(85)) return "";
  if (dice_.chance(8)) return ">spoke/nobody";
  if (dice_.chance(30)) return dice_.chance(50) ? ">region/eu" : ">region/us";
  return ">spoke/" + any_spoke();
}

void Generator::transaction(std::int64_t at) {
  std::string rows;
  for (std::int64_t left = dice_.chance(60) ? 1 : dice_.between(2, 4); left > 0; --left) {
    std::string type = kTypes[dice_.chance(40) ? 0 : dice_.below(kTypes.size())];
    std::string count = dice_.chance(10) ? "*" + std::to_string(dice_.between(2, 12)) : "";
    rows += (rows.empty() ? "" : ",") + type + count + destination();
  }
  std::vector<std::string> words = {dice_.chance(4) ? "roll-back" : "commit", any_spoke(), rows};
  if (dice_.chance(2))
    words = {"commit", any_spoke(), dice_.chance(70) ? "greeting" : "greeting*12",
             "poison=" + any_spoke()};
  if (large_ && dice_.chance(8)) words.push_back(arg("bytes", dice_.between(200, 1500)));
  if (dice_.chance(50))
    words.push_back(arg("hold", dice_.between(0, dice_.chance(15) ? 3000 : 20)));
  if (dice_.chance(20)) words.push_back("async");
  add(at, std::move(words));
}

void Generator::fault_of_links(std::int64_t at) {
  std::string half = dice_.chance(50) ? "forward" : "deliver";
  switch (dice_.below(4)) {
    case 0:
    case 1:
      return add(at, {"cut", any_spoke(), half, arg("within", dice_.between(0, 3000))});
    case 2:
      return add(
          at, {"swallow", any_spoke(), half, dice_.chance(50) ? "direction=up" : "direction=down"});
    default:
      return add(at, {"partition", any_spoke(), arg("for", dice_.between(100, 8000))});
  }
}

void Generator::fault_of_disks(std::int64_t at) {
  switch (dice_.below(6)) {
    case 0:
      if (several() && !disks_are_lost_) return move(at);
      if (disks_are_lost_) return add(at, {"wipe", any_hub(), arg("for", dice_.between(10, 3000))});
      return add(at, {"restore", any_spoke(), arg("back", dice_.between(0, 6000)),
                      arg("for", dice_.between(10, 2000))});
    case 1:
      if (several() && !disks_are_lost_) return move(at);
      if (disks_are_lost_)
        return add(at, {"lose-tail", any_hub(), arg("entries", dice_.between(1, 30)),
                        arg("for", dice_.between(10, 2000))});
      return add(at, {"restore", any_spoke(), arg("back", dice_.between(0, 500))});
    case 2:
      return add(at, {"trim", any_hub(), arg("keep", dice_.between(1, 60))});
    case 3:
      return add(at, {"promote", any_spoke(), arg("lose", dice_.between(0, 30)),
                      arg("for", dice_.between(10, 2000))});
    case 4:
      return add(at, {"fail-sync", any_hub()});
    default:
      return add(at, {"slow-sync", any_hub(), arg("most", dice_.between(1, 300))});
  }
}

void Generator::move(std::int64_t at) {
  add(at, {"move", any_spoke(), any_hub(),
           arg("within", dice_.between(0, dice_.chance(20) ? 3000 : 60))});
}

// At any time; back and forth in quick succession; and away from what has just happened to a hub.
void Generator::moves() {
  for (std::int64_t i = dice_.between(2, 30); i > 0; --i) {
    std::int64_t at = any_time();
    move(at);
    if (dice_.chance(25))
      for (std::int64_t again = dice_.between(1, 4); again > 0; --again)
        move(at += dice_.between(1, dice_.chance(50) ? 30 : 600));
  }
  const std::vector<Step> steps = scenario_.steps;
  for (const Step& step : steps)
    if (std::ranges::find(scenario_.hubs, step.words[1]) != scenario_.hubs.end() &&
        dice_.chance(60))
      for (std::int64_t i = dice_.between(1, 3); i > 0; --i)
        move(std::max<std::int64_t>(step.at_ms + dice_.between(-40, 120), 1));
}

void Generator::change_of_rights(std::int64_t at) {
  if (several()) return;  // README.md, "Known red"
  switch (dice_.below(3)) {
    case 0:
      return add(at, {"policy", any_spoke(), "publish=" + some_types()});
    case 1:
      return add(at, {"policy", any_spoke(), "receive=" + some_types()});
    default:
      return add(at, {"subscribe", any_spoke(), some_types()});
  }
}

void Generator::fault(std::int64_t at) {
  switch (dice_.below(12)) {
    case 0:
    case 1:
    case 2:
      return fault_of_links(at);
    case 3:
      return add(at,
                 {"kill", any_hub(), arg("for", dice_.between(0, dice_.chance(20) ? 6000 : 300))});
    case 4:
    case 5:
      return add(at, {"kill", any_spoke(), arg("for", dice_.between(0, 500))});
    case 6:
    case 7:
      return add(at, {"crash-database", any_spoke(),
                      arg("for", dice_.between(0, dice_.chance(20) ? 5000 : 300))});
    case 8:
      return add(at, {dice_.chance(50) ? "doubt" : "intrude", any_spoke()});
    case 9:
      return add(at, {dice_.chance(50) ? "impersonate" : "clock", any_spoke(),
                      dice_.chance(50) ? "as=self" : "seconds=-7200"});
    default:
      return fault_of_disks(at);
  }
}

Scenario Generator::generate() {
  for (const std::string& spoke : scenario_.spokes)
    if (dice_.chance(50)) add(0, {"subscribe", spoke, some_types()});
  if (rights_change_)
    for (const std::string& spoke : scenario_.spokes) {
      add(0, {"policy", spoke, "publish=" + some_types(), "receive=" + some_types()});
    }
  for (std::int64_t i = kTransactions + dice_.between(90, 140); i > 0; --i) transaction(any_time());
  // Half of the faults come in quick succession.
  std::int64_t again = any_time();
  for (std::int64_t i = dice_.between(3, 24); i > 0; --i)
    fault(dice_.chance(50) ? any_time() : std::min(again += dice_.between(0, 150), length_ms_));
  add(any_time(), {"kill", dice_.chance(50) ? any_hub() : any_spoke()});
  if (rights_change_)
    for (std::int64_t i = dice_.between(1, 8); i > 0; --i) change_of_rights(any_time());
  if (dice_.chance(70)) add(any_time(), {"commit", any_spoke(), "price", "hold=ever"});
  if (several()) moves();
  std::ranges::stable_sort(scenario_.steps, {}, &Step::at_ms);
  return std::move(scenario_);
}

}  // namespace

Scenario generate(std::uint64_t seed, std::size_t hubs) {
  return Generator(seed, hubs).generate();
}

}  // namespace oltp20::sim
