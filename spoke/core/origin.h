// Origin: captures the outbox's transactions and forwards them to a hub, for ever.
//
// One step function: tell it what happened (link_*, woken, opened by itself), then call work()
// until it returns false; it calls the outbox, and says what the link shall do. Nothing is captured
// while no hub is attached or the window is full: the outbox is the buffer. What is in flight is
// not kept here either; after a reconnect it is read from the database again.
//
// One thread, the outbox's. Time and chance are passed in.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/backoff.h"
#include "common/base/limits.h"
#include "common/base/random.h"
#include "common/wire/frames.h"
#include "spoke/core/now.h"
#include "spoke/core/outbox.h"
#include "spoke/core/outbox_source.h"

namespace oltp20::spoke {

struct OriginOptions {
  std::string spoke;
  std::size_t hubs = 1;  // how many endpoints there are to try in turn
};

// ---- actions ----
struct ConnectForward {
  std::size_t hub = 0;  // index of the endpoint
};
struct SendUp {
  ForwardUp frame;
};
struct DisconnectForward {};
// For logs and metrics.
struct OriginNotice {
  enum class Kind {
    database_open,
    database_lost,
    attached,
    link_lost,
    captured,   // transactions, bytes, latency_us: the time that it took
    forwarded,  // transactions, bytes
    journaled,  // transactions, sent_at_us
    rejected,   // transactions = 1, bytes, reason
    epoch_began,
    receipts,  // transactions: how many were written
    stalled,   // cannot go on until a person acts; repeated with each attempt
  };
  Kind kind;
  std::string text;
  std::uint64_t transactions = 0, bytes = 0;
  Micros latency_us = 0;
  std::string reason = {};                    // rejected: the code
  std::vector<std::int64_t> sent_at_us = {};  // wall clock, of each transaction's newest row
};
using OriginAction = std::variant<ConnectForward, SendUp, DisconnectForward, OriginNotice>;
using OriginActions = std::vector<OriginAction>;

struct OriginStatus {
  bool database_open = false;
  bool attached = false;
  std::string hub;
  Epoch epoch;
  Seq tip = 0, sent = 0, journaled = 0, stable = 0;
  std::uint64_t in_flight_bytes = 0, window_bytes = 0;
  std::int64_t oldest_us = 0;  // wall clock, of the oldest that was sent and is not journaled; 0
  bool asleep = false;
  std::string trouble;  // the last error, empty when all is well
};

class Origin {
 public:
  Origin(OriginOptions options, Outbox& outbox, Random& random);

  void link_opened(Now now, OriginActions* out);
  void link_received(ForwardDown frame, Now now, OriginActions* out);
  void link_closed(const Status& status, Now now, OriginActions* out);
  // The database notified: somebody has committed.
  void woken(Now now);
  // Does one piece of work. True: there is more to do at once; false: wait until wake_at(), a
  // link's event, or a notification.
  bool work(Now now, OriginActions* out);
  Micros wake_at() const;
  // Writes down how far the hub has confirmed, so that the next start resumes there.
  void stop();

  OriginStatus status() const;

 private:
  enum class Link { none, connecting, greeting, streaming };
  struct InFlight {
    ChainPosition position;
    std::uint64_t xid = 0;
    std::int64_t sent_at_us = 0;
    std::uint64_t bytes = 0;
  };

  void open_database(Now now, OriginActions* out);
  void database_failed(const Status& status, Now now, OriginActions* out);
  void connect(OriginActions* out);
  void drop_link(Now now, OriginActions* out);
  void welcome(const ForwardWelcome& frame, Now now, OriginActions* out);
  // Where to go on, from what both sides hold; nullopt: another life, a new epoch must begin.
  Result<std::optional<ChainPosition>> agree(const ForwardWelcome& frame);
  Result<ChainPosition> chain_at(Seq seq);
  SourceOptions source_options() const;
  Status load_rejections(OutboxSource* source, Seq after);
  Status begin_epoch(Seq bound, Seq network_has, const std::string& why);
  // Why the server is not the one that the last tick was taken on; empty when it is. Compared when
  // the database is opened: later ticks are ahead of the state that was read then.
  std::string changed_server() const;
  void acknowledged(const ForwardAck& frame, Now now, OriginActions* out);
  Status refused(const ForwardRefusal& frame, Now now, OriginActions* out);
  Result<bool> forward(Now now, OriginActions* out);
  Result<bool> capture(Now now, OriginActions* out);
  Status fall_asleep(Now now);
  Status checkpoint(Now now, bool at_once);

  // Receipts (origin_receipts.cc).
  void receipted(ForwardReceipts frame);
  bool is_ours(const DestinationReceipt& receipt) const;
  bool is_wanted(Seq after, Seq upto) const;
  void note_unwanted(Seq seq);
  bool has_unwritten() const { return journaled_.seq > checkpointed_.seq || receipts_wanted_; }
  Status write_down(Now now, OriginActions* out);
  Status write_receipts(Now now, OriginActions* out);
  bool has_credit() const { return sent_bytes_ - consumed_bytes_ < window_bytes_; }

  const OriginOptions options_;
  Outbox& outbox_;
  Random& random_;
  const std::string agent_;  // random, of this process

  // The database.
  bool open_ = false;
  Micros open_at_ = 0;  // not before
  Backoff open_backoff_;
  OutboxState state_;
  std::string changed_server_;
  std::optional<OutboxSource> source_;
  ChainPosition checkpointed_;
  Micros checkpoint_at_ = 0;

  // The link.
  Link link_ = Link::none;
  Micros connect_at_ = 0;
  Backoff link_backoff_;
  std::size_t next_hub_ = 0;
  std::string hub_;
  Micros streaming_since_ = 0;
  std::uint64_t window_bytes_ = 0, sent_bytes_ = 0, consumed_bytes_ = 0;
  ChainPosition sent_;       // behind the last whole transaction that was sent
  ChainPosition journaled_;  // confirmed by the hub
  std::deque<InFlight> in_flight_;
  InFlight half_sent_;  // the transaction whose last part is not sent yet; xid 0: there is none

  // Receipts.
  struct Told {
    DestinationReceipt receipt;
    Seq written = 0;  // in the database
    bool unwritten = false;
  };
  struct Stretch {
    Seq from = 0, to = 0;
  };
  std::map<std::pair<std::string, Epoch>, Told> receipts_;  // by destination
  bool receipts_wanted_ = false;                            // one of them should be written
  Micros receipts_at_ = 0;                                  // when at the latest
  Micros look_for_waiters_at_ = 0;                          // not before
  Micros wishes_at_ = 0;                                    // when receipts_off is read again
  std::vector<std::string> receipts_off_;
  std::deque<Stretch> unwanted_;  // of this life, in order; the newest limits::kReceiptRuns

  // Waking.
  Micros poll_at_ = 0;
  std::size_t poll_step_ = 0;
  bool flag_set_ = false;  // the next commit notifies, as far as is known
  std::string trouble_;
};

}  // namespace oltp20::spoke
