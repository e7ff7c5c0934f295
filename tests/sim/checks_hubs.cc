// Of several hubs, at rest: what a follower of all their streams must have, and may lack.
#include <algorithm>

#include "tests/sim/world.h"

namespace oltp20::sim {
namespace {

std::string name_of(const OriginEpoch& key, Seq seq) {
  return key.origin + "/" + to_hex(key.epoch).substr(0, 6) + "/" + std::to_string(seq);
}

// Calls `visit` for each transaction of the hub's journal, up to `upto`.
template <typename Visit>
void each_transaction(const Hub& hub, Lsn upto, Visit visit) {
  hub::ReadCursor at{hub.journal().info().first_lsn, 0};
  while (at.lsn <= upto) {
    Result<hub::ReadPage> page = hub.journal().read(at, 1 << 20);
    if (!page) return;
    for (const hub::ReadItem& item : page->items)
      if (item.entry->kind == hub::Entry::Kind::transaction && item.part_no == 0 &&
          item.entry->lsn <= upto)
        visit(*item.entry);
    at = page->next;
    if (page->at_head) return;
  }
}

}  // namespace

// What its origin was not told of comes again, to whatever hub it is at then: that it is lost
// explains nothing. Of what is trimmed the hub knows later, too, and may tell.
void Checks::note_loss_of(const Hub& hub, Lsn upto, bool trimmed) {
  each_transaction(hub, trimmed ? upto : ~Lsn{0}, [&](const hub::Entry& entry) {
    auto told = told_.find({hub.name(), entry.key()});
    if (trimmed || (told != told_.end() && entry.seq <= told->second))
      lost_exactly_[entry.key()].insert(entry.seq);
  });
  if (!trimmed) std::erase_if(told_, [&](const auto& of) { return of.first.first == hub.name(); });
}

// What holds an origin back is only what hubs have lost: each seq of it.
void Checks::holes_are_explained(Follower& follower) {
  follower.catch_up();
  while (std::optional<Follower::Hole> hole = follower.hole()) {
    if (breach_) return;
    ++counts_.holes;
    for (Seq seq = hole->from + 1; seq <= hole->to; ++seq) {
      std::string name = name_of(hole->key, seq);
      if (available_.contains({hole->key, seq}))
        return fail("holes", name + " is in a hub's journal, and holds the follower back");
      if (!hub_has_lost({hole->key, seq, 0}))
        return fail("holes", name + " is in no hub's journal, and no hub lost it");
    }
    follower.give_up(*hole);
    follower.catch_up();
  }
}

// Whatever is in a journal has come, as it is there.
void Checks::everything_has_come(const Follower& follower) {
  for (const auto& [hub_name, hub] : world_.hubs())
    each_transaction(*hub, ~Lsn{0}, [&, name = hub_name](const hub::Entry& entry) {
      const Follower::Taken* taken = follower.find(entry.key(), entry.seq);
      if (!taken || taken->content != entry.content)
        fail("followed", name_of(entry.key(), entry.seq) + " is in the journal of " + name +
                             ", and has not come to the follower");
    });
}

// Each (origin, epoch) without a hole that nobody gave up, and cause before effect.
void Checks::taken_in_order(const Follower& follower) {
  const Oracle& oracle = world_.oracle();
  std::map<OriginEpoch, Seq> last;
  std::map<OriginEpoch, std::uint64_t> drawn;
  for (const Follower::Taken& taken : follower.taken()) {
    ++counts_.followed;
    Seq& before = last[taken.key];
    for (Seq seq = before + 1; seq < taken.seq; ++seq)
      if (!follower.was_given_up(taken.key, seq))
        return fail("order", name_of(taken.key, taken.seq) + " came when " +
                                 std::to_string(before) + " was the last one");
    if (taken.seq <= before)
      return fail("order",
                  name_of(taken.key, taken.seq) + " came behind " + std::to_string(before));
    before = taken.seq;
    auto place = taken.rows.empty() ? std::nullopt : oracle.find(taken.rows.front());
    if (!place) continue;
    const OracleTransaction& t = oracle.transactions()[place->transaction];
    if (t.visible < drawn[taken.key])
      return fail("order", name_of(taken.key, taken.seq) + " comes behind one that could see it");
    drawn[taken.key] = std::max(drawn[taken.key], t.drawn);
  }
}

// Each row once; a second time only in another life, which says that it may (protocol rule 24).
void Checks::taken_once(const Follower& follower) {
  std::map<RowId, const Follower::Taken*> rows;
  for (const Follower::Taken& taken : follower.taken())
    for (const RowId& row : taken.rows) {
      auto [first, fresh] = rows.try_emplace(row, &taken);
      if (fresh) continue;
      bool overlap = taken.overlap || first->second->overlap;
      if (first->second->key == taken.key || !overlap)
        return fail("exactly once", name_of(taken.key, taken.seq) + " repeats a row of " +
                                        name_of(first->second->key, first->second->seq));
    }
}

// The same seq of the same life is the same transaction, whichever hub has it.
void Checks::chains_agree() {
  std::map<std::pair<OriginEpoch, Seq>, std::pair<Hash, std::string>> chains;
  for (const auto& [hub_name, hub] : world_.hubs())
    each_transaction(*hub, ~Lsn{0}, [&, name = hub_name](const hub::Entry& entry) {
      auto [at, fresh] = chains.try_emplace({entry.key(), entry.seq}, std::pair{entry.chain, name});
      if (at->second.first != entry.chain)
        fail("chains agree", name_of(entry.key(), entry.seq) + " is one thing in " +
                                 at->second.second + " and another in " + name);
    });
}

void Checks::at_end_of_follower(Follower& follower) {
  chains_agree();
  holes_are_explained(follower);
  if (breach_) return;
  everything_has_come(follower);
  taken_in_order(follower);
  taken_once(follower);
}

}  // namespace oltp20::sim
