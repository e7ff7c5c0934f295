#include "hub/journal/memory_journal.h"

#include <algorithm>

#include "common/base/check.h"

namespace oltp20::hub {

MemoryJournal::MemoryJournal(std::string hub, Random& random)
    : random_(random),
      state_(StreamState::start(std::move(hub), random.id<Incarnation>(), StreamPosition{})) {}

JournalInfo MemoryJournal::info() const {
  std::lock_guard lock(mutex_);
  return {.hub = state_.hub,
          .incarnation = state_.head.incarnation,
          .parent = state_.parent,
          .first_lsn = state_.first_lsn,
          .head = state_.head,
          .bytes = bytes_,
          .loss = loss_};
}

std::vector<OriginState> MemoryJournal::origins() const {
  std::lock_guard lock(mutex_);
  std::vector<OriginState> out;
  for (const auto& [key, state] : state_.origins) out.push_back(state);
  return out;
}

void MemoryJournal::append(Group group, Done done) {
  Status status;
  {
    std::lock_guard lock(mutex_);
    if (held_ || !waiting_.empty()) {
      waiting_.push_back({std::move(group), std::move(done)});
      return;
    }
    status = commit(group);
  }
  done(status);
}

bool MemoryJournal::complete_one() {
  Waiting next;
  Status status;
  {
    std::lock_guard lock(mutex_);
    if (waiting_.empty()) return false;
    next = std::move(waiting_.front());
    waiting_.pop_front();
    status = commit(next.group);
  }
  next.done(status);
  return true;
}

Status MemoryJournal::commit(Group& group) {
  if (!failure_) return failure_.in("the journal takes nothing until it has recovered");
  if (fault_) {
    failure_ = *std::exchange(fault_, std::nullopt);
    return failure_;
  }
  Result<StreamState::Plan> plan = state_.plan(group);
  if (!plan) return plan.status();
  for (const DropParts& drop : group.drops) {
    auto first = parts_.lower_bound({drop.origin, state_.first_droppable(drop), 0});
    auto end = first;
    while (end != parts_.end() && std::get<0>(end->first) == drop.origin) ++end;
    parts_.erase(first, end);
  }
  bytes_ += group.bytes();
  for (StoredPart& part : group.parts)
    parts_.insert_or_assign({part.origin, part.seq, part.part_no}, std::move(part.bytes));
  entries_.insert(entries_.end(), group.entries.begin(), group.entries.end());
  state_.apply(std::move(*plan));
  return {};
}

const Entry& MemoryJournal::entry_at(Lsn lsn) const {
  return *entries_[lsn - state_.first_lsn];
}

Result<ReadPage> MemoryJournal::read(ReadCursor from, std::size_t max_bytes) const {
  std::lock_guard lock(mutex_);
  if (from.lsn < state_.first_lsn) return trimmed_away(from.lsn, state_.first_lsn);
  ReadPage page{.items = {}, .next = from, .at_head = false};
  std::size_t bytes = 0;
  while (page.next.lsn <= state_.head.lsn) {
    const EntryPtr& entry = entries_[page.next.lsn - state_.first_lsn];
    if (page.next.part_no >= std::max(entry->parts, 1u))
      return no_such_part(*entry, page.next.part_no);
    ReadItem item{.entry = entry, .part_no = page.next.part_no, .part = {}};
    if (entry->parts > 1) {
      auto stored = parts_.find({entry->key(), entry->seq, item.part_no});
      if (stored == parts_.end())
        return Status(Code::corrupt, "part " + std::to_string(item.part_no) + " of journal entry " +
                                         std::to_string(entry->lsn) + " is missing");
      item.part = stored->second;
    }
    bytes += entry->part.size() + item.part.size();
    if (!page.items.empty() && bytes > max_bytes) return page;
    bool last_part = item.part_no + 1 >= entry->parts;
    page.items.push_back(std::move(item));
    page.next = last_part ? ReadCursor{page.next.lsn + 1, 0}
                          : ReadCursor{page.next.lsn, page.next.part_no + 1};
  }
  page.at_head = true;
  return page;
}

Result<Hash> MemoryJournal::stream_hash_at(Lsn lsn) const {
  std::lock_guard lock(mutex_);
  if (lsn + 1 == state_.first_lsn) return state_.before_first;
  if (lsn < state_.first_lsn) return trimmed_away(lsn, state_.first_lsn);
  if (lsn > state_.head.lsn)
    return Status(Code::not_found, "journal entry " + std::to_string(lsn) +
                                       " does not exist yet; the head is " +
                                       std::to_string(state_.head.lsn));
  return entry_at(lsn).stream;
}

Status MemoryJournal::trim(Lsn upto) {
  std::lock_guard lock(mutex_);
  upto = state_.trimmable(upto);
  while (state_.first_lsn <= upto) {
    const Entry& entry = *entries_.front();
    if (entry.parts > 1) {
      auto first = parts_.lower_bound({entry.key(), 0, 0});
      auto end = parts_.lower_bound({entry.key(), entry.seq + 1, 0});
      parts_.erase(first, end);
    }
    state_.before_first = entry.stream;
    ++state_.first_lsn;
    entries_.pop_front();
  }
  bytes_ = 0;
  for (const EntryPtr& entry : entries_) bytes_ += Group{{}, {}, {entry}}.bytes();
  for (const auto& [key, bytes] : parts_) bytes_ += bytes.size();
  return {};
}

Status MemoryJournal::recover() {
  auto failed = [&] {
    std::lock_guard lock(mutex_);
    return !failure_;
  };
  while (failed() && complete_one()) {  // what waits behind the failure is refused first
  }
  std::lock_guard lock(mutex_);
  if (!failure_) drop_orphans();
  failure_ = {};
  return {};
}

void MemoryJournal::drop_orphans() {
  std::erase_if(parts_, [&](const auto& part) {
    const auto& [origin, seq, part_no] = part.first;
    return seq >= state_.first_orphan(origin);
  });
}

void MemoryJournal::hold(bool held) {
  {
    std::lock_guard lock(mutex_);
    held_ = held;
  }
  while (!held && complete_one()) {
  }
}

std::size_t MemoryJournal::waiting() const {
  std::lock_guard lock(mutex_);
  return waiting_.size();
}

void MemoryJournal::fail_next(Status why) {
  std::lock_guard lock(mutex_);
  fault_ = std::move(why);
}

void MemoryJournal::crash() {
  std::lock_guard lock(mutex_);
  waiting_.clear();
  drop_orphans();
  failure_ = {};
}

void MemoryJournal::lose_tail(Lsn last_kept) {
  std::lock_guard lock(mutex_);
  CHECK(last_kept + 1 >= state_.first_lsn && last_kept <= state_.head.lsn);
  StreamPosition left = state_.head;
  left.lsn = last_kept;
  left.hash = last_kept + 1 == state_.first_lsn ? state_.before_first : entry_at(last_kept).stream;
  loss_ = "acknowledged entries " + std::to_string(last_kept + 1) + " to " +
          std::to_string(state_.head.lsn) + " are missing; a new incarnation begins";
  state_ = StreamState::start(state_.hub, random_.id<Incarnation>(), left);
  waiting_.clear();
  entries_.clear();
  parts_.clear();
  bytes_ = 0;
  failure_ = {};
}

std::size_t MemoryJournal::stored_parts() const {
  std::lock_guard lock(mutex_);
  return parts_.size();
}

}  // namespace oltp20::hub
