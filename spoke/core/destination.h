// Destination: takes what a hub delivers and has it written, each transaction once, in order,
// whole.
//
// Marks say how far each (origin, epoch) has been applied; they and the stream's position move by
// compare-and-set in the SQL transaction that writes the rows. A hole in front of an origin holds
// that origin back and nobody else. A transaction that the database refuses is put aside alone.
//
// One step function: tell it what the link says, then call work() until it returns false. One
// thread, the inbox's. Time and chance are passed in.
#pragma once

#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "common/base/backoff.h"
#include "common/base/limits.h"
#include "common/base/random.h"
#include "common/wire/frames.h"
#include "spoke/core/inbox.h"
#include "spoke/core/now.h"

namespace oltp20::spoke {

struct DestinationOptions {
  std::string spoke;
  std::vector<std::string> subscribe;
  bool start_now = false;
  std::vector<std::string> hubs;  // names, in the order of the endpoints
};

// ---- actions ----
struct ConnectDeliver {
  std::size_t hub = 0;
};
struct SendDown {
  DeliverUp frame;
};
struct DisconnectDeliver {};
struct DestinationNotice {
  enum class Kind {
    database_open,
    database_lost,
    attached,
    link_lost,
    applied,      // transactions, bytes, sent_at_us; in one commit
    duplicate,    // transactions
    dead_letter,  // transactions = 1, bytes
    gap,
    restarted,
    narrowed,
    stalled,
  };
  Kind kind;
  std::string text;
  std::uint64_t transactions = 0, bytes = 0;
  std::vector<std::int64_t> sent_at_us = {};  // wall clock, of each transaction's newest row
};
using DestinationAction =
    std::variant<ConnectDeliver, SendDown, DisconnectDeliver, DestinationNotice>;
using DestinationActions = std::vector<DestinationAction>;

struct DestinationStatus {
  bool database_open = false;
  bool attached = false;
  std::string hub;
  StreamPosition position;
  std::size_t marks = 0, held_back = 0;
  std::uint64_t queued_bytes = 0;
  std::uint64_t queued_transactions = 0;  // received and not applied; of a large one each part
  std::int64_t oldest_us = 0;             // hub's wall clock, when the first of them came to it; 0
  std::vector<std::string> narrowed;
  std::string trouble;
};

class Destination {
 public:
  Destination(DestinationOptions options, Inbox& inbox, Random& random);

  void link_opened(Now now, DestinationActions* out);
  void link_received(DeliverDown frame, Now now, DestinationActions* out);
  void link_closed(const Status& status, Now now, DestinationActions* out);
  // An operator changed marks or positions: they are read again.
  void database_changed(Now now);
  bool work(Now now, DestinationActions* out);
  Micros wake_at() const;
  DestinationStatus status() const;

 private:
  enum class Link { none, connecting, greeting, streaming };
  // A group under construction.
  struct Building {
    ApplyGroup group;
    std::map<OriginEpoch, std::size_t> mark_of;                // index in group.marks
    std::vector<std::shared_ptr<const std::string>> contents;  // of each transaction
    std::uint64_t bytes = 0, duplicates = 0;
    bool empty() const { return group.marks.empty() && group.epochs.empty() && group.gaps.empty(); }
  };
  // A large transaction that is being written as its parts come: its rows, or, when the database
  // has refused them, its bytes as a dead letter.
  struct Large {
    OriginEpoch key;
    Seq seq = 0;
    enum class Becomes { rows, dead_letter, nothing } becomes = Becomes::rows;
    std::uint32_t next_part = 0;
    std::optional<ContentHasher> hasher;
    MarkMove mark;
    std::vector<Overlap> overlaps;
    std::uint64_t bytes = 0;
    std::int64_t newest_us = 0;
  };
  // A large transaction that could not be written, and what becomes of it when it comes again.
  struct Refused {
    Seq seq = 0;
    Status why;
    std::size_t failures = 0;  // that need not have been its own fault
    bool is_content() const { return why.code() == Code::invalid; }
  };

  void open_database(Now now, DestinationActions* out);
  void database_failed(const Status& status, Now now, DestinationActions* out);
  void drop_link(Now now, DestinationActions* out);
  void tell_known(DestinationActions* out) const;
  void welcome(const DeliverWelcome& frame, Now now, DestinationActions* out);
  Status adopt_position(const DeliverWelcome& frame, DestinationActions* out);

