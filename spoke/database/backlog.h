// BacklogProbe: asks the database what waits there, for metrics: what the outbox holds behind the
// last journaled transaction while nothing is captured (no hub, or a full window), and what waits
// for a person. A connection of its own, so that it never stands in the loops' way. One thread.
#pragma once

#include <memory>
#include <string>

#include "common/base/ids.h"
#include "common/base/status.h"

namespace oltp20::spoke {

class Canceller;
class Session;

// Beyond so many rows the backlog is not counted on: counting must not cost more than sending.
inline constexpr int kBacklogRows = 100'000;

struct Backlog {
  std::uint64_t transactions = 0;  // of the outbox, behind what is journaled
  std::int64_t oldest_us = 0;  // wall clock of the database, of the oldest row; 0: there is none
  std::uint64_t open_gaps = 0;
  std::uint64_t dead_letters = 0;
};

class BacklogProbe {
 public:
  explicit BacklogProbe(std::string url);
  ~BacklogProbe();

  // `outbox`: look at the outbox too, behind `journaled` of `epoch`. Errors: as those of a
  // connection; the next call connects again.
  Result<Backlog> look(bool outbox, const Epoch& epoch, Seq journaled);
  // Any thread: ends the statement that is running, with an error; none is no harm.
  void cancel();

 private:
  const std::string url_;
  std::shared_ptr<Session> session_;
  const std::unique_ptr<Canceller> canceller_;
};

}  // namespace oltp20::spoke
