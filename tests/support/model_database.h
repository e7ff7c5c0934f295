// ModelDatabase: an outbox and an inbox in memory, for tests of the cores and for simulation. A
// copy of the object is a cold copy of the database.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "spoke/core/inbox.h"
#include "spoke/core/outbox.h"

namespace oltp20::tests {

struct ModelRow {
  std::string type;
  std::string payload;
  std::string destination;  // empty: NULL
};

// What both models keep. Everything here survives a crash of the agent.
struct ModelDatabase {
  struct Transaction {
    std::uint64_t xid = 0;
    std::vector<spoke::OutboxRow> rows;
  };
  struct TickRecord {
    spoke::Tick tick;
    std::size_t from = 0, to = 0;  // of committed
  };
  struct Received {
    std::string origin;
    Epoch epoch;
    Seq seq = 0;
    std::uint32_t position = 0;
    RowId id;
    std::string type, payload;
  };
  struct Gap {
    spoke::Gap gap;
    bool closed = false;
    bool given_up = false;  // by closing it
  };

  // The outbox.
  std::vector<Transaction> committed;
  std::vector<TickRecord> ticks;
  std::size_t captured = 0;  // of committed, in this life
  EpochInfo epoch;
  spoke::ServerIdentity server{"model", 1};
  std::vector<EpochInfo> epochs;
  std::map<Epoch, std::map<Seq, Hash>> checkpoints;
  std::map<Epoch, std::map<Seq, spoke::Rejection>> rejected;
  std::int64_t next_position = 1;
  std::uint64_t next_xid = 100;
  std::uint64_t overlap_before = 0;
  std::map<std::pair<std::string, Epoch>, DestinationReceipt> receipts;
  std::vector<DestinationReceipt> receipt_log;  // each write
  bool somebody_waits = false;
  std::vector<std::string> receipts_off;
  std::uint8_t id_salt = 0;  // stands for the randomness of uuids: differs between lives
  // The inbox.
  std::vector<Received> received;
  std::map<OriginEpoch, spoke::Mark> marks;
  std::map<OriginEpoch, EpochInfo> known;
  std::map<std::string, StreamPosition> positions;
  std::vector<Gap> gaps;
  std::vector<spoke::DeadLetter> dead_letters;
  std::uint64_t commits = 0, flushed = 0, flush_questions = 0;
  bool flush_stuck = false;
  // Faults.
  std::string poison;                                     // a payload that the database refuses
  std::string locked;                                     // one that it cannot take now
  std::map<std::uint64_t, std::uint32_t> pretended_rows;  // of a transaction, by its id

  explicit ModelDatabase(std::uint8_t salt = 1);
  // One transaction of the application.
  void commit(const std::vector<ModelRow>& rows);
  void commit(const std::string& type, const std::string& payload) {
    commit({{type, payload, ""}});
  }
  // An operator gives a hole up.
  void close_gap(const std::string& origin);
  void retry_gap(const std::string& origin);
  std::vector<std::string> payloads() const;
  // Of one origin, closed or not; "": of the hub's stream.
  std::vector<Gap> gaps_of(const std::string& origin) const;
};

class ModelOutbox final : public spoke::Outbox {
 public:
  explicit ModelOutbox(ModelDatabase& database) : db_(database) {}

  Result<spoke::OutboxState> open() override;
  Result<std::optional<spoke::TickResult>> take_tick(const spoke::Tick& last) override;
  Result<std::vector<spoke::Tick>> ticks_from(const Epoch& epoch, Seq from,
                                              std::size_t limit) override;
  Result<spoke::Tick> tick_at_most(const Epoch& epoch, Seq seq) override;
  Result<std::vector<spoke::PendingTransaction>> transactions(const spoke::Tick& tick,
                                                              std::int64_t after_order,
                                                              std::size_t limit) override;
  Result<std::vector<spoke::OutboxRow>> rows(const std::vector<std::uint64_t>& xids,
                                             std::int64_t after_position,
                                             std::size_t limit) override;
  Result<ChainPosition> checkpoint_at_most(const Epoch& epoch, Seq seq) override;
  Status write_checkpoint(const Epoch& epoch, const ChainPosition& position,
                          const std::string& hub) override;
  Status record_rejection(const Epoch& epoch, const spoke::Rejection& rejection,
                          std::uint64_t xid) override;
  Result<std::vector<spoke::Rejection>> rejections(const Epoch& epoch, Seq after) override;
  Status write_receipts(const std::vector<DestinationReceipt>& receipts) override;
  Result<bool> somebody_waits() override { return db_.somebody_waits; }
  Result<std::vector<std::string>> receipts_off() override { return db_.receipts_off; }
  Status begin_epoch(const EpochInfo& epoch, const spoke::Tick& from, Seq network_has,
                     const std::string& why) override;
  Status set_asleep(bool asleep) override;

  std::size_t largest_page = 0;  // rows handed over at once, for bounds

 private:
  ModelDatabase& db_;
};

class ModelInbox final : public spoke::Inbox {
 public:
  explicit ModelInbox(ModelDatabase& database) : db_(database) {}

  Result<spoke::InboxState> open(const std::string& hub) override;
  Status apply(const spoke::ApplyGroup& group) override;
  Status begin_large(const spoke::MarkMove& mark) override;
  Status add_rows(const spoke::IncomingTransaction& rows) override;
  Status begin_dead_letter(const spoke::MarkMove& mark, const spoke::DeadLetter& letter) override;
  Status add_part(std::string_view part) override;
  Status commit_large(const std::optional<StreamPosition>& expected,
                      const StreamPosition& next) override;
  void abort_large() override { large_.reset(); }
  std::uint64_t commits() const override { return db_.commits; }
  Result<std::uint64_t> flushed(bool at_once) override {
    ++db_.flush_questions;
    if (at_once && !db_.flush_stuck) db_.flushed = db_.commits;
    return db_.flushed;
  }

 private:
  Status move(ModelDatabase* db, const spoke::MarkMove& mark) const;
  Status insert(ModelDatabase* db, const spoke::IncomingTransaction& transaction) const;

  ModelDatabase& db_;
  std::string hub_;
  std::optional<ModelDatabase> large_;  // the open SQL transaction's view
};

}  // namespace oltp20::tests
