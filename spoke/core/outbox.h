// Outbox: what the origin core needs of the origin's database. spoke/database implements it with
// libpqxx; tests and the simulator with a model.
//
// Rules, by number:
//  1. One agent a database: open() takes a session advisory lock, and every take_tick() is a
//     compare-and-set on the last tick's number; whoever loses gets `conflict`.
//  2. A tick that take_tick() returns is durable (its WAL is flushed), never weaker than the
//     server's own synchronous_commit.
//  3. For one tick, transactions() and rows() give the same answer for ever, until retention has
//     passed it (state().pruned); then `not_found`. Should the database give another order than
//     the tick was taken with, transactions() from the tick's start is `corrupt`.
//  4. A lost connection is `unavailable`; nothing reconnects by itself: the owner calls open()
//  again.
//  5. One thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/status.h"
#include "common/wire/frames.h"

namespace oltp20::spoke {

// Which server and which life of its write-ahead log. Empty where a managed service hides it.
struct ServerIdentity {
  std::string system_identifier;
  std::uint32_t timeline = 0;
  bool operator==(const ServerIdentity&) const = default;
};

// One capture round: the transactions visible in `snapshot` and not in `previous`.
struct Tick {
  std::uint64_t number = 0;  // 0: the state before the first tick
  Epoch epoch;
  std::string previous;  // pg_snapshot as text
  std::string snapshot;
  Seq first = 1;
  Seq last = 0;  // last < first: no transaction
  ServerIdentity server;
  std::uint64_t wal_lsn = 0;  // of the server when it was taken
};

struct PendingTransaction {
  std::uint64_t xid = 0;
  std::int64_t order = 0;  // position of its last outbox row; ascending = seq order
  std::uint32_t rows = 0;
  std::uint64_t bytes = 0;  // payloads and headers, for paging within memory
  std::uint32_t largest_row = 0;
  std::uint8_t hops = 0;  // the most of its rows
};

// A row of message.outgoing, as text columns that outlive the query.
struct OutboxRow {
  std::uint64_t xid = 0;
  std::int64_t position = 0;
  RowId id;
  std::string type;
  std::optional<std::int32_t> date;  // days since 2000-01-01; INT32_MIN, INT32_MAX: infinities
  std::optional<std::string> payload;
  std::optional<std::string> headers;
  std::optional<std::string> destination;
  std::int64_t sent_at_us = 0;
};

struct Rejection {
  Seq seq = 0;
  std::string code;
  std::string reason;
};

struct OutboxState {
  EpochInfo epoch;
  std::vector<EpochInfo> ancestors;  // its parent, that one's parent, …; at most kAncestors
  // Transactions with a lower id may have been sent by an earlier life, too; 0: the first life.
  std::uint64_t overlap_before = 0;
  ServerIdentity server;      // now
  std::uint64_t wal_lsn = 0;  // now
  Tick last_tick;
  ChainPosition stable;    // the highest checkpoint of the epoch, or its start (seq 0)
  Seq pruned = 0;          // up to here rows are no longer there
  std::string secret;      // 32 bytes, for salts; never leaves the database's agent
  bool may_notify = true;  // false: max_prepared_transactions > 0, poll instead
  std::vector<std::string> receipts_off;  // patterns of types whose receipts nobody wants
};

struct TickResult {
  Tick tick;
  std::vector<PendingTransaction> head;  // the first page of its transactions
  std::vector<OutboxRow> rows;           // of all of them, in order, when they are few; else empty
  std::uint64_t bytes = 0;               // payloads and headers of all of them, for metrics
  Micros took_us = 0;                    // how long it took, for metrics
};

class Outbox {
 public:
  virtual ~Outbox() = default;

  // Errors: unavailable; conflict (another agent runs here: who, where); invalid (schema is
  // missing, older or newer; the database is a standby; the order mode differs from `order`), each
  // with the remedy.
  virtual Result<OutboxState> open() = 0;

  // Takes a tick after `last` if anything new is visible; nullopt when nothing is.
  virtual Result<std::optional<TickResult>> take_tick(const Tick& last) = 0;
  // Ticks of the epoch that hold seq >= from, in order, at most `limit`.
  virtual Result<std::vector<Tick>> ticks_from(const Epoch& epoch, Seq from, std::size_t limit) = 0;
  // The last tick of the epoch with tick.last <= seq; a tick numbered 0 when there is none.
  virtual Result<Tick> tick_at_most(const Epoch& epoch, Seq seq) = 0;
  // The next page of a tick's transactions, behind `after_order`.
  virtual Result<std::vector<PendingTransaction>> transactions(const Tick& tick,
                                                               std::int64_t after_order,
                                                               std::size_t limit) = 0;
  // Rows of these transactions in their order; of the first only those behind `after_position`.
  virtual Result<std::vector<OutboxRow>> rows(const std::vector<std::uint64_t>& xids,
                                              std::int64_t after_position, std::size_t limit) = 0;

  // The highest checkpoint of the epoch at or below seq; seq 0 stands for the epoch's start.
  virtual Result<ChainPosition> checkpoint_at_most(const Epoch& epoch, Seq seq) = 0;
  virtual Status write_checkpoint(const Epoch& epoch, const ChainPosition& position,
                                  const std::string& hub) = 0;
  // Records why a hub refused a transaction. Repeating it is harmless.
  virtual Status record_rejection(const Epoch& epoch, const Rejection& rejection,
                                  std::uint64_t xid) = 0;
  // What was refused of this epoch behind `after`, in order: sent as tombstones, now and whenever
  // it is encoded again.
  virtual Result<std::vector<Rejection>> rejections(const Epoch& epoch, Seq after) = 0;
  // Records what destinations said; each takes the place of what was known of its (destination,
  // epoch), and a lower mark takes back what was above it. Need not be durable: it is said again.
  virtual Status write_receipts(const std::vector<DestinationReceipt>& receipts) = 0;
  // Whether anybody waits for a checkpoint or a receipt to be written. Cheap.
  virtual Result<bool> somebody_waits() = 0;
  virtual Result<std::vector<std::string>> receipts_off() = 0;
  // Begins a new life from `from` (a tick of the parent); `network_has`: the highest seq of the
  // parent that a hub holds, so that what was lost here can be reported. A hub must have confirmed
  // everything up to the fork: it is recorded as a checkpoint of the parent.
  virtual Status begin_epoch(const EpochInfo& epoch, const Tick& from, Seq network_has,
                             const std::string& why) = 0;

  // Publishes that the agent sleeps, so that the next commit notifies; and withdraws it. Saying it
  // again costs a look: a notifier that rolled back has withdrawn it, and its notification is lost.
  virtual Status set_asleep(bool asleep) = 0;
};

}  // namespace oltp20::spoke
