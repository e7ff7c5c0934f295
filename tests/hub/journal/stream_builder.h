// Builds true streams for tests: real envelopes, right hashes, right links, as a hub would.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "hub/journal/journal.h"

namespace oltp20::hub::testing {

class StreamBuilder {
 public:
  // Continues from the journal's head and origins.
  explicit StreamBuilder(const Journal& journal);

  // The run that opens `origin` at seq 0 (or at the base given).
  EntryPtr run(const std::string& origin, Seq base = 0);
  // The origin's next transaction, one row with `payload`.
  EntryPtr transaction(const std::string& origin, const std::string& payload = "Ah-Ha!");
  // A transaction of several rows, each a part of its own; the parts go to *parts.
  EntryPtr large(const std::string& origin, std::uint32_t rows, std::vector<StoredPart>* parts);
  // A group of `count` transactions of `origin`.
  Group group(const std::string& origin, int count, const std::string& payload = "Ah-Ha!");

  static OriginEpoch key(const std::string& origin);
  const StreamPosition& head() const { return head_; }

 private:
  EntryPtr seal(Entry entry);

  StreamPosition head_;
  std::map<OriginEpoch, ChainPosition> origins_;
};

// Appends and waits for the outcome.
Status append(Journal& journal, Group group);
// Everything from `lsn` on, in pages of `max_bytes`. Fails the test on an error.
std::vector<ReadItem> read_all(const Journal& journal, Lsn lsn = 1, std::size_t max_bytes = 4096);

}  // namespace oltp20::hub::testing
