#include "tests/sim/checks.h"

#include <algorithm>

#include "common/base/limits.h"
#include "common/wire/envelope.h"
#include "hub/journal/verify.h"
#include "tests/sim/world.h"

namespace oltp20::sim {
namespace {

std::string name_of(const std::string& origin, const Epoch& epoch, Seq seq) {
  return origin + "/" + to_hex(epoch).substr(0, 6) + "/" + std::to_string(seq);
}

// Rows that a part discloses, with their ids.
std::vector<RowId> ids_of(const PartView& view) {
  std::vector<RowId> out;
  for (const RowSlice& slice : view.rows)
    if (!slice.withheld)
      if (Result<MessageRow> row = parse_row(slice); row) out.push_back(row->id);
  return out;
}

}  // namespace

void Checks::fail(const std::string& check, const std::string& text) {
  if (!breach_) breach_ = Breach{check, text, world_.now()};
}

// ---- permission, identity -----------------------------------------------------------------------

// At the moment of sending, exactly the rows that the destination wants and may have, of exactly
// the transaction that was committed.
void Checks::delivery_is_permitted(const Hub& hub, hub::LinkId id, const DeliverDown& frame) {
  const auto* batch = std::get_if<DeliverBatch>(&frame);
  LinkPtr link = world_.find(id);
  if (!batch || !link) return;
  const Oracle& oracle = world_.oracle();
  for (const DeliverItem& item : batch->items) {
    const auto* part = std::get_if<DeliverPart>(&item);
    if (!part) continue;
    Result<PartView> view = PartView::parse(*part->bytes);
    if (!view) return fail("identity", "a part that cannot be read is delivered");
    const TransactionHeader& header = view->header;
    std::string name = name_of(header.origin, header.epoch, header.seq);
    std::vector<RowId> sent = ids_of(*view);
    std::vector<RowId>& all =
        disclosed_[{link->spoke, header.origin, header.epoch, header.seq}][id];
    all.insert(all.end(), sent.begin(), sent.end());
    for (const RowId& row : sent) {
      auto place = oracle.find(row);
      if (!place || oracle.transactions()[place->transaction].origin != header.origin)
        return fail("identity", name + " holds a row that its origin never wrote");
      if (!oracle.is_for(link->spoke, header.origin, oracle.row(*place), hub.policy(),
                         link->subscribe))
        return fail("permission", link->spoke + " is sent a row of " + name + " of type " +
                                      oracle.row(*place).type + " to " +
                                      oracle.row(*place).destination);
    }
  }
}

void Checks::part_is_permitted(const Hub& hub, const std::string& bytes) {
  Result<PartView> view = PartView::parse(bytes);
  if (!view) return fail("identity", "a part that cannot be read is journaled");
  if (view->header.tombstone) return;
  const TransactionHeader& header = view->header;
  std::string name = name_of(header.origin, header.epoch, header.seq);
  const Oracle& oracle = world_.oracle();
  if (std::vector<RowId> ids = ids_of(*view); view->part_no == 0 && !ids.empty())
    if (auto place = oracle.find(ids.front()))
      learn({header.origin, header.epoch}, header.seq, *place);
  for (const RowId& id : ids_of(*view)) {
    auto place = oracle.find(id);
    if (!place || oracle.transactions()[place->transaction].origin != header.origin)
      return fail("identity",
                  name + ", which is journaled, holds a row that its origin never wrote");
    if (oracle.transactions()[place->transaction].rows.size() != header.rows)
      return fail("whole", name + " is journaled with " + std::to_string(header.rows) + " rows");
    bool permitted = std::ranges::any_of(hub.policies_of_group(), [&](std::size_t version) {
      return oracle.may_publish(header.origin, oracle.row(*place), version);
    });
    if (!permitted)
      return fail("permission", name + " is journaled with a row of type " +
                                    oracle.row(*place).type + ", which its origin may not publish");
  }
}

// Where a life put a transaction; its database may forget it, and hubs lose it.
void Checks::learn(const OriginEpoch& key, Seq seq, Oracle::Place place) {
  std::vector<Capture>& captures = captures_[place.transaction];
  bool known =
      std::ranges::any_of(captures, [&](const Capture& c) { return c.key == key && c.seq == seq; });
  if (!known) captures.push_back({key, seq, place.transaction});
}

void Checks::group_is_permitted(const Hub& hub, const hub::Group& group) {
  for (const hub::StoredPart& part : group.parts) part_is_permitted(hub, part.bytes);
  for (const hub::EntryPtr& entry : group.entries)
    if (entry->kind == hub::Entry::Kind::transaction && entry->parts == 1)
      part_is_permitted(hub, entry->part);
}

// Acknowledged is what the journal's disk has; refused is what policy forbids at this moment.
void Checks::hub_says(const Hub& hub, hub::LinkId id, const ForwardDown& frame) {
  LinkPtr link = world_.find(id);
  if (!link || hostile_.contains(id)) return;
  auto on_disk = [&](Seq seq, const Hash& chain) {
    for (const hub::OriginState& state : hub.journal().origins())
      if (state.origin == link->spoke && state.last.seq == seq && state.last.chain == chain)
        return true;
    return false;
  };
  if (const auto* ack = std::get_if<ForwardAck>(&frame);
      ack && !on_disk(ack->journaled, ack->chain))
    fail("acknowledged is durable", hub.name() + " acknowledges " + std::to_string(ack->journaled) +
                                        " of " + link->spoke + ", and its disk does not have it");
  if (const auto* welcome = std::get_if<ForwardWelcome>(&frame);
      welcome && welcome->held.seq != 0 && !on_disk(welcome->held.seq, welcome->held.chain))
    fail("acknowledged is durable", hub.name() + " says that it holds " +
                                        std::to_string(welcome->held.seq) + " of " + link->spoke +
                                        ", and its disk does not have it");
  if (std::get_if<ForwardRefusal>(&frame)) ++counts_.refused;
  Seq told = 0;
  if (const auto* ack = std::get_if<ForwardAck>(&frame)) told = ack->journaled;
  if (const auto* welcome = std::get_if<ForwardWelcome>(&frame)) told = welcome->held.seq;
  for (const hub::OriginState& state : hub.journal().origins())
    if (told != 0 && state.origin == link->spoke && state.last.seq == told)
      told_[{hub.name(), {state.origin, state.life.id}}] = told;
}

// ---- what databases are told --------------------------------------------------------------------

// What of a transaction comes in one commit is what one link disclosed of it: nothing less, and
// nothing of another.
void Checks::applied_whole(const Spoke& spoke, const ApplyRecord::Transaction& transaction) {
  std::string name = name_of(transaction.key.origin, transaction.key.epoch, transaction.seq);
  std::vector<RowId> here = transaction.skipped;
  for (const AppliedRow& row : transaction.rows) here.push_back(row.id);
  std::ranges::sort(here);
  bool same = false;
  for (auto& [link, rows] :
       disclosed_[{spoke.name(), transaction.key.origin, transaction.key.epoch, transaction.seq}]) {
    std::vector<RowId> sent = rows;
    std::ranges::sort(sent);
    same |= sent == here;
  }
  if (!same && !here.empty())
    fail("whole", spoke.name() + " commits " + std::to_string(here.size()) + " rows of " + name +
                      ", which is not what was sent");
  const Oracle& oracle = world_.oracle();
  for (const AppliedRow& row : transaction.rows) {
    auto place = oracle.find(row.id);
    const OracleRow* original = place ? &oracle.row(*place) : nullptr;
    if (!original || original->type != row.type || original->payload != row.payload)
      return fail("whole", spoke.name() + " commits a row of " + name + " that nobody wrote");
    if (oracle.transactions()[place->transaction].fate == Oracle::Fate::rolled_back)
      return fail("committed only", name + ", which was rolled back, is applied");
    const auto& ids = spoke.database().state().received_ids;
    auto at = ids.find({row.origin, row.id});
    if (at != ids.end() && at->second.size() > 1)
      return fail("exactly once", spoke.name() + " has row " + row.payload.substr(0, 12) + " of " +
                                      name + " twice");
  }
}

void Checks::written(const Spoke& spoke, const Record& record) {
  if (const auto* applied = std::get_if<ApplyRecord>(&record))
    for (const auto& transaction : applied->transactions) {
      world_.say(spoke.name(),
                 "applies " +
                     name_of(transaction.key.origin, transaction.key.epoch, transaction.seq) +
                     ", rows: " + std::to_string(transaction.rows.size()) +
                     ", known by id: " + std::to_string(transaction.skipped.size()));
      applied_whole(spoke, transaction);
    }
  if (std::get_if<EpochRecord>(&record) && world_.now() > kSecond) {
    ++counts_.epochs;
    if (--lives_due_[spoke.name()] < 0)
      fail("epochs", spoke.name() + " begins a new epoch, and its database is the same as before");
  }
}

void Checks::receipt_is_true(const Spoke& spoke, const DeliverUp& frame) {
  if (const auto* said = std::get_if<DeliverReceipts>(&frame))
    for (const Receipt& receipt : said->receipts) applied_is_true(spoke, receipt);
  const auto* ack = std::get_if<DeliverAck>(&frame);
  if (!ack || ack->durable == 0) return;
  const Database& database = spoke.database();
  std::optional<StreamPosition> durable;  // as a crash would leave it
  for (std::size_t i = database.flushed(); i > 0 && !durable; --i)
    if (const auto* applied = std::get_if<ApplyRecord>(&database.record(i - 1)))
      durable = applied->position;
  if (!durable || durable->lsn < ack->durable)
    fail("acknowledged is durable", spoke.name() + " says that lsn " +
                                        std::to_string(ack->durable) +
                                        " is flushed, and a crash would lose it");
}

// A mark is told when a crash of the destination's database would leave it there, and what was put
// aside or given up at or below it is told with it.
void Checks::applied_is_true(const Spoke& spoke, const Receipt& receipt) {
  const OriginEpoch key{receipt.origin, receipt.epoch};
  ++counts_.receipts;
  if (receipt.seq > receipt.base && spoke.database().durable_mark(key).value_or(0) < receipt.seq)
    return fail("applied is durable", spoke.name() + " says that it has applied " +
                                          name_of(key.origin, key.epoch, receipt.seq) +
                                          ", and a crash would lose it");
  auto& told = told_exceptions_[{spoke.name(), key}];
  told.insert(told.end(), receipt.exceptions.begin(), receipt.exceptions.end());
  for (const spoke::DeadLetter& letter : spoke.database().state().dead_letters) {
    if (letter.origin != key.origin || letter.epoch != key.epoch || letter.seq > receipt.seq)
      continue;
    bool known = std::ranges::any_of(told, [&](const ReceiptException& exception) {
      return exception.from < letter.seq && letter.seq <= exception.to;
    });
    if (!known)
      return fail("applied is durable", spoke.name() + " says that it has applied " +
                                            name_of(key.origin, key.epoch, letter.seq) +
                                            ", and has put it aside");
  }
}

// ---- bounds -------------------------------------------------------------------------------------

void Checks::hub_is_bounded(const Hub& hub) {
  constexpr std::size_t kOverhead = 300;  // of an entry
  // A group may be exceeded by what each of the attached origins had under way.
  std::size_t frames = limits::kStreamInflight * (limits::kBatchBytes + limits::kFrameBytes);
  std::size_t most =
      2 * limits::kGroupBytes + world_.spokes().size() * (frames + kOverhead * limits::kBatchParts);
  if (hub.core().ingest().status().pending_bytes > most)
    fail("bounded", hub.name() + " holds " +
                        std::to_string(hub.core().ingest().status().pending_bytes) +
                        " bytes that are not journaled");
  for (const hub::SessionStatus& session : hub.core().delivery().status())
    if (session.in_flight_bytes > session.window_bytes + limits::kBatchBytes + limits::kFrameBytes)
      fail("bounded", hub.name() + " has sent " + std::to_string(session.in_flight_bytes) +
                          " bytes to " + session.peer.name + " beyond its window of " +
                          std::to_string(session.window_bytes));
}

void Checks::origin_is_bounded(const Spoke& spoke) {
  spoke::OriginStatus status = spoke.origin();
  if (status.in_flight_bytes > status.window_bytes + limits::kFrameBytes)
    fail("bounded", spoke.name() + " has sent " + std::to_string(status.in_flight_bytes) +
                        " bytes beyond a window of " + std::to_string(status.window_bytes));
}

void Checks::destination_is_bounded(const Spoke& spoke) {
  std::size_t most = limits::kDeliverWindowBytes + limits::kBatchBytes + limits::kFrameBytes;
  if (spoke.destination().queued_bytes > most)
    fail("bounded", spoke.name() + " holds " + std::to_string(spoke.destination().queued_bytes) +
                        " bytes that are not applied");
}

void Checks::consumed_is_true(const Link& link, std::size_t frames) {
  if (frames > link.unconsumed && !link.hub_gone)
    fail("bounded", "a hub takes more frames of a link than came");
}

void Checks::journal_is_sound(const Hub& hub) {
  Result<hub::VerifyReport> report = hub::verify(hub.journal(), 1, ~Lsn{0}, nullptr);
  if (!report) return fail("hash chain", report.status().message());
  for (const hub::Finding& finding : report->findings) {
    // The world has cut it, and the journal has noticed.
    if (finding.kind == hub::Finding::Kind::cut && hub.has_lost_tail()) continue;
    fail("hash chain", finding.sentence);
  }
}

// ---- what the world did -------------------------------------------------------------------------

void Checks::hub_lost(const Hub& hub, Lsn upto, bool trimmed) {
  stretches_lost_ = true;
  if (world_.follower()) return note_loss_of(hub, upto, trimmed);
  if (!trimmed) {
    for (const hub::OriginState& state : hub.journal().origins()) {
      Seq& lost = lost_by_hubs_[{state.origin, state.life.id}];
      lost = std::max(lost, state.last.seq);
    }
    return;
  }
  hub::ReadCursor at{hub.journal().info().first_lsn, 0};
  while (at.lsn <= upto) {
    Result<hub::ReadPage> page = hub.journal().read(at, 1 << 20);
    if (!page || page->items.empty()) return;
    for (const hub::ReadItem& item : page->items)
      if (item.entry->lsn <= upto) {
        Seq& lost = lost_by_hubs_[item.entry->key()];
        lost = std::max(lost, item.entry->seq);
      }
    at = page->next;
  }
}

}  // namespace oltp20::sim
