// Verification: whether a journal still says what was written, entry by entry.
//
// StreamVerifier is fed a stream's entries in order and recomputes everything that a hash or a link
// promises: entry hash and stream chain, lsn continuity, prev links and chain of each origin,
// content of the parts; and that the origins' records are what the entries say. After a finding it
// goes on from what is stored, so that one damage is told once and what follows is still checked.
// Memory: one state per (origin, epoch). verify() feeds it from an open journal;
// rocksdb/verify_directory.h from files.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/wire/envelope.h"
#include "hub/journal/journal.h"

namespace oltp20::hub {

struct Finding {
  enum class Kind {
    changed,     // the entry's hash does not continue the stream's chain
    missing,     // no entry under this lsn
    reordered,   // another entry than the one of this lsn stands there
    cut,         // entries that were acknowledged are missing at the end
    unreadable,  // the storage refuses, or the bytes are no entry
    link,        // prev does not name the origin's entry before
    origin,      // the chain of the (origin, epoch) does not follow from the content
    content,     // the parts are not what the content hash was taken over
    record,      // what is kept of an (origin, epoch), beside the entries, is not what they say
  };
  Lsn lsn = 0;
  Kind kind = Kind::changed;
  std::string sentence;
};
std::string_view finding_name(Finding::Kind kind);

struct VerifyReport {
  static constexpr std::size_t kFindings = 1000;  // listed; more are counted

  Incarnation incarnation;
  Lsn from = 0, to = 0;  // entries [from, to] were checked
  std::uint64_t entries = 0, parts = 0, bytes = 0;
  std::vector<Finding> findings;
  std::uint64_t more_findings = 0;
  bool stopped = false;  // by the progress callback

  bool is_sound() const { return findings.empty(); }
  void add(Lsn lsn, Finding::Kind kind, std::string sentence);
};

// Called now and then with the lsn that was reached; false stops.
using VerifyProgress = std::function<bool(Lsn at, Lsn to)>;

// Not thread-safe.
class StreamVerifier {
 public:
  // The stream behind `from - 1`, whose stream hash is `before`; when nullopt, the first entry's
  // own is believed. Origins are learnt from their first entry unless `from` is 1.
  StreamVerifier(const Incarnation& incarnation, Lsn from, Lsn to, std::optional<Hash> before);

  // In the order of `stored_at`, the lsn under which the entry was found. Lsns that are left out
  // are missing. `entry` may be no entry.
  void entry(Lsn stored_at, const Result<Entry>& entry);
  // The parts of the entry before, in order, when it has more than one. nullopt: it is missing.
  void part(const std::optional<std::string>& bytes);
  // The end of the range was reached.
  void finish();
  // After finish(): what the journal says of its origins, then or later, against the entries that
  // were fed. Of an origin whose entries are all trimmed nothing can be said here.
  void check_records(const std::vector<OriginState>& records);

  VerifyReport& report() { return report_; }

 private:
  // What the entries say of an (origin, epoch).
  struct Derived {
    ChainPosition last;
    Lsn lsn = 0;
    std::optional<EpochInfo> life;  // of its last run, when that was fed
    Seq base = 0;
    bool recorded = false;  // check_records() has met it
  };

  void expect(Lsn stored_at);
  void check_origin(const Entry& entry);
  void check_run(const Entry& entry, const ChainPosition* last);
  std::string unfounded(const OriginState& record) const;
  std::string contradiction(const OriginState& record, const Derived& derived) const;
  void check_part(const std::string& bytes);
  void end_large();

  const Lsn from_;
  VerifyReport report_;
  Lsn next_;
  std::optional<Hash> stream_;
  bool gap_ = false;  // something was missing: origins' links may miss their predecessors
  std::map<OriginEpoch, Derived> origins_;
  std::optional<Entry> large_;  // whose parts are being fed
  std::uint32_t next_part_ = 0;
  std::uint32_t next_position_ = 0;
  std::optional<ContentHasher> content_;
};

// A tail that opening found to be cut (JournalInfo::loss) is a finding until the next opening.
// Online: beside the hub's work, through read(). `to` beyond the head means the head, `from` below
// first_lsn means first_lsn; entries that are trimmed meanwhile are skipped.
// Errors: only what makes the journal unusable as a whole.
Result<VerifyReport> verify(const Journal& journal, Lsn from, Lsn to, VerifyProgress progress);

}  // namespace oltp20::hub
