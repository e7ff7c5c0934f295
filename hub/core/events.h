// Events and actions of the hub's core: what happens to it, and what it wants done.
//
// The core is a step function: hub/broker feeds it events in one thread and carries the actions
// out, in their order. Nothing here knows a socket, a disk or a clock.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "common/base/identity.h"
#include "common/wire/frames.h"
#include "hub/core/policy.h"
#include "hub/journal/journal.h"

namespace oltp20::hub {

using LinkId = std::uint64_t;

struct Now {
  Micros monotonic = 0;
  Micros wall = 0;  // only ever written down, never decided upon
};

// ---- events -------------------------------------------------------------------------------------

struct LinkOpened {
  LinkId link = 0;
  bool forward = false;  // else it is a deliver link
  Identity peer;
  std::string address;
};
struct ForwardReceived {
  LinkId link = 0;
  ForwardUp frame;
};
struct DeliverReceived {
  LinkId link = 0;
  DeliverUp frame;
};
struct LinkClosed {
  LinkId link = 0;
};
// The oldest AppendGroup is durable, or has failed.
struct GroupDone {
  Status status;
};
// The answer to RecoverJournal.
struct JournalRecovered {
  Status status;
  JournalInfo info;
  std::vector<OriginState> origins;
};
// The answers to LookUpHash and ReadPages.
struct HashFound {
  LinkId link = 0;
  Lsn lsn = 0;
  Result<Hash> hash;
};
struct PageFound {
  LinkId link = 0;
  Result<ReadPage> page;
};
struct JournalTrimmed {
  Lsn first_lsn = 1;
};
struct PolicyChanged {
  std::shared_ptr<const Policy> policy;
};
// An operator decides that this life of the origin is the right one (protocol rule 5).
struct EpochAdopted {
  std::string origin;
  Epoch epoch;
};
// Time has passed.
struct TimePassed {};

using Event = std::variant<LinkOpened, ForwardReceived, DeliverReceived, LinkClosed, GroupDone,
                           JournalRecovered, HashFound, PageFound, JournalTrimmed, PolicyChanged,
                           EpochAdopted, TimePassed>;

// ---- actions ------------------------------------------------------------------------------------

struct SendForward {
  LinkId link = 0;
  ForwardDown frame;
};
struct SendDeliver {
  LinkId link = 0;
  DeliverDown frame;
};
// So many received frames of the link have been taken: it may hand over as many more.
struct Consumed {
  LinkId link = 0;
  std::size_t frames = 0;
};
// Says goodbye and ends the link; a LinkClosed follows.
struct CloseLink {
  LinkId link = 0;
  Goodbye goodbye;
};
struct AppendGroup {
  Group group;
};
struct RecoverJournal {
  Micros not_before = 0;  // monotonic
};
struct LookUpHash {
  LinkId link = 0;
  Lsn lsn = 0;
};
struct ReadPages {
  LinkId link = 0;
  ReadCursor from;
  std::size_t max_bytes = 0;
};
// Of one transaction that is durable now, for histograms.
struct TransactionTimes {
  std::int64_t sent_at_us = 0;   // its newest row, by the origin's wall clock; 0: it has no rows
  std::int64_t received_us = 0;  // when it was whole here, by the hub's
  Micros journal_us = 0;         // from then to its durability
};
// Something a person may want to know; the broker logs and counts it.
struct Notice {
  enum class Kind {
    attached,
    detached,
    link_refused,
    received,             // whole transactions, bytes
    discarded,            // transactions that followed a refused one
    transaction_refused,  // transactions = 1, bytes
    journaled,            // transactions, bytes, times
    journal_failed,
    journal_recovered,
    delivered,  // transactions, bytes
    confirmed,  // transactions, latency_us since they were sent to the destination
    narrowed,
    restarted,
  };
  Kind kind = Kind::attached;
  std::string who;     // "spoke/NAME"
  std::string reason;  // a code of few values, fit for a metric's label
  std::string text;    // the sentence
  std::uint64_t transactions = 0, bytes = 0;
  Micros latency_us = 0;
  std::vector<TransactionTimes> times = {};
};

using Action = std::variant<SendForward, SendDeliver, Consumed, CloseLink, AppendGroup,
                            RecoverJournal, LookUpHash, ReadPages, Notice>;
using Actions = std::vector<Action>;

}  // namespace oltp20::hub
