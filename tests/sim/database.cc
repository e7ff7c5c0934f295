#include "tests/sim/database.h"

#include <algorithm>

namespace oltp20::sim {
namespace {

// PostgreSQL logs a sequence 32 numbers ahead, so a crash leaves a gap.
constexpr std::int64_t kSequenceAhead = 32;

}  // namespace

Snapshot Snapshot::parse(const std::string& text) {
  Snapshot out;
  std::size_t first = text.find(':'), second = text.find(':', first + 1);
  out.xmax = std::stoull(text.substr(first + 1, second - first - 1));
  for (std::size_t at = second + 1; at < text.size();) {
    std::size_t end = std::min(text.find(',', at), text.size());
    out.in_progress.insert(std::stoull(text.substr(at, end - at)));
    at = end + 1;
  }
  return out;
}

void DatabaseState::add(const Record& record, std::size_t lsn) {
  std::visit(
      Overloaded{
          [&](const CommitRecord& r) {
            committed[r.xid] = {&r, lsn};
            next_xid = std::max(next_xid, r.xid + 1);
            next_position = std::max(next_position, r.order + 1);
          },
          [&](const TickRecord& r) {
            ticks.push_back(r.tick);
            next_xid = std::max(next_xid, r.xid + 1);
          },
          [&](const CheckpointRecord& r) {
            checkpoints[r.epoch][r.position.seq] = r.position.chain;
          },
          [&](const RejectionRecord& r) {
            rejections[r.epoch].emplace(r.rejection.seq, r.rejection);
          },
          [&](const EpochRecord& r) {
            epochs.push_back(r.epoch);
            ticks.push_back(r.anchor);
            overlap_before = r.overlap_before;
          },
          [&](const ApplyRecord& r) {
            if (r.position) positions[r.hub] = *r.position;
            for (const auto& move : r.marks)
              marks[{move.origin, move.epoch}] = {move.origin, move.epoch, move.base, move.next};
            for (const auto& life : r.epochs)
              known.emplace(OriginEpoch{life.origin, life.life.id}, life.life);
            for (const auto& transaction : r.transactions)
              for (const auto& row : transaction.rows) {
                received.push_back(row);
                received_ids[{row.origin, row.id}].push_back({row.epoch, row.seq});
              }
            for (const auto& letter : r.dead_letters) {
              bool kept = std::ranges::any_of(dead_letters, [&](const spoke::DeadLetter& other) {
                return other.origin == letter.origin && other.epoch == letter.epoch &&
                       other.seq == letter.seq;
              });
              if (!kept) dead_letters.push_back(letter);
            }
            if (r.another_stream)
              for (GapState& hole : gaps)
                if (!hole.closed && hole.hub == r.hub) hole.gap.before = *r.position;
            for (const auto& gap : r.gaps) {
              bool waits = std::ranges::any_of(gaps, [&](const GapState& other) {
                return !other.closed && !gap.origin.empty() && other.gap.origin == gap.origin &&
                       other.gap.epoch == gap.epoch;
              });
              if (!waits) gaps.push_back({gap, r.hub, false});
            }
          },
          [&](const GapClosedRecord& r) {
            GapState& hole = gaps[r.gap];
            hole.closed = true;
            if (hole.gap.origin.empty()) return;
            OriginEpoch key{hole.gap.origin, hole.gap.epoch};
            auto [mark, fresh] = marks.try_emplace(
                key, spoke::Mark{key.origin, key.epoch, hole.gap.to, hole.gap.to});
            if (!fresh) mark->second.seq = std::max(mark->second.seq, hole.gap.to);
            auto position = positions.find(hole.hub);
            if (position != positions.end() &&
                position->second.incarnation == hole.gap.before.incarnation &&
                position->second.lsn > hole.gap.before.lsn)
              position->second = hole.gap.before;
          },
          [&](const LifeRecord& r) { lives.push_back(r); },
          [&](const ReceiptsRecord& r) {
            for (const DestinationReceipt& receipt : r.receipts)
              receipts[{receipt.destination, receipt.receipt.epoch}] = receipt;
          },
      },
      record);
}

Database::Database(std::string name, std::uint64_t seed)
    : name_(std::move(name)), dice_(seed, "database " + name_), server_{"server-" + name_, 1} {
  EpochRecord first;
  first.epoch.id = id_of<Epoch>(dice_.next(), dice_.next());
  first.anchor.epoch = first.epoch.id;
  first.anchor.server = server_;
  first.anchor.previous = first.anchor.snapshot = "3:3:";
  append(first);
  flush();
}

void Database::append(Record record) {
  log_.push_back({std::make_shared<const Record>(std::move(record)), now, server_.timeline});
  state_.add(*log_.back().record, log_.size());
  if (on_write) on_write(*log_.back().record);
}

// ---- the application ----------------------------------------------------------------------------

std::uint64_t Database::begin() {
  std::uint64_t xid = take_xid();
  open_[xid];
  return xid;
}

void Database::insert(std::uint64_t xid, spoke::OutboxRow row) {
  auto at = open_.find(xid);
  if (at == open_.end()) return;
  row.xid = xid;
  row.position = state_.next_position++;
  at->second.rows.push_back(std::move(row));
}

bool Database::draw_order(std::uint64_t xid) {
  auto at = open_.find(xid);
  if (at == open_.end()) return false;
  at->second.order = state_.next_position++;
  return true;
}

bool Database::commit(std::uint64_t xid, std::size_t transaction, bool synchronous) {
  auto at = open_.find(xid);
  if (at == open_.end()) return false;
  CommitRecord record{xid, at->second.order, std::move(at->second.rows), transaction};
  open_.erase(at);
  append(std::move(record));
  if (synchronous) flush();
  if (asleep) {
    asleep = false;
    if (on_notify) on_notify();
  }
  return true;
}

std::string Database::snapshot() const {
  std::uint64_t xmax = 3;
  if (!state_.committed.empty()) xmax = state_.committed.rbegin()->first + 1;
  std::string in_progress;
  std::uint64_t xmin = xmax;
  for (const auto& [xid, open] : open_) {
    if (xid >= xmax) continue;
    xmin = std::min(xmin, xid);
    in_progress += (in_progress.empty() ? "" : ",") + std::to_string(xid);
  }
  return std::to_string(xmin) + ":" + std::to_string(xmax) + ":" + in_progress;
}

bool Database::is_captured() const {
  Snapshot seen = Snapshot::parse(state_.ticks.back().snapshot);
  for (std::uint64_t xid : seen.in_progress)
    if (state_.committed.contains(xid)) return false;
  return state_.committed.lower_bound(seen.xmax) == state_.committed.end();
}

// ---- faults -------------------------------------------------------------------------------------

void Database::cut(std::size_t records, bool restored) {
  for (std::size_t i = records; i < log_.size(); ++i)
    if (const auto* commit = std::get_if<CommitRecord>(log_[i].record.get()); commit && on_lost)
      on_lost(commit->transaction, restored);
  log_.resize(records);
  open_.clear();
  ++starts_;
  asleep = false;
  ++incarnation_;
  state_ = {};
  for (std::size_t i = 0; i < log_.size(); ++i) state_.add(*log_[i].record, i + 1);
  state_.next_position += kSequenceAhead;
  flush();
}

void Database::crash() {
  cut(flushed_ + dice_.below(log_.size() - flushed_ + 1), false);
}

void Database::restore(std::size_t records, bool promoted) {
  cut(std::clamp<std::size_t>(records, 1, log_.size()), true);
  server_.timeline = promoted ? ++newest_timeline_ : log_.back().timeline;
}

std::size_t Database::records_at(Micros time) const {
  std::size_t records = 0;
  while (records < log_.size() && log_[records].at <= time) ++records;
  return records;
}

std::size_t Database::records_of_life(bool with_its_first_tick) const {
  std::size_t records = log_.size();
  for (std::size_t i = log_.size(); i > 0; --i) {
    if (std::get_if<TickRecord>(log_[i - 1].record.get())) records = i;
    if (std::get_if<EpochRecord>(log_[i - 1].record.get()))
      return with_its_first_tick ? records : i;
  }
  return records;
}

void Database::close_gap(std::size_t gap) {
  append(GapClosedRecord{gap});
  flush();
}

std::optional<Seq> Database::durable_mark(const OriginEpoch& key) const {
  Seq given_up = 0;  // behind what is looked at
  for (std::size_t i = flushed_; i > 0; --i) {
    const Record& record = *log_[i - 1].record;
    if (const auto* closed = std::get_if<GapClosedRecord>(&record)) {
      const spoke::Gap& gap = state_.gaps[closed->gap].gap;
      if (OriginEpoch{gap.origin, gap.epoch} == key) given_up = std::max(given_up, gap.to);
    }
    if (const auto* applied = std::get_if<ApplyRecord>(&record))
      for (const spoke::MarkMove& move : applied->marks)
        if (OriginEpoch{move.origin, move.epoch} == key) return std::max(move.next, given_up);
  }
  return given_up == 0 ? std::nullopt : std::optional<Seq>(given_up);
}

Status Database::write(Record record, bool flush_it) {
  bool lost = std::exchange(doubt_, false);
  bool happens = !lost || dice_.chance(50);
  if (happens) {
    append(std::move(record));
    if (flush_it) flush();
  }
  if (!lost) return {};
  ++incarnation_;  // the connection is gone
  return Status(Code::unavailable, "the connection was lost before the answer to COMMIT");
}

}  // namespace oltp20::sim
