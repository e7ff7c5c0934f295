#include "hub/journal/rocksdb/verify_directory.h"

#include <rocksdb/db.h>

#include <algorithm>
#include <filesystem>

#include "hub/journal/origin_seal.h"
#include "hub/journal/rocksdb/store.h"
#include "hub/journal/rocksdb/witness.h"

namespace oltp20::hub {
namespace {

using store::Life;
using store::Space;
using store::Store;

constexpr Lsn kProgressEntries = 1000;

struct Bounds {
  store::Place before_first, head;
  Hash origins_digest;
};

// nullopt: the entries of this life were removed by trim().
Result<std::optional<Bounds>> bounds_of(const Store& store, const Life& life) {
  Result<std::optional<std::string>> head = store.get(store::prefix(Space::head, life.no));
  if (!head) return head.status();
  if (!*head) return std::optional<Bounds>();
  Result<std::optional<std::string>> first = store.get(store::prefix(Space::first, life.no));
  if (!first) return first.status();
  Result<store::Head> head_record = store::decode_head(**head);
  Result<store::Place> first_place = store::decode_place(first->value_or(""));
  if (!head_record) return store.unreadable(head_record.status().message());
  if (!first_place) return store.unreadable(first_place.status().message());
  return std::optional(Bounds{*first_place, head_record->place, head_record->origins_digest});
}

void feed_parts(const Store& store, const Life& life, const Entry& entry,
                StreamVerifier* verifier) {
  for (std::uint32_t part_no = 0; part_no < entry.parts; ++part_no) {
    Result<std::optional<std::string>> part =
        store.get(store::part_key(life.no, entry.key(), entry.seq, part_no));
    bool there = part && *part;
    if (!part)
      verifier->report().add(entry.lsn, Finding::Kind::unreadable, part.status().message());
    verifier->part(there ? *part : std::nullopt);
    if (!there) return;
  }
}

void feed_entry(const Store& store, const Life& life, Lsn at, std::string_view bytes,
                StreamVerifier* verifier) {
  Result<Entry> entry = decode_entry(bytes);
  verifier->entry(at, entry);
  if (entry && entry->parts > 1 && entry->lsn == at) feed_parts(store, life, *entry, verifier);
}

// An iterator cannot pass a damaged block: ask for each entry, so that those in it are named.
void feed_one_by_one(const Store& store, const Life& life, Lsn from, StreamVerifier* verifier) {
  for (Lsn at = from; at <= verifier->report().to; ++at) {
    Result<std::optional<std::string>> bytes = store.get(store::lsn_key(Space::entry, life.no, at));
    if (!bytes) verifier->entry(at, bytes.status());
    if (bytes && *bytes) feed_entry(store, life, at, **bytes, verifier);
  }
}

// All entries of the life, in the order of their keys. False: stopped.
bool feed(const Store& store, const Life& life, const VerifyProgress& progress,
          StreamVerifier* verifier) {
  VerifyReport& report = verifier->report();
  std::string end = store::prefix(Space::entry, life.no + 1);
  std::unique_ptr<rocksdb::Iterator> it(store.db().NewIterator({}));
  Lsn next = report.from;
  for (it->Seek(store::lsn_key(Space::entry, life.no, next));
       it->Valid() && it->key().compare(end) < 0; it->Next()) {
    Lsn at = store::lsn_of_key(it->key().ToStringView());
    feed_entry(store, life, at, it->value().ToStringView(), verifier);
    next = at + 1;
    if (report.entries % kProgressEntries == 0 && progress && !progress(at, report.to)) {
      report.stopped = true;
      report.to = at;
      return false;
    }
  }
  if (!it->status().ok()) feed_one_by_one(store, life, next, verifier);
  return true;
}

// The origins' records: each by its seal and by the entries; all of them by the head's digest,
// which speaks only where nothing else does.
void check_origins(const Store& store, const Life& life, const Bounds& bounds,
                   StreamVerifier* verifier) {
  VerifyReport& report = verifier->report();
  auto finding = [&](const std::string& what) { report.add(0, Finding::Kind::record, what); };
  std::size_t before = report.findings.size() + report.more_findings;
  std::vector<OriginState> records;
  Hash digest;
  std::string end = store::prefix(Space::origin, life.no + 1);
  std::unique_ptr<rocksdb::Iterator> it(store.db().NewIterator({}));
  for (it->Seek(store::prefix(Space::origin, life.no)); it->Valid() && it->key().compare(end) < 0;
       it->Next()) {
    Result<store::OriginRecord> record =
        store::decode_origin(life.no, it->key().ToStringView(), it->value().ToStringView());
    if (!record) {
      finding(record.status().message());
      continue;
    }
    if (!record->is_intact())
      finding("the record of origin " + record->state.origin + " was changed: its seal is broken");
    if (record->state.lsn > bounds.head.lsn)
      finding("the record of origin " + record->state.origin + " names an entry behind the head");
    add_seal(&digest, record->seal);
    records.push_back(std::move(record->state));
  }
  if (!it->status().ok()) report.add(0, Finding::Kind::unreadable, it->status().ToString());
  verifier->check_records(records);
  bool told = report.findings.size() + report.more_findings != before;
  if (!told && digest != bounds.origins_digest)
    finding(
        "the origins' records are not those of the head: one whose entries are trimmed was "
        "removed, "
        "changed or put back from an earlier time");
}

Result<VerifyReport> verify_life(const Store& store, const std::string& hub, const Life& life,
                                 const Bounds& bounds, const VerifyProgress& progress) {
  Lsn from = bounds.before_first.lsn + 1;
  Hash before = bounds.before_first.hash;
  StreamVerifier verifier(life.incarnation, from, bounds.head.lsn, before);
  VerifyReport& report = verifier.report();
  if (from == 1 && before != StreamState::start(hub, life.incarnation, life.parent).before_first)
    report.add(0, Finding::Kind::changed, "the start of the stream does not follow from its name");
  if (!feed(store, life, progress, &verifier)) return std::move(report);
  if (bounds.head.lsn >= from) {
    Result<std::optional<std::string>> last =
        store.get(store::lsn_key(Space::entry, life.no, bounds.head.lsn));
    Result<Entry> entry = decode_entry(last && *last ? **last : std::string());
    if (!last || !*last)
      report.add(bounds.head.lsn, Finding::Kind::cut, "the head record names it, but it is gone");
    else if (entry && entry->stream != bounds.head.hash)
      report.add(bounds.head.lsn, Finding::Kind::changed, "the head record has another hash");
  }
  verifier.finish();
  check_origins(store, life, bounds, &verifier);
  return std::move(report);
}

void check_witness(const Store& store, const Life& life, const Bounds& bounds,
                   const std::optional<StreamPosition>& witness, VerifyReport* report) {
  if (!witness) {
    report->add(bounds.head.lsn, Finding::Kind::cut,
                "the witness file is missing or unreadable; what was acknowledged is not known");
    return;
  }
  bool just_begun = bounds.head.lsn == 0 && life.parent.incarnation == witness->incarnation;
  if (witness->incarnation != life.incarnation) {
    if (!just_begun)
      report->add(bounds.head.lsn, Finding::Kind::cut,
                  "the witness knows incarnation " + to_hex(witness->incarnation) + ", not " +
                      to_hex(life.incarnation));
    return;
  }
  if (witness->lsn > bounds.head.lsn) {
    report->add(
        bounds.head.lsn + 1, Finding::Kind::cut,
        "it and all up to " + std::to_string(witness->lsn) + " were acknowledged and are missing");
    return;
  }
  if (witness->lsn <= bounds.before_first.lsn) return;
  Result<Entry> entry = store.entry(life.no, witness->lsn);
  if (entry && entry->stream != witness->hash)
    report->add(witness->lsn, Finding::Kind::changed,
                "it is not the one that was acknowledged under this number");
}

}  // namespace

bool DirectoryReport::is_sound() const {
  return std::all_of(incarnations.begin(), incarnations.end(),
                     [](const VerifyReport& report) { return report.is_sound(); });
}

Result<DirectoryReport> verify_directory(const std::string& directory, VerifyProgress progress) {
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::path(directory) / "db", error))
    return Status(Code::not_found, directory + " holds no journal; correct [hub] data_dir");
  Result<store::DirectoryLock> lock = store::DirectoryLock::take(directory);
  if (!lock)
    return Status(lock.status().code(),
                  lock.status().message() + "; of a running hub ask `oltp20ctl journal verify`");
  Result<std::unique_ptr<Store>> opened =
      Store::open({.directory = directory}, Store::Mode::read_only);
  if (!opened) return opened.status();
  const Store& store = **opened;
  Result<std::optional<store::Meta>> meta = store.meta();
  if (!meta) return meta.status();
  if (!*meta) return Status(Code::not_found, "the journal in " + directory + " is empty");
  Result<std::vector<Life>> lives = store.lives();
  if (!lives) return lives.status();
  DirectoryReport out{.hub = (*meta)->hub, .incarnations = {}, .notes = {}};
  for (const Life& life : *lives) {
    if (!life.loss.empty())
      out.notes.push_back("incarnation " + to_hex(life.incarnation) + " began because " +
                          life.loss);
    Result<std::optional<Bounds>> bounds = bounds_of(store, life);
    if (!bounds) return bounds.status();
    if (!*bounds) continue;
    Result<VerifyReport> report = verify_life(store, out.hub, life, **bounds, progress);
    if (!report) return report.status();
    if (life.no == lives->back().no)
      check_witness(store, life, **bounds, store::Witness::peek(directory + "/witness"), &*report);
    out.incarnations.push_back(std::move(*report));
  }
  return out;
}

}  // namespace oltp20::hub
