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
  if (!large_->skip) {
    Result<IncomingTransaction> rows = rows_of(view);
    Status status = rows ? Status() : rows.status();
    if (rows) {
      rows->overlap = large_->overlap;
      if (!rows->rows.empty()) large_->newest_us = rows->rows.back().row.sent_at_us;
      status = inbox_.add_rows(*rows);
    }
    if (!status && status.code() == Code::invalid) status = refuse_large(status, out);
    OLTP20_TRY(status);
  }
  return view.last ? end_large(part, next, now, out) : Status();
}

Status Destination::begin_large(const DeliverPart& part, const PartView& view,
                                DestinationActions* out) {
  OriginEpoch key{view.header.origin, view.header.epoch};
  Building building;
  Admission admission = admit(key, part.prev, view.header.seq, &building, out);
  if (!building.group.gaps.empty()) {
    building.group.expected_position = position_;
    building.group.position = *position_;
    OLTP20_TRY(inbox_.apply(building.group));
  }
  Large large;
  large.key = key;
  large.seq = view.header.seq;
  large.skip = admission != Admission::apply;
  large.hasher.emplace(view.header);
  if (!large.skip) {
    move_mark(key, part.prev, view.header.seq, &building);
    large.mark = building.group.marks.front();
    large.overlap = overlap_of(view, building);
    OLTP20_TRY(inbox_.begin_large(large.mark));
  } else if (admission == Admission::duplicate) {
    out->push_back(DestinationNotice{DestinationNotice::Kind::duplicate, "", 1});
  }
  large_ = std::move(large);
  return {};
}

Status Destination::end_large(const DeliverPart& part, const StreamPosition& next, Now now,
                              DestinationActions* out) {
  Large large = std::move(*large_);
  bool genuine = large.hasher->finish() == part.content;
  if (large.skip || !genuine) {
    if (!large.skip) inbox_.abort_large();
    large_.reset();
    return genuine ? Status()
                   : protocol_error("the content hash of large transaction " +
                                    std::to_string(large.seq) + " of spoke/" + large.key.origin +
                                    " does not match its rows");
  }
  Status status = inbox_.commit_large(position_, next);
  if (!status && status.code() == Code::invalid) {
    large_ = std::move(large);
    status = refuse_large(status, out);
    large_.reset();
    return status;
  }
  large_.reset();
  OLTP20_TRY(status);
  position_ = next;
  applied_ = next.lsn;
  marks_[large.key] = {large.key.origin, large.key.epoch, large.mark.base, large.mark.next};
  out->push_back(DestinationNotice{DestinationNotice::Kind::applied, "", 1, large.bytes,
                                   now.wall - large.newest_us});
  return {};
}

// Too large to be kept as a dead letter: its origin waits for a person, nobody else does.
Status Destination::refuse_large(const Status& why, DestinationActions* out) {
  inbox_.abort_large();
  large_->skip = true;
  Building building;
  Seq from = large_->mark.expected.value_or(large_->mark.base);
  hold_back(large_->key, from, large_->seq,
            "the database refuses large transaction " + std::to_string(large_->seq) + ": " +
                why.message(),
            &building, out);
  building.group.expected_position = position_;
  building.group.position = *position_;
  return inbox_.apply(building.group);
}

}  // namespace oltp20::spoke
