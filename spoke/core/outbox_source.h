// OutboxSource: walks the ticks of an outbox and hands over the parts of its transactions, encoded,
// in seq order. The same seq gives the same bytes whenever it is walked again.
//
// Memory: one page of a tick's transactions (limits::kTickPage) and about kReadBytes of rows,
// however large a transaction or a backlog is. One thread, the outbox's.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/wire/envelope.h"
#include "spoke/core/outbox.h"

namespace oltp20::spoke {

struct Piece {
  Seq seq = 0;
  std::uint64_t xid = 0;
  bool last = false;
  std::string part;
  Hash content;                 // when last
  std::string refused;          // why the origin itself refuses it, when it does: for people
  std::int64_t sent_at_us = 0;  // of the transaction's newest row so far
  bool wants_receipt = false;   // a row so far has a type whose receipts are not switched off
};

// Constant for a life, so that the same seq gives the same bytes.
struct SourceOptions {
  std::string origin;
  Epoch epoch;
  std::string secret;
  std::uint64_t overlap_before = 0;  // see OutboxState
};

class OutboxSource {
 public:
  OutboxSource(Outbox& outbox, SourceOptions options)
      : outbox_(outbox), options_(std::move(options)) {}

  // The next piece will be the first of `next`; `tip` is the last seq that a tick holds. Errors:
  // not_found (retention has passed it), and the outbox's.
  Status seek(Seq next, Seq tip);
  // Continues behind the tip with a tick just taken.
  void extend(TickResult result);
  // Sent as a tombstone from now on.
  void reject(const Rejection& rejection) { rejected_[rejection.seq] = rejection; }
  // Nobody will ask for what lies at or below `seq` any more.
  void forget_rejections(Seq seq) {
    rejected_.erase(rejected_.begin(), rejected_.upper_bound(seq));
  }

  void set_receipts_off(std::vector<std::string> patterns) { receipts_off_ = std::move(patterns); }

  // nullopt: at the tip. After an error, seek() again.
  Result<std::optional<Piece>> next();
  Seq next_seq() const { return next_seq_; }
  Seq tip() const { return tip_; }

 private:
  static constexpr std::size_t kReadBytes = 256 * 1024;
  static constexpr std::size_t kReadRows = 4096;
  static constexpr std::size_t kReadTransactions = 1024;
  static constexpr std::size_t kTicksAhead = 64;

  bool large(const PendingTransaction& transaction) const {
    return transaction.bytes > kReadBytes || transaction.rows > kReadRows;
  }
  Status need_transaction();  // page_[page_at_] is next_seq_'s
  Status next_tick();
  // Refuses a transaction that no hub would take.
  Status refuse_oversized(const PendingTransaction& transaction);
  Status fetch_small();
  Status fetch_large(const PendingTransaction& transaction);
  void tombstone(const PendingTransaction& transaction, const Rejection& rejection);
  TransactionEncoder encoder(const PendingTransaction& transaction) const;
  void add_row(TransactionEncoder* encoder, const PendingTransaction& transaction,
               const OutboxRow& row);
  void take(TransactionEncoder* encoder, const PendingTransaction& transaction);
  void finish(TransactionEncoder* encoder, const PendingTransaction& transaction);

  Outbox& outbox_;
  const SourceOptions options_;
  std::map<Seq, Rejection> rejected_;
  Seq tip_ = 0;
  Seq next_seq_ = 1;        // the next to be read
  std::deque<Tick> ticks_;  // front: the current one
  std::vector<PendingTransaction> page_;
  std::size_t page_at_ = 0;
  std::int64_t after_order_ = 0;  // of the page's end
  std::vector<OutboxRow> rows_;   // of the whole page, when they came with the tick
  std::deque<Piece> ready_;
  // A large transaction, half read.
  std::optional<TransactionEncoder> open_;
  std::int64_t after_position_ = 0;
  std::uint32_t rows_read_ = 0;
  std::int64_t newest_us_ = 0;
  bool wants_receipt_ = false;
  std::vector<std::string> receipts_off_;
};

// The rejection as the tombstone tells it.
std::string tombstone_reason(const Rejection& rejection);

}  // namespace oltp20::spoke
