// What must hold when everything has come to rest.
#include <algorithm>

#include "tests/sim/world.h"

namespace oltp20::sim {
namespace {

std::string name_of(const OriginEpoch& key, Seq seq) {
  return key.origin + "/" + to_hex(key.epoch).substr(0, 6) + "/" + std::to_string(seq);
}

}  // namespace

// Which places in which lives each transaction has, and what the hubs have of them.
void Checks::learn_captures() {
  for (const auto& [name, spoke] : world_.spokes()) {
    const DatabaseState& state = spoke->database().state();
    for (const spoke::Tick& tick : state.ticks) {
      Seq seq = tick.first;
      for (const CommitRecord* commit : transactions_of(state, tick)) {
        if (seq > tick.last) break;
        OriginEpoch key{name, tick.epoch};
        learn(key, seq, {commit->transaction, 0});
        captured_[{key, seq}] = commit->transaction;
        ++seq;
      }
    }
  }
  for (const auto& [name, hub] : world_.hubs()) {
    hub::ReadCursor at{hub->journal().info().first_lsn, 0};
    while (true) {
      Result<hub::ReadPage> page = hub->journal().read(at, 1 << 20);
      if (!page) return fail("hash chain", page.status().message());
      for (const hub::ReadItem& item : page->items) {
        const hub::Entry& entry = *item.entry;
        if (entry.parts > 1) ++parts_[name];
        if (entry.kind != hub::Entry::Kind::transaction || item.part_no != 0) continue;
        std::optional<std::size_t>& transaction = available_[{entry.key(), entry.seq}];
        // By its rows: the numbers of a life that was restored away may mean something else here.
        Result<PartView> view = PartView::parse(entry.parts == 1 ? entry.part : item.part);
        if (!view || view->rows.empty()) continue;  // a tombstone
        Result<MessageRow> row = parse_row(view->rows.front());
        auto place = row ? world_.oracle().find(row->id) : std::nullopt;
        if (!place) continue;
        transaction = place->transaction;
        learn(entry.key(), entry.seq, *place);
      }
      at = page->next;
      if (page->at_head) break;
    }
  }
}

bool Checks::is_available(const Capture& capture) const {
  auto at = available_.find({capture.key, capture.seq});
  return at != available_.end() && at->second == capture.transaction;
}

// The transaction's place is in a hub's journal: itself, or the tombstone of its refusal.
bool Checks::has_place(const Capture& capture) const {
  auto at = available_.find({capture.key, capture.seq});
  return at != available_.end() && at->second.value_or(capture.transaction) == capture.transaction;
}

bool Checks::hub_has_lost(const Capture& capture) const {
  if (world_.follower()) {
    auto exactly = lost_exactly_.find(capture.key);
    return exactly != lost_exactly_.end() && exactly->second.contains(capture.seq);
  }
  auto lost = lost_by_hubs_.find(capture.key);
  return lost != lost_by_hubs_.end() && capture.seq <= lost->second;
}

// Nothing is skipped: each transaction that is committed, in this life of the database, has exactly
// one place in its ticks a life, and the hub has it, has lost it, or has refused it.
void Checks::everything_is_captured(const Spoke& origin) {
  const DatabaseState& state = origin.database().state();
  const Epoch current = state.epochs.back().id;
  for (const auto& [xid, commit] : state.committed) {
    const std::vector<Capture>& captures = captures_[commit.first->transaction];
    if (captures.empty())
      return fail("no stall, no skip", "transaction " + std::to_string(xid) + " of " +
                                           origin.name() + " was never captured");
    std::set<Epoch> epochs;
    for (const Capture& capture : captures)
      if (!epochs.insert(capture.key.epoch).second)
        return fail("no stall, no skip", name_of(capture.key, capture.seq) +
                                             " is a transaction that was captured twice");
    if (std::ranges::none_of(captures,
                             [&](const Capture& c) { return has_place(c) || hub_has_lost(c); }))
      return fail("nothing lost",
                  name_of(captures.front().key, captures.front().seq) + " never reached a hub");
  }
  Seq next = 1;
  for (const spoke::Tick& tick : state.ticks) {
    if (tick.epoch != current) continue;
    if (tick.last >= tick.first && tick.first != next)
      return fail("no stall, no skip",
                  "the ticks of " + origin.name() + " leave out seq " + std::to_string(next));
    if (tick.last >= tick.first) next = tick.last + 1;
    if (tick.last >= tick.first && !(tick.server == origin.database().server()))
      return fail("epochs", origin.name() + " goes on in its epoch on another server");
  }
}

// Seqs of an epoch, rows of a transaction, and cause before effect.
void Checks::order_is_kept(const Spoke& destination) {
  const Oracle& oracle = world_.oracle();
  std::map<OriginEpoch, std::pair<Seq, std::uint32_t>> last;
  std::map<std::string, std::pair<std::uint64_t, std::string>> newest;
  for (const AppliedRow& row : destination.database().state().received) {
    OriginEpoch key{row.origin, row.epoch};
    std::pair<Seq, std::uint32_t> here{row.seq, row.position + 1};
    if (here <= last[key])
      return fail("order", destination.name() + " applied " + name_of(key, row.seq) + " behind " +
                               std::to_string(last[key].first));
    last[key] = here;
    auto place = oracle.find(row.id);
    if (!place) continue;
    const OracleTransaction& t = oracle.transactions()[place->transaction];
    if (t.fate != Oracle::Fate::committed) continue;
    // A row that it might not have at first comes late when a fork sends it again.
    // So does a whole transaction that was refused at first.
    if (!oracle.always_for(destination.name(), place->transaction, oracle.row(*place)) ||
        !oracle.always_publishable(place->transaction))
      continue;
    // What was given up may be brought by a fork, behind what followed it.
    if (std::ranges::any_of(captures_[place->transaction],
                            [&](const Capture& c) { return was_given_up(destination, c); }))
      continue;
    auto& [drawn, name] = newest[row.origin];
    if (t.visible < drawn)
      return fail("order", destination.name() + " applied " + name_of(key, row.seq) + " behind " +
                               name + ", which could see it");
    if (t.drawn > drawn) newest[row.origin] = {t.drawn, name_of(key, row.seq)};
  }
}

// Lost by a hub, and the destination shows it: as a gap over it, or in the base of the mark (a
// first delivery that begins behind it). It is given up then, even if its origin brings it once
// more.
bool Checks::was_given_up(const Spoke& destination, const Capture& capture) const {
  if (!hub_has_lost(capture)) return false;
  const DatabaseState& state = destination.database().state();
  for (const GapState& hole : state.gaps)
    if (OriginEpoch{hole.gap.origin, hole.gap.epoch} == capture.key &&
        hole.gap.from < capture.seq && capture.seq <= hole.gap.to)
      return true;
  auto mark = state.marks.find(capture.key);
  return mark == state.marks.end() || mark->second.base >= capture.seq;
}

// A transaction may be missing where a hub lost it after it was acknowledged, and that shows, and
// no hub has it under another number.
bool Checks::excused(const Spoke& destination, const std::vector<Capture>& captures) {
  bool shows = false;
  for (const Capture& capture : captures) {
    if (was_given_up(destination, capture)) {
      shows = true;
    } else if (is_available(capture)) {
      return false;
    }
  }
  return shows;
}

void Checks::nothing_is_missing(const Spoke& destination) {
  const Oracle& oracle = world_.oracle();
  const DatabaseState& state = destination.database().state();
  std::set<std::pair<OriginEpoch, Seq>> letters;
  for (const spoke::DeadLetter& letter : state.dead_letters)
    letters.insert({{letter.origin, letter.epoch}, letter.seq});
  for (const auto& [number, captures] : captures_) {
    const OracleTransaction& t = oracle.transactions()[number];
    if (t.origin == destination.name()) continue;
    bool somewhere =
        std::ranges::any_of(captures, [&](const Capture& c) { return is_available(c); });
    if (t.fate != Oracle::Fate::committed && !somewhere) continue;
    bool aside = std::ranges::any_of(captures, [&](const Capture& c) {
      return letters.contains({c.key, c.seq});
    });
    bool refused = std::ranges::any_of(captures, [&](const Capture& c) {
      const auto& rejections = world_.spoke(t.origin).database().state().rejections;
      auto epoch = rejections.find(c.key.epoch);
      return epoch != rejections.end() && epoch->second.contains(c.seq);
    });
    if (aside || (refused && !oracle.always_publishable(number))) continue;
    for (const OracleRow& row : t.rows) {
      bool here = state.received_ids.contains({t.origin, row.id});
      counts_.delivered += here;
      if (here || !oracle.always_for(destination.name(), number, row)) continue;
      if (excused(destination, captures)) {
        ++counts_.excused;
        continue;
      }
      return fail("nothing lost", destination.name() + " has not got " +
                                      name_of(captures.front().key, captures.front().seq) + " (" +
                                      row.payload.substr(0, 12) + "), and nothing says so");
    }
  }
}

// A gap is only where hubs lost something, and not over what is there.
void Checks::gaps_are_justified(const Spoke& destination) {
  for (const GapState& hole : destination.database().state().gaps) {
    ++counts_.gaps;
    OriginEpoch key{hole.gap.origin, hole.gap.epoch};
    bool justified =
        key.origin.empty() ? stretches_lost_ : hub_has_lost({key, hole.gap.from + 1, 0});
    if (!justified)
      fail("gaps", destination.name() + " has a gap of " + key.origin + " from " +
                       std::to_string(hole.gap.from) + " to " + std::to_string(hole.gap.to) +
                       ", and no hub lost anything there: " + hole.gap.reason);
    if (!hole.closed) fail("progress", destination.name() + " has an open gap: " + hole.gap.reason);
  }
}

// One bad thing stops only itself: what is put aside is what the database refuses.
void Checks::dead_letters_are_justified(const Spoke& destination) {
  for (const spoke::DeadLetter& letter : destination.database().state().dead_letters) {
    ++counts_.dead_letters;
    OriginEpoch key{letter.origin, letter.epoch};
    auto captured = captured_.find({key, letter.seq});
    if (captured == captured_.end()) continue;
    bool poisoned = false;
    for (const OracleRow& row : world_.oracle().transactions()[captured->second].rows)
      poisoned |= row.payload.find(poison_mark(destination.name())) != std::string::npos;
    if (!poisoned)
      fail("one bad thing stops only itself",
           destination.name() + " put " + name_of(key, letter.seq) + " aside, which is sound");
  }
}

// A tombstone in the journal has its reason at the origin, and what was allowed is not refused.
void Checks::refusals_are_recorded(const Spoke& origin) {
  for (const auto& [epoch, rejections] : origin.database().state().rejections)
    for (const auto& [seq, rejection] : rejections) {
      auto captured = captured_.find({{origin.name(), epoch}, seq});
      if (captured != captured_.end() && world_.oracle().always_publishable(captured->second))
        fail("permission", name_of({origin.name(), epoch}, seq) +
                               " was refused, and was allowed all the time: " + rejection.reason);
    }
}

// Of parts whose transaction never came whole nothing is left, once their origins have begun again.
void Checks::orphans_are_collected(const Hub& hub) {
  if (hub.journal().stored_parts() != parts_[hub.name()])
    fail("orphans", hub.name() + " keeps " + std::to_string(hub.journal().stored_parts()) +
                        " parts, and its entries have " + std::to_string(parts_[hub.name()]));
}

// Each origin knows how far each destination is, also when that is less than it was told before.
void Checks::receipts_have_come(const Spoke& destination) {
  for (const auto& [key, mark] : destination.database().state().marks) {
    auto origin = world_.spokes().find(key.origin);
    if (origin == world_.spokes().end()) continue;
    const DatabaseState& state = origin->second->database().state();
    const EpochInfo& life = state.epochs.back();
    if (key.epoch != life.id && key.epoch != life.parent) continue;
    auto told = state.receipts.find({destination.name(), key.epoch});
    Seq seq = told == state.receipts.end() ? 0 : told->second.receipt.seq;
    if (seq != mark.seq)
      fail("receipts", key.origin + " believes that " + destination.name() + " has applied " +
                           name_of(key, seq) + ", and it is at " + std::to_string(mark.seq));
  }
}

void Checks::at_end() {
  learn_captures();
  for (const auto& [name, hub] : world_.hubs()) {
    journal_is_sound(*hub);
    orphans_are_collected(*hub);
  }
  if (world_.follower()) at_end_of_follower(*world_.follower());
  for (const auto& [name, spoke] : world_.spokes()) everything_is_captured(*spoke);
  if (breach_) return;  // the rest asks where captures went
  if (world_.follower()) {
    for (const auto& [name, spoke] : world_.spokes()) refusals_are_recorded(*spoke);
    return;
  }
  for (const auto& [name, spoke] : world_.spokes()) {
    order_is_kept(*spoke);
    nothing_is_missing(*spoke);
    gaps_are_justified(*spoke);
    dead_letters_are_justified(*spoke);
    refusals_are_recorded(*spoke);
    receipts_have_come(*spoke);
  }
}

}  // namespace oltp20::sim