  bool apply_some(Now now, DestinationActions* out);
  Status add_batch(const DeliverBatch& batch, Building* building, Now now, DestinationActions* out);
  Status add_run(const DeliverRun& run, Building* building);
  Status add_span(const DeliverSpan& span, Building* building, DestinationActions* out);
  Status add_small(const DeliverPart& part, const PartView& view, Building* building,
                   DestinationActions* out);
  enum class Admission { apply, duplicate, held_back };
  Admission admit(const OriginEpoch& key, Seq prev, Seq to, Building* building,
                  DestinationActions* out);
  bool waits_for_ancestor(const OriginEpoch& key) const;
  Admission admit_life(const OriginEpoch& key, Building* building, DestinationActions* out);
  std::optional<Seq> mark_of(const OriginEpoch& key, const Building& building) const;
  void move_mark(const OriginEpoch& key, Seq prev, Seq to, Building* building);
  void hold_back(const OriginEpoch& key, Seq from, Seq to, std::string reason, Building* building,
                 DestinationActions* out);
  std::vector<Overlap> overlaps_of(const PartView& part) const;
  static Result<IncomingTransaction> rows_of(const PartView& view);
  static Status protocol_error(const std::string& what);
  static std::string sqlstate_of(const Status& status);
  static std::string refusal_text(const OriginEpoch& key, Seq seq, const Status& why);

  Status commit(Building* building, const StreamPosition& position, Now now,
                DestinationActions* out);
  Status commit_one_by_one(Building* building, const StreamPosition& position,
                           DestinationActions* out);
  static bool may_be_its_own_fault(const Status& status);
  bool waits_when_refused(const OriginEpoch& key, const Status& why) const;
  std::string held_back_text(const OriginEpoch& key, Seq seq, const Status& why) const;
  static void tell_duplicates(Building* building, DestinationActions* out);
  static DestinationNotice applied(const ApplyGroup& group, std::uint64_t bytes);
  Status put_aside(const IncomingTransaction& transaction, std::string content,
                   const MarkMove& mark, const Status& why, DestinationActions* out);

  Status large_part(const DeliverPart& part, const PartView& view, const StreamPosition& next,
                    Now now, DestinationActions* out);
  Status begin_large(const DeliverPart& part, const PartView& view, DestinationActions* out);
  Status end_large(const DeliverPart& part, const StreamPosition& next, Now now,
                   DestinationActions* out);
  Status write_part(const PartView& view);
  Status large_failed(const Status& status, Now now, DestinationActions* out);
  void abort_large();
  void refuse_large(const Status& why, Now now, DestinationActions* out);

  void acknowledge(DestinationActions* out);

  // Receipts (destination_receipts.cc): told once what they speak of is durable.
  struct Asked {  // as it was when the flush was first asked for
    std::uint64_t commits = 0;
    Lsn applied = 0;
    bool everything = false;
    std::vector<Receipt> receipts;
  };
  using Exceptions = std::vector<std::pair<OriginEpoch, ReceiptException>>;
  void read_exceptions(const Exceptions& passed, const Exceptions& holes);
  void add_exception(const OriginEpoch& key, ReceiptException exception);
  static std::string shortened(std::string text);
  Receipt receipt_of(const OriginEpoch& key);
  void ask_for_flush();
  bool has_unsaid() const;
  Micros confirm_at() const;
  Status confirm(Now now, DestinationActions* out);
  static void send_receipts(const Asked& asked, DestinationActions* out);
  static std::uint64_t transactions_in(const DeliverBatch& batch);
  std::int64_t oldest_queued_us() const;
  Status look_after(Now now);

  const DestinationOptions options_;
  Inbox& inbox_;
  Random& random_;
  const std::string agent_;  // random, of this process

  bool open_ = false;
  Micros open_at_ = 0;
  Backoff open_backoff_;
  Incarnation database_;
  std::optional<StreamPosition> position_;  // as the database has it
  std::map<OriginEpoch, Mark> marks_;
  std::map<OriginEpoch, EpochInfo> epochs_;
  std::set<OriginEpoch> held_back_;
  std::set<std::string> strict_;

  Link link_ = Link::none;
  Micros connect_at_ = 0;
  Backoff link_backoff_;
  std::size_t next_hub_ = 0;
  std::string hub_;
  Micros streaming_since_ = 0;
  std::deque<DeliverBatch> batches_;
  std::uint64_t queued_bytes_ = 0, queued_transactions_ = 0;
  std::uint64_t consumed_bytes_ = 0;
  StreamPosition before_;  // the stream's position in front of the batch that is being added
  std::optional<Large> large_;
  std::map<OriginEpoch, Refused> refused_;  // at most one an origin
  std::size_t failed_groups_ = 0;           // in a row
  Lsn applied_ = 0, durable_ = 0;

  struct Exceptional {
    std::vector<ReceiptException> passed;  // by the mark; the newest
    std::size_t told = 0;                  // of them, from the front
    Seq held_from = 0, held_to = 0;        // 0: not held back
    std::string held_reason;
  };
  std::map<OriginEpoch, Exceptional> exceptional_;
  std::set<OriginEpoch> unsaid_;  // marks that have moved since they were told
  bool say_everything_ = false;   // after an attach
  std::optional<Asked> asked_;
  Micros ask_at_ = 0;         // not before
  Micros look_again_at_ = 0;  // nor, while batches wait, before this
  bool urgent_ = false;       // much is unsaid: flush, whatever waits
  Micros applied_at_ = 0;     // the last commit
  Micros look_at_ = 0;
  std::vector<std::string> narrowed_;
  std::string trouble_;
};

}  // namespace oltp20::spoke
