// Journal: the hub's durable stream, behind few verbs so that other engines fit.
//
// Rules, which tests/hub/journal_contract_test.cc quotes by number:
//  1. append() returns at once; `done` is called once, from a thread of the journal, after the
//  whole
//     group is durable (fsync) or has failed. Groups complete in the order of their append().
//  2. A group is atomic: after a crash all of it is there, or nothing.
//  3. Entries of a group continue the stream without a gap: the first lsn is head().lsn + 1. A
//  group
//     that does not is refused with `internal`, and nothing of it is written.
//  4. read() returns what is durable, in lsn order. Reading below first_lsn is `not_found` and says
//     where the stream begins; reading what cannot be read is `corrupt`, and deletes nothing.
//  5. Parts of a large transaction are invisible until its entry is appended; drop_parts collects
//     those whose entry never came. Those of every (origin, epoch) are collected by opening, and by
//     a recover() after a failure: nobody continues a transaction that these have cut off.
//  6. trim(upto) removes entries up to and including `upto`, with their parts, and never the head.
//  7. After a failed append the journal refuses further appends until recover() has succeeded; what
//     was durable stays readable.
//  8. info(), origins() and read() may be called from any thread; append(), trim(), recover() from
//  one.
#pragma once

#include <functional>
#include <vector>

#include "hub/journal/entry.h"

namespace oltp20::hub {

struct JournalInfo {
  std::string hub;
  Incarnation incarnation;
  StreamPosition parent;    // from which an imported or restored journal continues; else zero
  Lsn first_lsn = 1;        // the oldest entry that is kept
  StreamPosition head;      // lsn 0 and the stream's start hash while empty
  std::uint64_t bytes = 0;  // approximate size on disk
  // Said when opening found that acknowledged entries are missing at the end; the incarnation is
  // then a new one, whose parent is the old one at the head that is left.
  std::string loss;
};

// How far the stream is with one (origin, epoch).
struct OriginState {
  std::string origin;
  EpochInfo life;
  Seq base = 0;        // of the current run
  ChainPosition last;  // last.seq == base: nothing after the run record yet
  Lsn lsn = 0;         // of that entry
  bool operator==(const OriginState&) const = default;
};

struct StoredPart {
  OriginEpoch origin;
  Seq seq = 0;
  std::uint32_t part_no = 0;
  std::string bytes;
};

// Parts of this origin with seq >= from, whose entries never came.
struct DropParts {
  OriginEpoch origin;
  Seq from = 0;
};

struct Group {
  std::vector<DropParts> drops;  // done first
  std::vector<StoredPart> parts;
  std::vector<EntryPtr> entries;
  std::size_t bytes() const;
};

// A place in the stream: an entry, and within a large transaction the next part of it.
struct ReadCursor {
  Lsn lsn = 1;
  std::uint32_t part_no = 0;
  auto operator<=>(const ReadCursor&) const = default;
};

struct ReadItem {
  EntryPtr entry;
  std::uint32_t part_no = 0;
  std::string part;  // of a large transaction; else empty: use entry->part
};

struct ReadPage {
  std::vector<ReadItem> items;
  ReadCursor next;
  bool at_head = false;  // nothing durable is left behind `next`
};

class Journal {
 public:
  using Done = std::function<void(Status)>;

  virtual ~Journal() = default;
  virtual JournalInfo info() const = 0;
  virtual std::vector<OriginState> origins() const = 0;
  virtual void append(Group group, Done done) = 0;
  // At least one item unless at the head; then as many as fit into max_bytes.
  virtual Result<ReadPage> read(ReadCursor from, std::size_t max_bytes) const = 0;
  // The stream's hash at `lsn` (0: its start), to compare positions. not_found when trimmed.
  virtual Result<Hash> stream_hash_at(Lsn lsn) const = 0;
  virtual Status trim(Lsn upto) = 0;
  virtual Status recover() = 0;
};

}  // namespace oltp20::hub
