#include "hub/journal/stream_state.h"

#include <algorithm>

#include "common/wire/hash_chain.h"
#include "hub/journal/origin_seal.h"

namespace oltp20::hub {
namespace {

Status does_not_continue(const Entry& entry, const std::string& why) {
  return Status(Code::internal, "journal entry " + std::to_string(entry.lsn) + " of " +
                                    entry.origin + " does not continue the stream: " + why);
}

// Moves `state` by one entry of its origin.
Status advance(const Entry& entry, bool known, OriginState* state) {
  if (entry.kind == Entry::Kind::run) {
    state->origin = entry.origin;
    state->life = entry.life;
    state->base = entry.seq;
  } else {
    if (!known) return does_not_continue(entry, "no run opens its epoch");
    if (entry.prev != state->last.seq || entry.seq <= entry.prev)
      return does_not_continue(entry, "seq " + std::to_string(entry.seq) + " behind " +
                                          std::to_string(entry.prev) + ", but the last one is " +
                                          std::to_string(state->last.seq));
  }
  state->last = {entry.seq, entry.chain};
  state->lsn = entry.lsn;
  return {};
}

}  // namespace

std::size_t Group::bytes() const {
  std::size_t total = 0;
  for (const StoredPart& part : parts) total += part.bytes.size() + part.origin.origin.size();
  for (const EntryPtr& entry : entries) total += entry->memory_bytes();
  return total;
}

StreamState StreamState::start(std::string hub, const Incarnation& incarnation,
                               const StreamPosition& parent) {
  StreamState state;
  state.before_first = stream_start(hub, incarnation, parent);
  state.hub = std::move(hub);
  state.parent = parent;
  state.head = {incarnation, 0, state.before_first};
  return state;
}

Result<StreamState::Plan> StreamState::plan(const Group& group) const {
  Plan plan{head, origins_digest, {}};
  for (const EntryPtr& entry : group.entries) {
    if (entry->lsn != plan.head.lsn + 1)
      return does_not_continue(*entry, "the head is " + std::to_string(plan.head.lsn));
    if (entry->stream.is_zero()) return does_not_continue(*entry, "it carries no stream hash");
    auto [place, fresh] = plan.origins.try_emplace(entry->key());
    bool known = !fresh;
    if (auto before = origins.find(place->first); fresh && before != origins.end()) {
      place->second = before->second;
      known = true;
    }
    OLTP20_TRY(advance(*entry, known, &place->second));
    plan.head.lsn = entry->lsn;
    plan.head.hash = entry->stream;
  }
  for (const auto& [key, state] : plan.origins) {
    if (auto before = origins.find(key); before != origins.end())
      remove_seal(&plan.origins_digest, origin_seal(before->second));
    add_seal(&plan.origins_digest, origin_seal(state));
  }
  return plan;
}

void StreamState::apply(Plan plan) {
  head = plan.head;
  origins_digest = plan.origins_digest;
  for (auto& [key, state] : plan.origins) origins.insert_or_assign(key, std::move(state));
}

Seq StreamState::first_droppable(const DropParts& drop) const {
  auto known = origins.find(drop.origin);
  return known == origins.end() ? drop.from : std::max(drop.from, known->second.last.seq + 1);
}

Lsn StreamState::trimmable(Lsn upto) const {
  if (head.lsn == 0) return 0;
  upto = std::min(upto, head.lsn - 1);
  return upto < first_lsn ? 0 : upto;
}

Status trimmed_away(Lsn lsn, Lsn first_lsn) {
  return Status(Code::not_found, "journal entry " + std::to_string(lsn) +
                                     " is no longer kept; the stream begins at " +
                                     std::to_string(first_lsn));
}

Status no_such_part(const Entry& entry, std::uint32_t part_no) {
  return Status(Code::invalid, "journal entry " + std::to_string(entry.lsn) + " has " +
                                   std::to_string(entry.parts) + " parts; part " +
                                   std::to_string(part_no) + " was asked for");
}

}  // namespace oltp20::hub
