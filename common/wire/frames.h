// Frames: what hub and spoke say to each other, as plain structures.
//
// The cores speak these; common/link translates them to and from the Protobuf messages of
// proto/broker.proto, field by field. All numbers of a peer are input and never trusted.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/base/status.h"

namespace oltp20 {

inline constexpr std::uint32_t kProtocolVersion = 1;

struct Heartbeat {
  std::int64_t sent_us = 0;      // sender's monotonic clock
  std::int64_t echo_us = 0;      // the peer's last sent_us, 0 when none
  std::int64_t echo_age_us = 0;  // how long ago that arrived
};

// ---- Receipts: what became of an origin's transactions at a destination -----------------------

// What was not applied in (from, to], though the mark has passed it.
struct ReceiptException {
  enum class Kind : std::uint8_t {
    dead_letter = 1,  // put aside by the destination
    given_up = 2,     // never came, and an operator there closed the gap
    several = 3,      // some of these, too long ago to be told one by one
  };
  Kind kind = Kind::dead_letter;
  Seq from = 0, to = 0;
  std::string code, reason;  // SQLSTATE, and a sentence of at most limits::kReceiptTextBytes
};
// How far a destination's database is with one (origin, epoch), durably. Whatever was for it in
// (base, seq] is applied, but for the exceptions; what lies at or below `base` was never for it.
struct Receipt {
  std::string origin;
  Epoch epoch;
  Seq base = 0, seq = 0;
  Seq held_to = 0;          // > seq: the origin is held back there, since (seq, held_to] is missing
  std::string held_reason;  // why
  std::vector<ReceiptException> exceptions;  // those that this link has not told yet
};

// ---- Forward: origin to hub -------------------------------------------------------------------

// First frame of a spoke.
struct ForwardHello {
  std::uint32_t protocol = kProtocolVersion;
  std::string spoke;  // must be the certificate's
  EpochInfo epoch;
  std::vector<EpochInfo> ancestors;  // its parent, that one's parent, …: the newest kAncestors
  ChainPosition stable;              // the highest checkpoint: what a hub has confirmed
  Seq tip = 0;                       // the last seq of the last tick
  std::string agent;                 // random, of this process
};
// First frame of the hub.
struct ForwardWelcome {
  std::string hub;
  Incarnation incarnation;
  bool knows_epoch = false;
  ChainPosition held;  // what is fsynced here of this epoch; (0, start) when nothing
  std::uint64_t window_bytes = 0;
};
// The spoke has compared chains and goes on behind `base`; where that is not what the hub holds,
// the hub journals a run first.
struct ForwardBegin {
  ChainPosition base;
};
struct ForwardParts {
  std::vector<std::string> parts;  // see common/wire/envelope.h
};
struct ForwardAck {
  Seq journaled = 0;  // cumulative, after fsync
  Seq stable = 0;     // cumulative
  Hash chain;         // of the epoch at `journaled`
  // Cumulative over this stream: bytes of parts that were journaled or discarded, credit for as
  // many more. Parts of a large transaction are credited before the transaction is acknowledged.
  std::uint64_t consumed_bytes = 0;
};
// The hub journaled nothing of this seq and discards what follows until its tombstone comes.
struct ForwardRefusal {
  Seq seq = 0;
  std::string code;  // "type_denied", "destination_unknown", "too_large", …
  std::string reason;
};
// What destinations said of this origin; who they are is their certificates' word. The newest word
// of each (destination, epoch) counts, also when its mark is lower than before.
struct DestinationReceipt {
  std::string destination, region;
  Incarnation database;
  Receipt receipt;
};
struct ForwardReceipts {
  std::vector<DestinationReceipt> receipts;
};
// Last frame of a hub that will not go on; the stream ends after it.
struct Goodbye {
  Code code = Code::unavailable;
  std::string reason;
};

using ForwardUp = std::variant<ForwardHello, ForwardBegin, ForwardParts, Heartbeat>;
using ForwardDown =
    std::variant<ForwardWelcome, ForwardAck, ForwardRefusal, ForwardReceipts, Goodbye, Heartbeat>;

// ---- Deliver: hub to destination --------------------------------------------------------------

// First frame of a spoke; DeliverKnown frames follow.
struct DeliverHello {
  std::uint32_t protocol = kProtocolVersion;
  std::string spoke;
  std::string agent;     // random, of this process
  Incarnation database;  // of the destination's database, for receipts
  std::vector<std::string> subscribe;
  bool start_now = false;                 // at the first attach only
  std::vector<StreamPosition> positions;  // of this hub's stream, newest first; empty: first attach
  std::uint64_t window_bytes = 0;
};
// For which (origin, epoch) it has marks, limits::kKnownPage a frame: only their runs and spans are
// sent, so that nobody learns of origins from which they get nothing. The welcome follows the last.
struct DeliverKnown {
  std::vector<OriginEpoch> known;
  bool last = true;
};
struct DeliverWelcome {
  std::string hub;
  Incarnation incarnation;
  StreamPosition from;  // delivery starts behind it
  // The position offered could not be used: another incarnation, another hash, or trimmed. Marks
  // still protect from duplicates; `trimmed_to` says what is no longer here (0: nothing).
  bool restarted = false;
  Lsn trimmed_to = 0;
  std::vector<std::string> narrowed;  // subscribed patterns that permission narrows, for status
};
struct DeliverRun {
  Lsn lsn = 0;
  std::string origin;
  EpochInfo life;
  ChainPosition base;
};
// Things of (origin, epoch) in (from, to] that did not match.
struct DeliverSpan {
  std::string origin;
  Epoch epoch;
  Seq from = 0;
  Seq to = 0;
};
struct DeliverPart {
  Lsn lsn = 0;
  Seq prev = 0;
  Hash content;  // of the whole transaction
  std::int64_t received_us = 0;
  std::shared_ptr<const std::string> bytes;  // the part, rows withheld where need be
};
using DeliverItem = std::variant<DeliverPart, DeliverRun, DeliverSpan>;
struct DeliverBatch {
  std::vector<DeliverItem> items;
  // Where the stream is behind the last item; only meaningful when `complete`: neither is the last
  // item the middle of a large transaction, nor do spans that belong to it follow.
  bool complete = true;
  StreamPosition position;
};
struct DeliverAck {
  std::uint64_t consumed_bytes = 0;  // cumulative over this stream: credit for as many more
  Lsn applied = 0;                   // committed in the destination
  Lsn durable = 0;                   // and flushed there
};

// Each mark that has moved since the last one. `first` … `last`: everything, after an attach; a
// mark that is not among it is no longer there.
struct DeliverReceipts {
  bool first = false, last = false;
  std::vector<Receipt> receipts;
};

using DeliverUp = std::variant<DeliverHello, DeliverKnown, DeliverAck, DeliverReceipts, Heartbeat>;
using DeliverDown = std::variant<DeliverWelcome, DeliverBatch, Goodbye, Heartbeat>;

// Makes one of the two oldest (kind `several`, from the first's `from`) while there are more.
void merge_oldest(std::vector<ReceiptException>* exceptions, std::size_t most);

// What a delivered batch costs of the destination's window: both sides count alike.
std::uint64_t window_cost(const DeliverBatch& batch);

}  // namespace oltp20
