// Large transactions: written part by part in one SQL transaction.
#include "spoke/core/destination.h"

namespace oltp20::spoke {

Status Destination::large_part(const DeliverPart& part, const PartView& view,
                               const StreamPosition& next, Now now, DestinationActions* out) {
  OriginEpoch key{view.header.origin, view.header.epoch};
  if (!large_) OLTP20_TRY(begin_large(part, view, out));
  if (large_->key != key || large_->seq != view.header.seq || large_->next_part != view.part_no)
    return protocol_error("parts of a large transaction out of order");
  ++large_->next_part;
  large_->bytes += part.bytes->size();
  large_->hasher->add(view);
  if (Status status = write_part(view); !status) return large_failed(status, now, out);
  return view.last ? end_large(part, next, now, out) : Status();
}

// What the database says of its content is for good; what may pass is tried again, some times.
Status Destination::large_failed(const Status& status, Now now, DestinationActions* out) {
  if (large_->becomes != Large::Becomes::rows) return status;
  if (status.code() == Code::invalid) {
    refuse_large(status, now, out);
    return {};
  }
  if (may_be_its_own_fault(status)) {
    Refused& refused = refused_[large_->key];
    if (refused.seq != large_->seq) refused = {large_->seq, {}, 0};
    refused.why = status;
    ++refused.failures;
  }
  return status;
}

Status Destination::write_part(const PartView& view) {
  if (large_->becomes == Large::Becomes::nothing) return {};
  if (large_->becomes == Large::Becomes::dead_letter) return inbox_.add_part(view.bytes);
  Result<IncomingTransaction> rows = rows_of(view);
  if (!rows) return rows.status();
  rows->overlaps = large_->overlaps;
  if (!rows->rows.empty()) large_->newest_us = rows->rows.back().row.sent_at_us;
  return inbox_.add_rows(*rows);
}

Status Destination::begin_large(const DeliverPart& part, const PartView& view,
                                DestinationActions* out) {
  OriginEpoch key{view.header.origin, view.header.epoch};
  Building building;
  Large large;
  large.key = key;
  large.seq = view.header.seq;
  large.hasher.emplace(view.header);
  Admission admission = admit(key, part.prev, large.seq, &building, out);
  if (admission == Admission::duplicate)
    out->push_back(DestinationNotice{DestinationNotice::Kind::duplicate, "", 1});
  auto refused = refused_.find(key);
  bool failed = refused != refused_.end() && refused->second.seq == large.seq;
  const bool waits =
      failed && waits_when_refused(key, refused->second.why) &&
      (refused->second.is_content() || refused->second.failures >= limits::kTransientRetries);
  if (admission == Admission::apply && waits) {
    hold_back(key, mark_of(key, building).value_or(part.prev), large.seq,
              held_back_text(key, large.seq, refused->second.why), &building, out);
    refused_.erase(refused);
    admission = Admission::held_back;
  }
  if (!building.group.gaps.empty()) {
    building.group.expected_position = position_;
    building.group.position = *position_;
    OLTP20_TRY(inbox_.apply(building.group));
  }
  if (admission != Admission::apply) {
    large.becomes = Large::Becomes::nothing;
    large_ = std::move(large);
    return {};
  }
  move_mark(key, part.prev, large.seq, &building);
  large.mark = building.group.marks.front();
  large.overlaps = overlaps_of(view);
  if (failed && refused->second.is_content()) {
    const Status& why = refused->second.why;
    large.becomes = Large::Becomes::dead_letter;
    OLTP20_TRY(inbox_.begin_dead_letter(
        large.mark, {key.origin, key.epoch, large.seq, {}, sqlstate_of(why), why.message()}));
  } else {
    OLTP20_TRY(inbox_.begin_large(large.mark));
  }
  large_ = std::move(large);
  return {};
}

Status Destination::end_large(const DeliverPart& part, const StreamPosition& next, Now now,
                              DestinationActions* out) {
  bool genuine = large_->hasher->finish() == part.content;
  if (large_->becomes == Large::Becomes::nothing || !genuine) {
    Status status;
    if (!genuine)
      status =
          protocol_error("the content hash of large transaction " + std::to_string(large_->seq) +
                         " of spoke/" + large_->key.origin + " does not match its rows");
    abort_large();
    return status;
  }
  Status status = inbox_.commit_large(position_, next);
  if (!status) return large_failed(status, now, out);
  Large large = std::move(*large_);
  large_.reset();
  position_ = next;
  applied_ = next.lsn;
  marks_[large.key] = {large.key.origin, large.key.epoch, large.mark.base, large.mark.next};
  unsaid_.insert(large.key);
  applied_at_ = now.monotonic;
  if (large.becomes == Large::Becomes::rows) {
    DestinationNotice notice{DestinationNotice::Kind::applied, "", 1, large.bytes};
    notice.sent_at_us.push_back(large.newest_us);
    out->push_back(std::move(notice));
  } else {
    const Status& why = refused_[large.key].why;
    add_exception(large.key, {ReceiptException::Kind::dead_letter, large.seq - 1, large.seq,
                              sqlstate_of(why), why.message()});
    out->push_back(DestinationNotice{DestinationNotice::Kind::dead_letter,
                                     refusal_text(large.key, large.seq, why), 1, large.bytes});
    refused_.erase(large.key);
  }
  return {};
}

// Its earlier parts are gone from memory, so it is delivered again, and then kept as bytes.
// Nothing is wrong with link or database: no need to wait.
void Destination::refuse_large(const Status& why, Now now, DestinationActions* out) {
  out->push_back(
      DestinationNotice{DestinationNotice::Kind::restarted,
                        refusal_text(large_->key, large_->seq, why) +
                            "; it is delivered again, to be put aside as a dead letter"});
  refused_[large_->key] = {large_->seq, why, 0};
  drop_link(now, out);
  connect_at_ = now.monotonic;
}

void Destination::abort_large() {
  if (large_ && large_->becomes != Large::Becomes::nothing && open_) inbox_.abort_large();
  large_.reset();
}

}  // namespace oltp20::spoke
