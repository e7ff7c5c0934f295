// Inbox: what the apply core needs of the destination's database.
//
// Rules, by number:
//  1. One agent a database: open() takes a session advisory lock (not the outbox's).
//  2. apply() is one SQL transaction: rows, marks, stream position. It moves each mark by
//     compare-and-set and the position likewise; if one does not match, nothing changes and the
//     result is `conflict`.
//  3. synchronous_commit may be off for apply(). commits() counts what this session committed, and
//     what it read when it was opened as one; flushed() says how many of them are durable.
//  4. An error of the content (not of connection or resources) is `invalid` and names SQLSTATE;
//     `unavailable` and `exhausted` are transient. After any error nothing of the group is there.
//  5. An apply() after strict_origins changed is `conflict`.
//  6. A lost connection is `unavailable`; nothing reconnects by itself. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/status.h"
#include "common/wire/envelope.h"
#include "common/wire/frames.h"

namespace oltp20::spoke {

struct Mark {
  std::string origin;
  Epoch epoch;
  Seq base = 0;  // where it began
  Seq seq = 0;
};
struct KnownEpoch {
  std::string origin;
  EpochInfo life;
};

struct InboxState {
  Incarnation database;  // random, of this database's life; changes when restored is seen
  std::optional<StreamPosition>
      position;  // in the hub's stream; nullopt: never attached to this hub
  std::vector<Mark> marks;
  std::vector<KnownEpoch> epochs;
  std::vector<OriginEpoch> held_back;  // with an open gap in front
  // What marks have passed and was not applied: of each (origin, epoch) the newest
  // limits::kReceiptExceptions, in their order.
  std::vector<std::pair<OriginEpoch, ReceiptException>> exceptions;
  std::vector<std::pair<OriginEpoch, ReceiptException>> holes;  // open gaps of origins
  std::vector<std::string> strict_origins;  // held back instead of having dead letters
};

// Rows of a fork's overlap: skip those whose id message.incoming has of (origin, epoch, seq >
// after).
struct Overlap {
  Epoch epoch;
  Seq after = 0;
};

struct IncomingRow {
  std::uint32_t position = 0;
  MessageRow row;  // views into the part that the group keeps alive
};
struct IncomingTransaction {
  std::string origin;
  Epoch epoch;
  Seq seq = 0;
  std::vector<IncomingRow> rows;
  std::vector<Overlap> overlaps;  // one for each other life of the origin
  std::uint8_t hops = 0;
};

// From `expected` to `next`. expected nullopt: the mark must not exist; it is made with base.
struct MarkMove {
  std::string origin;
  Epoch epoch;
  std::optional<Seq> expected;
  Seq base = 0;
  Seq next = 0;
};

// A hole in front of an origin: what lies in (from, to] has not come by this stream. The origin is
// held back until an operator closes it. Without an origin: a stretch of the hub's stream, in lsns,
// which the hub has no more; who had something in it is not known, and nobody is held back.
struct Gap {
  std::string origin;
  Epoch epoch;
  Seq from = 0, to = 0;
  StreamPosition before;  // the stream's position in front of the first entry that is held back
  std::string reason;
};

// A transaction that the database refuses, whole, to be kept for people.
struct DeadLetter {
  std::string origin;
  Epoch epoch;
  Seq seq = 0;
  std::vector<std::string> parts;
  std::string sqlstate, error;
};

struct ApplyGroup {
  std::vector<IncomingTransaction> transactions;  // in order
  std::vector<MarkMove> marks;                    // at most one an (origin, epoch)
  std::vector<KnownEpoch> epochs;                 // newly learnt
  std::vector<DeadLetter> dead_letters;
  std::vector<Gap> gaps;        // newly found
  bool another_stream = false;  // the hub's open gaps go back to `position` from now on
  bool durable = false;         // apply() returns after the flush
  std::optional<StreamPosition> expected_position;  // nullopt: none is stored yet
  StreamPosition position;
  std::vector<std::shared_ptr<const std::string>> keep_alive;  // the bytes that rows point into
};

class Inbox {
 public:
  virtual ~Inbox() = default;

  // `hub` names the stream whose position is wanted.
  virtual Result<InboxState> open(const std::string& hub) = 0;
  virtual Status apply(const ApplyGroup& group) = 0;

  // A large transaction, part by part in the same SQL transaction as its mark: begin, rows as they
  // come, commit. Between begin and commit nothing else may be called but these.
  virtual Status begin_large(const MarkMove& mark) = 0;
  virtual Status add_rows(const IncomingTransaction& rows) = 0;
  // The same for one that is put aside: `letter` without parts, then its parts as they come.
  virtual Status begin_dead_letter(const MarkMove& mark, const DeadLetter& letter) = 0;
  virtual Status add_part(std::string_view part) = 0;
  virtual Status commit_large(const std::optional<StreamPosition>& expected,
                              const StreamPosition& next) = 0;
  virtual void abort_large() = 0;

  virtual std::uint64_t commits() const = 0;
  // How many of the commits are durable; asks the server. `at_once`: flushes them all if need be.
  virtual Result<std::uint64_t> flushed(bool at_once) = 0;
};

}  // namespace oltp20::spoke
