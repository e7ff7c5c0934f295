#include <algorithm>

#include "common/base/limits.h"
#include "tests/sim/sessions.h"

namespace oltp20::sim {
namespace {

constexpr std::size_t kPage = 3;  // transactions a page, so that paging is always exercised

spoke::PendingTransaction pending_of(const CommitRecord& commit) {
  spoke::PendingTransaction out;
  out.xid = commit.xid;
  out.order = broken(Switch::order_by_first_row) ? commit.rows.front().position : commit.order;
  out.rows = static_cast<std::uint32_t>(commit.rows.size());
  for (const auto& row : commit.rows) {
    out.bytes += row.payload->size();
    out.largest_row = std::max(out.largest_row, static_cast<std::uint32_t>(row.payload->size()));
  }
  return out;
}

// Committed now, and not seen by `previous`.
std::vector<const CommitRecord*> committed_since(const DatabaseState& state,
                                                 const Snapshot& previous) {
  std::vector<const CommitRecord*> out;
  if (!broken(Switch::capture_by_highest_id))
    for (std::uint64_t xid : previous.in_progress)
      if (auto at = state.committed.find(xid); at != state.committed.end())
        out.push_back(at->second.first);
  for (auto at = state.committed.lower_bound(previous.xmax); at != state.committed.end(); ++at)
    out.push_back(at->second.first);
  std::ranges::sort(out, {}, [](const CommitRecord* c) { return pending_of(*c).order; });
  return out;
}

}  // namespace

std::vector<const CommitRecord*> transactions_of(const DatabaseState& state,
                                                 const spoke::Tick& tick) {
  std::vector<const CommitRecord*> out = committed_since(state, Snapshot::parse(tick.previous));
  Snapshot snapshot = Snapshot::parse(tick.snapshot);
  std::erase_if(out, [&](const CommitRecord* commit) { return !snapshot.sees(commit->xid); });
  return out;
}

Status Session::connect() {
  if (db_.is_down(db_.now))
    return Status(Code::unavailable, "database " + db_.name() + " is not there");
  incarnation_ = db_.incarnation();
  return {};
}

Status Session::check() const {
  if (incarnation_ == db_.incarnation()) return {};
  return Status(Code::unavailable, "not connected to database " + db_.name());
}

Result<spoke::OutboxState> OutboxSession::open() {
  OLTP20_TRY(connect());
  const DatabaseState& state = db_.state();
  spoke::OutboxState out;
  out.epoch = state.epochs.back();
  out.overlap_before = state.overlap_before;
  Epoch parent = out.epoch.parent;
  for (auto life = state.epochs.rbegin(); life != state.epochs.rend(); ++life)
    if (life->id == parent && out.ancestors.size() < limits::kAncestors) {
      out.ancestors.push_back(*life);
      parent = life->parent;
    }
  out.server = db_.server();
  out.wal_lsn = wal_lsn_ = db_.size();
  out.last_tick = state.ticks.back();
  if (auto at = state.checkpoints.find(out.epoch.id); at != state.checkpoints.end())
    out.stable = {at->second.rbegin()->first, at->second.rbegin()->second};
  out.secret = std::string(32, 's');
  return out;
}

Result<std::optional<spoke::TickResult>> OutboxSession::take_tick(const spoke::Tick& last) {
  OLTP20_TRY(check());
  const spoke::Tick& newest = db_.state().ticks.back();
  bool fits = newest.snapshot == last.snapshot && newest.number == last.number;
  if (!fits && !broken(Switch::tick_without_compare_and_set))
    return Status(Code::conflict, "another agent has taken a tick");
  std::vector<const CommitRecord*> found =
      committed_since(db_.state(), Snapshot::parse(newest.snapshot));
  if (found.empty()) return std::optional<spoke::TickResult>();
  TickRecord record;
  spoke::Tick& tick = record.tick;
  tick.number = newest.number + 1;
  tick.epoch = newest.epoch;
  tick.previous = newest.snapshot;
  tick.snapshot = db_.snapshot();
  tick.first = newest.last + 1;
  tick.last = newest.last + found.size();
  tick.server = db_.server();
  tick.wal_lsn = db_.size();
  record.xid = db_.take_xid();
  spoke::TickResult result{tick, {}};
  for (const CommitRecord* commit : found)
    if (result.head.size() < kPage) result.head.push_back(pending_of(*commit));
  OLTP20_TRY(db_.write(std::move(record), !broken(Switch::tick_without_flush)));
  return std::optional(std::move(result));
}

Result<std::vector<spoke::Tick>> OutboxSession::ticks_from(const Epoch& epoch, Seq from,
                                                           std::size_t limit) {
  OLTP20_TRY(check());
  std::vector<spoke::Tick> out;
  for (const spoke::Tick& tick : db_.state().ticks)
    if (tick.epoch == epoch && tick.last >= from && tick.last >= tick.first && out.size() < limit)
      out.push_back(tick);
  return out;
}

Result<spoke::Tick> OutboxSession::tick_at_most(const Epoch& epoch, Seq seq) {
  OLTP20_TRY(check());
  std::optional<spoke::Tick> found;
  spoke::Tick none;
  none.epoch = epoch;
  for (const spoke::Tick& tick : db_.state().ticks) {
    if (tick.epoch != epoch) continue;
    if (none.previous.empty()) none.snapshot = none.previous = tick.previous;
    if (tick.last <= seq) found = tick;
  }
  if (!found) return none;
  if (found->last == 0) found->number = 0;
  return *found;
}

Result<std::vector<spoke::PendingTransaction>> OutboxSession::transactions(const spoke::Tick& tick,
                                                                           std::int64_t after_order,
                                                                           std::size_t limit) {
  OLTP20_TRY(check());
  std::vector<spoke::PendingTransaction> out;
  for (const CommitRecord* commit : transactions_of(db_.state(), tick)) {
    spoke::PendingTransaction pending = pending_of(*commit);
    if (pending.order > after_order && out.size() < std::min(limit, kPage)) out.push_back(pending);
  }
  return out;
}

Result<std::vector<spoke::OutboxRow>> OutboxSession::rows(const std::vector<std::uint64_t>& xids,
                                                          std::int64_t after_position,
                                                          std::size_t limit) {
  OLTP20_TRY(check());
  std::vector<spoke::OutboxRow> out;
  for (std::size_t i = 0; i < xids.size(); ++i) {
    auto at = db_.state().committed.find(xids[i]);
    if (at == db_.state().committed.end())
      return Status(Code::not_found, "rows of a transaction are no longer there");
    for (const auto& row : at->second.first->rows)
      if ((i > 0 || row.position > after_position) && out.size() < limit) out.push_back(row);
  }
  return out;
}

Result<ChainPosition> OutboxSession::checkpoint_at_most(const Epoch& epoch, Seq seq) {
  OLTP20_TRY(check());
  ChainPosition found;
  auto at = db_.state().checkpoints.find(epoch);
  if (at == db_.state().checkpoints.end()) return found;
  for (const auto& [of, chain] : at->second)
    if (of <= seq) found = {of, chain};
  return found;
}

Status OutboxSession::write_checkpoint(const Epoch& epoch, const ChainPosition& position,
                                       const std::string&) {
  OLTP20_TRY(check());
  auto at = db_.state().checkpoints.find(epoch);
  if (at != db_.state().checkpoints.end())
    if (auto known = at->second.find(position.seq); known != at->second.end())
      return known->second == position.chain
                 ? Status()
                 : Status(Code::conflict, "a checkpoint with another chain is recorded already");
  return db_.write(CheckpointRecord{epoch, position}, true);
}

Status OutboxSession::record_rejection(const Epoch& epoch, const spoke::Rejection& rejection,
                                       std::uint64_t) {
  OLTP20_TRY(check());
  if (broken(Switch::refusal_not_recorded)) return {};
  auto at = db_.state().rejections.find(epoch);
  if (at != db_.state().rejections.end() && at->second.contains(rejection.seq)) return {};
  return db_.write(RejectionRecord{epoch, rejection}, true);
}

Result<std::vector<spoke::Rejection>> OutboxSession::rejections(const Epoch& epoch, Seq after) {
  OLTP20_TRY(check());
  std::vector<spoke::Rejection> out;
  auto at = db_.state().rejections.find(epoch);
  if (at == db_.state().rejections.end()) return out;
  for (const auto& [seq, rejection] : at->second)
    if (seq > after) out.push_back(rejection);
  return out;
}

Status OutboxSession::write_receipts(const std::vector<DestinationReceipt>& receipts) {
  OLTP20_TRY(check());
  return db_.write(ReceiptsRecord{receipts}, false);
}

Result<bool> OutboxSession::somebody_waits() {
  OLTP20_TRY(check());
  return db_.dice().chance(5);
}

Status OutboxSession::begin_epoch(const EpochInfo& epoch, const spoke::Tick& from, Seq network_has,
                                  const std::string&) {
  OLTP20_TRY(check());
  const DatabaseState& state = db_.state();
  if (state.epochs.back().id == epoch.id) return {};
  if (state.epochs.back().id != epoch.parent)
    return Status(Code::conflict, "the current epoch is not the parent");
  EpochRecord record{epoch, {}, network_has, db_.next_xid()};
  record.anchor.number = state.ticks.back().number + 1;
  record.anchor.epoch = epoch.id;
  record.anchor.snapshot = from.snapshot.empty() ? "3:3:" : from.snapshot;
  record.anchor.previous = record.anchor.snapshot;
  record.anchor.server = db_.server();
  record.anchor.wal_lsn = wal_lsn_;
  return db_.write(std::move(record), true);
}

Status OutboxSession::set_asleep(bool asleep) {
  OLTP20_TRY(check());
  db_.asleep = asleep;
  return {};
}

}  // namespace oltp20::sim
