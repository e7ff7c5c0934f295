// Receipts: the newest word of each destination about each (origin, epoch), passed on to the origin
// while it is attached here.
//
// In memory only: a destination says everything again when it attaches, and so does this to an
// origin. The newest word counts, also when it is lower (protocol rule 25). Bounded: a key that no
// longer fits is dropped and counted, never one that is kept.
//
// Pure. One thread.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "hub/core/events.h"

namespace oltp20::hub {

struct ReceiptsStatus {
  std::size_t kept = 0;
  std::uint64_t dropped = 0;  // words about keys that did not fit, since the hub started
};

class Receipts {
 public:
  explicit Receipts(std::size_t most) : most_(most) {}

  // Errors: invalid (then nothing of the frame counts). `database`: as its hello said.
  Status said(const Identity& destination, const Incarnation& database,
              const DeliverReceipts& frame);
  // The origin streams on this link from now on, and is told everything.
  void attached(const std::string& origin, LinkId link);
  void closed(LinkId link);
  // Passes on what is new, at most every limits::kReceiptPass to one origin.
  void flush(Now now, Actions* out);

  ReceiptsStatus status() const { return {kept_, dropped_}; }

 private:
  struct Key {
    std::string destination;
    Epoch epoch;
    auto operator<=>(const Key&) const = default;
  };
  struct Word {
    DestinationReceipt latest;    // with the newest exceptions, limits::kReceiptExceptions of them
    std::size_t told = 0;         // of the exceptions
    std::uint64_t statement = 0;  // of the destination, in which it was said last
  };
  struct Origin {
    std::map<Key, Word> words;
    std::set<Key> unsaid;
    LinkId link = 0;  // 0: not attached
    Micros pass_at = 0;
  };
  static Status check(const Receipt& receipt, const std::string& destination);
  void keep(const Identity& destination, const Incarnation& database, const Receipt& receipt);
  static void add_exceptions(Word& word, std::vector<ReceiptException> known);
  void retract_unsaid(const std::string& destination);
  static DestinationReceipt next(Word& word);
  static void pass_on(Origin& origin, Actions* out);

  const std::size_t most_;
  std::map<std::string, Origin> origins_;
  std::map<std::string, std::set<std::string>> origins_of_;  // by destination
  std::map<std::string, std::uint64_t> statements_;          // complete ones, by destination
  std::map<LinkId, std::string> links_;
  std::set<std::string> due_;  // origins that are attached and have something unsaid
  std::size_t kept_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace oltp20::hub
