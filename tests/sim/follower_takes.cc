// What the follower takes: runs, marks and the content of transactions.
#include "common/wire/hash_chain.h"
#include "tests/sim/follower.h"
#include "tests/sim/world.h"

namespace oltp20::sim {
namespace {

std::string name_of(const OriginEpoch& key, Seq seq) {
  return key.origin + "/" + to_hex(key.epoch).substr(0, 6) + "/" + std::to_string(seq);
}

}  // namespace

void Follower::run(const hub::Entry& entry) {
  OriginEpoch key = entry.key();
  std::string name = name_of(key, entry.seq);
  auto [life, fresh] = state_.lives.try_emplace(key, entry.life);
  if (!fresh && life->second != entry.life) {
    // A certificate of which no database is known may contradict itself: what it is goes by the
    // first run.
    if (world_.spokes().contains(key.origin))
      fail("forks", "two runs of " + name + " name different parents");
    return;
  }
  const Taken* fork = find({key.origin, entry.life.parent}, entry.life.fork.seq);
  if (fork && fork->chain != entry.life.fork.chain)
    return fail("forks", name + " leaves its parent at another chain than the parent has there");
  Hash start = origin_chain_start(key.origin, entry.life);
  const Taken* base = find(key, entry.seq);
  if ((entry.seq == 0 && entry.chain != start) || (base && base->chain != entry.chain))
    return fail("chains agree", "a run begins behind " + name + " with another chain");
  if (broken(Switch::followed_from_the_base))
    state_.marks.try_emplace(key, Mark{entry.seq, entry.chain});
  Mark& mark = state_.marks.try_emplace(key, Mark{0, start}).first->second;
  if (mark.seq == 0) mark.chain = start;
}

// Protocol rule 10.
void Follower::take_or_hold(Stream* stream, const hub::Entry& entry,
                            const std::vector<std::string>& parts) {
  Mark& mark = state_.marks[entry.key()];
  if (mark.seq >= entry.seq) return check_duplicate(entry);
  if (entry.prev > mark.seq && !broken(Switch::followed_past_a_hole)) {
    stream->held[entry.key()] = {entry.lsn, entry.prev};
    return;
  }
  take(entry, parts);
}

void Follower::check_duplicate(const hub::Entry& entry) {
  const Taken* taken = find(entry.key(), entry.seq);
  std::string name = name_of(entry.key(), entry.seq);
  if (!taken) {
    if (!was_given_up(entry.key(), entry.seq))
      fail("followed", name + " comes when the mark has passed it, and was never taken");
  } else if (taken->content != entry.content || taken->chain != entry.chain) {
    fail("chains agree", name + " comes once more, as something else");
  }
}

void Follower::take(const hub::Entry& entry, const std::vector<std::string>& parts) {
  OriginEpoch key = entry.key();
  std::string name = name_of(key, entry.seq);
  Mark& mark = state_.marks[key];
  if (mark.chain && mark.seq == entry.prev &&
      origin_chain_next(*mark.chain, entry.content) != entry.chain)
    return fail("chains agree", name + " does not continue the chain of what was taken");
  Taken taken{key, entry.seq, entry.content, entry.chain, false, false, {}};
  std::optional<ContentHasher> content;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    Result<PartView> part = PartView::parse(parts[i]);
    if (!part || part->part_no != i || part->last != (i + 1 == parts.size()) ||
        OriginEpoch{part->header.origin, part->header.epoch} != key ||
        part->header.seq != entry.seq)
      return fail("whole", name + " comes with parts that are not its own");
    if (!content) content.emplace(part->header);
    content->add(*part);
    taken.tombstone = part->header.tombstone;
    taken.overlap = part->header.overlap;
    std::vector<RowId> rows = check_rows(entry, *part);
    taken.rows.insert(taken.rows.end(), rows.begin(), rows.end());
  }
  if (!content || content->finish() != entry.content)
    return fail("whole", name + " has another content than its entry says");
  if (!taken.rows.empty()) {
    auto place = world_.oracle().find(taken.rows.front());
    if (place &&
        world_.oracle().transactions()[place->transaction].rows.size() != taken.rows.size())
      fail("whole", name + " has " + std::to_string(taken.rows.size()) + " rows");
  }
  mark = {entry.seq, entry.chain};
  index_[key][entry.seq] = taken_.size();
  taken_.push_back(std::move(taken));
}

// Every row as its application wrote it; the rows of one part, all of one transaction.
std::vector<RowId> Follower::check_rows(const hub::Entry& entry, const PartView& part) {
  const Oracle& oracle = world_.oracle();
  std::string name = name_of(entry.key(), entry.seq);
  std::vector<RowId> out;
  for (std::size_t i = 0; i < part.rows.size(); ++i) {
    Result<MessageRow> row = parse_row(part.rows[i]);
    auto place = row ? oracle.find(row->id) : std::nullopt;
    if (!place) {
      fail("whole", name + " has a row that nobody wrote");
      return out;
    }
    const OracleTransaction& t = oracle.transactions()[place->transaction];
    const OracleRow& original = oracle.row(*place);
    if (t.origin != entry.origin || place->row != part.first_position + i ||
        original.type != row->type || original.payload != row->payload.value_or("") ||
        original.destination != row->destination.value_or(""))
      fail("whole", name + " has a row that is not as it was written");
    if (t.fate == Oracle::Fate::rolled_back) fail("committed only", name + " was rolled back");
    out.push_back(row->id);
  }
  return out;
}

}  // namespace oltp20::sim
