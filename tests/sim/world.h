// World: hubs, spokes, their databases and the links between them, in one process and in virtual
// time. It runs the shipped cores; clocks, disks, databases and links are models.
//
// A link keeps its frames in order and whole, as a gRPC stream does, or loses everything behind a
// point. What it may do: end at each side at another time, so that frames of an old link come to a
// hub behind the opening of a new one; swallow one direction until silence kills it.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "hub/core/hub_core.h"
#include "hub/journal/memory_journal.h"
#include "spoke/core/destination.h"
#include "spoke/core/origin.h"
#include "tests/sim/checks.h"
#include "tests/sim/dice.h"
#include "tests/sim/follower.h"
#include "tests/sim/oracle.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/sessions.h"

namespace oltp20::sim {

class World;

struct Opened {};
struct Closed {
  Status status;
};
using UpItem = std::variant<Opened, Closed, ForwardUp, DeliverUp>;
using DownItem = std::variant<Opened, Closed, ForwardDown, DeliverDown>;

struct Link {
  template <typename Item>
  struct Direction {
    std::deque<std::pair<Micros, Item>> flying;
    Micros last = 0;     // when what was sent last arrives
    bool dead = false;   // swallows everything
    bool ended = false;  // nothing more is sent
  };
  hub::LinkId id = 0;
  bool forward = false;
  std::string spoke, hub;
  std::uint64_t hub_life = 0;
  Identity identity;
  std::vector<std::string> subscribe;  // as its agent was configured
  Direction<UpItem> up;
  Direction<DownItem> down;
  std::size_t unconsumed = 0;  // frames that the hub has been given and not taken
  bool agent_gone = false, hub_gone = false;
};
using LinkPtr = std::shared_ptr<Link>;

class Hub {
 public:
  Hub(World& world, std::string name);

  void start();
  void stop();  // what is not synced may be lost
  // The disk is gone, or its last entries.
  void wipe();
  void lose_tail(std::size_t entries);
  void fail_next_sync();
  void trim(std::size_t keep);
  void slow_syncs(Micros most) { sync_most_ = most; }
  void jump_clock(Micros by) { wall_offset_ += by; }
  void change_policy(std::shared_ptr<const hub::Policy> policy, std::size_t version);
  void post(hub::Event event);

  const std::string& name() const { return name_; }
  bool is_up() const { return core_ != nullptr; }
  std::uint64_t life() const { return life_; }
  bool has_lost_tail() const { return lost_tail_; }
  const hub::MemoryJournal& journal() const { return *journal_; }
  const hub::HubCore& core() const { return *core_; }
  // Of the oracle: in force in this hub now, and since the last group was handed over.
  std::size_t policy() const { return policy_; }
  const std::set<std::size_t>& policies_of_group() const { return policies_of_group_; }

 private:
  void turn();
  void schedule_turn();
  void timer();
  void carry_out(hub::Actions actions);
  void append(hub::Group group);
  void note_loss(Lsn behind, bool trimmed);
  void say_what_was_followed(hub::SendForward* send) const;

  World& world_;
  const std::string name_;
  Dice dice_;
  SeededRandom random_;
  std::unique_ptr<hub::MemoryJournal> journal_;
  std::unique_ptr<hub::HubCore> core_;
  std::deque<hub::Event> events_;
  std::uint64_t life_ = 0;
  bool turn_scheduled_ = false, lost_tail_ = false;
  std::optional<Micros> recover_at_;
  Micros sync_most_ = 3 * kMillisecond;
  Micros wall_offset_ = 0;
  std::size_t policy_ = 0;
  std::set<std::size_t> policies_of_group_;
  std::map<const hub::Policy*, std::size_t> versions_;
};

class Spoke {
 public:
  Spoke(World& world, std::string name, std::string region, std::uint64_t seed);

  void start();
  void stop();
  void subscribe(std::vector<std::string> patterns);
  void jump_clock(Micros by) { wall_offset_ += by; }
  void received(const LinkPtr& link, DownItem item);
  // From now on its origin attaches there. What it knew as the address of its hub means another
  // one; its link is cut, and both ends see that when they do.
  void move(const std::string& hub, Micros within);
  const std::string& home() const { return home_; }

