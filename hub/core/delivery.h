// Delivery: streams what is durable to the destinations that are attached.
//
// A session is a cursor in the stream and a filter. It has no durable state: the destination says
// where it is. What does not match becomes a span, so that its marks move without a hole (protocol
// rule 10); spans go out in front of the next matching entry, and every kSpanFlush when nothing
// matches. An origin's own transactions are never returned to it. Sending is bounded by a credit in
// bytes.
//
// Pure: events in, actions out. One thread.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hub/core/events.h"
#include "hub/core/filter.h"
#include "hub/core/lives.h"
#include "hub/core/receipts.h"
#include "hub/core/tail.h"

namespace oltp20::hub {

// How far a destination is behind: what was sent to it and not yet applied, and what of the stream
// it has not been looked through for yet.
struct Lag {
  std::uint64_t transactions = 0;
  std::int64_t oldest_us = 0;  // wall clock of the hub when the oldest of them came; 0: none, or it
                               // is being read and not known yet
};
struct DepartedStatus {
  std::string name;
  Lag lag;
};
struct SessionStatus {
  Identity peer;
  std::string address;
  std::vector<std::string> subscribe, narrowed;
  Lsn sent = 0, applied = 0, durable = 0;
  Lag lag;
  std::uint64_t in_flight_bytes = 0, window_bytes = 0;
};

class Delivery {
 public:
  Delivery(std::string hub, const JournalInfo& journal, const Lives* lives,
           std::shared_ptr<const Policy> policy);

  void opened(const LinkOpened& event, Now now, Actions* out);
  void time_passed(Now now, Actions* out);
  void received(const DeliverReceived& event, Receipts* receipts, Now now, Actions* out);
  void closed(LinkId link, Actions* out);
  void hash_found(const HashFound& event, Now now, Actions* out);
  void page_found(PageFound event, Now now, Actions* out);
  void durable(const std::vector<EntryPtr>& entries);
  void recovered(const JournalInfo& info, Actions* out);
  void trimmed(Lsn first_lsn) { first_lsn_ = first_lsn; }
  void policy_changed(std::shared_ptr<const Policy> policy, Actions* out);
  // Call after each batch of events: sends to whoever has credit.
  void flush(Now now, Actions* out);

  std::vector<SessionStatus> status() const;
  // Destinations that were attached since this hub started and are not now, at most
  // limits::kDepartedSpokes: their lag goes on growing.
  std::vector<DepartedStatus> departed() const;
  std::size_t tail_bytes() const { return tail_.bytes(); }

 private:
  struct Sent {
    Lsn upto = 0;
    std::uint64_t transactions = 0;
    std::int64_t oldest_us = 0;
    Micros at = 0;  // monotonic
  };
  struct Session {
    Identity peer;
    std::string address;
    enum class State { opened, greeting, locating, streaming } state = State::opened;
    Micros opened = 0;  // monotonic
    DeliverHello hello;
    std::size_t next_position = 0;  // of hello.positions, to be compared
    std::optional<Filter> filter;
    std::vector<std::string> narrowed;
    std::set<OriginEpoch> told;  // (origin, epoch) pairs that the destination knows
    ReadCursor cursor;           // what comes next
    // Of a large transaction whose entry does not list its routes: a row for this destination was
    // found in `matched`; `looking`: the cursor is in one of which nothing has been sent.
    Lsn matched = 0;
    bool looking = false;
    StreamPosition passed;  // behind the last whole entry
    StreamPosition sent;    // what the destination has been told
    Micros sent_at = 0;     // monotonic, of the last batch
    // Passed, and not yet sent. Several for one origin only where a run left a hole between.
    std::map<OriginEpoch, std::vector<DeliverSpan>> spans;
    bool reading = false;
    std::optional<ReadPage> page;  // read ahead of the cursor
    std::size_t page_at = 0;
    std::uint64_t sent_bytes = 0, consumed_bytes = 0;
    Lsn applied = 0, durable = 0;
    // Batches that were sent with transactions and are not applied; the window bounds them.
    std::deque<Sent> in_flight;
    std::uint64_t in_flight_transactions = 0;
  };
  struct Batch {
    DeliverBatch frame;
    std::size_t bytes = 0;
    std::size_t parts = 0;
    std::uint64_t transactions = 0;  // of which the last part is in it
    std::int64_t oldest_us = 0;      // when the first of them came to this hub
  };
  struct Departed {
    Lsn upto = 0;                // what it has, or does not want
    std::int64_t oldest_us = 0;  // when the first entry behind it came; 0: there is none
    Micros since = 0;            // monotonic
  };

  void acknowledged(LinkId link, Session& session, const DeliverAck& ack, Now now, Actions* out);
  Lag lag(const Session& session) const;
  void depart(const Session& session);
  void note_departed(Now now);
  void hello(LinkId link, Session& session, const DeliverHello& frame, Actions* out);
  Status check_hello(LinkId link, const Session& session, const DeliverHello& frame, Actions* out);
  void known(LinkId link, Session& session, const DeliverKnown& frame, Now now, Actions* out);
  void locate(LinkId link, Session& session, Now now, Actions* out);
  void start(LinkId link, Session& session, const StreamPosition& from, bool restarted, Now now,
             Actions* out);
  StreamPosition oldest() const;
  void adopt(const JournalInfo& info);
  bool has_credit(const Session& session) const;
  bool in_the_middle(const Session& session) const;

  void pump(LinkId link, Session& session, Now now, Actions* out);
  // What is at the cursor, if it is at hand; asks for it if not.
  std::optional<ReadItem> next(LinkId link, Session& session, Actions* out);
  Status add(Session& session, const ReadItem& item, Batch* batch);
  Status add_part(Session& session, const ReadItem& item, Filter::Match match, Batch* batch);
  bool look_on(Session& session, const ReadItem& item, bool found);
  void pass(Session& session, const Entry& entry);
  // The runs of a life and of those that it descends from, before the first thing of it.
  void announce(Session& session, const OriginEpoch& key, Batch* batch);
  void add_span(Session& session, const Entry& entry);
  void flush_spans(Session& session, const OriginEpoch& key, Batch* batch);
  void send(LinkId link, Session& session, Batch batch, Now now, Actions* out);
  void send_frame(LinkId link, Session& session, DeliverBatch frame, Actions* out);
  void end(LinkId link, Code code, const std::string& reason, Actions* out);

  const std::string hub_;
  const Lives* const lives_;
  StreamPosition head_, start_;
  Lsn first_lsn_ = 1;
  std::shared_ptr<const Policy> policy_;
  std::map<LinkId, Session> sessions_;
  Tail tail_;
  std::map<std::string, Departed> departed_;  // by name
  Micros now_ = 0;                            // of the last time_passed()
};

}  // namespace oltp20::hub
