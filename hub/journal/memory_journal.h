// MemoryJournal: the journal's contract in memory, for unit tests and the simulator.
//
// Its "disk" is what has completed; groups that are held are its unsynced tail. Faults are switched
// on by the owner:
//   hold(true)        groups wait until complete_one(); so tests own the time of each fsync
//   fail_next(why)    the next group to complete fails, and rule 7 applies
//   crash()           the unsynced tail is lost, its callbacks never come (their owner died), and
//                     the journal is open again
//   lose_tail(lsn)    acknowledged entries behind lsn are lost: a new incarnation begins
//
// Threads: as journal.h says, but `done` is called by whoever calls append() or complete_one(),
// without a lock held.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <tuple>

#include "common/base/random.h"
#include "hub/journal/stream_state.h"

namespace oltp20::hub {

class MemoryJournal final : public Journal {
 public:
  // `random` is used in the constructor and in lose_tail(), and must outlive the journal.
  MemoryJournal(std::string hub, Random& random);

  JournalInfo info() const override;
  std::vector<OriginState> origins() const override;
  void append(Group group, Done done) override;
  Result<ReadPage> read(ReadCursor from, std::size_t max_bytes) const override;
  Result<Hash> stream_hash_at(Lsn lsn) const override;
  Status trim(Lsn upto) override;
  Status recover() override;

  void hold(bool held);
  // Completes the oldest held group; false when none waits.
  bool complete_one();
  std::size_t waiting() const;
  void fail_next(Status why);
  void crash();
  void lose_tail(Lsn last_kept);
  // Parts whose entry has not come, or that a read would find; for tests.
  std::size_t stored_parts() const;

 private:
  struct Waiting {
    Group group;
    Done done;
  };
  using PartKey = std::tuple<OriginEpoch, Seq, std::uint32_t>;

  Status commit(Group& group);
  const Entry& entry_at(Lsn lsn) const;
  void drop_orphans();

  Random& random_;
  mutable std::mutex mutex_;
  StreamState state_;
  std::deque<EntryPtr> entries_;  // from state_.first_lsn on
  std::map<PartKey, std::string> parts_;
  std::deque<Waiting> waiting_;
  bool held_ = false;
  std::optional<Status> fault_;  // for the next group
  Status failure_;               // rule 7
  std::string loss_;
  std::uint64_t bytes_ = 0;
};

}  // namespace oltp20::hub
