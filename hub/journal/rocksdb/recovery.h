// What opening a journal finds, and what it does about it (the table in hub/journal/README.md).
#pragma once

#include "common/base/random.h"
#include "hub/journal/rocksdb/store.h"
#include "hub/journal/rocksdb/witness.h"

namespace oltp20::hub::store {

struct Recovered {
  LifeNo life = 0;
  StreamState state;
  std::string loss;  // as JournalInfo::loss
};

// Creates the first incarnation, continues the current one, or begins a new one when the witness
// says that acknowledged entries are missing (or `restored` says that the files are a backup).
// Errors: conflict (another hub's journal), invalid (another format), corrupt, exhausted.
Result<Recovered> recover_stream(Store& store, Witness& witness, const std::string& hub,
                                 bool restored, Random& random);

}  // namespace oltp20::hub::store
