// Sessions: what the agents of a spoke see of their database; the numbered rules of
// spoke/core/outbox.h and inbox.h, with the statements of spoke/database in mind. A session dies
// with the server, with a lost answer and with its agent, and is not mended by itself.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tests/sim/database.h"
#include "tests/sim/switches.h"

namespace oltp20::sim {

class Session {
 protected:
  explicit Session(Database& database) : db_(database) {}
  Status connect();
  Status check() const;

  Database& db_;
  std::uint64_t incarnation_ = 0;  // of the database, when it was opened; 0: never
};

class OutboxSession final : public spoke::Outbox, Session {
 public:
  explicit OutboxSession(Database& database) : Session(database) {}

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
  Result<bool> somebody_waits() override;
  Result<std::vector<std::string>> receipts_off() override { return std::vector<std::string>(); }
  Status begin_epoch(const EpochInfo& epoch, const spoke::Tick& from, Seq network_has,
                     const std::string& why) override;
  Status set_asleep(bool asleep) override;

 private:
  std::uint64_t wal_lsn_ = 0;  // when it was opened
};

class InboxSession final : public spoke::Inbox, Session {
 public:
  explicit InboxSession(Database& database) : Session(database) {}

  Result<spoke::InboxState> open(const std::string& hub) override;
  Status apply(const spoke::ApplyGroup& group) override;
  Status begin_large(const spoke::MarkMove& mark) override;
  Status add_rows(const spoke::IncomingTransaction& rows) override;
  Status commit_large(const std::optional<StreamPosition>& expected,
                      const StreamPosition& next) override;
  Status begin_dead_letter(const spoke::MarkMove& mark, const spoke::DeadLetter& letter) override;
  Status add_part(std::string_view part) override;
  void abort_large() override { large_.reset(); }
  std::uint64_t commits() const override { return written_; }
  Result<std::uint64_t> flushed(bool at_once) override;

 private:
  Status check_mark(const spoke::MarkMove& move) const;
  Status check_position(const std::optional<StreamPosition>& expected) const;
  Status add(const spoke::IncomingTransaction& transaction, ApplyRecord* record) const;

  std::string hub_;
  std::optional<ApplyRecord> large_;  // an open SQL transaction
  std::size_t written_ = 0;           // the log behind the last commit of this session
};

// The transactions that a tick holds, in seq order. Also what the oracle believes of captures.
std::vector<const CommitRecord*> transactions_of(const DatabaseState& state,
                                                 const spoke::Tick& tick);

// A payload that the named spoke's database refuses has this in it.
std::string poison_mark(const std::string& spoke);

}  // namespace oltp20::sim
