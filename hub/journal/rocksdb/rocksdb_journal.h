// The hub's journal on RocksDB: one directory, one process, one committer thread.
//
// Each group is one synced write, so groups are atomic and one fsync serves all that the hub put
// into it. Beside the store lies the witness, which finds acknowledged entries that went missing.
// hub/journal/README.md has the format and says what opening does about what it finds.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/base/random.h"
#include "hub/journal/journal.h"

namespace rocksdb {
class Env;
}

namespace oltp20::hub {

struct RocksJournalOptions {
  std::string directory;  // made when missing
  std::string hub;
  std::size_t write_buffer_bytes = 32 << 20;
  // Groups that may wait for the committer; one more fails with `exhausted`, and rule 7 applies.
  std::size_t queue_groups = 256;
  // The directory comes from a backup or a copy: begin a new incarnation, whatever it says.
  bool restored = false;
  const Clock* clock = &system_clock();
  // After each group's fsync, from the committer's thread: how much, and how long it took.
  std::function<void(std::size_t entries, std::size_t bytes, Micros fsync_us)> on_commit;
  rocksdb::Env* env = nullptr;  // tests put a failing one here; it must outlive the journal
};

// Errors: conflict (in use by another process, or another hub's), invalid (another format version),
// corrupt, exhausted, unavailable; each sentence names the directory and the remedy.
// `random` is used only while opening. Destroying the journal completes the groups that wait.
Result<std::unique_ptr<Journal>> open_rocksdb_journal(RocksJournalOptions options, Random& random);

}  // namespace oltp20::hub
