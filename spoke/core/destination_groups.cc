// Groups: what is put into one SQL transaction, and what becomes of it.
#include <algorithm>
#include <set>

#include "common/base/subject.h"
#include "spoke/core/destination.h"

namespace oltp20::spoke {
namespace {

std::string name_of(const OriginEpoch& key) {
  return "spoke/" + key.origin + " epoch " + to_hex(key.epoch);
}

}  // namespace

// Inbox rule 4: the message of a content error names its SQLSTATE.
std::string Destination::sqlstate_of(const Status& status) {
  constexpr std::string_view kWord = "SQLSTATE ";
  std::size_t at = status.message().find(kWord);
  return at == std::string::npos ? "" : status.message().substr(at + kWord.size(), 5);
}

std::string Destination::refusal_text(const OriginEpoch& key, Seq seq, const Status& why) {
  return "transaction " + std::to_string(seq) + " of spoke/" + key.origin + ": " + why.message();
}

Status Destination::protocol_error(const std::string& what) {
  return Status(Code::corrupt, "what the hub delivers cannot be trusted: " + what);
}

bool Destination::apply_some(Now now, DestinationActions* out) {
  Building building;
  StreamPosition position = *position_;
  while (!batches_.empty() && building.bytes < limits::kApplyGroupBytes &&
         building.group.transactions.size() < limits::kApplyGroup) {
    DeliverBatch batch = std::move(batches_.front());
    batches_.pop_front();
    std::uint64_t cost = window_cost(batch);
    queued_transactions_ -= transactions_in(batch);
    before_ = position;
    if (Status status = add_batch(batch, &building, now, out); !status) {
      if (status.code() == Code::corrupt) {
        // What this group had found out is not in the database: read it anew.
        link_closed(status, now, out);
        open_ = false;
        open_at_ = connect_at_;
      } else {
        database_failed(status, now, out);
      }
      return false;
    }
    if (link_ != Link::streaming) return true;
    if (batch.complete) position = batch.position;
    queued_bytes_ -= cost;
    consumed_bytes_ += cost;
    if (large_) break;
  }
  if (!(position == *position_ && building.empty()))
    if (Status status = commit(&building, position, now, out); !status) {
      database_failed(status, now, out);
      return false;
    }
  applied_at_ = now.monotonic;
  acknowledge(out);
  return true;
}

Status Destination::add_batch(const DeliverBatch& batch, Building* building, Now now,
                              DestinationActions* out) {
  for (std::size_t i = 0; i < batch.items.size(); ++i) {
    const DeliverItem& item = batch.items[i];
    const auto* part = std::get_if<DeliverPart>(&item);
    if (large_ && !part) return protocol_error("something else inside a large transaction");
    if (const auto* run = std::get_if<DeliverRun>(&item)) OLTP20_TRY(add_run(*run, building));
    if (const auto* span = std::get_if<DeliverSpan>(&item))
      OLTP20_TRY(add_span(*span, building, out));
    if (!part) continue;
    Result<PartView> view = PartView::parse(*part->bytes);
    if (!view) return protocol_error(view.status().message());
    if (part->prev >= view->header.seq) return protocol_error("a transaction behind itself");
    if (!large_ && view->last && view->part_no == 0) {
      OLTP20_TRY(add_small(*part, *view, building, out));
      continue;
    }
    if (!(before_ == *position_ && building->empty()))
      OLTP20_TRY(commit(building, before_, now, out));
    tell_duplicates(building, out);
    *building = {};
    bool ends = batch.complete && i + 1 == batch.items.size();
    OLTP20_TRY(large_part(*part, *view, ends ? batch.position : *position_, now, out));
    if (link_ != Link::streaming) return {};  // it begins again
  }
  return {};
}

Status Destination::add_run(const DeliverRun& run, Building* building) {
  OriginEpoch key{run.origin, run.life.id};
  if (!is_name(run.origin) || run.life.fork.seq > limits::kSeq)
    return protocol_error("a run with a name or a number beyond every limit");
  if (epochs_.emplace(key, run.life).second)
    building->group.epochs.push_back({run.origin, run.life});
  return {};
}

Status Destination::add_span(const DeliverSpan& span, Building* building, DestinationActions* out) {
  OriginEpoch key{span.origin, span.epoch};
  if (span.from >= span.to || span.to > limits::kSeq) return protocol_error("a span that is none");
  if (!mark_of(key, *building)) return {};  // it will begin with the first thing that matches
  if (admit(key, span.from, span.to, building, out) == Admission::apply)
    move_mark(key, span.from, span.to, building);
  return {};
}

std::optional<Seq> Destination::mark_of(const OriginEpoch& key, const Building& building) const {
  if (auto at = building.mark_of.find(key); at != building.mark_of.end())
    return building.group.marks[at->second].next;
  if (auto at = marks_.find(key); at != marks_.end()) return at->second.seq;
  return std::nullopt;
}

Destination::Admission Destination::admit(const OriginEpoch& key, Seq prev, Seq to,
                                          Building* building, DestinationActions* out) {
  if (held_back_.contains(key)) return Admission::held_back;
  std::optional<Seq> mark = mark_of(key, *building);
  if (!mark) return admit_life(key, building, out);
  if (*mark >= to) return Admission::duplicate;
  if (prev <= *mark) return Admission::apply;
  hold_back(key, *mark, prev,
            "transactions " + std::to_string(*mark + 1) + " to " + std::to_string(prev) +
                " have not come by hub " + hub_,
            building, out);
  return Admission::held_back;
}

// Of the lives between, nothing may have been applied here yet.
bool Destination::waits_for_ancestor(const OriginEpoch& key) const {
  auto life = epochs_.find(key);
  for (std::size_t i = 0; i < limits::kLives && life != epochs_.end(); ++i) {
    OriginEpoch parent{key.origin, life->second.parent};
    if (held_back_.contains(parent)) return true;
    life = epochs_.find(parent);
  }
  return false;
}

// The first transaction of a life: the youngest life before it of which anything was ever applied
// here must have been applied up to its fork (protocol rule 5). What that one sent beyond the fork
// comes first, too: rows that both have are recognised when the younger life brings them.
Destination::Admission Destination::admit_life(const OriginEpoch& key, Building* building,
                                               DestinationActions* out) {
  if (waits_for_ancestor(key)) {  // whose gap is known
    held_back_.insert(key);
    return Admission::held_back;
  }
  OriginEpoch parent;
  Seq fork = 0;
  std::optional<Seq> mark;
  auto life = epochs_.find(key);
  for (std::size_t i = 0; i < limits::kLives && life != epochs_.end() && !mark; ++i) {
    parent = {key.origin, life->second.parent};
    fork = life->second.fork.seq;
    mark = mark_of(parent, *building);
    life = epochs_.find(parent);
  }
  if (!mark || *mark >= fork) return Admission::apply;
  held_back_.insert(key);
  hold_back(parent, *mark, fork,
            "its next life continues behind transaction " + std::to_string(fork) +
                ", and transactions " + std::to_string(*mark + 1) +
                " to there have not come by hub " + hub_,
            building, out);
  return Admission::held_back;
}

void Destination::hold_back(const OriginEpoch& key, Seq from, Seq to, std::string reason,
                            Building* building, DestinationActions* out) {
  held_back_.insert(key);
  Exceptional& exceptional = exceptional_[key];
  exceptional.held_from = from;
  exceptional.held_to = to;
  exceptional.held_reason = shortened(reason);
  unsaid_.insert(key);
  out->push_back(
      DestinationNotice{DestinationNotice::Kind::gap,
                        name_of(key) + " is held back: " + reason +
                            "; when they are lost for good: select oltp20.close_gap(…)"});
  building->group.gaps.push_back({key.origin, key.epoch, from, to, before_, std::move(reason)});
}

void Destination::move_mark(const OriginEpoch& key, Seq prev, Seq to, Building* building) {
  auto [at, fresh] = building->mark_of.try_emplace(key, building->group.marks.size());
  if (!fresh) {
    building->group.marks[at->second].next = to;
    return;
  }
  auto mark = marks_.find(key);
  MarkMove move{key.origin, key.epoch, std::nullopt, prev, to};
  if (mark != marks_.end()) {
    move.expected = mark->second.seq;
    move.base = mark->second.base;
  }
  building->group.marks.push_back(std::move(move));
}

// All lives that it descends from, behind its forks: what was prepared in the first may be
// committed in the third. And all of its sisters: they captured the same rows anew.
std::vector<Overlap> Destination::overlaps_of(const PartView& part) const {
  std::vector<Overlap> out;
  if (!part.header.overlap) return out;
  const std::string& origin = part.header.origin;
  std::set<Epoch> line{part.header.epoch};
  auto life = epochs_.find({origin, part.header.epoch});
  while (life != epochs_.end() && !life->second.parent.is_zero() &&
         line.insert(life->second.parent).second) {
    out.push_back({life->second.parent, life->second.fork.seq});
    life = epochs_.find({origin, life->second.parent});
  }
  for (auto other = epochs_.lower_bound({origin, Epoch{}});
       other != epochs_.end() && other->first.origin == origin; ++other)
    if (!line.contains(other->first.epoch)) out.push_back({other->first.epoch, 0});
  return out;
}

Result<IncomingTransaction> Destination::rows_of(const PartView& view) {
  IncomingTransaction out;
  out.origin = view.header.origin;
  out.epoch = view.header.epoch;
  out.seq = view.header.seq;
  out.hops = view.header.hops;
  out.rows.reserve(view.rows.size());
  for (std::uint32_t i = 0; i < view.rows.size(); ++i) {
    if (view.rows[i].withheld) continue;
    Result<MessageRow> row = parse_row(view.rows[i]);
    if (!row) return row.status();
    out.rows.push_back({view.first_position + i, *row});
  }
  return out;
}

Status Destination::add_small(const DeliverPart& part, const PartView& view, Building* building,
                              DestinationActions* out) {
  if (content_hash_of_single(view) != part.content)
    return protocol_error("the content hash of transaction " + std::to_string(view.header.seq) +
                          " of spoke/" + view.header.origin + " does not match its rows");
  OriginEpoch key{view.header.origin, view.header.epoch};
  Admission admission = admit(key, part.prev, view.header.seq, building, out);
  building->duplicates += admission == Admission::duplicate;
  if (admission != Admission::apply) return {};
  move_mark(key, part.prev, view.header.seq, building);
  building->bytes += part.bytes->size();
  Result<IncomingTransaction> transaction = rows_of(view);
  if (!transaction) {
    building->group.dead_letters.push_back({key.origin,
                                            key.epoch,
                                            view.header.seq,
                                            {*part.bytes},
                                            "",
                                            transaction.status().message()});
    return {};
  }
  if (transaction->rows.empty()) return {};
  transaction->overlaps = overlaps_of(view);
  building->group.transactions.push_back(std::move(*transaction));
  building->group.keep_alive.push_back(part.bytes);
  building->contents.push_back(part.bytes);
  return {};
}

Status Destination::commit(Building* building, const StreamPosition& position, Now,
                           DestinationActions* out) {
  ApplyGroup& group = building->group;
  group.expected_position = position_;
  group.position = position;
  Status status = inbox_.apply(group);
  bool apart = !status && !group.transactions.empty() &&
               (status.code() == Code::invalid ||
                (may_be_its_own_fault(status) && failed_groups_ >= limits::kTransientRetries));
  if (apart) status = commit_one_by_one(building, position, out);
  if (!status) {
    ++failed_groups_;
    return status;
  }
  failed_groups_ = 0;
  position_ = position;
  applied_ = position.lsn;
  for (const MarkMove& move : group.marks) {
    marks_[{move.origin, move.epoch}] = {move.origin, move.epoch, move.base, move.next};
    unsaid_.insert({move.origin, move.epoch});
  }
  for (const DeadLetter& letter : group.dead_letters) {
    add_exception({letter.origin, letter.epoch},
                  {ReceiptException::Kind::dead_letter, letter.seq - 1, letter.seq, letter.sqlstate,
                   letter.error});
    out->push_back(DestinationNotice{DestinationNotice::Kind::dead_letter, letter.error, 1,
                                     letter.parts.front().size()});
  }
  tell_duplicates(building, out);
  if (!apart && !group.transactions.empty()) {
    std::uint64_t bytes = 0;
    for (const auto& content : building->contents) bytes += content->size();
    out->push_back(applied(group, bytes));
  }
  return {};
}

void Destination::tell_duplicates(Building* building, DestinationActions* out) {
  if (building->duplicates != 0)
    out->push_back(DestinationNotice{DestinationNotice::Kind::duplicate, "", building->duplicates});
  building->duplicates = 0;
}

DestinationNotice Destination::applied(const ApplyGroup& group, std::uint64_t bytes) {
  DestinationNotice notice{DestinationNotice::Kind::applied, "", group.transactions.size(), bytes};
  notice.sent_at_us.reserve(group.transactions.size());
  for (const IncomingTransaction& transaction : group.transactions)
    notice.sent_at_us.push_back(transaction.rows.back().row.sent_at_us);
  return notice;
}

// Whether an error that may pass can be one transaction's: not a full disk, not a lost connection.
bool Destination::may_be_its_own_fault(const Status& status) {
  if (status.code() == Code::internal) return true;
  std::string state = sqlstate_of(status);
  return status.code() == Code::exhausted && state != "53000" && state != "53100" &&
         state != "53300";
}

// Whether what the database says of a transaction alone holds back its origin; else, when it is of
// its content, it is put aside.
bool Destination::waits_when_refused(const OriginEpoch& key, const Status& why) const {
  return why.code() == Code::invalid ? strict_.contains(key.origin) : may_be_its_own_fault(why);
}

std::string Destination::held_back_text(const OriginEpoch& key, Seq seq, const Status& why) const {
  if (why.code() == Code::invalid)
    return "the database refuses it and its origin is strict, " + refusal_text(key, seq, why) +
           "; when the cause is gone: select oltp20.retry_gap(…); to give it up: "
           "select oltp20.close_gap(…, 'why')";
  return "the database could not take it " + std::to_string(limits::kTransientRetries) +
         " times, " + refusal_text(key, seq, why) +
         "; when the cause is gone: select oltp20.retry_gap(…)";
}

// The database refused something in the group: each transaction alone, so that only the one at
// fault is put aside, or, when it may yet be taken, only its origin waits (protocol rule 26).
Status Destination::commit_one_by_one(Building* building, const StreamPosition& position,
                                      DestinationActions* out) {
  ApplyGroup& group = building->group;
  ApplyGroup letters;  // first, since marks will move past them; keeping one twice is harmless
  letters.expected_position = position_;
  letters.position = *position_;
  letters.dead_letters = group.dead_letters;
  letters.epochs = group.epochs;  // no mark without its life: the hub would not be told of it
  if (!letters.dead_letters.empty() || !letters.epochs.empty()) OLTP20_TRY(inbox_.apply(letters));
  ApplyGroup rest;
  rest.expected_position = position_;
  rest.position = position;
  std::map<OriginEpoch, MarkMove> at;
  std::set<OriginEpoch> waiting;
  for (const MarkMove& move : group.marks) at[{move.origin, move.epoch}] = move;
  for (std::size_t i = 0; i < group.transactions.size(); ++i) {
    const IncomingTransaction& transaction = group.transactions[i];
    const OriginEpoch key{transaction.origin, transaction.epoch};
    if (waiting.contains(key)) continue;
    MarkMove& mark = at[key];
    Seq last = mark.next;
    mark.next = transaction.seq;
    ApplyGroup one;
    one.expected_position = position_;
    one.position = *position_;
    one.transactions = {transaction};
    one.marks = {mark};
    Status status = inbox_.apply(one);
    if (status) out->push_back(applied(one, building->contents[i]->size()));
    if (!status && status.code() == Code::invalid && !waits_when_refused(key, status)) {
      status = put_aside(transaction, *building->contents[i], mark, status, out);
    } else if (!status && waits_when_refused(key, status)) {
      // The mark stays, and with it what follows of this origin.
      Seq from = mark.expected.value_or(mark.base);
      hold_back(key, from, transaction.seq, held_back_text(key, transaction.seq, status), building,
                out);
      building->group.gaps.back().before = *position_;
      waiting.insert(key);
      mark.next = from;
      continue;
    }
    OLTP20_TRY(status);
    mark.expected = transaction.seq;
    mark.next = last;
  }
  for (auto& [key, mark] : at)
    if (mark.expected.value_or(mark.base) != mark.next) rest.marks.push_back(mark);
  rest.gaps = group.gaps;
  OLTP20_TRY(inbox_.apply(rest));
  // What became of the marks: the caller takes over those that moved in `rest`, and these.
  group.marks.clear();
  for (auto& [key, mark] : at)
    if (mark.expected || mark.next != mark.base) group.marks.push_back(mark);
  return {};
}

Status Destination::put_aside(const IncomingTransaction& transaction, std::string content,
                              const MarkMove& mark, const Status& why, DestinationActions* out) {
  ApplyGroup one;
  one.expected_position = position_;
  one.position = *position_;
  one.marks = {mark};
  one.dead_letters.push_back({transaction.origin,
                              transaction.epoch,
                              transaction.seq,
                              {std::move(content)},
                              sqlstate_of(why),
                              why.message()});
  OLTP20_TRY(inbox_.apply(one));
  add_exception({transaction.origin, transaction.epoch},
                {ReceiptException::Kind::dead_letter, transaction.seq - 1, transaction.seq,
                 sqlstate_of(why), why.message()});
  out->push_back(
      DestinationNotice{DestinationNotice::Kind::dead_letter,
                        refusal_text({transaction.origin, transaction.epoch}, transaction.seq, why),
                        1, one.dead_letters.front().parts.front().size()});
  return {};
}

}  // namespace oltp20::spoke
