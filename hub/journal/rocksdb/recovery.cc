#include "hub/journal/rocksdb/recovery.h"

#include <rocksdb/write_batch.h>

namespace oltp20::hub::store {
namespace {

struct Verdict {
  bool begin_anew = false;
  std::string loss;
};

constexpr std::string_view kNewIncarnation =
    "; a new incarnation begins, and the origins send again what is still needed";

Verdict lost(const std::string& what) {
  return {.begin_anew = true, .loss = what + std::string(kNewIncarnation)};
}

// Whether the store still holds what the witness saw acknowledged.
Result<Verdict> judge(const Store& store, const Life& life, const StreamState& state,
                      const std::optional<StreamPosition>& witness) {
  const StreamPosition& head = state.head;
  if (!witness) {
    if (head.lsn == 0) return Verdict{.begin_anew = true, .loss = {}};  // died while being created
    return lost(
        "the witness file is missing or unreadable, so it cannot be told whether "
        "acknowledged entries behind " +
        std::to_string(head.lsn) + " are missing");
  }
  if (witness->incarnation != head.incarnation) {
    if (head.lsn == 0 && state.parent.incarnation == witness->incarnation) return Verdict{};
    return lost("the witness file knows incarnation " + to_hex(witness->incarnation) +
                ", the journal only " + to_hex(head.incarnation) +
                ": one of the two is older than the other");
  }
  if (witness->lsn > head.lsn)
    return lost("acknowledged entries " + std::to_string(head.lsn + 1) + " to " +
                std::to_string(witness->lsn) + " are missing at the end of the journal");
  Hash there = head.hash;
  if (witness->lsn + 1 < state.first_lsn) return Verdict{};  // trimmed since
  if (witness->lsn + 1 == state.first_lsn) {
    there = state.before_first;
  } else if (witness->lsn < head.lsn) {
    Result<Entry> entry = store.entry(life.no, witness->lsn);
    if (!entry) return entry.status();
    there = entry->stream;
  }
  if (there != witness->hash)
    return lost("entry " + std::to_string(witness->lsn) +
                " is not the one that was acknowledged under this number");
  return Verdict{};
}

Result<Recovered> begin_life(Store& store, Witness& witness, const std::string& hub, Life life) {
  Recovered out;
  out.life = life.no;
  out.state = StreamState::start(hub, life.incarnation, life.parent);
  out.loss = life.loss;
  Place start{0, out.state.before_first};
  rocksdb::WriteBatch batch;
  batch.Put(meta_key(), encode_meta({kFormatVersion, hub}));
  batch.Put(life_key(life.no), encode_life(life));
  batch.Put(prefix(Space::head, life.no), encode_head({start, out.state.origins_digest}));
  batch.Put(prefix(Space::first, life.no), encode_place(start));
  OLTP20_TRY(store.write(&batch, "beginning an incarnation"));
  OLTP20_TRY(witness.write(out.state.head));
  OLTP20_TRY(witness.sync());
  return out;
}

}  // namespace

Result<Recovered> recover_stream(Store& store, Witness& witness, const std::string& hub,
                                 bool restored, Random& random) {
  Result<std::optional<Meta>> meta = store.meta();
  if (!meta) return meta.status();
  if (!*meta) {
    Life first{.no = 1, .incarnation = random.id<Incarnation>(), .parent = {}, .loss = {}};
    if (witness.last() && witness.last()->lsn > 0)
      first.loss = lost("the whole journal is missing: " + std::to_string(witness.last()->lsn) +
                        " entries were acknowledged")
                       .loss;
    return begin_life(store, witness, hub, std::move(first));
  }
  if ((*meta)->hub != hub)
    return Status(Code::conflict, "this is the journal of hub " + (*meta)->hub + ", not of " + hub +
                                      "; correct [hub] name or data_dir");
  Result<std::vector<Life>> lives = store.lives();
  if (!lives) return lives.status();
  const Life& current = lives->back();
  Result<std::optional<StreamState>> state = store.state(hub, current);
  if (!state) return state.status();
  if (!*state) return store.unreadable("the head of its incarnation is missing");
  Result<Verdict> verdict = judge(store, current, **state, witness.last());
  if (!verdict) return verdict.status();
  if (verdict->begin_anew || restored) {
    Life next{.no = current.no + 1,
              .incarnation = random.id<Incarnation>(),
              .parent = (*state)->head,
              .loss = verdict->loss};
    return begin_life(store, witness, hub, std::move(next));
  }
  rocksdb::WriteBatch batch;
  OLTP20_TRY(store.drop_orphans(current, **state, &batch));
  if (batch.Count() != 0) OLTP20_TRY(store.write(&batch, "dropping what was cut off"));
  OLTP20_TRY(witness.write((*state)->head));
  OLTP20_TRY(witness.sync());
  return Recovered{.life = current.no, .state = std::move(**state), .loss = {}};
}

}  // namespace oltp20::hub::store
