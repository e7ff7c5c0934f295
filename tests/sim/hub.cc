#include "tests/sim/world.h"

namespace oltp20::sim {

Hub::Hub(World& world, std::string name)
    : world_(world),
      name_(std::move(name)),
      dice_(world.seed(), "hub " + name_),
      random_(dice_.next()),
      journal_(std::make_unique<hub::MemoryJournal>(name_, random_)) {
  journal_->hold(true);
}

void Hub::start() {
  if (core_) return;
  ++life_;
  policy_ = world_.oracle().policy_version();
  policies_of_group_ = {policy_};
  core_ =
      std::make_unique<hub::HubCore>(name_, journal_->info(), journal_->origins(), world_.policy());
  timer();
}

void Hub::stop() {
  if (!core_) return;
  ++life_;
  core_.reset();
  events_.clear();
  turn_scheduled_ = false;
  recover_at_.reset();
  // Whether a group that nobody was told of has reached the disk is a matter of chance.
  while (dice_.chance(50) && journal_->complete_one()) {
  }
  journal_->crash();
  world_.hub_dies(name_);
}

void Hub::note_loss(Lsn behind, bool trimmed) {
  world_.checks().hub_lost(*this, behind, trimmed);
}

void Hub::wipe() {
  stop();
  world_.checks().journal_is_sound(*this);
  note_loss(0, false);
  journal_ = std::make_unique<hub::MemoryJournal>(name_, random_);
  journal_->hold(true);
  lost_tail_ = false;
}

void Hub::lose_tail(std::size_t entries) {
  stop();
  world_.checks().journal_is_sound(*this);
  hub::JournalInfo info = journal_->info();
  Lsn kept = std::max(info.first_lsn - 1, info.head.lsn - std::min<Lsn>(entries, info.head.lsn));
  if (kept == info.head.lsn) return;
  note_loss(0, false);  // a new incarnation begins, which holds nothing of the old one
  journal_->lose_tail(kept);
  lost_tail_ = true;
}

void Hub::fail_next_sync() {
  journal_->fail_next(Status(Code::exhausted, "no space left on device"));
}

void Hub::trim(std::size_t keep) {
  hub::JournalInfo info = journal_->info();
  if (!core_ || info.head.lsn <= keep) return;
  Lsn upto = info.head.lsn - keep;
  note_loss(upto, true);
  CHECK(journal_->trim(upto).is_ok());
  post(hub::JournalTrimmed{journal_->info().first_lsn});
}

void Hub::change_policy(std::shared_ptr<const hub::Policy> policy, std::size_t version) {
  versions_[policy.get()] = version;
  post(hub::PolicyChanged{std::move(policy)});
}

void Hub::post(hub::Event event) {
  if (!core_) return;
  events_.push_back(std::move(event));
  schedule_turn();
}

void Hub::schedule_turn() {
  if (turn_scheduled_) return;
  turn_scheduled_ = true;
  world_.scheduler().after(dice_.between(5, 60), [this, life = life_] {
    if (life == life_) turn();
  });
}

void Hub::timer() {
  if (recover_at_ && world_.now() >= *recover_at_) {
    recover_at_.reset();
    Status status = journal_->recover();
    post(hub::JournalRecovered{status, journal_->info(), journal_->origins()});
  }
  post(hub::TimePassed{});
  world_.scheduler().after(100 * kMillisecond, [this, life = life_] {
    if (life == life_ && core_) timer();
  });
}

// As if what other hubs hold had been followed, and that were enough.
void Hub::say_what_was_followed(hub::SendForward* send) const {
  auto* welcome = std::get_if<ForwardWelcome>(&send->frame);
  LinkPtr link = world_.find(send->link);
  if (!welcome || !link) return;
  for (const auto& [name, hub] : world_.hubs())
    for (const hub::OriginState& state : hub->journal().origins())
      if (state.origin == link->spoke && state.last.seq > welcome->held.seq) {
        welcome->knows_epoch = true;
        welcome->held = state.last;
      }
}

void Hub::turn() {
  turn_scheduled_ = false;
  hub::Now now{world_.now(), world_.now() + wall_offset_};
  hub::Actions actions;
  for (hub::Event& event : std::exchange(events_, {})) {
    if (const auto* change = std::get_if<hub::PolicyChanged>(&event)) {
      policy_ = versions_.at(change->policy.get());
      policies_of_group_.insert(policy_);
    }
    std::size_t before = actions.size();
    core_->step(std::move(event), now, &actions);
    for (std::size_t i = before; i < actions.size(); ++i)
      if (auto* send = std::get_if<hub::SendForward>(&actions[i])) {
        if (broken(Switch::followed_is_held)) say_what_was_followed(send);
        world_.checks().hub_says(*this, send->link, send->frame);
      }
  }
  core_->flush(now, &actions);
  world_.checks().hub_is_bounded(*this);
  carry_out(std::move(actions));
}

void Hub::append(hub::Group group) {
  world_.checks().group_is_permitted(*this, group);
  policies_of_group_ = {policy_};
  bool early = broken(Switch::journal_done_before_sync);
  journal_->append(std::move(group), [this, life = life_, early](Status status) {
    if (life == life_ && core_ && !early) post(hub::GroupDone{status});
  });
  if (early) {
    post(hub::GroupDone{});
  }
  world_.scheduler().after(dice_.between(100, sync_most_), [this, life = life_] {
    if (life == life_) journal_->complete_one();
  });
}

void Hub::carry_out(hub::Actions actions) {
  for (hub::Action& action : actions)
    std::visit(Overloaded{
                   [&](hub::SendForward& a) {
                     if (LinkPtr link = world_.find(a.link))
                       world_.send_down(link, std::move(a.frame));
                   },
                   [&](hub::SendDeliver& a) {
                     world_.checks().delivery_is_permitted(*this, a.link, a.frame);
                     if (LinkPtr link = world_.find(a.link))
                       world_.send_down(link, std::move(a.frame));
                   },
                   [&](hub::Consumed& a) { world_.consumed(a.link, a.frames); },
                   [&](hub::CloseLink& a) {
                     if (LinkPtr link = world_.find(a.link)) world_.hub_closes(link, a.goodbye);
                   },
                   [&](hub::AppendGroup& a) { append(std::move(a.group)); },
                   [&](hub::RecoverJournal& a) { recover_at_ = a.not_before; },
                   [&](hub::LookUpHash& a) {
                     world_.scheduler().after(dice_.between(10, 2000), [this, a, life = life_] {
                       if (life == life_)
                         post(hub::HashFound{a.link, a.lsn, journal_->stream_hash_at(a.lsn)});
                     });
                   },
                   [&](hub::ReadPages& a) {
                     world_.scheduler().after(dice_.between(10, 5000), [this, a, life = life_] {
                       if (life == life_)
                         post(hub::PageFound{a.link, journal_->read(a.from, a.max_bytes)});
                     });
                   },
                   [&](hub::Notice& a) { world_.say(name_, a.who + " " + a.text); },
               },
               action);
}

}  // namespace oltp20::sim
