#include "spoke/core/outbox_source.h"

#include <algorithm>
#include <limits>

#include "common/base/limits.h"
#include "common/base/subject.h"

namespace oltp20::spoke {
namespace {

constexpr std::int64_t kBeforeAll = std::numeric_limits<std::int64_t>::min();

MessageRow view_of(const OutboxRow& row) {
  MessageRow out;
  out.id = row.id;
  out.type = row.type;
  out.date = row.date;
  if (row.payload) out.payload = *row.payload;
  if (row.headers) out.headers = *row.headers;
  if (row.destination) out.destination = *row.destination;
  out.sent_at_us = row.sent_at_us;
  return out;
}

Status changed(Seq seq, std::uint64_t xid) {
  return Status(Code::corrupt,
                "the outbox no longer holds what tick says of transaction " + std::to_string(seq) +
                    " (xid " + std::to_string(xid) +
                    "): somebody changed message.outgoing under the agent; nothing of it is sent. "
                    "Restore the rows, or reinstall to begin a new epoch");
}

}  // namespace

std::string tombstone_reason(const Rejection& rejection) {
  return rejection.code + ": " + rejection.reason;
}

Status OutboxSource::seek(Seq next, Seq tip) {
  ready_.clear();
  open_.reset();
  ticks_.clear();
  page_.clear();
  page_at_ = 0;
  rows_.clear();
  tip_ = tip;
  next_seq_ = next;
  if (next > tip) return {};
  OLTP20_TRY(next_tick());
  // The tick's first transaction is at the page's begin; walk to the one that is wanted.
  Seq page_first = ticks_.front().first;
  while (page_first + page_.size() <= next) {
    page_first += page_.size();
    page_at_ = page_.size();
    OLTP20_TRY(need_transaction());
  }
  page_at_ = next - page_first;
  return {};
}

void OutboxSource::extend(TickResult result) {
  CHECK(next_seq_ == tip_ + 1 && result.tick.first == next_seq_ && ready_.empty());
  tip_ = result.tick.last;
  ticks_ = {std::move(result.tick)};
  page_ = std::move(result.head);
  page_at_ = 0;
  rows_ = std::move(result.rows);
  after_order_ = page_.empty() ? kBeforeAll : page_.back().order;
}

Status OutboxSource::next_tick() {
  if (!ticks_.empty()) ticks_.pop_front();
  while (!ticks_.empty() && ticks_.front().last < next_seq_) ticks_.pop_front();
  if (ticks_.empty()) {
    Result<std::vector<Tick>> ticks = outbox_.ticks_from(options_.epoch, next_seq_, kTicksAhead);
    if (!ticks) return ticks.status();
    ticks_.assign(ticks->begin(), ticks->end());
    std::erase_if(ticks_, [](const Tick& tick) { return tick.last < tick.first; });
    if (ticks_.empty() || ticks_.front().first > next_seq_)
      return Status(Code::not_found, "no tick holds transaction " + std::to_string(next_seq_) +
                                         " any more: retention has passed it");
  }
  page_.clear();
  page_at_ = 0;
  after_order_ = kBeforeAll;
  Result<std::vector<PendingTransaction>> page =
      outbox_.transactions(ticks_.front(), after_order_, limits::kTickPage);
  if (!page) return page.status();
  page_ = std::move(*page);
  if (page_.empty()) return changed(next_seq_, 0);
  after_order_ = page_.back().order;
  return {};
}

Status OutboxSource::need_transaction() {
  if (page_at_ < page_.size()) return {};
  if (ticks_.empty() || next_seq_ > ticks_.front().last) return next_tick();
  Result<std::vector<PendingTransaction>> page =
      outbox_.transactions(ticks_.front(), after_order_, limits::kTickPage);
  if (!page) return page.status();
  page_ = std::move(*page);
  page_at_ = 0;
  if (page_.empty()) return changed(next_seq_, 0);
  after_order_ = page_.back().order;
  return {};
}

Result<std::optional<Piece>> OutboxSource::next() {
  while (ready_.empty()) {
    if (next_seq_ > tip_) return std::optional<Piece>();
    OLTP20_TRY(need_transaction());
    const PendingTransaction& transaction = page_[page_at_];
    auto rejection = rejected_.find(next_seq_);
    if (rejection != rejected_.end()) {
      tombstone(transaction, rejection->second);
    } else if (transaction.rows > limits::kTransactionRows) {
      OLTP20_TRY(refuse_oversized(transaction));
    } else if (large(transaction)) {
      OLTP20_TRY(fetch_large(transaction));
    } else {
      OLTP20_TRY(fetch_small());
    }
  }
  Piece piece = std::move(ready_.front());
  ready_.pop_front();
  return std::optional<Piece>(std::move(piece));
}

TransactionEncoder OutboxSource::encoder(const PendingTransaction& transaction) const {
  TransactionHeader header;
  header.origin = options_.origin;
  header.epoch = options_.epoch;
  header.seq = next_seq_;
  header.xid = transaction.xid;
  header.rows = transaction.rows;
  header.hops = transaction.hops;
  header.overlap = transaction.xid < options_.overlap_before;
  return TransactionEncoder(std::move(header), options_.secret);
}

// Protocol rule 7: the reason is committed before the seq's place is filled.
Status OutboxSource::refuse_oversized(const PendingTransaction& transaction) {
  Rejection rejection{next_seq_, "too_large",
                      "a transaction of " + std::to_string(transaction.rows) +
                          " rows, the limit is " + std::to_string(limits::kTransactionRows) +
                          ": send it as several"};
  OLTP20_TRY(outbox_.record_rejection(options_.epoch, rejection, transaction.xid));
  reject(rejection);
  tombstone(transaction, rejection);
  ready_.back().refused = tombstone_reason(rejection);
  return {};
}

void OutboxSource::tombstone(const PendingTransaction& transaction, const Rejection& rejection) {
  TransactionHeader header;
  header.origin = options_.origin;
  header.epoch = options_.epoch;
  header.seq = next_seq_;
  header.xid = transaction.xid;
  header.tombstone = true;
  header.reason = tombstone_reason(rejection);
  std::string part = encode_tombstone(header);
  Hash content = content_hash_of_single(*PartView::parse(part));
  ready_.push_back({next_seq_, transaction.xid, true, std::move(part), content, {}, 0});
  ++next_seq_;
  ++page_at_;
}

void OutboxSource::take(TransactionEncoder* encoder, const PendingTransaction& transaction) {
  while (std::optional<std::string> part = encoder->take_part())
    ready_.push_back(
        {next_seq_, transaction.xid, false, std::move(*part), {}, {}, newest_us_, wants_receipt_});
}

void OutboxSource::add_row(TransactionEncoder* encoder, const PendingTransaction& transaction,
                           const OutboxRow& row) {
  newest_us_ = std::max(newest_us_, row.sent_at_us);
  if (!wants_receipt_) wants_receipt_ = !any_subject_matches(receipts_off_, row.type);
  encoder->add_row(view_of(row));
  take(encoder, transaction);
}

void OutboxSource::finish(TransactionEncoder* encoder, const PendingTransaction& transaction) {
  encoder->finish();
  take(encoder, transaction);
  ready_.back().last = true;
  ready_.back().content = encoder->content_hash();
  ++next_seq_;
  ++page_at_;
}

// As many small transactions as fit into one read.
Status OutboxSource::fetch_small() {
  std::vector<std::uint64_t> xids;
  std::size_t bytes = 0, rows = 0, end = page_at_;
  for (; end < page_.size() && xids.size() < kReadTransactions; ++end) {
    const PendingTransaction& transaction = page_[end];
    if (large(transaction) || rejected_.contains(next_seq_ + (end - page_at_))) break;
    bytes += transaction.bytes + 64 * transaction.rows;
    rows += transaction.rows;
    if (!xids.empty() && (bytes > kReadBytes || rows > kReadRows)) break;
    xids.push_back(transaction.xid);
  }
  const bool came_along = !rows_.empty() && xids.size() == page_.size();
  Result<std::vector<OutboxRow>> read = came_along
                                            ? Result<std::vector<OutboxRow>>(std::move(rows_))
                                            : outbox_.rows(xids, kBeforeAll, kReadRows + 1);
  rows_.clear();
  if (!read) return read.status();
  std::size_t at = 0;
  for (std::size_t i = 0; i < xids.size(); ++i) {
    const PendingTransaction transaction = page_[page_at_];
    if (at + transaction.rows > read->size()) return changed(next_seq_, transaction.xid);
    TransactionEncoder encoder = this->encoder(transaction);
    newest_us_ = 0;
    wants_receipt_ = false;
    for (std::uint32_t row = 0; row < transaction.rows; ++row, ++at) {
      if ((*read)[at].xid != transaction.xid) return changed(next_seq_, transaction.xid);
      add_row(&encoder, transaction, (*read)[at]);
    }
    finish(&encoder, transaction);
  }
  if (at != read->size()) return changed(next_seq_ - 1, page_[page_at_ - 1].xid);
  return {};
}

// The next rows of a large transaction, as many as fit into one read.
Status OutboxSource::fetch_large(const PendingTransaction& transaction) {
  if (!open_) {
    open_.emplace(encoder(transaction));
    after_position_ = kBeforeAll;
    rows_read_ = 0;
    newest_us_ = 0;
    wants_receipt_ = false;
  }
  std::size_t fitting = kReadBytes / std::max<std::size_t>(transaction.largest_row, 1);
  std::size_t limit = std::clamp<std::size_t>(fitting, 1, kReadRows);
  Result<std::vector<OutboxRow>> read = outbox_.rows({transaction.xid}, after_position_, limit);
  if (!read) return read.status();
  if (read->empty() || rows_read_ + read->size() > transaction.rows)
    return changed(next_seq_, transaction.xid);
  for (const OutboxRow& row : *read) add_row(&*open_, transaction, row);
  rows_read_ += static_cast<std::uint32_t>(read->size());
  after_position_ = read->back().position;
  if (rows_read_ < transaction.rows) return {};
  finish(&*open_, PendingTransaction(transaction));
  open_.reset();
  return {};
}

}  // namespace oltp20::spoke
