#include <algorithm>

#include "tests/sim/sessions.h"

namespace oltp20::sim {

std::string poison_mark(const std::string& spoke) {
  return "!" + spoke + "!";
}

Result<spoke::InboxState> InboxSession::open(const std::string& hub) {
  hub_ = hub;
  large_.reset();
  OLTP20_TRY(connect());
  const DatabaseState* state = &db_.state();
  if (state->lives.empty() || !(state->lives.back().server == db_.server())) {
    LifeRecord life{id_of<Incarnation>(db_.dice().next(), db_.dice().next()), db_.server()};
    OLTP20_TRY(db_.write(life, true));
  }
  spoke::InboxState out;
  out.database = state->lives.back().incarnation;
  if (auto at = state->positions.find(hub); at != state->positions.end()) out.position = at->second;
  for (const GapState& hole : state->gaps)
    if (!hole.closed && !hole.gap.origin.empty())
      out.held_back.push_back({hole.gap.origin, hole.gap.epoch});
  for (const auto& [key, mark] : state->marks) out.marks.push_back(mark);
  for (const auto& [key, life] : state->known) out.epochs.push_back({key.origin, life});
  using Kind = ReceiptException::Kind;
  for (const spoke::DeadLetter& letter : state->dead_letters)
    out.exceptions.push_back({{letter.origin, letter.epoch},
                              {Kind::dead_letter, letter.seq - 1, letter.seq, "", letter.error}});
  for (const GapState& hole : state->gaps) {
    if (hole.gap.origin.empty()) continue;
    (hole.closed ? out.exceptions : out.holes)
        .push_back({{hole.gap.origin, hole.gap.epoch},
                    {Kind::given_up, hole.gap.from, hole.gap.to, "", hole.gap.reason}});
  }
  written_ = db_.size();
  return out;
}

Status InboxSession::check_mark(const spoke::MarkMove& move) const {
  if (broken(Switch::mark_without_compare_and_set)) return {};
  auto at = db_.state().marks.find({move.origin, move.epoch});
  bool there = at != db_.state().marks.end();
  if (move.expected ? there && at->second.seq == *move.expected : !there) return {};
  return Status(Code::conflict, "the mark of " + move.origin + " is not where it was");
}

Status InboxSession::check_position(const std::optional<StreamPosition>& expected) const {
  if (broken(Switch::mark_without_compare_and_set)) return {};
  auto at = db_.state().positions.find(hub_);
  bool there = at != db_.state().positions.end();
  if (expected ? there && at->second == *expected : !there) return {};
  return Status(Code::conflict, "the position in the stream is not the expected one");
}

Status InboxSession::add(const spoke::IncomingTransaction& in, ApplyRecord* record) const {
  ApplyRecord::Transaction out;
  out.key = {in.origin, in.epoch};
  out.seq = in.seq;
  auto brought = [&](const RowId& id, const spoke::Overlap& overlap) {
    auto beyond = [&](const Epoch& epoch, Seq seq) {
      return epoch == overlap.epoch && seq > overlap.after;
    };
    auto at = db_.state().received_ids.find({in.origin, id});
    if (at != db_.state().received_ids.end())
      for (const auto& [epoch, seq] : at->second)
        if (beyond(epoch, seq)) return true;
    for (const auto& earlier : record->transactions)
      if (earlier.key.origin == in.origin && beyond(earlier.key.epoch, earlier.seq))
        for (const auto& row : earlier.rows)
          if (row.id == id) return true;
    return false;
  };
  auto known = [&](const RowId& id) {
    return std::ranges::any_of(in.overlaps, [&](const auto& o) { return brought(id, o); });
  };
  for (const auto& row : in.rows) {
    std::string payload(row.row.payload.value_or(""));
    if (payload.find(poison_mark(db_.name())) != std::string::npos)
      return Status(Code::invalid, "SQLSTATE 22P05: the database refuses it");
    if (known(row.row.id) && !broken(Switch::overlap_not_recognised)) {
      out.skipped.push_back(row.row.id);
    } else {
      out.rows.push_back({in.origin, in.epoch, in.seq, row.position, row.row.id,
                          std::string(row.row.type), payload});
    }
  }
  // A large transaction comes in several calls.
  if (!record->transactions.empty() && record->transactions.back().key == out.key &&
      record->transactions.back().seq == out.seq) {
    auto& last = record->transactions.back();
    last.rows.insert(last.rows.end(), out.rows.begin(), out.rows.end());
    last.skipped.insert(last.skipped.end(), out.skipped.begin(), out.skipped.end());
  } else {
    record->transactions.push_back(std::move(out));
  }
  return {};
}

Status InboxSession::apply(const spoke::ApplyGroup& group) {
  OLTP20_TRY(check());
  CHECK(!large_);
  for (const auto& mark : group.marks) OLTP20_TRY(check_mark(mark));
  OLTP20_TRY(check_position(group.expected_position));
  ApplyRecord record;
  record.hub = hub_;
  record.position = group.position;
  for (const auto& transaction : group.transactions) OLTP20_TRY(add(transaction, &record));
  record.marks = group.marks;
  record.epochs = group.epochs;
  record.dead_letters = group.dead_letters;
  record.gaps = group.gaps;
  record.another_stream = group.another_stream;
  if (broken(Switch::marks_apart_from_rows) && !record.transactions.empty()) {
    ApplyRecord rows = record;
    rows.position.reset();
    rows.marks.clear();
    record.transactions.clear();
    OLTP20_TRY(db_.write(std::move(rows), false));
  }
  Status status = db_.write(std::move(record), group.durable);
  written_ = db_.size();
  return status;
}

Status InboxSession::begin_large(const spoke::MarkMove& mark) {
  OLTP20_TRY(check());
  CHECK(!large_);
  OLTP20_TRY(check_mark(mark));
  large_.emplace();
  large_->hub = hub_;
  large_->marks.push_back(mark);
  return {};
}

Status InboxSession::begin_dead_letter(const spoke::MarkMove& mark,
                                       const spoke::DeadLetter& letter) {
  OLTP20_TRY(begin_large(mark));
  large_->dead_letters.push_back(letter);
  return {};
}

Status InboxSession::add_part(std::string_view part) {
  Status status = check();
  if (status) {
    CHECK(large_);
    large_->dead_letters.back().parts.emplace_back(part);
  } else {
    large_.reset();
  }
  return status;
}

Status InboxSession::add_rows(const spoke::IncomingTransaction& rows) {
  Status status = check();
  if (status) {
    CHECK(large_);
    status = add(rows, &*large_);
  }
  if (!status) large_.reset();
  return status;
}

Status InboxSession::commit_large(const std::optional<StreamPosition>& expected,
                                  const StreamPosition& next) {
  Status status = check();
  if (status) status = check_position(expected);
  if (status) {
    CHECK(large_);
    large_->position = next;
    status = db_.write(std::move(*large_), false);
    written_ = db_.size();
  }
  large_.reset();
  return status;
}

Result<std::uint64_t> InboxSession::flushed(bool at_once) {
  OLTP20_TRY(check());
  if (broken(Switch::durable_before_flush)) return written_;
  if (at_once || db_.dice().chance(30)) db_.flush();  // sooner or later it is flushed by itself
  return std::min(db_.flushed(), written_);
}

}  // namespace oltp20::sim
