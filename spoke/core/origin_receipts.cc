// What became of transactions, written into the origin's database: how far the hub has confirmed,
// and what destinations said. Once a second; at once while somebody waits for it (protocol rule
// 31).
#include <algorithm>

#include "common/base/subject.h"
#include "spoke/core/origin.h"

namespace oltp20::spoke {

// Of this life or one that it descends from, and not of what this life has yet to send.
bool Origin::is_ours(const DestinationReceipt& receipt) const {
  const Epoch& epoch = receipt.receipt.epoch;
  if (!is_name(receipt.destination) || receipt.receipt.seq > limits::kSeq) return false;
  if (epoch == state_.epoch.id) return receipt.receipt.seq <= state_.last_tick.last;
  return std::ranges::any_of(state_.ancestors,
                             [&](const EpochInfo& life) { return life.id == epoch; });
}

void Origin::receipted(ForwardReceipts frame) {
  for (DestinationReceipt& said : frame.receipts) {
    if (!is_ours(said)) continue;
    std::pair<std::string, Epoch> key{said.destination, said.receipt.epoch};
    if (receipts_.size() >= limits::kReceiptsKept && !receipts_.contains(key)) continue;
    Told& told = receipts_[key];
    Receipt& receipt = said.receipt;
    // What was told before and is not written yet goes with it.
    for (ReceiptException& exception : told.receipt.receipt.exceptions)
      if (told.unwritten && exception.to <= receipt.seq)
        receipt.exceptions.push_back(std::move(exception));
    bool plain = receipt.exceptions.empty() && receipt.held_to == 0 && told.written != 0;
    bool wanted =
        !plain || receipt.epoch != state_.epoch.id || is_wanted(told.written, receipt.seq);
    told.receipt = std::move(said);
    told.unwritten = true;
    receipts_wanted_ |= wanted;
  }
}

// Stretches are as long as can be, so what is wholly unwanted lies in one.
bool Origin::is_wanted(Seq after, Seq upto) const {
  return upto < after || !std::ranges::any_of(unwanted_, [&](const Stretch& stretch) {
           return stretch.from <= after + 1 && upto <= stretch.to;
         });
}

// Forgetting the oldest costs writing a receipt that nobody wants.
void Origin::note_unwanted(Seq seq) {
  while (!unwanted_.empty() && unwanted_.back().to >= seq) {  // sent again
    if (unwanted_.back().from < seq) {
      unwanted_.back().to = seq - 1;
    } else {
      unwanted_.pop_back();
    }
  }
  if (!unwanted_.empty() && unwanted_.back().to + 1 == seq) {
    unwanted_.back().to = seq;
  } else {
    unwanted_.push_back({seq, seq});
  }
  if (unwanted_.size() > limits::kReceiptRuns) unwanted_.pop_front();
}

Status Origin::write_down(Now now, OriginActions* out) {
  if (now.monotonic >= wishes_at_) {
    wishes_at_ = now.monotonic + limits::kReceiptWishes;
    Result<std::vector<std::string>> off = outbox_.receipts_off();
    if (!off) return off.status();
    if (*off != receipts_off_) {
      receipts_off_ = *off;
      source_->set_receipts_off(*off);
    }
  }
  if (!has_unwritten() || now.monotonic < look_for_waiters_at_) return {};
  look_for_waiters_at_ = now.monotonic + limits::kWaiterLook;
  bool due = (journaled_.seq > checkpointed_.seq && now.monotonic >= checkpoint_at_) ||
             (receipts_wanted_ && now.monotonic >= receipts_at_);
  bool somebody_waits = false;
  if (!due) {
    Result<bool> waits = outbox_.somebody_waits();
    if (!waits) return waits.status();
    somebody_waits = *waits;
    if (!somebody_waits) return {};
  }
  OLTP20_TRY(checkpoint(now, somebody_waits));
  if (receipts_wanted_ && (somebody_waits || now.monotonic >= receipts_at_))
    return write_receipts(now, out);
  return {};
}

Status Origin::write_receipts(Now now, OriginActions* out) {
  std::vector<DestinationReceipt> page;
  for (auto& [key, told] : receipts_)
    if (told.unwritten) page.push_back(told.receipt);
  OLTP20_TRY(outbox_.write_receipts(page));
  for (auto& [key, told] : receipts_) {
    if (!told.unwritten) continue;
    told.unwritten = false;
    told.written = told.receipt.receipt.seq;
    told.receipt.receipt.exceptions.clear();
  }
  receipts_wanted_ = false;
  receipts_at_ = now.monotonic + limits::kCheckpoint;
  out->push_back(OriginNotice{OriginNotice::Kind::receipts, "", page.size()});
  return {};
}

}  // namespace oltp20::spoke
