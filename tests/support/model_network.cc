#include "tests/support/model_network.h"

#include "common/base/overloaded.h"

namespace oltp20::tests {

std::vector<hub::PolicyRule> allow_all() {
  hub::PolicyRule rule;
  rule.who = "spoke/*";
  rule.publish = rule.subscribe = {">"};
  return {rule};
}

ModelNetwork::Agent::Agent(const std::string& spoke, ModelDatabase& database,
                           std::vector<std::string> subscribe, Random& random)
    : name(spoke),
      outbox(database),
      inbox(database),
      origin({spoke, 1}, outbox, random),
      destination({spoke, std::move(subscribe), false, {"hub"}}, inbox, random) {}

ModelNetwork::ModelNetwork(std::vector<hub::PolicyRule> rules)
    : policy_(*hub::Policy::make(std::move(rules))),
      journal_(std::make_unique<hub::MemoryJournal>("hub", random_)) {
  start_hub();
}

void ModelNetwork::start_hub() {
  hub_ = std::make_unique<hub::HubCore>("hub", journal_->info(), journal_->origins(), policy_);
}

void ModelNetwork::kill_hub() {
  hub_.reset();
  hub_events_.clear();
  journal_->crash();
  for (auto& [name, agent] : spokes_) {
    if (agent->forward) close_link(agent->forward, Status(Code::unavailable, "the hub is gone"));
    if (agent->deliver) close_link(agent->deliver, Status(Code::unavailable, "the hub is gone"));
  }
}

void ModelNetwork::add_spoke(const std::string& name, ModelDatabase& database,
                             std::vector<std::string> subscribe) {
  spokes_[name] = std::make_unique<Agent>(name, database, std::move(subscribe), random_);
}

void ModelNetwork::kill_spoke(const std::string& name) {
  Agent& agent = *spokes_.at(name);
  for (hub::LinkId link : {agent.forward, agent.deliver})
    if (link && hub_) to_hub(hub::LinkClosed{link});
  spokes_.erase(name);
}

void ModelNetwork::change_policy(std::vector<hub::PolicyRule> rules) {
  policy_ = *hub::Policy::make(std::move(rules));
  to_hub(hub::PolicyChanged{policy_});
}

void ModelNetwork::adopt(const std::string& origin, const Epoch& epoch) {
  to_hub(hub::EpochAdopted{origin, epoch});
}

void ModelNetwork::to_hub(hub::Event event) {
  hub_events_.push_back(std::move(event));
}

hub::LinkId ModelNetwork::open_link(Agent& agent, bool forward) {
  hub::LinkId link = next_link_++;
  Identity identity{Identity::Kind::spoke, "test", "eu", agent.name};
  to_hub(hub::LinkOpened{link, forward, identity, "model"});
  return link;
}

void ModelNetwork::close_link(hub::LinkId link, const Status& status) {
  for (auto& [name, agent] : spokes_) {
    if (agent->forward == link) {
      agent->forward = 0;
      agent->to_origin.clear();
      spoke::OriginActions actions;
      agent->origin.link_closed(status, spoke_now(), &actions);
      carry_out(*agent, std::move(actions));
    }
    if (agent->deliver == link) {
      agent->deliver = 0;
      agent->to_destination.clear();
      spoke::DestinationActions actions;
      agent->destination.link_closed(status, spoke_now(), &actions);
      carry_out(*agent, std::move(actions));
    }
  }
}

void ModelNetwork::carry_out(hub::Actions actions) {
  for (hub::Action& action : actions)
    std::visit(Overloaded{
                   [&](hub::SendForward& a) {
                     if (std::holds_alternative<ForwardRefusal>(a.frame)) ++refusals;
                     for (auto& [name, agent] : spokes_)
                       if (agent->forward == a.link) agent->to_origin.push_back(std::move(a.frame));
                   },
                   [&](hub::SendDeliver& a) {
                     for (auto& [name, agent] : spokes_) {
                       if (agent->deliver != a.link) continue;
                       if (const auto* batch = std::get_if<DeliverBatch>(&a.frame))
                         for (const DeliverItem& item : batch->items)
                           if (const auto* part = std::get_if<DeliverPart>(&item))
                             delivered_[name].push_back(*part->bytes);
                       agent->to_destination.push_back(std::move(a.frame));
                     }
                   },
                   [&](hub::Consumed&) {},
                   [&](hub::CloseLink& a) {
                     to_hub(hub::LinkClosed{a.link});
                     close_link(a.link,
                                Status(a.goodbye.code, "the hub says: " + a.goodbye.reason));
                   },
                   [&](hub::AppendGroup& a) {
                     journal_->append(std::move(a.group),
                                      [this](Status status) { to_hub(hub::GroupDone{status}); });
                   },
                   [&](hub::RecoverJournal& a) { recover_at_ = a.not_before; },
                   [&](hub::LookUpHash& a) {
                     to_hub(hub::HashFound{a.link, a.lsn, journal_->stream_hash_at(a.lsn)});
                   },
                   [&](hub::ReadPages& a) {
                     to_hub(hub::PageFound{a.link, journal_->read(a.from, a.max_bytes)});
                   },
                   [&](hub::Notice& a) { notices.push_back("hub: " + a.who + " " + a.text); },
               },
               action);
}

void ModelNetwork::carry_out(Agent& agent, spoke::OriginActions actions) {
  for (spoke::OriginAction& action : actions)
    std::visit(Overloaded{
                   [&](spoke::ConnectForward&) {
                     if (!hub_) {
                       spoke::OriginActions more;
                       agent.origin.link_closed(Status(Code::unavailable, "no hub"), spoke_now(),
                                                &more);
                       return carry_out(agent, std::move(more));
                     }
                     agent.forward = open_link(agent, true);
                     spoke::OriginActions more;
                     agent.origin.link_opened(spoke_now(), &more);
                     carry_out(agent, std::move(more));
                   },
                   [&](spoke::SendUp& a) {
                     if (agent.forward)
                       to_hub(hub::ForwardReceived{agent.forward, std::move(a.frame)});
                   },
                   [&](spoke::DisconnectForward&) {
                     if (agent.forward) to_hub(hub::LinkClosed{agent.forward});
                     agent.forward = 0;
                     agent.to_origin.clear();
                   },
                   [&](spoke::OriginNotice& a) {
                     if (!a.text.empty()) notices.push_back(agent.name + ": " + a.text);
                   },
               },
               action);
}

void ModelNetwork::carry_out(Agent& agent, spoke::DestinationActions actions) {
  for (spoke::DestinationAction& action : actions)
    std::visit(Overloaded{
                   [&](spoke::ConnectDeliver&) {
                     spoke::DestinationActions more;
                     if (!hub_) {
                       agent.destination.link_closed(Status(Code::unavailable, "no hub"),
                                                     spoke_now(), &more);
                     } else {
                       agent.deliver = open_link(agent, false);
                       agent.destination.link_opened(spoke_now(), &more);
                     }
                     carry_out(agent, std::move(more));
                   },
                   [&](spoke::SendDown& a) {
                     if (agent.deliver)
                       to_hub(hub::DeliverReceived{agent.deliver, std::move(a.frame)});
                   },
                   [&](spoke::DisconnectDeliver&) {
                     if (agent.deliver) to_hub(hub::LinkClosed{agent.deliver});
                     agent.deliver = 0;
                     agent.to_destination.clear();
                   },
                   [&](spoke::DestinationNotice& a) {
                     if (!a.text.empty()) notices.push_back(agent.name + ": " + a.text);
                   },
               },
               action);
}

bool ModelNetwork::hub_round() {
  if (!hub_) return false;
  if (recover_at_ && now_ >= *recover_at_) {
    recover_at_.reset();
    to_hub(hub::JournalRecovered{journal_->recover(), journal_->info(), journal_->origins()});
  }
  std::deque<hub::Event> events = std::exchange(hub_events_, {});
  hub::Actions actions;
  for (hub::Event& event : events) hub_->step(std::move(event), hub_now(), &actions);
  hub_->flush(hub_now(), &actions);
  bool busy = !actions.empty() || !events.empty();
  carry_out(std::move(actions));
  return busy;
}

bool ModelNetwork::agent_round(Agent& agent) {
  bool busy = false;
  spoke::OriginActions up;
  for (auto frames = std::exchange(agent.to_origin, {}); ForwardDown & frame : frames) {
    agent.origin.link_received(std::move(frame), spoke_now(), &up);
    busy = true;
  }
  busy |= agent.origin.work(spoke_now(), &up);
  busy |= !up.empty();
  carry_out(agent, std::move(up));
  spoke::DestinationActions down;
  for (auto frames = std::exchange(agent.to_destination, {}); DeliverDown & frame : frames) {
    agent.destination.link_received(std::move(frame), spoke_now(), &down);
    busy = true;
  }
  busy |= agent.destination.work(spoke_now(), &down);
  busy |= !down.empty();
  carry_out(agent, std::move(down));
  return busy;
}

bool ModelNetwork::round() {
  bool busy = hub_round();
  for (auto& [name, agent] : spokes_) busy |= agent_round(*agent);
  return busy;
}

void ModelNetwork::run(Micros us) {
  Micros end = now_ + us;
  while (now_ < end)
    if (!round()) now_ += kMillisecond;
}

std::vector<std::string> ModelNetwork::frames_to(const std::string& spoke) const {
  auto at = delivered_.find(spoke);
  return at == delivered_.end() ? std::vector<std::string>() : at->second;
}

}  // namespace oltp20::tests
