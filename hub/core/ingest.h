// Ingest: takes transactions from origins, checks them, and forms the journal's groups.
//
// A group is closed when the previous one's fsync has completed, so groups grow by themselves under
// load and nothing waits when there is none. Only after the fsync is anything acknowledged.
//
// Pure: events in, actions out. One thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hub/core/events.h"
#include "hub/core/lives.h"
#include "hub/core/transaction_check.h"

namespace oltp20::hub {

struct IngestStatus {
  std::size_t sessions = 0;
  std::uint64_t pending_bytes = 0;
  bool journal_ok = true;
  std::string journal_fault;
};

class Ingest {
 public:
  Ingest(std::string hub, const JournalInfo& journal, const std::vector<OriginState>& origins,
         std::shared_ptr<const Policy> policy);

  void opened(const LinkOpened& event, Now now, Actions* out);
  void received(const ForwardReceived& event, Now now, Actions* out);
  void closed(LinkId link, Actions* out);
  // Returns the entries that are durable now, for delivery.
  std::vector<EntryPtr> group_done(const Status& status, Now now, Actions* out);
  // Whether it succeeded.
  bool recovered(const JournalRecovered& event, Now now, Actions* out);
  void policy_changed(std::shared_ptr<const Policy> policy);
  void adopt(const EpochAdopted& event, Actions* out);
  void time_passed(Now now, Actions* out);
  // Call after each batch of events: starts the next group if none is under way.
  void flush(Actions* out);

  // Origins whose link has begun to stream since this was last asked.
  std::vector<std::pair<std::string, LinkId>> take_streaming();

  const Lives& lives() const { return lives_; }
  IngestStatus status() const;
  // Name of each attached origin, and from where.
  std::map<std::string, std::string> attached() const;

 private:
  struct Session {
    Identity peer;
    std::string address;
    std::string agent;
    enum class State { opened, settling, welcomed, streaming } state = State::opened;
    Micros opened = 0;  // monotonic
    EpochInfo epoch;
    ForwardHello hello;
    PublishRights rights;
    std::optional<TransactionCheck> open;  // a transaction of which not all parts have come
    std::optional<Seq> refused;            // everything is discarded until its tombstone comes
    std::uint64_t consumed_bytes = 0;      // journaled or discarded
    std::uint64_t acknowledged_bytes = 0;  // of those, told to the origin
    std::size_t parked_frames = 0;         // taken, but the sender is held back
  };
  // A transaction in a group, until it is durable.
  struct Arrival {
    std::int64_t sent_at_us = 0, received_us = 0;  // wall clocks, of the origin and of this hub
    Micros received = 0;                           // monotonic
  };
  struct Batch {
    Group group;
    std::map<LinkId, std::uint64_t> shares;  // bytes that came on each link
    std::size_t bytes = 0;
    std::vector<Arrival> arrivals;
  };
  // What one frame brought.
  struct Count {
    std::uint64_t transactions = 0, bytes = 0, discarded = 0;
  };

  void hello(LinkId link, Session& session, const ForwardHello& frame, Actions* out);
  Status check_hello(LinkId link, const Session& session, const ForwardHello& frame, Actions* out);
  void welcome(LinkId link, Session& session, Actions* out);
  void begin(LinkId link, Session& session, const ForwardBegin& frame, Now now, Actions* out);
  void parts(LinkId link, Session& session, const ForwardParts& frame, Now now, Actions* out);
  Status part(LinkId link, Session& session, const std::string& bytes, Now now, Actions* out);
  bool discard_while_refused(Session& session, const PartView& part);
  void refuse(LinkId link, Session& session, const PartView& part, Actions* out);
  void accept(Session& session, const PartView& part, const std::string& bytes, Now now);
  // Journals where an (origin, epoch) begins.
  void open_run(const Session& session, const EpochInfo& life, ChainPosition base, Now now);
  void abandon(const Session& session);
  // Parts of transactions that did not come whole, in the open group and in the journal.
  void drop_parts(const OriginEpoch& origin, Seq from);
  void append_entry(Entry entry);
  void acknowledge(LinkId link, Session& session, Actions* out);
  void end(LinkId link, Code code, const std::string& reason, Actions* out);
  static Notice journaled(const Batch& batch, Now now);
  void journal_failed(const Status& status, Now now, Actions* out);

  const std::string hub_;
  Incarnation incarnation_;
  Lives lives_;
  std::shared_ptr<const Policy> policy_;
  std::map<LinkId, Session> sessions_;
  std::vector<std::pair<std::string, LinkId>> streaming_;
  StreamPosition accepted_head_, durable_head_;
  Batch pending_;
  Count count_;  // of the frame that is being taken
  std::optional<Batch> under_way_;
  std::string journal_fault_;  // empty: it works
};

}  // namespace oltp20::hub
