// Database: one PostgreSQL database as its write-ahead log. What is committed is a record of the
// log; the state is what the records say. So a crash cuts the log at (or behind) the flushed point,
// a backup is a prefix of it, and a promoted replica is a prefix on the next timeline.
//
// It holds both the outbox and the inbox of a spoke, as the real one does. Transactions of the
// application are open for a while: their ids, the numbers of their rows and their commits come in
// different orders, and only commits are in the log.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "common/base/overloaded.h"
#include "spoke/core/inbox.h"
#include "spoke/core/outbox.h"
#include "tests/sim/dice.h"

namespace oltp20::sim {

// ---- records of the log ----
struct CommitRecord {
  std::uint64_t xid = 0;
  std::int64_t order = 0;  // drawn at the commit
  std::vector<spoke::OutboxRow> rows;
  std::size_t transaction = 0;  // the oracle's number
};
struct TickRecord {
  spoke::Tick tick;
  std::uint64_t xid = 0;  // of the statement that took it
};
struct CheckpointRecord {
  Epoch epoch;
  ChainPosition position;
};
struct RejectionRecord {
  Epoch epoch;
  spoke::Rejection rejection;
};
struct EpochRecord {
  EpochInfo epoch;
  spoke::Tick anchor;
  Seq network_has = 0;
  std::uint64_t overlap_before = 0;
};
struct AppliedRow {
  std::string origin;
  Epoch epoch;
  Seq seq = 0;
  std::uint32_t position = 0;
  RowId id;
  std::string type, payload;
};
// A transaction of the applier.
struct ApplyRecord {
  struct Transaction {
    OriginEpoch key;
    Seq seq = 0;
    std::vector<AppliedRow> rows;
    std::vector<RowId> skipped;  // an overlap's rows that were here already
  };
  std::string hub;
  std::optional<StreamPosition> position;
  std::vector<Transaction> transactions;
  std::vector<spoke::MarkMove> marks;
  std::vector<spoke::KnownEpoch> epochs;
  std::vector<spoke::DeadLetter> dead_letters;
  std::vector<spoke::Gap> gaps;
  bool another_stream = false;
};
struct GapClosedRecord {
  std::size_t gap = 0;
};
struct LifeRecord {
  Incarnation incarnation;
  spoke::ServerIdentity server;
};
struct ReceiptsRecord {
  std::vector<DestinationReceipt> receipts;
};
using Record = std::variant<CommitRecord, TickRecord, CheckpointRecord, RejectionRecord,
                            EpochRecord, ApplyRecord, GapClosedRecord, LifeRecord, ReceiptsRecord>;
using RecordPtr = std::shared_ptr<const Record>;

struct GapState {
  spoke::Gap gap;
  std::string hub;
  bool closed = false;
};

// What the records say.
struct DatabaseState {
  std::map<std::uint64_t, std::pair<const CommitRecord*, std::size_t>> committed;  // by xid; lsn
  std::vector<spoke::Tick> ticks;
  std::vector<EpochInfo> epochs;
  std::uint64_t overlap_before = 0;  // of the newest epoch
  std::map<Epoch, std::map<Seq, Hash>> checkpoints;
  std::map<Epoch, std::map<Seq, spoke::Rejection>> rejections;
  std::vector<AppliedRow> received;
  std::map<std::pair<std::string, RowId>, std::vector<std::pair<Epoch, Seq>>> received_ids;
  std::map<OriginEpoch, spoke::Mark> marks;
  std::map<OriginEpoch, EpochInfo> known;
  std::map<std::string, StreamPosition> positions;
  std::vector<GapState> gaps;
  std::vector<spoke::DeadLetter> dead_letters;
  std::vector<LifeRecord> lives;
  std::map<std::pair<std::string, Epoch>, DestinationReceipt> receipts;  // by destination
  std::uint64_t next_xid = 3;
  std::int64_t next_position = 1;

  void add(const Record& record, std::size_t lsn);
};

class Database {
 public:
  Database(std::string name, std::uint64_t seed);

