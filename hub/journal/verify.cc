#include "hub/journal/verify.h"

#include <algorithm>
#include <limits>

#include "common/base/limits.h"
#include "common/wire/hash_chain.h"

namespace oltp20::hub {
namespace {

constexpr Lsn kProgressEntries = 1000;

std::string named(const Entry& entry) {
  return entry.origin + "/" + std::to_string(entry.seq);
}

}  // namespace

std::string_view finding_name(Finding::Kind kind) {
  switch (kind) {
    case Finding::Kind::changed:
      return "changed";
    case Finding::Kind::missing:
      return "missing";
    case Finding::Kind::reordered:
      return "reordered";
    case Finding::Kind::cut:
      return "cut";
    case Finding::Kind::unreadable:
      return "unreadable";
    case Finding::Kind::link:
      return "link";
    case Finding::Kind::origin:
      return "origin";
    case Finding::Kind::content:
      return "content";
    case Finding::Kind::record:
      return "record";
  }
  return "unknown";
}

void VerifyReport::add(Lsn lsn, Finding::Kind kind, std::string sentence) {
  if (findings.size() < kFindings) {
    std::string what = lsn == 0 ? "" : "entry " + std::to_string(lsn) + ": ";  // 0: the stream
    findings.push_back({lsn, kind, what + sentence});
  } else {
    ++more_findings;
  }
}

StreamVerifier::StreamVerifier(const Incarnation& incarnation, Lsn from, Lsn to,
                               std::optional<Hash> before)
    : from_(from), next_(from), stream_(before) {
  report_.incarnation = incarnation;
  report_.from = from;
  report_.to = to;
}

// Tells what is missing before `stored_at`, and goes on there.
void StreamVerifier::expect(Lsn stored_at) {
  end_large();
  if (stored_at > next_) {
    Lsn missing = stored_at - next_;
    report_.add(next_, Finding::Kind::missing,
                missing == 1 ? "is missing"
                             : "and the " + std::to_string(missing - 1) + " behind it are missing");
    stream_.reset();
    gap_ = true;
  }
  next_ = stored_at + 1;
}

void StreamVerifier::entry(Lsn stored_at, const Result<Entry>& found) {
  expect(stored_at);
  ++report_.entries;
  if (stored_at > report_.to)
    report_.add(stored_at, Finding::Kind::changed, "stands behind the head of the stream");
  if (!found) {
    report_.add(stored_at, Finding::Kind::unreadable, found.status().message());
    stream_.reset();
    gap_ = true;
    return;
  }
  const Entry& entry = *found;
  report_.bytes += entry.part.size();
  if (entry.lsn != stored_at) {
    report_.add(stored_at, Finding::Kind::reordered,
                "entry " + std::to_string(entry.lsn) + " (" + named(entry) + ") is in its place");
    stream_.reset();
    gap_ = true;
    return;
  }
  if (stream_ && stream_next(*stream_, entry_hash(entry)) != entry.stream)
    report_.add(stored_at, Finding::Kind::changed,
                "its hash does not continue the stream: it, or the hash stored with it or with the "
                "one before, was changed");
  stream_ = entry.stream;
  check_origin(entry);
  if (entry.kind == Entry::Kind::run) return;
  large_ = entry;
  large_->part.clear();
  next_part_ = next_position_ = 0;
  if (entry.parts == 1) part(entry.part);
}

void StreamVerifier::check_origin(const Entry& entry) {
  auto [place, fresh] = origins_.try_emplace(entry.key());
  Derived& derived = place->second;
  const ChainPosition& last = derived.last;
  if (entry.kind == Entry::Kind::run) {
    check_run(entry, fresh ? nullptr : &last);
    derived.life = entry.life;
    derived.base = entry.seq;
  } else if (fresh) {
    if (from_ == 1 && !gap_)
      report_.add(entry.lsn, Finding::Kind::link, named(entry) + " comes without a run");
  } else {
    if (entry.prev != last.seq || entry.seq <= entry.prev)
      report_.add(entry.lsn, Finding::Kind::link,
                  named(entry) + " follows " + std::to_string(entry.prev) +
                      ", but the stream is at " + std::to_string(last.seq));
    else if (entry.seq == entry.prev + 1 &&
             origin_chain_next(last.chain, entry.content) != entry.chain)
      report_.add(entry.lsn, Finding::Kind::origin,
                  "the chain of " + named(entry) + " does not follow from its content");
  }
  derived.last = {entry.seq, entry.chain};
  derived.lsn = entry.lsn;
}

void StreamVerifier::check_run(const Entry& entry, const ChainPosition* last) {
  if (last && entry.seq < last->seq)
    report_.add(entry.lsn, Finding::Kind::link,
                "the run of " + named(entry) + " goes back behind " + std::to_string(last->seq));
  bool wrong_chain = entry.seq == 0 && entry.chain != origin_chain_start(entry.origin, entry.life);
  if (last && entry.seq == last->seq && entry.chain != last->chain) wrong_chain = true;
  if (wrong_chain)
    report_.add(entry.lsn, Finding::Kind::origin,
                "the run of " + named(entry) + " begins with another chain than the origin's");
}

void StreamVerifier::part(const std::optional<std::string>& bytes) {
  if (!large_) return;
  ++report_.parts;
  if (large_->parts > 1) report_.bytes += bytes ? bytes->size() : 0;
  if (!bytes) {
    report_.add(large_->lsn, Finding::Kind::content,
                "part " + std::to_string(next_part_) + " is missing");
    large_.reset();
    return;
  }
  check_part(*bytes);
}

void StreamVerifier::check_part(const std::string& bytes) {
  auto wrong = [&](const std::string& why) {
    report_.add(large_->lsn, Finding::Kind::content,
                "part " + std::to_string(next_part_) + " of " + named(*large_) + ": " + why);
    large_.reset();
  };
  Result<PartView> part = PartView::parse(bytes);
  if (!part) return wrong(part.status().message());
  const TransactionHeader& header = part->header;
  if (header.origin != large_->origin || header.epoch != large_->epoch ||
      header.seq != large_->seq || header.rows != large_->rows)
    return wrong("it belongs to another transaction");
  if (part->part_no != next_part_ || part->first_position != next_position_)
    return wrong("it is out of place");
  if (next_part_ == 0) content_.emplace(header);
  content_->add(*part);
  ++next_part_;
  next_position_ += static_cast<std::uint32_t>(part->rows.size());
  if (part->last != (next_part_ == large_->parts)) return wrong("it ends too early or too late");
  if (!part->last) return;
  if (content_->finish() != large_->content)
    report_.add(large_->lsn, Finding::Kind::content,
                "the rows of " + named(*large_) + " are not those that its hash was taken over");
  large_.reset();
}

void StreamVerifier::end_large() {
  if (large_)
    report_.add(large_->lsn, Finding::Kind::content,
                "parts from " + std::to_string(next_part_) + " on are missing");
  large_.reset();
}

void StreamVerifier::finish() {
  expect(report_.to + 1);
}

namespace {

std::string record_name(const OriginEpoch& key) {
  return "the record of origin " + key.origin + " in epoch " + to_hex(key.epoch);
}

std::string place(Seq seq, Lsn lsn) {
  return "seq " + std::to_string(seq) + " at entry " + std::to_string(lsn);
}

}  // namespace

// Why a record of which no entry was met cannot be true; empty: it may be.
std::string StreamVerifier::unfounded(const OriginState& record) const {
  bool fed = record.lsn >= from_ && record.lsn <= report_.to;
  return fed && !gap_ ? "names entry " + std::to_string(record.lsn) + ", which is none of its own"
                      : "";
}

std::string StreamVerifier::contradiction(const OriginState& record, const Derived& derived) const {
  bool moved_on = record.lsn > report_.to;  // since
  bool explained = moved_on || (gap_ && record.lsn > derived.lsn);
  if (explained && record.last.seq >= derived.last.seq) return "";
  if (record.lsn != derived.lsn || record.last != derived.last)
    return "says " + place(record.last.seq, record.lsn) + ", its entries say " +
           place(derived.last.seq, derived.lsn) +
           (record.last.seq == derived.last.seq ? ", with another chain hash" : "");
  if (!gap_ && derived.life && (record.life != *derived.life || record.base != derived.base))
    return "names another parent, fork or base than its run does";
  return "";
}

void StreamVerifier::check_records(const std::vector<OriginState>& records) {
  for (const OriginState& record : records) {
    OriginEpoch key{record.origin, record.life.id};
    auto known = origins_.find(key);
    std::string wrong =
        known == origins_.end() ? unfounded(record) : contradiction(record, known->second);
    if (known != origins_.end()) known->second.recorded = true;
    if (!wrong.empty()) report_.add(0, Finding::Kind::record, record_name(key) + " " + wrong);
  }
  for (const auto& [key, derived] : origins_)
    if (!derived.recorded)
      report_.add(derived.lsn, Finding::Kind::record, record_name(key) + " is missing");
}

namespace {

// One page at the cursor; an entry that cannot be read is told and stepped over.
// Errors: not_found, when it was trimmed meanwhile; what makes all reading fail.
Status feed_page(const Journal& journal, ReadCursor* cursor, Lsn to, StreamVerifier* verifier) {
  Result<ReadPage> page = journal.read(*cursor, limits::kBatchBytes);
  bool damaged = !page && page.status().code() == Code::corrupt;
  if (damaged) page = journal.read(*cursor, 1);  // of the page's entries, which one?
  if (damaged && !page && page.status().code() == Code::corrupt) {
    verifier->entry(cursor->lsn, page.status());
    *cursor = {cursor->lsn + 1, 0};
    return {};
  }
  if (!page) return page.status();
  for (ReadItem& item : page->items) {
    if (item.entry->lsn > to) break;
    if (item.part_no == 0) verifier->entry(item.entry->lsn, *item.entry);
    if (item.entry->parts > 1) verifier->part(std::move(item.part));
  }
  *cursor = page->next;
  return {};
}

}  // namespace

Result<VerifyReport> verify(const Journal& journal, Lsn from, Lsn to, VerifyProgress progress) {
  JournalInfo info = journal.info();
  from = std::max(from, info.first_lsn);
  to = std::min(to, info.head.lsn);
  std::optional<Hash> before;
  if (Result<Hash> hash = journal.stream_hash_at(from - 1)) before = *hash;
  std::optional<StreamVerifier> verifier;
  verifier.emplace(info.incarnation, from, to, before);
  ReadCursor cursor{from, 0};
  for (Lsn told = from; cursor.lsn <= to;) {
    Status fed = feed_page(journal, &cursor, to, &*verifier);
    if (!fed && fed.code() != Code::not_found) return fed;
    if (!fed) {
      // Trimmed meanwhile: what is left is checked on its own.
      cursor = {std::max(cursor.lsn + 1, journal.info().first_lsn), 0};
      VerifyReport so_far = std::move(verifier->report());
      verifier.emplace(info.incarnation, cursor.lsn, to, std::nullopt);
      verifier->report() = std::move(so_far);
      continue;
    }
    if (cursor.lsn < told + kProgressEntries) continue;
    told = cursor.lsn;
    if (progress && !progress(cursor.lsn - 1, to)) {
      verifier->report().stopped = true;
      verifier->report().to = cursor.lsn - 1;
      break;
    }
  }
  if (from <= to) verifier->finish();
  if (!verifier->report().stopped) verifier->check_records(journal.origins());
  if (!info.loss.empty()) verifier->report().add(0, Finding::Kind::cut, info.loss);
  return std::move(verifier->report());
}

}  // namespace oltp20::hub