  const std::string& name() const { return name_; }
  const std::string& region() const { return region_; }
  Identity identity() const { return {Identity::Kind::spoke, "sim", region_, name_}; }
  Database& database() { return database_; }
  const Database& database() const { return database_; }
  bool is_up() const { return agent_ != nullptr; }
  spoke::OriginStatus origin() const { return agent_->origin.status(); }
  spoke::DestinationStatus destination() const { return agent_->destination.status(); }
  LinkPtr link(bool forward) const {
    if (!agent_) return nullptr;
    return forward ? agent_->forward : agent_->deliver;
  }
  bool connected = true;  // to the network
  bool gap_closed = false;

 private:
  struct Agent {
    OutboxSession outbox;
    InboxSession inbox;
    SeededRandom random;
    spoke::Origin origin;
    spoke::Destination destination;
    LinkPtr forward, deliver;
    std::deque<std::pair<LinkPtr, DownItem>> to_origin, to_destination;
    bool notified = false, inbox_notified = false;
    Agent(Spoke& spoke, std::uint64_t seed);
  };
  enum Half { kOrigin, kDestination };
  spoke::Now now() const;
  void schedule(Half half, Micros at);
  void origin_turn();
  void destination_turn();
  void carry_out(spoke::OriginActions actions);
  void carry_out(spoke::DestinationActions actions);

  friend class World;
  World& world_;
  const std::string name_, region_;
  Dice dice_;
  Database database_;
  std::vector<std::string> subscribe_;
  std::string home_;
  std::unique_ptr<Agent> agent_;
  std::uint64_t life_ = 0;
  std::uint64_t scheduled_[2] = {0, 0};
  Micros scheduled_at_[2] = {0, 0};
  Micros wall_offset_ = 0;
};

class World {
 public:
  World(std::uint64_t seed, const std::vector<std::string>& hubs,
        const std::vector<std::string>& spokes);

  std::uint64_t seed() const { return seed_; }
  Scheduler& scheduler() { return scheduler_; }
  Micros now() const { return scheduler_.now(); }
  Oracle& oracle() { return oracle_; }
  Checks& checks() { return checks_; }
  const std::map<std::string, std::unique_ptr<Spoke>>& spokes() const { return spokes_; }
  const std::map<std::string, std::unique_ptr<Hub>>& hubs() const { return hubs_; }
  Spoke& spoke(const std::string& name) { return *spokes_.at(name); }
  Hub& hub(const std::string& name) { return *hubs_.at(name); }
  // Where destinations attach. With several hubs they do not: a follower takes their place.
  const std::vector<std::string>& endpoints() const { return endpoints_; }
  Follower* follower() const { return follower_.get(); }

  void set_permissions(Permissions permissions);
  std::shared_ptr<const hub::Policy> policy() const { return policy_; }

  // ---- links ----
  // nullptr: nobody answers; the agent is told.
  LinkPtr connect(Spoke& spoke, bool forward, const std::string& hub);
  LinkPtr open(const Identity& identity, const std::string& spoke, bool forward, Hub& hub);
  void send_up(const LinkPtr& link, UpItem item);
  void send_down(const LinkPtr& link, DownItem item);
  void consumed(hub::LinkId link, std::size_t frames);
  void agent_leaves(const LinkPtr& link, Micros seen_after);
  void hub_closes(const LinkPtr& link, Goodbye goodbye);
  void hub_dies(const std::string& hub);
  void cut(const LinkPtr& link, Micros most);
  void swallow(const LinkPtr& link, bool up, bool down);
  LinkPtr find(hub::LinkId id) const;
  // One line of what happens, when the run is traced.
  void say(const std::string& who, const std::string& text) const;

 private:
  Micros latency();
  void pump_up(const LinkPtr& link);
  void pump_down(const LinkPtr& link);
  void end_up(const LinkPtr& link, Micros after);
  void end_down(const LinkPtr& link, Micros after, const Status& status);

  const std::uint64_t seed_;
  Dice dice_;
  Scheduler scheduler_;
  Oracle oracle_;
  Checks checks_;
  std::vector<std::string> endpoints_;
  std::map<std::string, std::unique_ptr<Hub>> hubs_;
  std::map<std::string, std::unique_ptr<Spoke>> spokes_;
  std::unique_ptr<Follower> follower_;
  std::map<hub::LinkId, LinkPtr> links_;
  hub::LinkId next_link_ = 1;
  std::shared_ptr<const hub::Policy> policy_;
};

}  // namespace oltp20::sim