  // ---- the application ----
  // Rows get their numbers as they are inserted; commit() draws the order and writes the log.
  std::uint64_t begin();
  void insert(std::uint64_t xid, spoke::OutboxRow row);
  // False: the transaction is not there any more (the database has crashed).
  bool draw_order(std::uint64_t xid);
  bool commit(std::uint64_t xid, std::size_t transaction, bool synchronous);
  void roll_back(std::uint64_t xid) { open_.erase(xid); }
  // `start`: of the server, in which it began; a crash may hand out the same id again.
  bool is_open(std::uint64_t xid, std::uint64_t start) const {
    return start == starts_ && open_.contains(xid);
  }
  std::uint64_t starts() const { return starts_; }

  // ---- faults ----
  // Loses what is not flushed (but chance may have flushed some of it) and all open transactions.
  void crash();
  // Becomes what it was when the log had `records` records: as a file-level copy, or promoted to a
  // timeline of its own.
  void restore(std::size_t records, bool promoted);
  std::size_t records_at(Micros time) const;
  // The records up to the beginning of the newest epoch, or up to its first tick.
  std::size_t records_of_life(bool with_its_first_tick) const;
  void flush() { flushed_ = log_.size(); }
  // The next commit of an agent loses its answer; chance decides whether it happened.
  void doubt_next() { doubt_ = true; }
  void stop(Micros until) { down_until_ = until; }
  bool is_down(Micros now) const { return now < down_until_; }
  void close_gap(std::size_t gap);

  // ---- for the models of the agents' sessions ----
  // Appends a record of an agent. Errors: unavailable, when the answer is lost.
  Status write(Record record, bool flush);
  std::string snapshot() const;
  std::uint64_t next_xid() const { return state_.next_xid; }
  std::uint64_t take_xid() { return state_.next_xid++; }
  // Whether the newest tick has seen everything that is committed.
  bool is_captured() const;
  Dice& dice() { return dice_; }

  const std::string& name() const { return name_; }
  const DatabaseState& state() const { return state_; }
  std::size_t size() const { return log_.size(); }
  std::size_t flushed() const { return flushed_; }
  const Record& record(std::size_t lsn) const { return *log_[lsn].record; }
  // The mark as a crash would leave it; nullopt: there is none.
  std::optional<Seq> durable_mark(const OriginEpoch& key) const;
  const spoke::ServerIdentity& server() const { return server_; }
  std::uint64_t incarnation() const { return incarnation_; }  // sessions of an older one are dead
  bool asleep = false;                                        // the wake flag

  // Told of everything that is written, and of commits that are gone.
  std::function<void(const Record&)> on_write;
  std::function<void(std::size_t transaction, bool restored)> on_lost;
  std::function<void()> on_notify;
  Micros now = 0;  // kept by the owner

 private:
  struct Open {
    std::vector<spoke::OutboxRow> rows;
    std::int64_t order = 0;
  };
  struct Logged {
    RecordPtr record;
    Micros at = 0;
    std::uint32_t timeline = 1;
  };
  void append(Record record);
  void cut(std::size_t records, bool restored);

  const std::string name_;
  Dice dice_;
  std::vector<Logged> log_;
  std::size_t flushed_ = 0;
  DatabaseState state_;
  std::map<std::uint64_t, Open> open_;
  spoke::ServerIdentity server_;
  std::uint32_t newest_timeline_ = 1;
  std::uint64_t starts_ = 1;
  std::uint64_t incarnation_ = 1;
  bool doubt_ = false;
  Micros down_until_ = 0;
};

// A snapshot, as PostgreSQL writes it: xmin:xmax:xip,xip.
struct Snapshot {
  std::uint64_t xmax = 3;
  std::set<std::uint64_t> in_progress;
  static Snapshot parse(const std::string& text);
  bool sees(std::uint64_t xid) const { return xid < xmax && !in_progress.contains(xid); }
};

template <typename Id>
Id id_of(std::uint64_t high, std::uint64_t low) {
  std::string raw(Id::size, '\0');
  std::memcpy(raw.data(), &high, sizeof high);
  std::memcpy(raw.data() + sizeof high, &low, sizeof low);
  return Id::from(raw);
}

}  // namespace oltp20::sim
