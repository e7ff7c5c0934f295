// ModelNetwork: one hub and its spokes in one process, in virtual time: the shipped cores with a
// journal in memory and databases as models. Links lose nothing but can be cut; agents and the hub
// can be killed at any step.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/random.h"
#include "hub/core/hub_core.h"
#include "hub/journal/memory_journal.h"
#include "spoke/core/destination.h"
#include "spoke/core/origin.h"
#include "tests/support/model_database.h"

namespace oltp20::tests {

class ModelNetwork {
 public:
  explicit ModelNetwork(std::vector<hub::PolicyRule> rules);

  // The spoke's agent runs on this database from now on; the database must outlive it.
  void add_spoke(const std::string& name, ModelDatabase& database,
                 std::vector<std::string> subscribe);
  void kill_spoke(const std::string& name);
  void kill_hub();  // what its journal has not synced is lost
  void start_hub();
  void change_policy(std::vector<hub::PolicyRule> rules);
  void adopt(const std::string& origin, const Epoch& epoch);

  // Runs for that long in virtual time.
  void run(Micros us);
  // One round: every agent and the hub do what they can; false when nothing happened.
  bool round();

  hub::MemoryJournal& journal() { return *journal_; }
  hub::HubCore& hub() { return *hub_; }
  spoke::OriginStatus origin(const std::string& name) { return spokes_.at(name)->origin.status(); }
  spoke::DestinationStatus destination(const std::string& name) {
    return spokes_.at(name)->destination.status();
  }
  std::vector<std::string> notices;  // what agents said, "NAME: text"
  std::size_t refusals = 0;
  std::vector<std::string> frames_to(const std::string& spoke) const;  // raw bytes delivered

 private:
  struct Agent {
    std::string name;
    ModelOutbox outbox;
    ModelInbox inbox;
    spoke::Origin origin;
    spoke::Destination destination;
    hub::LinkId forward = 0, deliver = 0;  // 0: no link
    std::deque<ForwardDown> to_origin;
    std::deque<DeliverDown> to_destination;
    Agent(const std::string& name, ModelDatabase& database, std::vector<std::string> subscribe,
          Random& random);
  };
  hub::Now hub_now() const { return {now_, now_}; }
  spoke::Now spoke_now() const { return {now_, now_}; }
  void carry_out(hub::Actions actions);
  void carry_out(Agent& agent, spoke::OriginActions actions);
  void carry_out(Agent& agent, spoke::DestinationActions actions);
  void to_hub(hub::Event event);
  hub::LinkId open_link(Agent& agent, bool forward);
  void close_link(hub::LinkId link, const Status& status);
  bool hub_round();
  bool agent_round(Agent& agent);

  SeededRandom random_{42};
  Micros now_ = kSecond;
  hub::LinkId next_link_ = 1;
  std::shared_ptr<const hub::Policy> policy_;
  std::unique_ptr<hub::MemoryJournal> journal_;
  std::unique_ptr<hub::HubCore> hub_;
  std::deque<hub::Event> hub_events_;
  std::map<std::string, std::unique_ptr<Agent>> spokes_;
  std::map<std::string, std::vector<std::string>> delivered_;
  std::optional<Micros> recover_at_;
};

// Rules that let every spoke publish and receive everything.
std::vector<hub::PolicyRule> allow_all();

}  // namespace oltp20::tests
