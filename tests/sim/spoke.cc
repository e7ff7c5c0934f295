#include "common/base/limits.h"
#include "tests/sim/world.h"

namespace oltp20::sim {
namespace {

constexpr Micros kLongestWait = kSecond;

}  // namespace

Spoke::Agent::Agent(Spoke& spoke, std::uint64_t seed)
    : outbox(spoke.database_),
      inbox(spoke.database_),
      random(seed),
      origin({spoke.name_, 1}, outbox, random),
      destination({spoke.name_, spoke.subscribe_, false, spoke.world_.endpoints()}, inbox, random) {
}

Spoke::Spoke(World& world, std::string name, std::string region, std::uint64_t seed)
    : world_(world),
      name_(std::move(name)),
      region_(std::move(region)),
      dice_(seed, "spoke " + name_),
      database_(name_, seed),
      home_(world.endpoints().front()) {
  database_.on_write = [this](const Record& record) { world_.checks().written(*this, record); };
  database_.on_lost = [this](std::size_t transaction, bool restored) {
    world_.oracle().lost(transaction, restored);
  };
  database_.on_notify = [this] {
    world_.scheduler().after(dice_.between(50, 2000), [this, life = life_] {
      if (life != life_ || !agent_) return;
      agent_->notified = true;
      schedule(kOrigin, world_.now());
    });
  };
}

void Spoke::start() {
  if (agent_) return;
  ++life_;
  agent_ = std::make_unique<Agent>(*this, dice_.next());
  scheduled_at_[kOrigin] = scheduled_at_[kDestination] = 0;
  schedule(kOrigin, world_.now());
  if (!world_.follower()) schedule(kDestination, world_.now());
}

void Spoke::stop() {
  if (!agent_) return;
  ++life_;
  // A killed process is seen at once when its host lives, by silence when it does not.
  for (const LinkPtr& link : {agent_->forward, agent_->deliver})
    if (link)
      world_.agent_leaves(
          link, dice_.chance(70) ? dice_.between(0, 50'000) : dice_.between(0, limits::kSilence));
  agent_.reset();
}

void Spoke::subscribe(std::vector<std::string> patterns) {
  world_.oracle().subscribed(name_, patterns, world_.now());
  subscribe_ = std::move(patterns);
}

void Spoke::move(const std::string& hub, Micros within) {
  home_ = hub;
  if (LinkPtr forward = link(true); forward && forward->id != 0) world_.cut(forward, within);
}

spoke::Now Spoke::now() const {
  return {world_.now(), world_.now() + wall_offset_};
}

void Spoke::schedule(Half half, Micros at) {
  at = std::max(at, world_.now());
  if (scheduled_at_[half] != 0 && scheduled_at_[half] <= at) return;
  scheduled_at_[half] = at;
  world_.scheduler().at(at, [this, half, life = life_, token = ++scheduled_[half]] {
    if (life != life_ || !agent_ || token != scheduled_[half]) return;
    scheduled_at_[half] = 0;
    half == kOrigin ? origin_turn() : destination_turn();
  });
}

void Spoke::received(const LinkPtr& link, DownItem item) {
  if (!agent_) return;
  Half half = link->forward ? kOrigin : kDestination;
  (link->forward ? agent_->to_origin : agent_->to_destination).emplace_back(link, std::move(item));
  schedule(half, world_.now() + dice_.between(5, 100));
}

void Spoke::origin_turn() {
  database_.now = world_.now();
  spoke::OriginActions out;
  for (auto& [link, item] : std::exchange(agent_->to_origin, {})) {
    if (link != agent_->forward) continue;
    if (std::get_if<Opened>(&item)) agent_->origin.link_opened(now(), &out);
    if (auto* frame = std::get_if<ForwardDown>(&item))
      agent_->origin.link_received(std::move(*frame), now(), &out);
    if (auto* closed = std::get_if<Closed>(&item)) {
      agent_->origin.link_closed(closed->status, now(), &out);
      agent_->forward = nullptr;
    }
  }
  if (std::exchange(agent_->notified, false)) agent_->origin.woken(now());
  bool more = agent_->origin.work(now(), &out);
  bool acted = !out.empty();
  carry_out(std::move(out));
  world_.checks().origin_is_bounded(*this);
  Micros wait = std::clamp<Micros>(agent_->origin.wake_at() - world_.now(), 0, kLongestWait);
  schedule(kOrigin,
           world_.now() + (more || acted ? dice_.between(20, 300) : std::max<Micros>(wait, 20)));
}

void Spoke::destination_turn() {
  database_.now = world_.now();
  spoke::DestinationActions out;
  for (auto& [link, item] : std::exchange(agent_->to_destination, {})) {
    if (link != agent_->deliver) continue;
    if (std::get_if<Opened>(&item)) agent_->destination.link_opened(now(), &out);
    if (auto* frame = std::get_if<DeliverDown>(&item))
      agent_->destination.link_received(std::move(*frame), now(), &out);
    if (auto* closed = std::get_if<Closed>(&item)) {
      agent_->destination.link_closed(closed->status, now(), &out);
      agent_->deliver = nullptr;
    }
  }
  if (std::exchange(gap_closed, false)) agent_->destination.database_changed(now());
  bool more = agent_->destination.work(now(), &out);
  bool acted = !out.empty();
  carry_out(std::move(out));
  world_.checks().destination_is_bounded(*this);
  Micros wait = std::clamp<Micros>(agent_->destination.wake_at() - world_.now(), 0, kLongestWait);
  schedule(kDestination,
           world_.now() + (more || acted ? dice_.between(20, 500) : std::max<Micros>(wait, 20)));
}

void Spoke::carry_out(spoke::OriginActions actions) {
  auto leave = [&] {
    if (agent_->forward) world_.agent_leaves(agent_->forward, dice_.between(0, 20'000));
    agent_->forward = nullptr;
  };
  for (spoke::OriginAction& action : actions)
    std::visit(Overloaded{
                   [&](spoke::ConnectForward&) {
                     leave();
                     agent_->forward = world_.connect(*this, true, home_);
                   },
                   [&](spoke::SendUp& a) {
                     if (agent_->forward) world_.send_up(agent_->forward, std::move(a.frame));
                   },
                   [&](spoke::DisconnectForward&) { leave(); },
                   [&](spoke::OriginNotice& a) { world_.say(name_, a.text); },
               },
               action);
}

void Spoke::carry_out(spoke::DestinationActions actions) {
  auto leave = [&] {
    if (agent_->deliver) world_.agent_leaves(agent_->deliver, dice_.between(0, 20'000));
    agent_->deliver = nullptr;
  };
  for (spoke::DestinationAction& action : actions)
    std::visit(Overloaded{
                   [&](spoke::ConnectDeliver& a) {
                     leave();
                     agent_->deliver = world_.connect(*this, false, world_.endpoints()[a.hub]);
                   },
                   [&](spoke::SendDown& a) {
                     world_.checks().receipt_is_true(*this, a.frame);
                     if (agent_->deliver) world_.send_up(agent_->deliver, std::move(a.frame));
                   },
                   [&](spoke::DisconnectDeliver&) { leave(); },
                   [&](spoke::DestinationNotice& a) { world_.say(name_, a.text); },
               },
               action);
}

}  // namespace oltp20::sim
