#include "tests/support/model_database.h"

#include <algorithm>

namespace oltp20::tests {
namespace {

template <typename Id>
Id id_of(std::uint64_t value, std::uint8_t salt) {
  std::string raw(Id::size, '\0');
  std::memcpy(raw.data(), &value, sizeof(value));
  raw.back() = static_cast<char>(salt);
  return Id::from(raw);
}

}  // namespace

ModelDatabase::ModelDatabase(std::uint8_t salt) {
  epoch.id = id_of<Epoch>(1, salt);
  id_salt = salt;
  epochs.push_back(epoch);
}

void ModelDatabase::commit(const std::vector<ModelRow>& rows) {
  Transaction transaction;
  transaction.xid = next_xid++;
  for (const ModelRow& row : rows) {
    spoke::OutboxRow out;
    out.xid = transaction.xid;
    out.position = next_position++;
    out.id = id_of<RowId>(static_cast<std::uint64_t>(out.position), id_salt);
    out.type = row.type;
    out.payload = row.payload;
    if (!row.destination.empty()) out.destination = row.destination;
    out.sent_at_us = out.position;
    transaction.rows.push_back(std::move(out));
  }
  committed.push_back(std::move(transaction));
}

void ModelDatabase::close_gap(const std::string& origin) {
  for (Gap& gap : gaps) {
    if (gap.gap.origin != origin || gap.closed) continue;
    gap.closed = gap.given_up = true;
    marks[{gap.gap.origin, gap.gap.epoch}].seq = gap.gap.to;
    for (auto& [hub, position] : positions) position = gap.gap.before;
  }
}

void ModelDatabase::retry_gap(const std::string& origin) {
  for (Gap& gap : gaps) {
    if (gap.gap.origin != origin || gap.closed) continue;
    gap.closed = true;
    for (auto& [hub, position] : positions) position = gap.gap.before;
  }
}

std::vector<std::string> ModelDatabase::payloads() const {
  std::vector<std::string> out;
  for (const Received& row : received) out.push_back(row.payload);
  return out;
}

std::vector<ModelDatabase::Gap> ModelDatabase::gaps_of(const std::string& origin) const {
  std::vector<Gap> out;
  for (const Gap& gap : gaps)
    if (gap.gap.origin == origin) out.push_back(gap);
  return out;
}

// ---- outbox -------------------------------------------------------------------------------------

Result<spoke::OutboxState> ModelOutbox::open() {
  spoke::OutboxState state;
  state.epoch = db_.epoch;
  state.overlap_before = db_.overlap_before;
  Epoch parent = db_.epoch.parent;
  for (auto life = db_.epochs.rbegin(); life != db_.epochs.rend(); ++life)
    if (life->id == parent) {
      state.ancestors.push_back(*life);
      parent = life->parent;
    }
  state.server = db_.server;
  state.wal_lsn = db_.next_xid;
  if (!db_.ticks.empty()) state.last_tick = db_.ticks.back().tick;
  auto& checkpoints = db_.checkpoints[db_.epoch.id];
  if (!checkpoints.empty())
    state.stable = {checkpoints.rbegin()->first, checkpoints.rbegin()->second};
  state.secret = std::string(32, 's');
  state.receipts_off = db_.receipts_off;
  return state;
}

Result<std::optional<spoke::TickResult>> ModelOutbox::take_tick(const spoke::Tick& last) {
  if (!db_.ticks.empty() && db_.ticks.back().tick.number != last.number)
    return Status(Code::conflict, "another agent has taken a tick");
  if (db_.captured == db_.committed.size()) return std::optional<spoke::TickResult>();
  ModelDatabase::TickRecord record;
  record.from = db_.captured;
  record.to = db_.captured = db_.committed.size();
  record.tick.number = last.number + 1;
  record.tick.epoch = db_.epoch.id;
  record.tick.first = last.epoch == db_.epoch.id || last.number == 0 ? last.last + 1 : 1;
  record.tick.last = record.tick.first + (record.to - record.from) - 1;
  record.tick.server = db_.server;
  record.tick.wal_lsn = db_.next_xid;
  db_.ticks.push_back(record);
  spoke::TickResult result{record.tick, *transactions(record.tick, INT64_MIN, 3)};
  return std::optional(std::move(result));
}

Result<std::vector<spoke::Tick>> ModelOutbox::ticks_from(const Epoch& epoch, Seq from,
                                                         std::size_t limit) {
  std::vector<spoke::Tick> out;
  for (const auto& record : db_.ticks)
    if (record.tick.epoch == epoch && record.tick.last >= from && out.size() < limit)
      out.push_back(record.tick);
  return out;
}

Result<spoke::Tick> ModelOutbox::tick_at_most(const Epoch& epoch, Seq seq) {
  spoke::Tick found;
  for (const auto& record : db_.ticks)
    if (record.tick.epoch == epoch && record.tick.last <= seq) found = record.tick;
  return found;
}

// Pages of at most three transactions, so that paging is always exercised.
Result<std::vector<spoke::PendingTransaction>> ModelOutbox::transactions(const spoke::Tick& tick,
                                                                         std::int64_t after,
                                                                         std::size_t limit) {
  std::vector<spoke::PendingTransaction> out;
  for (const auto& record : db_.ticks) {
    if (record.tick.number != tick.number) continue;
    for (std::size_t i = record.from; i < record.to && out.size() < std::min<std::size_t>(limit, 3);
         ++i) {
      const auto& transaction = db_.committed[i];
      spoke::PendingTransaction pending;
      pending.xid = transaction.xid;
      pending.order = transaction.rows.back().position;
      pending.rows = static_cast<std::uint32_t>(transaction.rows.size());
      if (auto at = db_.pretended_rows.find(pending.xid); at != db_.pretended_rows.end())
        pending.rows = at->second;
      for (const auto& row : transaction.rows) {
        pending.bytes += row.payload->size();
        pending.largest_row =
            std::max(pending.largest_row, static_cast<std::uint32_t>(row.payload->size()));
      }
      if (pending.order > after) out.push_back(pending);
    }
  }
  return out;
}

Result<std::vector<spoke::OutboxRow>> ModelOutbox::rows(const std::vector<std::uint64_t>& xids,
                                                        std::int64_t after, std::size_t limit) {
  std::vector<spoke::OutboxRow> out;
  for (std::size_t i = 0; i < xids.size(); ++i)
    for (const auto& transaction : db_.committed)
      if (transaction.xid == xids[i])
        for (const auto& row : transaction.rows)
          if ((i > 0 || row.position > after) && out.size() < limit) out.push_back(row);
  largest_page = std::max(largest_page, out.size());
  return out;
}

Result<ChainPosition> ModelOutbox::checkpoint_at_most(const Epoch& epoch, Seq seq) {
  ChainPosition found;
  for (const auto& [at, chain] : db_.checkpoints[epoch])
    if (at <= seq) found = {at, chain};
  return found;
}

Status ModelOutbox::write_checkpoint(const Epoch& epoch, const ChainPosition& position,
                                     const std::string&) {
  db_.checkpoints[epoch][position.seq] = position.chain;
  return {};
}

Status ModelOutbox::record_rejection(const Epoch& epoch, const spoke::Rejection& rejection,
                                     std::uint64_t) {
  db_.rejected[epoch][rejection.seq] = rejection;
  return {};
}

Result<std::vector<spoke::Rejection>> ModelOutbox::rejections(const Epoch& epoch, Seq after) {
  std::vector<spoke::Rejection> out;
  for (const auto& [seq, rejection] : db_.rejected[epoch])
    if (seq > after) out.push_back(rejection);
  return out;
}

Status ModelOutbox::write_receipts(const std::vector<DestinationReceipt>& receipts) {
  for (const DestinationReceipt& receipt : receipts) {
    db_.receipts[{receipt.destination, receipt.receipt.epoch}] = receipt;
    db_.receipt_log.push_back(receipt);
  }
  return {};
}

Status ModelOutbox::begin_epoch(const EpochInfo& epoch, const spoke::Tick& from, Seq,
                                const std::string&) {
  db_.captured = 0;
  for (const auto& record : db_.ticks)
    if (from.number != 0 && record.tick.number == from.number) db_.captured = record.to;
  if (epoch.fork.seq > 0) db_.checkpoints[epoch.parent].emplace(epoch.fork.seq, epoch.fork.chain);
  ModelDatabase::TickRecord anchor;
  anchor.from = anchor.to = db_.captured;
  anchor.tick.number = db_.ticks.empty() ? 1 : db_.ticks.back().tick.number + 1;
  anchor.tick.epoch = epoch.id;
  anchor.tick.server = db_.server;
  anchor.tick.wal_lsn = db_.next_xid;
  db_.ticks.push_back(anchor);
  db_.epoch = epoch;
  db_.overlap_before = db_.next_xid;
  db_.epochs.push_back(epoch);
  return {};
}

Status ModelOutbox::set_asleep(bool) {
  return {};
}

// ---- inbox --------------------------------------------------------------------------------------

Result<spoke::InboxState> ModelInbox::open(const std::string& hub) {
  hub_ = hub;
  large_.reset();
  spoke::InboxState state;
  state.database = id_of<Incarnation>(7, db_.epoch.id.bytes.back());
  if (auto at = db_.positions.find(hub); at != db_.positions.end()) state.position = at->second;
  for (const auto& [key, mark] : db_.marks) state.marks.push_back(mark);
  for (const auto& [key, life] : db_.known) state.epochs.push_back({key.origin, life});
  for (const auto& gap : db_.gaps)
    if (!gap.closed && !gap.gap.origin.empty())
      state.held_back.push_back({gap.gap.origin, gap.gap.epoch});
  using Kind = ReceiptException::Kind;
  for (const auto& letter : db_.dead_letters)
    state.exceptions.push_back({{letter.origin, letter.epoch},
                                {Kind::dead_letter, letter.seq - 1, letter.seq, "", letter.error}});
  for (const auto& gap : db_.gaps) {
    std::pair<OriginEpoch, ReceiptException> hole{
        {gap.gap.origin, gap.gap.epoch},
        {Kind::given_up, gap.gap.from, gap.gap.to, "", gap.gap.reason}};
    if (!gap.closed && !gap.gap.origin.empty()) state.holes.push_back(hole);
    if (gap.given_up) state.exceptions.push_back(hole);
  }
  ++db_.commits;  // what is read
  return state;
}

Status ModelInbox::move(ModelDatabase* db, const spoke::MarkMove& move) const {
  auto at = db->marks.find({move.origin, move.epoch});
  bool matches = move.expected ? at != db->marks.end() && at->second.seq == *move.expected
                               : at == db->marks.end();
  if (!matches) return Status(Code::conflict, "the mark is not where it was");
  db->marks[{move.origin, move.epoch}] = {move.origin, move.epoch, move.base, move.next};
  return {};
}

Status ModelInbox::insert(ModelDatabase* db, const spoke::IncomingTransaction& transaction) const {
  for (const auto& row : transaction.rows) {
    std::string payload(row.row.payload.value_or(""));
    if (!db->poison.empty() && payload == db->poison)
      return Status(Code::invalid, "the database refuses it (SQLSTATE 22P05)");
    if (!db->locked.empty() && payload == db->locked)
      return Status(Code::exhausted, "somebody holds a lock (SQLSTATE 55P03)");
    bool known = std::ranges::any_of(transaction.overlaps, [&](const spoke::Overlap& overlap) {
      return std::ranges::any_of(db->received, [&](const ModelDatabase::Received& r) {
        return r.origin == transaction.origin && r.epoch == overlap.epoch &&
               r.seq > overlap.after && r.id == row.row.id;
      });
    });
    if (!known)
      db->received.push_back({transaction.origin, transaction.epoch, transaction.seq, row.position,
                              row.row.id, std::string(row.row.type), payload});
  }
  return {};
}

Status ModelInbox::apply(const spoke::ApplyGroup& group) {
  CHECK(!large_);
  ModelDatabase next = db_;
  auto at = next.positions.find(hub_);
  bool matches = group.expected_position
                     ? at != next.positions.end() && at->second == *group.expected_position
                     : at == next.positions.end();
  if (!matches) return Status(Code::conflict, "the stream's position is not where it was");
  next.positions[hub_] = group.position;
  for (const auto& mark : group.marks) OLTP20_TRY(move(&next, mark));
  for (const auto& known : group.epochs) next.known[{known.origin, known.life.id}] = known.life;
  for (const auto& transaction : group.transactions) OLTP20_TRY(insert(&next, transaction));
  if (group.another_stream)
    for (auto& gap : next.gaps)
      if (!gap.closed) gap.gap.before = group.position;
  for (const auto& gap : group.gaps) next.gaps.push_back({gap, false});
  next.dead_letters.insert(next.dead_letters.end(), group.dead_letters.begin(),
                           group.dead_letters.end());
  ++next.commits;
  db_ = std::move(next);
  return {};
}

Status ModelInbox::begin_large(const spoke::MarkMove& mark) {
  CHECK(!large_);
  large_ = db_;
  return move(&*large_, mark);
}

Status ModelInbox::add_rows(const spoke::IncomingTransaction& rows) {
  return insert(&*large_, rows);
}

Status ModelInbox::begin_dead_letter(const spoke::MarkMove& mark, const spoke::DeadLetter& letter) {
  OLTP20_TRY(begin_large(mark));
  large_->dead_letters.push_back(letter);
  return {};
}

Status ModelInbox::add_part(std::string_view part) {
  large_->dead_letters.back().parts.emplace_back(part);
  return {};
}

Status ModelInbox::commit_large(const std::optional<StreamPosition>& expected,
                                const StreamPosition& next) {
  if (large_->positions[hub_] != expected) return Status(Code::conflict, "the position moved");
  large_->positions[hub_] = next;
  db_ = std::move(*large_);
  ++db_.commits;
  large_.reset();
  return {};
}

}  // namespace oltp20::tests
