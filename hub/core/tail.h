// Tail: the newest durable entries of the stream, in memory, so that a destination that keeps up
// costs no read. Bounded by bytes; what is older is read from the journal.
#pragma once

#include <deque>

#include "hub/journal/entry.h"

namespace oltp20::hub {

class Tail {
 public:
  explicit Tail(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  void push(EntryPtr entry) {
    bytes_ += entry->memory_bytes();
    entries_.push_back(std::move(entry));
    while (bytes_ > most_bytes_ && !entries_.empty()) {
      bytes_ -= entries_.front()->memory_bytes();
      entries_.pop_front();
    }
  }
  void clear() {
    entries_.clear();
    bytes_ = 0;
  }
  // nullptr: not in memory.
  EntryPtr find(Lsn lsn) const {
    if (entries_.empty() || lsn < entries_.front()->lsn) return nullptr;
    std::size_t index = lsn - entries_.front()->lsn;
    return index < entries_.size() ? entries_[index] : nullptr;
  }
  std::size_t bytes() const { return bytes_; }

 private:
  const std::size_t most_bytes_;
  std::size_t bytes_ = 0;
  std::deque<EntryPtr> entries_;
};

}  // namespace oltp20::hub
